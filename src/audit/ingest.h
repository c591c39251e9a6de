/* ingest.h - taking events in over HTTP: POST /api/v1/events and POST /log/add.
 *
 * One worker thread carries one request: it reads the body, cuts it into portions of whole lines,
 * checks and hashes them, and keeps several portions on their way to the writer, so that receiving,
 * checking and committing overlap while memory stays bounded.  Threads: handlers from any. */
#pragma once
#include "base/metric.h"
#include "http/route.h"
#include "writer/app.h"

struct ingest;

struct ingest_options {
    size_t body_bytes_max; /* of a body that is one JSON document */
    size_t portion_bytes;  /* of a stream, checked and committed together; at least 256 KiB */
    unsigned portions;     /* of one stream on their way at once */
    int64_t proof_wait_ns; /* how long Prefer: wait=proof waits */
};

struct ingest *ingest_open(const struct ingest_options *options); /* owned */
void ingest_close(struct ingest *in);

extern const struct route ingest_routes[];
handler events_post; /* BODY_STREAM */
handler log_add;     /* BODY_STREAM: the raw bytes of one entry */

extern struct metric *const ingest_metrics[]; /* NULL-ended */
