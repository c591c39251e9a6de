/* ledger_append.c - the writer's side: plan, write, sync, publish.
 *
 *   plan     which entries are new (duplicates are left out), their indexes, stamps that never go
 * back write    entry bytes to raw files, leaf hashes to tree-0, completed nodes to tree-1 and up
 *   sync     raw files and tree-0: from here on the batch is durable
 *   publish  index, bundle offsets, size, frontier; whoever waits is woken
 *
 * A failure before the sync takes back what was written (files are cut to where they were) and the
 * log goes on; if that fails too, or a sync fails, the log is poisoned. */
#include "base/clock.h"
#include "ledger/engine.h"
#include "ledger/metrics.h"
#include <stdlib.h>

/* Consecutive entries of one batch that go into one segment. */
struct run {
    struct entry_batch *batch;
    size_t from, to; /* entries of the batch */
    size_t segment;  /* place in append.touched */
    uint32_t position;
};

struct touched {
    struct segment_data *segment;
    uint64_t raw_bytes; /* with this append */
    uint32_t count;
    bool fresh;
};

struct upper {
    uint64_t first;
    struct hash *hashes;
    size_t count, capacity;
};

struct append {
    struct ctx *cx;
    struct ledger *l;
    struct entry_batch *const *batches;
    size_t batch_count;
    struct ledger_receipt *const *receipts;

    uint64_t first, next; /* indexes */
    int64_t recorded_us;
    struct hash *leaves; /* of all new entries */
    struct run *runs;
    size_t run_count, run_capacity;
    struct touched *touched;
    size_t touched_count;
    struct tree_frontier frontier;
    struct upper upper[TREE_FILES];
};

/* ---- plan ---- */

/* Does the stored (or planned) entry `index` have this source and id, and is it young enough? */
static bool is_same_event(struct append *a, uint64_t index, const struct entry_batch *b,
                          const struct entry_meta *m, struct ledger_receipt *out)
{
    struct entry_batch found;
    struct json_parser *parser;
    bool same = false;
    str entry;

    if (ledger_entry(a->cx, a->l, index, &entry) != ERR_OK)
        return false;
    entry_batch_init(&found, 2 * (ENTRY_BYTES_MAX + 2));
    parser = json_parser_open();
    if (entry_add_stored(a->cx, &found, parser, entry, 0) == ERR_OK) {
        const struct entry_meta *f = &found.meta[0];
        int64_t age = a->recorded_us - f->recorded_us;
        same = f->id_hash &&
               str_eq(entry_batch_value(&found, &f->id), entry_batch_value(b, &m->id)) &&
               str_eq(entry_batch_value(&found, &f->attr[ATTR_SOURCE]),
                      entry_batch_value(b, &m->attr[ATTR_SOURCE])) &&
               (a->l->options.dedup_age_us == 0 || age <= a->l->options.dedup_age_us);
        *out = (struct ledger_receipt){
            .index = index, .recorded_us = f->recorded_us, .duplicate = true};
        hash_leaf(entry, &out->leaf);
    }
    json_parser_close(parser);
    entry_batch_close(&found);
    return same;
}

/* An entry of this very append: it is not in the files yet. */
static bool is_same_planned(struct append *a, uint64_t index, const struct entry_batch *b,
                            const struct entry_meta *m, struct ledger_receipt *out)
{
    for (size_t r = 0; r < a->run_count; r++) {
        const struct run *run = &a->runs[r];
        uint64_t first = a->touched[run->segment].segment->number * SEGMENT_ENTRIES + run->position;
        if (index < first || index - first >= run->to - run->from)
            continue;
        const struct entry_meta *f = &run->batch->meta[run->from + (index - first)];
        *out = (struct ledger_receipt){
            .index = index, .leaf = f->leaf, .recorded_us = f->recorded_us, .duplicate = true};
        return str_eq(entry_batch_value(run->batch, &f->id), entry_batch_value(b, &m->id)) &&
               str_eq(entry_batch_value(run->batch, &f->attr[ATTR_SOURCE]),
                      entry_batch_value(b, &m->attr[ATTR_SOURCE]));
    }
    return false;
}

static bool is_duplicate(struct append *a, const struct entry_batch *b, const struct entry_meta *m,
                         struct ledger_receipt *out)
{
    uint64_t candidates[16];

    if (!a->l->dedup || !m->id_hash)
        return false;
    size_t n = dedup_find(a->l->dedup, m->id_hash, a->next, candidates, COUNT(candidates));
    for (size_t i = 0; i < n; i++) {
        if (candidates[i] >= a->first ? is_same_planned(a, candidates[i], b, m, out)
                                      : is_same_event(a, candidates[i], b, m, out))
            return true;
    }
    return false;
}

static err touch_next_segment(struct append *a)
{
    struct segment_data *s;
    bool fresh = a->touched_count != 0;

    if (fresh)
        TRY(segment_create(a->cx, a->l, a->next / SEGMENT_ENTRIES, &s));
    else
        s = a->l->segments[a->l->segment_count - 1];
    struct touched *more = realloc(a->touched, (a->touched_count + 1) * sizeof *more);
    ENSURE(more);
    a->touched = more;
    a->touched[a->touched_count++] = (struct touched){s, s->raw_bytes, s->count, fresh};
    return ERR_OK;
}

/* Put entry i of the batch behind the last one: into the last run if it follows it there. */
static err plan_entry(struct append *a, struct entry_batch *b, size_t i)
{
    if (a->touched_count == 0 || a->touched[a->touched_count - 1].count == SEGMENT_ENTRIES)
        TRY(touch_next_segment(a));
    struct touched *t = &a->touched[a->touched_count - 1];
    struct run *last = a->run_count ? &a->runs[a->run_count - 1] : NULL;

    if (!last || last->batch != b || last->to != i || last->segment != a->touched_count - 1) {
        if (a->run_count == a->run_capacity) {
            a->run_capacity = size_max(16, a->run_capacity * 2);
            a->runs = realloc(a->runs, a->run_capacity * sizeof *a->runs);
            ENSURE(a->runs);
        }
        last = &a->runs[a->run_count++];
        *last = (struct run){b, i, i, a->touched_count - 1, t->count};
    }
    last->to = i + 1;
    t->count++;
    t->raw_bytes += ENTRY_FRAME_BYTES + b->meta[i].n;
    a->leaves[a->next - a->first] = b->meta[i].leaf;
    a->next++;
    return ERR_OK;
}

/* The index must follow from the bytes alone, at any time.  An opaque entry carries no stamp, so it
 * is indexed with that of the entry before it, as it will be when it is read back. */
static void settle_recorded(struct append *a, struct entry_meta *m)
{
    if (m->id_hash)
        a->recorded_us = m->recorded_us;
    else
        m->recorded_us = m->time_us = a->recorded_us;
}

static err plan_batch(struct append *a, struct entry_batch *b, struct ledger_receipt *receipts)
{
    enum { AHEAD = 8 };

    b->stored = b->duplicates = 0;
    entry_batch_hash(b);
    for (size_t i = 0; i < b->count; i++) {
        struct entry_meta *m = &b->meta[i];
        struct ledger_receipt receipt;
        if (a->l->dedup && i + AHEAD < b->count)
            dedup_prefetch(a->l->dedup, b->meta[i + AHEAD].id_hash);
        if (m->recorded_us < a->recorded_us) {
            entry_restamp(b, i, a->recorded_us);
            metric_add(&ledger_restamped_total, 1);
        }
        if (is_duplicate(a, b, m, &receipt)) {
            b->duplicates++;
        } else {
            receipt = (struct ledger_receipt){a->next, m->leaf, m->recorded_us, false};
            if (a->l->dedup && m->id_hash)
                dedup_add(a->l->dedup, m->id_hash, a->next);
            settle_recorded(a, m);
            TRY(plan_entry(a, b, i));
            b->stored++;
        }
        if (i == 0)
            b->first_index = receipt.index;
        if (receipts)
            receipts[i] = receipt;
    }
    return ERR_OK;
}

static err plan(struct append *a)
{
    size_t entries = 0;

    for (size_t i = 0; i < a->batch_count; i++)
        entries += a->batches[i]->count;
    a->leaves = malloc(size_max(entries, 1) * sizeof *a->leaves);
    if (!a->leaves)
        return fail(a->cx, ERR_TOO_LARGE, "there is not enough memory for the batch");
    for (size_t i = 0; i < a->batch_count; i++)
        TRY(plan_batch(a, a->batches[i], a->receipts ? a->receipts[i] : NULL));
    return ERR_OK;
}

/* ---- write ---- */

static str run_frames(const struct run *r)
{
    const struct entry_meta *first = &r->batch->meta[r->from], *last = &r->batch->meta[r->to - 1];
    size_t at = first->at - ENTRY_FRAME_BYTES;

    return (str){r->batch->frames.p + at, last->at + last->n - at};
}

static err write_raw(struct append *a)
{
    SCRATCH(tmp, a->cx);
    struct iovec *iov = arena_new(tmp.mem, struct iovec, size_max(a->run_count, 1));
    size_t r = 0;

    for (size_t t = 0; t < a->touched_count; t++) {
        struct segment_data *s = a->touched[t].segment;
        size_t n = 0;
        for (; r < a->run_count && a->runs[r].segment == t; r++) {
            str frames = run_frames(&a->runs[r]);
            iov[n++] = (struct iovec){(void *)(uintptr_t)frames.p, frames.n};
        }
        TRY(fs_pwritev(a->cx, a->l->options.fs, s->raw, iov, n, s->raw_bytes));
    }
    return ERR_OK;
}

static void keep_upper(void *state, unsigned level, uint64_t index, const struct hash *hashes,
                       size_t count)
{
    struct append *a = state;

    if (level >= TREE_FILES)
        return;
    struct upper *u = &a->upper[level];
    if (u->count == 0)
        u->first = index;
    if (u->count + count > u->capacity) {
        u->capacity = size_max(u->capacity * 2, u->count + count);
        u->hashes = realloc(u->hashes, u->capacity * sizeof *u->hashes);
        ENSURE(u->hashes);
    }
    memcpy(u->hashes + u->count, hashes, count * sizeof *hashes);
    u->count += count;
}

static err write_tree(struct append *a)
{
    struct tree_sink sink = {keep_upper, a};
    size_t n = (size_t)(a->next - a->first);
    struct fs fs = a->l->options.fs;

    a->frontier = a->l->frontier;
    frontier_append(&a->frontier, a->leaves, n, &sink);
    TRY(fs_pwrite(a->cx, fs, a->l->tree[0], a->leaves, n * HASH_BYTES, a->first * HASH_BYTES));
    for (unsigned level = 1; level < TREE_FILES; level++) {
        const struct upper *u = &a->upper[level];
        if (u->count)
            TRY(fs_pwrite(a->cx, fs, a->l->tree[level], u->hashes, u->count * HASH_BYTES,
                          u->first * HASH_BYTES));
    }
    return ERR_OK;
}

static err sync_all(struct append *a)
{
    int64_t begun = clock_mono_ns();
    bool fresh = false;

    for (size_t t = 0; t < a->touched_count; t++) {
        TRY(fs_sync(a->cx, a->l->options.fs, a->touched[t].segment->raw));
        fresh = fresh || a->touched[t].fresh;
    }
    TRY(fs_sync(a->cx, a->l->options.fs, a->l->tree[0]));
    metric_observe(&ledger_sync_seconds, clock_mono_ns() - begun);
    return fresh ? fs_sync_dir(a->cx, a->l->options.fs, a->l->dir) : ERR_OK;
}

/* Cut the files to what they were.  The failure to be told is the one that led here. */
static err take_back(struct append *a, err e)
{
    struct ledger *l = a->l;
    struct fs fs = l->options.fs;
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    err undone = ERR_OK;

    for (size_t t = 0; t < a->touched_count && undone == ERR_OK; t++) {
        struct touched *touched = &a->touched[t];
        if (!touched->fresh)
            undone = fs_truncate(cx, fs, touched->segment->raw, touched->segment->raw_bytes);
        else
            undone = fs_unlink(cx, fs, segment_path(cx->mem, l, touched->segment->number, "raw"));
    }
    uint64_t width = a->first;
    for (unsigned level = 0; level < TREE_FILES && undone == ERR_OK; level++, width /= 256) {
        uint64_t bytes = 0;
        undone = fs_size(cx, fs, l->tree[level], &bytes);
        if (undone == ERR_OK && bytes > width * HASH_BYTES)
            undone = fs_truncate(cx, fs, l->tree[level], width * HASH_BYTES);
    }
    return undone == ERR_OK ? e : poison(a->cx, l, e);
}

/* ---- publish ---- */

/* Offsets of the bundles that begin inside this run or end with it. */
static void note_bundles(const struct run *r, struct segment_data *s, uint64_t run_at)
{
    const struct entry_batch *b = r->batch;
    uint32_t end = r->position + (uint32_t)(r->to - r->from);
    uint64_t base = run_at - (b->meta[r->from].at - ENTRY_FRAME_BYTES);

    for (uint32_t p = (r->position / BUNDLE_ENTRIES + 1) * BUNDLE_ENTRIES; p <= end;
         p += BUNDLE_ENTRIES) {
        const struct entry_meta *last = &b->meta[r->from + (p - 1 - r->position)];
        s->bundle_at[p / BUNDLE_ENTRIES] = base + last->at + last->n;
    }
}

static err publish_segments(struct append *a)
{
    size_t r = 0;

    for (size_t t = 0; t < a->touched_count; t++) {
        struct touched *touched = &a->touched[t];
        struct segment_data *s = touched->segment;
        uint64_t at = s->raw_bytes;
        for (; r < a->run_count && a->runs[r].segment == t; r++) {
            struct run *run = &a->runs[r];
            index_builder_add(s->builder, run->batch, run->from, run->to);
            note_bundles(run, s, at);
            at += run_frames(run).n;
        }
        metric_add(&ledger_appended_bytes_total, (int64_t)(touched->raw_bytes - s->raw_bytes));
        s->raw_bytes = touched->raw_bytes;
        s->count = touched->count;
        if (touched->fresh)
            TRY(segments_push(a->cx, a->l, s));
        touched->fresh = false; /* the ledger's own now */
    }
    return ERR_OK;
}

static err publish(struct append *a)
{
    struct ledger *l = a->l;

    TRY(publish_segments(a));
    metric_add(&ledger_appended_total, (int64_t)(a->next - a->first));
    LOCK(held, &l->state_lock);
    l->frontier = a->frontier;
    l->recorded_us = a->recorded_us;
    l->size = a->next;
    pthread_cond_broadcast(&l->grown);
    pthread_cond_signal(&l->check_now);
    if (a->next / SEGMENT_ENTRIES != a->first / SEGMENT_ENTRIES)
        pthread_cond_signal(&l->seal_now);
    return ERR_OK;
}

static void append_close(struct append *a)
{
    for (size_t t = 0; t < a->touched_count; t++)
        if (a->touched[t].fresh)
            segment_data_close(a->l, a->touched[t].segment);
    free(a->leaves);
    free(a->runs);
    free(a->touched);
    for (unsigned level = 0; level < TREE_FILES; level++)
        free(a->upper[level].hashes);
}

/* Memory and disk are bounded: appends wait while too many full segments wait for the sealer. */
static err wait_for_sealer(struct ctx *cx, struct ledger *l)
{
    LOCK(held, &l->state_lock);

    while (l->size / SEGMENT_ENTRIES - l->sealed_count > l->options.unsealed_max &&
           !l->sealer_failed && !l->poisoned)
        pthread_cond_wait(&l->sealed, &l->state_lock);
    if (l->sealer_failed && l->size / SEGMENT_ENTRIES - l->sealed_count > l->options.unsealed_max)
        return fail(cx, ERR_NO_SPACE,
                    "segments cannot be sealed; the log takes no more until they can");
    return ERR_OK;
}

/* The last segment may have been filled to the brim by the append before. */
static err ensure_open_segment(struct ctx *cx, struct ledger *l)
{
    struct segment_data *last = l->segments[l->segment_count - 1], *s;

    if (last->count < SEGMENT_ENTRIES)
        return ERR_OK;
    TRY(segment_create(cx, l, last->number + 1, &s));
    err e = fs_sync_dir(cx, l->options.fs, l->dir);
    if (e == ERR_OK)
        return segments_push(cx, l, s);
    segment_data_close(l, s);
    return e;
}

err ledger_append(struct ctx *cx, struct ledger *l, struct entry_batch *const *batches,
                  size_t batch_count, struct ledger_receipt *const *receipts, uint64_t *out_first)
{
    CLEANUP(append_close)
    struct append a = {.cx = cx,
                       .l = l,
                       .batches = batches,
                       .batch_count = batch_count,
                       .receipts = receipts,
                       .first = l->size,
                       .next = l->size,
                       .recorded_us = l->recorded_us};

    ENSURE(l->options.signer);
    TRY(check_poison(cx, l));
    TRY(wait_for_sealer(cx, l));
    TRY(ensure_open_segment(cx, l));
    err e = plan(&a);
    if (e == ERR_OK && a.next > a.first) {
        e = write_raw(&a);
        if (e == ERR_OK)
            e = write_tree(&a);
    }
    if (e != ERR_OK)
        return take_back(&a, e);
    if (a.next > a.first) {
        e = sync_all(&a);
        if (e == ERR_OK)
            e = publish(&a);
        if (e != ERR_OK)
            return poison(cx, l, e);
    }
    if (out_first)
        *out_first = a.first;
    return ERR_OK;
}
