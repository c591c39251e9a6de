/* query_stats.c - counting from the indexes alone; see query.h.
 *
 * Rows are gathered in a hash table over all segments, so that the counts are exact; the largest
 * are given out.  How many rows there may be is bounded: the client decides by what to group. */
#include "ledger/query_inner.h"
#include <stdlib.h>

enum { ROWS_MAX = 1 << 20, ROWS_FIRST = 256, VALUE_BYTES_MAX = 256 << 20 };

struct counts {
    struct arena *values; /* the rows' values */
    struct query_count *rows;
    uint32_t n, capacity; /* of rows */
    uint32_t *slots;      /* row + 1; 0: free; twice the capacity */
};

struct counting {
    const struct query *q;
    const struct query_stats_spec *spec;
    struct counts counts;
    uint64_t total;
    /* of the segment at hand */
    const struct query_part *part;
    bool whole;           /* all its entries are hits */
    const int64_t *times; /* NULL: all in `bucket` */
    int64_t bucket;
    uint64_t grouped;      /* hits that have the attribute */
    struct positions left; /* hits that have not been seen to have it */
    struct query_sets sets;
    uint32_t room[SEGMENT_ENTRIES];
    int64_t time_room[SEGMENT_ENTRIES];
};

static void counting_close(struct counting **c)
{
    if (!*c)
        return;
    arena_close((*c)->counts.values);
    free((*c)->counts.rows);
    free((*c)->counts.slots);
    free(*c);
}

/* ---- rows ---- */

static uint64_t row_hash(str value, int64_t bucket)
{
    uint64_t h = str_is_null(value) ? 0 : entry_value_hash(value);

    return (h ^ (uint64_t)bucket) * UINT64_C(0x9E3779B97F4A7C15) >> 20;
}

static bool row_is(const struct query_count *row, str value, int64_t bucket)
{
    return row->from_us == bucket && str_is_null(row->value) == str_is_null(value) &&
           str_eq(row->value, value);
}

static uint32_t *slot_of(const struct counts *c, str value, int64_t bucket)
{
    uint32_t mask = c->capacity * 2 - 1, i = (uint32_t)row_hash(value, bucket) & mask;

    while (c->slots[i] && !row_is(&c->rows[c->slots[i] - 1], value, bucket))
        i = (i + 1) & mask;
    return &c->slots[i];
}

static void rows_grow(struct counts *c)
{
    c->capacity = c->capacity ? c->capacity * 2 : ROWS_FIRST;
    c->rows = realloc(c->rows, c->capacity * sizeof *c->rows);
    free(c->slots);
    c->slots = calloc((size_t)c->capacity * 2, sizeof *c->slots);
    ENSURE(c->rows && c->slots);
    for (uint32_t i = 0; i < c->n; i++)
        *slot_of(c, c->rows[i].value, c->rows[i].from_us) = i + 1;
}

static err row_new(struct ctx *cx, struct counts *c, str value, int64_t bucket)
{
    struct query_count row = {.from_us = bucket};

    if (c->n == ROWS_MAX)
        return fail(cx, ERR_TOO_LARGE, "more than %d groups: ask for less at a time", ROWS_MAX);
    if (!str_is_null(value)) {
        char *p = arena_try(c->values, char, value.n + 1);
        if (!p)
            return fail(cx, ERR_TOO_LARGE, "the groups' values are too long together");
        if (value.n)
            memcpy(p, value.p, value.n);
        row.value = (str){p, value.n};
    }
    if (c->n == c->capacity)
        rows_grow(c);
    uint32_t *slot = slot_of(c, value, bucket);
    c->rows[c->n++] = row;
    *slot = c->n;
    return ERR_OK;
}

static err count(struct ctx *cx, struct counts *c, str value, int64_t bucket, uint64_t n)
{
    if (n == 0)
        return ERR_OK;
    if (!c->n || *slot_of(c, value, bucket) == 0)
        TRY(row_new(cx, c, value, bucket));
    c->rows[*slot_of(c, value, bucket) - 1].count += n;
    return ERR_OK;
}

/* ---- one segment ---- */

/* Where the bucket of a time begins; times before 1970 are rounded down too. */
static int64_t bucket_of(const struct counting *c, int64_t us)
{
    int64_t size = c->spec->bucket_us, rest = us % size;

    return us - (rest < 0 ? rest + size : rest);
}

/* Neighbours are mostly of one bucket: count them together. */
struct bucket_run {
    int64_t bucket;
    uint64_t n;
};

static err run_put(struct ctx *cx, struct counting *c, struct bucket_run *run, str value,
                   uint32_t position)
{
    int64_t bucket = c->times ? bucket_of(c, c->times[position]) : c->bucket;

    if (bucket != run->bucket) {
        TRY(count(cx, &c->counts, value, run->bucket, run->n));
        *run = (struct bucket_run){.bucket = bucket};
    }
    run->n++;
    return ERR_OK;
}

static err count_set(struct ctx *cx, struct counting *c, const struct positions *set, str value)
{
    struct bucket_run run = {0};

    if (!c->times)
        return count(cx, &c->counts, value, c->bucket, positions_count(set));
    for (uint32_t at = positions_next(set, 0); at != POSITION_NONE;
         at = positions_next(set, at + 1))
        TRY(run_put(cx, c, &run, value, at));
    return count(cx, &c->counts, value, run.bucket, run.n);
}

static err count_value(struct ctx *cx, void *state, const struct index_item *item)
{
    struct counting *c = state;
    struct bucket_run run = {.bucket = c->bucket};
    const uint32_t *at;

    if (c->whole && !c->times) {
        c->grouped += item->count;
        return count(cx, &c->counts, item->value, c->bucket, item->count);
    }
    TRY(index_item_positions(cx, item, c->room, &at));
    for (uint32_t i = 0; i < item->count; i++) {
        if (!positions_have(&c->left, at[i]))
            continue;
        c->left.word[at[i] / WORD_BITS] ^= UINT64_C(1) << at[i] % WORD_BITS;
        c->grouped++;
        TRY(run_put(cx, c, &run, item->value, at[i]));
    }
    return count(cx, &c->counts, item->value, run.bucket, run.n);
}

/* Times are read only when the segment reaches over more than one bucket. */
static err prepare_buckets(struct ctx *cx, struct counting *c)
{
    struct segment_index index = c->part->info.index;
    int64_t min, max;

    c->times = NULL;
    c->bucket = 0;
    if (c->spec->bucket_us <= 0 || !index_time_range(index, c->q->time, &min, &max))
        return ERR_OK;
    c->bucket = bucket_of(c, min);
    if (c->bucket == bucket_of(c, max))
        return ERR_OK;
    TRY(index_times(cx, index, c->q->time, c->time_room, c->part->to));
    c->times = c->time_room;
    return ERR_OK;
}

static err count_part(struct ctx *cx, void *state, const struct query_part *part, bool *stop)
{
    struct counting *c = state;
    struct segment_index index = part->info.index;

    *stop = false;
    c->part = part;
    TRY(query_hits(cx, c->q, part, &c->sets));
    uint32_t hits = positions_count(&c->sets.hits);
    if (hits == 0)
        return ERR_OK;
    c->total += hits;
    TRY(prepare_buckets(cx, c));
    if (!c->spec->grouped)
        return count_set(cx, c, &c->sets.hits, STR_NULL);
    c->whole = index.reader && hits == index_count(index);
    c->grouped = 0;
    c->left = c->sets.hits;
    TRY(index_values(cx, index, c->spec->group, count_value, c));
    if (c->whole && !c->times)
        return count(cx, &c->counts, STR_NULL, c->bucket, hits - c->grouped);
    return count_set(cx, c, &c->left, STR_NULL); /* those without the attribute */
}

/* ---- the answer ---- */

static int compare_places(const void *a, const void *b)
{
    const struct query_count *x = a, *y = b;

    if (x->from_us != y->from_us)
        return x->from_us < y->from_us ? -1 : 1;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    if (str_is_null(x->value) != str_is_null(y->value))
        return str_is_null(x->value) ? -1 : 1;
    return str_cmp(x->value, y->value);
}

static int compare_counts(const void *a, const void *b)
{
    const struct query_count *x = a, *y = b;

    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return compare_places(a, b);
}

static void give_rows(struct ctx *cx, struct counting *c, struct query_count **out, size_t *out_n,
                      uint64_t *out_other)
{
    struct counts *counts = &c->counts;
    size_t n = size_min(counts->n, c->spec->rows_max);
    struct query_count *rows = arena_new(cx->mem, struct query_count, n + 1);
    uint64_t other = 0;

    if (n < counts->n)
        qsort(counts->rows, counts->n, sizeof *rows, compare_counts);
    for (size_t i = n; i < counts->n; i++)
        other += counts->rows[i].count;
    for (size_t i = 0; i < n; i++) {
        rows[i] = counts->rows[i];
        rows[i].value = arena_str(cx->mem, rows[i].value);
    }
    qsort(rows, n, sizeof *rows, compare_places);
    *out = rows;
    *out_n = n;
    *out_other = other;
}

err query_stats(struct ctx *cx, struct ledger *l, const struct query *q,
                const struct query_stats_spec *spec, struct query_count **out, size_t *out_n,
                uint64_t *out_total, uint64_t *out_other)
{
    CLEANUP(counting_close) struct counting *c = calloc(1, sizeof *c);

    ENSURE(c && str_is_null(q->text));
    c->q = q;
    c->spec = spec;
    c->counts.values = arena_open(VALUE_BYTES_MAX);
    TRY(query_parts(cx, l, q, count_part, c));
    give_rows(cx, c, out, out_n, out_other);
    *out_total = c->total;
    return ERR_OK;
}
