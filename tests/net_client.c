/* net_client.c - see net_client.h. */
#include "net_client.h"
#include "base/clock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_BYTES_MAX = 256 << 20 };

int64_t net_deadline_ns(void)
{
    return clock_mono_ns() + NET_PATIENCE_MS * INT64_C(1000000);
}

void net_yield(int64_t deadline_ns, const char *what)
{
    if (clock_mono_ns() > deadline_ns)
        FAIL("still not so: %s", what);
    sched_yield();
}

struct net net_dial(const char *address)
{
    str text = str_from(address);
    size_t colon = text.n;
    uint64_t port = 0;

    while (colon && text.p[colon - 1] != ':')
        colon--;
    CHECK(str_to_u64(str_slice(text, colon, text.n), &port));
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct net n = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .in = BUF(IN_BYTES_MAX)};
    CHECK(n.fd >= 0);
    CHECK_EQ(connect(n.fd, (struct sockaddr *)&to, sizeof to), 0);
    return n;
}

void net_close(struct net *n)
{
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
    buf_close(&n->in);
}

bool net_send(struct net *n, str bytes)
{
    while (bytes.n) {
        ssize_t sent = send(n->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        bytes = str_slice(bytes, (size_t)sent, bytes.n);
    }
    return true;
}

/* More bytes: 1; the end: 0 (a reset counts as one). */
static int more(struct net *n)
{
    struct pollfd p = {.fd = n->fd, .events = POLLIN};

    if (poll(&p, 1, NET_PATIENCE_MS) != 1)
        FAIL("nothing came for %d ms", NET_PATIENCE_MS);
    CHECK(buf_reserve(&n->in, 64 * 1024));
    ssize_t got = recv(n->fd, n->in.p + n->in.n, 64 * 1024, 0);
    if (got <= 0)
        return 0;
    n->in.n += (size_t)got;
    return 1;
}

static size_t find(const struct net *n, str text)
{
    return str_find(buf_str(&n->in), text);
}

bool net_await(struct net *n, str text)
{
    while (find(n, text) == n->in.n)
        if (!more(n))
            return false;
    return true;
}

bool net_await_end(struct net *n)
{
    while (more(n))
        buf_clear(&n->in);
    return true;
}

static str take(struct ctx *cx, struct net *n, size_t bytes)
{
    str s = arena_str(cx->mem, str_slice(buf_str(&n->in), 0, bytes));

    buf_drop_front(&n->in, bytes);
    return s;
}

static bool await_bytes(struct net *n, size_t bytes)
{
    while (n->in.n < bytes)
        if (!more(n))
            return false;
    return true;
}

static void read_chunks(struct ctx *cx, struct net *n, struct net_reply *r)
{
    struct buf body = BUF(IN_BYTES_MAX);

    for (;;) {
        if (!net_await(n, S("\r\n")))
            break;
        str line = take(cx, n, find(n, S("\r\n")) + 2);
        size_t size = strtoul(line.p, NULL, 16);
        if (!await_bytes(n, size + 2))
            break;
        buf_put(&body, str_slice(buf_str(&n->in), 0, size));
        buf_drop_front(&n->in, size + 2);
        if (size == 0) {
            r->complete = true;
            break;
        }
    }
    r->body = arena_str(cx->mem, buf_str(&body));
    buf_close(&body);
}

struct net_reply net_read_head(struct ctx *cx, struct net *n)
{
    struct net_reply r = {0};
    uint64_t status = 0;

    do {
        if (!net_await(n, S("\r\n\r\n")))
            return (struct net_reply){0};
        r.head = take(cx, n, find(n, S("\r\n\r\n")) + 4);
        CHECK(str_starts(r.head, S("HTTP/1.1 ")));
        CHECK(str_to_u64(str_slice(r.head, 9, 12), &status));
    } while (status == 100);
    r.status = (int)status;
    r.complete = true;
    return r;
}

struct net_reply net_read(struct ctx *cx, struct net *n)
{
    struct net_reply r = net_read_head(cx, n);
    uint64_t length = 0;

    if (!r.status)
        return r;
    r.complete = false;
    if (str_eq(net_header(&r, "Transfer-Encoding"), S("chunked"))) {
        read_chunks(cx, n, &r);
        return r;
    }
    str_to_u64(net_header(&r, "Content-Length"), &length);
    r.complete = await_bytes(n, (size_t)length);
    r.body = take(cx, n, size_min((size_t)length, n->in.n));
    return r;
}

struct net_reply net_ask(struct ctx *cx, struct net *n, str request)
{
    net_send(n, request);
    return net_read(cx, n);
}

str net_header(const struct net_reply *r, const char *name)
{
    str left = r->head;

    while (!str_is_null(left)) {
        str value = str_cut(&left, '\n');
        str key = str_cut(&value, ':');
        if (!str_is_null(value) && str_eq_nocase(key, str_from(name)))
            return str_trim(value);
    }
    return STR_NULL;
}
