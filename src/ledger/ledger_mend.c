/* ledger_mend.c - bringing the files in line with what the log was found to be.
 *
 * What was found may still lie in memory alone: the process may have died between a write and its
 * sync, or after a sync that failed, and then the system shows bytes that the disk does not have
 * and will not write again.  What a checkpoint covers was synced before it was signed; all that is
 * newer is written once more and synced before the log goes on, and so is the checkpoint itself.
 *
 * Then what a crash leaves behind goes: a torn end, segments made ahead, raw files of sealed
 * segments, files of pruned ones, temporary files. */
#include "base/buf.h"
#include "ledger/engine.h"

enum { STEP_BYTES = 1 << 20, LOAD_STEP = SEGMENT_ENTRIES };

/* ---- what is newer than the newest checkpoint ---- */

static err rewrite(struct ctx *cx, struct fs fs, fs_file f, uint64_t from, uint64_t to)
{
    SCRATCH(tmp, cx);
    char *bytes = arena_new(tmp.mem, char, STEP_BYTES);

    while (from < to) {
        size_t n = (size_t)u64_min(STEP_BYTES, to - from);
        TRY(fs_pread_exact(cx, fs, f, bytes, n, from, "a file of the ledger"));
        TRY(fs_pwrite(cx, fs, f, bytes, n, from));
        from += n;
    }
    return ERR_OK;
}

static err rewrite_raw(struct ctx *cx, struct ledger *l, const struct segment_data *s)
{
    uint64_t first = s->number * SEGMENT_ENTRIES, known = l->last_signed.size, size;
    struct fs fs = l->options.fs;

    TRY(fs_size(cx, fs, s->raw, &size));
    if (size > s->raw_bytes)
        TRY(fs_truncate(cx, fs, s->raw, s->raw_bytes));
    if (first + s->count > known)
        TRY(rewrite(cx, fs, s->raw, s->bundle_at[known > first ? (known - first) / 256 : 0],
                    s->raw_bytes));
    return size == s->raw_bytes && first + s->count <= known ? ERR_OK : fs_sync(cx, fs, s->raw);
}

static err rewrite_raws(struct ctx *cx, struct ledger *l)
{
    for (uint64_t n = l->sealed_count; n < l->segment_count; n++)
        TRY(rewrite_raw(cx, l, l->segments[n]));
    return ERR_OK;
}

static err mend_checkpoints(struct ctx *cx, struct ledger *l)
{
    uint64_t end = l->checkpoint_count * CHECKPOINT_RECORD_BYTES, bytes;
    struct fs fs = l->options.fs;

    TRY(fs_size(cx, fs, l->checkpoints, &bytes));
    if (bytes > end)
        TRY(fs_truncate(cx, fs, l->checkpoints, end));
    if (end)
        TRY(rewrite(cx, fs, l->checkpoints, end - CHECKPOINT_RECORD_BYTES, end));
    return bytes ? fs_sync(cx, fs, l->checkpoints) : ERR_OK;
}

/* ---- the tree ---- */

/* Tree files hold exactly what the size says. */
static err cut_tree(struct ctx *cx, struct ledger *l)
{
    uint64_t width = l->size, bytes;

    for (unsigned level = 0; level < TREE_FILES; level++, width /= TREE_TILE_WIDTH) {
        TRY(fs_size(cx, l->options.fs, l->tree[level], &bytes));
        if (bytes > width * HASH_BYTES)
            TRY(fs_truncate(cx, l->options.fs, l->tree[level], width * HASH_BYTES));
    }
    return ERR_OK;
}

/* Nodes of the unsealed part, level by level. */
struct upper_levels {
    struct buf hashes[TREE_FILES];
    uint64_t first[TREE_FILES];
};

static void upper_close(struct upper_levels *u)
{
    for (unsigned level = 0; level < TREE_FILES; level++)
        buf_close(&u->hashes[level]);
}

static void keep_upper(void *state, unsigned level, uint64_t index, const struct hash *hashes,
                       size_t count)
{
    struct upper_levels *u = state;

    if (level >= TREE_FILES)
        return;
    if (u->hashes[level].n == 0)
        u->first[level] = index;
    u->hashes[level].max = SIZE_MAX / 2;
    buf_put(&u->hashes[level], (str){(const char *)hashes, count * sizeof *hashes});
}

/* Join the leaves from the first unsealed segment on. */
static err join_unsealed(struct ctx *cx, struct ledger *l, struct upper_levels *u)
{
    struct tree_sink sink = {keep_upper, u};
    struct tree_frontier f;
    uint64_t at = l->sealed_count * SEGMENT_ENTRIES;
    SCRATCH(tmp, cx);
    struct hash *leaves = arena_new(tmp.mem, struct hash, LOAD_STEP);

    TRY(frontier_load(cx, ledger_tree(l), at, &f));
    while (at < l->size) {
        size_t n = (size_t)u64_min(LOAD_STEP, l->size - at);
        TRY(fs_pread_exact(cx, l->options.fs, l->tree[0], leaves, n * HASH_BYTES, at * HASH_BYTES,
                           "tree-0"));
        frontier_append(&f, leaves, n, &sink);
        at += n;
    }
    return ERR_OK;
}

static err write_upper_levels(struct ctx *cx, struct ledger *l)
{
    CLEANUP(upper_close) struct upper_levels u = {0};

    TRY(join_unsealed(cx, l, &u));
    for (unsigned level = 1; level < TREE_FILES; level++) {
        const struct buf *hashes = &u.hashes[level];
        TRY(buf_check(cx, hashes, "the tree"));
        if (hashes->n)
            TRY(fs_pwrite(cx, l->options.fs, l->tree[level], hashes->p, hashes->n,
                          u.first[level] * HASH_BYTES));
    }
    return ERR_OK;
}

static err mend_tree(struct ctx *cx, struct ledger *l)
{
    uint64_t known = l->last_signed.size;

    TRY(cut_tree(cx, l));
    if (l->size > known) {
        TRY(rewrite(cx, l->options.fs, l->tree[0], known * HASH_BYTES, l->size * HASH_BYTES));
        TRY(fs_sync(cx, l->options.fs, l->tree[0]));
    }
    return write_upper_levels(cx, l);
}

/* ---- files that are left over ---- */

static bool is_left_over(const struct ledger *l, str name)
{
    struct segment_name s;

    if (!segment_name_parse(name, &s))
        return str_eq(name, S("pruned.new"));
    if (str_eq(s.kind, S("seg.new")) || str_eq(s.kind, S("idx.new")))
        return true;
    if (str_eq(s.kind, S("raw")))
        return s.number < l->sealed_count || s.number >= l->segment_count;
    return (str_eq(s.kind, S("seg")) || str_eq(s.kind, S("idx"))) &&
           (s.number < l->pruned_count || s.number >= l->sealed_count);
}

static err remove_left_over(struct ctx *cx, const struct recovery *r)
{
    const struct ledger *l = r->l;

    for (size_t i = 0; i < r->folder.count; i++) {
        SCRATCH(tmp, cx);
        str name = r->folder.names[i];
        if (is_left_over(l, name))
            TRY(fs_unlink(cx, l->options.fs,
                          arena_printf(tmp.mem, "%s/%.*s", l->dir, STR_FMT(name)).p));
    }
    return ERR_OK;
}

static err ensure_growing(struct ctx *cx, struct ledger *l)
{
    struct segment_data *s;

    if (l->size < l->segment_count * SEGMENT_ENTRIES)
        return ERR_OK;
    TRY(segment_create(cx, l, l->segment_count, &s));
    return segments_push(cx, l, s);
}

err ledger_mend(struct ctx *cx, struct recovery *r)
{
    struct ledger *l = r->l;

    TRY(remove_left_over(cx, r));
    TRY(rewrite_raws(cx, l));
    TRY(mend_tree(cx, l));
    TRY(mend_checkpoints(cx, l));
    TRY(ensure_growing(cx, l));
    return fs_sync_dir(cx, l->options.fs, l->dir);
}
