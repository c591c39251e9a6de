/* audit_export.c - GET /api/v1/events/export: everything that a filter finds, as one stream.
 *
 * The log's size at the start is the end of the export.  Memory does not grow with it: one segment
 * is asked at a time and what it took is dropped, and a slow client slows the reading.  Every
 * export is an event, also one that broke off. */
#include "audit/audit_inner.h"
#include "base/encode.h"
#include "base/json_write.h"
#include "writer/writer.h"

enum { FLUSH_BYTES = 64 * 1024, OUT_BYTES_MAX = 1 << 20 };

struct export;

struct export_format {
    const char *name, *media_type, *file_name;
    void (*head)(struct buf *b);
    err (*put)(struct ctx *cx, struct export *x, uint64_t index, str entry);
};

struct export
{
    struct response *rs;
    const struct export_format *format;
    struct json_parser *parser;
    struct buf out, cell;
    uint64_t count;
};

static void export_close(struct export *x)
{
    json_parser_close(x->parser);
    buf_close(&x->out);
    buf_close(&x->cell);
}

/* ---- NDJSON ---- */

/* JSON text has line breaks only between its tokens, where a blank means the same. */
static void put_on_one_line(struct buf *b, size_t from)
{
    for (char *p = b->p + from; p < b->p + b->n; p++)
        if (*p == '\n' || *p == '\r')
            *p = ' ';
}

static void no_head(struct buf *b)
{
    (void)b;
}

static err put_ndjson(struct ctx *cx, struct export *x, uint64_t index, str entry)
{
    struct event_item item = event_item_of(cx->mem, index, entry);
    size_t from = x->out.n;

    shape_encode(&x->out, &event_item_shape, &item);
    if (buf_ok(&x->out))
        put_on_one_line(&x->out, from);
    buf_put_char(&x->out, '\n');
    return ERR_OK;
}

/* ---- CSV ---- */

enum column {
    COLUMN_INDEX,
    COLUMN_RECORDED,
    COLUMN_TIME,
    COLUMN_ATTR,
    COLUMN_ID = COLUMN_ATTR + ATTR_COUNT,
    COLUMN_DATA,
    COLUMN_COUNT
};

static str column_name(size_t column)
{
    static const char *const names[COLUMN_COUNT] = {
        [COLUMN_INDEX] = "index", [COLUMN_RECORDED] = "recorded", [COLUMN_TIME] = "time",
        [COLUMN_ID] = "id",       [COLUMN_DATA] = "data",
    };

    return str_from(names[column] ? names[column] : attr_names[column - COLUMN_ATTR]);
}

static void put_csv_head(struct buf *b)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        if (i)
            buf_put_char(b, ',');
        buf_put(b, column_name(i));
    }
    buf_put(b, S("\r\n"));
}

/* Column of a member of the event; COLUMN_COUNT when it has none. */
static size_t column_of(str member)
{
    size_t i = COLUMN_RECORDED;

    if (str_eq(member, S("data_base64")))
        return COLUMN_DATA;
    while (i < COLUMN_COUNT && !str_eq(member, column_name(i)))
        i++;
    return i;
}

static void put_csv_value(struct export *x, size_t column, struct json v)
{
    if (json_kind(v) == JSON_NULL)
        return;
    if (column != COLUMN_DATA && json_kind(v) == JSON_STRING) {
        csv_cell_put(&x->out, json_str(v));
        return;
    }
    buf_clear(&x->cell);
    json_put_value(&x->cell, v);
    csv_cell_put(&x->out, buf_str(&x->cell));
}

static err put_csv_event(struct ctx *cx, struct export *x, str entry)
{
    struct json root, cells[COLUMN_COUNT];
    bool has[COLUMN_COUNT + 1] = {0};

    TRY(json_parse(cx, x->parser, entry, &root));
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        cells[i] = root; /* a value in any case; `has` says which count */
    for (struct json_iter it = json_iter(root); json_next(&it);) {
        size_t column = column_of(it.key);
        has[column] = true;
        if (column < COLUMN_COUNT)
            cells[column] = it.value;
    }
    for (size_t i = COLUMN_RECORDED; i < COLUMN_COUNT; i++) {
        buf_put_char(&x->out, ',');
        if (has[i])
            put_csv_value(x, i, cells[i]);
    }
    return ERR_OK;
}

static err put_csv(struct ctx *cx, struct export *x, uint64_t index, str entry)
{
    struct event_item item = event_item_of(cx->mem, index, entry);

    buf_put_u64(&x->out, index);
    if (str_is_null(item.event)) { /* raw bytes go where data would be, as base64 */
        for (size_t i = COLUMN_RECORDED; i < COLUMN_COUNT; i++)
            buf_put_char(&x->out, ',');
        csv_cell_put(&x->out, item.raw);
    } else {
        TRY(put_csv_event(cx, x, item.event));
    }
    buf_put(&x->out, S("\r\n"));
    return ERR_OK;
}

/* ---- the export ---- */

static const struct export_format formats[] = {
    {"ndjson", "application/x-ndjson", "events.ndjson", no_head, put_ndjson},
    {"csv", "text/csv; charset=utf-8; header=present", "events.csv", put_csv_head, put_csv},
};
static const char *const format_names[] = {"ndjson", "csv", NULL};

static err flush(struct ctx *cx, struct export *x)
{
    TRY(buf_check(cx, &x->out, "a part of the export"));
    TRY(response_write(cx, x->rs, buf_str(&x->out)));
    buf_clear(&x->out);
    return ERR_OK;
}

static err export_visit(struct ctx *cx, void *state, const struct query_hit *hit, bool *stop)
{
    struct export *x = state;

    (void)stop;
    if (str_is_null(hit->entry))
        return ERR_OK;
    struct arena_mark mark = arena_mark(cx->mem);
    err e = x->format->put(cx, x, hit->index, hit->entry);
    arena_rewind(cx->mem, mark);
    TRY(e);
    x->count++;
    return x->out.n >= FLUSH_BYTES ? flush(cx, x) : ERR_OK;
}

/* The part of the query that lies in the segment where it begins (or, newest first, ends). */
static struct query first_segment(const struct query *q)
{
    struct query part = *q;
    uint64_t segment = (q->oldest_first ? q->begin : q->end - 1) / SEGMENT_ENTRIES;

    if (q->oldest_first)
        part.end = u64_min(q->end, (segment + 1) * SEGMENT_ENTRIES);
    else if (segment * SEGMENT_ENTRIES > q->begin)
        part.begin = segment * SEGMENT_ENTRIES;
    return part;
}

static err export_all(struct ctx *cx, struct export *x, struct ledger *l, struct query q)
{
    struct query_end end;

    x->format->head(&x->out);
    q.end = ledger_size(l);
    while (q.begin < q.end) {
        struct arena_mark mark = arena_mark(cx->mem);
        struct query part = first_segment(&q);
        TRY(query_run(cx, l, &part, export_visit, x, &end));
        arena_rewind(cx->mem, mark);
        if (q.oldest_first)
            q.begin = part.end;
        else
            q.end = part.begin;
    }
    return flush(cx, x);
}

/* How it ended, as a metric and as an event. */
static void record(struct ctx *cx, const struct request *rq, const struct filter *f,
                   const struct export *x, bool complete)
{
    CLEANUP(buf_close) struct buf filter = BUF(ENTRY_BYTES_MAX / 2);
    const struct actor actor = {.principal = rq->principal.id, .remoteip = rq->peer};

    metric_cell_add(metric_cell(&audit_exports_total,
                                complete ? S("outcome=\"success\"") : S("outcome=\"failure\"")),
                    1);
    metric_add(&audit_exported_total, (int64_t)x->count);
    filter_put(&filter, f);
    const struct export_record data = {.filter = arena_str(cx->mem, buf_str(&filter)),
                                       .format = str_from(x->format->name),
                                       .count = x->count,
                                       .complete = complete};
    const struct event e = {.type = "events.exported",
                            .subject = S("events"),
                            .outcome = complete ? S("success") : S("failure"),
                            .data = &data};
    writer_note(rq->app->writer, &e, &actor);
}

static err run(struct ctx *cx, struct request *rq, struct response *rs, const struct filter *f,
               const struct export_format *format)
{
    CLEANUP(export_close)
    struct export x = {.rs = rs,
                       .format = format,
                       .parser = json_parser_open(),
                       .out = BUF(OUT_BYTES_MAX),
                       .cell = BUF(OUT_BYTES_MAX)};

    response_header(cx, rs, "Content-Disposition",
                    arena_printf(cx->mem, "attachment; filename=\"%s\"", format->file_name));
    if (rq->method == HTTP_HEAD)
        return response_bytes(cx, rs, 200, format->media_type, S(""));
    err e = response_begin(cx, rs, 200, format->media_type);
    if (e == ERR_OK)
        e = export_all(cx, &x, rq->app->ledger, f->query);
    record(cx, rq, f, &x, e == ERR_OK);
    return e;
}

err events_export(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct audit *a = rq->app->audit;
    struct filter f;
    size_t format;

    TRY(audit_filter(cx, rq, &f));
    TRY(audit_choice(cx, rq, "format", format_names, &format));
    if (atomic_fetch_add(&a->exports, 1) >= a->options.exports_max) {
        atomic_fetch_sub(&a->exports, 1);
        return fail(cx, ERR_BUSY, "%u exports are running, which is the limit",
                    a->options.exports_max);
    }
    err e = run(cx, rq, rs, &f, &formats[format]);
    atomic_fetch_sub(&a->exports, 1);
    return e;
}
