/* positions.h - a set of positions within a segment: 65,536 bits, 8 KiB.
 *
 * Small enough to lie in an arena or on the stack, nothing to allocate and nothing that can fail;
 * to intersect two takes about 100 ns. */
#pragma once
#include "base/base.h"

enum { SEGMENT_ENTRIES = 65536, WORD_BITS = 64, POSITION_WORDS = SEGMENT_ENTRIES / WORD_BITS };
#define POSITION_NONE UINT32_MAX

struct positions {
    uint64_t word[POSITION_WORDS];
};

static inline void positions_clear(struct positions *s)
{
    memset(s, 0, sizeof *s);
}

static inline void positions_add(struct positions *s, uint32_t at)
{
    s->word[at / WORD_BITS] |= UINT64_C(1) << at % WORD_BITS;
}

static inline bool positions_have(const struct positions *s, uint32_t at)
{
    return s->word[at / WORD_BITS] >> at % WORD_BITS & 1;
}

/* from <= position < to <= SEGMENT_ENTRIES */
static inline void positions_add_range(struct positions *s, uint32_t from, uint32_t to)
{
    if (from >= to)
        return;
    uint32_t first = from / WORD_BITS, last = (to - 1) / WORD_BITS;
    uint64_t head = UINT64_MAX << from % WORD_BITS;
    uint64_t tail = UINT64_MAX >> (WORD_BITS - 1 - (to - 1) % WORD_BITS);

    if (first == last) {
        s->word[first] |= head & tail;
        return;
    }
    s->word[first] |= head;
    for (uint32_t i = first + 1; i < last; i++)
        s->word[i] = UINT64_MAX;
    s->word[last] |= tail;
}

/* Keep what `other` has too. */
static inline void positions_and(struct positions *s, const struct positions *other)
{
    for (uint32_t i = 0; i < POSITION_WORDS; i++)
        s->word[i] &= other->word[i];
}

static inline uint32_t positions_count(const struct positions *s)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < POSITION_WORDS; i++)
        n += (uint32_t)__builtin_popcountll(s->word[i]);
    return n;
}

/* The smallest that is not below `from`, or POSITION_NONE. */
static inline uint32_t positions_next(const struct positions *s, uint32_t from)
{
    if (from >= SEGMENT_ENTRIES)
        return POSITION_NONE;
    uint32_t i = from / WORD_BITS;
    uint64_t w = s->word[i] & UINT64_MAX << from % WORD_BITS;

    while (w == 0 && ++i < POSITION_WORDS)
        w = s->word[i];
    return w ? i * WORD_BITS + (uint32_t)__builtin_ctzll(w) : POSITION_NONE;
}

/* The largest below `to` (at most SEGMENT_ENTRIES), or POSITION_NONE. */
static inline uint32_t positions_before(const struct positions *s, uint32_t to)
{
    if (to == 0)
        return POSITION_NONE;
    uint32_t i = (to - 1) / WORD_BITS;
    uint64_t w = s->word[i] & UINT64_MAX >> (WORD_BITS - 1 - (to - 1) % WORD_BITS);

    while (w == 0 && i > 0)
        w = s->word[--i];
    return w ? i * WORD_BITS + WORD_BITS - 1 - (uint32_t)__builtin_clzll(w) : POSITION_NONE;
}
