/* remote_local.c - see remote_local.h: what a transport does to a request, in this process.
 *
 * A request has a context of its own, as on a server; what it answers is copied out of it. */
#include "cli/remote_local.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/route.h"
#include "ops/app_open.h"
#include <stdlib.h>
#include <unistd.h>

struct local {
    struct config config; /* texts in the memory of the command */
    struct app *app;
    struct router *router;
    struct ctx *cx;
};

/* Whoever can write the folder may do everything with it. */
static err authenticate(struct ctx *cx, struct request *rq)
{
    (void)cx;
    rq->principal = (struct principal){
        .id = S("system"), .name = S("the command line"), .permissions = UINT64_MAX};
    return ERR_OK;
}

static err authorize(struct ctx *cx, const struct request *rq)
{
    if (rq->route->permission == 0)
        return fail(cx, ERR_FORBIDDEN, "nobody may do this");
    return ERR_OK;
}

/* ---- opening ---- */

static err open_router(struct ctx *cx, struct local *l)
{
    struct router_options options = {
        .app = l->app,
        .tables = app_routes(l->cx),
        .body_bytes_max = (size_t)l->config.http_body_bytes_max,
        .unpacked_bytes_max = l->config.http_unpacked_bytes_max,
        .authenticate = authenticate,
        .authorize = authorize,
    };

    return router_open(cx, &options, &l->router);
}

static err open_all(struct ctx *cx, struct cli *cli, struct local *l)
{
    TRY(cli_config(cx, cli, &l->config));
    TRY(app_open(cx, &l->config, APP_OFFLINE, &l->app));
    return open_router(cx, l);
}

err local_open(struct ctx *cx, struct cli *cli, struct local **out)
{
    struct local *l = calloc(1, sizeof *l);

    ENSURE(l);
    l->cx = ctx_open(0);
    log_set(STDERR_FILENO, LOG_ERROR, false);
    err e = open_all(cx, cli, l);
    if (e != ERR_OK) {
        local_close(l);
        return e;
    }
    *out = l;
    return ERR_OK;
}

void local_close(struct local *l)
{
    if (!l)
        return;
    router_close(l->router);
    app_close(l->app);
    ctx_close(l->cx);
    free(l);
}

str local_dir(const struct local *l)
{
    return l->config.data_dir;
}

/* ---- a request ---- */

struct exchange {
    struct response rs; /* first */
    const struct remote_request *wanted;
    struct ctx *cx; /* the caller's */
    err failed;     /* in a callback of the caller */
};

static err read_body(struct ctx *cx, void *state, void *p, size_t n, size_t *out_n)
{
    struct exchange *x = state;

    x->failed = x->wanted->read(x->cx, x->wanted->state, p, n, out_n);
    return x->failed ? fail(cx, x->failed, "%s", x->cx->detail) : ERR_OK;
}

static err write_body(struct ctx *cx, void *state, str bytes)
{
    struct exchange *x = state;

    if (!x->wanted->write) {
        buf_put(&x->rs.body, bytes);
        return buf_check(cx, &x->rs.body, "the answer");
    }
    x->failed = x->wanted->write(x->cx, x->wanted->state, bytes);
    return x->failed ? fail(cx, x->failed, "%s", x->cx->detail) : ERR_OK;
}

static err begin(struct ctx *cx, struct response *rs)
{
    (void)cx;
    rs->sink = (struct body_sink){write_body, rs};
    return ERR_OK;
}

static enum http_method method_of(const char *text)
{
    static const struct {
        const char *text;
        enum http_method method;
    } methods[] = {
        {"GET", HTTP_GET},     {"POST", HTTP_POST},     {"PUT", HTTP_PUT},
        {"PATCH", HTTP_PATCH}, {"DELETE", HTTP_DELETE},
    };

    for (size_t i = 0; i < COUNT(methods); i++)
        if (strcmp(methods[i].text, text) == 0)
            return methods[i].method;
    return HTTP_OTHER;
}

/* The body with the readable bytes behind it that readers of JSON rely on. */
static str padded(struct arena *mem, str body)
{
    if (str_is_null(body))
        return body;
    char *p = arena_new(mem, char, body.n + JSON_PADDING);
    memcpy(p, body.p, body.n);
    return (str){p, body.n};
}

static struct request request_of(struct arena *mem, struct exchange *x)
{
    const struct remote_request *w = x->wanted;
    const char *method = w->method ? w->method : "GET";
    struct request rq = {
        .method = method_of(method),
        .method_text = str_from(method),
        .headers = w->headers,
        .received_ns = clock_mono_ns(),
        .content_length = w->read ? -1 : (int64_t)w->body.n,
    };

    rq.query = w->path;
    rq.path = str_cut(&rq.query, '?');
    while (rq.header_count < REMOTE_HEADERS_MAX && w->headers[rq.header_count].name.p)
        rq.header_count++;
    if (w->read)
        rq.source = (struct body_source){read_body, x};
    else
        rq.body = padded(mem, w->body);
    return rq;
}

static err give_reply(struct ctx *cx, struct exchange *x, struct http_reply *out)
{
    const struct response *rs = &x->rs;
    struct http_reply reply = {.status = rs->status, .header_count = rs->header_count};
    str body = str_is_null(rs->fixed) ? buf_str(&rs->body) : rs->fixed;

    reply.headers = arena_new(cx->mem, struct header, rs->header_count + 1);
    for (size_t i = 0; i < rs->header_count; i++) {
        reply.headers[i].name = rs->headers[i].name;
        reply.headers[i].value = arena_str(cx->mem, rs->headers[i].value);
        if (str_eq_nocase(rs->headers[i].name, S("content-type")))
            reply.content_type = reply.headers[i].value;
    }
    bool good = rs->status >= 200 && rs->status < 300;
    if (x->wanted->write && good && !rs->streaming)
        TRY(x->wanted->write(cx, x->wanted->state, body));
    reply.body = x->wanted->write && good ? S("") : arena_str(cx->mem, body);
    *out = reply;
    return ERR_OK;
}

static err exchange_run(struct ctx *cx, struct local *l, struct exchange *x, struct http_reply *out)
{
    struct request rq = request_of(l->cx->mem, x);
    err e = router_admit(l->cx, l->router, &rq, &x->rs);

    if (e == ERR_OK)
        e = router_run(l->cx, l->router, &rq, &x->rs);
    if (x->failed)
        return x->failed;
    TRY(give_reply(cx, x, out));
    if (e != ERR_OK && (x->rs.streaming || err_http_status(e) >= 500))
        return fail(cx, e, "%s", l->cx->detail);
    return ERR_OK;
}

err local_exchange(struct ctx *cx, struct local *l, const struct remote_request *rq,
                   struct http_reply *out)
{
    struct arena_mark mem = arena_mark(l->cx->mem); /* the table of routes stays */
    struct exchange x = {
        .rs = {.body = BUF(REMOTE_REPLY_BYTES_MAX), .begin = begin}, .wanted = rq, .cx = cx};

    err e = exchange_run(cx, l, &x, out);
    buf_close(&x.rs.body);
    ctx_clear_error(l->cx);
    l->cx->request_id[0] = 0;
    l->cx->deadline_ns = 0;
    arena_rewind(l->cx->mem, mem);
    return e;
}
