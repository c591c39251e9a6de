/* note.c - reading, writing, signing and verifying signed notes. */
#include "crypto/note.h"
#include "base/encode.h"
#include "crypto/note_algorithm.h"

static const str line_start = STR_INIT("\xe2\x80\x94 "); /* em dash, blank */

enum { KEY_ID_BYTES = 4, SIGNATURE_BLOB_BYTES_MAX = 16 * 1024 };

/* UTF-8 without control characters other than newline, ending in one. */
static bool is_note_text(str s)
{
    if (s.n == 0 || s.p[s.n - 1] != '\n' || !str_is_utf8(s))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((uint8_t)s.p[i] < 0x20 && s.p[i] != '\n')
            return false;
    return true;
}

/* Position of the last blank line's first newline (the one that ends the text); s.n if none. */
static size_t last_blank_line(str s)
{
    for (size_t i = s.n; i >= 2; i--)
        if (s.p[i - 1] == '\n' && s.p[i - 2] == '\n')
            return i - 2;
    return s.n;
}

static uint32_t big_endian_u32(const uint8_t b[KEY_ID_BYTES])
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static err signature_parse(struct ctx *cx, str line, struct note_signature *out)
{
    str rest = str_slice(line, line_start.n, line.n);
    str name = str_cut(&rest, ' ');
    size_t capacity = size_min(rest.n, SIGNATURE_BLOB_BYTES_MAX);
    uint8_t *blob;
    size_t n;

    if (!str_starts(line, line_start) || !note_name_is_valid(name))
        return fail(cx, ERR_INVALID, "a signature line is not '\xe2\x80\x94 name base64'");
    blob = arena_try(cx->mem, uint8_t, capacity + 1);
    if (!blob)
        return fail(cx, ERR_TOO_LARGE, "no memory for the signatures of a note");
    if (!base64_decode(rest, blob, capacity, &n) || n <= KEY_ID_BYTES)
        return fail(cx, ERR_INVALID,
                    "the signature of '%.*s' is not base64 of key id and signature", STR_FMT(name));
    *out = (struct note_signature){
        .name = name,
        .signature = {(const char *)blob + KEY_ID_BYTES, n - KEY_ID_BYTES},
        .key_id = big_endian_u32(blob),
    };
    return ERR_OK;
}

static size_t line_count(str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '\n';
    return n;
}

err note_parse(struct ctx *cx, str note, struct note *out)
{
    struct note parsed = {0};
    size_t split;
    str lines;

    if (note.n > NOTE_BYTES_MAX)
        return fail(cx, ERR_TOO_LARGE, "a note has at most %d bytes", NOTE_BYTES_MAX);
    split = last_blank_line(note);
    if (!is_note_text(note) || split == note.n || split + 2 == note.n)
        return fail(cx, ERR_INVALID, "not a signed note: text, blank line, signature lines");
    parsed.text = str_slice(note, 0, split + 1);
    lines = str_slice(note, split + 2, note.n);
    if (line_count(lines) > NOTE_SIGNATURES_MAX)
        return fail(cx, ERR_TOO_LARGE, "a note has at most %d signatures", NOTE_SIGNATURES_MAX);
    parsed.signatures = arena_new(cx->mem, struct note_signature, line_count(lines));
    while (lines.n > 0)
        TRY(signature_parse(cx, str_cut(&lines, '\n'),
                            &parsed.signatures[parsed.signature_count++]));
    *out = parsed;
    return ERR_OK;
}

static void signature_line_put(struct buf *b, str name, uint32_t key_id, str signature)
{
    const uint8_t head[] = {(uint8_t)(key_id >> 24), (uint8_t)(key_id >> 16),
                            (uint8_t)(key_id >> 8), (uint8_t)key_id};
    CLEANUP(buf_close) struct buf blob = BUF(SIGNATURE_BLOB_BYTES_MAX);

    buf_put(&blob, (str){(const char *)head, sizeof(head)});
    buf_put(&blob, signature);
    buf_put(b, line_start);
    buf_put(b, name);
    buf_put_char(b, ' ');
    base64_put(b, blob.p, blob.n);
    buf_put_char(b, '\n');
}

void note_put(struct buf *b, const struct note *note)
{
    buf_put(b, note->text);
    buf_put_char(b, '\n');
    for (size_t i = 0; i < note->signature_count; i++) {
        const struct note_signature *s = &note->signatures[i];

        signature_line_put(b, s->name, s->key_id, s->signature);
    }
}

err note_signature_put(struct ctx *cx, struct buf *b, const struct note_signer *s, str text,
                       uint64_t time_s)
{
    const struct note_algorithm *algorithm = note_algorithm_find(s->algorithm);
    uint8_t signature[NOTE_SIGNATURE_BYTES_MAX];

    ENSURE(algorithm && algorithm->signature_bytes <= sizeof(signature));
    if (text.n > NOTE_BYTES_MAX)
        return fail(cx, ERR_TOO_LARGE, "a note has at most %d bytes", NOTE_BYTES_MAX);
    if (!is_note_text(text))
        return fail(cx, ERR_INVALID, "a text to sign is UTF-8 and ends in a newline");
    TRY(algorithm->sign(cx, s, text, time_s, signature));
    signature_line_put(b, s->name, s->key_id,
                       (str){(const char *)signature, algorithm->signature_bytes});
    return buf_check(cx, b, "a signed note");
}

err note_sign(struct ctx *cx, str text, const struct note_signer *s, uint64_t time_s, str *out)
{
    CLEANUP(buf_close) struct buf b = BUF(NOTE_BYTES_MAX);

    buf_put(&b, text);
    buf_put_char(&b, '\n');
    TRY(note_signature_put(cx, &b, s, text, time_s));
    *out = arena_str(cx->mem, buf_str(&b));
    return ERR_OK;
}

static const struct note_verifier *find_known(const struct note_signature *s,
                                              const struct note_verifier *known, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (known[i].key_id == s->key_id && str_eq(known[i].name, s->name))
            return &known[i];
    return NULL;
}

static err signature_verify(struct ctx *cx, str text, const struct note_signature *s,
                            const struct note_verifier *v, uint64_t *out_time_s)
{
    const struct note_algorithm *algorithm = note_algorithm_find(v->algorithm);

    if (!algorithm)
        return fail(cx, ERR_UNPROCESSABLE, "signatures of type %02x are not known here",
                    v->algorithm);
    if (s->signature.n != algorithm->signature_bytes)
        return fail(cx, ERR_FORBIDDEN, "the signature of %.*s+%08x has the wrong size",
                    STR_FMT(v->name), v->key_id);
    return algorithm->verify(cx, v, text, (const uint8_t *)s->signature.p, out_time_s);
}

/* A second signature by one key is checked, but a key is listed once, with its latest time. */
static size_t add_verified(struct note_verified *list, size_t count, struct note_verified one)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].verifier == one.verifier) {
            list[i].time_s = one.time_s > list[i].time_s ? one.time_s : list[i].time_s;
            return count;
        }
    }
    list[count] = one;
    return count + 1;
}

err note_verify(struct ctx *cx, const struct note *note, const struct note_verifier *known,
                size_t known_count, struct note_verified **out, size_t *out_count)
{
    struct note_verified *list =
        arena_new(cx->mem, struct note_verified, note->signature_count + 1);
    size_t count = 0;

    for (size_t i = 0; i < note->signature_count; i++) {
        struct note_verified one = {.verifier =
                                        find_known(&note->signatures[i], known, known_count)};

        if (!one.verifier)
            continue;
        TRY(signature_verify(cx, note->text, &note->signatures[i], one.verifier, &one.time_s));
        count = add_verified(list, count, one);
    }
    if (count == 0)
        return fail(cx, ERR_FORBIDDEN, "the note carries no signature by a known key");
    *out = list;
    *out_count = count;
    return ERR_OK;
}
