/* access_command.c - what is decided on the writer's thread, against the view as it now is. */
#include "access/access_event.h"
#include "access/access_private.h"
#include "access/access_rule.h"

str access_subject(struct arena *mem, const char *kind, str id)
{
    return arena_printf(mem, "%s/%.*s", kind, STR_FMT(id));
}

static err emit_about(struct ctx *cx, struct work *work, const char *type, const char *kind, str id,
                      const void *data)
{
    return emit(cx, work,
                &(struct event){
                    .type = type,
                    .subject = access_subject(cx->mem, kind, id),
                    .outcome = S("success"),
                    .data = data,
                });
}

/* Nobody gives, or changes the holder of, more than they have. */
static err check_covers(struct ctx *cx, uint64_t has, uint64_t given, const char *what)
{
    uint64_t more = given & ~has;

    if (!more)
        return ERR_OK;
    struct strs scopes = scopes_list(cx->mem, more);
    return fail(cx, ERR_FORBIDDEN, "%s with the scope %.*s, which you do not have", what,
                STR_FMT(scopes.count ? scopes.items[0] : S("signed-in")));
}

/* ---- users ---- */

static err count_administrators(struct ctx *cx, struct db *view, str but, uint64_t *out)
{
    return view_count_role(cx, view, ROLE_ADMINISTRATOR, but, out);
}

err command_user_create(struct ctx *cx, struct work *work, void *args)
{
    const struct user_create_args *a = args;
    const struct user_created data = {a->role, a->credential};
    uint64_t administrators;
    struct user there;

    TRY(count_administrators(cx, work->view, S(""), &administrators));
    if (a->first && administrators)
        return fail(cx, ERR_CONFLICT, "there is an administrator already");
    TRY(check_covers(cx, a->permissions, role_permissions(a->role), "this role comes"));
    if (view_user(cx, work->view, a->name, &there) == ERR_OK)
        return fail(cx, ERR_CONFLICT, "there is a user of that name already");
    if (cx->code != ERR_NOT_FOUND)
        return cx->code;
    return emit_about(cx, work, "user.created", "user", a->name, &data);
}

/* The user, whom the caller may change. */
static err get_user(struct ctx *cx, const struct work *work, const struct user_change_args *a,
                    struct user *out)
{
    TRY(view_user(cx, work->view, a->name, out));
    return a->own ? ERR_OK
                  : check_covers(cx, a->permissions, role_permissions(out->role), "this user acts");
}

err command_user_disable(struct ctx *cx, struct work *work, void *args)
{
    const struct user_change_args *a = args;
    uint64_t administrators;
    struct user u;

    TRY(get_user(cx, work, a, &u));
    if (u.disabled_us)
        return fail(cx, ERR_CONFLICT, "the user is disabled already");
    TRY(count_administrators(cx, work->view, a->name, &administrators));
    if (str_eq(u.role, ROLE_ADMINISTRATOR) && !administrators)
        return fail(cx, ERR_CONFLICT, "this is the last administrator");
    return emit_about(cx, work, "user.disabled", "user", a->name, NULL);
}

err command_user_enable(struct ctx *cx, struct work *work, void *args)
{
    const struct user_change_args *a = args;
    struct user u;

    TRY(get_user(cx, work, a, &u));
    if (!u.disabled_us)
        return fail(cx, ERR_CONFLICT, "the user is not disabled");
    return emit_about(cx, work, "user.enabled", "user", a->name, NULL);
}

err command_user_password(struct ctx *cx, struct work *work, void *args)
{
    const struct user_change_args *a = args;
    const struct user_password_set data = {a->credential};
    struct user u;

    TRY(get_user(cx, work, a, &u));
    return emit_about(cx, work, "user.password_set", "user", a->name, &data);
}

/* ---- API keys ---- */

err command_key_create(struct ctx *cx, struct work *work, void *args)
{
    const struct key_create_args *a = args;
    const struct key_created data = {a->request->name, scopes_list(cx->mem, a->wanted),
                                     a->request->expires_us};

    TRY(check_covers(cx, a->permissions, a->wanted, "this key comes"));
    if (data.expires_us && data.expires_us <= work->now_us) {
        ctx_add_issue(cx, S("/expires"), "must lie in the future");
        return fail(cx, ERR_INVALID, "/expires must lie in the future");
    }
    return emit_about(cx, work, "key.created", "key", a->id, &data);
}

err command_key_revoke(struct ctx *cx, struct work *work, void *args)
{
    const struct key_revoke_args *a = args;
    struct api_key key;

    TRY(view_key(cx, work->view, a->id, &key));
    if (key.revoked_us)
        return fail(cx, ERR_CONFLICT, "the key is revoked already");
    return emit_about(cx, work, "key.revoked", "key", a->id, NULL);
}

/* ---- sessions ---- */

/* Between the check of the password and now the user may have been disabled or got another one. */
err command_session_start(struct ctx *cx, struct work *work, void *args)
{
    const struct session_start_args *a = args;
    const struct session_started data = {a->expires_us};
    struct user u;

    TRY(view_user(cx, work->view, a->user, &u));
    if (u.disabled_us || !str_eq(u.credential, a->credential))
        return refusal_fail(cx, REFUSED_WRONG_PASSWORD, "");
    return emit_about(cx, work, "session.started", "session", a->id, &data);
}
