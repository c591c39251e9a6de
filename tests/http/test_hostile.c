/* test_hostile.c - clients that lie, stall, leave or attack; and what the system may run out of. */
#include "base/clock.h"
#include "http/metrics.h"
#include "net.h"
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS INT64_C(1000000)

static const str get_hello = STR_INIT("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");

static void check_alive(struct ctx *cx, const struct server *s)
{
    struct net n = net_open(s);

    CHECK_STR(net_ask(cx, &n, get_hello).body, S("hello"));
    net_close(&n);
}

/* Each probe is answered 400 once and the connection ends: what follows it is never taken for a
 * request of its own. */
TEST(smuggling_probes_are_refused_and_the_connection_ends)
{
    /* clang-format off */
    static const str probes[] = {
        STR_INIT("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        STR_INIT("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        STR_INIT("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\n"),
        STR_INIT("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n"),
        STR_INIT("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n"),
        STR_INIT("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked \r\n\r\n0\r\n\r\n"),
        STR_INIT("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        STR_INIT("POST /echo HTTP/1.1\r\nHost: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        STR_INIT("POST /echo HTTP/1.1\r\nHost: a\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        STR_INIT("POST /echo HTTP/1.1\r\nHost: a\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n"),
        STR_INIT("POST /echo HTTP/1.1\r\nHost: a\r\nX: a\0Transfer-Encoding: chunked\r\n\r\n"),
        STR_INIT("POST /echo HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n"),
        STR_INIT("POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        STR_INIT("GET /hello HTTP/1.1\r\n\r\n"),
        STR_INIT("GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        STR_INIT("GET /hello HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nAuthorization: y\r\n\r\n"),
        STR_INIT("GET /hello HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n"),
        STR_INIT("GET /hello HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n"),
        STR_INIT("GET /hello HTTP/1.1\r\nHost: a\n\r\n"),
        STR_INIT("GET /hello HTTP/1.1\nHost: a\r\n\r\n"),
        STR_INIT("GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n"),
        STR_INIT("GET /hello\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
        STR_INIT("GET /hello  HTTP/1.1\r\nHost: a\r\n\r\n"),
        STR_INIT("GET /hello?a=b\0&c HTTP/1.1\r\nHost: a\r\n\r\n"),
    };
    /* clang-format on */
    struct server s = server_open(cx, NULL);

    for (size_t i = 0; i < COUNT(probes); i++) {
        struct net n = net_open(&s);
        net_send(&n, probes[i]);
        net_send(&n, get_hello);
        struct net_reply r = net_read_head(cx, &n);
        if (r.status != 400)
            FAIL("probe %zu gave %d: %.*s", i, r.status, STR_FMT(probes[i]));
        CHECK(!net_await(&n, S("HTTP/1.1 200")));
        net_close(&n);
    }
    check_alive(cx, &s);
    server_close(&s);
}

TEST(chunks_that_are_not_well_formed_end_the_connection)
{
    static const str bodies[] = {
        STR_INIT("x\r\n"),
        STR_INIT("-1\r\nab\r\n"),
        STR_INIT("0x1\r\na\r\n0\r\n\r\n"),
        STR_INIT("1\r\nab\r\n0\r\n\r\n"),
        STR_INIT(" 1\r\na\r\n0\r\n\r\n"),
        STR_INIT("ffffffffffffffffff\r\n"),
        STR_INIT("\r\n"),
    };
    struct server s = server_open(cx, NULL);

    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct net n = net_open(&s);
        net_send(&n, S("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
        net_send(&n, bodies[i]);
        net_send(&n, get_hello);
        struct net_reply r = net_read(cx, &n);
        CHECK(r.status == 0 || r.status == 400 || r.status == 413);
        CHECK(!net_await(&n, S("HTTP/1.1 200")));
        net_close(&n);
    }
    check_alive(cx, &s);
    server_close(&s);
}

TEST(heads_over_the_limit_are_refused)
{
    struct server s = server_open(cx, NULL);
    struct buf b = BUF(1 << 20);

    for (size_t n_headers = 50; n_headers <= 3200; n_headers *= 8) {
        buf_clear(&b);
        buf_put(&b, S("GET /hello HTTP/1.1\r\nHost: a\r\n"));
        for (size_t i = 0; i < n_headers; i++)
            buf_printf(&b, "X-%zu: abcdefghijklmnopqrstuvwxyz\r\n", i);
        buf_put(&b, S("\r\n"));
        struct net n = net_open(&s);
        net_send(&n, buf_str(&b));
        CHECK_EQ(net_read_head(cx, &n).status, n_headers < REQUEST_HEADERS_MAX ? 200 : 431);
        net_close(&n);
    }
    buf_clear(&b);
    buf_put(&b, S("GET /"));
    for (int i = 0; i < 100000; i++)
        buf_put_char(&b, 'a');
    struct net n = net_open(&s);
    net_send(&n, buf_str(&b));
    CHECK_EQ(net_read_head(cx, &n).status, 414);
    net_close(&n);
    buf_close(&b);
    check_alive(cx, &s);
    server_close(&s);
}

/* --- clients that leave ------------------------------------------------------------------- */

TEST(a_client_gone_half_way_is_told_to_the_handler)
{
    struct server s = server_open(cx, NULL);

    for (int i = 0; i < 10; i++) {
        struct net n = net_open(&s);
        net_send(&n, S("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\nabc"));
        NET_UNTIL(metric_value(&http_in_flight) == 1);
        net_close(&n);
        NET_UNTIL(metric_value(&http_in_flight) == 0);
        CHECK_EQ(sample_count_result(), ERR_IO);
    }
    NET_UNTIL(transport_connections(s.t) == 0);
    server_close(&s);
}

/* At every length of a request the client resets or closes; nothing is left of it. */
TEST(clients_may_leave_at_any_byte)
{
    static const str request = STR_INIT("POST /echo HTTP/1.1\r\nHost: a\r\nX: y\r\n"
                                        "Content-Length: 4\r\n\r\nabcd");
    struct server s = server_open(cx, NULL);

    for (size_t cut = 0; cut <= request.n; cut++) {
        for (int reset = 0; reset < 2; reset++) {
            struct net n = net_open(&s);
            struct linger l = {.l_onoff = 1, .l_linger = 0};
            if (reset)
                setsockopt(n.fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
            net_send(&n, str_slice(request, 0, cut));
            net_close(&n);
        }
    }
    NET_UNTIL(transport_connections(s.t) == 0);
    check_alive(cx, &s);
    server_close(&s);
}

TEST(a_content_length_that_promises_too_much_waits_and_too_little_ends)
{
    struct transport_options o = server_defaults();
    o.receive_ns = 100 * MS;
    struct server s = server_open(cx, &o);
    struct net n = net_open(&s);

    net_send(&n, S("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"));
    struct net_reply r = net_read(cx, &n);
    CHECK_EQ(r.status, 408);
    CHECK_HOLDS(r.body, "TIMEOUT");
    CHECK(net_await_end(&n));
    net_close(&n);
    n = net_open(&s);
    net_send(&n, S("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nabc def\r\n\r\n"));
    CHECK_STR(net_read(cx, &n).body, S("a"));
    net_read(cx, &n); /* "bc def" is no request */
    CHECK(net_await_end(&n));
    net_close(&n);
    server_close(&s);
}

/* --- slow clients ------------------------------------------------------------------------- */

TEST(slow_clients_lose_their_connection)
{
    struct transport_options o = server_defaults();
    o.receive_ns = 100 * MS;
    o.idle_ns = 200 * MS;
    struct server s = server_open(cx, &o);

    struct net n = net_open(&s);
    CHECK(net_await_end(&n)); /* says nothing */
    net_close(&n);
    n = net_open(&s);
    net_send(&n, S("GET /hel")); /* not even a line */
    CHECK(net_await_end(&n));
    net_close(&n);
    n = net_open(&s);
    net_send(&n, S("GET /hello HTTP/1.1\r\nHost:"));
    CHECK_EQ(net_read(cx, &n).status, 408);
    CHECK(net_await_end(&n));
    net_close(&n);
    n = net_open(&s);
    net_send(&n, S("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\nabc"));
    CHECK_EQ(net_read(cx, &n).status, 408);
    CHECK_EQ(sample_count_result(), ERR_TIMEOUT);
    net_close(&n);
    n = net_open(&s);
    CHECK_EQ(net_ask(cx, &n, get_hello).status, 200); /* then idle */
    CHECK(net_await_end(&n));
    net_close(&n);
    NET_UNTIL(transport_connections(s.t) == 0);
    server_close(&s);
}

/* One byte at a time resets a clock of inactivity, but not that of the head. */
TEST(a_trickled_head_ends_all_the_same)
{
    struct transport_options o = server_defaults();
    o.receive_ns = 100 * MS;
    struct server s = server_open(cx, &o);
    struct net n = net_open(&s);
    struct pollfd p = {.fd = n.fd, .events = POLLIN};

    net_send(&n, S("GET /hello HTTP/1.1\r\nX: "));
    while (poll(&p, 1, 1) == 0)
        net_send(&n, S("a"));
    CHECK_EQ(net_read(cx, &n).status, 408);
    net_close(&n);
    server_close(&s);
}

TEST(a_client_that_does_not_read_its_answer_is_given_up)
{
    struct transport_options o = server_defaults();
    o.receive_ns = 200 * MS;
    struct server s = server_open(cx, &o);
    struct net n = net_open(&s);

    net_send(&n, S("GET /lines/9999999 HTTP/1.1\r\nHost: a\r\n\r\n"));
    NET_UNTIL(metric_value(&http_in_flight) == 1);
    NET_UNTIL(metric_value(&http_in_flight) == 0);
    net_close(&n);
    server_close(&s);
}

/* --- too many ----------------------------------------------------------------------------- */

TEST(connections_beyond_the_limit_are_closed_at_once)
{
    struct transport_options o = server_defaults();
    o.connections_max = 5;
    struct server s = server_open(cx, &o);
    struct net held[5];

    for (size_t i = 0; i < 5; i++) {
        held[i] = net_open(&s);
        CHECK_EQ(net_ask(cx, &held[i], get_hello).status, 200);
    }
    struct net n = net_open(&s);
    CHECK(net_await_end(&n));
    net_close(&n);
    net_close(&held[0]);
    NET_UNTIL(transport_connections(s.t) == 4);
    check_alive(cx, &s);
    for (size_t i = 1; i < 5; i++)
        net_close(&held[i]);
    server_close(&s);
}

/* Each row of metric.def is there because something moves it. */
TEST(every_metric_moves)
{
    struct transport_options o = server_defaults();
    o.workers = 1;
    o.loops = 1;
    struct server s = server_open(cx, &o);
    struct net a = net_open(&s), b = net_open(&s), live = net_open(&s), bad = net_open(&s);
    str big = {arena_new(cx->mem, char, 64 * 1024), 64 * 1024};

    net_ask(cx, &bad, S("GET / HTTP/1.1\r\n\r\n"));
    net_send(&live, S("GET /live HTTP/1.1\r\nHost: a\r\n\r\n"));
    CHECK(net_await(&live, S("welcome")));
    CHECK(metric_moved(&http_streams));
    while (sample_live_send(STR_NULL, big))
        continue;
    sample_gate(true);
    net_send(&a, S("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n"));
    net_send(&b, S("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n"));
    NET_UNTIL(sample_waiting() == 1 && transport_queue_depth(s.t) == 1);
    for (size_t i = 0; http_metrics[i]; i++)
        if (http_metrics[i] != &http_streams && !metric_moved(http_metrics[i]))
            FAIL("%s has not moved", http_metrics[i]->name);
    sample_gate(false);
    CHECK_EQ(net_read(cx, &a).status, 200);
    CHECK_EQ(net_read(cx, &b).status, 200);
    net_close(&a);
    net_close(&b);
    net_close(&live);
    net_close(&bad);
    server_close(&s);
}

/* In a child, because the limit is the process's: all descriptors are used up, one more client
 * knocks, the server does not spin, and when descriptors come back it is let in. */
static void run_out_of_descriptors(struct ctx *cx)
{
    struct server s = server_open(cx, NULL);
    struct metric_cell *refused = metric_cell(&http_refused, S("reason=\"descriptors\""));
    struct net first = net_open(&s), late = {0};
    struct rlimit limit;
    int fd, last = -1;

    ENSURE(net_ask(cx, &first, get_hello).status == 200);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &limit);
    late = net_open(&s);
    NET_UNTIL(transport_connections(s.t) == 2);
    while ((fd = dup(0)) >= 0)
        last = fd;
    close(last); /* one left: for the client's side */
    struct net more = net_open(&s);
    NET_UNTIL(refused->value > 0);
    int64_t until_ns = clock_mono_ns() + 300 * MS;
    ENSURE(net_ask(cx, &first, get_hello).status == 200); /* the others are served */
    while (clock_mono_ns() < until_ns)
        usleep(1000);
    ENSURE(refused->value <= 10); /* it looked again now and then, not all the time */
    close(last - 1);              /* now there is room */
    ENSURE(net_ask(cx, &more, get_hello).status == 200);
    net_close(&late);
    _exit(0);
}

TEST(running_out_of_descriptors_does_not_spin_and_passes)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        run_out_of_descriptors(cx);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
