/* stats.c - `chancery stats`: counts from the indexes, as a table with bars. */
#include "base/clock.h"
#include "base/json_write.h"
#include "cli/commands.h"
#include "cli/event_filter.h"
#include "cli/event_table.h"
#include "cli/remote.h"

enum { OUT_BYTES_MAX = 64 << 20, BAR_COLUMNS = 24 };

struct stats_args {
    struct event_filter filter;
    str group, bucket;
    uint64_t limit;
};

/* Eighths of a block. */
static str bar(struct ctx *cx, uint64_t count, uint64_t most, bool fine)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    CLEANUP(buf_close) struct buf b = BUF(BAR_COLUMNS * 4);
    double part = most ? (double)count / (double)most : 0;
    size_t filled = (size_t)(part * BAR_COLUMNS * 8 + 0.5);

    for (size_t i = 0; i < filled / 8; i++)
        buf_put(&b, fine ? S("█") : S("#"));
    if (fine)
        buf_put(&b, str_from(eighths[filled % 8]));
    return arena_str(cx->mem, buf_str(&b));
}

static str shown(struct ctx *cx, struct json row, const char *member, size_t columns)
{
    CLEANUP(buf_close) struct buf b = BUF(FILTER_QUERY_BYTES_MAX);
    str text = json_member_text(row, str_from(member));

    if (str_is_null(text))
        return S("(none)");
    put_shown(&b, text, columns);
    return arena_str(cx->mem, buf_str(&b));
}

static uint64_t largest(struct json rows)
{
    uint64_t most = 0;

    for (struct json_iter it = json_iter(rows); json_next(&it);) {
        uint64_t count = json_member_count(it.value, S("count"));
        most = count > most ? count : most;
    }
    return most;
}

static str percentage(struct ctx *cx, uint64_t part, uint64_t whole)
{
    return arena_printf(cx->mem, "%.1f %%", whole ? 100.0 * (double)part / (double)whole : 0.0);
}

/* Columns are there when they were asked for: bucket, value, count, share, bar. */
struct layout {
    const struct stats_args *args;
    const struct terminal *terminal;
    uint64_t total, most;
};

static void add_row(struct ctx *cx, struct table *t, const struct layout *l, struct json row)
{
    uint64_t count = json_member_count(row, S("count"));

    if (l->args->bucket.n) {
        str from = shown(cx, row, "from", 0);
        table_add(t, str_ends(from, S("T00:00:00.000000Z")) ? str_slice(from, 0, 10)
                                                            : str_slice(from, 0, 19));
    }
    if (l->args->group.n)
        table_add(t, shown(cx, row, "value", l->terminal->tty ? 48 : 0));
    table_add(t, arena_printf(cx->mem, "%llu", (unsigned long long)count));
    table_add(t, percentage(cx, count, l->total));
    table_add(t, bar(cx, count, l->most, l->terminal->tty));
}

static str upper(struct ctx *cx, str text)
{
    char *p = arena_new(cx->mem, char, text.n + 1);

    for (size_t i = 0; i < text.n; i++)
        p[i] = text.p[i] >= 'a' && text.p[i] <= 'z' ? (char)(text.p[i] - 32) : text.p[i];
    return (str){p, text.n};
}

static err print_table(struct ctx *cx, struct cli *cli, const struct stats_args *a,
                       struct json answer)
{
    const struct terminal t = terminal_of(cli->out, cli->environment);
    CLEANUP(buf_close) struct buf b = BUF(OUT_BYTES_MAX);
    struct table_column columns[TABLE_COLUMNS_MAX];
    struct json rows;
    size_t n = 0;

    if (!json_get(answer, S("rows"), &rows))
        return fail(cx, ERR_IO, "the answer has no rows");
    struct layout l = {a, &t, json_member_count(answer, S("total")), largest(rows)};
    if (a->bucket.n)
        columns[n++] = (struct table_column){"FROM (UTC)", ALIGN_LEFT};
    if (a->group.n)
        columns[n++] = (struct table_column){upper(cx, a->group).p, ALIGN_LEFT};
    columns[n++] = (struct table_column){"EVENTS", ALIGN_RIGHT};
    columns[n++] = (struct table_column){"SHARE", ALIGN_RIGHT};
    columns[n++] = (struct table_column){"", ALIGN_LEFT};
    struct table table = table_open(cx->mem, columns, n);
    for (struct json_iter it = json_iter(rows); json_next(&it);)
        add_row(cx, &table, &l, it.value);
    table_put(&b, &table, &t);
    TRY(buf_check(cx, &b, "the table"));
    TRY(cli_write(cx, cli, buf_str(&b)));
    uint64_t other = json_member_count(answer, S("other"));
    if (other)
        cli_note(cli, "%llu events are in further rows: --limit shows more",
                 (unsigned long long)other);
    return cli_print(cx, cli, "%llu events in all\n", (unsigned long long)l.total);
}

static err stats_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct stats_args *a = args;
    CLEANUP(buf_close) struct buf path = BUF(FILTER_QUERY_BYTES_MAX);
    CLEANUP(remote_cleanup) struct remote *r = NULL;
    struct remote_request rq = {0};
    struct http_reply reply;
    struct json answer;

    buf_put(&path, S("/api/v1/events/stats?"));
    TRY(event_filter_put(cx, &path, &a->filter, clock_now_us()));
    if (a->group.n)
        query_put(&path, S("group"), a->group);
    if (a->bucket.n)
        query_put(&path, S("bucket"), a->bucket);
    query_put(&path, S("limit"), arena_printf(cx->mem, "%llu", (unsigned long long)a->limit));
    rq.path = buf_str(&path);
    TRY(remote_open(cx, cli, &r));
    TRY(remote_call(cx, r, &rq, &reply));
    if (cli->json)
        return cli_print(cx, cli, "%.*s\n", STR_FMT(reply.body));
    TRY(remote_json(cx, r, &reply, &answer));
    return print_table(cx, cli, a, answer);
}

static const struct cli_option stats_options[] = {
    OPTION(stats_args, group, OPT_CHOICE, .letter = 'g', .value = "ATTRIBUTE",
           .choices = "type|source|subject|actor|principal|outcome|remoteip|sessionid",
           .help = "count each value of it"),
    OPTION(stats_args, bucket, OPT_TEXT, .letter = 'b', .value = "TIME",
           .help = "count each stretch of time, like 15m, 1h or 1d"),
    OPTION(stats_args, limit, OPT_COUNT, .letter = 'n', .value = "N", .fallback = "50", .min = 1,
           .max = 1000, .help = "at most so many rows, the largest"),
#define FILTER_OF stats_args
#include "cli/event_filter.def"
    {.name = NULL},
};

const struct command stats_command = {
    .name = "stats",
    .summary = "count events by attribute and time",
    .details = "Counts come from the indexes; no event is read for them.",
    .examples = "chancery stats --group type\n"
                "chancery stats --group outcome --bucket 1h --from 24h\n"
                "chancery stats --type 'session.refused' --group remoteip --json\n",
    .options = stats_options,
    .args_bytes = sizeof(struct stats_args),
    .run = stats_run,
};
