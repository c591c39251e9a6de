/* index_values_write.c - writing the values of one attribute; see index_values.h. */
#include "ledger/index_values.h"
#include <endian.h>
#include <stdlib.h>

enum { LENGTH_BITS = 4, LENGTH_ESCAPE = 15, AREA_BYTES_MAX = INT32_MAX };

struct values_writer {
    struct builder_view view;
    uint32_t *order, *start, *positions;
    size_t longest, prefix_n;
    bool letter[256]; /* which occur */
    uint8_t code[256];
    unsigned letter_bits, letters;
    struct buf fence, separators, keys, sets, longs;
};

static void writer_close(struct values_writer *w)
{
    buf_close(&w->fence);
    buf_close(&w->separators);
    buf_close(&w->keys);
    buf_close(&w->sets);
    buf_close(&w->longs);
}

static str value_at(const struct values_writer *w, uint32_t i)
{
    const struct value *v = table_value(&w->view.b->attr[w->view.attr], w->order[i]);

    return (str){v->p, v->n};
}

static size_t common_prefix(str a, str b)
{
    size_t n = 0, end = size_min(a.n, b.n);

    while (n < end && a.p[n] == b.p[n])
        n++;
    return n;
}

/* How many bytes of value i are not written: the prefix of all, and what it shares with the one
 * before it in its block. */
static size_t shared_at(const struct values_writer *w, uint32_t i)
{
    return i % VALUES_PER_BLOCK ? common_prefix(value_at(w, i - 1), value_at(w, i)) : w->prefix_n;
}

static void find_prefix(struct values_writer *w)
{
    /* What the first and the last in order share, all share. */
    w->prefix_n = common_prefix(value_at(w, 0), value_at(w, w->view.values - 1));
    w->prefix_n = size_min(w->prefix_n, UINT16_MAX);
}

static void find_letters(struct values_writer *w)
{
    for (uint32_t i = 0; i < w->view.values; i++) {
        str v = value_at(w, i);
        w->longest = size_max(w->longest, v.n);
        for (size_t at = shared_at(w, i); at < v.n; at++)
            w->letter[(uint8_t)v.p[at]] = true;
    }
    for (unsigned c = 0; c < 256; c++) {
        w->code[c] = (uint8_t)w->letters;
        w->letters += w->letter[c];
    }
    w->letter_bits = w->letters > 2 ? 32 - (unsigned)__builtin_clz(w->letters - 1) : 1;
    if (w->letters > LETTERS_MAX) {
        w->letter_bits = 8;
        for (unsigned c = 0; c < 256; c++)
            w->code[c] = (uint8_t)c;
    }
}

static void put_u32(struct buf *b, size_t v)
{
    uint32_t le = htole32((uint32_t)v);

    buf_put(b, (str){(const char *)&le, sizeof le});
}

static void put_length(struct bit_writer *bits, size_t n)
{
    if (n < LENGTH_ESCAPE) {
        bits_put(bits, n, LENGTH_BITS);
    } else {
        bits_put(bits, LENGTH_ESCAPE, LENGTH_BITS);
        bits_put_gamma(bits, (uint32_t)(n - LENGTH_ESCAPE + 1));
    }
}

static void put_fence(struct values_writer *w, uint32_t i)
{
    put_u32(&w->fence, w->separators.n);
    put_u32(&w->fence, w->keys.n);
    put_u32(&w->fence, w->sets.n);
    put_u32(&w->fence, w->longs.n);
    if (i > 0) { /* one byte more than is shared tells it from the value before */
        str v = value_at(w, i);
        buf_put(&w->separators, str_slice(v, 0, common_prefix(value_at(w, i - 1), v) + 1));
    }
}

static void put_key(struct values_writer *w, struct bit_writer *bits, uint32_t i)
{
    str v = value_at(w, i);
    size_t shared = shared_at(w, i);

    put_length(bits, shared - w->prefix_n);
    put_length(bits, v.n - shared);
    for (size_t at = shared; at < v.n; at++)
        bits_put(bits, w->code[(uint8_t)v.p[at]], w->letter_bits);
}

static void put_set(struct values_writer *w, struct bit_writer *bits, uint32_t i)
{
    uint32_t number = w->order[i], from = w->start[number], to = w->start[number + 1];

    posting_write(bits, &w->longs, w->positions + from, to - from, w->view.count);
}

static void put_blocks(struct values_writer *w)
{
    struct bit_writer keys = {.out = &w->keys}, sets = {.out = &w->sets};

    for (uint32_t i = 0; i < w->view.values; i++) {
        if (i % VALUES_PER_BLOCK == 0) {
            bits_end(&keys);
            bits_end(&sets);
            put_fence(w, i);
        }
        put_key(w, &keys, i);
        put_set(w, &sets, i);
    }
    bits_end(&keys);
    bits_end(&sets);
}

static void put_section(const struct values_writer *w, struct buf *out)
{
    char byte[4] = {(char)(w->prefix_n & 0xFF), (char)(w->prefix_n >> 8), (char)w->letter_bits};

    put_u32(out, w->view.values);
    put_u32(out, w->separators.n);
    put_u32(out, w->keys.n);
    put_u32(out, w->sets.n);
    put_u32(out, w->longs.n);
    put_u32(out, w->longest);
    if (w->letter_bits < 8)
        byte[3] = (char)(size_max(w->letters, 1) - 1);
    buf_put(out, (str){byte, sizeof byte});
    for (unsigned c = 0; c < 256 && w->letter_bits < 8; c++)
        if (w->letter[c])
            buf_put_char(out, (char)c);
    if (w->letters == 0)
        buf_put_char(out, 0); /* there is always one */
    buf_put(out, str_slice(value_at(w, 0), 0, w->prefix_n));
    buf_put(out, buf_str(&w->fence));
    buf_put(out, buf_str(&w->separators));
    buf_put(out, buf_str(&w->keys));
    buf_put(out, buf_str(&w->sets));
    buf_put(out, buf_str(&w->longs));
}

err values_write(struct ctx *cx, struct buf *out, const struct builder_view *v)
{
    SCRATCH(tmp, cx);
    CLEANUP(writer_close)
    struct values_writer w = {.view = *v,
                              .fence = BUF(AREA_BYTES_MAX),
                              .separators = BUF(AREA_BYTES_MAX),
                              .keys = BUF(AREA_BYTES_MAX),
                              .sets = BUF(AREA_BYTES_MAX),
                              .longs = BUF(AREA_BYTES_MAX)};

    w.order = arena_new(tmp.mem, uint32_t, v->values);
    w.start = arena_new(tmp.mem, uint32_t, v->values + 1);
    w.positions = arena_new(tmp.mem, uint32_t, v->count);
    view_sort(tmp.mem, v, w.order);
    view_group(v, w.start, w.positions);
    find_prefix(&w);
    find_letters(&w);
    put_blocks(&w);
    TRY(buf_check(cx, &w.fence, "index fence"));
    TRY(buf_check(cx, &w.separators, "index separators"));
    TRY(buf_check(cx, &w.keys, "index keys"));
    TRY(buf_check(cx, &w.sets, "index sets"));
    TRY(buf_check(cx, &w.longs, "index positions"));
    put_section(&w, out);
    return ERR_OK;
}
