/* sqlite.h - the inside of a SQLite connection, for sqlite*.c only. */
#pragma once
#include "store/connection.h"
#include <sqlite3.h>

struct db {
    sqlite3 *handle;
    const char *name;
    struct store *store;
    int64_t deadline_ns;   /* of the statement that is being stepped; 0 is none */
    bool in_transaction;   /* between connection_begin() and its end */
    struct row **prepared; /* by the address of their struct sql; open addressing */
    size_t prepared_count, prepared_capacity; /* capacity: 0 or a power of two */
};

/* A prepared statement; while `running` it stands on a row. */
struct row {
    struct db *db;
    const struct sql *sql;
    sqlite3_stmt *statement;
    bool running;
    bool spare; /* not in db->prepared: its twin was running already */
};

/* What SQLite says, as our error.  `what` names the statement or the deed. */
err sqlite_fail(struct ctx *cx, const struct db *db, const char *what, int rc);
