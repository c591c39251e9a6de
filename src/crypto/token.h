/* token.h - random secrets that are handed out once and kept only as hashes.
 *
 * A session token is 256 random bits in base64url.  An API key is
 *   chancery_key_<id>_<32 base62 digits><6 base62 digits: CRC-32 of all that is in front>
 * so that scanners of leaked secrets recognise it and a mistyped key is told from an unknown one
 * without looking it up.  Any thread. */
#pragma once
#include "base/base.h"
#include "crypto/sha256.h"

enum {
    SESSION_TOKEN_BYTES = 43,
    API_KEY_ID_BYTES_MAX = 32,
    API_KEY_SECRET_BYTES = 32,
    API_KEY_CHECK_BYTES = 6,
    API_KEY_BYTES_MAX = 13 + API_KEY_ID_BYTES_MAX + 1 + API_KEY_SECRET_BYTES + API_KEY_CHECK_BYTES,
};

void random_bytes(void *out, size_t n);
/* `n` digits of 0-9A-Za-z and a NUL. */
void random_base62(char *out, size_t n);

void session_token_make(char out[SESSION_TOKEN_BYTES + 1]);
/* Does it have the form of one? */
bool session_token_is_valid(str text);

/* A new key for `id` (1 to API_KEY_ID_BYTES_MAX of 0-9A-Za-z, else INVALID); *out: arena `mem`. */
err api_key_make(struct ctx *cx, str id, str *out);
/* Form and CRC; *out_id is borrowed from `text`. */
bool api_key_parse(str text, str *out_id);

/* What is stored in place of a token or key. */
void token_hash(str text, struct hash *out);
