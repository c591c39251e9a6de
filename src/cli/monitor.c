/* monitor.c - `chancery monitor`: a live dashboard of a server in the terminal; elsewhere a line
 * each time.
 *
 * Two contexts take turns, because a reading is compared with the one before. */
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/monitor_view.h"
#include "cli/remote.h"
#include <time.h>

enum { OUT_BYTES_MAX = 1 << 20 };

struct monitor_args {
    int64_t interval;
    uint64_t count;
};

struct monitor {
    struct cli *cli;
    struct remote *remote;
    struct ctx *turns[2];
    struct figures readings[2];
    uint64_t rounds; /* readings taken */
    struct history history;
    bool refused; /* the metrics */
};

static void monitor_close(struct monitor *m)
{
    ctx_close(m->turns[0]);
    ctx_close(m->turns[1]);
    remote_close(m->remote);
}

/* ---- reading ---- */

/* Null when this key may not read them. */
static err read_metrics(struct ctx *cx, struct monitor *m, str *out)
{
    const struct remote_request rq = {.path = S("/metrics")};
    struct http_reply reply;

    *out = STR_NULL;
    if (m->refused)
        return ERR_OK;
    TRY(remote_exchange(cx, m->remote, &rq, &reply));
    m->refused = reply.status == 401 || reply.status == 403;
    if (m->refused)
        return ERR_OK;
    TRY(remote_check(cx, m->remote, &reply));
    *out = reply.body;
    return ERR_OK;
}

static err read_figures(struct ctx *cx, struct monitor *m, struct figures *out)
{
    const struct remote_request rq = {.path = S("/api/v1/health")};
    struct http_reply reply;
    struct json health;
    str metrics;

    TRY(read_metrics(cx, m, &metrics));
    TRY(remote_exchange(cx, m->remote, &rq, &reply));
    TRY(remote_json(cx, m->remote, &reply, &health));
    if (!str_eq(json_member_text(health, S("service")), S("chancery")))
        return fail(cx, ERR_IO, "%.*s is no Chancery server", STR_FMT(remote_place(m->remote)));
    return figures_read(cx, metrics, health, clock_mono_ns(), out);
}

/* ---- showing ---- */

static const struct figures *before(const struct monitor *m)
{
    return m->rounds > 1 ? &m->readings[m->rounds % 2] : NULL;
}

static const struct figures *now(const struct monitor *m)
{
    return &m->readings[(m->rounds - 1) % 2];
}

static err show_line(struct ctx *cx, struct monitor *m)
{
    CLEANUP(buf_close) struct buf b = BUF(OUT_BYTES_MAX);
    char time[TIME_TEXT_SIZE];

    time_format(clock_now_us(), time);
    if (m->cli->json) {
        monitor_put_json(&b, before(m), now(m));
    } else {
        buf_printf(&b, "%.19sZ ", time);
        monitor_put_line(&b, before(m), now(m));
    }
    TRY(cli_write(cx, m->cli, buf_str(&b)));
    return fflush(m->cli->out) == 0 ? ERR_OK : fail_errno(cx, ERR_IO, "standard output");
}

static void show_screen(struct monitor *m, struct screen *screen, const char *trouble)
{
    const struct terminal t = screen_terminal(screen);
    CLEANUP(buf_close) struct buf b = BUF(OUT_BYTES_MAX);

    if (m->rounds > 0)
        monitor_put(&b, &t, before(m), now(m), &m->history, remote_place(m->remote));
    if (trouble)
        buf_printf(&b, "\n %s%s%s\n", terminal_style(&t, STYLE_BAD), trouble,
                   terminal_style(&t, STYLE_PLAIN));
    screen_draw(screen, buf_str(&b));
}

/* Take the next reading; what the one before the last held is forgotten. */
static err step(struct monitor *m, struct ctx **out_cx)
{
    struct ctx *cx = m->turns[m->rounds % 2];
    struct figures f;

    *out_cx = cx;
    ctx_reset(cx);
    TRY(read_figures(cx, m, &f));
    m->readings[m->rounds % 2] = f;
    if (m->rounds > 0)
        history_add(&m->history, &m->readings[(m->rounds + 1) % 2], &f);
    m->rounds++;
    return ERR_OK;
}

/* ---- the command ---- */

static err run_screen(struct ctx *cx, struct monitor *m, const struct monitor_args *a)
{
    CLEANUP(screen_cleanup) struct screen *screen = NULL;
    uint64_t shown = 0;
    struct ctx *turn;

    TRY(screen_open(cx, m->cli->out, &screen));
    do {
        err e = step(m, &turn);
        if (e != ERR_OK && m->rounds == 0)
            return fail(cx, e, "%s", turn->detail);
        show_screen(m, screen, e != ERR_OK ? turn->detail : NULL);
    } while (++shown != a->count && screen_wait(screen, a->interval));
    return ERR_OK;
}

static err run_lines(struct ctx *cx, struct monitor *m, const struct monitor_args *a)
{
    const struct timespec pause = {a->interval / 1000000000, a->interval % 1000000000};
    struct ctx *turn;

    for (uint64_t shown = 0; a->count == 0 || shown < a->count; shown++) {
        if (shown > 0)
            nanosleep(&pause, NULL);
        err e = step(m, &turn);
        if (e != ERR_OK && (m->rounds == 0 || !err_is_retryable(e)))
            return fail(cx, e, "%s", turn->detail);
        if (e != ERR_OK)
            cli_note(m->cli, "%s", turn->detail);
        else
            TRY(show_line(cx, m));
    }
    return ERR_OK;
}

static err monitor_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct monitor_args *a = args;
    const struct terminal t = terminal_of(cli->out, cli->environment);
    CLEANUP(monitor_close) struct monitor m = {.cli = cli, .turns = {ctx_open(0), ctx_open(0)}};

    if (remote_is_folder(cli))
        return fail(cx, ERR_USAGE, "only a server can be watched: use --url");
    if (a->interval <= 0)
        return fail(cx, ERR_USAGE, "--interval must be more than nothing");
    TRY(remote_open(cx, cli, &m.remote));
    return t.tty && !cli->json ? run_screen(cx, &m, a) : run_lines(cx, &m, a);
}

static const struct cli_option monitor_options[] = {
    OPTION(monitor_args, interval, OPT_DURATION, .letter = 'i', .value = "TIME", .fallback = "1s",
           .help = "between two readings"),
    OPTION(monitor_args, count, OPT_COUNT, .letter = 'n', .value = "N",
           .help = "stop after so many readings"),
    {.name = NULL},
};

const struct command monitor_command = {
    .name = "monitor",
    .summary = "watch a server: a live dashboard",
    .details = "Shows rate, queues, batches, syncs, segments, cache, checkpoint and requests. On a "
               "terminal the screen is drawn again each time and 'q' leaves; elsewhere, and with "
               "--json, there is a line each time. Needs a key with metrics:read; without it there "
               "is less to see.",
    .examples = "chancery monitor\n"
                "chancery monitor --interval 10s --json >>figures.ndjson\n",
    .options = monitor_options,
    .args_bytes = sizeof(struct monitor_args),
    .run = monitor_run,
};
