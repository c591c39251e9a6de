/* sha256.c - one message at a time, by OpenSSL's low-level functions.
 *
 * They are marked deprecated in favour of EVP, which costs another 60 to 150 ns a message in
 * look-ups and allocation: more than a third of the hash itself at our sizes. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/sha256.h"

void sha256_init(struct sha256_stream *s)
{
    SHA256_Init(&s->state);
}

void sha256_add(struct sha256_stream *s, str piece)
{
    if (piece.n > 0)
        SHA256_Update(&s->state, piece.p, piece.n);
}

void sha256_finish(struct sha256_stream *s, struct hash *out)
{
    SHA256_Final(out->bytes, &s->state);
}

void sha256(str s, struct hash *out)
{
    struct sha256_stream stream;

    sha256_init(&stream);
    sha256_add(&stream, s);
    sha256_finish(&stream, out);
}

void hash_leaf(str entry, struct hash *out)
{
    struct sha256_stream stream;

    sha256_init(&stream);
    sha256_add(&stream, S("\x00"));
    sha256_add(&stream, entry);
    sha256_finish(&stream, out);
}

void hash_node(const struct hash *left, const struct hash *right, struct hash *out)
{
    uint8_t message[1 + 2 * HASH_BYTES];

    message[0] = 0x01;
    memcpy(message + 1, left->bytes, HASH_BYTES);
    memcpy(message + 1 + HASH_BYTES, right->bytes, HASH_BYTES);
    sha256((str){(const char *)message, sizeof(message)}, out);
}

struct hash hash_empty_root(void)
{
    struct hash out;

    sha256(S(""), &out);
    return out;
}
