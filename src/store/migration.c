/* migration.c - bringing a database's schema to what the modules' tables say.
 *
 * The table `migration` holds what was applied.  A migration and its row are one transaction, so a
 * failure or a crash leaves the schema of the one before. */
#include "base/clock.h"
#include "store/connection.h"
#include "store/store.h"

static const char journal_sql[] = "CREATE TABLE IF NOT EXISTS migration ("
                                  " module TEXT NOT NULL, version INTEGER NOT NULL,"
                                  " name TEXT NOT NULL, applied_us INTEGER NOT NULL,"
                                  " PRIMARY KEY (module, version))";
static const struct sql VERSION = {"MIGRATION_VERSION",
                                   "SELECT max(version) FROM migration WHERE module = ?1"};
static const struct sql APPLIED = {"MIGRATION_APPLIED",
                                   "INSERT INTO migration VALUES (?1, ?2, ?3, ?4)"};

static err version_of(struct ctx *cx, struct db *db, const char *module, int64_t *out)
{
    CLEANUP(row_end) struct row *row = NULL;

    TRY(db_run(cx, db, &VERSION, ARGS(V(module)), &row));
    *out = row ? row_i64(row, 0) : 0;
    return ERR_OK;
}

static err apply(struct ctx *cx, struct db *db, const char *module, const struct migration *m)
{
    TRY(connection_script(cx, db, m->name, m->sql));
    return db_exec(cx, db, &APPLIED, ARGS(V(module), V(m->version), V(m->name), V(clock_now_us())),
                   NULL);
}

/* Makes the journal if need be; *out is the version that the database is at. */
static err read_journal(struct ctx *cx, struct db *db, const char *module, int64_t *out)
{
    TRY(connection_script(cx, db, "journal of migrations", journal_sql));
    return version_of(cx, db, module, out);
}

err store_migrate(struct ctx *cx, struct store *s, const char *module,
                  const struct migration *table)
{
    struct db *db = store_writer(s);
    int64_t at = 0, known = 0;

    TRY(store_begin(cx, s));
    TRY(store_end(cx, s, read_journal(cx, db, module, &at)));
    for (const struct migration *m = table; m->version; m++) {
        ENSURE(m->version == ++known);
        if (m->version <= at)
            continue;
        TRY(store_begin(cx, s));
        TRY(store_end(cx, s, apply(cx, db, module, m)));
    }
    if (at > known)
        return fail(cx, ERR_CONFIG,
                    "the tables of '%s' are of version %lld, this program knows %lld: they were "
                    "written by a newer Chancery",
                    module, (long long)at, (long long)known);
    return ERR_OK;
}
