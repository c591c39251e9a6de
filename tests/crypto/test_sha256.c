/* Hashes against known answers, and every batch kernel of this machine against OpenSSL. */
#include "base/encode.h"
#include "crypto/sha256_kernel.h"
#include "test.h"
#include <stdlib.h>

enum { RANDOM_BYTES = 70000 + 64, BATCH_MAX = 600 };

static void check_hex(const struct hash *h, const char *hex)
{
    char text[2 * HASH_BYTES + 1];

    hex_encode(h->bytes, HASH_BYTES, text);
    CHECK_STR(str_from(text), str_from(hex));
}

/* A small generator with a seed: the same bytes in every run. */
static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static char *random_text(struct ctx *cx)
{
    char *p = arena_new(cx->mem, char, RANDOM_BYTES);
    uint32_t state = 2463534242u;

    for (size_t i = 0; i < RANDOM_BYTES; i++)
        p[i] = (char)next_random(&state);
    return p;
}

/* FIPS 180-4's examples. */
TEST(sha256_known_answers)
{
    struct hash h;

    sha256(S(""), &h);
    check_hex(&h, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256(S("abc"), &h);
    check_hex(&h, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256(S("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), &h);
    check_hex(&h, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    h = hash_empty_root();
    check_hex(&h, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* transparency-dev/merkle testonly/constants.go: the leaf "" and the node over "" and 00. */
TEST(tree_hashes_known_answers)
{
    struct hash l, r, n;

    hash_leaf(S(""), &l);
    check_hex(&l, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    hash_leaf(S("\x00"), &r);
    check_hex(&r, "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7");
    hash_node(&l, &r, &n);
    check_hex(&n, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
}

TEST(a_stream_gives_what_the_whole_gives)
{
    const char *p = random_text(cx);
    struct hash whole, pieces;

    sha256((str){p, 5000}, &whole);
    for (size_t step = 1; step < 300; step += 37) {
        struct sha256_stream s;

        sha256_init(&s);
        for (size_t at = 0; at < 5000; at += step)
            sha256_add(&s, (str){p + at, size_min(step, 5000 - at)});
        sha256_finish(&s, &pieces);
        CHECK(hash_eq(&whole, &pieces));
    }
}

/* Each kernel alone, the whole list, and none. */
struct kernel_set {
    const char *name;
    const struct sha256_kernel *kernels[4];
};

static size_t kernel_sets(struct kernel_set *out)
{
    size_t n = 0, all = 0;

    out[n++] = (struct kernel_set){.name = "one by one"};
    out[n++] = (struct kernel_set){.name = "all"};
    for (size_t i = 0; sha256_kernels[i]; i++) {
        if (!sha256_kernels[i]->is_supported())
            continue;
        out[1].kernels[all++] = sha256_kernels[i];
        out[n++] =
            (struct kernel_set){.name = sha256_kernels[i]->name, .kernels = {sha256_kernels[i]}};
    }
    return n;
}

/* As a kernel that is used for any number of lanes, so that groups of every size are seen. */
static void check_leaves(const struct kernel_set *set, const str *entries, size_t n)
{
    struct sha256_kernel eager[COUNT(set->kernels)];
    const struct sha256_kernel *kernels[COUNT(set->kernels)] = {NULL};
    struct hash out[BATCH_MAX], want;

    for (size_t i = 0; set->kernels[i]; i++) {
        eager[i] = *set->kernels[i];
        eager[i].lanes_worth = 1;
        kernels[i] = &eager[i];
    }
    for (int pass = 0; pass < 2; pass++) {
        memset(out, 0xee, sizeof(out));
        hash_leaves_with(pass ? kernels : set->kernels, entries, n, out);
        for (size_t i = 0; i < n; i++) {
            hash_leaf(entries[i], &want);
            if (!hash_eq(&out[i], &want))
                print_message("%s: entry %zu of %zu bytes differs\n", set->name, i, entries[i].n);
            CHECK(hash_eq(&out[i], &want));
        }
        if (n < BATCH_MAX)
            CHECK_EQ(out[n].bytes[0], 0xee); /* nothing behind the last */
    }
}

/* Every length up to three blocks at every alignment: all shapes of first and last block. */
TEST(leaves_of_every_short_length_and_alignment)
{
    const char *p = random_text(cx);
    struct kernel_set sets[8];
    size_t count = kernel_sets(sets);
    str entries[17];

    for (size_t set = 0; set < count; set++) {
        for (size_t length = 0; length < 200; length++) {
            for (size_t i = 0; i < COUNT(entries); i++)
                entries[i] = (str){p + 7 * i + i % 16, length};
            check_leaves(&sets[set], entries, COUNT(entries));
        }
    }
}

TEST(leaves_of_random_lengths_in_batches_of_every_size)
{
    const char *p = random_text(cx);
    struct kernel_set sets[8];
    size_t count = kernel_sets(sets);
    static const size_t longest[] = {10, 130, 700, 5000, 70000};
    uint32_t state = 88172645;
    str entries[BATCH_MAX];

    for (size_t set = 0; set < count; set++) {
        for (size_t n = 0; n <= 40; n++) {
            size_t limit = longest[n % COUNT(longest)];

            for (size_t i = 0; i < n; i++) {
                size_t length = next_random(&state) % (limit + 1);

                entries[i] = (str){p + next_random(&state) % (RANDOM_BYTES - length), length};
            }
            check_leaves(&sets[set], entries, n);
        }
        for (size_t i = 0; i < BATCH_MAX; i++)
            entries[i] = (str){p + i, 300 + next_random(&state) % 200};
        check_leaves(&sets[set], entries, BATCH_MAX);
    }
}

/* Entries that end where their memory ends: AddressSanitizer sees any read beyond. */
TEST(leaves_read_nothing_beyond_their_entries)
{
    struct kernel_set sets[8];
    size_t count = kernel_sets(sets);
    str entries[33];

    for (size_t i = 0; i < COUNT(entries); i++) {
        size_t n = 50 + 13 * i;
        char *p = malloc(n);

        CHECK(p != NULL);
        memset(p, (int)i, n);
        entries[i] = (str){p, n};
    }
    for (size_t set = 0; set < count; set++)
        check_leaves(&sets[set], entries, COUNT(entries));
    for (size_t i = 0; i < COUNT(entries); i++) {
        char *p;

        memcpy(&p, &entries[i].p, sizeof(p));
        free(p);
    }
}

TEST(nodes_in_batches_of_every_size_also_in_place)
{
    struct kernel_set sets[8];
    size_t count = kernel_sets(sets);
    struct hash pairs[82], want[41], out[41];

    memcpy(pairs, random_text(cx), sizeof(pairs));
    for (size_t i = 0; i < 41; i++)
        hash_node(&pairs[2 * i], &pairs[2 * i + 1], &want[i]);
    for (size_t set = 0; set < count; set++) {
        for (size_t n = 0; n <= 40; n++) {
            struct hash in_place[82];

            memset(out, 0xee, sizeof(out));
            hash_nodes_with(sets[set].kernels, pairs, n, out);
            CHECK(memcmp(out, want, n * sizeof(want[0])) == 0);
            CHECK_EQ(out[n].bytes[0], 0xee);
            memcpy(in_place, pairs, sizeof(pairs));
            hash_nodes_with(sets[set].kernels, in_place, n, in_place);
            CHECK(memcmp(in_place, want, n * sizeof(want[0])) == 0);
        }
    }
}

TEST(the_public_batch_functions_agree)
{
    const char *p = random_text(cx);
    str entries[50];
    struct hash leaves[50], nodes[25], want;

    for (size_t i = 0; i < COUNT(entries); i++)
        entries[i] = (str){p + i * 11, i * 31};
    hash_leaves(entries, COUNT(entries), leaves);
    hash_nodes(leaves, COUNT(nodes), nodes);
    for (size_t i = 0; i < COUNT(entries); i++) {
        hash_leaf(entries[i], &want);
        CHECK(hash_eq(&leaves[i], &want));
    }
    for (size_t i = 0; i < COUNT(nodes); i++) {
        hash_node(&leaves[2 * i], &leaves[2 * i + 1], &want);
        CHECK(hash_eq(&nodes[i], &want));
    }
}
