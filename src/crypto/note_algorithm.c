/* note_algorithm.c - what is signed, and how, by each signature type.
 *
 * 01  Ed25519 over the text.
 * 04  cosignature/v1 (c2sp.org/tlog-cosignature): 8 bytes of time, big-endian, then Ed25519 over a
 *     head that names format and time, and the text. */
#include "crypto/note_algorithm.h"
#include <endian.h>

enum { TIME_BYTES = 8 };

static err refuse(struct ctx *cx, const struct note_verifier *v)
{
    return fail(cx, ERR_FORBIDDEN, "the signature of %.*s+%08x does not hold", STR_FMT(v->name),
                v->key_id);
}

static err sign_ed25519(struct ctx *cx, const struct note_signer *s, str text, uint64_t time_s,
                        uint8_t *out)
{
    (void)cx;
    (void)time_s;
    ed25519_sign(&s->key, text, out);
    return ERR_OK;
}

static err verify_ed25519(struct ctx *cx, const struct note_verifier *v, str text,
                          const uint8_t *signature, uint64_t *out_time_s)
{
    if (!ed25519_verify((const uint8_t *)v->public_key.p, text, signature))
        return refuse(cx, v);
    *out_time_s = 0;
    return ERR_OK;
}

/* Into `b`: head and text.  The text has at most NOTE_BYTES_MAX bytes. */
static err cosigned_message(struct ctx *cx, struct buf *b, str text, uint64_t time_s)
{
    buf_put(b, S("cosignature/v1\ntime "));
    buf_put_u64(b, time_s);
    buf_put_char(b, '\n');
    buf_put(b, text);
    return buf_check(cx, b, "the text to cosign");
}

static err sign_cosignature(struct ctx *cx, const struct note_signer *s, str text, uint64_t time_s,
                            uint8_t *out)
{
    CLEANUP(buf_close) struct buf message = BUF(NOTE_BYTES_MAX + 64);
    uint64_t big_endian = htobe64(time_s);

    if (time_s > INT64_MAX)
        return fail(cx, ERR_INVALID, "a cosignature's time is out of range");
    TRY(cosigned_message(cx, &message, text, time_s));
    memcpy(out, &big_endian, TIME_BYTES);
    ed25519_sign(&s->key, buf_str(&message), out + TIME_BYTES);
    return ERR_OK;
}

static err verify_cosignature(struct ctx *cx, const struct note_verifier *v, str text,
                              const uint8_t *signature, uint64_t *out_time_s)
{
    CLEANUP(buf_close) struct buf message = BUF(NOTE_BYTES_MAX + 64);
    uint64_t time_s;

    memcpy(&time_s, signature, TIME_BYTES);
    time_s = be64toh(time_s);
    if (time_s > INT64_MAX)
        return refuse(cx, v);
    TRY(cosigned_message(cx, &message, text, time_s));
    if (!ed25519_verify((const uint8_t *)v->public_key.p, buf_str(&message),
                        signature + TIME_BYTES))
        return refuse(cx, v);
    *out_time_s = time_s;
    return ERR_OK;
}

/* clang-format off */
static const struct note_algorithm algorithms[] = {
    {NOTE_ED25519, ED25519_PUBLIC_BYTES, ED25519_SIGNATURE_BYTES, sign_ed25519, verify_ed25519},
    {NOTE_COSIGNATURE_V1, ED25519_PUBLIC_BYTES, TIME_BYTES + ED25519_SIGNATURE_BYTES,
     sign_cosignature, verify_cosignature},
};
/* clang-format on */

const struct note_algorithm *note_algorithm_find(uint8_t id)
{
    for (size_t i = 0; i < COUNT(algorithms); i++)
        if (algorithms[i].id == id)
            return &algorithms[i];
    return NULL;
}
