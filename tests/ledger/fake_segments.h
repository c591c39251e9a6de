/* fake_segments.h - a log in memory that has only what queries ask of the ledger.
 *
 * Full segments with an even number have their index as a file, the others as a builder. */
#pragma once
#include "ledger/ledger.h"
#include "plain_batch.h"

/* `entries` (borrowed) are all; ledger_size() says `visible`. */
struct ledger *fake_ledger_open(struct ctx *cx, const struct plain_entry *entries, uint64_t count);
void fake_ledger_close(struct ledger *l);
void fake_ledger_show(struct ledger *l, uint64_t visible);
void fake_ledger_prune(struct ledger *l, uint64_t segments); /* the first so many */

struct fake_work {
    uint64_t segments, bundles;
};
/* What was asked for since the last call. */
struct fake_work fake_ledger_work(struct ledger *l);
