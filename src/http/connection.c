/* connection.c - libmicrohttpd's callbacks: a request from its first byte to its last.
 *
 * The library calls on_request() once when the head is complete (on_head), then for each piece of
 * the body (on_body), then when the body is complete and again after each resumption (on_end).
 *
 *   head wrong                 answer it ourselves, drop what follows: parting
 *   refused, no or short body  read the body, then answer; the connection is kept
 *   refused, long body         parting
 *   whole body wanted          gather; at the end to a worker, suspended
 *   body to be streamed        to a worker at once; suspended when the window is full
 *
 * A response can be queued only in on_head (then the library closes the connection) or in on_end.
 * Where neither is at hand the answer is written to the socket as bytes, followed by our end of the
 * connection; what the client still sends is read and dropped, so that it gets to see the answer
 * and not a reset. */
#include "base/clock.h"
#include "base/json.h"
#include "http/head.h"
#include "http/transport_private.h"
#include "http/wire.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

static struct conn *conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info->socket_context;
}

/* --- answering ---------------------------------------------------------------------------- */

static void send_raw(struct conn *c, const struct exchange *x)
{
    CLEANUP(buf_close) struct buf b = BUF(RESPONSE_BODY_BYTES_MAX);

    wire_response(&b, &x->rs, false);
    if (buf_ok(&b) && wire_send(c->fd, buf_str(&b)) > 0)
        metric_add(&http_sent, (int64_t)b.n);
}

/* Answer now and end the connection, whatever the client is still sending. */
static void part(struct conn *c, struct exchange *x)
{
    send_raw(c, x);
    shutdown(c->fd, SHUT_WR);
    x->queued = true;
    x->intake = INTAKE_PARTING;
    if (x->up)
        window_break(x->up, ERR_IO);
    conn_wait(c, WAIT_BODY);
}

/* The answer is ready but the body has not been read: which way out? */
static void answer_early(struct conn *c, struct exchange *x)
{
    bool known = x->rq.content_length >= 0;
    uint64_t rest = known ? (uint64_t)x->rq.content_length - x->received : 0;

    if (known && rest <= DISCARD_BYTES) {
        x->intake = INTAKE_DISCARD;
        conn_wait(c, WAIT_BODY);
    } else if (x->down || x->rs.sse) {
        exchange_break(x, ERR_IO); /* an endless answer to an endless request */
        shutdown(c->fd, SHUT_RDWR);
    } else {
        part(c, x);
    }
}

static enum MHD_Result queue_answer(struct conn *c, struct exchange *x)
{
    struct MHD_Response *answer = x->answer ? x->answer : exchange_answer(x);
    enum MHD_Result ok = MHD_queue_response(c->mhd, (unsigned)x->rs.status, answer);

    MHD_destroy_response(answer); /* the library holds it now */
    x->answer = NULL;
    x->queued = true;
    conn_wait(c, WAIT_NONE);
    return ok;
}

void conn_answer(struct conn *c)
{
    struct exchange *x = c->x;

    x->ready = true;
    x->stalled = false;
    if (!x->body_done)
        answer_early(c, x);
    conn_resume(c);
}

/* A failure before any handler ran: the problem is in the exchange's response. */
static enum MHD_Result refused(struct conn *c, struct exchange *x)
{
    x->ready = true;
    if (x->expects_continue && x->rq.content_length != 0)
        return queue_answer(c, x); /* the client waits for this before it sends the body */
    if (x->rq.content_length != 0)
        answer_early(c, x);
    return MHD_YES;
}

static void refuse(struct exchange *x, err e)
{
    router_refuse(x->cx, x->loop->t->router, &x->rq, &x->rs, e);
}

/* --- the head ----------------------------------------------------------------------------- */

static enum http_method method_of(str text)
{
    static const str names[] = {
        [HTTP_GET] = STR_INIT("GET"),         [HTTP_HEAD] = STR_INIT("HEAD"),
        [HTTP_POST] = STR_INIT("POST"),       [HTTP_PUT] = STR_INIT("PUT"),
        [HTTP_PATCH] = STR_INIT("PATCH"),     [HTTP_DELETE] = STR_INIT("DELETE"),
        [HTTP_OPTIONS] = STR_INIT("OPTIONS"),
    };

    for (size_t i = 0; i < COUNT(names); i++)
        if (str_eq(text, names[i]))
            return (enum http_method)i;
    return HTTP_OTHER;
}

/* The head is copied: a streaming handler may still read it when the connection is gone. */
static err take_head(struct conn *c, struct exchange *x, const char *first)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    size_t n = info ? info->header_size : 0;
    struct head head = {.headers = x->headers};
    struct request *rq = &x->rq;

    metric_add(&http_received, (int64_t)n);
    rq->received_ns = clock_mono_ns();
    rq->peer = arena_str(x->cx->mem, str_from(c->peer));
    if (n > c->loop->t->options.head_bytes_max)
        return fail(x->cx, ERR_HEADERS_TOO_LARGE, "the head is larger than %zu bytes",
                    c->loop->t->options.head_bytes_max);
    str cut = arena_str(x->cx->mem, (str){first, n});
    TRY(head_read(x->cx, cut, arena_str(x->cx->mem, buf_str(&c->target)), &head));
    rq->method_text = head.method;
    rq->method = method_of(head.method);
    rq->headers = head.headers;
    rq->header_count = head.header_count;
    rq->content_length = head.content_length;
    rq->query = head.target;
    rq->path = str_cut(&rq->query, '?');
    x->expects_continue = head.expects_continue;
    return ERR_OK;
}

static err dispatch(struct exchange *x)
{
    struct loop *l = x->loop;

    if (l->t->stopping)
        return fail(x->cx, ERR_STOPPED, "the server is stopping");
    if (!workers_have_room(l->t->workers, l->ready_count + 1)) {
        http_count_refusal(REFUSED_QUEUE);
        return fail(x->cx, ERR_BUSY, "too many requests are waiting");
    }
    x->dispatched = x->working = true;
    x->job.next = NULL;
    *(l->ready_last ? &l->ready_last->next : &l->ready_first) = &x->job;
    l->ready_last = &x->job;
    l->ready_count++;
    return ERR_OK;
}

static err begin_body(struct conn *c, struct exchange *x)
{
    int64_t n = x->rq.content_length;

    if (n == 0)
        return ERR_OK;
    if (x->rq.route->body == BODY_STREAM && (n < 0 || n > STREAM_GATHER_BYTES)) {
        TRY(exchange_stream_body(x));
        x->intake = INTAKE_STREAM;
        conn_wait(c, WAIT_STREAM);
        return dispatch(x);
    }
    x->intake = INTAKE_GATHER;
    conn_wait(c, WAIT_BODY);
    return ERR_OK;
}

static enum MHD_Result on_head(struct conn *c, const char *first)
{
    struct exchange *x = exchange_take(c);

    if (!x)
        return MHD_NO;
    conn_wait(c, WAIT_NONE);
    err e = take_head(c, x, first);
    if (e) {
        http_count_refusal(REFUSED_MALFORMED);
        refuse(x, e);
        part(c, x);
        return MHD_YES;
    }
    if (router_admit(x->cx, c->loop->t->router, &x->rq, &x->rs) != ERR_OK)
        return refused(c, x);
    e = begin_body(c, x);
    if (!e)
        return MHD_YES;
    refuse(x, e);
    return refused(c, x);
}

/* --- the body ----------------------------------------------------------------------------- */

static size_t gather(struct conn *c, struct exchange *x, str bytes)
{
    size_t most = x->rq.route->body == BODY_STREAM ? STREAM_GATHER_BYTES
                                                   : router_body_bytes_max(c->loop->t->router);

    if (x->in.n + bytes.n <= most) {
        buf_put(&x->in, bytes);
    } else {
        refuse(x, fail(x->cx, ERR_TOO_LARGE, "the body is larger than %zu bytes", most));
        x->ready = true;
        answer_early(c, x);
    }
    return bytes.n;
}

static size_t stream(struct conn *c, struct exchange *x, str bytes)
{
    size_t n = window_try_put(x->up, bytes);

    if (n < bytes.n) {
        x->stalled = true;
        conn_suspend(c);
    }
    return n;
}

static enum MHD_Result on_body(struct conn *c, struct exchange *x, const char *p, size_t *n)
{
    str bytes = {p, *n};
    size_t used = bytes.n;

    if (x->intake == INTAKE_STREAM)
        used = stream(c, x, bytes);
    else if (x->intake == INTAKE_GATHER)
        used = gather(c, x, bytes);
    else if (x->intake == INTAKE_PARTING && x->received > PARTING_BYTES_MAX)
        return MHD_NO;
    if (x->intake != INTAKE_PARTING && !c->suspended)
        conn_wait(c, x->intake == INTAKE_STREAM ? WAIT_STREAM : WAIT_BODY);
    x->received += used;
    metric_add(&http_received, (int64_t)used);
    *n -= used;
    return MHD_YES;
}

static err end_of_body(struct exchange *x)
{
    if (x->in.n) {
        if (!buf_reserve(&x->in, JSON_PADDING))
            return fail(x->cx, ERR_BUSY, "no memory for a body");
        x->rq.body = buf_str(&x->in);
    } else if (x->rq.route->body != BODY_NONE) {
        x->rq.body = S("");
    }
    return dispatch(x);
}

static enum MHD_Result on_end(struct conn *c, struct exchange *x)
{
    err e = ERR_OK;

    x->body_done = true;
    if (x->intake == INTAKE_PARTING)
        return MHD_NO;
    if (x->ready && x->rs.sse) {
        live_adopt(c, x);
        return MHD_NO;
    }
    if (x->ready)
        return queue_answer(c, x);
    if (!x->dispatched)
        e = end_of_body(x);
    else if (x->up)
        window_end(x->up);
    if (e) {
        refuse(x, e);
        return queue_answer(c, x);
    }
    conn_suspend(c);
    return MHD_YES;
}

/* --- callbacks ---------------------------------------------------------------------------- */

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_n, void **state)
{
    struct conn *c = conn_of(mhd);

    (void)cls;
    (void)url;
    (void)version;
    (void)state;
    if (!c->x)
        return on_head(c, method);
    return *body_n ? on_body(c, c->x, body, body_n) : on_end(c, c->x);
}

/* The first line of a request has arrived; what is kept of it is its target, still whole. */
static void *on_request_line(void *cls, const char *target, struct MHD_Connection *mhd)
{
    struct conn *c = conn_of(mhd);

    (void)cls;
    buf_clear(&c->target);
    buf_put(&c->target, str_from(target));
    conn_wait(c, WAIT_HEAD);
    return NULL;
}

/* The library takes the end of a client's stream for the client's end.  One that has only finished
 * sending still gets its answer. */
static bool is_half_closed(const struct exchange *x, enum MHD_RequestTerminationCode how)
{
    return how == MHD_REQUEST_TERMINATED_WITH_ERROR && x->ready && !x->queued && x->body_done &&
           !x->down && !x->rs.sse;
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **state,
                         enum MHD_RequestTerminationCode how)
{
    struct conn *c = conn_of(mhd);

    (void)cls;
    (void)state;
    if (c->x) {
        if (is_half_closed(c->x, how))
            send_raw(c, c->x);
        exchange_leave(c->x);
    }
    /* Closed while making a response, the library would clean up only at some later event. */
    conn_wait(c, how == MHD_REQUEST_TERMINATED_COMPLETED_OK ? WAIT_IDLE : WAIT_CLOSED);
}

static void peer_text(struct conn *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *from = info->client_addr;
    const struct sockaddr_in6 *v6 = (const void *)from;
    const struct sockaddr_in *v4 = (const void *)from;

    if (from->sa_family == AF_INET)
        inet_ntop(AF_INET, &v4->sin_addr, c->peer, sizeof c->peer);
    else if (from->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], c->peer, sizeof c->peer);
    else if (from->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &v6->sin6_addr, c->peer, sizeof c->peer);
}

static void conn_open(struct loop *l, struct MHD_Connection *mhd, void **place)
{
    struct conn *c = calloc(1, sizeof *c);

    ENSURE(c);
    *place = c;
    c->loop = l;
    c->mhd = mhd;
    c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    c->target = BUF(l->t->options.head_bytes_max);
    peer_text(c);
    c->next = l->conns;
    if (c->next)
        c->next->prev = c;
    l->conns = c;
    conn_wait(c, WAIT_IDLE);
    l->t->connections++;
    metric_add(&http_connections, 1);
}

static void conn_close(struct conn *c)
{
    struct loop *l = c->loop;

    conn_wait(c, WAIT_NONE);
    if (c->x)
        exchange_leave(c->x);
    if (c->next)
        c->next->prev = c->prev;
    *(c->prev ? &c->prev->next : &l->conns) = c->next;
    l->t->connections--;
    metric_add(&http_connections, -1);
    buf_close(&c->target);
    free(c);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **place,
                          enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        conn_open(cls, mhd, place);
    else if (*place)
        conn_close(*place);
}

/* Paths and queries are decoded by the router, behind the split into segments. */
static size_t leave_escaped(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls;
    (void)mhd;
    return strlen(text);
}

void conn_expired(struct conn *c, enum wait was)
{
    struct exchange *x = c->x;

    if (was != WAIT_IDLE)
        http_count_refusal(REFUSED_SLOW);
    if (was == WAIT_HEAD)
        wire_send(c->fd, S("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                           "Content-Length: 0\r\n\r\n"));
    if (was != WAIT_BODY || x->intake == INTAKE_PARTING) {
        shutdown(c->fd, SHUT_RDWR); /* the library sees it and cleans up */
        return;
    }
    if (!x->ready)
        refuse(x, fail(x->cx, ERR_TIMEOUT, "the body did not arrive"));
    x->ready = true;
    part(c, x);
}

/* --- the daemon --------------------------------------------------------------------------- */

/* The library keeps head, header list and read buffer in one run of memory and clears all of it
 * after each request: so it should be small.  (At 256 connections 32 KiB instead of 24 cost a tenth
 * of the rate; a bulk upload gains nothing from more.) */
static size_t pool_bytes(const struct transport_options *options)
{
    return size_max(options->head_bytes_max, 8 * 1024) + 8 * 1024;
}

/* The library's own watch is a net behind ours; it is the only one while a response is sent. */
static unsigned timeout_s(const struct transport_options *options)
{
    int64_t most_ns =
        options->idle_ns > options->receive_ns ? options->idle_ns : options->receive_ns;

    return (unsigned)(most_ns / 1000000000) + 2;
}

struct MHD_Daemon *connection_daemon(struct loop *l)
{
    const struct transport_options *o = &l->t->options;

    /* The library's own strictness would only close where head.c answers; so it is left off.
     *
     * TURBO: when the library drops a connection it must not shut the socket down, because an event
     * stream or a last answer may still be using it. */
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_TURBO, 0,
        NULL, NULL, on_request, l, MHD_OPTION_NOTIFY_CONNECTION, on_connection, l,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, l, MHD_OPTION_URI_LOG_CALLBACK, on_request_line,
        l, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, l, MHD_OPTION_CONNECTION_LIMIT,
        o->connections_max + 1, MHD_OPTION_CONNECTION_TIMEOUT, timeout_s(o),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool_bytes(o), MHD_OPTION_CONNECTION_MEMORY_INCREMENT,
        (size_t)4096, MHD_OPTION_END);
}
