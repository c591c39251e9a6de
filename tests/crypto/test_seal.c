/* Sealing: the known answer of draft-irtf-cfrg-xchacha A.3.1, round trips, and every way to fail.
 */
#include "base/encode.h"
#include "crypto/seal.h"
#include "test.h"

static const char known_sealed[] =
    "404142434445464748494a4b4c4d4e4f5051525354555657"
    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e"
    "39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3"
    "fff921f9664c97637da9768812f615c68b13b52e"
    "c0875924c1c7987947deafd8780acf49";

TEST(seal_known_answer)
{
    const str associated = S("PQRS\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7");
    uint8_t sealed[sizeof(known_sealed) / 2];
    struct seal_key key;
    str opened;

    for (size_t i = 0; i < sizeof(key.bytes); i++)
        key.bytes[i] = (uint8_t)(0x80 + i);
    CHECK(hex_decode(str_from(known_sealed), sealed, sizeof(sealed)));
    CHECK_OK(seal_open(cx, &key, (str){(const char *)sealed, sizeof(sealed)}, associated, &opened));
    CHECK_STR(opened, S("Ladies and Gentlemen of the class of '99: If I could offer you only one "
                        "tip for the future, sunscreen would be it."));
}

TEST(what_is_sealed_opens_again)
{
    char plain[300];
    struct seal_key key;
    str first, second, opened;

    memset(plain, 7, sizeof(plain));
    seal_key_generate(&key);
    for (size_t n = 0; n <= sizeof(plain); n += 50) {
        CHECK_OK(seal(cx, &key, (str){plain, n}, S("user/alice"), &first));
        CHECK_OK(seal(cx, &key, (str){plain, n}, S("user/alice"), &second));
        CHECK_EQ(first.n, n + SEAL_OVERHEAD_BYTES);
        CHECK(!str_eq(first, second)); /* another nonce each time */
        CHECK_OK(seal_open(cx, &key, first, S("user/alice"), &opened));
        CHECK_STR(opened, ((str){plain, n}));
    }
}

TEST(a_seal_refuses_every_change)
{
    struct seal_key key, other;
    str sealed, opened = S("untouched");
    char *bytes;

    seal_key_generate(&key);
    seal_key_generate(&other);
    CHECK_OK(seal(cx, &key, S("a secret"), S("here"), &sealed));
    bytes = arena_new(cx->mem, char, sealed.n);
    memcpy(bytes, sealed.p, sealed.n);
    for (size_t bit = 0; bit < 8 * sealed.n; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        CHECK_ERR(seal_open(cx, &key, (str){bytes, sealed.n}, S("here"), &opened), ERR_CORRUPT);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t n = 0; n < sealed.n; n++)
        CHECK_ERR(seal_open(cx, &key, (str){bytes, n}, S("here"), &opened),
                  n < SEAL_OVERHEAD_BYTES ? ERR_INVALID : ERR_CORRUPT);
    CHECK_ERR(seal_open(cx, &key, sealed, S("there"), &opened), ERR_CORRUPT);
    CHECK_ERR(seal_open(cx, &other, sealed, S("here"), &opened), ERR_CORRUPT);
    CHECK_STR(opened, S("untouched"));
}

TEST(secrets_are_wiped_and_compared)
{
    static const struct seal_key nothing;
    struct seal_key key;
    char bytes[] = "secret";
    str s = {bytes, sizeof(bytes) - 1};

    seal_key_generate(&key);
    seal_key_wipe(&key);
    CHECK(memcmp(&key, &nothing, sizeof(key)) == 0);
    CHECK(secret_eq(s, S("secret")));
    CHECK(!secret_eq(s, S("secreT")));
    CHECK(!secret_eq(s, S("secret ")));
    CHECK(secret_eq(S(""), STR_NULL));
    secret_wipe_str(&s);
    CHECK(str_is_null(s));
    CHECK(memcmp(bytes, "\0\0\0\0\0\0", 6) == 0);
}
