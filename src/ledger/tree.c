/* tree.c - roots and proofs from stored tile levels.
 *
 * RFC 6962 defines root and proofs by recursion on k, the largest power of two below the size.  The
 * recursion only ever goes down one side, so it is a loop here that meets the path from the root
 * down; the path is then turned round. */
#include "ledger/tree.h"

/* One complete subtree: read the stored hashes below it and join them pairwise. */
static err read_node(struct ctx *cx, struct tree_source src, unsigned level, uint64_t index,
                     struct hash *out)
{
    struct hash hashes[TREE_TILE_WIDTH / 2];
    unsigned above = level % TREE_TILE_HEIGHT;
    size_t count = (size_t)1 << above;

    TRY(src.read(cx, src.state, level / TREE_TILE_HEIGHT, index << above, count, hashes));
    for (; count > 1; count /= 2)
        hash_nodes(hashes, count / 2, hashes);
    *out = hashes[0];
    return ERR_OK;
}

static unsigned log2_floor(uint64_t n)
{
    return 63 - (unsigned)__builtin_clzll(n);
}

/* The largest power of two below n; n > 1. */
static uint64_t split_of(uint64_t n)
{
    return (uint64_t)1 << log2_floor(n - 1);
}

/* MTH(D[start:end]) where `start` is a multiple of every power of two up to end - start: from left
 * to right complete subtrees, each smaller than the one before, joined from the right. */
static err read_range(struct ctx *cx, struct tree_source src, uint64_t start, uint64_t end,
                      struct hash *out)
{
    struct hash parts[64];
    size_t count = 0;

    while (start < end) {
        unsigned level = log2_floor(end - start);

        TRY(read_node(cx, src, level, start >> level, &parts[count++]));
        start += (uint64_t)1 << level;
    }
    for (; count > 1; count--)
        hash_node(&parts[count - 2], &parts[count - 1], &parts[count - 2]);
    *out = parts[0];
    return ERR_OK;
}

err tree_root(struct ctx *cx, struct tree_source src, uint64_t size, struct hash *out)
{
    if (size == 0) {
        *out = hash_empty_root();
        return ERR_OK;
    }
    return read_range(cx, src, 0, size, out);
}

static void proof_reverse(struct proof *p)
{
    for (size_t i = 0, j = p->count; i + 1 < j; i++) {
        struct hash h = p->path[i];

        p->path[i] = p->path[--j];
        p->path[j] = h;
    }
}

err tree_inclusion(struct ctx *cx, struct tree_source src, uint64_t index, uint64_t size,
                   struct proof *out)
{
    struct proof proof = {.count = 0};
    uint64_t start = 0, end = size;

    if (index >= size)
        return fail(cx, ERR_INVALID, "entry %ju is not in a tree of %ju", (uintmax_t)index,
                    (uintmax_t)size);
    while (end - start > 1) {
        uint64_t middle = start + split_of(end - start);

        if (index < middle) {
            TRY(read_range(cx, src, middle, end, &proof.path[proof.count++]));
            end = middle;
        } else {
            TRY(read_range(cx, src, start, middle, &proof.path[proof.count++]));
            start = middle;
        }
    }
    proof_reverse(&proof);
    *out = proof;
    return ERR_OK;
}

err tree_consistency(struct ctx *cx, struct tree_source src, uint64_t m, uint64_t n,
                     struct proof *out)
{
    struct proof proof = {.count = 0};
    uint64_t start = 0, end = n;

    if (m == 0 || m > n)
        return fail(cx, ERR_INVALID, "no tree of %ju begins with one of %ju", (uintmax_t)n,
                    (uintmax_t)m);
    while (m < end) {
        uint64_t middle = start + split_of(end - start);

        if (m <= middle) {
            TRY(read_range(cx, src, middle, end, &proof.path[proof.count++]));
            end = middle;
        } else {
            TRY(read_range(cx, src, start, middle, &proof.path[proof.count++]));
            start = middle;
        }
    }
    /* The old tree itself is known to the verifier; any other subtree that ends with it is not. */
    if (start > 0)
        TRY(read_range(cx, src, start, end, &proof.path[proof.count++]));
    proof_reverse(&proof);
    *out = proof;
    return ERR_OK;
}

err frontier_load(struct ctx *cx, struct tree_source src, uint64_t size, struct tree_frontier *out)
{
    struct tree_frontier f = {.size = size};

    for (unsigned level = 0; level < 64; level++)
        if (size >> level & 1)
            TRY(read_node(cx, src, level, (size >> level) - 1, &f.edge[level]));
    *out = f;
    return ERR_OK;
}
