/* test_vault.c - secrets at rest: what is changed is noticed, what has the wrong key stays shut. */
#include "access/vault.h"
#include "base/encode.h"
#include "test.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct store *open_store(struct ctx *cx, const char *path)
{
    struct store_options options = {.name = "vault", .path = path, .sync = STORE_DURABLE};
    struct store *s;

    CHECK_OK(store_open(cx, &options, &s));
    return s;
}

static struct vault *open_new(struct ctx *cx, struct store *s, const struct seal_key *key)
{
    struct vault *v;

    CHECK_OK(vault_create(cx, s, key));
    CHECK_OK(vault_open(cx, s, key, &v));
    return v;
}

TEST(secrets_come_back_as_they_went_in)
{
    struct store *s = open_store(cx, test_path(cx, dir, "vault.db"));
    struct seal_key key;
    struct strs faults;
    struct vault_item *items;
    size_t n;
    str secret;

    seal_key_generate(&key);
    struct vault *v = open_new(cx, s, &key);
    CHECK_ERR(vault_get(cx, v, VAULT_PASSWORD, S("a"), &secret), ERR_NOT_FOUND);
    CHECK_OK(vault_put(cx, v, VAULT_PASSWORD, S("b"), S("old")));
    CHECK_OK(vault_put(cx, v, VAULT_PASSWORD, S("b"), S("new")));
    CHECK_OK(vault_put(cx, v, VAULT_PASSWORD, S("a"), ((str){"\0\xff", 2})));
    CHECK_OK(vault_put(cx, v, VAULT_SESSION, S("a"), S("")));
    CHECK_OK(vault_get(cx, v, VAULT_PASSWORD, S("b"), &secret));
    CHECK_STR(secret, S("new"));
    CHECK_OK(vault_list(cx, v, VAULT_PASSWORD, &items, &n));
    CHECK_EQ(n, 2);
    CHECK_STR(items[0].id, S("a"));
    CHECK_STR(items[0].secret, ((str){"\0\xff", 2}));
    CHECK_OK(vault_delete(cx, v, VAULT_PASSWORD, S("a")));
    CHECK_OK(vault_delete(cx, v, VAULT_PASSWORD, S("a")));
    CHECK_ERR(vault_get(cx, v, VAULT_PASSWORD, S("a"), &secret), ERR_NOT_FOUND);
    CHECK_OK(vault_get(cx, v, VAULT_SESSION, S("a"), &secret));
    CHECK_EQ(secret.n, 0);
    CHECK_OK(vault_verify(cx, v, &faults));
    CHECK_EQ(faults.count, 0);
    CHECK_ERR(vault_create(cx, s, &key), ERR_CONFLICT);
    vault_close(v);
    store_close(s);
}

TEST(nothing_of_a_secret_is_in_the_file)
{
    const char *path = test_path(cx, dir, "vault.db");
    struct store *s = open_store(cx, path);
    struct seal_key key;
    str bytes;

    seal_key_generate(&key);
    struct vault *v = open_new(cx, s, &key);
    CHECK_OK(vault_put(cx, v, VAULT_PASSWORD, S("a"), S("the secret of secrets")));
    CHECK_OK(vault_put(cx, v, VAULT_PASSWORD, S("a"), S("another")));
    for (int i = 0; i < 2; i++) {
        const char *name = i ? path : arena_printf(cx->mem, "%s-wal", path).p;
        CHECK_OK(fs_read_all(cx, fs_real(), name, 10 << 20, &bytes));
        CHECK_EQ(str_find(bytes, S("of secrets")), bytes.n);
        CHECK_EQ(str_find(bytes, (str){(const char *)key.bytes, 16}), bytes.n);
        vault_close(i ? NULL : v);
        if (!i)
            store_close(s); /* the journal goes into the database */
    }
}

TEST(another_key_does_not_open_the_vault)
{
    struct store *s = open_store(cx, test_path(cx, dir, "vault.db"));
    struct seal_key key, other;
    struct vault *v;

    seal_key_generate(&key);
    seal_key_generate(&other);
    CHECK_ERR(vault_open(cx, s, &key, &v), ERR_CORRUPT); /* none was made yet */
    CHECK_DETAIL("first row");
    v = open_new(cx, s, &key);
    vault_close(v);
    CHECK_ERR(vault_open(cx, s, &other, &v), ERR_CORRUPT);
    CHECK_DETAIL("master key");
    CHECK_OK(vault_open(cx, s, &key, &v));
    vault_close(v);
    store_close(s);
}

static const struct sql MOVE = {"MOVE", "UPDATE secret SET id = 'b' WHERE id = 'a'"};
static const struct sql RETYPE = {"RETYPE", "UPDATE secret SET kind = 'session' WHERE id = 'a'"};
static const struct sql INVENT = {"INVENT", "UPDATE secret SET kind = 'nonsense' WHERE id = 'a'"};

/* Somebody who can write the file but not the key moves a good value to another place. */
TEST(a_value_in_another_place_is_corrupt)
{
    static const struct {
        const struct sql *sql;
        enum vault_kind kind;
        const char *id;
    } moves[] = {
        {&MOVE, VAULT_PASSWORD, "b"}, {&RETYPE, VAULT_SESSION, "a"}, {&INVENT, VAULT_KINDS, "a"}};
    struct seal_key key;
    struct strs faults;
    str secret;

    seal_key_generate(&key);
    for (size_t i = 0; i < COUNT(moves); i++) {
        struct store *s = open_store(cx, ":memory:");
        struct vault *v = open_new(cx, s, &key);
        CHECK_OK(vault_put(cx, v, VAULT_PASSWORD, S("a"), S("alice's")));
        CHECK_OK(store_begin(cx, s));
        CHECK_OK(store_end(cx, s, db_exec(cx, store_writer(s), moves[i].sql, NO_ARGS, NULL)));
        CHECK_OK(vault_verify(cx, v, &faults));
        CHECK_EQ(faults.count, 1);
        CHECK_HOLDS(faults.items[0], moves[i].id);
        if (moves[i].kind < VAULT_KINDS)
            CHECK_ERR(vault_get(cx, v, moves[i].kind, str_from(moves[i].id), &secret), ERR_CORRUPT);
        vault_close(v);
        store_close(s);
    }
}

/* ---- a flipped byte ---- */

enum { SECRETS = 3 };

static void fill(struct ctx *cx, const char *path, const struct seal_key *key)
{
    struct store *s = open_store(cx, path);
    struct vault *v = open_new(cx, s, key);

    for (int i = 0; i < SECRETS; i++)
        CHECK_OK(vault_put(cx, v, VAULT_PASSWORD, arena_printf(cx->mem, "credential-%d", i),
                           arena_printf(cx->mem, "hash-%d", i)));
    vault_close(v);
    store_close(s);
}

static err verify_open(struct ctx *cx, struct vault *v)
{
    struct strs faults;
    str secret;

    TRY(vault_verify(cx, v, &faults));
    if (faults.count)
        return fail(cx, ERR_CORRUPT, "%.*s", STR_FMT(faults.items[0]));
    for (int i = 0; i < SECRETS; i++) {
        TRY(vault_get(cx, v, VAULT_PASSWORD, arena_printf(cx->mem, "credential-%d", i), &secret));
        CHECK_STR(secret, arena_printf(cx->mem, "hash-%d", i)); /* never silently another one */
    }
    return ERR_OK;
}

/* Open, verify and read everything. */
static err verify(struct ctx *cx, const char *path, const struct seal_key *key)
{
    struct store_options options = {.name = "vault", .path = path, .sync = STORE_DURABLE};
    struct store *s;
    struct vault *v;

    TRY(store_open(cx, &options, &s));
    err e = vault_open(cx, s, key, &v);
    if (e == ERR_OK) {
        e = verify_open(cx, v);
        vault_close(v);
    }
    store_close(s);
    return e;
}

static void write_file(const char *path, str bytes, size_t flip)
{
    char *copy = malloc(bytes.n);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    memcpy(copy, bytes.p, bytes.n);
    if (flip < bytes.n)
        copy[flip] ^= 0x55;
    CHECK(fd >= 0 && write(fd, copy, bytes.n) == (ssize_t)bytes.n);
    close(fd);
    free(copy);
}

/* Every byte of the file that holds anything, one at a time: either it is noticed, or everything
 * can still be read as it was.  Bytes of the sealed rows must be noticed. */
TEST(every_flipped_byte_of_a_secret_is_noticed)
{
    const char *made = test_path(cx, dir, "made.db"), *path = test_path(cx, dir, "vault.db");
    struct seal_key key;
    size_t noticed = 0, rows = 0;
    str bytes;

    seal_key_generate(&key);
    fill(cx, made, &key);
    CHECK_OK(fs_read_all(cx, fs_real(), made, 10 << 20, &bytes));
    size_t first_row = str_find(bytes, S("passwordcredential-2"));
    size_t row_bytes = strlen("passwordcredential-2") + SEAL_OVERHEAD_BYTES + strlen("hash-2");
    CHECK(first_row < bytes.n);
    for (size_t i = 0; i < bytes.n; i++) {
        bool of_row = i >= first_row && i < first_row + row_bytes;
        CLEANUP(ctx_cleanup) struct ctx *own = ctx_open(0);
        if (!bytes.p[i] && !of_row)
            continue;
        unlink(arena_printf(own->mem, "%s-wal", path).p);
        unlink(arena_printf(own->mem, "%s-shm", path).p);
        write_file(path, bytes, i);
        bool seen = verify(own, path, &key) != ERR_OK;
        noticed += seen;
        rows += of_row;
        if (of_row && !seen)
            print_error("byte %zu of the row at %zu was not noticed\n", i, first_row);
        CHECK(seen || !of_row);
    }
    CHECK_EQ(rows, row_bytes);
    CHECK(noticed > 300);
    write_file(path, bytes, SIZE_MAX);
    CHECK_OK(verify(cx, path, &key));
}

TEST(a_truncated_vault_is_corrupt)
{
    const char *path = test_path(cx, dir, "vault.db");
    struct seal_key key;
    str bytes;

    seal_key_generate(&key);
    fill(cx, path, &key);
    CHECK_OK(fs_read_all(cx, fs_real(), path, 10 << 20, &bytes));
    for (size_t n = 4096; n < bytes.n; n += 4096) {
        write_file(path, str_slice(bytes, 0, n), SIZE_MAX);
        CHECK_ERR(verify(cx, path, &key), ERR_CORRUPT);
    }
    write_file(path, str_slice(bytes, 0, 100), SIZE_MAX);
    CHECK_ERR(verify(cx, path, &key), ERR_CORRUPT);
}

/* ---- the master key ---- */

TEST(the_key_is_found_where_it_was_made)
{
    struct vault_key_source source = {.data_dir = dir};
    struct seal_key made, found;
    struct stat st;

    CHECK_ERR(vault_key_load(cx, fs_real(), &source, &found), ERR_NOT_FOUND);
    CHECK_OK(vault_key_create(cx, fs_real(), dir, &made));
    CHECK_OK(vault_key_load(cx, fs_real(), &source, &found));
    CHECK(memcmp(&made, &found, sizeof made) == 0);
    CHECK(stat(test_path(cx, dir, "vault.key"), &st) == 0);
    CHECK_EQ(st.st_mode & 0777, 0600);
    CHECK_ERR(vault_key_create(cx, fs_real(), dir, &made), ERR_CONFLICT);
    CHECK_OK(vault_key_load(cx, fs_real(), &source, &made));
    CHECK(memcmp(&made, &found, sizeof made) == 0);
}

TEST(a_key_that_others_can_use_is_refused)
{
    static const mode_t modes[] = {0640, 0604, 0660, 0602, 0610};
    struct vault_key_source source = {.data_dir = dir};
    struct seal_key key;

    CHECK_OK(vault_key_create(cx, fs_real(), dir, &key));
    for (size_t i = 0; i < COUNT(modes); i++) {
        CHECK(chmod(test_path(cx, dir, "vault.key"), modes[i]) == 0);
        CHECK_ERR(vault_key_load(cx, fs_real(), &source, &key), ERR_CONFIG);
        CHECK_DETAIL("chmod 600");
    }
    CHECK(chmod(test_path(cx, dir, "vault.key"), 0400) == 0);
    CHECK_OK(vault_key_load(cx, fs_real(), &source, &key));
}

static str key_text(struct ctx *cx, char fill_byte)
{
    uint8_t bytes[SEAL_KEY_BYTES];
    char *text = arena_new(cx->mem, char, BASE64_BYTES(SEAL_KEY_BYTES) + 1);

    memset(bytes, fill_byte, sizeof bytes);
    base64_encode(bytes, sizeof bytes, text);
    return str_from(text);
}

TEST(the_environment_comes_before_files)
{
    struct vault_key_source source = {.credentials_dir = dir, .data_dir = dir};
    struct seal_key key;

    CHECK_OK(vault_key_create(cx, fs_real(), dir, &key));
    CHECK_OK(fs_replace(cx, fs_real(), dir, "vault.master_key", key_text(cx, 3)));
    CHECK_OK(fs_replace(cx, fs_real(), dir, "mine", key_text(cx, 2)));
    CHECK_OK(vault_key_load(cx, fs_real(), &source, &key));
    CHECK_EQ(key.bytes[0], 3);
    source.file = test_path(cx, dir, "mine");
    CHECK_OK(vault_key_load(cx, fs_real(), &source, &key));
    CHECK_EQ(key.bytes[0], 2);
    source.text = key_text(cx, 1).p;
    CHECK_OK(vault_key_load(cx, fs_real(), &source, &key));
    CHECK_EQ(key.bytes[0], 1);
}

TEST(what_is_no_key_is_refused_without_repeating_it)
{
    static const char *const texts[] = {"", "short", "####", "AAAA",
                                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    struct vault_key_source source = {0};
    struct seal_key key;

    for (size_t i = 0; i < COUNT(texts); i++) {
        source.text = texts[i];
        CHECK_ERR(vault_key_load(cx, fs_real(), &source, &key), ERR_CONFIG);
        CHECK_DETAIL("base64 of 32 bytes");
        CHECK(!texts[i][0] || !strstr(cx->detail, texts[i]));
    }
}
