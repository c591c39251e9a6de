/* access_view.c - see access_view.h: folds, then queries. */
#include "access/access_view.h"
#include "access/access_event.h"
#include "access/permission.h"

#define Q(name, text) static const struct sql name = {#name, text};
#include "access/access_query.def"
#undef Q

const struct migration access_view_migrations[] = {
    {1, "users and keys",
     "CREATE TABLE access_user (name TEXT PRIMARY KEY, role TEXT NOT NULL,"
     " credential TEXT NOT NULL, created_us BIGINT NOT NULL, created_by TEXT NOT NULL,"
     " disabled_us BIGINT, disabled_by TEXT, password_us BIGINT NOT NULL);"
     "CREATE TABLE access_key (id TEXT PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL,"
     " created_us BIGINT NOT NULL, created_by TEXT NOT NULL, expires_us BIGINT,"
     " revoked_us BIGINT, revoked_by TEXT)"},
    {0},
};

/* ---- events ---- */

static const struct field user_created_fields[] = {
    FIELD(user_created, role, F_STR, .flags = F_REQUIRED),
    FIELD(user_created, credential, F_STR, .flags = F_REQUIRED),
};
static const struct shape user_created_shape =
    SHAPE("UserCreated", user_created, user_created_fields);

static const struct field user_password_set_fields[] = {
    FIELD(user_password_set, credential, F_STR, .flags = F_REQUIRED),
};
static const struct shape user_password_set_shape =
    SHAPE("UserPasswordSet", user_password_set, user_password_set_fields);

static const struct field key_created_fields[] = {
    FIELD(key_created, name, F_STR, .flags = F_REQUIRED),
    FIELD(key_created, scopes, F_STRS, .flags = F_REQUIRED),
    FIELD_AS(key_created, expires_us, "expires", F_TIME),
};
static const struct shape key_created_shape = SHAPE("KeyCreated", key_created, key_created_fields);

static const struct field session_started_fields[] = {
    FIELD_AS(session_started, expires_us, "expires", F_TIME),
};
static const struct shape session_started_shape =
    SHAPE("SessionStarted", session_started, session_started_fields);

static const struct field session_ended_fields[] = {
    FIELD(session_ended, reason, F_STR),
};
static const struct shape session_ended_shape =
    SHAPE("SessionEnded", session_ended, session_ended_fields);

static const struct field refused_fields[] = {
    FIELD(refused, method, F_STR),
    FIELD(refused, route, F_STR),
    FIELD(refused, reason, F_STR),
    FIELD(refused, count, F_U64),
    FIELD_AS(refused, since_us, "since", F_TIME),
};
static const struct shape refused_shape = SHAPE("Refused", refused, refused_fields);

/* ---- folds ---- */

/* "user/alice" as "alice". */
static str behind_slash(str subject)
{
    return str_slice(subject, str_find_char(subject, '/') + 1, subject.n);
}

static struct value time_or_null(int64_t us)
{
    return us ? V(us) : NO_VALUE;
}

static err fold_user_created(struct ctx *cx, struct db *view, const struct logged_event *e)
{
    struct user_created d;

    TRY(event_data(cx, e, &user_created_shape, &d));
    return db_exec(cx, view, &USER_ADD,
                   ARGS(V(behind_slash(e->subject)), V(d.role), V(d.credential), V(e->recorded_us),
                        V(e->principal)),
                   NULL);
}

static err fold_user_password_set(struct ctx *cx, struct db *view, const struct logged_event *e)
{
    struct user_password_set d;

    TRY(event_data(cx, e, &user_password_set_shape, &d));
    return db_exec(cx, view, &USER_SET_CREDENTIAL,
                   ARGS(V(behind_slash(e->subject)), V(d.credential), V(e->recorded_us)), NULL);
}

static err fold_user_disabled(struct ctx *cx, struct db *view, const struct logged_event *e)
{
    return db_exec(cx, view, &USER_SET_DISABLED,
                   ARGS(V(behind_slash(e->subject)), V(e->recorded_us), V(e->principal)), NULL);
}

static err fold_user_enabled(struct ctx *cx, struct db *view, const struct logged_event *e)
{
    return db_exec(cx, view, &USER_SET_DISABLED,
                   ARGS(V(behind_slash(e->subject)), NO_VALUE, NO_VALUE), NULL);
}

static err fold_key_created(struct ctx *cx, struct db *view, const struct logged_event *e)
{
    SCRATCH(tmp, cx);
    struct key_created d;

    TRY(event_data(cx, e, &key_created_shape, &d));
    return db_exec(cx, view, &KEY_ADD,
                   ARGS(V(behind_slash(e->subject)), V(d.name), V(scopes_join(tmp.mem, d.scopes)),
                        V(e->recorded_us), V(e->principal), time_or_null(d.expires_us)),
                   NULL);
}

static err fold_key_revoked(struct ctx *cx, struct db *view, const struct logged_event *e)
{
    return db_exec(cx, view, &KEY_SET_REVOKED,
                   ARGS(V(behind_slash(e->subject)), V(e->recorded_us), V(e->principal)), NULL);
}

const struct event_kind access_events[] = {
#define E(type, fold, shape, doc) {type, fold, shape, doc},
#include "access/access_event.def"
#undef E
    {0},
};

/* ---- queries ---- */

static void read_user(struct ctx *cx, const struct row *row, void *out)
{
    *(struct user *)out = (struct user){
        .name = row_str(cx, row, 0),
        .role = row_str(cx, row, 1),
        .credential = row_str(cx, row, 2),
        .created_us = row_i64(row, 3),
        .created_by = row_str(cx, row, 4),
        .disabled_us = row_i64(row, 5),
        .disabled_by = row_str(cx, row, 6),
        .password_us = row_i64(row, 7),
    };
}

static struct strs words(struct arena *mem, str text)
{
    struct strs list = {arena_new(mem, str, text.n / 2 + 1), 0};

    while (!str_is_null(text)) {
        str word = str_cut(&text, ' ');
        if (word.n)
            list.items[list.count++] = word;
    }
    return list;
}

static void read_key(struct ctx *cx, const struct row *row, void *out)
{
    *(struct api_key *)out = (struct api_key){
        .id = row_str(cx, row, 0),
        .name = row_str(cx, row, 1),
        .scopes = words(cx->mem, row_str(cx, row, 2)),
        .created_us = row_i64(row, 3),
        .created_by = row_str(cx, row, 4),
        .expires_us = row_i64(row, 5),
        .revoked_us = row_i64(row, 6),
        .revoked_by = row_str(cx, row, 7),
    };
}

err view_user(struct ctx *cx, struct db *db, str name, struct user *out)
{
    CLEANUP(row_end) struct row *row = NULL;

    TRY(db_run(cx, db, &USER_GET, ARGS(V(name)), &row));
    if (!row)
        return fail(cx, ERR_NOT_FOUND, "there is no user of that name");
    read_user(cx, row, out);
    return ERR_OK;
}

err view_key(struct ctx *cx, struct db *db, str id, struct api_key *out)
{
    CLEANUP(row_end) struct row *row = NULL;

    TRY(db_run(cx, db, &KEY_GET, ARGS(V(id)), &row));
    if (!row)
        return fail(cx, ERR_NOT_FOUND, "there is no API key of that id");
    read_key(cx, row, out);
    return ERR_OK;
}

struct listing {
    const struct sql *sql;
    size_t bytes; /* of one element */
    void (*read)(struct ctx *cx, const struct row *row, void *out);
};

static err read_list(struct ctx *cx, struct db *db, const struct listing *l, str after,
                     size_t limit, struct list *out)
{
    CLEANUP(row_end) struct row *row = NULL;
    char *items = arena_alloc(cx->mem, l->bytes, limit);
    size_t n = 0;

    TRY(db_run(cx, db, l->sql, ARGS(V(after), V(limit)), &row));
    while (row) {
        l->read(cx, row, items + n++ * l->bytes);
        TRY(row_next(cx, &row));
    }
    *out = (struct list){items, n};
    return ERR_OK;
}

err view_users(struct ctx *cx, struct db *db, str after, size_t limit, struct list *out)
{
    const struct listing users = {&USER_LIST, sizeof(struct user), read_user};

    return read_list(cx, db, &users, after, limit, out);
}

err view_keys(struct ctx *cx, struct db *db, str after, size_t limit, struct list *out)
{
    const struct listing keys = {&KEY_LIST, sizeof(struct api_key), read_key};

    return read_list(cx, db, &keys, after, limit, out);
}

err view_count_role(struct ctx *cx, struct db *db, str role, str but, uint64_t *out)
{
    CLEANUP(row_end) struct row *row = NULL;

    TRY(db_run(cx, db, &USER_COUNT_ROLE, ARGS(V(role), V(but)), &row));
    *out = row ? row_u64(row, 0) : 0;
    return ERR_OK;
}

err view_has_credential(struct ctx *cx, struct db *db, str credential, bool *out)
{
    CLEANUP(row_end) struct row *row = NULL;

    TRY(db_run(cx, db, &USER_COUNT_CREDENTIAL, ARGS(V(credential)), &row));
    *out = row && row_u64(row, 0) > 0;
    return ERR_OK;
}
