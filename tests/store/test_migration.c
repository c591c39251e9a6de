/* test_migration.c - schemas grow in order, whole or not at all, and never backwards. */
#include "store/store.h"
#include "test.h"

static const struct migration one[] = {
    {1, "things", "CREATE TABLE thing (id TEXT PRIMARY KEY)"},
    {0},
};
static const struct migration three[] = {
    {1, "things", "CREATE TABLE thing (id TEXT PRIMARY KEY)"},
    {2, "sizes", "ALTER TABLE thing ADD COLUMN size INTEGER NOT NULL DEFAULT 1"},
    {3, "bigger", "UPDATE thing SET size = size * 2; CREATE INDEX thing_size ON thing (size)"},
    {0},
};
static const struct migration broken[] = {
    {1, "things", "CREATE TABLE thing (id TEXT PRIMARY KEY)"},
    {2, "half", "CREATE TABLE half (id TEXT); CREATE TABLE thing (id TEXT)"},
    {3, "never", "CREATE TABLE never (id TEXT)"},
    {0},
};
static const struct sql THING_PUT = {"THING_PUT", "INSERT INTO thing (id) VALUES (?1)"};

static struct store *open_at(struct ctx *cx, const char *path)
{
    struct store_options options = {.name = "view", .path = path};
    struct store *s;

    CHECK_OK(store_open(cx, &options, &s));
    return s;
}

static void check_dump(struct ctx *cx, struct store *s, str want)
{
    CLEANUP(buf_close) struct buf dump = BUF(100000);

    CHECK_OK(store_dump(cx, s, &dump));
    CHECK_STR(buf_str(&dump), want);
}

static void put(struct ctx *cx, struct store *s, str id)
{
    CHECK_OK(store_begin(cx, s));
    CHECK_OK(db_exec(cx, store_writer(s), &THING_PUT, ARGS(V(id)), NULL));
    CHECK_OK(store_commit(cx, s));
}

/* A database of version 1 with a row becomes version 3; doing it again changes nothing. */
TEST(migrations_apply_in_order_and_once)
{
    const char *path = test_path(cx, dir, "view.db");
    struct store *s = open_at(cx, path);

    CHECK_OK(store_migrate(cx, s, "things", one));
    put(cx, s, S("a"));
    store_close(s);
    s = open_at(cx, path);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(store_migrate(cx, s, "things", three));
        check_dump(cx, s,
                   S("# migration: module, version, name\n"
                     "[\"things\",1,\"things\"]\n"
                     "[\"things\",2,\"sizes\"]\n"
                     "[\"things\",3,\"bigger\"]\n"
                     "# thing: id, size\n"
                     "[\"a\",2]\n"));
    }
    store_close(s);
}

TEST(a_failed_migration_leaves_the_schema_of_the_one_before)
{
    struct store *s = open_at(cx, test_path(cx, dir, "view.db"));
    str want = S("# migration: module, version, name\n"
                 "[\"things\",1,\"things\"]\n"
                 "# thing: id\n");

    CHECK_ERR(store_migrate(cx, s, "things", broken), ERR_INTERNAL);
    CHECK_DETAIL("half");
    check_dump(cx, s, want);
    CHECK_OK(store_migrate(cx, s, "things", three)); /* the repaired program goes on from there */
    store_close(s);
}

TEST(a_newer_schema_is_refused)
{
    struct store *s = open_at(cx, ":memory:");

    CHECK_OK(store_migrate(cx, s, "things", three));
    CHECK_ERR(store_migrate(cx, s, "things", one), ERR_CONFIG);
    CHECK_DETAIL("things");
    CHECK_DETAIL("version 3");
    CHECK_DETAIL("newer");
    store_close(s);
}

TEST(modules_count_their_own_versions)
{
    static const struct migration others[] = {{1, "others", "CREATE TABLE other (id TEXT)"}, {0}};
    struct store *s = open_at(cx, ":memory:");

    CHECK_OK(store_migrate(cx, s, "things", three));
    CHECK_OK(store_migrate(cx, s, "others", others));
    CHECK_OK(store_migrate(cx, s, "things", three));
    store_close(s);
}

/* The same rows, put in another order and partly deleted and put again, give the same text. */
TEST(the_dump_depends_on_the_contents_alone)
{
    static const struct migration loose[] = {
        {1, "loose",
         "CREATE TABLE loose (a, b TEXT COLLATE NOCASE); CREATE TABLE \"odd \"\"name\" (x)"},
        {0}};
    static const struct sql PUT = {"PUT", "INSERT INTO loose VALUES (?1, ?2)"};
    static const struct sql DELETE = {"DELETE", "DELETE FROM loose WHERE a = ?1"};
    static const int orders[2][4] = {{0, 1, 2, 3}, {3, 2, 0, 1}};
    const struct value rows[4][2] = {{V(2), V("b")},
                                     {V(10), V("A")},
                                     {V(10), V("a")},
                                     {BLOB(((str){"\0\xff", 2})), V("line\n\"quoted\"")}};
    str texts[2];

    for (int round = 0; round < 2; round++) {
        struct store *s = open_at(cx, ":memory:");
        struct buf dump = BUF(100000);
        CHECK_OK(store_migrate(cx, s, "loose", loose));
        CHECK_OK(store_begin(cx, s));
        if (round == 1) {
            CHECK_OK(db_exec(cx, store_writer(s), &PUT, ARGS(V(77), V("gone")), NULL));
            CHECK_OK(db_exec(cx, store_writer(s), &DELETE, ARGS(V(77)), NULL));
        }
        for (int i = 0; i < 4; i++) {
            const struct value *row = rows[orders[round][i]];
            CHECK_OK(db_exec(cx, store_writer(s), &PUT, ARGS(row[0], row[1]), NULL));
        }
        CHECK_OK(store_commit(cx, s));
        CHECK_OK(store_dump(cx, s, &dump));
        texts[round] = arena_str(cx->mem, buf_str(&dump));
        buf_close(&dump);
        store_close(s);
    }
    CHECK_STR(texts[0], texts[1]);
    CHECK_HOLDS(texts[0], "# loose: a, b\n[2,\"b\"]\n[10,\"A\"]\n[10,\"a\"]\n"
                          "[{\"blob\":\"00ff\"},\"line\\n\\\"quoted\\\"\"]\n");
}

TEST(a_dump_that_does_not_fit_says_so)
{
    struct store *s = open_at(cx, ":memory:");
    CLEANUP(buf_close) struct buf dump = BUF(20);

    CHECK_OK(store_migrate(cx, s, "things", three));
    CHECK_ERR(store_dump(cx, s, &dump), ERR_TOO_LARGE);
    store_close(s);
}
