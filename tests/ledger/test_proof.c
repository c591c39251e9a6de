/* Verifying: everything that is true, and nothing that was changed. */
#include "base/encode.h"
#include "ledger/proof.h"
#include "reference.h"
#include "test.h"

static struct proof inclusion(size_t index, size_t size)
{
    struct proof p = {.count = 0};

    reference_path(index, 0, size, &p);
    return p;
}

static struct proof consistency(size_t m, size_t n)
{
    struct proof p = {.count = 0};

    reference_subproof(m, 0, n, true, &p);
    return p;
}

static bool includes(size_t index, size_t size, const struct proof *p)
{
    struct hash leaf = reference_leaf(index), root = reference_root(0, size);

    return proof_includes(&leaf, index, size, p, &root);
}

static bool extends(size_t m, size_t n, const struct proof *p)
{
    struct hash old = reference_root(0, m), new = reference_root(0, n);

    return proof_extends(m, &old, n, &new, p);
}

TEST(every_true_proof_verifies)
{
    for (size_t n = 1; n <= REFERENCE_MAX; n++) {
        for (size_t i = 0; i < n; i++) {
            struct proof p = inclusion(i, n);

            CHECK(includes(i, n, &p));
            p = consistency(i + 1, n);
            CHECK(extends(i + 1, n, &p));
        }
    }
}

/* Applies one change after the other to a proof and asks `holds` about each. */
typedef bool holds_fn(const struct proof *p, const size_t args[2]);

static bool inclusion_holds(const struct proof *p, const size_t args[2])
{
    return includes(args[0], args[1], p);
}

static bool consistency_holds(const struct proof *p, const size_t args[2])
{
    return extends(args[0], args[1], p);
}

static void check_changes(const struct proof *good, holds_fn *holds, const size_t args[2],
                          bool every_byte)
{
    struct proof p = *good;

    for (size_t i = 0; i < good->count; i++) {
        for (size_t byte = 0; byte < (every_byte ? HASH_BYTES : 1); byte++) {
            p.path[i].bytes[byte] ^= 0x10;
            CHECK(!holds(&p, args));
            p.path[i].bytes[byte] ^= 0x10;
        }
    }
    for (size_t i = 1; i < good->count; i++) { /* two neighbours swapped */
        p.path[i - 1] = good->path[i];
        p.path[i] = good->path[i - 1];
        CHECK(!holds(&p, args));
        p = *good;
    }
    for (size_t i = 0; i < good->count; i++) { /* one left out */
        memmove(&p.path[i], &p.path[i + 1], (good->count - i - 1) * sizeof(p.path[0]));
        p.count = good->count - 1;
        CHECK(!holds(&p, args));
        p = *good;
    }
    for (size_t i = 0; i <= good->count; i++) { /* one put in: a copy, or a root */
        memmove(&p.path[i + 1], &p.path[i], (good->count - i) * sizeof(p.path[0]));
        p.count = good->count + 1;
        p.path[i] = reference_root(0, args[1]);
        CHECK(!holds(&p, args));
        p.path[i] = good->path[i ? i - 1 : 0];
        CHECK(!holds(&p, args));
        p = *good;
    }
}

TEST(no_changed_inclusion_proof_verifies)
{
    for (size_t n = 1; n <= 70; n++) {
        for (size_t i = 0; i < n; i++) {
            struct proof p = inclusion(i, n);
            const size_t args[] = {i, n};
            struct hash leaf = reference_leaf(i), root = reference_root(0, n);
            struct hash other = reference_leaf(i + 1);

            check_changes(&p, inclusion_holds, args, n == 37);
            CHECK(!proof_includes(&other, i, n, &p, &root));
            CHECK(!proof_includes(&leaf, i + 1, n, &p, &root));
            CHECK(!proof_includes(&leaf, i - 1, n, &p, &root));
            CHECK(!proof_includes(&leaf, i ^ 2, n, &p, &root));
            CHECK(!proof_includes(&leaf, i, 2 * n, &p, &root));
            CHECK(!proof_includes(&leaf, i, n, &p, &other));
        }
    }
}

TEST(no_changed_consistency_proof_verifies)
{
    for (size_t n = 2; n <= 70; n++) {
        for (size_t m = 1; m < n; m++) {
            struct proof p = consistency(m, n);
            const size_t args[] = {m, n};
            struct hash old = reference_root(0, m), new = reference_root(0, n);

            check_changes(&p, consistency_holds, args, n == 37);
            CHECK(!proof_extends(m, &new, n, &old, &p));
            CHECK(!proof_extends(m, &old, n, &old, &p));
            CHECK(!proof_extends(m, &new, n, &new, &p));
            CHECK(!proof_extends(m + 1, &old, n, &new, &p));
            CHECK(!proof_extends(m - 1, &old, n, &new, &p));
            CHECK(!proof_extends(m, &old, 2 * n, &new, &p));
            CHECK(!proof_extends(n, &old, m, &new, &p));
        }
    }
}

/* The rules of transparency-dev/merkle's test data for the ends of the range. */
TEST(sizes_zero_and_equal)
{
    struct hash a = reference_leaf(0), b = reference_leaf(1), empty = hash_empty_root();
    struct proof none = {.count = 0}, one = {.path = {a}, .count = 1};

    CHECK(!proof_includes(&a, 0, 0, &none, &empty));
    CHECK(!proof_includes(&a, 1, 0, &none, &a));
    CHECK(!proof_includes(&a, 1, 1, &none, &a));
    CHECK(!proof_includes(&a, 2, 1, &none, &a));
    CHECK(proof_includes(&a, 0, 1, &none, &a));
    CHECK(!proof_includes(&a, 0, 1, &none, &b));
    CHECK(!proof_includes(&a, 0, 1, &one, &a));
    CHECK(proof_extends(1, &a, 1, &a, &none));
    CHECK(proof_extends(9, &a, 9, &a, &none));
    CHECK(!proof_extends(9, &a, 9, &b, &none));
    CHECK(!proof_extends(9, &a, 9, &a, &one));
    CHECK(!proof_extends(1, &a, 2, &b, &none));
    CHECK(!proof_extends(2, &a, 1, &b, &none));
    CHECK(!proof_extends(1, &a, 0, &a, &none));
    /* Size 0 is the caller's: nothing is proved here. */
    CHECK(!proof_extends(0, &empty, 0, &empty, &none));
    CHECK(!proof_extends(0, &empty, 1, &a, &none));
    CHECK(!proof_extends(0, &empty, 1, &a, &one));
    /* The largest numbers there are. */
    CHECK(!proof_includes(&a, UINT64_MAX - 1, UINT64_MAX, &one, &a));
    CHECK(!proof_extends(UINT64_MAX - 1, &a, UINT64_MAX, &b, &one));
}

/* transparency-dev/merkle proof/verify_test.go, over its eight leaves. */
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
static const char *const known_roots[9] = {
    NULL,
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

struct known_proof {
    size_t a, b; /* leaf index and size, or two sizes */
    const char *path[4];
};

static const struct known_proof known_inclusions[] = {
    {0,
     8,
     {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
    {5,
     8,
     {"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
    {2, 3, {"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
    {1,
     5,
     {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
};

static const struct known_proof known_consistencies[] = {
    {1,
     8,
     {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
    {6,
     8,
     {"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
    {2,
     5,
     {"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
    {6,
     7,
     {"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
      "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
};

static struct hash hash_of(const char *hex)
{
    struct hash h;

    CHECK(hex_decode(str_from(hex), h.bytes, HASH_BYTES));
    return h;
}

static struct proof known_path(const struct known_proof *k)
{
    struct proof p = {.count = 0};

    while (k->path[p.count]) {
        p.path[p.count] = hash_of(k->path[p.count]);
        p.count++;
    }
    return p;
}

TEST(known_proofs_of_others_verify)
{
    for (size_t i = 0; i < COUNT(known_inclusions); i++) {
        const struct known_proof *k = &known_inclusions[i];
        struct proof p = known_path(k);
        struct hash leaf, root = hash_of(known_roots[k->b]);
        uint8_t entry[16];
        size_t n = strlen(known_leaves[k->a]) / 2;

        CHECK(hex_decode(str_from(known_leaves[k->a]), entry, n));
        hash_leaf((str){(const char *)entry, n}, &leaf);
        CHECK(proof_includes(&leaf, k->a, k->b, &p, &root));
    }
    for (size_t i = 0; i < COUNT(known_consistencies); i++) {
        const struct known_proof *k = &known_consistencies[i];
        struct proof p = known_path(k);
        struct hash old = hash_of(known_roots[k->a]), new = hash_of(known_roots[k->b]);

        CHECK(proof_extends(k->a, &old, k->b, &new, &p));
    }
}
