/* server.c - see server.h.
 *
 * Going down: readiness turns 503, no new connections, running requests end (or the time is up),
 * streams are told to come back, then audit, writer, view, ledger, in the reverse of their opening.
 */
#include "ops/server.h"
#include "access/access.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/transport.h"
#include "ops/app_open.h"
#include "ops/jobs.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define WATCH_NS INT64_C(1000000000)

struct server {
    struct config *config;
    const struct config_sources *sources;
    struct app *app;
    struct router *router;
    struct transport *transport;
    struct jobs *jobs;
    struct ctx *kept; /* of reloaded settings: lives as long as the server */
};

static void server_close(struct server *s)
{
    jobs_close(s->jobs);
    if (s->transport)
        transport_close(s->transport);
    if (s->router)
        router_close(s->router);
    app_close(s->app);
    ctx_close(s->kept);
}

static bool is_loopback(str address)
{
    return str_starts(address, S("127.")) || str_starts(address, S("[::1]")) ||
           str_starts(address, S("localhost:"));
}

/* Deny by default: nothing is offered to a network without encryption and someone in charge. */
static err check_exposure(struct ctx *cx, const struct server *s, bool has_administrator)
{
    const struct config *c = s->config;

    if (is_loopback(c->http_listen))
        return ERR_OK;
    if (!c->http_behind_tls_proxy)
        return fail(
            cx, ERR_CONFIG,
            "http.listen %.*s is reachable from a network, but nothing encrypts: put a TLS proxy "
            "in front and say --http.behind_tls_proxy=true, or listen on 127.0.0.1",
            STR_FMT(c->http_listen));
    if (!has_administrator)
        return fail(
            cx, ERR_CONFIG,
            "http.listen %.*s is reachable from a network, but there is no administrator yet: "
            "chancery user create --data %.*s --role administrator NAME",
            STR_FMT(c->http_listen), STR_FMT(c->data_dir));
    return ERR_OK;
}

/* The engine prunes, but what the view was folded from must outlive pruning first: until then a
 * setting that would have no effect is refused. */
static err check_retention(struct ctx *cx, const struct config *c)
{
    if (c->ledger_retention_ns == 0)
        return ERR_OK;
    return fail(cx, ERR_CONFIG, "ledger.retention: this version keeps every entry; set it to 0");
}

static err open_router(struct ctx *cx, struct server *s)
{
    struct router_options options = {
        .app = s->app,
        .tables = app_routes(cx),
        .body_bytes_max = s->config->http_body_bytes_max,
        .unpacked_bytes_max = s->config->http_unpacked_bytes_max,
        .authenticate = access_authenticate,
        .authorize = access_authorize,
    };

    return router_open(cx, &options, &s->router);
}

static err open_transport(struct ctx *cx, struct server *s)
{
    const struct config *c = s->config;
    struct transport_options options = {
        .listen = c->http_listen.p,
        .loops = (unsigned)c->http_loops,
        .workers = (unsigned)c->http_workers,
        .connections_max = (unsigned)c->http_connections_max,
        .queue_max = (unsigned)c->http_queue_max,
        .head_bytes_max = c->http_head_bytes_max,
        .body_window_bytes = c->http_body_window_bytes,
        .idle_ns = c->http_idle_ns,
        .receive_ns = c->http_receive_ns,
        .memory_bytes_max = c->http_memory_bytes_max,
    };

    return transport_open(cx, &options, s->router, &s->transport);
}

/* As many descriptors as the system lets us have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static err setup_url(struct ctx *cx, struct server *s, str *out)
{
    str token;

    TRY(access_setup_link(cx, s->app, SETUP_LINK_US, &token));
    *out =
        arena_printf(cx->mem, "%.*s/setup?token=%.*s", STR_FMT(s->app->public_url), STR_FMT(token));
    return ERR_OK;
}

static err start(struct ctx *cx, struct server *s, const struct server_hooks *hooks)
{
    bool has_administrator;
    str link = STR_NULL;

    raise_descriptor_limit();
    TRY(check_retention(cx, s->config));
    TRY(app_open(cx, s->config, APP_SERVER, &s->app));
    TRY(access_has_administrator(cx, s->app, &has_administrator));
    TRY(check_exposure(cx, s, has_administrator));
    TRY(open_router(cx, s));
    TRY(open_transport(cx, s));
    if (s->app->public_url.n == 0)
        s->app->public_url = arena_printf(cx->mem, "http://%s", transport_address(s->transport));
    s->jobs = jobs_open(s->app);
    if (!has_administrator)
        TRY(setup_url(cx, s, &link));
    TRY(hooks->ready(cx, hooks->state, transport_address(s->transport), link));
    sd_notify(0, "READY=1");
    return ERR_OK;
}

void server_log(const struct config *c)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    enum log_level level = LOG_INFO;
    bool text = str_eq(c->log_format, S("text")) ||
                (str_eq(c->log_format, S("auto")) && isatty(STDERR_FILENO));

    for (unsigned i = 0; i < COUNT(levels); i++)
        if (str_eq(c->log_level, str_from(levels[i])))
            level = (enum log_level)i;
    log_set(STDERR_FILENO, level, !text);
}

static void reload(struct server *s)
{
    CLEANUP(buf_close) struct buf restart = BUF(4096);

    ctx_clear_error(s->kept);
    err e = config_reload(s->kept, s->sources, s->config, &restart);
    if (e != ERR_OK) {
        log_failure(s->kept, "the configuration was not loaded again", e);
        return;
    }
    server_log(s->config);
    LOG(LOG_INFO, NULL, "configuration loaded again", LOG_S("needs_restart", buf_str(&restart)));
}

/* Wait for the signal that ends us, feeding the watchdog and reloading meanwhile.  The writer stops
 * the process itself; a sync that failed while sealing or signing is seen here. */
static void wait_for_end(struct server *s)
{
    struct timespec each = {.tv_sec = WATCH_NS / 1000000000};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    for (;;) {
        int signal = sigtimedwait(&set, NULL, &each);
        if (signal == SIGTERM || signal == SIGINT)
            return;
        if (signal == SIGHUP)
            reload(s);
        const char *failure = ledger_failure(s->app->ledger);
        if (failure) {
            LOG(LOG_ERROR, NULL, "the ledger cannot be written; stopping, the next start recovers",
                LOG_Z("detail", failure));
            _exit(3);
        }
        sd_notify(0, "WATCHDOG=1");
    }
}

static void force(int signal)
{
    static const char text[] = "chancery: forced to stop\n";

    (void)signal;
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(3);
}

/* From now on another signal ends the process at once; the next start recovers. */
static void arm_force(void)
{
    struct sigaction action = {.sa_handler = force};
    sigset_t set;

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

err server_run(struct ctx *cx, struct config *config, const struct config_sources *sources,
               const struct server_hooks *hooks)
{
    CLEANUP(server_close)
    struct server s = {.config = config, .sources = sources, .kept = ctx_open(0)};

    TRY(start(cx, &s, hooks));
    LOG(LOG_INFO, NULL, "serving", LOG_Z("address", transport_address(s.transport)),
        LOG_S("origin", s.app->origin), LOG_I("entries", ledger_size(s.app->ledger)));
    wait_for_end(&s);
    sd_notify(0, "STOPPING=1");
    LOG(LOG_INFO, NULL, "stopping", LOG_I("entries", ledger_size(s.app->ledger)));
    arm_force();
    s.app->stopping = 1;
    transport_drain(s.transport, clock_mono_ns() + config->http_shutdown_ns);
    return ERR_OK;
}
