/* ingest.c - `chancery ingest`: files into the log, over HTTP or straight into a folder.
 *
 * A thread reads files and makes batches of NDJSON (ingest_feed.h); this one sends them one after
 * the other and adds up the answers.  A batch that met a full or restarting server is sent again:
 * events that were stored by then are found to be duplicates, so nothing is stored twice. */
#include "base/clock.h"
#include "base/json_write.h"
#include "cli/commands.h"
#include "cli/ingest_feed.h"
#include "cli/ingest_input.h"
#include "cli/remote.h"
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BATCH_BYTES_MIN = 4096, BATCH_BYTES_MAX = 256 << 20 };
enum { BAD_LINES_MAX = 10000, SUMMARY_BYTES_MAX = 16 << 20 };
#define RETRY_FIRST_NS INT64_C(100000000)
#define RETRY_LAST_NS INT64_C(2000000000)

struct ingest_args {
    str format, source, type, host, separator, zone, on_error;
    struct strs map;
    uint64_t batch_bytes, bad_lines;
    int64_t retry;
};

struct bad_line {
    size_t file;
    uint64_t line;
    str pointer, detail;
};

struct work_done {
    uint64_t stored, duplicates, rejected;
    struct bad_line *bad; /* arena; the first `bad_max` */
    size_t bad_count, bad_max;
    bool stopped; /* at a bad line */
    bool any;
    uint64_t first_index, last_index;
};

struct sending {
    struct cli *cli;
    const struct ingest_args *args;
    struct remote *remote;
    struct feed *feed;
    struct progress progress;
    str path;
    uint64_t bytes; /* of all files, as far as known */
    int64_t started_ns;
    bool was_reached;
    struct work_done done;
};

/* ---- options ---- */

static err parse_zone(struct ctx *cx, str text, int32_t *out_s)
{
    uint64_t hours, minutes;

    *out_s = 0;
    if (str_is_null(text) || str_eq(text, S("Z")) || str_eq_nocase(text, S("utc")))
        return ERR_OK;
    if (text.n != 6 || (text.p[0] != '+' && text.p[0] != '-') || text.p[3] != ':' ||
        !str_to_u64(str_slice(text, 1, 3), &hours) ||
        !str_to_u64(str_slice(text, 4, 6), &minutes) || hours > 15 || minutes > 59)
        return fail(cx, ERR_USAGE, "--zone is '%.*s' but must be like +02:00", STR_FMT(text));
    int32_t seconds = (int32_t)(hours * 3600 + minutes * 60);
    *out_s = text.p[0] == '-' ? -seconds : seconds;
    return ERR_OK;
}

static err parse_separator(struct ctx *cx, str text, char *out)
{
    bool tab = str_eq(text, S("tab")) || str_eq(text, S("\\t"));

    if (text.n > 1 && !tab)
        return fail(cx, ERR_USAGE, "--separator is '%.*s' but must be one character or 'tab'",
                    STR_FMT(text));
    *out = tab ? '\t' : text.n ? text.p[0] : 0;
    return ERR_OK;
}

static str host_name(struct ctx *cx)
{
    char name[256] = "";

    return gethostname(name, sizeof name - 1) == 0 && name[0] ? arena_str(cx->mem, str_from(name))
                                                              : STR_NULL;
}

static str join_map(struct ctx *cx, struct strs parts)
{
    str all = STR_NULL;

    for (size_t i = 0; i < parts.count; i++)
        all = i ? arena_printf(cx->mem, "%.*s,%.*s", STR_FMT(all), STR_FMT(parts.items[i]))
                : parts.items[i];
    return all;
}

static err read_options(struct ctx *cx, const struct ingest_args *a, struct feed_options *out)
{
    struct format_options *o = &out->format_options;

    *out = (struct feed_options){
        .batch_bytes = (size_t)a->batch_bytes,
        .stop_at_bad = str_eq(a->on_error, S("stop")),
    };
    if (a->batch_bytes < BATCH_BYTES_MIN || a->batch_bytes > BATCH_BYTES_MAX)
        return fail(cx, ERR_USAGE, "--batch-bytes must be from 4KiB to 256MiB");
    if (!str_eq(a->format, S("auto")))
        out->format = format_find(a->format);
    o->source = a->source;
    o->type = a->type;
    o->host = a->host.n ? a->host : host_name(cx);
    o->map = join_map(cx, a->map);
    TRY(parse_separator(cx, a->separator, &o->separator));
    TRY(parse_zone(cx, a->zone, &o->zone_offset_s));
    if (!out->format)
        return ERR_OK;
    /* Wrong options of a known format are told before anything is read. */
    struct format_reader *probe;
    TRY(format_reader_open(cx, out->format, o, &probe));
    format_reader_close(probe);
    return ERR_OK;
}

/* Every file is there before the first is read; their size makes the progress bar. */
static err measure_files(struct ctx *cx, struct strs files, uint64_t *out_bytes)
{
    bool known = true;

    *out_bytes = 0;
    for (size_t i = 0; i < files.count; i++) {
        uint64_t bytes;
        int64_t modified;
        TRY(input_stat(cx, files.items[i], &bytes, &modified));
        known = known && bytes > 0;
        *out_bytes += bytes;
    }
    if (!known)
        *out_bytes = 0;
    return ERR_OK;
}

/* ---- adding up ---- */

static void note_bad(struct ctx *cx, struct work_done *d, struct bad_line bad)
{
    if (d->bad_count == d->bad_max)
        return;
    bad.pointer = arena_str(cx->mem, bad.pointer);
    bad.detail = arena_str(cx->mem, bad.detail);
    d->bad[d->bad_count++] = bad;
}

static void add_refused(struct ctx *cx, struct work_done *d, const struct feed_batch *b)
{
    d->rejected += b->bad_count;
    for (size_t i = 0; i < b->bad_kept; i++)
        note_bad(
            cx, d,
            (struct bad_line){b->bad[i].file, b->bad[i].line, b->bad[i].pointer, b->bad[i].detail});
}

static void add_indexes(struct work_done *d, struct json answer)
{
    struct json receipt;
    uint64_t first;

    if (!json_get(answer, S("receipt"), &receipt))
        return;
    if (!d->any && json_get(answer, S("first_index"), &receipt) && json_to_u64(receipt, &first))
        d->first_index = first;
    d->any = true;
    if (json_get(answer, S("receipt"), &receipt))
        d->last_index = json_member_count(receipt, S("index"));
}

static void add_answer(struct ctx *cx, struct work_done *d, const struct feed_batch *b,
                       struct json answer)
{
    struct json list;

    d->stored += json_member_count(answer, S("count"));
    d->duplicates += json_member_count(answer, S("duplicates"));
    d->rejected += json_member_count(answer, S("rejected_count"));
    add_indexes(d, answer);
    if (!json_get(answer, S("rejected"), &list))
        return;
    for (struct json_iter it = json_iter(list); json_next(&it);) {
        struct bad_line bad = {.pointer = json_member_text(it.value, S("pointer")),
                               .detail = json_member_text(it.value, S("detail"))};
        feed_locate(b, json_member_count(it.value, S("line")), &bad.file, &bad.line);
        note_bad(cx, d, bad);
    }
}

/* ---- sending ---- */

static void sleep_ns(int64_t ns)
{
    struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

    nanosleep(&t, NULL);
}

/* An answer, good or not, is about the events when it has the member `rejected`. */
static bool is_about_events(struct ctx *cx, struct sending *s, const struct http_reply *reply,
                            struct json *out)
{
    struct json list;
    bool is = str_find(reply->content_type, S("json")) < reply->content_type.n &&
              remote_json(cx, s->remote, reply, out) == ERR_OK &&
              json_get(*out, S("rejected"), &list);

    ctx_clear_error(cx);
    return is;
}

static err send_once(struct ctx *cx, struct sending *s, const struct feed_batch *b)
{
    const struct remote_request rq = {
        .method = "POST",
        .path = s->path,
        .headers = {{S("Content-Type"), S("application/x-ndjson")}},
        .body = buf_str(&b->text),
    };
    struct http_reply reply;
    struct json answer;

    TRY(remote_exchange(cx, s->remote, &rq, &reply));
    s->was_reached = true;
    bool good = reply.status >= 200 && reply.status < 300;
    bool about = is_about_events(cx, s, &reply, &answer);
    if (good && !about)
        return fail(cx, ERR_IO, "%.*s is no Chancery server", STR_FMT(remote_place(s->remote)));
    if (good || (about && json_member_count(answer, S("rejected_count")) > 0)) {
        add_answer(cx, &s->done, b, answer);
        s->done.stopped = !good;
        return ERR_OK;
    }
    return remote_check(cx, s->remote, &reply);
}

/* A server that was never there is not waited for. */
static bool may_retry(const struct sending *s, err e, int64_t until_ns)
{
    bool there = s->was_reached || e == ERR_BUSY || e == ERR_TOO_MANY;

    return err_is_retryable(e) && e != ERR_NO_SPACE && e != ERR_LOCKED && there &&
           !remote_is_folder(s->cli) && clock_mono_ns() < until_ns;
}

static err send_batch(struct ctx *cx, struct sending *s, const struct feed_batch *b)
{
    int64_t until_ns = clock_mono_ns() + s->args->retry, pause_ns = RETRY_FIRST_NS;

    for (;;) {
        err e = send_once(cx, s, b);
        if (e == ERR_OK || !may_retry(s, e, until_ns))
            return e;
        ctx_clear_error(cx);
        sleep_ns(pause_ns);
        pause_ns = pause_ns * 2 > RETRY_LAST_NS ? RETRY_LAST_NS : pause_ns * 2;
    }
}

/* Texts of bad lines stay; everything else of an answer goes. */
static err take_batch(struct ctx *cx, struct sending *s, struct feed_batch *b)
{
    CLEANUP(ctx_cleanup) struct ctx *mine = ctx_open(0);

    if (b->text.n > 0) {
        struct work_done before = s->done;
        err e = send_batch(mine, s, b);
        for (size_t i = before.bad_count; i < s->done.bad_count; i++) {
            s->done.bad[i].pointer = arena_str(cx->mem, s->done.bad[i].pointer);
            s->done.bad[i].detail = arena_str(cx->mem, s->done.bad[i].detail);
        }
        if (e != ERR_OK)
            return fail(cx, e, "%s", mine->detail);
    }
    add_refused(cx, &s->done, b);
    s->done.stopped |= b->bad_count > 0 && str_eq(s->args->on_error, S("stop"));
    progress_update(&s->progress, b->done_bytes, clock_mono_ns());
    return b->result == ERR_OK ? ERR_OK : fail(cx, b->result, "%s", b->cx->detail);
}

static err send_all(struct ctx *cx, struct sending *s)
{
    struct feed_batch *b;

    while ((b = feed_take(s->feed)) != NULL) {
        TRY(take_batch(cx, s, b));
        feed_give(s->feed, b);
        if (s->done.stopped)
            break;
    }
    return ERR_OK;
}

/* ---- telling ---- */

static str file_name(const struct sending *s, size_t file)
{
    str path = s->cli->operands.items[file];

    return str_eq(path, S("-")) ? S("standard input") : path;
}

static void print_bad(const struct sending *s)
{
    const struct work_done *d = &s->done;
    const struct terminal t = terminal_of(s->cli->err, s->cli->environment);

    for (size_t i = 0; i < d->bad_count; i++)
        fprintf(s->cli->err, "%s%.*s:%llu:%s %.*s%s%.*s\n", terminal_style(&t, STYLE_WARN),
                STR_FMT(file_name(s, d->bad[i].file)), (unsigned long long)d->bad[i].line,
                terminal_style(&t, STYLE_PLAIN), STR_FMT(d->bad[i].pointer),
                d->bad[i].pointer.n ? ": " : "", STR_FMT(d->bad[i].detail));
    if (d->rejected > d->bad_count)
        fprintf(s->cli->err, "and %llu more bad lines\n",
                (unsigned long long)(d->rejected - d->bad_count));
}

static double seconds_taken(const struct sending *s)
{
    return (double)(clock_mono_ns() - s->started_ns) / 1e9;
}

static err print_text(struct ctx *cx, const struct sending *s)
{
    const struct work_done *d = &s->done;
    CLEANUP(buf_close) struct buf b = BUF(4096);
    double seconds = seconds_taken(s);

    print_bad(s);
    buf_printf(&b, "stored %llu event%s", (unsigned long long)d->stored, d->stored == 1 ? "" : "s");
    if (d->duplicates)
        buf_printf(&b, ", %llu were there already", (unsigned long long)d->duplicates);
    if (d->rejected)
        buf_printf(&b, ", %llu bad line%s", (unsigned long long)d->rejected,
                   d->rejected == 1 ? "" : "s");
    buf_put(&b, S(" in "));
    human_duration(&b, (int64_t)(seconds * 1e9));
    if (seconds > 0.1) {
        buf_put(&b, S(", "));
        human_count(&b, (uint64_t)((double)(d->stored + d->duplicates) / seconds));
        buf_put(&b, S("/s"));
    }
    if (d->stopped)
        buf_put(&b, S("; stopped at the bad line, what stands behind it was not stored"));
    buf_put_char(&b, '\n');
    return s->cli->quiet ? ERR_OK : cli_write(cx, s->cli, buf_str(&b));
}

static void put_bad_json(struct buf *b, const struct sending *s)
{
    json_key(b, S("rejected"));
    json_open(b, '[');
    for (size_t i = 0; i < s->done.bad_count; i++) {
        const struct bad_line *bad = &s->done.bad[i];
        json_open(b, '{');
        json_member_str(b, S("file"), file_name(s, bad->file));
        json_member_u64(b, S("line"), bad->line);
        json_member_str(b, S("pointer"), bad->pointer.p ? bad->pointer : S(""));
        json_member_str(b, S("detail"), bad->detail);
        json_close(b, '}');
    }
    json_close(b, ']');
}

static err print_json(struct ctx *cx, const struct sending *s, err e)
{
    const struct work_done *d = &s->done;
    CLEANUP(buf_close) struct buf b = BUF(SUMMARY_BYTES_MAX);

    json_open(&b, '{');
    json_member_u64(&b, S("files"), s->cli->operands.count);
    json_member_u64(&b, S("stored"), d->stored);
    json_member_u64(&b, S("duplicates"), d->duplicates);
    json_member_u64(&b, S("rejected_count"), d->rejected);
    put_bad_json(&b, s);
    if (d->any) {
        json_member_u64(&b, S("first_index"), d->first_index);
        json_member_u64(&b, S("last_index"), d->last_index);
    }
    json_member_bool(&b, S("stopped"), d->stopped || e != ERR_OK);
    json_member_double(&b, S("seconds"), seconds_taken(s));
    if (e != ERR_OK) {
        json_key(&b, S("error"));
        json_open(&b, '{');
        json_member_str(&b, S("code"), str_from(err_name(e)));
        json_member_str(&b, S("detail"), str_from(cx->detail));
        json_close(&b, '}');
    }
    json_close(&b, '}');
    buf_put_char(&b, '\n');
    TRY(buf_check(cx, &b, "the summary"));
    return cli_write(cx, s->cli, buf_str(&b));
}

/* Also when it failed half-way: what was stored is told. */
static err tell(struct ctx *cx, struct sending *s, err e)
{
    if (s->cli->json) {
        TRY(print_json(cx, s, e));
        s->cli->answered = true;
    } else if (e == ERR_OK || s->done.stored || s->done.rejected) {
        char why[CTX_DETAIL_BYTES];
        memcpy(why, cx->detail, sizeof why);
        TRY(print_text(cx, s));
        memcpy(cx->detail, why, sizeof why);
    }
    if (e != ERR_OK || s->done.rejected == 0)
        return e;
    s->cli->answered = true;
    return fail(cx, ERR_INVALID, "some lines are bad");
}

/* ---- the command ---- */

static err send_files(struct ctx *cx, struct sending *s, const struct feed_options *options)
{
    const struct terminal t = terminal_of(s->cli->err, s->cli->environment);

    TRY(remote_open(cx, s->cli, &s->remote));
    s->started_ns = clock_mono_ns();
    s->progress =
        progress_open(t, "ingest", s->bytes, true, s->cli->quiet || s->cli->json, s->started_ns);
    s->feed = feed_open(options);
    err e = send_all(cx, s);
    feed_close(s->feed);
    progress_close(&s->progress, clock_mono_ns());
    return e;
}

static err ingest_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct ingest_args *a = args;
    struct feed_options options;
    struct sending s = {
        .cli = cli,
        .args = a,
        .path = arena_printf(cx->mem, "/api/v1/events?on_error=%.*s", STR_FMT(a->on_error)),
        .done = {.bad_max = (size_t)a->bad_lines},
    };

    TRY(read_options(cx, a, &options));
    options.files = cli->operands;
    TRY(measure_files(cx, cli->operands, &s.bytes));
    s.done.bad = arena_new(cx->mem, struct bad_line, s.done.bad_max + 1);
    err e = send_files(cx, &s, &options);
    remote_close(s.remote);
    return tell(cx, &s, e);
}

/* clang-format off */
static const struct cli_option ingest_options[] = {
    OPTION(ingest_args, format, OPT_CHOICE, .letter = 'f', .value = "FORMAT", .fallback = "auto",
           .choices = "auto|ndjson|cloudevents|csv|journald|auditd|syslog|access|dpkg",
           .help = "what the files are"),
    OPTION(ingest_args, source, OPT_TEXT, .value = "URI", .help = "source of every event; otherwise made from the host and what a record names"),
    OPTION(ingest_args, type, OPT_TEXT, .value = "TYPE", .help = "ndjson, csv: type of events that have none"),
    OPTION(ingest_args, map, OPT_TEXTS, .value = "ATTRIBUTE=NAME", .help = "ndjson, csv: which column, member or JSON pointer an attribute is taken from: type=action,subject=/user/id"),
    OPTION(ingest_args, separator, OPT_TEXT, .value = "CHAR", .help = "csv: what stands between columns, or 'tab' [default: a comma]"),
    OPTION(ingest_args, host, OPT_TEXT, .value = "NAME", .help = "machine of records that name none [default: this one]"),
    OPTION(ingest_args, zone, OPT_TEXT, .value = "OFFSET", .help = "of times without one, like +02:00 [default: UTC]"),
    OPTION(ingest_args, on_error, OPT_CHOICE, .fallback = "skip", .choices = "skip|stop", .help = "what to do at a bad line"),
    OPTION(ingest_args, bad_lines, OPT_COUNT, .value = "N", .fallback = "20", .min = 0, .max = BAD_LINES_MAX, .help = "how many bad lines to list; all are counted"),
    OPTION(ingest_args, batch_bytes, OPT_SIZE, .value = "SIZE", .fallback = "8MiB", .help = "how much is sent in one request"),
    OPTION(ingest_args, retry, OPT_DURATION, .value = "TIME", .fallback = "30s", .help = "how long to try again when the server is busy or restarting"),
    {.name = NULL},
};
/* clang-format on */

const struct command ingest_command = {
    .name = "ingest",
    .summary = "take in events from files or standard input",
    .operands = "FILE...",
    .operands_min = 1,
    .operands_max = OPERANDS_MAX,
    .operand_help = "files to read, '-' for standard input; gzip and zstd are unpacked.",
    .details =
        "Every record becomes a CloudEvent whose id is its own or is made from its text, so the "
        "same file can be taken in again, after an interruption too: what is there already is "
        "counted and not stored twice.\n"
        "With --data the folder must not be held by a server. Bad lines are listed on standard "
        "error with file, line and reason. Exit status: 0 all good, 1 some lines are bad, 2 wrong "
        "usage, 3 reading or storing failed.",
    .examples = "chancery ingest events.ndjson\n"
                "journalctl -o json | chancery ingest --format journald -\n"
                "chancery ingest --format csv --type login --map time=when,actor=user log.csv\n"
                "chancery ingest --data ./data --json /var/log/dpkg.log*\n",
    .options = ingest_options,
    .args_bytes = sizeof(struct ingest_args),
    .run = ingest_run,
};
