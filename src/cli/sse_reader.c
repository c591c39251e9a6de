/* sse_reader.c - see sse_reader.h. */
#include "cli/sse_reader.h"

struct sse_reader sse_reader_open(sse_take *take, void *state)
{
    return (struct sse_reader){
        .line = BUF(SSE_LINE_BYTES_MAX),
        .data = BUF(SSE_LINE_BYTES_MAX),
        .id = BUF(SSE_LINE_BYTES_MAX),
        .event = BUF(SSE_LINE_BYTES_MAX),
        .take = take,
        .state = state,
    };
}

void sse_reader_close(struct sse_reader *r)
{
    buf_close(&r->line);
    buf_close(&r->data);
    buf_close(&r->id);
    buf_close(&r->event);
}

void sse_reader_restart(struct sse_reader *r)
{
    buf_clear(&r->line);
    buf_clear(&r->data);
    buf_clear(&r->event);
    r->after_cr = r->any_data = false;
}

/* An empty line ends an event; one without data is none. */
static err dispatch(struct ctx *cx, struct sse_reader *r)
{
    struct sse_event e = {buf_str(&r->id), buf_str(&r->event), buf_str(&r->data)};
    bool any = r->any_data;

    if (e.event.n == 0)
        e.event = S("message");
    err result = any ? r->take(cx, r->state, &e) : ERR_OK;
    buf_clear(&r->data);
    buf_clear(&r->event);
    r->any_data = false;
    return result;
}

static void take_field(struct sse_reader *r, str name, str value)
{
    if (str_eq(name, S("data"))) {
        if (r->any_data)
            buf_put_char(&r->data, '\n');
        buf_put(&r->data, value);
        r->any_data = true;
    } else if (str_eq(name, S("event"))) {
        buf_clear(&r->event);
        buf_put(&r->event, value);
    } else if (str_eq(name, S("id")) && !memchr(value.p, 0, value.n)) {
        buf_clear(&r->id);
        buf_put(&r->id, value);
    }
}

static err take_line(struct ctx *cx, struct sse_reader *r)
{
    str value = buf_str(&r->line);

    if (value.n == 0)
        return dispatch(cx, r);
    str name = str_cut(&value, ':');
    if (str_is_null(value))
        value = S("");
    if (str_starts(value, S(" ")))
        value = str_slice(value, 1, value.n);
    take_field(r, name, value); /* a comment has an empty name */
    return buf_check(cx, &r->data, "an event of the stream");
}

err sse_reader_feed(struct ctx *cx, struct sse_reader *r, str bytes)
{
    for (size_t i = 0; i < bytes.n; i++) {
        char c = bytes.p[i];
        bool second = c == '\n' && r->after_cr;

        r->after_cr = c == '\r';
        if (second)
            continue;
        if (c != '\n' && c != '\r') {
            buf_put_char(&r->line, c);
            continue;
        }
        TRY(buf_check(cx, &r->line, "a line of the stream"));
        TRY(take_line(cx, r));
        buf_clear(&r->line);
    }
    return buf_check(cx, &r->line, "a line of the stream");
}
