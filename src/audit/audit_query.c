/* audit_query.c - finding and counting events, and reading one. */
#include "audit/audit_inner.h"
#include "base/clock.h"

/* A page ends early when its entries have so many bytes. */
enum { PAGE_BYTES_MAX = 8 << 20, LINK_BYTES_MAX = 256 * 1024 };

#define BUCKET_US_MIN INT64_C(1000000)

static str param_nth(const void *state, const char *name, size_t nth)
{
    const struct request *rq = state;

    for (size_t i = 0; i < rq->param_count; i++)
        if (str_eq(rq->params[i].name, str_from(name)) && nth-- == 0)
            return rq->params[i].value;
    return STR_NULL;
}

err audit_filter(struct ctx *cx, const struct request *rq, struct filter *out)
{
    return filter_parse(cx, param_nth, rq, out);
}

/* ---- GET /api/v1/events ---- */

struct page {
    struct event_item *items;
    size_t count, max, bytes;
};

static err page_visit(struct ctx *cx, void *state, const struct query_hit *hit, bool *stop)
{
    struct page *page = state;

    if (str_is_null(hit->entry)) /* pruned while we were looking */
        return ERR_OK;
    page->items[page->count++] = event_item_of(cx->mem, hit->index, arena_str(cx->mem, hit->entry));
    page->bytes += hit->entry.n;
    *stop = page->count == page->max || page->bytes >= PAGE_BYTES_MAX;
    return ERR_OK;
}

/* The first page fixes the range; what is recorded later is on no page that follows. */
static void fix_range(const struct ledger *l, struct query *q)
{
    uint64_t kept = ledger_first_kept(l);

    q->end = u64_min(q->end, ledger_size(l));
    q->begin = q->begin < kept ? kept : q->begin;
    q->begin = u64_min(q->begin, q->end);
}

static void link_next(struct ctx *cx, const struct request *rq, struct response *rs,
                      const struct filter *f, str next)
{
    CLEANUP(buf_close) struct buf link = BUF(LINK_BYTES_MAX);
    CLEANUP(buf_close) struct buf filter = BUF(LINK_BYTES_MAX);

    if (str_is_null(next))
        return;
    filter_put(&filter, f);
    buf_printf(&link, "<%.*s?%.*s%slimit=%llu&cursor=%.*s>; rel=\"next\"", STR_FMT(rq->path),
               STR_FMT(buf_str(&filter)), filter.n ? "&" : "", (unsigned long long)f->limit,
               STR_FMT(next));
    response_header(cx, rs, "Link", buf_str(&link));
}

err events_list(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct audit *a = rq->app->audit;
    struct filter f;
    struct query_end end;
    int64_t begun = clock_mono_ns();

    TRY(audit_filter(cx, rq, &f));
    fix_range(a->app->ledger, &f.query);
    f.query.scan_max = a->options.query_scan_max;
    struct page page = {.items = arena_new(cx->mem, struct event_item, (size_t)f.limit),
                        .max = (size_t)f.limit};
    TRY(query_run(cx, a->app->ledger, &f.query, page_visit, &page, &end));
    metric_observe(&audit_query_seconds, clock_mono_ns() - begun);
    metric_add(&audit_query_scanned, (int64_t)end.scanned);
    struct event_page answer = {.items = {page.items, page.count},
                                .next = filter_next(cx, &f, &end),
                                .scanned = end.scanned,
                                .complete = end.complete};
    link_next(cx, rq, rs, &f, answer.next);
    return response_json(cx, rs, 200, &event_page_shape, &answer);
}

/* ---- GET /api/v1/events/{index} ---- */

err audit_index(struct ctx *cx, const struct request *rq, uint64_t *out)
{
    if (!str_to_u64(rq->arg[0], out))
        return fail(cx, ERR_INVALID, "'%.*s' in the path is not a number",
                    STR_FMT(str_slice(rq->arg[0], 0, 40)));
    return ERR_OK;
}

/* RFC 9110 section 13.1.2: a list of tags, or *. */
static bool none_match_holds(const struct request *rq, str etag)
{
    str list = request_header(rq, S("if-none-match"));

    while (!str_is_null(list)) {
        str one = str_trim(str_cut(&list, ','));
        if (str_starts(one, S("W/")))
            one = str_slice(one, 2, one.n);
        if (str_eq(one, etag) || str_eq(one, S("*")))
            return true;
    }
    return false;
}

err event_get(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct hash leaf;
    uint64_t index;
    str entry;

    TRY(audit_index(cx, rq, &index));
    TRY(ledger_entry(cx, rq->app->ledger, index, &entry));
    hash_leaf(entry, &leaf);
    struct event_item item = event_item_of(cx->mem, index, entry);
    item.leaf_hash = hash_text(cx->mem, &leaf);
    str etag = arena_printf(cx->mem, "\"%.*s\"", STR_FMT(item.leaf_hash));
    response_header(cx, rs, "ETag", etag);
    response_header(cx, rs, "Cache-Control", S("private, max-age=31536000, immutable"));
    response_header(cx, rs, "Vary", S("Authorization, Cookie"));
    if (none_match_holds(rq, etag)) {
        rs->status = 304;
        return ERR_OK;
    }
    return response_json(cx, rs, 200, &event_item_shape, &item);
}

/* ---- GET /api/v1/events/stats ---- */

static err read_group(struct ctx *cx, const struct request *rq, struct query_stats_spec *spec)
{
    str group = request_param(rq, S("group"));

    if (str_is_null(group))
        return ERR_OK;
    for (size_t i = 0; i < ATTR_COUNT; i++) {
        if (!str_eq(group, str_from(attr_names[i])))
            continue;
        spec->grouped = true;
        spec->group = (enum attr)i;
        return ERR_OK;
    }
    ctx_add_issue(cx, S("/group"), "is no attribute that is indexed");
    return fail(cx, ERR_INVALID,
                "the parameter group must be one of type, source, subject, actor, "
                "principal, outcome, remoteip, sessionid");
}

static err read_bucket(struct ctx *cx, const struct request *rq, struct query_stats_spec *spec)
{
    str bucket = request_param(rq, S("bucket"));
    int64_t ns;

    if (str_is_null(bucket))
        return ERR_OK;
    if (!duration_parse(bucket, &ns) || ns / 1000 < BUCKET_US_MIN) {
        ctx_add_issue(cx, S("/bucket"), "must be a duration of at least a second");
        return fail(cx, ERR_INVALID,
                    "the parameter bucket must be a duration like 15m, 1h or 7d, at least 1s");
    }
    spec->bucket_us = ns / 1000;
    return ERR_OK;
}

err events_stats(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct query_stats_spec spec = {0};
    struct stats_answer answer = {0};
    struct query_count *counts;
    struct filter f;
    size_t n;

    TRY(audit_filter(cx, rq, &f));
    TRY(read_group(cx, rq, &spec));
    TRY(read_bucket(cx, rq, &spec));
    fix_range(rq->app->ledger, &f.query);
    spec.rows_max = (size_t)f.limit;
    TRY(query_stats(cx, rq->app->ledger, &f.query, &spec, &counts, &n, &answer.total,
                    &answer.other));
    struct stats_row *rows = arena_new(cx->mem, struct stats_row, n + 1);
    for (size_t i = 0; i < n; i++)
        rows[i] = (struct stats_row){counts[i].value, counts[i].from_us, counts[i].count};
    answer.rows = (struct list){rows, n};
    return response_json(cx, rs, 200, &stats_answer_shape, &answer);
}
