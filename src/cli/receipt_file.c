/* receipt_file.c - see receipt_file.h. */
#include "cli/receipt_file.h"
#include "base/encode.h"
#include "cli/remote.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ---- places in JSON that is known to be valid ---- */

static size_t skip_space(str s, size_t at)
{
    while (at < s.n && is_space(s.p[at]))
        at++;
    return at;
}

/* Behind the string that begins at `at`. */
static size_t skip_string(str s, size_t at)
{
    for (at++; at < s.n && s.p[at] != '"'; at++)
        if (s.p[at] == '\\')
            at++;
    return at + 1;
}

/* Behind the value that begins at `at`. */
static size_t skip_value(str s, size_t at)
{
    size_t depth = 0;

    while (at < s.n) {
        char c = s.p[at];
        if (depth == 0 && (c == ',' || c == '}' || c == ']' || is_space(c)))
            return at;
        if (c == '"') {
            at = skip_string(s, at);
        } else {
            depth += c == '{' || c == '[';
            depth -= c == '}' || c == ']';
            at++;
        }
        if (depth == 0 && (c == '"' || c == '}' || c == ']'))
            return at;
    }
    return at;
}

str json_member_source(str object, str key)
{
    size_t at = skip_space(object, 0) + 1; /* '{' */

    for (;;) {
        at = skip_space(object, at);
        if (at >= object.n || object.p[at] != '"')
            return STR_NULL;
        size_t name_end = skip_string(object, at);
        str name = str_slice(object, at + 1, name_end - 1);
        at = skip_space(object, skip_space(object, name_end) + 1); /* ':' */
        size_t end = skip_value(object, at);
        if (str_eq(name, key))
            return str_slice(object, at, end);
        at = skip_space(object, end) + 1; /* ',' or '}' */
    }
}

/* ---- proofs ---- */

bool leaf_read(str text, struct hash *out)
{
    size_t n;

    return hex_decode(text, out->bytes, HASH_BYTES) ||
           (base64_decode(text, out->bytes, HASH_BYTES, &n) && n == HASH_BYTES);
}

err receipt_file_read(struct ctx *cx, str text, struct receipt_file *out)
{
    CLEANUP(json_parser_cleanup) struct json_parser *parser = NULL;
    struct json answer, receipt;

    *out = (struct receipt_file){.proof = text};
    if (!str_starts(str_trim(text), S("{")))
        return ERR_OK;
    parser = json_parser_open();
    TRY(json_parse(cx, parser, text, &answer));
    str proof = json_member_text(answer, S("proof"));
    if (str_is_null(proof))
        return fail(cx, ERR_INVALID,
                    "there is no proof in it: send the event with the header Prefer: wait=proof, or "
                    "ask 'chancery prove INDEX'");
    out->proof = arena_str(cx->mem, proof);
    if (json_get(answer, S("receipt"), &receipt))
        out->has_leaf = leaf_read(json_member_text(receipt, S("leaf_hash")), &out->leaf);
    return ERR_OK;
}

/* ---- entries ---- */

static err decode_raw(struct ctx *cx, str base64, str *out)
{
    char *bytes = arena_new(cx->mem, char, base64.n + 1);
    size_t n;

    if (!base64_decode(base64, bytes, base64.n, &n))
        return fail(cx, ERR_INVALID, "the member raw is not base64");
    *out = (str){bytes, n};
    return ERR_OK;
}

err entry_file_read(struct ctx *cx, str text, str *out)
{
    CLEANUP(json_parser_cleanup) struct json_parser *parser = json_parser_open();
    struct json answer, event;

    *out = text;
    if (json_parse(cx, parser, text, &answer) != ERR_OK || json_kind(answer) != JSON_OBJECT) {
        ctx_clear_error(cx);
        return ERR_OK; /* bytes of any kind */
    }
    if (!json_get(answer, S("index"), &event))
        return ERR_OK;
    str raw = json_member_text(answer, S("raw"));
    if (json_get(answer, S("event"), &event) && json_kind(event) == JSON_OBJECT)
        *out = json_member_source(text, S("event"));
    else if (!str_is_null(raw))
        return decode_raw(cx, raw, out);
    return ERR_OK;
}
