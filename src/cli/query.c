/* query.c - `chancery query`: events that a filter finds, page by page. */
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/event_filter.h"
#include "cli/event_table.h"
#include "cli/json_source.h"
#include "cli/remote.h"

enum { PAGE_MAX = 1000, OUT_BYTES_MAX = 256 << 20 };

struct query_args {
    struct event_filter filter;
    str order, cursor;
    uint64_t limit;
    bool all;
};

struct listing {
    struct cli *cli;
    struct event_table table;
    struct buf out;
    uint64_t left; /* events still wanted */
    str next;      /* cursor; null: there are no more */
    uint64_t count;
};

static void listing_close(struct listing *l)
{
    buf_close(&l->out);
}

static err put_items(struct ctx *cx, struct listing *l, struct json items)
{
    for (struct json_iter it = json_iter(items); json_next(&it); l->count++)
        event_table_put(&l->out, &l->table, it.value);
    return buf_check(cx, &l->out, "a page of events");
}

/* As they were answered, so that hashes can be made of them. */
static err put_sources(struct ctx *cx, struct listing *l, str items)
{
    str item;

    for (; json_element_source(&items, &item); l->count++) {
        put_on_one_line(&l->out, item);
        buf_put_char(&l->out, '\n');
    }
    return buf_check(cx, &l->out, "a page of events");
}

static err take_page(struct ctx *cx, struct listing *l, str text, struct json page)
{
    struct json items;

    if (!json_get(page, S("items"), &items) || json_kind(items) != JSON_ARRAY)
        return fail(cx, ERR_IO, "the answer is no page of events");
    buf_clear(&l->out);
    TRY(l->cli->json ? put_sources(cx, l, json_member_source(text, S("items")))
                     : put_items(cx, l, items));
    TRY(cli_write(cx, l->cli, buf_str(&l->out)));
    l->next = json_member_text(page, S("next"));
    return ERR_OK;
}

static err read_page(struct ctx *cx, struct listing *l, struct remote *r, str filter)
{
    CLEANUP(buf_close) struct buf path = BUF(FILTER_QUERY_BYTES_MAX * 2);
    uint64_t before = l->count;
    struct remote_request rq = {0};
    struct http_reply reply;
    struct json page;

    buf_put(&path, filter);
    query_put(&path, S("limit"),
              arena_printf(cx->mem, "%llu", (unsigned long long)u64_min(l->left, PAGE_MAX)));
    if (!str_is_null(l->next))
        query_put(&path, S("cursor"), l->next);
    TRY(buf_check(cx, &path, "the filter"));
    rq.path = buf_str(&path);
    TRY(remote_call(cx, r, &rq, &reply));
    TRY(remote_json(cx, r, &reply, &page));
    TRY(take_page(cx, l, reply.body, page));
    l->left -= u64_min(l->left, l->count - before);
    return ERR_OK;
}

/* A page's memory goes with it; its cursor is kept in `keep`. */
static err read_pages(struct ctx *cx, struct listing *l, struct remote *r, str filter)
{
    CLEANUP(buf_close) struct buf keep = BUF(64 * 1024);

    do {
        struct arena_mark mark = arena_mark(cx->mem);
        TRY(read_page(cx, l, r, filter));
        buf_clear(&keep);
        if (!str_is_null(l->next)) {
            buf_put(&keep, l->next);
            l->next = buf_str(&keep);
        }
        arena_rewind(cx->mem, mark);
    } while (l->left > 0 && !str_is_null(l->next));
    return ERR_OK;
}

static err query_run_command(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct query_args *a = args;
    CLEANUP(buf_close) struct buf filter = BUF(FILTER_QUERY_BYTES_MAX);
    CLEANUP(remote_cleanup) struct remote *r = NULL;
    CLEANUP(listing_close)
    struct listing l = {
        .cli = cli,
        .table = event_table_open(terminal_of(cli->out, cli->environment)),
        .out = BUF(OUT_BYTES_MAX),
        .left = a->all ? UINT64_MAX : a->limit,
        .next = a->cursor,
    };

    buf_put(&filter, S("/api/v1/events?"));
    TRY(event_filter_put(cx, &filter, &a->filter, clock_now_us()));
    query_put(&filter, S("order"), a->order);
    TRY(remote_open(cx, cli, &r));
    TRY(read_pages(cx, &l, r, buf_str(&filter)));
    if (l.count == 0)
        cli_note(cli, "no events");
    else if (!str_is_null(l.next))
        cli_note(cli, "there are more: --all, a larger --limit, or narrow the filter");
    return ERR_OK;
}

static const struct cli_option query_options[] = {
#define FILTER_OF query_args
#include "cli/event_filter.def"
    OPTION(query_args, order, OPT_CHOICE, .fallback = "newest", .choices = "newest|oldest",
           .help = "which come first"),
    OPTION(query_args, limit, OPT_COUNT, .letter = 'n', .value = "N", .fallback = "50", .min = 1,
           .max = UINT64_MAX / 2, .help = "at most so many"),
    OPTION(query_args, all, OPT_FLAG, .help = "all of them, however many"),
    OPTION(query_args, cursor, OPT_TEXT, .value = "CURSOR",
           .help = "go on behind a page that the API gave"),
    {.name = NULL},
};

const struct command query_command = {
    .name = "query",
    .summary = "find events",
    .details = "Shows a table for people, or with --json an object per line: index and event. "
               "--from and --to take a time or a duration ago, like 15m.",
    .examples = "chancery query --type 'user.*' --outcome denied --from 24h\n"
                "chancery query --subject 'case/*' --order oldest --all --json >case.ndjson\n"
                "chancery query --data ./data --q invoice-7\n",
    .options = query_options,
    .args_bytes = sizeof(struct query_args),
    .run = query_run_command,
};
