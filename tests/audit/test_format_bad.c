/* Every way a record can be bad, and what is said about it. */
#include "format_case.h"

struct bad {
    const char *format, *input, *want; /* "LINE OFFSET POINTER | what is wrong" */
};

#define CE "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\""
#define AT "[20/Nov/2026:08:15:30 +0000]"

/* clang-format off */
static const struct bad bads[] = {
    {"ndjson", "{\"a\":1,}", "1 0  | not JSON: at byte 7 a key in quotes was expected"},
    {"ndjson", "\n\n{\"a\":1", "3 2  | not JSON: at byte 6 the text ends too early"},
    {"ndjson", "{\"a\":1,\"a\":2}", "1 0  | the key \"a\" stands twice in one object"},
    {"ndjson", "{\"a\":\"\xff\"}", "1 0  | not JSON: at byte 6 the text is not UTF-8"},
    {"ndjson", "{\"a\":1e999}", "1 0  | not JSON: at byte 5 a number is out of range"},
    {"ndjson", "[1]", "1 0  | it must be a JSON object"},
    {"ndjson", "\"a\"", "1 0  | it must be a JSON object"},
    {"ndjson", "{\"a\":1}", "1 0  | it has no type: none is set for all, and no column or member is mapped to it"},
    {"ndjson", "{\"specversion\":\"1.0\",\"source\":\"/s\",\"type\":\"t\"}", "1 0 /id | an event needs this member"},
    {"ndjson", CE ",\"recorded\":\"x\"}", "1 0 /recorded | this member is reserved: the server sets it"},
    {"ndjson", CE ",\"principal\":null}", "1 0 /principal | this member is reserved: the server sets it"},
    {"ndjson", CE ",\"time\":\"yesterday\"}", "1 0 /time | it must be a time as in RFC 3339"},
    {"ndjson", CE ",\"time\":5}", "1 0 /time | it must be a string that is not empty"},
    {"cloudevents", "{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}", "1 0 /specversion | only version 1.0 is known"},
    {"cloudevents", "{\"specversion\":\"1.0\",\"id\":7,\"source\":\"/s\",\"type\":\"t\"}", "1 0 /id | it must be a string that is not empty"},
    {"cloudevents", "{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"/s\",\"type\":\"t\"}", "1 0 /id | it must be a string that is not empty"},
    {"cloudevents", "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":null,\"type\":\"t\"}", "1 0 /source | an event needs this member"},
    {"cloudevents", "{}", "1 0 /specversion | an event needs this member"},
    {"cloudevents", "hello", "1 0  | not JSON: at byte 0 a value was expected"},
    {"cloudevents", "[", "1 1  | the array is not closed: the input ends too early"},
    {"cloudevents", "[,]", "1 3  | a value is missing between commas"},
    {"cloudevents", " [5]", "1 2  | it must be a JSON object"},
    {"cloudevents", "[]]", "1 2  | it stands behind the end of the array"},
    {"cloudevents", "[]\n5", "2 3  | it stands behind the end of the array"},
    {"cloudevents", "{\n\"a\":1", "1 0  | not JSON: at byte 7 the text ends too early"},

    {"journald", "{\"MESSAGE\":\"x\"}", "1 0 /__REALTIME_TIMESTAMP | every journal entry has this member"},
    {"journald", "{\"__REALTIME_TIMESTAMP\":\"soon\"}", "1 0 /__REALTIME_TIMESTAMP | it must be microseconds since 1970"},
    {"journald", "{\"__REALTIME_TIMESTAMP\":\"9999999999999999999\"}", "1 0 /__REALTIME_TIMESTAMP | it must be microseconds since 1970"},
    {"journald", "-- No entries --", "1 0  | not JSON: at byte 1 a digit is missing"},

    {"auditd", "hello", "1 0  | column 1: expected type="},
    {"auditd", "node=a hello", "1 0  | column 8: expected type="},
    {"auditd", "type= msg=audit(1.000:1):", "1 0  | column 1: expected type="},
    {"auditd", "type=CWD", "1 0  | column 9: expected msg=audit(SECONDS.MILLISECONDS:SERIAL):"},
    {"auditd", "type=CWD msg=audit(1.5:1): cwd=\"/\"", "1 0  | column 10: expected msg=audit(SECONDS.MILLISECONDS:SERIAL):"},
    {"auditd", "type=CWD msg=audit(1.500): cwd=\"/\"", "1 0  | column 10: expected msg=audit(SECONDS.MILLISECONDS:SERIAL):"},
    {"auditd", "type=CWD msg=audit(1.500:1) cwd=\"/\"", "1 0  | column 10: expected msg=audit(SECONDS.MILLISECONDS:SERIAL):"},
    {"auditd", "type=CWD msg=audit(99999999999.500:1): x", "1 0  | column 10: expected msg=audit(SECONDS.MILLISECONDS:SERIAL):"},

    {"syslog", "<192>1 - - - - - -", "1 0  | column 1: expected a priority from <0> to <191>"},
    {"syslog", "<1x>1 - - - - - -", "1 0  | column 1: expected a priority from <0> to <191>"},
    {"syslog", "<34", "1 0  | column 1: expected a priority from <0> to <191>"},
    {"syslog", "<>Nov 20 08:15:30 h x", "1 0  | column 1: expected a priority from <0> to <191>"},
    {"syslog", "<34>1 2026-11-20 h a p m -", "1 0  | column 7: expected a time as in RFC 3339 or -"},
    {"syslog", "<34>1 Nov 20 h a p m -", "1 0  | column 7: expected a time as in RFC 3339 or -"},
    {"syslog", "<34>1 2026-11-20T08:15:30Z", "1 0  | column 27: expected a host name or -"},
    {"syslog", "<34>1 -  a p m -", "1 0  | column 9: expected a host name or -"},
    {"syslog", "<34>1 - h", "1 0  | column 10: expected an application name or -"},
    {"syslog", "<34>1 - h a", "1 0  | column 12: expected a process id or -"},
    {"syslog", "<34>1 - h a p", "1 0  | column 14: expected a message id or -"},
    {"syslog", "<34>1 - h a p m", "1 0  | column 16: expected structured data or -"},
    {"syslog", "<34>1 - h a p m x", "1 0  | column 17: expected structured data or -"},
    {"syslog", "<34>1 - h a p m -x", "1 0  | column 18: expected a blank before the message"},
    {"syslog", "<34>1 - h a p m [] x", "1 0  | column 18: expected the name of an element, once"},
    {"syslog", "<34>1 - h a p m [x][x]", "1 0  | column 21: expected the name of an element, once"},
    {"syslog", "<34>1 - h a p m [x", "1 0  | column 19: expected a ']' or a blank and a parameter"},
    {"syslog", "<34>1 - h a p m [x \xe9=\"\"]", "1 0  | column 20: expected a parameter like name=\"value\""},
    {"syslog", "<34>1 - h a p m [x a]", "1 0  | column 21: expected a parameter like name=\"value\""},
    {"syslog", "<34>1 - h a p m [x a=1]", "1 0  | column 22: expected a value in quotes"},
    {"syslog", "<34>1 - h a p m [x a=\"1]", "1 0  | column 25: expected a value in quotes"},
    {"syslog", "<34>1 - h a p m [x a=\"1\"b=\"2\"]", "1 0  | column 25: expected a ']' or a blank and a parameter"},
    {"syslog", "Nov 20 08:15:30 web1 su: x", "1 0  | column 1: expected a year: a reference time must be given for lines without"},
    {"syslog", "Foo 20 08:15:30 web1 su: x", "1 0  | column 1: expected a time like 'Nov 20 08:15:30' or as in RFC 3339"},
    {"syslog", "2026-13-20T08:15:30Z h x", "1 0  | column 1: expected a time like 'Nov 20 08:15:30' or as in RFC 3339"},
    {"syslog", "<13>2026-11-20T08:15:30Z", "1 0  | column 25: expected a blank behind the time"},
    {"syslog", "<13>2026-11-20T08:15:30Z ", "1 0  | column 26: expected a host name"},
    {"syslog", "100 <13>1 - - - - - - x", "1 0  | the input ends before the length that was announced"},

    {"access", "hello", "1 0  | column 1: expected client, ident, user and [time]"},
    {"access", "1.2.3.4 - " AT " \"GET / HTTP/1.1\" 200 5", "1 0  | column 11: expected client, ident, user and [time]"},
    {"access", "1.2.3.4 - - [20/Nov/2026:08:15:30] \"GET /\" 200 5", "1 0  | column 13: expected a time like [20/Nov/2026:08:15:30 +0100]"},
    {"access", "1.2.3.4 - - [31/Nov/2026:08:15:30 +0000] \"GET /\" 200 5", "1 0  | column 42: expected a time like [20/Nov/2026:08:15:30 +0100]"},
    {"access", "1.2.3.4 - - " AT " GET / 200 5", "1 0  | column 42: expected the request in quotes"},
    {"access", "1.2.3.4 - - " AT " \"GET / 200 5", "1 0  | column 54: expected the request in quotes"},
    {"access", "1.2.3.4 - - " AT " \"GET /\"200 5", "1 0  | column 49: expected a blank and the status"},
    {"access", "1.2.3.4 - - " AT " \"GET /\" ok 5", "1 0  | column 53: expected a blank and the status"},
    {"access", "1.2.3.4 - - " AT " \"GET /\" 200", "1 0  | column 53: expected the size of the answer or -"},
    {"access", "1.2.3.4 - - " AT " \"GET /\" 200 many", "1 0  | column 58: expected the size of the answer or -"},
    {"access", "1.2.3.4 - - " AT " \"GET /\" 200 5 \"ref", "1 0  | column 60: expected a text with its closing quote"},

    {"dpkg", "hello", "1 0  | column 1: expected a time like 2026-11-20 23:36:46"},
    {"dpkg", "2026-11-31 23:36:46 install a <none> 1", "1 0  | column 1: expected a time like 2026-11-20 23:36:46"},
    {"dpkg", "2026-11-20 23:36:46", "1 0  | column 20: expected a blank and an action"},
    {"dpkg", "2026-11-20 23:36:46 explode a <none> 1", "1 0  | column 21: 'explode' is no action of dpkg"},
    {"dpkg", "2026-11-20 23:36:46 install a <none>", "1 0  | column 37: 'install' needs the available here"},
    {"dpkg", "2026-11-20 23:36:46 status installed", "1 0  | column 37: 'status' needs the package here"},
    {"dpkg", "2026-11-20 23:36:46 startup archives unpack now", "1 0  | column 45: 'startup' has nothing behind the command"},
};
/* clang-format on */

TEST(each_bad_record_is_explained)
{
    for (size_t i = 0; i < COUNT(bads); i++)
        check_rejected(cx, bads[i].format, NULL, str_from(bads[i].input), bads[i].want);
}

/* After each bad record the next one is read. */
TEST(a_bad_record_spoils_no_other)
{
    static const struct {
        const char *format, *good;
    } goods[] = {
        {"ndjson", CE "}"},
        {"journald", "{\"__REALTIME_TIMESTAMP\":\"1\"}"},
        {"auditd", "type=CWD msg=audit(1.500:1): cwd=\"/\""},
        {"syslog", "<34>1 - h a p m -"},
        {"access", "1.2.3.4 - - " AT " \"GET / HTTP/1.1\" 200 5"},
        {"dpkg", "2026-11-20 23:36:46 install a <none> 1"},
    };

    for (size_t i = 0; i < COUNT(bads); i++) {
        for (size_t k = 0; k < COUNT(goods); k++) {
            if (strcmp(goods[k].format, bads[i].format) != 0 ||
                str_starts(str_from(bads[i].input), S("100 ")))
                continue;
            str in =
                arena_printf(cx->mem, "%s\n%s\n%s\n", goods[k].good, bads[i].input, goods[k].good);
            str answer = format_answer(cx, bads[i].format, NULL, in, 0);

            CHECK_EQ(count_lines_of(answer, "reject"), 1);
            CHECK(count_lines_of(answer, "event") >= 1);
            CHECK_STR(format_answer(cx, bads[i].format, NULL, in, 1), answer);
        }
    }
}

static const struct format_options csv_options = {
    .map = STR_INIT("time=ts,type=action,subject=object")};

#define HEAD "ts,action,object,note\n"

TEST(each_bad_row_is_explained)
{
    /* clang-format off */
    static const struct {
        const char *row, *want;
    } rows[] = {
        {"2026-11-20,a,b", "2 22  | column 15: the row ends after 3 cells, the header has 4"},
        {"x", "2 22  | column 2: the row ends after 1 cell, the header has 4"},
        {"2026-11-20,a,b,c,d", "2 22  | column 19: the row ends after 5 cells, the header has 4"},
        {"2026-11-20,a,b,", NULL},
        {"2026-11-20,a,\"b,c", "2 22  | column 14: this quote is never closed"},
        {"2026-11-20,a,\"b\"x,c", "2 22  | column 17: text follows the closing quote"},
        {"2026-11-20,a,5\" disk,c", "2 22  | column 15: a quote stands in a cell without quotes"},
        {"20261120,a,b,c", "2 22 /ts | '20261120' is not a time that can be read"},
        {"2026-11-20,,b,c", "2 22 /action | it has no type: none is set for all, and here it is empty"},
    };
    /* clang-format on */

    for (size_t i = 0; i < COUNT(rows); i++) {
        str in = arena_printf(cx->mem, HEAD "%s\n", rows[i].row);

        if (rows[i].want)
            check_rejected(cx, "csv", &csv_options, in, rows[i].want);
        else
            CHECK_EQ(count_lines_of(format_answer(cx, "csv", &csv_options, in, 0), "event"), 1);
    }
}

/* A header that cannot be used fails the whole input: no row could be read rightly. */
TEST(a_bad_header_fails_the_input)
{
    /* clang-format off */
    static const struct {
        const char *header, *want;
    } headers[] = {
        {"ts,action,note\n", "fail INVALID map: the header has no column 'object'; the first is 'ts'\n"},
        {"ts,ts,action,object\n", "fail INVALID columns 1 and 2 of the header are both 'ts'\n"},
        {"ts,caf\xe9,action,object\n",
         "fail INVALID the name of column 2 of the header is not UTF-8\n"},
        {"ts,\"action\n", "fail INVALID the header row cannot be read: column 4: this quote is never closed\n"},
    };
    /* clang-format on */

    for (size_t i = 0; i < COUNT(headers); i++)
        check_answer(cx, "csv", &csv_options, str_from(headers[i].header), headers[i].want);
}

TEST(a_mapped_member_must_be_text_or_number)
{
    const struct format_options o = {.type = S("t"), .map = S("id=/a/0,actor=who~x,time=at")};

    check_rejected(cx, "ndjson", &o, S("{\"a\":[{}]}"),
                   "1 0 /a/0 | it must be text or a number to be the id");
    check_rejected(cx, "ndjson", &o, S("{\"who~x\":[]}"),
                   "1 0 /who~0x | it must be text or a number to be the actor");
    check_rejected(cx, "ndjson", &o, S("{\"at\":\"noon\"}"),
                   "1 0 /at | 'noon' is not a time that can be read");
    check_rejected(cx, "ndjson", &o, S("{\"at\":true}"),
                   "1 0 /at | 'true' is not a time that can be read");
}
