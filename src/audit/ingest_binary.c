/* ingest_binary.c - see ingest_binary.h. */
#include "audit/ingest_binary.h"
#include "base/encode.h"
#include "base/json_write.h"

static bool is_json_type(str media)
{
    return str_eq_nocase(media, S("application/json")) || str_ends(media, S("+json")) ||
           str_eq_nocase(media, S("text/json"));
}

static err put_attribute(struct ctx *cx, const struct header *h, struct buf *out)
{
    str name = str_slice(h->name, 3, h->name.n), value = percent_decode(cx->mem, h->value, false);
    char *lower = arena_new(cx->mem, char, name.n + 1);

    for (size_t i = 0; i < name.n; i++)
        lower[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
    if (str_is_null(value) || !str_is_utf8(value)) {
        ctx_add_issue(cx, arena_printf(cx->mem, "/%s", lower), "is not percent-encoded UTF-8");
        return fail(cx, ERR_INVALID, "the header ce-%.*s is not percent-encoded UTF-8",
                    STR_FMT(name));
    }
    json_member_str(out, (str){lower, name.n}, value);
    return ERR_OK;
}

/* JSON stays JSON, text becomes a string, anything else base64. */
static err put_data(struct ctx *cx, str media, str body, struct json_parser *parser,
                    struct buf *out)
{
    struct json root;

    if (body.n == 0)
        return ERR_OK;
    if (is_json_type(media)) {
        TRY(json_parse(cx, parser, body, &root));
        json_member_raw(out, S("data"), str_trim(body));
    } else if (str_starts(media, S("text/")) && str_is_utf8(body)) {
        json_member_str(out, S("data"), body);
    } else {
        json_key(out, S("data_base64"));
        buf_put_char(out, '"');
        base64_put(out, body.p, body.n);
        buf_put_char(out, '"');
    }
    return ERR_OK;
}

err ingest_binary_compose(struct ctx *cx, const struct request *rq, str body,
                          struct json_parser *parser, struct buf *out)
{
    str type = request_header(rq, S("content-type")), rest = type;
    str media = str_trim(str_cut(&rest, ';'));

    buf_clear(out);
    json_open(out, '{');
    for (size_t i = 0; i < rq->header_count; i++) {
        const struct header *h = &rq->headers[i];
        if (h->name.n > 3 && str_eq_nocase(str_slice(h->name, 0, 3), S("ce-")))
            TRY(put_attribute(cx, h, out));
    }
    if (type.n)
        json_member_str(out, S("datacontenttype"), type);
    TRY(put_data(cx, media, body, parser, out));
    json_close(out, '}');
    return buf_check(cx, out, "the event");
}
