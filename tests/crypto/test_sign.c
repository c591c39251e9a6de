/* Ed25519 against RFC 8032 section 7.1. */
#include "base/encode.h"
#include "crypto/sign.h"
#include "test.h"

struct vector {
    const char *seed, *public_key, *message, *signature;
};

static const struct vector vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "4"
     "6bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d"
     "8c387b2eaeb4302aeeb00d291612bb0c00"},
};

TEST(ed25519_known_answers)
{
    for (size_t i = 0; i < COUNT(vectors); i++) {
        const struct vector *v = &vectors[i];
        uint8_t seed[32], public_key[32], message[8], want[64], got[64];
        str text = {(const char *)message, strlen(v->message) / 2};
        struct ed25519_key key;

        CHECK(hex_decode(str_from(v->seed), seed, sizeof(seed)));
        CHECK(hex_decode(str_from(v->public_key), public_key, sizeof(public_key)));
        CHECK(hex_decode(str_from(v->message), message, text.n));
        CHECK(hex_decode(str_from(v->signature), want, sizeof(want)));
        ed25519_from_seed(seed, &key);
        CHECK(memcmp(key.public_key, public_key, sizeof(public_key)) == 0);
        ed25519_sign(&key, text, got);
        CHECK(memcmp(got, want, sizeof(want)) == 0);
        CHECK(ed25519_verify(public_key, text, want));
    }
}

/* Each bit of signature, key and message counts. */
TEST(ed25519_refuses_every_change)
{
    char message[] = "one message";
    str text = {message, sizeof(message) - 1};
    struct ed25519_key key;
    uint8_t signature[64];

    ed25519_generate(&key);
    ed25519_sign(&key, text, signature);
    CHECK(ed25519_verify(key.public_key, text, signature));
    for (size_t bit = 0; bit < 8 * sizeof(signature); bit++) {
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(!ed25519_verify(key.public_key, text, signature));
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof(key.public_key); bit++) {
        key.public_key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(!ed25519_verify(key.public_key, text, signature));
        key.public_key[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    message[3] ^= 1;
    CHECK(!ed25519_verify(key.public_key, text, signature));
}

TEST(ed25519_keys_differ_and_are_wiped)
{
    static const struct ed25519_key nothing;
    struct ed25519_key a, b;

    ed25519_generate(&a);
    ed25519_generate(&b);
    CHECK(memcmp(a.seed, b.seed, sizeof(a.seed)) != 0);
    ed25519_wipe(&a);
    CHECK(memcmp(&a, &nothing, sizeof(a)) == 0);
}
