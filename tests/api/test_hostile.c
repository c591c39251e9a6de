/* test_hostile.c - clients that are broken, slow, gone or malicious, over real sockets. */
#include "base/clock.h"
#include "program.h"
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

enum { MIB = 1 << 20 };

struct room {
    const char *data, *key;
    struct serving s;
};

static struct room open_room(struct ctx *cx, const char *dir, const char *const *args)
{
    /* freed memory is given back soon, so that what is measured is what is held */
    static const char *const env[] = {"ASAN_OPTIONS=quarantine_size_mb=1", NULL};
    struct room r = {.data = make_data(cx, dir)};

    r.key = make_key(cx, r.data, "events:write,events:read");
    r.s = serve(cx, r.data, &(struct serve_how){.args = args, .env = env});
    return r;
}

static void close_room(struct ctx *cx, const char *dir, struct room *r)
{
    send_event(cx, &r->s, r->key, "the server is well");
    CHECK_EQ(serving_end(cx, &r->s, SIGTERM), 0);
    check_view_rebuilt(cx, dir, r->data);
}

static uint64_t stored(struct ctx *cx, const struct room *r)
{
    struct net_reply reply = get(cx, &r->s, r->key, "/api/v1/events/stats?type=test.made");

    CHECK_EQ(reply.status, 200);
    return number_at(cx, reply.body, "/total");
}

static str lines(struct ctx *cx, unsigned from, unsigned to)
{
    CLEANUP(buf_close) struct buf b = BUF(64 << 20);

    for (unsigned i = from; i < to; i++) {
        SCRATCH(tmp, cx);
        buf_put(&b, event(cx, arena_printf(tmp.mem, "l%u", i).p, ""));
        buf_put_char(&b, '\n');
    }
    return arena_str(cx->mem, buf_str(&b));
}

/* ---- bodies without an end ---- */

static bool send_chunk(struct ctx *cx, struct net *n, str bytes)
{
    SCRATCH(tmp, cx);

    return net_send(n, arena_printf(tmp.mem, "%zx\r\n", bytes.n)) && net_send(n, bytes) &&
           net_send(n, S("\r\n"));
}

static struct net begin_stream(struct ctx *cx, const struct room *r, const char *target,
                               const char *type)
{
    struct net n = net_dial(r->s.address);

    net_send(&n, request_head(cx, r->key, "POST", target, type, -1));
    return n;
}

static bool send_megabytes(struct ctx *cx, struct net *n, unsigned count)
{
    static char fill[MIB];

    memset(fill, 'x', sizeof fill);
    for (unsigned i = 0; i < count; i++)
        if (!send_chunk(cx, n, (str){fill, sizeof fill}))
            return false;
    return true;
}

TEST(a_line_without_an_end_takes_no_memory)
{
    struct room r = open_room(cx, dir, NULL);
    struct net n = begin_stream(cx, &r, "/api/v1/events?on_error=skip", "application/x-ndjson");

    send_chunk(cx, &n, arena_printf(cx->mem, "%.*s\n{\"a\":\"", STR_FMT(event(cx, "first", ""))));
    CHECK(send_megabytes(cx, &n, 20));
    uint64_t before = serving_memory(cx, &r.s, "VmRSS");
    CHECK(send_megabytes(cx, &n, 300));
    uint64_t most = serving_memory(cx, &r.s, "VmHWM");
    print_message("resident with 20 MB of a line: %llu KB, at most during 320 MB: %llu KB\n",
                  (unsigned long long)before / 1024, (unsigned long long)most / 1024);
    CHECK(most < before + 8 * MIB);
    send_chunk(cx, &n, arena_printf(cx->mem, "\"}\n%.*s\n", STR_FMT(event(cx, "last", ""))));
    net_send(&n, S("0\r\n\r\n"));
    struct net_reply reply = net_read(cx, &n);
    CHECK_EQ(reply.status, 201);
    CHECK_EQ(number_at(cx, reply.body, "/count"), 2);
    CHECK_EQ(number_at(cx, reply.body, "/rejected/0/line"), 2);
    CHECK_HOLDS(text_at(cx, reply.body, "/rejected/0/detail"), "65535");
    net_close(&n);
    close_room(cx, dir, &r);
}

/* Without being asked to skip it says so while the client is still sending. */
TEST(a_line_without_an_end_is_refused_at_once)
{
    struct room r = open_room(cx, dir, NULL);
    struct net n = begin_stream(cx, &r, "/api/v1/events", "application/x-ndjson");

    send_chunk(cx, &n, arena_printf(cx->mem, "%.*s\n{\"a\":\"", STR_FMT(event(cx, "first", ""))));
    (void)send_megabytes(cx, &n, 3);
    struct net_reply reply = net_read(cx, &n);
    CHECK_EQ(reply.status, 413);
    CHECK_STR(text_at(cx, reply.body, "/code"), S("TOO_LARGE"));
    CHECK_HOLDS(text_at(cx, reply.body, "/detail"), "line 2: ");
    CHECK_EQ(number_at(cx, reply.body, "/acknowledged_lines"), 1);
    CHECK(net_await_end(&n));
    net_close(&n);
    CHECK_EQ(stored(cx, &r), 1);
    close_room(cx, dir, &r);
}

TEST(a_document_without_an_end_is_refused_at_once)
{
    struct room r = open_room(cx, dir, NULL);
    struct net n = begin_stream(cx, &r, "/api/v1/events", "application/json");

    uint64_t before = serving_memory(cx, &r.s, "VmHWM");
    send_chunk(cx, &n, S("[\""));
    (void)send_megabytes(cx, &n, 4);
    struct net_reply reply = net_read(cx, &n);
    CHECK_EQ(reply.status, 413);
    CHECK_HOLDS(text_at(cx, reply.body, "/detail"), "application/x-ndjson");
    CHECK(serving_memory(cx, &r.s, "VmHWM") < before + 16 * MIB);
    net_close(&n);

    /* ten gigabytes announced are refused before they come */
    n = net_dial(r.s.address);
    net_send(&n, request_head(cx, r.key, "POST", "/api/v1/events", "application/json",
                              INT64_C(10) << 30));
    (void)send_megabytes(cx, &n, 2);
    reply = net_read(cx, &n);
    CHECK_EQ(reply.status, 413);
    net_close(&n);
    CHECK_EQ(stored(cx, &r), 0);
    close_room(cx, dir, &r);
}

/* ---- lengths that lie ---- */

TEST(a_body_shorter_than_announced_stores_nothing)
{
    struct room r = open_room(cx, dir, NULL);
    str body = event(cx, "short", "");
    struct net n = net_dial(r.s.address);

    net_send(&n, request_head(cx, r.key, "POST", "/api/v1/events", "application/json",
                              (int64_t)body.n + 1));
    net_send(&n, body);
    shutdown(n.fd, SHUT_WR);
    struct net_reply reply = net_read(cx, &n);
    CHECK(reply.status == 0 || reply.status == 400 || reply.status == 408);
    net_close(&n);
    CHECK_EQ(stored(cx, &r), 0);
    close_room(cx, dir, &r);
}

TEST(a_body_longer_than_announced_is_no_second_request)
{
    struct room r = open_room(cx, dir, NULL);
    str body = event(cx, "long", ""), hidden = event(cx, "hidden", "");
    struct net n = net_dial(r.s.address);

    net_send(
        &n, request_head(cx, r.key, "POST", "/api/v1/events", "application/json", (int64_t)body.n));
    net_send(&n, body);
    net_send(&n, S(" garbage that is no request\r\n\r\n"));
    CHECK_EQ(net_read(cx, &n).status, 201);
    struct net_reply reply = net_read(cx, &n);
    CHECK(reply.status == 400 || reply.status == 0);
    CHECK(net_await_end(&n));
    net_close(&n);

    /* the ways to make two parties see two lengths */
    static const char *const framings[] = {
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length : 5\r\n",
        "X-A: b\r\n Content-Length: 5\r\n",
    };
    for (size_t i = 0; i < COUNT(framings); i++) {
        n = net_dial(r.s.address);
        net_send(&n, arena_printf(cx->mem,
                                  "POST /api/v1/events HTTP/1.1\r\nHost: t\r\nContent-Type: "
                                  "application/json\r\nAuthorization: Bearer %s\r\n%s\r\n%.*s",
                                  r.key, framings[i], STR_FMT(hidden)));
        reply = net_read(cx, &n);
        if (reply.status != 400 && reply.status != 413)
            FAIL("%s: %d", framings[i], reply.status);
        CHECK(net_await_end(&n));
        net_close(&n);
    }
    CHECK_EQ(stored(cx, &r), 1);
    close_room(cx, dir, &r);
}

/* ---- slow clients ---- */

TEST(slow_clients_are_sent_away_and_keep_what_was_acknowledged)
{
    static const char *const args[] = {"--http.receive=1s", "--http.idle=1s", NULL};
    struct room r = open_room(cx, dir, args);
    /* what another stream acknowledged before is not of the one that comes behind it */
    struct net_reply before =
        ask(cx, &r.s, r.key, "POST", "/api/v1/events", "application/x-ndjson", lines(cx, 0, 30000));
    CHECK_EQ(before.status, 201);

    struct net idle = net_dial(r.s.address), head = net_dial(r.s.address);
    struct net body = net_dial(r.s.address);
    struct net stream = begin_stream(cx, &r, "/api/v1/events", "application/x-ndjson");

    net_send(&head, S("GET /livez HTTP/1.1\r\nHost: t\r\nX-Slow: "));
    net_send(&body, request_head(cx, r.key, "POST", "/api/v1/events", "application/json", 1000));
    net_send(&body, S("{\"specversion\":"));
    for (unsigned i = 0; i < 3; i++)
        send_chunk(cx, &stream,
                   arena_printf(cx->mem, "%.*s\n",
                                STR_FMT(event(cx, arena_printf(cx->mem, "s%u", i).p, ""))));
    /* meanwhile others are served */
    send_event(cx, &r.s, r.key, "other");

    CHECK(net_await_end(&idle));
    int status = net_read(cx, &head).status;
    CHECK(status == 408 || status == 0);
    struct net_reply reply = net_read(cx, &body);
    CHECK_EQ(reply.status, 408);
    reply = net_read(cx, &stream);
    CHECK_EQ(reply.status, 408);
    CHECK_EQ(number_at(cx, reply.body, "/acknowledged_lines"), number_at(cx, reply.body, "/count"));
    CHECK_EQ(stored(cx, &r), 30000 + 1 + number_at(cx, reply.body, "/count"));
    net_close(&idle);
    net_close(&head);
    net_close(&body);
    net_close(&stream);
    close_room(cx, dir, &r);
}

/* A hundred of them at once take no worker from anyone. */
TEST(many_slow_clients_do_not_stop_the_others)
{
    enum { SLOW = 100 };
    struct room r = open_room(cx, dir, NULL);
    struct net slow[SLOW];

    for (unsigned i = 0; i < SLOW; i++) {
        slow[i] = net_dial(r.s.address);
        net_send(&slow[i],
                 request_head(cx, r.key, "POST", "/api/v1/events", "application/json", 60000));
        net_send(&slow[i], S("{"));
    }
    for (unsigned i = 0; i < 20; i++)
        send_event(cx, &r.s, r.key, arena_printf(cx->mem, "quick-%u", i).p);
    for (unsigned i = 0; i < SLOW; i++)
        net_close(&slow[i]);
    close_room(cx, dir, &r);
}

/* ---- clients that go ---- */

static void reset(struct net *n)
{
    struct linger now = {1, 0};

    setsockopt(n->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    net_close(n);
}

/* What it had sent in whole lines may be stored: a beginning of it, in order and without a gap.
 * Sent again, all of it is there once. */
TEST(a_client_that_goes_half_way_can_send_all_of_it_again)
{
    enum { LINES = 20000 };
    struct room r = open_room(cx, dir, NULL);
    str all = lines(cx, 0, LINES);
    uint64_t kept = 0;

    for (unsigned round = 0; round < 4; round++) {
        struct net n = begin_stream(cx, &r, "/api/v1/events", "application/x-ndjson");
        send_chunk(cx, &n, str_slice(all, 0, all.n / 4 * (round + 1) - 17));
        if (round % 2)
            net_close(&n);
        else
            reset(&n);
        uint64_t now = stored(cx, &r);
        CHECK(now >= kept && now <= LINES);
        kept = now;
    }
    struct net_reply reply =
        ask(cx, &r.s, r.key, "POST", "/api/v1/events", "application/x-ndjson", all);
    CHECK_EQ(reply.status, 201);
    CHECK_EQ(number_at(cx, reply.body, "/count") + number_at(cx, reply.body, "/duplicates"), LINES);
    CHECK(number_at(cx, reply.body, "/duplicates") >= kept);
    CHECK_EQ(stored(cx, &r), LINES);
    uint64_t first = number_at(cx, reply.body, "/first_index");
    for (unsigned i = 0; i < LINES; i += 1999)
        check_event_at(cx, &r.s, r.key, first + i, arena_printf(cx->mem, "l%u", i).p);
    close_room(cx, dir, &r);
}

TEST(readers_that_go_half_way_cost_nothing)
{
    struct room r = open_room(cx, dir, NULL);
    const char *key = r.key;
    struct net_reply reply =
        ask(cx, &r.s, key, "POST", "/api/v1/events", "application/x-ndjson", lines(cx, 0, 20000));

    CHECK_EQ(reply.status, 201);
    for (unsigned i = 0; i < 20; i++) {
        struct net page = net_dial(r.s.address), live = net_dial(r.s.address);
        net_send(&page, request_head(cx, key, "GET", "/api/v1/events?limit=1000", NULL, 0));
        net_send(&live, request_head(cx, key, "GET", "/api/v1/events/stream?after=0", NULL, 0));
        CHECK(net_await(&live, S("id: ")));
        reset(&page);
        reset(&live);
    }
    close_room(cx, dir, &r);
}
