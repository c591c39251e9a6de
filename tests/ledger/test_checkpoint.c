/* Checkpoints: the strict text, who may sign, and cosignatures of others. */
#include "ledger/checkpoint.h"
#include "test.h"

/* c2sp.org/tlog-checkpoint's example. */
static const char sofa_text[] = "example.com/behind-the-sofa\n20852163\n"
                                "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

/* FiloSottile/sunlight cmd/skylight/testdata/witness. */
static const char witness_vkey[] =
    "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN";
static const char rome_note[] =
    "rome2026h1.example.org\n300\nlCkHUpkmVBEms2r2T1K6Og69+wUuuN3MIEW1/ezu2v0=\n\n"
    "\xe2\x80\x94 rome2026h1.example.org "
    "kVB1JgAAAZtxtEwABAMARzBFAiEAi+mTa2xjL1IdWpH82OeciGsGvwRAP+f1"
    "WkfKaSZCfFECIHoNPZ/Q3y6UNzvKOO9cuLr6V16vPNfhwhle9f6r5H/Z\n"
    "\xe2\x80\x94 witness.example.org "
    "uKLPIAAAAABpVGeAhm2bOvKc3LaB9PFN1ruG19Y5yqslmcAAbhftnn1Zznmo0LXF"
    "Zq4LGvqKqLX8jWlwLKasxEGTLIqAVusneCBmBw==\n";

static struct note_signer make_signer(struct ctx *cx, str name, uint8_t algorithm)
{
    struct ed25519_key key;
    struct note_signer s;

    ed25519_generate(&key);
    CHECK_OK(note_signer_init(cx, name, algorithm, &key, &s));
    return s;
}

TEST(a_checkpoint_is_read_and_written_alike)
{
    const char *const texts[] = {
        sofa_text,
        "o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "an origin with blanks\n18446744073709551615\n"
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\nextension one\n two\n",
    };
    struct checkpoint c;

    for (size_t i = 0; i < COUNT(texts); i++) {
        CLEANUP(buf_close) struct buf again = BUF(1000);

        CHECK_OK(checkpoint_parse(cx, str_from(texts[i]), &c));
        checkpoint_put(&again, &c);
        CHECK_STR(buf_str(&again), str_from(texts[i]));
    }
    CHECK_STR(c.extensions, S("extension one\n two\n"));
    CHECK_OK(checkpoint_parse(cx, str_from(sofa_text), &c));
    CHECK_STR(c.origin, S("example.com/behind-the-sofa"));
    CHECK_EQ(c.size, 20852163);
    CHECK_EQ(c.root.bytes[0], 0x0a);
    CHECK_EQ(c.root.bytes[31], 0x62);
    CHECK_EQ(c.extensions.n, 0);
}

#define ROOT "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="

TEST(checkpoints_out_of_form_are_refused)
{
    static const char *const wrong[] = {
        "",
        "o\n",
        "o\n1\n",
        "o\n1\n" ROOT,
        "\n1\n" ROOT "\n",
        "o\n\n" ROOT "\n",
        "o\n01\n" ROOT "\n",
        "o\n00\n" ROOT "\n",
        "o\n+1\n" ROOT "\n",
        "o\n-1\n" ROOT "\n",
        "o\n 1\n" ROOT "\n",
        "o\n1 \n" ROOT "\n",
        "o\n1\r\n" ROOT "\n",
        "o\n0x1\n" ROOT "\n",
        "o\n18446744073709551616\n" ROOT "\n",
        "o\n1\n\n",
        "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n",
        "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
        "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw==\n",
        "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2JhYQ==\n",
        "o\n1\n" ROOT "\n\n",
        "o\n1\n" ROOT "\next",
        "o\n1\n" ROOT "\next\n\nmore\n",
        "o\xff\n1\n" ROOT "\n",
    };
    struct checkpoint c;

    for (size_t i = 0; i < COUNT(wrong); i++)
        CHECK_ERR(checkpoint_parse(cx, str_from(wrong[i]), &c), ERR_INVALID);
}

TEST(a_log_signs_and_others_open)
{
    struct note_signer log = make_signer(cx, S("example.com/log"), NOTE_ED25519);
    struct note_verifier logs[2];
    struct checkpoint c = {.origin = S("example.com/log"), .size = 42, .root = {{7}}};
    struct checkpoint_opened opened;
    str note;

    logs[1] = note_signer_verifier(&log);
    logs[0] = logs[1];
    logs[0].name = S("example.com/other");
    CHECK_OK(checkpoint_sign(cx, &c, &log, &note));
    CHECK_OK(checkpoint_open(cx, note, logs, 2, &opened));
    CHECK_EQ(opened.checkpoint.size, 42);
    CHECK(hash_eq(&opened.checkpoint.root, &c.root));
    CHECK(opened.log == &logs[1]);
    CHECK_ERR(checkpoint_open(cx, note, logs, 1, &opened), ERR_NOT_FOUND);
    CHECK_ERR(checkpoint_open(cx, note, logs, 0, &opened), ERR_NOT_FOUND);
    logs[1].public_key = S("00000000000000000000000000000000");
    CHECK_ERR(checkpoint_open(cx, note, logs, 2, &opened), ERR_FORBIDDEN);
    c.origin = S("two\nlines");
    CHECK_ERR(checkpoint_sign(cx, &c, &log, &note), ERR_INVALID);
    c.origin = S("");
    CHECK_ERR(checkpoint_sign(cx, &c, &log, &note), ERR_INVALID);
}

/* A trusted log's key may not speak for another origin, though that one is trusted too. */
TEST(a_log_cannot_sign_for_another)
{
    struct note_signer a = make_signer(cx, S("a.example"), NOTE_ED25519);
    struct note_signer b = make_signer(cx, S("b.example"), NOTE_ED25519);
    const struct note_verifier logs[] = {note_signer_verifier(&a), note_signer_verifier(&b)};
    const struct checkpoint c = {.origin = S("b.example"), .size = 1, .root = {{1}}};
    struct checkpoint_opened opened;
    str note;

    CHECK_OK(checkpoint_sign(cx, &c, &a, &note));
    CHECK_ERR(checkpoint_open(cx, note, logs, 2, &opened), ERR_FORBIDDEN);
}

TEST(a_witness_of_another_implementation_verifies)
{
    struct note_verifier witness;
    struct note_verified *verified;
    struct checkpoint c;
    struct note note;
    size_t n;

    CHECK_OK(note_verifier_parse(cx, str_from(witness_vkey), &witness));
    CHECK_OK(note_parse(cx, str_from(rome_note), &note));
    CHECK_OK(checkpoint_parse(cx, note.text, &c));
    CHECK_EQ(c.size, 300);
    CHECK_OK(note_verify(cx, &note, &witness, 1, &verified, &n));
    CHECK_EQ(verified[0].time_s, 1767139200);
}

TEST(a_cosignature_covers_text_and_time)
{
    struct note_signer log = make_signer(cx, S("example.com/log"), NOTE_ED25519);
    struct note_signer witness = make_signer(cx, S("witness.example"), NOTE_COSIGNATURE_V1);
    struct note_verifier known = note_signer_verifier(&witness);
    const struct checkpoint c = {
        .origin = S("example.com/log"), .size = 42, .root = {{7}}, .extensions = S("ext\n")};
    struct note_verified *verified;
    struct note parsed;
    str note, line, changed;
    size_t n;

    CHECK_OK(checkpoint_sign(cx, &c, &log, &note));
    CHECK_OK(checkpoint_cosign(cx, note, &witness, 1767139200, &line));
    CHECK_OK(
        note_parse(cx, arena_printf(cx->mem, "%.*s%.*s", STR_FMT(note), STR_FMT(line)), &parsed));
    CHECK_OK(note_verify(cx, &parsed, &known, 1, &verified, &n));
    CHECK_EQ(verified[0].time_s, 1767139200);
    changed = arena_printf(cx->mem, "example.com/log\n43%.*s%.*s",
                           STR_FMT(str_slice(note, 18, note.n)), STR_FMT(line));
    CHECK_OK(note_parse(cx, changed, &parsed));
    CHECK_ERR(note_verify(cx, &parsed, &known, 1, &verified, &n), ERR_FORBIDDEN);
    CHECK_ERR(checkpoint_cosign(cx, note, &log, 1, &line), ERR_INVALID);
    CHECK_ERR(checkpoint_cosign(cx, S("no\n\n\xe2\x80\x94 a AAAAAAE=\n"), &witness, 1, &line),
              ERR_INVALID);
}
