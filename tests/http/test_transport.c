/* test_transport.c - well-behaved clients over real sockets. */
#include "base/clock.h"
#include "http/metrics.h"
#include "net.h"
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

static const str get_hello = STR_INIT("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");

static str post(struct ctx *cx, const char *target, const char *headers, str body)
{
    str head = arena_printf(cx->mem, "POST %s HTTP/1.1\r\nHost: a\r\n%sContent-Length: %zu\r\n\r\n",
                            target, headers, body.n);
    char *p = arena_new(cx->mem, char, head.n + body.n + 1);

    memcpy(p, head.p, head.n);
    memcpy(p + head.n, body.p ? body.p : "", body.n);
    return (str){p, head.n + body.n};
}

static str letters(struct ctx *cx, size_t n)
{
    char *p = arena_new(cx->mem, char, n + 1);

    for (size_t i = 0; i < n; i++)
        p[i] = (char)('a' + i % 26);
    return (str){p, n};
}

TEST(one_connection_carries_many_requests)
{
    struct server s = server_open(cx, NULL);
    struct net n = net_open(&s);

    for (int i = 0; i < 300; i++) {
        struct net_reply r = net_ask(cx, &n, get_hello);
        CHECK_EQ(r.status, 200);
        CHECK_STR(r.body, S("hello"));
        CHECK(str_is_null(net_header(&r, "Server")));
        CHECK(net_header(&r, "Date").n > 0);
    }
    CHECK_EQ(transport_connections(s.t), 1);
    net_close(&n);
    NET_UNTIL(transport_connections(s.t) == 0);
    server_close(&s);
}

TEST(head_and_options_have_no_body)
{
    struct server s = server_open(cx, NULL);
    struct net n = net_open(&s);

    net_send(&n, S("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
    struct net_reply r = net_read_head(cx, &n);
    CHECK_EQ(r.status, 200);
    CHECK_STR(net_header(&r, "Content-Length"), S("5"));
    net_send(&n, S("HEAD /lines/100000 HTTP/1.1\r\nHost: a\r\n\r\n"));
    CHECK_EQ(net_read_head(cx, &n).status, 200);
    CHECK(net_await_end(&n)); /* its length is not known */
    net_close(&n);
    n = net_open(&s);
    r = net_ask(cx, &n, S("OPTIONS /things HTTP/1.1\r\nHost: a\r\n\r\n"));
    CHECK_EQ(r.status, 204);
    CHECK_STR(net_header(&r, "Allow"), S("OPTIONS, POST"));
    r = net_ask(cx, &n, get_hello);
    CHECK_STR(r.body, S("hello"));
    net_close(&n);
    server_close(&s);
}

TEST(pipelined_requests_are_answered_in_order)
{
    struct server s = server_open(cx, NULL);
    struct net n = net_open(&s);

    for (int i = 0; i < 50; i++) {
        net_send(&n, arena_printf(cx->mem, "GET /things/%d HTTP/1.1\r\nHost: a\r\n\r\n", i));
        net_send(&n, post(cx, "/echo", "", arena_printf(cx->mem, "body %d", i)));
    }
    for (int i = 0; i < 50; i++) {
        CHECK_HOLDS(net_read(cx, &n).body, arena_printf(cx->mem, "\"/things/%d\"", i).p);
        CHECK_STR(net_read(cx, &n).body, arena_printf(cx->mem, "body %d", i));
    }
    net_close(&n);
    server_close(&s);
}

/* --- many at once ------------------------------------------------------------------------- */

struct crowd {
    struct net n;
    int left; /* requests to send */
};

static void crowd_step(struct ctx *cx, struct crowd *c, unsigned *done)
{
    struct net_reply r = net_read(cx, &c->n);

    CHECK_EQ(r.status, 200);
    CHECK_STR(r.body, S("hello"));
    ++*done;
    if (c->left-- > 0)
        net_send(&c->n, get_hello);
    arena_reset(cx->mem);
}

/* The count 128 is where the library's own epoll thread was seen to stall. */
static void run_crowd(struct ctx *cx, unsigned clients, int each)
{
    struct server s = server_open(cx, NULL);
    struct crowd *all = calloc(clients, sizeof *all);
    struct pollfd *polls = calloc(clients, sizeof *polls);
    unsigned done = 0;

    for (unsigned i = 0; i < clients; i++) {
        all[i] = (struct crowd){net_open(&s), each - 1};
        polls[i] = (struct pollfd){.fd = all[i].n.fd, .events = POLLIN};
    }
    for (unsigned i = 0; i < clients; i++)
        net_send(&all[i].n, get_hello);
    while (done < clients * (unsigned)each) {
        CHECK(poll(polls, clients, NET_PATIENCE_MS) > 0);
        for (unsigned i = 0; i < clients; i++)
            if (polls[i].revents)
                crowd_step(cx, &all[i], &done);
    }
    for (unsigned i = 0; i < clients; i++)
        net_close(&all[i].n);
    free(all);
    free(polls);
    server_close(&s);
}

TEST(keep_alive_1_connection)
{
    run_crowd(cx, 1, 500);
}

TEST(keep_alive_128_connections)
{
    run_crowd(cx, 128, 100);
}

TEST(keep_alive_256_connections)
{
    run_crowd(cx, 256, 100);
}

/* --- bodies ------------------------------------------------------------------------------- */

TEST(whole_bodies_of_every_size_come_back)
{
    static const size_t sizes[] = {0, 1, 100, 4095, 16383, 16384, 65536, SAMPLE_BODY_BYTES_MAX};
    struct server s = server_open(cx, NULL);
    struct net n = net_open(&s);

    for (size_t i = 0; i < COUNT(sizes); i++) {
        str body = letters(cx, sizes[i]);
        struct net_reply r = net_ask(cx, &n, post(cx, "/echo", "", body));
        CHECK_EQ(r.status, 200);
        CHECK_STR(r.body, body);
    }
    net_close(&n);
    server_close(&s);
}

TEST(a_body_may_come_byte_by_byte_and_so_may_the_head)
{
    struct server s = server_open(cx, NULL);
    struct net n = net_open(&s);
    str request = post(cx, "/echo", "X-A: b\r\n", S("abc"));

    for (size_t i = 0; i < request.n; i++)
        CHECK(net_send(&n, str_slice(request, i, i + 1)));
    CHECK_STR(net_read(cx, &n).body, S("abc"));
    net_close(&n);
    server_close(&s);
}

static void put_chunk(struct buf *b, str bytes)
{
    buf_printf(b, "%zx\r\n", bytes.n);
    buf_put(b, bytes);
    buf_put(b, S("\r\n"));
}

TEST(chunked_bodies_are_put_together)
{
    struct server s = server_open(cx, NULL);
    struct net n = net_open(&s);
    struct buf b = BUF(1 << 20);
    static const char *const targets[] = {"/echo", "/count"};

    for (size_t t = 0; t < COUNT(targets); t++) {
        buf_clear(&b);
        buf_printf(&b, "POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
                   targets[t]);
        for (size_t i = 1; i < 300; i++)
            put_chunk(&b, letters(cx, i));
        put_chunk(&b, S(""));
        struct net_reply r = net_ask(cx, &n, buf_str(&b));
        CHECK_EQ(r.status, 200);
        if (t == 0)
            CHECK_EQ(r.body.n, 299 * 300 / 2);
        else
            CHECK_STR(r.body, S("{\"bytes\":44850}"));
    }
    CHECK_STR(net_ask(cx, &n, get_hello).body, S("hello"));
    buf_close(&b);
    net_close(&n);
    server_close(&s);
}

TEST(a_long_body_streams_through_a_small_window)
{
    struct server s = server_open(cx, NULL);
    struct net n = net_open(&s);
    str part = letters(cx, 1 << 20);

    for (int round = 0; round < 2; round++) {
        net_send(&n, arena_printf(cx->mem,
                                  "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n",
                                  32 << 20));
        for (int i = 0; i < 32; i++)
            CHECK(net_send(&n, part));
        CHECK_STR(net_read(cx, &n).body, S("{\"bytes\":33554432}"));
    }
    net_close(&n);
    server_close(&s);
}

TEST(expect_100_continue_is_answered_before_the_body)
{
    struct server s = server_open(cx, NULL);
    struct net n = net_open(&s);

    net_send(&n, S("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                   "Content-Length: 3\r\n\r\n"));
    CHECK(net_await(&n, S("HTTP/1.1 100 Continue\r\n\r\n")));
    CHECK_STR(net_ask(cx, &n, S("abc")).body, S("abc"));
    net_close(&n);
    server_close(&s);
}

/* A refusal comes instead of "100 Continue", so that the body is never sent. */
TEST(expect_100_continue_is_refused_before_the_body)
{
    struct server s = server_open(cx, NULL);
    struct net n = net_open(&s);

    struct net_reply r = net_ask(cx, &n,
                                 S("POST /things HTTP/1.1\r\nHost: a\r\nExpect: 100-continue"
                                   "\r\nContent-Length: 9999999\r\n\r\n"));
    CHECK_EQ(r.status, 403);
    CHECK(str_starts(r.head, S("HTTP/1.1 403")));
    CHECK(net_await_end(&n));
    net_close(&n);
    server_close(&s);
}

TEST(a_refused_short_body_keeps_the_connection)
{
    struct server s = server_open(cx, NULL);
    struct net n = net_open(&s);

    CHECK_EQ(net_ask(cx, &n, post(cx, "/things", "", letters(cx, 1000))).status, 403);
    CHECK_EQ(net_ask(cx, &n, post(cx, "/nothing", "", letters(cx, 60000))).status, 404);
    CHECK_STR(net_ask(cx, &n, get_hello).body, S("hello"));
    net_close(&n);
    server_close(&s);
}

/* The client sees the answer although it is still sending. */
TEST(a_refused_long_body_is_answered_at_once)
{
    struct server s = server_open(cx, NULL);
    struct net n = net_open(&s);

    net_send(&n, S("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999\r\n\r\n"));
    CHECK(net_send(&n, letters(cx, 1 << 20)));
    struct net_reply r = net_read(cx, &n);
    CHECK_EQ(r.status, 413);
    CHECK_STR(net_header(&r, "Connection"), S("close"));
    CHECK_HOLDS(r.body, "TOO_LARGE");
    CHECK(net_await_end(&n));
    net_close(&n);
    server_close(&s);
}

TEST(a_chunked_body_over_the_limit_is_answered_at_once)
{
    struct server s = server_open(cx, NULL);
    struct net n = net_open(&s);
    struct buf b = BUF(1 << 20);

    buf_put(&b, S("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
    put_chunk(&b, letters(cx, SAMPLE_BODY_BYTES_MAX + 1));
    CHECK_EQ(net_ask(cx, &n, buf_str(&b)).status, 413);
    CHECK(net_await_end(&n));
    buf_close(&b);
    net_close(&n);
    server_close(&s);
}

/* POST /count stops reading at an exclamation mark. */
TEST(a_handler_may_answer_before_the_body_is_read)
{
    struct server s = server_open(cx, NULL);
    struct net n = net_open(&s);

    net_send(&n, S("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n!"));
    struct net_reply r = net_read(cx, &n);
    CHECK_EQ(r.status, 422);
    CHECK_STR(net_header(&r, "Connection"), S("close"));
    net_close(&n);
    server_close(&s);
}

/* --- answers ------------------------------------------------------------------------------ */

TEST(streamed_answers_are_whole_and_keep_the_connection)
{
    struct server s = server_open(cx, NULL);
    struct net n = net_open(&s);

    struct net_reply r = net_ask(cx, &n, S("GET /lines/0 HTTP/1.1\r\nHost: a\r\n\r\n"));
    CHECK(r.complete && r.status == 200 && r.body.n == 0);
    r = net_ask(cx, &n, S("GET /lines/100000 HTTP/1.1\r\nHost: a\r\n\r\n"));
    CHECK(r.complete);
    CHECK_EQ(r.body.n, 100000 * 64);
    CHECK(str_ends(r.body, S("0099999\r\n")));
    CHECK_STR(net_ask(cx, &n, get_hello).body, S("hello"));
    net_close(&n);
    server_close(&s);
}

TEST(a_streamed_answer_that_fails_is_visibly_cut_off)
{
    struct server s = server_open(cx, NULL);
    struct net n = net_open(&s);

    struct net_reply r = net_ask(cx, &n, S("GET /lines/cut HTTP/1.1\r\nHost: a\r\n\r\n"));
    CHECK_EQ(r.status, 200);
    CHECK(!r.complete);
    net_close(&n);
    server_close(&s);
}

TEST(a_client_that_leaves_a_streamed_answer_frees_its_worker)
{
    struct transport_options o = server_defaults();
    o.workers = 1;
    struct server s = server_open(cx, &o);
    struct net n = net_open(&s);

    net_send(&n, S("GET /lines/99999999 HTTP/1.1\r\nHost: a\r\n\r\n"));
    CHECK(net_await(&n, S("000001\r\n")));
    net_close(&n);
    n = net_open(&s);
    CHECK_STR(net_ask(cx, &n, get_hello).body, S("hello"));
    net_close(&n);
    server_close(&s);
}

TEST(a_client_that_has_finished_sending_still_gets_its_answer)
{
    struct server s = server_open(cx, NULL);

    for (int i = 0; i < 50; i++) {
        struct net n = net_open(&s);
        net_send(&n, post(cx, "/echo", "", S("abc")));
        shutdown(n.fd, SHUT_WR);
        CHECK_STR(net_read(cx, &n).body, S("abc"));
        net_close(&n);
    }
    server_close(&s);
}

TEST(http_1_0_gets_an_answer_and_the_end)
{
    struct server s = server_open(cx, NULL);
    struct net n = net_open(&s);

    CHECK_STR(net_ask(cx, &n, S("GET /hello HTTP/1.0\r\n\r\n")).body, S("hello"));
    CHECK(net_await_end(&n));
    net_close(&n);
    server_close(&s);
}

TEST(connection_close_is_honoured)
{
    struct server s = server_open(cx, NULL);
    struct net n = net_open(&s);

    struct net_reply r =
        net_ask(cx, &n, S("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    CHECK_STR(r.body, S("hello"));
    CHECK(net_await_end(&n));
    net_close(&n);
    server_close(&s);
}

/* --- limits and the end ------------------------------------------------------------------- */

TEST(a_full_queue_answers_503_and_forgets_nobody)
{
    struct transport_options o = server_defaults();
    o.workers = 2;
    o.queue_max = 3;
    o.loops = 1;
    struct server s = server_open(cx, &o);
    struct net waiting[5];
    str get_gate = S("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");

    sample_gate(true);
    for (size_t i = 0; i < 5; i++) {
        waiting[i] = net_open(&s);
        net_send(&waiting[i], get_gate);
        NET_UNTIL(sample_waiting() == size_min(i + 1, o.workers) &&
                  transport_queue_depth(s.t) == i + 1 - sample_waiting());
    }
    struct net n = net_open(&s);
    struct net_reply r = net_ask(cx, &n, get_gate);
    CHECK_EQ(r.status, 503);
    CHECK_STR(net_header(&r, "Retry-After"), S("1"));
    CHECK_HOLDS(r.body, "BUSY");
    r = net_ask(cx, &n, post(cx, "/count", "", letters(cx, 100000)));
    CHECK_EQ(r.status, 503);
    sample_gate(false);
    for (size_t i = 0; i < 5; i++) {
        CHECK_STR(net_read(cx, &waiting[i]).body, S("hello"));
        net_close(&waiting[i]);
    }
    net_close(&n);
    server_close(&s);
}

TEST(draining_lets_running_requests_end_and_takes_no_new_connections)
{
    struct server s = server_open(cx, NULL);
    struct net idle = net_open(&s), busy = net_open(&s);

    CHECK_EQ(net_ask(cx, &idle, get_hello).status, 200);
    sample_gate(true);
    net_send(&busy, S("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n"));
    NET_UNTIL(sample_waiting() == 1);
    transport_drain(s.t, clock_mono_ns() + 50000000); /* too short: the gate is shut */
    CHECK(net_await_end(&idle));
    sample_gate(false);
    transport_drain(s.t, net_deadline_ns());
    struct net_reply r = net_read(cx, &busy);
    CHECK_STR(r.body, S("hello"));
    CHECK(net_await_end(&busy));
    net_close(&idle);
    net_close(&busy);
    server_close(&s);
}

TEST(closing_with_requests_under_way_leaves_nothing_behind)
{
    struct server s = server_open(cx, NULL);
    struct net upload = net_open(&s), download = net_open(&s), half = net_open(&s);

    net_send(&upload, S("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\na"));
    net_send(&download, S("GET /lines/99999999 HTTP/1.1\r\nHost: a\r\n\r\n"));
    net_send(&half, S("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"));
    CHECK(net_await(&download, S("000001\r\n")));
    NET_UNTIL(metric_value(&http_in_flight) == 2);
    server_close(&s);
    CHECK_EQ(metric_value(&http_in_flight), 0);
    CHECK_EQ(metric_value(&http_connections), 0);
    CHECK_EQ(metric_value(&http_queue_depth), 0);
    CHECK_EQ(metric_value(&http_workers), 0);
    net_close(&upload);
    net_close(&download);
    net_close(&half);
}

TEST(addresses_are_understood_and_bound_once)
{
    struct transport_options o = server_defaults();
    struct server s = server_open(cx, NULL);
    struct transport *t = NULL;

    CHECK(str_starts(str_from(transport_address(s.t)), S("127.0.0.1:")));
    o.listen = transport_address(s.t);
    CHECK_ERR(transport_open(cx, &o, s.router, &t), ERR_IO); /* SO_REUSEPORT must not share it */
    o.listen = "[::1]:0";
    if (transport_open(cx, &o, s.router, &t) == ERR_OK) { /* where there is IPv6 */
        CHECK(str_starts(str_from(transport_address(t)), S("[::1]:")));
        transport_close(t);
    }
    o.listen = "nonsense";
    CHECK_ERR(transport_open(cx, &o, s.router, &t), ERR_CONFIG);
    o.listen = "127.0.0.1:http";
    CHECK_ERR(transport_open(cx, &o, s.router, &t), ERR_CONFIG);
    server_close(&s);
}
