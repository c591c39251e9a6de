/* remote.c - see remote.h. */
#include "cli/remote.h"
#include "cli/option.h"
#include "cli/remote_local.h"
#include <stdlib.h>

#define REMOTE_TIMEOUT_NS (INT64_C(120) * 1000000000)

struct remote {
    struct http_client *client; /* one of the two */
    struct local *local;
    struct json_parser *parser;
    str url; /* owned */
};

/* ---- opening ---- */

/* --url was typed, not only found in the environment. */
static bool url_is_typed(const struct cli *cli)
{
    return cli->url.n && !str_eq(cli->url, environment_find(cli->environment, "CHANCERY_URL"));
}

bool remote_is_folder(const struct cli *cli)
{
    return cli->data.n && !url_is_typed(cli);
}

static struct remote *remote_new(str url)
{
    struct remote *r = calloc(1, sizeof *r);
    char *copy = malloc(url.n + 1);

    ENSURE(r && copy);
    memcpy(copy, url.p, url.n);
    r->url = (str){copy, url.n};
    r->parser = json_parser_open();
    return r;
}

static err keep(struct remote *r, err e, struct remote **out)
{
    if (e != ERR_OK)
        remote_close(r);
    else
        *out = r;
    return e;
}

err remote_open_url(struct ctx *cx, str url, str key, struct remote **out)
{
    const struct http_client_options options = {
        .base_url = url, .key = key, .timeout_ns = REMOTE_TIMEOUT_NS};
    struct remote *r = remote_new(url);

    return keep(r, http_client_open(cx, &options, &r->client), out);
}

err remote_open(struct ctx *cx, struct cli *cli, struct remote **out)
{
    if (!remote_is_folder(cli))
        return remote_open_url(cx, cli->url.n ? cli->url : S(REMOTE_URL_DEFAULT), cli->key, out);
    struct remote *r = remote_new(S(""));
    return keep(r, local_open(cx, cli, &r->local), out);
}

void remote_close(struct remote *r)
{
    if (!r)
        return;
    http_client_close(r->client);
    local_close(r->local);
    json_parser_close(r->parser);
    free((char *)(uintptr_t)r->url.p);
    free(r);
}

str remote_place(const struct remote *r)
{
    return r->local ? local_dir(r->local) : r->url;
}

/* ---- requests ---- */

static err http_exchange(struct ctx *cx, struct remote *r, const struct remote_request *rq,
                         struct http_reply *out)
{
    const char *method = rq->method ? rq->method : "GET";
    size_t n = 0;

    while (n < REMOTE_HEADERS_MAX && rq->headers[n].name.p)
        n++;
    if (rq->read)
        return http_upload(cx, r->client, method, rq->path, rq->headers, n, rq->read, rq->state,
                           REMOTE_REPLY_BYTES_MAX, out);
    if (rq->write)
        return http_download(cx, r->client, rq->path, rq->headers, n, rq->write, rq->state, out);
    return http_call(cx, r->client, method, rq->path, rq->headers, n, rq->body,
                     REMOTE_REPLY_BYTES_MAX, out);
}

err remote_exchange(struct ctx *cx, struct remote *r, const struct remote_request *rq,
                    struct http_reply *out)
{
    return r->local ? local_exchange(cx, r->local, rq, out) : http_exchange(cx, r, rq, out);
}

static void add_issues(struct ctx *cx, struct json problem)
{
    struct json list;

    if (!json_get(problem, S("errors"), &list))
        return;
    for (struct json_iter it = json_iter(list); json_next(&it);) {
        str detail = json_member_text(it.value, S("detail"));
        ctx_add_issue(cx, arena_str(cx->mem, json_member_text(it.value, S("pointer"))), "%.*s",
                      STR_FMT(detail));
    }
}

err remote_check(struct ctx *cx, struct remote *r, const struct http_reply *reply)
{
    err e = http_reply_check(cx, reply);
    struct json problem;
    char why[CTX_DETAIL_BYTES];

    if (e == ERR_OK || !str_starts(reply->content_type, S("application/problem+json")))
        return e;
    memcpy(why, cx->detail, sizeof why);
    if (json_parse(cx, r->parser, reply->body, &problem) == ERR_OK)
        add_issues(cx, problem);
    if (e == ERR_UNAUTHENTICATED && r->client)
        return fail(cx, e, "%s (give an API key with --key or CHANCERY_KEY)", why);
    return fail(cx, e, "%s", why);
}

err remote_call(struct ctx *cx, struct remote *r, const struct remote_request *rq,
                struct http_reply *out)
{
    TRY(remote_exchange(cx, r, rq, out));
    return remote_check(cx, r, out);
}

err remote_json(struct ctx *cx, struct remote *r, const struct http_reply *reply, struct json *out)
{
    if (json_parse(cx, r->parser, reply->body, out) == ERR_OK)
        return ERR_OK;
    return fail(cx, ERR_IO, "%.*s answered something that is not JSON", STR_FMT(remote_place(r)));
}

err remote_get(struct ctx *cx, struct remote *r, str path, struct json *out)
{
    const struct remote_request rq = {.path = path};
    struct http_reply reply;

    TRY(remote_call(cx, r, &rq, &reply));
    return remote_json(cx, r, &reply, out);
}

err remote_send(struct ctx *cx, struct remote *r, const char *method, str path, str body,
                struct http_reply *out)
{
    struct remote_request rq = {.method = method, .path = path, .body = body};

    if (!str_is_null(body))
        rq.headers[0] = (struct header){S("Content-Type"), S("application/json")};
    return remote_call(cx, r, &rq, out);
}

/* ---- answers ---- */

str json_member_text(struct json object, str key)
{
    struct json v;

    return json_get(object, key, &v) && json_kind(v) == JSON_STRING ? json_str(v) : STR_NULL;
}

uint64_t json_member_count(struct json object, str key)
{
    struct json v;
    uint64_t n = 0;

    return json_get(object, key, &v) && json_to_u64(v, &n) ? n : 0;
}
