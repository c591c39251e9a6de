/* index_values.h - the values of one attribute in the index file, sorted, with their positions.
 *
 *   0   uint32  values
 *   4   uint32  bytes of the separators
 *   8   uint32  bytes of the keys
 *   12  uint32  bytes of the sets
 *   16  uint32  bytes of the long part
 *   20  uint32  longest value
 *   24  uint16  bytes of the prefix that all values have
 *   26  uint8   bits of a letter; 8: letters are bytes
 *   27  uint8   letters less one when bits < 8, else 0
 *   …   the letters, rising; the prefix
 *   …   per block of VALUES_PER_BLOCK values four uint32: where its part of each of the following
 *       begins
 *   …   the separators: the shortest bytes that are greater than every value of the blocks before
 *       and not greater than the block's first value; the first one is empty
 *   …   the keys, in bits, each value: 4 bits letters shared with the value before it (behind the
 *       prefix; none for the first of a block), 4 bits further letters, each followed, when it is
 *       15, by gamma(rest + 1); the letters
 *   …   the sets, in bits: each value's positions (index_posting.h)
 *   …   the long part of the sets
 *
 * A lookup reads the head, searches the separators, reads the keys of one block and, when the value
 * is there, its sets up to that of the value. */
#pragma once
#include "ledger/index_inner.h"
#include "ledger/index_posting.h"

enum { VALUES_PER_BLOCK = 64, VALUES_HEAD_BYTES = 28, LETTERS_MAX = 128 };

err values_write(struct ctx *cx, struct buf *out, const struct builder_view *v);

/* A section as opened; borrows its bytes. */
struct values {
    const struct index_reader *reader;
    uint32_t count, blocks, longest;
    unsigned letter_bits;
    str letters, prefix, fence, separators, keys, sets, longs;
};

err values_open(struct ctx *cx, const struct index_reader *r, enum attr attr, struct values *out);

/* Where one reads. */
struct values_cursor {
    const struct values *values;
    uint32_t next;     /* number of the next value */
    uint32_t next_set; /* and of the next set of this block to be read */
    struct bit_reader keys, sets;
    str longs;
    size_t long_at;
    char *key; /* room for the longest value */
    str value; /* that of the last values_next() */
};

/* Memory from cx->tmp: within a SCRATCH. */
err values_seek(struct ctx *cx, const struct values *v, uint32_t block, struct values_cursor *out);
/* The last block whose separator is not above `value`: where it is, if it is anywhere. */
err values_block(struct ctx *cx, const struct values *v, str value, uint32_t *out);
/* *out_more = false behind the last value. */
err values_next(struct ctx *cx, struct values_cursor *c, bool *out_more);
/* The positions of the value that values_next() gave; once for each value. */
err values_posting(struct ctx *cx, struct values_cursor *c, struct posting *out);
