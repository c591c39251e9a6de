/* verify_inner.h - what the files of verify share: the folder being looked at and what was found.
 */
#pragma once
#include "base/queue.h"
#include "ledger/checkpoint_file.h"
#include "ledger/index.h"
#include "ledger/ledger_folder.h"
#include "ledger/segment_file.h"
#include "ledger/tree.h"
#include "ledger/verify.h"

enum { VERIFY_TREE_FILES = TREE_TILE_LEVELS };

struct verify {
    const struct verify_options *options;
    struct ctx *cx; /* memory of the report; under `lock` */
    struct folder folder;
    str tree[VERIFY_TREE_FILES]; /* mapped */
    str checkpoints;             /* mapped */
    uint64_t pruned;             /* segments */
    uint64_t sealed_end;         /* segments below it are sealed or pruned */
    uint64_t segment_end;
    uint64_t signed_size; /* of the last whole checkpoint */

    pthread_mutex_t lock; /* guards what follows, and cx */
    struct verify_fault *faults;
    size_t fault_count;
    uint64_t next, done, total;
    uint64_t *counts;                        /* entries that hold, by segment */
    int64_t *first_recorded, *last_recorded; /* by segment */
};

/* One fault; beyond VERIFY_FAULTS_MAX they are dropped.  Any thread. */
void verify_fault(struct verify *v, str file, uint64_t offset, uint64_t entry, const char *fmt, ...)
    PRINTF(5, 6);
void verify_progress(struct verify *v, uint64_t entries);
str verify_segment_name(struct arena *mem, uint64_t number, const char *kind);

/* verify_segment.c: entries, frames and index of one segment; fills counts and times. */
err verify_segment(struct ctx *cx, struct verify *v, uint64_t number);
/* verify_tree.c */
void verify_upper_levels(struct verify *v, uint64_t size);
void verify_checkpoints(struct verify *v, uint64_t size, struct hash *out_root);
