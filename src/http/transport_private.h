/* transport_private.h - what the files of the transport share.
 *
 *   transport.c   opening, draining, closing
 *   loop.c        one thread: waits, runs its daemon, takes notes from workers, watches the clock
 *   connection.c  libmicrohttpd's callbacks: a request from its first byte to its last
 *   exchange.c    one request and its response, on their way to a worker and back
 *   live.c        event streams
 *
 * Threads     A loop, its daemon, its connections and streams belong to the loop's thread.  An
 *             exchange belongs to the loop, but while `working` its ctx, request and response
 * belong to the worker.  Workers only call post(). Invariants  1. A connection has at most one
 * exchange, an exchange at most one connection.
 *             2. An exchange goes back to its loop when it is neither working nor on a connection.
 *             3. A connection is suspended exactly while it waits for a worker (or for room). */
#pragma once
#include "http/metrics.h"
#include "http/sse_carrier.h"
#include "http/transport.h"
#include "http/window.h"
#include "http/workers.h"
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>

enum {
    STREAM_GATHER_BYTES = 64 * 1024, /* a streamed body this short is gathered first */
    DISCARD_BYTES = 64 * 1024,      /* rest of a refused body that is read to keep the connection */
    PARTING_BYTES_MAX = 4 << 20,    /* what is read and dropped after an answer that ends it */
    DOWN_WINDOW_BYTES = 256 * 1024, /* of a streamed response */
    KEPT_BODY_BYTES = 64 * 1024,    /* buffers larger than this are not kept for the next request */
    KEPT_EXCHANGES = 256,
    STREAM_BEAT_S = 15,
};
#define LOOK_NS INT64_C(250000000)

/* A note from any thread to a loop: it is in the loop's list once, however many bits are set. */
enum {
    POST_QUEUED = 1,
    POST_DONE = 2,
    POST_BEGIN = 4,
    POST_ROOM = 8,
    POST_MORE = 16,
    POST_LIVE = 32
};

struct post {
    struct post *next;
    _Atomic unsigned bits;
    void (*take)(struct post *p, unsigned bits); /* on the loop's thread */
};

/* Connections that wait for the client, oldest first.  All but the last begin in WAIT_LOOK: when
 * nothing has come for a moment the library is made to read once more, because in its
 * edge-triggered mode it overlooks the end of a stream that arrives together with the last bytes.
 */
enum wait {
    WAIT_NONE,
    WAIT_LOOK,
    WAIT_IDLE,   /* for a request */
    WAIT_HEAD,   /* for the rest of a head */
    WAIT_BODY,   /* for the rest of a body */
    WAIT_STREAM, /* the same, but it is the handler that loses patience */
    WAIT_CLOSED, /* for the library to clean up */
    WAITS,
};

struct wait_list {
    struct conn *first, *last;
    int64_t limit_ns;
};

struct conn {
    struct loop *loop;
    struct MHD_Connection *mhd;
    int fd; /* libmicrohttpd's */
    struct exchange *x;
    struct buf target;            /* of the request that is arriving, before it is taken apart */
    struct conn *earlier, *later; /* in its wait list */
    struct conn *prev, *next;     /* of all */
    enum wait wait, wait_next;    /* the list it is in, and the one after WAIT_LOOK */
    int64_t since_ns;
    bool suspended;
    char peer[INET6_ADDRSTRLEN];
};

/* What is done with the bytes of a body. */
enum intake {
    INTAKE_GATHER,  /* kept for the handler */
    INTAKE_STREAM,  /* put into the window */
    INTAKE_DISCARD, /* dropped; the answer follows the body */
    INTAKE_PARTING, /* dropped; the answer has been sent and the connection will be closed */
};

struct exchange {
    struct job job; /* first */
    struct post post;
    struct loop *loop;
    struct conn *conn; /* NULL when the client has gone */
    struct ctx *cx;
    struct request rq;
    struct response rs;
    struct header headers[REQUEST_HEADERS_MAX];
    struct buf in;               /* a gathered body */
    struct window *up, *down;    /* a streamed body, a streamed response */
    struct MHD_Response *answer; /* ready to be queued */
    enum intake intake;
    uint64_t received; /* of the body */
    bool expects_continue;
    bool dispatched, working; /* handed to a worker; and not yet back */
    bool body_done;
    bool stalled;                 /* `up` is full */
    bool ready;                   /* the answer is in `rs`, or the stream may begin */
    bool queued;                  /* and on its way */
    atomic_bool cut_off;          /* the streamed response failed half-way */
    struct exchange *prev, *next; /* in use, or free */
};

struct loop {
    struct transport *t;
    pthread_t thread;
    struct MHD_Daemon *daemon;
    int listen_fd, epoll_fd, event_fd;
    _Atomic(struct post *) posts;
    atomic_bool asleep;
    _Atomic unsigned busy; /* exchanges in use */
    /* the loop's thread only */
    int64_t now_ns; /* when the round began */
    struct wait_list waits[WAITS];
    struct conn *conns;
    struct exchange *in_use, *free;
    unsigned free_count;
    struct job *ready_first, *ready_last; /* to be submitted at the end of the round */
    unsigned ready_count;
    struct live *live_first, *live_last; /* streams, next heartbeat first */
    struct live *graves;
    int64_t accept_again_ns; /* 0: accepting */
    bool hurry;              /* do not wait in the next round */
    atomic_bool drained;
    bool broken;
};

struct transport {
    struct transport_options options;
    struct router *router;
    struct workers *workers;
    char address[INET6_ADDRSTRLEN + 16];
    _Atomic unsigned connections;
    atomic_bool draining, stopping, ended;
    pthread_mutex_t lock; /* for waiting on `quiet` */
    pthread_cond_t quiet;
    unsigned loop_count;
    struct loop loops[];
};

/* loop.c */
err loop_open(struct ctx *cx, struct loop *l, struct transport *t, int listen_fd);
void loop_start(struct loop *l);
void loop_wake(struct loop *l);                           /* any thread */
void loop_close(struct loop *l);                          /* after its thread was joined */
void post(struct loop *l, struct post *p, unsigned bits); /* any thread */
void conn_wait(struct conn *c, enum wait wait);           /* anew, from now */
void conn_suspend(struct conn *c);
void conn_resume(struct conn *c);
void conn_remind(struct conn *c); /* makes the library look at it in the next round */

/* connection.c */
struct MHD_Daemon *connection_daemon(struct loop *l);
void conn_expired(struct conn *c, enum wait was);
/* The exchange's answer (or stream) is ready. */
void conn_answer(struct conn *c);

/* exchange.c */
struct exchange *exchange_take(struct conn *c);      /* NULL when memory runs out */
void exchange_leave(struct exchange *x);             /* its connection is done with it */
void exchange_break(struct exchange *x, err e);      /* what the worker reads or writes fails */
void exchange_run(void *transport, struct job *job); /* on a worker */
err exchange_stream_body(struct exchange *x);
struct MHD_Response *exchange_answer(struct exchange *x);

/* live.c */
struct live;
/* Move the exchange's event stream and its socket to the loop's streams. */
void live_adopt(struct conn *c, struct exchange *x);
void live_event(struct live *l, unsigned events); /* from epoll */
void live_beat(struct loop *l, int64_t now_ns);
int64_t live_next_beat_ns(const struct loop *l); /* INT64_MAX: none */
void live_end_all(struct loop *l);               /* the server stops: tell them and close */
void live_bury(struct loop *l);                  /* at the end of a round */
