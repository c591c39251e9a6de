/* server.c - see server.h. */
#include "server.h"
#include "base/clock.h"
#include "base/log.h"
#include "writer/view.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int64_t passed_us;

int64_t server_now_us(void)
{
    return clock_now_us() + passed_us;
}

void server_pass(int64_t us)
{
    passed_us += us;
}

/* ---- routes of other domains, one for each permission ---- */

static err say_yes(struct ctx *cx, struct request *rq, struct response *rs)
{
    (void)rq;
    return response_bytes(cx, rs, 200, "text/plain", S("yes"));
}

static const struct route other_routes[] = {
#define X(name, scope, doc)                                                                        \
    {.method = "GET", .path = "/may/" scope, .run = say_yes, .permission = PERM_##name},
#include "access/permission.def"
#undef X
    {.method = "GET", .path = "/may/nobody", .run = say_yes},
    {.method = "GET", .path = "/may/beyond", .run = say_yes, .permission = PERM_COUNT},
    {.method = "GET", .path = "/may/below", .run = say_yes, .permission = -1},
    {0},
};

/* ---- opening ---- */

static const struct event_kind *const events[] = {access_events, NULL};

static void stop(const struct ctx *cx, err e)
{
    print_error("the writer stopped: %s (%s)\n", err_name(e), cx->detail);
}

static struct store *open_view(struct ctx *cx, const char *path)
{
    struct store_options options = {.name = "view", .path = path};
    struct store *view;

    CHECK_OK(store_open(cx, &options, &view));
    CHECK_OK(store_migrate(cx, view, "writer", view_migrations));
    CHECK_OK(store_migrate(cx, view, "access", access_view_migrations));
    return view;
}

static void open_vault(struct ctx *cx, struct server *s)
{
    struct vault_key_source source = {.data_dir = s->dir};
    struct store_options options = {
        .name = "vault", .path = test_path(cx, s->dir, "vault.db"), .sync = STORE_DURABLE};
    bool fresh = !fs_exists(fs_real(), test_path(cx, s->dir, "vault.key"));
    struct seal_key key;

    if (fresh)
        CHECK_OK(vault_key_create(cx, fs_real(), s->dir, &key));
    CHECK_OK(vault_key_load(cx, fs_real(), &source, &key));
    CHECK_OK(store_open(cx, &options, &s->vault_store));
    if (fresh)
        CHECK_OK(vault_create(cx, s->vault_store, &key));
    CHECK_OK(vault_open(cx, s->vault_store, &key, &s->vault));
}

static void open_ledger(struct ctx *cx, struct server *s)
{
    struct ledger_options options = {
        .fs = fs_real(),
        .dir = test_path(cx, s->dir, "ledger"),
        .origin = S("test.example/log"),
        .signer = &s->signer,
        .checkpoint_ns = 100000000,
        .unsealed_max = 2,
        .zstd_level = 1,
        .cache_bytes = 1 << 20,
    };

    CHECK_OK(ledger_open(cx, &options, &s->app.ledger));
}

static void open_all(struct ctx *cx, struct server *s)
{
    static const struct route *const tables[] = {access_routes, other_routes, NULL};
    struct router_options options = {.tables = tables,
                                     .body_bytes_max = 1 << 20,
                                     .authenticate = access_authenticate,
                                     .authorize = access_authorize};
    struct writer_options writing = {
        .events = events, .queue_bytes_max = 1 << 20, .batch_bytes_max = 1 << 20, .fatal = stop};

    open_ledger(cx, s);
    open_vault(cx, s);
    s->app.view = s->view = open_view(cx, test_path(cx, s->dir, "view.db"));
    writing.ledger = s->app.ledger;
    writing.view = s->view;
    CHECK_OK(writer_open(cx, &writing, &s->app.writer));
    s->options.vault = s->vault;
    CHECK_OK(access_open(cx, &s->app, &s->options, &s->app.access));
    options.app = &s->app;
    CHECK_OK(router_open(cx, &options, &s->router));
    s->http = harness_open(s->router);
}

struct server *server_open(struct ctx *cx, const char *dir)
{
    struct server *s = calloc(1, sizeof *s);
    struct ed25519_key key;
    int log = open(test_path(cx, dir, "log"), O_WRONLY | O_CREAT | O_APPEND, 0600);

    log_set(log, LOG_DEBUG, true);
    passed_us = 0;
    s->dir = dir;
    ed25519_generate(&key);
    CHECK_OK(note_signer_init(cx, S("test.example/log"), NOTE_ED25519, &key, &s->signer));
    s->options = ACCESS_OPTIONS_DEFAULT;
    s->options.password = (struct password_options){.memory_kib = 8, .passes = 1};
    s->options.now_us = server_now_us;
    open_all(cx, s);
    return s;
}

static void close_all(struct server *s)
{
    harness_close(s->http);
    router_close(s->router);
    access_close(s->app.access);
    writer_close(s->app.writer);
    ledger_close(s->app.ledger);
    store_close(s->view);
    vault_close(s->vault);
    store_close(s->vault_store);
}

/* ---- the view follows from the ledger ---- */

static str dump(struct ctx *cx, struct store *view)
{
    CLEANUP(buf_close) struct buf text = BUF(10 << 20);

    CHECK_OK(store_dump(cx, view, &text));
    return arena_str(cx->mem, buf_str(&text));
}

static err nothing(struct ctx *cx, struct work *work, void *args)
{
    (void)cx, (void)work, (void)args;
    return ERR_OK;
}

/* What was noted before is then in the ledger and in the view. */
static void settle(struct ctx *cx, struct server *s)
{
    CHECK_OK(writer_run(cx, s->app.writer, nothing, NULL, &access_system.actor, NULL));
}

static void check_view(struct ctx *cx, struct server *s)
{
    struct store *again = open_view(cx, ":memory:");

    settle(cx, s);
    CHECK_OK(view_rebuild(cx, s->app.ledger, again, events, NULL, NULL));
    CHECK_STR(dump(cx, s->view), dump(cx, again));
    store_close(again);
}

void server_close(struct ctx *cx, struct server *s)
{
    check_view(cx, s);
    close_all(s);
    note_signer_wipe(&s->signer);
    log_set(2, LOG_WARN, true);
    free(s);
}

void server_restart(struct ctx *cx, struct server *s)
{
    close_all(s);
    open_all(cx, s);
}

/* ---- asking ---- */

const struct reply *server_post(struct ctx *cx, struct server *s, const char *target,
                                const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    str body = arena_vprintf(cx->mem, fmt, ap);
    va_end(ap);
    return harness_post(s->http, target, body.p);
}

int server_status(struct server *s, const char *key, const char *method, const char *target)
{
    harness_key(s->http, key);
    return harness_send(s->http, method, target, STR_NULL)->status;
}

/* ---- looking ---- */

str server_events(struct ctx *cx, struct server *s)
{
    CLEANUP(buf_close) struct buf all = BUF(10 << 20);
    str entry;

    settle(cx, s);
    for (uint64_t i = 0; i < ledger_size(s->app.ledger); i++) {
        CHECK_OK(ledger_entry(cx, s->app.ledger, i, &entry));
        buf_put(&all, entry);
        buf_put_char(&all, '\n');
    }
    return arena_str(cx->mem, buf_str(&all));
}

size_t server_count(struct ctx *cx, struct server *s, const char *type)
{
    str rest = server_events(cx, s);
    str wanted = arena_printf(cx->mem, "\"type\":\"%s\"", type);
    size_t n = 0;

    while (!str_is_null(rest) && rest.n) {
        str line = str_cut(&rest, '\n');
        n += str_find(line, wanted) < line.n;
    }
    return n;
}

static void check_not_in(str text, str secret, const char *where)
{
    if (str_find(text, secret) == text.n)
        return;
    print_error("a secret is in %s\n", where);
    _fail(__FILE__, __LINE__);
}

void server_check_nowhere(struct ctx *cx, struct server *s, str secret)
{
    str log;

    CHECK(secret.n >= 8);
    check_not_in(server_events(cx, s), secret, "the ledger");
    check_not_in(dump(cx, s->view), secret, "the view");
    CHECK_OK(fs_read_all(cx, fs_real(), test_path(cx, s->dir, "log"), 10 << 20, &log));
    CHECK(log.n > 0);
    check_not_in(log, secret, "the log");
}

/* ---- making ---- */

const char *server_key(struct ctx *cx, struct server *s, const char *scopes, str *out_id)
{
    struct strs list = {arena_new(cx->mem, str, 20), 0};
    struct key_request request = {.name = S("a test key")};
    str rest = str_from(scopes), text;
    struct api_key key;

    while (!str_is_null(rest))
        list.items[list.count++] = str_cut(&rest, ' ');
    request.scopes = list;
    CHECK_OK(access_key_create(cx, &s->app, &access_system, &request, &key, &text, NULL));
    if (out_id)
        *out_id = key.id;
    return arena_z(cx->mem, text);
}

void server_user(struct ctx *cx, struct server *s, const char *name, const char *role)
{
    struct user_request request = {str_from(name), str_from(role), S(PASSWORD)};
    struct user user;

    CHECK_OK(access_user_create(cx, &s->app, &access_system, &request, &user, NULL));
    CHECK_STR(user.name, str_from(name));
}

const char *server_sign_in(struct ctx *cx, struct server *s, const char *name, const char *password)
{
    harness_key(s->http, NULL);
    const struct reply *r = harness_post(
        s->http, "/api/v1/session",
        arena_printf(cx->mem, "{\"username\":\"%s\",\"password\":\"%s\"}", name, password).p);
    CHECK_EQ(r->status, 201);
    return arena_z(cx->mem, reply_str(r, "/token"));
}
