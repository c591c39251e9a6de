/* json.c - walking simdjson's tape, checking keys, and explaining what is wrong with a text.
 *
 * Tape (simdjson doc/tape.md): 64-bit words, the type in the top byte.  '{' and '[' hold in their
 * low 32 bits the index behind the matching close; '"' holds an offset into the string buffer,
 * where a 32-bit length, the bytes and a NUL lie; 'l', 'u', 'd' are followed by a word with the
 * number. */
#include "base/json.h"
#include "base/buf.h"
#include "base/json_tape.h"
#include <stdlib.h>

enum { POINTER_BYTES_MAX = 512 }; /* a longer one is cut off */

struct json_parser {
    struct json_tape_parser *tape;
    str *keys; /* of one large object, for the search of duplicates */
    size_t key_capacity;
};

struct json_parser *json_parser_open(void)
{
    struct json_parser *p = calloc(1, sizeof *p);

    ENSURE(p);
    p->tape = json_tape_open(JSON_DEPTH_MAX + 1);
    ENSURE(p->tape);
    return p;
}

void json_parser_close(struct json_parser *p)
{
    if (!p)
        return;
    json_tape_close(p->tape);
    free(p->keys);
    free(p);
}

bool json_to_i64(struct json v, int64_t *out)
{
    uint64_t word = json_kind(v) == JSON_I64 || json_kind(v) == JSON_U64 ? v.tape[v.at + 1] : 0;

    if (json_kind(v) == JSON_I64)
        *out = (int64_t)word;
    else if (json_kind(v) == JSON_U64 && word <= INT64_MAX)
        *out = (int64_t)word;
    else
        return false;
    return true;
}

bool json_to_u64(struct json v, uint64_t *out)
{
    if (json_kind(v) == JSON_U64)
        *out = v.tape[v.at + 1];
    else if (json_kind(v) == JSON_I64 && (int64_t)v.tape[v.at + 1] >= 0)
        *out = v.tape[v.at + 1];
    else
        return false;
    return true;
}

bool json_to_double(struct json v, double *out)
{
    enum json_kind kind = json_kind(v);

    if (kind == JSON_DOUBLE)
        memcpy(out, &v.tape[v.at + 1], sizeof *out);
    else if (kind == JSON_I64)
        *out = (double)(int64_t)v.tape[v.at + 1];
    else if (kind == JSON_U64)
        *out = (double)v.tape[v.at + 1];
    else
        return false;
    return true;
}

bool json_to_bool(struct json v, bool *out)
{
    enum json_kind kind = json_kind(v);

    if (kind != JSON_TRUE && kind != JSON_FALSE)
        return false;
    *out = kind == JSON_TRUE;
    return true;
}

bool json_get(struct json object, str key, struct json *out)
{
    struct json_iter it = json_iter(object);

    while (it.object && json_next(&it)) {
        if (str_eq(it.key, key)) {
            *out = it.value;
            return true;
        }
    }
    return false;
}

/* "~1" is "/", "~0" is "~"; the token is compared piece by piece so that nothing is copied. */
static bool token_is(str token, str key)
{
    size_t k = 0;

    for (size_t i = 0; i < token.n; i++, k++) {
        char c = token.p[i];
        if (c == '~' && i + 1 < token.n)
            c = token.p[++i] == '1' ? '/' : '~';
        if (k >= key.n || key.p[k] != c)
            return false;
    }
    return k == key.n;
}

static bool child(struct json v, str token, struct json *out)
{
    struct json_iter it = json_iter(v);
    uint64_t index = 0, want = 0;

    if (!it.object && !str_to_u64(token, &want))
        return false;
    while (json_next(&it)) {
        if (it.object ? token_is(token, it.key) : index++ == want) {
            *out = it.value;
            return true;
        }
    }
    return false;
}

bool json_pointer_get(struct json v, str pointer, struct json *out)
{
    if (pointer.n == 0) {
        *out = v;
        return true;
    }
    if (pointer.p[0] != '/')
        return false;
    str rest = str_slice(pointer, 1, pointer.n);
    while (!str_is_null(rest)) {
        str token = str_cut(&rest, '/');
        if (!child(v, token, &v))
            return false;
    }
    *out = v;
    return true;
}

/* ---- duplicate keys ---- */

static int by_text(const void *a, const void *b)
{
    const str *x = a, *y = b;

    return str_cmp(*x, *y);
}

/* For objects with many members: whatever their keys are, the time is that of sorting them. */
static bool duplicate_by_order(struct json_parser *p, struct json object, size_t count, str *out)
{
    size_t n = 0;

    if (count > p->key_capacity) {
        free(p->keys);
        p->keys = malloc(count * sizeof *p->keys);
        ENSURE(p->keys);
        p->key_capacity = count;
    }
    for (struct json_iter it = json_iter(object); json_next(&it);)
        p->keys[n++] = it.key;
    qsort(p->keys, n, sizeof *p->keys, by_text);
    for (size_t i = 1; i < n; i++) {
        if (str_eq(p->keys[i], p->keys[i - 1])) {
            *out = p->keys[i];
            return true;
        }
    }
    return false;
}

/* Its first eight bytes, and its length.  The parser pads its buffer of strings, so eight can be
 * read. */
static uint64_t key_word(str key)
{
    uint64_t word;

    ENSURE(key.p);
    memcpy(&word, key.p, sizeof word);
    if (key.n < sizeof word)
        word &= (UINT64_C(1) << 8 * key.n) - 1;
    return word + ((uint64_t)key.n << 57);
}

/* Up to SMALL members are compared in pairs with a 64-bit signature of each key first. */
static bool has_duplicate(struct json_parser *p, struct json object, str *out)
{
    enum { SMALL = 32 };
    uint64_t seen[SMALL];
    str keys[SMALL];
    size_t n = 0;

    for (struct json_iter it = json_iter(object); json_next(&it); n++) {
        if (n >= SMALL) {
            while (json_next(&it))
                n++;
            return duplicate_by_order(p, object, n + 1, out);
        }
        uint64_t word = key_word(it.key);
        for (size_t i = 0; i < n; i++) {
            if (seen[i] == word && str_eq(keys[i], it.key)) {
                *out = it.key;
                return true;
            }
        }
        seen[n] = word;
        keys[n] = it.key;
    }
    return false;
}

/* ---- where it is ---- */

static void put_token(struct buf *b, str token)
{
    buf_put_char(b, '/');
    for (size_t i = 0; i < token.n; i++) {
        if (token.p[i] == '~' || token.p[i] == '/')
            buf_put(b, token.p[i] == '~' ? S("~0") : S("~1"));
        else
            buf_put_char(b, token.p[i]);
    }
}

/* The JSON pointer of the container at tape place `at`, below `v`. */
static void put_pointer(struct buf *b, struct json v, uint32_t at)
{
    while (v.at != at) {
        struct json_iter it = json_iter(v);
        uint64_t index = 0;
        while (json_next(&it) && it.next <= at)
            index++;
        if (it.object) {
            put_token(b, it.key);
        } else {
            buf_put_char(b, '/');
            buf_put_u64(b, index);
        }
        v = it.value;
    }
}

static err refuse_duplicate(struct ctx *cx, struct json root, uint32_t at, str key)
{
    CLEANUP(buf_close) struct buf pointer = BUF(POINTER_BYTES_MAX);

    put_pointer(&pointer, root, at);
    put_token(&pointer, key);
    ctx_add_issue(cx, arena_str(cx->mem, buf_str(&pointer)), "stands twice in one object");
    return fail(cx, ERR_INVALID, "the key \"%.*s\" stands twice in one object",
                STR_FMT(str_slice(key, 0, 80)));
}

/* What simdjson lets pass: duplicate keys, and one level too many when the innermost container is
 * empty.  Containers open and close on the tape; the words behind numbers are stepped over. */
static err check_tree(struct ctx *cx, struct json_parser *p, struct json root)
{
    uint32_t end = json_tape_skip(root, root.at);
    unsigned depth = 0;
    str key;

    for (uint32_t at = root.at; at < end;) {
        struct json v = {root.tape, root.strings, at};
        char type = json_tape_type(v, at);
        if (type == '{' && has_duplicate(p, v, &key))
            return refuse_duplicate(cx, root, at, key);
        if (type == '{' || type == '[') {
            if (++depth > JSON_DEPTH_MAX)
                return fail(cx, ERR_INVALID, "not JSON: values are nested too deeply");
            at++;
        } else {
            depth -= type == '}' || type == ']';
            at = json_tape_skip(v, at);
        }
    }
    return ERR_OK;
}

static err parse(struct ctx *cx, struct json_parser *p, str text, bool padded, struct json *out)
{
    struct json root = {.at = 1};
    const char *wrong =
        json_tape_parse(p->tape, text.p ? text.p : "", text.n, padded, &root.tape, &root.strings);
    size_t at;
    const char *what;

    if (wrong) {
        if (json_find_error(text, &at, &what))
            return fail(cx, ERR_INVALID, "not JSON: at byte %zu %s", at, what);
        return fail(cx, ERR_INVALID, "not JSON: %s", wrong);
    }
    TRY(check_tree(cx, p, root));
    *out = root;
    return ERR_OK;
}

err json_parse(struct ctx *cx, struct json_parser *p, str text, struct json *out)
{
    return parse(cx, p, text, false, out);
}

err json_parse_padded(struct ctx *cx, struct json_parser *p, str text, struct json *out)
{
    return parse(cx, p, text, true, out);
}
