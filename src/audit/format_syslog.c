/* format_syslog.c - syslog, in the forms that files and streams hold.
 *
 *   <34>1 2026-11-20T08:15:30.003Z web1 su 77 ID47 [x@1 a="b"] text     RFC 5424
 *   <34>Nov 20 08:15:30 web1 su[77]: text                               RFC 3164
 *   Nov 20 08:15:30 web1 su[77]: text                                   files of old rsyslog
 *   2026-11-20T08:15:30.003+01:00 web1 su[77]: text                     files of new rsyslog
 *   58 <34>1 …                                                          RFC 6587, octet counting
 *
 * Records end with their line or, counted, after their length.  RFC 3164 names no year: it is the
 * last one that puts the record no more than a day behind options.reference_us, which gets both a
 * December line read in January and a clock that runs ahead at New Year right. */
#include "audit/format_reader.h"
#include "base/clock.h"

enum {
    COUNT_DIGITS_MAX = 9,
    PRIORITY_MAX = 191,
    NO_PRIORITY = PRIORITY_MAX + 1,
    TAG_BYTES_MAX = 64,
    ELEMENTS_MAX = 64,
    PARAMS_MAX = 256,
    YEARS_BACK_MAX = 8, /* more than any leap day waits for the next */
};

#define US_PER_DAY (INT64_C(86400) * 1000000)

/* ---- framing ---- */

enum phase { PHASE_COUNT, PHASE_LINE, PHASE_COUNTED };

/* The digits of a count, the blank behind them and the '<' that must follow; f->depth counts the
 * digits, and one more once the blank was seen. */
static bool step_count(struct frame *f, char c, bool *out_blank)
{
    bool digit = c >= '0' && c <= '9';

    if (digit && !*out_blank && f->depth < COUNT_DIGITS_MAX && (f->depth > 0 || c != '0')) {
        f->left = f->left * 10 + (unsigned)(c - '0');
        f->depth++;
        return true;
    }
    if (c == ' ' && f->depth > 0 && !*out_blank)
        return *out_blank = true;
    f->counted = c == '<' && *out_blank && f->left > 0;
    f->phase = f->counted ? PHASE_COUNTED : PHASE_LINE;
    return false;
}

static bool syslog_cut(struct frame *f, str bytes, size_t *out_used)
{
    size_t i = 0;

    if (f->start) {
        f->phase = PHASE_COUNT;
        f->left = f->depth = 0;
        f->quoted = f->counted = false;
    }
    f->start = false;
    while (f->phase == PHASE_COUNT && i < bytes.n && step_count(f, bytes.p[i], &f->quoted))
        i++;
    if (f->phase == PHASE_COUNTED) {
        size_t n = (size_t)u64_min(f->left, bytes.n - i);

        f->left -= n;
        *out_used = i + n;
        return f->left == 0;
    }
    bool ended = frame_cut_line(str_slice(bytes, i, bytes.n), out_used);

    *out_used += i;
    return ended;
}

/* ---- reading ---- */

struct syslog {
    struct scan s;
    unsigned priority;
    int64_t time_us;
    bool has_time;
    int year; /* that was supplied; 0: the record has one */
    str host, app, pid, msgid, message;
    bool has_structure;
    const char *what; /* was expected at s.at */
};

static bool expected(struct syslog *m, size_t at, const char *what)
{
    m->s.at = at;
    m->what = what;
    return false;
}

/* "<34>" */
static bool read_priority(struct syslog *m)
{
    str rest = text_rest(&m->s);
    uint64_t n;

    m->priority = NO_PRIORITY;
    if (!str_starts(rest, S("<")))
        return true;
    size_t end = str_find_char(rest, '>');
    str number = str_slice(rest, 1, end);

    if (end == rest.n || number.n > 3 || !str_to_u64(number, &n) || n > PRIORITY_MAX)
        return expected(m, m->s.at, "a priority from <0> to <191>");
    m->priority = (unsigned)n;
    m->s.at += end + 1;
    return true;
}

static str unless_nil(str s)
{
    return str_eq(s, S("-")) ? STR_NULL : s;
}

/* From the version on: "1 TIME HOST APP PROCID MSGID ". */
static bool read_5424_head(struct syslog *m)
{
    str *fields[] = {&m->host, &m->app, &m->pid, &m->msgid};
    static const char *const what[] = {"a host name or -", "an application name or -",
                                       "a process id or -", "a message id or -"};

    m->s.at += 2;
    size_t at = m->s.at;
    str time = unless_nil(text_word(&m->s));

    m->has_time = !str_is_null(time);
    if (m->has_time && (time.n < sizeof "2026-11-20T08:15:30" || !time_parse(time, &m->time_us)))
        return expected(m, at, "a time as in RFC 3339 or -");
    for (size_t i = 0; i < COUNT(fields); i++) {
        at = m->s.at;
        *fields[i] = unless_nil(text_word(&m->s));
        if (!str_is_null(*fields[i]) && fields[i]->n == 0)
            return expected(m, at, what[i]);
    }
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "Nov 20 08:15:30 " */
static bool has_old_time(str line)
{
    static const char pattern[] = "aaa dd dd:dd:dd ";

    if (line.n < sizeof pattern - 1 || text_month(str_slice(line, 0, 3)) == 0)
        return false;
    for (size_t i = 3; i < sizeof pattern - 1; i++) {
        bool good = pattern[i] == 'd' ? is_digit(line.p[i]) || (i == 4 && line.p[i] == ' ')
                                      : line.p[i] == pattern[i];
        if (!good)
            return false;
    }
    return true;
}

/* A line that has_old_time(), in the year that options.reference_us makes it; see the top. */
static bool read_3164_time(const struct format_options *o, str t, struct syslog *m)
{
    struct civil c = {.month = text_month(str_slice(t, 0, 3))};
    char reference[TIME_TEXT_SIZE];
    int year;
    bool short_day = t.p[4] == ' ';

    time_format(o->reference_us, reference);
    if (o->reference_us == 0 || !text_digits((str){reference, TIME_TEXT_BYTES}, 0, 4, &year) ||
        !text_digits(t, short_day ? 5 : 4, short_day ? 1 : 2, &c.day) ||
        !text_digits(t, 7, 2, &c.hour) || !text_digits(t, 10, 2, &c.minute) ||
        !text_digits(t, 13, 2, &c.second))
        return false;
    for (c.year = year + 1; c.year >= year - YEARS_BACK_MAX; c.year--) {
        m->year = c.year;
        if (text_civil_time(&c, o->zone_offset_s, &m->time_us) &&
            m->time_us <= o->reference_us + US_PER_DAY)
            return true;
    }
    return false;
}

static bool read_old_time(const struct format_options *o, struct syslog *m)
{
    enum { TIME_BYTES = sizeof "Nov 20 08:15:30" - 1 };
    str rest = text_rest(&m->s);
    str word = str_slice(rest, 0, str_find_char(rest, ' '));

    m->has_time = true;
    if (word.n > 10 && word.p[10] == 'T' &&
        (time_parse(word, &m->time_us) || text_local_time(word, o->zone_offset_s, &m->time_us))) {
        m->s.at += word.n;
    } else if (has_old_time(rest) && read_3164_time(o, rest, m)) {
        m->s.at += TIME_BYTES;
    } else {
        return expected(m, m->s.at,
                        o->reference_us == 0 && has_old_time(rest)
                            ? "a year: a reference time must be given for lines without"
                            : "a time like 'Nov 20 08:15:30' or as in RFC 3339");
    }
    return text_char(&m->s, ' ') || expected(m, m->s.at, "a blank behind the time");
}

/* "sshd[77]: text" or "text" */
static void read_tag(struct syslog *m)
{
    str rest = text_rest(&m->s);
    size_t n = 0;

    while (n < rest.n && n < TAG_BYTES_MAX && !text_is_among(rest.p[n], S("[: ")))
        n++;
    str tag = str_slice(rest, 0, n), after = str_slice(rest, n, rest.n), pid = STR_NULL;

    if (n > 0 && str_starts(after, S("["))) {
        pid = str_slice(after, 1, str_find_char(after, ']'));
        after = str_slice(after, pid.n + 2, after.n);
    }
    m->message = rest;
    if (n == 0 || !str_starts(after, S(":")))
        return;
    m->app = tag;
    m->pid = pid;
    m->message = str_slice(after, str_starts(after, S(": ")) ? 2 : 1, after.n);
}

static bool read_3164(const struct format_options *o, struct syslog *m)
{
    if (!read_old_time(o, m))
        return false;
    size_t at = m->s.at;

    m->host = text_word(&m->s);
    if (m->host.n == 0)
        return expected(m, at, "a host name");
    if (str_ends(m->host, S(":"))) { /* from a local socket: no host */
        m->host = STR_NULL;
        m->s.at = at;
    }
    read_tag(m);
    return true;
}

/* Without the length before it. */
static str counted_text(const struct format_reader *r)
{
    str text = r->record.text;

    return r->frame.counted ? str_slice(text, str_find_char(text, '<'), text.n) : text;
}

/* Everything but structured data and, in RFC 5424, what follows it. */
static bool read_head(const struct format_reader *r, struct syslog *m)
{
    m->s = (struct scan){counted_text(r), 0};
    if (!read_priority(m))
        return false;
    if (m->priority == NO_PRIORITY || !str_starts(text_rest(&m->s), S("1 ")))
        return read_3164(&r->options, m);
    m->has_structure = true;
    return read_5424_head(m);
}

/* ---- structured data ---- */

struct param {
    str name, value;
};

/* "text" with \" \\ \] unescaped. */
static bool read_value(struct arena *tmp, struct scan *s, str *out)
{
    if (!text_char(s, '"'))
        return false;
    str rest = text_rest(s);
    char *p = arena_new(tmp, char, rest.n + 1);
    size_t n = 0, at = 0;

    for (; at < rest.n && rest.p[at] != '"'; at++) {
        if (rest.p[at] == '\\' && at + 1 < rest.n && text_is_among(rest.p[at + 1], S("\"\\]")))
            at++;
        p[n++] = rest.p[at];
    }
    s->at += at;
    *out = (str){p, n};
    return text_char(s, '"');
}

/* The name of an element or parameter: printable ASCII but '=', ']' and quotes. */
static str read_name(struct scan *s)
{
    str rest = text_rest(s);
    size_t n = 0;

    while (n < rest.n && rest.p[n] > ' ' && rest.p[n] < 0x7f &&
           !text_is_among(rest.p[n], S("=]\"")))
        n++;
    s->at += n;
    return str_slice(rest, 0, n);
}

/* A name may be given several times: then its values are an array. */
static void put_params(struct buf *out, const struct param *params, size_t count)
{
    json_open(out, '{');
    for (size_t i = 0; i < count; i++) {
        size_t times = 0, before = 0;

        for (size_t k = 0; k < count; k++) {
            bool same = str_eq(params[k].name, params[i].name);

            times += same;
            before += same && k < i;
        }
        if (before > 0)
            continue;
        json_key(out, params[i].name);
        if (times > 1)
            json_open(out, '[');
        for (size_t k = i; k < count; k++)
            if (str_eq(params[k].name, params[i].name))
                json_put_str(out, params[k].value);
        if (times > 1)
            json_close(out, ']');
    }
    json_close(out, '}');
}

/* The parameters of an element, to its "]". */
static bool read_params(struct arena *tmp, struct syslog *m, struct param *params,
                        size_t *out_count)
{
    for (*out_count = 0; text_char(&m->s, ' '); ++*out_count) {
        if (*out_count == PARAMS_MAX)
            return expected(m, m->s.at, "no more than 256 parameters");
        struct param *p = &params[*out_count];

        p->name = read_name(&m->s);
        if (p->name.n == 0 || !text_char(&m->s, '='))
            return expected(m, m->s.at, "a parameter like name=\"value\"");
        if (!read_value(tmp, &m->s, &p->value))
            return expected(m, m->s.at, "a value in quotes");
    }
    return text_char(&m->s, ']') || expected(m, m->s.at, "a ']' or a blank and a parameter");
}

static bool is_among(str s, const str *of, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(s, of[i]))
            return true;
    return false;
}

/* Reads "-" or elements "[id name="value" …]" and writes member "structured". */
static bool pass_structure(struct arena *tmp, struct syslog *m, struct buf *out)
{
    struct param *params = arena_new(tmp, struct param, PARAMS_MAX);
    str ids[ELEMENTS_MAX];
    size_t count = 0, param_count;

    if (text_char(&m->s, '-'))
        return true;
    json_key(out, S("structured"));
    json_open(out, '{');
    for (; text_char(&m->s, '['); count++) {
        size_t at = m->s.at;

        if (count == ELEMENTS_MAX)
            return expected(m, at, "no more than 64 elements");
        ids[count] = read_name(&m->s);
        if (ids[count].n == 0 || is_among(ids[count], ids, count))
            return expected(m, at, "the name of an element, once");
        if (!read_params(tmp, m, params, &param_count))
            return false;
        json_key(out, ids[count]);
        put_params(out, params, param_count);
    }
    json_close(out, '}');
    return count > 0 || expected(m, m->s.at, "structured data or -");
}

/* Behind structured data: nothing, or a blank and text that may begin with a BOM. */
static bool read_5424_message(struct syslog *m)
{
    if (m->s.at == m->s.s.n)
        return true;
    if (!text_char(&m->s, ' '))
        return expected(m, m->s.at, "a blank before the message");
    m->message = text_rest(&m->s);
    if (str_starts(m->message, S("\xEF\xBB\xBF")))
        m->message = str_slice(m->message, 3, m->message.n);
    return true;
}

/* ---- writing ---- */

static str facility_name(unsigned facility)
{
    static const str names[] = {
        STR_INIT("kern"),   STR_INIT("user"),   STR_INIT("mail"),     STR_INIT("daemon"),
        STR_INIT("auth"),   STR_INIT("syslog"), STR_INIT("lpr"),      STR_INIT("news"),
        STR_INIT("uucp"),   STR_INIT("cron"),   STR_INIT("authpriv"), STR_INIT("ftp"),
        STR_INIT("ntp"),    STR_INIT("audit"),  STR_INIT("alert"),    STR_INIT("clock"),
        STR_INIT("local0"), STR_INIT("local1"), STR_INIT("local2"),   STR_INIT("local3"),
        STR_INIT("local4"), STR_INIT("local5"), STR_INIT("local6"),   STR_INIT("local7"),
    };

    return names[facility];
}

static void open_event(struct format_reader *r, const struct syslog *m, struct buf *out)
{
    struct format_event e = {.time_us = m->time_us, .has_time = m->has_time};

    if (m->year > 0)
        e.attribute[EV_ID] = format_event_id(r, arena_printf(r->tmp, "%d", m->year));
    e.attribute[EV_SOURCE] = format_event_source(r, m->host, S("syslog"));
    e.attribute[EV_TYPE] =
        m->app.n > 0 ? arena_printf(r->tmp, "syslog.%.*s", STR_FMT(m->app)) : S("syslog");
    if (m->priority != NO_PRIORITY)
        e.attribute[EV_OUTCOME] = format_severity_outcome(m->priority % 8);
    format_event_open(r, out, &e);
}

static void put_head(const struct syslog *m, struct buf *out)
{
    const struct {
        str key, value;
    } texts[] = {
        {S("host"), m->host}, {S("app"), m->app}, {S("pid"), m->pid}, {S("msgid"), m->msgid}};

    if (m->priority != NO_PRIORITY) {
        json_member_str(out, S("facility"), facility_name(m->priority / 8));
        json_member_str(out, S("level"), format_severity_name(m->priority % 8));
    }
    for (size_t i = 0; i < COUNT(texts); i++)
        if (!str_is_null(texts[i].value))
            json_member_str(out, texts[i].key, texts[i].value);
}

static err syslog_record(struct ctx *cx, struct format_reader *r, struct buf *out,
                         struct format_item *item)
{
    struct syslog m = {.what = ""};

    (void)cx;
    if (r->frame.counted && !r->record.complete)
        return format_reject(r, item, S(""), "the input ends before the length that was announced");
    bool good = read_head(r, &m);

    if (good) {
        open_event(r, &m, out);
        json_open(out, '{');
        put_head(&m, out);
        good = !m.has_structure || (pass_structure(r->tmp, &m, out) && read_5424_message(&m));
    }
    if (!good)
        return format_reject_at(r, item, m.s.at, "expected %s", m.what);
    if (!str_is_null(m.message))
        json_member_str(out, S("message"), m.message);
    format_event_put_line(r, out);
    json_close(out, '}');
    return format_event_done(out, item);
}

/* ---- detection ---- */

static unsigned syslog_likeness(str head)
{
    str line = text_first_line(head), time = str_slice(line, 0, str_find_char(line, ' '));
    size_t at = 0;
    int64_t us;

    while (at < line.n && is_digit(line.p[at]))
        at++;
    if (at > 0 && str_starts(str_slice(line, at, line.n), S(" <")))
        line = str_slice(line, at + 1, line.n);
    if (line.n > 2 && line.p[0] == '<' && is_digit(line.p[1]))
        return str_find_char(line, '>') <= 4 ? 3 : 0;
    if (has_old_time(line))
        return 3;
    return time.n > 18 && time.n < line.n && time.p[10] == 'T' && time_parse(time, &us) ? 2 : 0;
}

static const char *const syslog_names[] = {"syslog",   "messages", "auth.log",
                                           "kern.log", "mail.log", "daemon.log",
                                           "user.log", "cron.log", NULL};

const struct format format_syslog = {
    .name = "syslog",
    .doc = "syslog: RFC 5424, RFC 3164, rsyslog's files; by lines or octet-counted",
    .file_names = syslog_names,
    .likeness = syslog_likeness,
    .cut = syslog_cut,
    .record = syslog_record,
};
