/* client.c - outgoing HTTP by libcurl: see client.h.
 *
 * One easy handle is reset and used again for every call, so its connection stays open.  Headers of
 * a reply and bytes of its body are gathered by the callbacks into a struct call, which also
 * carries an error out of them: libcurl only knows "aborted". */
#include "http/client.h"
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>

enum { REPLY_HEADERS_MAX = 100, PROBLEM_BYTES_MAX = 64 * 1024 };
#define TIMEOUT_NS INT64_C(30000000000)

struct http_client {
    CURL *curl;
    str base_url, authorization; /* owned; the second may be null */
    int64_t timeout_ns;
    bool follow_redirects;
};

struct call {
    struct ctx *cx;
    struct http_client *client;
    struct curl_slist *headers;
    struct http_reply *reply;
    struct buf body;
    http_body_read *read;
    http_body_write *write;
    void *state;
    err failed; /* in a callback */
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;

static void global_init(void)
{
    ENSURE(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

static str owned_copy(const char *before, str s)
{
    size_t n = strlen(before);
    char *p = malloc(n + s.n + 1);

    ENSURE(p);
    memcpy(p, before, n);
    memcpy(p + n, s.p, s.n);
    p[n + s.n] = 0;
    return (str){p, n + s.n};
}

err http_client_open(struct ctx *cx, const struct http_client_options *options,
                     struct http_client **out)
{
    str base = options->base_url;

    pthread_once(&global_once, global_init);
    if (!str_starts(base, S("http://")) && !str_starts(base, S("https://")))
        return fail(cx, ERR_USAGE, "'%.*s' is not an http address", STR_FMT(base));
    for (size_t i = 0; i < options->key.n; i++)
        if (options->key.p[i] <= ' ' || options->key.p[i] == 0x7f)
            return fail(cx, ERR_USAGE, "the key has a blank or control character");
    while (str_ends(base, S("/")))
        base.n--;
    struct http_client *c = calloc(1, sizeof *c);
    ENSURE(c);
    c->curl = curl_easy_init();
    ENSURE(c->curl);
    c->base_url = owned_copy("", base);
    if (options->key.n)
        c->authorization = owned_copy("Authorization: Bearer ", options->key);
    c->timeout_ns = options->timeout_ns ? options->timeout_ns : TIMEOUT_NS;
    c->follow_redirects = options->follow_redirects;
    *out = c;
    return ERR_OK;
}

void http_client_close(struct http_client *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->curl);
    free((char *)(uintptr_t)c->base_url.p);
    free((char *)(uintptr_t)c->authorization.p);
    free(c);
}

/* --- callbacks ---------------------------------------------------------------------------- */

static size_t on_header(char *p, size_t one, size_t n, void *state)
{
    struct call *call = state;
    struct http_reply *reply = call->reply;
    str line = str_trim((str){p, n * one}), name;

    if (str_starts(line, S("HTTP/"))) { /* a redirect or 100 Continue begins anew */
        reply->header_count = 0;
        return n * one;
    }
    str value = line;
    name = str_cut(&value, ':');
    if (str_is_null(value) || reply->header_count == REPLY_HEADERS_MAX)
        return n * one;
    struct header *h = &reply->headers[reply->header_count++];
    *h = (struct header){arena_str(call->cx->mem, name), arena_str(call->cx->mem, str_trim(value))};
    if (str_eq_nocase(name, S("content-type")))
        reply->content_type = h->value;
    return n * one;
}

static bool status_is_good(const struct call *call)
{
    long status = 0;

    curl_easy_getinfo(call->client->curl, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300;
}

static size_t on_body(char *p, size_t one, size_t n, void *state)
{
    struct call *call = state;
    str bytes = {p, n * one};

    if (call->write && status_is_good(call)) {
        call->failed = call->write(call->cx, call->state, bytes);
        return call->failed ? 0 : bytes.n;
    }
    buf_put(&call->body, bytes);
    if (!buf_ok(&call->body)) {
        call->failed =
            fail(call->cx, ERR_TOO_LARGE, "the reply is larger than %zu bytes", call->body.max);
        return 0;
    }
    return bytes.n;
}

static size_t on_read(char *p, size_t one, size_t n, void *state)
{
    struct call *call = state;
    size_t got = 0;

    call->failed = call->read(call->cx, call->state, p, n * one, &got);
    return call->failed ? CURL_READFUNC_ABORT : got;
}

/* --- a call ------------------------------------------------------------------------------- */

static void add_header(struct call *call, const char *line)
{
    struct curl_slist *more = curl_slist_append(call->headers, line);

    ENSURE(more);
    call->headers = more;
}

static void set_headers(struct call *call, const struct header *headers, size_t count)
{
    add_header(call, "Expect:"); /* do not wait for 100 Continue */
    if (call->client->authorization.p)
        add_header(call, call->client->authorization.p);
    for (size_t i = 0; i < count; i++)
        add_header(call, arena_printf(call->cx->mem, "%.*s: %.*s", STR_FMT(headers[i].name),
                                      STR_FMT(headers[i].value))
                             .p);
}

static void set_options(struct call *call, const char *method, str path)
{
    struct http_client *c = call->client;
    CURL *curl = c->curl;
    bool streamed = call->read || call->write;

    curl_easy_reset(curl);
    curl_easy_setopt(
        curl, CURLOPT_URL,
        arena_printf(call->cx->mem, "%.*s%.*s", STR_FMT(c->base_url), STR_FMT(path)).p);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, c->follow_redirects ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(c->timeout_ns / 1000000));
    if (!streamed)
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(c->timeout_ns / 1000000));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, call->headers);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L * 1024);
    curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
}

static err curl_failure(const struct call *call, CURLcode rc)
{
    if (call->failed)
        return call->failed;
    if (rc == CURLE_OPERATION_TIMEDOUT)
        return fail(call->cx, ERR_TIMEOUT, "%.*s does not answer in time",
                    STR_FMT(call->client->base_url));
    return fail(call->cx, ERR_UNREACHABLE, "%.*s: %s", STR_FMT(call->client->base_url),
                curl_easy_strerror(rc));
}

static err perform(struct call *call)
{
    struct http_reply *reply = call->reply;
    long status = 0;
    CURLcode rc = curl_easy_perform(call->client->curl);

    if (rc != CURLE_OK)
        return curl_failure(call, rc);
    curl_easy_getinfo(call->client->curl, CURLINFO_RESPONSE_CODE, &status);
    reply->status = (int)status;
    reply->body = arena_str(call->cx->mem, buf_str(&call->body));
    return ERR_OK;
}

static void call_end(struct call *call)
{
    curl_slist_free_all(call->headers);
    buf_close(&call->body);
}

static struct http_reply reply_new(struct ctx *cx)
{
    return (struct http_reply){.headers = arena_new(cx->mem, struct header, REPLY_HEADERS_MAX)};
}

err http_call(struct ctx *cx, struct http_client *c, const char *method, str path,
              const struct header *headers, size_t header_count, str body, size_t reply_max,
              struct http_reply *out)
{
    struct http_reply reply = reply_new(cx);
    CLEANUP(call_end)
    struct call call = {.cx = cx, .client = c, .reply = &reply, .body = BUF(reply_max)};

    set_headers(&call, headers, header_count);
    set_options(&call, method, path);
    if (!str_is_null(body)) {
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body.p);
    }
    TRY(perform(&call));
    *out = reply;
    return ERR_OK;
}

err http_upload(struct ctx *cx, struct http_client *c, const char *method, str path,
                const struct header *headers, size_t header_count, http_body_read *read,
                void *state, size_t reply_max, struct http_reply *out)
{
    struct http_reply reply = reply_new(cx);
    CLEANUP(call_end)
    struct call call = {.cx = cx,
                        .client = c,
                        .reply = &reply,
                        .body = BUF(reply_max),
                        .read = read,
                        .state = state};

    set_headers(&call, headers, header_count);
    set_options(&call, method, path);
    curl_easy_setopt(c->curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(c->curl, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(c->curl, CURLOPT_READDATA, &call);
    TRY(perform(&call));
    *out = reply;
    return ERR_OK;
}

err http_download(struct ctx *cx, struct http_client *c, str path, const struct header *headers,
                  size_t header_count, http_body_write *write, void *state, struct http_reply *out)
{
    struct http_reply reply = reply_new(cx);
    CLEANUP(call_end)
    struct call call = {.cx = cx,
                        .client = c,
                        .reply = &reply,
                        .body = BUF(PROBLEM_BYTES_MAX),
                        .write = write,
                        .state = state};

    set_headers(&call, headers, header_count);
    set_options(&call, "GET", path);
    TRY(perform(&call));
    *out = reply;
    return ERR_OK;
}

/* --- a reply as an error ------------------------------------------------------------------ */

/* The code that the problem names; else what its status most likely means. */
static err code_of(str name, int status)
{
    static const err likely[] = {ERR_INTERNAL, ERR_BUSY};

    for (int e = ERR_OK + 1; e < ERR_COUNT; e++)
        if (str_eq(name, str_from(err_name((err)e))))
            return (err)e;
    for (size_t i = 0; i < COUNT(likely); i++)
        if (err_http_status(likely[i]) == status)
            return likely[i];
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++)
        if (err_http_status((err)e) == status)
            return (err)e;
    return status >= 500 ? ERR_INTERNAL : ERR_INVALID;
}

static str problem_member(struct json problem, str key)
{
    struct json v;

    return json_get(problem, key, &v) && json_kind(v) == JSON_STRING ? json_str(v) : STR_NULL;
}

err http_reply_check(struct ctx *cx, const struct http_reply *reply)
{
    CLEANUP(json_parser_cleanup) struct json_parser *parser = NULL;
    str code = STR_NULL, detail = STR_NULL;
    struct json problem;

    if (reply->status >= 200 && reply->status < 300)
        return ERR_OK;
    if (str_starts(reply->content_type, S("application/problem+json"))) {
        parser = json_parser_open();
        if (json_parse(cx, parser, reply->body, &problem) == ERR_OK) {
            code = problem_member(problem, S("code"));
            detail = problem_member(problem, S("detail"));
        }
        ctx_clear_error(cx);
    }
    if (str_is_null(detail))
        return fail(cx, code_of(code, reply->status), "the server answered %d", reply->status);
    return fail(cx, code_of(code, reply->status), "%.*s", STR_FMT(detail));
}
