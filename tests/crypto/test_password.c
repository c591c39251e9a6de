/* Password hashes, with small options so that the tests are quick. */
#include "base/clock.h"
#include "crypto/password.h"
#include "test.h"

static const struct password_options quick = {.memory_kib = 64, .passes = 1};

/* The reference implementation's test vector (phc-winner-argon2, src/test.c, argon2id, t=2, m=16).
 */
TEST(argon2id_known_answer)
{
    const str known = S("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ"
                        "$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc");

    CHECK(password_verify(known, S("password")));
    CHECK(!password_verify(known, S("Password")));
    CHECK(!password_needs_rehash(PASSWORD_OPTIONS_DEFAULT, known));
}

TEST(a_password_verifies_against_its_hash_only)
{
    str a, b;

    CHECK_OK(password_hash(cx, quick, S("correct horse"), &a));
    CHECK_OK(password_hash(cx, quick, S("correct horse"), &b));
    CHECK(str_starts(a, S("$argon2id$v=19$m=64,t=1,p=1$")));
    CHECK(a.n <= PASSWORD_HASH_BYTES_MAX);
    CHECK(!str_eq(a, b)); /* salted */
    CHECK(password_verify(a, S("correct horse")));
    CHECK(password_verify(b, S("correct horse")));
    CHECK(!password_verify(a, S("correct hors")));
    CHECK(!password_verify(a, S("")));
    CHECK(!password_verify(a, STR_NULL));
    CHECK(!password_verify(S(""), S("")));
    CHECK(!password_verify(S("$argon2id$nonsense"), S("correct horse")));
    CHECK(!password_verify(str_slice(a, 0, a.n - 1), S("correct horse")));
}

TEST(options_that_changed_are_told)
{
    str hash;

    CHECK_OK(password_hash(cx, quick, S("pass"), &hash));
    CHECK(!password_needs_rehash(quick, hash));
    CHECK(password_needs_rehash((struct password_options){.memory_kib = 128, .passes = 1}, hash));
    CHECK(password_needs_rehash((struct password_options){.memory_kib = 64, .passes = 2}, hash));
    CHECK(password_needs_rehash(quick, S("plain text")));
}

TEST(passwords_have_limits)
{
    char *p = arena_new(cx->mem, char, PASSWORD_BYTES_MAX + 1);
    str hash;

    memset(p, 'x', PASSWORD_BYTES_MAX + 1);
    CHECK_OK(password_hash(cx, quick, (str){p, PASSWORD_BYTES_MAX}, &hash));
    CHECK(password_verify(hash, (str){p, PASSWORD_BYTES_MAX}));
    CHECK(!password_verify(hash, (str){p, PASSWORD_BYTES_MAX + 1}));
    CHECK_ERR(password_hash(cx, quick, (str){p, PASSWORD_BYTES_MAX + 1}, &hash), ERR_TOO_LARGE);
    CHECK_ERR(
        password_hash(cx, (struct password_options){.memory_kib = 1, .passes = 1}, S("p"), &hash),
        ERR_CONFIG);
    CHECK_ERR(
        password_hash(cx, (struct password_options){.memory_kib = 64, .passes = 0}, S("p"), &hash),
        ERR_CONFIG);
}

/* A user who does not exist must cost what one who does costs: the dummy really hashes. */
TEST(the_dummy_takes_the_time_of_a_real_one)
{
    const struct password_options slow = {.memory_kib = 16 * 1024, .passes = 2};
    int64_t start, real_ns, dummy_ns;
    str hash;

    CHECK_OK(password_hash(cx, slow, S("pass"), &hash));
    start = clock_mono_ns();
    CHECK(!password_verify(hash, S("wrong")));
    real_ns = clock_mono_ns() - start;
    start = clock_mono_ns();
    CHECK(!password_verify_dummy(slow, S("wrong")));
    dummy_ns = clock_mono_ns() - start;
    CHECK(dummy_ns > real_ns / 10); /* far from nothing, whatever the machine is doing besides */
}
