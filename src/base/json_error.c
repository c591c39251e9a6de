/* json_error.c - a second, slow reading of a JSON text that finds the first wrong byte.
 *
 * simdjson says what is wrong but not where; people want to know where.  Written straight from
 * RFC 8259; tests hold it and simdjson to the same verdict on every input. */
#include "base/json.h"
#include <stdlib.h>

struct scan {
    str s;
    size_t at;
    const char *what;
    unsigned depth;
};

static bool value(struct scan *k);

static bool wrong(struct scan *k, const char *what)
{
    k->what = what;
    return false;
}

static char peek(const struct scan *k)
{
    return k->at < k->s.n ? k->s.p[k->at] : 0;
}

static void blanks(struct scan *k)
{
    while (k->at < k->s.n && strchr(" \t\r\n", k->s.p[k->at]) && k->s.p[k->at])
        k->at++;
}

static bool hex4(struct scan *k, unsigned *out)
{
    *out = 0;
    for (unsigned i = 0; i < 4; i++, k->at++) {
        char c = peek(k);
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                                : 16;
        if (digit == 16)
            return wrong(k, "an escape needs four hexadecimal digits");
        *out = *out * 16 + digit;
    }
    return true;
}

static bool escape(struct scan *k)
{
    unsigned unit, low;
    char c = peek(k);

    if (c && strchr("\"\\/bfnrt", c)) {
        k->at++;
        return true;
    }
    if (c != 'u')
        return wrong(k, "there is no such escape");
    k->at++;
    if (!hex4(k, &unit))
        return false;
    if (unit >= 0xDC00 && unit <= 0xDFFF)
        return wrong(k, "a low surrogate stands alone");
    if (unit < 0xD800 || unit > 0xDBFF)
        return true;
    if (!str_starts(str_slice(k->s, k->at, k->s.n), S("\\u")))
        return wrong(k, "a high surrogate stands alone");
    k->at += 2;
    if (!hex4(k, &low))
        return false;
    return low >= 0xDC00 && low <= 0xDFFF ? true : wrong(k, "a high surrogate stands alone");
}

static bool string(struct scan *k)
{
    k->at++;
    for (;;) {
        if (k->at >= k->s.n)
            return wrong(k, "the text ends inside a string");
        unsigned char c = (unsigned char)k->s.p[k->at];
        if (c < 0x20)
            return wrong(k, "a control character stands in a string");
        k->at++;
        if (c == '"')
            return true;
        if (c == '\\' && !escape(k))
            return false;
    }
}

static size_t digits(struct scan *k)
{
    size_t start = k->at;

    while (peek(k) >= '0' && peek(k) <= '9')
        k->at++;
    return k->at - start;
}

static bool in_range(struct scan *k, size_t start, bool integer)
{
    str text = str_slice(k->s, start, k->at);
    uint64_t u;
    int64_t i;

    if (integer) {
        bool fits = text.p[0] == '-' ? str_to_i64(text, &i) : str_to_u64(text, &u);
        k->at = fits ? k->at : start;
        return fits ? true : wrong(k, "a number is out of range");
    }
    char *z = strndup(text.p, text.n), *end;
    ENSURE(z);
    double d = strtod(z, &end);
    free(z);
    if (d - d == 0.0)
        return true;
    k->at = start;
    return wrong(k, "a number is out of range");
}

static bool number(struct scan *k)
{
    size_t start = k->at;
    bool integer = true;

    if (peek(k) == '-')
        k->at++;
    bool zero = peek(k) == '0';
    size_t n = digits(k);
    if (n == 0)
        return wrong(k, "a digit is missing");
    if (zero && n > 1)
        return wrong(k, "a number has a leading zero");
    if (peek(k) == '.') {
        integer = false;
        k->at++;
        if (!digits(k))
            return wrong(k, "a digit is missing");
    }
    if (peek(k) == 'e' || peek(k) == 'E') {
        integer = false;
        k->at++;
        if (peek(k) == '+' || peek(k) == '-')
            k->at++;
        if (!digits(k))
            return wrong(k, "a digit is missing");
    }
    return in_range(k, start, integer);
}

static bool word(struct scan *k, str text)
{
    if (!str_starts(str_slice(k->s, k->at, k->s.n), text))
        return wrong(k, "a value was expected");
    k->at += text.n;
    return true;
}

static bool member(struct scan *k)
{
    if (peek(k) != '"')
        return wrong(k, "a key in quotes was expected");
    if (!string(k))
        return false;
    blanks(k);
    if (peek(k) != ':')
        return wrong(k, "a colon was expected");
    k->at++;
    blanks(k);
    return value(k);
}

/* What stands between brackets, with its commas. */
static bool elements(struct scan *k, char close, bool (*one)(struct scan *))
{
    if (++k->depth > JSON_DEPTH_MAX)
        return wrong(k, "values are nested too deeply");
    k->at++;
    blanks(k);
    if (peek(k) == close) {
        k->at++;
        k->depth--;
        return true;
    }
    for (;;) {
        if (!one(k))
            return false;
        blanks(k);
        char c = peek(k);
        if (c != ',' && c != close)
            return wrong(k, k->at < k->s.n ? "a comma or the closing bracket was expected"
                                           : "the text ends too early");
        k->at++;
        if (c == close)
            break;
        blanks(k);
    }
    k->depth--;
    return true;
}

static bool value(struct scan *k)
{
    switch (peek(k)) {
    case '{':
        return elements(k, '}', member);
    case '[':
        return elements(k, ']', value);
    case '"':
        return string(k);
    case 't':
        return word(k, S("true"));
    case 'f':
        return word(k, S("false"));
    case 'n':
        return word(k, S("null"));
    default:
        if (peek(k) == '-' || (peek(k) >= '0' && peek(k) <= '9'))
            return number(k);
        return wrong(k, k->at < k->s.n ? "a value was expected" : "the text ends too early");
    }
}

bool json_find_error(str text, size_t *out_at, const char **out_what)
{
    struct scan k = {.s = text};
    size_t good = str_utf8_prefix(text);

    blanks(&k);
    if (value(&k)) {
        blanks(&k);
        k.what = k.at < text.n ? "something follows the value" : NULL;
    }
    if (good < text.n && (!k.what || good <= k.at)) {
        k.at = good;
        k.what = "the text is not UTF-8";
    }
    if (!k.what)
        return false;
    *out_at = k.at;
    *out_what = k.what;
    return true;
}
