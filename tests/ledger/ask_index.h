/* ask_index.h - every question that an index answers, asked of bytes that may be anything.
 *
 * Answers may be CORRUPT; those that are given must be in order and within the segment.  Included
 * by the test and by the fuzzer. */
#pragma once
#include "ledger/index_inner.h"
#include <stdlib.h>
#include <xxhash.h>

struct asked_values {
    char before[ENTRY_BYTES_MAX + 1];
    str value;
    uint32_t room[SEGMENT_ENTRIES];
    struct positions all;
    uint32_t entries;
};

static inline err ask_one_value(struct ctx *cx, void *state, const struct index_item *item)
{
    struct asked_values *a = state;
    const uint32_t *at;

    ENSURE(item->count > 0 && item->count <= a->entries);
    ENSURE(str_is_null(a->value) || str_cmp(a->value, item->value) < 0);
    ENSURE(item->value.n <= ENTRY_BYTES_MAX);
    if (item->value.n)
        memcpy(a->before, item->value.p, item->value.n);
    a->value = (str){a->before, item->value.n};
    TRY(index_item_positions(cx, item, a->room, &at));
    for (uint32_t i = 0; i < item->count; i++) {
        ENSURE(at[i] < a->entries && (i == 0 || at[i] > at[i - 1]));
        positions_add(&a->all, at[i]);
    }
    return ERR_OK;
}

static inline void ask_attr(struct ctx *cx, struct segment_index ix, enum attr attr,
                            struct asked_values *a)
{
    static struct positions hits;
    const str asked[] = {S(""), S("a"), S("case/1"), S("\xFF\xFF"), a->value};

    a->value = STR_NULL;
    positions_clear(&a->all);
    err e = index_values(cx, ix, attr, ask_one_value, a);
    for (size_t i = 0; i < COUNT(asked); i++) {
        for (int prefix = 0; prefix < 2; prefix++) {
            positions_clear(&hits);
            err found = index_lookup(cx, ix, attr, asked[i], prefix, &hits);
            ENSURE(positions_next(&hits, a->entries) == POSITION_NONE);
            ENSURE(found == ERR_OK || e != ERR_OK || found == ERR_CORRUPT);
            if (e == ERR_OK && found == ERR_OK && prefix && asked[i].n == 0)
                ENSURE(memcmp(&hits, &a->all, sizeof hits) == 0);
        }
    }
}

static inline void ask_times(struct ctx *cx, struct segment_index ix, enum index_time which,
                             int64_t *times)
{
    static struct positions hits;
    uint32_t n = index_count(ix);
    int64_t min = 0, max = 0;

    (void)index_time_range(ix, which, &min, &max);
    if (index_times(cx, ix, which, times, n) != ERR_OK)
        return;
    positions_clear(&hits);
    int64_t from = times[n / 2];
    if (index_lookup_time(cx, ix, which, from, 0, &hits) == ERR_OK)
        ENSURE(positions_next(&hits, n) == POSITION_NONE);
}

/* Open, check and ask.  What open and check said is in *out_ok. */
static inline void ask_index(struct ctx *cx, str bytes, uint64_t segment, bool *out_ok)
{
    struct index_reader *r = NULL;
    struct asked_values *a = calloc(1, sizeof *a);
    int64_t *numbers = calloc(SEGMENT_ENTRIES, sizeof *numbers);

    *out_ok = false;
    ENSURE(a && numbers);
    if (index_reader_open(cx, bytes, segment, &r) == ERR_OK) {
        struct segment_index ix = {.reader = r};
        *out_ok = index_reader_check(cx, r) == ERR_OK;
        a->entries = index_count(ix);
        for (unsigned i = 0; i < ATTR_COUNT; i++)
            ask_attr(cx, ix, (enum attr)i, a);
        for (unsigned i = 0; i < INDEX_TIMES; i++)
            ask_times(cx, ix, (enum index_time)i, numbers);
        ENSURE(index_fingerprints(cx, ix, (uint64_t *)numbers, a->entries) == ERR_OK);
        index_reader_close(r);
    }
    free(numbers);
    free(a);
}

static inline uint64_t ask_get_u64(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* Make size and checksums right, so that what lies behind them is reached. */
static inline void ask_repair(char *p, size_t n)
{
    XXH128_canonical_t sum;
    uint64_t size = n;

    if (n < INDEX_HEAD_BYTES + INDEX_HEAD_SUM_BYTES + INDEX_SUM_BYTES)
        return;
    memcpy(p, INDEX_MAGIC, 8);
    memcpy(p + 16, &size, sizeof size);
    uint64_t sections = ask_get_u64(p + 24) >> 32;
    size_t sum_at = INDEX_HEAD_BYTES + sections * INDEX_SECTION_BYTES;
    if (sections <= INDEX_SECTIONS_MAX && sum_at + INDEX_HEAD_SUM_BYTES <= n - INDEX_SUM_BYTES) {
        uint64_t head = XXH3_64bits(p, sum_at);
        memcpy(p + sum_at, &head, sizeof head);
    }
    XXH128_canonicalFromHash(&sum, XXH3_128bits(p, n - INDEX_SUM_BYTES));
    memcpy(p + n - INDEX_SUM_BYTES, sum.digest, sizeof sum.digest);
}
