/* shape.c - decoding: JSON into structs by field tables, gathering every wrong place. */
#include "base/shape.h"
#include "base/clock.h"
#include "base/json_write.h"
#include <stdlib.h>

/* Where we are: the pointer grows and shrinks as the decoder walks. */
struct decoder {
    struct ctx *cx;
    struct buf pointer;
};

static void decode_object(struct decoder *d, const struct shape *shape, struct json v, void *out);

static void push(struct decoder *d, str token)
{
    buf_put_char(&d->pointer, '/');
    for (size_t i = 0; i < token.n; i++) {
        if (token.p[i] == '~')
            buf_put(&d->pointer, S("~0"));
        else if (token.p[i] == '/')
            buf_put(&d->pointer, S("~1"));
        else
            buf_put_char(&d->pointer, token.p[i]);
    }
}

static void pop(struct decoder *d, size_t length)
{
    d->pointer.n = length;
    d->pointer.failed = false;
}

static void *at(void *object, const struct field *f)
{
    return (char *)object + f->offset;
}

static const void *at_const(const void *object, const struct field *f)
{
    return (const char *)object + f->offset;
}

static bool in_bounds(const struct field *f, int64_t v)
{
    return (f->min == 0 && f->max == 0) || (v >= f->min && v <= f->max);
}

#define ISSUE(d, ...) ctx_add_issue((d)->cx, buf_str(&(d)->pointer), __VA_ARGS__)

static void decode_str(struct decoder *d, const struct field *f, struct json v, void *to)
{
    if (json_kind(v) != JSON_STRING) {
        ISSUE(d, "must be a string");
        return;
    }
    str s = json_str(v);
    if (!in_bounds(f, (int64_t)s.n)) {
        ISSUE(d, "must have %lld to %lld bytes", (long long)f->min, (long long)f->max);
        return;
    }
    bool allowed = !f->choices;
    for (const char *const *c = f->choices; c && *c; c++)
        allowed = allowed || str_eq(s, str_from(*c));
    if (!allowed) {
        struct buf list = BUF(CTX_DETAIL_BYTES);
        for (const char *const *c = f->choices; *c; c++)
            buf_printf(&list, "%s%s", list.n ? ", " : "", *c);
        ISSUE(d, "must be one of: %.*s", STR_FMT(buf_str(&list)));
        buf_close(&list);
        return;
    }
    char *copy = arena_try(d->cx->mem, char, s.n + 1);
    if (!copy) {
        ISSUE(d, "is too large");
        return;
    }
    if (s.n)
        memcpy(copy, s.p, s.n);
    *(str *)to = (str){copy, s.n};
}

static void decode_i64(struct decoder *d, const struct field *f, struct json v, void *to)
{
    int64_t i;

    if (!json_to_i64(v, &i))
        ISSUE(d, "must be a whole number");
    else if (!in_bounds(f, i))
        ISSUE(d, "must be between %lld and %lld", (long long)f->min, (long long)f->max);
    else
        *(int64_t *)to = i;
}

static void decode_u64(struct decoder *d, const struct field *f, struct json v, void *to)
{
    uint64_t u;

    if (!json_to_u64(v, &u))
        ISSUE(d, "must be a whole number from 0 up");
    else if (f->max && (u > (uint64_t)f->max || u < (uint64_t)f->min))
        ISSUE(d, "must be between %lld and %lld", (long long)f->min, (long long)f->max);
    else
        *(uint64_t *)to = u;
}

static void decode_double(struct decoder *d, const struct field *f, struct json v, void *to)
{
    double x;

    if (!json_to_double(v, &x))
        ISSUE(d, "must be a number");
    else if ((f->min || f->max) && (x < (double)f->min || x > (double)f->max))
        ISSUE(d, "must be between %lld and %lld", (long long)f->min, (long long)f->max);
    else
        *(double *)to = x;
}

static void decode_bool(struct decoder *d, const struct field *f, struct json v, void *to)
{
    (void)f;
    if (!json_to_bool(v, to))
        ISSUE(d, "must be true or false");
}

static void decode_time(struct decoder *d, const struct field *f, struct json v, void *to)
{
    (void)f;
    if (json_kind(v) != JSON_STRING || !time_parse(json_str(v), to))
        ISSUE(d, "must be a time like 2026-11-20T08:15:30Z (RFC 3339)");
}

static void decode_raw(struct decoder *d, const struct field *f, struct json v, void *to)
{
    struct buf b = BUF(f->max ? (size_t)f->max : 1 << 20);

    json_put_value(&b, v);
    if (buf_ok(&b))
        *(str *)to = arena_str(d->cx->mem, buf_str(&b));
    else
        ISSUE(d, "is larger than %zu bytes", b.max);
    buf_close(&b);
}

static size_t element_count(struct json v)
{
    size_t n = 0;

    for (struct json_iter it = json_iter(v); json_next(&it);)
        n++;
    return n;
}

/* Checks the array and gives zeroed room for its elements; NULL if there is nothing to decode. */
static void *array_room(struct decoder *d, const struct field *f, struct json v, size_t bytes,
                        size_t *out_n)
{
    if (json_kind(v) != JSON_ARRAY) {
        ISSUE(d, "must be an array");
        return NULL;
    }
    size_t n = element_count(v);
    if (!in_bounds(f, (int64_t)n)) {
        ISSUE(d, "must have %lld to %lld elements", (long long)f->min, (long long)f->max);
        return NULL;
    }
    void *room = arena_try_alloc(d->cx->mem, bytes, n ? n : 1);
    if (!room)
        ISSUE(d, "is too large");
    *out_n = n;
    return room;
}

static void push_index(struct decoder *d, size_t i)
{
    buf_put_char(&d->pointer, '/');
    buf_put_u64(&d->pointer, i);
}

static void decode_strs(struct decoder *d, const struct field *f, struct json v, void *to)
{
    static const struct field element = {.kind = F_STR};
    struct field one = element;
    size_t i = 0, n, length = d->pointer.n;
    str *items = array_room(d, f, v, sizeof *items, &n);

    if (!items)
        return;
    one.choices = f->choices;
    for (struct json_iter it = json_iter(v); json_next(&it); i++) {
        push_index(d, i);
        decode_str(d, &one, it.value, &items[i]);
        pop(d, length);
    }
    *(struct strs *)to = (struct strs){items, n};
}

static void decode_list(struct decoder *d, const struct field *f, struct json v, void *to)
{
    size_t i = 0, n, length = d->pointer.n;
    char *items = array_room(d, f, v, f->sub->bytes, &n);

    if (!items)
        return;
    for (struct json_iter it = json_iter(v); json_next(&it); i++) {
        push_index(d, i);
        decode_object(d, f->sub, it.value, items + i * f->sub->bytes);
        pop(d, length);
    }
    *(struct list *)to = (struct list){items, n};
}

static void decode_sub(struct decoder *d, const struct field *f, struct json v, void *to)
{
    decode_object(d, f->sub, v, to);
}

static void (*const decoders[])(struct decoder *, const struct field *, struct json, void *) = {
    [F_STR] = decode_str,       [F_I64] = decode_i64,   [F_U64] = decode_u64,
    [F_DOUBLE] = decode_double, [F_BOOL] = decode_bool, [F_TIME] = decode_time,
    [F_STRS] = decode_strs,     [F_RAW] = decode_raw,   [F_OBJECT] = decode_sub,
    [F_LIST] = decode_list,
};

static const struct field *find(const struct shape *shape, str name)
{
    for (size_t i = 0; i < shape->count; i++)
        if (str_eq(str_from(shape->fields[i].name), name))
            return &shape->fields[i];
    return NULL;
}

static void decode_object(struct decoder *d, const struct shape *shape, struct json v, void *out)
{
    size_t length = d->pointer.n;
    struct json member;

    if (json_kind(v) != JSON_OBJECT) {
        ISSUE(d, "must be an object");
        return;
    }
    for (struct json_iter it = json_iter(v); json_next(&it);) {
        const struct field *f = find(shape, it.key);
        push(d, it.key);
        if (!f)
            ISSUE(d, "there is no such member");
        else if (f->flags & F_READ_ONLY)
            ISSUE(d, "is set by the server");
        else if (json_kind(it.value) != JSON_NULL)
            decoders[f->kind](d, f, it.value, at(out, f));
        pop(d, length);
    }
    for (size_t i = 0; i < shape->count; i++) {
        const struct field *f = &shape->fields[i];
        bool given = json_get(v, str_from(f->name), &member) && json_kind(member) != JSON_NULL;
        if (!(f->flags & F_REQUIRED) || (f->flags & F_READ_ONLY) || given)
            continue;
        push(d, str_from(f->name));
        ISSUE(d, "is required");
        pop(d, length);
    }
}

err shape_decode(struct ctx *cx, const struct shape *shape, struct json v, void *out)
{
    struct decoder d = {cx, BUF(CTX_DETAIL_BYTES)};

    memset(out, 0, shape->bytes);
    decode_object(&d, shape, v, out);
    buf_close(&d.pointer);
    if (cx->issue_count == 0)
        return ERR_OK;
    const struct issue *first = &cx->issues[0];
    return fail(cx, ERR_INVALID, "%.*s %.*s", STR_FMT(first->pointer.n ? first->pointer : S("it")),
                STR_FMT(first->detail));
}

err shape_read(struct ctx *cx, const struct shape *shape, str text, void *out)
{
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    struct json v;

    TRY(json_parse(cx, p, text, &v));
    return shape_decode(cx, shape, v, out);
}

static bool is_absent(const struct field *f, const void *v)
{
    switch (f->kind) {
    case F_STR:
    case F_RAW:
        return str_is_null(*(const str *)v);
    case F_TIME:
        return *(const int64_t *)v == 0;
    case F_I64:
    case F_U64:
    case F_DOUBLE:
    case F_BOOL:
    case F_STRS:
    case F_OBJECT:
    case F_LIST:
        return false;
    }
    return false;
}

static void encode_list(struct buf *b, const struct field *f, const void *v)
{
    const struct list *list = v;

    json_open(b, '[');
    for (size_t i = 0; i < list->count; i++)
        shape_encode(b, f->sub, (const char *)list->items + i * f->sub->bytes);
    json_close(b, ']');
}

static void encode_strs(struct buf *b, const struct strs *list)
{
    json_open(b, '[');
    for (size_t i = 0; i < list->count; i++)
        json_put_str(b, list->items[i]);
    json_close(b, ']');
}

static void encode_value(struct buf *b, const struct field *f, const void *v)
{
    switch (f->kind) {
    case F_STR:
        json_put_str(b, *(const str *)v);
        break;
    case F_I64:
        json_put_i64(b, *(const int64_t *)v);
        break;
    case F_U64:
        json_put_u64(b, *(const uint64_t *)v);
        break;
    case F_DOUBLE:
        json_put_double(b, *(const double *)v);
        break;
    case F_BOOL:
        json_put_bool(b, *(const bool *)v);
        break;
    case F_TIME:
        json_put_time(b, *(const int64_t *)v);
        break;
    case F_STRS:
        encode_strs(b, v);
        break;
    case F_RAW:
        json_put_raw(b, *(const str *)v);
        break;
    case F_OBJECT:
        shape_encode(b, f->sub, v);
        break;
    case F_LIST:
        encode_list(b, f, v);
        break;
    }
}

void shape_encode(struct buf *b, const struct shape *shape, const void *in)
{
    json_open(b, '{');
    for (size_t i = 0; i < shape->count; i++) {
        const struct field *f = &shape->fields[i];
        const void *v = at_const(in, f);
        bool absent = is_absent(f, v);
        if ((f->flags & F_WRITE_ONLY) || (absent && !(f->flags & F_NULLABLE)))
            continue;
        json_key(b, str_from(f->name));
        if (absent)
            json_put_null(b);
        else
            encode_value(b, f, v);
    }
    json_close(b, '}');
}

void csv_cell_put(struct buf *b, str s)
{
    bool formula = s.n && (strchr("=+-@", s.p[0]) || (unsigned char)s.p[0] < 0x20);
    bool quote = formula || memchr(s.p ? s.p : "", '"', s.n) || memchr(s.p ? s.p : "", ',', s.n) ||
                 memchr(s.p ? s.p : "", '\n', s.n) || memchr(s.p ? s.p : "", '\r', s.n);

    if (!quote) {
        buf_put(b, s);
        return;
    }
    buf_put(b, formula ? S("\"'") : S("\""));
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            buf_put_char(b, '"');
        buf_put_char(b, s.p[i]);
    }
    buf_put_char(b, '"');
}

void shape_csv_header(struct buf *b, const struct shape *shape)
{
    bool first = true;

    for (size_t i = 0; i < shape->count; i++) {
        if (shape->fields[i].flags & F_WRITE_ONLY)
            continue;
        if (!first)
            buf_put_char(b, ',');
        first = false;
        csv_cell_put(b, str_from(shape->fields[i].name));
    }
    buf_put(b, S("\r\n"));
}

void shape_csv_row(struct buf *b, const struct shape *shape, const void *in)
{
    struct buf cell = BUF(b->max);
    bool first = true;

    for (size_t i = 0; i < shape->count; i++) {
        const struct field *f = &shape->fields[i];
        const void *v = at_const(in, f);
        if (f->flags & F_WRITE_ONLY)
            continue;
        if (!first)
            buf_put_char(b, ',');
        first = false;
        if (is_absent(f, v))
            continue;
        buf_clear(&cell);
        if (f->kind == F_STR)
            buf_put(&cell, *(const str *)v);
        else
            encode_value(&cell, f, v);
        str text = buf_str(&cell);
        if (f->kind == F_TIME)
            text = str_slice(text, 1, text.n - 1);
        if (f->kind == F_I64 || f->kind == F_DOUBLE)
            buf_put(b, text); /* a minus sign of a number is no formula */
        else
            csv_cell_put(b, text);
    }
    buf_put(b, S("\r\n"));
    b->failed = b->failed || cell.failed;
    buf_close(&cell);
}
