/* vault.c - see vault.h.
 *
 * Associated data of a value: "chancery vault 1" NUL kind NUL id.  The first row has the kind
 * "vault"; its id names the master key by a hash, so that another key is told from changed bytes.
 */
#include "access/vault.h"
#include "base/encode.h"
#include "base/shape.h"
#include "crypto/sha256.h"
#include <stdlib.h>

#define Q(name, text) static const struct sql name = {#name, text};
#include "access/vault_query.def"
#undef Q

#define HEADER_KIND S("vault")
#define HEADER_TEXT S("chancery vault 1")

enum { KEY_NAME_BYTES = 8, KEY_NAME_TEXT_SIZE = 2 * KEY_NAME_BYTES + 1 };

struct vault {
    struct store *store;
    struct seal_key key;
};

const struct migration vault_migrations[] = {
    {1, "secrets",
     "CREATE TABLE secret (kind TEXT NOT NULL, id TEXT NOT NULL, sealed BLOB NOT NULL,"
     " PRIMARY KEY (kind, id)) WITHOUT ROWID"},
    {0},
};

static const struct {
    const char *text;
} kinds[VAULT_KINDS] = {
#define X(name, text, doc) [VAULT_##name] = {text},
#include "access/vault.def"
#undef X
};

static str kind_text(enum vault_kind kind)
{
    return str_from(kinds[kind].text);
}

static bool kind_is_known(str text)
{
    bool known = false;

    for (size_t i = 0; i < VAULT_KINDS; i++)
        known = known || str_eq(text, str_from(kinds[i].text));
    return known;
}

/* ---- sealing a row ---- */

static str associated_data(struct arena *mem, str kind, str id)
{
    return arena_printf(mem, "%.*s%c%.*s%c%.*s", STR_FMT(HEADER_TEXT), 0, STR_FMT(kind), 0,
                        STR_FMT(id));
}

static err put(struct ctx *cx, struct db *db, const struct seal_key *key, str kind,
               const struct vault_item *item)
{
    SCRATCH(tmp, cx);
    str sealed;

    TRY(seal(cx, key, item->secret, associated_data(tmp.mem, kind, item->id), &sealed));
    return db_exec(cx, db, &SECRET_PUT, ARGS(V(kind), V(item->id), BLOB(sealed)), NULL);
}

static err unseal(struct ctx *cx, const struct seal_key *key, str kind, str id, str sealed,
                  str *out)
{
    SCRATCH(tmp, cx);

    if (seal_open(cx, key, sealed, associated_data(tmp.mem, kind, id), out) == ERR_OK)
        return ERR_OK;
    return fail(cx, ERR_CORRUPT, "vault: the value %.*s/%.*s was changed", STR_FMT(kind),
                STR_FMT(str_slice(id, 0, 100)));
}

/* ---- the first row ---- */

/* A name of the key that tells nothing of it: the key is 32 random bytes. */
static void key_name(const struct seal_key *key, char out[KEY_NAME_TEXT_SIZE])
{
    struct sha256_stream s;
    struct hash h;

    sha256_init(&s);
    sha256_add(&s, S("chancery vault key\n"));
    sha256_add(&s, (str){(const char *)key->bytes, SEAL_KEY_BYTES});
    sha256_finish(&s, &h);
    hex_encode(h.bytes, KEY_NAME_BYTES, out);
}

static err write_header(struct ctx *cx, struct db *db, const struct seal_key *key)
{
    CLEANUP(row_end) struct row *row = NULL;
    char name[KEY_NAME_TEXT_SIZE];

    TRY(db_run(cx, db, &SECRET_ALL, NO_ARGS, &row));
    if (row)
        return fail(cx, ERR_CONFLICT, "there is a vault already");
    key_name(key, name);
    return put(cx, db, key, HEADER_KIND, &(struct vault_item){str_from(name), HEADER_TEXT});
}

err vault_create(struct ctx *cx, struct store *store, const struct seal_key *key)
{
    TRY(store_migrate(cx, store, "vault", vault_migrations));
    TRY(store_begin(cx, store));
    return store_end(cx, store, write_header(cx, store_writer(store), key));
}

static err check_header(struct ctx *cx, const struct vault *v)
{
    CLEANUP(store_read_end) struct db *db = NULL;
    CLEANUP(row_end) struct row *row = NULL;
    char name[KEY_NAME_TEXT_SIZE];
    str text;

    TRY(store_read_begin(cx, v->store, &db));
    TRY(db_run(cx, db, &SECRET_LIST, ARGS(V(HEADER_KIND)), &row));
    if (!row)
        return fail(cx, ERR_CORRUPT, "vault: its first row is missing");
    key_name(&v->key, name);
    str wanted = row_str(cx, row, 0);
    if (!str_eq(wanted, str_from(name)))
        return fail(cx, ERR_CORRUPT,
                    "vault: it is sealed under the master key %.*s, the key at hand is %s",
                    STR_FMT(wanted), name);
    TRY(unseal(cx, &v->key, HEADER_KIND, wanted, row_peek(row, 1), &text));
    return str_eq(text, HEADER_TEXT) ? ERR_OK
                                     : fail(cx, ERR_CORRUPT, "vault: it has another format");
}

err vault_open(struct ctx *cx, struct store *store, const struct seal_key *key, struct vault **out)
{
    struct vault *v;

    TRY(store_migrate(cx, store, "vault", vault_migrations));
    v = calloc(1, sizeof *v);
    ENSURE(v);
    v->store = store;
    v->key = *key;
    err e = check_header(cx, v);
    if (e) {
        vault_close(v);
        return e;
    }
    *out = v;
    return ERR_OK;
}

void vault_close(struct vault *v)
{
    if (!v)
        return;
    seal_key_wipe(&v->key);
    free(v);
}

/* ---- values ---- */

static err put_list(struct ctx *cx, struct vault *v, str kind, const struct vault_item *items,
                    size_t count)
{
    for (size_t i = 0; i < count; i++)
        TRY(put(cx, store_writer(v->store), &v->key, kind, &items[i]));
    return ERR_OK;
}

err vault_put_all(struct ctx *cx, struct vault *v, enum vault_kind kind,
                  const struct vault_item *items, size_t count)
{
    if (count == 0)
        return ERR_OK;
    TRY(store_begin(cx, v->store));
    return store_end(cx, v->store, put_list(cx, v, kind_text(kind), items, count));
}

err vault_put(struct ctx *cx, struct vault *v, enum vault_kind kind, str id, str secret)
{
    return vault_put_all(cx, v, kind, &(struct vault_item){id, secret}, 1);
}

err vault_get(struct ctx *cx, struct vault *v, enum vault_kind kind, str id, str *out)
{
    CLEANUP(store_read_end) struct db *db = NULL;
    CLEANUP(row_end) struct row *row = NULL;

    TRY(store_read_begin(cx, v->store, &db));
    TRY(db_run(cx, db, &SECRET_GET, ARGS(V(kind_text(kind)), V(id)), &row));
    if (!row)
        return fail(cx, ERR_NOT_FOUND, "the vault has no %s of that name", kinds[kind].text);
    return unseal(cx, &v->key, kind_text(kind), id, row_peek(row, 0), out);
}

err vault_delete(struct ctx *cx, struct vault *v, enum vault_kind kind, str id)
{
    TRY(store_begin(cx, v->store));
    return store_end(
        cx, v->store,
        db_exec(cx, store_writer(v->store), &SECRET_DELETE, ARGS(V(kind_text(kind)), V(id)), NULL));
}

struct listed {
    struct vault_item item;
    struct listed *next;
};

static err read_list(struct ctx *cx, struct vault *v, enum vault_kind kind, struct listed **last,
                     size_t *n)
{
    CLEANUP(store_read_end) struct db *db = NULL;
    CLEANUP(row_end) struct row *row = NULL;

    TRY(store_read_begin(cx, v->store, &db));
    TRY(db_run(cx, db, &SECRET_LIST, ARGS(V(kind_text(kind))), &row));
    while (row) {
        struct listed *l = arena_new(cx->mem, struct listed, 1);
        l->item.id = row_str(cx, row, 0);
        TRY(unseal(cx, &v->key, kind_text(kind), l->item.id, row_peek(row, 1), &l->item.secret));
        *last = l;
        last = &l->next;
        ++*n;
        TRY(row_next(cx, &row));
    }
    return ERR_OK;
}

err vault_list(struct ctx *cx, struct vault *v, enum vault_kind kind, struct vault_item **out,
               size_t *out_n)
{
    struct listed *first = NULL;
    size_t n = 0;

    TRY(read_list(cx, v, kind, &first, &n));
    struct vault_item *items = arena_new(cx->mem, struct vault_item, n ? n : 1);
    for (size_t i = 0; i < n; i++, first = first->next)
        items[i] = first->item;
    *out = items;
    *out_n = n;
    return ERR_OK;
}

/* ---- verification ---- */

enum { FAULTS_MAX = 100 };

static void add_fault(struct ctx *cx, struct strs *faults, str what)
{
    if (!faults->items)
        faults->items = arena_new(cx->mem, str, FAULTS_MAX);
    if (faults->count < FAULTS_MAX)
        faults->items[faults->count++] = arena_str(cx->mem, what);
}

static void check_row(struct ctx *cx, const struct vault *v, const struct row *row,
                      struct strs *faults)
{
    str kind = row_str(cx, row, 0), id = row_str(cx, row, 1), secret;

    if (!kind_is_known(kind) && !str_eq(kind, HEADER_KIND))
        add_fault(cx, faults,
                  arena_printf(cx->mem, "vault: the value %.*s/%.*s is of no known kind",
                               STR_FMT(kind), STR_FMT(id)));
    else if (unseal(cx, &v->key, kind, id, row_peek(row, 2), &secret) != ERR_OK)
        add_fault(cx, faults, str_from(cx->detail));
    else
        secret_wipe_str(&secret);
}

static err check_rows(struct ctx *cx, const struct vault *v, struct strs *faults)
{
    CLEANUP(store_read_end) struct db *db = NULL;
    CLEANUP(row_end) struct row *row = NULL;

    TRY(store_read_begin(cx, v->store, &db));
    TRY(db_run(cx, db, &SECRET_ALL, NO_ARGS, &row));
    while (row) {
        check_row(cx, v, row, faults);
        TRY(row_next(cx, &row));
    }
    return ERR_OK;
}

err vault_verify(struct ctx *cx, struct vault *v, struct strs *out_faults)
{
    struct strs faults = {0};

    err e = store_check(cx, v->store);
    if (e == ERR_OK)
        e = check_rows(cx, v, &faults);
    if (e == ERR_CORRUPT)
        add_fault(cx, &faults, str_from(cx->detail));
    else if (e)
        return e;
    ctx_clear_error(cx);
    *out_faults = faults;
    return ERR_OK;
}
