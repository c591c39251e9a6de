/* Tokens and API keys: form, checksum, difference. */
#include "crypto/token.h"
#include "test.h"

TEST(session_tokens_have_their_form_and_differ)
{
    char a[SESSION_TOKEN_BYTES + 1], b[SESSION_TOKEN_BYTES + 1];

    session_token_make(a);
    session_token_make(b);
    CHECK_EQ(strlen(a), SESSION_TOKEN_BYTES);
    CHECK(strcmp(a, b) != 0);
    CHECK(session_token_is_valid(str_from(a)));
    CHECK(!session_token_is_valid(str_slice(str_from(a), 1, SESSION_TOKEN_BYTES)));
    a[5] = '+';
    CHECK(!session_token_is_valid(str_from(a)));
    CHECK(!session_token_is_valid(S("")));
}

/* The checksum was computed with Python's zlib.crc32. */
TEST(api_key_known_answer)
{
    const str key = S("chancery_key_k1_000000000000000000000000000000003KEhwA");
    str id;

    CHECK(api_key_parse(key, &id));
    CHECK_STR(id, S("k1"));
}

TEST(api_keys_are_made_and_recognised)
{
    str key, other, id;

    CHECK_OK(api_key_make(cx, S("0192abcXYZ"), &key));
    CHECK_OK(api_key_make(cx, S("0192abcXYZ"), &other));
    CHECK(!str_eq(key, other));
    CHECK(key.n <= API_KEY_BYTES_MAX);
    CHECK(api_key_parse(key, &id));
    CHECK_STR(id, S("0192abcXYZ"));
    CHECK_ERR(api_key_make(cx, S(""), &key), ERR_INVALID);
    CHECK_ERR(api_key_make(cx, S("a_b"), &key), ERR_INVALID);
    CHECK_ERR(api_key_make(cx, S("0123456789012345678901234567890123"), &key), ERR_INVALID);
}

/* Any one character changed, left out or added: the checksum or the form says so. */
TEST(a_mistyped_api_key_is_refused)
{
    str key, id;
    char *typed;

    CHECK_OK(api_key_make(cx, S("alpha"), &key));
    typed = arena_new(cx->mem, char, key.n + 2);
    for (size_t i = 0; i < key.n; i++) {
        memcpy(typed, key.p, key.n);
        typed[i] = key.p[i] == 'a' ? 'b' : 'a';
        CHECK(!api_key_parse((str){typed, key.n}, &id));
        memcpy(typed + i, key.p + i + 1, key.n - i - 1);
        CHECK(!api_key_parse((str){typed, key.n - 1}, &id));
        CHECK(!api_key_parse(str_slice(key, 0, i), &id));
    }
    memcpy(typed, key.p, key.n);
    typed[key.n] = '0';
    CHECK(!api_key_parse((str){typed, key.n + 1}, &id));
    typed[20] = 0;
    CHECK(!api_key_parse((str){typed, key.n}, &id));
}

TEST(random_digits_are_digits_and_a_token_hash_is_sha256)
{
    char digits[200 + 1];
    struct hash a, b;

    random_base62(digits, 200);
    CHECK_EQ(strlen(digits), 200);
    CHECK_EQ(strspn(digits, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"), 200);
    token_hash(S("abc"), &a);
    sha256(S("abc"), &b);
    CHECK(hash_eq(&a, &b));
}
