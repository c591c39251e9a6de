/* app_open.h - putting a data folder's parts together: vault, ledger, view, writer, access, audit.
 *
 * The one place where configuration becomes the options of the rooms, and where their order of
 * opening and closing stands: vault (the log's key is in it) -> ledger (recovers, holds the lock)
 * -> view (migrated) -> writer (folds what the view misses) -> access -> ingest, audit A data
 * folder: vault.key  vault.db  log.vkey  view.db  ledger/  chancery.yaml (optional) */
#pragma once
#include "ops/config.h"
#include "writer/app.h"

struct route;
struct metric;
struct event_kind;

enum app_mode {
    APP_SERVER,  /* everything */
    APP_OFFLINE, /* everything but live streams and witnesses: for commands on a folder */
};

/* Make a data folder: keys, empty vault, empty log.  `origin` null: made up from the host's name.
 * CONFLICT when there is one already.  *out_vkey in arena `mem`. */
err app_init(struct ctx *cx, const struct config *config, str origin, str *out_vkey);

/* NOT_FOUND when the folder is none (chancery init makes it); LOCKED when a process holds it;
 * CORRUPT. Borrows `config` until app_close(). */
err app_open(struct ctx *cx, const struct config *config, enum app_mode mode, struct app **out);
void app_close(struct app *app); /* NULL is a no-op */
static inline void app_cleanup(struct app **app)
{
    app_close(*app);
}

/* Fold the whole ledger into a new view, which then replaces the old one. */
err app_rebuild(struct ctx *cx, const struct config *config,
                void (*progress)(void *, uint64_t, uint64_t), void *state);

/* The vault's values and the view against the ledger.  ERR_OK when both were looked at; what is
 * wrong is in out_vault_faults (texts) and out_view_fault (null: nothing). */
err app_check(struct ctx *cx, const struct config *config,
              void (*progress)(void *, uint64_t, uint64_t), void *state,
              struct strs *out_vault_faults, str *out_view_fault);

/* Routes of all modules, NULL-ended; arena `mem`. */
const struct route *const *app_routes(struct ctx *cx);
/* Metrics of all modules, NULL-ended; arena `mem`. */
struct metric *const *app_metrics(struct ctx *cx);
/* Event kinds of all modules, NULL-ended; arena `mem`. */
const struct event_kind *const *app_events(struct ctx *cx);
