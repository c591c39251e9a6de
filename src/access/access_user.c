/* access_user.c - making and changing users: password to the vault, event, registry. */
#include "access/access_private.h"
#include "access/access_rule.h"
#include "crypto/token.h"

/* ---- passwords, behind the gate ---- */

static err enter(struct ctx *cx, struct access *a, struct gate **out)
{
    err e = gate_enter(cx, &a->gate, PASSWORD_WAIT_NS);

    metric_add(e ? &access_passwords_busy : &access_passwords, 1);
    *out = e ? NULL : &a->gate;
    return e;
}

err access_password_hash(struct ctx *cx, struct access *a, str password, str *out)
{
    CLEANUP(gate_leave_cleanup) struct gate *inside = NULL;

    TRY(enter(cx, a, &inside));
    return password_hash(cx, a->options.password, password, out);
}

static err compare(struct ctx *cx, struct access *a, str hash, str password, bool *out)
{
    CLEANUP(gate_leave_cleanup) struct gate *inside = NULL;

    TRY(enter(cx, a, &inside));
    *out = str_is_null(hash) ? password_verify_dummy(a->options.password, password)
                             : password_verify(hash, password);
    return ERR_OK;
}

/* The options were changed since: hash it anew while we know it. */
static err rehash(struct ctx *cx, struct access *a, str credential, str password)
{
    str hash;

    TRY(access_password_hash(cx, a, password, &hash));
    err e = vault_put(cx, a->vault, VAULT_PASSWORD, credential, hash);
    secret_wipe_str(&hash);
    return e;
}

err access_password_verify(struct ctx *cx, struct access *a, str credential, str password,
                           bool *out)
{
    str hash = STR_NULL;

    if (!str_is_null(credential))
        TRY(vault_get(cx, a->vault, VAULT_PASSWORD, credential, &hash));
    err e = compare(cx, a, hash, password, out);
    bool again = e == ERR_OK && *out && password_needs_rehash(a->options.password, hash);
    secret_wipe_str(&hash);
    return again ? rehash(cx, a, credential, password) : e;
}

/* A new password under a new name: the old one counts until the event says otherwise. */
static err put_password(struct ctx *cx, struct access *a, str password, str *out_credential)
{
    char *id = arena_new(cx->mem, char, CREDENTIAL_ID_BYTES + 1);
    str hash;

    random_base62(id, CREDENTIAL_ID_BYTES);
    TRY(access_password_hash(cx, a, password, &hash));
    err e = vault_put(cx, a->vault, VAULT_PASSWORD, (str){id, CREDENTIAL_ID_BYTES}, hash);
    secret_wipe_str(&hash);
    *out_credential = (str){id, CREDENTIAL_ID_BYTES};
    return e;
}

void access_forget(struct access *a, enum vault_kind kind, str id)
{
    CLEANUP(ctx_cleanup) struct ctx *own = ctx_open(0); /* the caller's failure stays as it is */

    err_ignore(vault_delete(own, a->vault, kind, id));
}

/* ---- the registry follows the view ---- */

err access_find_user(struct ctx *cx, struct access *a, str name, struct user *out)
{
    CLEANUP(store_read_end) struct db *db = NULL;

    TRY(store_read_begin(cx, a->app->view, &db));
    return view_user(cx, db, name, out);
}

err access_user_reload(struct ctx *cx, struct access *a, str name)
{
    LOCK(lock, &a->reloading);
    struct registry_user entry = {.name = name};
    struct user u;

    err e = access_find_user(cx, a, name, &u);
    if (e == ERR_OK && !u.disabled_us)
        entry.permissions = role_permissions(u.role);
    registry_user_put(a->registry, &entry); /* what cannot be read may do nothing */
    return e;
}

/* ---- making ---- */

static err check_request(struct ctx *cx, const struct user_request *request)
{
    TRY(user_name_check(cx, request->username));
    if (!role_permissions(request->role)) {
        ctx_add_issue(cx, S("/role"), "there is no such role");
        return fail(cx, ERR_INVALID, "/role: there is no such role");
    }
    return password_check(cx, request->username, request->password);
}

err access_user_put(struct ctx *cx, struct access *a, const struct caller *by,
                    const struct user_request *request, bool first,
                    struct ledger_receipt *out_receipt)
{
    struct user_create_args args = {
        .name = request->username,
        .role = request->role,
        .permissions = by->permissions,
        .first = first,
    };

    TRY(check_request(cx, request));
    TRY(put_password(cx, a, request->password, &args.credential));
    err e = writer_run(cx, a->app->writer, command_user_create, &args, &by->actor, out_receipt);
    if (e) {
        access_forget(a, VAULT_PASSWORD, args.credential);
        return e;
    }
    return access_user_reload(cx, a, request->username);
}

err access_user_create(struct ctx *cx, struct app *app, const struct caller *by,
                       const struct user_request *request, struct user *out,
                       struct ledger_receipt *out_receipt)
{
    TRY(access_user_put(cx, app->access, by, request, false, out_receipt));
    return access_find_user(cx, app->access, request->username, out);
}

/* ---- changing ---- */

bool access_is_own(const struct caller *by, str name)
{
    str principal = by->actor.principal;

    return str_starts(principal, S("user/")) && str_eq(str_slice(principal, 5, principal.n), name);
}

static err change(struct ctx *cx, struct access *a, const struct caller *by, command *run,
                  struct user_change_args *args, struct ledger_receipt *out_receipt)
{
    args->permissions = by->permissions;
    TRY(writer_run(cx, a->app->writer, run, args, &by->actor, out_receipt));
    return access_user_reload(cx, a, args->name);
}

err access_user_disable(struct ctx *cx, struct app *app, const struct caller *by, str name,
                        struct user *out, struct ledger_receipt *out_receipt)
{
    struct user_change_args args = {.name = name};

    TRY(change(cx, app->access, by, command_user_disable, &args, out_receipt));
    TRY(access_sessions_end(cx, app->access, name, "user-disabled", &by->actor));
    return access_find_user(cx, app->access, name, out);
}

err access_user_enable(struct ctx *cx, struct app *app, const struct caller *by, str name,
                       struct user *out, struct ledger_receipt *out_receipt)
{
    struct user_change_args args = {.name = name};

    TRY(change(cx, app->access, by, command_user_enable, &args, out_receipt));
    return access_find_user(cx, app->access, name, out);
}

/* A stolen session must not be enough to take the account over. */
static err check_current(struct ctx *cx, struct access *a, const struct user *u, str current)
{
    bool right;

    TRY(access_password_verify(cx, a, u->credential, current, &right));
    return right ? ERR_OK : refusal_fail(cx, REFUSED_CURRENT_PASSWORD, "");
}

err access_user_password(struct ctx *cx, struct app *app, const struct caller *by, str name,
                         const struct password_request *request, struct user *out,
                         struct ledger_receipt *out_receipt)
{
    struct access *a = app->access;
    struct user_change_args args = {.name = name, .own = access_is_own(by, name)};
    struct user before;

    if (!args.own && !(by->permissions & permission_bit(PERM_USERS_WRITE)))
        return refusal_fail(cx, REFUSED_NO_PERMISSION, permission_scope(PERM_USERS_WRITE));
    TRY(access_find_user(cx, a, name, &before));
    if (args.own)
        TRY(check_current(cx, a, &before, request->current_password));
    TRY(password_check(cx, name, request->password));
    TRY(put_password(cx, a, request->password, &args.credential));
    err e = change(cx, a, by, command_user_password, &args, out_receipt);
    if (e) {
        access_forget(a, VAULT_PASSWORD, args.credential);
        return e;
    }
    access_forget(a, VAULT_PASSWORD, before.credential);
    TRY(access_sessions_end(cx, a, name, "password-changed", &by->actor));
    return access_find_user(cx, a, name, out);
}
