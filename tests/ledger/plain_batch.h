/* plain_batch.h - entry batches made of plain values, without JSON, for tests and benchmarks. */
#pragma once
#include "ledger/entry.h"

struct plain_entry {
    str attr[ATTR_COUNT]; /* null: absent */
    int64_t recorded_us, time_us;
    uint64_t id_hash;
    str text; /* the entry's bytes */
};

void plain_add(struct entry_batch *b, const struct plain_entry *e);

/* Numbers that look random and are the same every time (splitmix64). */
struct dice {
    uint64_t state;
};
uint64_t dice_u64(struct dice *d);
uint32_t dice_below(struct dice *d, uint32_t n); /* n >= 1 */
