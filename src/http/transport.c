/* transport.c - opening, draining and closing: see transport.h and transport_private.h.
 *
 * The order at the end: stop accepting; let running requests end; break what still waits for a
 * client; end the workers; end the loops. */
#include "base/clock.h"
#include "base/queue.h"
#include "http/transport_private.h"
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- the address -------------------------------------------------------------------------- */

struct address {
    struct sockaddr_storage to;
    socklen_t n;
};

static err address_parse(struct ctx *cx, const char *listen, struct address *out)
{
    str text = str_from(listen);
    const char *colon = strrchr(listen, ':');
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;

    if (!colon || !colon[1])
        return fail(cx, ERR_CONFIG, "'%s' is not an address like 127.0.0.1:8080", listen);
    str host = str_slice(text, 0, (size_t)(colon - listen));
    if (str_starts(host, S("[")) && str_ends(host, S("]")))
        host = str_slice(host, 1, host.n - 1);
    int rc = getaddrinfo(host.n ? arena_z(cx->mem, host) : NULL, colon + 1, &hints, &found);
    if (rc != 0)
        return fail(cx, ERR_CONFIG, "'%s' cannot be listened on: %s", listen, gai_strerror(rc));
    memcpy(&out->to, found->ai_addr, found->ai_addrlen);
    out->n = found->ai_addrlen;
    freeaddrinfo(found);
    return ERR_OK;
}

/* Every loop has a socket of its own; the first one settles the port for all. */
static err listen_on(struct ctx *cx, struct address *a, const char *name, int *out)
{
    int on = 1, fd = socket(a->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return fail_errno(cx, ERR_IO, "listening on %s", name);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&a->to, a->n) != 0 || listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&a->to, &a->n) != 0) {
        err e = fail_errno(cx, ERR_IO, "listening on %s", name);
        close(fd);
        return e;
    }
    *out = fd;
    return ERR_OK;
}

static void address_text(struct transport *t, const struct address *a)
{
    char host[INET6_ADDRSTRLEN], port[8];

    ENSURE(getnameinfo((const struct sockaddr *)&a->to, a->n, host, sizeof host, port, sizeof port,
                       NI_NUMERICHOST | NI_NUMERICSERV) == 0);
    snprintf(t->address, sizeof t->address, a->to.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
             port);
}

/* SO_REUSEPORT would also let a second server take half of our connections unseen. */
static err refuse_shared_port(struct ctx *cx, const struct address *a, const char *name)
{
    int fd = socket(a->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0)
        return fail_errno(cx, ERR_IO, "listening on %s", name);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    int rc = bind(fd, (const struct sockaddr *)&a->to, a->n);
    err e = rc == 0 ? ERR_OK : fail_errno(cx, ERR_IO, "listening on %s", name);
    close(fd);
    return e;
}

/* --- life --------------------------------------------------------------------------------- */

const char *transport_address(const struct transport *t)
{
    return t->address;
}

unsigned transport_connections(const struct transport *t)
{
    return t->connections;
}

unsigned transport_queue_depth(const struct transport *t)
{
    return workers_queue_depth(t->workers);
}

static void wake_all(struct transport *t)
{
    for (unsigned i = 0; i < t->loop_count; i++)
        loop_wake(&t->loops[i]);
}

static err open_loops(struct ctx *cx, struct transport *t)
{
    struct address a = {0};

    TRY(address_parse(cx, t->options.listen, &a));
    TRY(refuse_shared_port(cx, &a, t->options.listen));
    for (unsigned i = 0; i < t->options.loops; i++) {
        int fd = -1;
        TRY(listen_on(cx, &a, t->options.listen, &fd));
        t->loop_count++;
        TRY(loop_open(cx, &t->loops[i], t, fd));
    }
    address_text(t, &a);
    return ERR_OK;
}

static void transport_free(struct transport *t)
{
    for (unsigned i = 0; i < t->loop_count; i++)
        loop_close(&t->loops[i]);
    workers_close(t->workers);
    pthread_cond_destroy(&t->quiet);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

err transport_open(struct ctx *cx, const struct transport_options *options, struct router *router,
                   struct transport **out)
{
    struct transport *t = calloc(1, sizeof *t + options->loops * sizeof t->loops[0]);

    ENSURE(t && options->loops && options->workers);
    t->options = *options;
    t->router = router;
    pthread_mutex_init(&t->lock, NULL);
    cond_init(&t->quiet);
    t->workers = workers_open(options->workers, options->queue_max, exchange_run, t);
    err e = open_loops(cx, t);
    if (e) {
        transport_free(t);
        return e;
    }
    for (unsigned i = 0; i < t->loop_count; i++)
        loop_start(&t->loops[i]);
    *out = t;
    return ERR_OK;
}

static bool is_busy(const struct transport *t)
{
    for (unsigned i = 0; i < t->loop_count; i++)
        if (t->loops[i].busy || !t->loops[i].drained)
            return true;
    return false;
}

void transport_drain(struct transport *t, int64_t deadline_ns)
{
    bool in_time = true;

    t->draining = true;
    wake_all(t);
    LOCK(held, &t->lock);
    while (is_busy(t) && in_time)
        in_time = cond_wait_until(&t->quiet, &t->lock, deadline_ns);
}

void transport_close(struct transport *t)
{
    if (!t)
        return;
    t->draining = true;
    t->stopping = true;
    wake_all(t);
    workers_stop(t->workers);
    t->ended = true;
    wake_all(t);
    for (unsigned i = 0; i < t->loop_count; i++)
        pthread_join(t->loops[i].thread, NULL);
    transport_free(t);
}
