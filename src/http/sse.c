/* sse.c - see sse.h and sse_carrier.h.
 *
 * The lock guards every field of the stream.  `closed` is called without it. */
#include "base/queue.h"
#include "http/metrics.h"
#include "http/sse_carrier.h"
#include <stdlib.h>

struct sse_stream {
    pthread_mutex_t lock;
    struct buf backlog;
    bool closing, overflowed;
    bool noted; /* the carrier was woken and has not come yet */
    void (*closed)(void *state);
    void *state;
    void (*wake)(void *carrier); /* NULL until attached */
    void *carrier;
};

err sse_begin(struct ctx *cx, struct request *rq, struct response *rs, void (*closed)(void *state),
              void *state, struct sse_stream **out)
{
    struct sse_stream *s = calloc(1, sizeof *s);

    (void)rq;
    ENSURE(!rs->streaming && !rs->sse);
    if (!s)
        return fail(cx, ERR_BUSY, "no memory for another event stream");
    pthread_mutex_init(&s->lock, NULL);
    s->backlog = BUF(SSE_BACKLOG_BYTES_MAX);
    s->closed = closed;
    s->state = state;
    rs->sse = s;
    rs->status = 200;
    response_header(cx, rs, "Content-Type", S("text/event-stream"));
    response_header(cx, rs, "X-Accel-Buffering", S("no"));
    metric_add(&http_streams, 1);
    *out = s;
    return ERR_OK;
}

static void note(struct sse_stream *s)
{
    if (!s->wake || s->noted)
        return;
    s->noted = true;
    s->wake(s->carrier);
}

/* A field of one line: whatever would end it is left out. */
static void put_line(struct buf *b, str name, str value)
{
    buf_put(b, name);
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] != '\r' && value.p[i] != '\n' && value.p[i])
            buf_put_char(b, value.p[i]);
    buf_put_char(b, '\n');
}

static void put_event(struct buf *b, str id, str event, str data)
{
    if (!str_is_null(id))
        put_line(b, S("id: "), id);
    if (!str_is_null(event))
        put_line(b, S("event: "), event);
    do {
        str line = str_cut(&data, '\n');
        if (line.p && memchr(line.p, '\r', line.n)) {
            put_line(b, S("data: "), line);
        } else {
            buf_put(b, S("data: "));
            buf_put(b, line);
            buf_put_char(b, '\n');
        }
    } while (!str_is_null(data));
    buf_put_char(b, '\n');
}

bool sse_send(struct sse_stream *s, str id, str event, str data)
{
    LOCK(held, &s->lock);

    if (s->closing)
        return false;
    size_t before = s->backlog.n;
    put_event(&s->backlog, id, event, data);
    if (!buf_ok(&s->backlog)) {
        s->backlog.n = before;
        s->closing = s->overflowed = true;
        metric_add(&http_streams_dropped, 1);
    }
    note(s);
    return !s->closing;
}

size_t sse_backlog(struct sse_stream *s)
{
    LOCK(held, &s->lock);

    return s->backlog.n;
}

void sse_end(struct sse_stream *s)
{
    LOCK(held, &s->lock);

    s->closing = true;
    note(s);
}

void sse_attach(struct sse_stream *s, void (*wake)(void *carrier), void *carrier)
{
    LOCK(held, &s->lock);

    s->wake = wake;
    s->carrier = carrier;
    if (s->backlog.n || s->closing)
        note(s);
}

size_t sse_flush(struct sse_stream *s, size_t (*send)(void *state, str bytes), void *state)
{
    LOCK(held, &s->lock);

    s->noted = false;
    if (s->backlog.n)
        buf_drop_front(&s->backlog, send(state, buf_str(&s->backlog)));
    if (s->backlog.n == 0)
        buf_close(&s->backlog); /* ten thousand idle streams should weigh little */
    return s->backlog.n;
}

void sse_put_raw(struct sse_stream *s, str bytes)
{
    LOCK(held, &s->lock);

    if (!s->closing)
        buf_put(&s->backlog, bytes);
}

bool sse_is_closing(struct sse_stream *s)
{
    LOCK(held, &s->lock);

    return s->closing;
}

bool sse_overflowed(struct sse_stream *s)
{
    LOCK(held, &s->lock);

    return s->overflowed;
}

void sse_finish(struct sse_stream *s)
{
    s->closed(s->state);
    metric_add(&http_streams, -1);
    buf_close(&s->backlog);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
