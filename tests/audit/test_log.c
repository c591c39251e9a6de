/* test_log.c - the log as a verifier sees it: checkpoints, tiles, proofs, against an own
 * computation over the entries. */
#include "access/permission.h"
#include "base/encode.h"
#include "house.h"
#include "ledger/proof.h"
#include "ledger/segment_file.h"
#include "ledger/tile.h"

/* Leaf hashes of all entries, by reading them. */
static struct hash *leaves(struct ctx *cx, struct house *house)
{
    uint64_t size = ledger_size(house->app.ledger);
    struct hash *out = arena_new(cx->mem, struct hash, size);

    for (uint64_t i = 0; i < size; i++) {
        str entry;
        CHECK_OK(ledger_entry(cx, house->app.ledger, i, &entry));
        hash_leaf(entry, &out[i]);
    }
    return out;
}

/* MTH(D[0:n]) by the recursion of RFC 6962, section 2.1. */
static struct hash root_of(const struct hash *leaf, uint64_t n)
{
    uint64_t k = 1;
    struct hash out;

    if (n == 0)
        return hash_empty_root();
    if (n == 1)
        return leaf[0];
    while (2 * k < n)
        k *= 2;
    struct hash left = root_of(leaf, k), right = root_of(leaf + k, n - k);
    hash_node(&left, &right, &out);
    return out;
}

static str get_text(struct ctx *cx, struct house *house, const char *target)
{
    const struct reply *r = harness_get(house->h, target);

    CHECK_EQ(r->status, 200);
    CHECK_HOLDS(reply_header(r, "Content-Type"), "text/plain");
    return arena_str(cx->mem, r->body);
}

/* Ask for a proof of the last entry, which waits for a checkpoint over everything. */
static void await_checkpoint(struct ctx *cx, struct house *house)
{
    uint64_t last = ledger_size(house->app.ledger) - 1;

    harness_header(house->h, "Prefer", "wait=proof");
    str target = arena_printf(cx->mem, "/api/v1/events/%llu/proof", (unsigned long long)last);
    CHECK_EQ(harness_get(house->h, target.p)->status, 200);
}

static void hash_at(struct ctx *cx, const struct reply *r, const char *pointer, struct hash *out)
{
    (void)cx;
    CHECK(hex_decode(reply_str(r, pointer), out->bytes, HASH_BYTES));
}

static void proof_at(struct ctx *cx, const struct reply *r, struct proof *out)
{
    out->count = reply_count(r, "/hashes");
    for (size_t i = 0; i < out->count; i++)
        hash_at(cx, r, arena_printf(cx->mem, "/hashes/%zu", i).p, &out->path[i]);
}

/* ---- checkpoints ---- */

TEST(the_checkpoint_is_signed_and_right)
{
    struct house *house = house_open(cx, dir, NULL);
    struct checkpoint_opened opened;

    harness_key(house->h, NULL); /* for everybody */
    CHECK_OK(
        checkpoint_open(cx, get_text(cx, house, "/log/checkpoint"), &house->verifier, 1, &opened));
    CHECK_EQ(opened.checkpoint.size, 0);
    harness_key(house->h, "reader");
    house_fill(cx, house, 300);
    await_checkpoint(cx, house);
    CHECK_OK(
        checkpoint_open(cx, get_text(cx, house, "/log/checkpoint"), &house->verifier, 1, &opened));
    CHECK_EQ(opened.checkpoint.size, 300);
    struct hash root = root_of(leaves(cx, house), 300);
    CHECK(hash_eq(&opened.checkpoint.root, &root));
    CHECK_STR(get_text(cx, house, "/log/vkey"), S("vkey-of-the-house\n"));
    CHECK_EQ(harness_get(house->h, "/log/checkpoint?witnessed=1")->status, 404);
    house_close(house);
}

TEST(the_history_of_checkpoints_has_each_once)
{
    struct house *house = house_open(cx, dir, NULL);
    uint64_t expected, seen = 0;

    for (int i = 0; i < 12; i++) {
        house_fill(cx, house, 5);
        await_checkpoint(cx, house);
    }
    struct hash *leaf = leaves(cx, house);
    expected = ledger_checkpoint_count(house->app.ledger);
    str target = S("/log/checkpoints?limit=5");
    while (target.n) {
        const struct reply *r = harness_get(house->h, target.p);
        CHECK_EQ(r->status, 200);
        for (size_t i = 0; i < reply_count(r, "/items"); i++, seen++) {
            struct hash given, root;
            uint64_t size = reply_u64(r, arena_printf(cx->mem, "/items/%zu/size", i).p);
            CHECK_EQ(reply_u64(r, arena_printf(cx->mem, "/items/%zu/number", i).p),
                     expected - 1 - seen);
            hash_at(cx, r, arena_printf(cx->mem, "/items/%zu/root", i).p, &given);
            root = root_of(leaf, size);
            CHECK(hash_eq(&given, &root));
        }
        str link = reply_header(r, "Link");
        target = arena_str(cx->mem, str_slice(link, 1, str_find_char(link, '>')));
    }
    CHECK_EQ(seen, expected);
    for (uint64_t i = 0; i < expected; i++) {
        struct checkpoint_opened opened;
        str at = arena_printf(cx->mem, "/log/checkpoints/%llu", (unsigned long long)i);
        CHECK_OK(checkpoint_open(cx, get_text(cx, house, at.p), &house->verifier, 1, &opened));
    }
    CHECK_EQ(harness_get(house->h, "/log/checkpoints/100000")->status, 404);
    CHECK_EQ(harness_get(house->h, "/log/checkpoints?cursor=no")->status, 400);
    house_close(house);
}

/* ---- tiles ---- */

static void check_tile(struct ctx *cx, struct house *house, const struct tile *t, str expected)
{
    struct buf path = BUF(256);

    buf_put(&path, S("/log/"));
    tile_put(&path, t);
    const struct reply *r = harness_get(house->h, arena_str(cx->mem, buf_str(&path)).p);
    buf_close(&path);
    CHECK_EQ(r->status, 200);
    CHECK_STR(reply_header(r, "Content-Type"), S("application/octet-stream"));
    CHECK_HOLDS(reply_header(r, "Cache-Control"), "immutable");
    CHECK(str_eq(r->body, expected));
}

static str bundle_of(struct ctx *cx, struct house *house, uint64_t index, unsigned width)
{
    struct buf b = BUF(1 << 26);

    for (uint64_t i = index * 256; i < index * 256 + width; i++) {
        str entry;
        CHECK_OK(ledger_entry(cx, house->app.ledger, i, &entry));
        buf_put_char(&b, (char)(entry.n >> 8));
        buf_put_char(&b, (char)entry.n);
        buf_put(&b, entry);
    }
    str out = arena_str(cx->mem, buf_str(&b));
    buf_close(&b);
    return out;
}

/* 66,000 entries: level 0 has 257 full tiles and one of 208, level 1 one full and one of 1, level 2
 * one of 1. */
TEST(every_tile_is_what_its_entries_hash_to)
{
    enum { SIZE = 66000 };
    static const struct tile some[] = {
        {.level = 0, .index = 0, .width = 256},   {.level = 0, .index = 256, .width = 256},
        {.level = 0, .index = 0, .width = 1},     {.level = 0, .index = 17, .width = 255},
        {.level = 0, .index = 257, .width = 208}, {.level = 0, .index = 257, .width = 3},
        {.level = 1, .index = 0, .width = 256},   {.level = 1, .index = 0, .width = 7},
        {.level = 1, .index = 1, .width = 1},     {.level = 2, .index = 0, .width = 1},
    };
    static const unsigned widths[] = {1, 100, 256};
    struct house *house = house_open(cx, dir, NULL);

    house_fill(cx, house, SIZE);
    CHECK_OK(ledger_seal_wait(cx, house->app.ledger));
    struct hash *leaf = leaves(cx, house);
    for (size_t i = 0; i < COUNT(some); i++) {
        struct hash tile[256];
        uint64_t run = UINT64_C(1) << 8 * some[i].level;
        for (unsigned k = 0; k < some[i].width; k++)
            tile[k] = root_of(leaf + (some[i].index * 256 + k) * run, run);
        check_tile(cx, house, &some[i], (str){(const char *)tile, some[i].width * sizeof *tile});
    }
    for (uint64_t n = 0; n < 258; n += 51) /* sealed and growing */
        for (size_t k = 0; k < COUNT(widths); k++) {
            struct tile t = {.is_bundle = true, .index = n, .width = widths[k]};
            check_tile(cx, house, &t, bundle_of(cx, house, n, widths[k]));
        }
    house_close(house);
}

TEST(names_that_are_no_tile_of_this_log_are_not_found)
{
    static const char *const names[] = {
        "0/002",           "0/001.p/200", "0/001.p/0", "0/001.p/256", "0/1",
        "00/000",          "0/x000/000",  "64/000",    "-1/000",      "0/000.p/",
        "0/000/",          "0",           "1/000",     "1/000.p/2",   "8/000",
        "data/000",        "entries/",    "entries/2", "entries/002", "entries/001.p/201",
        "entries/000.p/x", "0/000.p/1/x", "",
    };
    struct house *house = house_open(cx, dir, NULL);

    house_fill(cx, house, 300);
    for (size_t i = 0; i < COUNT(names); i++) {
        str target = arena_printf(cx->mem, "/log/tile/%s", names[i]);
        CHECK_EQ(harness_get(house->h, target.p)->status, 404);
    }
    house_close(house);
}

TEST(entries_are_public_only_when_the_operator_says_so)
{
    const struct house_options options = {.routes = audit_routes_public};
    struct house *house = house_open(cx, dir, &options);

    house_fill(cx, house, 3);
    harness_key(house->h, NULL);
    const struct reply *r = harness_get(house->h, "/log/tile/entries/000.p/3");
    CHECK_EQ(r->status, 200);
    CHECK_HOLDS(reply_header(r, "Cache-Control"), "public");
    CHECK_EQ(harness_get(house->h, "/log/tile/0/000.p/3")->status, 200);
    CHECK_EQ(harness_get(house->h, "/api/v1/events")->status, 403);
    house_close(house);
    for (const struct route *a = audit_routes, *b = audit_routes_public; a->method; a++, b++) {
        bool bundles = strcmp(a->path, "/log/tile/entries/{rest*}") == 0;
        CHECK(a->run == b->run && strcmp(a->path, b->path) == 0);
        CHECK_EQ(b->permission, bundles ? (int)PERM_PUBLIC : a->permission);
    }
}

/* ---- proofs ---- */

TEST(inclusion_proofs_hold_at_every_size)
{
    struct house *house = house_open(cx, dir, NULL);

    house_fill(cx, house, 70);
    struct hash *leaf = leaves(cx, house);
    harness_key(house->h, NULL);
    for (uint64_t size = 1; size <= 70; size += 1 + size / 9)
        for (uint64_t i = 0; i < size; i += 1 + size / 5) {
            struct hash given_leaf, given_root, root = root_of(leaf, size);
            struct proof p;
            str target = arena_printf(cx->mem, "/log/proof/inclusion?index=%llu&size=%llu",
                                      (unsigned long long)i, (unsigned long long)size);
            const struct reply *r = harness_get(house->h, target.p);
            CHECK_EQ(r->status, 200);
            hash_at(cx, r, "/leaf_hash", &given_leaf);
            hash_at(cx, r, "/root", &given_root);
            proof_at(cx, r, &p);
            CHECK(hash_eq(&given_leaf, &leaf[i]) && hash_eq(&given_root, &root));
            CHECK(proof_includes(&leaf[i], i, size, &p, &root));
        }
    house_close(house);
}

TEST(consistency_proofs_hold_between_any_two_sizes)
{
    struct house *house = house_open(cx, dir, NULL);

    house_fill(cx, house, 70);
    struct hash *leaf = leaves(cx, house);
    harness_key(house->h, NULL);
    for (uint64_t to = 1; to <= 70; to += 1 + to / 9)
        for (uint64_t from = 1; from <= to; from += 1 + to / 5) {
            struct hash old_root, new_root, a = root_of(leaf, from), b = root_of(leaf, to);
            struct proof p;
            str target = arena_printf(cx->mem, "/log/proof/consistency?from=%llu&to=%llu",
                                      (unsigned long long)from, (unsigned long long)to);
            const struct reply *r = harness_get(house->h, target.p);
            CHECK_EQ(r->status, 200);
            hash_at(cx, r, "/from_root", &old_root);
            hash_at(cx, r, "/to_root", &new_root);
            proof_at(cx, r, &p);
            CHECK(hash_eq(&old_root, &a) && hash_eq(&new_root, &b));
            CHECK(proof_extends(from, &a, to, &b, &p));
        }
    str text = get_text(cx, house, "/log/proof/consistency?from=3&to=7&format=text");
    struct proof lines = {0};
    while (text.n) {
        size_t n;
        CHECK(base64_decode(str_cut(&text, '\n'), lines.path[lines.count++].bytes, HASH_BYTES, &n));
    }
    struct hash a = root_of(leaf, 3), b = root_of(leaf, 7);
    CHECK(proof_extends(3, &a, 7, &b, &lines));
    house_close(house);
}

TEST(proofs_that_cannot_be_are_refused)
{
    static const struct {
        const char *target;
        int status;
    } wrong[] = {
        {"/log/proof/inclusion", 400},
        {"/log/proof/inclusion?index=x&size=1", 400},
        {"/log/proof/inclusion?index=5&size=5", 404},
        {"/log/proof/inclusion?index=0&size=0", 404},
        {"/log/proof/inclusion?index=0&size=11", 404},
        {"/log/proof/consistency?to=5", 400},
        {"/log/proof/consistency?from=0&to=5", 400},
        {"/log/proof/consistency?from=6&to=5", 400},
        {"/log/proof/consistency?from=6&to=11", 404},
        {"/log/proof/consistency?from=1&to=2&format=xml", 400},
        {"/api/v1/events/10/proof", 404},
    };
    struct house *house = house_open(cx, dir, NULL);

    house_fill(cx, house, 10);
    for (size_t i = 0; i < COUNT(wrong); i++)
        CHECK_EQ(harness_get(house->h, wrong[i].target)->status, wrong[i].status);
    house_close(house);
}

/* ---- receipts ---- */

static void check_receipt(struct ctx *cx, struct house *house, str text, uint64_t index)
{
    const struct proof_policy policy = {.logs = &house->verifier, .log_count = 1};
    struct proved proved;
    struct hash leaf;
    str entry;

    CHECK_OK(ledger_entry(cx, house->app.ledger, index, &entry));
    hash_leaf(entry, &leaf);
    CHECK_OK(log_proof_check(cx, text, &leaf, &policy, &proved));
    CHECK_EQ(proved.index, index);
    CHECK(proved.size > index);
    leaf.bytes[0] ^= 1;
    CHECK_ERR(log_proof_check(cx, text, &leaf, &policy, &proved), ERR_UNPROCESSABLE);
}

TEST(a_receipt_is_checked_without_the_server)
{
    struct house *house = house_open(cx, dir, NULL);

    house_fill(cx, house, 100);
    await_checkpoint(cx, house);
    check_receipt(cx, house, get_text(cx, house, "/api/v1/events/42/proof?format=tlog-proof"), 42);
    harness_header(house->h, "Accept", "text/plain");
    check_receipt(cx, house, get_text(cx, house, "/api/v1/events/43/proof"), 43);

    const struct reply *r = harness_get(house->h, "/api/v1/events/44/proof");
    struct checkpoint_opened opened;
    struct hash leaf;
    struct proof p;
    CHECK_OK(checkpoint_open(cx, arena_str(cx->mem, reply_str(r, "/checkpoint")), &house->verifier,
                             1, &opened));
    CHECK_EQ(opened.checkpoint.size, reply_u64(r, "/size"));
    hash_at(cx, r, "/leaf_hash", &leaf);
    proof_at(cx, r, &p);
    CHECK(proof_includes(&leaf, 44, opened.checkpoint.size, &p, &opened.checkpoint.root));
    house_close(house);
}

/* A ledger that signs at most once an hour: who does not wait is told to come back. */
TEST(a_proof_is_waited_for_only_when_asked)
{
    const struct house_options options = {.checkpoint_ns = INT64_C(3600000000000)};
    struct house *house = house_open(cx, dir, &options);

    CHECK_EQ(harness_get(house->h, "/log/checkpoint")->status, 200); /* the first was signed */
    house_fill(cx, house, 10);
    const struct reply *r = harness_get(house->h, "/api/v1/events/9/proof");
    CHECK_EQ(r->status, 503);
    CHECK(!str_is_null(reply_header(r, "Retry-After")));
    CHECK_HOLDS(reply_str(r, "/detail"), "wait=proof");
    await_checkpoint(cx, house);
    CHECK_EQ(harness_get(house->h, "/api/v1/events/9/proof")->status, 200);
    house_close(house);
}
