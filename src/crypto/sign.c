/* sign.c - Ed25519 by libsodium, which keeps seed and public key side by side as its secret key. */
#include "crypto/sign.h"
#include "crypto/sodium_ready.h"

void ed25519_generate(struct ed25519_key *out)
{
    uint8_t seed[ED25519_SEED_BYTES];

    sodium_ready();
    randombytes_buf(seed, sizeof(seed));
    ed25519_from_seed(seed, out);
    sodium_memzero(seed, sizeof(seed));
}

void ed25519_from_seed(const uint8_t seed[ED25519_SEED_BYTES], struct ed25519_key *out)
{
    uint8_t secret[crypto_sign_ed25519_SECRETKEYBYTES];

    sodium_ready();
    memcpy(out->seed, seed, sizeof(out->seed));
    crypto_sign_ed25519_seed_keypair(out->public_key, secret, seed);
    sodium_memzero(secret, sizeof(secret));
}

void ed25519_sign(const struct ed25519_key *key, str message, uint8_t out[ED25519_SIGNATURE_BYTES])
{
    uint8_t secret[crypto_sign_ed25519_SECRETKEYBYTES];

    memcpy(secret, key->seed, ED25519_SEED_BYTES);
    memcpy(secret + ED25519_SEED_BYTES, key->public_key, ED25519_PUBLIC_BYTES);
    crypto_sign_ed25519_detached(out, NULL, (const uint8_t *)message.p, message.n, secret);
    sodium_memzero(secret, sizeof(secret));
}

bool ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_BYTES], str message,
                    const uint8_t signature[ED25519_SIGNATURE_BYTES])
{
    return crypto_sign_ed25519_verify_detached(signature, (const uint8_t *)message.p, message.n,
                                               public_key) == 0;
}

void ed25519_wipe(struct ed25519_key *key)
{
    sodium_memzero(key, sizeof(*key));
}
