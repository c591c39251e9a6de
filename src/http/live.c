/* live.c - event streams: sockets that have left libmicrohttpd and weigh little.
 *
 * A suspended connection of the library costs its memory pool, and every resumption of another one
 * walks the list of all of them; ten thousand idle streams would slow everything else down.  So
 * when the handler has made its answer a stream, the socket is duplicated, the library closes its
 * side, and the loop serves the stream with its own epoll.  The answer has no length and ends with
 * the connection.  (With TLS in this process the session would have to come along.)
 *
 * Streams are in the order of their next heartbeat; at most BEATS_MAX are sent in one round. */
#include "base/clock.h"
#include "http/transport_private.h"
#include "http/wire.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BEATS_MAX = 64, STREAM_HEAD_BYTES_MAX = 16 * 1024 };
#define BEAT_NS (STREAM_BEAT_S * INT64_C(1000000000))

struct live {
    struct post post;
    struct loop *loop;
    struct sse_stream *stream; /* NULL: dead, waiting to be buried */
    int fd;
    bool gone; /* the client closed */
    int64_t beat_ns;
    struct live *prev, *next;
};

static void live_link(struct live *v)
{
    struct loop *l = v->loop;

    v->beat_ns = clock_mono_ns() + BEAT_NS;
    v->prev = l->live_last;
    v->next = NULL;
    *(v->prev ? &v->prev->next : &l->live_first) = v;
    l->live_last = v;
}

static void live_unlink(struct live *v)
{
    struct loop *l = v->loop;

    *(v->prev ? &v->prev->next : &l->live_first) = v->next;
    *(v->next ? &v->next->prev : &l->live_last) = v->prev;
}

/* Its memory stays until no note and no event of this round can name it. */
static void live_close(struct live *v)
{
    struct loop *l = v->loop;

    live_unlink(v);
    epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, v->fd, NULL);
    close(v->fd);
    sse_finish(v->stream);
    v->stream = NULL;
    l->t->connections--;
    metric_add(&http_connections, -1);
    v->next = l->graves;
    l->graves = v;
}

void live_bury(struct loop *l)
{
    struct live **place = &l->graves;

    while (*place) {
        struct live *v = *place;
        if (atomic_load(&v->post.bits) & POST_QUEUED) {
            place = &v->next;
            continue;
        }
        *place = v->next;
        free(v);
    }
}

static size_t live_send(void *state, str bytes)
{
    struct live *v = state;
    ssize_t n = wire_send(v->fd, bytes);

    v->gone = v->gone || n < 0;
    if (n > 0)
        metric_add(&http_sent, n);
    return n < 0 ? bytes.n : (size_t)n;
}

static void live_flush(struct live *v)
{
    size_t left = sse_flush(v->stream, live_send, v);

    if (v->gone || sse_overflowed(v->stream) || (left == 0 && sse_is_closing(v->stream)))
        live_close(v);
}

static void live_take_note(struct post *p, unsigned bits)
{
    struct live *v = (struct live *)p; /* its first member */

    (void)bits;
    if (v->stream)
        live_flush(v);
}

static void live_wake(void *carrier)
{
    struct live *v = carrier;

    post(v->loop, &v->post, POST_LIVE);
}

/* Whatever a client says on a stream is of no interest but its end. */
static bool has_hung_up(int fd)
{
    char dropped[512];
    ssize_t n;

    do
        n = recv(fd, dropped, sizeof dropped, MSG_DONTWAIT);
    while (n > 0 || (n < 0 && errno == EINTR));
    return n == 0 || errno != EAGAIN;
}

void live_event(struct live *v, unsigned events)
{
    if (!v->stream)
        return;
    v->gone = v->gone || (events & (EPOLLERR | EPOLLHUP)) ||
              ((events & (EPOLLIN | EPOLLRDHUP)) && has_hung_up(v->fd));
    live_flush(v);
}

static bool send_head(const struct exchange *x, int fd)
{
    CLEANUP(buf_close) struct buf head = BUF(STREAM_HEAD_BYTES_MAX);

    wire_response(&head, &x->rs, true);
    return buf_ok(&head) && wire_send(fd, buf_str(&head)) == (ssize_t)head.n;
}

static struct live *live_new(struct conn *c)
{
    struct live *v = calloc(1, sizeof *v);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = v};

    if (!v)
        return NULL;
    v->loop = c->loop;
    v->post.take = live_take_note;
    v->fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
    if (v->fd < 0 || epoll_ctl(c->loop->epoll_fd, EPOLL_CTL_ADD, v->fd, &ev) != 0) {
        if (v->fd >= 0)
            close(v->fd);
        free(v);
        return NULL;
    }
    return v;
}

void live_adopt(struct conn *c, struct exchange *x)
{
    struct live *v = live_new(c);

    if (!v) {
        http_count_refusal(REFUSED_DESCRIPTORS);
        return; /* the exchange ends the stream when it is cleaned */
    }
    v->stream = x->rs.sse;
    v->gone = !send_head(x, v->fd);
    x->rs.sse = NULL;
    x->queued = true; /* it is answered: the end of the connection must not do it again */
    c->loop->t->connections++;
    metric_add(&http_connections, 1);
    live_link(v);
    sse_attach(v->stream, live_wake, v);
    if (v->gone)
        live_close(v);
}

/* A stream that is closing and still has not been read dry by now is cut. */
void live_beat(struct loop *l, int64_t now_ns)
{
    for (int i = 0; i < BEATS_MAX && l->live_first && l->live_first->beat_ns <= now_ns; i++) {
        struct live *v = l->live_first;
        live_unlink(v);
        live_link(v);
        v->gone = v->gone || sse_is_closing(v->stream);
        sse_put_raw(v->stream, S(":\n\n"));
        live_flush(v);
    }
}

int64_t live_next_beat_ns(const struct loop *l)
{
    return l->live_first ? l->live_first->beat_ns : INT64_MAX;
}

void live_end_all(struct loop *l)
{
    while (l->live_first) {
        struct live *v = l->live_first;
        sse_put_raw(v->stream, S("retry: 2000\n\n"));
        v->gone = true;
        live_flush(v);
    }
}
