/* bench_load.h - an HTTP/1.1 client that costs little: many keep-alive connections, one thread, one
 * request at a time on each, latencies in a histogram.
 *
 * Answers must say their Content-Length.  Inner header of cli/bench*.c. */
#pragma once
#include "base/base.h"
#include <netinet/in.h>

/* ---- latencies: 64 steps for each doubling, so a figure is right to 1.6 % ---- */

enum { HISTOGRAM_STEPS = 64, HISTOGRAM_CELLS = HISTOGRAM_STEPS * 59 };

struct histogram {
    uint64_t cells[HISTOGRAM_CELLS];
    uint64_t count, largest;
};

void histogram_add(struct histogram *h, uint64_t value);
/* The value that `part` (0 to 1) of all are at most; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *h, double part);

/* ---- a server ---- */

struct load_target {
    struct sockaddr_storage address;
    socklen_t address_size;
    str host;          /* "127.0.0.1:8080" */
    str authorization; /* header line with its end, or "" */
};

/* `url` is http://host:port.  USAGE otherwise; UNREACHABLE. */
err load_target_open(struct ctx *cx, str url, str key, struct load_target *out);

/* ---- many requests ---- */

enum { LOAD_REQUEST_BYTES_MAX = 4096 };

struct load {
    const struct load_target *target;
    unsigned connections;
    uint64_t requests_max; /* 0: no limit */
    int64_t duration_ns;   /* 0: no limit */
    int expect_status;
    /* Write request number n (head and body) into `out`; its length. */
    size_t (*make)(void *state, uint64_t n, char *out);
    void *state;
};

struct load_result {
    uint64_t done, failed; /* answers; those of another status */
    int64_t took_ns;
    struct histogram latency_ns;
};

err load_run(struct ctx *cx, const struct load *load, struct load_result *out);

/* ---- one long upload ---- */

struct upload {
    const struct load_target *target;
    const char *path, *content_type;
    uint64_t bytes;
    /* The next part of the body, at least one byte; borrowed until the next call. */
    str (*next)(void *state);
    void *state;
};

/* *out_body (arena `mem`): what was answered; *out_took_ns: from the first byte sent to the last
 * received. */
err upload_run(struct ctx *cx, const struct upload *u, int *out_status, str *out_body,
               int64_t *out_took_ns);
