/* tile.c - see tile.h. */
#include "ledger/tile.h"

static const str tile_prefix = STR_INIT("tile/");
static const str partial_mark = STR_INIT(".p/");

static err no_tile(struct ctx *cx, str path)
{
    return fail(cx, ERR_INVALID, "'%.*s' is not the name of a tile", STR_FMT(path));
}

/* Decimal from 0 to max without leading zeros. */
static bool small_number(str s, uint64_t max, unsigned *out)
{
    uint64_t v;

    if (s.n == 0 || (s.n > 1 && s.p[0] == '0') || !str_to_u64(s, &v) || v > max)
        return false;
    *out = (unsigned)v;
    return true;
}

static bool three_digits(str s, unsigned *out)
{
    uint64_t v;

    if (s.n != 3 || !str_to_u64(s, &v))
        return false;
    *out = (unsigned)v;
    return true;
}

/* The groups of an index; the first of several may not be x000. */
static bool index_parse(str s, uint64_t *out)
{
    uint64_t index = 0;
    bool more = true;

    for (bool first = true; more; first = false) {
        str group = str_cut(&s, '/');
        unsigned v;

        more = !str_is_null(s);
        if (more && (group.n == 0 || group.p[0] != 'x'))
            return false;
        if (!three_digits(str_slice(group, more ? 1 : 0, group.n), &v) || (first && more && v == 0))
            return false;
        if (__builtin_mul_overflow(index, 1000, &index) || __builtin_add_overflow(index, v, &index))
            return false;
    }
    *out = index;
    return true;
}

static bool level_parse(str s, struct tile *out)
{
    out->is_bundle = str_eq(s, S("entries"));
    out->level = 0;
    return out->is_bundle || small_number(s, TILE_LEVEL_MAX, &out->level);
}

err tile_parse(struct ctx *cx, str path, struct tile *out)
{
    str rest = str_slice(path, tile_prefix.n, path.n);
    struct tile t = {.width = TILE_WIDTH_FULL};
    size_t mark;
    str level;

    if (!str_starts(path, tile_prefix))
        return no_tile(cx, path);
    level = str_cut(&rest, '/');
    mark = str_find(rest, partial_mark);
    if (mark < rest.n) {
        str width = str_slice(rest, mark + partial_mark.n, rest.n);

        if (!small_number(width, TILE_WIDTH_FULL - 1, &t.width) || t.width == 0)
            return no_tile(cx, path);
        rest = str_slice(rest, 0, mark);
    }
    if (!level_parse(level, &t) || !index_parse(rest, &t.index))
        return no_tile(cx, path);
    *out = t;
    return ERR_OK;
}

static void index_put(struct buf *b, uint64_t index)
{
    unsigned groups[7]; /* 2^64 has 20 digits */
    size_t n = 0;

    do {
        groups[n++] = (unsigned)(index % 1000);
        index /= 1000;
    } while (index > 0);
    while (n > 1)
        buf_printf(b, "x%03u/", groups[--n]);
    buf_printf(b, "%03u", groups[0]);
}

void tile_put(struct buf *b, const struct tile *t)
{
    buf_put(b, tile_prefix);
    if (t->is_bundle)
        buf_put(b, S("entries"));
    else
        buf_put_u64(b, t->level);
    buf_put_char(b, '/');
    index_put(b, t->index);
    if (t->width < TILE_WIDTH_FULL) {
        buf_put(b, partial_mark);
        buf_put_u64(b, t->width);
    }
}

unsigned tile_width(uint64_t size, unsigned level, uint64_t index)
{
    uint64_t hashes = level < 8 ? size >> (8 * level) : 0;

    if (index < hashes / TILE_WIDTH_FULL)
        return TILE_WIDTH_FULL;
    return index == hashes / TILE_WIDTH_FULL ? (unsigned)(hashes % TILE_WIDTH_FULL) : 0;
}
