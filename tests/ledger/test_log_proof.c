/* Receipts: the text, and what a policy makes of one. */
#include "ledger/proof.h"
#include "reference.h"
#include "test.h"

#define HASH "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n"
#define HEAD "c2sp.org/tlog-proof@v1\n"

/* c2sp.org/tlog-proof's example, shortened, with a whole signature for the cut ones. */
static const char fancy[] = HEAD "extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6kYXJ3aW4tYXJ\n"
                                 "index 73894\n"
                                 "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n"
                                 "B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n"
                                 "\n"
                                 "example.com/fancylog\n109482\n"
                                 "sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n\n"
                                 "\xe2\x80\x94 example.com/fancylog hI2DJ1roloI=\n";

TEST(a_receipt_is_read_and_written_alike)
{
    static const char *const texts[] = {
        fancy,
        HEAD "index 0\n\nanything\nat all",
        HEAD "extra \nindex 18446744073709551615\n" HASH HASH "\nx",
    };
    struct log_proof p;

    for (size_t i = 0; i < COUNT(texts); i++) {
        CLEANUP(buf_close) struct buf again = BUF(10000);

        CHECK_OK(log_proof_parse(cx, str_from(texts[i]), &p));
        log_proof_put(&again, &p);
        CHECK_STR(buf_str(&again), str_from(texts[i]));
    }
    CHECK_OK(log_proof_parse(cx, str_from(fancy), &p));
    CHECK_EQ(p.extra.n, 39);
    CHECK_EQ(p.index, 73894);
    CHECK_EQ(p.proof.count, 2);
    CHECK_EQ(p.proof.path[1].bytes[0], 0x07);
    CHECK(str_starts(p.checkpoint, S("example.com/fancylog\n109482\n")));
}

TEST(receipts_out_of_form_are_refused)
{
    static const char *const wrong[] = {
        "",
        HEAD,
        "c2sp.org/tlog-proof@v2\nindex 0\n\nx\n",
        "c2sp.org/tlog-proof@v1\r\nindex 0\n\nx\n",
        HEAD "index 0\n",
        HEAD "index 0\n\n",
        HEAD "index 0\n" HASH "x\n",
        HEAD "index 00\n\nx\n",
        HEAD "index 01\n\nx\n",
        HEAD "index -1\n\nx\n",
        HEAD "index\n\nx\n",
        HEAD "index \n\nx\n",
        HEAD "index  1\n\nx\n",
        HEAD "index 18446744073709551616\n\nx\n",
        HEAD "Index 1\n\nx\n",
        HEAD HASH "\nx\n",
        HEAD "extra\nindex 1\n\nx\n",
        HEAD "extra a\nindex 1\n\nx\n",
        HEAD "index 1\nextra aGk=\n\nx\n",
        HEAD "extra aGk=\nextra aGk=\nindex 1\n\nx\n",
        HEAD "index 1\ngSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPg==\n\nx\n",
        HEAD "index 1\ngSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlR=\n\nx\n",
    };
    CLEANUP(buf_close) struct buf many = BUF(10000);
    struct log_proof p;

    for (size_t i = 0; i < COUNT(wrong); i++)
        CHECK_ERR(log_proof_parse(cx, str_from(wrong[i]), &p), ERR_INVALID);
    buf_put(&many, S(HEAD "index 1\n"));
    for (size_t i = 0; i < TREE_PATH_MAX + 1; i++)
        buf_put(&many, S(HASH));
    buf_put(&many, S("\nx\n"));
    CHECK_ERR(log_proof_parse(cx, buf_str(&many), &p), ERR_INVALID);
}

/* A log of 100 entries with three witnesses, and the receipt for one of them. */
struct scene {
    struct note_signer log, witnesses[3];
    struct note_verifier log_key, witness_keys[3];
    struct hash leaf;
    str receipt;
};

enum { SCENE_SIZE = 100, SCENE_INDEX = 33 };

static struct note_signer make_signer(struct ctx *cx, str name, uint8_t algorithm)
{
    struct ed25519_key key;
    struct note_signer s;

    ed25519_generate(&key);
    CHECK_OK(note_signer_init(cx, name, algorithm, &key, &s));
    return s;
}

static str make_receipt(struct ctx *cx, const struct scene *s, size_t witness_count)
{
    CLEANUP(buf_close) struct buf note = BUF(100000), text = BUF(100000);
    struct checkpoint c = {
        .origin = s->log.name, .size = SCENE_SIZE, .root = reference_root(0, SCENE_SIZE)};
    struct log_proof p = {.index = SCENE_INDEX};
    str signed_note, line;

    CHECK_OK(checkpoint_sign(cx, &c, &s->log, &signed_note));
    buf_put(&note, signed_note);
    for (size_t i = 0; i < witness_count; i++) {
        CHECK_OK(checkpoint_cosign(cx, signed_note, &s->witnesses[i], 1000 + i, &line));
        buf_put(&note, line);
    }
    reference_path(SCENE_INDEX, 0, SCENE_SIZE, &p.proof);
    p.checkpoint = buf_str(&note);
    log_proof_put(&text, &p);
    return arena_str(cx->mem, buf_str(&text));
}

static void make_scene(struct ctx *cx, struct scene *s)
{
    s->log = make_signer(cx, S("log.example"), NOTE_ED25519);
    s->log_key = note_signer_verifier(&s->log);
    for (size_t i = 0; i < COUNT(s->witnesses); i++) {
        s->witnesses[i] =
            make_signer(cx, arena_printf(cx->mem, "w%zu.example", i), NOTE_COSIGNATURE_V1);
        s->witness_keys[i] = note_signer_verifier(&s->witnesses[i]);
    }
    s->leaf = reference_leaf(SCENE_INDEX);
    s->receipt = make_receipt(cx, s, 2);
}

TEST(a_receipt_proves_its_entry)
{
    struct scene s;
    struct proved out;
    struct hash root = reference_root(0, SCENE_SIZE), other = reference_leaf(34);
    struct proof_policy policy;

    make_scene(cx, &s);
    policy = (struct proof_policy){.logs = &s.log_key, .log_count = 1};
    CHECK_OK(log_proof_check(cx, s.receipt, &s.leaf, &policy, &out));
    CHECK_STR(out.origin, S("log.example"));
    CHECK_EQ(out.index, SCENE_INDEX);
    CHECK_EQ(out.size, SCENE_SIZE);
    CHECK(hash_eq(&out.root, &root));
    CHECK_EQ(out.witness_count, 0);
    CHECK(str_is_null(out.extra));
    CHECK_ERR(log_proof_check(cx, s.receipt, &other, &policy, &out), ERR_UNPROCESSABLE);
}

TEST(a_quorum_of_witnesses_is_asked_for)
{
    struct scene s;
    struct proved out;
    struct proof_policy policy;

    make_scene(cx, &s);
    policy = (struct proof_policy){
        .logs = &s.log_key, .log_count = 1, .witnesses = s.witness_keys, .witness_count = 3};
    for (policy.quorum = 0; policy.quorum <= 2; policy.quorum++) {
        CHECK_OK(log_proof_check(cx, s.receipt, &s.leaf, &policy, &out));
        CHECK_EQ(out.witness_count, 2);
        CHECK_STR(out.witnesses[1].verifier->name, S("w1.example"));
        CHECK_EQ(out.witnesses[1].time_s, 1001);
    }
    policy.quorum = 3;
    CHECK_ERR(log_proof_check(cx, s.receipt, &s.leaf, &policy, &out), ERR_FORBIDDEN);
    CHECK_DETAIL("2 of the known witnesses signed; 3 are asked for");
    s.receipt = make_receipt(cx, &s, 0);
    policy.quorum = 1;
    CHECK_ERR(log_proof_check(cx, s.receipt, &s.leaf, &policy, &out), ERR_FORBIDDEN);
    policy.quorum = 0;
    CHECK_OK(log_proof_check(cx, s.receipt, &s.leaf, &policy, &out));
}

/* One key under two names is one witness, and the log itself is none. */
TEST(a_quorum_counts_keys_not_names)
{
    struct scene s;
    struct proved out;
    struct proof_policy policy;
    struct note_verifier keys[3];

    make_scene(cx, &s);
    CHECK_OK(note_signer_init(cx, S("another.example"), NOTE_COSIGNATURE_V1, &s.witnesses[0].key,
                              &s.witnesses[1]));
    keys[0] = s.witness_keys[0];
    keys[1] = note_signer_verifier(&s.witnesses[1]);
    keys[2] = s.log_key;
    s.receipt = make_receipt(cx, &s, 2);
    policy = (struct proof_policy){
        .logs = &s.log_key, .log_count = 1, .witnesses = keys, .witness_count = 3, .quorum = 1};
    CHECK_OK(log_proof_check(cx, s.receipt, &s.leaf, &policy, &out));
    CHECK_EQ(out.witness_count, 1);
    policy.quorum = 2;
    CHECK_ERR(log_proof_check(cx, s.receipt, &s.leaf, &policy, &out), ERR_FORBIDDEN);
}

/* With all keys known there is no byte in a receipt that may change. */
TEST(a_changed_receipt_proves_nothing)
{
    struct scene s;
    struct proved out;
    struct proof_policy policy;
    char *bytes;

    make_scene(cx, &s);
    policy = (struct proof_policy){.logs = &s.log_key,
                                   .log_count = 1,
                                   .witnesses = s.witness_keys,
                                   .witness_count = 3,
                                   .quorum = 2};
    bytes = arena_new(cx->mem, char, s.receipt.n);
    memcpy(bytes, s.receipt.p, s.receipt.n);
    for (size_t i = 0; i < s.receipt.n; i++) {
        bytes[i] = (char)(bytes[i] ^ 1);
        CHECK(log_proof_check(cx, (str){bytes, s.receipt.n}, &s.leaf, &policy, &out) != ERR_OK);
        bytes[i] = (char)(bytes[i] ^ 1);
        CHECK(log_proof_check(cx, (str){bytes, i}, &s.leaf, &policy, &out) != ERR_OK);
    }
    policy.log_count = 0;
    CHECK_ERR(log_proof_check(cx, s.receipt, &s.leaf, &policy, &out), ERR_NOT_FOUND);
}
