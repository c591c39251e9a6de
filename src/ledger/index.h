/* index.h - the index of one segment: who has which attribute value, when, and fingerprints of ids.
 *
 * While a segment grows its index is in memory (struct index_builder): one writer adds, any thread
 * asks, a lock inside guards both.  When the segment is sealed the builder is written as a file
 * that never changes (struct index_reader over the mapped bytes).  Both answer the same questions,
 * through struct segment_index.
 *
 * Positions are 0..65535 within the segment (positions.h). */
#pragma once
#include "base/base.h"
#include "base/buf.h"
#include "ledger/entry.h"
#include "ledger/positions.h"

enum { FINGERPRINT_BYTES = 5 };

enum index_time { INDEX_RECORDED, INDEX_TIME, INDEX_TIMES };

/* ---- in memory, growing ---- */
struct index_builder;

struct index_builder *index_builder_open(void); /* aborts on exhaustion; owned */
void index_builder_close(struct index_builder *b);
/* Entries `from`..`to` of the batch become the next positions.  One thread adds. */
void index_builder_add(struct index_builder *b, const struct entry_batch *batch, size_t from,
                       size_t to);
uint32_t index_builder_count(const struct index_builder *b);
size_t index_builder_bytes(const struct index_builder *b); /* of memory */
/* The file of a full or final segment, into `out`.  `segment` is its number. */
err index_builder_write(struct ctx *cx, const struct index_builder *b, uint64_t segment,
                        struct buf *out);

/* ---- on disk, for ever ---- */
struct index_reader;

/* `bytes` (borrowed for the reader's life) are checked in constant time: magic, segment number,
 * size, the head's checksum, where the parts are.  The parts themselves are checked when used, so
 * questions may fail.  CORRUPT names the byte. */
err index_reader_open(struct ctx *cx, str bytes, uint64_t segment, struct index_reader **out);
void index_reader_close(struct index_reader *r); /* NULL is a no-op */
/* The checksum over the whole file: after writing, and when verifying.  CORRUPT. */
err index_reader_check(struct ctx *cx, const struct index_reader *r);

/* ---- both: borrowed, exactly one of the two is set ---- */
struct segment_index {
    struct index_builder *builder;
    const struct index_reader *reader;
};

uint32_t index_count(struct segment_index ix);
/* Smallest and largest of a time; false when the index is empty. */
bool index_time_range(struct segment_index ix, enum index_time which, int64_t *out_min,
                      int64_t *out_max);
/* Add to `into` the positions whose attribute equals `value`, or begins with it. */
err index_lookup(struct ctx *cx, struct segment_index ix, enum attr attr, str value, bool prefix,
                 struct positions *into);
/* Add to `into` the positions with from_us <= time < to_us (0 is open on that side). */
err index_lookup_time(struct ctx *cx, struct segment_index ix, enum index_time which,
                      int64_t from_us, int64_t to_us, struct positions *into);
/* Times of positions [0, count) into `out`. */
err index_times(struct ctx *cx, struct segment_index ix, enum index_time which, int64_t *out,
                size_t count);
/* A value of an attribute, how many entries have it, and, when asked for, which. */
struct posting;
struct index_item {
    str value; /* borrowed for the call, as all of it */
    uint32_t count;
    const uint32_t *positions;     /* of a builder, else NULL */
    const struct posting *posting; /* of a reader, else NULL */
};
typedef err index_visit(struct ctx *cx, void *state, const struct index_item *item);
/* Every value of an attribute in the order of its bytes. */
err index_values(struct ctx *cx, struct segment_index ix, enum attr attr, index_visit *visit,
                 void *state);
/* The item's positions, rising: `out` points at its own or into `room` (item->count of them). */
err index_item_positions(struct ctx *cx, const struct index_item *item, uint32_t *room,
                         const uint32_t **out);
/* The 40-bit fingerprint (high bits of id_hash) of each position; 0 for opaque entries. */
err index_fingerprints(struct ctx *cx, struct segment_index ix, uint64_t *out, size_t count);
