/* seal.c - XChaCha20-Poly1305 (IETF construction) by libsodium. */
#include "crypto/seal.h"
#include "crypto/sodium_ready.h"

_Static_assert(SEAL_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key size");
_Static_assert(SEAL_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce size");
_Static_assert(SEAL_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag size");

void seal_key_generate(struct seal_key *out)
{
    sodium_ready();
    randombytes_buf(out->bytes, sizeof(out->bytes));
}

void seal_key_wipe(struct seal_key *key)
{
    sodium_memzero(key, sizeof(*key));
}

err seal(struct ctx *cx, const struct seal_key *key, str plain, str associated, str *out)
{
    size_t n = plain.n + SEAL_OVERHEAD_BYTES;
    uint8_t *p = n > plain.n ? arena_try(cx->mem, uint8_t, n) : NULL;

    if (!p)
        return fail(cx, ERR_TOO_LARGE, "no memory to seal %zu bytes", plain.n);
    sodium_ready();
    randombytes_buf(p, SEAL_NONCE_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(p + SEAL_NONCE_BYTES, NULL, (const uint8_t *)plain.p,
                                               plain.n, (const uint8_t *)associated.p, associated.n,
                                               NULL, p, key->bytes);
    *out = (str){(const char *)p, n};
    return ERR_OK;
}

err seal_open(struct ctx *cx, const struct seal_key *key, str sealed, str associated, str *out)
{
    const uint8_t *nonce = (const uint8_t *)sealed.p;
    size_t n = sealed.n - SEAL_OVERHEAD_BYTES;
    uint8_t *p;

    if (sealed.n < SEAL_OVERHEAD_BYTES)
        return fail(cx, ERR_INVALID, "%zu bytes are too few for a sealed value", sealed.n);
    p = arena_try(cx->mem, uint8_t, n + 1);
    if (!p)
        return fail(cx, ERR_TOO_LARGE, "no memory to open %zu sealed bytes", sealed.n);
    sodium_ready();
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            p, NULL, NULL, nonce + SEAL_NONCE_BYTES, sealed.n - SEAL_NONCE_BYTES,
            (const uint8_t *)associated.p, associated.n, nonce, key->bytes) != 0)
        return fail(cx, ERR_CORRUPT, "a sealed value was changed or belongs to another key");
    *out = (str){(const char *)p, n};
    return ERR_OK;
}

void secret_wipe(void *p, size_t n)
{
    sodium_memzero(p, n);
}

void secret_wipe_str(str *s)
{
    /* The bytes are the arena's own, writable memory; str only hands them out as const. */
    union {
        const char *p;
        void *bytes;
    } place = {.p = s->p};

    if (s->n > 0)
        sodium_memzero(place.bytes, s->n);
    *s = STR_NULL;
}

bool secret_eq(str a, str b)
{
    return a.n == b.n && (a.n == 0 || sodium_memcmp(a.p, b.p, a.n) == 0);
}
