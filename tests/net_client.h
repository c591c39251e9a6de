/* net_client.h - an HTTP client made of a plain socket, which can also do what no client should.
 *
 * Nothing sleeps: every wait is for an event, at most NET_PATIENCE_MS; running out of it fails the
 * test. */
#pragma once
#include "base/buf.h"
#include "test.h"

enum { NET_PATIENCE_MS = 60000 };

struct net {
    int fd;
    struct buf in; /* received and not yet taken */
};

struct net_reply {
    int status; /* 0: the connection ended without a reply */
    str head;   /* arena */
    str body;
    bool complete; /* the body ended as its framing says */
};

struct net net_dial(const char *address); /* "127.0.0.1:PORT" */
void net_close(struct net *n);
/* All of it; false when the other side has closed. */
bool net_send(struct net *n, str bytes);
struct net_reply net_read(struct ctx *cx, struct net *n);
struct net_reply net_read_head(struct ctx *cx, struct net *n); /* of a reply to HEAD */
/* Both. */
struct net_reply net_ask(struct ctx *cx, struct net *n, str request);
/* Wait for more bytes until `text` has been received; true when it has. */
bool net_await(struct net *n, str text);
/* Wait for the end of the connection, dropping what still comes. */
bool net_await_end(struct net *n);
str net_header(const struct net_reply *r, const char *name); /* null if absent */

/* Wait until `ready` holds. */
#define NET_UNTIL(ready)                                                                           \
    do {                                                                                           \
        int64_t net_deadline_ns_ = net_deadline_ns();                                              \
        while (!(ready))                                                                           \
            net_yield(net_deadline_ns_, #ready);                                                   \
    } while (0)
int64_t net_deadline_ns(void);
void net_yield(int64_t deadline_ns, const char *what);
