/* index_sort.c - the values of an attribute in the order of their bytes.
 *
 * Values are sorted by eight bytes at a time, those behind what all of them have in common, as one
 * number: by radix when there are many.  Ties are sorted by what follows. */
#include "ledger/index_inner.h"
#include <stdlib.h>

enum { KEY_BYTES = 8, FEW = 24, RADIX_MIN = 512, BYTE_VALUES = 256 };

struct sort_item {
    uint64_t key;
    const struct value *value;
    uint32_t number;
};

static int compare_values(const void *a, const void *b)
{
    const struct value *x = ((const struct sort_item *)a)->value;
    const struct value *y = ((const struct sort_item *)b)->value;

    return str_cmp((str){x->p, x->n}, (str){y->p, y->n});
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = ((const struct sort_item *)a)->key, y = ((const struct sort_item *)b)->key;

    return (x > y) - (x < y);
}

static void sort_few(struct sort_item *items, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct sort_item item = items[i];
        size_t at = i;
        for (; at > 0 && compare_values(&item, &items[at - 1]) < 0; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

/* The eight bytes at `depth`, zeros behind the end. */
static uint64_t key_at(const struct value *v, size_t depth)
{
    uint64_t key = 0;

    if (depth < v->n)
        memcpy(&key, v->p + depth, size_min(KEY_BYTES, v->n - depth));
    return be64toh(key);
}

static size_t common_bytes(const struct sort_item *items, size_t n, size_t depth)
{
    const struct value *first = items[0].value;
    size_t common = first->n;

    for (size_t i = 1; i < n && common > depth; i++) {
        const struct value *v = items[i].value;
        size_t same = depth, end = size_min(common, v->n);
        while (same < end && first->p[same] == v->p[same])
            same++;
        common = same;
    }
    return size_max(common, depth);
}

static void sort_by_byte(const struct sort_item *from, struct sort_item *to, size_t n,
                         unsigned shift, uint32_t *place)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < BYTE_VALUES; i++) {
        uint32_t count = place[i];
        place[i] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++)
        to[place[from[i].key >> shift & 0xFF]++] = from[i];
}

static void sort_by_radix(struct sort_item *items, struct sort_item *spare, size_t n)
{
    uint32_t counts[KEY_BYTES][BYTE_VALUES] = {0};
    struct sort_item *from = items, *to = spare;

    for (size_t i = 0; i < n; i++)
        for (unsigned byte = 0; byte < KEY_BYTES; byte++)
            counts[byte][items[i].key >> (8 * byte) & 0xFF]++;
    for (unsigned byte = 0; byte < KEY_BYTES; byte++) {
        if (counts[byte][items[0].key >> (8 * byte) & 0xFF] == n)
            continue; /* the same in all */
        sort_by_byte(from, to, n, 8 * byte, counts[byte]);
        struct sort_item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, n * sizeof *items);
}

static bool any_ends_before(const struct sort_item *items, size_t n, size_t depth)
{
    for (size_t i = 0; i < n; i++)
        if (items[i].value->n < depth)
            return true;
    return false;
}

/* `depth` bytes are the same in all.  Each level of recursion passes at least eight more. */
static void sort_items(struct sort_item *items, struct sort_item *spare, size_t n, size_t depth)
{
    if (n <= FEW) {
        sort_few(items, n);
        return;
    }
    depth = common_bytes(items, n, depth);
    for (size_t i = 0; i < n; i++)
        items[i].key = key_at(items[i].value, depth);
    if (n >= RADIX_MIN)
        sort_by_radix(items, spare, n);
    else
        qsort(items, n, sizeof *items, compare_keys);
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && items[to].key == items[from].key;)
            to++;
        /* A zero byte and the end of a value have the same key; few values have either. */
        if (any_ends_before(items + from, to - from, depth + KEY_BYTES))
            qsort(items + from, to - from, sizeof *items, compare_values);
        else
            sort_items(items + from, spare, to - from, depth + KEY_BYTES);
    }
}

void view_sort(struct arena *tmp, const struct builder_view *v, uint32_t *out_order)
{
    const struct attr_table *t = &v->b->attr[v->attr];
    struct arena_mark mark = arena_mark(tmp);
    struct sort_item *items = arena_new(tmp, struct sort_item, v->values);
    struct sort_item *spare = arena_new(tmp, struct sort_item, v->values);

    for (uint32_t i = 0; i < v->values; i++)
        items[i] = (struct sort_item){.value = table_value(t, i), .number = i};
    sort_items(items, spare, v->values, 0);
    for (uint32_t i = 0; i < v->values; i++)
        out_order[i] = items[i].number;
    arena_rewind(tmp, mark);
}
