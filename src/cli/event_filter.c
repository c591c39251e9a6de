/* event_filter.c - see event_filter.h. */
#include "cli/event_filter.h"
#include "base/clock.h"
#include "base/encode.h"

void query_put(struct buf *b, str name, str value)
{
    if (b->n && b->p[b->n - 1] != '?')
        buf_put_char(b, '&');
    buf_put(b, name);
    buf_put_char(b, '=');
    percent_put(b, value);
}

static void put_match(struct buf *b, const char *name, struct strs values)
{
    for (size_t i = 0; i < values.count; i++)
        query_put(b, str_from(name), values.items[i]);
}

/* A time as it is, or so long ago. */
static err put_time(struct ctx *cx, struct buf *b, const char *name, str value, int64_t now_us)
{
    char text[TIME_TEXT_SIZE];
    int64_t us, ns;

    if (time_parse(value, &us)) {
        query_put(b, str_from(name), value);
        return ERR_OK;
    }
    if (!duration_parse(value, &ns))
        return fail(cx, ERR_USAGE,
                    "--%s is '%.*s' but must be a time like 2026-11-20T08:15:30Z, or a duration "
                    "ago like 15m",
                    name, STR_FMT(value));
    time_format(now_us - ns / 1000, text);
    query_put(b, str_from(name), str_from(text));
    return ERR_OK;
}

static err put_range(struct ctx *cx, struct buf *b, const char *name, str value, bool is_time,
                     int64_t now_us)
{
    if (str_is_null(value))
        return ERR_OK;
    if (is_time)
        return put_time(cx, b, name, value, now_us);
    query_put(b, str_from(name), value);
    return ERR_OK;
}

err event_filter_put(struct ctx *cx, struct buf *b, const struct event_filter *f, int64_t now_us)
{
#define MATCH(name, attr, help, example) put_match(b, #name, f->name);
#define RANGE(name, take, kind, help, example)                                                     \
    TRY(put_range(cx, b, #name, f->name, (kind) == F_TIME, now_us));
#define TEXT(name, take, kind, help, example) TRY(put_range(cx, b, #name, f->name, false, now_us));
#include "audit/audit_filter.def"
    return buf_check(cx, b, "the filter");
}
