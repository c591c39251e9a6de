/* verify_segment.c - one segment: every entry against its leaf hash, its frames, its stamps, its
 * index.
 *
 * Where entry and leaf hash differ, one of the two files is wrong; tree-1, the root over each 256
 * leaf hashes, tells which.  The index is made again from the entries and compared byte for byte.
 */
#include "ledger/entry.h"
#include "ledger/verify_inner.h"
#include <stdlib.h>

struct look {
    struct verify *v;
    uint64_t number;
    str name; /* of the file with the entries */
    bool sealed;
    struct json_parser *parser;
    struct entry_batch batch;
    struct index_builder *builder;
    uint32_t count; /* entries that hold, so far */
    bool ended;
    int64_t recorded_us;
};

static void look_close(struct look *k)
{
    json_parser_close(k->parser);
    entry_batch_close(&k->batch);
    index_builder_close(k->builder);
}

static uint64_t entry_number(const struct look *k, size_t i)
{
    return k->number * SEGMENT_ENTRIES + k->count + i;
}

/* The leaf hashes that tree-0 has for the next entries; *out_n of them. */
static const struct hash *stored_leaves(const struct look *k, size_t *out_n)
{
    uint64_t at = entry_number(k, 0) * HASH_BYTES;
    str tree = k->v->tree[0];

    *out_n = tree.n > at ? (size_t)((tree.n - at) / HASH_BYTES) : 0;
    return (const struct hash *)(const void *)(tree.p + u64_min(at, tree.n));
}

static struct hash root_of(const struct hash *leaves, size_t n)
{
    struct tree_frontier f;
    struct hash root;

    frontier_init(&f);
    frontier_append(&f, leaves, n, NULL);
    frontier_root(&f, &root);
    return root;
}

/* Does tree-1 agree with the stored leaves of this bundle?  If so the entry is what changed. */
static bool leaves_are_right(const struct look *k, const struct hash *leaves, size_t n)
{
    uint64_t at = entry_number(k, 0) / BUNDLE_ENTRIES * HASH_BYTES;
    str upper = k->v->tree[1];

    if (n < BUNDLE_ENTRIES || upper.n < at + HASH_BYTES)
        return true;
    struct hash root = root_of(leaves, BUNDLE_ENTRIES);
    return memcmp(root.bytes, upper.p + at, HASH_BYTES) == 0;
}

/* Entry i of the batch does not have its leaf hash.  Behind the last checkpoint, in the last raw
 * segment, that is the end of what was acknowledged and no fault. */
static void report_entry(struct look *k, size_t i, uint64_t offset, const struct hash *leaves,
                         size_t leaf_count)
{
    uint64_t entry = entry_number(k, i);
    struct verify *v = k->v;

    k->ended = !k->sealed;
    if (!k->sealed && entry >= v->signed_size && k->number + 1 == v->segment_end)
        return;
    if (i >= leaf_count)
        verify_fault(v, S("tree-0"), v->tree[0].n, entry, "the leaf hash of entry %llu is missing",
                     (unsigned long long)entry);
    else if (leaves_are_right(k, leaves, leaf_count))
        verify_fault(v, k->name, offset, entry, "entry %llu does not have its leaf hash",
                     (unsigned long long)entry);
    else
        verify_fault(v, S("tree-0"), entry * HASH_BYTES, entry,
                     "the leaf hash of entry %llu is not that of its bytes",
                     (unsigned long long)entry);
}

static void check_stamps(struct look *k, size_t n, uint64_t offset)
{
    for (size_t i = 0; i < n; i++) {
        const struct entry_meta *m = &k->batch.meta[i];
        if (m->recorded_us < k->recorded_us)
            verify_fault(k->v, k->name, offset, entry_number(k, i),
                         "\"recorded\" of entry %llu goes back",
                         (unsigned long long)entry_number(k, i));
        k->recorded_us = m->recorded_us;
    }
    if (k->count == 0 && n)
        k->v->first_recorded[k->number] = k->batch.meta[0].recorded_us;
    k->v->last_recorded[k->number] = k->recorded_us;
}

/* Up to 256 entries, which lie at `offset` of the file (sealed: the bundle's frame). */
static err look_at_bundle(struct ctx *cx, struct look *k, str *frames, uint64_t offset)
{
    str rest = *frames, entry;
    size_t leaf_count, bad = SIZE_MAX;

    entry_batch_clear(&k->batch);
    while (k->batch.count < BUNDLE_ENTRIES && frame_next(&rest, &entry)) {
        int64_t inherited =
            k->batch.count ? k->batch.meta[k->batch.count - 1].recorded_us : k->recorded_us;
        TRY(entry_add_stored(cx, &k->batch, k->parser, entry, inherited));
    }
    entry_batch_hash(&k->batch);
    const struct hash *leaves = stored_leaves(k, &leaf_count);
    for (size_t i = 0; i < k->batch.count; i++) {
        if (i < leaf_count && hash_eq(&leaves[i], &k->batch.meta[i].leaf))
            continue;
        uint64_t at = k->sealed ? offset : offset + k->batch.meta[i].at - ENTRY_FRAME_BYTES;
        report_entry(k, i, at, leaves, leaf_count);
        bad = i;
        break;
    }
    size_t good = k->sealed || bad == SIZE_MAX ? k->batch.count : bad;
    check_stamps(k, bad == SIZE_MAX ? good : bad, offset);
    index_builder_add(k->builder, &k->batch, 0, good);
    k->count += (uint32_t)good;
    verify_progress(k->v, good);
    *frames = rest;
    return ERR_OK;
}

/* ---- raw ---- */

static err look_at_raw(struct ctx *cx, struct look *k, str file)
{
    str rest = file;

    while (rest.n && !k->ended && k->count < SEGMENT_ENTRIES) {
        uint32_t before = k->count;
        TRY(look_at_bundle(cx, k, &rest, (uint64_t)(rest.p - file.p)));
        if (k->count == before)
            break;
    }
    uint64_t at = (uint64_t)(rest.p - file.p), entry = entry_number(k, 0);
    bool acknowledged = entry < k->v->signed_size || k->number + 1 < k->v->segment_end;
    if (k->count < SEGMENT_ENTRIES && !k->ended && acknowledged)
        verify_fault(k->v, k->name, at, entry, "the file ends inside or before entry %llu",
                     (unsigned long long)entry);
    else if (k->count == SEGMENT_ENTRIES && rest.n)
        verify_fault(k->v, k->name, at, VERIFY_NO_ENTRY, "something follows the last entry");
    return ERR_OK;
}

/* ---- sealed ---- */

static void check_head(const struct look *k, const struct segment_file *f, uint64_t raw_bytes)
{
    struct hash root = segment_file_root(f);
    uint64_t at = k->number * HASH_BYTES;
    str upper = k->v->tree[2];

    if (upper.n < at + HASH_BYTES || memcmp(root.bytes, upper.p + at, HASH_BYTES) != 0)
        verify_fault(k->v, k->name, 32, VERIFY_NO_ENTRY,
                     "the root in its head is not that of tree-2");
    if (segment_file_raw_bytes(f) != raw_bytes)
        verify_fault(k->v, k->name, 16, VERIFY_NO_ENTRY,
                     "its head does not tell the size of its entries");
}

static err look_at_sealed(struct ctx *cx, struct look *k, const struct segment_file *f)
{
    uint64_t raw_bytes = 0, at, packed;
    char *frames;
    size_t n;

    for (unsigned b = 0; b < SEGMENT_BUNDLES; b++) {
        segment_file_extent(f, b, &at, &packed);
        if (segment_file_bundle(cx, f, b, &frames, &n) != ERR_OK) {
            verify_fault(k->v, k->name, at, entry_number(k, 0), "bundle %u is damaged", b);
            k->count += BUNDLE_ENTRIES;
            k->ended = true;
            continue;
        }
        str rest = {frames, n};
        raw_bytes += n;
        err e = look_at_bundle(cx, k, &rest, at);
        free(frames);
        TRY(e);
    }
    if (!k->ended)
        check_head(k, f, raw_bytes);
    return ERR_OK;
}

static void compare_index(struct look *k, str file, str name, str want)
{
    size_t at = 0, n = size_min(file.n, want.n);

    while (at < n && file.p[at] == want.p[at])
        at++;
    if (at < n || file.n != want.n)
        verify_fault(k->v, name, at, VERIFY_NO_ENTRY, "the index is not the one its entries have");
}

/* ---- one segment ---- */

struct mapped {
    struct fs fs;
    str bytes;
};

static void mapped_close(struct mapped *m)
{
    fs_unmap(m->fs, m->bytes);
}

static err map_name(struct ctx *cx, const struct verify *v, str name, struct mapped *out)
{
    const char *path = arena_printf(cx->mem, "%s/%.*s", v->options->dir, STR_FMT(name)).p;
    fs_file f;

    TRY(fs_open(cx, v->options->fs, path, FS_READ, &f));
    err e = fs_map(cx, v->options->fs, f, &out->bytes);
    fs_close(v->options->fs, f);
    return e;
}

static err check_index(struct ctx *cx, struct look *k)
{
    CLEANUP(mapped_close) struct mapped file = {k->v->options->fs, S("")};
    CLEANUP(buf_close) struct buf want = BUF((size_t)1 << 40);
    str name = verify_segment_name(cx->mem, k->number, "idx");

    if (k->ended || !folder_has(&k->v->folder, name))
        return ERR_OK; /* entries or file are missing, which has been said */
    TRY(map_name(cx, k->v, name, &file));
    TRY(index_builder_write(cx, k->builder, k->number, &want));
    compare_index(k, file.bytes, name, buf_str(&want));
    return ERR_OK;
}

static err open_and_look(struct ctx *cx, struct look *k)
{
    CLEANUP(mapped_close) struct mapped file = {k->v->options->fs, S("")};
    struct segment_file *sealed;

    TRY(map_name(cx, k->v, k->name, &file));
    if (!k->sealed)
        return look_at_raw(cx, k, file.bytes);
    if (segment_file_open(cx, file.bytes, k->number, &sealed) != ERR_OK) {
        verify_fault(k->v, k->name, 0, VERIFY_NO_ENTRY, "%s", cx->detail);
        ctx_clear_error(cx);
        k->count = SEGMENT_ENTRIES;
        k->ended = true;
        return ERR_OK;
    }
    err e = look_at_sealed(cx, k, sealed);
    segment_file_close(sealed);
    TRY(e);
    return check_index(cx, k);
}

err verify_segment(struct ctx *cx, struct verify *v, uint64_t number)
{
    bool sealed = folder_has_segment(&v->folder, number, S("seg"));
    CLEANUP(look_close)
    struct look k = {
        .v = v,
        .number = number,
        .sealed = sealed,
        .name = verify_segment_name(cx->mem, number, sealed ? "seg" : "raw"),
        .parser = json_parser_open(),
        .builder = index_builder_open(),
    };

    entry_batch_init(&k.batch, BUNDLE_ENTRIES * (ENTRY_BYTES_MAX + ENTRY_FRAME_BYTES));
    if (!folder_has(&v->folder, k.name))
        return ERR_OK;
    TRY(open_and_look(cx, &k));
    v->counts[number] = k.count;
    return ERR_OK;
}
