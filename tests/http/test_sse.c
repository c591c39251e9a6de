/* test_sse.c - event streams: their text, their limits, their end. */
#include "http/sse_carrier.h"
#include "http_harness.h"
#include "net.h"

static unsigned closed_count;

static void count_closed(void *state)
{
    (void)state;
    closed_count++;
}

static struct sse_stream *stream_open(struct ctx *cx)
{
    struct response rs = {0};
    struct request rq = {0};
    struct sse_stream *s = NULL;

    closed_count = 0;
    CHECK_OK(sse_begin(cx, &rq, &rs, count_closed, NULL, &s));
    CHECK(rs.sse == s);
    return s;
}

static size_t gather(void *out, str bytes)
{
    buf_put(out, bytes);
    return bytes.n;
}

static size_t gather_seven(void *out, str bytes)
{
    return gather(out, str_slice(bytes, 0, 7));
}

static str flushed(struct ctx *cx, struct sse_stream *s)
{
    struct buf b = BUF(2 * SSE_BACKLOG_BYTES_MAX);

    sse_flush(s, gather, &b);
    str text = arena_str(cx->mem, buf_str(&b));
    buf_close(&b);
    return text;
}

TEST(events_are_written_as_the_standard_says)
{
    struct sse_stream *s = stream_open(cx);

    CHECK(sse_send(s, S("7"), S("alert"), S("a\nb\r\n\nc")));
    CHECK_STR(flushed(cx, s), S("id: 7\nevent: alert\ndata: a\ndata: b\ndata: \ndata: c\n\n"));
    CHECK(sse_send(s, STR_NULL, STR_NULL, S("{}")));
    CHECK_STR(flushed(cx, s), S("data: {}\n\n"));
    CHECK(sse_send(s, S("1\ndata: forged"), S("a\rb"), S("")));
    CHECK_STR(flushed(cx, s), S("id: 1data: forged\nevent: ab\ndata: \n\n"));
    sse_finish(s);
    CHECK_EQ(closed_count, 1);
}

TEST(a_stream_that_is_taken_in_pieces_loses_nothing)
{
    struct sse_stream *s = stream_open(cx);
    struct buf b = BUF(1000);

    CHECK(sse_send(s, S("1"), STR_NULL, S("some text")));
    CHECK(sse_send(s, S("2"), STR_NULL, S("more text")));
    while (sse_flush(s, gather_seven, &b))
        continue;
    CHECK_STR(buf_str(&b), S("id: 1\ndata: some text\n\nid: 2\ndata: more text\n\n"));
    buf_close(&b);
    sse_finish(s);
}

TEST(a_stream_whose_client_falls_behind_is_given_up)
{
    struct sse_stream *s = stream_open(cx);
    str kilo = {arena_new(cx->mem, char, 1024), 1024};
    size_t sent = 0;

    memset((char *)(uintptr_t)kilo.p, 'x', kilo.n);
    while (sse_send(s, STR_NULL, STR_NULL, kilo))
        sent++;
    CHECK(sent > SSE_BACKLOG_BYTES_MAX / 1100 && sent < SSE_BACKLOG_BYTES_MAX / 1024);
    CHECK(sse_overflowed(s) && sse_is_closing(s));
    CHECK(!sse_send(s, STR_NULL, STR_NULL, S("a")));
    str text = flushed(cx, s);
    CHECK(str_ends(text, S("x\n\n"))); /* whole events only */
    sse_finish(s);
}

TEST(an_ended_stream_takes_nothing_more)
{
    struct sse_stream *s = stream_open(cx);

    CHECK(sse_send(s, STR_NULL, STR_NULL, S("last")));
    sse_end(s);
    CHECK(!sse_send(s, STR_NULL, STR_NULL, S("too late")));
    CHECK_STR(flushed(cx, s), S("data: last\n\n"));
    sse_finish(s);
}

static unsigned wakes;

static void count_wake(void *carrier)
{
    (void)carrier;
    wakes++;
}

TEST(a_carrier_is_woken_once_until_it_comes)
{
    struct sse_stream *s = stream_open(cx);

    wakes = 0;
    sse_send(s, STR_NULL, STR_NULL, S("before"));
    sse_attach(s, count_wake, NULL);
    CHECK_EQ(wakes, 1);
    sse_send(s, STR_NULL, STR_NULL, S("a"));
    sse_send(s, STR_NULL, STR_NULL, S("b"));
    CHECK_EQ(wakes, 1);
    flushed(cx, s);
    sse_send(s, STR_NULL, STR_NULL, S("c"));
    CHECK_EQ(wakes, 2);
    sse_finish(s);
}

TEST(the_harness_shows_event_streams)
{
    struct router *router = sample_router(cx);
    struct harness *h = harness_open(router);
    unsigned closed = sample_live_closed();

    CHECK(harness_get(h, "/live")->live);
    CHECK_STR(harness_events(h), S("id: 0\nevent: welcome\ndata: two\ndata: lines\n\n"));
    CHECK(sample_live_send(S("1"), S("news")));
    CHECK_STR(harness_events(h), S("id: 1\ndata: news\n\n"));
    harness_hang_up(h);
    CHECK_EQ(sample_live_closed(), closed + 1);
    harness_close(h);
    router_close(router);
}

/* --- over sockets ------------------------------------------------------------------------- */

static struct net live_open(struct ctx *cx, const struct server *s)
{
    struct net n = net_open(s);

    net_send(&n, S("GET /live HTTP/1.1\r\nHost: a\r\n\r\n"));
    struct net_reply r = net_read_head(cx, &n);
    CHECK_EQ(r.status, 200);
    CHECK_STR(net_header(&r, "Content-Type"), S("text/event-stream"));
    CHECK_STR(net_header(&r, "X-Accel-Buffering"), S("no"));
    CHECK(net_await(&n, S("data: two\ndata: lines\n\n")));
    CHECK_STR(buf_str(&n.in), S("id: 0\nevent: welcome\ndata: two\ndata: lines\n\n"));
    buf_clear(&n.in);
    return n;
}

TEST(events_reach_every_client_and_a_gone_one_is_noticed)
{
    struct server s = server_open(cx, NULL);
    unsigned closed = sample_live_closed();
    struct net a = live_open(cx, &s), b = live_open(cx, &s);

    CHECK(sample_live_send(S("41"), S("both")));
    CHECK(net_await(&a, S("id: 41\ndata: both\n\n")));
    CHECK(net_await(&b, S("id: 41\ndata: both\n\n")));
    net_close(&a);
    NET_UNTIL(sample_live_closed() == closed + 1);
    CHECK(sample_live_send(S("42"), S("one")));
    CHECK(net_await(&b, S("id: 42\ndata: one\n\n")));
    NET_UNTIL(transport_connections(s.t) == 1);
    server_close(&s);
    CHECK(net_await(&b, S("retry: 2000\n\n")));
    CHECK(net_await_end(&b));
    net_close(&b);
    CHECK_EQ(sample_live_closed(), closed + 2);
}

TEST(a_client_that_does_not_read_its_events_is_dropped)
{
    struct server s = server_open(cx, NULL);
    unsigned closed = sample_live_closed();
    struct net n = live_open(cx, &s);
    str big = {arena_new(cx->mem, char, 64 * 1024), 64 * 1024};

    memset((char *)(uintptr_t)big.p, 'x', big.n);
    while (sample_live_send(STR_NULL, big))
        continue;
    NET_UNTIL(sample_live_closed() == closed + 1);
    CHECK(net_await_end(&n));
    net_close(&n);
    server_close(&s);
}

TEST(a_stream_closed_by_its_client_before_the_first_event_leaves_nothing)
{
    struct server s = server_open(cx, NULL);
    unsigned opened = sample_live(), closed = sample_live_closed();

    for (int i = 0; i < 20; i++) {
        struct net n = net_open(&s);
        net_send(&n, S("GET /live HTTP/1.1\r\nHost: a\r\n\r\n"));
        net_close(&n);
    }
    NET_UNTIL(sample_live() == opened + 20 && sample_live_closed() == closed + 20);
    NET_UNTIL(transport_connections(s.t) == 0);
    server_close(&s);
}
