/* index_builder.c - the index of the segment that grows.  Its model is in index_inner.h.
 *
 * The way of a batch: a few entries at a time, attribute by attribute, so that one table is warm
 * while it is used and the slots of the next entries are on their way.  The lock is held once for
 * the batch; readers hold it for one probe. */
#include "ledger/index_inner.h"
#include <stdlib.h>

enum {
    SLOTS_FIRST = 64,
    BLOCK = 32,              /* entries handled together */
    BYTES_PER_CHUNK = 65536, /* of values; a longer value has a chunk of its own */
    FINGERPRINT_SLACK = 8,
    CACHE_LINE = 64,
};

struct value_bytes {
    struct value_bytes *previous;
    size_t used, capacity;
    char bytes[];
};

static void *take(struct index_builder *b, size_t size, size_t count)
{
    void *p = calloc(count, size);

    ENSURE(p);
    b->memory_bytes += size * count;
    return p;
}

struct index_builder *index_builder_open(void)
{
    struct index_builder *b = calloc(1, sizeof *b);

    ENSURE(b);
    b->memory_bytes = sizeof *b;
    ENSURE(pthread_mutex_init(&b->lock, NULL) == 0);
    b->present = take(b, 1, SEGMENT_ENTRIES);
    for (unsigned i = 0; i < INDEX_TIMES; i++)
        b->times[i] = take(b, sizeof(int64_t), SEGMENT_ENTRIES);
    b->fingerprints = take(b, 1, SEGMENT_ENTRIES * FINGERPRINT_BYTES + FINGERPRINT_SLACK);
    return b;
}

static void table_close(struct attr_table *t)
{
    for (unsigned i = 0; i < VALUE_CHUNKS; i++)
        free(t->chunk[i]);
    free(t->column);
    free(t->slots);
}

void index_builder_close(struct index_builder *b)
{
    if (!b)
        return;
    for (unsigned a = 0; a < ATTR_COUNT; a++)
        table_close(&b->attr[a]);
    for (unsigned i = 0; i < INDEX_TIMES; i++)
        free(b->times[i]);
    while (b->bytes) {
        struct value_bytes *gone = b->bytes;
        b->bytes = gone->previous;
        free(gone);
    }
    free(b->present);
    free(b->fingerprints);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

/* ---- values ---- */

static const char *keep_bytes(struct index_builder *b, str value)
{
    struct value_bytes *c = b->bytes;

    if (!c || c->capacity - c->used < value.n) {
        size_t capacity = size_max(BYTES_PER_CHUNK - sizeof *c, value.n);
        c = malloc(sizeof *c + capacity);
        ENSURE(c);
        *c = (struct value_bytes){.previous = b->bytes, .capacity = capacity};
        b->bytes = c;
        b->memory_bytes += sizeof *c + capacity;
    }
    char *p = c->bytes + c->used;
    if (value.n)
        memcpy(p, value.p, value.n);
    c->used += value.n;
    return p;
}

static uint16_t tag_of(uint64_t hash)
{
    return (uint16_t)(hash >> 48 | 1);
}

static void slot_put(struct attr_table *t, uint64_t hash, uint32_t number)
{
    uint32_t i = (uint32_t)hash & t->mask;

    while (t->slots[i].tag)
        i = (i + 1) & t->mask;
    t->slots[i] = (struct value_slot){tag_of(hash), (uint16_t)number};
}

/* At most half of the slots are taken, so a probe is short and always ends. */
static void slots_grow(struct index_builder *b, struct attr_table *t)
{
    uint32_t n = t->slots ? (t->mask + 1) * 4 : SLOTS_FIRST;

    n = (uint32_t)size_min(n, 2 * SEGMENT_ENTRIES);
    b->memory_bytes -= t->slots ? (t->mask + 1) * sizeof *t->slots : 0;
    free(t->slots);
    t->slots = take(b, sizeof *t->slots, n);
    t->mask = n - 1;
    for (uint32_t i = 0; i < t->values; i++)
        slot_put(t, table_value(t, i)->hash, i);
}

static bool bytes_eq(const char *a, const char *b, size_t n)
{
    uint64_t x, y, last_x, last_y;

    if (n < sizeof x || n > 2 * sizeof x)
        return n == 0 || memcmp(a, b, n) == 0;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    memcpy(&last_x, a + n - sizeof x, sizeof x);
    memcpy(&last_y, b + n - sizeof y, sizeof y);
    return x == y && last_x == last_y;
}

static bool value_is(const struct value *v, uint64_t hash, str value)
{
    return v->hash == hash && v->n == value.n && bytes_eq(v->p, value.p, value.n);
}

/* The slot of a value, or the free one where it would go. */
static uint32_t slot_find(const struct attr_table *t, uint64_t hash, str value)
{
    uint32_t i = (uint32_t)hash & t->mask;
    uint16_t tag = tag_of(hash);

    for (; t->slots[i].tag; i = (i + 1) & t->mask) {
        if (t->slots[i].tag == tag && value_is(table_value(t, t->slots[i].number), hash, value))
            break;
    }
    return i;
}

static uint16_t value_new(struct index_builder *b, struct attr_table *t, uint64_t hash, str value,
                          uint32_t position)
{
    uint32_t number = t->values;
    struct value **chunk = &t->chunk[number / VALUES_PER_CHUNK];

    if (!*chunk)
        *chunk = take(b, sizeof **chunk, VALUES_PER_CHUNK);
    (*chunk)[number % VALUES_PER_CHUNK] = (struct value){
        .hash = hash, .p = keep_bytes(b, value), .n = (uint32_t)value.n, .first = position};
    t->values++;
    return (uint16_t)number;
}

static uint16_t value_number(struct index_builder *b, struct attr_table *t, uint64_t hash,
                             str value, uint32_t position)
{
    uint32_t i = slot_find(t, hash, value);

    if (LIKELY(t->slots[i].tag))
        return t->slots[i].number;
    uint16_t number = value_new(b, t, hash, value, position);
    t->slots[i] = (struct value_slot){tag_of(hash), number};
    if (t->values > (t->mask + 1) / 2)
        slots_grow(b, t);
    return number;
}

/* ---- adding ---- */

static void prefetch_slots(const struct attr_table *t, const struct entry_meta *meta, size_t n,
                           enum attr attr)
{
    if (!t->slots)
        return;
    for (size_t i = 0; i < n; i++)
        __builtin_prefetch(&t->slots[(uint32_t)meta[i].attr[attr].hash & t->mask]);
}

static void prefetch_values(const struct attr_table *t, const struct entry_meta *meta, size_t n,
                            enum attr attr)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t hash = meta[i].attr[attr].hash;
        struct value_slot slot = t->slots[(uint32_t)hash & t->mask];
        if (slot.tag == tag_of(hash))
            __builtin_prefetch(table_value(t, slot.number));
    }
}

static void add_attr(struct index_builder *b, const struct entry_batch *batch, size_t from,
                     size_t n, enum attr attr)
{
    struct attr_table *t = &b->attr[attr];
    const struct entry_meta *meta = batch->meta + from;

    if (t->slots)
        prefetch_values(t, meta, n, attr);
    for (size_t i = 0; i < n; i++) {
        const struct entry_attr *v = &meta[i].attr[attr];
        if (v->at == ATTR_ABSENT)
            continue;
        if (UNLIKELY(!t->slots)) {
            t->column = take(b, sizeof *t->column, SEGMENT_ENTRIES);
            slots_grow(b, t);
        }
        uint32_t position = b->count + (uint32_t)i;
        t->column[position] = value_number(b, t, v->hash, entry_batch_value(batch, v), position);
        b->present[position] |= (uint8_t)(1u << attr);
    }
}

static void add_time(struct index_builder *b, enum index_time which, uint32_t position, int64_t us)
{
    b->times[which][position] = us;
    if (position == 0 || us < b->times_min[which])
        b->times_min[which] = us;
    if (position == 0 || us > b->times_max[which])
        b->times_max[which] = us;
}

static void add_fingerprint(struct index_builder *b, uint32_t position, uint64_t id_hash)
{
    uint64_t fingerprint = htole64(id_hash >> (64 - 8 * FINGERPRINT_BYTES));

    b->any_fingerprint |= fingerprint != 0;
    memcpy(b->fingerprints + (size_t)position * FINGERPRINT_BYTES, &fingerprint,
           sizeof fingerprint); /* the bytes behind are written next, or are slack */
}

static void add_block(struct index_builder *b, const struct entry_batch *batch, size_t from,
                      size_t n)
{
    const struct entry_meta *meta = batch->meta + from;

    prefetch_slots(&b->attr[0], meta, n, (enum attr)0);
    for (unsigned a = 0; a < ATTR_COUNT; a++) {
        if (a + 1 < ATTR_COUNT)
            prefetch_slots(&b->attr[a + 1], meta, n, (enum attr)(a + 1));
        add_attr(b, batch, from, n, (enum attr)a);
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t position = b->count + (uint32_t)i;
        add_time(b, INDEX_RECORDED, position, meta[i].recorded_us);
        add_time(b, INDEX_TIME, position, meta[i].time_us);
        add_fingerprint(b, position, meta[i].id_hash);
    }
    b->count += (uint32_t)n;
}

/* The batch was filled by another processor: ask for what the next block will read. */
static void prefetch_block(const struct entry_batch *batch, size_t from, size_t to)
{
    const char *p = (const char *)&batch->meta[from], *end = (const char *)&batch->meta[to];

    for (; p < end; p += CACHE_LINE)
        __builtin_prefetch(p);
}

void index_builder_add(struct index_builder *b, const struct entry_batch *batch, size_t from,
                       size_t to)
{
    ENSURE(from <= to && to <= batch->count);
    pthread_mutex_lock(&b->lock);
    ENSURE(to - from <= SEGMENT_ENTRIES - b->count);
    for (size_t n; from < to; from += n) {
        n = size_min(BLOCK, to - from);
        prefetch_block(batch, from + n, size_min(from + 2 * n, to));
        add_block(b, batch, from, n);
    }
    pthread_mutex_unlock(&b->lock);
}

/* ---- reading ---- */

static pthread_mutex_t *lock_of(const struct index_builder *b)
{
    return &((struct index_builder *)(uintptr_t)b)->lock; /* locking is no change to see */
}

uint32_t index_builder_count(const struct index_builder *b)
{
    pthread_mutex_lock(lock_of(b));
    uint32_t n = b->count;
    pthread_mutex_unlock(lock_of(b));
    return n;
}

size_t index_builder_bytes(const struct index_builder *b)
{
    pthread_mutex_lock(lock_of(b));
    size_t n = b->memory_bytes;
    pthread_mutex_unlock(lock_of(b));
    return n;
}

bool builder_time_range(const struct index_builder *b, enum index_time which, int64_t *out_min,
                        int64_t *out_max)
{
    pthread_mutex_lock(lock_of(b));
    bool any = b->count > 0;
    if (any) {
        *out_min = b->times_min[which];
        *out_max = b->times_max[which];
    }
    pthread_mutex_unlock(lock_of(b));
    return any;
}

struct builder_view builder_view(const struct index_builder *b, enum attr attr)
{
    pthread_mutex_lock(lock_of(b));
    struct builder_view v = {.b = b,
                             .count = b->count,
                             .attr = attr,
                             .column = b->attr[attr].column,
                             .values = b->attr[attr].values};
    pthread_mutex_unlock(lock_of(b));
    return v;
}

uint32_t builder_find(const struct index_builder *b, enum attr attr, str value)
{
    const struct attr_table *t = &b->attr[attr];
    uint64_t hash = entry_value_hash(value);
    uint32_t number = UINT32_MAX;

    pthread_mutex_lock(lock_of(b));
    if (t->slots) {
        struct value_slot slot = t->slots[slot_find(t, hash, value)];
        number = slot.tag ? slot.number : UINT32_MAX;
    }
    pthread_mutex_unlock(lock_of(b));
    return number;
}

void view_group(const struct builder_view *v, uint32_t *start, uint32_t *positions)
{
    memset(start, 0, (v->values + 1) * sizeof *start);
    for (uint32_t i = 0; i < v->count; i++)
        if (view_has(v, i))
            start[v->column[i] + 1]++;
    for (uint32_t i = 0; i < v->values; i++)
        start[i + 1] += start[i];
    for (uint32_t i = 0; i < v->count; i++)
        if (view_has(v, i))
            positions[start[v->column[i]]++] = i;
    memmove(start + 1, start, v->values * sizeof *start); /* each now stands at its own end */
    start[0] = 0;
}
