/* router.c - the one way a request goes.
 *
 *   admit   request id ─ path, method ─ who ─ may ─ parameters ─ type and size of the body
 *   run     body unpacked ─ handler
 *   finish  a failure becomes a problem; metrics; one log line
 *
 * The router is built once and then only read; counters are atomic.  So any thread may use it. */
#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "http/metrics.h"
#include "http/path_tree.h"
#include "http/problem.h"
#include "http/sse_carrier.h"
#include "http/unpack.h"
#include <stdio.h>
#include <stdlib.h>

enum { STATUS_MAX = 600, STATUS_GONE = 499 /* counted and logged, never sent */ };

/* A route with the places of its counters, found at first use and kept. */
struct served_route {
    struct route route;
    _Atomic(struct metric_cell *) by_status[STATUS_MAX];
    _Atomic(struct metric_cell *) by_status_head[STATUS_MAX]; /* a GET route asked with HEAD */
    struct metric_cell *duration;
    struct served_route *next;
};

struct router {
    struct router_options options;
    struct path_tree *paths;
    struct served_route *routes; /* all, owned */
    struct served_route *unknown, *options_route;
};

static err options_run(struct ctx *cx, struct request *rq, struct response *rs)
{
    (void)cx;
    (void)rq;
    rs->status = 204;
    return ERR_OK;
}

/* What requests are counted under that reach no route of the tables. */
static const struct route route_unknown = {.method = "", .path = "unknown"};
static const struct route route_options = {.method = "OPTIONS", .path = "*", .run = options_run};

static struct served_route *route_keep(struct router *r, const struct route *route)
{
    struct served_route *s = calloc(1, sizeof *s);
    char label[300];

    ENSURE(s);
    s->route = *route;
    s->next = r->routes;
    r->routes = s;
    snprintf(label, sizeof label, "route=\"%s\"", route->path);
    s->duration = metric_cell(&http_duration, str_from(label));
    return s;
}

static err tables_add(struct ctx *cx, struct router *r)
{
    for (const struct route *const *table = r->options.tables; *table; table++) {
        for (const struct route *route = *table; route->method; route++) {
            struct served_route *s = route_keep(r, route);
            TRY(path_tree_add(cx, r->paths, &s->route, s));
        }
    }
    return ERR_OK;
}

err router_open(struct ctx *cx, const struct router_options *options, struct router **out)
{
    struct router *r = calloc(1, sizeof *r);

    ENSURE(r);
    r->options = *options;
    r->paths = path_tree_open();
    r->unknown = route_keep(r, &route_unknown);
    r->options_route = route_keep(r, &route_options);
    err e = tables_add(cx, r);
    if (e) {
        router_close(r);
        return e;
    }
    *out = r;
    return ERR_OK;
}

void router_close(struct router *r)
{
    if (!r)
        return;
    for (struct served_route *s = r->routes, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    path_tree_close(r->paths);
    free(r);
}

/* --- admit -------------------------------------------------------------------------------- */

static struct served_route *served_of(const struct request *rq)
{
    return (struct served_route *)(uintptr_t)rq->route; /* the route is its first member */
}

static struct served_route *node_route(const struct path_node *node, const struct request *rq)
{
    str method = rq->method == HTTP_HEAD ? S("GET") : rq->method_text;

    return path_node_state(node, method);
}

static err find_route(struct ctx *cx, struct router *r, struct request *rq, struct response *rs)
{
    struct path_match match;

    if (rq->method == HTTP_OPTIONS && str_eq(rq->path, S("*"))) {
        rq->route = &r->options_route->route;
        return ERR_OK;
    }
    TRY(path_tree_find(cx, r->paths, rq->path, &match));
    if (!match.node)
        return fail(cx, ERR_NOT_FOUND, "there is nothing at this path");
    memcpy(rq->arg, match.arg, sizeof rq->arg);
    struct served_route *s = node_route(match.node, rq);
    if (!s) {
        response_header(cx, rs, "Allow", path_node_methods(cx->mem, match.node));
        if (rq->method != HTTP_OPTIONS)
            return fail(cx, ERR_METHOD, "method %.*s is not served here", STR_FMT(rq->method_text));
        s = r->options_route;
    }
    rq->route = &s->route;
    return ERR_OK;
}

static err check_who(struct ctx *cx, struct router *r, struct request *rq)
{
    if (rq->route == &r->options_route->route)
        return ERR_OK;
    if (r->options.authenticate)
        TRY(r->options.authenticate(cx, rq));
    if (!r->options.authorize)
        return fail(cx, ERR_FORBIDDEN, "nobody may do this");
    return r->options.authorize(cx, rq);
}

/* What a parameter's text must be for its kind; kinds that are not here take any text. */
static bool text_fits(enum field_kind kind, str text)
{
    uint64_t u;
    int64_t i;
    double d;

    switch ((int)kind) {
    case F_U64:
        return str_to_u64(text, &u);
    case F_I64:
        return str_to_i64(text, &i);
    case F_DOUBLE:
        return str_to_double(text, &d);
    case F_TIME:
        return time_parse(text, &i);
    case F_BOOL:
        return str_eq(text, S("true")) || str_eq(text, S("false"));
    default:
        return str_is_utf8(text);
    }
}

static const struct param *param_find(const struct route *route, str name)
{
    for (const struct param *p = route->params; p && p->name; p++)
        if (str_eq(str_from(p->name), name))
            return p;
    return NULL;
}

static const char *kind_text(enum field_kind kind)
{
    static const char *const texts[] = {
        [F_U64] = "a number that is not negative",
        [F_I64] = "a whole number",
        [F_DOUBLE] = "a number",
        [F_TIME] = "an RFC 3339 time",
        [F_BOOL] = "true or false",
    };

    return (size_t)kind < COUNT(texts) && texts[kind] ? texts[kind] : "UTF-8 text";
}

static void add_issue(struct ctx *cx, str name, enum field_kind kind)
{
    ctx_add_issue(cx, arena_printf(cx->mem, "/%.*s", STR_FMT(name)), "must be %s", kind_text(kind));
}

/* The parameters named in the template, in order: {index}, {rest*}. */
static err check_args(struct ctx *cx, const struct request *rq)
{
    str path = str_from(rq->route->path);

    for (size_t i = 0; i < REQUEST_ARGS_MAX; i++) {
        path = str_slice(path, str_find_char(path, '{') + 1, path.n);
        str name = str_slice(path, 0, str_find_char(path, '}'));
        if (!path.n)
            break;
        const struct param *p = param_find(rq->route, name);
        enum field_kind kind = p ? p->kind : F_STR;
        if (!text_fits(kind, rq->arg[i])) {
            add_issue(cx, name, kind);
            return fail(cx, ERR_INVALID, "'%.*s' in the path must be %s", STR_FMT(name),
                        kind_text(kind));
        }
    }
    return ERR_OK;
}

static err check_param(struct ctx *cx, const struct request *rq, const struct header *param)
{
    const struct param *p = param_find(rq->route, param->name);
    str name = str_slice(param->name, 0, 80);

    if (!p) {
        ctx_add_issue(cx, arena_printf(cx->mem, "/%.*s", STR_FMT(name)), "is not known here");
        return fail(cx, ERR_INVALID, "query parameter '%.*s' is not known here", STR_FMT(name));
    }
    if (!text_fits(p->kind, param->value)) {
        add_issue(cx, name, p->kind);
        return fail(cx, ERR_INVALID, "query parameter '%s' must be %s", p->name,
                    kind_text(p->kind));
    }
    return ERR_OK;
}

static err read_params(struct ctx *cx, struct request *rq)
{
    str left = rq->query;

    if (!rq->query.n)
        return ERR_OK;
    rq->params = arena_new(cx->mem, struct header, REQUEST_PARAMS_MAX);
    while (!str_is_null(left)) {
        str value = str_cut(&left, '&');
        if (!value.n)
            continue;
        if (rq->param_count == REQUEST_PARAMS_MAX)
            return fail(cx, ERR_INVALID, "more than %d query parameters", REQUEST_PARAMS_MAX);
        struct header *h = &rq->params[rq->param_count];
        h->name = percent_decode(cx->mem, str_cut(&value, '='), true);
        h->value = str_is_null(value) ? S("") : percent_decode(cx->mem, value, true);
        if (str_is_null(h->name) || str_is_null(h->value))
            return fail(cx, ERR_INVALID, "the query has a malformed percent escape");
        TRY(check_param(cx, rq, h));
        rq->param_count++;
    }
    return ERR_OK;
}

static bool is_json_type(str type)
{
    str essence = str_trim(str_cut(&type, ';'));

    return str_eq_nocase(essence, S("application/json")) ||
           (str_starts(essence, S("application/")) && str_ends(essence, S("+json")));
}

static err check_body(struct ctx *cx, const struct router *r, const struct request *rq)
{
    enum body_kind kind = rq->route->body;
    str type = request_header(rq, S("content-type"));
    enum encoding encoding;

    if (kind == BODY_NONE && rq->content_length != 0)
        return fail(cx, ERR_INVALID, "a body is not taken here");
    if (kind == BODY_NONE)
        return ERR_OK;
    if (kind == BODY_JSON && rq->content_length != 0 && (str_is_null(type) || !is_json_type(type)))
        return fail(cx, ERR_MEDIA_TYPE, "the body must be application/json");
    if (kind != BODY_STREAM && rq->content_length > 0 &&
        (uint64_t)rq->content_length > r->options.body_bytes_max)
        return fail(cx, ERR_TOO_LARGE, "the body is larger than %zu bytes",
                    r->options.body_bytes_max);
    return encoding_find(cx, request_header(rq, S("content-encoding")), &encoding);
}

static err admit(struct ctx *cx, struct router *r, struct request *rq, struct response *rs)
{
    TRY(find_route(cx, r, rq, rs));
    if (memchr(rq->path.p, '%', rq->path.n))
        rq->path = percent_decode(cx->mem, rq->path, false);
    TRY(check_who(cx, r, rq));
    TRY(check_args(cx, rq));
    TRY(read_params(cx, rq));
    return check_body(cx, r, rq);
}

/* --- finish ------------------------------------------------------------------------------- */

static struct metric_cell *status_cell(struct served_route *s, const struct request *rq, int status)
{
    bool head = rq->method == HTTP_HEAD;
    size_t i = status > 0 && status < STATUS_MAX ? (size_t)status : 0;
    _Atomic(struct metric_cell *) *place = head ? &s->by_status_head[i] : &s->by_status[i];
    struct metric_cell *c = atomic_load_explicit(place, memory_order_acquire);
    char label[400];

    if (c)
        return c;
    const char *method = head ? "HEAD" : *s->route.method ? s->route.method : "other";
    snprintf(label, sizeof label, "route=\"%s\",method=\"%s\",status=\"%d\"", s->route.path, method,
             status);
    c = metric_cell(&http_requests, str_from(label));
    atomic_store_explicit(place, c, memory_order_release);
    return c;
}

static void log_request(const struct ctx *cx, const struct request *rq, const struct response *rs,
                        int64_t took_ns, err e)
{
    bool ours = e != ERR_OK && err_http_status(e) >= 500 && !rs->gone;
    enum log_level level = !ours ? LOG_DEBUG : err_is_retryable(e) ? LOG_WARN : LOG_ERROR;

    LOG(level, cx, "request", LOG_S("method", rq->method_text), LOG_S("path", rq->path),
        LOG_I("status", rs->status), LOG_D("ms", (double)took_ns / 1e6), LOG_S("peer", rq->peer),
        LOG_S("principal", rq->principal.id), LOG_Z("error", e ? err_name(e) : ""),
        LOG_Z("detail", e ? cx->detail : ""));
}

static void finish(struct ctx *cx, struct router *r, struct request *rq, struct response *rs, err e)
{
    struct served_route *s = rq->route ? served_of(rq) : r->unknown;
    int64_t took_ns = clock_mono_ns() - rq->received_ns;

    if (e && rs->sse) {
        sse_finish(rs->sse);
        rs->sse = NULL;
    }
    if (e &&
        !rs->streaming) /* else the carrier breaks the connection off: nothing else is honest */
        problem_response(cx, rs, rq, e);
    if (e && rs->gone)
        rs->status = STATUS_GONE;
    metric_cell_add(status_cell(s, rq, rs->status), 1);
    metric_cell_observe(&http_duration, s->duration, took_ns);
    if (e == ERR_TOO_LARGE)
        http_count_refusal(REFUSED_TOO_LARGE);
    log_request(cx, rq, rs, took_ns, e);
}

err router_admit(struct ctx *cx, struct router *r, struct request *rq, struct response *rs)
{
    rq->app = r->options.app;
    request_id_take(cx, rq);
    response_reset(cx, rs, rq);
    err e = admit(cx, r, rq, rs);
    if (e)
        finish(cx, r, rq, rs, e);
    return e;
}

void router_refuse(struct ctx *cx, struct router *r, struct request *rq, struct response *rs, err e)
{
    if (!cx->request_id[0])
        request_id_take(cx, rq);
    finish(cx, r, rq, rs, e);
}

size_t router_body_bytes_max(const struct router *r)
{
    return r->options.body_bytes_max;
}

/* --- run ---------------------------------------------------------------------------------- */

static err run_stream(struct ctx *cx, struct router *r, struct request *rq, struct response *rs,
                      enum encoding encoding)
{
    CLEANUP(unpacker_cleanup) struct unpacker *u = NULL;
    str whole = rq->body;

    if (!str_is_null(rq->body))
        rq->source = memory_source(&whole);
    if (encoding != ENCODING_IDENTITY) {
        TRY(unpacker_open(cx, encoding, rq->source, r->options.unpacked_bytes_max, &u));
        rq->source = unpacker_source(u);
        rq->body = STR_NULL;
    }
    return rq->route->run(cx, rq, rs);
}

static err read_whole(struct ctx *cx, struct body_source source, struct buf *out)
{
    enum { STEP_BYTES = 16 * 1024 };
    size_t n = 1;

    while (n) {
        if (!buf_reserve(out, STEP_BYTES))
            return fail(cx, ERR_TOO_LARGE, "the body is too large when unpacked");
        TRY(source.read(cx, source.state, out->p + out->n, STEP_BYTES, &n));
        out->n += n;
    }
    return ERR_OK;
}

/* The unpacked body goes to the arena, where an answer may point into it; padded for JSON reading.
 */
static err unpack_whole(struct ctx *cx, struct router *r, struct request *rq,
                        enum encoding encoding)
{
    CLEANUP(unpacker_cleanup) struct unpacker *u = NULL;
    CLEANUP(buf_close) struct buf unpacked = BUF(r->options.body_bytes_max + (64 << 10));
    str packed = rq->body;

    TRY(unpacker_open(cx, encoding, memory_source(&packed), r->options.body_bytes_max, &u));
    TRY(read_whole(cx, unpacker_source(u), &unpacked));
    char *p = arena_try(cx->mem, char, unpacked.n + JSON_PADDING);
    if (!p)
        return fail(cx, ERR_TOO_LARGE, "the body is too large when unpacked");
    memcpy(p, unpacked.p, unpacked.n);
    rq->body = (str){p, unpacked.n};
    return ERR_OK;
}

static err run(struct ctx *cx, struct router *r, struct request *rq, struct response *rs)
{
    enum encoding encoding = ENCODING_IDENTITY;

    if (rq->route->body == BODY_NONE)
        return rq->route->run(cx, rq, rs);
    TRY(encoding_find(cx, request_header(rq, S("content-encoding")), &encoding));
    if (rq->route->body == BODY_STREAM)
        return run_stream(cx, r, rq, rs, encoding);
    if (encoding != ENCODING_IDENTITY)
        TRY(unpack_whole(cx, r, rq, encoding));
    return rq->route->run(cx, rq, rs);
}

err router_run(struct ctx *cx, struct router *r, struct request *rq, struct response *rs)
{
    metric_add(&http_in_flight, 1);
    err e = run(cx, r, rq, rs);
    metric_add(&http_in_flight, -1);
    finish(cx, r, rq, rs, e);
    return e;
}

void router_dispatch(struct ctx *cx, struct router *r, struct request *rq, struct response *rs)
{
    if (router_admit(cx, r, rq, rs) == ERR_OK)
        err_ignore(router_run(cx, r, rq, rs));
}
