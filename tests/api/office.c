/* office.c - see office.h. */
#include "office.h"
#include "access/access.h"
#include "base/log.h"
#include "store/store.h"
#include "writer/view.h"
#include "writer/writer.h"
#include <fcntl.h>
#include <stdlib.h>

enum { DUMP_BYTES_MAX = 64 << 20 };

static void open_all(struct ctx *cx, struct office *o)
{
    struct router_options options = {
        .tables = app_routes(o->cx),
        .body_bytes_max = o->config.http_body_bytes_max,
        .unpacked_bytes_max = o->config.http_unpacked_bytes_max,
        .authenticate = access_authenticate,
        .authorize = access_authorize,
    };

    CHECK_OK(app_open(cx, &o->config, APP_SERVER, &o->app));
    options.app = o->app;
    CHECK_OK(router_open(cx, &options, &o->router));
    o->http = harness_open(o->router);
}

struct office *office_open(struct ctx *cx, const char *dir)
{
    struct office *o = calloc(1, sizeof *o);
    str vkey;

    ENSURE(o);
    log_set(open(test_path(cx, dir, "log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600),
            LOG_DEBUG, true);
    o->data = test_path(cx, dir, "data");
    o->cx = ctx_open(0);
    config_defaults(o->cx, &o->config);
    o->config.data_dir = arena_str(o->cx->mem, str_from(o->data));
    o->config.password_memory_bytes = 8 << 10;
    o->config.password_ops = 1;
    if (!fs_exists(fs_real(), test_path(cx, o->data, "log.vkey")))
        CHECK_OK(app_init(cx, &o->config, S("log.test/scenario"), &vkey));
    open_all(cx, o);
    return o;
}

static str dump(struct ctx *cx, struct store *view)
{
    CLEANUP(buf_close) struct buf text = BUF(DUMP_BYTES_MAX);

    CHECK_OK(store_dump(cx, view, &text));
    return arena_str(cx->mem, buf_str(&text));
}

static err nothing(struct ctx *cx, struct work *work, void *args)
{
    (void)cx, (void)work, (void)args;
    return ERR_OK;
}

static void check_view(struct ctx *cx, struct office *o)
{
    struct store_options options = {.name = "view", .path = ":memory:"};
    struct store *again;

    /* behind everything that was noted */
    CHECK_OK(writer_run(cx, o->app->writer, nothing, NULL, &access_system.actor, NULL));
    CHECK_OK(store_open(cx, &options, &again));
    for (const struct module *m = modules; m->name; m++)
        if (m->view_migrations)
            CHECK_OK(store_migrate(cx, again, m->name, m->view_migrations));
    CHECK_OK(view_rebuild(cx, o->app->ledger, again, app_events(o->cx), NULL, NULL));
    CHECK_STR(dump(cx, o->app->view), dump(cx, again));
    store_close(again);
}

static void close_all(struct ctx *cx, struct office *o)
{
    harness_hang_up(o->http);
    check_view(cx, o);
    harness_close(o->http);
    router_close(o->router);
    app_close(o->app);
}

void office_close(struct ctx *cx, struct office *o)
{
    close_all(cx, o);
    log_set(2, LOG_WARN, true);
    ctx_close(o->cx);
    free(o);
}

void office_restart(struct ctx *cx, struct office *o)
{
    close_all(cx, o);
    open_all(cx, o);
}

const char *office_key(struct ctx *cx, struct office *o, const char *scopes)
{
    struct strs list = {arena_new(cx->mem, str, PERM_COUNT), 0};
    struct key_request request = {.name = S("scenario")};
    str rest = str_from(scopes), text;
    struct api_key made;

    while (!str_is_null(rest))
        list.items[list.count++] = str_cut(&rest, ' ');
    request.scopes = list;
    CHECK_OK(access_key_create(cx, o->app, &access_system, &request, &made, &text, NULL));
    const char *key = arena_z(cx->mem, text);
    harness_key(o->http, key);
    return key;
}

const struct reply *office_post(struct office *o, const char *target, const char *type, str body)
{
    if (type)
        harness_header(o->http, "Content-Type", type);
    return harness_send(o->http, "POST", target, body);
}
