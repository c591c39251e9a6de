/* format_journald.c - the systemd journal as `journalctl -o json` prints it.
 *
 * One object a line.  Values are strings; arrays of bytes where they are binary or hold control
 * characters; arrays of strings where a field was given several times; null where they were too
 * large to print.  `data` keeps every field under its name; byte arrays that are UTF-8 become
 * strings so that they can be read and searched. */
#include "audit/format_reader.h"

enum field {
    J_CURSOR,
    J_TIME,
    J_HOSTNAME,
    J_UNIT,
    J_IDENTIFIER,
    J_TRANSPORT,
    J_PRIORITY,
    J_LOGINUID,
    J_UID,
    J_AUDIT_SESSION,
    J_SESSION,
    J_COUNT,
};

static const str field_names[J_COUNT] = {
    [J_CURSOR] = STR_INIT("__CURSOR"),
    [J_TIME] = STR_INIT("__REALTIME_TIMESTAMP"),
    [J_HOSTNAME] = STR_INIT("_HOSTNAME"),
    [J_UNIT] = STR_INIT("_SYSTEMD_UNIT"),
    [J_IDENTIFIER] = STR_INIT("SYSLOG_IDENTIFIER"),
    [J_TRANSPORT] = STR_INIT("_TRANSPORT"),
    [J_PRIORITY] = STR_INIT("PRIORITY"),
    [J_LOGINUID] = STR_INIT("_AUDIT_LOGINUID"),
    [J_UID] = STR_INIT("_UID"),
    [J_AUDIT_SESSION] = STR_INIT("_AUDIT_SESSION"),
    [J_SESSION] = STR_INIT("_SYSTEMD_SESSION"),
};

/* The bytes of an array of numbers below 256; null if it is anything else. */
static str bytes_of(struct arena *tmp, struct json array)
{
    size_t n = 0;
    uint64_t byte;

    for (struct json_iter it = json_iter(array); json_next(&it); n++)
        if (!json_to_u64(it.value, &byte) || byte > 255)
            return STR_NULL;
    char *p = arena_new(tmp, char, n + 1);

    n = 0;
    for (struct json_iter it = json_iter(array); json_next(&it);)
        if (json_to_u64(it.value, &byte))
            p[n++] = (char)byte;
    return (str){p, n};
}

/* The text of a field, of its first value if it has several; null if it has none. */
static str field_text(struct arena *tmp, struct json v)
{
    if (json_kind(v) != JSON_ARRAY)
        return json_str(v);
    struct json_iter it = json_iter(v);

    if (json_next(&it) && json_kind(it.value) == JSON_STRING)
        return json_str(it.value);
    return bytes_of(tmp, v);
}

static void look(struct format_reader *r, struct json object, str *fields)
{
    for (struct json_iter it = json_iter(object); json_next(&it);)
        for (unsigned i = 0; i < J_COUNT; i++)
            if (str_eq(it.key, field_names[i]))
                fields[i] = field_text(r->tmp, it.value);
}

/* A login uid or session that was never set is 2^32 - 1. */
static bool is_set(str s)
{
    return s.n > 0 && !str_eq(s, S("4294967295"));
}

static str one_of(str a, str b)
{
    return a.n > 0 ? a : b;
}

static struct format_event event_of(struct format_reader *r, const str *f, unsigned priority)
{
    struct arena *tmp = r->tmp;
    str tag = one_of(one_of(f[J_IDENTIFIER], f[J_TRANSPORT]), S("journal"));
    str uid = is_set(f[J_LOGINUID]) ? f[J_LOGINUID] : f[J_UID];
    str session = is_set(f[J_AUDIT_SESSION]) ? f[J_AUDIT_SESSION] : f[J_SESSION];
    struct format_event e = {.has_time = true};

    e.attribute[EV_ID] = f[J_CURSOR];
    e.attribute[EV_SOURCE] = format_event_source(r, f[J_HOSTNAME], one_of(f[J_UNIT], tag));
    e.attribute[EV_TYPE] = arena_printf(tmp, "journald.%.*s", STR_FMT(tag));
    if (f[J_UNIT].n > 0)
        e.attribute[EV_SUBJECT] = arena_printf(tmp, "unit/%.*s", STR_FMT(f[J_UNIT]));
    if (is_set(uid))
        e.attribute[EV_ACTOR] = arena_printf(tmp, "uid/%.*s", STR_FMT(uid));
    e.attribute[EV_OUTCOME] = format_severity_outcome(priority);
    e.attribute[EV_SESSIONID] = session;
    return e;
}

/* Fields of the journal are in capitals; should there be a `level` all the same, it stays. */
static void put_fields(struct format_reader *r, struct json object, str level, struct buf *out)
{
    struct json given;

    json_open(out, '{');
    if (level.n > 0 && !json_get(object, S("level"), &given))
        json_member_str(out, S("level"), level);
    for (struct json_iter it = json_iter(object); json_next(&it);) {
        str bytes = json_kind(it.value) == JSON_ARRAY ? bytes_of(r->tmp, it.value) : STR_NULL;

        json_key(out, it.key);
        if (bytes.n > 0 && str_is_utf8(bytes))
            json_put_str(out, bytes);
        else
            json_put_value(out, it.value);
    }
    json_close(out, '}');
}

static err journald_record(struct ctx *cx, struct format_reader *r, struct buf *out,
                           struct format_item *item)
{
    enum { NO_PRIORITY = 8 };
    str fields[J_COUNT] = {{0}};
    struct json object;
    uint64_t us, priority;

    if (!format_parse_object(cx, r, item, &object))
        return ERR_OK;
    look(r, object, fields);
    if (!str_to_u64(fields[J_TIME], &us) || us > INT64_MAX)
        return format_reject(r, item, S("/__REALTIME_TIMESTAMP"),
                             fields[J_TIME].n > 0 ? "it must be microseconds since 1970"
                                                  : "every journal entry has this member");
    if (!str_to_u64(fields[J_PRIORITY], &priority) || priority >= NO_PRIORITY)
        priority = NO_PRIORITY;
    struct format_event e = event_of(r, fields, (unsigned)priority);

    e.time_us = (int64_t)us;
    format_event_open(r, out, &e);
    put_fields(r, object, format_severity_name((unsigned)priority), out);
    return format_event_done(out, item);
}

static unsigned journald_likeness(str head)
{
    str line = text_first_line(head);

    return str_starts(line, S("{")) && text_holds(line, S("\"__REALTIME_TIMESTAMP\"")) ? 3 : 0;
}

static const char *const journald_names[] = {"journal", NULL};

const struct format format_journald = {
    .name = "journald",
    .doc = "the systemd journal, as journalctl -o json prints it",
    .file_names = journald_names,
    .likeness = journald_likeness,
    .record = journald_record,
};
