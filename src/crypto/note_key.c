/* note_key.c - names, key ids, verifier keys and signing keys of signed notes as text. */
#include "base/encode.h"
#include "crypto/note_algorithm.h"
#include "crypto/seal.h"
#include "crypto/sha256.h"

/* The blanks of Unicode (White_Space) as UTF-8; U+2000 to U+200A are told by their last byte. */
static const str unicode_blanks[] = {
    STR_INIT("\t"),           STR_INIT("\n"),           STR_INIT("\v"),
    STR_INIT("\f"),           STR_INIT("\r"),           STR_INIT(" "),
    STR_INIT("\xc2\x85"),     STR_INIT("\xc2\xa0"),     STR_INIT("\xe1\x9a\x80"),
    STR_INIT("\xe2\x80\x80"), STR_INIT("\xe2\x80\x81"), STR_INIT("\xe2\x80\x82"),
    STR_INIT("\xe2\x80\x83"), STR_INIT("\xe2\x80\x84"), STR_INIT("\xe2\x80\x85"),
    STR_INIT("\xe2\x80\x86"), STR_INIT("\xe2\x80\x87"), STR_INIT("\xe2\x80\x88"),
    STR_INIT("\xe2\x80\x89"), STR_INIT("\xe2\x80\x8a"), STR_INIT("\xe2\x80\xa8"),
    STR_INIT("\xe2\x80\xa9"), STR_INIT("\xe2\x80\xaf"), STR_INIT("\xe2\x81\x9f"),
    STR_INIT("\xe3\x80\x80"),
};

bool note_name_is_valid(str name)
{
    if (name.n == 0 || name.n > NOTE_NAME_BYTES_MAX || !str_is_utf8(name) ||
        str_find_char(name, '+') < name.n)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if ((uint8_t)name.p[i] < 0x20)
            return false;
    for (size_t i = 0; i < COUNT(unicode_blanks); i++)
        if (str_find(name, unicode_blanks[i]) < name.n)
            return false;
    return true;
}

uint32_t note_key_id(str name, uint8_t algorithm, str public_key)
{
    const char head[] = {'\n', (char)algorithm};
    struct sha256_stream stream;
    struct hash h;

    sha256_init(&stream);
    sha256_add(&stream, name);
    sha256_add(&stream, (str){head, sizeof(head)});
    sha256_add(&stream, public_key);
    sha256_finish(&stream, &h);
    return (uint32_t)h.bytes[0] << 24 | (uint32_t)h.bytes[1] << 16 | (uint32_t)h.bytes[2] << 8 |
           h.bytes[3];
}

/* What vkeys and signing keys have in common: name+hex8+base64(type || bytes). */
struct key_text {
    str name;
    uint32_t key_id;
    uint8_t bytes[1 + NOTE_PUBLIC_BYTES_MAX];
    size_t n;
};

static bool hex_key_id(str hex, uint32_t *out)
{
    uint8_t b[4];

    for (size_t i = 0; i < hex.n; i++)
        if (hex.p[i] >= 'A' && hex.p[i] <= 'F')
            return false; /* one spelling only */
    if (hex.n != 8 || !hex_decode(hex, b, sizeof(b)))
        return false;
    *out = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    return true;
}

/* The base64 part may hold '+', so only the first two separate. */
static err key_text_parse(struct ctx *cx, str text, struct key_text *out)
{
    str rest = text;
    str name = str_cut(&rest, '+');
    str hex = str_cut(&rest, '+');

    if (!note_name_is_valid(name))
        return fail(cx, ERR_INVALID, "a key's name may not be empty or hold blanks or '+'");
    if (!hex_key_id(hex, &out->key_id))
        return fail(cx, ERR_INVALID, "key '%.*s': the key id is not eight hex digits",
                    STR_FMT(name));
    if (!base64_decode(rest, out->bytes, sizeof(out->bytes), &out->n) || out->n < 2)
        return fail(cx, ERR_INVALID, "key '%.*s': the key is not base64 of a known size",
                    STR_FMT(name));
    out->name = name;
    return ERR_OK;
}

static err key_algorithm(struct ctx *cx, const struct key_text *k,
                         const struct note_algorithm **out)
{
    *out = note_algorithm_find(k->bytes[0]);
    if (!*out)
        return fail(cx, ERR_UNPROCESSABLE, "key '%.*s' is of type %02x, which is not known here",
                    STR_FMT(k->name), k->bytes[0]);
    return ERR_OK;
}

static void key_text_put(struct buf *b, str name, uint32_t key_id, uint8_t algorithm, str bytes)
{
    uint8_t blob[1 + NOTE_PUBLIC_BYTES_MAX];

    ENSURE(bytes.n < sizeof(blob));
    blob[0] = algorithm;
    memcpy(blob + 1, bytes.p, bytes.n);
    buf_put(b, name);
    buf_printf(b, "+%08x+", key_id);
    base64_put(b, blob, 1 + bytes.n);
    secret_wipe(blob, sizeof(blob));
}

err note_verifier_parse(struct ctx *cx, str vkey, struct note_verifier *out)
{
    const struct note_algorithm *algorithm;
    struct key_text k = {.n = 0};
    str public_key;

    TRY(key_text_parse(cx, vkey, &k));
    TRY(key_algorithm(cx, &k, &algorithm));
    public_key = (str){(const char *)k.bytes + 1, k.n - 1};
    if (public_key.n != algorithm->public_bytes)
        return fail(cx, ERR_INVALID, "key '%.*s': %zu bytes where %zu are due", STR_FMT(k.name),
                    public_key.n, algorithm->public_bytes);
    if (k.key_id != note_key_id(k.name, k.bytes[0], public_key))
        return fail(cx, ERR_INVALID, "key '%.*s': the key id is that of another key",
                    STR_FMT(k.name));
    *out = (struct note_verifier){
        .name = arena_str(cx->mem, k.name),
        .public_key = arena_str(cx->mem, public_key),
        .key_id = k.key_id,
        .algorithm = k.bytes[0],
    };
    return ERR_OK;
}

void note_verifier_put(struct buf *b, const struct note_verifier *v)
{
    key_text_put(b, v->name, v->key_id, v->algorithm, v->public_key);
}

static str public_key_of(const struct ed25519_key *key)
{
    return (str){(const char *)key->public_key, sizeof(key->public_key)};
}

err note_signer_init(struct ctx *cx, str name, uint8_t algorithm, const struct ed25519_key *key,
                     struct note_signer *out)
{
    const struct note_algorithm *a = note_algorithm_find(algorithm);

    if (!note_name_is_valid(name))
        return fail(cx, ERR_INVALID, "a key's name may not be empty or hold blanks or '+'");
    if (!a)
        return fail(cx, ERR_UNPROCESSABLE, "signatures of type %02x are not known here", algorithm);
    *out = (struct note_signer){
        .name = name,
        .key = *key,
        .key_id = note_key_id(name, algorithm, public_key_of(key)),
        .algorithm = algorithm,
    };
    return ERR_OK;
}

struct note_verifier note_signer_verifier(const struct note_signer *s)
{
    return (struct note_verifier){
        .name = s->name,
        .public_key = public_key_of(&s->key),
        .key_id = s->key_id,
        .algorithm = s->algorithm,
    };
}

static const str signer_prefix = STR_INIT("PRIVATE+KEY+");

static err signer_from_text(struct ctx *cx, const struct key_text *k, struct note_signer *out)
{
    const struct note_algorithm *algorithm;
    struct ed25519_key key;
    err e;

    TRY(key_algorithm(cx, k, &algorithm));
    if (k->n != 1 + ED25519_SEED_BYTES)
        return fail(cx, ERR_INVALID, "signing key '%.*s': the seed has not %d bytes",
                    STR_FMT(k->name), ED25519_SEED_BYTES);
    ed25519_from_seed(k->bytes + 1, &key);
    e = note_signer_init(cx, arena_str(cx->mem, k->name), k->bytes[0], &key, out);
    ed25519_wipe(&key);
    TRY(e);
    if (out->key_id != k->key_id) {
        note_signer_wipe(out);
        return fail(cx, ERR_INVALID, "signing key '%.*s': the key id is that of another key",
                    STR_FMT(k->name));
    }
    return ERR_OK;
}

err note_signer_parse(struct ctx *cx, str text, struct note_signer *out)
{
    struct key_text k = {.n = 0};
    struct note_signer signer = {0};
    err e;

    if (!str_starts(text, signer_prefix))
        return fail(cx, ERR_INVALID, "a signing key begins with %.*s", STR_FMT(signer_prefix));
    e = key_text_parse(cx, str_slice(text, signer_prefix.n, text.n), &k);
    if (e == ERR_OK)
        e = signer_from_text(cx, &k, &signer);
    secret_wipe(k.bytes, sizeof(k.bytes));
    if (e == ERR_OK)
        *out = signer;
    note_signer_wipe(&signer);
    return e;
}

void note_signer_put(struct buf *b, const struct note_signer *s)
{
    buf_put(b, signer_prefix);
    key_text_put(b, s->name, s->key_id, s->algorithm,
                 (str){(const char *)s->key.seed, sizeof(s->key.seed)});
}

void note_signer_wipe(struct note_signer *s)
{
    ed25519_wipe(&s->key);
}
