/* index_inner.h - what the files of the index share: the builder in memory, the format on disk.
 *
 * In memory an attribute is a column (position -> number of the value) beside a table of its
 * values, so an entry costs one probe and one store, and finding a value is a scan of at most
 * 128 KiB.  Everything but the hash slots is only ever added to and never moves: who knows a count
 * that was read under the lock may read all below it without.
 *
 * The file, little endian, is one piece without gaps:
 *
 *   0   8 bytes  "CHYIDX1\n"
 *   8   uint64   number of the segment
 *   16  uint64   bytes of the file
 *   24  uint32   entries, 1..65536
 *   28  uint32   sections
 *   32  4 int64  smallest and largest `recorded`, smallest and largest `time`
 *   64  per section, in the order of their kinds: uint32 kind, uint32 0, uint64 offset, uint64
 *                bytes
 *   …   uint64   XXH3-64 of all before: the head, checked whenever the file is opened
 *   …   the sections
 *   …   16 bytes XXH3-128 (canonical form) of all before, checked by index_reader_check()
 *
 * Kinds: 0..7 the values of that attribute (index_values.h), 16 + i the times (index_times.h), 32
 * the fingerprints, 5 bytes of each entry.  A column without anything in it has no section. */
#pragma once
#include "ledger/index.h"
#include "ledger/index_times.h"
#include <pthread.h>

enum {
    INDEX_HEAD_BYTES = 64,
    INDEX_SECTION_BYTES = 24,
    INDEX_HEAD_SUM_BYTES = 8,
    INDEX_SUM_BYTES = 16,
    INDEX_SECTIONS_MAX = ATTR_COUNT + INDEX_TIMES + 1,
    SECTION_TIMES = 16,
    SECTION_FINGERPRINTS = 32,
};
#define INDEX_MAGIC "CHYIDX1\n"

/* ---- in memory ---- */

enum { VALUES_PER_CHUNK = 1024, VALUE_CHUNKS = SEGMENT_ENTRIES / VALUES_PER_CHUNK };

struct value {
    uint64_t hash;
    const char *p;
    uint32_t n;
    uint32_t first; /* position that brought it */
};

struct value_slot {
    uint16_t tag; /* high bits of the hash; 0: free */
    uint16_t number;
};

struct attr_table {
    uint16_t *column; /* position -> number of its value, where `present` says it has one */
    struct value_slot *slots;
    uint32_t mask; /* slots less one */
    uint32_t values;
    struct value *chunk[VALUE_CHUNKS];
};

struct value_bytes; /* chunk of the arena of value bytes */

struct index_builder {
    pthread_mutex_t lock; /* guards count, the tables' slots and counts, times_min and times_max */
    uint32_t count;
    struct attr_table attr[ATTR_COUNT];
    uint8_t *present; /* per position a bit for each attribute */
    int64_t *times[INDEX_TIMES];
    int64_t times_min[INDEX_TIMES], times_max[INDEX_TIMES];
    uint8_t *fingerprints; /* FINGERPRINT_BYTES each, little endian */
    bool any_fingerprint;
    struct value_bytes *bytes;
    size_t memory_bytes;
};

static inline const struct value *table_value(const struct attr_table *t, uint32_t number)
{
    return &t->chunk[number / VALUES_PER_CHUNK][number % VALUES_PER_CHUNK];
}

/* What may be read without the lock: all positions and values below these counts. */
struct builder_view {
    const struct index_builder *b;
    uint32_t count;
    enum attr attr;
    const uint16_t *column; /* NULL: no entry has the attribute */
    uint32_t values;
};

bool builder_time_range(const struct index_builder *b, enum index_time which, int64_t *out_min,
                        int64_t *out_max);
struct builder_view builder_view(const struct index_builder *b, enum attr attr);
/* Number of a value, or UINT32_MAX. */
uint32_t builder_find(const struct index_builder *b, enum attr attr, str value);

static inline bool view_has(const struct builder_view *v, uint32_t position)
{
    return v->b->present[position] >> v->attr & 1;
}

/* The positions of a view put in order of their values' numbers: those of value i are
 * positions[start[i] .. start[i + 1]).  `start` has v->values + 1 places. */
void view_group(const struct builder_view *v, uint32_t *start, uint32_t *positions);
/* The numbers of a view's values in the order of their bytes. */
void view_sort(struct arena *tmp, const struct builder_view *v, uint32_t *out_order);

/* ---- on disk ---- */

struct index_reader {
    str bytes;
    uint64_t segment;
    uint32_t entries;
    int64_t times_min[INDEX_TIMES], times_max[INDEX_TIMES];
    str attr[ATTR_COUNT]; /* sections; null: no entry has it */
    struct time_column times[INDEX_TIMES];
    str fingerprints; /* null: all are 0 */
};

/* CORRUPT naming the part. */
err index_corrupt(struct ctx *cx, const struct index_reader *r, const char *what, const void *at);
