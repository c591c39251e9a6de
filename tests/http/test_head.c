/* test_head.c - what a strict parser takes and what it does not. */
#include "http/head.h"
#include "test.h"

static err read_raw(struct ctx *cx, str raw, struct head *h)
{
    str target;
    str cut = head_cut(cx->mem, raw, &target);

    ctx_clear_error(cx);
    if (str_is_null(cut))
        return fail(cx, ERR_INVALID, "no end");
    h->headers = arena_new(cx->mem, struct header, REQUEST_HEADERS_MAX);
    return head_read(cx, cut, target, h);
}

TEST(a_plain_head_is_read)
{
    struct head h;

    CHECK_OK(read_raw(cx,
                      S("POST /a?b=c%20d HTTP/1.1\r\nHost: example.org:80\r\nX-Empty:\r\n"
                        "Content-Length: 12\r\nX-Spaced:  \t a b \t\r\n\r\n"),
                      &h));
    CHECK_STR(h.method, S("POST"));
    CHECK_STR(h.target, S("/a?b=c%20d"));
    CHECK_EQ(h.header_count, 4);
    CHECK_STR(h.headers[1].value, S(""));
    CHECK_STR(h.headers[3].value, S("a b"));
    CHECK_EQ(h.content_length, 12);
    CHECK(!h.http10 && !h.expects_continue);
    CHECK_OK(read_raw(cx, S("GET / HTTP/1.0\r\n\r\n"), &h));
    CHECK(h.http10);
    CHECK_EQ(h.content_length, 0);
    CHECK_OK(read_raw(cx, S("GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n"), &h));
    CHECK_STR(h.target, S("/b?c"));
    CHECK_OK(read_raw(cx, S("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), &h));
    CHECK_OK(read_raw(cx,
                      S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n"
                        "Expect: 100-Continue\r\n\r\n"),
                      &h));
    CHECK_EQ(h.content_length, -1);
    CHECK(h.expects_continue);
}

/* Each of these is read differently by some proxy or server: so none is read at all. */
TEST(heads_that_others_might_read_differently_are_refused)
{
    /* clang-format off */
    static const str heads[] = {
        STR_INIT("GET / HTTP/1.1\r\n\r\n"),                                        /* no Host */
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
        STR_INIT("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        STR_INIT("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"),
        STR_INIT("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"),
        STR_INIT("POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 1\r\nCONTENT-LENGTH: 2\r\n\r\n"),
        STR_INIT("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n"),
        STR_INIT("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n"),
        STR_INIT("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
        STR_INIT("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n"),
        STR_INIT("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 \r\n\r\n"),
        STR_INIT("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"),
        STR_INIT("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n"),
        STR_INIT("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\n"),
        STR_INIT("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
        STR_INIT("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
        STR_INIT("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"),
        STR_INIT("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked \r\n\r\n"),
        STR_INIT("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"),
        STR_INIT("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0b" "chunked\r\n\r\n"),
        STR_INIT("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\nContent-Type: a\r\nContent-Type: b\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\nX Y: a\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\nX\t: a\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\n: a\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\nX(Y): a\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\nX\xC3\xA4: a\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\nX\0Y: a\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\nno colon here\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\nX: a\0\0b\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\nX: a\x7f\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\r\nX: a\x01\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\r\nHost: a\nX: a\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1\nHost: a\r\n\r\n"),
        STR_INIT("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
        STR_INIT("GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
        STR_INIT("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
        STR_INIT("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        STR_INIT("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
        STR_INIT("GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"),
        STR_INIT("GET /a\x80 HTTP/1.1\r\nHost: a\r\n\r\n"),
        STR_INIT("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
        STR_INIT("GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
        STR_INIT("GET  HTTP/1.1\r\nHost: a\r\n\r\n"),
        STR_INIT("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
        STR_INIT("GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
        STR_INIT("GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
        STR_INIT("GET / HTTP/01.1\r\nHost: a\r\n\r\n"),
        STR_INIT("GET / http/1.1\r\nHost: a\r\n\r\n"),
        STR_INIT("GET /\r\nHost: a\r\n\r\n"),
        STR_INIT("G@T / HTTP/1.1\r\nHost: a\r\n\r\n"),
        STR_INIT("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        STR_INIT(" GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        STR_INIT("\r\n\r\n"),
    };
    /* clang-format on */
    struct head h;

    for (size_t i = 0; i < COUNT(heads); i++)
        if (read_raw(cx, heads[i], &h) != ERR_INVALID)
            FAIL("head %zu was taken: %.*s", i, STR_FMT(heads[i]));
}

TEST(a_head_has_at_most_so_many_headers)
{
    struct buf raw = BUF(64 * 1024);
    struct head h;

    buf_put(&raw, S("GET / HTTP/1.1\r\nHost: a\r\n"));
    for (int i = 1; i < REQUEST_HEADERS_MAX; i++)
        buf_put(&raw, S("X: a\r\n"));
    size_t full = raw.n;
    buf_put(&raw, S("\r\n"));
    CHECK_OK(read_raw(cx, buf_str(&raw), &h));
    CHECK_EQ(h.header_count, REQUEST_HEADERS_MAX);
    raw.n = full;
    buf_put(&raw, S("X: a\r\n\r\n"));
    CHECK_ERR(read_raw(cx, buf_str(&raw), &h), ERR_HEADERS_TOO_LARGE);
    buf_close(&raw);
}

/* No byte of a head may go unseen: any one replaced by a NUL must be noticed.  (But for a CR before
 * its LF: see head.h.) */
TEST(a_nul_anywhere_is_noticed)
{
    static const str good = STR_INIT("GET /ab HTTP/1.1\r\nHost: a\r\nXy: b c\r\n\r\n");
    struct head h;

    for (size_t i = 0; i < good.n - 4; i++) {
        char *p = arena_new(cx->mem, char, good.n);
        memcpy(p, good.p, good.n);
        if (p[i] == '\r')
            continue;
        p[i] = 0;
        if (read_raw(cx, (str){p, good.n}, &h) == ERR_OK)
            FAIL("a NUL at %zu was not noticed", i);
    }
}
