/* version.c - `chancery version`. */
#include "base/json_write.h"
#include "cli/commands.h"

static err version_run(struct ctx *cx, struct cli *cli, const void *args)
{
    CLEANUP(buf_close) struct buf b = BUF(1024);

    (void)args;
    if (!cli->json)
        return cli_print(cx, cli, "chancery %s\n", CHANCERY_VERSION);
    json_open(&b, '{');
    json_member_str(&b, S("version"), S(CHANCERY_VERSION));
    json_member_str(&b, S("compiler"), S(__VERSION__));
    json_close(&b, '}');
    buf_put_char(&b, '\n');
    return cli_write(cx, cli, buf_str(&b));
}

const struct command version_command = {
    .name = "version",
    .summary = "tell the version",
    .run = version_run,
};
