/* test_export.c - exports equal lists, survive hostile cells, and are events themselves. */
#include "base/json_write.h"
#include "house.h"
#include <stdio.h>

static const struct reply *get_export(struct house *house, const char *query)
{
    CLEANUP(ctx_cleanup) struct ctx *mine = ctx_open(0);

    harness_key(house->h, "exporter");
    return harness_get(house->h, arena_printf(mine->mem, "/api/v1/events/export?%s", query).p);
}

/* Each line of NDJSON is the item that a list of the same filter has, in the same order. */
static void check_export_equals_list(struct ctx *cx, struct house *house, const char *filter)
{
    const struct reply *r = get_export(house, filter);
    CHECK_EQ(r->status, 200);
    CHECK(r->streamed);
    CHECK(!r->cut_off);
    str lines = arena_str(cx->mem, r->body);
    str target = arena_printf(cx->mem, "/api/v1/events?limit=100&%s", filter);

    while (target.n) {
        r = harness_get(house->h, target.p);
        CHECK_EQ(r->status, 200);
        struct json items, item;
        CHECK(json_pointer_get(r->json, S("/items"), &items));
        CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
        for (struct json_iter it = json_iter(items); json_next(&it);) {
            struct buf in_list = BUF(1 << 20), in_export = BUF(1 << 20);
            CHECK_OK(json_parse(cx, p, str_cut(&lines, '\n'), &item));
            json_put_value(&in_list, it.value);
            json_put_value(&in_export, item);
            CHECK_STR(buf_str(&in_export), buf_str(&in_list));
            buf_close(&in_list);
            buf_close(&in_export);
        }
        str link = reply_header(r, "Link");
        target = arena_str(cx->mem, str_slice(link, 1, str_find_char(link, '>')));
    }
    CHECK_EQ(lines.n, 0);
}

TEST(an_export_is_the_whole_list)
{
    static const char *const some[] = {
        "type=user.*", "type=user.*&order=oldest", "q=needle&source=/test",
        "subject=case/3&outcome=denied&order=oldest", "sessionid=nobody"};
    struct house *house = house_open(cx, dir, NULL);

    house_fill(cx, house, 900);
    (void)house_add_raw(cx, house, S("raw\nbytes"));
    house_fill(cx, house, 30);
    for (size_t i = 0; i < COUNT(some); i++)
        check_export_equals_list(cx, house, some[i]);
    house_close(house);
}

static uint64_t line_count(str text)
{
    uint64_t n = 0;

    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    return n;
}

TEST(an_export_over_sealed_segments_has_every_event_once)
{
    struct house *house = house_open(cx, dir, NULL);

    house_fill(cx, house, SEGMENT_ENTRIES + 300);
    CHECK_OK(ledger_seal_wait(cx, house->app.ledger));
    for (int oldest = 0; oldest < 2; oldest++) {
        const struct reply *r =
            get_export(house, oldest ? "source=/test&order=oldest" : "source=/test");
        str body = arena_str(cx->mem, r->body);
        CHECK_EQ(line_count(body), SEGMENT_ENTRIES + 300);
        for (uint64_t i = 0; i < SEGMENT_ENTRIES + 300; i++) {
            uint64_t index = oldest ? i : SEGMENT_ENTRIES + 299 - i;
            char begin[40];
            snprintf(begin, sizeof begin, "{\"index\":%llu,", (unsigned long long)index);
            CHECK(str_starts(str_cut(&body, '\n'), str_from(begin)));
        }
    }
    house_close(house);
}

/* A cell that a spreadsheet would run as a formula is text; quotes and line breaks stay inside. */
TEST(csv_has_a_column_for_each_attribute_and_no_formulas)
{
    struct house *house = house_open(cx, dir, NULL);

    (void)house_add_event(
        cx, house,
        "{\"specversion\":\"1.0\",\"id\":\"=1+1\",\"source\":\"/a,b\",\"type\":\"t\",\n"
        "\"subject\":\"a \\\"b\\\"\",\"actor\":\"@sum\",\"time\":\"2026-11-20T08:15:30Z\","
        "\"data\":{\"n\":1}}");
    (void)house_add_raw(cx, house, S("raw"));
    const struct reply *r = get_export(house, "format=csv&order=oldest");
    CHECK_EQ(r->status, 200);
    CHECK_HOLDS(reply_header(r, "Content-Type"), "text/csv");
    CHECK_HOLDS(reply_header(r, "Content-Disposition"), "events.csv");
    str rest = r->body;
    CHECK_STR(
        str_cut(&rest, '\n'),
        S("index,recorded,time,type,source,subject,actor,principal,outcome,remoteip,sessionid,"
          "id,data\r"));
    str row = str_cut(&rest, '\n');
    CHECK(str_starts(row, S("0,2")));
    CHECK_HOLDS(row, ",2026-11-20T08:15:30Z,t,\"/a,b\",\"a \"\"b\"\"\",\"'@sum\",key/sender,,,,"
                     "\"'=1+1\",\"{\"\"n\"\":1}\"\r");
    CHECK_STR(str_cut(&rest, '\n'), S("1,,,,,,,,,,,,cmF3\r"));
    CHECK_EQ(rest.n, 0);
    house_close(house);
}

struct find_exported {
    struct ctx *cx;
    struct ledger *l;
    uint64_t index;
    str entry;
};

static bool is_recorded(void *state)
{
    struct find_exported *f = state;

    return ledger_size(f->l) > f->index && ledger_entry(f->cx, f->l, f->index, &f->entry) == ERR_OK;
}

static str exported_event(struct ctx *cx, struct house *house, uint64_t index)
{
    struct find_exported f = {cx, house->app.ledger, index, STR_NULL};

    wait_until(is_recorded, &f);
    return f.entry;
}

TEST(every_export_is_an_event)
{
    struct house *house = house_open(cx, dir, NULL);

    house_fill(cx, house, 60);
    CHECK_EQ(get_export(house, "format=csv&type=user.login")->status, 200);
    str entry = exported_event(cx, house, 60);
    CHECK_HOLDS(entry, "\"type\":\"events.exported\"");
    CHECK_HOLDS(entry, "\"principal\":\"key/exporter\"");
    CHECK_HOLDS(entry, "\"outcome\":\"success\"");
    CHECK_HOLDS(entry, "{\"filter\":\"type=user.login\",\"format\":\"csv\",\"count\":20,"
                       "\"complete\":true}");
    house_close(house);
}

/* ---- a client that goes away ---- */

struct short_sink {
    size_t left;
};

static err write_until_full(struct ctx *cx, void *state, str bytes)
{
    struct short_sink *sink = state;

    if (bytes.n > sink->left)
        return fail(cx, ERR_IO, "the client has gone");
    sink->left -= bytes.n;
    return ERR_OK;
}

static struct short_sink sink;

static err begin(struct ctx *cx, struct response *rs)
{
    (void)cx;
    rs->sink = (struct body_sink){write_until_full, &sink};
    return ERR_OK;
}

static const struct route *export_route(void)
{
    const struct route *route = audit_routes;

    while (strcmp(route->path, "/api/v1/events/export") != 0)
        route++;
    return route;
}

TEST(an_export_that_broke_off_is_an_event_too)
{
    struct house *house = house_open(cx, dir, NULL);
    struct response rs = {.begin = begin};
    struct request rq = {.method = HTTP_GET,
                         .app = &house->app,
                         .principal = {.id = S("key/exporter")},
                         .peer = S("192.0.2.7")};

    house_fill(cx, house, 2000);
    sink.left = 200000;
    rq.route = export_route();
    CHECK_ERR(rq.route->run(cx, &rq, &rs), ERR_IO);
    str entry = exported_event(cx, house, 2000);
    CHECK_HOLDS(entry, "\"outcome\":\"failure\"");
    CHECK_HOLDS(entry, "\"complete\":false");
    CHECK_HOLDS(entry, "\"remoteip\":\"192.0.2.7\"");
    house_close(house);
}

/* While one export writes, another is asked for. */
static err ask_for_another(struct ctx *cx, void *state, str bytes)
{
    struct request *rq = state;
    struct response rs = {.begin = begin};

    (void)bytes;
    CHECK_ERR(export_route()->run(cx, rq, &rs), ERR_BUSY);
    ctx_clear_error(cx);
    return ERR_OK;
}

static struct request nested;

static err begin_nested(struct ctx *cx, struct response *rs)
{
    (void)cx;
    rs->sink = (struct body_sink){ask_for_another, &nested};
    return ERR_OK;
}

TEST(exports_at_once_have_a_limit)
{
    const struct house_options options = {.audit.exports_max = 1};
    struct house *house = house_open(cx, dir, &options);
    struct response rs = {.begin = begin_nested};

    house_fill(cx, house, 5);
    nested = (struct request){.method = HTTP_GET,
                              .app = &house->app,
                              .route = export_route(),
                              .principal = {.id = S("key/exporter")}};
    CHECK_OK(export_route()->run(cx, &nested, &rs));
    CHECK_EQ(get_export(house, "")->status, 200); /* its place is free again */
    house_close(house);
}

TEST(head_exports_nothing)
{
    struct house *house = house_open(cx, dir, NULL);

    house_fill(cx, house, 5);
    harness_key(house->h, "exporter");
    const struct reply *r = harness_send(house->h, "HEAD", "/api/v1/events/export", STR_NULL);
    CHECK_EQ(r->status, 200);
    CHECK(!r->streamed);
    CHECK_EQ(get_export(house, "format=xml")->status, 400);
    CHECK_EQ(ledger_size(house->app.ledger), 5);
    house_close(house);
}
