/* What parses as a note, a verifier key or a signing key is written back to the same bytes; and a
 * note that verifies against a key nobody holds is the one note that exists of it. */
#include "crypto/note.h"

static void check_note(struct ctx *cx, str in)
{
    const str vkey = S("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k");
    CLEANUP(buf_close) struct buf again = BUF(2 * NOTE_BYTES_MAX);
    struct note_verifier known;
    struct note_verified *verified;
    struct note note;
    size_t n;

    if (note_parse(cx, in, &note) != ERR_OK)
        return;
    note_put(&again, &note);
    ENSURE(str_eq(buf_str(&again), in));
    ENSURE(note_verifier_parse(cx, vkey, &known) == ERR_OK);
    if (note_verify(cx, &note, &known, 1, &verified, &n) == ERR_OK)
        ENSURE(n == 1 && str_eq(note.text, S("This is an example message.\n")));
}

static void check_keys(struct ctx *cx, str in)
{
    CLEANUP(buf_close) struct buf again = BUF(10000);
    struct note_verifier verifier;
    struct note_signer signer;

    if (note_verifier_parse(cx, in, &verifier) == ERR_OK) {
        note_verifier_put(&again, &verifier);
        ENSURE(str_eq(buf_str(&again), in));
    } else if (note_signer_parse(cx, in, &signer) == ERR_OK) {
        note_signer_put(&again, &signer);
        ENSURE(str_eq(buf_str(&again), in));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    str in = {(const char *)data, size};

    check_note(cx, in);
    check_keys(cx, in);
    return 0;
}
