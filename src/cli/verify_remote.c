/* verify_remote.c - see verify_remote.h.
 *
 * One pass over the entry bundles: frames -> leaf hashes -> frontier; as each tile of any level
 * becomes complete (and at the end the partial ones) it is fetched and compared.  The history of
 * checkpoints is fetched first, and each one's root compared when the frontier has its size. */
#include "cli/verify_remote.h"
#include "base/clock.h"
#include "base/encode.h"
#include "cli/remote.h"
#include "cli/whole_file.h"
#include "ledger/checkpoint.h"
#include "ledger/segment_file.h"
#include "ledger/tile.h"
#include "ledger/tree.h"
#include <stdlib.h>
#include <unistd.h>

enum { LEVELS = TREE_TILE_LEVELS, VKEY_BYTES_MAX = 4096, FAULTS_MAX = 100 };

struct signed_root {
    uint64_t size;
    struct hash root;
};

struct level {
    struct hash hashes[TREE_TILE_WIDTH]; /* of the tile being filled */
    unsigned count;
    uint64_t tile;
};

struct look {
    struct ctx *cx; /* of the report */
    struct remote *remote;
    struct verify_report *report;
    struct tree_frontier frontier;
    struct level level[LEVELS];
    struct signed_root *history; /* by size */
    size_t history_count, history_next;
    err result;
};

static void add_fault(struct look *k, str place, uint64_t offset, uint64_t entry, const char *text)
{
    struct verify_report *r = k->report;

    if (r->fault_count < FAULTS_MAX)
        r->faults[r->fault_count++] =
            (struct verify_fault){arena_str(k->cx->mem, place), offset, entry, str_from(text)};
}

static err get_bytes(struct ctx *cx, struct look *k, str path, str *out)
{
    struct remote_request rq = {.path = path};
    struct http_reply reply;

    TRY(remote_call(cx, k->remote, &rq, &reply));
    *out = reply.body;
    return ERR_OK;
}

static str tile_path(struct ctx *cx, const struct tile *t)
{
    struct buf b = BUF(256);

    buf_put(&b, S("/log/"));
    tile_put(&b, t);
    str path = arena_str(cx->mem, buf_str(&b));
    buf_close(&b);
    return path;
}

/* ---- tiles ---- */

/* Fetch the tile that `level` has gathered and compare it. */
static err compare_tile(struct ctx *cx, struct look *k, unsigned level)
{
    struct level *v = &k->level[level];
    struct tile t = {.level = level, .index = v->tile, .width = v->count};
    str path = tile_path(cx, &t), bytes;

    TRY(get_bytes(cx, k, path, &bytes));
    if (bytes.n != v->count * sizeof(struct hash))
        add_fault(k, path, bytes.n, VERIFY_NO_ENTRY, "the tile has a wrong length");
    const char *want = (const char *)v->hashes;
    for (size_t i = 0; i < bytes.n && i < v->count * sizeof(struct hash); i++) {
        if (bytes.p[i] != want[i]) {
            add_fault(k, path, i, VERIFY_NO_ENTRY, "the tile is not what the entries hash to");
            break;
        }
    }
    v->tile++;
    v->count = 0;
    return ERR_OK;
}

static void gather(struct ctx *cx, struct look *k, unsigned level, const struct hash *hashes,
                   size_t count)
{
    for (size_t i = 0; i < count && k->result == ERR_OK && level < LEVELS; i++) {
        struct level *v = &k->level[level];
        v->hashes[v->count++] = hashes[i];
        if (v->count == TREE_TILE_WIDTH)
            k->result = compare_tile(cx, k, level);
    }
}

struct gathering {
    struct ctx *cx;
    struct look *k;
};

static void completed(void *state, unsigned level, uint64_t index, const struct hash *hashes,
                      size_t count)
{
    struct gathering *g = state;

    (void)index;
    gather(g->cx, g->k, level, hashes, count);
}

/* Leaves one run at a time, stopping where a checkpoint was signed. */
static void add_leaves(struct ctx *cx, struct look *k, const struct hash *leaves, size_t n)
{
    struct gathering g = {cx, k};
    struct tree_sink sink = {completed, &g};
    struct hash root;

    gather(cx, k, 0, leaves, n);
    while (n) {
        while (k->history_next < k->history_count &&
               k->history[k->history_next].size <= k->frontier.size)
            k->history_next++;
        size_t step = n;
        if (k->history_next < k->history_count)
            step = size_min(n, (size_t)(k->history[k->history_next].size - k->frontier.size));
        frontier_append(&k->frontier, leaves, step, &sink);
        leaves += step;
        n -= step;
        if (k->history_next < k->history_count &&
            k->history[k->history_next].size == k->frontier.size) {
            frontier_root(&k->frontier, &root);
            if (!hash_eq(&root, &k->history[k->history_next].root))
                add_fault(k, S("/log/checkpoints"), 0, k->frontier.size,
                          "a checkpoint was signed over other entries");
        }
    }
}

/* ---- bundles ---- */

static err look_at_bundle(struct ctx *cx, struct look *k, uint64_t number, unsigned width)
{
    struct tile t = {.is_bundle = true, .index = number, .width = width};
    str path = tile_path(cx, &t), rest, entry, entries[BUNDLE_ENTRIES];
    struct hash leaves[BUNDLE_ENTRIES];
    unsigned n = 0;

    err e = get_bytes(cx, k, path, &rest);
    if (e == ERR_GONE)
        return fail(cx, ERR_GONE,
                    "entries have been pruned; a log is verified whole from a data folder");
    TRY(e);
    while (n < width && frame_next(&rest, &entry))
        entries[n++] = entry;
    if (n < width || rest.n) {
        add_fault(k, path, 0, number * BUNDLE_ENTRIES + n, "the bundle does not hold its entries");
        return fail(cx, ERR_CORRUPT, "%.*s does not hold its entries", STR_FMT(path));
    }
    hash_leaves(entries, n, leaves);
    add_leaves(cx, k, leaves, n);
    return k->result;
}

/* ---- checkpoints ---- */

static err load_history_page(struct ctx *cx, struct look *k, str *cursor, size_t *capacity)
{
    str path = cursor->n ? arena_printf(cx->mem, "/log/checkpoints?limit=1000&cursor=%.*s",
                                        STR_FMT(*cursor))
                         : S("/log/checkpoints?limit=1000");
    struct json page, items, member;

    TRY(remote_get(cx, k->remote, path, &page));
    if (!json_get(page, S("items"), &items))
        return fail(cx, ERR_INVALID, "the server's history of checkpoints is not understood");
    for (struct json_iter it = json_iter(items); json_next(&it);) {
        if (k->history_count == *capacity) {
            *capacity = size_max(1000, *capacity * 2);
            k->history = realloc(k->history, *capacity * sizeof *k->history);
            ENSURE(k->history);
        }
        struct signed_root *s = &k->history[k->history_count++];
        s->size = json_member_count(it.value, S("size"));
        if (!hex_decode(json_member_text(it.value, S("root")), s->root.bytes, HASH_BYTES))
            return fail(cx, ERR_INVALID, "a checkpoint's root is not understood");
    }
    *cursor =
        json_get(page, S("next"), &member) ? arena_str(k->cx->mem, json_str(member)) : STR_NULL;
    return ERR_OK;
}

static int by_size(const void *a, const void *b)
{
    const struct signed_root *x = a, *y = b;

    return (x->size > y->size) - (x->size < y->size);
}

static err load_history(struct ctx *cx, struct look *k)
{
    size_t capacity = 0;
    str cursor = STR_NULL;

    do
        TRY(load_history_page(cx, k, &cursor, &capacity));
    while (cursor.n);
    qsort(k->history, k->history_count, sizeof *k->history, by_size);
    return ERR_OK;
}

static err read_vkey(struct ctx *cx, struct look *k, str given, struct note_verifier *out)
{
    str text = given;

    if (!given.n)
        TRY(get_bytes(cx, k, S("/log/vkey"), &text));
    else if (access(arena_z(cx->mem, given), R_OK) == 0)
        TRY(whole_file_read(cx, given, VKEY_BYTES_MAX, &text));
    return note_verifier_parse(cx, str_trim(text), out);
}

static err run(struct ctx *cx, struct look *k, str vkey,
               void (*progress)(void *state, uint64_t done, uint64_t total), void *state)
{
    CLEANUP(ctx_cleanup) struct ctx *each = ctx_open(0);
    struct checkpoint_opened head;
    struct note_verifier log;
    struct hash root;
    str note;

    TRY(read_vkey(cx, k, vkey, &log));
    TRY(load_history(cx, k));
    TRY(get_bytes(cx, k, S("/log/checkpoint"), &note));
    TRY(checkpoint_open(cx, note, &log, 1, &head));
    uint64_t size = head.checkpoint.size;
    for (uint64_t at = 0; at < size; at += BUNDLE_ENTRIES) {
        err e = look_at_bundle(each, k, at / BUNDLE_ENTRIES,
                               (unsigned)u64_min(BUNDLE_ENTRIES, size - at));
        if (e != ERR_OK)
            return fail(cx, e, "%s", each->detail);
        progress(state, u64_min(at + BUNDLE_ENTRIES, size), size);
        ctx_reset(each);
    }
    for (unsigned level = 0; level < LEVELS; level++)
        if (k->level[level].count)
            TRY(compare_tile(cx, k, level));
    frontier_root(&k->frontier, &root);
    if (!hash_eq(&root, &head.checkpoint.root))
        add_fault(k, S("/log/checkpoint"), 0, VERIFY_NO_ENTRY,
                  "the root is not that of the entries");
    k->report->size = k->report->checked = size;
    k->report->root = root;
    k->report->checkpoints = k->history_count;
    return ERR_OK;
}

err verify_remote(struct ctx *cx, struct cli *cli, str vkey,
                  void (*progress)(void *state, uint64_t done, uint64_t total), void *state,
                  struct verify_report *out)
{
    CLEANUP(remote_cleanup) struct remote *remote = NULL;
    int64_t begun = clock_mono_ns();
    struct look *k = arena_new(cx->mem, struct look, 1);

    TRY(remote_open(cx, cli, &remote));
    *k = (struct look){.cx = cx, .remote = remote, .report = out};
    frontier_init(&k->frontier);
    out->faults = arena_new(cx->mem, struct verify_fault, FAULTS_MAX);
    err e = run(cx, k, vkey, progress, state);
    free(k->history);
    if (e == ERR_FORBIDDEN) {
        add_fault(k, S("/log/checkpoint"), 0, VERIFY_NO_ENTRY, "the log's signature does not hold");
        e = ERR_OK;
    }
    if (e == ERR_CORRUPT)
        e = ERR_OK; /* said as a fault */
    out->ok = e == ERR_OK && out->fault_count == 0;
    out->elapsed_ns = clock_mono_ns() - begun;
    return e;
}
