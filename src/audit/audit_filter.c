/* audit_filter.c - see audit_filter.h. */
#include "audit/audit_filter.h"
#include "base/clock.h"
#include "base/encode.h"
#include <endian.h>

enum { CURSOR_VERSION = 1, FILTER_BYTES_MAX = 64 * 1024 };

struct filter_param {
    const char *name; /* NULL ends the table */
    err (*take)(struct ctx *cx, struct filter *f, const struct filter_param *p, str value);
    enum attr attr;
    bool many; /* may be given more than once */
};

static err refuse(struct ctx *cx, const struct filter_param *p, const char *why)
{
    ctx_add_issue(cx, arena_printf(cx->mem, "/%s", p->name), "%s", why);
    return fail(cx, ERR_INVALID, "the parameter %s %s", p->name, why);
}

/* ---- one parameter ---- */

static err take_match(struct ctx *cx, struct filter *f, const struct filter_param *p, str value)
{
    struct query *q = &f->query;
    size_t star = str_find_char(value, '*');

    if (value.n == 0)
        return refuse(cx, p, "is empty");
    if (star + 1 < value.n)
        return refuse(cx, p, "may have a * only at its end");
    if (q->match_count == QUERY_MATCHES_MAX)
        return refuse(cx, p, "is one too many: a query compares at most 16 values");
    q->match[q->match_count++] = (struct query_match){
        .attr = p->attr, .value = str_slice(value, 0, star), .prefix = star < value.n};
    return ERR_OK;
}

static err take_from(struct ctx *cx, struct filter *f, const struct filter_param *p, str value)
{
    if (!time_parse(value, &f->query.from_us))
        return refuse(cx, p, "must be a time like 2026-11-20T08:15:30Z (RFC 3339)");
    return ERR_OK;
}

static err take_to(struct ctx *cx, struct filter *f, const struct filter_param *p, str value)
{
    if (!time_parse(value, &f->query.to_us))
        return refuse(cx, p, "must be a time like 2026-11-20T08:15:30Z (RFC 3339)");
    if (f->query.to_us == 0)
        f->query.to_us = -1; /* 0 would be an open end */
    return ERR_OK;
}

static err take_time(struct ctx *cx, struct filter *f, const struct filter_param *p, str value)
{
    bool sender = str_eq(value, S("time"));

    if (!sender && !str_eq(value, S("recorded")))
        return refuse(cx, p, "must be recorded or time");
    f->query.time = sender ? INDEX_TIME : INDEX_RECORDED;
    return ERR_OK;
}

static err take_text(struct ctx *cx, struct filter *f, const struct filter_param *p, str value)
{
    if (value.n == 0)
        return refuse(cx, p, "is empty");
    if (value.n > FILTER_TEXT_BYTES_MAX)
        return refuse(cx, p, "is longer than 256 bytes");
    f->query.text = value;
    return ERR_OK;
}

static err take_order(struct ctx *cx, struct filter *f, const struct filter_param *p, str value)
{
    f->query.oldest_first = str_eq(value, S("oldest"));
    if (!f->query.oldest_first && !str_eq(value, S("newest")))
        return refuse(cx, p, "must be newest or oldest");
    return ERR_OK;
}

static err take_limit(struct ctx *cx, struct filter *f, const struct filter_param *p, str value)
{
    if (!str_to_u64(value, &f->limit) || f->limit < 1 || f->limit > FILTER_LIMIT_MAX)
        return refuse(cx, p, "must be a number from 1 to 1000");
    return ERR_OK;
}

/* Stands last in the table: a cursor belongs to all that comes before it. */
static err take_cursor(struct ctx *cx, struct filter *f, const struct filter_param *p, str value)
{
    CLEANUP(buf_close) struct buf scope = BUF(FILTER_BYTES_MAX);

    (void)p;
    filter_put(&scope, f);
    TRY(buf_check(cx, &scope, "the filter"));
    return cursor_read(cx, buf_str(&scope), value, &f->query.begin, &f->query.end);
}

/* clang-format off */
static const struct filter_param params[] = {
#define MATCH(name, attr, doc, example) {#name, take_match, attr, true},
#define RANGE(name, take, kind, doc, example) {#name, take, ATTR_COUNT, false},
#define TEXT(name, take, kind, doc, example) {#name, take, ATTR_COUNT, false},
#define PAGE(name, take, kind, doc, example) {#name, take, ATTR_COUNT, false},
#include "audit/audit_filter.def"
    {0},
};
/* clang-format on */

/* ---- all of them ---- */

static err take_all(struct ctx *cx, struct filter *f, const struct filter_param *p,
                    filter_lookup *lookup, const void *state)
{
    str value = lookup(state, p->name, 0);

    for (size_t nth = 0; !str_is_null(value); value = lookup(state, p->name, ++nth)) {
        if (nth && !p->many)
            return refuse(cx, p, "is given twice");
        if (!str_is_utf8(value))
            return refuse(cx, p, "is not UTF-8");
        TRY(p->take(cx, f, p, value));
    }
    return ERR_OK;
}

err filter_parse(struct ctx *cx, filter_lookup *lookup, const void *state, struct filter *out)
{
    struct filter f = {.query = {.end = UINT64_MAX, .text = STR_NULL}, .limit = FILTER_LIMIT};

    for (const struct filter_param *p = params; p->name; p++)
        TRY(take_all(cx, &f, p, lookup, state));
    if (f.query.from_us && f.query.to_us && f.query.from_us >= f.query.to_us) {
        ctx_add_issue(cx, S("/from"), "must be before the parameter to");
        return fail(cx, ERR_INVALID, "the parameter from must be before the parameter to");
    }
    *out = f;
    return ERR_OK;
}

static void put_member(struct buf *b, const char *name, str value, bool prefix)
{
    if (b->n)
        buf_put_char(b, '&');
    buf_put(b, str_from(name));
    buf_put_char(b, '=');
    percent_put(b, value);
    if (prefix)
        buf_put_char(b, '*');
}

static void put_time(struct buf *b, const char *name, int64_t us)
{
    char text[TIME_TEXT_SIZE];

    if (us == 0)
        return;
    time_format(us, text);
    put_member(b, name, str_from(text), false);
}

void filter_put(struct buf *b, const struct filter *f)
{
    const struct query *q = &f->query;

    for (size_t i = 0; i < q->match_count; i++)
        put_member(b, attr_names[q->match[i].attr], q->match[i].value, q->match[i].prefix);
    put_time(b, "from", q->from_us);
    put_time(b, "to", q->to_us);
    if (q->time == INDEX_TIME)
        put_member(b, "time", S("time"), false);
    if (!str_is_null(q->text))
        put_member(b, "q", q->text, false);
    if (q->oldest_first)
        put_member(b, "order", S("oldest"), false);
}

struct query filter_keep(struct arena *mem, const struct query *q)
{
    struct query kept = *q;

    for (size_t i = 0; i < q->match_count; i++)
        kept.match[i].value = arena_str(mem, q->match[i].value);
    if (!str_is_null(q->text))
        kept.text = arena_str(mem, q->text);
    return kept;
}

/* ---- cursors ---- */

struct __attribute__((packed)) cursor {
    uint8_t version;
    uint64_t begin, end;   /* big-endian, as all that follows */
    uint32_t scope, check; /* of the list; of the bytes before it */
};

static uint32_t cursor_check(const struct cursor *c)
{
    return (uint32_t)entry_value_hash((str){(const char *)c, offsetof(struct cursor, check)});
}

str cursor_make(struct ctx *cx, str scope, uint64_t begin, uint64_t end)
{
    CLEANUP(buf_close) struct buf text = BUF(2 * BASE64_BYTES(sizeof(struct cursor)));
    struct cursor c = {.version = CURSOR_VERSION,
                       .begin = htobe64(begin),
                       .end = htobe64(end),
                       .scope = htobe32((uint32_t)entry_value_hash(scope))};

    c.check = htobe32(cursor_check(&c));
    base64url_put(&text, &c, sizeof c);
    return arena_str(cx->mem, buf_str(&text));
}

err cursor_read(struct ctx *cx, str scope, str cursor, uint64_t *out_begin, uint64_t *out_end)
{
    static const struct filter_param param = {.name = "cursor"};
    struct cursor c;
    size_t n;

    if (!base64url_decode(cursor, &c, sizeof c, &n) || n != sizeof c ||
        c.version != CURSOR_VERSION || be32toh(c.check) != cursor_check(&c))
        return refuse(cx, &param, "is not one that was given out here");
    if (be32toh(c.scope) != (uint32_t)entry_value_hash(scope))
        return refuse(cx, &param, "belongs to another query");
    *out_begin = be64toh(c.begin);
    *out_end = be64toh(c.end);
    return ERR_OK;
}

str filter_next(struct ctx *cx, const struct filter *f, const struct query_end *end)
{
    CLEANUP(buf_close) struct buf scope = BUF(FILTER_BYTES_MAX);
    const struct query *q = &f->query;

    if (end->complete)
        return STR_NULL;
    filter_put(&scope, f);
    return q->oldest_first ? cursor_make(cx, buf_str(&scope), end->next, q->end)
                           : cursor_make(cx, buf_str(&scope), q->begin, end->next);
}
