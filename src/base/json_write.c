/* json_write.c - see json_write.h. */
#include "base/json_write.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>

static void separate(struct buf *b)
{
    if (b->n && !memchr("{[:,\n", b->p[b->n - 1], 5))
        buf_put_char(b, ',');
}

void json_open(struct buf *b, char bracket)
{
    separate(b);
    buf_put_char(b, bracket);
}

void json_close(struct buf *b, char bracket)
{
    buf_put_char(b, bracket);
}

static void put_escaped(struct buf *b, unsigned char c)
{
    static const char short_forms[] = "\bb\tt\nn\ff\rr\"\"\\\\";

    for (const char *f = short_forms; *f; f += 2) {
        if ((unsigned char)*f == c) {
            char pair[2] = {'\\', f[1]};
            buf_put(b, (str){pair, 2});
            return;
        }
    }
    buf_printf(b, "\\u%04x", c);
}

/* `s` is well-formed UTF-8. */
static void put_clean(struct buf *b, str s)
{
    size_t from = 0;

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7F)
            continue;
        buf_put(b, str_slice(s, from, i));
        put_escaped(b, c);
        from = i + 1;
    }
    buf_put(b, str_slice(s, from, s.n));
}

static void put_quoted(struct buf *b, str s)
{
    buf_put_char(b, '"');
    while (s.n) {
        size_t good = str_utf8_prefix(s);
        put_clean(b, str_slice(s, 0, good));
        s = str_slice(s, good, s.n);
        if (s.n) {
            buf_put(b, S("\xEF\xBF\xBD"));
            s = str_slice(s, 1, s.n);
        }
    }
    buf_put_char(b, '"');
}

void json_key(struct buf *b, str key)
{
    separate(b);
    put_quoted(b, key);
    buf_put_char(b, ':');
}

void json_put_str(struct buf *b, str s)
{
    separate(b);
    if (str_is_null(s))
        buf_put(b, S("null"));
    else
        put_quoted(b, s);
}

void json_put_u64(struct buf *b, uint64_t v)
{
    separate(b);
    buf_put_u64(b, v);
}

void json_put_i64(struct buf *b, int64_t v)
{
    separate(b);
    buf_put_i64(b, v);
}

void json_put_double(struct buf *b, double v)
{
    char text[40];

    separate(b);
    if (v - v != 0.0) {
        buf_put(b, S("null"));
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_put(b, str_from(text));
}

void json_put_bool(struct buf *b, bool v)
{
    separate(b);
    buf_put(b, v ? S("true") : S("false"));
}

void json_put_null(struct buf *b)
{
    separate(b);
    buf_put(b, S("null"));
}

void json_put_time(struct buf *b, int64_t us)
{
    char text[TIME_TEXT_SIZE];

    time_format(us, text);
    json_put_str(b, (str){text, TIME_TEXT_BYTES});
}

void json_put_raw(struct buf *b, str json)
{
    separate(b);
    buf_put(b, json);
}

static void put_container(struct buf *b, struct json v, char open, char close)
{
    json_open(b, open);
    for (struct json_iter it = json_iter(v); json_next(&it);) {
        if (it.object)
            json_key(b, it.key);
        json_put_value(b, it.value);
    }
    json_close(b, close);
}

void json_put_value(struct buf *b, struct json v)
{
    int64_t i = 0;
    uint64_t u = 0;
    double d = 0;

    switch (json_kind(v)) {
    case JSON_OBJECT:
        put_container(b, v, '{', '}');
        break;
    case JSON_ARRAY:
        put_container(b, v, '[', ']');
        break;
    case JSON_STRING:
        json_put_str(b, json_str(v));
        break;
    case JSON_I64:
        if (json_to_i64(v, &i))
            json_put_i64(b, i);
        break;
    case JSON_U64:
        if (json_to_u64(v, &u))
            json_put_u64(b, u);
        break;
    case JSON_DOUBLE:
        if (json_to_double(v, &d))
            json_put_double(b, d);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        json_put_bool(b, json_kind(v) == JSON_TRUE);
        break;
    case JSON_NULL:
        json_put_null(b);
        break;
    }
}

void json_member_str(struct buf *b, str key, str v)
{
    json_key(b, key);
    json_put_str(b, v);
}

void json_member_u64(struct buf *b, str key, uint64_t v)
{
    json_key(b, key);
    json_put_u64(b, v);
}

void json_member_i64(struct buf *b, str key, int64_t v)
{
    json_key(b, key);
    json_put_i64(b, v);
}

void json_member_double(struct buf *b, str key, double v)
{
    json_key(b, key);
    json_put_double(b, v);
}

void json_member_bool(struct buf *b, str key, bool v)
{
    json_key(b, key);
    json_put_bool(b, v);
}

void json_member_time(struct buf *b, str key, int64_t us)
{
    json_key(b, key);
    json_put_time(b, us);
}

void json_member_raw(struct buf *b, str key, str json)
{
    json_key(b, key);
    json_put_raw(b, json);
}
