/* ledger_read.c - reading: sizes, entries, tiles, segments for queries. */
#include "base/clock.h"
#include "ledger/engine.h"
#include "ledger/tile.h"
#include <stdio.h>
#include <stdlib.h>

uint64_t ledger_size(const struct ledger *l)
{
    return l->size;
}

const char *ledger_failure(const struct ledger *l)
{
    return l->poisoned ? l->failure : NULL;
}

bool ledger_is_writable(const struct ledger *l)
{
    return !l->poisoned && !l->sealer_failed;
}

uint64_t ledger_first_kept(const struct ledger *l)
{
    return l->pruned_count * SEGMENT_ENTRIES;
}

int64_t ledger_recorded_us(const struct ledger *l)
{
    return l->recorded_us;
}

uint64_t ledger_wait(struct ledger *l, uint64_t size, int64_t deadline_ns)
{
    LOCK(held, &l->state_lock);

    while (l->size <= size && !l->stopping)
        if (!cond_wait_until(&l->grown, &l->state_lock, deadline_ns))
            break;
    return l->size;
}

/* ---- segments ---- */

struct segment_data *segment_ref(struct ledger *l, uint64_t number)
{
    LOCK(held, &l->segments_lock);

    if (number >= l->segment_count)
        return NULL;
    struct segment_data *s = l->segments[number];
    s->refs++;
    return s;
}

void segment_unref(struct ledger *l, struct segment_data *s)
{
    pthread_mutex_lock(&l->segments_lock);
    bool last = --s->refs == 0;
    pthread_mutex_unlock(&l->segments_lock);
    if (last)
        segment_data_close(l, s);
}

void segment_replace(struct ledger *l, struct segment_data *fresh)
{
    pthread_mutex_lock(&l->segments_lock);
    struct segment_data *old = l->segments[fresh->number];
    l->segments[fresh->number] = fresh;
    l->sealed_bytes += fresh->segment_map.n - old->segment_map.n;
    l->index_bytes += fresh->index_map.n - old->index_map.n;
    pthread_mutex_unlock(&l->segments_lock);
    segment_unref(l, old);
}

/* A reader's own view of a segment. */
struct segment {
    struct ledger *l;
    struct segment_data *data;
    uint32_t count;
    struct bundle *bundle; /* held from the cache */
    char *frames;          /* read from a raw file */
};

uint64_t ledger_segment_count(const struct ledger *l)
{
    return (l->size + SEGMENT_ENTRIES - 1) / SEGMENT_ENTRIES;
}

err ledger_segment_get(struct ctx *cx, struct ledger *l, uint64_t number, struct segment **out)
{
    struct segment_data *data = segment_ref(l, number);

    if (!data)
        return fail(cx, ERR_NOT_FOUND, "there is no segment %llu", (unsigned long long)number);
    struct segment *s = calloc(1, sizeof *s);
    ENSURE(s);
    uint64_t first = number * SEGMENT_ENTRIES, size = l->size;
    *s = (struct segment){
        .l = l,
        .data = data,
        .count = size > first ? (uint32_t)u64_min(SEGMENT_ENTRIES, size - first) : 0,
    };
    *out = s;
    return ERR_OK;
}

static void let_go(struct segment *s)
{
    bundle_cache_release(s->l->cache, s->bundle);
    free(s->frames);
    s->bundle = NULL;
    s->frames = NULL;
}

void ledger_segment_put(struct segment *s)
{
    let_go(s);
    segment_unref(s->l, s->data);
    free(s);
}

struct segment_info segment_info(const struct segment *s)
{
    return (struct segment_info){
        .first = s->data->number * SEGMENT_ENTRIES,
        .count = s->count,
        .sealed = s->data->state != SEGMENT_GROWING,
        .pruned = s->data->state == SEGMENT_PRUNED,
        .index = {s->data->builder, s->data->reader},
    };
}

static err sealed_bundle(struct ctx *cx, struct segment *s, unsigned bundle, str *out)
{
    uint64_t number = s->data->number * SEGMENT_BUNDLES + bundle;
    char *frames, why[CTX_DETAIL_BYTES];
    size_t n;

    s->bundle = bundle_cache_get(s->l->cache, number);
    if (!s->bundle) {
        err e = segment_file_bundle(cx, s->data->file, bundle, &frames, &n);
        if (e != ERR_OK) {
            memcpy(why, cx->detail, sizeof why);
            return fail(cx, e, "segment-%08llu.seg: %.400s", (unsigned long long)s->data->number,
                        why);
        }
        s->bundle = bundle_cache_put(s->l->cache, number, frames, n);
    }
    *out = s->bundle->frames;
    return ERR_OK;
}

/* The first `count` frames of what was read, which may hold newer ones behind. */
static err trim_frames(struct ctx *cx, str *frames, unsigned count)
{
    str rest = *frames, entry;

    for (unsigned i = 0; i < count; i++)
        if (!frame_next(&rest, &entry))
            return fail(cx, ERR_CORRUPT, "a raw segment is shorter than its entries");
    frames->n -= rest.n;
    return ERR_OK;
}

static err raw_bundle(struct ctx *cx, struct segment *s, unsigned bundle, str *out)
{
    struct segment_data *d = s->data;
    unsigned count = (unsigned)size_min(BUNDLE_ENTRIES, s->count - bundle * BUNDLE_ENTRIES);
    uint64_t from = d->bundle_at[bundle];
    uint64_t to = count == BUNDLE_ENTRIES ? d->bundle_at[bundle + 1] : d->raw_bytes;

    s->frames = malloc((size_t)(to - from) + 1);
    ENSURE(s->frames);
    TRY(fs_pread_exact(cx, s->l->options.fs, d->raw, s->frames, (size_t)(to - from), from,
                       "a raw segment"));
    *out = (str){s->frames, (size_t)(to - from)};
    return trim_frames(cx, out, count);
}

err segment_bundle(struct ctx *cx, struct segment *s, unsigned bundle, str *out_frames)
{
    let_go(s);
    if (s->data->state == SEGMENT_PRUNED)
        return fail(cx, ERR_GONE, "the entries of segment %llu have been pruned",
                    (unsigned long long)s->data->number);
    if (bundle * BUNDLE_ENTRIES >= s->count)
        return fail(cx, ERR_NOT_FOUND, "there is no bundle %u in segment %llu", bundle,
                    (unsigned long long)s->data->number);
    return s->data->state == SEGMENT_SEALED ? sealed_bundle(cx, s, bundle, out_frames)
                                            : raw_bundle(cx, s, bundle, out_frames);
}

err ledger_entry(struct ctx *cx, struct ledger *l, uint64_t index, str *out)
{
    CLEANUP(segment_cleanup) struct segment *s = NULL;
    str frames, entry = STR_NULL;

    if (index >= l->size)
        return fail(cx, ERR_NOT_FOUND, "there is no entry %llu: the log has %llu",
                    (unsigned long long)index, (unsigned long long)l->size);
    TRY(ledger_segment_get(cx, l, index / SEGMENT_ENTRIES, &s));
    TRY(segment_bundle(cx, s, (unsigned)(index % SEGMENT_ENTRIES / BUNDLE_ENTRIES), &frames));
    for (unsigned i = 0; i <= index % BUNDLE_ENTRIES; i++)
        if (!frame_next(&frames, &entry))
            return fail(cx, ERR_CORRUPT, "entry %llu is not in its bundle",
                        (unsigned long long)index);
    *out = arena_str(cx->mem, entry);
    return ERR_OK;
}

/* ---- tree and tiles ---- */

static err read_tree(struct ctx *cx, void *state, unsigned level, uint64_t index, size_t count,
                     struct hash *out)
{
    struct ledger *l = state;
    char name[16];

    ENSURE(level < TREE_FILES);
    snprintf(name, sizeof name, "tree-%u", level);
    return fs_pread_exact(cx, l->options.fs, l->tree[level], out, count * HASH_BYTES,
                          index * HASH_BYTES, name);
}

struct tree_source ledger_tree(struct ledger *l)
{
    return (struct tree_source){read_tree, l};
}

static err check_width(struct ctx *cx, const struct ledger *l, unsigned level, uint64_t n,
                       unsigned width)
{
    if (width == 0 || width > tile_width(l->size, level, n))
        return fail(cx, ERR_NOT_FOUND, "the log of %llu entries has no such tile",
                    (unsigned long long)l->size);
    return ERR_OK;
}

err ledger_tile(struct ctx *cx, struct ledger *l, unsigned level, uint64_t n, unsigned width,
                str *out)
{
    TRY(check_width(cx, l, level, n, width));
    struct hash *hashes = arena_new(cx->mem, struct hash, width);
    TRY(read_tree(cx, l, level, n * TREE_TILE_WIDTH, width, hashes));
    *out = (str){(const char *)hashes, width * sizeof *hashes};
    return ERR_OK;
}

err ledger_bundle(struct ctx *cx, struct ledger *l, uint64_t n, unsigned width, str *out)
{
    CLEANUP(segment_cleanup) struct segment *s = NULL;
    str frames;

    TRY(check_width(cx, l, 0, n, width));
    TRY(ledger_segment_get(cx, l, n / SEGMENT_BUNDLES, &s));
    TRY(segment_bundle(cx, s, (unsigned)(n % SEGMENT_BUNDLES), &frames));
    TRY(trim_frames(cx, &frames, width));
    *out = arena_str(cx->mem, frames);
    return ERR_OK;
}

struct ledger_figures ledger_figures(const struct ledger *l)
{
    struct ledger *open = (struct ledger *)(uintptr_t)l;
    struct ledger_figures f = {
        .entries = l->size,
        .checkpoints = l->checkpoint_count,
        .dedup_ids = l->dedup ? dedup_count(l->dedup) : 0,
        .dedup_bytes = l->dedup ? dedup_bytes(l->dedup) : 0,
    };

    bundle_cache_figures(open->cache, &f.cache_hits, &f.cache_misses);
    pthread_mutex_lock(&open->segments_lock);
    f.segments = l->segment_count;
    f.sealed = l->sealed_count;
    f.bytes_sealed = l->sealed_bytes;
    f.bytes_index = l->index_bytes;
    for (size_t i = (size_t)f.sealed; i < l->segment_count; i++) {
        f.bytes_raw += l->segments[i]->raw_bytes;
        f.unsealed += l->segments[i]->count == SEGMENT_ENTRIES;
    }
    pthread_mutex_unlock(&open->segments_lock);
    pthread_mutex_lock(&open->state_lock);
    f.checkpoint_us = l->last_signed.signed_us;
    pthread_mutex_unlock(&open->state_lock);
    return f;
}
