/* store.c - a database: one connection that writes, a pool of connections that read.
 *
 * `writing` is held from store_begin() to commit or rollback, so the write connection has one user
 * at a time.  `pool` guards the list of idle readers; connections are made when first needed.  The
 * reader that came back last goes out first: its cache is warm.
 * A private database (":memory:") cannot be seen by a second connection: its readers take the
 * write connection, and with it `writing`. */
#include "store/store.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/queue.h"
#include "store/connection.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { READERS_MAX_DEFAULT = 8 };
#define WAIT_NS_DEFAULT INT64_C(5000000000)

static const struct sql BEGIN_WRITE = {"BEGIN", "BEGIN IMMEDIATE"};
static const struct sql BEGIN_READ = {"BEGIN", "BEGIN"};
static const struct sql SAVE = {"SAVEPOINT", "SAVEPOINT part"};
static const struct sql RELEASE = {"RELEASE", "RELEASE part"};
static const struct sql UNDO = {"UNDO", "ROLLBACK TO part"};

struct store {
    struct store_options options;
    char *path;
    pthread_mutex_t writing;
    struct db *writer;
    pthread_mutex_t pool;
    pthread_cond_t returned;
    struct db **idle; /* guarded by pool */
    size_t idle_count, reader_count;
};

static bool is_private(const struct store *s)
{
    return strcmp(s->path, ":memory:") == 0;
}

static err open_connection(struct ctx *cx, struct store *s, bool read_only, struct db **out)
{
    struct connection_options options = {
        .name = s->options.name,
        .path = s->path,
        .sync = s->options.sync,
        .read_only = read_only,
        .wait_ns = s->options.wait_ns,
        .store = s,
    };

    return connection_open(cx, &options, out);
}

/* SQLite would make it with mode 0644; the files beside it take over the mode of this one. */
static err make_file(struct ctx *cx, const struct store *s)
{
    struct fs fs = fs_real();
    fs_file f;

    if (is_private(s) || s->options.read_only || fs_exists(fs, s->path))
        return ERR_OK;
    TRY(fs_open(cx, fs, s->path, FS_WRITE | FS_CREATE, &f));
    fs_close(fs, f);
    return ERR_OK;
}

static err open_writer(struct ctx *cx, struct store *s)
{
    TRY(make_file(cx, s));
    return open_connection(cx, s, s->options.read_only, &s->writer);
}

err store_open(struct ctx *cx, const struct store_options *options, struct store **out)
{
    struct store *s = calloc(1, sizeof *s);

    ENSURE(s);
    s->options = *options;
    if (!s->options.readers_max)
        s->options.readers_max = READERS_MAX_DEFAULT;
    if (!s->options.wait_ns)
        s->options.wait_ns = WAIT_NS_DEFAULT;
    s->path = strdup(options->path);
    s->idle = calloc(s->options.readers_max, sizeof(struct db *));
    ENSURE(s->path && s->idle);
    pthread_mutex_init(&s->writing, NULL);
    pthread_mutex_init(&s->pool, NULL);
    cond_init(&s->returned);
    err e = open_writer(cx, s);
    if (e) {
        store_close(s);
        return e;
    }
    *out = s;
    return ERR_OK;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    ENSURE(s->idle_count == s->reader_count); /* else a checkout was never given back */
    for (size_t i = 0; i < s->idle_count; i++)
        connection_close(s->idle[i]);
    connection_close(s->writer); /* last: it folds the journal into the database */
    pthread_cond_destroy(&s->returned);
    pthread_mutex_destroy(&s->pool);
    pthread_mutex_destroy(&s->writing);
    free(s->idle);
    free(s->path);
    free(s);
}

/* ---- writing ---- */

err store_begin(struct ctx *cx, struct store *s)
{
    pthread_mutex_lock(&s->writing);
    err e = connection_begin(cx, s->writer, &BEGIN_WRITE);
    if (e)
        pthread_mutex_unlock(&s->writing);
    return e;
}

err store_commit(struct ctx *cx, struct store *s)
{
    err e = connection_commit(cx, s->writer);

    pthread_mutex_unlock(&s->writing);
    return e;
}

void store_rollback(struct store *s)
{
    connection_rollback(s->writer);
    pthread_mutex_unlock(&s->writing);
}

err store_end(struct ctx *cx, struct store *s, err done)
{
    if (done == ERR_OK)
        return store_commit(cx, s);
    store_rollback(s);
    return done;
}

struct db *store_writer(struct store *s)
{
    return s->writer;
}

err store_savepoint(struct ctx *cx, struct store *s)
{
    return db_exec(cx, s->writer, &SAVE, NO_ARGS, NULL);
}

err store_savepoint_release(struct ctx *cx, struct store *s)
{
    return db_exec(cx, s->writer, &RELEASE, NO_ARGS, NULL);
}

err store_savepoint_undo(struct ctx *cx, struct store *s)
{
    TRY(db_exec(cx, s->writer, &UNDO, NO_ARGS, NULL));
    return store_savepoint_release(cx, s);
}

/* ---- reading ---- */

/* An idle connection, or NULL when the caller is to make a new one (it is counted already). */
static err take_reader(struct ctx *cx, struct store *s, struct db **out)
{
    int64_t deadline_ns = clock_mono_ns() + s->options.wait_ns;

    if (cx->deadline_ns && cx->deadline_ns < deadline_ns)
        deadline_ns = cx->deadline_ns;
    LOCK(lock, &s->pool);
    while (s->idle_count == 0 && s->reader_count == s->options.readers_max)
        if (!cond_wait_until(&s->returned, &s->pool, deadline_ns))
            return fail(cx, ERR_BUSY, "%s: all %u connections for reading are in use",
                        s->options.name, s->options.readers_max);
    if (s->idle_count == 0)
        s->reader_count++;
    *out = s->idle_count ? s->idle[--s->idle_count] : NULL;
    return ERR_OK;
}

static void give_back(struct store *s, struct db *db)
{
    LOCK(lock, &s->pool);
    if (db)
        s->idle[s->idle_count++] = db;
    else
        s->reader_count--;
    pthread_cond_signal(&s->returned);
}

static err begin_reading(struct ctx *cx, struct store *s, struct db **db)
{
    if (!*db)
        TRY(open_connection(cx, s, true, db));
    return connection_begin(cx, *db, &BEGIN_READ);
}

err store_read_begin(struct ctx *cx, struct store *s, struct db **out)
{
    struct db *db = NULL;

    if (is_private(s)) {
        pthread_mutex_lock(&s->writing);
        *out = s->writer;
        return ERR_OK;
    }
    TRY(take_reader(cx, s, &db));
    err e = begin_reading(cx, s, &db);
    if (e) {
        give_back(s, db);
        return e;
    }
    *out = db;
    return ERR_OK;
}

void store_read_end(struct db **db)
{
    if (!*db)
        return;
    struct store *s = connection_store(*db);
    if (*db == s->writer) {
        pthread_mutex_unlock(&s->writing);
    } else {
        connection_rollback(*db);
        give_back(s, *db);
    }
    *db = NULL;
}

/* ---- the whole ---- */

err store_dump(struct ctx *cx, struct store *s, struct buf *out)
{
    CLEANUP(store_read_end) struct db *db = NULL;

    TRY(store_read_begin(cx, s, &db));
    return connection_dump(cx, db, out);
}

err store_check(struct ctx *cx, struct store *s)
{
    CLEANUP(store_read_end) struct db *db = NULL;

    TRY(store_read_begin(cx, s, &db));
    return connection_check(cx, db);
}

uint64_t store_bytes(const struct store *s)
{
    static const char *const files[] = {"", "-wal"};
    uint64_t bytes = 0;
    struct stat st;

    for (size_t i = 0; i < COUNT(files) && !is_private(s); i++) {
        struct buf path = BUF(4096);
        buf_printf(&path, "%s%s", s->path, files[i]);
        if (buf_ok(&path) && stat(path.p, &st) == 0)
            bytes += (uint64_t)st.st_size;
        buf_close(&path);
    }
    return bytes;
}
