/* test_client_text.c - what client commands make of texts: filters, tables of events, event
 * streams, metrics, JSON byte for byte. */
#include "base/clock.h"
#include "cli/event_filter.h"
#include "cli/event_table.h"
#include "cli/json_source.h"
#include "cli/monitor_view.h"
#include "cli/sse_reader.h"
#include "test.h"

enum { TEXT_BYTES = 1 << 20 };

static struct json parse(struct ctx *cx, struct json_parser *p, str text)
{
    struct json v;

    CHECK_OK(json_parse(cx, p, text, &v));
    return v;
}

/* ---- filters ---- */

TEST(filter_is_a_query_string_with_escapes)
{
    str types[] = {S("user.*"), S("a&b=c")};
    struct event_filter f = {.type = {types, 2}, .q = S("50 %"), .outcome = {types + 1, 1}};
    CLEANUP(buf_close) struct buf b = BUF(TEXT_BYTES);

    buf_put(&b, S("/x?"));
    CHECK_OK(event_filter_put(cx, &b, &f, 0));
    CHECK_STR(buf_str(&b), S("/x?type=user.%2A&type=a%26b%3Dc&outcome=a%26b%3Dc&q=50%20%25"));
}

TEST(filter_times_may_be_so_long_ago)
{
    struct event_filter f = {.from = S("15m"), .to = S("2026-11-20T08:15:30Z")};
    CLEANUP(buf_close) struct buf b = BUF(TEXT_BYTES);
    int64_t now;

    CHECK(time_parse(S("2026-11-20T09:00:00Z"), &now));
    CHECK_OK(event_filter_put(cx, &b, &f, now));
    CHECK_STR(buf_str(&b), S("from=2026-11-20T08%3A45%3A00.000000Z&to=2026-11-20T08%3A15%3A30Z"));
    f.from = S("yesterday");
    CHECK_ERR(event_filter_put(cx, &b, &f, now), ERR_USAGE);
    CHECK_DETAIL("--from");
}

/* ---- tables of events ---- */

#define EVENT                                                                                      \
    "{\"index\":41,\"event\":{\"recorded\":\"2026-11-20T08:15:30.123456Z\","                       \
    "\"principal\":\"key/k\",\"type\":\"user.login\",\"subject\":\"case/7\","                      \
    "\"outcome\":\"denied\"}}"

TEST(event_table_shows_one_line_for_each_event)
{
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    CLEANUP(buf_close) struct buf b = BUF(TEXT_BYTES);
    struct event_table t = event_table_open((struct terminal){.columns = 80});

    event_table_put(&b, &t, parse(cx, p, S(EVENT)));
    event_table_put(&b, &t, parse(cx, p, S("{\"index\":42,\"event\":null,\"raw\":\"AA==\"}")));
    CHECK_STR(
        buf_str(&b),
        S("    INDEX  RECORDED (UTC)           TYPE                      ACTOR                   "
          "SUBJECT                         OUTCOME\n"
          "       41  2026-11-20 08:15:30.123  user.login                key/k                   "
          "case/7                          denied\n"
          "       42  (bytes that are no event)\n"));
}

TEST(event_table_fits_a_terminal_and_cuts_with_a_mark)
{
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    CLEANUP(buf_close) struct buf b = BUF(TEXT_BYTES);
    struct event_table t = event_table_open((struct terminal){.tty = true, .columns = 80});
    str rest;

    event_table_put(
        &b, &t,
        parse(cx, p,
              S("{\"index\":1,\"event\":{\"type\":\"a.type.that.is.far.too.long.for.it\","
                "\"subject\":\"äöüäöüäöüäöüäöüäöüäöüäöü\",\"outcome\":\"success\"}}")));
    CHECK_HOLDS(buf_str(&b), "…");
    for (rest = buf_str(&b); rest.p;)
        CHECK(text_columns(str_cut(&rest, '\n')) <= 80);
}

/* An event must not be able to move the cursor or to set the title of a terminal. */
TEST(event_table_shows_no_control_characters)
{
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    CLEANUP(buf_close) struct buf b = BUF(TEXT_BYTES);
    struct event_table t = event_table_open((struct terminal){.columns = 80});

    event_table_put(
        &b, &t,
        parse(cx, p,
              S("{\"index\":1,\"event\":{\"recorded\":\"\\u001b[2J56789012345678901234\","
                "\"type\":\"a\\u001b]0;x\\u0007\\u009b2J\\u007f\\nb\"}}")));
    CHECK_HOLDS(buf_str(&b), "a?]0;x??2J??b");
    for (size_t i = 0; i < b.n; i++)
        CHECK((unsigned char)b.p[i] >= 0x20 || b.p[i] == '\n');
    CHECK(str_find(buf_str(&b), S("\xc2\x9b")) == b.n);
}

/* ---- event streams ---- */

struct taken {
    struct buf text;
    size_t count;
};

static err take(struct ctx *cx, void *state, const struct sse_event *e)
{
    struct taken *t = state;

    (void)cx;
    t->count++;
    buf_printf(&t->text, "[%.*s|%.*s|%.*s]", STR_FMT(e->id), STR_FMT(e->event), STR_FMT(e->data));
    return ERR_OK;
}

/* Cut at every byte: what is told never depends on how the bytes arrived. */
TEST(sse_events_do_not_depend_on_the_cuts)
{
    str text =
        S(": hello\n\nid: 7\ndata: {\"a\":\ndata: 1}\n\nevent: bye\r\ndata:x\r\n\r\nid\ndata\n\n"
          "data: unfinished");

    for (size_t cut = 0; cut <= text.n; cut++) {
        struct taken t = {.text = BUF(TEXT_BYTES)};
        struct sse_reader r = sse_reader_open(take, &t);

        CHECK_OK(sse_reader_feed(cx, &r, str_slice(text, 0, cut)));
        CHECK_OK(sse_reader_feed(cx, &r, str_slice(text, cut, text.n)));
        CHECK_STR(buf_str(&t.text), S("[7|message|{\"a\":\n1}][7|bye|x][|message|]"));
        sse_reader_restart(&r);
        CHECK_OK(sse_reader_feed(cx, &r, S("data: y\n\n")));
        CHECK_HOLDS(buf_str(&t.text), "[|message|]");
        CHECK_EQ(t.count, 4);
        sse_reader_close(&r);
        buf_close(&t.text);
    }
}

TEST(sse_lines_without_end_are_refused)
{
    struct taken t = {.text = BUF(TEXT_BYTES)};
    struct sse_reader r = sse_reader_open(take, &t);
    CLEANUP(buf_close) struct buf b = BUF(4 * SSE_LINE_BYTES_MAX);

    CHECK(buf_reserve(&b, 2 * SSE_LINE_BYTES_MAX));
    memset(b.p, 'x', 2 * SSE_LINE_BYTES_MAX);
    CHECK_ERR(sse_reader_feed(cx, &r, (str){b.p, 2 * SSE_LINE_BYTES_MAX}), ERR_TOO_LARGE);
    sse_reader_close(&r);
}

/* ---- JSON as it is written ---- */

TEST(json_sources_are_the_bytes_that_stand_there)
{
    str text = S(" { \"a\\\"\" : [1, {\"b\":\"]}\"}] , \"items\" : [ {\"x\" : \"\\\\\"} ,\n 2.50, "
                 "\"s,]\" , [ ] , null ] ,\"n\":1.0}");
    str list = json_member_source(text, S("items")), one;

    CHECK_STR(json_member_source(text, S("n")), S("1.0"));
    CHECK_STR(json_member_source(text, S("a\\\"")), S("[1, {\"b\":\"]}\"}]"));
    CHECK(str_is_null(json_member_source(text, S("b"))));
    static const str want[] = {STR_INIT("{\"x\" : \"\\\\\"}"), STR_INIT("2.50"),
                               STR_INIT("\"s,]\""), STR_INIT("[ ]"), STR_INIT("null")};
    for (size_t i = 0; i < COUNT(want); i++) {
        CHECK(json_element_source(&list, &one));
        CHECK_STR(one, want[i]);
    }
    CHECK(!json_element_source(&list, &one));
    list = S("[]");
    CHECK(!json_element_source(&list, &one));
}

/* ---- metrics ---- */

TEST(samples_are_read_with_and_without_labels)
{
    struct samples s;

    CHECK_OK(samples_read(cx,
                          S("# HELP x y\n# TYPE x counter\nx 1\n"
                            "x{route=\"/a} b\",status=\"404\"} 2 1700000000\n"
                            "x{route=\"\\\"\",status=\"500\"} 3.5\nbad\n\ny{} 7\n"),
                          &s));
    CHECK_EQ(s.count, 4);
    CHECK(samples_sum(&s, "x", "") == 6.5);
    CHECK(samples_sum(&s, "x", "status=\"4") == 2);
    CHECK(samples_sum(&s, "y", "") == 7);
    CHECK(samples_sum(&s, "z", "") == 0);
    CHECK(samples_have(&s, "y") && !samples_have(&s, "z"));
}

#define HEALTH                                                                                     \
    "{\"status\":\"pass\",\"service\":\"chancery\",\"version\":\"1.2\",\"origin\":\"log\","        \
    "\"uptime_seconds\":60,\"checks\":{\"ledger\":{\"entries\":100,\"checkpoint_size\":90}}}"

static struct figures figures(struct ctx *cx, struct json_parser *p, const char *metrics,
                              int64_t at_ns)
{
    struct figures f;

    CHECK_OK(figures_read(cx, str_from(metrics), parse(cx, p, S(HEALTH)), at_ns, &f));
    return f;
}

TEST(monitor_shows_rates_between_two_readings)
{
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    CLEANUP(buf_close) struct buf b = BUF(TEXT_BYTES);
    const struct terminal t = {.columns = 100};
    struct history h = {.count = 0};
    struct figures before = figures(
        cx, p,
        "chancery_ledger_entries 1000\nchancery_writer_batch_seconds_count 10\n"
        "chancery_writer_batch_seconds_sum 1\nchancery_http_requests_total{status=\"500\"} 0\n",
        0);
    struct figures now = figures(
        cx, p,
        "chancery_ledger_entries 5000\nchancery_writer_batch_seconds_count 20\n"
        "chancery_writer_batch_seconds_sum 1.05\nchancery_http_requests_total{status=\"500\"} 8\n"
        "chancery_ledger_cache_hits_total 3\nchancery_ledger_cache_misses_total 1\n",
        INT64_C(2000000000));

    history_add(&h, &before, &now);
    monitor_put(&b, &t, &before, &now, &h, S("http://x"));
    CHECK_HOLDS(buf_str(&b), "healthy");
    CHECK_HOLDS(buf_str(&b), "5000, 2.0 k/s █");
    CHECK_HOLDS(buf_str(&b), "failed 4/s");
    CHECK_HOLDS(buf_str(&b), "5.0 ms each");
    CHECK_HOLDS(buf_str(&b), "75.0 % of 4 reads");
    buf_clear(&b);
    monitor_put_line(&b, &before, &now);
    CHECK_HOLDS(buf_str(&b), "entries 5000 rate 2000/s");
    buf_clear(&b);
    monitor_put_json(&b, &before, &now);
    CHECK_HOLDS(buf_str(&b), "\"entries_per_second\":2000");
}

/* A restarted server's counters begin at nothing: no rate is ever negative. */
TEST(monitor_takes_a_counter_that_fell_as_new)
{
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    CLEANUP(buf_close) struct buf b = BUF(TEXT_BYTES);
    struct figures before = figures(cx, p, "chancery_http_requests_total 900\n", 0);
    struct figures now = figures(cx, p, "chancery_http_requests_total 30\n", INT64_C(1000000000));

    monitor_put_line(&b, &before, &now);
    CHECK_HOLDS(buf_str(&b), "requests 30/s");
}

TEST(monitor_makes_do_without_metrics)
{
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    CLEANUP(buf_close) struct buf b = BUF(TEXT_BYTES);
    const struct terminal t = {.columns = 100};
    struct history h = {.count = 0};
    struct figures now;

    CHECK_OK(figures_read(cx, STR_NULL, parse(cx, p, S(HEALTH)), 0, &now));
    monitor_put(&b, &t, NULL, &now, &h, S("http://x"));
    CHECK_HOLDS(buf_str(&b), "100\n");
    CHECK_HOLDS(buf_str(&b), "10 entries not covered yet");
    CHECK_HOLDS(buf_str(&b), "metrics:read");
}
