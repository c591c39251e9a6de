/* Signed notes: known answers of other implementations, the rules for unknown and false signatures,
 * and the form in all its strictness. */
#include "crypto/note.h"
#include "test.h"

/* spec: c2sp.org/signed-note's own example key. */
static const char foo_vkey[] =
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
static const char foo_note[] =
    "This is an example message.\n\n\xe2\x80\x94 example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3"
    "mFXmRKuwHjG1Yu72IneyaQM=\n";

/* golang.org/x/mod/sumdb/note, package documentation. */
static const char peter_skey[] =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
static const char peter_vkey[] =
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
static const char peter_text[] = "If you think cryptography is the answer to your problem,\n"
                                 "then you don't know what your problem is.\n";
static const char peter_line[] =
    "\xe2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfq"
    "dngotpRZb6KE6RyyBwJnAM=\n";

/* FiloSottile/sunlight cmd/skylight/testdata/witness: a log's RFC 6962 signature, not known here,
 * and a cosignature/v1. */
static const char witness_vkey[] =
    "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN";
static const char witness_note[] =
    "rome2026h1.example.org\n300\nlCkHUpkmVBEms2r2T1K6Og69+wUuuN3MIEW1/ezu2v0=\n\n"
    "\xe2\x80\x94 rome2026h1.example.org "
    "kVB1JgAAAZtxtEwABAMARzBFAiEAi+mTa2xjL1IdWpH82OeciGsGvwRAP+f1"
    "WkfKaSZCfFECIHoNPZ/Q3y6UNzvKOO9cuLr6V16vPNfhwhle9f6r5H/Z\n"
    "\xe2\x80\x94 witness.example.org "
    "uKLPIAAAAABpVGeAhm2bOvKc3LaB9PFN1ruG19Y5yqslmcAAbhftnn1Zznmo0LXF"
    "Zq4LGvqKqLX8jWlwLKasxEGTLIqAVusneCBmBw==\n";

static err open_note(struct ctx *cx, str text, const struct note_verifier *known, size_t count,
                     struct note_verified **out, size_t *out_count)
{
    struct note note;

    TRY(note_parse(cx, text, &note));
    return note_verify(cx, &note, known, count, out, out_count);
}

static str concat(struct ctx *cx, const char *a, const char *b)
{
    return arena_printf(cx->mem, "%s%s", a, b);
}

TEST(a_vkey_is_read_and_written_alike)
{
    const char *const vkeys[] = {foo_vkey, peter_vkey, witness_vkey};
    struct note_verifier v;

    for (size_t i = 0; i < COUNT(vkeys); i++) {
        CLEANUP(buf_close) struct buf again = BUF(1000);

        CHECK_OK(note_verifier_parse(cx, str_from(vkeys[i]), &v));
        note_verifier_put(&again, &v);
        CHECK_STR(buf_str(&again), str_from(vkeys[i]));
    }
    CHECK_STR(v.name, S("witness.example.org"));
    CHECK_EQ(v.key_id, 0xb8a2cf20);
    CHECK_EQ(v.algorithm, NOTE_COSIGNATURE_V1);
}

TEST(wrong_vkeys_are_refused)
{
    static const struct {
        const char *text;
        err want;
    } wrong[] = {
        {"", ERR_INVALID},
        {"example.com/foo", ERR_INVALID},
        {"example.com/foo+530d903a", ERR_INVALID},
        {"example.com/foo+530d903a+", ERR_INVALID},
        {"+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ERR_INVALID},
        {"example com+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ERR_INVALID},
        {"example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ERR_INVALID},
        {"example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ERR_INVALID},
        {"example.com/foo+530d903+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ERR_INVALID},
        {"example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ERR_INVALID},
        {"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2l", ERR_INVALID},
        {"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U0=", ERR_INVALID},
        {"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n", ERR_INVALID},
        {"example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
         ERR_UNPROCESSABLE},
    };
    struct note_verifier v;

    for (size_t i = 0; i < COUNT(wrong); i++)
        CHECK_ERR(note_verifier_parse(cx, str_from(wrong[i].text), &v), wrong[i].want);
}

TEST(names_hold_no_blank_of_unicode)
{
    CHECK(note_name_is_valid(S("example.com/\xc3\xa9t\xc3\xa9")));
    CHECK(note_name_is_valid(S("\xe2\x80\x8b"))); /* a zero-width space is no White_Space */
    CHECK(!note_name_is_valid(S("")));
    CHECK(!note_name_is_valid(S("a+b")));
    CHECK(!note_name_is_valid(S("a b")));
    CHECK(!note_name_is_valid(S("a\tb")));
    CHECK(!note_name_is_valid(S("a\x01")));
    CHECK(!note_name_is_valid(S("a\xc2\x85")));
    CHECK(!note_name_is_valid(S("\xc2\xa0")));
    CHECK(!note_name_is_valid(S("x\xe2\x80\x83y")));
    CHECK(!note_name_is_valid(S("x\xe2\x80\xa8y")));
    CHECK(!note_name_is_valid(S("x\xe3\x80\x80y")));
    CHECK(!note_name_is_valid(S("\xff")));
}

TEST(a_signing_key_is_read_written_and_signs_as_go_does)
{
    CLEANUP(buf_close) struct buf again = BUF(1000);
    CLEANUP(buf_close) struct buf vkey = BUF(1000);
    struct note_signer signer;
    struct note_verifier v;
    str note;

    CHECK_OK(note_signer_parse(cx, str_from(peter_skey), &signer));
    note_signer_put(&again, &signer);
    CHECK_STR(buf_str(&again), str_from(peter_skey));
    v = note_signer_verifier(&signer);
    note_verifier_put(&vkey, &v);
    CHECK_STR(buf_str(&vkey), str_from(peter_vkey));
    CHECK_OK(note_sign(cx, str_from(peter_text), &signer, 0, &note));
    CHECK_STR(note, arena_printf(cx->mem, "%s\n%s", peter_text, peter_line));
    note_signer_wipe(&signer);
}

TEST(wrong_signing_keys_are_refused)
{
    static const char *const wrong[] = {
        "",
        "PRIVATE+KEY+",
        "PRIVATE+KEY+PeterNeumann+c74f20a3",
        "PRIVATE+KEY+PeterNeumann+c74f20a4+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
        "PRIVATE+KEY+PeterNeuman+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDF=",
        "private+key+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
    };
    struct note_signer signer;

    for (size_t i = 0; i < COUNT(wrong); i++)
        CHECK_ERR(note_signer_parse(cx, str_from(wrong[i]), &signer), ERR_INVALID);
}

TEST(notes_of_others_verify)
{
    struct note_verifier known[2];
    struct note_verified *verified;
    size_t n;

    CHECK_OK(note_verifier_parse(cx, str_from(foo_vkey), &known[0]));
    CHECK_OK(note_verifier_parse(cx, str_from(witness_vkey), &known[1]));
    CHECK_OK(open_note(cx, str_from(foo_note), known, 2, &verified, &n));
    CHECK_EQ(n, 1);
    CHECK(verified[0].verifier == &known[0]);
    CHECK_EQ(verified[0].time_s, 0);
    CHECK_OK(open_note(cx, str_from(witness_note), known, 2, &verified, &n));
    CHECK_EQ(n, 1);
    CHECK(verified[0].verifier == &known[1]);
    CHECK_EQ(verified[0].time_s, 1767139200);
}

/* Every byte of text and true signature counts: any change is refused, one way or another. */
TEST(a_changed_note_is_refused)
{
    static const struct {
        const char *note, *vkey, *line; /* other signatures may change, they are ignored */
    } cases[] = {{foo_note, foo_vkey, "\xe2\x80\x94 example.com/foo"},
                 {witness_note, witness_vkey, "\xe2\x80\x94 witness"}};

    for (size_t c = 0; c < COUNT(cases); c++) {
        str text = arena_str(cx->mem, str_from(cases[c].note));
        char *bytes = arena_new(cx->mem, char, text.n);
        size_t body = str_find(text, S("\n\n")) + 2;
        size_t line = str_find(text, str_from(cases[c].line));
        struct note_verifier known;
        struct note_verified *verified;
        size_t n;

        CHECK_OK(note_verifier_parse(cx, str_from(cases[c].vkey), &known));
        memcpy(bytes, text.p, text.n);
        for (size_t i = 0; i < text.n; i++) {
            if (i >= body && i < line)
                continue;
            bytes[i] = (char)(text.p[i] ^ 1);
            CHECK(open_note(cx, (str){bytes, text.n}, &known, 1, &verified, &n) != ERR_OK);
            bytes[i] = text.p[i];
        }
        for (size_t i = 0; i < text.n; i++)
            CHECK(open_note(cx, str_slice(text, 0, i), &known, 1, &verified, &n) != ERR_OK);
    }
}

TEST(unknown_keys_are_ignored_and_false_signatures_are_not)
{
    struct note_signer a, b;
    struct note_verifier known[2], impostor;
    struct ed25519_key key;
    struct note_verified *verified;
    CLEANUP(buf_close) struct buf note = BUF(10000);
    const str text = S("a text\n");
    size_t n;

    ed25519_generate(&key);
    CHECK_OK(note_signer_init(cx, S("a.example"), NOTE_ED25519, &key, &a));
    ed25519_generate(&key);
    CHECK_OK(note_signer_init(cx, S("b.example"), NOTE_COSIGNATURE_V1, &key, &b));
    known[0] = note_signer_verifier(&a);
    known[1] = note_signer_verifier(&b);
    buf_put(&note, text);
    buf_put_char(&note, '\n');
    CHECK_OK(note_signature_put(cx, &note, &a, text, 0));
    CHECK_OK(note_signature_put(cx, &note, &b, text, 1234));

    CHECK_OK(open_note(cx, buf_str(&note), known, 2, &verified, &n));
    CHECK_EQ(n, 2);
    CHECK_EQ(verified[1].time_s, 1234);
    CHECK_OK(open_note(cx, buf_str(&note), known, 1, &verified, &n));
    CHECK_EQ(n, 1);
    CHECK_ERR(open_note(cx, buf_str(&note), known, 0, &verified, &n), ERR_FORBIDDEN);

    /* Same name, another id; same id, another name: both unknown. */
    impostor = known[0];
    impostor.key_id ^= 1;
    CHECK_ERR(open_note(cx, buf_str(&note), &impostor, 1, &verified, &n), ERR_FORBIDDEN);
    CHECK_DETAIL("no signature by a known key");
    impostor = known[0];
    impostor.name = S("c.example");
    CHECK_ERR(open_note(cx, buf_str(&note), &impostor, 1, &verified, &n), ERR_FORBIDDEN);
    CHECK_DETAIL("no signature by a known key");

    /* Name and id of a known key, made by another: the whole note goes, though the other holds. */
    known[0].public_key = known[1].public_key;
    CHECK_ERR(open_note(cx, buf_str(&note), known, 2, &verified, &n), ERR_FORBIDDEN);
    CHECK_DETAIL("a.example");
    /* A cosignature key does not take a plain signature and the other way round. */
    known[0] = note_signer_verifier(&a);
    known[0].algorithm = NOTE_COSIGNATURE_V1;
    CHECK_ERR(open_note(cx, buf_str(&note), known, 2, &verified, &n), ERR_FORBIDDEN);
}

TEST(a_key_that_signed_twice_counts_once)
{
    struct note_signer witness;
    struct note_verifier known;
    struct ed25519_key key;
    struct note_verified *verified;
    CLEANUP(buf_close) struct buf note = BUF(10000);
    const str text = S("a text\n");
    size_t n;

    ed25519_generate(&key);
    CHECK_OK(note_signer_init(cx, S("w.example"), NOTE_COSIGNATURE_V1, &key, &witness));
    known = note_signer_verifier(&witness);
    buf_put(&note, S("a text\n\n"));
    CHECK_OK(note_signature_put(cx, &note, &witness, text, 300));
    CHECK_OK(note_signature_put(cx, &note, &witness, text, 200));
    CHECK_OK(open_note(cx, buf_str(&note), &known, 1, &verified, &n));
    CHECK_EQ(n, 1);
    CHECK_EQ(verified[0].time_s, 300);
    CHECK_ERR(note_signature_put(cx, &note, &witness, text, (uint64_t)INT64_MAX + 1), ERR_INVALID);
}

TEST(the_text_ends_at_the_last_blank_line)
{
    CLEANUP(buf_close) struct buf again = BUF(10000);
    const str in = S("one\n\ntwo\n\n\xe2\x80\x94 a AAAAAAE=\n\xe2\x80\x94 b AAAAAgMEBQ==\n");
    struct note note;

    CHECK_OK(note_parse(cx, in, &note));
    CHECK_STR(note.text, S("one\n\ntwo\n"));
    CHECK_EQ(note.signature_count, 2);
    CHECK_STR(note.signatures[0].name, S("a"));
    CHECK_EQ(note.signatures[0].key_id, 0);
    CHECK_STR(note.signatures[0].signature, S("\x01"));
    CHECK_EQ(note.signatures[1].key_id, 2);
    CHECK_STR(note.signatures[1].signature, S("\x03\x04\x05"));
    note_put(&again, &note);
    CHECK_STR(buf_str(&again), in);
}

TEST(notes_out_of_form_are_refused)
{
    static const str wrong[] = {
        STR_INIT(""),
        STR_INIT("\n"),
        STR_INIT("text\n"),
        STR_INIT("text\n\n"),
        STR_INIT("text\n\n\n"),
        STR_INIT("text\n\xe2\x80\x94 a AAAAAAE=\n"),
        STR_INIT("text\n\n\xe2\x80\x94 a AAAAAAE="),
        STR_INIT("text\n\n\xe2\x80\x94 a AAAAAAE=\n\n"),
        STR_INIT("text\n\n\xe2\x80\x94 a AAAAAA==\n"),  /* a key id and nothing else */
        STR_INIT("text\n\n\xe2\x80\x94 a AAAAAAF=\n"),  /* trailing bits */
        STR_INIT("text\n\n\xe2\x80\x94 a AAAAAAE\n"),   /* no padding */
        STR_INIT("text\n\n\xe2\x80\x94 a AAAAAAE= \n"), /* a blank behind */
        STR_INIT("text\n\n\xe2\x80\x94  AAAAAAE=\n"),   /* no name */
        STR_INIT("text\n\n\xe2\x80\x94 a+b AAAAAAE=\n"),
        STR_INIT("text\n\n\xe2\x80\x94 a\xc2\xa0 AAAAAAE=\n"),
        STR_INIT("text\n\n\xe2\x80\x94 a\n"),
        STR_INIT("text\n\n- a AAAAAAE=\n"),
        STR_INIT("text\n\n\xe2\x80\x94 a AAAAAAE=\nrest\n"),
        STR_INIT("text\r\n\n\xe2\x80\x94 a AAAAAAE=\n"),
        STR_INIT("te\0xt\n\n\xe2\x80\x94 a AAAAAAE=\n"),
        STR_INIT("te\xffxt\n\n\xe2\x80\x94 a AAAAAAE=\n"),
    };
    struct note_signer signer;
    struct note note;
    str out;

    for (size_t i = 0; i < COUNT(wrong); i++)
        CHECK_ERR(note_parse(cx, wrong[i], &note), ERR_INVALID);
    CHECK_OK(note_signer_parse(cx, str_from(peter_skey), &signer));
    CHECK_ERR(note_sign(cx, S("no newline"), &signer, 0, &out), ERR_INVALID);
    CHECK_ERR(note_sign(cx, S(""), &signer, 0, &out), ERR_INVALID);
    CHECK_ERR(note_sign(cx, S("tab\t\n"), &signer, 0, &out), ERR_INVALID);
}

TEST(notes_have_limits)
{
    CLEANUP(buf_close) struct buf b = BUF(2 * NOTE_BYTES_MAX);
    struct note note;

    buf_put(&b, S("text\n\n"));
    for (size_t i = 0; i < NOTE_SIGNATURES_MAX; i++)
        buf_put(&b, S("\xe2\x80\x94 a AAAAAAE=\n"));
    CHECK_OK(note_parse(cx, buf_str(&b), &note));
    CHECK_EQ(note.signature_count, NOTE_SIGNATURES_MAX);
    buf_put(&b, S("\xe2\x80\x94 a AAAAAAE=\n"));
    CHECK_ERR(note_parse(cx, buf_str(&b), &note), ERR_TOO_LARGE);

    buf_clear(&b);
    while (b.n < NOTE_BYTES_MAX - 20)
        buf_put_char(&b, 'x');
    buf_put(&b, S("\n\n\xe2\x80\x94 a AAAAAAE=\n"));
    CHECK_EQ(b.n, NOTE_BYTES_MAX - 3);
    CHECK_OK(note_parse(cx, buf_str(&b), &note));
    buf_clear(&b);
    while (b.n < NOTE_BYTES_MAX)
        buf_put_char(&b, 'x');
    buf_put(&b, S("\n\n\xe2\x80\x94 a AAAAAAE=\n"));
    CHECK_ERR(note_parse(cx, buf_str(&b), &note), ERR_TOO_LARGE);
}

/* The known vkey's note with the plain text changed to another's is nobody's. */
TEST(a_signature_does_not_fit_another_text)
{
    struct note_verifier known;
    struct note_verified *verified;
    size_t n;

    CHECK_OK(note_verifier_parse(cx, str_from(peter_vkey), &known));
    CHECK_OK(open_note(cx, concat(cx, peter_text, concat(cx, "\n", peter_line).p), &known, 1,
                       &verified, &n));
    CHECK_ERR(open_note(cx, concat(cx, "another text\n\n", peter_line), &known, 1, &verified, &n),
              ERR_FORBIDDEN);
}
