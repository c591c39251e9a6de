/* rebuild.c - `chancery rebuild`. */
#include "base/clock.h"
#include "base/json_write.h"
#include "cli/commands.h"
#include "ops/app_open.h"

static void draw(void *state, uint64_t done, uint64_t total)
{
    struct progress *p = state;

    p->total = total;
    progress_update(p, done, clock_mono_ns());
}

static err rebuild_run(struct ctx *cx, struct cli *cli, const void *args)
{
    struct progress p = progress_open(terminal_of(cli->err, cli->environment), "folding", 0, false,
                                      cli->quiet || cli->json, clock_mono_ns());
    struct config config;

    (void)args;
    TRY(cli_config(cx, cli, &config));
    err e = app_rebuild(cx, &config, draw, &p);
    progress_close(&p, clock_mono_ns());
    TRY(e);
    if (cli->json)
        return cli_print(cx, cli, "{\"ok\":true,\"entries\":%llu}\n", (unsigned long long)p.total);
    return cli_print(cx, cli, "The view was made anew from %llu entries.\n",
                     (unsigned long long)p.total);
}

const struct command rebuild_command = {
    .name = "rebuild",
    .summary = "make the view anew from the ledger",
    .details = "The view holds nothing that the ledger does not: it is folded again into a new "
               "file, which "
               "then takes the place of the old one. The server must not be running.",
    .examples = "chancery rebuild --data ./data\n",
    .run = rebuild_run,
};
