/* json.h - reading JSON (RFC 8259), fully validated, without copying structure.
 *
 * simdjson parses into its tape (simdjson doc/tape.md); json_tape.cc hands the tape out and the
 * rest is C.  A value is a place on the tape: it is valid until the parser's next parse.
 *
 * Refused: invalid UTF-8, duplicate keys in any object, numbers outside int64/uint64/double,
 * nesting beyond JSON_DEPTH_MAX, anything after the value.  Errors name the byte offset. */
#pragma once
#include "base/base.h"

enum { JSON_PADDING = 64, JSON_DEPTH_MAX = 64 };

enum json_kind {
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_I64,
    JSON_U64,
    JSON_DOUBLE,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

struct json_parser; /* owned by one thread at a time */

struct json {
    const uint64_t *tape;
    const uint8_t *strings;
    uint32_t at;
};

struct json_parser *json_parser_open(void); /* aborts on exhaustion */
void json_parser_close(struct json_parser *p);
static inline void json_parser_cleanup(struct json_parser **p)
{
    json_parser_close(*p);
}

/* Parse exactly one value.  Borrows `text`; no bytes behind its end are needed. INVALID. */
err json_parse(struct ctx *cx, struct json_parser *p, str text, struct json *out);
/* The same for text that is followed by JSON_PADDING readable bytes: no copy is made. */
err json_parse_padded(struct ctx *cx, struct json_parser *p, str text, struct json *out);

/* The byte offset of the first thing wrong in `text`, and what; false when nothing is.  Slow and
 * independent of simdjson: used to explain a refusal, and by tests as a second opinion. */
bool json_find_error(str text, size_t *out_at, const char **out_what);

enum json_kind json_kind(struct json v);
str json_str(struct json v); /* JSON_STRING: unescaped; valid as long as the value */
bool json_to_i64(struct json v, int64_t *out);
bool json_to_u64(struct json v, uint64_t *out);
bool json_to_double(struct json v, double *out); /* any number */
bool json_to_bool(struct json v, bool *out);

/* for (struct json_iter it = json_iter(v); json_next(&it);) use it.key, it.value */
struct json_iter {
    struct json value;
    str key; /* null in arrays */
    uint32_t next, end;
    bool object;
};
struct json_iter json_iter(struct json container); /* of another kind: no elements */
bool json_next(struct json_iter *it);
/* Member `key` of an object; false if absent or not an object. */
bool json_get(struct json object, str key, struct json *out);
/* Resolve a JSON pointer (RFC 6901) below `v`. */
bool json_pointer_get(struct json v, str pointer, struct json *out);
