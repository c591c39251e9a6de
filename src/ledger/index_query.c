/* index_query.c - the questions of index.h, asked of a builder or of a reader. */
#include "ledger/index_values.h"
#include <endian.h>

enum { LANES = 8, VECTORS = WORD_BITS / LANES };

uint32_t index_count(struct segment_index ix)
{
    return ix.builder ? index_builder_count(ix.builder) : ix.reader->entries;
}

bool index_time_range(struct segment_index ix, enum index_time which, int64_t *out_min,
                      int64_t *out_max)
{
    if (ix.builder)
        return builder_time_range(ix.builder, which, out_min, out_max);
    *out_min = ix.reader->times_min[which];
    *out_max = ix.reader->times_max[which];
    return true;
}

/* ---- values in memory ---- */

typedef uint16_t lanes __attribute__((vector_size(LANES * sizeof(uint16_t))));

/* Whether any of the next WORD_BITS numbers is this one. */
static inline bool any_is(const uint16_t *column, lanes number)
{
    lanes v[VECTORS], same = {0};
    uint64_t halves[2];

    memcpy(v, column, sizeof v);
    for (unsigned i = 0; i < VECTORS; i++)
        same |= (lanes)(v[i] == number);
    memcpy(halves, &same, sizeof halves);
    return halves[0] | halves[1];
}

/* Bit i: whether entry first + i has the attribute. */
static uint64_t present_word(const struct builder_view *v, uint32_t first, uint32_t n)
{
    uint64_t word = 0;

    for (uint32_t i = 0; i < n; i++)
        word |= (uint64_t)view_has(v, first + i) << i;
    return word;
}

static void scan_for(const struct builder_view *v, uint16_t number, struct positions *into)
{
    uint32_t first = table_value(&v->b->attr[v->attr], number)->first / WORD_BITS * WORD_BITS;
    lanes all = (lanes){0} + number;

    for (; first < v->count; first += WORD_BITS) {
        const uint16_t *column = v->column + first; /* it has all SEGMENT_ENTRIES places */
        uint32_t n = (uint32_t)size_min(WORD_BITS, v->count - first);
        uint64_t word = 0;
        if (n == WORD_BITS && !any_is(column, all))
            continue;
        for (uint32_t i = 0; i < n; i++)
            word |= (uint64_t)(column[i] == number) << i;
        if (number == 0) /* it also stands where there is none */
            word &= present_word(v, first, n);
        into->word[first / WORD_BITS] |= word;
    }
}

static void scan_for_prefix(struct arena *tmp, const struct builder_view *v, str prefix,
                            struct positions *into)
{
    struct positions *wanted = arena_new(tmp, struct positions, 1); /* numbers, here */

    for (uint32_t i = 0; i < v->values; i++) {
        const struct value *value = table_value(&v->b->attr[v->attr], i);
        if (str_starts((str){value->p, value->n}, prefix))
            positions_add(wanted, i);
    }
    for (uint32_t i = 0; i < v->count; i++)
        if (positions_have(wanted, v->column[i]) && view_has(v, i))
            positions_add(into, i);
}

static void builder_lookup(struct arena *tmp, const struct index_builder *b, enum attr attr,
                           str value, bool prefix, struct positions *into)
{
    uint32_t number = prefix ? 0 : builder_find(b, attr, value);
    struct builder_view v = builder_view(b, attr); /* after the find: it has what was found */

    if (!v.column)
        return;
    if (prefix)
        scan_for_prefix(tmp, &v, value, into);
    else if (number != UINT32_MAX)
        scan_for(&v, (uint16_t)number, into);
}

/* ---- values in a file ---- */

/* The value's positions into `into`. */
static err add_value(struct ctx *cx, struct values_cursor *c, struct positions *into)
{
    struct posting posting;

    TRY(values_posting(cx, c, &posting));
    if (!posting_add(&posting, into))
        return index_corrupt(cx, c->values->reader, "positions", posting.bytes.p);
    return ERR_OK;
}

/* From the first value that may be it, or begin with it, to the first that is past. */
static err reader_lookup(struct ctx *cx, const struct index_reader *r, enum attr attr, str value,
                         bool prefix, struct positions *into)
{
    struct values v;
    struct values_cursor c;
    uint32_t block;
    bool more;

    if (str_is_null(r->attr[attr]))
        return ERR_OK;
    TRY(values_open(cx, r, attr, &v));
    TRY(values_block(cx, &v, value, &block));
    TRY(values_seek(cx, &v, block, &c));
    for (;;) {
        TRY(values_next(cx, &c, &more));
        if (!more)
            return ERR_OK;
        int order = str_cmp(c.value, value);
        bool hit = order == 0 || (prefix && order > 0 && str_starts(c.value, value));
        if (hit)
            TRY(add_value(cx, &c, into));
        if (order > 0 ? !hit : order == 0 && !prefix)
            return ERR_OK;
    }
}

err index_lookup(struct ctx *cx, struct segment_index ix, enum attr attr, str value, bool prefix,
                 struct positions *into)
{
    SCRATCH(tmp, cx);

    if (ix.reader)
        return reader_lookup(cx, ix.reader, attr, value, prefix, into);
    builder_lookup(tmp.mem, ix.builder, attr, value, prefix, into);
    return ERR_OK;
}

/* ---- every value ---- */

static err builder_values(struct ctx *cx, struct arena *tmp, const struct index_builder *b,
                          enum attr attr, index_visit *visit, void *state)
{
    struct builder_view v = builder_view(b, attr);

    if (!v.column)
        return ERR_OK;
    uint32_t *order = arena_new(tmp, uint32_t, v.values);
    uint32_t *start = arena_new(tmp, uint32_t, v.values + 1);
    uint32_t *positions = arena_new(tmp, uint32_t, v.count);
    view_sort(tmp, &v, order);
    view_group(&v, start, positions);
    for (uint32_t i = 0; i < v.values; i++) {
        const struct value *value = table_value(&b->attr[attr], order[i]);
        uint32_t from = start[order[i]];
        struct index_item item = {.value = {value->p, value->n},
                                  .count = start[order[i] + 1] - from,
                                  .positions = positions + from};
        TRY(visit(cx, state, &item));
    }
    return ERR_OK;
}

static err reader_values(struct ctx *cx, const struct index_reader *r, enum attr attr,
                         index_visit *visit, void *state)
{
    struct values v;
    struct values_cursor c;
    struct posting posting;
    bool more;

    if (str_is_null(r->attr[attr]))
        return ERR_OK;
    TRY(values_open(cx, r, attr, &v));
    TRY(values_seek(cx, &v, 0, &c));
    for (;;) {
        TRY(values_next(cx, &c, &more));
        if (!more)
            return ERR_OK;
        TRY(values_posting(cx, &c, &posting));
        struct index_item item = {.value = c.value, .count = posting.count, .posting = &posting};
        TRY(visit(cx, state, &item));
    }
}

err index_values(struct ctx *cx, struct segment_index ix, enum attr attr, index_visit *visit,
                 void *state)
{
    SCRATCH(tmp, cx);

    return ix.reader ? reader_values(cx, ix.reader, attr, visit, state)
                     : builder_values(cx, tmp.mem, ix.builder, attr, visit, state);
}

err index_item_positions(struct ctx *cx, const struct index_item *item, uint32_t *room,
                         const uint32_t **out)
{
    *out = item->positions;
    if (item->positions)
        return ERR_OK;
    if (!posting_positions(item->posting, room))
        return fail(cx, ERR_CORRUPT, "index: malformed positions of \"%.*s\"",
                    STR_FMT(str_slice(item->value, 0, 100)));
    *out = room;
    return ERR_OK;
}

/* ---- times and fingerprints ---- */

struct time_filter {
    int64_t from_us, to_us; /* 0 is open */
};

static bool in_time(const struct time_filter *f, int64_t us)
{
    return (f->from_us == 0 || us >= f->from_us) && (f->to_us == 0 || us < f->to_us);
}

static void filter_times(const struct time_filter *f, const int64_t *times, uint32_t first,
                         uint32_t n, struct positions *into)
{
    for (uint32_t i = 0; i < n; i++)
        if (in_time(f, times[i]))
            positions_add(into, first + i);
}

/* Chunk by chunk: outside, inside, or to be read. */
static err reader_lookup_time(struct ctx *cx, const struct index_reader *r, enum index_time which,
                              const struct time_filter *f, struct positions *into)
{
    SCRATCH(tmp, cx);
    int64_t *times = arena_new(tmp.mem, int64_t, TIME_CHUNK), min, max;

    for (uint32_t c = 0; c < time_chunks(r->entries); c++) {
        uint32_t first = c * TIME_CHUNK;
        uint32_t n = (uint32_t)size_min(TIME_CHUNK, r->entries - first);
        if (!times_bounds(&r->times[which], c, &min, &max))
            return index_corrupt(cx, r, "times", r->times[which].bytes.p);
        if ((f->from_us && max < f->from_us) || (f->to_us && min >= f->to_us))
            continue;
        if (in_time(f, min) && in_time(f, max)) {
            positions_add_range(into, first, first + n);
            continue;
        }
        if (!times_read(tmp.mem, &r->times[which], c, times))
            return index_corrupt(cx, r, "times", r->times[which].bytes.p);
        filter_times(f, times, first, n, into);
    }
    return ERR_OK;
}

err index_lookup_time(struct ctx *cx, struct segment_index ix, enum index_time which,
                      int64_t from_us, int64_t to_us, struct positions *into)
{
    struct time_filter f = {from_us, to_us};
    int64_t min, max;
    uint32_t count = index_count(ix);

    if (count == 0 || !index_time_range(ix, which, &min, &max))
        return ERR_OK;
    if ((from_us && max < from_us) || (to_us && min >= to_us))
        return ERR_OK;
    if (in_time(&f, min) && in_time(&f, max)) {
        positions_add_range(into, 0, count);
        return ERR_OK;
    }
    if (ix.reader)
        return reader_lookup_time(cx, ix.reader, which, &f, into);
    filter_times(&f, ix.builder->times[which], 0, count, into);
    return ERR_OK;
}

err index_times(struct ctx *cx, struct segment_index ix, enum index_time which, int64_t *out,
                size_t count)
{
    SCRATCH(tmp, cx);

    ENSURE(count <= index_count(ix));
    if (ix.builder) {
        memcpy(out, ix.builder->times[which], count * sizeof *out);
        return ERR_OK;
    }
    int64_t *times = arena_new(tmp.mem, int64_t, TIME_CHUNK);
    for (uint32_t c = 0; (size_t)c * TIME_CHUNK < count; c++) {
        size_t first = (size_t)c * TIME_CHUNK, n = size_min(TIME_CHUNK, count - first);
        if (!times_read(tmp.mem, &ix.reader->times[which], c, times))
            return index_corrupt(cx, ix.reader, "times", ix.reader->times[which].bytes.p);
        memcpy(out + first, times, n * sizeof *out);
    }
    return ERR_OK;
}

err index_fingerprints(struct ctx *cx, struct segment_index ix, uint64_t *out, size_t count)
{
    (void)cx;
    ENSURE(count <= index_count(ix));
    const char *p = ix.builder ? (const char *)ix.builder->fingerprints : ix.reader->fingerprints.p;
    for (size_t i = 0; i < count; i++) {
        uint64_t fingerprint = 0;
        if (p)
            memcpy(&fingerprint, p + i * FINGERPRINT_BYTES, FINGERPRINT_BYTES);
        out[i] = le64toh(fingerprint);
    }
    return ERR_OK;
}
