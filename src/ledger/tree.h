/* tree.h - the Merkle tree of RFC 6962 over hashes that lie elsewhere.
 *
 * Only every eighth level of the tree is stored (tile levels, c2sp.org/tlog-tiles): tile level L
 * holds the roots of all complete runs of 256^L leaves.  What lies between is computed, from at
 * most 128 stored hashes a node. "Binary level b, node i" is the root of the complete subtree over
 * leaves [i * 2^b, (i + 1) * 2^b). Any thread, as far as the source allows. */
#pragma once
#include "base/base.h"
#include "crypto/sha256.h"

enum {
    TREE_TILE_HEIGHT = 8,  /* binary levels a tile level stands for */
    TREE_TILE_WIDTH = 256, /* hashes in a full tile */
    TREE_TILE_LEVELS = 8,  /* enough for 2^64 leaves */
    TREE_PATH_MAX = 65,
};

/* Gives `count` consecutive hashes of one tile level, the first being number `index`.  It is asked
 * only for complete runs within the size that a call was made with. */
struct tree_source {
    err (*read)(struct ctx *cx, void *state, unsigned tile_level, uint64_t index, size_t count,
                struct hash *out);
    void *state;
};

/* From the leaf's side up to the root's child. */
struct proof {
    struct hash path[TREE_PATH_MAX];
    size_t count;
};

/* Root over the first `size` leaves; of none it is the hash of nothing. */
err tree_root(struct ctx *cx, struct tree_source src, uint64_t size, struct hash *out);
/* That leaf `index` is in the tree of `size`.  INVALID unless index < size. */
err tree_inclusion(struct ctx *cx, struct tree_source src, uint64_t index, uint64_t size,
                   struct proof *out);
/* That the tree of m leaves is the beginning of the tree of n.  INVALID unless 0 < m <= n. */
err tree_consistency(struct ctx *cx, struct tree_source src, uint64_t m, uint64_t n,
                     struct proof *out);

/* The right edge of a growing tree: for every bit set in `size` the root of the complete subtree of
 * that many leaves, which is all that later roots need. */
struct tree_frontier {
    uint64_t size; /* leaves */
    struct hash edge[64];
};

/* Told of nodes as they become complete, so that they can be stored: numbers [index, index + count)
 * of tile level 1, 2, ...  The hashes are borrowed for the call. */
struct tree_sink {
    void (*completed)(void *state, unsigned tile_level, uint64_t index, const struct hash *hashes,
                      size_t count);
    void *state;
};

void frontier_init(struct tree_frontier *f);
/* The frontier of a stored tree. */
err frontier_load(struct ctx *cx, struct tree_source src, uint64_t size, struct tree_frontier *out);
/* Add `n` leaf hashes.  `sink` may be NULL. */
void frontier_append(struct tree_frontier *f, const struct hash *leaves, size_t n,
                     const struct tree_sink *sink);
/* Add the roots of `n` complete runs of 256^tile_level leaves; the size must be a multiple of that.
 * The sink hears of levels above `tile_level` only. */
void frontier_append_runs(struct tree_frontier *f, unsigned tile_level, const struct hash *roots,
                          size_t n, const struct tree_sink *sink);
void frontier_root(const struct tree_frontier *f, struct hash *out);
static inline uint64_t frontier_size(const struct tree_frontier *f)
{
    return f->size;
}
