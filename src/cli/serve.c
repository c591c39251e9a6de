/* serve.c - `chancery serve`. */
#include "cli/commands.h"
#include "ops/app_open.h"
#include "ops/server.h"
#include <signal.h>

struct serve_args {
    str listen;
};

static const struct cli_option serve_options[] = {
    OPTION(serve_args, listen, OPT_TEXT, .value = "ADDRESS",
           .help = "address and port; the same as --http.listen"),
    {0},
};

static err ready(struct ctx *cx, void *state, const char *address, str setup_url)
{
    struct cli *cli = state;

    if (setup_url.n) {
        cli_note(cli, "Make the first administrator (this link works once, for 24 hours):");
        cli_note(cli, "  %.*s", STR_FMT(setup_url));
    }
    TRY(cli_print(cx, cli, "listening on http://%s\n", address));
    fflush(cli->out);
    return ERR_OK;
}

/* Taken by the thread that waits for them; a write to a closed socket is an error, not a signal. */
static void hold_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static err serve_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct serve_args *a = args;
    struct server_hooks hooks = {ready, cli};
    struct config_sources sources;
    struct config config;

    if (a->listen.n)
        TRY(cli_set(cx, cli, S("http.listen"), a->listen));
    TRY(cli_config(cx, cli, &config));
    sources = cli_config_sources(cli);
    server_log(&config);
    hold_signals();
    return server_run(cx, &config, &sources, &hooks);
}

const struct command serve_command = {
    .name = "serve",
    .summary = "run the server",
    .details =
        "Serves the data folder (made by chancery init) until SIGTERM. When it answers requests it "
        "prints one line, \"listening on http://ADDRESS\", on standard output; its log goes to "
        "standard error.",
    .examples = "chancery serve --data ./data\nchancery serve --data ./data --listen 127.0.0.1:0\n",
    .options = serve_options,
    .args_bytes = sizeof(struct serve_args),
    .run = serve_run,
};
