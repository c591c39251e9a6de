/* command.h - commands as tables: one table drives parsing, --help, completion and the man page.
 *
 *   struct tail_args { str type; uint64_t limit; bool follow; };
 *   static const struct cli_option tail_options[] = {
 *       OPTION(tail_args, type, OPT_TEXT, .value = "TYPE", .help = "only events of this type"),
 *       OPTION(tail_args, limit, OPT_COUNT, .letter = 'n', .fallback = "50", .max = 1000, ...),
 *       OPTION(tail_args, follow, OPT_FLAG, .letter = 'f', .help = "go on as events come"),
 *       {0},
 *   };
 *   const struct command tail_command = {
 *       .name = "tail", .summary = "show the newest events", .run = tail_run,
 *       .options = tail_options, .args_bytes = sizeof(struct tail_args),
 *   };
 *
 * Exit statuses: 0 good, 1 the answer is no, 2 wrong usage or configuration, 3 I/O or other
 * failure.
 *
 * Output: what was asked for goes to `out`; progress, notes and error texts go to `err`.  With
 * --json `out` gets exactly one JSON document (or one per line where a command says so), also when
 * the command fails: then it is {"error":{"code","detail","errors":[{"pointer","detail"}]}}.  So a
 * program reads one stream and one exit status, and never has to parse text made for people. */
#pragma once
#include "base/base.h"
#include "cli/terminal.h"
#include "ops/config.h"

enum { OPERANDS_MAX = 4096, SETTINGS_MAX = 256 };

/* The kind says the type of the member that an option fills. */
enum option_kind {
    OPT_FLAG,     /* bool */
    OPT_TEXT,     /* str, NUL-terminated; null when absent without a fallback */
    OPT_PATH,     /* str; completed with file names */
    OPT_CHOICE,   /* str, one of `choices` */
    OPT_COUNT,    /* uint64_t within min and max */
    OPT_SIZE,     /* uint64_t bytes: 64KiB */
    OPT_DURATION, /* int64_t ns: 15m */
    OPT_TIME,     /* int64_t µs since 1970: RFC 3339; 0 when absent */
    OPT_TEXTS,    /* struct strs: may be given many times */
};

struct cli_option {
    const char *name; /* member name; '_' is written '-'.  NULL ends a table */
    enum option_kind kind;
    uint32_t offset;
    char letter; /* short form, or 0 */
    bool required;
    const char *value;    /* word for the value in help: "FILE" */
    const char *fallback; /* text as a user would write it; shown in help */
    const char *choices;  /* "ndjson|csv" */
    uint64_t min, max;    /* OPT_COUNT; 0,0 is none */
    const char *env;      /* variable that stands in when the option is absent */
    const char *help;     /* one line */
};

#define OPTION(type, member, kind_, ...)                                                           \
    {                                                                                              \
        .name = #member, .kind = (kind_), .offset = offsetof(struct type, member), __VA_ARGS__     \
    }

struct cli;

struct command {
    const char *name;
    const char *summary;  /* one line, lower case, no full stop */
    const char *operands; /* "FILE..." for the usage line; NULL: takes none */
    size_t operands_min, operands_max;
    const char *operand_help;           /* what the operands are; NULL when the usage says it */
    const char *const *operand_choices; /* NULL-ended words, for completion; NULL: file names */
    const char *details;              /* paragraphs, wrapped when shown, '\n' between them; NULL */
    const char *examples;             /* lines "command\n", shown as they are; NULL */
    const struct cli_option *options; /* NULL: only the global ones */
    size_t args_bytes;
    const struct command *const *sub; /* NULL-ended: `config show`; then `run` is NULL */
    /* `args` is the filled struct of args_bytes. */
    err (*run)(struct ctx *cx, struct cli *cli, const void *args);
};

/* What every command gets. */
struct cli {
    /* global options */
    str data, config, url, key;
    struct strs set; /* NAME=VALUE */
    bool json, quiet, help, version;

    struct strs operands;
    struct config_setting *settings; /* from --set and --group.name, in order */
    size_t setting_count;
    const struct command *command;
    const char *path; /* "config show" */
    bool answered;    /* set by a command that has written its answer, which is no: its failure then
                         gives the exit status and no text */

    FILE *out, *err;
    const char *const *environment;
    const struct command *const *commands; /* NULL-ended */
};

extern const struct cli_option cli_global_options[];

/* Parse, run, render a failure; the exit status of the process.  `argv` ends with NULL. */
int cli_main(struct cli *cli, const char *const *argv);

/* The configuration as the global options, environment and file make it; CONFIG. */
err cli_config(struct ctx *cx, struct cli *cli, struct config *out);
/* Where cli_config() reads; for loading it again.  Borrows from `cli`. */
struct config_sources cli_config_sources(const struct cli *cli);
/* As if --NAME=VALUE had been given: for options that stand for a setting. */
err cli_set(struct ctx *cx, struct cli *cli, str name, str value);
/* Write what was asked for; IO when it cannot be written. */
err cli_write(struct ctx *cx, struct cli *cli, str bytes);
err cli_print(struct ctx *cx, struct cli *cli, const char *fmt, ...) PRINTF(3, 4);
/* A line for people on `err`; nothing with --quiet or --json. */
void cli_note(struct cli *cli, const char *fmt, ...) PRINTF(2, 3);
