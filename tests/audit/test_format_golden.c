/* The samples in tests/audit/formats give exactly the events beside them, however they are cut. */
#include "base/fs.h"
#include "format_case.h"

enum { SAMPLE_BYTES_MAX = 1 << 20, CHUNKS = 64, REFERENCE_S = 1795219200 /* 2026-11-21 00:00 */ };

static const struct format_options common = {
    .host = STR_INIT("web1"),
    .zone_offset_s = 3600,
    .reference_us = INT64_C(1000000) * REFERENCE_S,
};

static str read_sample(struct ctx *cx, const char *format, const char *ending)
{
    str path = arena_printf(cx->mem, "tests/audit/formats/%s.%s", format, ending), text;

    CHECK_OK(fs_read_all(cx, fs_real(), path.p, SAMPLE_BYTES_MAX, &text));
    return text;
}

static void check_sample(struct ctx *cx, const char *format, const struct format_options *o)
{
    str in = read_sample(cx, format, "in"), out = read_sample(cx, format, "out");

    CHECK_STR(format_answer(cx, format, o, in, 0), out);
    for (size_t chunk = 1; chunk <= CHUNKS; chunk++)
        CHECK_STR(format_answer(cx, format, o, in, chunk), out);
    for (size_t at = 1; at < in.n; at++)
        CHECK_STR(format_answer_cut(cx, format, o, in, at), out);
}

TEST(dpkg_sample)
{
    check_sample(cx, "dpkg", &common);
}

TEST(access_sample)
{
    check_sample(cx, "access", &common);
}

TEST(syslog_sample)
{
    check_sample(cx, "syslog", &common);
}

TEST(auditd_sample)
{
    check_sample(cx, "auditd", &common);
}

TEST(journald_sample)
{
    check_sample(cx, "journald", &common);
}

TEST(cloudevents_sample)
{
    check_sample(cx, "cloudevents", &common);
}

TEST(csv_sample)
{
    struct format_options o = common;

    o.map = S("time=ts,type=action,subject=object_id,actor=who");
    check_sample(cx, "csv", &o);
}

TEST(ndjson_sample)
{
    struct format_options o = common;

    o.type = S("app.log");
    o.map = S("time=time,id=/event/id,subject=/event/kind");
    check_sample(cx, "ndjson", &o);
}

/* A line has its id from its text, not from where it stands: the second half of a file alone, as
 * rotation may leave it, gives the ids that the whole gives. */
TEST(ids_do_not_depend_on_the_place_in_the_file)
{
    static const struct {
        const char *format;
        size_t lines;
    } halves[] = {{"dpkg", 5}, {"access", 3}, {"journald", 2}, {"syslog", 6}};

    for (size_t i = 0; i < COUNT(halves); i++) {
        str in = read_sample(cx, halves[i].format, "in"), half = in;

        for (size_t n = 0; n < halves[i].lines; n++)
            str_cut(&half, '\n');
        str of_whole = format_answer(cx, halves[i].format, &common, in, 0);
        str of_half = format_answer(cx, halves[i].format, &common, half, 0);
        size_t count = count_lines_of(of_half, "event");

        CHECK_EQ(count + halves[i].lines, count_lines_of(of_whole, "event"));
        for (size_t n = 0; n < count; n++)
            CHECK_STR(event_member(cx, of_half, n, "/id"),
                      event_member(cx, of_whole, n + halves[i].lines, "/id"));
    }
}

/* The package log of the machine the test runs on: every line is an event with an id of its own. */
TEST(dpkg_log_of_this_machine)
{
    enum { LOG_BYTES_MAX = 16 << 20 };
    str log, answer;

    if (!fs_exists(fs_real(), "/var/log/dpkg.log"))
        SKIP("there is no /var/log/dpkg.log");
    CHECK_OK(fs_read_all(cx, fs_real(), "/var/log/dpkg.log", LOG_BYTES_MAX, &log));
    CHECK(log.n == 0 || format_detect(log, STR_NULL) == format_find(S("dpkg")));
    answer = format_answer(cx, "dpkg", &common, log, 65536);
    CHECK_EQ(count_lines_of(answer, "event"), count_lines_of(log, "2"));
    CHECK_EQ(count_lines_of(answer, "reject"), 0);
    CHECK_STR(format_answer(cx, "dpkg", &common, log, 4097), answer);
}
