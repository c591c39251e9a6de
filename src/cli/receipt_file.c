/* receipt_file.c - see receipt_file.h. */
#include "cli/receipt_file.h"
#include "base/encode.h"
#include "cli/json_source.h"
#include "cli/remote.h"

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
        return fail(
            cx, ERR_INVALID,
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
