/* A query is refused with a problem, or all of it is understood: its parameters, encoded again,
 * give the same parameters. */
#include "../http/sample.h"
#include "../http_harness.h"
#include "base/encode.h"
#include "base/log.h"

static struct harness *harness;

static str get_params(struct ctx *cx, str query)
{
    str target = arena_printf(cx->mem, "/things/7?%.*s", STR_FMT(query));
    const struct reply *r = harness_get(harness, target.p);
    struct json params;
    CLEANUP(buf_close) struct buf b = BUF(1 << 20);

    ENSURE(r->is_json && (r->status == 200 || r->status == 400));
    if (r->status == 400) {
        ENSURE(str_eq(reply_str(r, "/code"), S("INVALID")));
        return STR_NULL;
    }
    ENSURE(json_get(r->json, S("params"), &params));
    for (struct json_iter it = json_iter(params); json_next(&it);) {
        percent_put(&b, it.key);
        buf_put_char(&b, '=');
        percent_put(&b, json_str(it.value));
        buf_put_char(&b, '&');
    }
    return arena_str(cx->mem, buf_str(&b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    str query = {(const char *)data, size};

    if (memchr(query.p ? query.p : "", 0, query.n))
        return 0; /* no request target has one */
    if (!harness) {
        log_set(-1, LOG_ERROR, true);
        harness = harness_open(sample_router(cx));
    }
    str once = get_params(cx, query);
    if (!str_is_null(once))
        ENSURE(str_eq(once, get_params(cx, once)));
    return 0;
}
