/* sqlite_dump.c - a database as text, and is it whole.
 *
 * The dump orders tables by name and rows by all their columns, so it depends on the contents
 * alone: not on the order of insertion, on page layout or on row ids that no column shows.  Left
 * out are the shadow tables of full-text indexes (they follow from the index's own table) and
 * `progress`, in which the writer notes how far the view has come: it is no content. */
#include "base/encode.h"
#include "base/json_write.h"
#include "store/sqlite.h"

static const struct sql tables = {
    "TABLES", "SELECT name FROM pragma_table_list WHERE schema = 'main'"
              " AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
              " AND name <> 'progress'"
              " ORDER BY name"};
static const struct sql columns = {
    "COLUMNS", "SELECT name FROM pragma_table_info(?1)"
               " WHERE NOT (?1 = 'migration' AND name = 'applied_us') ORDER BY cid"};

static void put_identifier(struct buf *b, str name)
{
    buf_put_char(b, '"');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"')
            buf_put_char(b, '"');
        buf_put_char(b, name.p[i]);
    }
    buf_put_char(b, '"');
}

/* SELECT "a", "b" FROM "t" ORDER BY 1 COLLATE BINARY, 2 COLLATE BINARY */
static err put_select(struct ctx *cx, struct db *db, str table, struct buf *sql)
{
    CLEANUP(row_end) struct row *row = NULL;
    int n = 0;

    buf_put(sql, S("SELECT "));
    TRY(db_run(cx, db, &columns, ARGS(V(table)), &row));
    while (row) {
        buf_put(sql, n++ ? S(", ") : S(""));
        put_identifier(sql, row_peek(row, 0));
        TRY(row_next(cx, &row));
    }
    buf_put(sql, S(" FROM "));
    put_identifier(sql, table);
    for (int i = 1; i <= n; i++)
        buf_printf(sql, "%s %d COLLATE BINARY", i == 1 ? " ORDER BY" : ",", i);
    return buf_check(cx, sql, "a table's statement");
}

static void put_blob(struct buf *out, str bytes)
{
    CLEANUP(buf_close) struct buf hex = BUF(out->max);

    hex_put(&hex, bytes.p, bytes.n);
    json_open(out, '{');
    json_member_str(out, S("blob"), buf_str(&hex));
    json_close(out, '}');
    out->failed = out->failed || hex.failed;
}

static void put_value(struct buf *out, sqlite3_stmt *s, int column)
{
    const char *p = sqlite3_column_blob(s, column);
    str bytes = {p ? p : "", (size_t)sqlite3_column_bytes(s, column)};

    switch (sqlite3_column_type(s, column)) {
    case SQLITE_INTEGER:
        json_put_i64(out, sqlite3_column_int64(s, column));
        break;
    case SQLITE_FLOAT:
        json_put_double(out, sqlite3_column_double(s, column));
        break;
    case SQLITE_NULL:
        json_put_null(out);
        break;
    case SQLITE_BLOB:
        put_blob(out, bytes);
        break;
    default:
        json_put_str(out, bytes);
    }
}

/* A line that begins with '#' names the table and its columns; then one JSON array a row. */
static err put_rows(struct ctx *cx, struct db *db, sqlite3_stmt *s, struct buf *out)
{
    int rc;

    for (int i = 0; i < sqlite3_column_count(s); i++)
        buf_printf(out, "%s%s", i ? ", " : "", sqlite3_column_name(s, i));
    buf_put_char(out, '\n');
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        json_open(out, '[');
        for (int i = 0; i < sqlite3_column_count(s); i++)
            put_value(out, s, i);
        json_close(out, ']');
        buf_put_char(out, '\n');
    }
    return rc == SQLITE_DONE ? buf_check(cx, out, "the dump") : sqlite_fail(cx, db, "dump", rc);
}

static void statement_close(sqlite3_stmt **s)
{
    sqlite3_finalize(*s);
}

static err dump_table(struct ctx *cx, struct db *db, str table, struct buf *out)
{
    CLEANUP(buf_close) struct buf sql = BUF(64 * 1024);
    CLEANUP(statement_close) sqlite3_stmt *s = NULL;

    TRY(put_select(cx, db, table, &sql));
    int rc = sqlite3_prepare_v2(db->handle, sql.p, -1, &s, NULL);
    if (rc != SQLITE_OK)
        return sqlite_fail(cx, db, "dump", rc);
    buf_printf(out, "# %.*s: ", STR_FMT(table));
    return put_rows(cx, db, s, out);
}

err connection_dump(struct ctx *cx, struct db *db, struct buf *out)
{
    CLEANUP(row_end) struct row *row = NULL;

    TRY(db_run(cx, db, &tables, NO_ARGS, &row));
    while (row) {
        TRY(dump_table(cx, db, row_peek(row, 0), out));
        TRY(row_next(cx, &row));
    }
    return ERR_OK;
}

err connection_check(struct ctx *cx, struct db *db)
{
    static const struct sql integrity = {"INTEGRITY", "PRAGMA integrity_check(1)"};
    static const struct sql references = {
        "REFERENCES", "SELECT \"table\", rowid FROM pragma_foreign_key_check LIMIT 1"};
    CLEANUP(row_end) struct row *whole = NULL;
    CLEANUP(row_end) struct row *astray = NULL;

    TRY(db_run(cx, db, &integrity, NO_ARGS, &whole));
    if (!whole || !str_eq(row_peek(whole, 0), S("ok")))
        return fail(cx, ERR_CORRUPT, "%s: %.*s", db->name,
                    STR_FMT(whole ? row_peek(whole, 0) : S("no answer")));
    TRY(db_run(cx, db, &references, NO_ARGS, &astray));
    if (astray)
        return fail(cx, ERR_CORRUPT, "%s: row %lld of table %.*s refers to a row that is not there",
                    db->name, (long long)row_i64(astray, 1), STR_FMT(row_peek(astray, 0)));
    return ERR_OK;
}
