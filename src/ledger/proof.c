/* proof.c - verifying inclusion and consistency (RFC 9162 sections 2.1.3.2 and 2.1.4.2).
 *
 * Both walk from the leaf's level to the root's with two numbers: fn, the node on the way, and sn,
 * the last node of its level.  A node that is a right child, or the last of its level without a
 * sibling on the right, is joined with a hash on its left; in the second case the levels on which
 * it has no sibling at all are skipped. */
#include "ledger/proof.h"

struct walk {
    uint64_t fn, sn;
};

static void walk_up(struct walk *w)
{
    w->fn >>= 1;
    w->sn >>= 1;
}

static bool walk_joins_left(const struct walk *w)
{
    return (w->fn & 1) || w->fn == w->sn;
}

/* After a join on the left: up to where the node is a right child, or at the root. */
static void walk_skip(struct walk *w)
{
    while (!(w->fn & 1) && w->fn != 0)
        walk_up(w);
}

bool proof_includes(const struct hash *leaf, uint64_t index, uint64_t size,
                    const struct proof *proof, const struct hash *root)
{
    struct walk w = {index, size - 1};
    struct hash h = *leaf;

    if (index >= size)
        return false;
    for (size_t i = 0; i < proof->count; i++) {
        if (w.sn == 0)
            return false;
        if (walk_joins_left(&w)) {
            hash_node(&proof->path[i], &h, &h);
            walk_skip(&w);
        } else {
            hash_node(&h, &proof->path[i], &h);
        }
        walk_up(&w);
    }
    return w.sn == 0 && hash_eq(&h, root);
}

/* Both roots from the hash they have in common and the rest of the path. */
static bool roots_follow(struct walk w, const struct hash *seed, const struct hash *path,
                         size_t count, const struct hash *root_m, const struct hash *root_n)
{
    struct hash old = *seed, new = *seed;

    for (size_t i = 0; i < count; i++) {
        if (w.sn == 0)
            return false;
        if (walk_joins_left(&w)) {
            hash_node(&path[i], &old, &old);
            hash_node(&path[i], &new, &new);
            walk_skip(&w);
        } else {
            hash_node(&new, &path[i], &new);
        }
        walk_up(&w);
    }
    return w.sn == 0 && hash_eq(&old, root_m) && hash_eq(&new, root_n);
}

bool proof_extends(uint64_t m, const struct hash *root_m, uint64_t n, const struct hash *root_n,
                   const struct proof *proof)
{
    struct walk w = {m - 1, n - 1};

    if (m == 0 || m > n)
        return false;
    if (m == n)
        return proof->count == 0 && hash_eq(root_m, root_n);
    if (proof->count == 0)
        return false;
    while (w.fn & 1)
        walk_up(&w);
    /* A tree of 2^k leaves is a node of every larger tree: the path leaves it out. */
    if ((m & (m - 1)) == 0)
        return roots_follow(w, root_m, proof->path, proof->count, root_m, root_n);
    return roots_follow(w, &proof->path[0], proof->path + 1, proof->count - 1, root_m, root_n);
}
