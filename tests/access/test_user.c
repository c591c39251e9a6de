/* test_user.c - signing in and out, passwords, the first administrator: through the real router.
 *
 * Every scenario ends with server_close(), which compares the view with a rebuilt one. */
#include "base/clock.h"
#include "base/queue.h"
#include "crypto/token.h"
#include "server.h"

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
    CHECK_EQ(server_status(s, token, "GET", "/may/events:export"), 200);
    CHECK_EQ(server_status(s, token, "GET", "/may/events:write"), 403);
    server_restart(cx, s); /* signs nobody out */
    CHECK_EQ(server_status(s, token, "GET", "/may/events:read"), 200);
    CHECK_EQ(server_status(s, token, "DELETE", "/api/v1/session"), 204);
    CHECK_EQ(server_status(s, token, "GET", "/may/events:read"), 401);
    server_restart(cx, s);
    CHECK_EQ(server_status(s, token, "GET", "/may/events:read"), 401);
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
        CHECK_EQ(server_status(s, busy, "GET", "/may/events:read"), 200);
        if (age < 60 * MINUTE)
            server_restart(cx, s); /* its last use is known to the next process */
    }
    CHECK_EQ(server_status(s, idle, "GET", "/may/events:read"), 401);
    server_pass(25 * MINUTE);
    CHECK_EQ(server_status(s, busy, "GET", "/may/events:read"), 401); /* 12 hours are over */
    for (const struct job *j = access_jobs; j->name; j++)
        CHECK_OK(j->run(cx, &s->app));
    CHECK_EQ(registry_session_count(s->app.access->registry), 0);
    CHECK_EQ(server_count(cx, s, "session.ended"), 2);
    CHECK_HOLDS(server_events(cx, s), "\"reason\":\"idle\"");
    CHECK_HOLDS(server_events(cx, s), "\"reason\":\"age\"");
    server_close(cx, s);
}

static const char *late_session(struct ctx *cx, struct server *s, const char *user)
{
    char *token = arena_new(cx->mem, char, SESSION_TOKEN_BYTES + 1);
    struct registry_session session = {
        .id = arena_printf(cx->mem, "late-%s", user),
        .user = str_from(user),
        .used_us = server_now_us(),
        .expires_us = server_now_us() + 60 * MINUTE,
    };

    session_token_make(token);
    token_hash(str_from(token), &session.secret);
    registry_session_put(s->app.access->registry, &session);
    return token;
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
    CHECK_EQ(server_status(s, admin, "POST", "/api/v1/users/alice/disable"), 200);
    CHECK_EQ(server_status(s, a1, "GET", "/may/events:read"), 401);
    CHECK_EQ(server_status(s, a2, "GET", "/may/events:read"), 401);
    CHECK_EQ(server_status(s, b, "GET", "/may/events:read"), 200);
    harness_key(s->http, NULL);
    CHECK_EQ(server_post(cx, s, "/api/v1/session",
                         "{\"username\":\"alice\",\"password\":\"" PASSWORD "\"}")
                 ->status,
             401);
    CHECK_EQ(server_status(s, admin, "POST", "/api/v1/users/alice/disable"), 409);
    const char *late = late_session(cx, s, "alice"); /* a login that overtook the end of sessions */
    CHECK_EQ(server_status(s, late, "GET", "/may/events:read"), 401);
    CHECK_EQ(server_status(s, late_session(cx, s, "bob"), "GET", "/may/events:read"), 200);
    CHECK(registry_session_drop(s->app.access->registry, S("late-alice")));
    CHECK_EQ(server_status(s, admin, "POST", "/api/v1/users/alice/enable"), 200);
    CHECK_EQ(server_status(s, admin, "POST", "/api/v1/users/alice/enable"), 409);
    CHECK_EQ(server_status(s, a1, "GET", "/may/events:read"), 401); /* ended is ended */
    server_sign_in(cx, s, "alice", PASSWORD);
    CHECK_EQ(server_count(cx, s, "session.ended"), 2);
    server_close(cx, s);
}

TEST(the_last_administrator_cannot_be_disabled)
{
    struct server *s = server_open(cx, dir);
    const char *admin = server_key(cx, s, "admin", NULL);

    server_user(cx, s, "alice", "administrator");
    CHECK_EQ(server_status(s, admin, "POST", "/api/v1/users/alice/disable"), 409);
    server_user(cx, s, "bob", "administrator");
    CHECK_EQ(server_status(s, admin, "POST", "/api/v1/users/alice/disable"), 200);
    CHECK_EQ(server_status(s, admin, "POST", "/api/v1/users/bob/disable"), 409);
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
    CHECK_EQ(server_post(cx, s, target, "{\"password\":\"a new and long one\"}")->status, 403);
    CHECK_EQ(server_post(cx, s, target,
                         "{\"password\":\"a new and long one\",\"current_password\":\"wrong\"}")
                 ->status,
             403);
    CHECK_EQ(server_post(cx, s, target,
                         "{\"password\":\"too short\",\"current_password\":\"" PASSWORD "\"}")
                 ->status,
             400);
    CHECK_EQ(server_post(cx, s, "/api/v1/users/bob/password",
                         "{\"password\":\"a new and long one\",\"current_password\":\"" PASSWORD
                         "\"}")
                 ->status,
             403);
    const struct reply *r =
        server_post(cx, s, target,
                    "{\"password\":\"a new and long one\",\"current_password\":\"" PASSWORD "\"}");
    CHECK_EQ(r->status, 200);
    CHECK_EQ(server_status(s, token, "GET", "/may/events:read"), 401); /* all sessions end */
    harness_key(s->http, NULL);
    CHECK_EQ(server_post(cx, s, "/api/v1/session",
                         "{\"username\":\"alice\",\"password\":\"" PASSWORD "\"}")
                 ->status,
             401);
    server_sign_in(cx, s, "alice", "a new and long one");
    server_restart(cx, s);
    server_sign_in(cx, s, "alice", "a new and long one");
    server_sign_in(cx, s, "bob", PASSWORD);
    harness_key(s->http, server_key(cx, s, "admin", NULL));
    CHECK_EQ(server_post(cx, s, target, "{\"password\":\"given by an admin\"}")->status, 200);
    CHECK_EQ(
        server_post(cx, s, "/api/v1/users/none/password", "{\"password\":\"given by an admin\"}")
            ->status,
        404);
    server_sign_in(cx, s, "alice", "given by an admin");
    CHECK_HOLDS(server_events(cx, s), "\"reason\":\"wrong-password\"");
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
    CHECK_EQ(
        server_status(s, server_key(cx, s, "admin", NULL), "POST", "/api/v1/users/bob/disable"),
        200);
    harness_key(s->http, NULL);
    for (size_t i = 0; i < COUNT(tries); i++) {
        const struct reply *r =
            server_post(cx, s, "/api/v1/session", "{\"username\":\"%s\",\"password\":\"%s\"}",
                        tries[i][0], tries[i][1]);
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
    CHECK_EQ(server_post(cx, s, "/api/v1/session",
                         "{\"username\":\"alice\",\"password\":\"" PASSWORD "\"}")
                 ->status,
             429);
    CHECK_EQ(server_status(s, token, "DELETE", "/api/v1/session"), 204);
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
    CHECK_STR(reply_header(server_post(cx, s, "/api/v1/session",
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
    server_sign_in(cx, s, "alice", PASSWORD);
    for (size_t i = 0; access_metrics[i]; i++) /* all of the table */
        CHECK(metric_moved(access_metrics[i]));
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
    return server_post(cx, s, "/api/v1/setup",
                       "{\"token\":\"%s\",\"username\":\"%s\",\"password\":\"" PASSWORD "\"}",
                       token, name)
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
    CHECK_EQ(server_status(s, session, "GET", "/may/ledger:admin"), 200);
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
