/* queue.h - locks that let go by themselves, and a bounded queue between threads. */
#pragma once
#include "base/base.h"
#include <pthread.h>

static inline void mutex_unlock(pthread_mutex_t **m)
{
    pthread_mutex_unlock(*m);
}

/* Hold `m` until the end of the scope. */
#define LOCK(name, m)                                                                              \
    CLEANUP(mutex_unlock) pthread_mutex_t *name = (m);                                             \
    pthread_mutex_lock(name)

/* A bounded first-in first-out queue of pointers; many producers, many consumers. */
struct queue;

struct queue *queue_open(size_t capacity); /* owned: queue_close() */
void queue_close(struct queue *q);
bool queue_try_push(struct queue *q, void *item); /* false when full or shut */
bool queue_push(struct queue *q, void *item);     /* waits for room; false when shut */
/* Waits for an item; false when shut and empty. */
bool queue_pop(struct queue *q, void **out);
/* Up to `max` items at once, waiting for the first at most timeout_ns (<0: for ever); 0 when none
 * came or shut and empty. */
size_t queue_pop_many(struct queue *q, void **out, size_t max, int64_t timeout_ns);
void queue_shut(struct queue *q); /* no more pushes; wakes everyone */
size_t queue_depth(const struct queue *q);

/* A condition variable on the monotonic clock. */
void cond_init(pthread_cond_t *c);
bool cond_wait_until(pthread_cond_t *c, pthread_mutex_t *m,
                     int64_t deadline_ns); /* false: time is up */
/* Start a named thread; aborts if the system has no more. */
pthread_t thread_start(const char *name, void *(*run)(void *), void *arg);
