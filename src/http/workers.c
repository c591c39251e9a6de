/* workers.c - see workers.h.
 *
 * One lock guards the queue, the stack of idle threads and the counts.  Idle threads wait each on
 * its own condition, so exactly the chosen one wakes. */
#include "http/workers.h"
#include "base/queue.h"
#include "http/metrics.h"
#include <stdlib.h>

enum { WAKES_MAX = 2 };

struct worker {
    struct workers *pool;
    pthread_t thread;
    pthread_cond_t wake;
    struct worker *next_idle;
    bool woken;
};

struct workers {
    pthread_mutex_t lock;
    job_run *run;
    void *state;
    struct job *first, *last;
    _Atomic unsigned depth;
    unsigned queue_max, threads_max, threads, waking;
    bool stopping;
    struct worker *idle;
    struct worker all[];
};

struct workers *workers_open(unsigned threads_max, unsigned queue_max, job_run *run, void *state)
{
    struct workers *w = calloc(1, sizeof *w + threads_max * sizeof w->all[0]);

    ENSURE(w);
    pthread_mutex_init(&w->lock, NULL);
    w->run = run;
    w->state = state;
    w->queue_max = queue_max;
    w->threads_max = threads_max;
    return w;
}

static struct job *take_job(struct workers *w)
{
    struct job *job = w->first;

    if (!job)
        return NULL;
    w->first = job->next;
    if (!w->first)
        w->last = NULL;
    w->depth--;
    metric_add(&http_queue_depth, -1);
    return job;
}

static void *worker_main(void *arg);

/* With the lock held: make one more thread look at the queue, if one can. */
static void wake_one(struct workers *w)
{
    struct worker *t = w->idle;

    if (!w->first || w->waking >= WAKES_MAX)
        return;
    if (t) {
        w->idle = t->next_idle;
        t->woken = true;
        w->waking++;
        pthread_cond_signal(&t->wake);
    } else if (w->threads < w->threads_max && !w->stopping) {
        t = &w->all[w->threads++];
        t->pool = w;
        t->woken = true;
        w->waking++;
        cond_init(&t->wake);
        t->thread = thread_start("http-worker", worker_main, t);
        metric_add(&http_workers, 1);
    }
}

/* With the lock held: sleep until chosen. */
static void wait_turn(struct worker *t)
{
    struct workers *w = t->pool;

    t->next_idle = w->idle;
    w->idle = t;
    while (!t->woken)
        pthread_cond_wait(&t->wake, &w->lock);
}

static void *worker_main(void *arg)
{
    struct worker *t = arg;
    struct workers *w = t->pool;

    pthread_mutex_lock(&w->lock);
    for (;;) {
        struct job *job = take_job(w);
        if (t->woken) {
            t->woken = false;
            w->waking--;
        }
        if (job) {
            wake_one(w);
            pthread_mutex_unlock(&w->lock);
            w->run(w->state, job);
            pthread_mutex_lock(&w->lock);
        } else if (w->stopping) {
            break;
        } else {
            wait_turn(t);
        }
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

bool workers_have_room(const struct workers *w, unsigned more)
{
    return w->depth + more <= w->queue_max;
}

bool workers_submit(struct workers *w, struct job *first, struct job *last, unsigned count)
{
    LOCK(held, &w->lock);

    if (w->stopping)
        return false;
    last->next = NULL;
    if (w->last)
        w->last->next = first;
    else
        w->first = first;
    w->last = last;
    w->depth += count;
    metric_add(&http_queue_depth, count);
    for (unsigned i = 0; i < count && i < WAKES_MAX; i++)
        wake_one(w);
    return true;
}

unsigned workers_queue_depth(const struct workers *w)
{
    return w->depth;
}

void workers_stop(struct workers *w)
{
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    for (struct worker *t = w->idle; t; t = t->next_idle) {
        t->woken = true;
        w->waking++;
        pthread_cond_signal(&t->wake);
    }
    w->idle = NULL;
    unsigned threads = w->threads;
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(w->all[i].thread, NULL);
        metric_add(&http_workers, -1);
    }
    w->threads = 0;
}

void workers_close(struct workers *w)
{
    if (!w)
        return;
    for (unsigned i = 0; i < w->threads_max; i++)
        if (w->all[i].pool)
            pthread_cond_destroy(&w->all[i].wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
