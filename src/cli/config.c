/* config.c - `chancery config check|show|docs`. */
#include "ops/config.h"
#include "base/json_write.h"
#include "cli/commands.h"

enum { CONFIG_OUTPUT_BYTES_MAX = 1 << 20 };

/* --- check --- */

static err check_run(struct ctx *cx, struct cli *cli, const void *args)
{
    struct config c;
    CLEANUP(buf_close) struct buf b = BUF(CONFIG_OUTPUT_BYTES_MAX);

    (void)args;
    TRY(cli_config(cx, cli, &c));
    if (!cli->json)
        return c.file.p ? cli_print(cx, cli, "the configuration is good (%.*s)\n", STR_FMT(c.file))
                        : cli_print(cx, cli, "the configuration is good (no file)\n");
    json_open(&b, '{');
    json_member_bool(&b, S("ok"), true);
    json_member_str(&b, S("file"), c.file);
    json_close(&b, '}');
    buf_put_char(&b, '\n');
    return cli_write(cx, cli, buf_str(&b));
}

static const struct command config_check_command = {
    .name = "check",
    .summary = "read all settings and name everything that is wrong",
    .details = "Exit status 2 when something is: unknown names, values out of bounds, a file that "
               "is not YAML.",
    .examples = "chancery config check --config /etc/chancery/chancery.yaml\n",
    .run = check_run,
};

/* --- show --- */

struct show_args {
    bool origin, changed;
};

static bool is_shown(const struct show_args *args, const struct config *c, size_t key)
{
    return !args->changed || c->origin[key].level != CONFIG_FROM_DEFAULT;
}

static void show_json(struct buf *b, const struct config *c, const struct show_args *args)
{
    json_open(b, '{');
    json_member_str(b, S("file"), c->file);
    json_key(b, S("settings"));
    json_open(b, '[');
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (!is_shown(args, c, i))
            continue;
        json_open(b, '{');
        json_member_str(b, S("name"), str_from(config_rows[i].name));
        json_key(b, S("value"));
        config_format_json(b, c, (enum config_key)i);
        json_member_str(b, S("origin"), str_from(config_level_name(c->origin[i].level)));
        json_member_str(b, S("where"), c->origin[i].where);
        json_close(b, '}');
    }
    json_close(b, ']');
    json_close(b, '}');
    buf_put_char(b, '\n');
}

static void show_text(struct ctx *cx, struct cli *cli, struct buf *b, const struct config *c,
                      const struct show_args *args)
{
    static const struct table_column columns[] = {
        {"SETTING", ALIGN_LEFT}, {"VALUE", ALIGN_LEFT}, {"FROM", ALIGN_LEFT}};
    const struct terminal t = terminal_of(cli->out, cli->environment);
    struct table table = table_open(cx->mem, columns, args->origin ? 3 : 2);
    CLEANUP(buf_close) struct buf value = BUF(CONFIG_OUTPUT_BYTES_MAX);

    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (!is_shown(args, c, i))
            continue;
        buf_clear(&value);
        config_format(&value, c, (enum config_key)i);
        table_add(&table, str_from(config_rows[i].name));
        table_add(&table, buf_str(&value));
        if (args->origin)
            table_add(&table, c->origin[i].where);
    }
    table_put(b, &table, &t);
}

static err show_run(struct ctx *cx, struct cli *cli, const void *args)
{
    struct config c;
    CLEANUP(buf_close) struct buf b = BUF(CONFIG_OUTPUT_BYTES_MAX);

    TRY(cli_config(cx, cli, &c));
    if (cli->json)
        show_json(&b, &c, args);
    else
        show_text(cx, cli, &b, &c, args);
    TRY(buf_check(cx, &b, "the settings"));
    return cli_write(cx, cli, buf_str(&b));
}

static const struct cli_option show_options[] = {
    OPTION(show_args, origin, OPT_FLAG, .help = "also tell where each value comes from"),
    OPTION(show_args, changed, OPT_FLAG, .help = "only what is not the default"),
    {.name = NULL},
};

static const struct command show_command = {
    .name = "show",
    .summary = "print every setting as it is now; secrets are not shown",
    .options = show_options,
    .args_bytes = sizeof(struct show_args),
    .examples = "chancery config show --origin\nchancery config show --changed --json\n",
    .run = show_run,
};

/* --- docs --- */

static err docs_run(struct ctx *cx, struct cli *cli, const void *args)
{
    CLEANUP(buf_close) struct buf b = BUF(CONFIG_OUTPUT_BYTES_MAX);

    (void)args;
    config_docs(&b);
    TRY(buf_check(cx, &b, "the documentation"));
    return cli_write(cx, cli, buf_str(&b));
}

static const struct command docs_command = {
    .name = "docs",
    .summary = "write the reference of all settings as Markdown",
    .examples = "chancery config docs >docs/configuration.md\n",
    .run = docs_run,
};

static const struct command *const config_subs[] = {&config_check_command, &show_command,
                                                    &docs_command, NULL};

const struct command config_command = {
    .name = "config",
    .summary = "check, show and document the settings",
    .sub = config_subs,
};
