/* token.c - making, recognising and hashing random secrets. */
#include "crypto/token.h"
#include "base/encode.h"
#include "crypto/sodium_ready.h"

static const char base62_digits[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

void random_bytes(void *out, size_t n)
{
    sodium_ready();
    randombytes_buf(out, n);
}

void random_base62(char *out, size_t n)
{
    sodium_ready();
    for (size_t i = 0; i < n; i++)
        out[i] = base62_digits[randombytes_uniform(62)];
    out[n] = 0;
}

static bool is_base62(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == 0 || !strchr(base62_digits, s.p[i]))
            return false;
    return true;
}

void session_token_make(char out[SESSION_TOKEN_BYTES + 1])
{
    uint8_t secret[32];
    CLEANUP(buf_close) struct buf text = BUF(2 * SESSION_TOKEN_BYTES);

    random_bytes(secret, sizeof(secret));
    base64url_put(&text, secret, sizeof(secret));
    ENSURE(buf_ok(&text) && text.n == SESSION_TOKEN_BYTES);
    memcpy(out, text.p, SESSION_TOKEN_BYTES + 1);
    sodium_memzero(text.p, text.n);
    sodium_memzero(secret, sizeof(secret));
}

bool session_token_is_valid(str text)
{
    uint8_t secret[32];
    size_t n;
    bool valid = text.n == SESSION_TOKEN_BYTES &&
                 base64url_decode(text, secret, sizeof(secret), &n) && n == sizeof(secret);

    sodium_memzero(secret, sizeof(secret));
    return valid;
}

/* CRC-32 of IEEE 802.3, bit by bit: keys are short and seldom. */
static uint32_t crc32_of(str s)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < s.n; i++) {
        crc ^= (uint8_t)s.p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void check_digits(str s, char out[API_KEY_CHECK_BYTES])
{
    uint32_t crc = crc32_of(s);

    for (size_t i = API_KEY_CHECK_BYTES; i > 0; i--) {
        out[i - 1] = base62_digits[crc % 62];
        crc /= 62;
    }
}

err api_key_make(struct ctx *cx, str id, str *out)
{
    char secret[API_KEY_SECRET_BYTES + 1];
    char check[API_KEY_CHECK_BYTES];
    str head;

    if (id.n == 0 || id.n > API_KEY_ID_BYTES_MAX || !is_base62(id))
        return fail(cx, ERR_INVALID, "an API key id has 1 to %d letters and digits",
                    API_KEY_ID_BYTES_MAX);
    random_base62(secret, API_KEY_SECRET_BYTES);
    head = arena_printf(cx->mem, "chancery_key_%.*s_%s", STR_FMT(id), secret);
    check_digits(head, check);
    *out = arena_printf(cx->mem, "%.*s%.*s", STR_FMT(head), API_KEY_CHECK_BYTES, check);
    sodium_memzero(secret, sizeof(secret));
    return ERR_OK;
}

bool api_key_parse(str text, str *out_id)
{
    const str prefix = S("chancery_key_");
    const size_t secret_bytes = API_KEY_SECRET_BYTES + API_KEY_CHECK_BYTES;
    char check[API_KEY_CHECK_BYTES];
    str id, secret = str_slice(text, prefix.n, text.n);

    if (text.n > API_KEY_BYTES_MAX || !str_starts(text, prefix))
        return false;
    id = str_cut(&secret, '_');
    if (id.n == 0 || id.n > API_KEY_ID_BYTES_MAX || !is_base62(id) || secret.n != secret_bytes ||
        !is_base62(secret))
        return false;
    check_digits((str){text.p, text.n - API_KEY_CHECK_BYTES}, check);
    if (!str_ends(text, (str){check, API_KEY_CHECK_BYTES}))
        return false;
    *out_id = id;
    return true;
}

void token_hash(str text, struct hash *out)
{
    sha256(text, out);
}
