/* access_setup.c - the one-time link with which the first administrator is made.
 *
 * The vault holds the hash of the link's token and its end.  It counts only while there is no
 * administrator, which the command checks again on the writer's thread: of two that use the link
 * at once one succeeds. */
#include "access/access_private.h"
#include "base/encode.h"
#include "crypto/token.h"

#define SETUP_ID S("administrator")

struct setup_record {
    str hash; /* SHA-256 of the token, hexadecimal */
    int64_t expires_us;
};

static const struct field setup_record_fields[] = {
    FIELD(setup_record, hash, F_STR, .flags = F_REQUIRED),
    FIELD_AS(setup_record, expires_us, "expires", F_TIME, .flags = F_REQUIRED),
};
static const struct shape setup_record_shape =
    SHAPE("SetupRecord", setup_record, setup_record_fields);

err access_has_administrator(struct ctx *cx, struct app *app, bool *out)
{
    CLEANUP(store_read_end) struct db *db = NULL;
    uint64_t n;

    TRY(store_read_begin(cx, app->view, &db));
    TRY(view_count_role(cx, db, ROLE_ADMINISTRATOR, S(""), &n));
    *out = n > 0;
    return ERR_OK;
}

err access_setup_link(struct ctx *cx, struct app *app, int64_t valid_us, str *out_token)
{
    struct access *a = app->access;
    CLEANUP(buf_close) struct buf text = BUF(1024);
    char *token = arena_new(cx->mem, char, SESSION_TOKEN_BYTES + 1);
    char hex[2 * HASH_BYTES + 1];
    struct hash hash;
    bool done;

    TRY(access_has_administrator(cx, app, &done));
    if (done)
        return fail(cx, ERR_CONFLICT, "there is an administrator already");
    session_token_make(token);
    token_hash((str){token, SESSION_TOKEN_BYTES}, &hash);
    hex_encode(hash.bytes, HASH_BYTES, hex);
    shape_encode(&text, &setup_record_shape,
                 &(struct setup_record){str_from(hex), access_now_us(a) + valid_us});
    TRY(vault_put(cx, a->vault, VAULT_SETUP, SETUP_ID, buf_str(&text)));
    *out_token = (str){token, SESSION_TOKEN_BYTES};
    return ERR_OK;
}

static err read_record(struct ctx *cx, struct access *a, struct setup_record *out,
                       struct hash *out_hash)
{
    str text;

    TRY(vault_get(cx, a->vault, VAULT_SETUP, SETUP_ID, &text));
    TRY(shape_read(cx, &setup_record_shape, text, out));
    return hex_decode(out->hash, out_hash->bytes, HASH_BYTES)
               ? ERR_OK
               : fail(cx, ERR_CORRUPT, "vault: the set-up link has no hash");
}

err access_setup_check(struct ctx *cx, struct access *a, str token, bool *out)
{
    struct setup_record record;
    struct hash wanted, given;
    bool done;

    *out = false;
    TRY(access_has_administrator(cx, a->app, &done));
    if (done || !session_token_is_valid(token))
        return ERR_OK;
    err e = read_record(cx, a, &record, &wanted);
    if (e == ERR_NOT_FOUND) {
        ctx_clear_error(cx);
        return ERR_OK;
    }
    TRY(e);
    token_hash(token, &given);
    *out = secret_eq((str){(const char *)wanted.bytes, HASH_BYTES},
                     (str){(const char *)given.bytes, HASH_BYTES}) &&
           access_now_us(a) < record.expires_us;
    return ERR_OK;
}

err access_setup_run(struct ctx *cx, struct access *a, const struct setup_request *request,
                     const struct refusal *as, struct user *out, struct ledger_receipt *out_receipt)
{
    const struct caller by = {{S("setup"), as->peer, STR_NULL}, permission_all()};
    const struct user_request user = {request->username, ROLE_ADMINISTRATOR, request->password};
    bool good;

    TRY(access_setup_check(cx, a, request->token, &good));
    if (!good) {
        struct refusal f = *as;
        f.kind = REFUSED_SETUP_LINK;
        refusal_note(a->refusals, &f);
        return refusal_fail(cx, f.kind, "");
    }
    TRY(access_user_put(cx, a, &by, &user, true, out_receipt));
    access_forget(a, VAULT_SETUP, SETUP_ID);
    return access_find_user(cx, a, request->username, out);
}
