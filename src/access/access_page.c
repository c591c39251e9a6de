/* access_page.c - the page behind the set-up link: one form, no scripts.
 *
 * The token is put into the page only when it has the form of one, so it needs no escaping; what a
 * person typed is not put into a page at all. */
#include "access/access_private.h"
#include "base/encode.h"
#include "crypto/token.h"

static const char page_head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
    "<title>Chancery: first administrator</title><style>"
    ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:28rem;"
    "margin:4rem auto;padding:0 1rem}label{display:block;margin:1rem 0 .25rem}"
    "input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem}"
    "button{font:inherit;margin-top:1.5rem;padding:.5rem 1.5rem}"
    "[role=alert]{border-left:4px solid #c33;padding:.25rem .75rem}</style></head>"
    "<body><main><h1>Chancery</h1>";
static const char page_tail[] = "</main></body></html>\n";

static const char form_head[] = "<p>Make the first administrator. This link works once.</p>"
                                "<form method=\"post\" action=\"/setup\" autocomplete=\"off\">"
                                "<input type=\"hidden\" name=\"token\" value=\"";
static const char form_tail[] =
    "\"><label for=\"u\">User name</label>"
    "<input id=\"u\" name=\"username\" required maxlength=\"64\" autofocus "
    "autocomplete=\"username\" "
    "pattern=\"[a-z0-9][a-z0-9._@+\\-]*\">"
    "<label for=\"p\">Password (at least 15 characters)</label>"
    "<input id=\"p\" name=\"password\" type=\"password\" required minlength=\"15\" "
    "maxlength=\"1024\" autocomplete=\"new-password\">"
    "<button>Make administrator</button></form>";

static const char link_is_dead[] =
    "<p role=\"alert\">This set-up link is not valid: it was used, has expired, or there is an "
    "administrator already. The server shows a new one when it starts without an "
    "administrator.</p>";
static const char all_done[] =
    "<p>Done: the administrator is made, and this link no longer works.</p>"
    "<p>Sign in with <code>POST /api/v1/session</code>; the API is described at "
    "<a href=\"/docs\">/docs</a>.</p>";

static void put_form(struct buf *b, str token)
{
    buf_put(b, str_from(form_head));
    buf_put(b, token);
    buf_put(b, str_from(form_tail));
}

static err answer(struct ctx *cx, struct response *rs, int status)
{
    TRY(buf_check(cx, &rs->body, "the page"));
    rs->status = status;
    response_header(cx, rs, "Content-Type", S("text/html; charset=utf-8"));
    response_header(cx, rs, "Content-Security-Policy",
                    S("default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
                      "frame-ancestors 'none'; base-uri 'none'"));
    return ERR_OK;
}

err access_setup_get(struct ctx *cx, struct request *rq, struct response *rs)
{
    str token = request_param(rq, S("token"));
    bool good;

    TRY(access_setup_check(cx, rq->app->access, token, &good));
    buf_put(&rs->body, str_from(page_head));
    if (good)
        put_form(&rs->body, token);
    else
        buf_put(&rs->body, str_from(link_is_dead));
    buf_put(&rs->body, str_from(page_tail));
    return answer(cx, rs, good ? 200 : 410);
}

/* ---- the form comes back ---- */

static err take_member(struct ctx *cx, str pair, struct setup_request *out)
{
    str name = str_cut(&pair, '=');
    str value = percent_decode(cx->mem, str_is_null(pair) ? S("") : pair, true);
    const struct {
        const char *name;
        str *place;
    } members[] = {
        {"token", &out->token}, {"username", &out->username}, {"password", &out->password}};

    if (str_is_null(value))
        return fail(cx, ERR_INVALID, "the form has a malformed percent escape");
    for (size_t i = 0; i < COUNT(members); i++)
        if (str_eq(name, str_from(members[i].name)))
            *members[i].place = value;
    return ERR_OK;
}

static err read_form(struct ctx *cx, const struct request *rq, struct setup_request *out)
{
    str type = request_header(rq, S("content-type"));
    str left = rq->body;

    if (!str_eq_nocase(str_trim(str_cut(&type, ';')), S("application/x-www-form-urlencoded")))
        return fail(cx, ERR_MEDIA_TYPE, "the body must be application/x-www-form-urlencoded");
    *out = (struct setup_request){S(""), S(""), S("")};
    while (!str_is_null(left))
        TRY(take_member(cx, str_cut(&left, '&'), out));
    return ERR_OK;
}

/* What can be mended in the form is said above it; our own texts alone, nothing that was typed. */
static bool can_be_mended(err e)
{
    return e == ERR_INVALID || e == ERR_BUSY;
}

static err try_again(struct ctx *cx, struct response *rs, err e, str token)
{
    buf_put(&rs->body, str_from(page_head));
    buf_put(&rs->body, S("<p role=\"alert\">"));
    for (size_t i = 0; i < cx->issue_count; i++) {
        buf_put(&rs->body, str_slice(cx->issues[i].pointer, 1, cx->issues[i].pointer.n));
        buf_put_char(&rs->body, ' ');
        buf_put(&rs->body, cx->issues[i].detail);
        buf_put(&rs->body, S(". "));
    }
    if (!cx->issue_count)
        buf_put(&rs->body, S("Too busy, try again."));
    buf_put(&rs->body, S("</p>"));
    put_form(&rs->body, token);
    buf_put(&rs->body, str_from(page_tail));
    return answer(cx, rs, err_http_status(e));
}

err access_setup_form(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct access *a = rq->app->access;
    const struct refusal as = access_refusal_of(a, rq, REFUSED_SETUP_LINK);
    struct setup_request request = {0};
    struct ledger_receipt receipt;
    struct user user;

    TRY(read_form(cx, rq, &request));
    err e = access_setup_run(cx, a, &request, &as, &user, &receipt);
    if (can_be_mended(e) && session_token_is_valid(request.token))
        return try_again(cx, rs, e, request.token);
    if (e && e != ERR_FORBIDDEN && e != ERR_CONFLICT)
        return e;
    buf_put(&rs->body, str_from(page_head));
    buf_put(&rs->body, str_from(e ? link_is_dead : all_done));
    buf_put(&rs->body, str_from(page_tail));
    return answer(cx, rs, e ? 410 : 201);
}
