/* access_gate.c - see access_gate.h. */
#include "access/access_gate.h"
#include "base/clock.h"

void gate_init(struct gate *g, unsigned inside_max, unsigned waiting_max)
{
    *g = (struct gate){.inside_max = inside_max, .waiting_max = waiting_max};
    pthread_mutex_init(&g->lock, NULL);
    cond_init(&g->left);
}

void gate_fini(struct gate *g)
{
    pthread_cond_destroy(&g->left);
    pthread_mutex_destroy(&g->lock);
}

err gate_enter(struct ctx *cx, struct gate *g, int64_t wait_ns)
{
    int64_t deadline_ns = clock_mono_ns() + wait_ns;
    bool in_time = true;

    if (cx->deadline_ns && cx->deadline_ns < deadline_ns)
        deadline_ns = cx->deadline_ns;
    LOCK(lock, &g->lock);
    if (g->inside == g->inside_max && g->waiting == g->waiting_max)
        return fail(cx, ERR_BUSY, "too many passwords are being checked, try again");
    g->waiting++;
    while (g->inside == g->inside_max && in_time)
        in_time = cond_wait_until(&g->left, &g->lock, deadline_ns);
    g->waiting--;
    if (g->inside == g->inside_max)
        return fail(cx, ERR_BUSY, "checking passwords takes too long now, try again");
    g->inside++;
    return ERR_OK;
}

void gate_leave(struct gate *g)
{
    LOCK(lock, &g->lock);
    g->inside--;
    pthread_cond_signal(&g->left);
}
