/* format_case.c - see format_case.h. */
#include "format_case.h"
#include "base/json.h"
#include "base/json_write.h"
#include <stdlib.h>

enum { ANSWER_BYTES_MAX = 64 << 20 };

static void put_item(struct buf *b, const struct format_item *item, const struct buf *event)
{
    if (item->kind == FORMAT_EVENT)
        buf_printf(b, "event %llu %llu %.*s\n", (unsigned long long)item->line,
                   (unsigned long long)item->offset, STR_FMT(buf_str(event)));
    else
        buf_printf(b, "reject %llu %llu %.*s | %.*s\n", (unsigned long long)item->line,
                   (unsigned long long)item->offset, STR_FMT(item->pointer), STR_FMT(item->detail));
}

/* Until the reader asks for more, or ends. */
static err drain(struct ctx *cx, struct format_reader *r, struct buf *b)
{
    CLEANUP(buf_close) struct buf event = BUF(1 << 20);
    struct format_item item;

    for (;;) {
        buf_clear(&event);
        TRY(format_next(cx, r, &event, &item));
        if (item.kind == FORMAT_MORE || item.kind == FORMAT_END)
            return ERR_OK;
        put_item(b, &item, &event);
    }
}

static err feed(struct ctx *cx, struct format_reader *r, str bytes, struct buf *b)
{
    char *piece = malloc(bytes.n); /* of its own, so that a sanitizer sees every byte too far */

    ENSURE(piece);
    memcpy(piece, bytes.p, bytes.n);
    format_feed(r, (str){piece, bytes.n});
    err e = drain(cx, r, b);
    free(piece);
    return e;
}

/* A piece of `first` bytes, then pieces of `chunk`. */
static err feed_all(struct ctx *cx, struct format_reader *r, str input, size_t first, size_t chunk,
                    struct buf *b)
{
    for (size_t at = 0, n = first; at < input.n; at += n, n = chunk)
        TRY(feed(cx, r, str_slice(input, at, at + n), b));
    format_finish(r);
    return drain(cx, r, b);
}

static str answer(struct ctx *cx, const char *format, const struct format_options *options,
                  str input, const size_t pieces[2])
{
    static const struct format_options none;
    CLEANUP(format_reader_cleanup) struct format_reader *r = NULL;
    CLEANUP(buf_close) struct buf b = BUF(ANSWER_BYTES_MAX);
    const struct format *f = format_find(str_from(format));

    CHECK(f != NULL);
    err e = format_reader_open(cx, f, options ? options : &none, &r);
    if (e == ERR_OK)
        e = feed_all(cx, r, input, pieces[0], pieces[1], &b);
    if (e != ERR_OK)
        buf_printf(&b, "fail %s %s\n", err_name(e), cx->detail);
    CHECK(buf_ok(&b));
    ctx_clear_error(cx);
    return arena_str(cx->mem, buf_str(&b));
}

str format_answer(struct ctx *cx, const char *format, const struct format_options *options,
                  str input, size_t chunk)
{
    size_t n = chunk ? chunk : size_max(input.n, 1);

    return answer(cx, format, options, input, (const size_t[2]){n, n});
}

str format_answer_cut(struct ctx *cx, const char *format, const struct format_options *options,
                      str input, size_t at)
{
    return answer(cx, format, options, input, (const size_t[2]){at, size_max(input.n, 1)});
}

void check_answer(struct ctx *cx, const char *format, const struct format_options *options,
                  str input, const char *want)
{
    for (size_t chunk = 0; chunk <= size_min(input.n, 600); chunk++) {
        CHECK_STR(format_answer(cx, format, options, input, chunk), str_from(want));
    }
}

void check_rejected(struct ctx *cx, const char *format, const struct format_options *options,
                    str input, const char *want)
{
    check_answer(cx, format, options, input, arena_printf(cx->mem, "reject %s\n", want).p);
}

str event_member(struct ctx *cx, str answer, size_t n, const char *pointer)
{
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    CLEANUP(buf_close) struct buf b = BUF(1 << 20);
    struct json root, v;
    str line = STR_NULL;

    for (size_t i = 0; i <= n; i++) {
        do
            line = str_cut(&answer, '\n');
        while (!str_starts(line, S("event ")) && !str_is_null(answer));
    }
    str text = str_slice(line, str_find_char(line, '{'), line.n);

    CHECK_OK(json_parse(cx, p, text, &root));
    if (!json_pointer_get(root, str_from(pointer), &v))
        return STR_NULL;
    if (json_kind(v) == JSON_STRING)
        return arena_str(cx->mem, json_str(v));
    json_put_value(&b, v);
    return arena_str(cx->mem, buf_str(&b));
}

size_t count_lines_of(str answer, const char *kind)
{
    size_t n = 0;

    while (!str_is_null(answer))
        n += str_starts(str_cut(&answer, '\n'), str_from(kind));
    return n;
}
