/* The engine on real files: what was appended is found again, after closing, sealing and pruning.
 */
#include "base/clock.h"
#include "ledger/ledger.h"
#include "ledger/proof.h"
#include "test.h"
#include <stdio.h>

#define ORIGIN S("log.test/a")

struct log {
    struct ledger_options options;
    struct note_signer signer;
    struct ledger *l;
    struct json_parser *parser;
    struct entry_batch batch;
};

static void log_open(struct ctx *cx, struct log *g, const char *dir)
{
    struct ed25519_key key;

    memset(g, 0, sizeof *g);
    ed25519_from_seed((const uint8_t *)"an ed25519 seed of 32 bytes here", &key);
    CHECK_OK(note_signer_init(cx, ORIGIN, NOTE_ED25519, &key, &g->signer));
    g->options = (struct ledger_options){
        .fs = fs_real(),
        .dir = test_path(cx, dir, "ledger"),
        .origin = ORIGIN,
        .signer = &g->signer,
        .checkpoint_ns = 10000000,
        .unsealed_max = 4,
        .zstd_level = 1,
        .cache_bytes = 1 << 20,
        .dedup_ids = 1 << 20,
    };
    g->parser = json_parser_open();
    entry_batch_init(&g->batch, 1 << 28);
    CHECK_OK(ledger_open(cx, &g->options, &g->l));
}

static void log_reopen(struct ctx *cx, struct log *g)
{
    ledger_close(g->l);
    g->l = NULL;
    CHECK_OK(ledger_open(cx, &g->options, &g->l));
}

static void log_close(struct log *g)
{
    ledger_close(g->l);
    json_parser_close(g->parser);
    entry_batch_close(&g->batch);
}

/* Event number i, the same each time. */
static void put_event(struct ctx *cx, struct log *g, uint64_t i, int64_t recorded_us)
{
    struct entry_stamp stamp = {.recorded_us = recorded_us, .principal = S("key/7")};
    char text[256 + JSON_PADDING];
    int n =
        snprintf(text, 256,
                 "{\"specversion\":\"1.0\",\"id\":\"%llu\",\"source\":\"/s%llu\",\"type\":\"t\","
                 "\"subject\":\"case/%llu\"}",
                 (unsigned long long)i, (unsigned long long)(i % 3), (unsigned long long)(i % 100));

    CHECK_OK(entry_add(cx, &g->batch, g->parser, (str){text, (size_t)n}, &stamp));
}

static void append(struct ctx *cx, struct log *g, uint64_t first, size_t count,
                   struct ledger_receipt *receipts)
{
    struct entry_batch *batches[] = {&g->batch};

    entry_batch_clear(&g->batch);
    for (size_t i = 0; i < count; i++)
        put_event(cx, g, first + i, 1000000 + (int64_t)first);
    CHECK_OK(ledger_append(cx, g->l, batches, 1, receipts ? &receipts : NULL, NULL));
}

static void check_entries(struct ctx *cx, struct log *g, uint64_t from, uint64_t to, uint64_t step)
{
    for (uint64_t i = from; i < to; i += step) {
        str entry, id = arena_printf(cx->mem, "\"id\":\"%llu\",", (unsigned long long)i);
        CHECK_OK(ledger_entry(cx, g->l, i, &entry));
        CHECK(str_find(entry, id) < entry.n);
    }
}

/* The root of the tree over what the entries hash to now. */
static struct hash root_of_entries(struct ctx *cx, struct log *g, uint64_t size)
{
    struct tree_frontier f;
    struct hash leaf, root;
    str entry;

    frontier_init(&f);
    for (uint64_t i = 0; i < size; i++) {
        CHECK_OK(ledger_entry(cx, g->l, i, &entry));
        hash_leaf(entry, &leaf);
        frontier_append(&f, &leaf, 1, NULL);
        if (i % 1000 == 0)
            arena_reset(cx->mem);
    }
    frontier_root(&f, &root);
    return root;
}

TEST(ledger_appends_and_reopens)
{
    CLEANUP(log_close) struct log g;
    struct ledger_receipt receipts[10];
    struct hash root, stored;

    log_open(cx, &g, dir);
    for (uint64_t i = 0; i < 700; i += 10)
        append(cx, &g, i, 10, receipts);
    CHECK_EQ(ledger_size(g.l), 700);
    CHECK_EQ(receipts[9].index, 699);
    check_entries(cx, &g, 0, 700, 1);
    log_reopen(cx, &g);
    CHECK_EQ(ledger_size(g.l), 700);
    check_entries(cx, &g, 0, 700, 1);
    append(cx, &g, 700, 5, receipts);
    check_entries(cx, &g, 690, 705, 1);
    root = root_of_entries(cx, &g, 705);
    CHECK_OK(tree_root(cx, ledger_tree(g.l), 705, &stored));
    CHECK(hash_eq(&root, &stored));
    CHECK_ERR(ledger_entry(cx, g.l, 705, &(str){0}), ERR_NOT_FOUND);
}

TEST(ledger_holds_its_folder_alone)
{
    CLEANUP(log_close) struct log g;
    struct ledger *second;

    log_open(cx, &g, dir);
    CHECK_ERR(ledger_open(cx, &g.options, &second), ERR_LOCKED);
}

TEST(ledger_stores_an_event_once_and_tells_the_first_receipt)
{
    CLEANUP(log_close) struct log g;
    struct ledger_receipt first[6], again[6];

    log_open(cx, &g, dir);
    append(cx, &g, 0, 6, first);
    append(cx, &g, 3, 6, again); /* 3, 4, 5 are known */
    CHECK_EQ(ledger_size(g.l), 9);
    CHECK_EQ(g.batch.duplicates, 3);
    CHECK_EQ(g.batch.stored, 3);
    for (size_t i = 0; i < 3; i++) {
        CHECK(again[i].duplicate && again[i].index == first[i + 3].index);
        CHECK(hash_eq(&again[i].leaf, &first[i + 3].leaf));
        CHECK_EQ(again[i].recorded_us, first[i + 3].recorded_us);
    }
    CHECK(!again[3].duplicate && again[3].index == 6);
    log_reopen(cx, &g);
    append(cx, &g, 0, 9, NULL);
    CHECK_EQ(ledger_size(g.l), 9);
}

TEST(ledger_finds_repeats_within_one_append)
{
    CLEANUP(log_close) struct log g;
    struct ledger_receipt receipts[4], *list = receipts;
    struct entry_batch *batches[] = {&g.batch};

    log_open(cx, &g, dir);
    put_event(cx, &g, 1, 5);
    put_event(cx, &g, 2, 5);
    put_event(cx, &g, 1, 5);
    put_event(cx, &g, 3, 5);
    CHECK_OK(ledger_append(cx, g.l, batches, 1, &list, NULL));
    CHECK_EQ(ledger_size(g.l), 3);
    CHECK(receipts[2].duplicate && receipts[2].index == 0 && receipts[3].index == 2);
    check_entries(cx, &g, 2, 2, 1);
}

/* A clock that jumps back must not be seen in the log. */
TEST(ledger_recorded_never_goes_back)
{
    CLEANUP(log_close) struct log g;
    struct ledger_receipt receipts[3], *list = receipts;
    struct entry_batch *batches[] = {&g.batch};
    struct hash leaf;
    str entry;

    log_open(cx, &g, dir);
    put_event(cx, &g, 1, 5000000);
    put_event(cx, &g, 2, 4000000);
    put_event(cx, &g, 3, 6000000);
    CHECK_OK(ledger_append(cx, g.l, batches, 1, &list, NULL));
    CHECK_EQ(receipts[1].recorded_us, 5000000);
    CHECK_EQ(receipts[2].recorded_us, 6000000);
    CHECK_OK(ledger_entry(cx, g.l, 1, &entry));
    CHECK_HOLDS(entry, "\"recorded\":\"1970-01-01T00:00:05.000000Z\"");
    hash_leaf(entry, &leaf);
    CHECK(hash_eq(&leaf, &receipts[1].leaf));
    log_reopen(cx, &g);
    CHECK_EQ(ledger_recorded_us(g.l), 6000000);
}

TEST(ledger_proves_what_it_acknowledged)
{
    CLEANUP(log_close) struct log g;
    struct ledger_receipt receipts[20];
    struct proved proved;
    str text;

    log_open(cx, &g, dir);
    append(cx, &g, 0, 20, receipts);
    struct note_verifier log = note_signer_verifier(&g.signer);
    struct proof_policy policy = {.logs = &log, .log_count = 1};
    for (size_t i = 0; i < 20; i++) {
        CHECK_OK(ledger_prove(cx, g.l, receipts[i].index, true, &text));
        CHECK_OK(log_proof_check(cx, text, &receipts[i].leaf, &policy, &proved));
        CHECK_EQ(proved.index, i);
        CHECK_ERR(log_proof_check(cx, text, &receipts[(i + 1) % 20].leaf, &policy, &proved),
                  ERR_UNPROCESSABLE);
    }
}

/* Two full segments and a bit: sealed, reopened, pruned; every root and entry as before. */
TEST(ledger_seals_and_prunes_without_changing_the_tree)
{
    enum { TOTAL = 2 * SEGMENT_ENTRIES + 1234, STEP = 3000 };
    CLEANUP(log_close) struct log g;
    struct hash before, after;
    uint64_t kept;

    log_open(cx, &g, dir);
    for (uint64_t i = 0; i < TOTAL; i += STEP) {
        append(cx, &g, i, size_min(STEP, TOTAL - i), NULL);
        arena_reset(cx->mem);
    }
    CHECK_OK(ledger_seal_wait(cx, g.l));
    CHECK_EQ(ledger_figures(g.l).sealed, 2);
    CHECK_OK(tree_root(cx, ledger_tree(g.l), TOTAL, &before));
    check_entries(cx, &g, 0, TOTAL, 997);
    g.options.dir = test_path(cx, dir, "ledger");
    ledger_close(g.l);
    CHECK_OK(ledger_open(cx, &g.options, &g.l));
    CHECK_EQ(ledger_size(g.l), TOTAL);
    check_entries(cx, &g, 0, TOTAL, 1009);
    append(cx, &g, 17, 1, NULL);
    CHECK_EQ(ledger_size(g.l), TOTAL); /* known from the sealed index */
    CHECK_OK(ledger_prune(cx, g.l, SEGMENT_ENTRIES + 5, &kept));
    CHECK_EQ(kept, SEGMENT_ENTRIES);
    CHECK_ERR(ledger_entry(cx, g.l, 5, &(str){0}), ERR_GONE);
    check_entries(cx, &g, SEGMENT_ENTRIES, TOTAL, 1013);
    ledger_close(g.l);
    CHECK_OK(ledger_open(cx, &g.options, &g.l));
    CHECK_ERR(ledger_entry(cx, g.l, 5, &(str){0}), ERR_GONE);
    CHECK_OK(tree_root(cx, ledger_tree(g.l), TOTAL, &after));
    CHECK(hash_eq(&before, &after));
}

/* The file ends anywhere inside the last entry: it was never acknowledged and is cut off. */
TEST(ledger_reopen_cuts_only_the_torn_entry)
{
    CLEANUP(log_close) struct log g;
    const char *raw;
    uint64_t whole;
    fs_file f;

    log_open(cx, &g, dir);
    append(cx, &g, 0, 2, NULL);
    raw = test_path(cx, dir, "ledger/segment-00000000.raw");
    ledger_close(g.l);
    CHECK_OK(fs_open(cx, fs_real(), raw, FS_WRITE, &f));
    CHECK_OK(fs_size(cx, fs_real(), f, &whole));
    for (uint64_t extra = 1; extra < 40; extra++) {
        char junk[40];
        memset(junk, (int)extra, sizeof junk);
        CHECK_OK(fs_pwrite(cx, fs_real(), f, junk, extra, whole));
        CHECK_OK(ledger_open(cx, &g.options, &g.l));
        CHECK_EQ(ledger_size(g.l), 2);
        ledger_close(g.l);
        uint64_t now;
        CHECK_OK(fs_size(cx, fs_real(), f, &now));
        CHECK_EQ(now, whole);
    }
    /* Acknowledged bytes are another matter. */
    CHECK_OK(fs_truncate(cx, fs_real(), f, whole - 1));
    fs_close(fs_real(), f);
    g.l = NULL;
    CHECK_ERR(ledger_open(cx, &g.options, &g.l), ERR_CORRUPT);
    CHECK_DETAIL("segment-00000000.raw: byte ");
    CHECK_DETAIL("entry 1 is damaged or missing");
}
