/* frontier.c - the right edge of a growing tree, extended many leaves at a time.
 *
 * A batch goes up level by level: with the node that waited on the left, if there is one, the new
 * nodes are joined pairwise in one call; what has no partner yet waits in turn. */
#include "ledger/tree.h"

enum { CHUNK = 512 }; /* 16 KiB of hashes: they stay in the first cache */

void frontier_init(struct tree_frontier *f)
{
    *f = (struct tree_frontier){.size = 0};
}

/* Room for the one that waited as well. */
struct climb {
    struct hash nodes[CHUNK + 1];
    size_t count;
};

/* From the new nodes of `level` (numbers from `index` on) to those of the level above. */
static void climb_one(struct tree_frontier *f, struct climb *c, unsigned level, uint64_t index)
{
    if (index & 1) {
        memmove(c->nodes + 1, c->nodes, c->count * sizeof(c->nodes[0]));
        c->nodes[0] = f->edge[level];
        c->count++;
    }
    if (c->count & 1)
        f->edge[level] = c->nodes[c->count - 1];
    c->count /= 2;
    hash_nodes(c->nodes, c->count, c->nodes);
}

static void append_chunk(struct tree_frontier *f, unsigned level, const struct hash *hashes,
                         size_t n, const struct tree_sink *sink)
{
    uint64_t first = f->size;
    struct climb c;

    ENSURE(f->size + ((uint64_t)n << level) >= f->size);
    f->size += (uint64_t)n << level;
    memcpy(c.nodes, hashes, n * sizeof(hashes[0]));
    c.count = n;
    for (unsigned at = level; c.count > 0; at++) {
        uint64_t index = first >> at;

        if (sink && at > level && at % TREE_TILE_HEIGHT == 0)
            sink->completed(sink->state, at / TREE_TILE_HEIGHT, index, c.nodes, c.count);
        climb_one(f, &c, at, index);
    }
}

void frontier_append_runs(struct tree_frontier *f, unsigned tile_level, const struct hash *roots,
                          size_t n, const struct tree_sink *sink)
{
    unsigned level = tile_level * TREE_TILE_HEIGHT;

    ENSURE(tile_level < TREE_TILE_LEVELS && f->size % ((uint64_t)1 << level) == 0);
    while (n > 0) {
        size_t chunk = size_min(n, CHUNK);

        append_chunk(f, level, roots, chunk, sink);
        roots += chunk;
        n -= chunk;
    }
}

void frontier_append(struct tree_frontier *f, const struct hash *leaves, size_t n,
                     const struct tree_sink *sink)
{
    frontier_append_runs(f, 0, leaves, n, sink);
}

void frontier_root(const struct tree_frontier *f, struct hash *out)
{
    uint64_t rest = f->size;
    struct hash root;

    if (rest == 0) {
        *out = hash_empty_root();
        return;
    }
    root = f->edge[__builtin_ctzll(rest)];
    for (rest &= rest - 1; rest; rest &= rest - 1)
        hash_node(&f->edge[__builtin_ctzll(rest)], &root, &root);
    *out = root;
}
