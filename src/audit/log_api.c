/* log_api.c - the log as any verifier reads it: c2sp.org/tlog-tiles, and the history of its
 * checkpoints.
 *
 * Checkpoints and hashes tell nothing about what was logged, so they are public; entry bundles are
 * the entries themselves and have a route of their own with its own permission. */
#include "audit/audit_inner.h"
#include "base/clock.h"
#include "ledger/tile.h"

enum { CHECKPOINTS_MAX = 1000 };

#define TEXT_TYPE "text/plain; charset=utf-8"
#define FIRST_CHECKPOINT_NS INT64_C(2000000000)

err audit_checkpoint(struct ctx *cx, struct audit *a, str *out)
{
    if (!cx->deadline_ns)
        cx->deadline_ns = clock_mono_ns() + FIRST_CHECKPOINT_NS;
    err e = ledger_checkpoint(cx, a->app->ledger, 0, out, NULL);
    if (e == ERR_TIMEOUT)
        return fail(cx, ERR_BUSY, "no checkpoint has been signed yet");
    TRY(e);
    if (a->witnesses)
        *out = witness_client_add(cx, a->witnesses, *out);
    return ERR_OK;
}

err log_checkpoint(struct ctx *cx, struct request *rq, struct response *rs)
{
    static const char *const yes_or_no[] = {"0", "1", NULL};
    struct audit *a = rq->app->audit;
    size_t witnessed;
    uint64_t size;
    str note;

    TRY(audit_choice(cx, rq, "witnessed", yes_or_no, &witnessed));
    if (!witnessed)
        TRY(audit_checkpoint(cx, a, &note));
    else if (a->witnesses)
        TRY(witness_client_newest(cx, a->witnesses, &note, &size));
    else
        return fail(cx, ERR_NOT_FOUND, "this log has no witnesses");
    response_header(cx, rs, "Cache-Control", S("public, max-age=1"));
    return response_bytes(cx, rs, 200, TEXT_TYPE, note);
}

err log_vkey(struct ctx *cx, struct request *rq, struct response *rs)
{
    response_header(cx, rs, "Cache-Control", S("public, max-age=60"));
    return response_bytes(cx, rs, 200, TEXT_TYPE,
                          arena_printf(cx->mem, "%.*s\n", STR_FMT(rq->app->vkey)));
}

/* ---- tiles ---- */

/* `prefix` is what the route has taken from the name: "tile/" or "tile/entries/". */
static err read_tile(struct ctx *cx, const struct request *rq, const char *prefix, struct tile *out)
{
    err e = tile_parse(cx, arena_printf(cx->mem, "%s%.*s", prefix, STR_FMT(rq->arg[0])), out);

    /* There is nothing under a name that is none. */
    return e == ERR_INVALID ? fail(cx, ERR_NOT_FOUND, "'%s%.*s' is not the name of a tile", prefix,
                                   STR_FMT(str_slice(rq->arg[0], 0, 100)))
                            : e;
}

static err reply_tile(struct ctx *cx, struct response *rs, str bytes)
{
    metric_add(&audit_tiles_total, 1);
    return response_bytes(cx, rs, 200, "application/octet-stream", bytes);
}

err log_tile(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct tile t;
    str bytes;

    TRY(read_tile(cx, rq, "tile/", &t));
    if (t.is_bundle)
        return fail(cx, ERR_NOT_FOUND, "this is not the name of a tile of hashes");
    TRY(ledger_tile(cx, rq->app->ledger, t.level, t.index, t.width, &bytes));
    response_header(cx, rs, "Cache-Control", CACHE_FOR_EVER);
    return reply_tile(cx, rs, bytes);
}

err log_bundle(struct ctx *cx, struct request *rq, struct response *rs)
{
    bool everyone = rq->route->permission == PERM_PUBLIC;
    struct tile t;
    str bytes;

    TRY(read_tile(cx, rq, "tile/entries/", &t));
    TRY(ledger_bundle(cx, rq->app->ledger, t.index, t.width, &bytes));
    response_header(cx, rs, "Cache-Control",
                    everyone ? CACHE_FOR_EVER : S("private, max-age=31536000, immutable"));
    return reply_tile(cx, rs, bytes);
}

/* ---- the history of checkpoints ---- */

err log_checkpoints(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct ledger *l = rq->app->ledger;
    uint64_t begin = 0, end = ledger_checkpoint_count(l), limit;
    str cursor = request_param(rq, S("cursor"));
    struct checkpoint_page page = {0};
    struct ledger_signed head;

    TRY(request_param_u64(cx, rq, S("limit"), 1, CHECKPOINTS_MAX, FILTER_LIMIT, &limit));
    if (!str_is_null(cursor))
        TRY(cursor_read(cx, S("checkpoints"), cursor, &begin, &end));
    end = u64_min(end, ledger_checkpoint_count(l));
    struct checkpoint_item *items = arena_new(cx->mem, struct checkpoint_item, (size_t)limit);
    size_t n = 0;
    for (; end > begin && n < limit; n++) {
        TRY(ledger_checkpoint_at(cx, l, --end, &head));
        items[n] = (struct checkpoint_item){end, head.size, hash_text(cx->mem, &head.root),
                                            head.signed_us};
    }
    page.items = (struct list){items, n};
    if (end > begin) {
        page.next = cursor_make(cx, S("checkpoints"), begin, end);
        response_header(cx, rs, "Link",
                        arena_printf(cx->mem, "<%.*s?limit=%llu&cursor=%.*s>; rel=\"next\"",
                                     STR_FMT(rq->path), (unsigned long long)limit,
                                     STR_FMT(page.next)));
    }
    return response_json(cx, rs, 200, &checkpoint_page_shape, &page);
}

err log_checkpoint_get(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct audit *a = rq->app->audit;
    struct ledger_signed head;
    uint64_t number;

    TRY(audit_index(cx, rq, &number));
    TRY(ledger_checkpoint_at(cx, a->app->ledger, number, &head));
    if (a->witnesses)
        head.note = witness_client_add(cx, a->witnesses, head.note);
    response_header(cx, rs, "Cache-Control", S("public, max-age=60"));
    return response_bytes(cx, rs, 200, TEXT_TYPE, head.note);
}
