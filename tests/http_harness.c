/* http_harness.c - see http_harness.h. */
#include "http_harness.h"
#include "base/clock.h"
#include "http/sse_carrier.h"
#include <stdlib.h>

enum { HEADERS_MAX = 32, MEMORY_BYTES_MAX = 64 << 20 };

struct harness {
    struct router *router;
    struct ctx *cx;
    struct json_parser *parser;
    struct request rq;
    struct response rs;
    struct header headers[HEADERS_MAX]; /* of the next request; owned */
    size_t header_count;
    char *key;
    size_t piece; /* 0: the body is whole */
    str body, left;
    struct buf padded, streamed, events;
    struct sse_stream *stream;
    struct reply reply;
};

struct harness *harness_open(struct router *router)
{
    struct harness *h = calloc(1, sizeof *h);

    ENSURE(h);
    h->router = router;
    h->cx = ctx_open(MEMORY_BYTES_MAX);
    h->parser = json_parser_open();
    h->rs.body = h->streamed = h->events = h->padded = BUF(RESPONSE_BODY_BYTES_MAX);
    return h;
}

static void headers_clear(struct harness *h)
{
    for (size_t i = 0; i < h->header_count; i++) {
        free((char *)(uintptr_t)h->headers[i].name.p);
        free((char *)(uintptr_t)h->headers[i].value.p);
    }
    h->header_count = 0;
}

void harness_close(struct harness *h)
{
    if (!h)
        return;
    harness_hang_up(h);
    headers_clear(h);
    buf_close(&h->rs.body);
    buf_close(&h->streamed);
    buf_close(&h->events);
    buf_close(&h->padded);
    json_parser_close(h->parser);
    ctx_close(h->cx);
    free(h->key);
    free(h);
}

void harness_key(struct harness *h, const char *key)
{
    free(h->key);
    h->key = key ? strdup(key) : NULL;
}

void harness_header(struct harness *h, const char *name, const char *value)
{
    ENSURE(h->header_count < HEADERS_MAX);
    h->headers[h->header_count++] =
        (struct header){str_from(strdup(name)), str_from(strdup(value))};
}

void harness_pieces(struct harness *h, size_t bytes)
{
    h->piece = bytes;
}

/* --- what a carrier gives ----------------------------------------------------------------- */

static err read_piece(struct ctx *cx, void *state, void *p, size_t n, size_t *out_n)
{
    struct harness *h = state;

    (void)cx;
    *out_n = size_min(size_min(n, h->left.n), h->piece);
    memcpy(p, h->left.p, *out_n);
    h->left = str_slice(h->left, *out_n, h->left.n);
    return ERR_OK;
}

static err write_piece(struct ctx *cx, void *state, str bytes)
{
    struct harness *h = state;

    buf_put(&h->streamed, bytes);
    return buf_check(cx, &h->streamed, "the streamed response");
}

static err begin(struct ctx *cx, struct response *rs)
{
    struct harness *h = (struct harness *)((char *)rs - offsetof(struct harness, rs));

    (void)cx;
    rs->sink = (struct body_sink){write_piece, h};
    return ERR_OK;
}

static enum http_method method_of(const char *text)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
        [HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
        [HTTP_OPTIONS] = "OPTIONS",
    };

    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(names[i], text) == 0)
            return (enum http_method)i;
    return HTTP_OTHER;
}

/* --- a request ---------------------------------------------------------------------------- */

static void set_body(struct harness *h, str body)
{
    struct request *rq = &h->rq;

    h->body = h->left = body;
    rq->content_length = h->piece ? -1 : (int64_t)body.n;
    if (str_is_null(body))
        rq->content_length = 0;
    buf_clear(&h->padded);
    ENSURE(buf_reserve(&h->padded, body.n + JSON_PADDING));
    buf_put(&h->padded, body);
    rq->source = (struct body_source){read_piece, h};
}

static void prepare(struct harness *h, const char *method, const char *target, str body)
{
    struct buf kept = h->rs.body;

    ctx_reset(h->cx);
    buf_clear(&kept);
    buf_clear(&h->streamed);
    h->rs = (struct response){.body = kept, .begin = begin};
    if (h->key)
        harness_header(h, "Authorization", arena_printf(h->cx->mem, "Bearer %s", h->key).p);
    h->rq = (struct request){
        .method_text = arena_str(h->cx->mem, str_from(method)),
        .method = method_of(method),
        .query = arena_str(h->cx->mem, str_from(target)),
        .headers = h->headers,
        .header_count = h->header_count,
        .peer = S("127.0.0.1"),
        .received_ns = clock_mono_ns(),
    };
    h->rq.path = str_cut(&h->rq.query, '?');
    set_body(h, body);
}

/* As the transport: a body that is not streamed, or is short, is there when the handler starts. */
static void run(struct harness *h)
{
    struct request *rq = &h->rq;

    if (router_admit(h->cx, h->router, rq, &h->rs) != ERR_OK)
        return;
    bool whole = rq->route->body != BODY_STREAM || !h->piece;
    if (whole && h->body.n > router_body_bytes_max(h->router)) {
        err e = fail(h->cx, ERR_TOO_LARGE, "the body is too large");
        router_refuse(h->cx, h->router, rq, &h->rs, e);
        return;
    }
    if (whole && rq->route->body != BODY_NONE)
        rq->body = buf_str(&h->padded);
    h->reply.cut_off = router_run(h->cx, h->router, rq, &h->rs) != ERR_OK && h->rs.streaming;
}

static str response_body(const struct harness *h)
{
    if (h->rs.streaming)
        return buf_str(&h->streamed);
    return str_is_null(h->rs.fixed) ? buf_str(&h->rs.body) : h->rs.fixed;
}

const struct reply *harness_send(struct harness *h, const char *method, const char *target,
                                 str body)
{
    struct reply *r = &h->reply;

    harness_hang_up(h);
    *r = (struct reply){0};
    prepare(h, method, target, body);
    run(h);
    r->status = h->rs.status;
    r->headers = h->rs.headers;
    r->header_count = h->rs.header_count;
    r->streamed = h->rs.streaming;
    r->live = h->rs.sse != NULL;
    h->stream = h->rs.sse;
    r->body = h->rq.method == HTTP_HEAD ? S("") : response_body(h);
    if (str_find(reply_header(r, "Content-Type"), S("json")) < reply_header(r, "Content-Type").n)
        r->is_json = json_parse(h->cx, h->parser, r->body, &r->json) == ERR_OK;
    headers_clear(h);
    h->piece = 0;
    return r;
}

const struct reply *harness_get(struct harness *h, const char *target)
{
    return harness_send(h, "GET", target, STR_NULL);
}

const struct reply *harness_post(struct harness *h, const char *target, const char *json)
{
    harness_header(h, "Content-Type", "application/json");
    return harness_send(h, "POST", target, str_from(json));
}

/* --- a reply ------------------------------------------------------------------------------ */

str reply_header(const struct reply *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (str_eq_nocase(r->headers[i].name, str_from(name)))
            return r->headers[i].value;
    return STR_NULL;
}

static bool at(const struct reply *r, const char *pointer, struct json *out)
{
    return r->is_json && json_pointer_get(r->json, str_from(pointer), out);
}

bool reply_has(const struct reply *r, const char *pointer)
{
    struct json v;

    return at(r, pointer, &v);
}

str reply_str(const struct reply *r, const char *pointer)
{
    struct json v;

    return at(r, pointer, &v) && json_kind(v) == JSON_STRING ? json_str(v) : STR_NULL;
}

uint64_t reply_u64(const struct reply *r, const char *pointer)
{
    struct json v;
    uint64_t n = 0;

    return at(r, pointer, &v) && json_to_u64(v, &n) ? n : 0;
}

bool reply_bool(const struct reply *r, const char *pointer)
{
    struct json v;
    bool b = false;

    return at(r, pointer, &v) && json_to_bool(v, &b) && b;
}

size_t reply_count(const struct reply *r, const char *pointer)
{
    struct json v;
    size_t n = 0;

    if (!at(r, pointer, &v))
        return 0;
    for (struct json_iter it = json_iter(v); json_next(&it);)
        n++;
    return n;
}

/* --- event streams ------------------------------------------------------------------------ */

static size_t take_events(void *state, str bytes)
{
    struct harness *h = state;

    buf_put(&h->events, bytes);
    return bytes.n;
}

str harness_events(struct harness *h)
{
    buf_clear(&h->events);
    if (h->stream)
        sse_flush(h->stream, take_events, h);
    return buf_str(&h->events);
}

void harness_hang_up(struct harness *h)
{
    if (h->stream)
        sse_finish(h->stream);
    h->stream = NULL;
    h->rs.sse = NULL;
}
