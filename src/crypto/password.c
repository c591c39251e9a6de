/* password.c - argon2id by libsodium. */
#include "crypto/password.h"
#include "crypto/sodium_ready.h"
#include <stdio.h>

_Static_assert(PASSWORD_HASH_BYTES_MAX + 1 == crypto_pwhash_argon2id_STRBYTES, "hash text size");

static size_t memory_bytes(struct password_options options)
{
    return (size_t)options.memory_kib * 1024;
}

err password_hash(struct ctx *cx, struct password_options options, str password, str *out)
{
    char text[crypto_pwhash_argon2id_STRBYTES];

    if (password.n > PASSWORD_BYTES_MAX)
        return fail(cx, ERR_TOO_LARGE, "a password has at most %d bytes", PASSWORD_BYTES_MAX);
    if (memory_bytes(options) < crypto_pwhash_argon2id_MEMLIMIT_MIN ||
        options.passes < crypto_pwhash_argon2id_OPSLIMIT_MIN)
        return fail(cx, ERR_CONFIG, "password hashing with %u KiB and %u passes is not possible",
                    options.memory_kib, options.passes);
    sodium_ready();
    if (crypto_pwhash_argon2id_str(text, password.p ? password.p : "", password.n, options.passes,
                                   memory_bytes(options)) != 0)
        return fail(cx, ERR_BUSY, "no %u KiB of memory to hash a password", options.memory_kib);
    *out = arena_str(cx->mem, str_from(text));
    return ERR_OK;
}

/* libsodium wants a C string in a buffer of its own size. */
static bool hash_text(str hash, char out[crypto_pwhash_argon2id_STRBYTES])
{
    if (hash.n == 0 || hash.n >= crypto_pwhash_argon2id_STRBYTES || memchr(hash.p, 0, hash.n))
        return false;
    memset(out, 0, crypto_pwhash_argon2id_STRBYTES);
    memcpy(out, hash.p, hash.n);
    return true;
}

bool password_verify(str hash, str password)
{
    char text[crypto_pwhash_argon2id_STRBYTES];

    sodium_ready();
    return password.n <= PASSWORD_BYTES_MAX && hash_text(hash, text) &&
           crypto_pwhash_argon2id_str_verify(text, password.p ? password.p : "", password.n) == 0;
}

bool password_needs_rehash(struct password_options options, str hash)
{
    char text[crypto_pwhash_argon2id_STRBYTES];

    return !hash_text(hash, text) || crypto_pwhash_argon2id_str_needs_rehash(
                                         text, options.passes, memory_bytes(options)) != 0;
}

bool password_verify_dummy(struct password_options options, str password)
{
    char text[crypto_pwhash_argon2id_STRBYTES];

    /* A salt and a digest of zeros: a hash that is fully computed and then differs. */
    snprintf(text, sizeof(text),
             "$argon2id$v=19$m=%u,t=%u,p=1$AAAAAAAAAAAAAAAAAAAAAA"
             "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
             options.memory_kib, options.passes);
    (void)password_verify(str_from(text), password);
    return false;
}
