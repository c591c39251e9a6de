/* checkpoint_file.c - see checkpoint_file.h. */
#include "ledger/checkpoint_file.h"
#include "base/encode.h"
#include <xxhash.h>

enum { CHECKED_BYTES = 120, NOTE_TEXT_BYTES_MAX = 4096 };

static void put_int(char *p, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (char)(v >> 8 * i);
}

static uint64_t get_int(const char *p, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)(unsigned char)p[i] << 8 * i;
    return v;
}

void checkpoint_record_put(const struct checkpoint_record *r, char out[CHECKPOINT_RECORD_BYTES])
{
    memset(out, 0, CHECKPOINT_RECORD_BYTES);
    put_int(out, r->size, 8);
    put_int(out + 8, (uint64_t)r->signed_us, 8);
    memcpy(out + 16, r->root.bytes, HASH_BYTES);
    memcpy(out + 48, r->signature, sizeof r->signature);
    put_int(out + 112, r->key_id, 4);
    put_int(out + CHECKED_BYTES, XXH3_64bits(out, CHECKED_BYTES), 8);
}

bool checkpoint_record_get(const char in[CHECKPOINT_RECORD_BYTES], struct checkpoint_record *out)
{
    if (get_int(in + CHECKED_BYTES, 8) != XXH3_64bits(in, CHECKED_BYTES))
        return false;
    out->size = get_int(in, 8);
    out->signed_us = (int64_t)get_int(in + 8, 8);
    memcpy(out->root.bytes, in + 16, HASH_BYTES);
    memcpy(out->signature, in + 48, sizeof out->signature);
    out->key_id = (uint32_t)get_int(in + 112, 4);
    return true;
}

static void put_text(struct buf *b, str origin, uint64_t size, const struct hash *root)
{
    struct checkpoint c = {.origin = origin, .size = size, .root = *root};

    checkpoint_put(b, &c);
}

void checkpoint_record_sign(const struct note_signer *signer, str origin, uint64_t size,
                            const struct hash *root, int64_t now_us, struct checkpoint_record *out)
{
    struct buf text = BUF(NOTE_TEXT_BYTES_MAX);

    put_text(&text, origin, size, root);
    *out = (struct checkpoint_record){
        .size = size, .signed_us = now_us, .root = *root, .key_id = signer->key_id};
    ed25519_sign(&signer->key, buf_str(&text), out->signature);
    buf_close(&text);
}

str checkpoint_record_note(struct ctx *cx, str origin, const struct checkpoint_record *r)
{
    struct buf b = BUF(NOTE_TEXT_BYTES_MAX);
    uint8_t blob[4 + ED25519_SIGNATURE_BYTES];

    put_text(&b, origin, r->size, &r->root);
    for (unsigned i = 0; i < 4; i++)
        blob[i] = (uint8_t)(r->key_id >> (24 - 8 * i));
    memcpy(blob + 4, r->signature, sizeof r->signature);
    buf_printf(&b, "\n\xE2\x80\x94 %.*s ", STR_FMT(origin));
    base64_put(&b, blob, sizeof blob);
    buf_put_char(&b, '\n');
    str note = arena_str(cx->mem, buf_str(&b));
    buf_close(&b);
    return note;
}
