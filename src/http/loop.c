/* loop.c - the thread that moves bytes: waits, accepts, runs its daemon, takes notes, watches the
 * clock.
 *
 * The daemon runs without a thread of its own (see docs/design on why); its epoll descriptor is one
 * of those that this loop waits for.  Connections are accepted here and not by the library, so that
 * limits, running out of descriptors and draining are ours to handle.
 *
 * A worker that leaves a note wakes the loop only if it sleeps.  The loop says that it will sleep
 * before it looks at the notes a last time, so a note is either seen or wakes. */
#include "base/clock.h"
#include "base/queue.h"
#include "http/transport_private.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 64, ACCEPTS_MAX = 32 };
#define ACCEPT_PAUSE_NS INT64_C(100000000)

/* --- notes -------------------------------------------------------------------------------- */

void loop_wake(struct loop *l)
{
    uint64_t one = 1;
    ssize_t n = write(l->event_fd, &one, sizeof one);

    (void)n; /* full means that it will wake anyway */
}

static void clear_wake(struct loop *l)
{
    uint64_t count;
    ssize_t n = read(l->event_fd, &count, sizeof count);

    (void)n; /* nothing there means that it was cleared already */
}

void post(struct loop *l, struct post *p, unsigned bits)
{
    if (atomic_fetch_or(&p->bits, bits | POST_QUEUED) & POST_QUEUED)
        return;
    struct post *first = atomic_load(&l->posts);
    do
        p->next = first;
    while (!atomic_compare_exchange_weak(&l->posts, &first, p));
    if (atomic_load(&l->asleep) && atomic_exchange(&l->asleep, false))
        loop_wake(l);
}

static void take_posts(struct loop *l)
{
    struct post *p = atomic_exchange(&l->posts, NULL), *in_order = NULL;

    while (p) {
        struct post *next = p->next;
        p->next = in_order;
        in_order = p;
        p = next;
    }
    while (in_order) {
        p = in_order;
        in_order = p->next;
        p->take(p, atomic_exchange(&p->bits, 0) & ~(unsigned)POST_QUEUED);
    }
}

/* --- connections -------------------------------------------------------------------------- */

static void wait_leave(struct conn *c)
{
    struct wait_list *list = &c->loop->waits[c->wait];

    if (c->wait == WAIT_NONE)
        return;
    *(c->earlier ? &c->earlier->later : &list->first) = c->later;
    *(c->later ? &c->later->earlier : &list->last) = c->earlier;
    c->earlier = c->later = NULL;
    c->wait = WAIT_NONE;
}

static void wait_enter(struct conn *c, enum wait wait)
{
    struct wait_list *list = &c->loop->waits[wait];

    c->wait = wait;
    c->since_ns = c->loop->now_ns;
    c->earlier = list->last;
    *(list->last ? &list->last->later : &list->first) = c;
    list->last = c;
}

void conn_wait(struct conn *c, enum wait wait)
{
    wait_leave(c);
    if (wait == WAIT_NONE)
        return;
    c->wait_next = wait;
    wait_enter(c, wait == WAIT_CLOSED ? WAIT_CLOSED : WAIT_LOOK);
}

void conn_suspend(struct conn *c)
{
    if (c->suspended)
        return;
    c->suspended = true;
    conn_wait(c, WAIT_NONE);
    MHD_suspend_connection(c->mhd);
}

void conn_resume(struct conn *c)
{
    if (!c->suspended)
        return;
    c->suspended = false;
    c->loop->hurry = true; /* the library's own timeout knows nothing of it */
    MHD_resume_connection(c->mhd);
}

void conn_remind(struct conn *c)
{
    conn_suspend(c);
    conn_resume(c);
}

static void expire_one(struct conn *c)
{
    enum wait was = c->wait;

    wait_leave(c);
    if (was == WAIT_LOOK || was == WAIT_CLOSED)
        conn_remind(c);
    else
        conn_expired(c, was);
    if (was == WAIT_LOOK && c->wait_next != WAIT_STREAM)
        wait_enter(c, c->wait_next);
}

static void expire(struct loop *l, int64_t now_ns)
{
    for (enum wait w = WAIT_LOOK; w < WAITS; w++) {
        struct wait_list *list = &l->waits[w];
        while (list->first && list->first->since_ns + list->limit_ns <= now_ns)
            expire_one(list->first);
    }
}

/* --- accepting ---------------------------------------------------------------------------- */

static void listen_events(struct loop *l, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = &l->listen_fd};

    if (l->listen_fd >= 0)
        epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, l->listen_fd, &ev);
}

/* Without descriptors the listening socket stays ready: looking again at once would only spin. */
static void accept_pause(struct loop *l)
{
    http_count_refusal(REFUSED_DESCRIPTORS);
    l->accept_again_ns = clock_mono_ns() + ACCEPT_PAUSE_NS;
    listen_events(l, 0);
}

static void accept_resume(struct loop *l, int64_t now_ns)
{
    if (l->accept_again_ns == 0 || now_ns < l->accept_again_ns)
        return;
    l->accept_again_ns = 0;
    listen_events(l, EPOLLIN);
}

static bool accept_one(struct loop *l)
{
    struct sockaddr_in6 from; /* large enough for both families */
    socklen_t n = sizeof from;
    int fd = accept4(l->listen_fd, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            accept_pause(l);
        return errno == ECONNABORTED || errno == EINTR;
    }
    if (l->t->connections >= l->t->options.connections_max) {
        http_count_refusal(REFUSED_CONNECTIONS);
        close(fd);
        return true;
    }
    metric_add(&http_accepted, 1);
    MHD_add_connection(l->daemon, fd, (struct sockaddr *)&from, n); /* closes it when it fails */
    return true;
}

static void accept_some(struct loop *l, int most)
{
    if (l->listen_fd < 0)
        return;
    while (most-- > 0 && accept_one(l))
        continue;
}

/* --- the round ---------------------------------------------------------------------------- */

static int64_t next_due_ns(const struct loop *l)
{
    int64_t due = live_next_beat_ns(l);

    for (enum wait w = WAIT_LOOK; w < WAITS; w++) {
        const struct conn *c = l->waits[w].first;
        if (c && c->since_ns + l->waits[w].limit_ns < due)
            due = c->since_ns + l->waits[w].limit_ns;
    }
    if (l->accept_again_ns && l->accept_again_ns < due)
        due = l->accept_again_ns;
    return due;
}

static int wait_ms(struct loop *l)
{
    unsigned long long daemon_ms;
    int64_t due_ns = next_due_ns(l), ms = 60 * 1000;

    if (l->hurry)
        return 0;
    if (due_ns != INT64_MAX) {
        int64_t left_ns = due_ns - clock_mono_ns();
        ms = left_ns <= 0 ? 0 : left_ns / 1000000 + 1;
    }
    if (MHD_get_timeout(l->daemon, &daemon_ms) == MHD_YES && daemon_ms < (uint64_t)ms)
        ms = (int64_t)daemon_ms;
    return (int)(ms < 60 * 1000 ? ms : 60 * 1000);
}

static void take_event(struct loop *l, const struct epoll_event *ev)
{
    if (ev->data.ptr == &l->listen_fd)
        accept_some(l, ACCEPTS_MAX);
    else if (ev->data.ptr == &l->event_fd)
        clear_wake(l);
    else if (ev->data.ptr != &l->daemon)
        live_event(ev->data.ptr, ev->events);
}

static void submit_ready(struct loop *l)
{
    if (!l->ready_count)
        return;
    if (!workers_submit(l->t->workers, l->ready_first, l->ready_last, l->ready_count))
        for (struct job *job = l->ready_first; job; job = job->next)
            ((struct exchange *)job)->working = false; /* ended with its connection */
    l->ready_first = l->ready_last = NULL;
    l->ready_count = 0;
}

static void loop_round(struct loop *l)
{
    struct epoll_event events[EVENTS_MAX];
    int ms = wait_ms(l);

    atomic_store(&l->asleep, ms != 0);
    if (ms != 0 && atomic_load(&l->posts))
        ms = 0;
    int n = epoll_wait(l->epoll_fd, events, EVENTS_MAX, ms);
    atomic_store(&l->asleep, false);
    l->now_ns = clock_mono_ns();
    for (int i = 0; i < n; i++)
        take_event(l, &events[i]);
    take_posts(l);
    l->hurry = false;
    MHD_run(l->daemon);
    submit_ready(l);
    expire(l, l->now_ns);
    accept_resume(l, l->now_ns);
    live_beat(l, l->now_ns);
    live_bury(l);
}

/* --- the end ------------------------------------------------------------------------------ */

/* What waits in the socket's queue has been promised an answer by the kernel: it is let in before
 * the socket is closed, and gets one round. */
static void loop_drain(struct loop *l)
{
    for (struct conn *c = l->conns; c; c = c->next)
        if (c->wait && c->wait_next == WAIT_IDLE)
            conn_expired(c, WAIT_IDLE);
    accept_some(l, 1024);
    if (l->listen_fd >= 0)
        close(l->listen_fd);
    l->listen_fd = -1;
    live_end_all(l);
    l->hurry = true;
    loop_round(l);
    l->drained = true;
    pthread_mutex_lock(&l->t->lock);
    pthread_cond_broadcast(&l->t->quiet);
    pthread_mutex_unlock(&l->t->lock);
}

static void loop_break(struct loop *l)
{
    l->broken = true;
    for (struct exchange *x = l->in_use; x; x = x->next)
        exchange_break(x, ERR_STOPPED);
}

static void loop_end(struct loop *l)
{
    take_posts(l);
    live_end_all(l);
    for (struct conn *c = l->conns; c; c = c->next)
        conn_resume(c); /* the library insists */
    MHD_stop_daemon(l->daemon);
    l->daemon = NULL;
    live_bury(l);
}

static void *loop_main(void *arg)
{
    struct loop *l = arg;

    l->now_ns = clock_mono_ns();
    while (!l->t->ended) {
        loop_round(l);
        if (l->t->draining && !l->drained)
            loop_drain(l);
        if (l->t->stopping && !l->broken)
            loop_break(l);
    }
    loop_end(l);
    return NULL;
}

/* --- opening ------------------------------------------------------------------------------ */

static bool watch(struct loop *l, int fd, void *tag)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = tag};

    return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static void set_limits(struct loop *l)
{
    int64_t idle_ns = l->t->options.idle_ns, receive_ns = l->t->options.receive_ns;
    int64_t shorter_ns = idle_ns < receive_ns ? idle_ns : receive_ns;
    int64_t look_ns = LOOK_NS < shorter_ns / 2 ? LOOK_NS : shorter_ns / 2;

    l->waits[WAIT_LOOK].limit_ns = look_ns;
    l->waits[WAIT_IDLE].limit_ns = idle_ns - look_ns;
    l->waits[WAIT_HEAD].limit_ns = l->waits[WAIT_BODY].limit_ns = receive_ns - look_ns;
}

err loop_open(struct ctx *cx, struct loop *l, struct transport *t, int listen_fd)
{
    l->t = t;
    l->listen_fd = listen_fd;
    set_limits(l);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->daemon = connection_daemon(l);
    if (l->epoll_fd < 0 || l->event_fd < 0 || !l->daemon)
        return fail_errno(cx, ERR_IO, "starting a loop");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!watch(l, l->listen_fd, &l->listen_fd) || !watch(l, l->event_fd, &l->event_fd) ||
        !watch(l, info->epoll_fd, &l->daemon))
        return fail_errno(cx, ERR_IO, "watching the sockets of a loop");
    return ERR_OK;
}

void loop_start(struct loop *l)
{
    l->thread = thread_start("http-loop", loop_main, l);
}

void loop_close(struct loop *l)
{
    if (l->daemon)
        MHD_stop_daemon(l->daemon);
    for (struct exchange *x = l->free, *next; x; x = next) {
        next = x->next;
        ctx_close(x->cx);
        buf_close(&x->in);
        buf_close(&x->rs.body);
        free(x);
    }
    if (l->listen_fd >= 0)
        close(l->listen_fd);
    if (l->epoll_fd >= 0)
        close(l->epoll_fd);
    if (l->event_fd >= 0)
        close(l->event_fd);
}
