/* checkpoint.c - see checkpoint.h. */
#include "ledger/checkpoint.h"
#include "base/encode.h"

static const char *no_checkpoint = "not a checkpoint: origin, decimal size, base64 of 32 bytes";

/* Decimal without leading zeros. */
static bool size_parse(str s, uint64_t *out)
{
    return (s.n == 1 || (s.n > 1 && s.p[0] != '0')) && str_to_u64(s, out);
}

/* Not empty, ended by a newline, no empty line. */
static bool extensions_are_valid(str s)
{
    return s.n == 0 || (s.p[0] != '\n' && s.p[s.n - 1] == '\n' && str_find(s, S("\n\n")) == s.n);
}

err checkpoint_parse(struct ctx *cx, str text, struct checkpoint *out)
{
    struct checkpoint c;
    str rest = text;
    size_t root_bytes;
    str size, root;

    c.origin = str_cut(&rest, '\n');
    size = str_cut(&rest, '\n');
    root = str_cut(&rest, '\n');
    if (str_is_null(rest) || c.origin.n == 0 || !str_is_utf8(text))
        return fail(cx, ERR_INVALID, "%s", no_checkpoint);
    if (!size_parse(size, &c.size))
        return fail(cx, ERR_INVALID, "%s; the size is '%.*s'", no_checkpoint, STR_FMT(size));
    if (!base64_decode(root, c.root.bytes, HASH_BYTES, &root_bytes) || root_bytes != HASH_BYTES)
        return fail(cx, ERR_INVALID, "%s; the root is '%.*s'", no_checkpoint, STR_FMT(root));
    if (!extensions_are_valid(rest))
        return fail(cx, ERR_INVALID, "an extension line of the checkpoint is empty or cut off");
    c.extensions = rest;
    *out = c;
    return ERR_OK;
}

void checkpoint_put(struct buf *b, const struct checkpoint *c)
{
    buf_put(b, c->origin);
    buf_put_char(b, '\n');
    buf_put_u64(b, c->size);
    buf_put_char(b, '\n');
    base64_put(b, c->root.bytes, HASH_BYTES);
    buf_put_char(b, '\n');
    buf_put(b, c->extensions);
}

err checkpoint_sign(struct ctx *cx, const struct checkpoint *c, const struct note_signer *log,
                    str *out)
{
    CLEANUP(buf_close) struct buf text = BUF(NOTE_BYTES_MAX);
    struct checkpoint again;

    checkpoint_put(&text, c);
    TRY(buf_check(cx, &text, "a checkpoint"));
    TRY(checkpoint_parse(cx, buf_str(&text), &again)); /* never sign what nobody can read */
    return note_sign(cx, buf_str(&text), log, 0, out);
}

static const struct note_verifier *find_log(str origin, const struct note_verifier *logs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(logs[i].name, origin))
            return &logs[i];
    return NULL;
}

err checkpoint_open(struct ctx *cx, str note, const struct note_verifier *logs, size_t log_count,
                    struct checkpoint_opened *out)
{
    struct checkpoint_opened opened;
    struct note_verified *signed_by;
    size_t signed_count;

    TRY(note_parse(cx, note, &opened.note));
    TRY(checkpoint_parse(cx, opened.note.text, &opened.checkpoint));
    if (!find_log(opened.checkpoint.origin, logs, log_count))
        return fail(cx, ERR_NOT_FOUND, "'%.*s' is not a log that is trusted here",
                    STR_FMT(opened.checkpoint.origin));
    TRY(note_verify(cx, &opened.note, logs, log_count, &signed_by, &signed_count));
    for (size_t i = 0; i < signed_count; i++) {
        opened.log = signed_by[i].verifier;
        if (str_eq(opened.log->name, opened.checkpoint.origin)) {
            *out = opened;
            return ERR_OK;
        }
    }
    return fail(cx, ERR_FORBIDDEN, "the checkpoint of '%.*s' is signed by another log only",
                STR_FMT(opened.checkpoint.origin));
}

err checkpoint_cosign(struct ctx *cx, str note, const struct note_signer *witness, uint64_t time_s,
                      str *out)
{
    CLEANUP(buf_close) struct buf line = BUF(NOTE_BYTES_MAX);
    struct checkpoint c;
    struct note parsed;

    if (witness->algorithm != NOTE_COSIGNATURE_V1)
        return fail(cx, ERR_INVALID, "'%.*s' is not a key that cosigns", STR_FMT(witness->name));
    TRY(note_parse(cx, note, &parsed));
    TRY(checkpoint_parse(cx, parsed.text, &c));
    TRY(note_signature_put(cx, &line, witness, parsed.text, time_s));
    *out = arena_str(cx->mem, buf_str(&line));
    return ERR_OK;
}
