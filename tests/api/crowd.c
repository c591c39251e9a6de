/* crowd.c - see crowd.h. */
#include "crowd.h"
#include "base/clock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REPLY_BYTES_MAX = 1 << 20, EVENTS = 256, OTHER_FILES = 64 };

struct member {
    int fd;
    unsigned number; /* of the request that is under way, or next */
    bool connected;
    struct buf out, in;
    size_t sent;
};

struct run {
    const struct crowd *crowd;
    struct member *members;
    unsigned connected, answered;
    int epoll;
};

bool crowd_fits(unsigned connections)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return false;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur >= connections + OTHER_FILES;
}

static void watch(const struct run *r, struct member *m, unsigned events, int how)
{
    struct epoll_event e = {.events = events, .data.ptr = m};

    CHECK_EQ(epoll_ctl(r->epoll, how, m->fd, &e), 0);
}

static void dial(struct run *r, struct member *m)
{
    str text = str_from(r->crowd->address), host = str_cut(&text, ':');
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint64_t port = 0;

    (void)host;
    CHECK(str_to_u64(text, &port));
    to.sin_port = htons((uint16_t)port);
    m->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(m->fd >= 0);
    CHECK(connect(m->fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS);
    m->out = m->in = BUF(REPLY_BYTES_MAX);
    watch(r, m, EPOLLOUT, EPOLL_CTL_ADD);
}

static void push(struct run *r, struct member *m)
{
    while (m->sent < m->out.n) {
        ssize_t n = send(m->fd, m->out.p + m->sent, m->out.n - m->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            FAIL("request %u cannot be sent: %s", m->number, strerror(errno));
        m->sent += (size_t)n;
    }
    watch(r, m, EPOLLIN, EPOLL_CTL_MOD);
}

static void ask(struct run *r, struct member *m)
{
    if (m->number >= r->crowd->requests)
        return;
    buf_clear(&m->out);
    m->sent = 0;
    r->crowd->make(r->crowd->state, m->number, &m->out);
    CHECK(buf_ok(&m->out));
    push(r, m);
}

/* The whole reply with a Content-Length; false: not all there yet. */
static bool cut_reply(const struct member *m, int *out_status, str *out_body)
{
    const str name = S("Content-Length: ");
    str all = buf_str(&m->in);
    size_t end = str_find(all, S("\r\n\r\n"));
    uint64_t status = 0, length = 0;

    if (end == all.n)
        return false;
    str head = str_slice(all, 0, end + 2);
    str value = str_slice(head, str_find(head, name) + name.n, head.n);
    CHECK(str_to_u64(str_slice(all, 9, 12), &status) && str_to_u64(str_cut(&value, '\r'), &length));
    *out_status = (int)status;
    *out_body = str_slice(all, end + 4, end + 4 + (size_t)length);
    return out_body->n == length;
}

static void pull(struct run *r, struct member *m)
{
    int status;
    str body;

    CHECK(buf_reserve(&m->in, 16 * 1024));
    ssize_t n = recv(m->fd, m->in.p + m->in.n, 16 * 1024, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        FAIL("the connection of request %u ended", m->number);
    m->in.n += (size_t)n;
    if (!cut_reply(m, &status, &body))
        return;
    if (r->crowd->take(r->crowd->state, m->number, status, body)) {
        r->answered++;
        m->number += r->crowd->connections;
    }
    buf_clear(&m->in);
    ask(r, m);
}

static void connected(struct run *r, struct member *m)
{
    int error = 0;
    socklen_t n = sizeof error;

    getsockopt(m->fd, SOL_SOCKET, SO_ERROR, &error, &n);
    if (error)
        FAIL("a connection was not accepted: %s", strerror(error));
    m->connected = true;
    watch(r, m, 0, EPOLL_CTL_MOD);
    if (++r->connected < r->crowd->connections)
        return;
    for (unsigned i = 0; i < r->crowd->connections; i++)
        ask(r, &r->members[i]);
}

static void step(struct run *r, const struct epoll_event *e)
{
    struct member *m = e->data.ptr;

    if (!m->connected)
        connected(r, m);
    else if (e->events & EPOLLOUT)
        push(r, m);
    else
        pull(r, m);
}

static void finish(struct run *r)
{
    for (unsigned i = 0; i < r->crowd->connections; i++) {
        close(r->members[i].fd);
        buf_close(&r->members[i].out);
        buf_close(&r->members[i].in);
    }
    close(r->epoll);
    free(r->members);
}

void crowd_run(const struct crowd *crowd, unsigned seconds)
{
    struct run r = {.crowd = crowd, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    int64_t deadline = clock_mono_ns() + seconds * INT64_C(1000000000);
    struct epoll_event events[EVENTS];

    CHECK(r.epoll >= 0);
    r.members = calloc(crowd->connections, sizeof *r.members);
    ENSURE(r.members);
    for (unsigned i = 0; i < crowd->connections; i++) {
        r.members[i].number = i;
        dial(&r, &r.members[i]);
    }
    while (r.answered < crowd->requests) {
        int n = epoll_wait(r.epoll, events, EVENTS, 1000);
        for (int i = 0; i < n; i++)
            step(&r, &events[i]);
        if (clock_mono_ns() > deadline)
            FAIL("%u of %u requests were answered in time (%u of %u connected)", r.answered,
                 crowd->requests, r.connected, crowd->connections);
    }
    finish(&r);
}
