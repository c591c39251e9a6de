/* test_access.c - who may do what, through the real router, over a real ledger.
 *
 * Every scenario ends with server_close(), which compares the view with a rebuilt one. */
#include "base/clock.h"
#include "base/queue.h"
#include "crypto/token.h"
#include "server.h"

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
        int status = server_status(s, key, guarded[i].method, guarded[i].target);
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
        server_post(cx, s, "/api/v1/keys", "{\"name\":\"web shop\",\"scopes\":[\"events:write\"]}");
    CHECK_EQ(r->status, 201);
    CHECK_EQ(reply_str(r, "/receipt/leaf_hash").n, 64); /* hexadecimal, as in all receipts */
    CHECK(reply_header(r, "Chancery-Index").n > 0);
    const char *text = arena_z(cx->mem, reply_str(r, "/key"));
    str id = arena_str(cx->mem, reply_str(r, "/id"));
    CHECK_STR(reply_str(r, "/scopes/0"), S("events:write"));
    CHECK_HOLDS(reply_str(r, "/created_by"), "key/");

    CHECK_EQ(server_status(s, text, "GET", "/may/events:write"), 200);
    CHECK_EQ(server_status(s, text, "GET", "/may/events:read"), 403);
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
    CHECK_EQ(server_status(s, text, "GET", "/may/events:write"), 401); /* at once */
    CHECK_EQ(server_status(s, admin, "DELETE", key_target(cx, id)), 409);
    CHECK_EQ(server_status(s, admin, "DELETE", "/api/v1/keys/none"), 404);
    CHECK_EQ(server_count(cx, s, "key.created"), 2);
    CHECK_EQ(server_count(cx, s, "key.revoked"), 1);
    server_restart(cx, s);
    CHECK_EQ(server_status(s, text, "GET", "/may/events:write"), 401); /* for ever */
    CHECK_EQ(server_status(s, admin, "GET", "/may/events:write"), 200);
    server_check_nowhere(cx, s, str_from(text));
    server_check_nowhere(cx, s, str_slice(str_from(text), 13 + id.n + 1, 1000));
    server_check_nowhere(cx, s, str_from(admin));
    server_close(cx, s);
}

TEST(a_maker_gives_at_most_what_it_has)
{
    struct server *s = server_open(cx, dir);

    harness_key(s->http, server_key(cx, s, "keys:write events:read", NULL));
    CHECK_EQ(
        server_post(cx, s, "/api/v1/keys", "{\"name\":\"a\",\"scopes\":[\"events:read\"]}")->status,
        201);
    const struct reply *r =
        server_post(cx, s, "/api/v1/keys", "{\"name\":\"a\",\"scopes\":[\"events:write\"]}");
    CHECK_EQ(r->status, 403);
    CHECK_HOLDS(reply_str(r, "/detail"), "events:write");
    CHECK_EQ(server_post(cx, s, "/api/v1/keys", "{\"name\":\"a\",\"scopes\":[\"admin\"]}")->status,
             403);
    CHECK_EQ(server_count(cx, s, "key.created"), 2);
    CHECK_EQ(server_count(cx, s, "access.denied"), 1); /* and they are counted as one group */

    harness_key(s->http, server_key(cx, s, "users:write events:read", NULL));
    CHECK_EQ(server_post(cx, s, "/api/v1/users",
                         "{\"username\":\"eve\",\"role\":\"administrator\",\"password\":\"" PASSWORD
                         "\"}")
                 ->status,
             403);
    CHECK_EQ(server_post(cx, s, "/api/v1/users",
                         "{\"username\":\"eve\",\"role\":\"viewer\",\"password\":\"" PASSWORD "\"}")
                 ->status,
             201);
    server_user(cx, s, "alice", "administrator");
    CHECK_EQ(
        server_post(cx, s, "/api/v1/users/alice/password", "{\"password\":\"another password!\"}")
            ->status,
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
        const struct reply *r = server_post(cx, s, "/api/v1/keys", "%s", bad[i].body);
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
        server_post(cx, s, "/api/v1/keys",
                    "{\"name\":\"a\",\"scopes\":[\"events:read\"],\"expires\":\"%s\"}", when);
    CHECK_EQ(r->status, 201);
    CHECK_STR(reply_str(r, "/expires"), str_from(when));
    const char *text = arena_z(cx->mem, reply_str(r, "/key"));
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(server_status(s, text, "GET", "/may/events:read"), 200);
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
    CHECK_EQ(server_status(s, arena_z(cx->mem, text), "GET", "/may/signed-in"), 401);
    server_restart(cx, s);
    CHECK_EQ(server_status(s, arena_z(cx->mem, text), "GET", "/may/signed-in"), 401);
    CHECK_OK(vault_list(cx, s->vault, VAULT_API_KEY, &items, &n));
    CHECK_EQ(n, 1);
    CHECK_STR(items[0].id, id);
    CHECK_OK(vault_list(cx, s->vault, VAULT_PASSWORD, &items, &n));
    CHECK_EQ(n, 1);
    server_sign_in(cx, s, "alice", PASSWORD);
    server_close(cx, s);
}

/* ---- refusals are events ---- */

TEST(refusals_are_counted_by_principal_route_and_reason)
{
    struct server *s = server_open(cx, dir);
    const char *key = server_key(cx, s, "events:write", NULL);

    for (int i = 0; i < 5; i++) {
        server_status(s, NULL, "GET", "/may/events:read");
        server_status(s, key, "GET", "/may/events:read");
        server_status(s, key, "GET", "/may/metrics:read");
        server_status(s, "nonsense", "GET", "/may/metrics:read");
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
    server_status(s, NULL, "GET", "/may/events:read"); /* a new minute begins with an event */
    CHECK_EQ(server_count(cx, s, "access.denied"), 9);
    server_close(cx, s);
}

/* The process ends before the minute is over: the counts are not lost. */
TEST(counts_of_refusals_are_noted_at_the_end)
{
    struct server *s = server_open(cx, dir);

    for (int i = 0; i < 4; i++)
        server_status(s, NULL, "GET", "/may/events:read");
    server_restart(cx, s);
    CHECK_EQ(server_count(cx, s, "access.denied"), 2);
    CHECK_HOLDS(server_events(cx, s), "\"count\":3");
    server_close(cx, s);
}

/* More principals than there are places: each kind has one for all the others, and no more events
 * come than there are places. */
TEST(a_flood_under_many_names_is_counted_as_others)
{
    struct server *s = server_open(cx, dir);
    struct refusal f = {.kind = REFUSED_UNKNOWN, .method = "GET", .path = "/x", .peer = S("::1")};

    f.now_us = server_now_us();
    for (int i = 0; i < REFUSALS_MAX + 500; i++) {
        f.principal = arena_printf(cx->mem, "key/%d", i);
        refusal_note(s->app.access->refusals, &f);
    }
    CHECK_EQ(server_count(cx, s, "access.denied"), REFUSALS_MAX + 1);
    refusals_flush(s->app.access->refusals, server_now_us(), true);
    CHECK_EQ(server_count(cx, s, "access.denied"), REFUSALS_MAX + 2);
    CHECK_HOLDS(server_events(cx, s), "\"count\":499");
    server_close(cx, s);
}

/* ---- the tables of SQL ---- */

static const struct sql statements[] = {
#define Q(name, text) {#name, text},
#include "access/access_query.def"
#undef Q
};
static const struct sql vault_statements[] = {
#define Q(name, text) {#name, text},
#include "access/vault_query.def"
#undef Q
};

TEST(every_statement_fits_the_schema)
{
    struct server *s = server_open(cx, dir);

    for (size_t i = 0; i < COUNT(statements); i++)
        CHECK_OK(db_prepare(cx, store_writer(s->view), &statements[i]));
    for (size_t i = 0; i < COUNT(vault_statements); i++)
        CHECK_OK(db_prepare(cx, store_writer(s->vault_store), &vault_statements[i]));
    server_close(cx, s);
}
