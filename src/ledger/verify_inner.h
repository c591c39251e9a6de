/* verify_inner.h - what the files of verify share: the folder being looked at and what was found.
 *
 * Of every fact there are several witnesses: an entry's bytes, its leaf hash in tree-0, the root
 * over 256 leaf hashes in tree-1, the segment's root in tree-2 and in its head, the signed roots.
 * Where two of them differ a third tells which file is wrong, and what is right is used from there
 * on, so that one wrong byte is one fault. */
#pragma once
#include "base/queue.h"
#include "ledger/checkpoint_file.h"
#include "ledger/index.h"
#include "ledger/ledger_folder.h"
#include "ledger/segment_file.h"
#include "ledger/tree.h"
#include "ledger/verify.h"

enum { VERIFY_TREE_FILES = TREE_TILE_LEVELS };
#define VERIFY_NOT_RECORDED INT64_MIN
#define VERIFY_UNKNOWN INT64_MAX /* the segment is damaged */

/* The right leaf hashes of a bundle for which tree-0 has others. */
struct right_leaves {
    uint64_t bundle;
    struct hash leaves[BUNDLE_ENTRIES];
    struct right_leaves *next;
};

/* The last bundle has no root in tree-1 yet.  When an entry in it differs from its leaf hash, the
 * last checkpoint must tell which is wrong. */
struct doubt {
    bool open;
    uint64_t entry, entry_at;        /* the first that differs, and its place in the file */
    struct hash own[BUNDLE_ENTRIES]; /* leaf hashes of the bytes */
    size_t own_count;
};

struct verify {
    const struct verify_options *options;
    struct ctx *cx; /* memory of the report; under `lock` */
    struct folder folder;
    str tree[VERIFY_TREE_FILES]; /* mapped */
    str checkpoints;             /* mapped */
    uint64_t pruned;             /* segments */
    uint64_t sealed_end;         /* segments below it are sealed or pruned */
    uint64_t segment_end;
    struct checkpoint_record last_signed; /* the last whole one */

    /* by segment, each written by the thread that looks at it */
    uint64_t *counts;
    int64_t *first_recorded, *last_recorded; /* of stamped entries, or VERIFY_NOT_RECORDED */
    int64_t *inherited; /* with which opaque entries at the begin are indexed, or NOT_RECORDED */
    struct hash *roots; /* right roots of full bundles, 256 a segment */

    pthread_mutex_t lock; /* guards what follows, and cx */
    struct verify_fault *faults;
    size_t fault_count;
    uint64_t next, done, total;
    struct right_leaves *right;
    struct doubt doubt;
};

/* One fault; beyond VERIFY_FAULTS_MAX they are dropped.  Any thread. */
void verify_fault(struct verify *v, str file, uint64_t offset, uint64_t entry, const char *fmt, ...)
    PRINTF(5, 6);
void verify_progress(struct verify *v, uint64_t entries);
str verify_segment_name(struct arena *mem, uint64_t number, const char *kind);
err verify_map(struct ctx *cx, const struct verify *v, str name, str *out);

/* Hashes of a tree file from number `index` on; *out_n of them are there. */
const struct hash *verify_stored(const struct verify *v, unsigned level, uint64_t index,
                                 uint64_t *out_n);
struct hash verify_root_of(const struct hash *leaves, size_t n);
/* Remember the right leaf hashes of a bundle.  Any thread. */
void verify_keep_right(struct verify *v, uint64_t bundle, const struct hash *leaves, size_t n);

/* verify_segment.c: entries and frames of one segment; fills what is kept by segment. */
err verify_segment(struct ctx *cx, struct verify *v, uint64_t number);

/* verify_index.c */
struct index_look {
    str name, bytes; /* mapped; null when there is no such file */
    bool opens;
};
err verify_index_open(struct ctx *cx, struct verify *v, uint64_t number, struct index_look *out);
void verify_index_close(struct verify *v, struct index_look *ix);
/* `builder` has the segment's entries; NULL when they are damaged. */
err verify_index(struct ctx *cx, struct verify *v, uint64_t number, const struct index_look *ix,
                 const struct index_builder *builder);

/* verify_tree.c */
void verify_upper_levels(struct verify *v, uint64_t size);
void verify_checkpoints(struct verify *v, uint64_t size, struct hash *out_root);
