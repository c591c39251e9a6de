/* A head that the strict reader takes has one meaning: written out again it reads the same; and
 * every request made of it gets one well-formed answer, a problem if it is a failure, under the
 * same request id in header and body. */
#include "../http/sample.h"
#include "../http_harness.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/head.h"

enum { HEADERS_GIVEN_MAX = 31 };

static bool read_head(struct ctx *cx, str raw, struct head *h)
{
    str target, cut = head_cut(cx->mem, raw, &target);

    h->headers = arena_new(cx->mem, struct header, REQUEST_HEADERS_MAX);
    return !str_is_null(cut) && head_read(cx, cut, target, h) == ERR_OK;
}

static bool heads_equal(const struct head *a, const struct head *b)
{
    bool same = str_eq(a->method, b->method) && str_eq(a->target, b->target) &&
                a->header_count == b->header_count && a->content_length == b->content_length &&
                a->http10 == b->http10 && a->expects_continue == b->expects_continue;

    for (size_t i = 0; same && i < a->header_count; i++)
        same = str_eq(a->headers[i].name, b->headers[i].name) &&
               str_eq(a->headers[i].value, b->headers[i].value);
    return same;
}

static void check_written_again(struct ctx *cx, const struct head *h)
{
    CLEANUP(buf_close) struct buf b = BUF(1 << 20);
    struct head again;

    buf_printf(&b, "%.*s %.*s HTTP/1.%d\r\n", STR_FMT(h->method), STR_FMT(h->target), !h->http10);
    for (size_t i = 0; i < h->header_count; i++)
        buf_printf(&b, "%.*s: %.*s\r\n", STR_FMT(h->headers[i].name), STR_FMT(h->headers[i].value));
    buf_put(&b, S("\r\n"));
    ENSURE(read_head(cx, buf_str(&b), &again));
    ENSURE(heads_equal(h, &again));
}

static void check_answer(const struct reply *r)
{
    str id = reply_header(r, "X-Request-ID");

    ENSURE(r->status >= 200 && r->status < 600);
    ENSURE(id.n > 0 && id.n < CTX_REQUEST_ID_BYTES);
    for (size_t i = 0; i < r->header_count; i++)
        ENSURE(!memchr(r->headers[i].value.p, '\n', r->headers[i].value.n));
    if (r->status < 400 || !r->body.n)
        return;
    ENSURE(r->is_json);
    ENSURE(reply_u64(r, "/status") == (uint64_t)r->status);
    ENSURE(str_eq(reply_str(r, "/request_id"), id));
}

static void send(struct ctx *cx, const struct head *h, str body)
{
    static struct harness *harness;

    if (!harness) {
        log_set(-1, LOG_ERROR, true);
        harness = harness_open(sample_router(cx));
    }
    if (h->header_count > HEADERS_GIVEN_MAX)
        return;
    for (size_t i = 0; i < h->header_count; i++)
        harness_header(harness, arena_z(cx->mem, h->headers[i].name),
                       arena_z(cx->mem, h->headers[i].value));
    harness_pieces(harness, h->content_length < 0 ? 7 : 0);
    check_answer(harness_send(harness, arena_z(cx->mem, h->method), arena_z(cx->mem, h->target),
                              h->content_length ? body : STR_NULL));
    harness_hang_up(harness);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    str raw = {(const char *)data, size};
    struct head h;

    if (!read_head(cx, raw, &h))
        return 0;
    check_written_again(cx, &h);
    send(cx, &h, str_slice(raw, str_find(raw, S("\r\n\r\n")) + 4, raw.n));
    return 0;
}
