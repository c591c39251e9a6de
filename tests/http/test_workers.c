/* test_workers.c - the threads that run requests. */
#include "base/queue.h"
#include "http/workers.h"
#include "test.h"
#include <sched.h>
#include <stdatomic.h>

enum { JOBS = 24, THREADS = 8 };

struct piece {
    struct job job; /* first */
    unsigned number;
};

struct board {
    struct piece pieces[JOBS];
    atomic_uint started, finished, order_broken, last;
    atomic_bool hold; /* jobs do not end while set */
};

static void run_piece(void *state, struct job *job)
{
    struct board *b = state;

    (void)job;
    b->started++;
    while (b->hold)
        sched_yield();
    b->finished++;
}

static void submit_all(struct workers *w, struct board *b)
{
    for (unsigned i = 0; i + 1 < JOBS; i++)
        b->pieces[i].job.next = &b->pieces[i + 1].job;
    CHECK(workers_submit(w, &b->pieces[0].job, &b->pieces[JOBS - 1].job, JOBS));
}

/* A handler that waits must not keep others from starting, up to the number of threads. */
TEST(slow_jobs_run_side_by_side_and_the_rest_wait)
{
    struct board b = {.hold = true};
    struct workers *w = workers_open(THREADS, JOBS, run_piece, &b);

    CHECK(workers_have_room(w, JOBS));
    CHECK(!workers_have_room(w, JOBS + 1));
    submit_all(w, &b);
    while (b.started < THREADS)
        sched_yield();
    CHECK_EQ(workers_queue_depth(w), JOBS - THREADS);
    CHECK(!workers_have_room(w, THREADS + 1));
    b.hold = false;
    workers_stop(w); /* what is queued is run */
    CHECK_EQ(b.finished, JOBS);
    CHECK(!workers_submit(w, &b.pieces[0].job, &b.pieces[0].job, 1));
    workers_close(w);
}

static void run_in_order(void *state, struct job *job)
{
    struct board *b = state;
    unsigned number = ((struct piece *)job)->number;

    b->order_broken += number < b->last;
    b->last = number;
    b->finished++;
}

TEST(one_thread_takes_jobs_in_order)
{
    struct board b = {0};
    struct workers *w = workers_open(1, JOBS, run_in_order, &b);

    for (unsigned i = 0; i < JOBS; i++)
        b.pieces[i].number = i;
    submit_all(w, &b);
    workers_stop(w);
    CHECK_EQ(b.finished, JOBS);
    CHECK_EQ(b.order_broken, 0);
    workers_close(w);
}
