/* access_api.c - routes, shapes and handlers of users, API keys, sessions and the set-up. */
#include "access/access_private.h"
#include "base/encode.h"

/* ---- shapes: what goes in ---- */

static const struct field session_request_fields[] = {
    FIELD(session_request, username, F_STR, .flags = F_REQUIRED, .doc = "name of the user",
          .example = "\"alice\""),
    FIELD(session_request, password, F_STR, .flags = F_REQUIRED | F_WRITE_ONLY,
          .max = PASSWORD_BYTES_MAX, .doc = "the user's password"),
};
static const struct shape session_request_shape =
    SHAPE("SessionRequest", session_request, session_request_fields);

static const struct field key_request_fields[] = {
    FIELD(key_request, name, F_STR, .flags = F_REQUIRED, .doc = "what the key is for",
          .example = "\"web shop\""),
    FIELD(key_request, scopes, F_STRS, .flags = F_REQUIRED, .min = 1, .max = 64,
          .doc = "what it may do, at most what its maker may", .example = "[\"events:write\"]"),
    FIELD_AS(key_request, expires_us, "expires", F_TIME,
             .doc = "when it stops to count; absent: never"),
};
static const struct shape key_request_shape = SHAPE("KeyRequest", key_request, key_request_fields);

static const struct field user_request_fields[] = {
    FIELD(user_request, username, F_STR, .flags = F_REQUIRED,
          .doc = "1 to 64 of a-z, 0-9 and . _ - @ +", .example = "\"alice\""),
    FIELD(user_request, role, F_STR, .flags = F_REQUIRED, .choices = role_names,
          .doc = "a named set of permissions", .example = "\"auditor\""),
    FIELD(user_request, password, F_STR, .flags = F_REQUIRED | F_WRITE_ONLY,
          .doc = "at least 15 characters, any of them"),
};
static const struct shape user_request_shape =
    SHAPE("UserRequest", user_request, user_request_fields);

static const struct field password_request_fields[] = {
    FIELD(password_request, password, F_STR, .flags = F_REQUIRED | F_WRITE_ONLY,
          .doc = "the new password: at least 15 characters, any of them"),
    FIELD(password_request, current_password, F_STR, .flags = F_WRITE_ONLY,
          .doc = "needed to change one's own"),
};
static const struct shape password_request_shape =
    SHAPE("PasswordRequest", password_request, password_request_fields);

static const struct field setup_request_fields[] = {
    FIELD(setup_request, token, F_STR, .flags = F_REQUIRED | F_WRITE_ONLY,
          .doc = "from the set-up link"),
    FIELD(setup_request, username, F_STR, .flags = F_REQUIRED, .doc = "the administrator's name",
          .example = "\"alice\""),
    FIELD(setup_request, password, F_STR, .flags = F_REQUIRED | F_WRITE_ONLY,
          .doc = "at least 15 characters, any of them"),
};
static const struct shape setup_request_shape =
    SHAPE("SetupRequest", setup_request, setup_request_fields);

/* ---- shapes: what comes out ---- */

struct receipt {
    uint64_t index;
    str leaf_hash;
    int64_t recorded_us;
};

static const struct field receipt_fields[] = {
    FIELD(receipt, index, F_U64, .doc = "place of the event in the log"),
    FIELD(receipt, leaf_hash, F_STR, .doc = "its leaf hash, hexadecimal"),
    FIELD_AS(receipt, recorded_us, "recorded", F_TIME, .doc = "when it was recorded"),
};
static const struct shape receipt_shape = SHAPE("Receipt", receipt, receipt_fields);

struct user_reply {
    struct user user;
    struct receipt receipt;
};

/* The members of a user, alone (u empty) or inside a reply (u is `user.`). */
#define USER_FIELDS(type, u)                                                                       \
    FIELD_AS(type, u name, "name", F_STR, .doc = "name of the user"),                              \
        FIELD_AS(type, u role, "role", F_STR, .doc = "a named set of permissions"),                \
        FIELD_AS(type, u created_us, "created", F_TIME, .doc = "when"),                            \
        FIELD_AS(type, u created_by, "created_by", F_STR, .doc = "by whom"),                       \
        FIELD_AS(type, u password_us, "password_changed", F_TIME, .doc = "when it was set last"),  \
        FIELD_AS(type, u disabled_us, "disabled", F_TIME, .flags = F_NULLABLE,                     \
                 .doc = "since when the user may not sign in; null: may"),                         \
        FIELD_AS(type, u disabled_by, "disabled_by", F_STR, .doc = "by whom")

static const struct field user_fields[] = {USER_FIELDS(user, )};
static const struct shape user_shape = SHAPE("User", user, user_fields);
static const struct field user_reply_fields[] = {
    USER_FIELDS(user_reply, user.),
    FIELD(user_reply, receipt, F_OBJECT, .sub = &receipt_shape, .doc = "of the event in the log"),
};
static const struct shape user_reply_shape = SHAPE("UserReply", user_reply, user_reply_fields);

struct key_reply {
    struct api_key key;
    str text;
    struct receipt receipt;
};

#define KEY_FIELDS(type, k)                                                                        \
    FIELD_AS(type, k id, "id", F_STR, .doc = "names the key; no secret"),                          \
        FIELD_AS(type, k name, "name", F_STR, .doc = "what it is for"),                            \
        FIELD_AS(type, k scopes, "scopes", F_STRS, .doc = "what it may do"),                       \
        FIELD_AS(type, k created_us, "created", F_TIME, .doc = "when"),                            \
        FIELD_AS(type, k created_by, "created_by", F_STR, .doc = "by whom"),                       \
        FIELD_AS(type, k expires_us, "expires", F_TIME, .flags = F_NULLABLE,                       \
                 .doc = "when it stops to count; null: never"),                                    \
        FIELD_AS(type, k used_us, "last_used", F_TIME, .flags = F_NULLABLE,                        \
                 .doc = "to the minute across restarts; null: never"),                             \
        FIELD_AS(type, k revoked_us, "revoked", F_TIME, .flags = F_NULLABLE,                       \
                 .doc = "since when it does not count; null: it does"),                            \
        FIELD_AS(type, k revoked_by, "revoked_by", F_STR, .doc = "by whom")

static const struct field key_fields[] = {KEY_FIELDS(api_key, )};
static const struct shape key_shape = SHAPE("ApiKey", api_key, key_fields);
static const struct field key_reply_fields[] = {
    KEY_FIELDS(key_reply, key.),
    FIELD(key_reply, receipt, F_OBJECT, .sub = &receipt_shape, .doc = "of the event in the log"),
};
static const struct shape key_reply_shape = SHAPE("ApiKeyReply", key_reply, key_reply_fields);
static const struct field key_made_fields[] = {
    KEY_FIELDS(key_reply, key.),
    FIELD_AS(key_reply, text, "key", F_STR, .doc = "the key itself, never shown again"),
    FIELD(key_reply, receipt, F_OBJECT, .sub = &receipt_shape, .doc = "of the event in the log"),
};
static const struct shape key_made_shape = SHAPE("ApiKeyMade", key_reply, key_made_fields);

struct page {
    struct list items;
    str next;
};

#define PAGE_FIELDS(shape)                                                                         \
    FIELD(page, items, F_LIST, .sub = &(shape), .doc = "at most `limit`"),                         \
        FIELD(page, next, F_STR, .flags = F_NULLABLE,                                              \
              .doc = "cursor of the next page; null: there is none")

static const struct field user_list_fields[] = {PAGE_FIELDS(user_shape)};
static const struct shape user_list_shape = SHAPE("UserList", page, user_list_fields);
static const struct field key_list_fields[] = {PAGE_FIELDS(key_shape)};
static const struct shape key_list_shape = SHAPE("ApiKeyList", page, key_list_fields);

struct who {
    str principal, name, session;
    struct strs scopes;
    int64_t expires_us;
};

static const struct field who_fields[] = {
    FIELD(who, principal, F_STR, .doc = "as events name it", .example = "\"user/alice\""),
    FIELD(who, name, F_STR, .doc = "of the user or key"),
    FIELD(who, scopes, F_STRS, .doc = "what you may do"),
    FIELD_AS(who, expires_us, "expires", F_TIME, .flags = F_NULLABLE,
             .doc = "when the session or key ends at the latest"),
    FIELD(who, session, F_STR, .doc = "id of the session; no secret"),
};
static const struct shape who_shape = SHAPE("Who", who, who_fields);

struct session_made {
    str token, principal, role;
    struct strs scopes;
    int64_t expires_us;
    struct receipt receipt;
};

static const struct field session_made_fields[] = {
    FIELD(session_made, token, F_STR, .doc = "send it as Authorization: Bearer"),
    FIELD(session_made, principal, F_STR, .doc = "as events name it"),
    FIELD(session_made, role, F_STR, .doc = "the user's"),
    FIELD(session_made, scopes, F_STRS, .doc = "what you may do"),
    FIELD_AS(session_made, expires_us, "expires", F_TIME, .doc = "when it ends at the latest"),
    FIELD(session_made, receipt, F_OBJECT, .sub = &receipt_shape, .doc = "of the event in the log"),
};
static const struct shape session_made_shape =
    SHAPE("SessionMade", session_made, session_made_fields);

/* ---- answering ---- */

static struct receipt receipt_of(struct ctx *cx, struct response *rs,
                                 const struct ledger_receipt *from)
{
    char *hash = arena_new(cx->mem, char, 2 * HASH_BYTES + 1);

    hex_encode(from->leaf.bytes, HASH_BYTES, hash);
    response_header(cx, rs, "Chancery-Index",
                    arena_printf(cx->mem, "%llu", (unsigned long long)from->index));
    return (struct receipt){from->index, str_from(hash), from->recorded_us};
}

/* A refusal that only the command could see (another's scopes) is an event like the others. */
static err noted_as(const struct request *rq, enum refusal_kind kind, err e)
{
    const struct access *a = rq->app->access;

    if (e == ERR_FORBIDDEN) {
        const struct refusal f = access_refusal_of(a, rq, kind);
        refusal_note(a->refusals, &f);
    }
    return e;
}

static err noted(const struct request *rq, err e)
{
    return noted_as(rq, REFUSED_NO_PERMISSION, e);
}

static err user_answer(struct ctx *cx, struct response *rs, int status, const struct user *user,
                       const struct ledger_receipt *receipt)
{
    const struct user_reply reply = {*user, receipt_of(cx, rs, receipt)};

    return response_json(cx, rs, status, &user_reply_shape, &reply);
}

static struct key_reply key_answer(struct ctx *cx, struct response *rs, const struct api_key *key,
                                   str text, const struct ledger_receipt *receipt)
{
    return (struct key_reply){*key, text, receipt_of(cx, rs, receipt)};
}

/* ---- lists: a cursor is the last name of the page before, so that nobody counts on its form ----
 */

enum { PAGE_DEFAULT = 50, PAGE_MAX = 1000, CURSOR_BYTES_MAX = 200 };

struct paging {
    uint64_t limit;
    str after;
};

static err paging_of(struct ctx *cx, const struct request *rq, struct paging *out)
{
    str cursor = request_param(rq, S("cursor"));
    char *name = arena_new(cx->mem, char, CURSOR_BYTES_MAX);
    size_t n = 0;

    TRY(request_param_u64(cx, rq, S("limit"), 1, PAGE_MAX, PAGE_DEFAULT, &out->limit));
    if (cursor.n &&
        (!base64url_decode(cursor, name, CURSOR_BYTES_MAX, &n) || !str_is_utf8((str){name, n})))
        return fail(cx, ERR_INVALID, "query parameter 'cursor' is not one that was given out");
    out->after = (str){name, n};
    return ERR_OK;
}

/* What a list is of. */
struct listing {
    const struct shape *shape;
    str (*name_at)(const struct list *list, size_t i);
};

/* `list` was read with one element more than the limit, to see whether there is a next page. */
static err page_answer(struct ctx *cx, struct response *rs, const struct request *rq,
                       const struct listing *l, const struct paging *paging,
                       const struct list *list)
{
    CLEANUP(buf_close) struct buf cursor = BUF(2 * CURSOR_BYTES_MAX);
    struct page page = {*list, STR_NULL};

    if (list->count > paging->limit) {
        page.items.count = paging->limit;
        str last = l->name_at(list, paging->limit - 1);
        base64url_put(&cursor, last.p, last.n);
        page.next = buf_str(&cursor);
        response_header(cx, rs, "Link",
                        arena_printf(cx->mem, "<%s?limit=%llu&cursor=%.*s>; rel=\"next\"",
                                     rq->route->path, (unsigned long long)paging->limit,
                                     STR_FMT(page.next)));
    }
    return response_json(cx, rs, 200, l->shape, &page);
}

static str user_name_at(const struct list *list, size_t i)
{
    return ((const struct user *)list->items)[i].name;
}

static str key_id_at(const struct list *list, size_t i)
{
    return ((const struct api_key *)list->items)[i].id;
}

static const struct listing users_listing = {&user_list_shape, user_name_at};
static const struct listing keys_listing = {&key_list_shape, key_id_at};

/* ---- sessions ---- */

static err session_post(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct access *a = rq->app->access;
    const struct refusal as = access_refusal_of(a, rq, REFUSED_WRONG_PASSWORD);
    struct session_request request;
    struct ledger_receipt receipt;
    struct session s;

    TRY(shape_read(cx, &session_request_shape, rq->body, &request));
    TRY(access_session_start(cx, a, &request, &as, &s, &receipt));
    const struct session_made made = {
        .token = s.token,
        .principal = access_subject(cx->mem, "user", s.user),
        .role = s.role,
        .scopes = scopes_list(cx->mem, role_permissions(s.role)),
        .expires_us = s.expires_us,
        .receipt = receipt_of(cx, rs, &receipt),
    };
    err e = response_json(cx, rs, 201, &session_made_shape, &made);
    secret_wipe_str(&s.token);
    return e;
}

static err session_get(struct ctx *cx, struct request *rq, struct response *rs)
{
    const struct who who = {
        .principal = rq->principal.id,
        .name = rq->principal.name,
        .session = access_caller(cx, rq).actor.sessionid,
        .scopes = scopes_list(cx->mem, rq->principal.permissions),
        .expires_us = rq->principal.expires_us,
    };

    return response_json(cx, rs, 200, &who_shape, &who);
}

static err session_delete(struct ctx *cx, struct request *rq, struct response *rs)
{
    const struct caller by = access_caller(cx, rq);

    if (str_is_null(by.actor.sessionid))
        return fail(cx, ERR_CONFLICT, "an API key is no session; revoke it instead");
    TRY(access_session_end(cx, rq->app->access, by.actor.sessionid, "signed-out", &by.actor));
    rs->status = 204;
    return ERR_OK;
}

/* ---- API keys ---- */

static err key_post(struct ctx *cx, struct request *rq, struct response *rs)
{
    const struct caller by = access_caller(cx, rq);
    struct ledger_receipt receipt;
    struct key_request request;
    struct api_key key;
    str text;

    TRY(shape_read(cx, &key_request_shape, rq->body, &request));
    TRY(noted(rq, access_key_create(cx, rq->app, &by, &request, &key, &text, &receipt)));
    const struct key_reply made = key_answer(cx, rs, &key, text, &receipt);
    response_header(cx, rs, "Location",
                    arena_printf(cx->mem, "/api/v1/keys/%.*s", STR_FMT(key.id)));
    err e = response_json(cx, rs, 201, &key_made_shape, &made);
    secret_wipe_str(&text);
    return e;
}

static err keys_get(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct paging paging;
    struct list keys;

    TRY(paging_of(cx, rq, &paging));
    TRY(access_key_list(cx, rq->app, paging.after, paging.limit + 1, &keys));
    return page_answer(cx, rs, rq, &keys_listing, &paging, &keys);
}

static err key_delete(struct ctx *cx, struct request *rq, struct response *rs)
{
    const struct caller by = access_caller(cx, rq);
    struct ledger_receipt receipt;
    struct api_key key;

    TRY(access_key_revoke(cx, rq->app, &by, rq->arg[0], &key, &receipt));
    const struct key_reply reply = key_answer(cx, rs, &key, STR_NULL, &receipt);
    return response_json(cx, rs, 200, &key_reply_shape, &reply);
}

/* ---- users ---- */

static err user_post(struct ctx *cx, struct request *rq, struct response *rs)
{
    const struct caller by = access_caller(cx, rq);
    struct ledger_receipt receipt;
    struct user_request request;
    struct user user;

    TRY(shape_read(cx, &user_request_shape, rq->body, &request));
    TRY(noted(rq, access_user_create(cx, rq->app, &by, &request, &user, &receipt)));
    response_header(cx, rs, "Location",
                    arena_printf(cx->mem, "/api/v1/users/%.*s", STR_FMT(user.name)));
    return user_answer(cx, rs, 201, &user, &receipt);
}

static err read_users(struct ctx *cx, const struct request *rq, const struct paging *paging,
                      struct list *out)
{
    CLEANUP(store_read_end) struct db *db = NULL;

    TRY(store_read_begin(cx, rq->app->view, &db));
    return view_users(cx, db, paging->after, paging->limit + 1, out);
}

static err users_get(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct paging paging;
    struct list users;

    TRY(paging_of(cx, rq, &paging));
    TRY(read_users(cx, rq, &paging, &users));
    return page_answer(cx, rs, rq, &users_listing, &paging, &users);
}

static err user_get(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct user user;

    TRY(access_find_user(cx, rq->app->access, rq->arg[0], &user));
    return response_json(cx, rs, 200, &user_shape, &user);
}

static err user_disable(struct ctx *cx, struct request *rq, struct response *rs)
{
    const struct caller by = access_caller(cx, rq);
    struct ledger_receipt receipt;
    struct user user;

    TRY(noted(rq, access_user_disable(cx, rq->app, &by, rq->arg[0], &user, &receipt)));
    return user_answer(cx, rs, 200, &user, &receipt);
}

static err user_enable(struct ctx *cx, struct request *rq, struct response *rs)
{
    const struct caller by = access_caller(cx, rq);
    struct ledger_receipt receipt;
    struct user user;

    TRY(noted(rq, access_user_enable(cx, rq->app, &by, rq->arg[0], &user, &receipt)));
    return user_answer(cx, rs, 200, &user, &receipt);
}

static err user_password(struct ctx *cx, struct request *rq, struct response *rs)
{
    const struct caller by = access_caller(cx, rq);
    struct password_request request;
    struct ledger_receipt receipt;
    struct user user;

    TRY(shape_read(cx, &password_request_shape, rq->body, &request));
    bool own = access_is_own(&by, rq->arg[0]);
    TRY(noted_as(rq, own ? REFUSED_CURRENT_PASSWORD : REFUSED_NO_PERMISSION,
                 access_user_password(cx, rq->app, &by, rq->arg[0], &request, &user, &receipt)));
    return user_answer(cx, rs, 200, &user, &receipt);
}

/* ---- the first administrator ---- */

static err setup_post(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct access *a = rq->app->access;
    const struct refusal as = access_refusal_of(a, rq, REFUSED_SETUP_LINK);
    struct setup_request request;
    struct ledger_receipt receipt;
    struct user user;

    TRY(shape_read(cx, &setup_request_shape, rq->body, &request));
    TRY(access_setup_run(cx, a, &request, &as, &user, &receipt));
    return user_answer(cx, rs, 201, &user, &receipt);
}

/* ---- routes ---- */

static const struct param list_params[] = {
    {"limit", F_U64, "how many at most, 1 to 1000", "50"},
    {"cursor", F_STR, "`next` of the page before", NULL},
    {0},
};
static const struct param key_params[] = {{"id", F_STR, "id of the key", NULL}, {0}};
static const struct param user_params[] = {{"name", F_STR, "name of the user", "alice"}, {0}};
static const struct param setup_params[] = {{"token", F_STR, "from the set-up link", NULL}, {0}};

const struct route access_routes[] = {
#define R(method, path, run, permission, body, summary, params, request, reply, type)              \
    {method, path, run, permission, body, summary, params, request, reply, type, "access"},
#include "access/access_route.def"
#undef R
    {0},
};
