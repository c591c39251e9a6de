/* window.h - a bounded run of bytes between a loop and a worker, one of which never waits.
 *
 * One thread puts and one takes.  The worker's side may wait (on a condition), the loop's side
 * never does: it is told through `wake` when there is room, or something to take, again.  Copying
 * happens outside the lock; the lock is taken only by a side that waits and by the one that ends
 * the wait.
 *
 *   upload:   loop window_try_put()          worker window_take()
 *   download: worker window_put()            loop   window_try_take() */
#pragma once
#include "base/base.h"
#include <pthread.h>
#include <stdatomic.h>

struct window {
    char *p; /* owned; `size` bytes, a power of two */
    size_t size;
    _Atomic uint64_t put, taken; /* bytes since the beginning */
    atomic_bool ended;           /* nothing more will be put */
    _Atomic int broken;          /* an err: the other side has gone */
    atomic_bool worker_waits;
    atomic_bool loop_waits; /* the loop found it full (or empty) */
    pthread_mutex_t lock;   /* guards only the waiting */
    pthread_cond_t moved;
    void (*wake)(void *state); /* tell the loop; any thread */
    void *state;
};

/* NULL when memory runs out.  Owned: window_close(). */
struct window *window_open(size_t bytes_min, void (*wake)(void *state), void *state);
void window_close(struct window *w); /* NULL is a no-op */

/* The worker's side.  TIMEOUT after timeout_ns without a byte moving; `broken` as set. */
err window_take(struct ctx *cx, struct window *w, void *p, size_t n, int64_t timeout_ns,
                size_t *out_n);
err window_put(struct ctx *cx, struct window *w, str bytes, int64_t timeout_ns);
/* The loop's side: how many bytes moved; when fewer than wanted `wake` will be called. */
size_t window_try_put(struct window *w, str bytes);
size_t window_try_take(struct window *w, void *p, size_t n);

void window_end(struct window *w); /* by the side that puts */
void window_break(struct window *w,
                  err e); /* by the loop: both calls of the worker fail from now */
bool window_is_ended(const struct window *w); /* and empty */
