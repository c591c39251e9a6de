/* index_values.h - the values of one attribute in the index file, sorted, with their positions.
 *
 *   0   uint32  values
 *   4   uint32  bytes of the separators
 *   8   uint32  bytes of the blocks
 *   12  uint32  bytes of the long part
 *   16  uint32  longest value
 *   20  uint16  bytes of the prefix that all values have
 *   22  uint8   bits of a letter; 8: letters are bytes
 *   23  uint8   letters less one when bits < 8, else 0
 *   …   the letters, rising; the prefix
 *   …   per block of VALUES_PER_BLOCK values three uint32: where its separator begins, where its
 *       bits begin, where its part of the long part begins
 *   …   the separators: the shortest bytes that are greater than every value of the blocks before
 *       and not greater than the block's first value; the first one is empty
 *   …   the blocks, each value: 4 bits letters shared with the value before it (behind the prefix;
 *       none for the first of a block), 4 bits further letters, each followed, when it is 15, by
 *       gamma(rest + 1); the letters; the positions (index_posting.h)
 *   …   the long part
 *
 * A lookup reads the head, searches the separators and reads one block. */
#pragma once
#include "ledger/index_inner.h"
#include "ledger/index_posting.h"

enum { VALUES_PER_BLOCK = 64, VALUES_HEAD_BYTES = 24, LETTERS_MAX = 128 };

err values_write(struct ctx *cx, struct buf *out, const struct builder_view *v);

/* A section as opened; borrows its bytes. */
struct values {
    const struct index_reader *reader;
    uint32_t count, blocks, longest;
    unsigned letter_bits;
    str letters, prefix, fence, separators, bits, longs;
};

err values_open(struct ctx *cx, const struct index_reader *r, enum attr attr, struct values *out);

/* Where one reads; `value` and `posting` are those of the last values_next(). */
struct values_cursor {
    const struct values *values;
    uint32_t next; /* number of the next value */
    struct bit_reader bits;
    str longs;
    size_t long_at;
    char *key; /* room for the longest value */
    str value;
    struct posting posting;
};

/* Memory from cx->tmp: within a SCRATCH. */
err values_seek(struct ctx *cx, const struct values *v, uint32_t block, struct values_cursor *out);
/* The last block whose separator is not above `value`: where it is, if it is anywhere. */
err values_block(struct ctx *cx, const struct values *v, str value, uint32_t *out);
/* *out_more = false behind the last value. */
err values_next(struct ctx *cx, struct values_cursor *c, bool *out_more);
