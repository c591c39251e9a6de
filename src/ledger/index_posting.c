/* index_posting.c - see index_posting.h. */
#include "ledger/index_posting.h"
#include <stdlib.h>

enum { FORM_BITS = 2, RICE_BITS = 4 };

unsigned position_bits(uint32_t entries)
{
    return entries > 1 ? 32 - (unsigned)__builtin_clz(entries - 1) : 1;
}

static uint64_t rice_cost(const uint32_t *v, uint32_t n, unsigned r)
{
    uint64_t bits = (uint64_t)n * (r + 1);

    for (uint32_t i = 0; i < n; i++)
        bits += v[i] >> r;
    return bits;
}

/* The best parameter for these numbers: from that of their mean downhill to either side. */
static unsigned rice_best(const uint32_t *v, uint32_t n, uint64_t *out_bits)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < n; i++)
        sum += v[i];
    uint64_t mean = n ? sum / n : 0;
    unsigned best = mean > 1 ? 63 - (unsigned)__builtin_clzll(mean) : 0;
    if (best > RICE_MAX)
        best = RICE_MAX;
    uint64_t bits = rice_cost(v, n, best);
    for (int step = -1; step <= 1; step += 2) {
        for (unsigned r = best + (unsigned)step; r <= RICE_MAX; r += (unsigned)step) {
            uint64_t cost = rice_cost(v, n, r);
            if (cost >= bits)
                break;
            bits = cost;
            best = r;
        }
    }
    *out_bits = bits;
    return best;
}

static void rice_put_all(struct bit_writer *w, const uint32_t *v, uint32_t n, unsigned r)
{
    for (uint32_t i = 0; i < n; i++)
        bits_put_rice(w, v[i], r);
}

static void to_gaps(const uint32_t *positions, uint32_t n, uint32_t *gaps)
{
    uint32_t next = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = positions[i]; /* `gaps` may be `positions` */
        gaps[i] = at - next;
        next = at + 1;
    }
}

static uint32_t to_holes(const uint32_t *positions, uint32_t n, uint32_t entries, uint32_t *holes)
{
    uint32_t count = 0, at = 0;

    for (uint32_t i = 0; i <= n; i++) {
        uint32_t end = i < n ? positions[i] : entries;
        while (at < end)
            holes[count++] = at++;
        at = end + 1;
    }
    return count;
}

static uint32_t to_runs(const uint32_t *positions, uint32_t n, uint32_t *skips, uint32_t *lengths)
{
    uint32_t runs = 0;

    for (uint32_t i = 0; i < n;) {
        uint32_t from = i++;
        while (i < n && positions[i] == positions[i - 1] + 1)
            i++;
        skips[runs] = from ? positions[from] - positions[from - 1] - 2 : positions[0];
        lengths[runs++] = i - from - 1;
    }
    return runs;
}

/* The three forms of a long set worked out, to compare what they cost. */
struct forms {
    uint32_t *gaps, *holes, *skips, *lengths;
    uint32_t gap_count, hole_count, run_count;
    unsigned gap_r, hole_r, skip_r, length_r;
    uint64_t bits[POSTING_FORMS];
};

static void forms_weigh(struct forms *f, const uint32_t *positions, uint32_t n, uint32_t entries)
{
    uint64_t skip_bits, length_bits;

    f->gap_count = n;
    to_gaps(positions, n, f->gaps);
    f->gap_r = rice_best(f->gaps, n, &f->bits[POSTING_GAPS]);
    f->run_count = to_runs(positions, n, f->skips, f->lengths);
    f->skip_r = rice_best(f->skips, f->run_count, &skip_bits);
    f->length_r = rice_best(f->lengths, f->run_count, &length_bits);
    f->bits[POSTING_RUNS] = skip_bits + length_bits + 32;
    f->bits[POSTING_HOLES] = UINT64_MAX;
    if (n > entries / 2) {
        f->hole_count = to_holes(positions, n, entries, f->holes);
        to_gaps(f->holes, f->hole_count, f->holes);
        f->hole_r = rice_best(f->holes, f->hole_count, &f->bits[POSTING_HOLES]);
    }
}

static enum posting_form forms_best(const struct forms *f)
{
    enum posting_form best = POSTING_GAPS;

    for (unsigned i = 0; i < POSTING_FORMS; i++)
        if (f->bits[i] < f->bits[best])
            best = (enum posting_form)i;
    return best;
}

static void forms_put(const struct forms *f, enum posting_form form, struct bit_writer *w)
{
    if (form == POSTING_RUNS) {
        bits_put_gamma(w, f->run_count);
        bits_put(w, f->skip_r, RICE_BITS);
        bits_put(w, f->length_r, RICE_BITS);
        for (uint32_t i = 0; i < f->run_count; i++) {
            bits_put_rice(w, f->skips[i], f->skip_r);
            bits_put_rice(w, f->lengths[i], f->length_r);
        }
    } else {
        bool holes = form == POSTING_HOLES;
        bits_put(w, holes ? f->hole_r : f->gap_r, RICE_BITS);
        rice_put_all(w, holes ? f->holes : f->gaps, holes ? f->hole_count : f->gap_count,
                     holes ? f->hole_r : f->gap_r);
    }
    bits_end(w);
}

static void write_long(struct bit_writer *block, struct buf *longs, const uint32_t *positions,
                       uint32_t count, uint32_t entries)
{
    size_t before = longs->n, holes = count > entries / 2 ? entries - count : 0;
    uint32_t *numbers = malloc(sizeof *numbers * ((size_t)count * 3 + holes));

    ENSURE(numbers);
    struct forms f = {.gaps = numbers,
                      .skips = numbers + count,
                      .lengths = numbers + 2 * (size_t)count,
                      .holes = numbers + 3 * (size_t)count};
    struct bit_writer w = {.out = longs};
    forms_weigh(&f, positions, count, entries);
    enum posting_form form = forms_best(&f);
    forms_put(&f, form, &w);
    bits_put(block, form, FORM_BITS);
    bits_put_gamma(block, (uint32_t)(longs->n - before) + 1);
    free(numbers);
}

void posting_write(struct bit_writer *block, struct buf *longs, const uint32_t *positions,
                   uint32_t count, uint32_t entries)
{
    uint32_t gaps[POSTING_SMALL];
    uint64_t bits;

    bits_put_gamma(block, count);
    if (count == 1) {
        bits_put(block, positions[0], position_bits(entries));
    } else if (count <= POSTING_SMALL) {
        to_gaps(positions, count, gaps);
        unsigned r = rice_best(gaps, count, &bits);
        bits_put(block, r, RICE_BITS);
        rice_put_all(block, gaps, count, r);
    } else {
        write_long(block, longs, positions, count, entries);
    }
}

/* `n` positions coded as gaps. */
static bool read_gaps(struct bit_reader *b, uint32_t n, uint32_t entries, uint32_t *out)
{
    unsigned r = bits_get(b, RICE_BITS);
    uint64_t next = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint64_t at = next + bits_get_rice(b, r);
        if (UNLIKELY(at >= entries))
            return false;
        out[i] = (uint32_t)at;
        next = at + 1;
    }
    return bits_ok(b);
}

bool posting_read(struct bit_reader *block, str longs, size_t *long_at, uint32_t entries,
                  struct posting *out)
{
    out->entries = entries;
    out->count = bits_get_gamma(block);
    if (out->count == 0 || out->count > entries)
        return false;
    if (out->count == 1) {
        out->small[0] = bits_get(block, position_bits(entries));
        return bits_ok(block) && out->small[0] < entries;
    }
    if (out->count <= POSTING_SMALL)
        return read_gaps(block, out->count, entries, out->small);
    unsigned form = bits_get(block, FORM_BITS);
    size_t n = bits_get_gamma(block);
    if (!bits_ok(block) || form >= POSTING_FORMS || n == 0 || n - 1 > longs.n - *long_at)
        return false;
    out->form = (enum posting_form)form;
    out->bytes = (str){longs.p + *long_at, n - 1};
    *long_at += n - 1;
    return true;
}

struct run_reader {
    struct bit_reader bits;
    unsigned skip_r, length_r;
    uint32_t runs, entries;
    uint64_t end; /* of the run before */
    bool first;
};

static void runs_open(struct run_reader *r, const struct posting *p)
{
    *r = (struct run_reader){.bits = {.bytes = p->bytes}, .entries = p->entries, .first = true};
    r->runs = bits_get_gamma(&r->bits);
    r->skip_r = bits_get(&r->bits, RICE_BITS);
    r->length_r = bits_get(&r->bits, RICE_BITS);
}

static bool runs_next(struct run_reader *r, uint32_t *out_from, uint32_t *out_to)
{
    uint64_t from = r->end + !r->first + bits_get_rice(&r->bits, r->skip_r);
    uint64_t length = bits_get_rice(&r->bits, r->length_r) + 1;

    if (!bits_ok(&r->bits) || from >= r->entries || length > r->entries - from)
        return false;
    r->first = false;
    r->end = from + length;
    *out_from = (uint32_t)from;
    *out_to = (uint32_t)r->end;
    return true;
}

static bool run_positions(const struct posting *p, uint32_t *out)
{
    struct run_reader r;
    uint32_t n = 0, from, to;

    for (runs_open(&r, p); r.runs; r.runs--) {
        if (!runs_next(&r, &from, &to) || to - from > p->count - n)
            return false;
        while (from < to)
            out[n++] = from++;
    }
    return n == p->count;
}

/* Everything but the coded positions, which are fewer than the set. */
static bool hole_positions(const struct posting *p, uint32_t *out)
{
    struct bit_reader b = {.bytes = p->bytes};
    uint32_t holes = p->entries - p->count, at = 0, n = 0;
    unsigned r = bits_get(&b, RICE_BITS);

    for (uint32_t i = 0; i < holes; i++) {
        uint64_t gap = bits_get_rice(&b, r);
        if (!bits_ok(&b) || gap > p->count - n)
            return false;
        for (; gap; gap--)
            out[n++] = at++;
        at++;
    }
    while (n < p->count)
        out[n++] = at++;
    return bits_ok(&b);
}

bool posting_positions(const struct posting *p, uint32_t *out)
{
    struct bit_reader b = {.bytes = p->bytes};

    if (p->count <= POSTING_SMALL) {
        memcpy(out, p->small, p->count * sizeof *out);
        return true;
    }
    if (p->form == POSTING_RUNS)
        return run_positions(p, out);
    if (p->form == POSTING_HOLES)
        return hole_positions(p, out);
    return read_gaps(&b, p->count, p->entries, out);
}

static bool add_runs(const struct posting *p, struct positions *into)
{
    struct run_reader r;
    uint32_t n = 0, from, to;

    for (runs_open(&r, p); r.runs; r.runs--) {
        if (!runs_next(&r, &from, &to) || to - from > p->count - n)
            return false;
        positions_add_range(into, from, to);
        n += to - from;
    }
    return n == p->count;
}

static bool add_around_holes(const struct posting *p, struct positions *into)
{
    struct bit_reader b = {.bytes = p->bytes};
    uint32_t holes = p->entries - p->count, at = 0, n = 0;
    unsigned r = bits_get(&b, RICE_BITS);

    for (uint32_t i = 0; i < holes; i++) {
        uint64_t gap = bits_get_rice(&b, r);
        if (!bits_ok(&b) || gap > p->count - n)
            return false;
        positions_add_range(into, at, at + (uint32_t)gap);
        n += (uint32_t)gap;
        at += (uint32_t)gap + 1;
    }
    positions_add_range(into, at, p->entries);
    return bits_ok(&b);
}

static bool add_gaps(const struct posting *p, struct positions *into)
{
    struct bit_reader b = {.bytes = p->bytes};
    unsigned r = bits_get(&b, RICE_BITS);
    uint64_t next = 0;

    for (uint32_t i = 0; i < p->count; i++) {
        uint64_t at = next + bits_get_rice(&b, r);
        if (UNLIKELY(at >= p->entries))
            return false;
        positions_add(into, (uint32_t)at);
        next = at + 1;
    }
    return bits_ok(&b);
}

bool posting_add(const struct posting *p, struct positions *into)
{
    static bool (*const add[POSTING_FORMS])(const struct posting *, struct positions *) = {
        [POSTING_GAPS] = add_gaps, [POSTING_HOLES] = add_around_holes, [POSTING_RUNS] = add_runs};

    if (p->count > POSTING_SMALL)
        return add[p->form](p, into);
    for (uint32_t i = 0; i < p->count; i++)
        positions_add(into, p->small[i]);
    return true;
}
