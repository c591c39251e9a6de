/* verify_tree.c - the upper levels of the tree from the leaf hashes, and every checkpoint against
 * both. */
#include "ledger/tree.h"
#include "ledger/verify_inner.h"
#include <stdio.h>

enum { STEP = 4096 };

/* ---- upper levels ---- */

static void compare_level(void *state, unsigned level, uint64_t index, const struct hash *hashes,
                          size_t count)
{
    struct verify *v = state;
    char name[16];

    if (level >= VERIFY_TREE_FILES)
        return;
    snprintf(name, sizeof name, "tree-%u", level);
    for (size_t i = 0; i < count; i++) {
        uint64_t at = (index + i) * HASH_BYTES;
        if (v->tree[level].n < at + HASH_BYTES) {
            verify_fault(v, str_from(name), v->tree[level].n, VERIFY_NO_ENTRY,
                         "the file is too short");
            return;
        }
        for (size_t b = 0; b < HASH_BYTES; b++) {
            if ((uint8_t)v->tree[level].p[at + b] != hashes[i].bytes[b]) {
                verify_fault(v, str_from(name), at + b, VERIFY_NO_ENTRY,
                             "hash %llu is not that of the level below",
                             (unsigned long long)(index + i));
                break;
            }
        }
    }
}

static const struct hash *leaves_from(const struct verify *v, uint64_t at)
{
    return (const struct hash *)(const void *)(v->tree[0].p + at * HASH_BYTES);
}

void verify_upper_levels(struct verify *v, uint64_t size)
{
    struct tree_sink sink = {compare_level, v};
    struct tree_frontier f;

    frontier_init(&f);
    if (v->tree[0].n / HASH_BYTES < size)
        size = v->tree[0].n / HASH_BYTES; /* said where the entry was looked at */
    while (f.size < size)
        frontier_append(&f, leaves_from(v, f.size), (size_t)u64_min(STEP, size - f.size), &sink);
}

/* ---- checkpoints ---- */

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
    struct checkpoint_record r;
    struct hash root;

    if (!checkpoint_record_get(bytes, &r)) {
        fault_at(v, i, 0, "the record is damaged");
        return;
    }
    char again[CHECKPOINT_RECORD_BYTES];
    checkpoint_record_put(&r, again);
    if (memcmp(again, bytes, sizeof again) != 0)
        fault_at(v, i, 116, "bytes that must be zero are not");
    if (r.size < last->size || r.signed_us < last->signed_us)
        fault_at(v, i, 0, "size or time goes back");
    if (!signature_holds(v, cx, &r))
        fault_at(v, i, 48, "the log's signature does not hold");
    if (r.size > size || r.size < f->size)
        return; /* missing entries have been reported */
    while (f->size < r.size)
        frontier_append(f, leaves_from(v, f->size), (size_t)u64_min(STEP, r.size - f->size), NULL);
    frontier_root(f, &root);
    if (!hash_eq(&root, &r.root))
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
    size = u64_min(size, v->tree[0].n / HASH_BYTES);
    for (uint64_t i = 0; i < count; i++) {
        check_record(v, cx, i, &f, &last, size);
        ctx_reset(cx);
    }
    if (v->checkpoints.n % CHECKPOINT_RECORD_BYTES)
        fault_at(v, count, 0, "the last record is cut off");
    while (f.size < size)
        frontier_append(&f, leaves_from(v, f.size), (size_t)u64_min(STEP, size - f.size), NULL);
    frontier_root(&f, out_root);
}
