/* command.c - one way through every command: parse, run, render the failure, say the exit status.
 */
#include "cli/command.h"
#include "base/json_write.h"
#include "cli/option.h"
#include "cli/usage.h"

enum { CLI_ERROR_BYTES_MAX = 1 << 20 };

/* clang-format off */
const struct cli_option cli_global_options[] = {
    OPTION(cli, data, OPT_PATH, .value = "DIR", .help = "data folder, the setting data.dir"),
    OPTION(cli, config, OPT_PATH, .value = "FILE", .env = "CHANCERY_CONFIG",
           .help = "configuration file instead of DIR/chancery.yaml"),
    OPTION(cli, set, OPT_TEXTS, .value = "NAME=VALUE",
           .help = "any setting; --group.name=VALUE is the same"),
    OPTION(cli, url, OPT_TEXT, .value = "URL", .env = "CHANCERY_URL",
           .help = "talk to this server instead of opening a data folder"),
    OPTION(cli, key, OPT_TEXT, .value = "KEY", .env = "CHANCERY_KEY", .help = "API key for --url"),
    OPTION(cli, json, OPT_FLAG, .help = "write JSON for programs, errors too"),
    OPTION(cli, quiet, OPT_FLAG, .letter = 'q', .help = "no progress and no notes"),
    OPTION(cli, help, OPT_FLAG, .letter = 'h', .help = "explain the command"),
    OPTION(cli, version, OPT_FLAG, .help = "tell the version"),
    {.name = NULL},
};
/* clang-format on */

/* --- output --- */

err cli_write(struct ctx *cx, struct cli *cli, str bytes)
{
    if (bytes.n > 0 && fwrite(bytes.p, 1, bytes.n, cli->out) != bytes.n)
        return fail_errno(cx, ERR_IO, "standard output");
    return ERR_OK;
}

err cli_print(struct ctx *cx, struct cli *cli, const char *fmt, ...)
{
    SCRATCH(tmp, cx);
    va_list ap;
    str text;

    va_start(ap, fmt);
    text = arena_vprintf(tmp.mem, fmt, ap);
    va_end(ap);
    return cli_write(cx, cli, text);
}

void cli_note(struct cli *cli, const char *fmt, ...)
{
    va_list ap;

    if (cli->quiet || cli->json)
        return;
    va_start(ap, fmt);
    vfprintf(cli->err, fmt, ap);
    va_end(ap);
    fputc('\n', cli->err);
}

/* --- failure --- */

/* The same code as in the API's problem documents. */
static void put_error_json(struct buf *b, const struct ctx *cx, err e)
{
    json_open(b, '{');
    json_key(b, S("error"));
    json_open(b, '{');
    json_member_str(b, S("code"), str_from(err_name(e)));
    json_member_str(b, S("detail"), str_from(cx->detail[0] ? cx->detail : err_text(e)));
    json_key(b, S("errors"));
    json_open(b, '[');
    for (size_t i = 0; i < cx->issue_count; i++) {
        json_open(b, '{');
        json_member_str(b, S("pointer"), cx->issues[i].pointer);
        json_member_str(b, S("detail"), cx->issues[i].detail);
        json_close(b, '}');
    }
    json_close(b, ']');
    json_close(b, '}');
    json_close(b, '}');
    buf_put_char(b, '\n');
}

/* With one wrong place the detail already says it. */
static void print_error(const struct ctx *cx, const struct cli *cli, err e)
{
    const struct terminal t = terminal_of(cli->err, cli->environment);

    fprintf(cli->err, "%schancery:%s %s\n", terminal_style(&t, STYLE_BAD),
            terminal_style(&t, STYLE_PLAIN), cx->detail[0] ? cx->detail : err_text(e));
    for (size_t i = 0; i < cx->issue_count && cx->issue_count > 1; i++)
        fprintf(cli->err, "  %.*s: %.*s\n", STR_FMT(cx->issues[i].pointer),
                STR_FMT(cx->issues[i].detail));
    if (e == ERR_USAGE)
        fprintf(cli->err, "Try 'chancery %s%s--help'.\n", cli->path ? cli->path : "",
                cli->path ? " " : "");
}

static void render_error(const struct ctx *cx, struct cli *cli, err e)
{
    CLEANUP(buf_close) struct buf b = BUF(CLI_ERROR_BYTES_MAX);

    if (cli->answered)
        return;
    if (!cli->json) {
        print_error(cx, cli, e);
        return;
    }
    put_error_json(&b, cx, e);
    fwrite(b.p, 1, b.n, cli->out);
}

/* --- configuration --- */

struct config_sources cli_config_sources(const struct cli *cli)
{
    return (struct config_sources){
        .fs = fs_real(),
        .file = cli->config,
        .environment = cli->environment,
        .flags = cli->settings,
        .flag_count = cli->setting_count,
    };
}

err cli_config(struct ctx *cx, struct cli *cli, struct config *out)
{
    const struct config_sources sources = cli_config_sources(cli);

    return config_load(cx, &sources, out);
}

err cli_set(struct ctx *cx, struct cli *cli, str name, str value)
{
    if (cli->setting_count == SETTINGS_MAX)
        return fail(cx, ERR_USAGE, "more than %d settings on the command line", SETTINGS_MAX);
    cli->settings[cli->setting_count++] = (struct config_setting){name, value};
    return ERR_OK;
}

/* --- main --- */

/* So that a usage error is rendered as JSON too, whatever is wrong before the flag. */
static bool wants_json(const char *const *argv)
{
    for (; *argv && strcmp(*argv, "--") != 0; argv++)
        if (strcmp(*argv, "--json") == 0)
            return true;
    return false;
}

static err run(struct ctx *cx, struct cli *cli, const char *const *argv)
{
    void *args = NULL;

    if (!argv[0] || !argv[1]) {
        usage_print(cli, cli->err);
        cli->answered = true;
        return fail(cx, ERR_USAGE, "a command is needed");
    }
    TRY(cli_parse(cx, cli, argv, &args));
    if (cli->version)
        return cli_print(cx, cli, "chancery %s\n", CHANCERY_VERSION);
    if (cli->help) {
        usage_print(cli, cli->out);
        return ERR_OK;
    }
    return cli->command->run(cx, cli, args);
}

int cli_main(struct cli *cli, const char *const *argv)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    err e;

    cli->json = wants_json(argv);
    e = run(cx, cli, argv);
    if (e != ERR_OK)
        render_error(cx, cli, e);
    /* What could not be written was not answered. */
    if (fflush(cli->out) != 0 && e == ERR_OK) {
        e = fail_errno(cx, ERR_IO, "standard output");
        print_error(cx, cli, e);
    }
    return err_exit_status(e);
}
