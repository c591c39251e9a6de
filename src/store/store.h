/* store.h - the SQL door: a database, its connections, statements from tables, typed arguments.
 *
 * A `struct store` is one database (the view, the vault).  A `struct db` is one connection of it,
 * and all a query function needs, so one function serves both sides:
 *
 *   a fold or command     struct db *view (event.h)                      inside the transaction
 *   a handler or job      CLEANUP(store_read_end) struct db *db = NULL;  a snapshot, given back at
 *                         TRY(store_read_begin(cx, app->view, &db));     the end of the scope
 *
 * Statements stand in a .def table of the domain, Q(USER_GET, "SELECT role FROM ... WHERE name =
 * ?1"), which its view file makes into constants:
 *
 *   #define Q(name, text) static const struct sql name = {#name, text};
 *   #include "access/access_query.def"
 *   #undef Q
 *
 * and runs like this (a connection prepares a statement once and keeps it):
 *
 *   CLEANUP(row_end) struct row *row = NULL;
 *   TRY(db_run(cx, db, &USER_GET, ARGS(V(name)), &row));   the first row, or NULL when there is
 * none while (row) { use(row_str(cx, row, 0), row_i64(row, 1)); TRY(row_next(cx, &row)); the next,
 * NULL behind the last
 *   }
 *
 * The SQL of domains is what SQLite and PostgreSQL both take; placeholders are ?1, ?2, …; what one
 * of them has alone stands in migrations.
 *
 * Threads: any thread may read and write, each with its own checkout: readers have a connection to
 * themselves, writers take turns.  A `struct db` and its rows belong to the thread that has it.
 * Errors: BUSY (locked, or no connection in time), TIMEOUT (cx->deadline_ns), NO_SPACE, IO,
 * CORRUPT, CONFLICT (a constraint of the schema), TOO_LARGE, INTERNAL (a statement that does not
 * fit the schema).  The detail names the database and the statement, never SQL text or values. */
#pragma once
#include "base/base.h"
#include "base/buf.h"

struct store; /* opaque: one database */
struct db;    /* opaque: one connection */
struct row;   /* opaque: a running statement, standing on a row */

struct sql {
    const char *name; /* NULL ends a table */
    const char *text;
};

/* ---- opening ---- */

enum store_sync {
    STORE_FOLDED,  /* may be folded again: a power cut may lose the last commits, never break it */
    STORE_DURABLE, /* a commit is on the disk when it returns */
};

struct store_options {
    const char *name; /* in errors: "view", "vault"; static */
    const char *path; /* made if absent, mode 0600; ":memory:" is private and gone when closed */
    enum store_sync sync;
    bool read_only;       /* nothing is made or changed */
    unsigned readers_max; /* connections for reading; 0: 8.  ":memory:" has none: readers and
                             writers take turns */
    int64_t wait_ns;      /* for a connection or another process's lock; 0: 5 s */
};

/* Owned: store_close().  CORRUPT when it is no database. */
err store_open(struct ctx *cx, const struct store_options *options, struct store **out);
void store_close(struct store *s); /* no checkout may be left; NULL is a no-op */

/* ---- schema ---- */

struct migration {
    int version; /* 1, 2, …; 0 ends a table */
    const char *name;
    const char *sql; /* statements separated by ';' */
};

/* Apply what `module` has not had yet, each in a transaction of its own, in order.  CONFIG when the
 * database knows a later version than the table: it was written by a newer Chancery.  Not for a
 * read_only store. */
err store_migrate(struct ctx *cx, struct store *s, const char *module,
                  const struct migration *table);

/* ---- writing: one transaction at a time ---- */

/* Take the write connection and begin; waits for its turn. */
err store_begin(struct ctx *cx, struct store *s);
/* Make it last and give the connection back; on failure everything is undone. */
err store_commit(struct ctx *cx, struct store *s);
void store_rollback(struct store *s); /* undo everything and give the connection back */
/* The write connection.  Only between begin and commit or rollback, by the thread that began. */
struct db *store_writer(struct store *s);
/* Commit when what was done in between went well, else roll back and pass its error on:
 *   TRY(store_begin(cx, s));
 *   return store_end(cx, s, put_things(cx, store_writer(s))); */
err store_end(struct ctx *cx, struct store *s, err done);

/* A part of the transaction that can be undone alone.  They nest; each is ended by exactly one of
 * release and undo. */
err store_savepoint(struct ctx *cx, struct store *s);
err store_savepoint_release(struct ctx *cx, struct store *s);
err store_savepoint_undo(struct ctx *cx, struct store *s);

/* ---- reading: a snapshot ---- */

/* A connection of the pool.  From its first statement on it sees one snapshot, which no later
 * commit changes.  BUSY when none is free
 * within wait_ns (or cx->deadline_ns). */
err store_read_begin(struct ctx *cx, struct store *s, struct db **out);
void store_read_end(struct db **db); /* for CLEANUP(); *db may be NULL */

/* ---- statements ---- */

/* TOO_BIG: an unsigned number beyond INT64_MAX, which no database keeps; running with it fails. */
enum value_kind { VALUE_NULL, VALUE_I64, VALUE_DOUBLE, VALUE_STR, VALUE_BLOB, VALUE_TOO_BIG };

struct value {
    enum value_kind kind;
    int64_t i;
    double d;
    str s; /* borrowed until the row is ended */
};

struct args {
    const struct value *items;
    size_t count;
};

/* clang-format off */
static inline struct value value_i64(int64_t i) { return (struct value){.kind = VALUE_I64, .i = i}; }
static inline struct value value_u64(uint64_t u) { return (struct value){.kind = u > INT64_MAX ? VALUE_TOO_BIG : VALUE_I64, .i = (int64_t)u}; }
static inline struct value value_bool(bool b) { return value_i64(b); }
static inline struct value value_double(double d) { return (struct value){.kind = VALUE_DOUBLE, .d = d}; }
/* A null str is NULL; text is UTF-8. */
static inline struct value value_str(str s) { return (struct value){.kind = s.p ? VALUE_STR : VALUE_NULL, .s = s}; }
static inline struct value value_blob(str s) { return (struct value){.kind = s.p ? VALUE_BLOB : VALUE_NULL, .s = s}; }
static inline struct value value_z(const char *z) { return value_str(str_from(z)); }

/* The value of an expression by its type; BLOB(str) for bytes that are no text. */
#define V(x)                                                                                       \
    _Generic((x),                                                                                  \
        bool: value_bool, int: value_i64, unsigned: value_u64,                                     \
        long: value_i64, unsigned long: value_u64,                                                 \
        long long: value_i64, unsigned long long: value_u64,                                       \
        double: value_double, str: value_str, char *: value_z, const char *: value_z)(x)
/* clang-format on */
#define BLOB(s) value_blob(s)
#define NO_VALUE ((struct value){.kind = VALUE_NULL})
/* Arguments ?1, ?2, … in order. */
#define ARGS(...)                                                                                  \
    ((struct args){(const struct value[]){__VA_ARGS__},                                            \
                   sizeof((const struct value[]){__VA_ARGS__}) / sizeof(struct value)})
#define NO_ARGS ((struct args){NULL, 0})

/* Run a statement to its first row; *out is NULL when it has none.  The arguments are borrowed
 * until the row is ended.  Must be ended by row_end() or by row_next() giving NULL. */
err db_run(struct ctx *cx, struct db *db, const struct sql *q, struct args args, struct row **out);
/* Run a statement that gives no rows; *out_changed (may be NULL) is how many rows it changed. */
err db_exec(struct ctx *cx, struct db *db, const struct sql *q, struct args args,
            uint64_t *out_changed);
/* Can the statement be prepared on this schema?  For start-up checks and tests. */
err db_prepare(struct ctx *cx, struct db *db, const struct sql *q);

err row_next(struct ctx *cx, struct row **row); /* *row becomes NULL behind the last one */
void row_end(struct row **row);                 /* for CLEANUP(); *row may be NULL */

/* Columns from 0.  NULL reads as 0, false and a null str. */
int64_t row_i64(const struct row *row, int column);
uint64_t row_u64(const struct row *row, int column);
double row_double(const struct row *row, int column);
bool row_bool(const struct row *row, int column);
str row_str(struct ctx *cx, const struct row *row, int column); /* a copy in cx->mem */
str row_peek(const struct row *row, int column);                /* until the next step */
bool row_is_null(const struct row *row, int column);

/* ---- the whole ---- */

/* Every row of every table as text, in one order that depends on the contents alone: equal
 * databases give equal texts.  Of the table of migrations the times are left out, and the
 * table `progress`, in which the writer notes how far it has come. */
err store_dump(struct ctx *cx, struct store *s, struct buf *out);
/* CORRUPT with what and where, when pages, indexes or constraints are broken. */
err store_check(struct ctx *cx, struct store *s);
/* What the files take on the disk; 0 for ":memory:". */
uint64_t store_bytes(const struct store *s);
