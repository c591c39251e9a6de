/* api_list.c - see api_list.h. */
#include "cli/api_list.h"
#include "base/encode.h"
#include "base/json_write.h"
#include "cli/event_filter.h"
#include "cli/event_table.h"

enum { LIST_BYTES_MAX = 64 << 20, CELL_BYTES_MAX = 64 * 1024 };

static void put_list(struct buf *b, struct json list)
{
    for (struct json_iter it = json_iter(list); json_next(&it);) {
        buf_put(b, b->n ? S(" ") : S(""));
        put_shown(b, json_str(it.value), 0);
    }
}

static str cell(struct ctx *cx, const struct api_column *c, struct json item)
{
    CLEANUP(buf_close) struct buf b = BUF(CELL_BYTES_MAX);
    str text = json_member_text(item, str_from(c->member));
    struct json list;

    if (c->kind == API_LIST && json_get(item, str_from(c->member), &list))
        put_list(&b, list);
    else if (c->kind == API_TIME && text.n >= 16)
        buf_printf(&b, "%.10s %.5s", text.p, text.p + 11);
    else if (text.n)
        put_shown(&b, text, 0);
    else
        buf_put_char(&b, '-');
    return arena_str(cx->mem, buf_str(&b));
}

struct api_list {
    struct cli *cli;
    const struct api_column *columns;
    size_t count;
    struct table table;
    struct buf json;
};

static err take_page(struct ctx *cx, struct api_list *l, struct json page)
{
    struct json items;

    if (!json_get(page, S("items"), &items))
        return fail(cx, ERR_IO, "the answer is no list");
    for (struct json_iter it = json_iter(items); json_next(&it);) {
        if (l->cli->json)
            json_put_value(&l->json, it.value);
        for (size_t i = 0; i < l->count && !l->cli->json; i++)
            table_add(&l->table, cell(cx, &l->columns[i], it.value));
    }
    return ERR_OK;
}

static err read_pages(struct ctx *cx, struct api_list *l, struct remote *r, const char *path)
{
    str next = STR_NULL;
    struct json page;

    do {
        CLEANUP(buf_close) struct buf url = BUF(FILTER_QUERY_BYTES_MAX);
        buf_printf(&url, "%s?limit=1000", path);
        if (!str_is_null(next))
            query_put(&url, S("cursor"), next);
        TRY(remote_get(cx, r, buf_str(&url), &page));
        TRY(take_page(cx, l, page));
        next = json_member_text(page, S("next"));
        next = str_is_null(next) ? next : arena_str(cx->mem, next);
    } while (!str_is_null(next));
    return ERR_OK;
}

static err print_list(struct ctx *cx, struct api_list *l)
{
    const struct terminal t = terminal_of(l->cli->out, l->cli->environment);

    if (l->cli->json) {
        json_close(&l->json, ']');
        json_close(&l->json, '}');
        buf_put_char(&l->json, '\n');
    } else {
        table_put(&l->json, &l->table, &t);
        if (l->table.cell_count == 0)
            cli_note(l->cli, "there are none");
    }
    TRY(buf_check(cx, &l->json, "the list"));
    return cli_write(cx, l->cli, buf_str(&l->json));
}

err api_list_print(struct ctx *cx, struct cli *cli, const char *path,
                   const struct api_column *columns, size_t count)
{
    CLEANUP(remote_cleanup) struct remote *r = NULL;
    struct table_column titles[TABLE_COLUMNS_MAX];
    struct api_list l = {
        .cli = cli, .columns = columns, .count = count, .json = BUF(LIST_BYTES_MAX)};

    ENSURE(count <= TABLE_COLUMNS_MAX);
    for (size_t i = 0; i < count; i++)
        titles[i] = (struct table_column){columns[i].title, ALIGN_LEFT};
    l.table = table_open(cx->mem, titles, count);
    if (cli->json) {
        json_open(&l.json, '{');
        json_key(&l.json, S("items"));
        json_open(&l.json, '[');
    }
    TRY(remote_open(cx, cli, &r));
    err e = read_pages(cx, &l, r, path);
    if (e == ERR_OK)
        e = print_list(cx, &l);
    buf_close(&l.json);
    return e;
}

str path_segment(struct ctx *cx, str text)
{
    CLEANUP(buf_close) struct buf b = BUF(CELL_BYTES_MAX);

    percent_put(&b, text);
    return arena_str(cx->mem, buf_str(&b));
}
