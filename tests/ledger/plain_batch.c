/* plain_batch.c - see plain_batch.h. */
#include "plain_batch.h"
#include <stdlib.h>

static struct entry_attr keep(struct entry_batch *b, str value)
{
    if (str_is_null(value))
        return (struct entry_attr){ATTR_ABSENT, 0, 0};
    struct entry_attr a = {(uint32_t)b->values.n, (uint32_t)value.n, entry_value_hash(value)};
    buf_put(&b->values, value);
    return a;
}

void plain_add(struct entry_batch *b, const struct plain_entry *e)
{
    const char length[] = {(char)(e->text.n >> 8), (char)(e->text.n & 0xFF)};

    if (b->count == b->capacity) {
        b->capacity = size_max(64, b->capacity * 2);
        b->meta = realloc(b->meta, b->capacity * sizeof *b->meta);
        ENSURE(b->meta);
    }
    struct entry_meta *m = &b->meta[b->count++];
    *m = (struct entry_meta){.at = (uint32_t)b->frames.n + ENTRY_FRAME_BYTES,
                             .n = (uint32_t)e->text.n,
                             .recorded_us = e->recorded_us,
                             .time_us = e->time_us,
                             .id_hash = e->id_hash};
    buf_put(&b->frames, (str){length, sizeof length});
    buf_put(&b->frames, e->text);
    for (unsigned a = 0; a < ATTR_COUNT; a++)
        m->attr[a] = keep(b, e->attr[a]);
    ENSURE(buf_ok(&b->frames) && buf_ok(&b->values));
}

uint64_t dice_u64(struct dice *d)
{
    uint64_t x = d->state += UINT64_C(0x9E3779B97F4A7C15);

    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

uint32_t dice_below(struct dice *d, uint32_t n)
{
    return (uint32_t)(dice_u64(d) % n);
}
