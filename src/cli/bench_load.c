/* bench_load.c - see bench_load.h. */
#include "cli/bench_load.h"
#include "base/buf.h"
#include "base/clock.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_BYTES_MAX = 8 << 20, EVENTS = 256, IDLE_LIMIT_MS = 30000 };

/* ---- histogram ---- */

static size_t cell_of(uint64_t v)
{
    if (v < HISTOGRAM_STEPS)
        return (size_t)v;
    unsigned doubling = 63u - (unsigned)__builtin_clzll(v) - 6; /* from 0: [64, 128) */
    size_t cell = (size_t)(doubling + 1) * HISTOGRAM_STEPS + (size_t)(v >> doubling & 63);

    return size_min(cell, HISTOGRAM_CELLS - 1);
}

static uint64_t cell_value(size_t cell)
{
    size_t doubling = cell / HISTOGRAM_STEPS;

    if (doubling == 0)
        return cell;
    return (uint64_t)(HISTOGRAM_STEPS + cell % HISTOGRAM_STEPS) << (doubling - 1);
}

void histogram_add(struct histogram *h, uint64_t value)
{
    h->cells[cell_of(value)]++;
    h->count++;
    h->largest = value > h->largest ? value : h->largest;
}

uint64_t histogram_quantile(const struct histogram *h, double part)
{
    uint64_t wanted = (uint64_t)(part * (double)h->count + 0.5), seen = 0;

    for (size_t i = 0; i < HISTOGRAM_CELLS && h->count > 0; i++) {
        seen += h->cells[i];
        if (seen >= wanted && seen > 0)
            return cell_value(i);
    }
    return h->largest;
}

/* ---- addresses ---- */

static err resolve(struct ctx *cx, str host, str port, struct load_target *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int rc = getaddrinfo(arena_z(cx->mem, host), arena_z(cx->mem, port), &hints, &found);

    if (rc != 0)
        return fail(cx, ERR_UNREACHABLE, "%.*s: %s", STR_FMT(host), gai_strerror(rc));
    memcpy(&out->address, found->ai_addr, found->ai_addrlen);
    out->address_size = found->ai_addrlen;
    freeaddrinfo(found);
    return ERR_OK;
}

err load_target_open(struct ctx *cx, str url, str key, struct load_target *out)
{
    str scheme = S("http://"), host, port;

    if (!str_starts(url, scheme))
        return fail(cx, ERR_USAGE, "'%.*s': only plain http:// is measured", STR_FMT(url));
    host = str_slice(url, scheme.n, url.n);
    while (str_ends(host, S("/")))
        host.n--;
    *out = (struct load_target){.host = arena_str(cx->mem, host), .authorization = S("")};
    if (key.n)
        out->authorization = arena_printf(cx->mem, "Authorization: Bearer %.*s\r\n", STR_FMT(key));
    const char *colon = memrchr(host.p, ':', host.n);
    size_t at = colon ? (size_t)(colon - host.p) : host.n;
    port = colon ? str_slice(host, at + 1, host.n) : S("80");
    host = str_slice(host, 0, at);
    if (str_starts(host, S("[")))
        host = str_slice(host, 1, host.n - 1);
    return resolve(cx, host, port, out);
}

static err connect_to(struct ctx *cx, const struct load_target *t, int *out)
{
    int fd = socket(t->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

    if (fd < 0)
        return fail_errno(cx, ERR_IO, "a socket");
    if (connect(fd, (const struct sockaddr *)&t->address, t->address_size) != 0) {
        err e = fail_errno(cx, ERR_UNREACHABLE, "%.*s", STR_FMT(t->host));
        close(fd);
        return e;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    *out = fd;
    return ERR_OK;
}

/* ---- answers ---- */

struct answer {
    size_t head_bytes, body_bytes; /* head with its empty line */
    int status;
};

/* "HTTP/1.1 201 Created" */
static int status_of(str head)
{
    uint64_t status;

    return head.n > 12 && str_to_u64(str_slice(head, 9, 12), &status) ? (int)status : 0;
}

static bool length_of(str head, size_t *out)
{
    uint64_t n;

    while (head.p) {
        str value = str_cut(&head, '\n'), name = str_cut(&value, ':');
        if (!str_eq_nocase(name, S("content-length")))
            continue;
        if (!str_to_u64(str_trim(value), &n) || n > ANSWER_BYTES_MAX)
            return false;
        *out = (size_t)n;
        return true;
    }
    return false;
}

/* False while the head is not whole; a head that cannot be used has status 0. */
static bool answer_read(str bytes, struct answer *out)
{
    size_t end = str_find(bytes, S("\r\n\r\n"));
    str head = str_slice(bytes, 0, end);

    if (end == bytes.n)
        return false;
    *out = (struct answer){.head_bytes = end + 4, .status = status_of(head)};
    if (!length_of(head, &out->body_bytes))
        out->status = 0;
    return true;
}

/* ---- many requests ---- */

struct lane {
    int fd;
    size_t to_send, sent;
    int64_t begun_ns;
    struct buf in;
    char out[LOAD_REQUEST_BYTES_MAX];
};

struct loader {
    const struct load *load;
    struct load_result *result;
    struct lane *lanes;
    int epoll;
    uint64_t begun; /* requests */
    unsigned busy;
    int64_t started_ns;
};

static bool wants_more(const struct loader *l, int64_t now_ns)
{
    const struct load *load = l->load;

    return (load->requests_max == 0 || l->begun < load->requests_max) &&
           (load->duration_ns == 0 || now_ns - l->started_ns < load->duration_ns);
}

static err lane_send(struct ctx *cx, struct lane *lane)
{
    while (lane->sent < lane->to_send) {
        ssize_t n = send(lane->fd, lane->out + lane->sent, lane->to_send - lane->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return ERR_OK; /* EPOLLOUT comes, the lane is edge-triggered */
        if (n < 0)
            return fail_errno(cx, ERR_IO, "a request was cut off");
        lane->sent += (size_t)n;
    }
    return ERR_OK;
}

static err lane_begin(struct ctx *cx, struct loader *l, struct lane *lane, int64_t now_ns)
{
    lane->to_send = l->load->make(l->load->state, l->begun++, lane->out);
    lane->sent = 0;
    lane->begun_ns = now_ns;
    buf_clear(&lane->in);
    l->busy++;
    return lane_send(cx, lane);
}

static err lane_finish(struct ctx *cx, struct loader *l, struct lane *lane, int status)
{
    int64_t now_ns = clock_mono_ns();

    l->busy--;
    l->result->done++;
    l->result->failed += status != l->load->expect_status;
    histogram_add(&l->result->latency_ns, (uint64_t)(now_ns - lane->begun_ns));
    if (status == 0)
        return fail(cx, ERR_IO, "an answer without Content-Length cannot be measured");
    return wants_more(l, now_ns) ? lane_begin(cx, l, lane, now_ns) : ERR_OK;
}

static err lane_receive(struct ctx *cx, struct loader *l, struct lane *lane)
{
    struct answer a;

    for (;;) {
        if (!buf_reserve(&lane->in, 16 * 1024))
            return buf_check(cx, &lane->in, "an answer");
        ssize_t n = recv(lane->fd, lane->in.p + lane->in.n, lane->in.capacity - lane->in.n - 1,
                         MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return ERR_OK;
        if (n < 0)
            return fail_errno(cx, ERR_IO, "an answer was cut off");
        if (n == 0)
            return fail(cx, ERR_IO, "the server closed a connection");
        lane->in.n += (size_t)n;
        if (!answer_read(buf_str(&lane->in), &a) || lane->in.n < a.head_bytes + a.body_bytes)
            continue;
        TRY(lane_finish(cx, l, lane, a.status));
    }
}

static err lanes_open(struct ctx *cx, struct loader *l)
{
    for (unsigned i = 0; i < l->load->connections; i++) {
        struct lane *lane = &l->lanes[i];
        struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = lane};

        lane->in = BUF(ANSWER_BYTES_MAX + 64 * 1024);
        TRY(connect_to(cx, l->load->target, &lane->fd));
        if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, lane->fd, &ev) != 0)
            return fail_errno(cx, ERR_IO, "epoll");
    }
    return ERR_OK;
}

static void loader_close(struct loader *l)
{
    for (unsigned i = 0; i < l->load->connections; i++) {
        if (l->lanes[i].fd >= 0)
            close(l->lanes[i].fd);
        buf_close(&l->lanes[i].in);
    }
    free(l->lanes);
    close(l->epoll);
}

static err lane_step(struct ctx *cx, struct loader *l, const struct epoll_event *ev)
{
    struct lane *lane = ev->data.ptr;

    if (ev->events & EPOLLOUT && lane->sent < lane->to_send)
        TRY(lane_send(cx, lane));
    return ev->events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? lane_receive(cx, l, lane) : ERR_OK;
}

static err loader_run(struct ctx *cx, struct loader *l)
{
    struct epoll_event events[EVENTS];

    TRY(lanes_open(cx, l));
    l->started_ns = clock_mono_ns();
    for (unsigned i = 0; i < l->load->connections; i++)
        if (wants_more(l, l->started_ns))
            TRY(lane_begin(cx, l, &l->lanes[i], clock_mono_ns()));
    while (l->busy > 0) {
        int n = epoll_wait(l->epoll, events, EVENTS, IDLE_LIMIT_MS);
        if (n == 0)
            return fail(cx, ERR_TIMEOUT, "the server has not answered for 30 s");
        for (int i = 0; i < n; i++)
            TRY(lane_step(cx, l, &events[i]));
    }
    l->result->took_ns = clock_mono_ns() - l->started_ns;
    return ERR_OK;
}

err load_run(struct ctx *cx, const struct load *load, struct load_result *out)
{
    struct loader l = {.load = load, .result = out};

    *out = (struct load_result){0};
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    l.lanes = calloc(load->connections, sizeof *l.lanes);
    ENSURE(l.lanes && l.epoll >= 0);
    for (unsigned i = 0; i < load->connections; i++)
        l.lanes[i].fd = -1;
    err e = loader_run(cx, &l);
    loader_close(&l);
    return e;
}

/* ---- one long upload ---- */

static err send_all(struct ctx *cx, int fd, str bytes)
{
    while (bytes.n > 0) {
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n < 0)
            return fail_errno(cx, ERR_IO, "the upload was cut off");
        bytes = str_slice(bytes, (size_t)n, bytes.n);
    }
    return ERR_OK;
}

static err receive_answer(struct ctx *cx, int fd, int *out_status, str *out_body)
{
    CLEANUP(buf_close) struct buf in = BUF(ANSWER_BYTES_MAX + 64 * 1024);
    struct answer a = {0};

    while (!answer_read(buf_str(&in), &a) || in.n < a.head_bytes + a.body_bytes) {
        if (!buf_reserve(&in, 64 * 1024))
            return buf_check(cx, &in, "the answer");
        ssize_t n = recv(fd, in.p + in.n, in.capacity - in.n - 1, 0);
        if (n <= 0)
            return n == 0 ? fail(cx, ERR_IO, "the server closed the connection")
                          : fail_errno(cx, ERR_IO, "the answer was cut off");
        in.n += (size_t)n;
    }
    *out_status = a.status;
    *out_body = arena_str(cx->mem, str_slice(buf_str(&in), a.head_bytes, in.n));
    return ERR_OK;
}

static err upload_body(struct ctx *cx, const struct upload *u, int fd)
{
    str head = arena_printf(cx->mem,
                            "POST %s HTTP/1.1\r\nHost: %.*s\r\n%.*sContent-Type: %s\r\n"
                            "Content-Length: %llu\r\n\r\n",
                            u->path, STR_FMT(u->target->host), STR_FMT(u->target->authorization),
                            u->content_type, (unsigned long long)u->bytes);

    TRY(send_all(cx, fd, head));
    for (uint64_t sent = 0; sent < u->bytes;) {
        str part = u->next(u->state);
        part = str_slice(part, 0, (size_t)u64_min(part.n, u->bytes - sent));
        TRY(send_all(cx, fd, part));
        sent += part.n;
    }
    return ERR_OK;
}

err upload_run(struct ctx *cx, const struct upload *u, int *out_status, str *out_body,
               int64_t *out_took_ns)
{
    int fd;

    TRY(connect_to(cx, u->target, &fd));
    int64_t begun_ns = clock_mono_ns();
    err sent = upload_body(cx, u, fd);
    /* A server that refuses answers before the end and closes: its answer says more. */
    err e = receive_answer(cx, fd, out_status, out_body);
    close(fd);
    *out_took_ns = clock_mono_ns() - begun_ns;
    return e == ERR_OK ? ERR_OK : sent != ERR_OK ? sent : e;
}
