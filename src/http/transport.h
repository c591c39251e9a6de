/* transport.h - sockets: listen, read requests, hand them to workers, send responses.
 *
 * libmicrohttpd in external epoll mode, one daemon and thread per loop, sharing the port by
 * SO_REUSEPORT.  Loop threads move bytes only; `workers` threads run the router.  Only a loop's own
 * thread touches its daemon: workers leave finished work in the loop's queue and wake it.
 * Before anything else a request is refused (400, connection closed) that has Transfer-Encoding
 * with Content-Length, repeated Content-Length, Host, Authorization or Transfer-Encoding, header
 * names with blanks, control bytes in values, or no Host in HTTP/1.1. */
#pragma once
#include "base/metric.h"
#include "http/route.h"

struct transport;

struct transport_options {
    const char *listen; /* "127.0.0.1:8080", "[::1]:0" */
    unsigned loops, workers;
    unsigned connections_max; /* over all loops; further ones are closed at once */
    unsigned queue_max;       /* requests waiting for a worker; beyond it 503 */
    size_t head_bytes_max;    /* request line and headers */
    size_t body_window_bytes; /* of a streamed body, held while the handler is busy */
    int64_t idle_ns;          /* a connection without a request */
    int64_t receive_ns;       /* a request that does not arrive; a body without progress */
    size_t memory_bytes_max;  /* what inputs may take of one request's arena */
};

err transport_open(struct ctx *cx, const struct transport_options *options, struct router *router,
                   struct transport **out);
/* "127.0.0.1:41327": the address really bound; borrowed. */
const char *transport_address(const struct transport *t);
/* Stop accepting and let running requests end, at most until deadline_ns (monotonic); event streams
 * are ended at once. */
void transport_drain(struct transport *t, int64_t deadline_ns);
void transport_close(struct transport *t);
unsigned transport_connections(const struct transport *t);
unsigned transport_queue_depth(const struct transport *t);
