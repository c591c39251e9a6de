/* access_key.c - making and revoking API keys: hash to the vault, event, registry. */
#include "access/access_private.h"
#include "access/access_rule.h"
#include "crypto/token.h"

/* Eight digits of the time in ms, so that keys are listed in the order they were made, and eight of
 * chance. */
static str new_id(struct ctx *cx, int64_t now_us)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint64_t ms = (uint64_t)now_us / 1000;
    char *id = arena_new(cx->mem, char, KEY_ID_BYTES + 1);

    random_base62(id, KEY_ID_BYTES);
    for (size_t i = KEY_ID_BYTES / 2; i > 0; i--, ms /= 62)
        id[i - 1] = digits[ms % 62];
    return (str){id, KEY_ID_BYTES};
}

/* ---- the registry follows the view ---- */

err access_find_key(struct ctx *cx, struct access *a, str id, struct api_key *out)
{
    CLEANUP(store_read_end) struct db *db = NULL;

    TRY(store_read_begin(cx, a->app->view, &db));
    return view_key(cx, db, id, out);
}

err access_key_load(struct ctx *cx, struct access *a, const struct api_key *key)
{
    struct registry_key entry = {
        .id = key->id,
        .name = key->name,
        .permissions = scopes_split(scopes_join(cx->mem, key->scopes)),
        .expires_us = key->expires_us,
        .used_us = key->used_us,
    };
    str hash;

    TRY(vault_get(cx, a->vault, VAULT_API_KEY, key->id, &hash));
    if (hash.n != HASH_BYTES)
        return fail(cx, ERR_CORRUPT, "vault: the hash of key %.*s has %zu bytes", STR_FMT(key->id),
                    hash.n);
    memcpy(entry.secret.bytes, hash.p, HASH_BYTES);
    registry_key_put(a->registry, &entry);
    return ERR_OK;
}

static err reload(struct ctx *cx, struct access *a, str id, struct api_key *out)
{
    LOCK(lock, &a->reloading);
    err e = access_find_key(cx, a, id, out);

    if (e == ERR_OK && !out->revoked_us)
        e = access_key_load(cx, a, out);
    if (e || out->revoked_us)
        registry_key_drop(a->registry, id); /* what cannot be read counts for nothing */
    return e;
}

/* ---- making and revoking ---- */

static err put_secret(struct ctx *cx, struct access *a, str id, str *out_text)
{
    struct hash hash;

    TRY(api_key_make(cx, id, out_text));
    token_hash(*out_text, &hash);
    return vault_put(cx, a->vault, VAULT_API_KEY, id, (str){(const char *)hash.bytes, HASH_BYTES});
}

static err make(struct ctx *cx, struct access *a, const struct caller *by,
                struct key_create_args *args, struct api_key *out,
                struct ledger_receipt *out_receipt)
{
    TRY(writer_run(cx, a->app->writer, command_key_create, args, &by->actor, out_receipt));
    return reload(cx, a, args->id, out);
}

err access_key_create(struct ctx *cx, struct app *app, const struct caller *by,
                      const struct key_request *request, struct api_key *out, str *out_text,
                      struct ledger_receipt *out_receipt)
{
    struct access *a = app->access;
    struct key_create_args args = {.request = request, .permissions = by->permissions};
    str text;

    TRY(key_name_check(cx, request->name));
    TRY(scopes_parse(cx, request->scopes, &args.wanted));
    args.id = new_id(cx, access_now_us(a));
    TRY(put_secret(cx, a, args.id, &text));
    err e = make(cx, a, by, &args, out, out_receipt);
    if (e) {
        access_forget(a, VAULT_API_KEY, args.id);
        secret_wipe_str(&text);
        return e;
    }
    *out_text = text;
    return ERR_OK;
}

err access_key_revoke(struct ctx *cx, struct app *app, const struct caller *by, str id,
                      struct api_key *out, struct ledger_receipt *out_receipt)
{
    struct access *a = app->access;
    struct key_revoke_args args = {id};

    TRY(writer_run(cx, app->writer, command_key_revoke, &args, &by->actor, out_receipt));
    int64_t used_us = registry_key_used_us(a->registry, id);
    TRY(reload(cx, a, id, out));
    out->used_us = used_us;
    access_forget(a, VAULT_API_KEY, id);
    access_forget(a, VAULT_KEY_USE, id);
    return ERR_OK;
}

err access_key_list(struct ctx *cx, struct app *app, str after, size_t limit, struct list *out)
{
    CLEANUP(store_read_end) struct db *db = NULL;

    TRY(store_read_begin(cx, app->view, &db));
    TRY(view_keys(cx, db, after, limit, out));
    struct api_key *keys = out->items;
    for (size_t i = 0; i < out->count; i++)
        keys[i].used_us = registry_key_used_us(app->access->registry, keys[i].id);
    return ERR_OK;
}
