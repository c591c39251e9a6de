/* sim_log.c - see sim_log.h. */
#include "sim_log.h"
#include "base/clock.h"
#include "ledger/proof.h"
#include <stdio.h>
#include <stdlib.h>

enum { OPAQUE_FROM = 1000, OPAQUE_TO = 65000, TYPES = 5, LEVELS = 3 };
#define FIRST_US INT64_C(1790000000000000)
#define PATIENCE_NS INT64_C(20000000000)
#define LOOK_NS INT64_C(20000000)

const struct note_signer *sim_log_signer(void)
{
    static struct note_signer signer;
    static struct ed25519_key key;

    if (!signer.name.p) {
        CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
        ed25519_from_seed((const uint8_t *)"the seed of all logs of the tests", &key);
        CHECK_OK(note_signer_init(cx, S(SIM_LOG_ORIGIN), NOTE_ED25519, &key, &signer));
    }
    return &signer;
}

/* Checkpoints on demand only, so that the order of calls is nearly always the same. */
struct ledger_options sim_log_options(struct fs fs, const char *dir)
{
    return (struct ledger_options){.fs = fs,
                                   .dir = dir,
                                   .origin = S(SIM_LOG_ORIGIN),
                                   .signer = sim_log_signer(),
                                   .checkpoint_ns = INT64_MAX / 2,
                                   .unsealed_max = 4,
                                   .zstd_level = 1,
                                   .cache_bytes = 1 << 20,
                                   .dedup_ids = 1 << 17};
}

/* ---- the entries ---- */

/* Most of the first segment is opaque and short, so that a full one is made quickly. */
static bool is_opaque(uint64_t i)
{
    return (i >= OPAQUE_FROM && i < OPAQUE_TO) || i % 4 == 3;
}

static err add_entry(struct ctx *cx, struct entry_batch *b, struct json_parser *p, uint64_t i)
{
    int64_t now = FIRST_US + (int64_t)i;
    char text[256 + JSON_PADDING];

    if (is_opaque(i)) {
        int n = snprintf(text, sizeof text, "raw %llu", (unsigned long long)i);
        return entry_add_opaque(cx, b, (str){text, (size_t)n}, now);
    }
    int n = snprintf(text, sizeof text,
                     "{\"specversion\":\"1.0\",\"id\":\"%llu\",\"source\":\"/sim\",\"type\":"
                     "\"sim.%llu\",\"subject\":\"thing/%llu\"}",
                     (unsigned long long)i, (unsigned long long)i % TYPES, (unsigned long long)i);
    struct entry_stamp stamp = {.recorded_us = now, .principal = S("key/sim")};
    return entry_add(cx, b, p, (str){text, (size_t)n}, &stamp);
}

static void fill(struct ctx *cx, struct entry_batch *b, uint64_t from, uint64_t n)
{
    struct json_parser *p = json_parser_open();

    entry_batch_init(b, 1 << 26);
    for (uint64_t i = from; i < from + n; i++)
        CHECK_OK(add_entry(cx, b, p, i));
    entry_batch_hash(b);
    json_parser_close(p);
}

str sim_log_entry(struct arena *mem, uint64_t i)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    struct entry_batch b;

    fill(cx, &b, i, 1);
    str entry = arena_str(mem, entry_batch_get(&b, 0));
    entry_batch_close(&b);
    return entry;
}

/* ---- the tree that they have ---- */

static struct hash *expected[LEVELS];
static size_t expected_count[LEVELS];

static void keep_expected(void *state, unsigned level, uint64_t index, const struct hash *hashes,
                          size_t count)
{
    (void)state;
    ENSURE(level < LEVELS && index == expected_count[level]);
    memcpy(expected[level] + index, hashes, count * sizeof *hashes);
    expected_count[level] += count;
}

static void make_expected(void)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    struct tree_sink sink = {keep_expected, NULL};
    struct tree_frontier f;
    struct entry_batch b;

    for (unsigned level = 0; level < LEVELS; level++)
        expected[level] =
            calloc(((size_t)SIM_LOG_ENTRIES_MAX >> 8 * level) + 1, sizeof(struct hash));
    frontier_init(&f);
    fill(cx, &b, 0, SIM_LOG_ENTRIES_MAX);
    for (size_t i = 0; i < b.count; i++) {
        expected[0][i] = b.meta[i].leaf;
        frontier_append(&f, &b.meta[i].leaf, 1, &sink);
    }
    expected_count[0] = b.count;
    entry_batch_close(&b);
}

static err read_expected(struct ctx *cx, void *state, unsigned level, uint64_t index, size_t count,
                         struct hash *out)
{
    (void)cx, (void)state;
    ENSURE(level < LEVELS && index + count <= expected_count[level]);
    memcpy(out, expected[level] + index, count * sizeof *out);
    return ERR_OK;
}

static void ensure_expected(void)
{
    if (!expected[0])
        make_expected();
}

void sim_log_root(uint64_t size, struct hash *out)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);

    ensure_expected();
    CHECK_OK(tree_root(cx, (struct tree_source){read_expected, NULL}, size, out));
}

/* ---- a log ---- */

err sim_log_append(struct ctx *cx, struct ledger *l, uint64_t n)
{
    struct entry_batch b, *one = &b;
    uint64_t first = ledger_size(l), got;

    fill(cx, &b, first, n);
    err e = ledger_append(cx, l, &one, 1, NULL, &got);
    if (e == ERR_OK) {
        CHECK_EQ(got, first);
        CHECK_EQ(b.stored, n);
        CHECK_EQ(b.first_index, first);
    }
    entry_batch_close(&b);
    return e;
}

static void check_leaves(struct ctx *cx, struct sim_log *w)
{
    uint64_t size = ledger_size(w->l);
    struct hash *leaves = malloc((size + 1) * sizeof *leaves);
    struct tree_source tree = ledger_tree(w->l);

    ensure_expected();
    CHECK(size >= w->acked && size <= SIM_LOG_ENTRIES_MAX);
    CHECK_OK(tree.read(cx, tree.state, 0, 0, size, leaves));
    for (uint64_t i = 0; i < size; i++)
        CHECK(hash_eq(&leaves[i], &expected[0][i]));
    free(leaves);
}

err sim_log_open(struct ctx *cx, struct sim_log *w)
{
    struct ledger_options options = sim_log_options(sim_fs(w->sim), SIM_LOG_DIR);

    TRY(ledger_open(cx, &options, &w->l));
    sim_pause(w->sim, true);
    if (!sim_is_dead(w->sim)) {
        check_leaves(cx, w);
        w->acked = ledger_size(w->l);
    }
    sim_pause(w->sim, false);
    return ERR_OK;
}

void sim_log_close(struct sim_log *w)
{
    ledger_close(w->l);
    w->l = NULL;
}

err sim_log_add(struct ctx *cx, struct sim_log *w, uint64_t n)
{
    TRY(sim_log_append(cx, w->l, n));
    w->acked = ledger_size(w->l);
    return ERR_OK;
}

err sim_log_checkpoint(struct ctx *cx, struct sim_log *w)
{
    struct note_verifier v = note_signer_verifier(sim_log_signer());
    struct checkpoint_opened opened;
    uint64_t size;
    str note;

    int64_t give_up_ns = clock_mono_ns() + PATIENCE_NS;
    err e = ERR_TIMEOUT;
    while (e == ERR_TIMEOUT && clock_mono_ns() < give_up_ns) {
        cx->deadline_ns = clock_mono_ns() + LOOK_NS;
        e = ledger_checkpoint(cx, w->l, ledger_size(w->l), &note, &size);
        if (sim_is_dead(w->sim))
            break; /* nothing will ever be signed on it */
    }
    cx->deadline_ns = 0;
    TRY(e);
    CHECK_OK(checkpoint_open(cx, note, &v, 1, &opened));
    CHECK_EQ(opened.checkpoint.size, size);
    ENSURE(w->handed_count < SIM_HANDED_MAX);
    w->handed[w->handed_count++] = (struct handed_out){size, opened.checkpoint.root};
    return ERR_OK;
}

/* ---- what must hold ---- */

static void check_root(struct ctx *cx, struct sim_log *w, uint64_t size, const struct hash *root)
{
    struct hash known, stored;

    CHECK(size <= ledger_size(w->l));
    sim_log_root(size, &known);
    CHECK_OK(tree_root(cx, ledger_tree(w->l), size, &stored));
    CHECK(hash_eq(&known, &stored));
    CHECK(hash_eq(&known, root));
}

static bool is_in_history(struct ctx *cx, struct sim_log *w, const struct handed_out *h)
{
    struct ledger_signed c;

    for (uint64_t i = 0; i < ledger_checkpoint_count(w->l); i++) {
        CHECK_OK(ledger_checkpoint_at(cx, w->l, i, &c));
        if (c.size == h->size && hash_eq(&c.root, &h->root))
            return true;
    }
    return false;
}

static void check_consistency(struct ctx *cx, struct sim_log *w, const struct handed_out *h)
{
    uint64_t size = ledger_size(w->l);
    struct proof p;
    struct hash root;

    if (h->size == 0)
        return;
    sim_log_root(size, &root);
    CHECK_OK(tree_consistency(cx, ledger_tree(w->l), h->size, size, &p));
    CHECK(proof_extends(h->size, &h->root, size, &root, &p));
}

static void check_checkpoints(struct ctx *cx, struct sim_log *w)
{
    uint64_t before = 0;
    struct ledger_signed c;

    for (uint64_t i = 0; i < ledger_checkpoint_count(w->l); i++) {
        CHECK_OK(ledger_checkpoint_at(cx, w->l, i, &c));
        CHECK(c.size >= before);
        check_root(cx, w, c.size, &c.root);
        before = c.size;
    }
    for (size_t i = 0; i < w->handed_count; i++) {
        check_root(cx, w, w->handed[i].size, &w->handed[i].root);
        check_consistency(cx, w, &w->handed[i]);
        CHECK(is_in_history(cx, w, &w->handed[i]));
    }
}

static void check_entry(struct ctx *cx, struct sim_log *w, uint64_t i)
{
    SCRATCH(tmp, cx);
    str entry;

    if (i < ledger_first_kept(w->l)) {
        CHECK(i < w->pruned_to);
        CHECK_ERR(ledger_entry(cx, w->l, i, &entry), ERR_GONE);
        return;
    }
    CHECK_OK(ledger_entry(cx, w->l, i, &entry));
    CHECK_STR(entry, sim_log_entry(tmp.mem, i));
}

/* Some from everywhere, all around what is new; that bytes fit leaves is ledger_verify()'s part. */
static void check_entries(struct ctx *cx, struct sim_log *w)
{
    uint64_t size = ledger_size(w->l);

    for (uint64_t i = 0; i < size; i += i + 300 < size ? 4999 : 1)
        check_entry(cx, w, i);
}

static void check_index_of_type(struct ctx *cx, const struct segment_info *info, uint64_t type)
{
    char value[16];
    struct positions *found = calloc(1, sizeof *found);

    snprintf(value, sizeof value, "sim.%llu", (unsigned long long)type);
    CHECK_OK(index_lookup(cx, info->index, ATTR_TYPE, str_from(value), false, found));
    for (uint32_t p = 0; p < info->count; p += p < OPAQUE_FROM || p > OPAQUE_TO ? 1 : 97) {
        uint64_t i = info->first + p;
        CHECK_EQ(positions_have(found, p), !is_opaque(i) && i % TYPES == type);
    }
    CHECK_EQ(index_count(info->index), info->count);
    free(found);
}

static void check_indexes(struct ctx *cx, struct sim_log *w)
{
    struct segment *s;

    for (uint64_t n = 0; n < ledger_segment_count(w->l); n++) {
        CHECK_OK(ledger_segment_get(cx, w->l, n, &s));
        struct segment_info info = segment_info(s);
        for (uint64_t type = 0; type < TYPES && !info.pruned; type++)
            check_index_of_type(cx, &info, type);
        ledger_segment_put(s);
    }
}

void sim_log_check(struct ctx *cx, struct sim_log *w)
{
    check_leaves(cx, w);
    check_checkpoints(cx, w);
    check_entries(cx, w);
    check_indexes(cx, w);
}
