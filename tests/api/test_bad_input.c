/* test_bad_input.c - what is wrong is refused with its place, and nothing else is lost by it.
 *
 * One row a case: what is sent, and status, code, pointer and words of the answer.  A request that
 * is refused stores nothing; a stream keeps what stands before the bad line. */
#include "ledger/ledger.h"
#include "office.h"
#include "program.h"
#include <zlib.h>
#include <zstd.h>

#define EVENTS "/api/v1/events"
#define JSON "application/json"
#define NDJSON "application/x-ndjson"
#define BATCH "application/cloudevents-batch+json"
#define GOOD "\"specversion\":\"1.0\",\"id\":\"x\",\"source\":\"/t\",\"type\":\"a\""

struct refusal {
    const char *method, *target, *type, *body;
    int status;
    const char *code;
    const char *pointer; /* of the first of `errors`; NULL: there are none */
    const char *words;   /* in the detail */
};

static void check_refused(struct office *o, const struct refusal *c, const struct reply *r)
{
    bool good = r->status == c->status && str_eq(reply_str(r, "/code"), str_from(c->code)) &&
                reply_u64(r, "/status") == (uint64_t)c->status &&
                str_eq(reply_str(r, "/errors/0/pointer"), str_from(c->pointer)) &&
                reply_str(r, "/request_id").n > 0 &&
                str_eq(reply_header(r, "Content-Type"), S("application/problem+json"));
    str detail = reply_str(r, "/detail");

    if (!good || str_find(detail, str_from(c->words)) == detail.n)
        FAIL("%s %s %s: %d %.*s\n  wanted %d %s %s \"%s\"", c->method, c->target,
             c->body ? c->body : "", r->status, STR_FMT(r->body), c->status, c->code,
             c->pointer ? c->pointer : "(no pointer)", c->words);
    (void)o;
}

static void check_table(struct ctx *cx, const char *dir, const struct refusal *cases, size_t count)
{
    struct office *o = office_open(cx, dir);

    office_key(cx, o, "events:write events:read");
    uint64_t before = ledger_size(o->app->ledger);
    for (size_t i = 0; i < count; i++) {
        const struct refusal *c = &cases[i];
        if (c->type)
            harness_header(o->http, "Content-Type", c->type);
        check_refused(o, c, harness_send(o->http, c->method, c->target, str_from(c->body)));
        CHECK_EQ(ledger_size(o->app->ledger), before);
    }
    office_close(cx, o);
}

/* clang-format off */
TEST(a_wrong_document_is_refused_with_the_place_and_stores_nothing)
{
    static const struct refusal cases[] = {
        /* not JSON */
        {"POST", EVENTS, JSON, "", 400, "INVALID", NULL, "empty"},
        {"POST", EVENTS, JSON, "   ", 400, "INVALID", NULL, "empty"},
        {"POST", EVENTS, JSON, "{\"a\"", 400, "INVALID", "", "at byte 4 a colon"},
        {"POST", EVENTS, JSON, "{" GOOD "} {}", 400, "INVALID", "", "something follows the value"},
        {"POST", EVENTS, JSON, "{" GOOD ",\"data\":\"\xff\"}", 400, "INVALID", "", "at byte 63 the text is not UTF-8"},
        {"POST", EVENTS, JSON, "{" GOOD ",\"data\":\"\xed\xa0\x80\"}", 400, "INVALID", "", "not UTF-8"},
        {"POST", EVENTS, JSON, "{" GOOD ",\"data\":\"\\ud800\"}", 400, "INVALID", "", "surrogate"},
        {"POST", EVENTS, JSON, "{" GOOD ",\"data\":\"\x01\"}", 400, "INVALID", "", "control character"},
        {"POST", EVENTS, JSON, "{" GOOD ",\"data\":NaN}", 400, "INVALID", "", "at byte 62 a value was expected"},
        {"POST", EVENTS, JSON, "\xef\xbb\xbf{" GOOD "}", 400, "INVALID", "", "at byte 0"},
        /* numbers */
        {"POST", EVENTS, JSON, "{" GOOD ",\"data\":18446744073709551616}", 400, "INVALID", "", "at byte 62 a number is out of range"},
        {"POST", EVENTS, JSON, "{" GOOD ",\"data\":-9223372036854775809}", 400, "INVALID", "", "out of range"},
        {"POST", EVENTS, JSON, "{" GOOD ",\"data\":1e999}", 400, "INVALID", "", "out of range"},
        /* keys that stand twice */
        {"POST", EVENTS, JSON, "{" GOOD ",\"id\":\"y\"}", 400, "INVALID", "/id", "/id stands twice"},
        {"POST", EVENTS, JSON, "{" GOOD ",\"data\":{\"l\":[1,{\"k\":1,\"\\u006b\":2}]}}", 400, "INVALID", "/data/l/1/k", "stands twice"},
        {"POST", EVENTS, JSON, "[{" GOOD "},{" GOOD ",\"id\":\"y\"}]", 400, "INVALID", "/1/id", "stands twice"},
        /* no event */
        {"POST", EVENTS, JSON, "7", 400, "INVALID", "", "must be a JSON object"},
        {"POST", EVENTS, JSON, "[[]]", 400, "INVALID", "/0", "must be a JSON object"},
        {"POST", EVENTS, JSON, "{}", 400, "INVALID", "/specversion", "is required"},
        {"POST", EVENTS, JSON, "{\"specversion\":\"1.0\",\"source\":\"/t\",\"type\":\"a\"}", 400, "INVALID", "/id", "is required"},
        {"POST", EVENTS, JSON, "{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"a\"}", 400, "INVALID", "/source", "is required"},
        {"POST", EVENTS, JSON, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/t\"}", 400, "INVALID", "/type", "is required"},
        {"POST", EVENTS, JSON, "{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"/t\",\"type\":\"a\"}", 400, "INVALID", "/specversion", "must be \"1.0\""},
        {"POST", EVENTS, JSON, "{\"specversion\":\"1.0\",\"id\":1,\"source\":\"/t\",\"type\":\"a\"}", 400, "INVALID", "/id", "must be a string"},
        {"POST", EVENTS, JSON, "{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"/t\",\"type\":\"a\"}", 400, "INVALID", "/id", "not empty"},
        {"POST", EVENTS, JSON, "{" GOOD ",\"time\":\"yesterday\"}", 400, "INVALID", "/time", "RFC 3339"},
        {"POST", EVENTS, JSON, "{" GOOD ",\"time\":\"2026-02-30T00:00:00Z\"}", 400, "INVALID", "/time", "RFC 3339"},
        {"POST", EVENTS, JSON, "{" GOOD ",\"data\":1,\"data_base64\":\"AA==\"}", 400, "INVALID", "/data_base64", "beside \"data\""},
        {"POST", EVENTS, JSON, "{" GOOD ",\"Bad_Name\":1}", 400, "INVALID", "/Bad_Name", "lower-case"},
        {"POST", EVENTS, JSON, "{" GOOD ",\"ext\":{}}", 400, "INVALID", "/ext", "put more into \"data\""},
        {"POST", EVENTS, JSON, "{" GOOD ",\"\":1}", 400, "INVALID", "/", "empty"},
        /* what only the server says */
        {"POST", EVENTS, JSON, "{" GOOD ",\"recorded\":\"2026-01-01T00:00:00Z\"}", 400, "INVALID", "/recorded", "set by the server"},
        {"POST", EVENTS, JSON, "{" GOOD ",\"recorded\":null}", 400, "INVALID", "/recorded", "set by the server"},
        {"POST", EVENTS, JSON, "{" GOOD ",\"principal\":\"user/root\"}", 400, "INVALID", "/principal", "set by the server"},
        {"POST", EVENTS, JSON, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/chancery\",\"type\":\"a\"}", 400, "INVALID", "/source", "reserved"},
        {"POST", EVENTS, JSON, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/chancery/x\",\"type\":\"a\"}", 400, "INVALID", "/source", "reserved"},
        /* the element is named */
        {"POST", EVENTS, JSON, "[{" GOOD "},{" GOOD ",\"time\":1},{" GOOD "}]", 400, "INVALID", "/1/time", "/1/time must be a time"},
        {"POST", EVENTS, BATCH, "{" GOOD "}", 400, "INVALID", NULL, "must be a JSON array"},
        {"POST", EVENTS, BATCH, "[{" GOOD "}", 400, "INVALID", NULL, "the text ends too early"},
        /* types and parameters */
        {"POST", EVENTS, "text/plain", "{" GOOD "}", 415, "MEDIA_TYPE", NULL, "\"text/plain\" is not taken here"},
        {"POST", EVENTS, NULL, "{" GOOD "}", 415, "MEDIA_TYPE", NULL, "is not taken here"},
        {"POST", EVENTS "?on_error=perhaps", JSON, "{" GOOD "}", 400, "INVALID", "/on_error", "stop or skip"},
        {"POST", EVENTS "?onerror=skip", JSON, "{" GOOD "}", 400, "INVALID", "/onerror", "'onerror' is not known"},
        {"POST", EVENTS "?on_error=%zz", JSON, "{" GOOD "}", 400, "INVALID", NULL, "percent"},
        {"POST", "/log/add", NULL, "{\"recorded\":\"2026-01-01T00:00:00.000000Z\",\"principal\":\"x\"}", 400, "INVALID", NULL, "the server's stamp"},
    };
    check_table(cx, dir, cases, COUNT(cases));
}

TEST(a_wrong_question_is_refused_with_the_parameter)
{
    static const struct refusal cases[] = {
        {"GET", EVENTS "/7", NULL, NULL, 404, "NOT_FOUND", NULL, "no entry 7"},
        {"GET", EVENTS "/x", NULL, NULL, 400, "INVALID", "/index", "'index' in the path"},
        {"GET", EVENTS "/-1", NULL, NULL, 400, "INVALID", "/index", "'index' in the path"},
        {"GET", EVENTS "/18446744073709551616", NULL, NULL, 400, "INVALID", "/index", "'index' in the path"},
        {"GET", EVENTS "/18446744073709551615", NULL, NULL, 404, "NOT_FOUND", NULL, "no entry"},
        {"GET", EVENTS "/7/proof", NULL, NULL, 404, "NOT_FOUND", NULL, "no entry 7"},
        {"GET", EVENTS "/0/proof?format=xml", NULL, NULL, 400, "INVALID", "/format", "json or tlog-proof"},
        {"GET", EVENTS "?limit=0", NULL, NULL, 400, "INVALID", "/limit", "from 1 to 1000"},
        {"GET", EVENTS "?limit=1001", NULL, NULL, 400, "INVALID", "/limit", "from 1 to 1000"},
        {"GET", EVENTS "?limit=ten", NULL, NULL, 400, "INVALID", "/limit", "'limit' must be a number"},
        {"GET", EVENTS "?from=yesterday", NULL, NULL, 400, "INVALID", "/from", "RFC 3339"},
        {"GET", EVENTS "?time=created", NULL, NULL, 400, "INVALID", "/time", "recorded or time"},
        {"GET", EVENTS "?order=random", NULL, NULL, 400, "INVALID", "/order", "newest or oldest"},
        {"GET", EVENTS "?cursor=abc", NULL, NULL, 400, "INVALID", "/cursor", "not one that was given out"},
        {"GET", EVENTS "?type=*x", NULL, NULL, 400, "INVALID", "/type", "only at its end"},
        {"GET", EVENTS "?type=%ff", NULL, NULL, 400, "INVALID", "/type", "UTF-8"},
        {"GET", EVENTS "?colour=red", NULL, NULL, 400, "INVALID", "/colour", "'colour' is not known"},
        {"GET", EVENTS "/stats?group=colour", NULL, NULL, 400, "INVALID", "/group", ""},
        {"GET", EVENTS "/stats?bucket=soon", NULL, NULL, 400, "INVALID", "/bucket", ""},
        {"GET", EVENTS, JSON, "{}", 400, "INVALID", NULL, "a body is not taken"},
        {"PUT", EVENTS, JSON, "{}", 405, "METHOD", NULL, "PUT is not served here"},
        {"GET", "/api/v2/events", NULL, NULL, 404, "NOT_FOUND", NULL, "nothing at this path"},
        {"GET", "/log/tile/0/001", NULL, NULL, 404, "NOT_FOUND", NULL, ""},
        {"GET", "/log/tile/0/1", NULL, NULL, 404, "NOT_FOUND", NULL, "not the name of a tile"},
        {"GET", "/log/tile/64/000", NULL, NULL, 404, "NOT_FOUND", NULL, ""},
        {"GET", "/log/proof/inclusion?index=0&size=99", NULL, NULL, 404, "NOT_FOUND", NULL, "fewer than the parameter size"},
        {"GET", "/log/proof/inclusion", NULL, NULL, 400, "INVALID", NULL, "index is required"},
        {"GET", "/log/proof/consistency?from=0&to=1", NULL, NULL, 400, "INVALID", NULL, "from must be from 1"},
        {"GET", "/log/proof/consistency?from=2&to=1", NULL, NULL, 400, "INVALID", NULL, "from must be from 1"},
        {"GET", "/log/checkpoints/99", NULL, NULL, 404, "NOT_FOUND", NULL, "no checkpoint 99"},
    };
    check_table(cx, dir, cases, COUNT(cases));
}
/* clang-format on */

/* ---- sizes and depths at their limits ---- */

/* An event whose entry, with the stamp, has `bytes` bytes. */
static str event_of(struct ctx *cx, const struct office *o, const char *id, size_t bytes)
{
    size_t stamp = S("{\"recorded\":\"2026-11-20T08:15:30.123456Z\",\"principal\":\"\",").n - 1 +
                   S("key/0VbZ70poqmhyGTF4").n;
    str bare = event(cx, id, ",\"data\":\"\"");
    char *fill = arena_new(cx->mem, char, bytes);

    (void)o;
    memset(fill, 'x', bytes - stamp - bare.n);
    return event(cx, id, arena_printf(cx->mem, ",\"data\":\"%s\"", fill).p);
}

TEST(an_entry_has_at_most_65535_bytes)
{
    struct office *o = office_open(cx, dir);
    str entry;

    office_key(cx, o, "events:write events:read");
    const struct reply *r = office_post(o, EVENTS, JSON, event_of(cx, o, "most", 65535));
    CHECK_EQ(r->status, 201);
    CHECK_OK(ledger_entry(cx, o->app->ledger, reply_u64(r, "/first_index"), &entry));
    CHECK_EQ(entry.n, 65535);
    uint64_t size = ledger_size(o->app->ledger);

    const struct refusal one = {
        "POST", EVENTS,      JSON, NULL,
        413,    "TOO_LARGE", "",   "the entry has 65536 bytes with what the server adds"};
    check_refused(o, &one, office_post(o, EVENTS, JSON, event_of(cx, o, "more", 65536)));
    str array = arena_printf(cx->mem, "[%.*s,%.*s]", STR_FMT(event(cx, "a", "")),
                             STR_FMT(event_of(cx, o, "more", 65536)));
    const struct refusal element = {"POST", EVENTS,      JSON, NULL,
                                    413,    "TOO_LARGE", "/1", "/1 the entry"};
    check_refused(o, &element, office_post(o, EVENTS, JSON, array));
    const struct refusal raw = {"POST", "/log/add",  NULL, NULL,
                                413,    "TOO_LARGE", NULL, "at most 65535"};
    check_refused(o, &raw, office_post(o, "/log/add", NULL, event_of(cx, o, "more", 65536 + 100)));
    CHECK_EQ(ledger_size(o->app->ledger), size);

    /* in skip mode it costs the others nothing */
    r = office_post(o, EVENTS "?on_error=skip", JSON, array);
    CHECK_EQ(r->status, 201);
    CHECK_EQ(reply_u64(r, "/count"), 1);
    CHECK_EQ(reply_u64(r, "/rejected/0/line"), 2);
    CHECK_HOLDS(reply_str(r, "/rejected/0/detail"), "65536 bytes");
    office_close(cx, o);
}

TEST(values_are_nested_to_64_and_no_deeper)
{
    struct office *o = office_open(cx, dir);
    char open[65] = {0}, close[65] = {0};

    office_key(cx, o, "events:write events:read");
    for (unsigned i = 0; i < 64; i++) {
        open[i] = '[';
        close[i] = ']';
    }
    str most = event(cx, "1", arena_printf(cx->mem, ",\"data\":%s%s", open + 1, close + 1).p);
    str more = event(cx, "2", arena_printf(cx->mem, ",\"data\":%s%s", open, close).p);
    CHECK_EQ(office_post(o, EVENTS, JSON, most)->status, 201);
    const struct refusal deep = {"POST", EVENTS,    JSON, NULL,
                                 400,    "INVALID", "",   "nested too deeply"};
    check_refused(o, &deep, office_post(o, EVENTS, JSON, more));

    /* the reader's stack is not the client's to choose */
    char *tower = arena_new(cx->mem, char, 1000001);
    memset(tower, '[', 1000000);
    const struct refusal sky = {"POST", EVENTS, JSON, NULL, 400, "INVALID", NULL, ""};
    check_refused(o, &sky, office_post(o, EVENTS, JSON, (str){tower, 1000000}));
    office_close(cx, o);
}

/* ---- streams: stop and skip ---- */

static const char *const bad_lines[] = {
    "{\"a\"", "7", "{}", "\xff", "{" GOOD ",\"recorded\":\"x\"}", "{" GOOD ",\"id\":\"2\"}",
};

static str around(struct ctx *cx, const char *bad, unsigned number)
{
    return arena_printf(cx->mem, "%.*s\n\n%s\n%.*s\n",
                        STR_FMT(event(cx, arena_printf(cx->mem, "before-%u", number).p, "")), bad,
                        STR_FMT(event(cx, arena_printf(cx->mem, "behind-%u", number).p, "")));
}

TEST(a_bad_line_stops_a_stream_behind_what_is_stored)
{
    struct office *o = office_open(cx, dir);

    office_key(cx, o, "events:write events:read");
    for (unsigned i = 0; i < COUNT(bad_lines); i++) {
        uint64_t size = ledger_size(o->app->ledger);
        const struct reply *r = office_post(o, EVENTS, NDJSON, around(cx, bad_lines[i], i));
        CHECK_EQ(r->status, 400);
        CHECK_EQ(reply_u64(r, "/acknowledged_lines"), 2);
        CHECK_EQ(reply_u64(r, "/count"), 1);
        CHECK_EQ(reply_u64(r, "/first_index"), size);
        CHECK_EQ(reply_u64(r, "/receipt/index"), size);
        CHECK_EQ(reply_u64(r, "/rejected/0/line"), 3);
        CHECK_HOLDS(reply_str(r, "/detail"), "line 3: ");
        CHECK_EQ(ledger_size(o->app->ledger), size + 1);
    }
    office_close(cx, o);
}

TEST(bad_lines_are_skipped_when_asked)
{
    struct office *o = office_open(cx, dir);

    office_key(cx, o, "events:write events:read");
    for (unsigned i = 0; i < COUNT(bad_lines); i++) {
        uint64_t size = ledger_size(o->app->ledger);
        const struct reply *r =
            office_post(o, EVENTS "?on_error=skip", NDJSON, around(cx, bad_lines[i], i));
        CHECK_EQ(r->status, 201);
        CHECK_EQ(reply_u64(r, "/count"), 2);
        CHECK_EQ(reply_u64(r, "/rejected_count"), 1);
        CHECK_EQ(reply_u64(r, "/rejected/0/line"), 3);
        CHECK(reply_str(r, "/rejected/0/detail").n > 0);
        CHECK_EQ(ledger_size(o->app->ledger), size + 2);
    }
    /* nothing but bad ones is no failure either, and stores nothing */
    uint64_t size = ledger_size(o->app->ledger);
    const struct reply *r = office_post(o, EVENTS "?on_error=skip", NDJSON, S("{\n[\n"));
    CHECK_EQ(r->status, 201);
    CHECK_EQ(reply_u64(r, "/count"), 0);
    CHECK_EQ(reply_u64(r, "/rejected_count"), 2);
    CHECK(!reply_has(r, "/receipt"));
    CHECK_EQ(ledger_size(o->app->ledger), size);
    office_close(cx, o);
}

TEST(an_array_with_a_bad_element_stores_all_or_the_others)
{
    struct office *o = office_open(cx, dir);
    str array = arena_printf(cx->mem, "[%.*s,{},%.*s,{\"id\":1}]", STR_FMT(event(cx, "a", "")),
                             STR_FMT(event(cx, "b", "")));

    office_key(cx, o, "events:write events:read");
    uint64_t size = ledger_size(o->app->ledger);
    const struct reply *r = office_post(o, EVENTS, BATCH, array);
    CHECK_EQ(r->status, 400);
    CHECK_STR(reply_str(r, "/errors/0/pointer"), S("/1/specversion"));
    CHECK_STR(reply_str(r, "/errors/1/pointer"), S("/3/id"));
    CHECK_EQ(reply_count(r, "/errors"), 2);
    CHECK_EQ(ledger_size(o->app->ledger), size);
    r = office_post(o, EVENTS "?on_error=skip", BATCH, array);
    CHECK_EQ(r->status, 201);
    CHECK_EQ(reply_u64(r, "/count"), 2);
    CHECK_EQ(reply_u64(r, "/rejected/0/line"), 2);
    CHECK_EQ(reply_u64(r, "/rejected/1/line"), 4);
    CHECK_STR(reply_str(r, "/rejected/1/pointer"), S("/id"));
    office_close(cx, o);
}

/* Of many bad lines the first hundred are listed, all are counted. */
TEST(a_list_of_rejected_lines_has_an_end)
{
    CLEANUP(buf_close) struct buf b = BUF(1 << 20);
    struct office *o = office_open(cx, dir);

    office_key(cx, o, "events:write events:read");
    for (unsigned i = 0; i < 1000; i++)
        buf_put(&b, S("{}\n"));
    const struct reply *r = office_post(o, EVENTS "?on_error=skip", NDJSON, buf_str(&b));
    CHECK_EQ(r->status, 201);
    CHECK_EQ(reply_u64(r, "/rejected_count"), 1000);
    CHECK_EQ(reply_count(r, "/rejected"), 100);
    office_close(cx, o);
}

/* ---- CloudEvents binary mode ---- */

TEST(wrong_event_headers_are_named)
{
    static const struct {
        const char *name, *value;
        const char *pointer, *words;
    } cases[] = {
        {"ce-subject", "%zz", "/subject", "ce-subject"},
        {"ce-subject", "%ff", "/subject", "ce-subject"},
        {"ce-subject", "half%2", "/subject", "ce-subject"},
        {"ce-subject", "", "/subject", "not empty"},
        {"ce-id", "again", "/id", "/id stands twice"},
        {"ce-time", "now", "/time", "RFC 3339"},
        {"ce-recorded", "2026-01-01T00:00:00Z", "/recorded", "set by the server"},
        {"ce-a_b", "1", "/a_b", "lower-case letters and digits"},
        {"ce-data", "1", "/data", "stands twice"},
    };
    struct office *o = office_open(cx, dir);

    office_key(cx, o, "events:write events:read");
    uint64_t size = ledger_size(o->app->ledger);
    for (size_t i = 0; i < COUNT(cases); i++) {
        harness_header(o->http, "ce-specversion", "1.0");
        harness_header(o->http, "ce-id", "1");
        harness_header(o->http, "ce-source", "/t");
        harness_header(o->http, "ce-type", "t");
        harness_header(o->http, cases[i].name, cases[i].value);
        const struct refusal c = {"POST", EVENTS,    cases[i].name,    cases[i].value,
                                  400,    "INVALID", cases[i].pointer, cases[i].words};
        check_refused(o, &c, office_post(o, EVENTS, JSON, S("{\"k\":1}")));
    }
    harness_header(o->http, "ce-specversion", "1.0");
    harness_header(o->http, "ce-id", "1");
    const struct refusal missing = {"POST", EVENTS,    JSON,      NULL,
                                    400,    "INVALID", "/source", "is required"};
    check_refused(o, &missing, office_post(o, EVENTS, JSON, S("{}")));
    CHECK_EQ(ledger_size(o->app->ledger), size);
    office_close(cx, o);
}

/* ---- compressed bodies ---- */

static str gzip(struct ctx *cx, str text)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)text.p, .avail_in = (uInt)text.n};
    size_t room = text.n + 1024;
    char *out = arena_new(cx->mem, char, room);

    CHECK_EQ(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)room;
    CHECK_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
    str packed = {out, z.total_out};
    deflateEnd(&z);
    return packed;
}

static str zstd(struct ctx *cx, str text)
{
    size_t room = ZSTD_compressBound(text.n);
    char *out = arena_new(cx->mem, char, room);

    return (str){out, ZSTD_compress(out, room, text.p, text.n, 3)};
}

static str some_lines(struct ctx *cx, const char *name, unsigned count)
{
    CLEANUP(buf_close) struct buf b = BUF(16 << 20);

    for (unsigned i = 0; i < count; i++) {
        buf_put(&b, event(cx, arena_printf(cx->mem, "%s-%u", name, i).p, ""));
        buf_put_char(&b, '\n');
    }
    return arena_str(cx->mem, buf_str(&b));
}

static const struct packing {
    const char *name;
    str (*pack)(struct ctx *cx, str text);
} packings[] = {{"gzip", gzip}, {"zstd", zstd}};

static const struct reply *post_packed(struct office *o, const struct packing *p, const char *type,
                                       str packed)
{
    harness_header(o->http, "Content-Encoding", p->name);
    return office_post(o, EVENTS, type, packed);
}

TEST(compressed_bodies_are_taken_and_damaged_ones_refused)
{
    struct office *o = office_open(cx, dir);

    office_key(cx, o, "events:write events:read");
    for (size_t i = 0; i < COUNT(packings); i++) {
        const struct packing *p = &packings[i];
        str packed = p->pack(cx, some_lines(cx, p->name, 1000));
        const struct reply *r = post_packed(o, p, NDJSON, packed);
        CHECK_EQ(r->status, 201);
        CHECK_EQ(reply_u64(r, "/count"), 1000);
        r = post_packed(o, p, JSON, p->pack(cx, event(cx, p->name, "")));
        CHECK_EQ(reply_u64(r, "/count"), 1);

        const struct refusal cut = {"POST", EVENTS, NDJSON, p->name, 400, "INVALID", NULL, ""};
        check_refused(o, &cut, post_packed(o, p, NDJSON, str_slice(packed, 0, packed.n / 2)));
        check_refused(o, &cut, post_packed(o, p, NDJSON, S("not packed at all")));
        str flipped = arena_str(cx->mem, packed);
        ((char *)(uintptr_t)flipped.p)[flipped.n / 2] ^= 0x10;
        CHECK(post_packed(o, p, JSON, flipped)->status == 400);
    }
    harness_header(o->http, "Content-Encoding", "br");
    const struct refusal other = {"POST", EVENTS, JSON, "br", 415, "MEDIA_TYPE", NULL, ""};
    check_refused(o, &other, office_post(o, EVENTS, JSON, S("x")));
    office_close(cx, o);
}

/* A few kilobytes that would become a hundred million. */
TEST(a_bomb_is_cut_off_at_the_limit)
{
    struct office *o = office_open(cx, dir);
    char *zeros = arena_new(cx->mem, char, 100 << 20);

    office_key(cx, o, "events:write events:read");
    for (size_t i = 0; i < COUNT(packings); i++) {
        str packed = packings[i].pack(cx, (str){zeros, 100 << 20});
        CHECK(packed.n < 200000);
        const struct refusal c = {"POST", EVENTS,      JSON, packings[i].name,
                                  413,    "TOO_LARGE", NULL, ""};
        check_refused(o, &c, post_packed(o, &packings[i], JSON, packed));
        /* as a stream it is a line that is too long, found after its first 64 KiB */
        const struct refusal line = {"POST", EVENTS,      NDJSON, packings[i].name,
                                     413,    "TOO_LARGE", "",     "line 1: "};
        check_refused(o, &line, post_packed(o, &packings[i], NDJSON, packed));
    }
    CHECK_EQ(ledger_size(o->app->ledger), 1);
    office_close(cx, o);
}

/* The same, made of good lines: the limit on what a stream may unpack to ends it, what came before
 * stays. */
TEST(a_bomb_of_good_lines_is_cut_off_at_the_limit)
{
    struct office *o = office_open(cx, dir);

    o->config.http_unpacked_bytes_max = 64 * 1024;
    office_restart(cx, o);
    office_key(cx, o, "events:write events:read");
    str packed = gzip(cx, some_lines(cx, "line", 5000));
    const struct reply *r = post_packed(o, &packings[0], NDJSON, packed);
    CHECK_EQ(r->status, 413);
    CHECK_EQ(ledger_size(o->app->ledger), 1 + reply_u64(r, "/count"));
    CHECK_EQ(reply_u64(r, "/acknowledged_lines"), reply_u64(r, "/count"));
    office_close(cx, o);
}
