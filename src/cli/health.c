/* health.c - `chancery health`: is a server well?  For people, scripts and monitoring systems. */
#include "base/clock.h"
#include "base/json_write.h"
#include "cli/commands.h"
#include "cli/event_table.h"
#include "cli/remote.h"
#include <time.h>

enum { OUT_BYTES_MAX = 1 << 20 };

struct health_args {
    int64_t watch;
    uint64_t count;
    bool nagios;
};

enum state { STATE_PASS, STATE_WARN, STATE_FAIL, STATE_UNASKED, STATES };

/* What each state is called and which exit status it has: 0, 1, 2 and 3 by the codes that have
 * them. A warning is no sickness, but monitoring systems tell the two apart. */
static const struct {
    const char *text, *nagios;
    err exit, nagios_exit;
    enum style style;
} states[STATES] = {
    [STATE_PASS] = {"healthy", "OK", ERR_OK, ERR_OK, STYLE_GOOD},
    [STATE_WARN] = {"healthy, with a warning", "WARNING", ERR_OK, ERR_INVALID, STYLE_WARN},
    [STATE_FAIL] = {"not healthy", "CRITICAL", ERR_INVALID, ERR_USAGE, STYLE_BAD},
    [STATE_UNASKED] = {"cannot be asked", "CRITICAL", ERR_IO, ERR_USAGE, STYLE_BAD},
};

struct health {
    enum state state;
    struct http_reply reply; /* unless it could not be asked */
    struct json json;
    char why[CTX_DETAIL_BYTES]; /* when it could not */
};

/* ---- asking ---- */

static enum state state_of(str status)
{
    if (str_eq(status, S("pass")))
        return STATE_PASS;
    return str_eq(status, S("warn")) ? STATE_WARN : STATE_FAIL;
}

static err ask(struct ctx *cx, struct remote *r, struct health *out)
{
    const struct remote_request rq = {.path = S("/api/v1/health")};

    TRY(remote_exchange(cx, r, &rq, &out->reply));
    TRY(remote_json(cx, r, &out->reply, &out->json));
    str status = json_member_text(out->json, S("status"));
    if (!str_eq(json_member_text(out->json, S("service")), S("chancery")) || !status.n)
        return fail(cx, ERR_IO, "%.*s is no Chancery server", STR_FMT(remote_place(r)));
    out->state = state_of(status);
    return ERR_OK;
}

static void ask_health(struct ctx *cx, struct remote *r, struct health *out)
{
    *out = (struct health){.state = STATE_UNASKED};
    if (ask(cx, r, out) == ERR_OK)
        return;
    out->state = STATE_UNASKED;
    memcpy(out->why, cx->detail, sizeof out->why);
    ctx_clear_error(cx);
}

/* ---- telling ---- */

static void put_value(struct buf *b, str key, struct json v)
{
    uint64_t n;

    if (json_to_u64(v, &n) && str_ends(key, S("_bytes")))
        human_bytes(b, n);
    else if (json_kind(v) == JSON_STRING)
        put_shown(b, json_str(v), 0);
    else
        json_put_value(b, v);
}

/* "ledger  pass  entries 12, segments 1" */
static void put_check(struct buf *b, str name, struct json check, const struct terminal *t)
{
    str status = json_member_text(check, S("status"));
    bool first = true;

    buf_put(b, S("  "));
    put_shown(b, name, 0);
    buf_printf(b, "%*s%s%.*s%s", (int)(10 - size_min(9, name.n)), "",
               terminal_style(t, states[state_of(status)].style), STR_FMT(status),
               terminal_style(t, STYLE_PLAIN));
    for (struct json_iter it = json_iter(check); json_next(&it);) {
        CLEANUP(buf_close) struct buf value = BUF(4096);
        if (str_eq(it.key, S("status")))
            continue;
        put_value(&value, it.key, it.value);
        buf_put(b, first ? S("  ") : S(", "));
        for (size_t i = 0; i < it.key.n; i++)
            buf_put_char(b, it.key.p[i] == '_' ? ' ' : it.key.p[i]);
        buf_put_char(b, ' ');
        buf_put(b, buf_str(&value));
        first = false;
    }
    buf_put_char(b, '\n');
}

static void put_text(struct buf *b, const struct health *h, str place, const struct terminal *t)
{
    struct json checks;

    buf_printf(b, "%s%s%s  ", terminal_style(t, states[h->state].style), states[h->state].text,
               terminal_style(t, STYLE_PLAIN));
    buf_put(b, place);
    if (h->state == STATE_UNASKED) {
        buf_printf(b, ": %s\n", h->why);
        return;
    }
    buf_put(b, S("  version "));
    put_shown(b, json_member_text(h->json, S("version")), 40);
    buf_put(b, S(", up "));
    human_duration(b, (int64_t)json_member_count(h->json, S("uptime_seconds")) * 1000000000);
    buf_put_char(b, '\n');
    if (json_get(h->json, S("checks"), &checks))
        for (struct json_iter it = json_iter(checks); json_next(&it);)
            put_check(b, it.key, it.value, t);
}

/* One line, as plugins of monitoring systems write it. */
static void put_nagios(struct buf *b, const struct health *h, str place)
{
    struct json entries;
    uint64_t n = 0;

    buf_printf(b, "CHANCERY %s - ", states[h->state].nagios);
    buf_put(b, place);
    if (h->state == STATE_UNASKED) {
        buf_printf(b, " cannot be asked: %s\n", h->why);
        return;
    }
    buf_printf(b, " is %s", states[h->state].text);
    if (json_pointer_get(h->json, S("/checks/ledger/entries"), &entries) &&
        json_to_u64(entries, &n))
        buf_printf(b, " | entries=%lluc", (unsigned long long)n);
    buf_put_char(b, '\n');
}

static void put_json(struct buf *b, const struct health *h)
{
    if (h->state != STATE_UNASKED) {
        json_put_value(b, h->json);
        buf_put_char(b, '\n');
        return;
    }
    json_open(b, '{');
    json_member_str(b, S("status"), S("unreachable"));
    json_member_str(b, S("detail"), str_from(h->why));
    json_close(b, '}');
    buf_put_char(b, '\n');
}

static err tell(struct ctx *cx, struct cli *cli, const struct health_args *a,
                const struct health *h, str place)
{
    const struct terminal t = terminal_of(cli->out, cli->environment);
    CLEANUP(buf_close) struct buf b = BUF(OUT_BYTES_MAX);

    if (cli->json)
        put_json(&b, h);
    else if (a->nagios)
        put_nagios(&b, h, place);
    else
        put_text(&b, h, place, &t);
    TRY(buf_check(cx, &b, "the answer"));
    TRY(cli_write(cx, cli, buf_str(&b)));
    return fflush(cli->out) == 0 ? ERR_OK : fail_errno(cx, ERR_IO, "standard output");
}

/* ---- the command ---- */

static err health_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct health_args *a = args;
    CLEANUP(remote_cleanup) struct remote *r = NULL;
    uint64_t rounds = a->watch ? a->count : 1;
    struct health h = {.state = STATE_UNASKED};

    if (remote_is_folder(cli))
        return fail(cx, ERR_USAGE,
                    "health is asked of a server; a folder is looked at by "
                    "'chancery doctor' and 'chancery verify'");
    TRY(remote_open(cx, cli, &r));
    for (uint64_t i = 0; rounds == 0 || i < rounds; i++) {
        struct arena_mark mark = arena_mark(cx->mem);
        struct timespec pause = {a->watch / 1000000000, a->watch % 1000000000};
        if (i > 0)
            nanosleep(&pause, NULL);
        ask_health(cx, r, &h);
        TRY(tell(cx, cli, a, &h, remote_place(r)));
        arena_rewind(cx->mem, mark);
    }
    cli->answered = true;
    return a->nagios ? states[h.state].nagios_exit : states[h.state].exit;
}

static const struct cli_option health_options[] = {
    OPTION(health_args, watch, OPT_DURATION, .letter = 'w', .value = "TIME",
           .help = "ask again and again, with this pause"),
    OPTION(health_args, count, OPT_COUNT, .value = "N",
           .help = "stop watching after so many times"),
    OPTION(health_args, nagios, OPT_FLAG,
           .help = "one line and exit status 0, 1 or 2 as monitoring plugins have them"),
    {.name = NULL},
};

const struct command health_command = {
    .name = "health",
    .summary = "ask a server whether it is well",
    .details =
        "Exit status: 0 healthy, 1 not, 3 it cannot be asked. With --nagios 0 OK, 1 warning, "
        "2 critical.",
    .examples = "chancery health\n"
                "chancery health --watch 5s\n"
                "chancery health --nagios --url https://log.example.org\n",
    .options = health_options,
    .args_bytes = sizeof(struct health_args),
    .run = health_run,
};
