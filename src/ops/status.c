/* status.c - see status.h. */
#include "ops/status.h"
#include "access/permission.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json_write.h"
#include "ledger/ledger.h"
#include "ops/app_open.h"
#include "ops/page.h"
#include "writer/module.h"
#include "writer/writer.h"
#include <stdio.h>
#include <unistd.h>

enum { DISK_FREE_WARN_BYTES = 1 << 30, DISK_FREE_FAIL_BYTES = 64 << 20 };
#define CHECKPOINT_AGE_WARN_US INT64_C(10000000)

#define G(var, name_, kind_, scale_, help_)                                                        \
    static struct metric var = {                                                                   \
        .name = (name_), .help = (help_), .kind = (kind_), .scale = (scale_)};
#include "ops/metric.def"
#undef G

struct metric *const status_metrics[] = {
#define G(var, name, kind, scale, help) &var,
#include "ops/metric.def"
#undef G
    NULL,
};

/* ---- figures ---- */

static int64_t resident_bytes(void)
{
    long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f) {
        if (fscanf(f, "%*d %lld", &pages) != 1)
            pages = 0;
        fclose(f);
    }
    return pages * sysconf(_SC_PAGESIZE);
}

static uint64_t free_bytes(struct ctx *cx, const struct app *app)
{
    uint64_t bytes = 0;

    if (fs_free_space(cx, fs_real(), app->data_dir.p, &bytes) != ERR_OK)
        ctx_clear_error(cx);
    return bytes;
}

static uint64_t uncovered_entries(const struct app *app)
{
    uint64_t covered = ledger_checkpoint_size(app->ledger), size = ledger_size(app->ledger);

    return size > covered ? size - covered : 0;
}

static void read_figures(struct ctx *cx, const struct app *app)
{
    struct ledger_figures f = ledger_figures(app->ledger);
    int64_t now = clock_now_us();

    metric_set(&up_seconds, now - app->started_us);
    metric_set(&entries, (int64_t)f.entries);
    metric_set(&segments, (int64_t)f.segments);
    metric_set(&unsealed, (int64_t)f.unsealed);
    metric_set(&raw_bytes, (int64_t)f.bytes_raw);
    metric_set(&sealed_bytes, (int64_t)f.bytes_sealed);
    metric_set(&index_bytes, (int64_t)f.bytes_index);
    metric_set(&cache_hits, (int64_t)f.cache_hits);
    metric_set(&cache_misses, (int64_t)f.cache_misses);
    metric_set(&known_ids, (int64_t)f.dedup_ids);
    metric_set(&checkpoint_age, now - f.checkpoint_us);
    metric_set(&uncovered, (int64_t)uncovered_entries(app));
    metric_set(&writer_depth, writer_queue_depth(app->writer));
    metric_set(&disk_free, (int64_t)free_bytes(cx, app));
    metric_set(&resident, resident_bytes());
}

static err metrics_get(struct ctx *cx, struct request *rq, struct response *rs)
{
    read_figures(cx, rq->app);
    for (struct metric *const *m = app_metrics(cx); *m; m++)
        metric_render(&rs->body, *m);
    return response_written(cx, rs, 200, "text/plain; version=0.0.4; charset=utf-8");
}

/* ---- health ---- */

enum state { PASS, WARN, FAIL };
static const char *const state_names[] = {"pass", "warn", "fail"};

struct check {
    const char *name;
    enum state (*run)(struct ctx *cx, const struct app *app, struct buf *members);
};

static enum state check_ledger(struct ctx *cx, const struct app *app, struct buf *b)
{
    struct ledger_figures f = ledger_figures(app->ledger);
    int64_t age = clock_now_us() - f.checkpoint_us;
    bool behind = uncovered_entries(app) && age > CHECKPOINT_AGE_WARN_US;

    (void)cx;
    json_member_u64(b, S("entries"), f.entries);
    json_member_u64(b, S("checkpoint_size"), ledger_checkpoint_size(app->ledger));
    if (f.checkpoint_us)
        json_member_time(b, S("checkpoint_time"), f.checkpoint_us);
    json_member_u64(b, S("segments"), f.segments);
    json_member_u64(b, S("unsealed_segments"), f.unsealed);
    if (!ledger_is_writable(app->ledger))
        return FAIL;
    return behind ? WARN : PASS;
}

static enum state check_writer(struct ctx *cx, const struct app *app, struct buf *b)
{
    (void)cx;
    json_member_u64(b, S("queue_depth"), writer_queue_depth(app->writer));
    return PASS;
}

static enum state check_disk(struct ctx *cx, const struct app *app, struct buf *b)
{
    uint64_t bytes = free_bytes(cx, app);

    json_member_u64(b, S("free_bytes"), bytes);
    if (bytes < DISK_FREE_FAIL_BYTES)
        return FAIL;
    return bytes < DISK_FREE_WARN_BYTES ? WARN : PASS;
}

static const struct check checks[] = {
    {"ledger", check_ledger},
    {"writer", check_writer},
    {"disk", check_disk},
};

static enum state run_checks(struct ctx *cx, const struct app *app, struct buf *b)
{
    enum state worst = app->stopping ? FAIL : PASS;

    json_key(b, S("checks"));
    json_open(b, '{');
    for (size_t i = 0; i < COUNT(checks); i++) {
        json_key(b, str_from(checks[i].name));
        json_open(b, '{');
        enum state state = checks[i].run(cx, app, b);
        json_member_str(b, S("status"), str_from(state_names[state]));
        json_close(b, '}');
        worst = state > worst ? state : worst;
    }
    json_close(b, '}');
    return worst;
}

static void put_identity(struct buf *b, const struct app *app, enum state state)
{
    int64_t now = clock_now_us();

    json_member_str(b, S("status"), str_from(state_names[state]));
    json_member_str(b, S("service"), S("chancery"));
    json_member_str(b, S("version"), app->version);
    json_member_time(b, S("timestamp"), now);
    json_member_i64(b, S("uptime_seconds"), (now - app->started_us) / 1000000);
}

static err answer_health(struct ctx *cx, struct response *rs, enum state state)
{
    json_close(&rs->body, '}');
    return response_json_body(cx, rs, state == FAIL ? 503 : 200);
}

/* What a load balancer or a person at a terminal asks: is it up, and what is it? */
static err health_get(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct buf ignored = BUF(64 * 1024);
    enum state state = run_checks(cx, rq->app, &ignored);

    buf_close(&ignored);
    json_open(&rs->body, '{');
    put_identity(&rs->body, rq->app, state);
    json_member_str(&rs->body, S("check_type"), S("infrastructure"));
    return answer_health(cx, rs, state);
}

/* The parts one by one. */
static err api_health_get(struct ctx *cx, struct request *rq, struct response *rs)
{
    CLEANUP(buf_close) struct buf parts = BUF(64 * 1024);
    enum state state = run_checks(cx, rq->app, &parts);

    json_open(&rs->body, '{');
    put_identity(&rs->body, rq->app, state);
    json_member_str(&rs->body, S("origin"), rq->app->origin);
    buf_put_char(&rs->body, ',');
    buf_put(&rs->body, buf_str(&parts));
    return answer_health(cx, rs, state);
}

static err livez_get(struct ctx *cx, struct request *rq, struct response *rs)
{
    (void)rq;
    return response_bytes(cx, rs, 200, "text/plain; charset=utf-8", S("ok\n"));
}

static err readyz_get(struct ctx *cx, struct request *rq, struct response *rs)
{
    if (rq->app->stopping)
        return fail(cx, ERR_STOPPED, "the server is stopping");
    if (!ledger_is_writable(rq->app->ledger))
        return fail(cx, ERR_BUSY, "the ledger cannot be written");
    return response_bytes(cx, rs, 200, "text/plain; charset=utf-8", S("ok\n"));
}

/* ---- the API's description and the first page ---- */

static err openapi_get(struct ctx *cx, struct request *rq, struct response *rs)
{
    openapi_write(&rs->body, app_routes(cx), rq->app->version);
    return response_json_body(cx, rs, 200);
}

static err page_get(struct ctx *cx, struct request *rq, struct response *rs)
{
    page_write(&rs->body, rq->app);
    response_header(cx, rs, "Content-Security-Policy",
                    S("default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
                      "frame-ancestors 'none'"));
    return response_written(cx, rs, 200, "text/html; charset=utf-8");
}

static err style_get(struct ctx *cx, struct request *rq, struct response *rs)
{
    (void)rq;
    return response_bytes(cx, rs, 200, "text/css; charset=utf-8", page_style());
}

/* clang-format off */
const struct route status_routes[] = {
    {"GET", "/",              page_get,       PERM_PUBLIC,       BODY_NONE, "State of the server and first steps", .reply_type = "text/html", .tag = "status"},
    {"GET", "/style.css",     style_get,      PERM_PUBLIC,       BODY_NONE, "Style of the page", .reply_type = "text/css", .tag = "status"},
    {"GET", "/livez",         livez_get,      PERM_PUBLIC,       BODY_NONE, "Is the process alive?", .reply_type = "text/plain", .tag = "status"},
    {"GET", "/readyz",        readyz_get,     PERM_PUBLIC,       BODY_NONE, "Does it take requests?", .reply_type = "text/plain", .tag = "status"},
    {"GET", "/health",        health_get,     PERM_PUBLIC,       BODY_NONE, "Is it well?", .tag = "status"},
    {"GET", "/api/v1/health", api_health_get, PERM_PUBLIC,       BODY_NONE, "Are its parts well?", .tag = "status"},
    {"GET", "/metrics",       metrics_get,    PERM_METRICS_READ, BODY_NONE, "Metrics in the Prometheus text format", .reply_type = "text/plain", .tag = "status"},
    {"GET", "/openapi.json",  openapi_get,    PERM_PUBLIC,       BODY_NONE, "This API as OpenAPI 3.1", .tag = "status"},
    {0},
};
/* clang-format on */
