/* option.h - from the words of a command line to filled structs.  Inner header of cli/command*.c.
 */
#pragma once
#include "cli/command.h"
#include "ops/suggest.h"

/* Fill the global options, find the command (cli->command, cli->path), fill its args (arena) and
 * gather operands and settings.  USAGE with the nearest name. */
err cli_parse(struct ctx *cx, struct cli *cli, const char *const *argv, void **out_args);
/* "--name" as it is typed: the member's name with dashes. */
str option_name(struct arena *mem, const struct cli_option *o);
/* Does the option take a value? */
bool option_takes_value(const struct cli_option *o);
const struct command *command_find(const struct command *const *table, str name);
/* Tries all names of a table. */
void command_suggest(struct suggestion *s, const struct command *const *table);
/* The value of a variable; null when it is not there. */
str environment_find(const char *const *environment, const char *name);
