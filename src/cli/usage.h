/* usage.h - help texts made from the tables.  Inner header of src/cli. */
#pragma once
#include "cli/command.h"

/* Help for cli->command, or for all of Chancery when none was named. */
void usage_print(const struct cli *cli, FILE *to);
/* The words behind an option: "one of a, b [default: a] [env: X]". */
void usage_put_option_help(struct buf *b, const struct cli_option *o);
