/* query.h - finding entries by their attributes, times and text.
 *
 * Segment by segment, newest or oldest first: skip by time, look values up, intersect the sets of
 * positions, read only the bundles that hold hits.  Text (a plain substring of the entry's bytes)
 * scans the bundles that remain and is bounded by a budget; the answer says how far it came.
 * Queries see a snapshot: the size of the log when they began.  Any thread. */
#pragma once
#include "ledger/index.h"
#include "ledger/ledger.h"

enum { QUERY_MATCHES_MAX = 16 };

struct query_match {
    enum attr attr;
    str value;   /* borrowed for the query */
    bool prefix; /* "case/…": the value begins with it */
};

struct query {
    struct query_match match[QUERY_MATCHES_MAX]; /* all must hold; several of one attribute: any */
    size_t match_count;
    enum index_time time;   /* which time from/to mean */
    int64_t from_us, to_us; /* from <= t < to; 0 is open */
    str text;               /* null: none */
    bool oldest_first;
    uint64_t begin, end; /* indexes to look at: [begin, end); end UINT64_MAX is the size now */
    uint64_t scan_max;   /* entries that text may scan; 0 is no limit */
};

struct query_hit {
    uint64_t index;
    str entry; /* borrowed for the call; null when the entry's bytes have been pruned */
};

/* Return ERR_OK to go on; *stop = true ends the query after this hit. */
typedef err query_visit(struct ctx *cx, void *state, const struct query_hit *hit, bool *stop);

struct query_end {
    bool complete;     /* the whole range was looked at */
    uint64_t next;     /* where to go on: the new `end` (newest first) or `begin` (oldest first) */
    uint64_t scanned;  /* entries whose bytes were read for text */
    uint64_t segments; /* looked at */
};

/* TIMEOUT when cx->deadline_ns passes; what the visitor returns; what reading gives. */
err query_run(struct ctx *cx, struct ledger *l, const struct query *q, query_visit *visit,
              void *state, struct query_end *out);
/* Does one entry, at hand with its metadata, satisfy the query (live streams)? */
bool query_matches(const struct query *q, const struct entry_batch *b, size_t i);

/* Counts from the indexes alone (q->text must be null).  TOO_LARGE beyond a million groups. */
struct query_count {
    str value;       /* of `group`; null when not grouped or absent */
    int64_t from_us; /* begin of the time bucket; 0 without buckets */
    uint64_t count;
};

struct query_stats_spec {
    bool grouped;
    enum attr group;
    int64_t bucket_us; /* 0: no time buckets; buckets are aligned to 1970-01-01 UTC */
    size_t rows_max;   /* the largest counts are kept; the rest is summed in out_other */
};

/* Rows in arena `mem`, by bucket, then by count falling, then by value. */
err query_stats(struct ctx *cx, struct ledger *l, const struct query *q,
                const struct query_stats_spec *spec, struct query_count **out, size_t *out_n,
                uint64_t *out_total, uint64_t *out_other);
