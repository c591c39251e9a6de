/* Roots, proofs and the frontier against the plain recursion, for all sizes up to 300, and across
 * tile levels for larger ones. */
#include "base/encode.h"
#include "reference.h"
#include "test.h"

/* transparency-dev/merkle testonly/constants.go: eight leaves and the roots of 1 to 8 of them. */
static const char *const known_leaves[8] = {
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
};
static const char *const known_roots[8] = {
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

static void check_hex(const struct hash *h, const char *hex)
{
    char text[2 * HASH_BYTES + 1];

    hex_encode(h->bytes, HASH_BYTES, text);
    CHECK_STR(str_from(text), str_from(hex));
}

TEST(known_roots_of_one_to_eight_leaves)
{
    struct tree_frontier f;
    struct hash root;

    frontier_init(&f);
    frontier_root(&f, &root);
    check_hex(&root, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size_t i = 0; i < COUNT(known_leaves); i++) {
        uint8_t entry[16];
        size_t n = strlen(known_leaves[i]) / 2;
        struct hash leaf;

        CHECK(hex_decode(str_from(known_leaves[i]), entry, n));
        hash_leaf((str){(const char *)entry, n}, &leaf);
        frontier_append(&f, &leaf, 1, NULL);
        frontier_root(&f, &root);
        check_hex(&root, known_roots[i]);
        CHECK_EQ(frontier_size(&f), i + 1);
    }
}

TEST(roots_of_all_sizes)
{
    struct stored_tree t;

    stored_init(cx->mem, &t, REFERENCE_MAX);
    for (size_t size = 0; size <= REFERENCE_MAX; size++) {
        struct hash want = reference_root(0, size), got;

        CHECK_OK(tree_root(cx, stored_source(&t), size, &got));
        CHECK(hash_eq(&got, &want));
        frontier_root(&t.frontier, &got);
        CHECK(hash_eq(&got, &want));
        if (size < REFERENCE_MAX)
            stored_append(cx->mem, &t, 1);
    }
}

TEST(inclusion_proofs_of_all_sizes)
{
    struct stored_tree t;
    struct proof got;

    stored_init(cx->mem, &t, REFERENCE_MAX);
    stored_append(cx->mem, &t, REFERENCE_MAX);
    for (size_t size = 1; size <= REFERENCE_MAX; size++) {
        for (size_t index = 0; index < size; index++) {
            struct proof want = {.count = 0};

            reference_path(index, 0, size, &want);
            CHECK_OK(tree_inclusion(cx, stored_source(&t), index, size, &got));
            CHECK(proof_eq(&got, &want));
        }
        CHECK_ERR(tree_inclusion(cx, stored_source(&t), size, size, &got), ERR_INVALID);
    }
    CHECK_ERR(tree_inclusion(cx, stored_source(&t), 0, 0, &got), ERR_INVALID);
    CHECK(t.count_max <= TREE_TILE_WIDTH);
}

TEST(consistency_proofs_of_all_sizes)
{
    struct stored_tree t;
    struct proof got;

    stored_init(cx->mem, &t, REFERENCE_MAX);
    stored_append(cx->mem, &t, REFERENCE_MAX);
    for (size_t n = 1; n <= REFERENCE_MAX; n++) {
        for (size_t m = 1; m <= n; m++) {
            struct proof want = {.count = 0};

            reference_subproof(m, 0, n, true, &want);
            CHECK_OK(tree_consistency(cx, stored_source(&t), m, n, &got));
            CHECK(proof_eq(&got, &want));
        }
        CHECK_ERR(tree_consistency(cx, stored_source(&t), n + 1, n, &got), ERR_INVALID);
        CHECK_ERR(tree_consistency(cx, stored_source(&t), 0, n, &got), ERR_INVALID);
    }
}

/* Whatever the batches are, the same nodes come out, in order, once. */
TEST(batches_of_every_size_give_the_same_tree)
{
    static const size_t steps[] = {1, 2, 3, 7, 16, 100, 255, 256, 257, 511, 512, 513, 1000, 5000};
    enum { SIZE = 5000 };
    struct stored_tree whole;
    struct hash want;

    stored_init(cx->mem, &whole, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        stored_append(cx->mem, &whole, 1);
    CHECK_EQ(whole.counts[1], SIZE / 256);
    frontier_root(&whole.frontier, &want);
    for (size_t s = 0; s < COUNT(steps); s++) {
        struct stored_tree t;
        struct hash got;

        stored_init(cx->mem, &t, SIZE);
        while (t.counts[0] < SIZE)
            stored_append(cx->mem, &t, size_min(steps[s], SIZE - t.counts[0]));
        frontier_root(&t.frontier, &got);
        CHECK(hash_eq(&got, &want));
        CHECK_EQ(t.counts[1], whole.counts[1]);
        CHECK(memcmp(t.levels[1], whole.levels[1], t.counts[1] * HASH_BYTES) == 0);
    }
}

/* 70000 leaves: tile levels 0, 1 and 2, as in the specification's example. */
TEST(a_tree_over_three_tile_levels)
{
    enum { SIZE = 70000 };
    static const size_t sizes[] = {1, 255, 256, 257, 65535, 65536, 65537, 69999, 70000};
    struct stored_tree t;
    struct tree_frontier loaded;
    struct hash root, got;

    stored_init(cx->mem, &t, SIZE);
    while (t.counts[0] < SIZE)
        stored_append(cx->mem, &t, size_min(777, SIZE - t.counts[0]));
    CHECK_EQ(t.counts[1], 273);
    CHECK_EQ(t.counts[2], 1);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct tree_frontier f;

        frontier_init(&f);
        frontier_append(&f, t.levels[0], sizes[i], NULL);
        frontier_root(&f, &root);
        CHECK_OK(tree_root(cx, stored_source(&t), sizes[i], &got));
        CHECK(hash_eq(&got, &root));
        CHECK_OK(frontier_load(cx, stored_source(&t), sizes[i], &loaded));
        CHECK_EQ(frontier_size(&loaded), sizes[i]);
        frontier_root(&loaded, &got);
        CHECK(hash_eq(&got, &root));
    }
    CHECK(t.count_max <= TREE_TILE_WIDTH);
}

TEST(whole_runs_are_appended_by_their_roots)
{
    enum { SIZE = 70000 };
    struct stored_tree t;
    struct tree_frontier f;
    struct hash want, got;

    stored_init(cx->mem, &t, SIZE);
    stored_append(cx->mem, &t, SIZE);
    frontier_root(&t.frontier, &want);
    frontier_init(&f);
    frontier_append_runs(&f, 2, t.levels[2], 1, NULL);
    frontier_append_runs(&f, 1, t.levels[1] + 256, 17, NULL);
    frontier_append(&f, t.levels[0] + 273 * 256, 112, NULL);
    CHECK_EQ(frontier_size(&f), SIZE);
    frontier_root(&f, &got);
    CHECK(hash_eq(&got, &want));
}

static err broken_read(struct ctx *cx, void *state, unsigned tile_level, uint64_t index,
                       size_t count, struct hash *out)
{
    (void)cx, (void)state, (void)tile_level, (void)index, (void)count, (void)out;
    return ERR_IO;
}

TEST(a_failing_source_is_passed_on_and_leaves_the_outputs)
{
    const struct tree_source src = {broken_read, NULL};
    struct proof proof = {.count = 7};
    struct tree_frontier f = {.size = 9};
    struct hash root = {{1}};

    CHECK_ERR(tree_root(cx, src, 5, &root), ERR_IO);
    CHECK_EQ(root.bytes[0], 1);
    CHECK_ERR(tree_inclusion(cx, src, 2, 5, &proof), ERR_IO);
    CHECK_ERR(tree_consistency(cx, src, 2, 5, &proof), ERR_IO);
    CHECK_EQ(proof.count, 7);
    CHECK_ERR(frontier_load(cx, src, 5, &f), ERR_IO);
    CHECK_EQ(f.size, 9);
    CHECK_OK(tree_root(cx, src, 0, &root)); /* nothing to read */
}
