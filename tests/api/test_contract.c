/* test_contract.c - what automation may rely on: arguments, output and exit statuses that need no
 * browser and no terminal. */
#include "access/permission.h"
#include "base/clock.h"
#include "base/fs.h"
#include "http/route.h"
#include "ops/app_open.h"
#include "program.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static str file_text(struct ctx *cx, const char *dir, const char *name)
{
    str text;

    CHECK_OK(fs_read_all(cx, fs_real(), test_path(cx, dir, name), 1 << 20, &text));
    return text;
}

static unsigned mode_of(struct ctx *cx, const char *dir, const char *name)
{
    struct stat st;

    CHECK_EQ(stat(test_path(cx, dir, name), &st), 0);
    return st.st_mode & 0777;
}

/* ---- init ---- */

TEST(init_makes_the_folder_and_its_keys_and_never_makes_them_anew)
{
    const char *data = test_path(cx, dir, "data");
    struct outcome o = RUN(cx, "init", "--data", data, "--json");

    CHECK_STATUS(o, 0);
    CHECK_STR(o.err, S(""));
    CHECK_STR(text_at(cx, o.out, "/data"), str_from(data));
    str vkey = text_at(cx, o.out, "/vkey");
    CHECK_STR(str_trim(file_text(cx, data, "log.vkey")), vkey);
    CHECK_EQ(mode_of(cx, dir, "data"), 0700);
    CHECK_EQ(mode_of(cx, data, "vault.key"), 0600);
    CHECK_EQ(mode_of(cx, data, "vault.db"), 0600);

    str sealing = file_text(cx, data, "vault.key");
    o = RUN(cx, "init", "--data", data, "--json");
    CHECK_STATUS(o, 1);
    CHECK_STR(text_at(cx, o.out, "/error/code"), S("CONFLICT"));
    CHECK_STR(str_trim(file_text(cx, data, "log.vkey")), vkey);
    CHECK_STR(file_text(cx, data, "vault.key"), sealing);
}

TEST(init_takes_the_name_of_the_log)
{
    const char *data = test_path(cx, dir, "data");
    struct outcome o = RUN(cx, "init", "--data", data, "--origin", "log.example/audit", "--json");

    CHECK_STATUS(o, 0);
    CHECK(str_starts(text_at(cx, o.out, "/vkey"), S("log.example/audit+")));
    o = RUN(cx, "init", "--data", test_path(cx, dir, "other"), "--origin", "a name", "--json");
    CHECK_STATUS(o, 2);
    CHECK(!fs_exists(fs_real(), test_path(cx, dir, "other/log.vkey")));
}

/* ---- key create ---- */

TEST(a_key_is_made_on_a_folder_that_no_server_holds)
{
    const char *data = make_data(cx, dir);
    struct outcome o = RUN(cx, "key", "create", "--data", data, "--name", "shop", "--scope",
                           "events:write", "--scope", "events:read", "--json");

    CHECK_STATUS(o, 0);
    CHECK(text_at(cx, o.out, "/id").n > 0);
    CHECK(text_at(cx, o.out, "/key").n > 32);
    CHECK_EQ(count_at(cx, o.out, "/scopes"), 2);
    /* one way to write a hash in all of the API */
    CHECK_EQ(text_at(cx, o.out, "/receipt/leaf_hash").n, 64);

    o = RUN(cx, "key", "create", "--data", data, "--name", "shop", "--scope", "events:delete",
            "--json");
    CHECK_STATUS(o, 1);
    CHECK_STR(text_at(cx, o.out, "/error/errors/0/pointer"), S("/scopes/0"));
    o = RUN(cx, "key", "create", "--data", data, "--name", "shop", "--json");
    CHECK_STATUS(o, 2);
    CHECK_HOLDS(o.out, "--scope");
}

TEST(a_folder_that_a_server_holds_is_locked)
{
    const char *data = make_data(cx, dir);
    struct serving s = serve(cx, data, NULL);
    struct outcome o =
        RUN(cx, "key", "create", "--data", data, "--name", "n", "--scope", "events:read", "--json");

    CHECK_STATUS(o, 3);
    CHECK_STR(text_at(cx, o.out, "/error/code"), S("LOCKED"));
    CHECK_HOLDS(o.out, "in use by another process");
    o = serve_refused(cx, data, NULL);
    CHECK_STATUS(o, 3);
    CHECK_STR(o.out, S(""));
    CHECK_HOLDS(o.err, "in use by another process");
    CHECK_HOLDS(o.err, data);
    CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);
}

TEST(an_administrators_key_makes_keys_over_http)
{
    const char *data = make_data(cx, dir);
    const char *admin = make_key(cx, data, "admin");
    struct serving s = serve(cx, data, NULL);
    struct outcome o = RUN(cx, "key", "create", "--url", s.url, "--key", admin, "--name", "n",
                           "--scope", "events:write", "--json");

    CHECK_STATUS(o, 0);
    const char *writer = arena_z(cx->mem, text_at(cx, o.out, "/key"));
    send_event(cx, &s, writer, "1");
    o = RUN(cx, "key", "create", "--url", s.url, "--key", writer, "--name", "n", "--scope",
            "events:write", "--json");
    CHECK_STATUS(o, 1);
    CHECK_STR(text_at(cx, o.out, "/error/code"), S("FORBIDDEN"));
    CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);
    check_view_rebuilt(cx, dir, data);
}

/* ---- serve ---- */

TEST(serve_says_one_line_when_it_is_ready)
{
    const char *data = make_data(cx, dir);
    struct serving s = serve(cx, data, NULL);
    char more[64];

    CHECK_STR(str_from(s.line), arena_printf(cx->mem, "listening on http://127.0.0.1:%s\n",
                                             strchr(s.address, ':') + 1));
    CHECK_EQ(get(cx, &s, NULL, "/readyz").status, 200); /* at the first try */
    serving_signal(&s, SIGTERM);
    CHECK_EQ(read(s.out, more, sizeof more), 0);
    CHECK_EQ(serving_wait(cx, &s), 0);
}

TEST(serve_without_a_folder_says_how_to_make_one)
{
    struct outcome o = serve_refused(cx, test_path(cx, dir, "none"), NULL);

    CHECK_STATUS(o, 1);
    CHECK_HOLDS(o.err, "chancery init --data");
    CHECK(!fs_exists(fs_real(), test_path(cx, dir, "none")));
}

TEST(the_vkey_of_the_log_is_served_and_lies_in_the_folder)
{
    const char *data = make_data(cx, dir);
    struct serving s = serve(cx, data, NULL);
    struct net_reply r = get(cx, &s, NULL, "/log/vkey");

    CHECK_EQ(r.status, 200);
    CHECK_STR(r.body, file_text(cx, data, "log.vkey"));
    CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);
}

/* ---- clients ---- */

static struct outcome with_environment(struct ctx *cx, const struct serving *s, const char *key,
                                       const char *command)
{
    return SHELL(cx, arena_printf(cx->mem, "CHANCERY_URL=%s CHANCERY_KEY=%s '%s' %s", s->url, key,
                                  program_path(), command)
                         .p);
}

TEST(clients_take_the_server_and_the_key_from_flags_or_the_environment)
{
    const char *data = make_data(cx, dir);
    const char *key = make_key(cx, data, "events:write,events:read");
    struct serving s = serve(cx, data, NULL);
    uint64_t index = send_event(cx, &s, key, "one");

    struct outcome o =
        RUN(cx, "query", "--url", s.url, "--key", key, "--type", "test.made", "--json");
    CHECK_STATUS(o, 0);
    CHECK_HOLDS(o.out, "\"id\":\"one\"");
    o = with_environment(cx, &s, key, "query --type test.made --json");
    CHECK_STATUS(o, 0);
    CHECK_HOLDS(o.out, "\"id\":\"one\"");
    /* flags go before the environment */
    o = with_environment(cx, &s, "wrong", arena_printf(cx->mem, "query --json --key %s", key).p);
    CHECK_STATUS(o, 0);
    o = with_environment(cx, &s, "wrong", "query --json");
    CHECK_STATUS(o, 1);
    CHECK_STR(text_at(cx, o.out, "/error/code"), S("UNAUTHENTICATED"));
    CHECK_EQ(index, 1);
    CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);
    o = with_environment(cx, &s, key, "query --json");
    CHECK_STATUS(o, 3);
    CHECK_STR(text_at(cx, o.out, "/error/code"), S("UNREACHABLE"));
}

TEST(a_proof_is_printed_and_checked_without_a_server)
{
    const char *data = make_data(cx, dir);
    const char *key = make_key(cx, data, "events:write,events:read");
    const char *receipt = test_path(cx, dir, "receipt"), *vkey = test_path(cx, data, "log.vkey");
    struct serving s = serve(cx, data, NULL);

    for (int i = 0; i < 5; i++)
        send_event(cx, &s, key, arena_printf(cx->mem, "%d", i).p);
    struct outcome o = RUN(cx, "prove", "3", "--url", s.url, "--key", key);
    CHECK_STATUS(o, 0);
    CHECK(str_starts(o.out, S("c2sp.org/tlog-proof@v1\nindex 3\n")));
    CHECK_OK(fs_replace(cx, fs_real(), dir, "receipt", o.out));
    str entry = get(cx, &s, key, "/api/v1/events/3").body;
    CHECK_OK(fs_replace(cx, fs_real(), dir, "entry", entry));
    CHECK_OK(
        fs_replace(cx, fs_real(), dir, "other-entry", get(cx, &s, key, "/api/v1/events/4").body));
    CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);

    const char *entry_file = test_path(cx, dir, "entry"), *other = test_path(cx, dir, "other");
    CHECK_STATUS(RUN(cx, "check", "--vkey", vkey, receipt, entry_file), 0);
    o = RUN(cx, "check", "--vkey", vkey, "--leaf", text_at(cx, entry, "/leaf_hash").p, receipt,
            "--json");
    CHECK_STATUS(o, 0);
    CHECK_HOLDS(o.out, "\"index\":3");
    /* another entry, another log */
    CHECK_STATUS(RUN(cx, "check", "--vkey", vkey, receipt, test_path(cx, dir, "other-entry")), 1);
    CHECK_STATUS(RUN(cx, "init", "--data", other), 0);
    CHECK_STATUS(RUN(cx, "check", "--vkey", test_path(cx, other, "log.vkey"), receipt, entry_file),
                 1);
    /* and on the folder itself */
    o = RUN(cx, "prove", "3", "--data", data);
    CHECK_STATUS(o, 0);
    CHECK(str_starts(o.out, S("c2sp.org/tlog-proof@v1\nindex 3\n")));
}

/* ---- what a key may ---- */

/* A path of the template that reaches the handler. */
static const char *some_path(struct ctx *cx, const struct route *route)
{
    CLEANUP(buf_close) struct buf b = BUF(4096);
    str rest = str_from(route->path);

    while (!str_is_null(rest)) {
        buf_put(&b, str_cut(&rest, '{'));
        if (str_is_null(rest))
            break;
        str name = str_cut(&rest, '}');
        buf_put(&b, str_eq(name, S("rest*")) ? S("0/000.p/1") : S("0"));
    }
    return arena_z(cx->mem, buf_str(&b));
}

static int status_of(struct ctx *cx, struct net *n, const char *key, const struct route *route)
{
    bool body = route->body != BODY_NONE;
    struct net_reply r = ask_on(cx, n, key, route->method, some_path(cx, route),
                                body ? "application/json" : NULL, body ? S("{}") : STR_NULL);

    CHECK(r.status != 0);
    return r.status;
}

/* Every route with a key of every single scope: what the table says, and nothing else. */
TEST(a_scope_opens_its_routes_and_no_other)
{
    const char *data = make_data(cx, dir), *keys[PERM_COUNT] = {0};

    for (int scope = PERM_SIGNED_IN + 1; scope < PERM_COUNT; scope++)
        keys[scope] = make_key(cx, data, permission_scope((enum permission)scope));
    struct serving s = serve(cx, data, NULL);
    struct net n = net_dial(s.address);
    size_t opened = 0, closed = 0;
    for (const struct route *const *table = app_routes(cx); *table; table++) {
        for (const struct route *route = *table; route->method; route++) {
            if (route->permission <= PERM_SIGNED_IN ||
                str_eq(str_from(route->reply_type ? route->reply_type : ""),
                       S("text/event-stream")))
                continue;
            CHECK_EQ(status_of(cx, &n, NULL, route), 401);
            for (int scope = PERM_SIGNED_IN + 1; scope < PERM_COUNT; scope++) {
                int status = status_of(cx, &n, keys[scope], route);
                if ((status != 403) != (scope == route->permission))
                    FAIL("%s %s with %s: %d", route->method, route->path,
                         permission_scope((enum permission)scope), status);
                *(status == 403 ? &closed : &opened) += 1;
            }
        }
    }
    CHECK(opened > 10 && closed > 60);
    net_close(&n);
    CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);
    check_view_rebuilt(cx, dir, data);
}

TEST(a_revoked_key_counts_for_nothing_at_once)
{
    const char *data = make_data(cx, dir);
    const char *admin = make_key(cx, data, "admin");
    struct outcome o = RUN(cx, "key", "create", "--data", data, "--name", "n", "--scope",
                           "events:write", "--json");
    CHECK_STATUS(o, 0);
    const char *key = arena_z(cx->mem, text_at(cx, o.out, "/key"));
    str id = text_at(cx, o.out, "/id");
    struct serving s = serve(cx, data, NULL);
    struct net kept = net_dial(s.address);

    CHECK_EQ(
        ask_on(cx, &kept, key, "POST", "/api/v1/events", "application/json", event(cx, "1", ""))
            .status,
        201);
    struct net_reply r =
        ask(cx, &s, admin, "DELETE", arena_printf(cx->mem, "/api/v1/keys/%.*s", STR_FMT(id)).p,
            NULL, STR_NULL);
    CHECK_EQ(r.status, 200);
    r = ask_on(cx, &kept, key, "POST", "/api/v1/events", "application/json", event(cx, "2", ""));
    CHECK_EQ(r.status, 401);
    CHECK_STR(text_at(cx, r.body, "/code"), S("UNAUTHENTICATED"));
    CHECK_STR(net_header(&r, "WWW-Authenticate"), S("Bearer"));
    net_close(&kept);
    CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);

    /* also after a restart */
    s = serve(cx, data, NULL);
    CHECK_EQ(post_json(cx, &s, key, "/api/v1/events", event(cx, "3", "")).status, 401);
    CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);
    check_view_rebuilt(cx, dir, data);
}
