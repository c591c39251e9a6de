/* view.c - folding the ledger's own events into the view: the tail at start, everything in a
 * rebuild.
 *
 * `applied` moves only when a batch holds own events, so what lies between it and the size is
 * mostly entries of clients; the index by source steps over them. */
#include "writer/view.h"
#include "ledger/query.h"
#include "writer/emitter.h"
#include "writer/writer.h"

enum { FOLDS_PER_COMMIT = 1000 };

const struct migration view_migrations[] = {
    {1, "progress",
     "CREATE TABLE progress (id INTEGER PRIMARY KEY CHECK (id = 1), applied BIGINT NOT NULL);"
     "INSERT INTO progress (id, applied) VALUES (1, 0);"},
    {0},
};

#define Q(name, text) static const struct sql name = {#name, text};
#include "writer/query.def"
#undef Q

err view_set_applied(struct ctx *cx, struct db *view, uint64_t applied)
{
    return db_exec(cx, view, &APPLIED_SET, ARGS(V(applied)), NULL);
}

err view_applied(struct ctx *cx, struct store *view, uint64_t *out)
{
    CLEANUP(store_read_end) struct db *db = NULL;
    CLEANUP(row_end) struct row *row = NULL;

    TRY(store_read_begin(cx, view, &db));
    TRY(db_run(cx, db, &APPLIED_GET, NO_ARGS, &row));
    if (!row)
        return fail(cx, ERR_CORRUPT, "the view does not say how far it has come");
    *out = row_u64(row, 0);
    return ERR_OK;
}

struct folding {
    struct emitter emitter;
    struct store *view;
    uint64_t pending, total;
    progress_fn *progress;
    void *progress_state;
};

static void folding_close(struct folding *f)
{
    emitter_close(&f->emitter);
}

static err fold_one(struct ctx *cx, void *state, const struct query_hit *hit, bool *stop)
{
    struct folding *f = state;

    (void)stop;
    if (f->pending == 0)
        TRY(store_begin(cx, f->view));
    f->pending++;
    TRY(emitter_fold(cx, &f->emitter, hit->index, hit->entry, store_writer(f->view)));
    if (f->pending < FOLDS_PER_COMMIT)
        return ERR_OK;
    TRY(view_set_applied(cx, store_writer(f->view), hit->index + 1));
    TRY(store_commit(cx, f->view));
    f->pending = 0;
    if (f->progress)
        f->progress(f->progress_state, hit->index + 1, f->total);
    return ERR_OK;
}

static err fold_range(struct ctx *cx, struct folding *f, struct ledger *l, uint64_t from,
                      uint64_t to)
{
    struct query q = {
        .match = {{ATTR_SOURCE, EVENT_SOURCE, false}},
        .match_count = 1,
        .oldest_first = true,
        .begin = from,
        .end = to,
    };
    struct query_end end;

    err e = query_run(cx, l, &q, fold_one, f, &end);
    if (e == ERR_OK && f->pending == 0)
        e = store_begin(cx, f->view);
    else if (e != ERR_OK && f->pending == 0)
        return e;
    if (e == ERR_OK)
        e = view_set_applied(cx, store_writer(f->view), to);
    if (e != ERR_OK) {
        store_rollback(f->view);
        return e;
    }
    TRY(store_commit(cx, f->view));
    if (f->progress)
        f->progress(f->progress_state, to, f->total);
    return ERR_OK;
}

static err fold_from(struct ctx *cx, struct ledger *l, struct store *view, uint64_t from,
                     struct folding *f)
{
    uint64_t size = ledger_size(l);

    f->view = view;
    f->total = size;
    if (from > size)
        return fail(
            cx, ERR_CORRUPT,
            "the view has seen %llu entries but the ledger holds %llu; if the ledger verifies, "
            "make the view anew: chancery rebuild",
            (unsigned long long)from, (unsigned long long)size);
    return from == size ? ERR_OK : fold_range(cx, f, l, from, size);
}

err view_catch_up(struct ctx *cx, struct ledger *l, struct store *view,
                  const struct event_kind *const *events)
{
    CLEANUP(folding_close) struct folding f = {0};
    uint64_t applied;

    emitter_open(&f.emitter, events);
    TRY(view_applied(cx, view, &applied));
    return fold_from(cx, l, view, applied, &f);
}

err view_rebuild(struct ctx *cx, struct ledger *l, struct store *view,
                 const struct event_kind *const *events, progress_fn *progress, void *state)
{
    CLEANUP(folding_close) struct folding f = {.progress = progress, .progress_state = state};

    emitter_open(&f.emitter, events);
    return fold_from(cx, l, view, 0, &f);
}
