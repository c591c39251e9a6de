/* export.c - `chancery export`: every event that a filter finds, as NDJSON or CSV. */
#include "base/clock.h"
#include "base/json_write.h"
#include "cli/commands.h"
#include "cli/event_filter.h"
#include "cli/remote.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct export_args {
    struct event_filter filter;
    str format, order, output;
};

struct export
{
    struct cli *cli;
    FILE *to;
    const char *name;
    struct progress progress;
    uint64_t lines, bytes;
};

/* ---- where it goes ---- */

static err write_failure(struct ctx *cx, const struct export *x)
{
    return fail_errno(cx, ERR_IO, "%s", x->name);
}

static uint64_t count_lines(str s)
{
    uint64_t n = 0;
    const char *end = s.p + s.n;

    for (const char *p = s.p; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
        n++;
    return n;
}

static err take_bytes(struct ctx *cx, void *state, str bytes)
{
    struct export *x = state;

    if (bytes.n == 0)
        return ERR_OK;
    if (fwrite(bytes.p, 1, bytes.n, x->to) != bytes.n)
        return write_failure(cx, x);
    x->lines += count_lines(bytes);
    x->bytes += bytes.n;
    progress_update(&x->progress, x->progress.bytes ? x->bytes : x->lines, clock_mono_ns());
    return ERR_OK;
}

/* A file is written beside its name and renamed when it is whole, so that nobody takes half an
 * export for one. */
static err open_output(struct ctx *cx, struct export *x, str output, const char **out_temporary)
{
    *out_temporary = NULL;
    x->to = x->cli->out;
    x->name = "standard output";
    if (output.n == 0 || str_eq(output, S("-")))
        return ERR_OK;
    *out_temporary = arena_printf(cx->mem, "%.*s.part", STR_FMT(output)).p;
    x->name = *out_temporary;
    x->to = fopen(*out_temporary, "wbe");
    return x->to ? ERR_OK : write_failure(cx, x);
}

static err close_output(struct ctx *cx, struct export *x, str output, const char *temporary, err e)
{
    if (!temporary)
        return e;
    bool whole = fflush(x->to) == 0 && fsync(fileno(x->to)) == 0;
    if (e == ERR_OK && !whole)
        e = write_failure(cx, x);
    fclose(x->to);
    if (e == ERR_OK && rename(temporary, output.p) != 0)
        e = fail_errno(cx, ERR_IO, "%s", output.p);
    if (e != ERR_OK)
        unlink(temporary);
    return e;
}

/* ---- what comes ---- */

/* How many there will be, for the bar; not known for a search in texts. */
static uint64_t expected(struct ctx *cx, struct remote *r, const struct export_args *a, str filter)
{
    struct json stats;
    str path = arena_printf(cx->mem, "/api/v1/events/stats?%.*s", STR_FMT(filter));

    if (a->filter.q.n || remote_get(cx, r, path, &stats) != ERR_OK) {
        ctx_clear_error(cx);
        return 0;
    }
    return json_member_count(stats, S("total"));
}

static err download(struct ctx *cx, struct export *x, struct remote *r, const struct export_args *a,
                    str filter)
{
    const struct remote_request rq = {
        .path = arena_printf(cx->mem, "/api/v1/events/export?%.*s%sformat=%.*s&order=%.*s",
                             STR_FMT(filter), filter.n ? "&" : "", STR_FMT(a->format),
                             STR_FMT(a->order)),
        .write = take_bytes,
        .state = x,
    };
    const struct terminal t = terminal_of(x->cli->err, x->cli->environment);
    bool quiet = x->cli->quiet || x->cli->json || (x->to == x->cli->out && isatty(STDOUT_FILENO));
    struct http_reply reply;

    x->progress =
        progress_open(t, "export", expected(cx, r, a, filter), false, quiet, clock_mono_ns());
    err e = remote_call(cx, r, &rq, &reply);
    progress_close(&x->progress, clock_mono_ns());
    return e;
}

static err summarize(struct ctx *cx, const struct export *x, str output, bool csv)
{
    CLEANUP(buf_close) struct buf b = BUF(64 * 1024);

    if (!x->cli->json) {
        cli_note(x->cli, "%llu %s, %llu bytes in %.*s", (unsigned long long)x->lines,
                 csv ? "lines" : "events", (unsigned long long)x->bytes, STR_FMT(output));
        return ERR_OK;
    }
    json_open(&b, '{');
    json_member_str(&b, S("file"), output);
    if (!csv) /* a cell may hold lines */
        json_member_u64(&b, S("events"), x->lines);
    json_member_u64(&b, S("bytes"), x->bytes);
    json_close(&b, '}');
    buf_put_char(&b, '\n');
    return cli_write(cx, x->cli, buf_str(&b));
}

static err export_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct export_args *a = args;
    CLEANUP(buf_close) struct buf filter = BUF(FILTER_QUERY_BYTES_MAX);
    CLEANUP(remote_cleanup) struct remote *r = NULL;
    struct export x = {.cli = cli};
    const char *temporary;

    TRY(event_filter_put(cx, &filter, &a->filter, clock_now_us()));
    TRY(remote_open(cx, cli, &r));
    TRY(open_output(cx, &x, a->output, &temporary));
    err e = download(cx, &x, r, a, buf_str(&filter));
    TRY(close_output(cx, &x, a->output, temporary, e));
    return temporary ? summarize(cx, &x, a->output, str_eq(a->format, S("csv"))) : ERR_OK;
}

static const struct cli_option export_options[] = {
    OPTION(export_args, format, OPT_CHOICE, .letter = 'f', .fallback = "ndjson",
           .choices = "ndjson|csv", .help = "form"),
    OPTION(export_args, output, OPT_PATH, .letter = 'o', .value = "FILE",
           .help = "where to [default: standard output]"),
    OPTION(export_args, order, OPT_CHOICE, .fallback = "oldest", .choices = "newest|oldest",
           .help = "which come first"),
#define FILTER_OF export_args
#include "cli/event_filter.def"
    {.name = NULL},
};

const struct command export_command = {
    .name = "export",
    .summary = "write out every event that a filter finds",
    .details =
        "The log's size at the start is the end of the export. The export itself is recorded "
        "as an event. A file appears only when it is whole.",
    .examples = "chancery export -o events.ndjson\n"
                "chancery export --format csv --from 2026-11-01T00:00:00Z -o november.csv\n"
                "chancery export --subject 'case/7' | gzip >case-7.ndjson.gz\n",
    .options = export_options,
    .args_bytes = sizeof(struct export_args),
    .run = export_run,
};
