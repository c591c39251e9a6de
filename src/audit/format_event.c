/* format_event.c - what formats have in common when they write events and refuse records. */
#include "audit/format_reader.h"
#include "base/encode.h"
#include <stdarg.h>

const char *const format_attribute_names[EV_COUNT] = {
    [EV_ID] = "id",           [EV_SOURCE] = "source",     [EV_TYPE] = "type",
    [EV_SUBJECT] = "subject", [EV_TIME] = "time",         [EV_ACTOR] = "actor",
    [EV_OUTCOME] = "outcome", [EV_REMOTEIP] = "remoteip", [EV_SESSIONID] = "sessionid",
};

/* ---- events ---- */

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* CloudEvents forbids control characters in attributes (section "Type System"). */
static str without_controls(struct arena *tmp, str s)
{
    static const char replacement[] = {'\xEF', '\xBF', '\xBD'}; /* U+FFFD */
    size_t bad = 0, n = 0;

    for (size_t i = 0; i < s.n; i++)
        bad += is_control(s.p[i]);
    if (bad == 0)
        return s;
    char *p = arena_new(tmp, char, s.n + 2 * bad);

    for (size_t i = 0; i < s.n; i++) {
        if (is_control(s.p[i])) {
            memcpy(p + n, replacement, sizeof replacement);
            n += sizeof replacement;
        } else {
            p[n++] = s.p[i];
        }
    }
    return (str){p, n};
}

void format_event_open(struct format_reader *r, struct buf *out, const struct format_event *e)
{
    json_open(out, '{');
    json_member_str(out, S("specversion"), S("1.0"));
    for (unsigned i = 0; i < EV_COUNT; i++) {
        str value = e->attribute[i];

        if (i == EV_ID && value.n == 0)
            value = format_event_id(r, STR_NULL);
        if (i == EV_TIME && e->has_time)
            json_member_time(out, S("time"), e->time_us);
        if (value.n > 0)
            json_member_str(out, str_from(format_attribute_names[i]),
                            without_controls(r->tmp, value));
    }
    json_key(out, S("data"));
}

err format_event_done(struct buf *out, struct format_item *item)
{
    json_close(out, '}');
    item->kind = FORMAT_EVENT;
    return ERR_OK;
}

void format_put_line(struct buf *out, str line)
{
    if (str_is_utf8(line)) {
        json_put_str(out, line);
        return;
    }
    json_open(out, '{');
    json_key(out, S("base64"));
    buf_put_char(out, '"');
    base64_put(out, line.p, line.n);
    buf_put_char(out, '"');
    json_close(out, '}');
}

void format_event_put_line(const struct format_reader *r, struct buf *out)
{
    if (r->lean)
        return;
    json_key(out, S("line"));
    format_put_line(out, r->record.text);
}

/* A path segment (RFC 3986 section 3.3). */
static void put_segment(struct buf *b, str s)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

        if (plain || (c != 0 && strchr("-._~!$&'()*+,;=:@", c))) {
            buf_put_char(b, (char)c);
        } else {
            buf_put_char(b, '%');
            buf_put_char(b, hex[c >> 4]);
            buf_put_char(b, hex[c & 15]);
        }
    }
}

str format_event_source(struct format_reader *r, str host, str name)
{
    struct buf *b = &r->source_text;

    if (r->options.source.n > 0)
        return r->options.source;
    buf_clear(b);
    buf_put(b, S("/host/"));
    put_segment(b, host.n > 0 ? host : r->options.host);
    buf_put_char(b, '/');
    put_segment(b, name);
    return buf_str(b);
}

str format_severity_name(unsigned severity)
{
    static const str names[] = {STR_INIT("emerg"), STR_INIT("alert"),   STR_INIT("crit"),
                                STR_INIT("err"),   STR_INIT("warning"), STR_INIT("notice"),
                                STR_INIT("info"),  STR_INIT("debug")};

    return severity < COUNT(names) ? names[severity] : STR_NULL;
}

str format_severity_outcome(unsigned severity)
{
    return severity <= 3 ? S("failure") : STR_NULL;
}

/* ---- rejections ---- */

static err reject(struct format_item *item, str pointer, str detail)
{
    item->kind = FORMAT_REJECTED;
    item->pointer = pointer;
    item->detail = detail;
    return ERR_OK;
}

err format_reject(struct format_reader *r, struct format_item *item, str pointer, const char *fmt,
                  ...)
{
    va_list ap;

    va_start(ap, fmt);
    str detail = arena_vprintf(r->tmp, fmt, ap);
    va_end(ap);
    return reject(item, pointer, detail);
}

err format_reject_at(struct format_reader *r, struct format_item *item, size_t at, const char *fmt,
                     ...)
{
    va_list ap;

    va_start(ap, fmt);
    str what = arena_vprintf(r->tmp, fmt, ap);
    va_end(ap);
    return reject(item, S(""), arena_printf(r->tmp, "column %zu: %.*s", at + 1, STR_FMT(what)));
}

str format_pointer(const struct format_reader *r, str member)
{
    char *p = arena_new(r->tmp, char, 2 * member.n + 1);
    size_t n = 0;

    p[n++] = '/';
    for (size_t i = 0; i < member.n; i++) {
        bool escape = member.p[i] == '~' || member.p[i] == '/';

        if (escape)
            p[n++] = '~';
        p[n++] = !escape ? member.p[i] : member.p[i] == '~' ? '0' : '1';
    }
    return (str){p, n};
}

bool format_parse_object(struct ctx *cx, struct format_reader *r, struct format_item *item,
                         struct json *out)
{
    str text = r->record.text;
    err e = r->record.padded ? json_parse_padded(cx, r->json, text, out)
                             : json_parse(cx, r->json, text, out);

    if (e != ERR_OK) {
        err_ignore(format_reject(r, item, S(""), "%s", cx->detail));
        ctx_clear_error(cx);
        return false;
    }
    if (json_kind(*out) != JSON_OBJECT) {
        err_ignore(format_reject(r, item, S(""), "it must be a JSON object"));
        return false;
    }
    return true;
}
