/* tail.c - `chancery tail`: the newest events, and with -f those that come.
 *
 * Nothing falls between the page and the stream: the log's size is asked first, and the stream is
 * told to go on behind the last event that the page could show.  What both have is shown once.  A
 * stream that breaks is taken up again behind the last event that came. */
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/event_filter.h"
#include "cli/event_table.h"
#include "cli/json_source.h"
#include "cli/remote.h"
#include "cli/sse_reader.h"
#include <time.h>

enum { TAIL_MAX = 1000, OUT_BYTES_MAX = 256 << 20 };
#define PAUSE_FIRST_NS INT64_C(250000000)
#define PAUSE_LAST_NS INT64_C(5000000000)

struct tail_args {
    struct event_filter filter;
    uint64_t count;
    bool follow;
};

struct tail {
    struct cli *cli;
    struct remote *remote;
    struct event_table table;
    struct json_parser *parser;
    struct buf out, filter;
    uint64_t next; /* events before it have been shown or were not meant */
    struct sse_reader stream;
    bool came; /* something came since the stream was opened */
};

static void tail_close(struct tail *t)
{
    buf_close(&t->out);
    buf_close(&t->filter);
    sse_reader_close(&t->stream);
    json_parser_close(t->parser);
    remote_close(t->remote);
}

/* An item as it was sent; only for the table it is taken apart. */
static err show(struct ctx *cx, struct tail *t, str text)
{
    struct json item;

    buf_clear(&t->out);
    if (t->cli->json) {
        put_on_one_line(&t->out, text);
        buf_put_char(&t->out, '\n');
    } else {
        TRY(json_parse(cx, t->parser, text, &item));
        event_table_put(&t->out, &t->table, item);
    }
    TRY(buf_check(cx, &t->out, "an event"));
    return cli_write(cx, t->cli, buf_str(&t->out));
}

/* What is shown is seen at once, also through a pipe. */
static err flush(struct ctx *cx, struct tail *t)
{
    return fflush(t->cli->out) == 0 ? ERR_OK : fail_errno(cx, ERR_IO, "standard output");
}

/* ---- the newest ---- */

static err read_size(struct ctx *cx, struct tail *t, uint64_t *out)
{
    struct json health, entries;

    TRY(remote_get(cx, t->remote, S("/api/v1/health"), &health));
    if (!json_pointer_get(health, S("/checks/ledger/entries"), &entries) ||
        !json_to_u64(entries, out))
        return fail(cx, ERR_IO, "%.*s is no Chancery server", STR_FMT(remote_place(t->remote)));
    return ERR_OK;
}

/* Newest first in the answer, oldest first on the screen. */
static err show_newest(struct ctx *cx, struct tail *t, uint64_t count)
{
    str item, items, *texts = arena_new(cx->mem, str, TAIL_MAX);
    struct remote_request rq = {0};
    struct http_reply reply;
    struct json page;
    size_t n = 0;

    rq.path = arena_printf(cx->mem, "/api/v1/events?%.*slimit=%llu", STR_FMT(buf_str(&t->filter)),
                           (unsigned long long)count);
    TRY(remote_call(cx, t->remote, &rq, &reply));
    TRY(remote_json(cx, t->remote, &reply, &page));
    items = json_member_source(reply.body, S("items"));
    for (; n < TAIL_MAX && json_element_source(&items, &item); n++)
        texts[n] = item;
    if (json_pointer_get(page, S("/items/0/index"), &page) && json_to_u64(page, &count))
        t->next = count + 1 > t->next ? count + 1 : t->next;
    while (n-- > 0)
        TRY(show(cx, t, texts[n]));
    return flush(cx, t);
}

/* ---- those that come ---- */

static err take_event(struct ctx *cx, void *state, const struct sse_event *e)
{
    struct tail *t = state;
    struct arena_mark mark = arena_mark(cx->mem);
    uint64_t index;

    t->came = true;
    if (!str_to_u64(e->id, &index) || index < t->next)
        return ERR_OK;
    TRY(show(cx, t, e->data));
    t->next = index + 1;
    arena_rewind(cx->mem, mark);
    return ERR_OK;
}

static err take_bytes(struct ctx *cx, void *state, str bytes)
{
    struct tail *t = state;

    TRY(sse_reader_feed(cx, &t->stream, bytes));
    return flush(cx, t);
}

static err stream_once(struct ctx *cx, struct tail *t)
{
    struct remote_request rq = {
        .path = arena_printf(cx->mem, "/api/v1/events/stream?%.*s", STR_FMT(buf_str(&t->filter))),
        .headers = {{S("Accept"), S("text/event-stream")}},
        .write = take_bytes,
        .state = t,
    };
    struct http_reply reply;

    if (t->next > 0)
        rq.headers[1] = (struct header){
            S("Last-Event-ID"), arena_printf(cx->mem, "%llu", (unsigned long long)(t->next - 1))};
    sse_reader_restart(&t->stream);
    return remote_call(cx, t->remote, &rq, &reply);
}

static void pause_ns(int64_t ns)
{
    struct timespec d = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

    nanosleep(&d, NULL);
}

/* Until it fails for good: a server that stops or restarts comes back. */
static err follow(struct ctx *cx, struct tail *t)
{
    int64_t pause = PAUSE_FIRST_NS;
    bool told = false;

    for (;;) {
        struct arena_mark mark = arena_mark(cx->mem);
        t->came = false;
        err e = stream_once(cx, t);
        if (e != ERR_OK && !err_is_retryable(e))
            return e;
        arena_rewind(cx->mem, mark);
        if (t->came) {
            pause = PAUSE_FIRST_NS;
            told = false;
        }
        if (e != ERR_OK && !told)
            cli_note(t->cli, "the stream broke off (%s); trying again", cx->detail);
        told = told || e != ERR_OK;
        ctx_clear_error(cx);
        pause_ns(pause);
        pause = pause * 2 > PAUSE_LAST_NS ? PAUSE_LAST_NS : pause * 2;
    }
}

/* ---- the command ---- */

static err tail_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct tail_args *a = args;
    CLEANUP(tail_close)
    struct tail t = {
        .cli = cli,
        .table = event_table_open(terminal_of(cli->out, cli->environment)),
        .parser = json_parser_open(),
        .out = BUF(OUT_BYTES_MAX),
        .filter = BUF(FILTER_QUERY_BYTES_MAX),
    };

    t.stream = sse_reader_open(take_event, &t);
    if (a->follow && remote_is_folder(cli))
        return fail(cx, ERR_USAGE,
                    "a folder that no server holds does not grow: use -f with --url");
    TRY(event_filter_put(cx, &t.filter, &a->filter, clock_now_us()));
    if (t.filter.n)
        buf_put_char(&t.filter, '&');
    TRY(remote_open(cx, cli, &t.remote));
    if (a->follow)
        TRY(read_size(cx, &t, &t.next));
    if (a->count > 0)
        TRY(show_newest(cx, &t, a->count));
    return a->follow ? follow(cx, &t) : ERR_OK;
}

static const struct cli_option tail_options[] = {
    OPTION(tail_args, count, OPT_COUNT, .letter = 'n', .value = "N", .fallback = "10",
           .max = TAIL_MAX, .help = "how many of the newest"),
    OPTION(tail_args, follow, OPT_FLAG, .letter = 'f', .help = "go on as events come"),
#define FILTER_OF tail_args
#include "cli/event_filter.def"
    {.name = NULL},
};

const struct command tail_command = {
    .name = "tail",
    .summary = "show the newest events, and follow those that come",
    .details =
        "With -f it goes on until it is interrupted, and comes back by itself when the server "
        "restarts. With --json an object per line: index and event.",
    .examples = "chancery tail -f\n"
                "chancery tail -n 100 --type 'session.*'\n"
                "chancery tail -f --json --outcome denied | jq -r .event.actor\n",
    .options = tail_options,
    .args_bytes = sizeof(struct tail_args),
    .run = tail_run,
};
