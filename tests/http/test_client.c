/* test_client.c - the outgoing client against the sample server. */
#include "http/client.h"
#include "net.h"

struct pair {
    struct server s;
    struct http_client *c;
};

static struct pair pair_open(struct ctx *cx, str key)
{
    struct pair p = {.s = server_open(cx, NULL)};
    struct http_client_options o = {
        .base_url = arena_printf(cx->mem, "http://%s/", transport_address(p.s.t)), .key = key};

    CHECK_OK(http_client_open(cx, &o, &p.c));
    return p;
}

static void pair_close(struct pair *p)
{
    http_client_close(p->c);
    server_close(&p->s);
}

TEST(calls_share_a_connection_and_carry_the_key)
{
    static const struct header json[] = {{STR_INIT("Content-Type"), STR_INIT("application/json")}};
    struct pair p = pair_open(cx, S("good"));
    struct http_reply r;

    for (int i = 0; i < 20; i++) {
        CHECK_OK(http_call(cx, p.c, "GET", S("/hello"), NULL, 0, STR_NULL, 1000, &r));
        CHECK_EQ(r.status, 200);
        CHECK_STR(r.body, S("hello"));
        CHECK_STR(r.content_type, S("text/plain"));
        CHECK(r.header_count > 3);
    }
    CHECK_EQ(transport_connections(p.s.t), 1);
    CHECK_OK(http_call(cx, p.c, "POST", S("/things"), json, 1, S("{\"name\":\"a\"}"), 1000, &r));
    CHECK_EQ(r.status, 201);
    CHECK_OK(http_reply_check(cx, &r));
    CHECK_OK(http_call(cx, p.c, "DELETE", S("/things/7"), NULL, 0, STR_NULL, 1000, &r));
    CHECK_EQ(r.status, 200);
    CHECK_OK(http_call(cx, p.c, "HEAD", S("/hello"), NULL, 0, STR_NULL, 1000, &r));
    CHECK_EQ(r.status, 200);
    CHECK_EQ(r.body.n, 0);
    pair_close(&p);
}

TEST(problems_become_errors_again)
{
    struct pair p = pair_open(cx, STR_NULL);
    struct http_reply r;

    for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
        str path = arena_printf(cx->mem, "/fail/%s", err_name((err)e));
        CHECK_OK(http_call(cx, p.c, "GET", path, NULL, 0, STR_NULL, 10000, &r));
        CHECK_ERR(http_reply_check(cx, &r), (err)e);
    }
    CHECK_OK(http_call(cx, p.c, "GET", S("/nothing"), NULL, 0, STR_NULL, 10000, &r));
    CHECK_ERR(http_reply_check(cx, &r), ERR_NOT_FOUND);
    CHECK_DETAIL("nothing at this path");
    r = (struct http_reply){.status = 503, .content_type = S("text/html"), .body = S("<p>")};
    CHECK_ERR(http_reply_check(cx, &r), ERR_BUSY);
    r.status = 500;
    CHECK_ERR(http_reply_check(cx, &r), ERR_INTERNAL);
    r.status = 418;
    CHECK_ERR(http_reply_check(cx, &r), ERR_INVALID);
    pair_close(&p);
}

static err read_zeros(struct ctx *cx, void *state, void *p, size_t n, size_t *out_n)
{
    uint64_t *left = state;

    (void)cx;
    *out_n = (size_t)u64_min(n, *left);
    memset(p, '0', *out_n);
    *left -= *out_n;
    return ERR_OK;
}

static err read_failing(struct ctx *cx, void *state, void *p, size_t n, size_t *out_n)
{
    (void)state;
    (void)p;
    (void)n;
    (void)out_n;
    return fail(cx, ERR_CORRUPT, "the source is broken");
}

TEST(uploads_are_streamed)
{
    struct pair p = pair_open(cx, STR_NULL);
    struct http_reply r;
    uint64_t left = 20000000;

    CHECK_OK(http_upload(cx, p.c, "POST", S("/count"), NULL, 0, read_zeros, &left, 1000, &r));
    CHECK_STR(r.body, S("{\"bytes\":20000000}"));
    CHECK_ERR(http_upload(cx, p.c, "POST", S("/count"), NULL, 0, read_failing, NULL, 1000, &r),
              ERR_CORRUPT);
    CHECK_OK(http_call(cx, p.c, "GET", S("/hello"), NULL, 0, STR_NULL, 1000, &r));
    pair_close(&p);
}

static err count_bytes(struct ctx *cx, void *state, str bytes)
{
    (void)cx;
    *(uint64_t *)state += bytes.n;
    return ERR_OK;
}

static err refuse_bytes(struct ctx *cx, void *state, str bytes)
{
    (void)state;
    (void)bytes;
    return fail(cx, ERR_NO_SPACE, "no room");
}

TEST(downloads_are_streamed)
{
    struct pair p = pair_open(cx, STR_NULL);
    struct http_reply r;
    uint64_t got = 0;

    CHECK_OK(http_download(cx, p.c, S("/lines/100000"), NULL, 0, count_bytes, &got, &r));
    CHECK_EQ(r.status, 200);
    CHECK_EQ(got, 6400000);
    CHECK_EQ(r.body.n, 0);
    got = 0;
    CHECK_OK(http_download(cx, p.c, S("/nothing"), NULL, 0, count_bytes, &got, &r));
    CHECK_EQ(got, 0);
    CHECK_ERR(http_reply_check(cx, &r), ERR_NOT_FOUND);
    CHECK_ERR(http_download(cx, p.c, S("/lines/9"), NULL, 0, refuse_bytes, NULL, &r), ERR_NO_SPACE);
    CHECK_ERR(http_download(cx, p.c, S("/lines/cut"), NULL, 0, count_bytes, &got, &r),
              ERR_UNREACHABLE);
    pair_close(&p);
}

TEST(failures_on_the_way_have_their_codes)
{
    struct pair p = pair_open(cx, STR_NULL);
    struct http_client *c = NULL;
    struct http_reply r;

    CHECK_ERR(http_call(cx, p.c, "GET", S("/hello"), NULL, 0, STR_NULL, 4, &r), ERR_TOO_LARGE);
    str url = arena_printf(cx->mem, "http://%s", transport_address(p.s.t));
    CHECK_OK(http_client_open(
        cx, &(struct http_client_options){.base_url = url, .timeout_ns = 50000000}, &c));
    sample_gate(true);
    CHECK_ERR(http_call(cx, c, "GET", S("/gate"), NULL, 0, STR_NULL, 100, &r), ERR_TIMEOUT);
    sample_gate(false);
    pair_close(&p);
    CHECK_ERR(http_call(cx, c, "GET", S("/hello"), NULL, 0, STR_NULL, 100, &r), ERR_UNREACHABLE);
    http_client_close(c);
    CHECK_ERR(http_client_open(cx, &(struct http_client_options){.base_url = S("ftp://a")}, &c),
              ERR_USAGE);
    CHECK_ERR(http_client_open(
                  cx,
                  &(struct http_client_options){.base_url = S("http://a"), .key = S("a\r\nX: b")},
                  &c),
              ERR_USAGE);
}
