/* audit.h - the reading side of the log over HTTP: find, count, export and follow events; prove
 * them.
 *
 *   /api/v1/events…   audit_query.c  audit_export.c  audit_stream.c    for people and programs
 *   /log/…            log_api.c  audit_proof.c                         for verifiers (C2SP)
 *   witnesses         witness_client.c                                 who cosign our checkpoints
 *
 * Taking events in is audit/ingest.h.  Threads: handlers from any; audit_open() starts one thread
 * that feeds live streams and one for each witness. */
#pragma once
#include "base/metric.h"
#include "http/route.h"
#include "writer/app.h"
#include "writer/event.h"

struct audit;

/* Numbers that are 0 take the default, unless said otherwise. */
struct audit_options {
    uint64_t query_scan_max;     /* entries that one page of a text search reads; 1,000,000 */
    unsigned streams_max;        /* live streams at once; 0: none */
    unsigned streams_of_one_max; /* of them for one principal; 0: no limit of its own */
    unsigned exports_max;        /* exports at once, each holds a worker; 4 */
    int64_t proof_wait_ns;       /* how long Prefer: wait=proof waits; 5 s */
    const str *witnesses;        /* each "VKEY URL"; borrowed for audit_open() */
    size_t witness_count;        /* at most WITNESSES_MAX */
    unsigned witness_quorum;     /* cosignatures that make a checkpoint witnessed; all of them */
    int64_t witness_interval_ns; /* between checkpoints given to the witnesses; 1 s */
    int64_t witness_timeout_ns;  /* of one call; 5 s */
};

/* `app` is borrowed and must have its ledger.  CONFIG: a witness that is not "VKEY URL". */
err audit_open(struct ctx *cx, struct app *app, const struct audit_options *options,
               struct audit **out);
/* After the transport, so that no stream is open, and before the writer and the ledger. */
void audit_close(struct audit *a); /* NULL is a no-op */

/* Entry bundles need events:read in the first table and nothing in the second, which is for
 * operators who declare their log public; otherwise the two are the same. */
extern const struct route audit_routes[];
extern const struct route audit_routes_public[];
extern const struct event_kind audit_events[];
extern struct metric *const audit_metrics[]; /* NULL-ended */
