/* str.h - a borrowed run of bytes, the string type of every interface.
 *
 * Not NUL-terminated.  {NULL, 0} is "absent"; {"", 0} is "empty"; both have length 0 and compare
 * equal, str_is_null() tells them apart. */
#pragma once
#include "base/macros.h"
#include <stdbool.h>
#include <string.h>

typedef struct str {
    const char *p;
    size_t n;
} str;

#define S(literal) ((str){"" literal, sizeof(literal) - 1})
#define STR_INIT(literal)                                                                          \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    } /* for static tables */
#define STR_NULL ((str){NULL, 0})
/* printf("%.*s", STR_FMT(s)) */
#define STR_FMT(s) ((int)(s).n), ((s).p ? (s).p : "")

static inline str str_from(const char *z)
{
    return (str){z, z ? strlen(z) : 0};
}

static inline bool str_is_null(str s)
{
    return s.p == NULL;
}

static inline bool str_eq(str a, str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int str_cmp(str a, str b);        /* bytewise, shorter first */
bool str_eq_nocase(str a, str b); /* ASCII letters only */
bool str_starts(str s, str prefix);
bool str_ends(str s, str suffix);
str str_slice(str s, size_t from, size_t to); /* clamped to the string */
str str_trim(str s);                          /* without ASCII blanks at both ends */
/* Index of the first occurrence, or s.n. */
size_t str_find(str s, str needle);
size_t str_find_char(str s, char c);
/* Cut `*rest` at the first `c`: returns what is before it and leaves what is after it in *rest.
 * Without a `c` returns all of it and leaves *rest null. */
str str_cut(str *rest, char c);

/* Whole string, decimal, no sign for u64, no blanks, no overflow. */
bool str_to_u64(str s, uint64_t *out);
bool str_to_i64(str s, int64_t *out);
bool str_to_double(str s, double *out); /* locale independent; no hex, inf or nan */
bool str_is_utf8(str s);
size_t str_utf8_prefix(str s); /* bytes before the first ill-formed sequence */
