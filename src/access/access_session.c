/* access_session.c - signing in and out.
 *
 * A session lives in the registry; the vault keeps a copy, so that a restart signs nobody out.  Its
 * last use is copied there at most once a minute. */
#include "access/access_event.h"
#include "access/access_private.h"
#include "access/access_rule.h"
#include "base/encode.h"
#include "crypto/token.h"
#include <stdio.h>

/* ---- in the vault ---- */

struct session_record {
    str user, hash; /* SHA-256 of the token, hexadecimal */
    int64_t created_us, expires_us, used_us;
};

static const struct field session_record_fields[] = {
    FIELD(session_record, user, F_STR, .flags = F_REQUIRED),
    FIELD(session_record, hash, F_STR, .flags = F_REQUIRED),
    FIELD_AS(session_record, created_us, "created", F_TIME, .flags = F_REQUIRED),
    FIELD_AS(session_record, expires_us, "expires", F_TIME, .flags = F_REQUIRED),
    FIELD_AS(session_record, used_us, "used", F_TIME, .flags = F_REQUIRED),
};
static const struct shape session_record_shape =
    SHAPE("SessionRecord", session_record, session_record_fields);

static struct vault_item to_item(struct ctx *cx, const struct registry_session *s)
{
    CLEANUP(buf_close) struct buf text = BUF(4096);
    char hex[2 * HASH_BYTES + 1];

    hex_encode(s->secret.bytes, HASH_BYTES, hex);
    shape_encode(
        &text, &session_record_shape,
        &(struct session_record){s->user, str_from(hex), s->created_us, s->expires_us, s->used_us});
    ENSURE(buf_ok(&text));
    return (struct vault_item){s->id, arena_str(cx->mem, buf_str(&text))};
}

static err from_item(struct ctx *cx, const struct vault_item *item, struct registry_session *out)
{
    struct session_record record;

    TRY(shape_read(cx, &session_record_shape, item->secret, &record));
    *out = (struct registry_session){
        .id = item->id,
        .user = record.user,
        .created_us = record.created_us,
        .expires_us = record.expires_us,
        .used_us = record.used_us,
    };
    return hex_decode(record.hash, out->secret.bytes, HASH_BYTES)
               ? ERR_OK
               : fail(cx, ERR_CORRUPT, "vault: session %.*s has no hash", STR_FMT(item->id));
}

static err save(struct ctx *cx, struct access *a, const struct registry_session *list, size_t n)
{
    struct vault_item *items = arena_new(cx->mem, struct vault_item, n + 1);

    for (size_t i = 0; i < n; i++)
        items[i] = to_item(cx, &list[i]);
    return vault_put_all(cx, a->vault, VAULT_SESSION, items, n);
}

err access_sessions_save(struct ctx *cx, struct access *a)
{
    struct registry_session *list;
    size_t n = registry_sessions_used(a->registry, cx->mem, &list);

    return save(cx, a, list, n);
}

static void count_sessions(const struct access *a)
{
    metric_set(&access_sessions, (int64_t)registry_session_count(a->registry));
}

/* Sessions of users who are gone or disabled do not come back. */
static err load(struct ctx *cx, struct access *a, const struct vault_item *item)
{
    struct registry_session s;
    struct user u;

    TRY(from_item(cx, item, &s));
    err e = access_find_user(cx, a, s.user, &u);
    if (e == ERR_NOT_FOUND || (e == ERR_OK && u.disabled_us))
        return vault_delete(cx, a->vault, VAULT_SESSION, item->id);
    TRY(e);
    registry_session_put(a->registry, &s);
    return ERR_OK;
}

err access_sessions_load(struct ctx *cx, struct access *a)
{
    struct vault_item *items;
    size_t n;

    TRY(vault_list(cx, a->vault, VAULT_SESSION, &items, &n));
    for (size_t i = 0; i < n; i++)
        TRY(load(cx, a, &items[i]));
    count_sessions(a);
    return ERR_OK;
}

/* ---- signing out ---- */

static void note_end(struct access *a, str id, const char *reason, const struct actor *by)
{
    const struct session_ended data = {str_from(reason)};
    char subject[64];

    snprintf(subject, sizeof subject, "session/%.*s", STR_FMT(id));
    writer_note(a->app->writer,
                &(struct event){"session.ended", str_from(subject), S("success"), &data}, by);
}

err access_session_end(struct ctx *cx, struct access *a, str id, const char *reason,
                       const struct actor *by)
{
    if (!registry_session_drop(a->registry, id))
        return ERR_OK; /* somebody else ended it */
    count_sessions(a);
    note_end(a, id, reason, by);
    return vault_delete(cx, a->vault, VAULT_SESSION, id);
}

err access_sessions_end(struct ctx *cx, struct access *a, str user, const char *reason,
                        const struct actor *by)
{
    struct registry_session *list;
    size_t n = registry_sessions_of(a->registry, cx->mem, user, &list);

    for (size_t i = 0; i < n; i++)
        TRY(access_session_end(cx, a, list[i].id, reason, by));
    return ERR_OK;
}

err access_sessions_expire(struct ctx *cx, struct access *a)
{
    int64_t now_us = access_now_us(a);
    struct registry_session *list;
    size_t n = registry_sessions_over(a->registry, cx->mem, &a->limits, now_us, &list);

    for (size_t i = 0; i < n; i++)
        TRY(access_session_end(cx, a, list[i].id, now_us < list[i].expires_us ? "idle" : "age",
                               &access_system.actor));
    return ERR_OK;
}

/* ---- signing in ---- */

static err refuse(struct ctx *cx, struct access *a, const struct refusal *as,
                  enum refusal_kind kind, str user)
{
    struct refusal f = *as;

    f.kind = kind;
    /* What was typed as a name may be a password: only names that exist are told. */
    f.principal = user.n ? access_subject(cx->mem, "user", user) : S("anonymous");
    refusal_note(a->refusals, &f);
    return refusal_fail(cx, kind, "");
}

/* The user with this name and password; whoever fails has waited for one comparison. */
static err check_password(struct ctx *cx, struct access *a, const struct session_request *request,
                          const struct refusal *as, struct user *out)
{
    bool right;
    err e = access_find_user(cx, a, request->username, out);

    if (e && e != ERR_NOT_FOUND)
        return e;
    bool barred = e || out->disabled_us;
    TRY(access_password_verify(cx, a, barred ? STR_NULL : out->credential, request->password,
                               &right));
    if (e)
        return refuse(cx, a, as, REFUSED_NO_SUCH_USER, STR_NULL);
    if (out->disabled_us)
        return refuse(cx, a, as, REFUSED_USER_DISABLED, out->name);
    return right ? ERR_OK : refuse(cx, a, as, REFUSED_WRONG_PASSWORD, out->name);
}

/* The token, its copy in the vault, the event, the registry. */
static err open_session(struct ctx *cx, struct access *a, struct registry_session *s,
                        const struct user *u, str peer, struct ledger_receipt *out_receipt)
{
    struct session_start_args args = {u->name, u->credential, s->id, s->expires_us};
    const struct actor actor = {access_subject(cx->mem, "user", u->name), peer, s->id};

    TRY(save(cx, a, s, 1));
    err e = writer_run(cx, a->app->writer, command_session_start, &args, &actor, out_receipt);
    if (e) {
        access_forget(a, VAULT_SESSION, s->id);
        return e;
    }
    registry_session_put(a->registry, s);
    count_sessions(a);
    metric_add(&access_logins, 1);
    return ERR_OK;
}

err access_session_start(struct ctx *cx, struct access *a, const struct session_request *request,
                         const struct refusal *as, struct session *out,
                         struct ledger_receipt *out_receipt)
{
    char *text = arena_new(cx->mem, char, SESSION_ID_BYTES + SESSION_TOKEN_BYTES + 2);
    char *token = text + SESSION_ID_BYTES + 1;
    struct user u;

    TRY(check_password(cx, a, request, as, &u));
    if (registry_session_count(a->registry) >= a->options.sessions_max)
        return fail(cx, ERR_TOO_MANY, "too many sessions are open");
    random_base62(text, SESSION_ID_BYTES);
    session_token_make(token);
    struct registry_session s = {
        .id = {text, SESSION_ID_BYTES},
        .user = u.name,
        .created_us = as->now_us,
        .used_us = as->now_us,
        .expires_us = as->now_us + a->options.session_absolute_us,
    };
    token_hash((str){token, SESSION_TOKEN_BYTES}, &s.secret);
    TRY(open_session(cx, a, &s, &u, as->peer, out_receipt));
    *out = (struct session){
        .id = s.id,
        .user = u.name,
        .role = u.role,
        .token = {token, SESSION_TOKEN_BYTES},
        .created_us = s.created_us,
        .expires_us = s.expires_us,
    };
    return ERR_OK;
}
