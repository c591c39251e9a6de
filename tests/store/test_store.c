/* test_store.c - statements, transactions, readers and writers side by side, errors. */
#include "base/clock.h"
#include "base/queue.h"
#include "store/store.h"
#include "test.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define Q(name, text) static const struct sql name = {#name, text};
#include "store/thing_query.def"
#undef Q

static const struct migration things[] = {
    {1, "things",
     "CREATE TABLE thing (id TEXT PRIMARY KEY, n INTEGER, x REAL, body BLOB);"
     "CREATE TABLE part (thing TEXT NOT NULL REFERENCES thing (id), name TEXT)"},
    {0},
};

static struct store *open_things(struct ctx *cx, const char *path, struct store_options options)
{
    struct store *s;

    options.name = "view";
    options.path = path;
    CHECK_OK(store_open(cx, &options, &s));
    CHECK_OK(store_migrate(cx, s, "things", things));
    return s;
}

static void put(struct ctx *cx, struct store *s, str id, int64_t n)
{
    CHECK_OK(store_begin(cx, s));
    CHECK_OK(db_exec(cx, store_writer(s), &THING_PUT, ARGS(V(id), V(n), V(0.5), NO_VALUE), NULL));
    CHECK_OK(store_commit(cx, s));
}

static int64_t count(struct ctx *cx, struct db *db)
{
    CLEANUP(row_end) struct row *row = NULL;

    CHECK_OK(db_run(cx, db, &THING_COUNT, NO_ARGS, &row));
    return row_i64(row, 0);
}

static int64_t count_now(struct ctx *cx, struct store *s)
{
    CLEANUP(store_read_end) struct db *db = NULL;

    CHECK_OK(store_read_begin(cx, s, &db));
    return count(cx, db);
}

TEST(every_kind_of_value_comes_back_as_it_went_in)
{
    struct store *s = open_things(cx, ":memory:", (struct store_options){0});
    struct db *db = store_writer(s);
    struct row *row = NULL;

    CHECK_OK(store_begin(cx, s));
    CHECK_OK(db_exec(cx, db, &THING_PUT,
                     ARGS(V("zwölf"), V(INT64_MIN), V(0.1), BLOB(((str){"a\0b", 3}))), NULL));
    CHECK_OK(db_exec(cx, db, &THING_PUT, ARGS(V(S("")), V(7u), V(-0.0), V(STR_NULL)), NULL));
    CHECK_OK(store_commit(cx, s));

    CHECK_OK(db_run(cx, db, &THING_LIST, NO_ARGS, &row));
    CHECK(row);
    CHECK_STR(row_str(cx, row, 0), S(""));
    CHECK(!row_is_null(row, 0) && row_str(cx, row, 0).p); /* empty, not absent */
    CHECK_EQ(row_i64(row, 1), 7);
    CHECK(row_is_null(row, 3) && str_is_null(row_str(cx, row, 3)));
    CHECK_OK(row_next(cx, &row));
    CHECK_STR(row_str(cx, row, 0), S("zwölf"));
    CHECK_EQ(row_i64(row, 1), INT64_MIN);
    CHECK(row_double(row, 2) > 0.0999 && row_double(row, 2) < 0.1001);
    CHECK_STR(row_str(cx, row, 3), ((str){"a\0b", 3}));
    CHECK_OK(row_next(cx, &row));
    CHECK(!row);
    store_close(s);
}

TEST(a_number_beyond_63_bits_is_refused_not_wrapped)
{
    struct store *s = open_things(cx, ":memory:", (struct store_options){0});

    CHECK_OK(store_begin(cx, s));
    CHECK_ERR(db_exec(cx, store_writer(s), &THING_PUT,
                      ARGS(V("a"), V(UINT64_MAX), V(0.5), NO_VALUE), NULL),
              ERR_TOO_LARGE);
    CHECK_OK(store_commit(cx, s));
    store_close(s);
}

TEST(a_statement_may_run_inside_its_own_loop)
{
    struct store *s = open_things(cx, ":memory:", (struct store_options){0});
    struct db *db = store_writer(s);
    struct row *outer = NULL;
    int pairs = 0;

    for (int i = 0; i < 3; i++)
        put(cx, s, arena_printf(cx->mem, "%d", i), i);
    CHECK_OK(db_run(cx, db, &THING_LIST, NO_ARGS, &outer));
    while (outer) {
        struct row *inner = NULL;
        CHECK_OK(db_run(cx, db, &THING_LIST, NO_ARGS, &inner));
        while (inner) {
            pairs++;
            CHECK_OK(row_next(cx, &inner));
        }
        CHECK_OK(row_next(cx, &outer));
    }
    CHECK_EQ(pairs, 9);
    store_close(s);
}

/* Many more statements than the table of prepared ones begins with: all stay found. */
TEST(prepared_statements_are_found_again_when_there_are_many)
{
    struct store *s = open_things(cx, ":memory:", (struct store_options){0});
    struct sql *many = arena_new(cx->mem, struct sql, 500);

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 500; i++) {
            struct row *row = NULL;
            if (round == 0)
                many[i] = (struct sql){"MANY", arena_printf(cx->mem, "SELECT %d", i).p};
            CHECK_OK(db_run(cx, store_writer(s), &many[i], NO_ARGS, &row));
            CHECK_EQ(row_i64(row, 0), i);
            row_end(&row);
        }
    }
    store_close(s);
}

TEST(a_rollback_and_a_failed_end_leave_nothing)
{
    struct store *s = open_things(cx, test_path(cx, dir, "view.db"), (struct store_options){0});

    CHECK_OK(store_begin(cx, s));
    CHECK_OK(db_exec(cx, store_writer(s), &THING_PUT, ARGS(V("a"), V(1), V(0.5), NO_VALUE), NULL));
    store_rollback(s);
    CHECK_OK(store_begin(cx, s));
    CHECK_OK(db_exec(cx, store_writer(s), &THING_PUT, ARGS(V("b"), V(1), V(0.5), NO_VALUE), NULL));
    CHECK_ERR(store_end(cx, s, fail(cx, ERR_CONFLICT, "no")), ERR_CONFLICT);
    CHECK_EQ(count_now(cx, s), 0);
    CHECK_OK(store_begin(cx, s));
    CHECK_OK(store_end(
        cx, s,
        db_exec(cx, store_writer(s), &THING_PUT, ARGS(V("c"), V(1), V(0.5), NO_VALUE), NULL)));
    CHECK_EQ(count_now(cx, s), 1);
    store_close(s);
}

/* One of three commands in a batch fails: its part alone goes, also the part inside its part. */
TEST(a_savepoint_undoes_its_own_part)
{
    struct store *s = open_things(cx, ":memory:", (struct store_options){0});
    struct db *db = store_writer(s);
    CLEANUP(buf_close) struct buf dump = BUF(10000);

    CHECK_OK(store_begin(cx, s));
    for (int i = 0; i < 3; i++) {
        str id = arena_printf(cx->mem, "%d", i);
        CHECK_OK(store_savepoint(cx, s));
        CHECK_OK(db_exec(cx, db, &THING_PUT, ARGS(V(id), V(i), V(0.5), NO_VALUE), NULL));
        CHECK_OK(store_savepoint(cx, s));
        CHECK_OK(db_exec(cx, db, &PART_PUT, ARGS(V(id), V("inner")), NULL));
        CHECK_OK(i == 2 ? store_savepoint_undo(cx, s) : store_savepoint_release(cx, s));
        CHECK_OK(i == 1 ? store_savepoint_undo(cx, s) : store_savepoint_release(cx, s));
    }
    CHECK_OK(store_commit(cx, s));
    CHECK_OK(store_dump(cx, s, &dump));
    CHECK_STR(buf_str(&dump), S("# migration: module, version, name\n"
                                "[\"things\",1,\"things\"]\n"
                                "# part: thing, name\n"
                                "[\"0\",\"inner\"]\n"
                                "# thing: id, n, x, body\n"
                                "[\"0\",0,0.5,null]\n"
                                "[\"2\",2,0.5,null]\n"));
    store_close(s);
}

TEST(a_reader_keeps_its_snapshot_while_others_commit)
{
    struct store *s = open_things(cx, test_path(cx, dir, "view.db"), (struct store_options){0});
    struct db *early = NULL;

    put(cx, s, S("a"), 1);
    CHECK_OK(store_read_begin(cx, s, &early));
    CHECK_EQ(count(cx, early), 1);
    put(cx, s, S("b"), 2);
    CHECK_EQ(count(cx, early), 1);
    CHECK_EQ(count_now(cx, s), 2);
    store_read_end(&early);
    CHECK(!early);
    CHECK_OK(store_read_begin(cx, s, &early));
    CHECK_EQ(count(cx, early), 2);
    store_read_end(&early);
    store_close(s);
}

TEST(readers_cannot_write)
{
    struct store *s = open_things(cx, test_path(cx, dir, "view.db"), (struct store_options){0});
    CLEANUP(store_read_end) struct db *db = NULL;

    CHECK_OK(store_read_begin(cx, s, &db));
    CHECK_ERR(db_exec(cx, db, &THING_PUT, ARGS(V("a"), V(1), V(0.5), NO_VALUE), NULL), ERR_IO);
    store_read_end(&db);
    store_close(s);
}

TEST(a_full_pool_makes_readers_wait_and_then_says_busy)
{
    struct store *s = open_things(cx, test_path(cx, dir, "view.db"),
                                  (struct store_options){.readers_max = 2, .wait_ns = 20000000});
    struct db *a = NULL, *b = NULL, *c = NULL;

    CHECK_OK(store_read_begin(cx, s, &a));
    CHECK_OK(store_read_begin(cx, s, &b));
    int64_t began_ns = clock_mono_ns();
    CHECK_ERR(store_read_begin(cx, s, &c), ERR_BUSY);
    CHECK(clock_mono_ns() - began_ns >= 20000000);
    CHECK(!c);
    store_read_end(&b);
    CHECK_OK(store_read_begin(cx, s, &c));
    store_read_end(&a);
    store_read_end(&c);
    store_close(s);
}

/* Two writers move one unit each between two rows, readers see the sum unchanged. */
struct mover {
    struct store *store;
    int64_t step;
    bool wrong;
};

static void *move(void *arg)
{
    struct mover *m = arg;
    struct ctx *cx = ctx_open(0);

    for (int i = 0; i < 200 && !m->wrong; i++) {
        m->wrong = store_begin(cx, m->store) != ERR_OK;
        struct db *db = store_writer(m->store);
        m->wrong = m->wrong || db_exec(cx, db, &THING_ADD, ARGS(V("a"), V(m->step)), NULL) ||
                   db_exec(cx, db, &THING_ADD, ARGS(V("b"), V(-m->step)), NULL) ||
                   store_commit(cx, m->store);
    }
    ctx_close(cx);
    return NULL;
}

static void *watch(void *arg)
{
    struct mover *m = arg;
    struct ctx *cx = ctx_open(0);

    for (int i = 0; i < 300 && !m->wrong; i++) {
        CLEANUP(store_read_end) struct db *db = NULL;
        CLEANUP(row_end) struct row *row = NULL;
        m->wrong = store_read_begin(cx, m->store, &db) ||
                   db_run(cx, db, &THING_SUM, NO_ARGS, &row) || row_i64(row, 0) != 100;
    }
    ctx_close(cx);
    return NULL;
}

static void run_movers(struct ctx *cx, const char *path)
{
    struct store *s = open_things(cx, path, (struct store_options){.readers_max = 1});
    struct mover m[] = {{s, 1, false}, {s, -3, false}, {s, 0, false}, {s, 0, false}};
    pthread_t t[COUNT(m)];

    put(cx, s, S("a"), 40);
    put(cx, s, S("b"), 60);
    for (size_t i = 0; i < COUNT(m); i++)
        t[i] = thread_start("mover", m[i].step ? move : watch, &m[i]);
    for (size_t i = 0; i < COUNT(m); i++) {
        pthread_join(t[i], NULL);
        CHECK(!m[i].wrong);
    }
    store_close(s);
}

TEST(threads_read_and_write_one_file)
{
    run_movers(cx, test_path(cx, dir, "view.db"));
}

TEST(threads_read_and_write_one_memory)
{
    run_movers(cx, ":memory:");
}

TEST(a_deadline_ends_a_statement_that_takes_too_long)
{
    struct store *s = open_things(cx, ":memory:", (struct store_options){0});
    struct row *row = NULL;

    cx->deadline_ns = clock_mono_ns() + 20000000;
    CHECK_ERR(db_run(cx, store_writer(s), &ENDLESS, NO_ARGS, &row), ERR_TIMEOUT);
    CHECK(!row);
    store_close(s);
}

TEST(constraints_are_conflicts_and_tell_no_sql)
{
    struct store *s = open_things(cx, ":memory:", (struct store_options){0});
    struct db *db = store_writer(s);

    CHECK_OK(store_begin(cx, s));
    CHECK_ERR(db_exec(cx, db, &PART_PUT, ARGS(V("nobody"), V("x")), NULL), ERR_CONFLICT);
    CHECK_DETAIL("PART_PUT");
    CHECK(!strstr(cx->detail, "INSERT") && !strstr(cx->detail, "thing"));
    CHECK_OK(store_commit(cx, s));
    store_close(s);
}

TEST(a_disk_that_is_full_is_no_space_and_the_transaction_is_lost_whole)
{
    struct store *s = open_things(cx, ":memory:", (struct store_options){0});
    struct db *db = store_writer(s);
    char *big = arena_new(cx->mem, char, 1 << 20);
    struct row *row = NULL;

    CHECK_OK(db_run(cx, db, &PAGES_MAX, NO_ARGS, &row));
    row_end(&row);
    put(cx, s, S("before"), 1);
    CHECK_OK(store_begin(cx, s));
    CHECK_OK(db_exec(cx, db, &THING_PUT, ARGS(V("lost"), V(1), V(0.5), NO_VALUE), NULL));
    CHECK_ERR(db_exec(cx, db, &THING_PUT, ARGS(V("big"), V(1), V(0.5), BLOB(((str){big, 1 << 20}))),
                      NULL),
              ERR_NO_SPACE);
    store_rollback(s);
    CHECK_EQ(count_now(cx, s), 1);
    store_close(s);
}

/* An engine may roll back by itself; what comes after must not be committed alone. */
TEST(nothing_runs_when_the_transaction_was_lost)
{
    struct store *s = open_things(cx, ":memory:", (struct store_options){0});
    struct db *db = store_writer(s);

    CHECK_OK(store_begin(cx, s));
    CHECK_OK(db_exec(cx, db, &ROLLBACK_BEHIND, NO_ARGS, NULL));
    CHECK_ERR(db_exec(cx, db, &THING_PUT, ARGS(V("a"), V(1), V(0.5), NO_VALUE), NULL), ERR_IO);
    CHECK_ERR(store_commit(cx, s), ERR_IO);
    CHECK_EQ(count_now(cx, s), 0);
    store_close(s);
}

TEST(a_second_process_that_writes_makes_us_busy)
{
    const char *path = test_path(cx, dir, "view.db");
    struct store *a = open_things(cx, path, (struct store_options){.wait_ns = 10000000});
    struct store *b = open_things(cx, path, (struct store_options){.wait_ns = 10000000});

    CHECK_OK(store_begin(cx, a));
    CHECK_ERR(store_begin(cx, b), ERR_BUSY);
    CHECK_OK(store_commit(cx, a));
    CHECK_OK(store_begin(cx, b));
    CHECK_OK(store_commit(cx, b));
    store_close(a);
    store_close(b);
}

static void write_at(const char *path, off_t at, const char *bytes, size_t n)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);

    CHECK(fd >= 0 && pwrite(fd, bytes, n, at) == (ssize_t)n);
    close(fd);
}

TEST(what_is_no_database_is_corrupt)
{
    const char *path = test_path(cx, dir, "view.db");
    struct store_options options = {.name = "view", .path = path};
    struct store *s;
    char noise[4096];

    memset(noise, 'x', sizeof noise);
    write_at(path, 0, noise, sizeof noise);
    CHECK_ERR(store_open(cx, &options, &s), ERR_CORRUPT);
    CHECK_DETAIL("view");
}

TEST(a_broken_page_is_found_by_the_check)
{
    const char *path = test_path(cx, dir, "view.db");
    struct store_options options = {.name = "view", .path = path};
    struct store *s = open_things(cx, path, options);
    char noise[64];

    for (int i = 0; i < 300; i++)
        put(cx, s, arena_printf(cx->mem, "thing number %d of many", i), i);
    CHECK_OK(store_check(cx, s));
    store_close(s);
    memset(noise, 0xee, sizeof noise);
    write_at(path, 3 * 4096, noise, sizeof noise); /* the head of a page of the table */
    err e = store_open(cx, &options, &s);
    if (e == ERR_OK) {
        e = store_check(cx, s);
        store_close(s);
    }
    CHECK_EQ(e, ERR_CORRUPT);
}

TEST(a_folder_that_is_not_there_is_an_io_error)
{
    struct store_options options = {.name = "view", .path = test_path(cx, dir, "no/view.db")};
    struct store *s;

    CHECK(store_open(cx, &options, &s) != ERR_OK);
    CHECK_DETAIL("view.db");
}

TEST(the_files_are_for_their_owner_alone)
{
    const char *path = test_path(cx, dir, "vault.db");
    struct store *s = open_things(cx, path, (struct store_options){.sync = STORE_DURABLE});
    struct stat st;

    put(cx, s, S("a"), 1);
    CHECK(stat(path, &st) == 0);
    CHECK_EQ(st.st_mode & 0777, 0600);
    CHECK(stat(arena_printf(cx->mem, "%s-wal", path).p, &st) == 0);
    CHECK_EQ(st.st_mode & 0777, 0600);
    CHECK(store_bytes(s) > 4096);
    store_close(s);
}

TEST(a_read_only_store_changes_nothing)
{
    const char *path = test_path(cx, dir, "view.db");
    struct store_options options = {.name = "view", .path = path, .read_only = true};
    struct store *s;

    CHECK(store_open(cx, &options, &s) != ERR_OK);
    s = open_things(cx, path, (struct store_options){0});
    put(cx, s, S("a"), 1);
    store_close(s);
    CHECK_OK(store_open(cx, &options, &s));
    CHECK_EQ(count_now(cx, s), 1);
    CHECK_OK(store_begin(cx, s));
    CHECK_ERR(db_exec(cx, store_writer(s), &THING_PUT, ARGS(V("b"), V(1), V(0.5), NO_VALUE), NULL),
              ERR_IO);
    store_rollback(s);
    store_close(s);
}

TEST(a_statement_that_does_not_fit_the_schema_is_our_error)
{
    struct store *s = open_things(cx, ":memory:", (struct store_options){0});

    CHECK_ERR(db_prepare(cx, store_writer(s), &NO_SUCH_COLUMN), ERR_INTERNAL);
    CHECK_DETAIL("NO_SUCH_COLUMN");
    CHECK_OK(db_prepare(cx, store_writer(s), &THING_LIST));
    store_close(s);
}
