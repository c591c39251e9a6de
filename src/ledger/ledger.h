/* ledger.h - the append-only Merkle log, kept in segment files.  Format: docs/ledger-format.md.
 *
 * Invariants
 *  1. size never shrinks; entry i and root(n) for i < n <= size never change.
 *  2. What ledger_append() returned is durable: entry bytes and leaf hashes are synced.
 *  3. A checkpoint is signed only over durable entries, and its record is durable before it is
 * seen.
 *  4. A sealed segment's files never change; its raw file is removed last.
 *  5. Entry bytes go only by pruning; hashes never go.
 * Threads: one writer calls ledger_append(); any thread may call everything else.  The ledger runs
 * two threads of its own: the sealer and the checkpointer.
 * Failure: a failed sync or write inside an append poisons the ledger: every later call that writes
 * gives IO, and the process must stop; the next start recovers. */
#pragma once
#include "base/fs.h"
#include "ledger/checkpoint.h"
#include "ledger/entry.h"
#include "ledger/index.h"
#include "ledger/tree.h"

struct ledger;

struct ledger_options {
    struct fs fs;
    const char *dir;                  /* the ledger's own folder */
    str origin;                       /* of its checkpoints; also the key's name */
    const struct note_signer *signer; /* of checkpoints; borrowed; NULL: nothing is ever written */
    int64_t checkpoint_ns; /* at most one checkpoint in this time, unless someone waits */
    unsigned unsealed_max; /* full segments that may wait for the sealer; then appends wait */
    int zstd_level;
    size_t cache_bytes;   /* decompressed bundles kept */
    uint64_t dedup_ids;   /* 0: no duplicate check */
    int64_t dedup_age_us; /* 0: no limit by age */
};

/* Open or create.  Recovers: re-hashes the active segment and cuts what was never acknowledged.
 * CORRUPT (with file and byte) when acknowledged bytes are missing or wrong; LOCKED by another
 * process. */
err ledger_open(struct ctx *cx, const struct ledger_options *options, struct ledger **out);
void ledger_close(struct ledger *l); /* joins its threads; NULL is a no-op */

struct ledger_receipt {
    uint64_t index;
    struct hash leaf;
    int64_t recorded_us;
    bool duplicate; /* this is the receipt of the first time */
};

/* Append the batches' entries, in order, with one commit; duplicates are left out.
 * `receipts`, when not NULL, has an array for each batch (or NULL), with room for its entries; each
 * batch is told its first index and counts.  Entries whose stamp is older than
 * the newest recorded one get that one.  IO, NO_SPACE: nothing was acknowledged; the ledger is
 * poisoned unless the failure came before the first byte was written. */
err ledger_append(struct ctx *cx, struct ledger *l, struct entry_batch *const *batches,
                  size_t batch_count, struct ledger_receipt *const *receipts, uint64_t *out_first);

uint64_t ledger_size(const struct ledger *l); /* durable entries */
/* Why a sync failed, so that the process must stop; NULL: none did. */
const char *ledger_failure(const struct ledger *l);
bool ledger_is_writable(const struct ledger *l);    /* no write has failed */
uint64_t ledger_first_kept(const struct ledger *l); /* entries below it have been pruned */
int64_t ledger_recorded_us(const struct ledger *l); /* stamp of the newest entry; 0 when empty */

/* One entry, in arena `mem`.  NOT_FOUND beyond the size, GONE when pruned. */
err ledger_entry(struct ctx *cx, struct ledger *l, uint64_t index, str *out);

/* The tree over durable entries; for tree_root(), tree_inclusion(), tree_consistency(). */
struct tree_source ledger_tree(struct ledger *l);
/* Bytes of a tile or entry bundle as tlog-tiles serves them, arena `mem`; NOT_FOUND beyond the
 * size. */
err ledger_tile(struct ctx *cx, struct ledger *l, unsigned level, uint64_t n, unsigned width,
                str *out);
err ledger_bundle(struct ctx *cx, struct ledger *l, uint64_t n, unsigned width, str *out);

/* The newest signed checkpoint as a note, arena `mem`.  With size_min > its size, waits for one
 * that covers it until cx->deadline_ns: TIMEOUT. */
err ledger_checkpoint(struct ctx *cx, struct ledger *l, uint64_t size_min, str *out,
                      uint64_t *out_size);
uint64_t ledger_checkpoint_size(const struct ledger *l);
/* Checkpoint number i (0 is the first ever signed). */
struct ledger_signed {
    uint64_t size;
    int64_t signed_us;
    struct hash root;
    str note; /* arena `mem` */
};
uint64_t ledger_checkpoint_count(const struct ledger *l);
err ledger_checkpoint_at(struct ctx *cx, struct ledger *l, uint64_t i, struct ledger_signed *out);
/* The smallest signed checkpoint that covers `size`; NOT_FOUND when none does yet. */
err ledger_checkpoint_covering(struct ctx *cx, struct ledger *l, uint64_t size,
                               struct ledger_signed *out);

/* The tlog-proof of an entry under the smallest checkpoint that covers it, arena `mem`.  BUSY when
 * none does yet; with `wait`, one is asked for and waited for until cx->deadline_ns (TIMEOUT). */
err ledger_prove(struct ctx *cx, struct ledger *l, uint64_t index, bool wait, str *out);

/* Remove the entry bytes and indexes of sealed segments that lie wholly below `index`. */
err ledger_prune(struct ctx *cx, struct ledger *l, uint64_t index, uint64_t *out_first_kept);

/* Wait until every full segment is sealed (tests, shutdown of bulk loads, benchmarks). */
err ledger_seal_wait(struct ctx *cx, struct ledger *l);

/* Wait until the size passes `size` or the time is up; gives the size. */
uint64_t ledger_wait(struct ledger *l, uint64_t size, int64_t deadline_ns);

/* ---- segments, for queries ---- */
struct segment; /* a snapshot that stays readable until it is given back */

struct segment_info {
    uint64_t first;
    uint32_t count; /* entries visible in this snapshot */
    bool sealed, pruned;
    struct segment_index index; /* both NULL when pruned */
};

uint64_t ledger_segment_count(const struct ledger *l);
err ledger_segment_get(struct ctx *cx, struct ledger *l, uint64_t number, struct segment **out);
void ledger_segment_put(struct segment *s);
static inline void segment_cleanup(struct segment **s)
{
    if (*s)
        ledger_segment_put(*s);
}
struct segment_info segment_info(const struct segment *s);
/* Entries of bundle b (256 entries each): frames in memory until the segment is put back or the
 * next call on this segment by this thread. */
err segment_bundle(struct ctx *cx, struct segment *s, unsigned bundle, str *out_frames);

/* Figures for metrics and the dashboard. */
struct ledger_figures {
    uint64_t entries, segments, sealed, unsealed, bytes_raw, bytes_sealed, bytes_index;
    uint64_t cache_hits, cache_misses, checkpoints, dedup_ids, dedup_bytes;
    int64_t checkpoint_us;
};
struct ledger_figures ledger_figures(const struct ledger *l);
