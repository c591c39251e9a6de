/* What all readers promise: bounded memory, ids, room, options, detection. */
#include "audit/format_reader.h"
#include "format_case.h"
#include <stdlib.h>

#define CE(id) "{\"specversion\":\"1.0\",\"id\":\"" id "\",\"source\":\"/s\",\"type\":\"t\"}"

/* ---- long records ---- */

/* A line of 10 GB between two good ones, fed a megabyte at a time, is one bad line, and the reader
 * never holds more than the limit. */
TEST(a_line_of_ten_gigabytes_is_one_bad_line)
{
    enum { PIECE = 1 << 20, PIECES = 10 * 1024 };
    const struct format_options o = {.type = S("t")};
    CLEANUP(format_reader_cleanup) struct format_reader *r = NULL;
    CLEANUP(buf_close) struct buf out = BUF(1 << 20);
    struct format_item item;
    char *x = malloc(PIECE);

    memset(x, 'x', PIECE);
    CHECK_OK(format_reader_open(cx, format_find(S("ndjson")), &o, &r));
    format_feed(r, S(CE("1") "\n"));
    CHECK_OK(format_next(cx, r, &out, &item));
    CHECK_EQ(item.kind, FORMAT_EVENT);
    CHECK_OK(format_next(cx, r, &out, &item));
    for (int i = 0; i < PIECES; i++) {
        format_feed(r, (str){x, PIECE});
        CHECK_OK(format_next(cx, r, &out, &item));
        CHECK_EQ(item.kind, FORMAT_MORE);
        CHECK(r->carry.capacity <= 2 * FORMAT_RECORD_BYTES_MAX);
    }
    format_feed(r, S("\n" CE("2") "\n"));
    CHECK_OK(format_next(cx, r, &out, &item));
    CHECK_EQ(item.kind, FORMAT_REJECTED);
    CHECK_EQ(item.line, 2);
    CHECK_STR(item.detail, S("it is 10737418241 bytes long; records of at most 1048576 are read"));
    CHECK_OK(format_next(cx, r, &out, &item));
    CHECK_EQ(item.kind, FORMAT_EVENT);
    CHECK_EQ(item.line, 3);
    CHECK_EQ(item.offset, (sizeof CE("1") "\n") - 1 + 10737418241u);
    free(x);
}

/* The limit counts the line end; a record of just that size is read. */
TEST(the_record_limit_is_exact)
{
    const struct format_options o = {.record_bytes_max = FORMAT_RECORD_BYTES_MIN};

    CHECK_EQ(sizeof CE("nine-byte") "\n" - 1, FORMAT_RECORD_BYTES_MIN);
    check_answer(cx, "ndjson", &o, S(CE("nine-byte") "\n" CE("2") "\n"),
                 "event 1 0 " CE("nine-byte") "\nevent 2 64 " CE("2") "\n");
    check_answer(cx, "ndjson", &o, S(CE("ten-bytes.") "\n" CE("2") "\n"),
                 "reject 1 0  | it is 65 bytes long; records of at most 64 are read\n"
                 "event 2 65 " CE("2") "\n");
    check_answer(cx, "ndjson", &o, S(CE("ten-bytes.")), "event 1 0 " CE("ten-bytes.") "\n");
}

TEST(long_records_are_skipped_in_every_framing)
{
    const struct format_options o = {.record_bytes_max = 80};
    const struct format_options csv_o = {.record_bytes_max = 80, .type = S("t")};
    str x = arena_printf(cx->mem, "%0200d", 0);
    str counted = arena_printf(cx->mem, "210 <13>1 - %.*s..\n<34>1 - h a p m -", STR_FMT(x));
    str array = arena_printf(cx->mem, "[{\"a\":\"%.*s\"}, " CE("2") "]", STR_FMT(x));
    str csv = arena_printf(cx->mem, "a,b\n1,\"%.*s\n2,3\n4,5\n", STR_FMT(x));

    str answer = format_answer(cx, "syslog", &o, counted, 0);
    CHECK_HOLDS(answer, "reject 1 0  | it is 214 bytes long");
    CHECK_EQ(count_lines_of(answer, "event"), 1);
    check_answer(cx, "syslog", &o, counted, answer.p);

    check_answer(cx, "cloudevents", &o, array,
                 "reject 1 1  | it is 208 bytes long; records of at most 80 are read\n"
                 "event 1 211 " CE("2") "\n");

    /* The quote was never closed: the next lines are rows again. */
    answer = format_answer(cx, "csv", &csv_o, csv, 0);
    CHECK_HOLDS(answer, "reject 2 4  | it is 204 bytes long");
    CHECK_EQ(count_lines_of(answer, "event"), 2);
    check_answer(cx, "csv", &csv_o, csv, answer.p);
    answer = format_answer(cx, "csv", &csv_o, str_slice(csv, 6, csv.n), 0);
    CHECK_HOLDS(answer, "reject 1 0  | it is 202 bytes long");
    CHECK_HOLDS(answer, "\nfail INVALID the header row is over 80 bytes long\n");
}

/* ---- large events ---- */

/* An event that is too large with its original line is made without it; if it still is, the record
 * is rejected. */
TEST(lines_are_left_out_of_events_that_would_be_too_large)
{
    struct format_options o = {.event_bytes_max = 400};
    str small = S("<13>1 - h a p m - text"),
        large = arena_printf(cx->mem, "<13>1 - h a p m - %0100d", 0),
        huge = arena_printf(cx->mem, "<13>1 - h a p m - %0300d", 0);

    str answer = format_answer(cx, "syslog", &o, small, 0);
    CHECK_STR(event_member(cx, answer, 0, "/data/line"), small);
    answer = format_answer(cx, "syslog", &o, large, 0);
    CHECK(str_is_null(event_member(cx, answer, 0, "/data/line")));
    CHECK_EQ(event_member(cx, answer, 0, "/data/message").n, 100);
    check_rejected(cx, "syslog", &o, huge, "1 0  | its event would be over 400 bytes long");
}

TEST(an_audit_event_that_is_too_large_is_given_up_once)
{
    struct format_options o = {.event_bytes_max = 500};
    str in = arena_printf(cx->mem,
                          "type=CWD msg=audit(1.500:1): cwd=\"%0250d\"\n"
                          "type=CWD msg=audit(9.500:2): cwd=\"%0500d\"\n"
                          "type=CWD msg=audit(19.500:3): cwd=\"/\"\n",
                          0, 0);
    str answer = format_answer(cx, "auditd", &o, in, 0);

    CHECK_EQ(count_lines_of(answer, "event"), 2);
    CHECK(str_is_null(event_member(cx, answer, 0, "/data/lines")));
    CHECK_HOLDS(answer, "reject 2 286  | its event would be over 500 bytes long\n");
    CHECK_HOLDS(event_member(cx, answer, 1, "/data/lines"), "cwd");
    check_answer(cx, "auditd", &o, in, answer.p);
}

/* The limit of an event is exact: with one byte less it does not fit. */
TEST(the_event_limit_is_exact)
{
    const struct format_options o = {.event_bytes_max = sizeof CE("1") - 1};
    CLEANUP(format_reader_cleanup) struct format_reader *r = NULL;
    CLEANUP(buf_close) struct buf out = BUF(1 << 20);
    struct format_item item;

    check_answer(cx, "ndjson", &o, S(CE("1")), "event 1 0 " CE("1") "\n");
    check_rejected(cx, "ndjson", &o, S(CE("12")), "1 0  | its event would be over 55 bytes long");

    /* Also in a buffer that has grown. */
    CHECK(buf_reserve(&out, 10000));
    CHECK_OK(format_reader_open(cx, format_find(S("ndjson")), &o, &r));
    format_feed(r, S(CE("12") "\n" CE("1") "\n" CE("12") "\n"));
    CHECK_OK(format_next(cx, r, &out, &item));
    CHECK_EQ(item.kind, FORMAT_REJECTED);
    CHECK_OK(format_next(cx, r, &out, &item));
    CHECK_EQ(item.kind, FORMAT_EVENT);
    CHECK_OK(format_next(cx, r, &out, &item));
    CHECK_EQ(item.kind, FORMAT_REJECTED);
    CHECK_STR(buf_str(&out), S(CE("1")));
}

/* ---- the buffer ---- */

TEST(events_are_joined_with_commas_or_lines)
{
    CLEANUP(format_reader_cleanup) struct format_reader *r = NULL;
    CLEANUP(buf_close) struct buf out = BUF(1 << 20);
    const struct format_options o = {.event_bytes_max = sizeof CE("1") - 1};
    struct format_item item;

    CHECK_OK(format_reader_open(cx, format_find(S("ndjson")), &o, &r));
    format_feed(r, S(CE("1") "\n" CE("2") "\n{}\n" CE("3") "\n"));
    buf_put(&out, S("["));
    do
        CHECK_OK(format_next(cx, r, &out, &item));
    while (item.kind != FORMAT_MORE);
    CHECK_STR(buf_str(&out), S("[" CE("1") "," CE("2") "," CE("3")));
    buf_clear(&out);
    buf_put(&out, S("\n"));
    format_feed(r, S(CE("4") "\n"));
    CHECK_OK(format_next(cx, r, &out, &item));
    CHECK_STR(buf_str(&out), S("\n" CE("4")));
}

/* Without room nothing is consumed, so the caller can send what it has and go on. */
TEST(without_room_nothing_is_consumed)
{
    CLEANUP(format_reader_cleanup) struct format_reader *r = NULL;
    CLEANUP(buf_close) struct buf out = BUF(150);
    const struct format_options o = {.event_bytes_max = 100};
    struct format_item item;

    CHECK_OK(format_reader_open(cx, format_find(S("ndjson")), &o, &r));
    format_feed(r, S(CE("1") "\n" CE("2") "\n"));
    CHECK_OK(format_next(cx, r, &out, &item));
    CHECK_ERR(format_next(cx, r, &out, &item), ERR_TOO_LARGE);
    CHECK_STR(buf_str(&out), S(CE("1")));
    buf_clear(&out);
    CHECK_OK(format_next(cx, r, &out, &item));
    CHECK_STR(buf_str(&out), S(CE("2")));
}

/* ---- lines ---- */

TEST(blank_lines_line_ends_and_marks_do_not_matter)
{
    check_answer(cx, "ndjson", NULL, S(""), "");
    check_answer(cx, "ndjson", NULL, S("\n\r\n \t\n"), "");
    check_answer(cx, "ndjson", NULL, S("\xEF\xBB\xBF" CE("1") "\r\n\r\n  " CE("2") " \r\n" CE("3")),
                 "event 1 0 " CE("1") "\nevent 3 62 " CE("2") "\nevent 4 122 " CE("3") "\n");
    check_answer(cx, "cloudevents", NULL, S("\xEF\xBB\xBF\n" CE("1") "\n\n" CE("2")),
                 "event 2 4 " CE("1") "\nevent 4 61 " CE("2") "\n");
}

/* A quote left open on a line of its own spoils the event it stands in. */
TEST(cloudevents_of_every_shape)
{
    check_answer(cx, "cloudevents", NULL, S(CE("1")), "event 1 0 " CE("1") "\n");
    check_answer(
        cx, "cloudevents", NULL, S(CE("1") "\n{\"a\n" CE("2") "\n"),
        "event 1 0 " CE("1") "\n"
                             "reject 2 56  | not JSON: at byte 3 the text ends inside a string\n"
                             "event 3 60 " CE("2") "\n");
    check_answer(
        cx, "cloudevents", NULL,
        S("{\n\"specversion\":\"1.0\",\n\"id\":\"1\", \"source\":\"/s\",\"type\":\"t\"\n}\n" CE(
            "2")),
        "event 1 0 " CE("1") "\n"
                             "event 5 60 " CE("2") "\n");
    check_answer(
        cx, "cloudevents", NULL, S("[" CE("1") ",{\"id\":\"1,\n\"type\":\"t\"},\n" CE("2") "]"),
        "event 1 1 " CE(
            "1") "\n"
                 "reject 1 57  | not JSON: at byte 9 a control character stands in a string\n"
                 "event 3 80 " CE("2") "\n");
    check_answer(cx, "cloudevents", NULL, S("[]"), "");
    check_answer(
        cx, "cloudevents", NULL, S("[" CE("1") CE("2") "," CE("3") ",]"),
        "event 1 1 " CE("1") "\n"
                             "reject 1 56  | a comma is missing before it\n"
                             "event 1 112 " CE(
                                 "3") "\n"
                                      "reject 1 169  | a value is missing behind the last comma\n");
}

/* ---- ids ---- */

TEST(equal_records_are_counted)
{
    struct format_options o = {.type = S("t")};
    str answer =
        format_answer(cx, "ndjson", &o, S("{\"a\":1}\n{\"a\":2}\n{\"a\":1}\n{\"a\":1}\n"), 0);
    str id = event_member(cx, answer, 0, "/id");

    CHECK_EQ(id.n, 32);
    CHECK(!str_eq(id, event_member(cx, answer, 1, "/id")));
    CHECK_STR(event_member(cx, answer, 2, "/id"), arena_printf(cx->mem, "%.*s-2", STR_FMT(id)));
    CHECK_STR(event_member(cx, answer, 3, "/id"), arena_printf(cx->mem, "%.*s-3", STR_FMT(id)));
}

/* A key is remembered while FORMAT_REPEATS others come, and memory stays bounded. */
TEST(repetitions_are_remembered_for_the_promised_time)
{
    struct repeats t = {0};

    CHECK_EQ(repeats_count(&t, 0), 0);
    CHECK_EQ(repeats_count(&t, 0), 1);
    for (uint64_t key = 1; key < FORMAT_REPEATS; key++)
        CHECK_EQ(repeats_count(&t, key * 0x9E3779B97F4A7C15u), 0);
    CHECK_EQ(repeats_count(&t, 0), 2);
    for (uint64_t key = 1; key < FORMAT_REPEATS; key++)
        CHECK_EQ(repeats_count(&t, key * 0x9E3779B97F4A7C15u), 1);
    for (uint64_t key = 1; key < 3 * FORMAT_REPEATS; key++)
        CHECK_EQ(repeats_count(&t, key * 0xD6E8FEB86659FD93u), 0);
    CHECK_EQ(repeats_count(&t, 0), 0);
    CHECK(t.recent_slots <= 4 * FORMAT_REPEATS && t.older_slots <= 4 * FORMAT_REPEATS);
    repeats_close(&t);
}

/* The same line of two years is two events. */
TEST(the_supplied_year_is_part_of_the_id)
{
    struct format_options o = {.reference_us = INT64_C(1795219200000000)};
    str line = S("Nov 20 08:15:30 web1 su[77]: x");
    str a = format_answer(cx, "syslog", &o, line, 0);

    o.reference_us -= INT64_C(366) * 86400 * 1000000;
    str b = format_answer(cx, "syslog", &o, line, 0);
    CHECK_STR(event_member(cx, a, 0, "/time"), S("2026-11-20T08:15:30.000000Z"));
    CHECK_STR(event_member(cx, b, 0, "/time"), S("2025-11-20T08:15:30.000000Z"));
    CHECK(!str_eq(event_member(cx, a, 0, "/id"), event_member(cx, b, 0, "/id")));
}

TEST(the_year_turns_in_january_and_december)
{
    static const struct {
        int64_t reference_us;
        const char *line, *time;
    } cases[] = {
        {1798761590000000, "Jan  1 00:00:05 h x",
         "2027-01-01T00:00:05.000000Z"}, /* 10 s before 2027 */
        {1798761610000000, "Dec 31 23:59:59 h x", "2026-12-31T23:59:59.000000Z"}, /* 10 s after */
        {1798761590000000, "Jan  2 12:00:00 h x", "2026-01-02T12:00:00.000000Z"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct format_options o = {.reference_us = cases[i].reference_us};
        str answer = format_answer(cx, "syslog", &o, str_from(cases[i].line), 0);

        CHECK_STR(event_member(cx, answer, 0, "/time"), str_from(cases[i].time));
    }
}

/* ---- auditd: events that are interleaved, cut off, repeated ---- */

TEST(audit_events_are_completed_by_time_room_and_end)
{
    struct buf in = BUF(1 << 16);
    static const char late[] = "type=A msg=audit(1.000:1): x=1\ntype=A msg=audit(2.999:2): x=2\n"
                               "type=B msg=audit(1.000:1): x=3\ntype=A msg=audit(3.000:3): x=4\n"
                               "type=B msg=audit(1.000:1): x=5\n";

    /* At 3.000 the event of 1.000 is complete; what comes later of it is an event of its own. */
    str answer = format_answer(cx, "auditd", NULL, str_from(late), 0);
    CHECK_EQ(count_lines_of(answer, "event"), 4);
    CHECK_STR(event_member(cx, answer, 0, "/data/records/1/fields/x"), S("3"));
    CHECK(!str_eq(event_member(cx, answer, 0, "/id"), event_member(cx, answer, 3, "/id")));
    check_answer(cx, "auditd", NULL, str_from(late), answer.p);

    /* The ninth needs the room of the first. */
    for (int i = 1; i <= 9; i++)
        buf_printf(&in, "type=A msg=audit(1.000:%d): x=%d\n", i, i);
    buf_printf(&in, "type=A msg=audit(1.000:2): x=again\n");
    answer = format_answer(cx, "auditd", NULL, buf_str(&in), 0);
    CHECK_EQ(count_lines_of(answer, "event"), 9);
    CHECK_STR(event_member(cx, answer, 1, "/data/records/1/fields/x"), S("again"));
    buf_close(&in);
}

/* It need not wait for a younger record or the end of the input. */
TEST(an_audit_event_is_complete_with_its_eoe)
{
    CLEANUP(format_reader_cleanup) struct format_reader *r = NULL;
    CLEANUP(buf_close) struct buf out = BUF(1 << 20);
    const struct format_options o = {.source = S("/s")};
    struct format_item item;

    CHECK_OK(format_reader_open(cx, format_find(S("auditd")), &o, &r));
    format_feed(r, S("type=A msg=audit(1.000:1): x=1\ntype=EOE msg=audit(1.000:1): \n"));
    CHECK_OK(format_next(cx, r, &out, &item));
    CHECK_EQ(item.kind, FORMAT_EVENT);
    CHECK_OK(format_next(cx, r, &out, &item));
    CHECK_EQ(item.kind, FORMAT_MORE);
}

TEST(an_audit_event_without_end_is_bounded)
{
    struct format_options o = {.record_bytes_max = 100};
    struct buf in = BUF(1 << 16);

    for (int i = 0; i < 10; i++)
        buf_printf(&in, "type=A msg=audit(1.000:1): x=%d\n", i);
    buf_printf(&in, "type=A msg=audit(9.000:2): x=1\n");
    str answer = format_answer(cx, "auditd", &o, buf_str(&in), 0);
    CHECK_HOLDS(answer, "reject 1 0  | the records of this event are over 100 bytes long\n");
    CHECK_EQ(count_lines_of(answer, "event"), 1);
    buf_close(&in);
}

/* Many fields: those that do not fit the table of names are kept as they stand. */
TEST(an_audit_record_with_many_fields_loses_none)
{
    struct buf in = BUF(1 << 16);

    buf_printf(&in, "type=EXECVE msg=audit(1.000:1): argc=600");
    for (int i = 0; i < 600; i++)
        buf_printf(&in, " a%d=\"%d\"", i, i);
    str answer = format_answer(cx, "auditd", NULL, buf_str(&in), 0);
    CHECK_STR(event_member(cx, answer, 0, "/data/records/0/fields/a510"), S("510"));
    CHECK_HOLDS(event_member(cx, answer, 0, "/data/records/0/rest"), "a599=\"599\"");
    buf_close(&in);
}

/* ---- options ---- */

TEST(wrong_options_are_named)
{
    /* clang-format off */
    static const struct {
        struct format_options options;
        const char *format, *detail;
    } cases[] = {
        {{.map = STR_INIT("colour=x")}, "ndjson", "'colour' is not an attribute"},
        {{.map = STR_INIT("id")}, "ndjson", "'id' needs =NAME"},
        {{.map = STR_INIT("id=a,id=b")}, "ndjson", "'id' is mapped twice"},
        {{.map = STR_INIT("id=a")}, "dpkg", "map: only ndjson and csv"},
        {{.type = STR_INIT("t")}, "dpkg", "type: only ndjson and csv"},
        {{.source = STR_INIT("")}, "csv", "say what type the events have"},
        {{.record_bytes_max = 10}, "ndjson", "a record limit of 10 bytes is too small"},
        {{.zone_offset_s = 60000}, "dpkg", "a zone offset is at most 15 hours"},
        {{.separator = '"', .type = STR_INIT("t")}, "csv", "cannot separate columns"},
    };
    /* clang-format on */
    struct format_reader *r = NULL;

    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK_ERR(
            format_reader_open(cx, format_find(str_from(cases[i].format)), &cases[i].options, &r),
            ERR_USAGE);
        CHECK_DETAIL(cases[i].detail);
        CHECK(r == NULL);
    }
}

TEST(options_replace_what_records_do_not_say)
{
    struct format_options o = {.host = S("a b/ü"), .zone_offset_s = -3600};
    str line = S("2026-11-20 23:36:46 startup archives unpack");
    str answer = format_answer(cx, "dpkg", &o, line, 0);

    CHECK_STR(event_member(cx, answer, 0, "/source"), S("/host/a%20b%2F%C3%BC/dpkg"));
    CHECK_STR(event_member(cx, answer, 0, "/time"), S("2026-11-21T00:36:46.000000Z"));
    o.source = S("/mine");
    answer = format_answer(cx, "dpkg", &o, line, 0);
    CHECK_STR(event_member(cx, answer, 0, "/source"), S("/mine"));
    o = (struct format_options){.type = S("t"), .separator = ';'};
    answer = format_answer(cx, "csv", &o, S("a;b,c;\n1,2;3;4\n"), 0);
    CHECK_STR(event_member(cx, answer, 0, "/data/a"), S("1,2"));
    CHECK_STR(event_member(cx, answer, 0, "/data/column_3"), S("4"));
}

TEST(control_characters_do_not_reach_attributes)
{
    const struct format_options o = {.map = S("type=t,actor=who")};
    str answer = format_answer(cx, "ndjson", &o, S("{\"t\":\"a\\nb\",\"who\":\"\\u007f\"}"), 0);

    CHECK_STR(event_member(cx, answer, 0, "/type"), S("a\xEF\xBF\xBD"
                                                      "b"));
    CHECK_STR(event_member(cx, answer, 0, "/actor"), S("\xEF\xBF\xBD"));
    CHECK_STR(event_member(cx, answer, 0, "/data/t"), S("a\nb"));
}

/* ---- times ---- */

TEST(times_in_every_usual_form)
{
    /* clang-format off */
    static const struct {
        const char *text;
        int64_t us;
    } times[] = {
        {"2026-11-20T08:15:30.5Z", 1795162530500000}, {"2026-11-20T08:15:30+02:00", 1795155330000000},
        {"2026-11-20 08:15:30", 1795158930000000}, {"2026-11-20T08:15:30.25", 1795158930250000},
        {"2026-11-20", 1795132800000000}, {"1795162530", 1795162530000000},
        {"1795162530.123456789", 1795162530123456}, {"1795162530123", 1795162530123000},
        {"1795162530123.5", 1795162530123500}, {"1795162530123456", 1795162530123456},
        {"1795162530123456789", 1795162530123456}, {"20261120", -1}, {"1795162530.", -1},
        {"1795162530.x", -1}, {"", -1}, {"yesterday", -1}, {"2026-11-20 08:15", -1},
        {"2026-02-30 08:15:30", -1},
    };
    /* clang-format on */

    for (size_t i = 0; i < COUNT(times); i++) {
        int64_t us = -1;

        CHECK_EQ(text_time(str_from(times[i].text), 3600, &us), times[i].us >= 0);
        CHECK_EQ(us, times[i].us);
    }
}

/* ---- the table and detection ---- */

TEST(formats_are_found_by_name)
{
    size_t n = 0;

    for (; formats[n]; n++) {
        CHECK(format_find(str_from(formats[n]->name)) == formats[n]);
        CHECK(formats[n]->doc[0] != '\0' && formats[n]->file_names[0] != NULL);
    }
    CHECK_EQ(n, 8);
    CHECK(format_find(S("xml")) == NULL);
}

TEST(formats_are_detected)
{
    /* clang-format off */
    static const struct {
        const char *head, *file, *format; /* NULL: cannot be told */
    } cases[] = {
        {CE("1") "\n" CE("2") "\n", "x", "ndjson"},
        {"{\"level\":30,\"msg\":\"x\"}\n", "-", "ndjson"},
        {"\xEF\xBB\xBF{\"level\":30,\"msg\":\"x\"}\r\n", "access.log", "ndjson"},
        {"[\n" CE("1") "\n]", "x", "cloudevents"},
        {"{\n \"specversion\": \"1.0\",\n", "x", "cloudevents"},
        {CE("1"), "a.cloudevents.json", "cloudevents"},
        {"{\"__CURSOR\":\"s\",\"__REALTIME_TIMESTAMP\":\"1\"}\n", "x", "journald"},
        {"type=CWD msg=audit(1.500:1): cwd=\"/\"\n", "x", "auditd"},
        {"node=n type=CWD msg=audit(1.500:1): cwd=\"/\"\n", "x", "auditd"},
        {"<34>1 - h a p m -\n", "x", "syslog"},
        {"<34>Nov 20 08:15:30 h x\n", "x", "syslog"},
        {"Nov  2 08:15:30 h x\n", "x", "syslog"},
        {"83 <34>1 - h a p m -", "x", "syslog"},
        {"2026-11-20T08:15:30.123456+01:00 web1 CRON[4711]: (root)\n", "x", "syslog"},
        {"1.2.3.4 - - [20/Nov/2026:08:15:30 +0000] \"GET / HTTP/1.1\" 200 5\n", "x", "access"},
        {"2026-11-20 23:36:46 startup archives unpack\n", "x", "dpkg"},
        {"ts,action,who\n1,2,3\n", "x", "csv"},
        {"ts;action;who\n1;2;3\n", "x", "csv"},
        {"name\nx\n", "/home/a/b.csv", "csv"},
        {"name\nx\n", "b.txt", NULL},
        {"Dear all, hello\nbye\n", "letter", NULL},
        {"", "/var/log/dpkg.log", "dpkg"},
        {"", "/var/log/dpkg.log.12.gz", "dpkg"},
        {"", "access.log-20261120.zst", "access"},
        {"", "audit.log.1", "auditd"},
        {"", "b.csv.1.gz", "csv"},
        {"", "1", NULL},
        {"", "", NULL},
    };
    /* clang-format on */

    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct format *f = format_detect(str_from(cases[i].head), str_from(cases[i].file));

        CHECK_STR(f ? str_from(f->name) : S("none"),
                  cases[i].format ? str_from(cases[i].format) : S("none"));
    }
    CHECK(format_detect(S("{\"a\":1}"), STR_NULL) == format_find(S("ndjson")));
}
