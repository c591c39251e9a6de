/* main.c - the table of commands. */
#include "cli/commands.h"
#include <unistd.h>

static const struct command *const commands[] = {
    &init_command,       &serve_command, &rebuild_command, &config_command,
    &completion_command, &help_command,  &version_command, NULL,
};

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
