/* What parses as a receipt is written back to the same bytes; and of all that an input can make of
 * a true proof, only the true one verifies. */
#include "ledger/proof.h"

enum { SIZE_MAX_HERE = 255 };

static void check_text(struct ctx *cx, str in)
{
    CLEANUP(buf_close) struct buf again = BUF(size_max(in.n, 1000) * 2);
    struct log_proof p;

    if (log_proof_parse(cx, in, &p) == ERR_OK) {
        log_proof_put(&again, &p);
        ENSURE(str_eq(buf_str(&again), in));
    }
}

static err read_leaves(struct ctx *cx, void *state, unsigned tile_level, uint64_t index,
                       size_t count, struct hash *out)
{
    (void)cx, (void)state;
    ENSURE(tile_level == 0 && index + count <= SIZE_MAX_HERE);
    for (size_t i = 0; i < count; i++)
        hash_leaf((str){(const char[]){(char)(index + i)}, 1}, &out[i]);
    return ERR_OK;
}

/* The first three bytes choose the proof and how many hashes it is said to have; the others are
 * laid over its hashes. */
static struct proof changed_proof(const struct proof *good, const uint8_t *data, size_t size)
{
    struct proof p = *good;

    p.count = data[2] % (TREE_PATH_MAX + 1);
    for (size_t i = 3; i < size && i - 3 < sizeof(p.path); i++)
        p.path[(i - 3) / HASH_BYTES].bytes[(i - 3) % HASH_BYTES] ^= data[i];
    return p;
}

static bool proof_same(const struct proof *a, const struct proof *b)
{
    return a->count == b->count && memcmp(a->path, b->path, a->count * sizeof(a->path[0])) == 0;
}

static void check_changed(struct ctx *cx, const uint8_t *data, size_t size)
{
    const struct tree_source src = {read_leaves, NULL};
    uint64_t n = 1 + (uint64_t)data[0] % SIZE_MAX_HERE, index = data[1] % n, m = index + 1;
    struct hash leaf, root, old_root;
    struct proof good = {.count = 0}, changed;

    ENSURE(tree_root(cx, src, n, &root) == ERR_OK);
    ENSURE(tree_inclusion(cx, src, index, n, &good) == ERR_OK);
    changed = changed_proof(&good, data, size);
    ENSURE(read_leaves(cx, NULL, 0, index, 1, &leaf) == ERR_OK);
    ENSURE(proof_includes(&leaf, index, n, &changed, &root) == proof_same(&changed, &good));

    ENSURE(tree_root(cx, src, m, &old_root) == ERR_OK);
    ENSURE(tree_consistency(cx, src, m, n, &good) == ERR_OK);
    changed = changed_proof(&good, data, size);
    ENSURE(proof_extends(m, &old_root, n, &root, &changed) == proof_same(&changed, &good));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);

    check_text(cx, (str){(const char *)data, size});
    if (size >= 3)
        check_changed(cx, data, size);
    return 0;
}
