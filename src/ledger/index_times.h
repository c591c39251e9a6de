/* index_times.h - the two time columns of the index file, in chunks that are read alone.
 *
 * A section is a head of TIME_HEAD_BYTES per chunk of TIME_CHUNK entries, then the chunks' bytes:
 *
 *   0   int64   smallest time of the chunk
 *   8   int64   largest
 *   16  uint32  bytes stored
 *   20  uint32  low 30 bits: bytes when unpacked; bit 30: zstd; bit 31: relative
 *
 * Unpacked, each entry is a varint, zigzag: the difference to the entry before it (the first: to
 * the smallest), or, when relative, to the same entry's `recorded`.  Equal times take no bytes. */
#pragma once
#include "ledger/index.h"

enum { TIME_CHUNK = 4096, TIME_HEAD_BYTES = 24 };

static inline uint32_t time_chunks(uint32_t entries)
{
    return (entries + TIME_CHUNK - 1) / TIME_CHUNK;
}

/* `recorded` is NULL when `times` is that column. */
void times_write(struct buf *out, const int64_t *times, const int64_t *recorded, uint32_t entries);

/* A section as opened; borrows its bytes. */
struct time_column {
    str bytes;
    uint32_t entries;
    const struct time_column *recorded; /* NULL for that column */
};

/* Entries of chunk c into `out` (room for TIME_CHUNK); false: malformed. */
bool times_read(struct arena *tmp, const struct time_column *col, uint32_t c, int64_t *out);
/* Bounds of chunk c; false: malformed. */
bool times_bounds(const struct time_column *col, uint32_t c, int64_t *out_min, int64_t *out_max);
