/* encode.h - text forms of bytes: hexadecimal, base64 (RFC 4648), percent encoding (RFC 3986).
 *
 * Decoders are strict: no blanks, right padding, zero trailing bits. */
#pragma once
#include "base/base.h"
#include "base/buf.h"

void hex_put(struct buf *b, const void *bytes, size_t n); /* lower case */
void hex_encode(const void *bytes, size_t n, char *out);  /* 2n bytes and a NUL */
bool hex_decode(str text, void *out, size_t n);           /* exactly n bytes; either case */

#define BASE64_BYTES(n) (((n) + 2) / 3 * 4)
void base64_put(struct buf *b, const void *bytes, size_t n);
void base64_encode(const void *bytes, size_t n, char *out); /* BASE64_BYTES(n) and a NUL */
/* Decodes into `out` of `capacity` bytes; false if malformed or too long. */
bool base64_decode(str text, void *out, size_t capacity, size_t *out_n);
/* The URL-safe alphabet without padding. */
void base64url_put(struct buf *b, const void *bytes, size_t n);
bool base64url_decode(str text, void *out, size_t capacity, size_t *out_n);

/* Percent-decode in the arena; '+' is a blank when `form` is set.  NULL str on a bad escape or NUL.
 */
str percent_decode(struct arena *a, str s, bool form);
void percent_put(struct buf *b, str s); /* everything but unreserved characters */
