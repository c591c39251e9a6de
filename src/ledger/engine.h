/* engine.h - the inside of the ledger, shared by its files only (ledger_*.c).
 *
 * Locks, in the order they are taken:
 *   segments_lock   the table of segments and their reference counts; held for a few instructions
 *   state_lock      size, frontier, checkpoints, waiters: what changes at the end of an append
 * The writer alone touches `dedup`, `recorded_us` and the files' ends. */
#pragma once
#include "base/queue.h"
#include "ledger/bundle_cache.h"
#include "ledger/checkpoint_file.h"
#include "ledger/dedup.h"
#include "ledger/ledger.h"
#include "ledger/ledger_folder.h"
#include "ledger/segment_file.h"
#include <stdatomic.h>

enum { TREE_FILES = TREE_TILE_LEVELS };

enum segment_state { SEGMENT_GROWING, SEGMENT_SEALED, SEGMENT_PRUNED };

/* One segment's files in one state, shared by everyone who reads it.  Sealing and pruning put a new
 * one in its place; the old one lives until its last reader has gone. */
struct segment_data {
    uint64_t number;
    enum segment_state state;
    int refs; /* under segments_lock; the table counts as one */

    /* growing (a full segment keeps growing state until it is sealed) */
    fs_file raw;
    _Atomic uint64_t raw_bytes; /* durable */
    uint64_t
        bundle_at[SEGMENT_BUNDLES + 1]; /* [b + 1] is set before count reaches that bundle's end */
    _Atomic uint32_t count;             /* durable entries */
    struct index_builder *builder;

    /* sealed */
    str segment_map, index_map;
    struct segment_file *file;
    struct index_reader *reader;
};

struct ledger {
    struct ledger_options options;
    const char *dir, *origin_text;
    fs_file lock, tree[TREE_FILES], checkpoints;
    struct bundle_cache *cache;

    pthread_mutex_t segments_lock;
    struct segment_data **segments; /* all, by number */
    size_t segment_count, segment_capacity;
    uint64_t sealed_bytes, index_bytes; /* of sealed segments */
    _Atomic uint64_t sealed_count;      /* segments below it are sealed or pruned */
    _Atomic uint64_t pruned_count;      /* segments below it are pruned */

    pthread_mutex_t state_lock;
    pthread_cond_t grown;     /* size passed someone's mark */
    pthread_cond_t signed_;   /* a checkpoint was signed */
    pthread_cond_t check_now; /* the checkpointer has work */
    pthread_cond_t seal_now;  /* the sealer has work */
    pthread_cond_t sealed;    /* the sealer has finished one */
    _Atomic uint64_t size;
    struct tree_frontier frontier; /* of `size` */
    struct checkpoint_record last_signed;
    _Atomic uint64_t checkpoint_count;
    uint64_t checkpoint_wanted; /* someone waits for sizes below this to be covered */
    bool stopping;
    _Atomic bool sealer_failed;
    _Atomic bool poisoned;
    char failure[CTX_DETAIL_BYTES]; /* why; set before `poisoned`, never changed after */

    /* the writer's own */
    struct dedup *dedup;
    _Atomic int64_t recorded_us;

    pthread_t sealer, checkpointer;
    bool threads_run;
};

/* ledger_open.c */
const char *segment_path(struct arena *a, const struct ledger *l, uint64_t number,
                         const char *kind);
err segments_push(struct ctx *cx, struct ledger *l, struct segment_data *s);
struct segment_data *segment_data_new(uint64_t number, enum segment_state state);
err segment_create(struct ctx *cx, struct ledger *l, uint64_t number, struct segment_data **out);
err segment_open_sealed(struct ctx *cx, struct ledger *l, uint64_t number,
                        struct segment_data **out);
void segment_data_close(struct ledger *l, struct segment_data *s);

/* ---- opening: first what the files say, then what must be changed in them ---- */
struct recovery {
    struct ledger *l;
    struct folder folder;
    bool signed_root_known;
    struct hash
        signed_root; /* of the entries that the newest checkpoint covers, as they lie there */
};

/* ledger_recover.c: changes nothing.  CORRUPT. */
err ledger_recover(struct ctx *cx, struct recovery *r);
/* ledger_mend.c: only for one who may write. */
err ledger_mend(struct ctx *cx, struct recovery *r);

/* ledger_read.c */
struct segment_data *segment_ref(struct ledger *l, uint64_t number); /* NULL beyond the last */
void segment_unref(struct ledger *l, struct segment_data *s);
void segment_replace(struct ledger *l, struct segment_data *fresh);

/* ledger_seal.c */
void *sealer_run(void *ledger);
/* ledger_checkpoint.c */
void *checkpointer_run(void *ledger);
err checkpoint_make(struct ctx *cx,
                    struct ledger *l); /* of the size as it is now, if not signed yet */

/* The writer may not go on: memory and disk may differ. */
err poison(struct ctx *cx, struct ledger *l, err e);
err check_poison(struct ctx *cx, const struct ledger *l);
