/* exchange.c - one request and its response, on their way to a worker and back.
 *
 * Exchanges are kept for reuse with their context and small buffers, so that in a steady state a
 * request allocates nothing but what libmicrohttpd needs for its response. */
#include "base/clock.h"
#include "base/json.h"
#include "http/transport_private.h"
#include <stdlib.h>

static struct exchange *of_post(struct post *p)
{
    return (struct exchange *)((char *)p - offsetof(struct exchange, post));
}

/* What a worker left: on the loop's thread. */
static void exchange_take_note(struct post *p, unsigned bits)
{
    struct exchange *x = of_post(p);
    struct conn *c = x->conn;

    if (bits & POST_DONE)
        x->working = false;
    if (!c) {
        if (!x->working)
            exchange_leave(x);
        return;
    }
    if ((bits & POST_ROOM) && x->stalled) {
        x->stalled = false;
        conn_resume(c);
    }
    if ((bits & POST_BEGIN) || ((bits & POST_DONE) && !x->rs.streaming))
        conn_answer(c);
    if ((bits & (POST_MORE | POST_DONE)) && x->queued && x->down)
        conn_resume(c);
}

static struct exchange *exchange_new(struct loop *l)
{
    struct exchange *x = calloc(1, sizeof *x);

    if (!x)
        return NULL;
    x->loop = l;
    x->post.take = exchange_take_note;
    x->cx = ctx_open(l->t->options.memory_bytes_max);
    x->rs.body = BUF(RESPONSE_BODY_BYTES_MAX);
    x->in = BUF(size_max(router_body_bytes_max(l->t->router), STREAM_GATHER_BYTES) + JSON_PADDING);
    return x;
}

struct exchange *exchange_take(struct conn *c)
{
    struct loop *l = c->loop;
    struct exchange *x = l->free;

    if (x) {
        l->free = x->next;
        l->free_count--;
    } else if (!(x = exchange_new(l))) {
        return NULL;
    }
    x->prev = NULL;
    x->next = l->in_use;
    if (x->next)
        x->next->prev = x;
    l->in_use = x;
    l->busy++;
    x->conn = c;
    c->x = x;
    return x;
}

static void buffer_rest(struct buf *b)
{
    if (b->capacity > KEPT_BODY_BYTES)
        buf_close(b);
    buf_clear(b);
}

static void exchange_clean(struct exchange *x)
{
    struct buf body = x->rs.body;

    if (x->rs.sse)
        sse_finish(x->rs.sse);
    if (x->answer)
        MHD_destroy_response(x->answer);
    x->answer = NULL;
    window_close(x->up);
    window_close(x->down);
    x->up = x->down = NULL;
    buffer_rest(&x->in);
    buffer_rest(&body);
    x->rq = (struct request){0};
    x->rs = (struct response){.body = body};
    x->intake = INTAKE_GATHER;
    x->received = 0;
    x->expects_continue = x->dispatched = x->body_done = x->stalled = false;
    x->ready = x->queued = false;
    x->cut_off = false;
    ctx_reset(x->cx);
}

static void exchange_free(struct exchange *x)
{
    ctx_close(x->cx);
    buf_close(&x->in);
    buf_close(&x->rs.body);
    free(x);
}

static void note_quiet(struct loop *l)
{
    struct transport *t = l->t;

    if (--l->busy == 0 && t->draining) {
        pthread_mutex_lock(&t->lock);
        pthread_cond_broadcast(&t->quiet);
        pthread_mutex_unlock(&t->lock);
    }
}

void exchange_leave(struct exchange *x)
{
    struct loop *l = x->loop;

    if (x->conn)
        x->conn->x = NULL;
    x->conn = NULL;
    if (x->working) { /* comes back here with its last note */
        exchange_break(x, ERR_IO);
        return;
    }
    if (x->next)
        x->next->prev = x->prev;
    *(x->prev ? &x->prev->next : &l->in_use) = x->next;
    exchange_clean(x);
    if (l->free_count < KEPT_EXCHANGES && !l->t->ended) {
        x->next = l->free;
        l->free = x;
        l->free_count++;
    } else {
        exchange_free(x);
    }
    note_quiet(l);
}

void exchange_break(struct exchange *x, err e)
{
    if (x->up)
        window_break(x->up, e);
    if (x->down)
        window_break(x->down, e);
}

/* --- the body as it arrives --------------------------------------------------------------- */

static void note_room(void *state)
{
    struct exchange *x = state;

    post(x->loop, &x->post, POST_ROOM);
}

/* So that a client's leaving is not logged as a failure of ours. */
static err note_gone(struct exchange *x, err e)
{
    x->rs.gone = x->rs.gone || e == ERR_IO;
    return e;
}

static err read_window(struct ctx *cx, void *state, void *p, size_t n, size_t *out_n)
{
    struct exchange *x = state;

    return note_gone(x, window_take(cx, x->up, p, n, x->loop->t->options.receive_ns, out_n));
}

err exchange_stream_body(struct exchange *x)
{
    x->up = window_open(size_max(x->loop->t->options.body_window_bytes, STREAM_GATHER_BYTES),
                        note_room, x);
    if (!x->up)
        return fail(x->cx, ERR_BUSY, "no memory for another upload");
    x->rq.source = (struct body_source){read_window, x};
    return ERR_OK;
}

/* --- the response ------------------------------------------------------------------------- */

static void put_headers(const struct exchange *x, struct MHD_Response *answer)
{
    for (size_t i = 0; i < x->rs.header_count; i++)
        MHD_add_response_header(answer, x->rs.headers[i].name.p, x->rs.headers[i].value.p);
    if (x->loop->t->draining)
        MHD_add_response_header(answer, "Connection", "close");
}

struct MHD_Response *exchange_answer(struct exchange *x)
{
    str body = str_is_null(x->rs.fixed) ? buf_str(&x->rs.body) : x->rs.fixed;
    struct MHD_Response *answer =
        MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_PERSISTENT);

    ENSURE(answer);
    put_headers(x, answer);
    metric_add(&http_sent, (int64_t)body.n);
    return answer;
}

/* libmicrohttpd wants more of a streamed response: on the loop's thread. */
static ssize_t give_more(void *state, uint64_t at, char *p, size_t max)
{
    struct exchange *x = state;
    size_t n = window_try_take(x->down, p, max);

    (void)at;
    if (n)
        return (ssize_t)n;
    if (window_is_ended(x->down))
        return x->cut_off ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
    conn_suspend(x->conn);
    return 0;
}

static void note_more(void *state)
{
    struct exchange *x = state;

    post(x->loop, &x->post, POST_MORE);
}

static err write_window(struct ctx *cx, void *state, str bytes)
{
    struct exchange *x = state;

    metric_add(&http_sent, (int64_t)bytes.n);
    return note_gone(x, window_put(cx, x->down, bytes, x->loop->t->options.receive_ns));
}

static err write_nothing(struct ctx *cx, void *state, str bytes)
{
    (void)cx;
    (void)state;
    (void)bytes;
    return ERR_OK;
}

/* response_begin() of a handler: on the worker. */
static err begin(struct ctx *cx, struct response *rs)
{
    struct exchange *x = (struct exchange *)((char *)rs - offsetof(struct exchange, rs));
    bool head = x->rq.method == HTTP_HEAD;

    x->down = window_open(DOWN_WINDOW_BYTES, note_more, x);
    if (!x->down)
        return fail(cx, ERR_BUSY, "no memory for another download");
    rs->sink = (struct body_sink){head ? write_nothing : write_window, x};
    x->answer = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, DOWN_WINDOW_BYTES / 8,
                                                  give_more, x, NULL);
    ENSURE(x->answer);
    if (head) /* else the library would send the last chunk of a body that is not there */
        MHD_set_response_options(x->answer, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    put_headers(x, x->answer);
    post(x->loop, &x->post, POST_BEGIN);
    return ERR_OK;
}

void exchange_run(void *transport, struct job *job)
{
    struct transport *t = transport;
    struct exchange *x = (struct exchange *)job;

    x->rs.begin = begin;
    err e = router_run(x->cx, t->router, &x->rq, &x->rs);
    if (x->rs.streaming) {
        x->cut_off = e != ERR_OK;
        window_end(x->down);
    } else if (!x->rs.sse) {
        x->answer = exchange_answer(x);
    }
    post(x->loop, &x->post, POST_DONE);
}
