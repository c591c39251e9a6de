/* test_window.c - the run of bytes between a loop and a worker. */
#include "base/clock.h"
#include "http/window.h"
#include "test.h"
#include <pthread.h>
#include <sched.h>

enum { BYTES = 8 << 20, WAIT_NS = 2000000000 };

static unsigned char byte_at(uint64_t i)
{
    return (unsigned char)((i * 131) >> 3);
}

struct side {
    struct window *w;
    atomic_uint wakes;
    err result;
    uint64_t seen;
};

static void note_wake(void *state)
{
    struct side *s = state;

    s->wakes++;
}

static void *take_all(void *arg)
{
    struct side *s = arg;
    struct ctx *cx = ctx_open(0);
    unsigned char part[5000];
    size_t n = 1;

    while (n && !(s->result = window_take(cx, s->w, part, 1 + s->seen % 5000, WAIT_NS, &n))) {
        for (size_t i = 0; i < n; i++)
            ENSURE(part[i] == byte_at(s->seen + i));
        s->seen += n;
    }
    ctx_close(cx);
    return NULL;
}

/* Every byte arrives once and in order, and the side that never waits is woken whenever it was told
 * to wait: else this would not end. */
TEST(uploads_pass_whole_through_a_small_window)
{
    struct side s = {0};
    pthread_t t;
    unsigned char part[3000];
    uint64_t put = 0;

    s.w = window_open(4096, note_wake, &s);
    CHECK_EQ(pthread_create(&t, NULL, take_all, &s), 0);
    while (put < BYTES) {
        unsigned wakes = s.wakes;
        size_t want = size_min(1 + put % sizeof part, BYTES - put);
        for (size_t i = 0; i < want; i++)
            part[i] = byte_at(put + i);
        size_t n = window_try_put(s.w, (str){(char *)part, want});
        put += n;
        while (n < want && s.wakes == wakes)
            sched_yield();
    }
    window_end(s.w);
    pthread_join(t, NULL);
    CHECK_EQ(s.result, ERR_OK);
    CHECK_EQ(s.seen, BYTES);
    window_close(s.w);
}

static void *put_all(void *arg)
{
    struct side *s = arg;
    struct ctx *cx = ctx_open(0);
    unsigned char part[3000];

    while (s->seen < BYTES && !s->result) {
        size_t n = size_min(1 + s->seen % sizeof part, BYTES - s->seen);
        for (size_t i = 0; i < n; i++)
            part[i] = byte_at(s->seen + i);
        s->result = window_put(cx, s->w, (str){(char *)part, n}, WAIT_NS);
        s->seen += n;
    }
    window_end(s->w);
    ctx_close(cx);
    return NULL;
}

TEST(downloads_pass_whole_through_a_small_window)
{
    struct side s = {0};
    pthread_t t;
    unsigned char part[5000];
    uint64_t taken = 0;

    s.w = window_open(4096, note_wake, &s);
    CHECK_EQ(pthread_create(&t, NULL, put_all, &s), 0);
    while (!window_is_ended(s.w)) {
        unsigned wakes = s.wakes;
        size_t n = window_try_take(s.w, part, 1 + taken % sizeof part);
        for (size_t i = 0; i < n; i++)
            CHECK(part[i] == byte_at(taken + i));
        taken += n;
        while (n == 0 && s.wakes == wakes && !window_is_ended(s.w))
            sched_yield();
    }
    pthread_join(t, NULL);
    CHECK_EQ(s.result, ERR_OK);
    CHECK_EQ(taken, BYTES);
    window_close(s.w);
}

TEST(waiting_ends_when_time_is_up_or_the_other_side_is_gone)
{
    struct side s = {0};
    char part[8192] = {0};
    size_t n;

    s.w = window_open(4096, note_wake, &s);
    CHECK_ERR(window_take(cx, s.w, part, 1, 1000000, &n), ERR_TIMEOUT);
    CHECK_ERR(window_put(cx, s.w, (str){part, sizeof part}, 1000000), ERR_TIMEOUT);
    window_break(s.w, ERR_IO);
    CHECK_ERR(window_take(cx, s.w, part, 1, WAIT_NS, &n), ERR_IO);
    CHECK_ERR(window_put(cx, s.w, (str){part, 1}, WAIT_NS), ERR_IO);
    window_close(s.w);
}
