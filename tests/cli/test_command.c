/* test_command.c - command lines through cli_main(): what commands get, what people read. */
#include "base/fs.h"
#include "base/json.h"
#include "base/json_write.h"
#include "cli/commands.h"
#include "test.h"
#include <stdlib.h>

struct try_args {
    bool fast;
    str text, path, format;
    uint64_t count, size;
    int64_t wait, since;
    struct strs tags;
};

/* clang-format off */
static const struct cli_option try_options[] = {
    OPTION(try_args, fast, OPT_FLAG, .letter = 'f', .help = "be fast"),
    OPTION(try_args, text, OPT_TEXT, .letter = 't', .value = "TEXT", .env = "CHANCERY_TRY_TEXT", .help = "some text"),
    OPTION(try_args, path, OPT_PATH, .value = "FILE", .help = "it's a file"),
    OPTION(try_args, format, OPT_CHOICE, .fallback = "csv", .choices = "csv|ndjson", .help = "form"),
    OPTION(try_args, count, OPT_COUNT, .letter = 'n', .fallback = "50", .min = 1, .max = 1000, .help = "how many of a thing whose explanation is so long that it does not fit on one line of a terminal"),
    OPTION(try_args, size, OPT_SIZE, .help = "how large"),
    OPTION(try_args, wait, OPT_DURATION, .help = "how long"),
    OPTION(try_args, since, OPT_TIME, .help = "from when"),
    OPTION(try_args, tags, OPT_TEXTS, .value = "TAG", .help = "labels"),
    {.name = NULL},
};
/* clang-format on */

/* What the command got, as one line. */
static err try_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct try_args *a = args;

    TRY(cli_print(cx, cli, "%d %.*s %.*s %.*s %ju %ju %jd %jd", a->fast, STR_FMT(a->text),
                  STR_FMT(a->path), STR_FMT(a->format), (uintmax_t)a->count, (uintmax_t)a->size,
                  (intmax_t)a->wait, (intmax_t)a->since));
    for (size_t i = 0; i < a->tags.count; i++)
        TRY(cli_print(cx, cli, " #%.*s", STR_FMT(a->tags.items[i])));
    for (size_t i = 0; i < cli->operands.count; i++)
        TRY(cli_print(cx, cli, " [%.*s]", STR_FMT(cli->operands.items[i])));
    for (size_t i = 0; i < cli->setting_count; i++)
        TRY(cli_print(cx, cli, " %.*s=%.*s", STR_FMT(cli->settings[i].name),
                      STR_FMT(cli->settings[i].value)));
    return cli_print(cx, cli, "\n");
}

struct need_args {
    str name;
};

static const struct cli_option need_options[] = {
    OPTION(need_args, name, OPT_TEXT, .value = "NAME", .required = true, .help = "its name"),
    {.name = NULL},
};

static err need_run(struct ctx *cx, struct cli *cli, const void *args)
{
    (void)cli, (void)args;
    ctx_add_issue(cx, S("/name"), "is taken");
    ctx_add_issue(cx, S("/age"), "is missing");
    return fail(cx, ERR_CONFLICT, "the thing cannot be made");
}

static err no_run(struct ctx *cx, struct cli *cli, const void *args)
{
    (void)args;
    cli->answered = true;
    TRY(cli_print(cx, cli, "it is not so\n"));
    return fail(cx, ERR_INVALID, "no");
}

static const struct command try_command = {
    .name = "try",
    .summary = "try all options",
    .operands = "[FILE...]",
    .operands_max = 3,
    .options = try_options,
    .args_bytes = sizeof(struct try_args),
    .run = try_run,
    .examples = "chancery try -f a\nchancery try b\n",
};
static const struct command need_command = {
    .name = "need",
    .summary = "need things",
    .operands = "THING",
    .operands_min = 1,
    .operands_max = 1,
    .options = need_options,
    .args_bytes = sizeof(struct need_args),
    .run = need_run,
};
static const struct command no_command = {.name = "no", .summary = "say no", .run = no_run};
static const struct command *const group_subs[] = {&need_command, &no_command, NULL};
static const struct command group_command = {.name = "group", .summary = "more", .sub = group_subs};
static const struct command *const commands[] = {
    &try_command,     &group_command, &config_command, &completion_command, &help_command,
    &version_command, NULL,
};

struct result {
    int status;
    str out, err;
};

static struct result run_in(struct ctx *cx, const char *const *environment, const char *line)
{
    const char *argv[64] = {"chancery"};
    char *out = NULL, *error = NULL;
    size_t out_n = 0, error_n = 0, argc = 1;
    struct result r;
    struct cli cli = {.environment = environment, .commands = commands};

    for (str rest = arena_str(cx->mem, str_from(line)); rest.n > 0;)
        argv[argc++] = arena_z(cx->mem, str_cut(&rest, ' '));
    cli.out = open_memstream(&out, &out_n);
    cli.err = open_memstream(&error, &error_n);
    r.status = cli_main(&cli, argv);
    fclose(cli.out);
    fclose(cli.err);
    r.out = arena_str(cx->mem, (str){out, out_n});
    r.err = arena_str(cx->mem, (str){error, error_n});
    free(out);
    free(error);
    return r;
}

static struct result run(struct ctx *cx, const char *line)
{
    static const char *const none[] = {NULL};

    return run_in(cx, none, line);
}

TEST(command_lines_are_parsed)
{
    static const struct {
        const char *line, *want;
    } rows[] = {
        {"try", "0   csv 50 0 0 0\n"},
        {"try -f", "1   csv 50 0 0 0\n"},
        {"try --fast --text x --path=p", "1 x p csv 50 0 0 0\n"},
        {"try --text= a", "0   csv 50 0 0 0 [a]\n"},
        {"try --text=a=b", "0 a=b  csv 50 0 0 0\n"},
        {"try -fn7 a", "1   csv 7 0 0 0 [a]\n"},
        {"try -n 7 -t -x", "0 -x  csv 7 0 0 0\n"},
        {"try a -n 1000 b -f c", "1   csv 1000 0 0 0 [a] [b] [c]\n"},
        {"try -- -f --text", "0   csv 50 0 0 0 [-f] [--text]\n"},
        {"try -", "0   csv 50 0 0 0 [-]\n"},
        {"try --format ndjson --size 64KiB --wait 15m", "0   ndjson 50 65536 900000000000 0\n"},
        {"try --since 1970-01-01T00:00:01Z", "0   csv 50 0 0 1000000\n"},
        {"try --tags a --tags=b", "0   csv 50 0 0 0 #a #b\n"},
        {"try -n 1 -n 2", "0   csv 2 0 0 0\n"},
        {"--json try", "0   csv 50 0 0 0\n"},
        {"try --http.listen=x:1", "0   csv 50 0 0 0 http.listen=x:1\n"},
        {"try --http.listen x:1 --log.level=warn",
         "0   csv 50 0 0 0 http.listen=x:1 log.level=warn\n"},
        {"try --http.behind_tls_proxy a", "0   csv 50 0 0 0 [a] http.behind_tls_proxy=true\n"},
        {"--data d try --set log.level=warn", "0   csv 50 0 0 0 log.level=warn data.dir=d\n"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct result r = run(cx, rows[i].line);

        CHECK_STR(r.err, S(""));
        CHECK_STR(r.out, str_from(rows[i].want));
        CHECK_EQ(r.status, 0);
    }
}

TEST(command_wrong_lines_are_explained)
{
    static const struct {
        const char *line, *want;
    } rows[] = {
        {"tyr", "there is no command 'tyr'; did you mean 'try'?"},
        {"group ned x", "there is no command 'group ned'; did you mean 'need'?"},
        {"help confg", "there is no command 'confg'; did you mean 'config'?"},
        {"help config shwo", "there is no command 'shwo'; did you mean 'show'?"},
        {"try --fats", "there is no option '--fats' of try; did you mean '--fast'?"},
        {"try --http.lisen=1",
         "there is no option '--http.lisen' of try; did you mean '--http.listen'?"},
        {"--jsn try", "there is no option '--jsn'; did you mean '--json'?"},
        {"try -z", "there is no option '-z' of try"},
        {"try -fz", "there is no option '-z' of try"},
        {"try --fast=1", "--fast takes no value"},
        {"try --text", "--text needs a value"},
        {"try -n", "-n needs a value"},
        {"try --http.listen", "--http.listen needs a value"},
        {"try -n x", "-n is 'x' but must be a whole number"},
        {"try --count 0", "--count is '0' but must be a number from 1 to 1000"},
        {"try --count -1", "--count is '-1' but must be a whole number"},
        {"try --format xml", "--format is 'xml' but must be one of csv, ndjson"},
        {"try --size huge", "--size is 'huge' but must be a size"},
        {"try --wait soon", "--wait is 'soon' but must be a duration"},
        {"try --since yesterday", "--since is 'yesterday' but must be a time"},
        {"try --path=", "--path is '' but must be a path"},
        {"try --set log.level", "--set needs NAME=VALUE, not 'log.level'"},
        {"try a b c d", "try takes 3 of [FILE...] at most, not 4"},
        {"group need x", "group need needs --name NAME"},
        {"group need --name n", "group need needs THING"},
        {"group no x", "group no takes no 'x'"},
        {"group", "group: a command is needed"},
        {"--quiet", "a command is needed"},
        {"completion tcsh", "bash, zsh and fish, not for 'tcsh'"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct result r = run(cx, rows[i].line);

        CHECK_HOLDS(r.err, rows[i].want);
        CHECK_HOLDS(r.err, "--help'");
        CHECK_STR(r.out, S(""));
        CHECK_EQ(r.status, 2);
    }
}

TEST(command_variables_stand_in_for_options)
{
    static const char *const environment[] = {"CHANCERY_TRY_TEXT=from-env", "CHANCERY_URL=http://u",
                                              NULL};

    CHECK_STR(run_in(cx, environment, "try").out, S("0 from-env  csv 50 0 0 0\n"));
    CHECK_STR(run_in(cx, environment, "try -t mine").out, S("0 mine  csv 50 0 0 0\n"));
}

/* With --json a program reads one document from standard output, good or bad. */
TEST(command_failures_are_rendered_for_people_and_programs)
{
    CLEANUP(json_parser_cleanup) struct json_parser *parser = json_parser_open();
    struct result text = run(cx, "group need --name n thing");
    struct result json = run(cx, "group need --name n thing --json");
    struct result usage = run(cx, "group need --nmae n thing --json");
    struct json v, detail;

    CHECK_EQ(text.status, 1);
    CHECK_STR(text.out, S(""));
    CHECK_STR(text.err,
              S("chancery: the thing cannot be made\n  /name: is taken\n  /age: is missing\n"));

    CHECK_EQ(json.status, 1);
    CHECK_STR(json.err, S(""));
    CHECK_STR(
        json.out,
        S("{\"error\":{\"code\":\"CONFLICT\",\"detail\":\"the thing cannot be made\",\"errors\":["
          "{\"pointer\":\"/name\",\"detail\":\"is taken\"},"
          "{\"pointer\":\"/age\",\"detail\":\"is missing\"}]}}\n"));

    CHECK_EQ(usage.status, 2);
    CHECK_STR(usage.err, S(""));
    CHECK_OK(json_parse(cx, parser, usage.out, &v));
    CHECK(json_pointer_get(v, S("/error/detail"), &detail));
    CHECK_HOLDS(json_str(detail), "--nmae");
}

TEST(command_that_has_answered_no_gives_only_the_status)
{
    struct result r = run(cx, "group no");

    CHECK_STR(r.out, S("it is not so\n"));
    CHECK_STR(r.err, S(""));
    CHECK_EQ(r.status, 1);
}

TEST(command_output_that_cannot_be_written_is_a_failure)
{
    static const char *const argv[] = {"chancery", "version", NULL}, *const none[] = {NULL};
    char *error = NULL;
    size_t error_n = 0;
    struct cli cli = {.environment = none, .commands = commands, .out = fopen("/dev/full", "w")};

    CHECK(cli.out);
    cli.err = open_memstream(&error, &error_n);
    CHECK_EQ(cli_main(&cli, argv), 3);
    fclose(cli.err);
    CHECK_HOLDS(str_from(error), "No space left");
    err_ignore(fclose(cli.out) ? ERR_IO : ERR_OK);
    free(error);
}

/* --- help --- */

static void check_help(struct ctx *cx, str help, const struct cli_option *options)
{
    for (; options && options->name; options++) {
        CLEANUP(buf_close) struct buf name = BUF(256);

        buf_printf(&name, "--%s", options->name);
        for (size_t i = 2; i < name.n; i++)
            name.p[i] = name.p[i] == '_' ? '-' : name.p[i];
        CHECK_HOLDS(help, name.p);
        if (options->letter)
            CHECK_HOLDS(help, arena_printf(cx->mem, "-%c, ", options->letter).p);
        if (options->fallback)
            CHECK_HOLDS(help, arena_printf(cx->mem, "[default: %s]", options->fallback).p);
    }
}

static void check_width(str text)
{
    while (text.n > 0)
        CHECK(text_columns(str_cut(&text, '\n')) <= 80);
}

static void check_help_below(struct ctx *cx, const char *path, const struct command *const *table)
{
    for (; table && *table; table++) {
        const char *line = arena_printf(cx->mem, "%s%s", path, (*table)->name).p;
        struct result help = run(cx, arena_printf(cx->mem, "help %s", line).p);
        struct result flag = run(cx, arena_printf(cx->mem, "%s --help", line).p);

        CHECK_EQ(help.status, 0);
        CHECK_STR(help.out, flag.out);
        CHECK_HOLDS(help.out, (*table)->summary);
        check_help(cx, help.out, (*table)->options);
        check_help(cx, help.out, cli_global_options);
        check_width(help.out);
        CHECK(str_find_char(help.out, '\033') == help.out.n);
        check_help_below(cx, arena_printf(cx->mem, "%s ", line).p, (*table)->sub);
    }
}

TEST(command_help_has_every_command_and_option_in_80_columns)
{
    struct result front = run(cx, "help");

    CHECK_EQ(front.status, 0);
    CHECK_STR(front.out, run(cx, "--help").out);
    check_width(front.out);
    for (size_t i = 0; commands[i]; i++) {
        CHECK_HOLDS(front.out, commands[i]->name);
        CHECK_HOLDS(front.out, commands[i]->summary);
    }
    check_help_below(cx, "", commands);
    CHECK_HOLDS(run(cx, "help try").out, "  chancery try -f a\n  chancery try b\n");
}

TEST(command_without_words_shows_help_and_fails)
{
    struct result r = run(cx, "");

    CHECK_EQ(r.status, 2);
    CHECK_STR(r.out, S(""));
    CHECK_STR(r.err, run(cx, "help").out);
}

/* --- completion --- */

static void check_completion(str script, const char *prefix, const struct command *const *table)
{
    for (; table && *table; table++) {
        CHECK_HOLDS(script, (*table)->name);
        for (const struct cli_option *o = (*table)->options; o && o->name; o++) {
            CLEANUP(buf_close) struct buf name = BUF(256);

            buf_printf(&name, "%s%s", prefix, o->name);
            CHECK_HOLDS(script, name.p);
        }
        check_completion(script, prefix, (*table)->sub);
    }
}

TEST(completion_knows_every_command_and_option)
{
    check_completion(run(cx, "completion bash").out, "--", commands);
    check_completion(run(cx, "completion zsh").out, "--", commands);
    check_completion(run(cx, "completion fish").out, "-l ", commands);
}

/* A help text with an apostrophe must not end the quotes: bash itself is asked. */
TEST(completion_is_a_good_shell_script)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};

    for (size_t i = 0; i < COUNT(shells); i++) {
        struct result r = run(cx, arena_printf(cx->mem, "completion %s", shells[i]).p);
        const char *find = arena_printf(cx->mem, "command -v %s >/dev/null", shells[i]).p;
        const char *check = arena_printf(cx->mem, "%s -n %s/script", shells[i], dir).p;

        CHECK_EQ(r.status, 0);
        CHECK_OK(fs_replace(cx, fs_real(), dir, "script", r.out));
        if (system(find) == 0)
            CHECK_EQ(system(check), 0);
    }
}

/* --- the commands of this folder --- */

TEST(config_show_tells_value_and_origin)
{
    const char *line =
        arena_printf(cx->mem, "config show --origin --data %s --http.loops=3", dir).p;
    struct result text, json;
    CLEANUP(json_parser_cleanup) struct json_parser *parser = json_parser_open();
    struct json v, value;

    CHECK_OK(fs_replace(cx, fs_real(), dir, "chancery.yaml", S("http:\n  workers: 9\n")));
    text = run(cx, line);
    CHECK_EQ(text.status, 0);
    CHECK_HOLDS(text.out, "--http.loops");
    CHECK_HOLDS(text.out, "chancery.yaml:2:3");
    json = run(cx, arena_printf(cx->mem, "%s --json --changed", line).p);
    CHECK_EQ(json.status, 0);
    CHECK_OK(json_parse(cx, parser, json.out, &v));
    CHECK(json_pointer_get(v, S("/settings/1/name"), &value));
    CHECK_STR(json_str(value), S("http.loops"));
    CHECK(json_pointer_get(v, S("/settings/1/origin"), &value));
    CHECK_STR(json_str(value), S("flag"));
    CHECK(json_pointer_get(v, S("/settings/2/where"), &value));
    CHECK_HOLDS(json_str(value), "chancery.yaml:2:3");
}

TEST(config_commands_never_print_secrets)
{
    static const char *const environment[] = {"CHANCERY_VAULT_MASTER_KEY=hunter2", NULL};
    static const char *const lines[] = {"config show",          "config show --json",
                                        "config show --origin", "config check",
                                        "config docs",          "config check --log.level=x"};

    for (size_t i = 0; i < COUNT(lines); i++) {
        struct result r = run_in(cx, environment, lines[i]);

        CHECK_EQ(str_find(r.out, S("hunter2")), r.out.n);
        CHECK_EQ(str_find(r.err, S("hunter2")), r.err.n);
    }
}

TEST(config_check_lists_everything_wrong)
{
    struct result r;
    const char *line = arena_printf(cx->mem, "config check --data %s", dir).p;

    CHECK_OK(
        fs_replace(cx, fs_real(), dir, "chancery.yaml", S("http:\n  workers: 0\n  nope: 1\n")));
    r = run(cx, line);
    CHECK_EQ(r.status, 2);
    CHECK_HOLDS(r.err, "chancery.yaml:2:3: http.workers is '0'");
    CHECK_HOLDS(r.err, "chancery.yaml:3:3: there is no setting 'http.nope'");
    CHECK_OK(fs_replace(cx, fs_real(), dir, "chancery.yaml", S("http:\n  workers: 1\n")));
    r = run(cx, line);
    CHECK_EQ(r.status, 0);
    CHECK_HOLDS(r.out, "is good");
}
