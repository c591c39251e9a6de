/* fake_segments.c - see fake_segments.h. */
#include "fake_segments.h"
#include <stdlib.h>

enum { BUNDLE_ENTRIES = 256 };

struct segment {
    struct ledger *l;
    uint64_t number;
    struct entry_batch batch;
    struct segment_index index;
    struct index_builder *builder;
    struct index_reader *reader;
    struct buf file, bundle;
};

struct ledger {
    struct segment *segments;
    uint64_t count, visible, pruned;
    struct fake_work work;
};

static void open_segment(struct ctx *cx, struct segment *s, const struct plain_entry *entries,
                         uint64_t count)
{
    s->batch = (struct entry_batch){.frames = BUF(1 << 30), .values = BUF(1 << 30)};
    s->file = s->bundle = BUF(1 << 30);
    s->builder = index_builder_open();
    for (uint64_t i = 0; i < count; i++)
        plain_add(&s->batch, &entries[i]);
    index_builder_add(s->builder, &s->batch, 0, s->batch.count);
    s->index.builder = s->builder;
    if (count < SEGMENT_ENTRIES || s->number % 2)
        return;
    ENSURE(index_builder_write(cx, s->builder, s->number, &s->file) == ERR_OK);
    ENSURE(index_reader_open(cx, buf_str(&s->file), s->number, &s->reader) == ERR_OK);
    s->index = (struct segment_index){.reader = s->reader};
}

struct ledger *fake_ledger_open(struct ctx *cx, const struct plain_entry *entries, uint64_t count)
{
    struct ledger *l = calloc(1, sizeof *l);

    ENSURE(l);
    l->count = count / SEGMENT_ENTRIES + 1;
    l->visible = count;
    l->segments = calloc(l->count, sizeof *l->segments);
    ENSURE(l->segments);
    for (uint64_t i = 0; i < l->count; i++) {
        uint64_t first = i * SEGMENT_ENTRIES;
        l->segments[i] = (struct segment){.l = l, .number = i};
        open_segment(cx, &l->segments[i], entries + first, u64_min(SEGMENT_ENTRIES, count - first));
    }
    return l;
}

void fake_ledger_close(struct ledger *l)
{
    for (uint64_t i = 0; i < l->count; i++) {
        struct segment *s = &l->segments[i];
        index_reader_close(s->reader);
        index_builder_close(s->builder);
        entry_batch_close(&s->batch);
        buf_close(&s->file);
        buf_close(&s->bundle);
    }
    free(l->segments);
    free(l);
}

void fake_ledger_show(struct ledger *l, uint64_t visible)
{
    l->visible = visible;
}

void fake_ledger_prune(struct ledger *l, uint64_t segments)
{
    l->pruned = segments;
}

struct fake_work fake_ledger_work(struct ledger *l)
{
    struct fake_work w = l->work;

    l->work = (struct fake_work){0};
    return w;
}

uint64_t ledger_size(const struct ledger *l)
{
    return l->visible;
}

err ledger_segment_get(struct ctx *cx, struct ledger *l, uint64_t number, struct segment **out)
{
    if (number >= l->count)
        return fail(cx, ERR_NOT_FOUND, "segment %llu", (unsigned long long)number);
    l->work.segments++;
    *out = &l->segments[number];
    return ERR_OK;
}

void ledger_segment_put(struct segment *s)
{
    buf_close(&s->bundle); /* what a visitor kept is now seen to be gone */
}

struct segment_info segment_info(const struct segment *s)
{
    uint64_t first = s->number * SEGMENT_ENTRIES;
    bool pruned = s->number < s->l->pruned;
    uint64_t visible = s->l->visible > first ? s->l->visible - first : 0;

    return (struct segment_info){.first = first,
                                 .count = (uint32_t)u64_min(visible, SEGMENT_ENTRIES),
                                 .sealed = s->reader != NULL,
                                 .pruned = pruned,
                                 .index = pruned ? (struct segment_index){0} : s->index};
}

err segment_bundle(struct ctx *cx, struct segment *s, unsigned bundle, str *out_frames)
{
    size_t from = (size_t)bundle * BUNDLE_ENTRIES;
    size_t to = size_min(from + BUNDLE_ENTRIES, segment_info(s).count);

    if (from >= to)
        return fail(cx, ERR_NOT_FOUND, "bundle %u", bundle);
    s->l->work.bundles++;
    buf_close(&s->bundle);
    for (size_t i = from; i < to; i++) {
        const struct entry_meta *m = &s->batch.meta[i];
        buf_put(&s->bundle,
                (str){s->batch.frames.p + m->at - ENTRY_FRAME_BYTES, m->n + ENTRY_FRAME_BYTES});
    }
    *out_frames = buf_str(&s->bundle);
    return ERR_OK;
}
