/* problem.c - see problem.h. */
#include "http/problem.h"
#include "base/clock.h"
#include "base/json_write.h"
#include <stdio.h>

enum { TRACEPARENT_BYTES = 55 };

bool request_id_is_well_formed(str id)
{
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '.' || c == '_' || c == '-';
        if (!good)
            return false;
    }
    return id.n > 0 && id.n < CTX_REQUEST_ID_BYTES;
}

void request_id_take(struct ctx *cx, const struct request *rq)
{
    str id = request_header(rq, S("x-request-id"));

    if (request_id_is_well_formed(id)) {
        memcpy(cx->request_id, id.p, id.n);
        cx->request_id[id.n] = 0;
    } else {
        uuid7(cx->request_id);
    }
}

/* `n` lower-case hexadecimal digits at `*s`, then `end`; `zero` tells whether all of them were 0.
 */
static bool take_hex(str *s, size_t n, char end, bool *zero)
{
    str field = str_slice(*s, 0, n);

    *zero = true;
    for (size_t i = 0; i < field.n; i++) {
        char c = field.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        *zero = *zero && c == '0';
    }
    if (end && (s->n <= n || s->p[n] != end))
        return false;
    *s = str_slice(*s, n + (end ? 1 : 0), s->n);
    return field.n == n;
}

bool traceparent_is_well_formed(str v)
{
    bool version, trace, parent, flags;

    return v.n == TRACEPARENT_BYTES && take_hex(&v, 2, '-', &version) && version &&
           take_hex(&v, 32, '-', &trace) && !trace && take_hex(&v, 16, '-', &parent) && !parent &&
           take_hex(&v, 2, 0, &flags);
}

void response_reset(struct ctx *cx, struct response *rs, const struct request *rq)
{
    str trace = request_header(rq, S("traceparent"));

    rs->status = 200;
    rs->header_count = 0;
    rs->fixed = STR_NULL;
    buf_clear(&rs->body);
    response_header(cx, rs, "X-Request-ID", str_from(cx->request_id));
    if (traceparent_is_well_formed(trace))
        response_header(cx, rs, "traceparent", trace);
    response_header(cx, rs, "X-Content-Type-Options", S("nosniff"));
    response_header(cx, rs, "Cache-Control", S("no-store"));
    response_header(cx, rs, "Referrer-Policy", S("no-referrer"));
}

/* "NOT_FOUND" as "not-found". */
static str kebab(struct arena *mem, const char *name)
{
    size_t n = strlen(name);
    char *p = arena_alloc(mem, 1, n + 1);

    for (size_t i = 0; i < n; i++)
        p[i] = name[i] == '_' ? '-' : (char)(name[i] | 0x20);
    return (str){p, n};
}

/* A 5xx speaks of our inside; only what the client can act upon is told. */
static bool detail_is_public(err e)
{
    return err_http_status(e) < 500 || e == ERR_BUSY || e == ERR_STOPPED || e == ERR_NO_SPACE;
}

static void put_issues(struct buf *b, const struct ctx *cx)
{
    json_key(b, S("errors"));
    json_open(b, '[');
    for (size_t i = 0; i < cx->issue_count; i++) {
        json_open(b, '{');
        json_member_str(b, S("pointer"), cx->issues[i].pointer);
        json_member_str(b, S("detail"), cx->issues[i].detail);
        json_close(b, '}');
    }
    json_close(b, ']');
}

static void put_problem(struct ctx *cx, struct buf *b, const struct request *rq, err e)
{
    str type = kebab(cx->mem, err_name(e));

    json_open(b, '{');
    json_member_str(b, S("type"), arena_printf(cx->mem, "/problems/%.*s", STR_FMT(type)));
    json_member_str(b, S("title"), str_from(err_text(e)));
    json_member_i64(b, S("status"), err_http_status(e));
    if (detail_is_public(e) && cx->detail[0])
        json_member_str(b, S("detail"), str_from(cx->detail));
    if (!str_is_null(rq->path))
        json_member_str(b, S("instance"), rq->path);
    json_member_str(b, S("code"), str_from(err_name(e)));
    json_member_str(b, S("request_id"), str_from(cx->request_id));
    if (cx->issue_count && detail_is_public(e))
        put_issues(b, cx);
    if (cx->members.n && detail_is_public(e))
        json_put_raw(b, cx->members);
    json_close(b, '}');
}

void problem_response(struct ctx *cx, struct response *rs, const struct request *rq, err e)
{
    str allow = STR_NULL;

    for (size_t i = 0; i < rs->header_count; i++)
        if (str_eq(rs->headers[i].name, S("Allow")))
            allow = rs->headers[i].value;
    response_reset(cx, rs, rq);
    rs->status = err_http_status(e);
    response_header(cx, rs, "Content-Type", S("application/problem+json"));
    if (!str_is_null(allow))
        response_header(cx, rs, "Allow", allow);
    if (e == ERR_UNAUTHENTICATED)
        response_header(cx, rs, "WWW-Authenticate", S("Bearer"));
    if (e == ERR_BUSY || e == ERR_STOPPED)
        response_header(cx, rs, "Retry-After", S("1"));
    put_problem(cx, &rs->body, rq, e);
}
