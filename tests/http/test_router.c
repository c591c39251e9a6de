/* test_router.c - the way of a request through the router, without a socket. */
#include "base/clock.h"
#include "base/metric.h"
#include "http/metrics.h"
#include "http/problem.h"
#include "http_harness.h"
#include "sample.h"
#include "test.h"
#include <zlib.h>
#include <zstd.h>

struct fixture {
    struct router *router;
    struct harness *h;
};

static struct fixture fixture_open(struct ctx *cx)
{
    struct fixture f = {.router = sample_router(cx)};

    f.h = harness_open(f.router);
    return f;
}

static void fixture_close(struct fixture *f)
{
    harness_close(f->h);
    router_close(f->router);
}
#define FIXTURE(name, cx) CLEANUP(fixture_close) struct fixture name = fixture_open(cx)

TEST(routes_match_literals_before_names_before_the_remainder)
{
    /* clang-format off */
    static const struct { const char *method, *target; int status; const char *arg0, *arg1; } cases[] = {
        {"GET",     "/hello",                  200, NULL, NULL},
        {"GET",     "/hello/",                 404, NULL, NULL},
        {"GET",     "/Hello",                  404, NULL, NULL},
        {"GET",     "//hello",                 404, NULL, NULL},
        {"GET",     "/",                       404, NULL, NULL},
        {"GET",     "/things/7",               200, "7", NULL},
        {"GET",     "/things/",                404, NULL, NULL},
        {"GET",     "/things/special",         200, NULL, NULL},
        {"GET",     "/things/a/parts/b",       200, "a", "b"},
        {"GET",     "/things/special/parts/b", 200, "special", "b"}, /* taken back from the literal */
        {"GET",     "/things/a/parts",         404, NULL, NULL},
        {"GET",     "/things/a/parts/b/c",     404, NULL, NULL},
        {"GET",     "/files/a",                200, "a", NULL},
        {"GET",     "/files/a/b/c",            200, "a/b/c", NULL},
        {"GET",     "/files/",                 200, "", NULL},
        {"GET",     "/files/a%20b/%63",        200, "a b/c", NULL},
        {"GET",     "/files/a%2Fb",            400, NULL, NULL},
        {"GET",     "/things/a%2Fb/parts/c",   200, "a/b", "c"},
        {"GET",     "/things/%2e%2e/parts/c",  400, NULL, NULL},
        {"GET",     "/files/../hello",         400, NULL, NULL},
        {"GET",     "/files/./a",              400, NULL, NULL},
        {"GET",     "/files/a%00b",            400, NULL, NULL},
        {"GET",     "/files/a%zz",             400, NULL, NULL},
        {"GET",     "/files/a%2",              400, NULL, NULL},
        {"GET",     "/h%65llo",                200, NULL, NULL},
        {"HEAD",    "/hello",                  200, NULL, NULL},
        {"OPTIONS", "/things/7",               204, NULL, NULL},
        {"OPTIONS", "*",                       204, NULL, NULL},
        {"PATCH",   "/things/7",               405, NULL, NULL},
        {"get",     "/hello",                  405, NULL, NULL},
        {"BREW",    "/hello",                  405, NULL, NULL},
        {"GET",     "hello",                   400, NULL, NULL},
    };
    /* clang-format on */
    FIXTURE(f, cx);

    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct reply *r = harness_send(f.h, cases[i].method, cases[i].target, STR_NULL);
        if (r->status != cases[i].status)
            FAIL("%s %s gave %d", cases[i].method, cases[i].target, r->status);
        if (cases[i].arg0)
            CHECK_STR(reply_str(r, "/args/0"), str_from(cases[i].arg0));
        if (cases[i].arg1)
            CHECK_STR(reply_str(r, "/args/1"), str_from(cases[i].arg1));
    }
}

TEST(the_path_that_handlers_see_is_decoded)
{
    FIXTURE(f, cx);

    CHECK_STR(reply_str(harness_get(f.h, "/files/%C3%A4/b"), "/path"), S("/files/\xC3\xA4/b"));
}

TEST(methods_that_are_not_served_are_named)
{
    FIXTURE(f, cx);
    const struct reply *r = harness_send(f.h, "PUT", "/things/7", STR_NULL);

    CHECK_EQ(r->status, 405);
    CHECK_STR(reply_header(r, "Allow"), S("GET, HEAD, OPTIONS, DELETE"));
    r = harness_send(f.h, "OPTIONS", "/things", STR_NULL);
    CHECK_EQ(r->status, 204);
    CHECK_STR(reply_header(r, "Allow"), S("OPTIONS, POST"));
    CHECK_EQ(r->body.n, 0);
}

TEST(a_route_standing_twice_is_a_configuration_error)
{
    static const struct route twice[] = {
        {.method = "GET", .path = "/a/{x}"}, {.method = "GET", .path = "/a/{y}"}, {0}};
    const struct route *const tables[] = {twice, NULL};
    struct router *r = NULL;

    CHECK_ERR(router_open(cx, &(struct router_options){.tables = tables}, &r), ERR_CONFIG);
    CHECK_DETAIL("/a/{y}");
}

TEST(query_parameters_are_decoded_checked_and_known)
{
    FIXTURE(f, cx);
    const struct reply *r =
        harness_get(f.h, "/things/7?name=a+b%26c&limit=10&all=true&from=2026-01-01T00:00:00Z&&");

    CHECK_EQ(r->status, 200);
    CHECK_STR(reply_str(r, "/params/name"), S("a b&c"));
    CHECK_EQ(reply_count(r, "/params"), 4);
    r = harness_get(f.h, "/things/7?colour=red");
    CHECK_EQ(r->status, 400);
    CHECK_HOLDS(reply_str(r, "/detail"), "colour");
    CHECK_EQ(harness_get(f.h, "/things/7?limit=ten")->status, 400);
    CHECK_EQ(harness_get(f.h, "/things/7?limit=-1")->status, 400);
    CHECK_EQ(harness_get(f.h, "/things/7?limit=99999999999999999999")->status, 400);
    CHECK_EQ(harness_get(f.h, "/things/7?all=yes")->status, 400);
    CHECK_EQ(harness_get(f.h, "/things/7?from=yesterday")->status, 400);
    CHECK_EQ(harness_get(f.h, "/things/7?name=%")->status, 400);
    CHECK_EQ(harness_get(f.h, "/things/7?name=%00")->status, 400);
    CHECK_EQ(harness_get(f.h, "/things/7?name=%FF")->status, 400);
    CHECK_EQ(harness_get(f.h, "/things/7?name")->status, 200);
    CHECK_EQ(harness_get(f.h, "/hello?")->status, 200);
    CHECK_HOLDS(reply_str(harness_get(f.h, "/things/seven"), "/detail"), "'id' in the path");
}

TEST(too_many_query_parameters_are_refused)
{
    FIXTURE(f, cx);
    struct buf target = BUF(4096);

    buf_put(&target, S("/things/7?"));
    for (int i = 0; i < REQUEST_PARAMS_MAX; i++)
        buf_put(&target, S("name=a&"));
    CHECK_EQ(harness_get(f.h, target.p)->status, 200);
    buf_put(&target, S("name=a"));
    CHECK_EQ(harness_get(f.h, target.p)->status, 400);
    buf_close(&target);
}

TEST(numeric_and_time_parameters_keep_their_bounds)
{
    struct header params[] = {{S("limit"), S("7")}, {S("from"), S("1970-01-01T00:00:01Z")}};
    struct request rq = {.params = params, .param_count = 2};
    uint64_t n;
    int64_t us;

    CHECK_OK(request_param_u64(cx, &rq, S("limit"), 1, 7, 50, &n));
    CHECK_EQ(n, 7);
    CHECK_ERR(request_param_u64(cx, &rq, S("limit"), 1, 6, 50, &n), ERR_INVALID);
    CHECK_DETAIL("limit");
    CHECK_ERR(request_param_u64(cx, &rq, S("limit"), 8, 9, 50, &n), ERR_INVALID);
    CHECK_OK(request_param_u64(cx, &rq, S("absent"), 1, 7, 50, &n));
    CHECK_EQ(n, 50);
    CHECK_OK(request_param_time(cx, &rq, S("from"), &us));
    CHECK_EQ(us, 1000000);
    CHECK_OK(request_param_time(cx, &rq, S("to"), &us));
    CHECK_EQ(us, 0);
    CHECK_ERR(request_param_time(cx, &rq, S("limit"), &us), ERR_INVALID);
}

TEST(preferences_are_found_in_any_prefer_header)
{
    struct header headers[] = {{S("Prefer"), S("respond-async;x=1 , wait=proof")},
                               {S("prefer"), S("Return=minimal")}};
    struct request rq = {.headers = headers, .header_count = 2};

    CHECK(request_prefers(&rq, S("wait=proof")));
    CHECK(request_prefers(&rq, S("respond-async")));
    CHECK(request_prefers(&rq, S("return=minimal")));
    CHECK(!request_prefers(&rq, S("wait")));
}

TEST(who_asks_is_known_before_what_they_ask_for_is_read)
{
    FIXTURE(f, cx);

    CHECK_EQ(harness_post(f.h, "/things", "{")->status, 403);
    harness_key(f.h, "bad");
    const struct reply *r = harness_post(f.h, "/things", "{");
    CHECK_EQ(r->status, 401);
    CHECK_STR(reply_header(r, "WWW-Authenticate"), S("Bearer"));
    harness_key(f.h, "good");
    CHECK_EQ(harness_post(f.h, "/things", "{")->status, 400);
    CHECK_EQ(harness_post(f.h, "/things", "{\"name\":\"a\"}")->status, 201);
    CHECK_STR(reply_str(harness_get(f.h, "/things/7"), "/principal"), S("key/good"));
}

TEST(problems_say_what_where_and_which_request)
{
    FIXTURE(f, cx);

    harness_key(f.h, "good");
    harness_header(f.h, "X-Request-ID", "abc-1");
    const struct reply *r = harness_post(f.h, "/things", "{\"size\":2000,\"colour\":1}");
    CHECK_EQ(r->status, 400);
    CHECK_STR(reply_header(r, "Content-Type"), S("application/problem+json"));
    CHECK_STR(reply_str(r, "/type"), S("/problems/invalid"));
    CHECK_STR(reply_str(r, "/code"), S("INVALID"));
    CHECK_STR(reply_str(r, "/instance"), S("/things"));
    CHECK_STR(reply_str(r, "/request_id"), S("abc-1"));
    CHECK_EQ(reply_u64(r, "/status"), 400);
    CHECK(reply_str(r, "/title").n > 0);
    CHECK_EQ(reply_count(r, "/errors"), 3);
    CHECK(reply_str(r, "/errors/0/pointer").n > 0);
}

/* The detail of a failure of ours may hold paths or worse; what a client can act upon is told. */
TEST(the_detail_of_a_5xx_is_not_told)
{
    FIXTURE(f, cx);

    for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
        str target = arena_printf(cx->mem, "/fail/%s", err_name((err)e));
        const struct reply *r = harness_get(f.h, target.p);
        bool told =
            err_http_status((err)e) < 500 || e == ERR_BUSY || e == ERR_STOPPED || e == ERR_NO_SPACE;
        CHECK_EQ(r->status, err_http_status((err)e));
        CHECK_STR(reply_str(r, "/code"), str_from(err_name((err)e)));
        CHECK_EQ(reply_has(r, "/detail"), told);
        CHECK_EQ(reply_has(r, "/errors"), told);
        CHECK_EQ(!str_is_null(reply_header(r, "Retry-After")), e == ERR_BUSY || e == ERR_STOPPED);
    }
}

TEST(every_answer_has_the_common_headers)
{
    FIXTURE(f, cx);
    static const char *const targets[] = {"/hello", "/nothing", "/lines/1", "/fail/IO"};

    for (size_t i = 0; i < COUNT(targets); i++) {
        const struct reply *r = harness_get(f.h, targets[i]);
        CHECK_STR(reply_header(r, "X-Content-Type-Options"), S("nosniff"));
        CHECK_STR(reply_header(r, "Cache-Control"), S("no-store"));
        CHECK_STR(reply_header(r, "Referrer-Policy"), S("no-referrer"));
        CHECK_EQ(reply_header(r, "X-Request-ID").n, UUID_TEXT_BYTES);
        CHECK(str_is_null(reply_header(r, "Server")));
    }
}

TEST(request_ids_are_taken_only_when_well_formed)
{
    char longest[CTX_REQUEST_ID_BYTES + 1];

    memset(longest, 'a', sizeof longest);
    CHECK(request_id_is_well_formed((str){longest, CTX_REQUEST_ID_BYTES - 1}));
    CHECK(!request_id_is_well_formed((str){longest, CTX_REQUEST_ID_BYTES}));
    CHECK(request_id_is_well_formed(S("A.b_c-9")));
    CHECK(!request_id_is_well_formed(S("")));
    CHECK(!request_id_is_well_formed(S("a b")));
    CHECK(!request_id_is_well_formed(S("a\n")));
    CHECK(!request_id_is_well_formed(S("a/b")));
}

TEST(trace_parents_are_echoed_only_when_well_formed)
{
    static const char good[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    static const char *const bad[] = {
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "",
    };
    FIXTURE(f, cx);

    harness_header(f.h, "traceparent", good);
    CHECK_STR(reply_header(harness_get(f.h, "/hello"), "traceparent"), str_from(good));
    for (size_t i = 0; i < COUNT(bad); i++) {
        harness_header(f.h, "traceparent", bad[i]);
        CHECK(str_is_null(reply_header(harness_get(f.h, "/hello"), "traceparent")));
    }
}

TEST(header_values_made_from_input_cannot_end_their_line)
{
    struct response rs = {0};

    response_header(cx, &rs, "X-Name", S("a\r\nSet-Cookie: b\0c"));
    CHECK_STR(rs.headers[0].value, S("a??Set-Cookie: b?c"));
    response_header(cx, &rs, "x-name", S("again"));
    CHECK_EQ(rs.header_count, 1);
    CHECK_STR(rs.headers[0].value, S("again"));
}

TEST(bodies_are_checked_by_the_columns_of_the_route)
{
    FIXTURE(f, cx);
    char *large = arena_new(cx->mem, char, SAMPLE_BODY_BYTES_MAX + 1);

    memset(large, 'x', SAMPLE_BODY_BYTES_MAX + 1);
    CHECK_EQ(harness_send(f.h, "GET", "/hello", S("x"))->status, 400);
    CHECK_EQ(harness_send(f.h, "POST", "/echo", (str){large, SAMPLE_BODY_BYTES_MAX})->status, 200);
    const struct reply *r =
        harness_send(f.h, "POST", "/echo", (str){large, SAMPLE_BODY_BYTES_MAX + 1});
    CHECK_EQ(r->status, 413);
    CHECK_STR(reply_str(r, "/type"), S("/problems/too-large"));
    harness_key(f.h, "good");
    CHECK_EQ(harness_send(f.h, "POST", "/things", S("{}"))->status, 415);
    harness_header(f.h, "Content-Type", "text/plain");
    CHECK_EQ(harness_send(f.h, "POST", "/things", S("{}"))->status, 415);
    harness_header(f.h, "Content-Type", "Application/JSON ; charset=utf-8");
    CHECK_EQ(harness_send(f.h, "POST", "/things", S("{\"name\":\"a\"}"))->status, 201);
    harness_header(f.h, "Content-Type", "application/cloudevents+json");
    CHECK_EQ(harness_send(f.h, "POST", "/things", S("{\"name\":\"a\"}"))->status, 201);
    harness_header(f.h, "Content-Encoding", "br");
    CHECK_EQ(harness_send(f.h, "POST", "/echo", S("x"))->status, 415);
}

/* --- packed bodies ------------------------------------------------------------------------ */

static str gzip(struct ctx *cx, str plain)
{
    size_t room = plain.n + plain.n / 10 + 1000;
    char *p = arena_new(cx->mem, char, room);
    z_stream z = {0};

    CHECK_EQ(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)plain.p;
    z.avail_in = (unsigned)plain.n;
    z.next_out = (unsigned char *)p;
    z.avail_out = (unsigned)room;
    CHECK_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return (str){p, room - z.avail_out};
}

static str zstd(struct ctx *cx, str plain)
{
    size_t room = ZSTD_compressBound(plain.n);
    char *p = arena_new(cx->mem, char, room);
    size_t n = ZSTD_compress(p, room, plain.p, plain.n, 3);

    CHECK(!ZSTD_isError(n));
    return (str){p, n};
}

static str text_of(struct ctx *cx, size_t bytes)
{
    char *p = arena_new(cx->mem, char, bytes);

    for (size_t i = 0; i < bytes; i++)
        p[i] = (char)('a' + (i * i / 7) % 26);
    return (str){p, bytes};
}

static const struct reply *post_packed(struct fixture *f, const char *target, const char *encoding,
                                       str body, size_t pieces)
{
    harness_header(f->h, "Content-Encoding", encoding);
    if (pieces)
        harness_pieces(f->h, pieces);
    return harness_send(f->h, "POST", target, body);
}

TEST(packed_bodies_reach_handlers_unpacked)
{
    static const size_t pieces[] = {0, 1, 7, 4096};
    FIXTURE(f, cx);
    str plain = text_of(cx, 100000);

    for (size_t i = 0; i < COUNT(pieces); i++) {
        CHECK_EQ(reply_u64(post_packed(&f, "/count", "gzip", gzip(cx, plain), pieces[i]), "/bytes"),
                 plain.n);
        CHECK_EQ(reply_u64(post_packed(&f, "/count", "zstd", zstd(cx, plain), pieces[i]), "/bytes"),
                 plain.n);
    }
    CHECK_STR(post_packed(&f, "/echo", "GZIP", gzip(cx, plain), 0)->body, plain);
    CHECK_STR(post_packed(&f, "/echo", "zstd", zstd(cx, plain), 0)->body, plain);
    CHECK_STR(post_packed(&f, "/echo", "identity", plain, 0)->body, plain);
    CHECK_EQ(post_packed(&f, "/echo", "gzip", S(""), 0)->status, 200);
}

TEST(packed_bodies_that_are_cut_or_broken_are_refused)
{
    FIXTURE(f, cx);
    str packed[] = {gzip(cx, text_of(cx, 3000)), zstd(cx, text_of(cx, 3000))};
    static const char *const encodings[] = {"gzip", "zstd"};

    for (size_t k = 0; k < 2; k++) {
        for (size_t cut = 1; cut < packed[k].n; cut++) {
            str part = str_slice(packed[k], 0, cut);
            CHECK_EQ(post_packed(&f, "/echo", encodings[k], part, 0)->status, 400);
            CHECK_EQ(post_packed(&f, "/count", encodings[k], part, 100)->status, 400);
        }
        str longer = arena_printf(cx->mem, "%*s", (int)packed[k].n + 4, "junk");
        memcpy((char *)(uintptr_t)longer.p, packed[k].p, packed[k].n);
        CHECK_EQ(post_packed(&f, "/echo", encodings[k], longer, 0)->status, 400);
        CHECK_EQ(post_packed(&f, "/echo", encodings[k], S("plain text"), 0)->status, 400);
    }
}

TEST(packed_bodies_may_have_several_members)
{
    FIXTURE(f, cx);
    str plain = text_of(cx, 1000);
    str one[] = {gzip(cx, plain), zstd(cx, plain)};
    static const char *const encodings[] = {"gzip", "zstd"};

    for (size_t k = 0; k < 2; k++) {
        char *p = arena_new(cx->mem, char, 2 * one[k].n);
        memcpy(p, one[k].p, one[k].n);
        memcpy(p + one[k].n, one[k].p, one[k].n);
        str both = {p, 2 * one[k].n};
        CHECK_EQ(post_packed(&f, "/echo", encodings[k], both, 0)->body.n, 2 * plain.n);
        CHECK_EQ(reply_u64(post_packed(&f, "/count", encodings[k], both, 33), "/bytes"),
                 2 * plain.n);
    }
}

/* A few kilobytes that would become 16 MiB: stopped at the bound, not after it. */
TEST(bombs_are_refused)
{
    FIXTURE(f, cx);
    size_t n = 16 << 20;
    str zeros = {arena_new(cx->mem, char, n), n};
    str packed[] = {gzip(cx, zeros), zstd(cx, zeros)};
    static const char *const encodings[] = {"gzip", "zstd"};

    for (size_t k = 0; k < 2; k++) {
        CHECK(packed[k].n < 64 * 1024);
        CHECK_EQ(post_packed(&f, "/echo", encodings[k], packed[k], 0)->status, 413);
        CHECK_EQ(post_packed(&f, "/count", encodings[k], packed[k], 0)->status, 413);
        CHECK(sample_count_bytes() <= SAMPLE_UNPACKED_BYTES_MAX);
    }
}

/* --- the rest ----------------------------------------------------------------------------- */

TEST(streamed_responses_are_gathered_and_breaks_show)
{
    FIXTURE(f, cx);
    const struct reply *r = harness_get(f.h, "/lines/3");

    CHECK(r->streamed && !r->cut_off);
    CHECK_EQ(r->body.n, 3 * 64);
    r = harness_get(f.h, "/lines/cut");
    CHECK_EQ(r->status, 200);
    CHECK(r->cut_off);
    CHECK_EQ(r->body.n, 64);
}

TEST(requests_are_counted_by_route_template_method_and_status)
{
    FIXTURE(f, cx);
    struct metric_cell *good =
        metric_cell(&http_requests, S("route=\"/things/{id}\",method=\"GET\",status=\"200\""));
    struct metric_cell *head =
        metric_cell(&http_requests, S("route=\"/things/{id}\",method=\"HEAD\",status=\"200\""));
    struct metric_cell *unknown =
        metric_cell(&http_requests, S("route=\"unknown\",method=\"other\",status=\"404\""));
    int64_t before[] = {good->value, head->value, unknown->value};

    harness_get(f.h, "/things/1");
    harness_get(f.h, "/things/2");
    harness_send(f.h, "HEAD", "/things/3", STR_NULL);
    harness_get(f.h, "/nothing/4");
    CHECK_EQ(good->value - before[0], 2);
    CHECK_EQ(head->value - before[1], 1);
    CHECK_EQ(unknown->value - before[2], 1);
    CHECK_EQ(metric_value(&http_in_flight), 0);
}
