/* sha256.h - SHA-256 (FIPS 180-4) and the tree hashes of RFC 6962.
 *
 * The batch forms are the hot path of the ledger: they give exactly what the single forms give, and
 * pick the fastest code of this machine at run time (docs/hashing.md).  Nothing here can fail.  Any
 * thread. */
#pragma once
#include "base/str.h"
#include <openssl/sha.h>

enum { HASH_BYTES = 32 };

struct hash {
    uint8_t bytes[HASH_BYTES];
};

static inline bool hash_eq(const struct hash *a, const struct hash *b)
{
    return memcmp(a->bytes, b->bytes, HASH_BYTES) == 0;
}

void sha256(str s, struct hash *out);

/* A message that comes in pieces: init, add any number of times, finish once. */
struct sha256_stream {
    SHA256_CTX state;
};

void sha256_init(struct sha256_stream *s);
void sha256_add(struct sha256_stream *s, str piece);
void sha256_finish(struct sha256_stream *s, struct hash *out);

void hash_leaf(str entry, struct hash *out); /* H(00 || entry) */
void hash_node(const struct hash *left, const struct hash *right,
               struct hash *out);  /* H(01 || l || r) */
struct hash hash_empty_root(void); /* H("") */

/* out[i] = leaf hash of entries[i]. */
void hash_leaves(const str *entries, size_t n, struct hash *out);
/* out[i] = node over pairs[2i], pairs[2i + 1].  `out` may be `pairs`: the hashes are then replaced
 * by those of the next level; otherwise they do not overlap. */
void hash_nodes(const struct hash *pairs, size_t n, struct hash *out);
