/* index_values.c - reading values; see index_values.h. */
#include "ledger/index_values.h"
#include <endian.h>

enum { FENCE_BYTES = 16, LENGTH_BITS = 4, LENGTH_ESCAPE = 15 };

static uint32_t get_u32(str s, size_t at)
{
    uint32_t v;

    memcpy(&v, s.p + at, sizeof v);
    return le32toh(v);
}

/* Cut `n` bytes off the front; false when there are fewer. */
static bool cut(str *rest, size_t n, str *out)
{
    if (n > rest->n)
        return false;
    *out = (str){rest->p, n};
    *rest = (str){rest->p + n, rest->n - n};
    return true;
}

static bool parts_open(struct values *v, str section)
{
    str head, rest = section;

    if (!cut(&rest, VALUES_HEAD_BYTES, &head))
        return false;
    v->count = get_u32(head, 0);
    v->longest = get_u32(head, 20);
    v->letter_bits = (uint8_t)head.p[26];
    size_t letters = v->letter_bits < 8 ? (size_t)(uint8_t)head.p[27] + 1 : 0;
    size_t prefix_n = (uint8_t)head.p[24] | (size_t)(uint8_t)head.p[25] << 8;
    v->blocks = v->count / VALUES_PER_BLOCK + (v->count % VALUES_PER_BLOCK != 0);
    return v->count > 0 && v->count <= v->reader->entries && v->letter_bits > 0 &&
           v->letter_bits <= 8 && letters <= 1u << v->letter_bits &&
           v->longest <= ENTRY_BYTES_MAX && prefix_n <= v->longest &&
           cut(&rest, letters, &v->letters) && cut(&rest, prefix_n, &v->prefix) &&
           cut(&rest, (size_t)v->blocks * FENCE_BYTES, &v->fence) &&
           cut(&rest, get_u32(head, 4), &v->separators) && cut(&rest, get_u32(head, 8), &v->keys) &&
           cut(&rest, get_u32(head, 12), &v->sets) && cut(&rest, get_u32(head, 16), &v->longs) &&
           rest.n == 0;
}

err values_open(struct ctx *cx, const struct index_reader *r, enum attr attr, struct values *out)
{
    *out = (struct values){.reader = r};
    if (!parts_open(out, r->attr[attr]))
        return index_corrupt(cx, r, "head of values", r->attr[attr].p);
    return ERR_OK;
}

enum fence_part { FENCE_SEPARATOR, FENCE_KEYS, FENCE_SETS, FENCE_LONGS };

/* The part of block b in `whole`: from its fence to that of the next block. */
static bool block_part(const struct values *v, uint32_t b, enum fence_part part, str whole,
                       str *out)
{
    size_t column = (size_t)part * sizeof(uint32_t);
    size_t from = get_u32(v->fence, (size_t)b * FENCE_BYTES + column);
    size_t to = whole.n;

    if (b + 1 < v->blocks)
        to = get_u32(v->fence, ((size_t)b + 1) * FENCE_BYTES + column);
    if (from > to || to > whole.n)
        return false;
    *out = (str){whole.p + from, to - from};
    return true;
}

err values_block(struct ctx *cx, const struct values *v, str value, uint32_t *out)
{
    uint32_t low = 0, high = v->blocks; /* separator(low) <= value < separator(high) */
    str separator;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (!block_part(v, middle, FENCE_SEPARATOR, v->separators, &separator))
            return index_corrupt(cx, v->reader, "separator", v->fence.p);
        if (str_cmp(separator, value) <= 0)
            low = middle;
        else
            high = middle;
    }
    *out = low;
    return ERR_OK;
}

static bool enter_block(struct values_cursor *c, uint32_t block)
{
    const struct values *v = c->values;
    str separator;

    c->keys.at = 0;
    c->sets.at = 0;
    c->long_at = 0;
    c->next_set = block * VALUES_PER_BLOCK;
    return block_part(v, block, FENCE_SEPARATOR, v->separators, &separator) &&
           (str_is_null(c->value) || str_cmp(c->value, separator) < 0) &&
           block_part(v, block, FENCE_KEYS, v->keys, &c->keys.bytes) &&
           block_part(v, block, FENCE_SETS, v->sets, &c->sets.bytes) &&
           block_part(v, block, FENCE_LONGS, v->longs, &c->longs);
}

/* The first value of a block is not below its separator, which is above the value before it. */
static bool first_in_place(const struct values_cursor *c)
{
    str separator;

    return block_part(c->values, c->next / VALUES_PER_BLOCK, FENCE_SEPARATOR, c->values->separators,
                      &separator) &&
           str_cmp(separator, c->value) <= 0;
}

err values_seek(struct ctx *cx, const struct values *v, uint32_t block, struct values_cursor *out)
{
    out->values = v;
    out->next = block * VALUES_PER_BLOCK;
    out->value = STR_NULL;
    out->key = arena_new(cx->tmp, char, (size_t)v->longest + 1);
    if (v->prefix.n)
        memcpy(out->key, v->prefix.p, v->prefix.n);
    if (!enter_block(out, block))
        return index_corrupt(cx, v->reader, "block of values", v->fence.p);
    return ERR_OK;
}

static uint32_t get_length(struct bit_reader *b)
{
    uint32_t n = bits_get(b, LENGTH_BITS);

    return n < LENGTH_ESCAPE ? n : LENGTH_ESCAPE - 1 + bits_get_gamma(b);
}

static bool get_letters(struct values_cursor *c, char *out, uint32_t n)
{
    const str letters = c->values->letters; /* copies: `out` may lie anywhere for the compiler */
    const unsigned bits = c->values->letter_bits;
    const uint32_t mask = (1u << bits) - 1, at_once = 56 / bits;

    for (uint32_t i = 0; i < n;) {
        uint64_t w = bits_peek(&c->keys);
        uint32_t end = i + (uint32_t)size_min(at_once, n - i);
        c->keys.at += (end - i) * bits;
        for (; i < end; i++, w >>= bits) {
            uint32_t letter = (uint32_t)w & mask;
            if (bits < 8 && letter >= letters.n)
                return false;
            out[i] = bits < 8 ? letters.p[letter] : (char)letter;
        }
    }
    return bits_ok(&c->keys);
}

/* The value's bytes, which must come after those before it. */
static bool next_key(struct values_cursor *c, bool first)
{
    const struct values *v = c->values;
    size_t before_n = first ? v->prefix.n : c->value.n;
    size_t shared = v->prefix.n + get_length(&c->keys);
    size_t further = get_length(&c->keys);

    if (!bits_ok(&c->keys) || shared > before_n || further > v->longest - shared)
        return false;
    if (!first && further == 0)
        return false;
    int old = shared < before_n ? (uint8_t)c->key[shared] : -1;
    if (!get_letters(c, c->key + shared, (uint32_t)further))
        return false;
    if (further && (uint8_t)c->key[shared] <= old)
        return false;
    c->value = (str){c->key, shared + further};
    return !first || first_in_place(c);
}

err values_next(struct ctx *cx, struct values_cursor *c, bool *out_more)
{
    const struct values *v = c->values;
    bool first = c->next % VALUES_PER_BLOCK == 0;

    *out_more = c->next < v->count;
    if (!*out_more)
        return ERR_OK;
    if (first && !enter_block(c, c->next / VALUES_PER_BLOCK))
        return index_corrupt(cx, v->reader, "block of values", v->fence.p);
    if (!next_key(c, first))
        return index_corrupt(cx, v->reader, "value",
                             c->keys.bytes.p + size_min(c->keys.at / 8, c->keys.bytes.n));
    c->next++;
    return ERR_OK;
}

err values_posting(struct ctx *cx, struct values_cursor *c, struct posting *out)
{
    const struct values *v = c->values;

    for (; c->next_set < c->next; c->next_set++)
        if (!posting_read(&c->sets, c->longs, &c->long_at, v->reader->entries, out))
            return index_corrupt(cx, v->reader, "positions", c->sets.bytes.p);
    return ERR_OK;
}
