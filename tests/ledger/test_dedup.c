/* The table of ids against a plain list of them. */
#include "ledger/dedup.h"
#include "plain_batch.h"
#include "test.h"
#include <stdlib.h>

enum { FOUND_MAX = 8 };

/* What a table without a window's limits would say: newest first. */
static size_t plain_find(const uint64_t *hashes, uint64_t first, uint64_t size, uint64_t ids_max,
                         uint64_t hash, uint64_t *out)
{
    size_t n = 0;

    for (uint64_t i = size; i > first && size - i < ids_max && n < FOUND_MAX;)
        if (hashes[--i - first] == hash)
            out[n++] = i;
    return n;
}

static void check_find(const struct dedup *d, const uint64_t *hashes, uint64_t first, uint64_t size,
                       uint64_t ids_max, uint64_t hash)
{
    uint64_t want[FOUND_MAX], got[FOUND_MAX];
    size_t n = plain_find(hashes, first, size, ids_max, hash, want);

    CHECK_EQ(dedup_find(d, hash, size, got, FOUND_MAX), n);
    for (size_t i = 0; i < n; i++)
        CHECK_EQ(got[i], want[i]);
}

/* Ids come again often, the window moves over them many times, and the index passes 2^32. */
TEST(dedup_finds_what_is_in_the_window)
{
    static const uint64_t firsts[] = {0, 5, UINT64_C(0xFFFFF000), UINT64_C(0x7FFFFF000)};
    enum { IDS = 20000 };
    uint64_t *hashes = arena_new(cx->mem, uint64_t, IDS);

    for (size_t f = 0; f < COUNT(firsts); f++) {
        uint64_t ids_max = f % 2 ? 900 : 5000;
        struct dice dice = {f};
        struct dedup *d = dedup_open(ids_max);
        for (uint64_t i = 0; i < IDS; i++) {
            uint64_t size = firsts[f] + i;
            uint64_t hash = (uint64_t)(1 + dice_below(&dice, 3000)) * UINT64_C(0x9E3779B97F4A7C15);
            check_find(d, hashes, firsts[f], size, ids_max, hash);
            hashes[i] = hash;
            dedup_prefetch(d, hash);
            dedup_add(d, hash, size);
        }
        CHECK(dedup_count(d) < 4 * ids_max + 256 * 48);
        dedup_close(d);
    }
}

/* Fingerprints of one shard alone, the worst that may come. */
TEST(dedup_takes_ids_of_one_shard)
{
    enum { IDS = 3000 };
    uint64_t *hashes = arena_new(cx->mem, uint64_t, IDS);
    struct dedup *d = dedup_open(1 << 20);

    for (uint64_t i = 0; i < IDS; i++) {
        hashes[i] = UINT64_C(0xFF) << 56 | i << 24;
        dedup_add(d, hashes[i], i);
    }
    for (uint64_t i = 0; i < IDS; i++) {
        uint64_t got[FOUND_MAX];
        CHECK_EQ(dedup_find(d, hashes[i], IDS, got, FOUND_MAX), i < 2 ? 2 : 1);
    }
    dedup_close(d);
}

TEST(dedup_gives_the_newest_of_many)
{
    struct dedup *d = dedup_open(1000);
    uint64_t got[3], hash = UINT64_C(0x123456789ABCDEF0);

    for (uint64_t i = 0; i < 50; i++)
        dedup_add(d, hash, i);
    CHECK_EQ(dedup_find(d, hash, 50, got, 3), 3);
    CHECK(got[0] == 49 && got[1] == 48 && got[2] == 47);
    CHECK_EQ(dedup_find(d, hash, 10, got, 3), 3); /* as it was at size 10 */
    CHECK(got[0] == 9 && got[1] == 8 && got[2] == 7);
    CHECK_EQ(dedup_find(d, hash, 50, got, 0), 0);
    dedup_close(d);
}

/* Opaque entries have no id: never stored, never found. */
TEST(dedup_leaves_opaque_entries_out)
{
    struct dedup *d = dedup_open(1000);
    uint64_t got[1];

    dedup_add(d, 0, 1);
    dedup_load(d, 2, (const uint64_t[]){0, 0, 0}, 3);
    CHECK_EQ(dedup_count(d), 0);
    CHECK_EQ(dedup_find(d, 0, 10, got, 1), 0);
    dedup_close(d);
}

/* Loading, in pieces on one thread or at once on several, is the same as adding. */
TEST(dedup_loads_what_was_added)
{
    enum { IDS = 200000, PIECE = 1000 };
    uint64_t *hashes = arena_new(cx->mem, uint64_t, IDS),
             *prints = arena_new(cx->mem, uint64_t, IDS);
    struct dedup *pieces = dedup_open(1 << 20), *once = dedup_open(1 << 20);
    struct dice dice = {9};

    for (size_t i = 0; i < IDS; i++) {
        hashes[i] = i % 50 ? dice_u64(&dice) : 0;
        prints[i] = hashes[i] >> 24;
    }
    dedup_load(once, 100, prints, IDS);
    for (size_t i = 0; i < IDS; i += PIECE)
        dedup_load(pieces, 100 + i, prints + i, PIECE);
    CHECK_EQ(dedup_count(once), IDS - IDS / 50);
    CHECK_EQ(dedup_count(pieces), IDS - IDS / 50);
    for (size_t i = 0; i < IDS; i++) {
        uint64_t got[2];
        if (i % 50 == 0)
            continue;
        CHECK_EQ(dedup_find(once, hashes[i], 100 + IDS, got, 2), 1);
        CHECK_EQ(got[0], 100 + i);
        CHECK_EQ(dedup_find(pieces, hashes[i], 100 + IDS, got, 2), 1);
        CHECK_EQ(got[0], 100 + i);
    }
    dedup_close(pieces);
    dedup_close(once);
}

/* Sixteen million ids in the window, ten million there: 134 MB. */
TEST(dedup_memory_is_eight_bytes_a_slot)
{
    enum { IDS = 1 << 20 };
    struct dedup *d = dedup_open(IDS);
    struct dice dice = {1};

    for (uint64_t i = 0; i < 6 * IDS / 10; i++)
        dedup_add(d, dice_u64(&dice), i);
    CHECK(dedup_bytes(d) <= (size_t)IDS * 8 + 16384);
    for (uint64_t i = 6 * IDS / 10; i < 6 * IDS; i++)
        dedup_add(d, dice_u64(&dice), i); /* the window has passed over it five times */
    CHECK(dedup_bytes(d) <= (size_t)IDS * 16 + 16384);
    dedup_close(d);
}
