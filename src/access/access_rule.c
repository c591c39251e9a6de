/* access_rule.c - see access_rule.h. */
#include "access/access_rule.h"
#include "crypto/password.h"

static err refuse(struct ctx *cx, const char *pointer, const char *why)
{
    ctx_add_issue(cx, str_from(pointer), "%s", why);
    return fail(cx, ERR_INVALID, "%s %s", pointer, why);
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

err user_name_check(struct ctx *cx, str name)
{
    bool good = name.n > 0 && name.n <= USER_NAME_BYTES_MAX && is_letter_or_digit(name.p[0]);

    for (size_t i = 0; good && i < name.n; i++)
        good = is_letter_or_digit(name.p[i]) || (name.p[i] && strchr("._-@+", name.p[i]));
    return good ? ERR_OK
                : refuse(cx, "/username",
                         "must be 1 to 64 of a-z, 0-9 and . _ - @ +, beginning with a letter or "
                         "digit");
}

err key_name_check(struct ctx *cx, str name)
{
    bool good = name.n > 0 && name.n <= KEY_NAME_BYTES_MAX && str_is_utf8(name);

    for (size_t i = 0; good && i < name.n; i++)
        good = (unsigned char)name.p[i] >= 0x20 && name.p[i] != 0x7f;
    return good ? ERR_OK : refuse(cx, "/name", "must be 1 to 80 bytes of text");
}

static size_t characters(str utf8)
{
    size_t n = 0;

    for (size_t i = 0; utf8.p && i < utf8.n; i++)
        n += ((unsigned char)utf8.p[i] & 0xc0) != 0x80;
    return n;
}

static bool is_common(str password)
{
    static const str common[] = {
#define X(text) STR_INIT(text),
#include "access/password_common.def"
#undef X
    };

    for (size_t i = 0; i < COUNT(common); i++)
        if (str_eq_nocase(password, common[i]))
            return true;
    return false;
}

/* "abcabcabc…": one short piece again and again.  The user's name is such a piece if it is all. */
static bool repeats(str password, size_t piece)
{
    for (size_t i = piece; i < password.n; i++)
        if (password.p[i] != password.p[i - piece])
            return false;
    return true;
}

static bool is_repeated(str password, str user_name)
{
    for (size_t piece = 1; piece <= 4; piece++)
        if (repeats(password, piece))
            return true;
    return user_name.n && str_eq_nocase(str_slice(password, 0, user_name.n), user_name) &&
           repeats(password, user_name.n);
}

err password_check(struct ctx *cx, str user_name, str password)
{
    if (password.n > PASSWORD_BYTES_MAX)
        return refuse(cx, "/password", "must have at most 1024 bytes");
    if (!str_is_utf8(password) || memchr(password.p ? password.p : "", 0, password.n))
        return refuse(cx, "/password", "must be UTF-8 text");
    if (characters(password) < PASSWORD_CHARACTERS_MIN)
        return refuse(cx, "/password", "must have at least 15 characters");
    if (is_common(password) || is_repeated(password, user_name))
        return refuse(cx, "/password", "is one of those that are tried first; take another");
    return ERR_OK;
}
