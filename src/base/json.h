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

/* The tape's layout: 64-bit words, the type in the top byte, see json.c.  Walking it is on the hot
 * path of every event, so it is inline; use the functions below it. */
#define JSON_TAPE_PAYLOAD UINT64_C(0x00FFFFFFFFFFFFFF)

static inline char json_tape_type(struct json v, uint32_t at)
{
    return (char)(v.tape[at] >> 56);
}

static inline str json_tape_str(struct json v, uint32_t at)
{
    const uint8_t *p = v.strings + (v.tape[at] & JSON_TAPE_PAYLOAD);
    uint32_t n;

    memcpy(&n, p, sizeof n);
    return (str){(const char *)p + sizeof n, n};
}

/* The index behind the value at `at`. */
static inline uint32_t json_tape_skip(struct json v, uint32_t at)
{
    char type = json_tape_type(v, at);

    if (type == '{' || type == '[')
        return (uint32_t)v.tape[at];
    return at + (type == 'l' || type == 'u' || type == 'd' ? 2 : 1);
}

static inline enum json_kind json_kind(struct json v)
{
    static const uint8_t kinds[128] = {
        ['{'] = JSON_OBJECT, ['['] = JSON_ARRAY, ['"'] = JSON_STRING,
        ['l'] = JSON_I64,    ['u'] = JSON_U64,   ['d'] = JSON_DOUBLE,
        ['t'] = JSON_TRUE,   ['f'] = JSON_FALSE, ['n'] = JSON_NULL,
    };

    return (enum json_kind)kinds[json_tape_type(v, v.at) & 127];
}

/* JSON_STRING: unescaped; valid as long as the value.  Null for other kinds. */
static inline str json_str(struct json v)
{
    return json_tape_type(v, v.at) == '"' ? json_tape_str(v, v.at) : STR_NULL;
}

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

/* Of a value that is no container: no elements. */
static inline struct json_iter json_iter(struct json container)
{
    char type = json_tape_type(container, container.at);
    struct json_iter it = {.value = container, .object = type == '{'};

    if (type == '{' || type == '[') {
        it.next = container.at + 1;
        it.end = (uint32_t)container.tape[container.at] - 1;
    }
    return it;
}

static inline bool json_next(struct json_iter *it)
{
    if (it->next >= it->end)
        return false;
    if (it->object)
        it->key = json_tape_str(it->value, it->next++);
    it->value.at = it->next;
    it->next = json_tape_skip(it->value, it->next);
    return true;
}

/* Member `key` of an object; false if absent or not an object. */
bool json_get(struct json object, str key, struct json *out);
/* Resolve a JSON pointer (RFC 6901) below `v`. */
bool json_pointer_get(struct json v, str pointer, struct json *out);
