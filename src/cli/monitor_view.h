/* monitor_view.h - what `chancery monitor` shows, from two readings of a server's metrics.
 *
 * Pure: no I/O, no clock.  Inner header of cli/monitor*.c. */
#pragma once
#include "base/json.h"
#include "cli/prometheus.h"
#include "cli/terminal.h"

enum { MONITOR_HISTORY = 60 };

/* Sums of samples, filled by the table in monitor_view.c.  Those that only grow end in `total`. */
struct figures {
    int64_t at_ns;
    bool has_metrics;
    str status, version, origin; /* arena */
    double entries, up_seconds, segments, unsealed, raw_bytes, sealed_bytes, index_bytes, known_ids;
    double cache_hits_total, cache_misses_total, checkpoint_age_seconds, uncovered,
        checkpoints_total;
    double stored_total, duplicate_total, rejected_total;
    double batches_total, batch_seconds_total, batch_entries_total, syncs_total, sync_seconds_total;
    double writer_depth, worker_depth, connections, streams, in_flight;
    double requests_total, refused_total, client_errors_total, server_errors_total;
    double received_bytes_total, sent_bytes_total, resident_bytes, disk_free_bytes;
};

/* From the text of /metrics (null: not to be had) and the answer of /api/v1/health. */
err figures_read(struct ctx *cx, str metrics, struct json health, int64_t at_ns,
                 struct figures *out);

struct history {
    double rate[MONITOR_HISTORY]; /* events a second, oldest first */
    size_t count;
};

/* Notes the rate between two readings. */
void history_add(struct history *h, const struct figures *before, const struct figures *now);
/* The dashboard; `before` may be NULL at first. */
void monitor_put(struct buf *b, const struct terminal *t, const struct figures *before,
                 const struct figures *now, const struct history *h, str place);
/* The same in one line. */
void monitor_put_line(struct buf *b, const struct figures *before, const struct figures *now);
void monitor_put_json(struct buf *b, const struct figures *before, const struct figures *now);
