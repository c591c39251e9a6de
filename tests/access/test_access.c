/* test_access.c - who may do what, through the real router, over a real ledger.
 *
 * Every scenario ends with server_close(), which compares the view with a rebuilt one. */
#include "base/clock.h"
#include "base/queue.h"
#include "crypto/token.h"
#include "server.h"

static const struct reply *post(struct ctx *cx, struct server *s, const char *target,
                                const char *fmt, ...) PRINTF(4, 5);

static const struct reply *post(struct ctx *cx, struct server *s, const char *target,
                                const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    str body = arena_vprintf(cx->mem, fmt, ap);
    va_end(ap);
    return harness_post(s->http, target, body.p);
}

static int status_of(struct server *s, const char *key, const char *method, const char *target)
{
    harness_key(s->http, key);
    return harness_send(s->http, method, target, STR_NULL)->status;
}

static const char *key_target(struct ctx *cx, str id)
{
    return arena_printf(cx->mem, "/api/v1/keys/%.*s", STR_FMT(id)).p;
}

/* ---- permissions ---- */

/* Our own routes, and what each needs, written out again. */
static const struct {
    const char *method, *path, *target, *scope;
} guarded[] = {
    {"POST", "/api/v1/session", "/api/v1/session", "public"},
    {"GET", "/api/v1/session", "/api/v1/session", "signed-in"},
    {"DELETE", "/api/v1/session", "/api/v1/session", "signed-in"},
    {"POST", "/api/v1/keys", "/api/v1/keys", "keys:write"},
    {"GET", "/api/v1/keys", "/api/v1/keys", "keys:write"},
    {"DELETE", "/api/v1/keys/{id}", "/api/v1/keys/none", "keys:write"},
    {"POST", "/api/v1/users", "/api/v1/users", "users:write"},
    {"GET", "/api/v1/users", "/api/v1/users", "users:write"},
    {"GET", "/api/v1/users/{name}", "/api/v1/users/none", "users:write"},
    {"POST", "/api/v1/users/{name}/disable", "/api/v1/users/none/disable", "users:write"},
    {"POST", "/api/v1/users/{name}/enable", "/api/v1/users/none/enable", "users:write"},
    {"POST", "/api/v1/users/{name}/password", "/api/v1/users/none/password", "signed-in"},
    {"POST", "/api/v1/setup", "/api/v1/setup", "public"},
    {"GET", "/setup", "/setup", "public"},
    {"POST", "/setup", "/setup", "public"},
    {"GET", "/may/public", "/may/public", "public"},
    {"GET", "/may/signed-in", "/may/signed-in", "signed-in"},
    {"GET", "/may/events:write", "/may/events:write", "events:write"},
    {"GET", "/may/events:read", "/may/events:read", "events:read"},
    {"GET", "/may/events:export", "/may/events:export", "events:export"},
    {"GET", "/may/metrics:read", "/may/metrics:read", "metrics:read"},
    {"GET", "/may/keys:write", "/may/keys:write", "keys:write"},
    {"GET", "/may/users:write", "/may/users:write", "users:write"},
    {"GET", "/may/ledger:admin", "/may/ledger:admin", "ledger:admin"},
    {"GET", "/may/nobody", "/may/nobody", "nobody"},
    {"GET", "/may/beyond", "/may/beyond", "nobody"},
    {"GET", "/may/below", "/may/below", "nobody"},
};

/* 401 and 403 are what a refusal looks like; whatever else comes, the caller was let through. */
static int expected(const char *scope, const char *has)
{
    if (strcmp(scope, "nobody") == 0)
        return 403;
    if (strcmp(scope, "public") == 0)
        return 0;
    if (!has)
        return 401;
    if (strcmp(scope, "signed-in") == 0 || strcmp(has, "admin") == 0 || strcmp(scope, has) == 0)
        return 0;
    return 403;
}

static void check_caller(struct server *s, const char *key, const char *has)
{
    for (size_t i = 0; i < COUNT(guarded); i++) {
        int status = status_of(s, key, guarded[i].method, guarded[i].target);
        int refusal = status == 401 || status == 403 ? status : 0;
        if (refusal != expected(guarded[i].scope, has))
            print_error("%s %s as %s: %d\n", guarded[i].method, guarded[i].target,
                        has ? has : "anonymous", status);
        CHECK_EQ(refusal, expected(guarded[i].scope, has));
    }
}

TEST(every_route_lets_in_whom_it_names_and_nobody_else)
{
    static const char *const scopes[] = {"events:write", "events:read", "events:export",
                                         "metrics:read", "keys:write",  "users:write",
                                         "ledger:admin", "admin"};
    struct server *s = server_open(cx, dir);
    size_t routes = 0;

    CHECK_EQ(COUNT(scopes), PERM_COUNT - 3 + 1); /* all but none, public, signed-in; and admin */
    check_caller(s, NULL, NULL);
    for (size_t i = 0; i < COUNT(scopes); i++)
        check_caller(s, server_key(cx, s, scopes[i], NULL), scopes[i]);

    for (const struct route *r = access_routes; r->method; r++, routes++) {
        bool listed = false;
        for (size_t i = 0; i < COUNT(guarded); i++)
            listed = listed || (strcmp(guarded[i].path, r->path) == 0 &&
                                strcmp(guarded[i].method, r->method) == 0);
        CHECK(listed);
    }
    CHECK_EQ(routes, 15);
    server_close(cx, s);
}

TEST(a_refusal_says_what_is_missing)
{
    struct server *s = server_open(cx, dir);
    const struct reply *r = harness_get(s->http, "/may/events:read");

    CHECK_EQ(r->status, 401);
    CHECK_STR(reply_header(r, "WWW-Authenticate"), S("Bearer"));
    CHECK_STR(reply_str(r, "/code"), S("UNAUTHENTICATED"));
    harness_key(s->http, server_key(cx, s, "events:write", NULL));
    r = harness_get(s->http, "/may/events:read");
    CHECK_EQ(r->status, 403);
    CHECK_HOLDS(reply_str(r, "/detail"), "events:read");
    harness_key(s->http, NULL);
    harness_header(s->http, "Authorization", "Basic YWxpY2U6c2VjcmV0");
    r = harness_get(s->http, "/may/events:read");
    CHECK_EQ(r->status, 401);
    CHECK_HOLDS(reply_str(r, "/detail"), "Bearer");
    server_check_nowhere(cx, s, S("YWxpY2U6c2VjcmV0"));
    server_close(cx, s);
}

TEST(the_scheme_is_read_in_any_case_and_nothing_else_is_forgiven)
{
    static const struct {
        const char *format;
        int status;
    } headers[] = {
        {"Bearer %s", 200},
        {"bearer %s", 200},
        {"BEARER   %s ", 200},
        {"Bearer %sx", 401},
        {"Bearer", 401},
        {"Bearer ", 401},
        {"%s", 401},
        {"Bearer Bearer %s", 401},
        {"Basic %s", 401},
        {"Bearer\t%s", 401},
        {"", 401},
    };
    struct server *s = server_open(cx, dir);
    const char *key = server_key(cx, s, "events:read", NULL);

    for (size_t i = 0; i < COUNT(headers); i++) {
        struct buf text = BUF(1000);
        str rest = str_from(headers[i].format);
        buf_put(&text, str_slice(rest, 0, str_find(rest, S("%s"))));
        if (str_find(rest, S("%s")) < rest.n) {
            buf_put(&text, str_from(key));
            buf_put(&text, str_slice(rest, str_find(rest, S("%s")) + 2, rest.n));
        }
        harness_header(s->http, "Authorization", buf_str(&text).p);
        CHECK_EQ(harness_get(s->http, "/may/events:read")->status, headers[i].status);
        buf_close(&text);
    }
    server_close(cx, s);
}

/* ---- API keys ---- */

TEST(a_key_is_made_over_http_used_listed_and_revoked)
{
    struct server *s = server_open(cx, dir);
    const char *admin = server_key(cx, s, "admin", NULL);

    harness_key(s->http, admin);
    const struct reply *r =
        post(cx, s, "/api/v1/keys", "{\"name\":\"web shop\",\"scopes\":[\"events:write\"]}");
    CHECK_EQ(r->status, 201);
    CHECK(reply_has(r, "/receipt/leaf_hash"));
    CHECK(reply_header(r, "Chancery-Index").n > 0);
    const char *text = arena_z(cx->mem, reply_str(r, "/key"));
    str id = arena_str(cx->mem, reply_str(r, "/id"));
    CHECK_STR(reply_str(r, "/scopes/0"), S("events:write"));
    CHECK_HOLDS(reply_str(r, "/created_by"), "key/");

    CHECK_EQ(status_of(s, text, "GET", "/may/events:write"), 200);
    CHECK_EQ(status_of(s, text, "GET", "/may/events:read"), 403);
    harness_key(s->http, admin);
    r = harness_get(s->http, "/api/v1/keys");
    CHECK_EQ(r->status, 200);
    CHECK_EQ(reply_count(r, "/items"), 2);
    CHECK_STR(reply_str(r, "/items/1/name"), S("web shop"));
    CHECK(reply_str(r, "/items/1/last_used").n > 0);
    CHECK(!reply_has(r, "/items/1/key"));
    CHECK_EQ(str_find(r->body, str_from(text)), r->body.n);

    r = harness_send(s->http, "DELETE", key_target(cx, id), STR_NULL);
    CHECK_EQ(r->status, 200);
    CHECK(reply_str(r, "/revoked").n > 0);
    CHECK_EQ(status_of(s, text, "GET", "/may/events:write"), 401); /* at once */
    CHECK_EQ(status_of(s, admin, "DELETE", key_target(cx, id)), 409);
    CHECK_EQ(status_of(s, admin, "DELETE", "/api/v1/keys/none"), 404);
    CHECK_EQ(server_count(cx, s, "key.created"), 2);
    CHECK_EQ(server_count(cx, s, "key.revoked"), 1);
    server_restart(cx, s);
    CHECK_EQ(status_of(s, text, "GET", "/may/events:write"), 401); /* for ever */
    CHECK_EQ(status_of(s, admin, "GET", "/may/events:write"), 200);
    server_check_nowhere(cx, s, str_from(text));
    server_check_nowhere(cx, s, str_slice(str_from(text), 13 + id.n + 1, 1000));
    server_check_nowhere(cx, s, str_from(admin));
    server_close(cx, s);
}

TEST(a_maker_gives_at_most_what_it_has)
{
    struct server *s = server_open(cx, dir);

    harness_key(s->http, server_key(cx, s, "keys:write events:read", NULL));
    CHECK_EQ(post(cx, s, "/api/v1/keys", "{\"name\":\"a\",\"scopes\":[\"events:read\"]}")->status,
             201);
    const struct reply *r =
        post(cx, s, "/api/v1/keys", "{\"name\":\"a\",\"scopes\":[\"events:write\"]}");
    CHECK_EQ(r->status, 403);
    CHECK_HOLDS(reply_str(r, "/detail"), "events:write");
    CHECK_EQ(post(cx, s, "/api/v1/keys", "{\"name\":\"a\",\"scopes\":[\"admin\"]}")->status, 403);
    CHECK_EQ(server_count(cx, s, "key.created"), 2);
    CHECK_EQ(server_count(cx, s, "access.denied"), 1); /* and they are counted as one group */

    harness_key(s->http, server_key(cx, s, "users:write events:read", NULL));
    CHECK_EQ(post(cx, s, "/api/v1/users",
                  "{\"username\":\"eve\",\"role\":\"administrator\",\"password\":\"" PASSWORD "\"}")
                 ->status,
             403);
    CHECK_EQ(post(cx, s, "/api/v1/users",
                  "{\"username\":\"eve\",\"role\":\"viewer\",\"password\":\"" PASSWORD "\"}")
                 ->status,
             201);
    server_user(cx, s, "alice", "administrator");
    CHECK_EQ(
        post(cx, s, "/api/v1/users/alice/password", "{\"password\":\"another password!\"}")->status,
        403);
    CHECK_EQ(harness_send(s->http, "POST", "/api/v1/users/alice/disable", STR_NULL)->status, 403);
    server_sign_in(cx, s, "alice", PASSWORD);
    server_close(cx, s);
}

TEST(what_is_no_key_request_is_refused_at_its_place)
{
    static const struct {
        const char *body, *pointer;
    } bad[] = {
        {"{\"name\":\"a\",\"scopes\":[\"events:nothing\"]}", "/scopes/0"},
        {"{\"name\":\"a\",\"scopes\":[\"events:read\",\"public\"]}", "/scopes/1"},
        {"{\"name\":\"a\",\"scopes\":[]}", "/scopes"},
        {"{\"name\":\"\",\"scopes\":[\"events:read\"]}", "/name"},
        {"{\"name\":\"a\\u0007\",\"scopes\":[\"events:read\"]}", "/name"},
        {"{\"name\":\"a\",\"scopes\":[\"events:read\"],\"expires\":\"2001-01-01T00:00:00Z\"}",
         "/expires"},
        {"{\"name\":\"a\",\"scopes\":[\"events:read\"],\"id\":\"mine\"}", "/id"},
        {"{\"scopes\":[\"events:read\"]}", "/name"},
    };
    struct server *s = server_open(cx, dir);

    harness_key(s->http, server_key(cx, s, "admin", NULL));
    for (size_t i = 0; i < COUNT(bad); i++) {
        const struct reply *r = post(cx, s, "/api/v1/keys", "%s", bad[i].body);
        CHECK_EQ(r->status, 400);
        CHECK_STR(reply_str(r, "/errors/0/pointer"), str_from(bad[i].pointer));
    }
    CHECK_EQ(server_count(cx, s, "key.created"), 1);
    server_close(cx, s);
}

TEST(a_key_expires_on_time)
{
    struct server *s = server_open(cx, dir);
    char when[TIME_TEXT_SIZE];

    time_format(server_now_us() + 60 * MINUTE, when);
    harness_key(s->http, server_key(cx, s, "admin", NULL));
    const struct reply *r =
        post(cx, s, "/api/v1/keys",
             "{\"name\":\"a\",\"scopes\":[\"events:read\"],\"expires\":\"%s\"}", when);
    CHECK_EQ(r->status, 201);
    CHECK_STR(reply_str(r, "/expires"), str_from(when));
    const char *text = arena_z(cx->mem, reply_str(r, "/key"));
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(status_of(s, text, "GET", "/may/events:read"), 200);
        server_restart(cx, s);
    }
    server_pass(61 * MINUTE);
    harness_key(s->http, text);
    r = harness_get(s->http, "/may/events:read");
    CHECK_EQ(r->status, 401);
    CHECK_HOLDS(reply_str(r, "/detail"), "expired");
    server_close(cx, s);
}

TEST(the_last_use_of_a_key_survives_a_restart)
{
    struct server *s = server_open(cx, dir);
    const char *admin = server_key(cx, s, "admin", NULL);

    harness_key(s->http, admin);
    CHECK(!reply_str(harness_get(s->http, "/api/v1/keys?limit=1"), "/next").n);
    str used =
        arena_str(cx->mem, reply_str(harness_get(s->http, "/api/v1/keys"), "/items/0/last_used"));
    CHECK(used.n > 0);
    server_restart(cx, s);
    struct list keys;
    CHECK_OK(access_key_list(cx, &s->app, S(""), 10, &keys));
    char text[TIME_TEXT_SIZE];
    time_format(((struct api_key *)keys.items)[0].used_us, text);
    CHECK_STR(str_from(text), used);
    server_close(cx, s);
}

TEST(lists_come_in_pages)
{
    struct server *s = server_open(cx, dir);
    const char *target = "/api/v1/keys?limit=2";
    size_t seen = 0, pages = 0;
    str last = S("");

    harness_key(s->http, server_key(cx, s, "admin", NULL));
    for (int i = 0; i < 4; i++)
        server_key(cx, s, "events:read", NULL);
    while (target) {
        const struct reply *r = harness_get(s->http, target);
        CHECK_EQ(r->status, 200);
        for (size_t i = 0; i < reply_count(r, "/items"); i++, seen++) {
            str id = reply_str(r, arena_printf(cx->mem, "/items/%zu/id", i).p);
            CHECK(str_cmp(last, id) < 0);
            last = arena_str(cx->mem, id);
        }
        str next = reply_str(r, "/next");
        CHECK_EQ(reply_header(r, "Link").n > 0, next.n > 0);
        target = next.n ? arena_printf(cx->mem, "/api/v1/keys?limit=2&cursor=%.*s", STR_FMT(next)).p
                        : NULL;
        pages++;
    }
    CHECK_EQ(seen, 5);
    CHECK_EQ(pages, 3);
    CHECK_EQ(harness_get(s->http, "/api/v1/keys?cursor=%25%25")->status, 400);
    CHECK_EQ(harness_get(s->http, "/api/v1/users?limit=0")->status, 400);
    server_close(cx, s);
}

/* A crash between the vault and the ledger, at either side: what is left counts for nothing. */
TEST(secrets_without_an_event_are_swept_at_start)
{
    struct server *s = server_open(cx, dir);
    struct vault_item *items;
    struct hash hash;
    str text, id;
    size_t n;

    server_user(cx, s, "alice", "viewer");
    server_key(cx, s, "events:read", &id);
    CHECK_OK(api_key_make(cx, S("orphan"), &text));
    token_hash(text, &hash);
    str bytes = {(const char *)hash.bytes, HASH_BYTES};
    CHECK_OK(vault_put(cx, s->vault, VAULT_API_KEY, S("orphan"), bytes));
    CHECK_OK(vault_put(cx, s->vault, VAULT_PASSWORD, S("orphan"), S("hash")));
    CHECK_EQ(status_of(s, arena_z(cx->mem, text), "GET", "/may/signed-in"), 401);
    server_restart(cx, s);
    CHECK_EQ(status_of(s, arena_z(cx->mem, text), "GET", "/may/signed-in"), 401);
    CHECK_OK(vault_list(cx, s->vault, VAULT_API_KEY, &items, &n));
    CHECK_EQ(n, 1);
    CHECK_STR(items[0].id, id);
    CHECK_OK(vault_list(cx, s->vault, VAULT_PASSWORD, &items, &n));
    CHECK_EQ(n, 1);
    server_sign_in(cx, s, "alice", PASSWORD);
    server_close(cx, s);
}

/* ---- users and sessions ---- */

TEST(a_user_signs_in_is_known_and_signs_out)
{
    struct server *s = server_open(cx, dir);

    server_user(cx, s, "alice", "auditor");
    const char *token = server_sign_in(cx, s, "alice", PASSWORD);
    harness_key(s->http, token);
    const struct reply *r = harness_get(s->http, "/api/v1/session");
    CHECK_EQ(r->status, 200);
    CHECK_STR(reply_str(r, "/principal"), S("user/alice"));
    CHECK_EQ(reply_count(r, "/scopes"), 3);
    CHECK(reply_str(r, "/expires").n > 0);
    str id = arena_str(cx->mem, reply_str(r, "/session"));
    CHECK(id.n > 0);
    CHECK_EQ(status_of(s, token, "GET", "/may/events:export"), 200);
    CHECK_EQ(status_of(s, token, "GET", "/may/events:write"), 403);
    server_restart(cx, s); /* signs nobody out */
    CHECK_EQ(status_of(s, token, "GET", "/may/events:read"), 200);
    CHECK_EQ(status_of(s, token, "DELETE", "/api/v1/session"), 204);
    CHECK_EQ(status_of(s, token, "GET", "/may/events:read"), 401);
    server_restart(cx, s);
    CHECK_EQ(status_of(s, token, "GET", "/may/events:read"), 401);
    str events = server_events(cx, s);
    CHECK_HOLDS(events, arena_printf(cx->mem, "\"sessionid\":\"%.*s\"", STR_FMT(id)).p);
    CHECK_EQ(server_count(cx, s, "session.started"), 1);
    CHECK_EQ(server_count(cx, s, "session.ended"), 1);
    server_check_nowhere(cx, s, str_from(token));
    server_check_nowhere(cx, s, S(PASSWORD));
    server_check_nowhere(cx, s, S("$argon2id"));
    server_close(cx, s);
}

TEST(a_session_ends_when_idle_and_when_old)
{
    struct server *s = server_open(cx, dir);

    server_user(cx, s, "alice", "viewer");
    const char *idle = server_sign_in(cx, s, "alice", PASSWORD);
    const char *busy = server_sign_in(cx, s, "alice", PASSWORD);
    for (int64_t age = 29 * MINUTE; age < 12 * 60 * MINUTE; age += 29 * MINUTE) {
        server_pass(29 * MINUTE);
        CHECK_EQ(status_of(s, busy, "GET", "/may/events:read"), 200);
        if (age < 60 * MINUTE)
            server_restart(cx, s); /* its last use is known to the next process */
    }
    CHECK_EQ(status_of(s, idle, "GET", "/may/events:read"), 401);
    server_pass(25 * MINUTE);
    CHECK_EQ(status_of(s, busy, "GET", "/may/events:read"), 401); /* 12 hours are over */
    for (const struct job *j = access_jobs; j->name; j++)
        CHECK_OK(j->run(cx, &s->app));
    CHECK_EQ(registry_session_count(s->app.access->registry), 0);
    CHECK_EQ(server_count(cx, s, "session.ended"), 2);
    CHECK_HOLDS(server_events(cx, s), "\"reason\":\"idle\"");
    CHECK_HOLDS(server_events(cx, s), "\"reason\":\"age\"");
    server_close(cx, s);
}

TEST(a_disabled_user_is_out_at_once)
{
    struct server *s = server_open(cx, dir);
    const char *admin = server_key(cx, s, "admin", NULL);

    server_user(cx, s, "alice", "viewer");
    server_user(cx, s, "bob", "viewer");
    const char *a1 = server_sign_in(cx, s, "alice", PASSWORD);
    const char *a2 = server_sign_in(cx, s, "alice", PASSWORD);
    const char *b = server_sign_in(cx, s, "bob", PASSWORD);
    CHECK_EQ(status_of(s, admin, "POST", "/api/v1/users/alice/disable"), 200);
    CHECK_EQ(status_of(s, a1, "GET", "/may/events:read"), 401);
    CHECK_EQ(status_of(s, a2, "GET", "/may/events:read"), 401);
    CHECK_EQ(status_of(s, b, "GET", "/may/events:read"), 200);
    harness_key(s->http, NULL);
    CHECK_EQ(
        post(cx, s, "/api/v1/session", "{\"username\":\"alice\",\"password\":\"" PASSWORD "\"}")
            ->status,
        401);
    CHECK_EQ(status_of(s, admin, "POST", "/api/v1/users/alice/disable"), 409);
    CHECK_EQ(status_of(s, admin, "POST", "/api/v1/users/alice/enable"), 200);
    CHECK_EQ(status_of(s, admin, "POST", "/api/v1/users/alice/enable"), 409);
    CHECK_EQ(status_of(s, a1, "GET", "/may/events:read"), 401); /* ended is ended */
    server_sign_in(cx, s, "alice", PASSWORD);
    CHECK_EQ(server_count(cx, s, "session.ended"), 2);
    server_close(cx, s);
}

TEST(the_last_administrator_cannot_be_disabled)
{
    struct server *s = server_open(cx, dir);
    const char *admin = server_key(cx, s, "admin", NULL);

    server_user(cx, s, "alice", "administrator");
    CHECK_EQ(status_of(s, admin, "POST", "/api/v1/users/alice/disable"), 409);
    server_user(cx, s, "bob", "administrator");
    CHECK_EQ(status_of(s, admin, "POST", "/api/v1/users/alice/disable"), 200);
    CHECK_EQ(status_of(s, admin, "POST", "/api/v1/users/bob/disable"), 409);
    server_close(cx, s);
}

TEST(a_password_is_changed_by_its_owner_who_knows_it)
{
    struct server *s = server_open(cx, dir);

    server_user(cx, s, "alice", "viewer");
    server_user(cx, s, "bob", "viewer");
    const char *token = server_sign_in(cx, s, "alice", PASSWORD);
    const char *target = "/api/v1/users/alice/password";
    harness_key(s->http, token);
    CHECK_EQ(post(cx, s, target, "{\"password\":\"a new and long one\"}")->status, 403);
    CHECK_EQ(
        post(cx, s, target, "{\"password\":\"a new and long one\",\"current_password\":\"wrong\"}")
            ->status,
        403);
    CHECK_EQ(
        post(cx, s, target, "{\"password\":\"too short\",\"current_password\":\"" PASSWORD "\"}")
            ->status,
        400);
    CHECK_EQ(post(cx, s, "/api/v1/users/bob/password",
                  "{\"password\":\"a new and long one\",\"current_password\":\"" PASSWORD "\"}")
                 ->status,
             403);
    const struct reply *r =
        post(cx, s, target,
             "{\"password\":\"a new and long one\",\"current_password\":\"" PASSWORD "\"}");
    CHECK_EQ(r->status, 200);
    CHECK_EQ(status_of(s, token, "GET", "/may/events:read"), 401); /* all sessions end */
    harness_key(s->http, NULL);
    CHECK_EQ(
        post(cx, s, "/api/v1/session", "{\"username\":\"alice\",\"password\":\"" PASSWORD "\"}")
            ->status,
        401);
    server_sign_in(cx, s, "alice", "a new and long one");
    server_restart(cx, s);
    server_sign_in(cx, s, "alice", "a new and long one");
    server_sign_in(cx, s, "bob", PASSWORD);
    harness_key(s->http, server_key(cx, s, "admin", NULL));
    CHECK_EQ(post(cx, s, target, "{\"password\":\"given by an admin\"}")->status, 200);
    CHECK_EQ(
        post(cx, s, "/api/v1/users/none/password", "{\"password\":\"given by an admin\"}")->status,
        404);
    server_sign_in(cx, s, "alice", "given by an admin");
    server_check_nowhere(cx, s, S("a new and long one"));
    server_check_nowhere(cx, s, S("given by an admin"));
    server_close(cx, s);
}

TEST(users_are_made_read_and_listed)
{
    struct server *s = server_open(cx, dir);

    harness_key(s->http, server_key(cx, s, "admin", NULL));
    const struct reply *r = harness_post(
        s->http, "/api/v1/users",
        arena_printf(cx->mem, "{\"username\":\"carol\",\"role\":\"analyst\",\"password\":\"%s\"}",
                     PASSWORD)
            .p);
    CHECK_EQ(r->status, 201);
    CHECK_STR(reply_header(r, "Location"), S("/api/v1/users/carol"));
    CHECK_STR(reply_str(r, "/role"), S("analyst"));
    CHECK(!reply_has(r, "/password") && !reply_has(r, "/credential"));
    CHECK_EQ(harness_post(s->http, "/api/v1/users",
                          "{\"username\":\"carol\",\"role\":\"viewer\",\"password\":\"" PASSWORD
                          "\"}")
                 ->status,
             409);
    CHECK_EQ(harness_post(s->http, "/api/v1/users",
                          "{\"username\":\"Dave\",\"role\":\"viewer\",\"password\":\"" PASSWORD
                          "\"}")
                 ->status,
             400);
    CHECK_EQ(harness_post(s->http, "/api/v1/users",
                          "{\"username\":\"dave\",\"role\":\"root\",\"password\":\"" PASSWORD "\"}")
                 ->status,
             400);
    CHECK_EQ(harness_post(s->http, "/api/v1/users",
                          "{\"username\":\"dave\",\"role\":\"viewer\",\"password\":\"short\"}")
                 ->status,
             400);
    server_user(cx, s, "alice", "viewer");
    CHECK_EQ(harness_get(s->http, "/api/v1/users/dave")->status, 404);
    CHECK_STR(reply_str(harness_get(s->http, "/api/v1/users/carol"), "/name"), S("carol"));
    r = harness_get(s->http, "/api/v1/users?limit=1");
    CHECK_STR(reply_str(r, "/items/0/name"), S("alice"));
    const char *next =
        arena_printf(cx->mem, "/api/v1/users?limit=1&cursor=%.*s", STR_FMT(reply_str(r, "/next")))
            .p;
    r = harness_get(s->http, next);
    CHECK_STR(reply_str(r, "/items/0/name"), S("carol"));
    CHECK(reply_has(r, "/next") && !reply_str(r, "/next").p);
    CHECK_EQ(server_count(cx, s, "user.created"), 2);
    server_close(cx, s);
}

/* Wrong name, wrong password and disabled look the same from outside; the events tell them apart,
 * and never repeat what was typed as a name. */
TEST(failed_logins_tell_the_ledger_and_not_the_client)
{
    struct server *s = server_open(cx, dir);
    static const char *const tries[][2] = {
        {"alice", "the wrong password"}, {"typed-into-the-wrong-box", PASSWORD}, {"bob", PASSWORD}};
    str first = STR_NULL;

    server_user(cx, s, "alice", "viewer");
    server_user(cx, s, "bob", "viewer");
    CHECK_EQ(status_of(s, server_key(cx, s, "admin", NULL), "POST", "/api/v1/users/bob/disable"),
             200);
    harness_key(s->http, NULL);
    for (size_t i = 0; i < COUNT(tries); i++) {
        const struct reply *r =
            post(cx, s, "/api/v1/session", "{\"username\":\"%s\",\"password\":\"%s\"}", tries[i][0],
                 tries[i][1]);
        CHECK_EQ(r->status, 401);
        if (i == 0)
            first = arena_str(cx->mem, reply_str(r, "/detail"));
        CHECK_STR(reply_str(r, "/detail"), first);
    }
    str events = server_events(cx, s);
    CHECK_EQ(server_count(cx, s, "session.refused"), 3);
    CHECK_HOLDS(events, "\"reason\":\"wrong-password\"");
    CHECK_HOLDS(events, "\"reason\":\"unknown-user\"");
    CHECK_HOLDS(events, "\"reason\":\"disabled-user\"");
    CHECK_HOLDS(events, "\"subject\":\"user/alice\"");
    server_check_nowhere(cx, s, S("typed-into-the-wrong-box"));
    server_check_nowhere(cx, s, S("the wrong password"));
    server_close(cx, s);
}

TEST(sessions_are_bounded)
{
    struct server *s = server_open(cx, dir);

    s->app.access->options.sessions_max = 2;
    server_user(cx, s, "alice", "viewer");
    server_sign_in(cx, s, "alice", PASSWORD);
    const char *token = server_sign_in(cx, s, "alice", PASSWORD);
    harness_key(s->http, NULL);
    CHECK_EQ(
        post(cx, s, "/api/v1/session", "{\"username\":\"alice\",\"password\":\"" PASSWORD "\"}")
            ->status,
        429);
    CHECK_EQ(status_of(s, token, "DELETE", "/api/v1/session"), 204);
    server_sign_in(cx, s, "alice", PASSWORD);
    server_close(cx, s);
}

/* Other parameters than a hash was made with: the next login makes it anew. */
TEST(a_hash_is_renewed_when_the_parameters_change)
{
    struct server *s = server_open(cx, dir);
    struct vault_item *items;
    size_t n;

    server_user(cx, s, "alice", "viewer");
    CHECK_OK(vault_list(cx, s->vault, VAULT_PASSWORD, &items, &n));
    CHECK_HOLDS(items[0].secret, "m=8,t=1");
    s->options.password.passes = 2;
    server_restart(cx, s);
    server_sign_in(cx, s, "alice", PASSWORD);
    CHECK_OK(vault_list(cx, s->vault, VAULT_PASSWORD, &items, &n));
    CHECK_EQ(n, 1);
    CHECK_HOLDS(items[0].secret, "m=8,t=2");
    server_sign_in(cx, s, "alice", PASSWORD);
    server_close(cx, s);
}

/* ---- a flood ---- */

struct flood {
    struct server *server;
    _Atomic int busy, refused, other;
};

static void *hammer(void *arg)
{
    struct flood *f = arg;
    struct harness *h = harness_open(f->server->router);

    for (int i = 0; i < 10; i++) {
        int status = harness_post(h, "/api/v1/session",
                                  "{\"username\":\"alice\",\"password\":\"not the password\"}")
                         ->status;
        if (status == 503)
            f->busy++;
        else if (status == 401)
            f->refused++;
        else
            f->other++;
    }
    harness_close(h);
    return NULL;
}

static void flood(struct flood *f)
{
    pthread_t t[8];

    f->busy = f->refused = f->other = 0;
    for (size_t i = 0; i < COUNT(t); i++)
        t[i] = thread_start("hammer", hammer, f);
    for (size_t i = 0; i < COUNT(t); i++)
        pthread_join(t[i], NULL);
    CHECK_EQ(f->other, 0);
    CHECK_EQ(f->busy + f->refused, 80);
}

/* While one password is being checked nobody else gets in; then the flood goes on and is one event
 * at its begin and one when the minute is over. */
TEST(a_flood_of_logins_is_turned_away_and_noted_once_a_minute)
{
    struct server *s = server_open(cx, dir);
    struct flood f = {.server = s};

    server_user(cx, s, "alice", "viewer");
    s->options.password_threads = 1;
    s->options.password_waiting_max = 0;
    server_restart(cx, s);
    CHECK_OK(gate_enter(cx, &s->app.access->gate, 0));
    flood(&f);
    CHECK_EQ(f.busy, 80);
    CHECK_STR(reply_header(post(cx, s, "/api/v1/session",
                                "{\"username\":\"bob\",\"password\":\"" PASSWORD "\"}"),
                           "Retry-After"),
              S("1"));
    gate_leave(&s->app.access->gate);
    CHECK_EQ(server_count(cx, s, "session.refused"), 0);

    flood(&f);
    CHECK(f.refused > 0);
    CHECK_EQ(server_count(cx, s, "session.refused"), 1);
    server_pass(61 * SECOND);
    for (const struct job *j = access_jobs; j->name; j++)
        CHECK_OK(j->run(cx, &s->app));
    CHECK_EQ(server_count(cx, s, "session.refused"), f.refused > 1 ? 2 : 1);
    if (f.refused > 1)
        CHECK_HOLDS(server_events(cx, s), arena_printf(cx->mem, "\"count\":%d", f.refused - 1).p);
    server_close(cx, s);
}

TEST(refusals_are_counted_by_principal_route_and_reason)
{
    struct server *s = server_open(cx, dir);
    const char *key = server_key(cx, s, "events:write", NULL);

    for (int i = 0; i < 5; i++) {
        status_of(s, NULL, "GET", "/may/events:read");
        status_of(s, key, "GET", "/may/events:read");
        status_of(s, key, "GET", "/may/metrics:read");
        status_of(s, "nonsense", "GET", "/may/metrics:read");
    }
    CHECK_EQ(server_count(cx, s, "access.denied"), 4);
    server_pass(30 * SECOND);
    refusals_flush(s->app.access->refusals, server_now_us(), false);
    CHECK_EQ(server_count(cx, s, "access.denied"), 4);
    server_pass(31 * SECOND);
    refusals_flush(s->app.access->refusals, server_now_us(), false);
    CHECK_EQ(server_count(cx, s, "access.denied"), 8);
    str events = server_events(cx, s);
    CHECK_HOLDS(events, "\"count\":4");
    CHECK_HOLDS(events, "\"route\":\"/may/metrics:read\"");
    CHECK_HOLDS(events, "\"reason\":\"malformed-credentials\"");
    CHECK_HOLDS(events, "\"remoteip\":\"127.0.0.1\"");
    status_of(s, NULL, "GET", "/may/events:read"); /* a new minute begins with an event */
    CHECK_EQ(server_count(cx, s, "access.denied"), 9);
    server_close(cx, s);
}

/* ---- the first administrator ---- */

static const char *link_token(struct ctx *cx, struct server *s)
{
    str token;

    CHECK_OK(access_setup_link(cx, &s->app, SETUP_LINK_US, &token));
    return arena_z(cx->mem, token);
}

static int set_up(struct ctx *cx, struct server *s, const char *token, const char *name)
{
    return post(cx, s, "/api/v1/setup",
                "{\"token\":\"%s\",\"username\":\"%s\",\"password\":\"" PASSWORD "\"}", token, name)
        ->status;
}

TEST(the_set_up_link_makes_one_administrator_once)
{
    struct server *s = server_open(cx, dir);
    const char *token = link_token(cx, s);
    bool has;
    str again;

    CHECK_OK(access_has_administrator(cx, &s->app, &has));
    CHECK(!has);
    CHECK_EQ(set_up(cx, s, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "eve"), 403);
    CHECK_EQ(set_up(cx, s, token, "Not A Name"), 400); /* the link is not used up by a mistake */
    CHECK_EQ(set_up(cx, s, token, "alice"), 201);
    CHECK_EQ(set_up(cx, s, token, "eve"), 403);
    CHECK_OK(access_has_administrator(cx, &s->app, &has));
    CHECK(has);
    CHECK_ERR(access_setup_link(cx, &s->app, SETUP_LINK_US, &again), ERR_CONFLICT);
    server_restart(cx, s);
    CHECK_EQ(set_up(cx, s, token, "eve"), 403);
    const char *session = server_sign_in(cx, s, "alice", PASSWORD);
    CHECK_EQ(status_of(s, session, "GET", "/may/ledger:admin"), 200);
    server_check_nowhere(cx, s, str_from(token));
    server_check_nowhere(cx, s, S(PASSWORD));
    CHECK_HOLDS(server_events(cx, s), "\"reason\":\"setup-link\"");
    server_close(cx, s);
}

TEST(the_set_up_link_expires_and_a_new_one_replaces_it)
{
    struct server *s = server_open(cx, dir);
    const char *first = link_token(cx, s);
    const char *second = link_token(cx, s);

    CHECK_EQ(set_up(cx, s, first, "alice"), 403);
    server_pass(SETUP_LINK_US);
    CHECK_EQ(set_up(cx, s, second, "alice"), 403);
    CHECK_EQ(set_up(cx, s, link_token(cx, s), "alice"), 201);
    server_close(cx, s);
}

TEST(the_set_up_link_is_dead_when_an_administrator_came_another_way)
{
    struct server *s = server_open(cx, dir);
    const char *token = link_token(cx, s);

    server_user(cx, s, "bob", "viewer");
    CHECK_EQ(harness_get(s->http, arena_printf(cx->mem, "/setup?token=%s", token).p)->status, 200);
    server_user(cx, s, "alice", "administrator");
    CHECK_EQ(harness_get(s->http, arena_printf(cx->mem, "/setup?token=%s", token).p)->status, 410);
    CHECK_EQ(set_up(cx, s, token, "eve"), 403);
    server_close(cx, s);
}

static const struct reply *send_form(struct server *s, const char *form)
{
    harness_header(s->http, "Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    return harness_send(s->http, "POST", "/setup", str_from(form));
}

TEST(a_browser_gets_a_form_and_sends_it)
{
    struct server *s = server_open(cx, dir);
    const char *token = link_token(cx, s);

    const struct reply *r = harness_get(s->http, arena_printf(cx->mem, "/setup?token=%s", token).p);
    CHECK_EQ(r->status, 200);
    CHECK_HOLDS(reply_header(r, "Content-Type"), "text/html");
    CHECK_HOLDS(reply_header(r, "Content-Security-Policy"), "default-src 'none'");
    CHECK_HOLDS(r->body, token);
    CHECK_HOLDS(r->body, "<form method=\"post\" action=\"/setup\"");
    CHECK_EQ(str_find(r->body, S("<script")), r->body.n);
    r = send_form(s, arena_printf(cx->mem, "token=%s&username=alice&password=short", token).p);
    CHECK_EQ(r->status, 400);
    CHECK_HOLDS(r->body, "at least 15 characters");
    CHECK_HOLDS(r->body, token); /* the form again */
    r = send_form(
        s,
        arena_printf(cx->mem, "username=alice&token=%s&password=a+long+enough%%20password", token)
            .p);
    CHECK_EQ(r->status, 201);
    server_sign_in(cx, s, "alice", PASSWORD);
    r = harness_get(s->http, arena_printf(cx->mem, "/setup?token=%s", token).p);
    CHECK_EQ(r->status, 410);
    CHECK_EQ(str_find(r->body, str_from(token)), r->body.n);
    CHECK_EQ(
        send_form(s, arena_printf(cx->mem, "token=%s&username=eve&password=" PASSWORD, token).p)
            ->status,
        410);
    server_close(cx, s);
}

TEST(the_page_repeats_nothing_that_is_not_a_token)
{
    struct server *s = server_open(cx, dir);
    const struct reply *r =
        harness_get(s->http, "/setup?token=%22%3E%3Cscript%3Ealert(1)%3C/script%3E");

    CHECK_EQ(r->status, 410);
    CHECK_EQ(str_find(r->body, S("alert(1)")), r->body.n);
    r = send_form(s, "token=%22%3E%3Cscript%3Ealert(1)&username=%3Cscript%3E&password=" PASSWORD);
    CHECK_EQ(r->status, 410);
    CHECK_EQ(str_find(r->body, S("<script")), r->body.n);
    CHECK_EQ(send_form(s, "token=%zz")->status, 400);
    CHECK_EQ(harness_post(s->http, "/setup", "{}")->status, 415);
    server_close(cx, s);
}

struct rush {
    struct server *server;
    const char *token, *name;
    int status;
};

static void *use_link(void *arg)
{
    struct rush *r = arg;
    struct ctx *cx = ctx_open(0);
    struct harness *h = harness_open(r->server->router);

    r->status =
        harness_post(h, "/api/v1/setup",
                     arena_printf(cx->mem,
                                  "{\"token\":\"%s\",\"username\":\"%s\",\"password\":\"%s\"}",
                                  r->token, r->name, PASSWORD)
                         .p)
            ->status;
    harness_close(h);
    ctx_close(cx);
    return NULL;
}

TEST(of_many_that_use_the_link_at_once_one_succeeds)
{
    struct server *s = server_open(cx, dir);
    struct rush r[6];
    pthread_t t[COUNT(r)];
    const char *token = link_token(cx, s);
    int made = 0;

    for (size_t i = 0; i < COUNT(r); i++) {
        r[i] = (struct rush){s, token, arena_printf(cx->mem, "user%zu", i).p, 0};
        t[i] = thread_start("rush", use_link, &r[i]);
    }
    for (size_t i = 0; i < COUNT(r); i++) {
        pthread_join(t[i], NULL);
        made += r[i].status == 201;
        CHECK(r[i].status == 201 || r[i].status == 403 || r[i].status == 409);
    }
    CHECK_EQ(made, 1);
    CHECK_EQ(server_count(cx, s, "user.created"), 1);
    server_close(cx, s);
}
