/* ledger_recover.c - what the files say the log is, after any kind of end.
 *
 * 1. Sealed segments 0..k-1 (or pruned ones) are taken as they are; their heads name the root that
 *    tree-2 must hold, so a foreign or stale file is noticed without reading entries.
 * 2. Raw segments k.. follow.  All but the last are full.  The last is walked frame by frame
 *    and every entry compared with its leaf hash in tree-0; the first that does not match, or is
 * torn, ends the log: what lies behind it was never acknowledged, because an acknowledged batch has
 *    both its bytes and its hashes synced.
 * 3. The upper levels of the tree are computed again from there.
 * 4. The newest checkpoint must lie within the recovered size and have its root; else acknowledged
 *    entries are missing or wrong and the log is not opened. */
#include "base/clock.h"
#include "ledger/engine.h"
#include <stdlib.h>

enum { LOAD_STEP = 4096 };

/* ---- which segments are there ---- */

static bool has_file(struct ctx *cx, const struct ledger *l, uint64_t number, const char *kind)
{
    SCRATCH(tmp, cx);

    return fs_exists(l->options.fs, segment_path(tmp.mem, l, number, kind));
}

/* "<first kept segment>\n"; absent: nothing was ever pruned. */
static err read_pruned(struct ctx *cx, struct ledger *l, uint64_t *out)
{
    const char *path = arena_printf(cx->mem, "%s/pruned", l->dir).p;
    str text;
    err e = fs_read_all(cx, l->options.fs, path, 64, &text);

    *out = 0;
    if (e == ERR_NOT_FOUND) {
        ctx_clear_error(cx);
        return ERR_OK;
    }
    TRY(e);
    if (!str_to_u64(str_trim(text), out))
        return fail(cx, ERR_CORRUPT, "%s: byte 0: no segment number", path);
    return ERR_OK;
}

/* Tree level 2 holds one hash a segment (256 * 256 entries). */
static err check_segment_root(struct ctx *cx, struct ledger *l, const struct segment_data *s)
{
    struct hash stored, own = segment_file_root(s->file);

    TRY(fs_pread_exact(cx, l->options.fs, l->tree[2], &stored, HASH_BYTES, s->number * HASH_BYTES,
                       "tree-2"));
    if (!hash_eq(&stored, &own))
        return fail(cx, ERR_CORRUPT,
                    "segment-%08llu.seg: byte 32: its root is not the one at byte %llu of tree-2",
                    (unsigned long long)s->number, (unsigned long long)(s->number * HASH_BYTES));
    return ERR_OK;
}

/* A crash between the last rename and the removal of the raw file leaves both. */
static err drop_raw(struct ctx *cx, struct ledger *l, uint64_t number)
{
    SCRATCH(tmp, cx);

    if (!l->options.signer || !has_file(cx, l, number, "raw"))
        return ERR_OK;
    return fs_unlink(cx, l->options.fs, segment_path(tmp.mem, l, number, "raw"));
}

static err open_sealed_segments(struct ctx *cx, struct ledger *l)
{
    uint64_t pruned, number = 0;
    struct segment_data *s;

    TRY(read_pruned(cx, l, &pruned));
    for (; number < pruned; number++)
        TRY(segments_push(cx, l, segment_data_new(number, SEGMENT_PRUNED)));
    for (; has_file(cx, l, number, "seg"); number++) {
        TRY(segment_open_sealed(cx, l, number, &s));
        TRY(segments_push(cx, l, s));
        TRY(check_segment_root(cx, l, s));
        TRY(drop_raw(cx, l, number));
    }
    l->sealed_count = number;
    l->pruned_count = pruned;
    return ERR_OK;
}

/* ---- raw segments ---- */

/* Reads a raw segment's entries into its index; stops at the first that does not hold. */
struct raw_scan {
    struct ledger *l;
    struct segment_data *s;
    str rest;
    uint64_t leaf_bytes; /* in tree-0 from the segment's first leaf on */
    struct json_parser *parser;
    struct entry_batch batch;
    struct hash leaves[BUNDLE_ENTRIES];
};

static void raw_scan_close(struct raw_scan *k)
{
    json_parser_close(k->parser);
    entry_batch_close(&k->batch);
}

/* One bundle: parse, hash, compare.  *out_n entries hold; fewer than BUNDLE_ENTRIES: the end. */
static err scan_bundle(struct ctx *cx, struct raw_scan *k, size_t *out_n)
{
    struct ledger *l = k->l;
    uint64_t first = k->s->number * SEGMENT_ENTRIES + k->s->count;
    size_t have, n = 0;
    str before = k->rest, entry;

    entry_batch_clear(&k->batch);
    while (k->batch.count < BUNDLE_ENTRIES && frame_next(&k->rest, &entry)) {
        TRY(entry_add_stored(cx, &k->batch, k->parser, entry, l->recorded_us));
        l->recorded_us = k->batch.meta[k->batch.count - 1].recorded_us;
    }
    entry_batch_hash(&k->batch);
    TRY(fs_pread(cx, l->options.fs, l->tree[0], k->leaves, sizeof k->leaves, first * HASH_BYTES,
                 &have));
    while (n < k->batch.count && n < have / HASH_BYTES &&
           hash_eq(&k->leaves[n], &k->batch.meta[n].leaf))
        n++;
    if (n < k->batch.count) { /* recorded_us ran ahead over what is cut off */
        l->recorded_us = n ? k->batch.meta[n - 1].recorded_us : l->recorded_us;
        k->rest = before;
        for (size_t i = 0; i < n; i++)
            ENSURE(frame_next(&k->rest, &entry));
    }
    *out_n = n;
    return ERR_OK;
}

static err scan_raw(struct ctx *cx, struct raw_scan *k, str frames)
{
    struct segment_data *s = k->s;
    size_t n;

    k->rest = frames;
    do {
        int64_t before = k->l->recorded_us;
        TRY(scan_bundle(cx, k, &n));
        if (n == 0)
            k->l->recorded_us = before;
        index_builder_add(s->builder, &k->batch, 0, n);
        for (size_t i = 0; k->l->dedup && i < n; i++)
            dedup_add(k->l->dedup, k->batch.meta[i].id_hash,
                      s->number * SEGMENT_ENTRIES + s->count + i);
        frontier_append(&k->l->frontier, k->leaves, n, NULL);
        s->count += (uint32_t)n;
        s->bundle_at[(s->count + BUNDLE_ENTRIES - 1) / BUNDLE_ENTRIES] =
            (uint64_t)(k->rest.p - frames.p);
    } while (n == BUNDLE_ENTRIES && s->count < SEGMENT_ENTRIES);
    s->raw_bytes = (uint64_t)(k->rest.p - frames.p);
    return ERR_OK;
}

static err load_raw(struct ctx *cx, struct ledger *l, struct segment_data *s)
{
    CLEANUP(raw_scan_close) struct raw_scan k = {.l = l, .s = s, .parser = json_parser_open()};
    str frames;

    entry_batch_init(&k.batch, BUNDLE_ENTRIES * (ENTRY_BYTES_MAX + 2));
    TRY(fs_map(cx, l->options.fs, s->raw, &frames));
    err e = scan_raw(cx, &k, frames);
    fs_unmap(l->options.fs, frames);
    return e;
}

static err open_raw(struct ctx *cx, struct ledger *l, uint64_t number, struct segment_data **out)
{
    SCRATCH(tmp, cx);
    struct segment_data *s = segment_data_new(number, SEGMENT_GROWING);
    err e = fs_open(cx, l->options.fs, segment_path(tmp.mem, l, number, "raw"),
                    l->options.signer ? FS_WRITE : FS_READ, &s->raw);

    s->builder = index_builder_open();
    if (e == ERR_OK)
        e = load_raw(cx, l, s);
    if (e != ERR_OK) {
        segment_data_close(l, s);
        return e;
    }
    *out = s;
    return ERR_OK;
}

/* Cut a raw file behind its last good entry. */
static err cut_raw(struct ctx *cx, struct ledger *l, const struct segment_data *s)
{
    uint64_t size;

    TRY(fs_size(cx, l->options.fs, s->raw, &size));
    if (size == s->raw_bytes || !l->options.signer)
        return ERR_OK;
    TRY(fs_truncate(cx, l->options.fs, s->raw, s->raw_bytes));
    return fs_sync(cx, l->options.fs, s->raw);
}

static err open_raw_segments(struct ctx *cx, struct ledger *l)
{
    uint64_t number = l->sealed_count;
    struct segment_data *s;
    bool ended = false;

    for (; has_file(cx, l, number, "raw"); number++) {
        if (ended) { /* made ahead of a batch that was never finished */
            SCRATCH(tmp, cx);
            if (l->options.signer)
                TRY(fs_unlink(cx, l->options.fs, segment_path(tmp.mem, l, number, "raw")));
            continue;
        }
        TRY(open_raw(cx, l, number, &s));
        TRY(segments_push(cx, l, s));
        TRY(cut_raw(cx, l, s));
        ended = s->count < SEGMENT_ENTRIES;
    }
    if (ended || !l->options.signer)
        return ERR_OK;
    TRY(segment_create(cx, l, l->segment_count, &s));
    return segments_push(cx, l, s);
}

/* ---- the tree ---- */

/* Tree files hold exactly what the size says; upper levels of the unsealed part are written anew.
 */
static err cut_tree(struct ctx *cx, struct ledger *l)
{
    uint64_t width = l->size;

    for (unsigned level = 0; level < TREE_FILES && l->options.signer; level++, width /= 256) {
        uint64_t bytes;
        TRY(fs_size(cx, l->options.fs, l->tree[level], &bytes));
        if (bytes > width * HASH_BYTES)
            TRY(fs_truncate(cx, l->options.fs, l->tree[level], width * HASH_BYTES));
    }
    return ERR_OK;
}

struct upper_writer {
    struct ctx *cx;
    struct ledger *l;
    err result;
};

static void write_upper(void *state, unsigned level, uint64_t index, const struct hash *hashes,
                        size_t count)
{
    struct upper_writer *w = state;

    if (w->result == ERR_OK && level < TREE_FILES)
        w->result = fs_pwrite(w->cx, w->l->options.fs, w->l->tree[level], hashes,
                              count * HASH_BYTES, index * HASH_BYTES);
}

/* Levels 1 and up over the leaves from the first unsealed segment on. */
static err write_upper_levels(struct ctx *cx, struct ledger *l)
{
    struct upper_writer w = {cx, l, ERR_OK};
    struct tree_sink sink = {write_upper, &w};
    struct tree_frontier f;
    uint64_t at = l->sealed_count * SEGMENT_ENTRIES;
    SCRATCH(tmp, cx);
    struct hash *leaves = arena_new(tmp.mem, struct hash, LOAD_STEP);

    if (!l->options.signer)
        return ERR_OK;
    TRY(frontier_load(cx, ledger_tree(l), at, &f));
    while (at < l->size) {
        size_t n = (size_t)u64_min(LOAD_STEP, l->size - at);
        TRY(fs_pread_exact(cx, l->options.fs, l->tree[0], leaves, n * HASH_BYTES, at * HASH_BYTES,
                           "tree-0"));
        frontier_append(&f, leaves, n, &sink);
        TRY(w.result);
        at += n;
    }
    return ERR_OK;
}

static err check_tree_lengths(struct ctx *cx, struct ledger *l)
{
    uint64_t width = l->sealed_count * SEGMENT_ENTRIES, bytes;

    for (unsigned level = 0; level <= 2; level++, width /= 256) {
        TRY(fs_size(cx, l->options.fs, l->tree[level], &bytes));
        if (bytes < width * HASH_BYTES)
            return fail(cx, ERR_CORRUPT,
                        "%s/tree-%u ends at byte %llu, but the sealed segments need %llu", l->dir,
                        level, (unsigned long long)bytes, (unsigned long long)(width * HASH_BYTES));
    }
    return ERR_OK;
}

/* ---- ids of sealed segments ---- */

static err load_fingerprints(struct ctx *cx, struct ledger *l)
{
    uint64_t ids = l->options.dedup_ids, all = l->sealed_count * SEGMENT_ENTRIES;
    uint64_t number = all > ids ? (all - ids) / SEGMENT_ENTRIES : 0;

    if (!l->dedup)
        return ERR_OK;
    uint64_t *prints = malloc(SEGMENT_ENTRIES * sizeof *prints);
    ENSURE(prints);
    err e = ERR_OK;
    for (; number < l->sealed_count && e == ERR_OK; number++) {
        const struct segment_data *s = l->segments[number];
        if (s->state != SEGMENT_SEALED)
            continue;
        struct segment_index ix = {.reader = s->reader};
        e = index_fingerprints(cx, ix, prints, SEGMENT_ENTRIES);
        if (e == ERR_OK)
            dedup_load(l->dedup, number * SEGMENT_ENTRIES, prints, SEGMENT_ENTRIES);
    }
    free(prints);
    return e;
}

/* The stamp of the last sealed entry, so that `recorded` goes on from there. */
static void load_recorded(struct ctx *cx, struct ledger *l)
{
    int64_t low, high;

    (void)cx;
    if (l->sealed_count == 0 || l->segments[l->sealed_count - 1]->state != SEGMENT_SEALED)
        return;
    struct segment_index ix = {.reader = l->segments[l->sealed_count - 1]->reader};
    if (index_time_range(ix, INDEX_RECORDED, &low, &high))
        l->recorded_us = high;
}

/* ---- checkpoints ---- */

/* The last whole record; a torn one behind it was never seen by anyone and is cut off. */
static err load_checkpoints(struct ctx *cx, struct ledger *l)
{
    char record[CHECKPOINT_RECORD_BYTES];
    uint64_t bytes;

    TRY(fs_size(cx, l->options.fs, l->checkpoints, &bytes));
    uint64_t count = bytes / CHECKPOINT_RECORD_BYTES;
    if (count) {
        TRY(fs_pread_exact(cx, l->options.fs, l->checkpoints, record, sizeof record,
                           (count - 1) * CHECKPOINT_RECORD_BYTES, "checkpoints"));
        if (!checkpoint_record_get(record, &l->last_signed)) {
            if (--count) {
                TRY(fs_pread_exact(cx, l->options.fs, l->checkpoints, record, sizeof record,
                                   (count - 1) * CHECKPOINT_RECORD_BYTES, "checkpoints"));
                if (!checkpoint_record_get(record, &l->last_signed))
                    return fail(cx, ERR_CORRUPT, "%s/checkpoints: byte %llu: the record is damaged",
                                l->dir,
                                (unsigned long long)((count - 1) * CHECKPOINT_RECORD_BYTES));
            }
        }
    }
    if (bytes != count * CHECKPOINT_RECORD_BYTES && l->options.signer)
        TRY(fs_truncate(cx, l->options.fs, l->checkpoints, count * CHECKPOINT_RECORD_BYTES));
    l->checkpoint_count = count;
    return ERR_OK;
}

static err check_last_checkpoint(struct ctx *cx, struct ledger *l)
{
    const struct checkpoint_record *last = &l->last_signed;
    struct hash root;

    if (l->checkpoint_count == 0)
        return ERR_OK;
    if (last->size > l->size)
        return fail(cx, ERR_CORRUPT,
                    "%s: a checkpoint was signed over %llu entries but only %llu are whole: "
                    "acknowledged entries are missing or damaged from entry %llu on",
                    l->dir, (unsigned long long)last->size, (unsigned long long)l->size,
                    (unsigned long long)l->size);
    TRY(tree_root(cx, ledger_tree(l), last->size, &root));
    if (!hash_eq(&root, &last->root))
        return fail(cx, ERR_CORRUPT,
                    "%s: the tree of the first %llu entries is not the one that was signed", l->dir,
                    (unsigned long long)last->size);
    return ERR_OK;
}

err ledger_recover(struct ctx *cx, struct ledger *l)
{
    TRY(open_sealed_segments(cx, l));
    TRY(check_tree_lengths(cx, l));
    TRY(frontier_load(cx, ledger_tree(l), l->sealed_count * SEGMENT_ENTRIES, &l->frontier));
    load_recorded(cx, l);
    TRY(load_fingerprints(cx, l));
    TRY(open_raw_segments(cx, l));
    l->size = l->frontier.size;
    TRY(cut_tree(cx, l));
    TRY(write_upper_levels(cx, l));
    TRY(load_checkpoints(cx, l));
    return check_last_checkpoint(cx, l);
}
