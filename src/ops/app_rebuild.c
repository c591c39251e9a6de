/* app_rebuild.c - the view made again from the ledger: to replace it, or to compare it. */
#include "ops/app_parts.h"
#include "writer/writer.h"

enum { DUMP_BYTES_MAX = 1 << 30 };

/* The fresh view beside the old one; the rename is the moment of change. */
static err rebuild_into(struct ctx *cx, struct parts *p, const char *fresh, progress_fn *progress,
                        void *state)
{
    struct store_options options = {.name = "new view", .path = fresh, .sync = STORE_FOLDED};
    struct store *view;

    TRY(store_open(cx, &options, &view));
    err e = parts_migrate_view(cx, view);
    if (e == ERR_OK)
        e = view_rebuild(cx, p->app.ledger, view, app_events(p->cx), progress, state);
    store_close(view);
    return e;
}

static err remove_store_files(struct ctx *cx, const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};

    for (size_t i = 0; i < COUNT(suffixes); i++) {
        err e = fs_unlink(cx, fs_real(), arena_printf(cx->mem, "%s%s", path, suffixes[i]).p);
        if (e != ERR_OK && e != ERR_NOT_FOUND)
            return e;
    }
    ctx_clear_error(cx);
    return ERR_OK;
}

static err rebuild(struct ctx *cx, struct parts *p, progress_fn *progress, void *state)
{
    const char *fresh = parts_path(cx, p->config, "view.db.new");
    const char *path = parts_path(cx, p->config, "view.db");

    TRY(parts_open_vault(cx, p));
    TRY(parts_load_signer(cx, p));
    TRY(parts_open_ledger(cx, p)); /* holds the folder */
    TRY(remove_store_files(cx, fresh));
    TRY(rebuild_into(cx, p, fresh, progress, state));
    TRY(remove_store_files(cx, path));
    TRY(fs_rename(cx, fs_real(), fresh, path));
    return fs_sync_dir(cx, fs_real(), arena_z(cx->mem, p->config->data_dir));
}

err app_rebuild(struct ctx *cx, const struct config *config, progress_fn *progress, void *state)
{
    struct parts *p = parts_new(config);

    err e = rebuild(cx, p, progress, state);
    app_close(&p->app);
    return e;
}

/* ---- comparing ---- */

static err dump_fresh(struct ctx *cx, struct parts *p, progress_fn *progress, void *state,
                      struct buf *out)
{
    struct store_options options = {
        .name = "folded view", .path = ":memory:", .sync = STORE_FOLDED};
    struct store *view;

    TRY(store_open(cx, &options, &view));
    err e = parts_migrate_view(cx, view);
    if (e == ERR_OK)
        e = view_rebuild(cx, p->app.ledger, view, app_events(p->cx), progress, state);
    if (e == ERR_OK)
        e = store_dump(cx, view, out);
    store_close(view);
    return e;
}

/* As it lies there, brought up to the ledger's size as the next start would. */
static err dump_stored(struct ctx *cx, struct parts *p, struct buf *out)
{
    TRY(parts_open_view(cx, p));
    TRY(parts_open_writer(cx, p));
    TRY(store_check(cx, p->app.view));
    return store_dump(cx, p->app.view, out);
}

static str line_at(str text, size_t at)
{
    size_t from = at, to = at;

    while (from && text.p[from - 1] != '\n')
        from--;
    while (to < text.n && text.p[to] != '\n')
        to++;
    return str_slice(text, from, size_min(to, from + 120));
}

static err compare(struct ctx *cx, str stored, str fresh)
{
    size_t at = 0;

    while (at < stored.n && at < fresh.n && stored.p[at] == fresh.p[at])
        at++;
    if (at == stored.n && at == fresh.n)
        return ERR_OK;
    return fail(cx, ERR_CORRUPT, "the view is not what the ledger folds to, first at \"%.*s\"",
                STR_FMT(line_at(stored.n > at ? stored : fresh, at)));
}

static err check_view(struct ctx *cx, struct parts *p, progress_fn *progress, void *state)
{
    CLEANUP(buf_close) struct buf stored = BUF(DUMP_BYTES_MAX);
    CLEANUP(buf_close) struct buf fresh = BUF(DUMP_BYTES_MAX);

    TRY(dump_fresh(cx, p, progress, state, &fresh));
    TRY(dump_stored(cx, p, &stored));
    return compare(cx, buf_str(&stored), buf_str(&fresh));
}

err app_check(struct ctx *cx, const struct config *config, progress_fn *progress, void *state,
              struct strs *out_vault_faults, str *out_view_fault)
{
    struct parts *p = parts_new(config);

    *out_view_fault = STR_NULL;
    err e = parts_open_vault(cx, p);
    if (e == ERR_OK)
        e = vault_verify(cx, p->vault, out_vault_faults);
    if (e == ERR_OK)
        e = parts_load_signer(cx, p);
    if (e == ERR_OK)
        e = parts_open_ledger(cx, p);
    if (e == ERR_OK) {
        e = check_view(cx, p, progress, state);
        if (e == ERR_CORRUPT) {
            *out_view_fault = arena_str(cx->mem, str_from(cx->detail));
            ctx_clear_error(cx);
            e = ERR_OK;
        }
    }
    app_close(&p->app);
    return e;
}
