/* bench.c - `chancery bench`: how fast is it here, beside how fast the machine is.
 *
 * Parts run in the order of the table, which is the order in which they need each other: what reads
 * needs the events that bulk sent, what restarts the server comes last. */
#include "cli/bench.h"
#include "base/clock.h"
#include "cli/commands.h"
#include <stdlib.h>

struct bench_args {
    str events, dir, seed;
    uint64_t connections;
    int64_t duration;
};

/* ---- parts ---- */

enum needs { NEEDS_NOTHING = 0, NEEDS_SERVER = 1, NEEDS_EVENTS = 2, NEEDS_OWN = 4 };

static err note_idle(struct ctx *cx, struct bench *b)
{
    (void)cx;
    bench_note(b, FIGURE_MEMORY_IDLE, (double)bench_server_resident(b->server));
    return ERR_OK;
}

/* clang-format off */
static const struct part {
    const char *name;
    bench_part *run;
    unsigned needs;
    const char *doc;
} parts[] = {
    {"append",  bench_append,  NEEDS_NOTHING,                             "the engine without HTTP"},
    {"memory",  note_idle,     NEEDS_SERVER | NEEDS_EVENTS | NEEDS_OWN,   "resident memory, idle and loaded"},
    {"bulk",    bench_bulk,    NEEDS_SERVER,                              "NDJSON over one connection"},
    {"single",  bench_single,  NEEDS_SERVER,                              "one event a request"},
    {"proof",   bench_proof,   NEEDS_SERVER,                              "from an answer to its proof"},
    {"get",     bench_get,     NEEDS_SERVER | NEEDS_EVENTS,               "one entry by its index"},
    {"disk",    bench_disk,    NEEDS_SERVER | NEEDS_EVENTS,               "bytes of a sealed event"},
    {"newest",  bench_newest,  NEEDS_SERVER | NEEDS_EVENTS,               "newest 100 of an actor"},
    {"restart", bench_restart, NEEDS_SERVER | NEEDS_EVENTS | NEEDS_OWN,   "start after kill -9"},
    {"verify",  bench_verify,  NEEDS_SERVER | NEEDS_EVENTS | NEEDS_OWN,   "everything recomputed"},
};
/* clang-format on */
enum { BULK_PART = 2 };

static const char *const part_names[] = {"append", "memory", "bulk",    "single", "proof", "get",
                                         "disk",   "newest", "restart", "verify", NULL};

static err choose_parts(struct ctx *cx, const struct cli *cli, bool chosen[COUNT(parts)])
{
    for (size_t i = 0; i < COUNT(parts); i++)
        chosen[i] = cli->operands.count == 0;
    for (size_t o = 0; o < cli->operands.count; o++) {
        bool found = false;
        for (size_t i = 0; i < COUNT(parts); i++) {
            if (!str_eq(cli->operands.items[o], str_from(parts[i].name)))
                continue;
            chosen[i] = found = true;
        }
        if (!found)
            return fail(cx, ERR_USAGE, "'%.*s' is no part of the benchmark",
                        STR_FMT(cli->operands.items[o]));
    }
    return ERR_OK;
}

/* Whoever reads needs what bulk writes. */
static unsigned all_needs(bool chosen[COUNT(parts)])
{
    unsigned needs = 0;

    for (size_t i = 0; i < COUNT(parts); i++)
        needs |= chosen[i] ? parts[i].needs : 0;
    if (needs & NEEDS_EVENTS)
        chosen[BULK_PART] = true;
    return needs;
}

/* ---- the run ---- */

static bool is_own(const struct bench *b)
{
    return b->url.n == 0;
}

static err reach_server(struct ctx *cx, struct bench *b)
{
    if (is_own(b)) {
        cli_note(b->cli, "starting a server in %s", b->folder);
        TRY(bench_server_open(cx, b->cli, b->folder, &b->server));
        b->url = bench_server_url(b->server);
        b->key = bench_server_key(b->server);
    }
    return load_target_open(cx, b->url, b->key, &b->target);
}

static err run_parts(struct ctx *cx, struct bench *b, const bool chosen[COUNT(parts)])
{
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (!chosen[i] || (parts[i].needs & NEEDS_OWN && !b->server))
            continue;
        cli_note(b->cli, "%s: %s", parts[i].name, parts[i].doc);
        TRY(parts[i].run(cx, b));
    }
    return ERR_OK;
}

static err run_in_folder(struct ctx *cx, struct bench *b, bool chosen[COUNT(parts)])
{
    unsigned needs = all_needs(chosen);

    cli_note(b->cli, "measuring this machine");
    TRY(bench_calibrate(cx, b->folder, &b->calibration));
    if (needs & NEEDS_SERVER)
        TRY(reach_server(cx, b));
    TRY(run_parts(cx, b, chosen));
    return bench_print(cx, b);
}

/* ---- options ---- */

/* "2M", "500k" or a number. */
static err parse_events(struct ctx *cx, str text, uint64_t *out)
{
    static const struct {
        char letter;
        uint64_t times;
    } units[] = {{'k', 1000}, {'M', 1000000}, {'G', 1000000000}};
    uint64_t times = 1;
    str number = text;

    for (size_t i = 0; i < COUNT(units); i++)
        if (text.n > 1 && text.p[text.n - 1] == units[i].letter) {
            times = units[i].times;
            number.n--;
        }
    if (!str_to_u64(number, out) || *out == 0 || *out > UINT32_MAX / times * 4)
        return fail(cx, ERR_USAGE,
                    "--events is '%.*s' but must be a number like 500000, 500k or 2M",
                    STR_FMT(text));
    *out *= times;
    return ERR_OK;
}

/* Somebody else's server may have seen the events of seed 1. */
static err parse_seed(struct ctx *cx, str text, bool own, uint64_t *out)
{
    *out = own ? 1 : (uint64_t)clock_now_us();
    if (str_is_null(text) || str_to_u64(text, out))
        return ERR_OK;
    return fail(cx, ERR_USAGE, "--seed is '%.*s' but must be a number", STR_FMT(text));
}

static err bench_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct bench_args *a = args;
    bool chosen[COUNT(parts)];
    struct bench b = {
        .cli = cli,
        .url = cli->url,
        .key = cli->key,
        .connections = (unsigned)a->connections,
        .duration_ns = a->duration,
    };

    TRY(choose_parts(cx, cli, chosen));
    TRY(parse_events(cx, a->events, &b.events));
    TRY(parse_seed(cx, a->seed, is_own(&b), &b.seed));
    str name = arena_printf(cx->mem, "%.*s/chancery-bench-XXXXXX", STR_FMT(a->dir));
    char *folder = (char *)(uintptr_t)name.p;
    if (!mkdtemp(folder))
        return fail_errno(cx, ERR_IO, "%s", folder);
    b.folder = folder;
    b.made = bench_events_open(b.seed);
    err e = run_in_folder(cx, &b, chosen);
    bench_server_close(b.server);
    bench_events_close(b.made);
    bench_folder_remove(folder);
    return e;
}

static const struct cli_option bench_options[] = {
    OPTION(bench_args, events, OPT_TEXT, .letter = 'n', .value = "N", .fallback = "2M",
           .help = "events to send in bulk"),
    OPTION(bench_args, connections, OPT_COUNT, .letter = 'c', .value = "N", .fallback = "64",
           .min = 1, .max = 4096, .help = "keep-alive connections of single and get"),
    OPTION(bench_args, duration, OPT_DURATION, .letter = 't', .value = "TIME", .fallback = "5s",
           .help = "how long single and get run"),
    OPTION(bench_args, dir, OPT_PATH, .value = "DIR", .fallback = "/var/tmp", .env = "TMPDIR",
           .help = "where the temporary folder is made: the disk that is measured"),
    OPTION(bench_args, seed, OPT_TEXT, .value = "N",
           .help = "the same seed makes the same events [default: 1, with --url the time]"),
    {.name = NULL},
};

const struct command bench_command = {
    .name = "bench",
    .summary = "measure how fast it is on this machine",
    .operands = "[PART...]",
    .operands_max = COUNT(parts),
    .operand_help = "append, memory, bulk, single, proof, get, disk, newest, restart, verify; all "
                    "when none is named",
    .operand_choices = part_names,
    .details =
        "Starts a server in a temporary folder, or measures the one at --url, which keeps the "
        "events. Every figure stands beside a calibration of the same run, as a ratio: "
        "machines differ, ratios less. Parts that read need the events of bulk, which then "
        "runs too. Settings given with --set are those of the server.",
    .examples = "chancery bench\n"
                "chancery bench bulk --events 20M\n"
                "chancery bench append --json\n"
                "chancery bench single get --connections 256 --duration 10s\n",
    .options = bench_options,
    .args_bytes = sizeof(struct bench_args),
    .run = bench_run,
};
