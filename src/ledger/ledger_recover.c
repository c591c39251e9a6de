/* ledger_recover.c - what the files say the log is, after any kind of end.  Nothing is changed here
 * (ledger_mend.c does that), so a folder that is refused is left as it was found.
 *
 * 1. The newest checkpoint tells how many entries must be there, and with which root.
 * 2. Sealed segments 0..k-1 (or pruned ones) are taken as they are; their heads name the root that
 *    tree-2 must hold, so a foreign or stale file is noticed without reading entries.
 * 3. Raw segments k.. follow.  All but the last are full.  The last is walked frame by frame and
 *    every entry compared with its leaf hash in tree-0; the first that does not match, or is torn,
 *    ends the log: what lies behind it was never acknowledged, because an acknowledged batch has
 *    both its bytes and its hashes synced.
 * 4. The log so found must hold the checkpoint's entries with the checkpoint's root; else
 *    acknowledged entries are missing or wrong and the log is not opened. */
#include "base/clock.h"
#include "ledger/engine.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- the newest checkpoint ---- */

/* A record that was being written when the machine died lacks its end.  One that is whole and does
 * not fit its checksum has been seen by others, and was changed since. */
static bool is_torn(const char record[CHECKPOINT_RECORD_BYTES])
{
    static const char zeros[8];

    return memcmp(record + CHECKPOINT_RECORD_BYTES - sizeof zeros, zeros, sizeof zeros) == 0;
}

static err read_record(struct ctx *cx, struct ledger *l, uint64_t i, bool *out_torn)
{
    char record[CHECKPOINT_RECORD_BYTES];
    uint64_t at = i * CHECKPOINT_RECORD_BYTES;

    TRY(fs_pread_exact(cx, l->options.fs, l->checkpoints, record, sizeof record, at,
                       "checkpoints"));
    *out_torn = is_torn(record);
    if (checkpoint_record_get(record, &l->last_signed))
        return ERR_OK;
    return fail(cx, ERR_CORRUPT, "%s/checkpoints: byte %llu: the record is damaged", l->dir,
                (unsigned long long)at);
}

static err load_checkpoints(struct ctx *cx, struct ledger *l)
{
    uint64_t bytes;
    bool torn = false;

    TRY(fs_size(cx, l->options.fs, l->checkpoints, &bytes));
    uint64_t count = bytes / CHECKPOINT_RECORD_BYTES;
    err e = count ? read_record(cx, l, count - 1, &torn) : ERR_OK;
    if (e == ERR_CORRUPT && torn) {
        ctx_clear_error(cx);
        count--;
        e = count ? read_record(cx, l, count - 1, &torn) : ERR_OK;
    }
    l->checkpoint_count = count;
    return e;
}

/* ---- sealed segments ---- */

static err read_pruned(struct ctx *cx, const struct recovery *r, uint64_t *out)
{
    const char *path = arena_printf(cx->mem, "%s/pruned", r->l->dir).p;
    str text;

    *out = 0;
    if (!folder_has(&r->folder, S("pruned")))
        return ERR_OK;
    TRY(fs_read_all(cx, r->l->options.fs, path, 64, &text));
    if (!pruned_mark_parse(text, out))
        return fail(cx, ERR_CORRUPT, "%s: byte 0: no segment number with its checksum", path);
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

static err missing(struct ctx *cx, const struct ledger *l, uint64_t number, const char *kind)
{
    SCRATCH(tmp, cx);

    return fail(cx, ERR_CORRUPT, "%s is missing", segment_path(tmp.mem, l, number, kind));
}

/* One of the two renames was lost; the raw file is still the segment. */
static bool is_half_sealed(const struct recovery *r, uint64_t number)
{
    return folder_has_segment(&r->folder, number, S("raw")) &&
           !(folder_has_segment(&r->folder, number, S("seg")) &&
             folder_has_segment(&r->folder, number, S("idx")));
}

static err open_sealed_segments(struct ctx *cx, struct recovery *r)
{
    uint64_t pruned, number = 0, end = folder_segments_end(&r->folder, S("seg"));
    struct ledger *l = r->l;
    struct segment_data *s;

    TRY(read_pruned(cx, r, &pruned));
    for (; number < pruned; number++)
        TRY(segments_push(cx, l, segment_data_new(number, SEGMENT_PRUNED)));
    for (; number < end && !is_half_sealed(r, number); number++) {
        if (!folder_has_segment(&r->folder, number, S("seg")))
            return missing(cx, l, number, "seg");
        if (!folder_has_segment(&r->folder, number, S("idx")))
            return missing(cx, l, number, "idx");
        TRY(segment_open_sealed(cx, l, number, &s));
        TRY(segments_push(cx, l, s));
        TRY(check_segment_root(cx, l, s));
    }
    l->sealed_count = number;
    l->pruned_count = pruned;
    return ERR_OK;
}

/* ---- raw segments ---- */

/* Reads a raw segment's entries into its index; stops at the first that does not hold. */
struct raw_scan {
    struct recovery *recovery;
    struct ledger *l;
    struct segment_data *s;
    str rest;
    struct json_parser *parser;
    struct entry_batch batch;
    struct hash *leaves; /* of the segment, as many as tree-0 has */
    size_t leaf_count;
};

static void raw_scan_close(struct raw_scan *k)
{
    free(k->leaves);
    json_parser_close(k->parser);
    entry_batch_close(&k->batch);
}

/* One bundle: parse, hash, compare.  *out_n entries hold; fewer than BUNDLE_ENTRIES: the end. */
static err scan_bundle(struct ctx *cx, struct raw_scan *k, size_t *out_n)
{
    struct ledger *l = k->l;
    const struct hash *leaves = k->leaves + k->s->count;
    size_t n = 0, have = k->leaf_count - size_min(k->leaf_count, k->s->count);
    str before = k->rest, entry;

    entry_batch_clear(&k->batch);
    while (k->batch.count < BUNDLE_ENTRIES && frame_next(&k->rest, &entry)) {
        TRY(entry_add_stored(cx, &k->batch, k->parser, entry, l->recorded_us));
        l->recorded_us = k->batch.meta[k->batch.count - 1].recorded_us;
    }
    entry_batch_hash(&k->batch);
    while (n < k->batch.count && n < have && hash_eq(&leaves[n], &k->batch.meta[n].leaf))
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

/* Join leaves to the tree, stopping on the way at the size of the newest checkpoint. */
static void join_leaves(struct recovery *r, const struct hash *leaves, size_t n)
{
    struct tree_frontier *f = &r->l->frontier;
    uint64_t to_signed = r->l->last_signed.size - f->size;

    if (!r->signed_root_known && r->l->last_signed.size >= f->size && to_signed <= n) {
        frontier_append(f, leaves, (size_t)to_signed, NULL);
        frontier_root(f, &r->signed_root);
        r->signed_root_known = true;
        leaves += to_signed;
        n -= (size_t)to_signed;
    }
    frontier_append(f, leaves, n, NULL);
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
        join_leaves(k->recovery, k->leaves + s->count, n);
        s->count += (uint32_t)n;
        s->bundle_at[(s->count + BUNDLE_ENTRIES - 1) / BUNDLE_ENTRIES] =
            (uint64_t)(k->rest.p - frames.p);
    } while (n == BUNDLE_ENTRIES && s->count < SEGMENT_ENTRIES);
    s->raw_bytes = (uint64_t)(k->rest.p - frames.p);
    return ERR_OK;
}

static err load_leaves(struct ctx *cx, struct raw_scan *k)
{
    size_t bytes;

    k->leaves = malloc(SEGMENT_ENTRIES * HASH_BYTES);
    ENSURE(k->leaves);
    TRY(fs_pread(cx, k->l->options.fs, k->l->tree[0], k->leaves, SEGMENT_ENTRIES * HASH_BYTES,
                 k->s->number * SEGMENT_ENTRIES * HASH_BYTES, &bytes));
    k->leaf_count = bytes / HASH_BYTES;
    return ERR_OK;
}

static err load_raw(struct ctx *cx, struct recovery *r, struct segment_data *s)
{
    CLEANUP(raw_scan_close)
    struct raw_scan k = {.recovery = r, .l = r->l, .s = s, .parser = json_parser_open()};
    str frames;

    entry_batch_init(&k.batch, BUNDLE_ENTRIES * (ENTRY_BYTES_MAX + 2));
    TRY(load_leaves(cx, &k));
    TRY(fs_map(cx, r->l->options.fs, s->raw, &frames));
    err e = scan_raw(cx, &k, frames);
    fs_unmap(r->l->options.fs, frames);
    return e;
}

static err open_raw(struct ctx *cx, struct recovery *r, uint64_t number, struct segment_data **out)
{
    SCRATCH(tmp, cx);
    struct segment_data *s = segment_data_new(number, SEGMENT_GROWING);
    err e = fs_open(cx, r->l->options.fs, segment_path(tmp.mem, r->l, number, "raw"),
                    r->l->options.signer ? FS_WRITE : FS_READ, &s->raw);

    s->builder = index_builder_open();
    if (e == ERR_OK)
        e = load_raw(cx, r, s);
    if (e != ERR_OK) {
        segment_data_close(r->l, s);
        return e;
    }
    *out = s;
    return ERR_OK;
}

/* Up to the first that is not full; what lies behind was made ahead of a batch that was never
 * finished. */
static err open_raw_segments(struct ctx *cx, struct recovery *r)
{
    struct ledger *l = r->l;
    struct segment_data *s;
    bool full = true;

    join_leaves(r, NULL, 0); /* the checkpoint may be of all that is sealed */
    for (uint64_t n = l->sealed_count; full && folder_has_segment(&r->folder, n, S("raw")); n++) {
        TRY(open_raw(cx, r, n, &s));
        TRY(segments_push(cx, l, s));
        full = s->count == SEGMENT_ENTRIES;
    }
    l->size = l->frontier.size;
    return ERR_OK;
}

/* ---- the tree of the sealed part ---- */

/* The rest is written anew. */
static err check_tree_lengths(struct ctx *cx, struct ledger *l)
{
    uint64_t width = l->sealed_count * SEGMENT_ENTRIES, bytes;

    for (unsigned level = 0; level < TREE_FILES && width; level++, width /= TREE_TILE_WIDTH) {
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
static void load_recorded(struct ledger *l)
{
    int64_t low, high;

    if (l->sealed_count == 0 || l->segments[l->sealed_count - 1]->state != SEGMENT_SEALED)
        return;
    struct segment_index ix = {.reader = l->segments[l->sealed_count - 1]->reader};
    if (index_time_range(ix, INDEX_RECORDED, &low, &high))
        l->recorded_us = high;
}

/* ---- does it fit the newest checkpoint ---- */

/* Where the log ended before its time. */
static str describe_end(struct ctx *cx, const struct ledger *l)
{
    uint64_t number = l->size / SEGMENT_ENTRIES;
    const char *path = segment_path(cx->mem, l, number, "raw");

    if (number >= l->segment_count)
        return arena_printf(cx->mem, "%s is missing", path);
    return arena_printf(cx->mem,
                        "%s: byte %llu: entry %llu is damaged or missing, or its hash at byte %llu "
                        "of tree-0 is",
                        path, (unsigned long long)l->segments[number]->raw_bytes,
                        (unsigned long long)l->size, (unsigned long long)l->size * HASH_BYTES);
}

static err check_last_checkpoint(struct ctx *cx, struct recovery *r)
{
    struct ledger *l = r->l;
    const struct checkpoint_record *last = &l->last_signed;

    if (l->checkpoint_count == 0)
        return ERR_OK;
    if (last->size > l->size)
        return fail(cx, ERR_CORRUPT, "%.*s, but a checkpoint was signed over %llu entries",
                    STR_FMT(describe_end(cx, l)), (unsigned long long)last->size);
    if (!r->signed_root_known)
        TRY(tree_root(cx, ledger_tree(l), last->size, &r->signed_root));
    if (!hash_eq(&r->signed_root, &last->root))
        return fail(cx, ERR_CORRUPT,
                    "%s/checkpoints: byte %llu: the tree of the first %llu entries is not the one "
                    "that was signed here",
                    l->dir, (unsigned long long)(l->checkpoint_count - 1) * CHECKPOINT_RECORD_BYTES,
                    (unsigned long long)last->size);
    return ERR_OK;
}

/* Whoever may not write relies on the upper levels as they are. */
static err check_upper_levels(struct ctx *cx, struct ledger *l)
{
    struct hash stored, own;

    if (l->options.signer)
        return ERR_OK;
    frontier_root(&l->frontier, &own);
    TRY(tree_root(cx, ledger_tree(l), l->size, &stored));
    if (!hash_eq(&stored, &own))
        return fail(cx, ERR_CORRUPT,
                    "%s was not closed in order: the server must be started on it once", l->dir);
    return ERR_OK;
}

err ledger_recover(struct ctx *cx, struct recovery *r)
{
    struct ledger *l = r->l;

    TRY(load_checkpoints(cx, l));
    TRY(open_sealed_segments(cx, r));
    TRY(check_tree_lengths(cx, l));
    TRY(frontier_load(cx, ledger_tree(l), l->sealed_count * SEGMENT_ENTRIES, &l->frontier));
    load_recorded(l);
    TRY(load_fingerprints(cx, l));
    TRY(open_raw_segments(cx, r));
    TRY(check_last_checkpoint(cx, r));
    return check_upper_levels(cx, l);
}
