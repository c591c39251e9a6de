/* window.c - see window.h.
 *
 * Every wait is announced (worker_waits, loop_waits) before the counters are looked at once more,
 * and every move of a counter is made before the announcement is looked at, all sequentially
 * consistent: so one of the two always sees the other. */
#include "http/window.h"
#include "base/clock.h"
#include "base/queue.h"
#include <stdlib.h>

struct window *window_open(size_t bytes_min, void (*wake)(void *state), void *state)
{
    struct window *w = calloc(1, sizeof *w);
    size_t size = 4096;

    while (size < bytes_min)
        size *= 2;
    if (!w || !(w->p = malloc(size))) {
        free(w);
        return NULL;
    }
    w->size = size;
    w->wake = wake;
    w->state = state;
    pthread_mutex_init(&w->lock, NULL);
    cond_init(&w->moved);
    return w;
}

void window_close(struct window *w)
{
    if (!w)
        return;
    pthread_cond_destroy(&w->moved);
    pthread_mutex_destroy(&w->lock);
    free(w->p);
    free(w);
}

static size_t held(const struct window *w)
{
    return (size_t)(w->put - w->taken);
}

static size_t copy_in(struct window *w, str bytes)
{
    size_t n = size_min(bytes.n, w->size - held(w));
    size_t at = (size_t)w->put & (w->size - 1);
    size_t first = size_min(n, w->size - at);

    memcpy(w->p + at, bytes.p, first);
    memcpy(w->p, bytes.p + first, n - first);
    if (n)
        w->put += n;
    return n;
}

static size_t copy_out(struct window *w, char *p, size_t max)
{
    size_t n = size_min(max, held(w));
    size_t at = (size_t)w->taken & (w->size - 1);
    size_t first = size_min(n, w->size - at);

    memcpy(p, w->p + at, first);
    memcpy(p + first, w->p, n - first);
    if (n)
        w->taken += n;
    return n;
}

static void wake_worker(struct window *w)
{
    if (!w->worker_waits)
        return;
    pthread_mutex_lock(&w->lock); /* now it sleeps, or will look once more before it does */
    pthread_mutex_unlock(&w->lock);
    pthread_cond_signal(&w->moved);
}

/* The loop is woken when half of the window has moved, not for every byte. */
static void wake_loop(struct window *w, bool worth_it)
{
    if (worth_it && w->loop_waits && atomic_exchange(&w->loop_waits, false))
        w->wake(w->state);
}

/* Wait until `ready` bytes can move, the window is broken or ended, or time is up. */
static bool can_take(const struct window *w)
{
    return held(w) > 0 || w->ended || w->broken;
}

static bool can_put(const struct window *w)
{
    return held(w) < w->size || w->broken;
}

static bool worker_wait(struct window *w, bool (*ready)(const struct window *), int64_t timeout_ns)
{
    int64_t deadline_ns = clock_mono_ns() + timeout_ns;
    bool in_time = true;
    LOCK(held_lock, &w->lock);

    w->worker_waits = true;
    while (!ready(w) && in_time)
        in_time = cond_wait_until(&w->moved, &w->lock, deadline_ns);
    w->worker_waits = false;
    return ready(w);
}

static err broken(struct ctx *cx, const struct window *w)
{
    return fail(cx, (err)w->broken, "the client has gone");
}

err window_take(struct ctx *cx, struct window *w, void *p, size_t n, int64_t timeout_ns,
                size_t *out_n)
{
    if (!can_take(w) && !worker_wait(w, can_take, timeout_ns))
        return fail(cx, ERR_TIMEOUT, "the body does not arrive");
    if (w->broken)
        return broken(cx, w);
    *out_n = copy_out(w, p, n);
    wake_loop(w, held(w) <= w->size / 2);
    return ERR_OK;
}

err window_put(struct ctx *cx, struct window *w, str bytes, int64_t timeout_ns)
{
    while (bytes.n) {
        if (!can_put(w) && !worker_wait(w, can_put, timeout_ns))
            return fail(cx, ERR_TIMEOUT, "the client does not read");
        if (w->broken)
            return broken(cx, w);
        size_t n = copy_in(w, bytes);
        bytes = str_slice(bytes, n, bytes.n);
        wake_loop(w, true);
    }
    return ERR_OK;
}

size_t window_try_put(struct window *w, str bytes)
{
    size_t n = copy_in(w, bytes);

    if (n < bytes.n) {
        w->loop_waits = true;
        n += copy_in(w, str_slice(bytes, n, bytes.n));
        if (n == bytes.n)
            w->loop_waits = false;
    }
    wake_worker(w);
    return n;
}

size_t window_try_take(struct window *w, void *p, size_t max)
{
    size_t n = copy_out(w, p, max);

    if (n == 0) {
        w->loop_waits = true;
        n = copy_out(w, p, max);
        if (n || w->ended)
            w->loop_waits = false;
    }
    wake_worker(w);
    return n;
}

void window_end(struct window *w)
{
    w->ended = true;
    wake_worker(w);
    wake_loop(w, true);
}

void window_break(struct window *w, err e)
{
    w->broken = (int)e;
    wake_worker(w);
}

bool window_is_ended(const struct window *w)
{
    return w->ended && held(w) == 0;
}
