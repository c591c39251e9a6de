/* verify_tree.c - the upper levels of the tree, and every checkpoint, against what the entries say.
 */
#include "ledger/verify_inner.h"
#include <stdio.h>

enum { STEP = 4096 };

const struct hash *verify_stored(const struct verify *v, unsigned level, uint64_t index,
                                 uint64_t *out_n)
{
    str tree = v->tree[level];
    uint64_t count = tree.n / HASH_BYTES;

    *out_n = count > index ? count - index : 0;
    return (const struct hash *)(const void *)(tree.p + u64_min(index, count) * HASH_BYTES);
}

struct hash verify_root_of(const struct hash *leaves, size_t n)
{
    struct tree_frontier f;
    struct hash root;

    frontier_init(&f);
    frontier_append(&f, leaves, n, NULL);
    frontier_root(&f, &root);
    return root;
}

void verify_keep_right(struct verify *v, uint64_t bundle, const struct hash *leaves, size_t n)
{
    LOCK(held, &v->lock);
    struct right_leaves *r = arena_new(v->cx->mem, struct right_leaves, 1);

    r->bundle = bundle;
    memcpy(r->leaves, leaves, n * sizeof *leaves);
    r->next = v->right;
    v->right = r;
}

/* ---- upper levels ---- */

static void compare_level(void *state, unsigned level, uint64_t index, const struct hash *hashes,
                          size_t count)
{
    struct verify *v = state;
    char name[16];
    uint64_t there;

    if (level >= VERIFY_TREE_FILES)
        return;
    const struct hash *stored = verify_stored(v, level, index, &there);
    snprintf(name, sizeof name, "tree-%u", level);
    for (size_t i = 0; i < size_min(count, there); i++) {
        size_t b = 0;
        while (b < HASH_BYTES && stored[i].bytes[b] == hashes[i].bytes[b])
            b++;
        if (b < HASH_BYTES)
            verify_fault(v, str_from(name), (index + i) * HASH_BYTES + b, VERIFY_NO_ENTRY,
                         "hash %llu is not that of the level below",
                         (unsigned long long)(index + i));
    }
}

static void check_length(struct verify *v, unsigned level, uint64_t width)
{
    char name[16];

    if (v->tree[level].n / HASH_BYTES >= width)
        return;
    snprintf(name, sizeof name, "tree-%u", level);
    verify_fault(v, str_from(name), v->tree[level].n, VERIFY_NO_ENTRY,
                 "the file ends before hash %llu of %llu",
                 (unsigned long long)v->tree[level].n / HASH_BYTES, (unsigned long long)width);
}

/* The tree over whole bundles. */
static void join_bundles(const struct verify *v, uint64_t from, uint64_t to,
                         struct tree_frontier *f, const struct tree_sink *sink)
{
    for (uint64_t n; from < to; from += n) {
        n = u64_min(STEP, to - from);
        frontier_append_runs(f, 1, v->roots + from, (size_t)n, sink);
    }
}

void verify_upper_levels(struct verify *v, uint64_t size)
{
    struct tree_sink sink = {compare_level, v};
    struct tree_frontier f;
    uint64_t bundles = size / BUNDLE_ENTRIES, width = size;

    frontier_init(&f);
    for (unsigned level = 0; level < VERIFY_TREE_FILES; level++, width /= TREE_TILE_WIDTH)
        check_length(v, level, width);
    compare_level(v, 1, 0, v->roots, (size_t)bundles);
    join_bundles(v, 0, bundles, &f, &sink);
}

/* ---- checkpoints ---- */

/* The right leaf hashes of a bundle; *out_n of them are known. */
static const struct hash *right_leaves(const struct verify *v, uint64_t bundle, uint64_t *out_n)
{
    for (const struct right_leaves *r = v->right; r; r = r->next) {
        if (r->bundle != bundle)
            continue;
        *out_n = BUNDLE_ENTRIES;
        return r->leaves;
    }
    return verify_stored(v, 0, bundle * BUNDLE_ENTRIES, out_n);
}

/* Root of the first `size` entries.  `f` has joined whole bundles up to some place before. */
static bool root_at(const struct verify *v, struct tree_frontier *f, uint64_t size,
                    struct hash *out)
{
    uint64_t bundle = size / BUNDLE_ENTRIES, known;
    const struct hash *leaves = right_leaves(v, bundle, &known);

    join_bundles(v, f->size / BUNDLE_ENTRIES, bundle, f, NULL);
    if (known < size % BUNDLE_ENTRIES)
        return false;
    struct tree_frontier whole = *f;
    frontier_append(&whole, leaves, size % BUNDLE_ENTRIES, NULL);
    frontier_root(&whole, out);
    return true;
}

/* Does the last checkpoint speak for the bytes, or for the leaf hashes? */
static void settle_doubt(struct verify *v)
{
    const struct doubt *d = &v->doubt;
    const struct checkpoint_record *last = &v->last_signed;
    uint64_t bundle = d->entry / BUNDLE_ENTRIES, n = last->size - bundle * BUNDLE_ENTRIES;
    struct tree_frontier f;
    struct hash root;

    if (!d->open)
        return;
    frontier_init(&f);
    join_bundles(v, 0, bundle, &f, NULL);
    frontier_append(&f, d->own, (size_t)u64_min(n, d->own_count), NULL);
    frontier_root(&f, &root);
    if (!hash_eq(&root, &last->root)) {
        SCRATCH(tmp, v->cx);
        verify_fault(v, verify_segment_name(tmp.mem, d->entry / SEGMENT_ENTRIES, "raw"),
                     d->entry_at, d->entry, "entry %llu does not have its leaf hash",
                     (unsigned long long)d->entry);
        return;
    }
    verify_keep_right(v, bundle, d->own, d->own_count);
    verify_fault(v, S("tree-0"), d->entry * HASH_BYTES, d->entry,
                 "the leaf hash of entry %llu is not that of its bytes",
                 (unsigned long long)d->entry);
}

static void fault_at(struct verify *v, uint64_t record, uint64_t byte, const char *text)
{
    verify_fault(v, S("checkpoints"), record * CHECKPOINT_RECORD_BYTES + byte, VERIFY_NO_ENTRY,
                 "%s", text);
}

static bool signature_holds(struct verify *v, struct ctx *cx, const struct checkpoint_record *r)
{
    const struct note_verifier *log = v->options->log;
    struct checkpoint_opened opened;

    if (!log)
        return true;
    return checkpoint_open(cx, checkpoint_record_note(cx, log->name, r), log, 1, &opened) == ERR_OK;
}

static void check_record(struct verify *v, struct ctx *cx, uint64_t i, struct tree_frontier *f,
                         struct checkpoint_record *last, uint64_t size)
{
    const char *bytes = v->checkpoints.p + i * CHECKPOINT_RECORD_BYTES;
    char again[CHECKPOINT_RECORD_BYTES];
    struct checkpoint_record r;
    struct hash root;

    if (!checkpoint_record_get(bytes, &r)) {
        fault_at(v, i, 0, "the record is damaged");
        return;
    }
    checkpoint_record_put(&r, again);
    if (memcmp(again, bytes, sizeof again) != 0)
        fault_at(v, i, 116, "bytes that must be zero are not");
    if (r.size < last->size || r.signed_us < last->signed_us)
        fault_at(v, i, 0, "size or time goes back");
    if (!signature_holds(v, cx, &r))
        fault_at(v, i, 48, "the log's signature does not hold");
    if (r.size < last->size || r.size > size)
        return; /* missing entries have been reported */
    if (root_at(v, f, r.size, &root) && !hash_eq(&root, &r.root))
        fault_at(v, i, 16, "the root is not that of the entries");
    *last = r;
}

void verify_checkpoints(struct verify *v, uint64_t size, struct hash *out_root)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    uint64_t count = v->checkpoints.n / CHECKPOINT_RECORD_BYTES;
    struct checkpoint_record last = {0};
    struct tree_frontier f;

    frontier_init(&f);
    settle_doubt(v);
    for (uint64_t i = 0; i < count; i++) {
        check_record(v, cx, i, &f, &last, size);
        ctx_reset(cx);
    }
    if (v->checkpoints.n % CHECKPOINT_RECORD_BYTES)
        fault_at(v, count, 0, "the last record is cut off");
    if (!root_at(v, &f, size, out_root))
        *out_root = hash_empty_root();
}
