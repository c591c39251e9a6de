/* main.c - the table of commands. */
#include "cli/commands.h"
#include <unistd.h>

/* In the order of the front page of the help. */
/* clang-format off */
static const struct command *const commands[] = {
    &init_command, &serve_command,
    &ingest_command, &query_command, &tail_command, &stats_command, &export_command,
    &verify_command, &prove_command, &check_command,
    &key_command, &user_command, &health_command, &doctor_command, &monitor_command, &bench_command, &witness_command,
    &rebuild_command, &config_command, &completion_command, &help_command, &version_command,
    NULL,
};
/* clang-format on */

int main(int argc, char **argv)
{
    struct cli cli = {
        .out = stdout,
        .err = stderr,
        .environment = (const char *const *)environ,
        .commands = commands,
    };

    (void)argc;
    return cli_main(&cli, (const char *const *)argv);
}
