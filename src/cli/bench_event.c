/* bench_event.c - see bench_event.h. */
#include "cli/bench_event.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    TYPES = 24,
    SOURCES = 12,
    SUBJECTS = 100000,
    ACTORS = 5000,
    ADDRESSES = 20000,
    LIVE_SESSIONS = 400,
    ACTOR_BYTES = 11
};
/* 2026-11-20T00:00:00Z; times have a fixed width. */
#define FIRST_US INT64_C(1795132800000000)
#define STEP_US 7

struct session {
    uint64_t id;
    unsigned actor, address, source;
};

struct bench_events {
    uint64_t seed;
    size_t id_at, time_at; /* in every event */
    char actors[ACTORS][ACTOR_BYTES + 1];
    unsigned actor_counts[ACTORS];
    char block[BENCH_BLOCK_EVENTS][BENCH_EVENT_BYTES];
};

/* ---- numbers ---- */

static uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static uint64_t roll(uint64_t *state)
{
    *state += 1;
    return mix(*state);
}

static unsigned below(uint64_t *state, unsigned n)
{
    return (unsigned)((roll(state) >> 32) * n >> 32);
}

/* A few often, most seldom. */
static unsigned skewed(uint64_t *state, unsigned n)
{
    uint64_t a = below(state, n), b = below(state, n);

    return (unsigned)(a * b / n);
}

/* ---- composing ---- */

static const char *const types[TYPES] = {
    "order.created",   "order.paid",       "order.shipped",     "order.returned",
    "order.cancelled", "payment.created",  "payment.settled",   "payment.refused",
    "payment.refund",  "user.login",       "user.logout",       "user.login_failed",
    "user.updated",    "user.locked",      "document.viewed",   "document.changed",
    "document.signed", "document.deleted", "permission.grant",  "permission.revoke",
    "export.started",  "export.finished",  "configuration.set", "report.created",
};

static const char *outcome(unsigned dice)
{
    return dice < 90 ? "success" : dice < 97 ? "failure" : "denied";
}

/* Everything but what fills it up to its length. */
static int compose(char *out, size_t size, const struct session *s, uint64_t *state,
                   const char *actor)
{
    return snprintf(out, size,
                    "{\"specversion\":\"1.0\",\"id\":\"00000000-0000-4000-8000-000000000000\","
                    "\"time\":\"2026-11-20T00:00:00.000000Z\",\"source\":\"/shop/api-%02u\","
                    "\"type\":\"%s\",\"subject\":\"order/%06u\",\"actor\":\"%s\","
                    "\"outcome\":\"%s\",\"remoteip\":\"10.%u.%u.%u\",\"sessionid\":\"s-%010llx\","
                    "\"data\":{\"amount\":%u,\"note\":\"",
                    s->source, types[skewed(state, TYPES)], below(state, SUBJECTS), actor,
                    outcome(below(state, 100)), s->address >> 8 & 255, s->address & 255,
                    s->address % 251, (unsigned long long)(s->id & 0xFFFFFFFFFF),
                    below(state, 100000));
}

static void fill_note(char *event, size_t used, uint64_t *state)
{
    static const char *const words[] = {"box ",  "red ",  "gift ", "late ",
                                        "door ", "blue ", "left "};
    size_t end = BENCH_EVENT_BYTES - 3;

    while (used < end) {
        const char *w = words[below(state, COUNT(words))];
        size_t n = size_min(strlen(w), end - used);
        memcpy(event + used, w, n);
        used += n;
    }
    memcpy(event + end, "\"}}", 3);
}

static void begin_session(struct session *s, uint64_t *state)
{
    *s = (struct session){roll(state), skewed(state, ACTORS), below(state, ADDRESSES),
                          below(state, SOURCES)};
}

struct bench_events *bench_events_open(uint64_t seed)
{
    struct bench_events *e = calloc(1, sizeof *e);
    struct session live[LIVE_SESSIONS];
    uint64_t state = mix(seed);
    char text[BENCH_EVENT_BYTES * 2];

    ENSURE(e);
    e->seed = mix(seed ^ 0x5EED);
    for (unsigned i = 0; i < ACTORS; i++)
        snprintf(e->actors[i], sizeof e->actors[i], "user/u%05u", i);
    for (unsigned i = 0; i < LIVE_SESSIONS; i++)
        begin_session(&live[i], &state);
    for (size_t i = 0; i < BENCH_BLOCK_EVENTS; i++) {
        struct session *s = &live[below(&state, LIVE_SESSIONS)];
        int used = compose(text, sizeof text, s, &state, e->actors[s->actor]);

        ENSURE(used > 0 && used < BENCH_EVENT_BYTES - 3);
        fill_note(text, (size_t)used, &state);
        memcpy(e->block[i], text, BENCH_EVENT_BYTES);
        e->actor_counts[s->actor]++;
        if (below(&state, 30) == 0)
            begin_session(s, &state);
    }
    str first = {e->block[0], BENCH_EVENT_BYTES};
    e->id_at = str_find(first, S("\"id\":\"")) + 6;
    e->time_at = str_find(first, S("\"time\":\"")) + 8;
    return e;
}

void bench_events_close(struct bench_events *e)
{
    free(e);
}

/* ---- using ---- */

static void put_hex(char *out, uint64_t v, int width)
{
    static const char digits[] = "0123456789abcdef";

    for (int i = width - 1; i >= 0; i--, v >>= 4)
        out[i] = digits[v & 15];
}

/* A random UUID; version and variant stand there already. */
static void put_id(char *out, uint64_t seed)
{
    uint64_t a = mix(seed), b = mix(~seed);

    put_hex(out, a, 8);
    put_hex(out + 9, a >> 32, 4);
    put_hex(out + 15, a >> 48, 3);
    put_hex(out + 20, b >> 48, 3);
    put_hex(out + 24, b, 12);
}

static void put_digits(char *out, uint64_t v, int width)
{
    for (int i = width - 1; i >= 0; i--, v /= 10)
        out[i] = (char)('0' + v % 10);
}

/* Only hours and below change within a day; a day has more events than a run. */
static void put_time(char *out, uint64_t n)
{
    uint64_t us = n * STEP_US, s = us / 1000000;

    if (s >= 86400) {
        char text[TIME_TEXT_SIZE];
        time_format(FIRST_US + (int64_t)us, text);
        memcpy(out, text, TIME_TEXT_BYTES);
        return;
    }
    put_digits(out + 11, s / 3600, 2);
    put_digits(out + 14, s / 60 % 60, 2);
    put_digits(out + 17, s % 60, 2);
    put_digits(out + 20, us % 1000000, 6);
}

void bench_event_put(const struct bench_events *e, uint64_t n, char *out)
{
    memcpy(out, e->block[n % BENCH_BLOCK_EVENTS], BENCH_EVENT_BYTES);
    put_id(out + e->id_at, e->seed + n);
    put_time(out + e->time_at, n);
}

void bench_events_fill(const struct bench_events *e, uint64_t first, uint64_t count, char *out)
{
    for (uint64_t i = 0; i < count; i++) {
        bench_event_put(e, first + i, out);
        out[BENCH_EVENT_BYTES] = '\n';
        out += BENCH_EVENT_BYTES + 1;
    }
}

str bench_actor(const struct bench_events *e, uint64_t one_in)
{
    unsigned wanted = (unsigned)(BENCH_BLOCK_EVENTS / one_in), best = 0;

    for (unsigned i = 0; i < ACTORS; i++)
        if (abs((int)e->actor_counts[i] - (int)wanted) <
            abs((int)e->actor_counts[best] - (int)wanted))
            best = i;
    return str_from(e->actors[best]);
}
