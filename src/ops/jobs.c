/* jobs.c - one thread, the table of modules, and when each job is due. */
#include "ops/jobs.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "writer/module.h"
#include <stdlib.h>

enum { JOBS_MAX = 64 };

struct due {
    const struct job *job;
    int64_t at_ns;
};

struct jobs {
    struct app *app;
    pthread_t thread;
    pthread_mutex_t lock; /* guards `stopping` */
    pthread_cond_t wake;
    bool stopping;
    struct due due[JOBS_MAX];
    size_t count;
};

static struct due *next_due(struct jobs *j)
{
    struct due *first = NULL;

    for (size_t i = 0; i < j->count; i++)
        if (!first || j->due[i].at_ns < first->at_ns)
            first = &j->due[i];
    return first;
}

/* False when the server stops. */
static bool sleep_until(struct jobs *j, int64_t at_ns)
{
    LOCK(held, &j->lock);

    while (!j->stopping && clock_mono_ns() < at_ns)
        (void)cond_wait_until(&j->wake, &j->lock, at_ns);
    return !j->stopping;
}

static void *jobs_run(void *arg)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    struct jobs *j = arg;
    struct due *next;

    while ((next = next_due(j)) && sleep_until(j, next->at_ns)) {
        err e = next->job->run(cx, j->app);
        if (e != ERR_OK)
            log_failure(cx, next->job->name, e);
        next->at_ns = clock_mono_ns() + next->job->every_ns;
        ctx_reset(cx);
    }
    return NULL;
}

struct jobs *jobs_open(struct app *app)
{
    struct jobs *j = calloc(1, sizeof *j);
    int64_t now = clock_mono_ns();

    ENSURE(j);
    j->app = app;
    pthread_mutex_init(&j->lock, NULL);
    cond_init(&j->wake);
    for (const struct module *m = modules; m->name; m++)
        for (const struct job *job = m->jobs; job && job->name; job++) {
            ENSURE(j->count < JOBS_MAX);
            j->due[j->count++] = (struct due){job, now + job->every_ns};
        }
    j->thread = thread_start("jobs", jobs_run, j);
    return j;
}

void jobs_close(struct jobs *j)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->lock);
    j->stopping = true;
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->thread, NULL);
    free(j);
}
