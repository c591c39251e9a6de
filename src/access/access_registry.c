/* access_registry.c - see access_registry.h.
 *
 * Three hash tables with chains.  A record is one allocation with its strings behind it, so it is
 * freed as one.  A user's record stays for ever (there are few): sessions look their user up at
 * each request, so a disabled user is out at once whatever happens to the sessions. */
#include "access/access_registry.h"
#include "base/queue.h"
#include "crypto/seal.h"
#include "crypto/token.h"
#include <stdatomic.h>
#include <stdlib.h>

enum { SLOTS_FIRST = 64 };
/* A credential in steady use writes its time this often, so that its cache line is mostly read. */
#define USED_STEP_US INT64_C(1000000)

#define KEY_PREFIX S("chancery_key_")

struct record {
    struct record *next;
    uint64_t hash;
    _Atomic int64_t used_us;
    _Atomic bool used; /* since it was last asked for */
    str id;            /* of a user: the name */
    union {
        struct registry_user user;
        struct registry_key key;
        struct registry_session session;
    };
};

struct table {
    struct record **slots;
    size_t capacity, count; /* capacity: a power of two */
};

struct registry {
    pthread_rwlock_t
        lock; /* guards the tables; the atomics in a record may change under a read lock */
    struct table users, keys, sessions;
};

/* ---- locks that let go by themselves ---- */

static void unlock(pthread_rwlock_t **lock)
{
    pthread_rwlock_unlock(*lock);
}

#define READING(r)                                                                                 \
    CLEANUP(unlock) pthread_rwlock_t *lock_ = &(r)->lock;                                          \
    pthread_rwlock_rdlock(lock_)
#define WRITING(r)                                                                                 \
    CLEANUP(unlock) pthread_rwlock_t *lock_ = &(r)->lock;                                          \
    pthread_rwlock_wrlock(lock_)

/* ---- tables ---- */

/* FNV-1a: ids are short, and made by us or by those who may make users. */
static uint64_t hash_of(str s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 29;
}

/* A session is found by its token, which is not in the clear anywhere else. */
static uint64_t hash_of_secret(const struct hash *secret)
{
    uint64_t h;

    memcpy(&h, secret->bytes, sizeof h);
    return h;
}

static struct record **slot_of(const struct table *t, uint64_t hash)
{
    return &t->slots[hash & (t->capacity - 1)];
}

static struct record *find(const struct table *t, str id)
{
    uint64_t hash = hash_of(id);
    struct record *e = *slot_of(t, hash);

    while (e && !(e->hash == hash && str_eq(e->id, id)))
        e = e->next;
    return e;
}

static void table_init(struct table *t)
{
    t->capacity = SLOTS_FIRST;
    t->slots = calloc(t->capacity, sizeof(struct record *));
    ENSURE(t->slots);
}

static void table_fini(struct table *t)
{
    for (size_t i = 0; i < t->capacity; i++)
        for (struct record *e = t->slots[i], *next; e; e = next) {
            next = e->next;
            free(e);
        }
    free(t->slots);
}

static void link_record(struct table *t, struct record *e)
{
    struct record **slot = slot_of(t, e->hash);

    e->next = *slot;
    *slot = e;
}

static void grow(struct table *t)
{
    struct table bigger = {.capacity = t->capacity * 2};

    bigger.slots = calloc(bigger.capacity, sizeof(struct record *));
    ENSURE(bigger.slots);
    bigger.count = t->count;
    for (size_t i = 0; i < t->capacity; i++)
        for (struct record *e = t->slots[i], *next; e; e = next) {
            next = e->next;
            link_record(&bigger, e);
        }
    free(t->slots);
    *t = bigger;
}

static void table_add(struct table *t, struct record *e)
{
    if (t->count == t->capacity)
        grow(t);
    link_record(t, e);
    t->count++;
}

/* Take the record out of its chain and free it. */
static void table_drop(struct table *t, const struct record *gone)
{
    struct record **at = slot_of(t, gone->hash);

    while (*at != gone)
        at = &(*at)->next;
    struct record *e = *at;
    *at = e->next;
    t->count--;
    free(e);
}

/* A record with room for its strings. */
static struct record *record_new(size_t string_bytes)
{
    struct record *e = calloc(1, sizeof *e + string_bytes);

    ENSURE(e);
    return e;
}

/* Copy a string behind the record; *at is how much of that room is used. */
static str keep(struct record *e, size_t *at, str s)
{
    char *p = (char *)(e + 1) + *at;

    if (s.n)
        memcpy(p, s.p, s.n);
    *at += s.n;
    return (str){p, s.n};
}

struct registry *registry_open(void)
{
    struct registry *r = calloc(1, sizeof *r);

    ENSURE(r);
    pthread_rwlock_init(&r->lock, NULL);
    table_init(&r->users);
    table_init(&r->keys);
    table_init(&r->sessions);
    return r;
}

void registry_close(struct registry *r)
{
    if (!r)
        return;
    table_fini(&r->users);
    table_fini(&r->keys);
    table_fini(&r->sessions);
    pthread_rwlock_destroy(&r->lock);
    free(r);
}

/* ---- who is it? ---- */

static void touch(struct record *e, int64_t now_us)
{
    int64_t used_us = atomic_load_explicit(&e->used_us, memory_order_relaxed);

    if (now_us - used_us < USED_STEP_US && now_us >= used_us)
        return;
    atomic_store_explicit(&e->used_us, now_us, memory_order_relaxed);
    atomic_store_explicit(&e->used, true, memory_order_release);
}

static bool hash_eq_secretly(const struct hash *a, const struct hash *b)
{
    return secret_eq((str){(const char *)a->bytes, HASH_BYTES},
                     (str){(const char *)b->bytes, HASH_BYTES});
}

static str concat(struct arena *mem, str prefix, str s)
{
    char *p = arena_new(mem, char, prefix.n + s.n + 1);

    memcpy(p, prefix.p, prefix.n);
    memcpy(p + prefix.n, s.p, s.n);
    return (str){p, prefix.n + s.n};
}

/* The id in a key's text, without the check of all its characters: only a text that hashes to what
 * is stored counts, and that one is well-formed. */
static str key_id(str bearer)
{
    str rest = str_slice(bearer, KEY_PREFIX.n, bearer.n);
    str id = str_cut(&rest, '_');

    return str_is_null(rest) || id.n > API_KEY_ID_BYTES_MAX ? STR_NULL : id;
}

static enum identified why_no_key(struct registry *r, struct arena *mem, str bearer,
                                  struct identity *out)
{
    str id;

    if (!api_key_parse(bearer, &id))
        return IDENTIFIED_MALFORMED;
    READING(r);
    if (find(&r->keys, id))
        out->principal = concat(mem, S("key/"), id);
    return IDENTIFIED_NOT;
}

static bool find_key(struct registry *r, struct arena *mem, str bearer, int64_t now_us,
                     struct identity *out)
{
    str id = key_id(bearer);
    struct hash hash;

    token_hash(bearer, &hash);
    READING(r);
    struct record *e = find(&r->keys, id);
    if (!e || !hash_eq_secretly(&e->key.secret, &hash))
        return false;
    *out = (struct identity){
        .principal = concat(mem, S("key/"), e->id),
        .name = arena_str(mem, e->key.name),
        .permissions = e->key.permissions,
        .expires_us = e->key.expires_us,
    };
    if (!out->expires_us || now_us < out->expires_us)
        touch(e, now_us);
    return true;
}

static enum identified identify_key(struct registry *r, struct arena *mem, str bearer,
                                    int64_t now_us, struct identity *out)
{
    if (bearer.n > API_KEY_BYTES_MAX)
        return IDENTIFIED_MALFORMED;
    if (!find_key(r, mem, bearer, now_us, out))
        return why_no_key(r, mem, bearer, out);
    return out->expires_us && now_us >= out->expires_us ? IDENTIFIED_EXPIRED : IDENTIFIED;
}

static bool is_over(const struct record *e, const struct registry_limits *limits, int64_t now_us)
{
    int64_t used_us = atomic_load_explicit(&e->used_us, memory_order_relaxed);

    return now_us >= e->session.expires_us || now_us - used_us >= limits->session_idle_us;
}

static struct record *find_session(const struct table *t, const struct hash *secret)
{
    uint64_t hash = hash_of_secret(secret);
    struct record *e = *slot_of(t, hash);

    while (e && !(e->hash == hash && hash_eq_secretly(&e->session.secret, secret)))
        e = e->next;
    return e;
}

static enum identified identify_session(struct registry *r, struct arena *mem, str bearer,
                                        const struct registry_limits *limits, int64_t now_us,
                                        struct identity *out)
{
    struct hash hash;

    if (bearer.n != SESSION_TOKEN_BYTES)
        return IDENTIFIED_MALFORMED;
    token_hash(bearer, &hash);
    READING(r);
    struct record *e = find_session(&r->sessions, &hash);
    if (!e)
        return session_token_is_valid(bearer) ? IDENTIFIED_NOT : IDENTIFIED_MALFORMED;
    const struct record *user = find(&r->users, e->session.user);
    if (!user || !user->user.permissions)
        return IDENTIFIED_NOT;
    *out = (struct identity){
        .principal = concat(mem, S("user/"), e->session.user),
        .name = arena_str(mem, e->session.user),
        .session = arena_str(mem, e->id),
        .permissions = user->user.permissions,
        .expires_us = e->session.expires_us,
    };
    if (is_over(e, limits, now_us))
        return IDENTIFIED_EXPIRED;
    touch(e, now_us);
    return IDENTIFIED;
}

enum identified registry_identify(struct registry *r, struct arena *mem, str bearer,
                                  const struct registry_limits *limits, int64_t now_us,
                                  struct identity *out)
{
    *out = (struct identity){0};
    if (str_starts(bearer, KEY_PREFIX))
        return identify_key(r, mem, bearer, now_us, out);
    return identify_session(r, mem, bearer, limits, now_us, out);
}

/* ---- users ---- */

void registry_user_put(struct registry *r, const struct registry_user *user)
{
    WRITING(r);
    struct record *e = find(&r->users, user->name);
    size_t at = 0;

    if (!e) {
        e = record_new(user->name.n);
        e->id = keep(e, &at, user->name);
        e->hash = hash_of(e->id);
        table_add(&r->users, e);
    }
    e->user = (struct registry_user){e->id, user->permissions};
}

/* ---- API keys ---- */

void registry_key_put(struct registry *r, const struct registry_key *key)
{
    struct record *e = record_new(key->id.n + key->name.n);
    size_t at = 0;

    e->key = *key;
    e->id = e->key.id = keep(e, &at, key->id);
    e->key.name = keep(e, &at, key->name);
    e->hash = hash_of(e->id);
    WRITING(r);
    struct record *old = find(&r->keys, e->id);
    atomic_init(&e->used_us, old ? atomic_load(&old->used_us) : key->used_us);
    atomic_init(&e->used, old && atomic_load(&old->used));
    if (old)
        table_drop(&r->keys, old);
    table_add(&r->keys, e);
}

void registry_key_drop(struct registry *r, str id)
{
    WRITING(r);
    const struct record *e = find(&r->keys, id);

    if (e)
        table_drop(&r->keys, e);
}

int64_t registry_key_used_us(struct registry *r, str id)
{
    READING(r);
    struct record *e = find(&r->keys, id);

    return e ? atomic_load_explicit(&e->used_us, memory_order_relaxed) : 0;
}

/* ---- sessions ---- */

void registry_session_put(struct registry *r, const struct registry_session *session)
{
    struct record *e = record_new(session->id.n + session->user.n);
    size_t at = 0;

    e->session = *session;
    e->id = e->session.id = keep(e, &at, session->id);
    e->session.user = keep(e, &at, session->user);
    e->hash = hash_of_secret(&session->secret);
    atomic_init(&e->used_us, session->used_us);
    WRITING(r);
    table_add(&r->sessions, e);
}

/* By id: seldom, so by looking at all. */
static struct record *session_by_id(const struct table *t, str id)
{
    for (size_t i = 0; i < t->capacity; i++)
        for (struct record *e = t->slots[i]; e; e = e->next)
            if (str_eq(e->id, id))
                return e;
    return NULL;
}

bool registry_session_drop(struct registry *r, str id)
{
    WRITING(r);
    const struct record *e = session_by_id(&r->sessions, id);

    if (e)
        table_drop(&r->sessions, e);
    return e != NULL;
}

size_t registry_session_count(struct registry *r)
{
    READING(r);
    return r->sessions.count;
}

/* ---- copies of many ---- */

struct wanted {
    str user; /* null: whatever user */
    const struct registry_limits *limits;
    int64_t now_us;
    bool used; /* only those used since they were last asked for; they are then no longer */
};

static bool is_wanted(struct record *e, const struct wanted *w)
{
    if (w->used)
        return atomic_exchange_explicit(&e->used, false, memory_order_acquire);
    return w->limits ? is_over(e, w->limits, w->now_us) : str_eq(e->session.user, w->user);
}

static size_t copy_sessions(struct registry *r, struct arena *mem, const struct wanted *w,
                            struct registry_session **out)
{
    READING(r);
    const struct table *t = &r->sessions;
    struct registry_session *list = arena_new(mem, struct registry_session, t->count + 1);
    size_t n = 0;

    for (size_t i = 0; i < t->capacity; i++) {
        for (struct record *e = t->slots[i]; e; e = e->next) {
            if (!is_wanted(e, w))
                continue;
            list[n] = e->session;
            list[n].id = arena_str(mem, e->id);
            list[n].user = arena_str(mem, e->session.user);
            list[n++].used_us = atomic_load(&e->used_us);
        }
    }
    *out = list;
    return n;
}

size_t registry_sessions_over(struct registry *r, struct arena *mem,
                              const struct registry_limits *limits, int64_t now_us,
                              struct registry_session **out)
{
    return copy_sessions(r, mem, &(struct wanted){.limits = limits, .now_us = now_us}, out);
}

size_t registry_sessions_of(struct registry *r, struct arena *mem, str user,
                            struct registry_session **out)
{
    return copy_sessions(r, mem, &(struct wanted){.user = user}, out);
}

size_t registry_sessions_used(struct registry *r, struct arena *mem, struct registry_session **out)
{
    return copy_sessions(r, mem, &(struct wanted){.used = true}, out);
}

size_t registry_keys_used(struct registry *r, struct arena *mem, struct registry_key **out)
{
    const struct wanted used = {.used = true};
    READING(r);
    const struct table *t = &r->keys;
    struct registry_key *list = arena_new(mem, struct registry_key, t->count + 1);
    size_t n = 0;

    for (size_t i = 0; i < t->capacity; i++) {
        for (struct record *e = t->slots[i]; e; e = e->next) {
            if (!is_wanted(e, &used))
                continue;
            list[n] = e->key;
            list[n].id = arena_str(mem, e->id);
            list[n].name = arena_str(mem, e->key.name);
            list[n++].used_us = atomic_load(&e->used_us);
        }
    }
    *out = list;
    return n;
}
