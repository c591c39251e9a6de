/* connection.h - what store.c and migration.c need of one connection; sqlite.c gives it.
 *
 * The inside of this folder: another engine is another file that gives these and the db_ and row_
 * functions of store.h. */
#pragma once
#include "store/store.h"

struct connection_options {
    const char *name; /* of the database, in errors */
    const char *path;
    enum store_sync sync;
    bool read_only;
    int64_t wait_ns;
    struct store *store;
};

/* Owned: connection_close(). */
err connection_open(struct ctx *cx, const struct connection_options *options, struct db **out);
void connection_close(struct db *db);
struct store *connection_store(const struct db *db);
/* Several statements without rows, of a migration; `what` names it in errors. */
err connection_script(struct ctx *cx, struct db *db, const char *what, const char *sql);

/* Between begin and end every statement must find the transaction still open: an engine may have
 * rolled it back by itself (disk full), and what came after would then be committed alone. */
err connection_begin(struct ctx *cx, struct db *db, const struct sql *q);
err connection_commit(struct ctx *cx, struct db *db); /* on failure rolled back */
void connection_rollback(struct db *db);

/* See store_dump(), store_check(). */
err connection_dump(struct ctx *cx, struct db *db, struct buf *out);
err connection_check(struct ctx *cx, struct db *db);
