/* test_witness.c - a witness and its checks in their order; our log and its witnesses.
 *
 * The log that is witnessed is a real one (house.h); other histories of it are made by signing
 * other roots with its key. */
#include "audit/witness_server.h"
#include "base/encode.h"
#include "base/queue.h"
#include "house.h"
#include "http/transport.h"
#include "ledger/proof.h"
#include <stdio.h>
#include <stdlib.h>

#define NOW_US INT64_C(1767139200000000)

static int64_t fixed_now(void)
{
    return NOW_US;
}

/* A witness over a folder, for the log of a house. */
struct keeper {
    struct note_signer signer;
    struct note_verifier verifier;
    str vkey;
    struct witness_options options;
    struct witness *w;
};

static void keeper_open(struct ctx *cx, struct keeper *k, struct house *house, const char *dir,
                        const char *name, char seed)
{
    struct ed25519_key key;
    uint8_t bytes[ED25519_SEED_BYTES];
    struct buf vkey = BUF(1024);

    memset(bytes, seed, sizeof bytes);
    ed25519_from_seed(bytes, &key);
    CHECK_OK(note_signer_init(cx, str_from(name), NOTE_COSIGNATURE_V1, &key, &k->signer));
    k->verifier = note_signer_verifier(&k->signer);
    note_verifier_put(&vkey, &k->verifier);
    k->vkey = arena_str(cx->mem, buf_str(&vkey));
    buf_close(&vkey);
    k->options = (struct witness_options){.fs = fs_real(),
                                          .dir = test_path(cx, dir, name),
                                          .signer = &k->signer,
                                          .logs = &house->verifier,
                                          .log_count = 1,
                                          .now_us = fixed_now};
    CHECK_OK(witness_open(cx, &k->options, &k->w));
}

/* A checkpoint of the first `size` entries, or of another history when `salt` is not 0. */
static str signed_as(struct ctx *cx, struct house *house, const struct note_signer *signer,
                     uint64_t size, uint8_t salt)
{
    struct checkpoint c = {.origin = HOUSE_ORIGIN, .size = size, .extensions = S("")};
    str note;

    CHECK_OK(tree_root(cx, ledger_tree(house->app.ledger), size, &c.root));
    c.root.bytes[0] ^= salt;
    CHECK_OK(checkpoint_sign(cx, &c, signer, &note));
    return note;
}

static str proof_lines(struct ctx *cx, struct house *house, uint64_t from, uint64_t to)
{
    struct buf b = BUF(8192);
    struct proof p;

    CHECK_OK(tree_consistency(cx, ledger_tree(house->app.ledger), from, to, &p));
    for (size_t i = 0; i < p.count; i++) {
        base64_put(&b, p.path[i].bytes, HASH_BYTES);
        buf_put_char(&b, '\n');
    }
    str lines = arena_str(cx->mem, buf_str(&b));
    buf_close(&b);
    return lines;
}

static int submit(struct ctx *cx, struct witness *w, const char *old, str proof, str note,
                  str *out_answer)
{
    int status;
    str body = arena_printf(cx->mem, "%s\n%.*s\n%.*s", old, STR_FMT(proof), STR_FMT(note));

    CHECK_OK(witness_add_checkpoint(cx, w, body, &status, out_answer));
    return status;
}

/* ---- the witness ---- */

TEST(a_witness_checks_in_the_order_of_the_protocol)
{
    struct house *house = house_open(cx, dir, NULL);
    struct note_signer stranger, forger = {0};
    struct ed25519_key key;
    struct keeper k;
    str answer;

    house_fill(cx, house, 20);
    keeper_open(cx, &k, house, dir, "w", 'w');
    ed25519_generate(&key);
    CHECK_OK(note_signer_init(cx, S("other.test/log"), NOTE_ED25519, &key, &stranger));
    CHECK_OK(note_signer_init(cx, HOUSE_ORIGIN, NOTE_ED25519, &key, &forger));

    struct checkpoint unknown = {.origin = S("other.test/log"), .size = 3, .extensions = S("")};
    str foreign, none = S("");
    CHECK_OK(checkpoint_sign(cx, &unknown, &stranger, &foreign));
    struct note_signer liar = forger; /* our log's name and key id, another key */
    liar.key_id = house->signer.key_id;
    str five = signed_as(cx, house, &house->signer, 5, 0);
    str five_else = signed_as(cx, house, &house->signer, 5, 1);
    str seven = signed_as(cx, house, &house->signer, 7, 0);
    str zero = signed_as(cx, house, &house->signer, 0, 0);
    str zero_else = signed_as(cx, house, &house->signer, 0, 1);
    str five_seven = proof_lines(cx, house, 5, 7), four_seven = proof_lines(cx, house, 4, 7);
    str many = S("");
    for (int i = 0; i < 64; i++)
        many = arena_printf(cx->mem, "%.*s%.*s\n", STR_FMT(many), 44, five_seven.p);

    const struct {
        const char *old;
        str proof, note;
        int status;
        const char *answer;
    } steps[] = {
        /* form */
        {"", none, five, 400, NULL},
        {"old", none, five, 400, NULL},
        {"old 05", none, five, 400, NULL},
        {"old -1", none, five, 400, NULL},
        {"old 18446744073709551616", none, five, 400, NULL},
        {"old 0", S("not base64\n"), five, 400, NULL},
        {"old 0", S("AAAA\n"), five, 400, NULL},
        {"old 0", many, five, 400, NULL},
        {"old 0", none, none, 400, NULL},
        {"old 0", none, S("no note\n"), 400, NULL},
        /* origin before signature before sizes */
        {"old 9", none, foreign, 404, NULL},
        {"old 9", none, signed_as(cx, house, &forger, 5, 0), 403, NULL},
        {"old 9", none, signed_as(cx, house, &liar, 5, 0), 403, NULL},
        {"old 9", none, five, 400, NULL},
        {"old 4", none, five, 409, "0\n"},
        {"old 0", none, zero_else, 422, NULL},
        {"old 0", five_seven, five, 422, NULL},
        {"old 0", none, zero, 200, NULL},
        {"old 0", none, five, 200, NULL},
        /* now five are known */
        {"old 9", none, seven, 400, NULL},
        {"old 0", none, seven, 409, "5\n"},
        {"old 4", four_seven, seven, 409, "5\n"},
        {"old 5", none, seven, 422, NULL},
        {"old 5", four_seven, seven, 422, NULL},
        {"old 5", five_seven, signed_as(cx, house, &house->signer, 7, 1), 422, NULL},
        {"old 5", none, five_else, 422, NULL},
        {"old 5", five_seven, five, 422, NULL},
        {"old 5", none, five, 200, NULL},
        {"old 5", five_seven, seven, 200, NULL},
        {"old 7", none, five, 400, NULL},
        {"old 5", none, five, 409, "7\n"},
    };
    for (size_t i = 0; i < COUNT(steps); i++) {
        int status = submit(cx, k.w, steps[i].old, steps[i].proof, steps[i].note, &answer);
        if (status != steps[i].status)
            print_error("step %zu: %.*s\n", i, STR_FMT(answer));
        CHECK_EQ(status, steps[i].status);
        if (steps[i].answer)
            CHECK_STR(answer, str_from(steps[i].answer));
    }
    witness_close(k.w);
    house_close(house);
}

TEST(a_cosignature_holds_and_is_served)
{
    struct house *house = house_open(cx, dir, NULL);
    struct note_verified *verified;
    struct keeper k;
    struct note note;
    struct hash origin;
    char hex[2 * HASH_BYTES + 1];
    str answer, latest;
    size_t n;

    house_fill(cx, house, 9);
    keeper_open(cx, &k, house, dir, "w", 'w');
    sha256(HOUSE_ORIGIN, &origin);
    hex_encode(origin.bytes, HASH_BYTES, hex);
    CHECK_ERR(witness_latest(cx, k.w, str_from(hex), &latest), ERR_NOT_FOUND);
    str five = signed_as(cx, house, &house->signer, 5, 0);
    CHECK_EQ(submit(cx, k.w, "old 0", S(""), five, &answer), 200);
    str cosigned = arena_printf(cx->mem, "%.*s%.*s", STR_FMT(five), STR_FMT(answer));
    CHECK_OK(note_parse(cx, cosigned, &note));
    CHECK_OK(note_verify(cx, &note, &k.verifier, 1, &verified, &n));
    CHECK_EQ(verified[0].time_s, NOW_US / 1000000);
    CHECK_OK(witness_latest(cx, k.w, str_from(hex), &latest));
    CHECK_STR(latest, cosigned);
    CHECK_ERR(witness_latest(cx, k.w, S("00"), &latest), ERR_NOT_FOUND);
    witness_close(k.w);
    house_close(house);
}

/* Signatures of others on a checkpoint are neither trusted nor kept. */
TEST(a_witness_keeps_only_the_signatures_it_trusts)
{
    struct house *house = house_open(cx, dir, NULL);
    struct keeper k, other;
    str line, answer, latest;
    struct hash origin;
    char hex[2 * HASH_BYTES + 1];

    house_fill(cx, house, 9);
    keeper_open(cx, &k, house, dir, "w", 'w');
    keeper_open(cx, &other, house, dir, "other", 'o');
    str five = signed_as(cx, house, &house->signer, 5, 0);
    CHECK_OK(checkpoint_cosign(cx, five, &other.signer, 1, &line));
    str both = arena_printf(cx->mem, "%.*s%.*s", STR_FMT(five), STR_FMT(line));
    CHECK_EQ(submit(cx, k.w, "old 0", S(""), both, &answer), 200);
    sha256(HOUSE_ORIGIN, &origin);
    hex_encode(origin.bytes, HASH_BYTES, hex);
    CHECK_OK(witness_latest(cx, k.w, str_from(hex), &latest));
    CHECK_STR(latest, arena_printf(cx->mem, "%.*s%.*s", STR_FMT(five), STR_FMT(answer)));
    witness_close(k.w);
    witness_close(other.w);
    house_close(house);
}

TEST(a_witness_remembers_and_fails_closed)
{
    struct house *house = house_open(cx, dir, NULL);
    struct witness *second;
    struct keeper k;
    struct hash origin;
    char hex[2 * HASH_BYTES + 1];
    str answer;
    int status;

    house_fill(cx, house, 9);
    keeper_open(cx, &k, house, dir, "w", 'w');
    CHECK_EQ(submit(cx, k.w, "old 0", S(""), signed_as(cx, house, &house->signer, 5, 0), &answer),
             200);
    CHECK_ERR(witness_open(cx, &k.options, &second), ERR_LOCKED);
    witness_close(k.w);
    CHECK_OK(witness_open(cx, &k.options, &k.w));
    str seven = signed_as(cx, house, &house->signer, 7, 0);
    CHECK_EQ(submit(cx, k.w, "old 0", S(""), seven, &answer), 409);
    CHECK_STR(answer, S("5\n"));

    /* A state that cannot be written is no cosignature. */
    const char *moved = test_path(cx, dir, "moved");
    str body = arena_printf(cx->mem, "old 5\n%.*s\n%.*s", STR_FMT(proof_lines(cx, house, 5, 7)),
                            STR_FMT(seven));
    CHECK_EQ(rename(k.options.dir, moved), 0);
    answer = STR_NULL;
    CHECK(witness_add_checkpoint(cx, k.w, body, &status, &answer) != ERR_OK);
    CHECK_EQ(rename(moved, k.options.dir), 0);
    CHECK_EQ(submit(cx, k.w, "old 0", S(""), seven, &answer), 409);
    CHECK_STR(answer, S("5\n"));
    CHECK_OK(witness_add_checkpoint(cx, k.w, body, &status, &answer));
    CHECK_EQ(status, 200);
    witness_close(k.w);

    /* A state file that was changed is not believed. */
    sha256(HOUSE_ORIGIN, &origin);
    hex_encode(origin.bytes, HASH_BYTES, hex);
    str state;
    CHECK_OK(fs_read_all(cx, fs_real(), arena_printf(cx->mem, "%s/%s", k.options.dir, hex).p, 9999,
                         &state));
    ((char *)(uintptr_t)state.p)[HOUSE_ORIGIN.n + 1] = '3'; /* the size */
    CHECK_OK(fs_replace(cx, fs_real(), k.options.dir, hex, state));
    CHECK_ERR(witness_open(cx, &k.options, &k.w), ERR_CORRUPT);
    house_close(house);
}

TEST(a_witness_needs_a_key_that_cosigns)
{
    struct house *house = house_open(cx, dir, NULL);
    struct witness_options options = {
        .fs = fs_real(), .dir = test_path(cx, dir, "w"), .signer = &house->signer};
    struct witness *w;

    CHECK_ERR(witness_open(cx, &options, &w), ERR_CONFIG);
    house_close(house);
}

/* ---- the log and its witnesses, without sockets ---- */

enum { KEEPERS = 3 };

struct door {
    struct witness *w;
    _Atomic bool shut; /* UNREACHABLE */
    _Atomic bool lies; /* answers with a cosignature that does not hold */
    _Atomic unsigned calls;
    _Atomic unsigned conflicts;
};

static err knock(struct ctx *cx, void *state, str body, struct witness_answer *out)
{
    struct door *d = state;

    d->calls++;
    if (d->shut)
        return fail(cx, ERR_UNREACHABLE, "the door is shut");
    TRY(witness_add_checkpoint(cx, d->w, body, &out->status, &out->body));
    out->type = out->status == 409 ? S("text/x.tlog.size") : S("text/plain");
    d->conflicts += out->status == 409;
    if (d->lies && out->status == 200)
        ((char *)(uintptr_t)out->body.p)[out->body.n - 10] ^= 1;
    return ERR_OK;
}

struct circle {
    struct house *house;
    struct keeper keepers[KEEPERS];
    struct door doors[KEEPERS];
    struct witness_door ways[KEEPERS];
    str targets[KEEPERS];
    struct witness_client *client;
};

static void circle_open(struct ctx *cx, struct circle *c, const char *dir, size_t quorum)
{
    static const char *const names[KEEPERS] = {"w1.test", "w2.test", "w3.test"};
    struct witness_client_options options = {.ledger = c->house->app.ledger,
                                             .witnesses = c->targets,
                                             .count = KEEPERS,
                                             .quorum = quorum,
                                             .interval_ns = 2000000,
                                             .timeout_ns = 50000000,
                                             .doors = c->ways};

    for (size_t i = 0; i < KEEPERS; i++) {
        if (!c->keepers[i].w)
            keeper_open(cx, &c->keepers[i], c->house, dir, names[i], (char)('1' + i));
        c->doors[i].w = c->keepers[i].w;
        c->ways[i] = (struct witness_door){knock, &c->doors[i]};
        c->targets[i] =
            arena_printf(cx->mem, "%.*s http://%s", STR_FMT(c->keepers[i].vkey), names[i]);
    }
    CHECK_OK(witness_client_open(cx, &options, &c->client));
}

static void circle_close(struct circle *c)
{
    witness_client_close(c->client);
    for (size_t i = 0; i < KEEPERS; i++)
        witness_close(c->keepers[i].w);
}

struct awaited {
    struct ctx *cx;
    struct witness_client *client;
    uint64_t size;
    str note;
};

static bool is_witnessed(void *state)
{
    struct awaited *a = state;
    uint64_t size = 0;

    return witness_client_newest(a->cx, a->client, &a->note, &size) == ERR_OK && size >= a->size;
}

/* The newest witnessed checkpoint, once it covers `size`, and who of the circle signed it. */
static size_t await_witnesses(struct ctx *cx, struct circle *c, uint64_t size, str *out)
{
    struct awaited a = {cx, c->client, size, STR_NULL};
    struct note_verifier known[KEEPERS];
    struct note_verified *verified;
    struct checkpoint_opened opened;
    size_t n;

    wait_until(is_witnessed, &a);
    for (size_t i = 0; i < KEEPERS; i++)
        known[i] = c->keepers[i].verifier;
    CHECK_OK(checkpoint_open(cx, a.note, &c->house->verifier, 1, &opened));
    CHECK_OK(note_verify(cx, &opened.note, known, KEEPERS, &verified, &n));
    *out = a.note;
    return n;
}

TEST(witnesses_cosign_a_growing_log)
{
    struct circle *c = arena_new(cx->mem, struct circle, 1);
    str note;

    c->house = house_open(cx, dir, NULL);
    circle_open(cx, c, dir, KEEPERS);
    for (uint64_t size = 10; size < 100; size += 30) {
        house_fill(cx, c->house, 30);
        CHECK_EQ(await_witnesses(cx, c, size, &note), KEEPERS);
        CHECK_STR(witness_client_add(cx, c->client, str_slice(note, 0, note.n)), note);
    }
    circle_close(c);
    house_close(c->house);
}

/* One is away and one lies: no quorum of two.  Then the liar mends its ways. */
TEST(a_quorum_needs_cosignatures_that_hold)
{
    struct circle *c = arena_new(cx->mem, struct circle, 1);
    struct proved proved;
    struct hash leaf;
    uint64_t size;
    str note, entry;

    c->house = house_open(cx, dir, NULL);
    c->doors[0].shut = true;
    c->doors[1].lies = true;
    house_fill(cx, c->house, 10);
    circle_open(cx, c, dir, 2);
    while (c->doors[1].calls < 1 || c->doors[2].calls < 2) {
        house_fill(cx, c->house, 1); /* rounds go by */
        struct awaited none = {cx, c->client, 0, STR_NULL};
        CHECK(!is_witnessed(&none));
    }
    c->doors[1].lies = false;
    size = ledger_size(c->house->app.ledger);
    CHECK_EQ(await_witnesses(cx, c, size, &note), 2);
    CHECK(c->doors[0].calls >= 1);

    /* A receipt under it holds for whoever asks for two witnesses, and not for three. */
    struct note_verifier known[KEEPERS];
    for (size_t i = 0; i < KEEPERS; i++)
        known[i] = c->keepers[i].verifier;
    struct proof_policy policy = {&c->house->verifier, 1, known, KEEPERS, 2};
    struct log_proof p = {.index = 3, .checkpoint = note};
    struct checkpoint_opened opened;
    struct buf text = BUF(LOG_PROOF_BYTES_MAX);
    CHECK_OK(checkpoint_open(cx, note, &c->house->verifier, 1, &opened));
    CHECK_OK(
        tree_inclusion(cx, ledger_tree(c->house->app.ledger), 3, opened.checkpoint.size, &p.proof));
    log_proof_put(&text, &p);
    CHECK_OK(ledger_entry(cx, c->house->app.ledger, 3, &entry));
    hash_leaf(entry, &leaf);
    CHECK_OK(log_proof_check(cx, buf_str(&text), &leaf, &policy, &proved));
    CHECK_EQ(proved.witness_count, 2);
    policy.quorum = 3;
    CHECK_ERR(log_proof_check(cx, buf_str(&text), &leaf, &policy, &proved), ERR_FORBIDDEN);
    buf_close(&text);
    circle_close(c);
    house_close(c->house);
}

/* After a restart of the log the witnesses know more than the client, who learns it by 409. */
TEST(a_restarted_log_finds_its_witnesses_again)
{
    struct circle *c = arena_new(cx->mem, struct circle, 1);
    str note;

    c->house = house_open(cx, dir, NULL);
    house_fill(cx, c->house, 10);
    circle_open(cx, c, dir, KEEPERS);
    (void)await_witnesses(cx, c, 10, &note);
    witness_client_close(c->client);
    for (size_t i = 0; i < KEEPERS; i++)
        c->doors[i].conflicts = 0;
    circle_open(cx, c, dir, KEEPERS);
    house_fill(cx, c->house, 10);
    CHECK_EQ(await_witnesses(cx, c, 20, &note), KEEPERS);
    for (size_t i = 0; i < KEEPERS; i++)
        CHECK(c->doors[i].conflicts >= 1);
    circle_close(c);
    house_close(c->house);
}

TEST(witnesses_are_configured_by_key_and_address)
{
    static const str wrong[] = {
        STR_INIT("http://w.test"),
        STR_INIT("nokey http://w.test"),
        STR_INIT("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k http://w"),
        STR_INIT("witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN"),
        STR_INIT(
            "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN ftp://w"),
    };
    struct house *house = house_open(cx, dir, NULL);
    struct witness_client_options options = {
        .ledger = house->app.ledger, .count = 1, .quorum = 1, .interval_ns = 1, .timeout_ns = 1};
    struct witness_client *client;

    for (size_t i = 0; i < COUNT(wrong); i++) {
        options.witnesses = &wrong[i];
        CHECK_ERR(witness_client_open(cx, &options, &client), ERR_CONFIG);
    }
    house_close(house);
}

/* ---- over sockets ---- */

static err let_in(struct ctx *cx, const struct request *rq)
{
    (void)cx;
    (void)rq;
    return ERR_OK;
}

struct site {
    struct router *router;
    struct transport *transport;
};

static void site_open(struct ctx *cx, struct site *s, struct keeper *k)
{
    static const struct route *const tables[] = {witness_routes, NULL};
    const struct router_options router = {.app = witness_app(k->w),
                                          .tables = tables,
                                          .body_bytes_max = WITNESS_REQUEST_BYTES_MAX,
                                          .authorize = let_in};
    const struct transport_options transport = {.listen = "127.0.0.1:0",
                                                .loops = 1,
                                                .workers = 2,
                                                .connections_max = 16,
                                                .queue_max = 16,
                                                .head_bytes_max = 16384,
                                                .body_window_bytes = 65536,
                                                .idle_ns = INT64_C(10000000000),
                                                .receive_ns = INT64_C(10000000000),
                                                .memory_bytes_max = 1 << 24};

    CHECK_OK(router_open(cx, &router, &s->router));
    CHECK_OK(transport_open(cx, &transport, s->router, &s->transport));
}

struct served {
    struct house *house;
    struct harness *h;
    const struct reply *r;
};

static bool serves_witnessed(void *state)
{
    struct served *s = state;

    s->r = harness_get(s->h, "/log/checkpoint?witnessed=1");
    return s->r->status == 200;
}

static void check_receipt(struct ctx *cx, struct house *house, const struct keeper *k,
                          uint64_t index, size_t witnesses)
{
    const struct proof_policy policy = {&house->verifier, 1, &k->verifier, 1, witnesses};
    struct proved proved;
    struct hash leaf;
    str entry, target = arena_printf(cx->mem, "/api/v1/events/%llu/proof?format=tlog-proof",
                                     (unsigned long long)index);

    harness_header(house->h, "Prefer", "wait=proof");
    const struct reply *r = harness_get(house->h, target.p);
    CHECK_EQ(r->status, 200);
    CHECK_OK(ledger_entry(cx, house->app.ledger, index, &entry));
    hash_leaf(entry, &leaf);
    CHECK_OK(log_proof_check(cx, arena_str(cx->mem, r->body), &leaf, &policy, &proved));
    CHECK_EQ(proved.index, index);
    CHECK_EQ(proved.witness_count, witnesses);
}

TEST(cosignatures_are_gathered_over_http_and_served)
{
    struct house *house = house_open(cx, dir, NULL);
    struct keeper k;
    struct site site;
    struct checkpoint_opened opened;
    struct note_verified *verified;
    size_t n;

    keeper_open(cx, &k, house, dir, "w", 'w');
    site_open(cx, &site, &k);
    house_fill(cx, house, 10);
    str target =
        arena_printf(cx->mem, "%.*s http://%s", STR_FMT(k.vkey), transport_address(site.transport));
    const struct audit_options options = {
        .witnesses = &target, .witness_count = 1, .witness_interval_ns = 2000000};
    harness_header(house->h, "Prefer", "wait=proof"); /* so that there is a checkpoint over them */
    CHECK_EQ(harness_get(house->h, "/api/v1/events/9/proof")->status, 200);
    audit_close(house->app.audit);
    CHECK_OK(audit_open(cx, &house->app, &options, &house->app.audit));

    struct served s = {house, house->h, NULL};
    wait_until(serves_witnessed, &s);
    CHECK_OK(checkpoint_open(cx, arena_str(cx->mem, s.r->body), &house->verifier, 1, &opened));
    CHECK_OK(note_verify(cx, &opened.note, &k.verifier, 1, &verified, &n));

    /* A receipt carries it; one of an entry that came later does without. */
    check_receipt(cx, house, &k, 0, 1);
    transport_close(site.transport);
    house_fill(cx, house, 10);
    check_receipt(cx, house, &k, 15, 0);
    router_close(site.router);
    audit_close(house->app.audit);
    house->app.audit = NULL;
    witness_close(k.w);
    house_close(house);
}
