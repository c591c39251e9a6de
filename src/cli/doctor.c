/* doctor.c - `chancery doctor`: what stands in a server's way, and how to mend it. */
#include "ops/doctor.h"
#include "base/json_write.h"
#include "cli/commands.h"

enum { OUT_BYTES_MAX = 1 << 20, NAME_COLUMNS = 14, TEXT_AT = 28 };

static const enum style styles[DOCTOR_STATES] = {STYLE_GOOD, STYLE_WARN, STYLE_BAD, STYLE_DIM};

/* " 3  disk-space    ok       1200 of 4000 MB free" */
static void put_finding(struct buf *b, const struct terminal *t, size_t number,
                        const struct doctor_finding *f)
{
    const char *state = doctor_state_name(f->state);

    buf_printf(b, "%2zu  %-*s%s%-7s%s   ", number, NAME_COLUMNS, f->name,
               terminal_style(t, styles[f->state]), state, terminal_style(t, STYLE_PLAIN));
    text_wrap(b, f->detail, TEXT_AT, TEXT_AT, t->columns);
    buf_put_char(b, '\n');
    if (!f->remedy.n)
        return;
    buf_printf(b, "%*s", TEXT_AT, "");
    buf_put(b, S("mend: "));
    text_wrap(b, f->remedy, TEXT_AT + 6, TEXT_AT + 6, t->columns);
    buf_put_char(b, '\n');
}

static void put_count(struct buf *b, size_t n, const char *one)
{
    buf_printf(b, "%zu %s%s", n, one, n == 1 ? "" : "s");
}

static void put_text(struct buf *b, const struct terminal *t, const struct doctor_report *r)
{
    enum doctor_state worst = r->failures ? DOCTOR_FAIL : r->warnings ? DOCTOR_WARN : DOCTOR_OK;

    for (size_t i = 0; i < r->count; i++)
        put_finding(b, t, i + 1, &r->findings[i]);
    buf_printf(b, "\n%s", terminal_style(t, styles[worst]));
    if (worst == DOCTOR_OK) {
        buf_put(b, S("everything is as it should be"));
    } else {
        put_count(b, r->failures, "failure");
        buf_put(b, S(", "));
        put_count(b, r->warnings, "warning");
    }
    buf_printf(b, "%s\n", terminal_style(t, STYLE_PLAIN));
}

static void put_json(struct buf *b, const struct doctor_report *r)
{
    json_open(b, '{');
    json_member_bool(b, S("ok"), r->failures == 0);
    json_member_u64(b, S("failures"), r->failures);
    json_member_u64(b, S("warnings"), r->warnings);
    json_key(b, S("checks"));
    json_open(b, '[');
    for (size_t i = 0; i < r->count; i++) {
        const struct doctor_finding *f = &r->findings[i];
        json_open(b, '{');
        json_member_u64(b, S("number"), i + 1);
        json_member_str(b, S("name"), str_from(f->name));
        json_member_str(b, S("status"), str_from(doctor_state_name(f->state)));
        json_member_str(b, S("detail"), f->detail);
        json_member_str(b, S("remedy"), f->remedy);
        json_close(b, '}');
    }
    json_close(b, ']');
    json_close(b, '}');
    buf_put_char(b, '\n');
}

static err doctor_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct terminal t = terminal_of(cli->out, cli->environment);
    const struct config_sources sources = cli_config_sources(cli);
    CLEANUP(buf_close) struct buf b = BUF(OUT_BYTES_MAX);
    struct doctor_report report;

    (void)args;
    doctor_examine(cx, &sources, NULL, &report);
    if (cli->json)
        put_json(&b, &report);
    else
        put_text(&b, &t, &report);
    TRY(buf_check(cx, &b, "the answer"));
    TRY(cli_write(cx, cli, buf_str(&b)));
    cli->answered = true;
    return report.failures ? ERR_INVALID : ERR_OK;
}

const struct command doctor_command = {
    .name = "doctor",
    .summary = "look for what stands in a server's way, and say how to mend it",
    .details =
        "Looks at the configuration, the data folder and its stores, disk, clock, limits, port and "
        "the running server, as the user that runs it. Changes nothing.\n"
        "Exit status: 0 nothing fails (there may be warnings), 1 something does.",
    .examples = "chancery doctor --data ./data\n"
                "chancery doctor --json --config /etc/chancery/chancery.yaml\n",
    .run = doctor_run,
};
