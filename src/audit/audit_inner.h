/* audit_inner.h - what the files of the reading side share.  Not for other folders. */
#pragma once
#include "access/permission.h"
#include "audit/audit.h"
#include "audit/audit_filter.h"
#include "audit/audit_shape.h"
#include "audit/witness_client.h"
#include "ledger/ledger.h"

#define M(var, name, kind, scale, bounds, help) extern struct metric var;
#include "audit/audit_metric.def"
#undef M

struct stream_hub; /* audit_stream.c */

struct audit {
    struct audit_options options;
    struct app *app;
    struct stream_hub *streams;
    struct witness_client *witnesses; /* NULL: none are configured */
    _Atomic unsigned exports;         /* running */
};

struct stream_hub *stream_hub_open(struct ledger *l, unsigned streams_max, unsigned of_one_max);
void stream_hub_close(struct stream_hub *hub);

/* The filter of a request. */
err audit_filter(struct ctx *cx, const struct request *rq, struct filter *out);
/* The {index} of the path. */
err audit_index(struct ctx *cx, const struct request *rq, uint64_t *out);
/* A query parameter that is one of a NULL-ended list; absent: the first.  *out is its place. */
err audit_choice(struct ctx *cx, const struct request *rq, const char *name,
                 const char *const *choices, size_t *out);
/* The newest signed checkpoint with the cosignatures it has; waits a little for the first. */
err audit_checkpoint(struct ctx *cx, struct audit *a, str *out);

/* What never changes and anyone may see. */
#define CACHE_FOR_EVER S("public, max-age=31536000, immutable")

handler events_list, event_get, events_stats;        /* audit_query.c */
handler event_proof, log_inclusion, log_consistency; /* audit_proof.c */
handler events_export;                               /* audit_export.c */
handler events_stream;                               /* audit_stream.c */
handler log_checkpoint, log_checkpoints, log_checkpoint_get, log_tile, log_bundle,
    log_vkey; /* log_api.c */
