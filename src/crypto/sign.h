/* sign.h - Ed25519 signatures (RFC 8032).  Any thread. */
#pragma once
#include "base/str.h"

enum { ED25519_SEED_BYTES = 32, ED25519_PUBLIC_BYTES = 32, ED25519_SIGNATURE_BYTES = 64 };

/* Holds the secret: wipe it with ed25519_wipe() when it is no longer needed. */
struct ed25519_key {
    uint8_t seed[ED25519_SEED_BYTES];
    uint8_t public_key[ED25519_PUBLIC_BYTES];
};

void ed25519_generate(struct ed25519_key *out);
void ed25519_from_seed(const uint8_t seed[ED25519_SEED_BYTES], struct ed25519_key *out);
void ed25519_sign(const struct ed25519_key *key, str message, uint8_t out[ED25519_SIGNATURE_BYTES]);
bool ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_BYTES], str message,
                    const uint8_t signature[ED25519_SIGNATURE_BYTES]);
void ed25519_wipe(struct ed25519_key *key);
