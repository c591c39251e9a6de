/* queue.c - a ring under one mutex with two conditions.  The lock guards every field. */
#include "base/queue.h"
#include "base/clock.h"
#include <stdlib.h>

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
    size_t capacity, head, count;
    bool shut;
    void *items[];
};

void cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    ENSURE(pthread_cond_init(c, &attr) == 0);
    pthread_condattr_destroy(&attr);
}

bool cond_wait_until(pthread_cond_t *c, pthread_mutex_t *m, int64_t deadline_ns)
{
    struct timespec at = {deadline_ns / 1000000000, deadline_ns % 1000000000};

    return pthread_cond_timedwait(c, m, &at) == 0;
}

pthread_t thread_start(const char *name, void *(*run)(void *), void *arg)
{
    pthread_t t;
    char short_name[16];

    ENSURE(pthread_create(&t, NULL, run, arg) == 0);
    str s = str_slice(str_from(name), 0, sizeof short_name - 1);
    memcpy(short_name, s.p, s.n);
    short_name[s.n] = 0;
    pthread_setname_np(t, short_name);
    return t;
}

struct queue *queue_open(size_t capacity)
{
    struct queue *q = calloc(1, sizeof *q + capacity * sizeof q->items[0]);

    ENSURE(q && capacity);
    pthread_mutex_init(&q->lock, NULL);
    cond_init(&q->filled);
    cond_init(&q->emptied);
    q->capacity = capacity;
    return q;
}

void queue_close(struct queue *q)
{
    if (!q)
        return;
    pthread_cond_destroy(&q->filled);
    pthread_cond_destroy(&q->emptied);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

static void put(struct queue *q, void *item)
{
    q->items[(q->head + q->count++) % q->capacity] = item;
    pthread_cond_signal(&q->filled);
}

bool queue_try_push(struct queue *q, void *item)
{
    LOCK(held, &q->lock);

    if (q->shut || q->count == q->capacity)
        return false;
    put(q, item);
    return true;
}

bool queue_push(struct queue *q, void *item)
{
    LOCK(held, &q->lock);

    while (!q->shut && q->count == q->capacity)
        pthread_cond_wait(&q->emptied, &q->lock);
    if (q->shut)
        return false;
    put(q, item);
    return true;
}

bool queue_pop(struct queue *q, void **out)
{
    return queue_pop_many(q, out, 1, -1) == 1;
}

size_t queue_pop_many(struct queue *q, void **out, size_t max, int64_t timeout_ns)
{
    int64_t deadline = timeout_ns < 0 ? 0 : clock_mono_ns() + timeout_ns;
    size_t n = 0;
    LOCK(held, &q->lock);

    while (q->count == 0 && !q->shut) {
        if (timeout_ns < 0)
            pthread_cond_wait(&q->filled, &q->lock);
        else if (!cond_wait_until(&q->filled, &q->lock, deadline))
            break;
    }
    for (; n < max && q->count; n++) {
        out[n] = q->items[q->head];
        q->head = (q->head + 1) % q->capacity;
        q->count--;
    }
    if (n)
        pthread_cond_broadcast(&q->emptied);
    return n;
}

void queue_shut(struct queue *q)
{
    LOCK(held, &q->lock);

    q->shut = true;
    pthread_cond_broadcast(&q->filled);
    pthread_cond_broadcast(&q->emptied);
}

size_t queue_depth(const struct queue *q)
{
    return __atomic_load_n(&q->count, __ATOMIC_RELAXED);
}
