/* view.h - keeping the view in step with the ledger; inside writer/ only. */
#pragma once
#include "ledger/ledger.h"
#include "store/store.h"
#include "writer/event.h"

extern const struct migration view_migrations[]; /* module "writer": how far the view has come */

/* Entries below `applied` are folded. */
err view_set_applied(struct ctx *cx, struct db *view, uint64_t applied);
/* Fold what the ledger has and the view has not. */
err view_catch_up(struct ctx *cx, struct ledger *l, struct store *view,
                  const struct event_kind *const *events);
