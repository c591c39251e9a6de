/* test_crowds.c - many clients at once: each event gets an index of its own and is found under it.
 */
#include "base/clock.h"
#include "crowd.h"
#include "program.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { SECONDS = 300 };

struct tally {
    struct ctx *cx;
    const char *key;
    uint64_t *index; /* by number; UINT64_MAX: not stored */
    unsigned stored, busy;
    bool gives_up; /* when the server is busy */
};

static void make_event(void *state, unsigned number, struct buf *out)
{
    const struct tally *t = state;
    char body[160];
    int n = snprintf(body, sizeof body,
                     "{\"specversion\":\"1.0\",\"id\":\"c%u\",\"source\":\"/crowd\","
                     "\"type\":\"test.crowd\",\"subject\":\"client/%u\"}",
                     number, number % 16);

    buf_printf(out,
               "POST /api/v1/events HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer %s\r\n"
               "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
               t->key, n, body);
}

static uint64_t number_behind(str body, const char *name)
{
    size_t at = str_find(body, str_from(name));
    uint64_t n = UINT64_MAX;

    for (size_t i = at + strlen(name), from = i; i <= body.n; i++)
        if (i == body.n || body.p[i] < '0' || body.p[i] > '9') {
            CHECK(str_to_u64(str_slice(body, from, i), &n));
            break;
        }
    return n;
}

static bool take_receipt(void *state, unsigned number, int status, str body)
{
    struct tally *t = state;

    if (status == 503) { /* a good client comes again */
        t->busy++;
        return t->gives_up;
    }
    if (status != 201)
        FAIL("event %u: %d %.*s", number, status, STR_FMT(body));
    CHECK_EQ(number_behind(body, "\"count\":"), 1);
    t->index[number] = number_behind(body, "\"first_index\":");
    t->stored++;
    return true;
}

static void make_question(void *state, unsigned number, struct buf *out)
{
    const struct tally *t = state;

    buf_printf(out,
               "GET /api/v1/events/%llu HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer %s\r\n\r\n",
               (unsigned long long)t->index[number], t->key);
}

static bool take_entry(void *state, unsigned number, int status, str body)
{
    const struct tally *t = state;

    if (status == 503)
        return false;
    if (t->index[number] == UINT64_MAX)
        CHECK_EQ(status, 404);
    else if (status != 200 ||
             str_find(body, arena_printf(t->cx->tmp, "\"id\":\"c%u\"", number)) == body.n)
        FAIL("entry %llu is not event %u: %d %.*s", (unsigned long long)t->index[number], number,
             status, STR_FMT(body));
    return true;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void check_distinct(struct ctx *cx, const struct tally *t, unsigned count)
{
    uint64_t *sorted = arena_new(cx->mem, uint64_t, count);

    memcpy(sorted, t->index, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_value);
    for (unsigned i = 1; i < t->stored; i++)
        CHECK(sorted[i] > sorted[i - 1]);
}

static struct tally tally_of(struct ctx *cx, const char *key, unsigned requests)
{
    struct tally t = {.cx = cx, .key = key, .index = arena_new(cx->mem, uint64_t, requests)};

    memset(t.index, 0xff, requests * sizeof *t.index);
    return t;
}

/* Send, check, ask for each again over as many connections; also after a restart. */
static void run(struct ctx *cx, const char *dir, unsigned connections, unsigned requests)
{
    const char *data = make_data(cx, dir);
    const char *key = make_key(cx, data, "events:write,events:read");
    struct tally t = tally_of(cx, key, requests);
    struct serving s = serve(cx, data, NULL);
    struct crowd in = {s.address, connections, requests, &t, make_event, take_receipt};

    crowd_run(&in, SECONDS);
    CHECK_EQ(t.stored, requests);
    check_distinct(cx, &t, requests);
    struct crowd out = {s.address, connections, requests, &t, make_question, take_entry};
    crowd_run(&out, SECONDS);
    CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);

    s = serve(cx, data, NULL);
    out.address = s.address;
    out.connections = 16;
    crowd_run(&out, SECONDS);
    CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);
    check_view_rebuilt(cx, dir, data);
}

TEST(one_kept_connection)
{
    run(cx, dir, 1, 100);
}

TEST(a_hundred_and_twenty_eight_kept_connections)
{
    run(cx, dir, 128, 1280);
}

TEST(two_hundred_and_fifty_six_kept_connections)
{
    run(cx, dir, 256, 1280);
}

TEST(two_thousand_connections_at_once)
{
    if (!crowd_fits(2000))
        SKIP("the system gives too few descriptors");
    run(cx, dir, 2000, 2000);
}

/* More than the server may take on: it says so, and every event that it took is there. */
TEST(a_full_queue_is_said_and_loses_nothing)
{
    static const char *const args[] = {"--http.workers=1", "--http.queue_max=2", NULL};
    enum { REQUESTS = 2000 };
    const char *data = make_data(cx, dir);
    const char *key = make_key(cx, data, "events:write,events:read");
    struct tally t = tally_of(cx, key, REQUESTS);
    struct serving s = serve(cx, data, &(struct serve_how){.args = args});

    t.gives_up = true;
    struct crowd in = {s.address, 128, REQUESTS, &t, make_event, take_receipt};

    crowd_run(&in, SECONDS);
    CHECK(t.stored > 0 && t.busy > 0);
    CHECK_EQ(t.stored + t.busy, REQUESTS);
    check_distinct(cx, &t, REQUESTS);
    struct crowd out = {s.address, 1, REQUESTS, &t, make_question, take_entry};
    crowd_run(&out, SECONDS);
    struct net_reply r = get(cx, &s, key, "/api/v1/events/stats?type=test.crowd");
    CHECK_EQ(number_at(cx, r.body, "/total"), t.stored);
    CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);
    check_view_rebuilt(cx, dir, data);
}

/* Connections beyond the limit are turned away; those that are open are served. */
TEST(connections_beyond_the_limit_are_turned_away)
{
    static const char *const args[] = {"--http.connections_max=8", NULL};
    const char *data = make_data(cx, dir);
    const char *key = make_key(cx, data, "events:write,events:read");
    struct serving s = serve(cx, data, &(struct serve_how){.args = args});
    struct net kept[8], more;

    for (unsigned i = 0; i < COUNT(kept); i++) {
        kept[i] = net_dial(s.address);
        CHECK_EQ(ask_on(cx, &kept[i], key, "GET", "/livez", NULL, STR_NULL).status, 200);
    }
    more = net_dial(s.address);
    CHECK_EQ(ask_on(cx, &more, key, "GET", "/livez", NULL, STR_NULL).status, 0);
    net_close(&more);
    for (unsigned i = 0; i < COUNT(kept); i++) {
        CHECK_EQ(ask_on(cx, &kept[i], key, "GET", "/livez", NULL, STR_NULL).status, 200);
        net_close(&kept[i]);
    }
    send_event(cx, &s, key, "afterwards");
    CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);
}
