/* index_posting.c - see index_posting.h. */
#include "ledger/index_posting.h"
#include <stdlib.h>

enum { FORM_BITS = 1, RICE_BITS = 4, RUNS_HEAD_BITS = 32 };

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

static void to_gaps(const uint32_t *positions, uint32_t n, uint32_t *gaps)
{
    uint32_t next = 0;

    for (uint32_t i = 0; i < n; i++) {
        gaps[i] = positions[i] - next;
        next = positions[i] + 1;
    }
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

/* A long set as runs. */
struct runs {
    uint32_t *skips, *lengths, count;
    unsigned skip_r, length_r;
};

static void put_gaps(struct bit_writer *w, const uint32_t *gaps, uint32_t n, unsigned r)
{
    bits_put(w, r, RICE_BITS);
    for (uint32_t i = 0; i < n; i++)
        bits_put_rice(w, gaps[i], r);
}

static void put_runs(struct bit_writer *w, const struct runs *runs)
{
    bits_put_gamma(w, runs->count);
    bits_put(w, runs->skip_r, RICE_BITS);
    bits_put(w, runs->length_r, RICE_BITS);
    for (uint32_t i = 0; i < runs->count; i++) {
        bits_put_rice(w, runs->skips[i], runs->skip_r);
        bits_put_rice(w, runs->lengths[i], runs->length_r);
    }
}

static void write_long(struct bit_writer *block, struct buf *longs, const uint32_t *positions,
                       uint32_t count)
{
    size_t before = longs->n;
    uint32_t *numbers = malloc(sizeof *numbers * count * 3);
    uint64_t gap_bits, skip_bits, length_bits;

    ENSURE(numbers);
    struct runs runs = {.skips = numbers + count, .lengths = numbers + 2 * (size_t)count};
    struct bit_writer w = {.out = longs};
    to_gaps(positions, count, numbers);
    unsigned gap_r = rice_best(numbers, count, &gap_bits);
    runs.count = to_runs(positions, count, runs.skips, runs.lengths);
    runs.skip_r = rice_best(runs.skips, runs.count, &skip_bits);
    runs.length_r = rice_best(runs.lengths, runs.count, &length_bits);
    bool as_runs = skip_bits + length_bits + RUNS_HEAD_BITS < gap_bits;
    if (as_runs)
        put_runs(&w, &runs);
    else
        put_gaps(&w, numbers, count, gap_r);
    bits_end(&w);
    bits_put(block, as_runs ? POSTING_RUNS : POSTING_GAPS, FORM_BITS);
    bits_put_gamma(block, (uint32_t)(longs->n - before));
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
        put_gaps(block, gaps, count, r);
    } else {
        write_long(block, longs, positions, count);
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
    if (!bits_ok(block) || n > longs.n - *long_at)
        return false;
    out->form = (enum posting_form)form;
    out->bytes = (str){longs.p + *long_at, n};
    *long_at += n;
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

bool posting_positions(const struct posting *p, uint32_t *out)
{
    struct bit_reader b = {.bytes = p->bytes};

    if (p->count <= POSTING_SMALL) {
        memcpy(out, p->small, p->count * sizeof *out);
        return true;
    }
    if (p->form == POSTING_RUNS)
        return run_positions(p, out);
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
    if (p->count > POSTING_SMALL)
        return p->form == POSTING_RUNS ? add_runs(p, into) : add_gaps(p, into);
    for (uint32_t i = 0; i < p->count; i++)
        positions_add(into, p->small[i]);
    return true;
}
