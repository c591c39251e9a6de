/* index_posting.h - a set of positions in the index file, in as few bits as it takes.
 *
 *   count       gamma
 *   count == 1  the position in position_bits()
 *   up to POSTING_SMALL: 4 bits r, then rice(gap, r) of each: the first position, then the
 *               difference to the one before less one
 *   more        1 bit form, gamma(bytes), and those bytes in the section's long part:
 *     GAPS      4 bits r, rice(gap, r) of each
 *     RUNS      gamma(runs), 4 bits r, 4 bits s, then for each run rice(positions skipped, r) (one
 *               less from the second run on) and rice(length - 1, s)
 *
 * The writer takes the shorter form.  Whatever the bytes are, a reader gives rising positions
 * below `entries`, or CORRUPT. */
#pragma once
#include "ledger/index_bits.h"
#include "ledger/positions.h"

enum { POSTING_SMALL = 32 };
enum posting_form { POSTING_GAPS, POSTING_RUNS };

unsigned position_bits(uint32_t entries);

/* Rising positions below `entries`, at least one. */
void posting_write(struct bit_writer *block, struct buf *longs, const uint32_t *positions,
                   uint32_t count, uint32_t entries);

/* A set that was come upon; borrows the section's bytes. */
struct posting {
    uint32_t count;
    uint32_t entries;
    enum posting_form form;        /* of more than POSTING_SMALL */
    str bytes;                     /* theirs */
    uint32_t small[POSTING_SMALL]; /* the positions otherwise */
};

/* The next set of a block; *long_at moves past its bytes in `longs`.  False: malformed. */
bool posting_read(struct bit_reader *block, str longs, size_t *long_at, uint32_t entries,
                  struct posting *out);
/* All its positions; `out` has room for p->count.  False: malformed. */
bool posting_positions(const struct posting *p, uint32_t *out);
/* Add them to `into`.  False: malformed; then some may have been added. */
bool posting_add(const struct posting *p, struct positions *into);
