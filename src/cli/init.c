/* init.c - `chancery init`. */
#include "base/json_write.h"
#include "cli/commands.h"
#include "ops/app_open.h"

struct init_args {
    str origin;
};

static const struct cli_option init_options[] = {
    OPTION(init_args, origin, OPT_TEXT, .value = "NAME",
           .help = "name of the log in its checkpoints, such as log.example.org/audit"),
    {0},
};

static err init_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct init_args *a = args;
    CLEANUP(buf_close) struct buf b = BUF(16 * 1024);
    struct config config;
    str vkey;

    TRY(cli_config(cx, cli, &config));
    TRY(app_init(cx, &config, a->origin, &vkey));
    if (!cli->json)
        return cli_print(cx, cli, "%.*s is ready.\nVerifier key of the log: %.*s\n",
                         STR_FMT(config.data_dir), STR_FMT(vkey));
    json_open(&b, '{');
    json_member_str(&b, S("data"), config.data_dir);
    json_member_str(&b, S("vkey"), vkey);
    json_close(&b, '}');
    buf_put_char(&b, '\n');
    return cli_write(cx, cli, buf_str(&b));
}

const struct command init_command = {
    .name = "init",
    .summary = "make a data folder with its keys",
    .details = "Makes the folder, the key that seals the vault (vault.key, keep a copy of it), the "
               "key that "
               "signs the log, and log.vkey, the public half that others verify with.",
    .examples =
        "chancery init --data ./data\nchancery init --data ./data --origin log.example.org/audit\n",
    .options = init_options,
    .args_bytes = sizeof(struct init_args),
    .run = init_run,
};
