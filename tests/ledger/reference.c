/* reference.c - see reference.h. */
#include "reference.h"
#include "test.h"
#include <stdio.h>

struct hash reference_leaf(uint64_t i)
{
    char text[32];
    struct hash h;
    int n = snprintf(text, sizeof(text), "entry %ju", (uintmax_t)i);

    hash_leaf((str){text, (size_t)n}, &h);
    return h;
}

/* The largest power of two smaller than n. */
static size_t split(size_t n)
{
    size_t k = 1;

    while (2 * k < n)
        k *= 2;
    return k;
}

struct hash reference_root(size_t from, size_t to)
{
    static struct hash known[REFERENCE_MAX + 1][REFERENCE_MAX + 1];
    static bool is_known[REFERENCE_MAX + 1][REFERENCE_MAX + 1];
    struct hash *out = &known[from][to];

    if (is_known[from][to])
        return *out;
    if (to == from) {
        sha256(S(""), out);
    } else if (to - from == 1) {
        *out = reference_leaf(from);
    } else {
        struct hash l = reference_root(from, from + split(to - from));
        struct hash r = reference_root(from + split(to - from), to);

        hash_node(&l, &r, out);
    }
    is_known[from][to] = true;
    return *out;
}

static void add(struct proof *p, struct hash h)
{
    p->path[p->count++] = h;
}

void reference_path(size_t index, size_t from, size_t to, struct proof *out)
{
    size_t k;

    if (to - from == 1)
        return;
    k = from + split(to - from);
    if (index < k) {
        reference_path(index, from, k, out);
        add(out, reference_root(k, to));
    } else {
        reference_path(index, k, to, out);
        add(out, reference_root(from, k));
    }
}

void reference_subproof(size_t m, size_t from, size_t to, bool whole, struct proof *out)
{
    size_t k;

    if (m == to) {
        if (!whole)
            add(out, reference_root(from, to));
        return;
    }
    k = from + split(to - from);
    if (m <= k) {
        reference_subproof(m, from, k, whole, out);
        add(out, reference_root(k, to));
    } else {
        reference_subproof(m, k, to, false, out);
        add(out, reference_root(from, k));
    }
}

bool proof_eq(const struct proof *a, const struct proof *b)
{
    return a->count == b->count && memcmp(a->path, b->path, a->count * sizeof(a->path[0])) == 0;
}

void stored_init(struct arena *mem, struct stored_tree *t, size_t capacity)
{
    *t = (struct stored_tree){.capacity = capacity};
    for (size_t i = 0; i < COUNT(t->levels); i++, capacity = capacity / 256 + 1)
        t->levels[i] = arena_new(mem, struct hash, capacity);
    frontier_init(&t->frontier);
}

static void stored_completed(void *state, unsigned tile_level, uint64_t index,
                             const struct hash *hashes, size_t count)
{
    struct stored_tree *t = state;

    assert_true(tile_level < COUNT(t->levels));
    assert_int_equal(index, t->counts[tile_level]);
    assert_true(count > 0);
    memcpy(t->levels[tile_level] + index, hashes, count * sizeof(hashes[0]));
    t->counts[tile_level] += count;
}

void stored_append(struct arena *mem, struct stored_tree *t, size_t n)
{
    struct arena_mark mark = arena_mark(mem);
    struct hash *leaves = arena_new(mem, struct hash, n + 1);
    const struct tree_sink sink = {stored_completed, t};

    assert_true(t->counts[0] + n <= t->capacity);
    for (size_t i = 0; i < n; i++)
        leaves[i] = reference_leaf(t->counts[0] + i);
    stored_completed(t, 0, t->counts[0], leaves, n);
    frontier_append(&t->frontier, leaves, n, &sink);
    arena_rewind(mem, mark);
}

static err stored_read(struct ctx *cx, void *state, unsigned tile_level, uint64_t index,
                       size_t count, struct hash *out)
{
    struct stored_tree *t = state;

    (void)cx;
    assert_true(tile_level < COUNT(t->levels) && count > 0);
    assert_true(index + count <= t->counts[tile_level]);
    t->count_max = size_max(t->count_max, count);
    memcpy(out, t->levels[tile_level] + index, count * sizeof(*out));
    return ERR_OK;
}

struct tree_source stored_source(struct stored_tree *t)
{
    return (struct tree_source){stored_read, t};
}
