/* help.c - `chancery help [COMMAND...]`. */
#include "cli/commands.h"
#include "cli/option.h"
#include "cli/usage.h"

/* As if "--help" had been given to the command that the words name. */
static err help_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct command *const *table = cli->commands;
    const struct command *c = NULL;
    str path = STR_NULL;

    (void)args;
    for (size_t i = 0; i < cli->operands.count; i++) {
        str word = cli->operands.items[i];
        struct suggestion near = suggest_begin(word);

        c = command_find(table, word);
        command_suggest(&near, table);
        if (!c)
            return fail(cx, ERR_USAGE, "there is no command '%.*s'%s", STR_FMT(word),
                        suggest_text(cx, &near));
        path = arena_printf(cx->mem, "%.*s%s%s", STR_FMT(path), path.n ? " " : "", c->name);
        table = c->sub;
    }
    cli->command = c;
    cli->path = path.p;
    usage_print(cli, cli->out);
    return ERR_OK;
}

const struct command help_command = {
    .name = "help",
    .summary = "explain a command",
    .operands = "[COMMAND...]",
    .operands_max = 3,
    .examples = "chancery help\nchancery help config show\n",
    .run = help_run,
};
