/* encode.c - see encode.h. */
#include "base/encode.h"

static const char hex_digits[] = "0123456789abcdef";
static const char base64_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void hex_encode(const void *bytes, size_t n, char *out)
{
    const unsigned char *in = bytes;

    for (size_t i = 0; i < n; i++) {
        *out++ = hex_digits[in[i] >> 4];
        *out++ = hex_digits[in[i] & 15];
    }
    *out = 0;
}

void hex_put(struct buf *b, const void *bytes, size_t n)
{
    if (!buf_reserve(b, 2 * n))
        return;
    hex_encode(bytes, n, b->p + b->n);
    b->n += 2 * n;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_decode(str text, void *out, size_t n)
{
    unsigned char *to = out;

    if (text.n != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = hex_value(text.p[2 * i]), low = hex_value(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}

/* Writes the digits, without padding; returns how many. */
static size_t base64_digits(const char *alphabet, const unsigned char *in, size_t n, char *out)
{
    char *start = out;

    for (; n >= 3; n -= 3, in += 3) {
        uint32_t v = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        *out++ = alphabet[v >> 18];
        *out++ = alphabet[v >> 12 & 63];
        *out++ = alphabet[v >> 6 & 63];
        *out++ = alphabet[v & 63];
    }
    if (n) {
        uint32_t v = (uint32_t)in[0] << 16 | (n == 2 ? (uint32_t)in[1] << 8 : 0);
        *out++ = alphabet[v >> 18];
        *out++ = alphabet[v >> 12 & 63];
        if (n == 2)
            *out++ = alphabet[v >> 6 & 63];
    }
    return (size_t)(out - start);
}

void base64_encode(const void *bytes, size_t n, char *out)
{
    size_t used = base64_digits(base64_std, bytes, n, out);

    while (used % 4)
        out[used++] = '=';
    out[used] = 0;
}

void base64_put(struct buf *b, const void *bytes, size_t n)
{
    if (!buf_reserve(b, BASE64_BYTES(n)))
        return;
    base64_encode(bytes, n, b->p + b->n);
    b->n += BASE64_BYTES(n);
}

void base64url_put(struct buf *b, const void *bytes, size_t n)
{
    if (!buf_reserve(b, BASE64_BYTES(n)))
        return;
    b->n += base64_digits(base64_url, bytes, n, b->p + b->n);
    b->p[b->n] = 0;
}

static bool base64_read(const char *alphabet, str digits, void *out, size_t capacity, size_t *out_n)
{
    unsigned char *to = out;
    uint32_t bits = 0;
    unsigned have = 0;
    size_t used = 0;

    if (digits.n % 4 == 1)
        return false;
    for (size_t i = 0; i < digits.n; i++) {
        const char *at = digits.p[i] ? strchr(alphabet, digits.p[i]) : NULL;
        if (!at)
            return false;
        bits = bits << 6 | (uint32_t)(at - alphabet);
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        if (used == capacity)
            return false;
        to[used++] = (unsigned char)(bits >> have);
        bits &= (1u << have) - 1;
    }
    if (bits) /* the unused bits of the last digit must be zero: one text per value */
        return false;
    *out_n = used;
    return true;
}

bool base64_decode(str text, void *out, size_t capacity, size_t *out_n)
{
    size_t padding = 0;

    if (text.n % 4)
        return false;
    while (padding < 2 && padding < text.n && text.p[text.n - 1 - padding] == '=')
        padding++;
    return base64_read(base64_std, str_slice(text, 0, text.n - padding), out, capacity, out_n);
}

bool base64url_decode(str text, void *out, size_t capacity, size_t *out_n)
{
    return base64_read(base64_url, text, out, capacity, out_n);
}

str percent_decode(struct arena *a, str s, bool form)
{
    char *out = arena_new(a, char, s.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            if (!hex_decode(str_slice(s, i + 1, i + 3), &c, 1) || c == 0)
                return STR_NULL;
            i += 2;
        } else if (c == '+' && form) {
            c = ' ';
        }
        out[n++] = c;
    }
    return (str){out, n};
}

void percent_put(struct buf *b, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain)
            buf_put_char(b, (char)c);
        else
            buf_printf(b, "%%%02X", c);
    }
}
