/* sqlite.c - a connection of SQLite 3.40: opening, prepared statements, columns, errors.
 *
 * A statement is prepared at its first use on a connection and kept until the connection closes;
 * it is found again by the address of its `struct sql`.  A statement that is run while it is
 * running (a query inside the loop over the same query) gets a spare of its own. */
#include "store/sqlite.h"
#include "base/clock.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { PROGRESS_STEPS = 20000, JOURNAL_BYTES_MAX = 64 << 20, PREPARED_CAPACITY_FIRST = 64 };

/* ---- errors ---- */

static const struct {
    int rc;
    err code;
} meanings[] = {
    {SQLITE_BUSY, ERR_BUSY},         {SQLITE_LOCKED, ERR_BUSY},
    {SQLITE_FULL, ERR_NO_SPACE},     {SQLITE_IOERR, ERR_IO},
    {SQLITE_CANTOPEN, ERR_IO},       {SQLITE_READONLY, ERR_IO},
    {SQLITE_PERM, ERR_IO},           {SQLITE_AUTH, ERR_IO},
    {SQLITE_CORRUPT, ERR_CORRUPT},   {SQLITE_NOTADB, ERR_CORRUPT},
    {SQLITE_FORMAT, ERR_CORRUPT},    {SQLITE_CONSTRAINT, ERR_CONFLICT},
    {SQLITE_TOOBIG, ERR_TOO_LARGE},  {SQLITE_NOMEM, ERR_TOO_LARGE},
    {SQLITE_INTERRUPT, ERR_TIMEOUT},
};

err sqlite_fail(struct ctx *cx, const struct db *db, const char *what, int rc)
{
    err code = ERR_INTERNAL;

    for (size_t i = 0; i < COUNT(meanings); i++)
        if (meanings[i].rc == (rc & 0xff))
            code = meanings[i].code;
    /* SQLite's own message may name columns or repeat SQL: only for our own mistakes, which the
     * client is not told. */
    const char *said =
        code == ERR_INTERNAL && db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc);
    int why = code == ERR_IO && db->handle ? sqlite3_system_errno(db->handle) : 0;
    if (why == ENOSPC || why == EDQUOT)
        code = ERR_NO_SPACE;
    return fail(cx, code, "%s, %s: %s (%d)%s%s", db->name, what, said, rc, why ? ": " : "",
                why ? strerror(why) : "");
}

/* ---- opening and closing ---- */

static int on_progress(void *state)
{
    const struct db *db = state;

    return db->deadline_ns != 0 && clock_mono_ns() > db->deadline_ns;
}

/* For every connection; then for those that write. */
static const char settings[] = "PRAGMA foreign_keys = ON;"
                               "PRAGMA trusted_schema = OFF;"
                               "PRAGMA cell_size_check = ON;"
                               "PRAGMA temp_store = MEMORY;"
                               "SELECT count(*) FROM sqlite_schema;";
static const char *const settings_of_writers[] = {
    [STORE_FOLDED] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
    [STORE_DURABLE] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                      "PRAGMA secure_delete = ON;",
};

static err cannot_write(struct ctx *cx, const struct db *db, const char *path)
{
    errno = 0;
    if (access(path, W_OK) != 0)
        return fail_errno(cx, ERR_IO, "%s, %s cannot be written", db->name, path);
    return fail(cx, ERR_IO, "%s, %s cannot be written", db->name, path);
}

static err set_up(struct ctx *cx, struct db *db, const struct connection_options *options)
{
    int wait_ms = (int)(options->wait_ns / 1000000);

    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, wait_ms);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_progress_handler(db->handle, PROGRESS_STEPS, on_progress, db);
    /* SQLite opens what it may not write for reading alone, and fails later without a reason. */
    if (!options->read_only && sqlite3_db_readonly(db->handle, "main") == 1)
        return cannot_write(cx, db, options->path);
    if (!options->read_only)
        TRY(connection_script(cx, db, options->path, settings_of_writers[options->sync]));
    return connection_script(cx, db, options->path, settings);
}

err connection_open(struct ctx *cx, const struct connection_options *options, struct db **out)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    struct db *db = calloc(1, sizeof *db);

    ENSURE(db);
    db->name = options->name;
    db->store = options->store;
    flags |= options->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    int rc = sqlite3_open_v2(options->path, &db->handle, flags, NULL);
    err e = rc == SQLITE_OK ? set_up(cx, db, options) : sqlite_fail(cx, db, options->path, rc);
    if (e) {
        connection_close(db);
        return e;
    }
    *out = db;
    return ERR_OK;
}

static void finalize(struct row *row)
{
    sqlite3_finalize(row->statement);
    free(row);
}

void connection_close(struct db *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < db->prepared_capacity; i++)
        if (db->prepared[i])
            finalize(db->prepared[i]);
    free(db->prepared);
    ENSURE(sqlite3_close(db->handle) == SQLITE_OK); /* else a row was never ended */
    free(db);
}

struct store *connection_store(const struct db *db)
{
    return db->store;
}

err connection_script(struct ctx *cx, struct db *db, const char *what, const char *sql)
{
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? ERR_OK : sqlite_fail(cx, db, what, rc);
}

/* ---- prepared statements ---- */

/* Where the statement is, or the empty place where it belongs. */
static struct row **place_of(struct row **places, size_t capacity, const struct sql *q)
{
    size_t i = ((uintptr_t)q >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 32 & (capacity - 1);

    while (places[i] && places[i]->sql != q)
        i = (i + 1) & (capacity - 1);
    return &places[i];
}

static void make_room(struct db *db)
{
    size_t capacity = db->prepared_capacity ? db->prepared_capacity * 2 : PREPARED_CAPACITY_FIRST;
    struct row **bigger;

    if (db->prepared_count * 2 < db->prepared_capacity)
        return;
    bigger = calloc(capacity, sizeof(struct row *));
    ENSURE(bigger);
    for (size_t i = 0; i < db->prepared_capacity; i++)
        if (db->prepared[i])
            *place_of(bigger, capacity, db->prepared[i]->sql) = db->prepared[i];
    free(db->prepared);
    db->prepared = bigger;
    db->prepared_capacity = capacity;
}

/* NULL when it cannot be: see cx->code. */
static struct row *compile(struct ctx *cx, struct db *db, const struct sql *q)
{
    sqlite3_stmt *statement;
    int rc =
        sqlite3_prepare_v3(db->handle, q->text, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);

    if (rc != SQLITE_OK) {
        err_ignore(sqlite_fail(cx, db, q->name, rc));
        return NULL;
    }
    struct row *row = calloc(1, sizeof *row);
    ENSURE(row);
    *row = (struct row){.db = db, .sql = q, .statement = statement};
    return row;
}

/* The prepared statement, or a spare one while that is running; NULL: see cx->code. */
static struct row *statement_of(struct ctx *cx, struct db *db, const struct sql *q)
{
    make_room(db);
    struct row **place = place_of(db->prepared, db->prepared_capacity, q);
    if (*place && !(*place)->running)
        return *place;
    struct row *made = compile(cx, db, q);
    if (!made)
        return NULL;
    made->spare = *place != NULL;
    if (!made->spare) {
        *place = made;
        db->prepared_count++;
    }
    return made;
}

err db_prepare(struct ctx *cx, struct db *db, const struct sql *q)
{
    struct row *row = statement_of(cx, db, q);

    if (!row)
        return cx->code;
    if (row->spare)
        finalize(row);
    return ERR_OK;
}

static int bind(sqlite3_stmt *statement, int i, const struct value *v)
{
    switch (v->kind) {
    case VALUE_NULL:
        return sqlite3_bind_null(statement, i);
    case VALUE_I64:
        return sqlite3_bind_int64(statement, i, v->i);
    case VALUE_DOUBLE:
        return sqlite3_bind_double(statement, i, v->d);
    case VALUE_STR:
        return sqlite3_bind_text64(statement, i, v->s.p, v->s.n, SQLITE_STATIC, SQLITE_UTF8);
    case VALUE_BLOB:
        return sqlite3_bind_blob64(statement, i, v->s.p, v->s.n, SQLITE_STATIC);
    case VALUE_TOO_BIG:
        return SQLITE_TOOBIG;
    }
    return SQLITE_MISUSE;
}

static err bind_all(struct ctx *cx, struct row *row, struct args args)
{
    ENSURE((size_t)sqlite3_bind_parameter_count(row->statement) == args.count);
    for (size_t i = 0; i < args.count; i++) {
        int rc = bind(row->statement, (int)i + 1, &args.items[i]);
        if (rc != SQLITE_OK)
            return sqlite_fail(cx, row->db, row->sql->name, rc);
    }
    return ERR_OK;
}

void row_end(struct row **out)
{
    struct row *row = *out;

    if (!row)
        return;
    *out = NULL;
    sqlite3_reset(row->statement);
    sqlite3_clear_bindings(row->statement);
    row->running = false;
    if (row->spare)
        finalize(row);
}

err row_next(struct ctx *cx, struct row **out)
{
    struct row *row = *out;

    row->db->deadline_ns = cx->deadline_ns;
    int rc = sqlite3_step(row->statement);
    if (rc == SQLITE_ROW)
        return ERR_OK;
    err e = rc == SQLITE_DONE ? ERR_OK : sqlite_fail(cx, row->db, row->sql->name, rc);
    row_end(out);
    return e;
}

/* Bound and ready for its first step; NULL: see cx->code. */
static struct row *start(struct ctx *cx, struct db *db, const struct sql *q, struct args args)
{
    if (db->in_transaction && sqlite3_get_autocommit(db->handle)) {
        err_ignore(fail(cx, ERR_IO, "%s, %s: the transaction was lost", db->name, q->name));
        return NULL;
    }
    struct row *row = statement_of(cx, db, q);
    if (!row)
        return NULL;
    row->running = true;
    if (bind_all(cx, row, args) != ERR_OK)
        row_end(&row);
    return row;
}

err db_run(struct ctx *cx, struct db *db, const struct sql *q, struct args args, struct row **out)
{
    struct row *row = start(cx, db, q, args);

    if (!row)
        return cx->code;
    TRY(row_next(cx, &row));
    *out = row;
    return ERR_OK;
}

err db_exec(struct ctx *cx, struct db *db, const struct sql *q, struct args args,
            uint64_t *out_changed)
{
    struct row *row = start(cx, db, q, args);

    if (!row)
        return cx->code;
    TRY(row_next(cx, &row));
    ENSURE(!row); /* a statement with rows is for db_run() */
    if (out_changed)
        *out_changed = (uint64_t)sqlite3_changes64(db->handle);
    return ERR_OK;
}

/* ---- transactions ---- */

err connection_begin(struct ctx *cx, struct db *db, const struct sql *q)
{
    TRY(db_exec(cx, db, q, NO_ARGS, NULL));
    db->in_transaction = true;
    return ERR_OK;
}

err connection_commit(struct ctx *cx, struct db *db)
{
    static const struct sql commit = {"COMMIT", "COMMIT"};
    err e = db_exec(cx, db, &commit, NO_ARGS, NULL);

    connection_rollback(db); /* nothing to undo after a good commit */
    return e;
}

void connection_rollback(struct db *db)
{
    db->in_transaction = false;
    if (!sqlite3_get_autocommit(db->handle))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- columns ---- */

int64_t row_i64(const struct row *row, int column)
{
    return sqlite3_column_int64(row->statement, column);
}

uint64_t row_u64(const struct row *row, int column)
{
    int64_t i = row_i64(row, column);

    return i > 0 ? (uint64_t)i : 0;
}

double row_double(const struct row *row, int column)
{
    return sqlite3_column_double(row->statement, column);
}

bool row_bool(const struct row *row, int column)
{
    return row_i64(row, column) != 0;
}

bool row_is_null(const struct row *row, int column)
{
    return sqlite3_column_type(row->statement, column) == SQLITE_NULL;
}

str row_peek(const struct row *row, int column)
{
    if (row_is_null(row, column))
        return STR_NULL;
    const void *p = sqlite3_column_blob(row->statement, column); /* of a text: its UTF-8 bytes */
    size_t n = (size_t)sqlite3_column_bytes(row->statement, column);
    return (str){p ? p : "", n};
}

str row_str(struct ctx *cx, const struct row *row, int column)
{
    return arena_str(cx->mem, row_peek(row, column));
}
