/* app_parts.h - what an app stands on, for the files of ops that open less than all of it. */
#pragma once
#include "access/vault.h"
#include "crypto/note.h"
#include "ledger/ledger.h"
#include "ops/app_open.h"
#include "store/store.h"

struct parts {
    struct app app; /* first: app_close() finds the parts by it */
    struct ctx *cx; /* memory of everything that lives as long */
    const struct config *config;
    struct note_signer signer;
    struct vault *vault;
    struct store *vault_store;
};

struct parts *parts_new(const struct config *config); /* closed by app_close(&p->app) */
const char *parts_path(struct ctx *cx, const struct config *config, const char *name);
err parts_open_vault(struct ctx *cx, struct parts *p);
err parts_load_signer(struct ctx *cx, struct parts *p); /* origin, vkey, key: after the vault */
err parts_open_ledger(struct ctx *cx, struct parts *p); /* takes the folder's lock */
err parts_migrate_view(struct ctx *cx, struct store *view);
err parts_open_view(struct ctx *cx, struct parts *p);   /* migrated */
err parts_open_writer(struct ctx *cx, struct parts *p); /* folds what the view misses */
