/* seal.h - keeping a secret: authenticated encryption with XChaCha20-Poly1305, and forgetting it.
 *
 * Sealed bytes are nonce (24, random) || ciphertext || tag (16).  The associated data is not stored
 * but must be given again to open: it ties a sealed value to its place, so that a value cannot be
 * moved to another row.  Any thread. */
#pragma once
#include "base/base.h"

enum { SEAL_KEY_BYTES = 32, SEAL_NONCE_BYTES = 24, SEAL_TAG_BYTES = 16 };
enum { SEAL_OVERHEAD_BYTES = SEAL_NONCE_BYTES + SEAL_TAG_BYTES };

struct seal_key {
    uint8_t bytes[SEAL_KEY_BYTES];
};

void seal_key_generate(struct seal_key *out);
/* For CLEANUP(). */
void seal_key_wipe(struct seal_key *key);

/* *out: arena `mem`, plain.n + SEAL_OVERHEAD_BYTES long.  TOO_LARGE. */
err seal(struct ctx *cx, const struct seal_key *key, str plain, str associated, str *out);
/* *out: arena `mem`; wipe it with secret_wipe_str() when it has been used.
 * INVALID: too short to be sealed.  CORRUPT: changed, or another key or associated data. */
err seal_open(struct ctx *cx, const struct seal_key *key, str sealed, str associated, str *out);

/* Overwrite with zeros in a way no compiler leaves out. */
void secret_wipe(void *p, size_t n);
/* The same for secret bytes in an arena that are handed around as a str. */
void secret_wipe_str(str *s);
/* Compares without telling by its time where they differ (the lengths are not secret). */
bool secret_eq(str a, str b);
