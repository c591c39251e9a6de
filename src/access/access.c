/* access.c - opening, the router's two hooks, jobs.  See access.h. */
#include "access/access_private.h"
#include "base/clock.h"
#include <stdlib.h>
#include <unistd.h>

const struct caller access_system = {{STR_INIT("system"), {NULL, 0}, {NULL, 0}}, ~UINT64_C(0)};

#define SECONDS(n) (INT64_C(1000000000) * (n))

/* ---- loading: the view says who counts, the vault has the secrets ---- */

enum { PAGE = 500 };

static err page_of_users(struct ctx *cx, struct access *a, str after, struct list *out)
{
    CLEANUP(store_read_end) struct db *db = NULL;

    TRY(store_read_begin(cx, a->app->view, &db));
    return view_users(cx, db, after, PAGE, out);
}

static err load_users(struct ctx *cx, struct access *a)
{
    struct list page = {.count = PAGE};
    str after = S("");

    while (page.count == PAGE) {
        TRY(page_of_users(cx, a, after, &page));
        const struct user *users = page.items;
        for (size_t i = 0; i < page.count; i++)
            registry_user_put(
                a->registry,
                &(struct registry_user){
                    users[i].name, users[i].disabled_us ? 0 : role_permissions(users[i].role)});
        if (page.count)
            after = users[page.count - 1].name;
    }
    return ERR_OK;
}

/* A secret that the view does not speak of is left from a crash, or from a key that was revoked. */
static err sweep_passwords(struct ctx *cx, struct access *a)
{
    struct vault_item *items;
    bool used;
    size_t n;

    TRY(vault_list(cx, a->vault, VAULT_PASSWORD, &items, &n));
    for (size_t i = 0; i < n; i++) {
        CLEANUP(store_read_end) struct db *db = NULL;
        TRY(store_read_begin(cx, a->app->view, &db));
        TRY(view_has_credential(cx, db, items[i].id, &used));
        store_read_end(&db);
        secret_wipe_str(&items[i].secret);
        if (!used)
            TRY(vault_delete(cx, a->vault, VAULT_PASSWORD, items[i].id));
    }
    return ERR_OK;
}

static err last_use(struct ctx *cx, struct access *a, str id, int64_t *out)
{
    str text;
    err e = vault_get(cx, a->vault, VAULT_KEY_USE, id, &text);

    *out = 0;
    if (e == ERR_OK && !str_to_i64(text, out))
        return fail(cx, ERR_CORRUPT, "vault: the last use of key %.*s is no time", STR_FMT(id));
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static err load_key(struct ctx *cx, struct access *a, str id)
{
    struct api_key key;
    err e = access_find_key(cx, a, id, &key);

    if (e == ERR_NOT_FOUND || (e == ERR_OK && key.revoked_us)) {
        TRY(vault_delete(cx, a->vault, VAULT_API_KEY, id));
        return vault_delete(cx, a->vault, VAULT_KEY_USE, id);
    }
    TRY(e);
    TRY(last_use(cx, a, id, &key.used_us));
    return access_key_load(cx, a, &key);
}

static err load_keys(struct ctx *cx, struct access *a)
{
    struct vault_item *items;
    size_t n;

    TRY(vault_list(cx, a->vault, VAULT_API_KEY, &items, &n));
    for (size_t i = 0; i < n; i++)
        TRY(load_key(cx, a, items[i].id));
    return ERR_OK;
}

static err load_all(struct ctx *cx, struct access *a)
{
    TRY(load_users(cx, a));
    TRY(sweep_passwords(cx, a));
    TRY(load_keys(cx, a));
    return access_sessions_load(cx, a);
}

/* ---- opening and closing ---- */

static unsigned cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n > 0 ? (unsigned)n : 1;
}

static void access_free(struct access *a)
{
    refusals_close(a->refusals);
    registry_close(a->registry);
    gate_fini(&a->gate);
    pthread_mutex_destroy(&a->reloading);
    free(a);
}

err access_open(struct ctx *cx, struct app *app, const struct access_options *options,
                struct access **out)
{
    struct access *a = calloc(1, sizeof *a);

    ENSURE(a);
    a->app = app;
    a->options = *options;
    if (!a->options.now_us)
        a->options.now_us = clock_now_us;
    a->limits = (struct registry_limits){.session_idle_us = options->session_idle_us};
    a->vault = options->vault;
    a->registry = registry_open();
    a->refusals = refusals_open(app->writer);
    gate_init(&a->gate, options->password_threads ? options->password_threads : cores(),
              options->password_waiting_max);
    pthread_mutex_init(&a->reloading, NULL);
    err e = load_all(cx, a);
    if (e) {
        access_free(a);
        return e;
    }
    ctx_clear_error(cx);
    *out = a;
    return ERR_OK;
}

void access_close(struct access *a)
{
    if (!a)
        return;
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    refusals_flush(a->refusals, access_now_us(a), true);
    for (const struct job *j = access_jobs; j->name; j++)
        err_ignore(j->run(cx, a->app)); /* last uses: a loss is no harm */
    access_free(a);
}

/* ---- jobs ---- */

static err save_key_uses(struct ctx *cx, struct access *a)
{
    struct registry_key *keys;
    size_t n = registry_keys_used(a->registry, cx->mem, &keys);
    struct vault_item *items = arena_new(cx->mem, struct vault_item, n + 1);

    for (size_t i = 0; i < n; i++)
        items[i] = (struct vault_item){keys[i].id,
                                       arena_printf(cx->mem, "%lld", (long long)keys[i].used_us)};
    return vault_put_all(cx, a->vault, VAULT_KEY_USE, items, n);
}

static err job_uses(struct ctx *cx, struct app *app)
{
    TRY(save_key_uses(cx, app->access));
    return access_sessions_save(cx, app->access);
}

static err job_sessions(struct ctx *cx, struct app *app)
{
    return access_sessions_expire(cx, app->access);
}

static err job_refusals(struct ctx *cx, struct app *app)
{
    (void)cx;
    refusals_flush(app->access->refusals, access_now_us(app->access), false);
    return ERR_OK;
}

const struct job access_jobs[] = {
    {"access.sessions", SECONDS(30), job_sessions},
    {"access.uses", SECONDS(60), job_uses},
    {"access.refusals", SECONDS(5), job_refusals},
    {0},
};

/* ---- the router's hooks ---- */

struct refusal access_refusal_of(const struct access *a, const struct request *rq,
                                 enum refusal_kind kind)
{
    return (struct refusal){
        .kind = kind,
        .principal = rq->principal.id,
        .method = rq->route->method,
        .path = rq->route->path,
        .peer = rq->peer,
        .now_us = access_now_us(a),
    };
}

static err refuse(struct ctx *cx, const struct request *rq, enum refusal_kind kind,
                  const char *more)
{
    const struct access *a = rq->app->access;
    const struct refusal f = access_refusal_of(a, rq, kind);

    refusal_note(a->refusals, &f);
    return refusal_fail(cx, kind, more);
}

/* The token of "Bearer <token>"; null str when it is something else. */
static str bearer_of(str header)
{
    str scheme = str_cut(&header, ' ');

    return str_eq_nocase(scheme, S("Bearer")) && !str_is_null(header) ? str_trim(header) : STR_NULL;
}

static enum identified identify(struct ctx *cx, const struct request *rq, str bearer,
                                struct identity *out)
{
    const struct access *a = rq->app->access;

    return registry_identify(a->registry, cx->mem, bearer, &a->limits, access_now_us(a), out);
}

err access_authenticate(struct ctx *cx, struct request *rq)
{
    static const enum refusal_kind refusals[] = {
        [IDENTIFIED_NOT] = REFUSED_UNKNOWN,
        [IDENTIFIED_MALFORMED] = REFUSED_MALFORMED,
        [IDENTIFIED_EXPIRED] = REFUSED_EXPIRED,
    };
    str header = request_header(rq, S("authorization"));
    struct identity who;

    rq->principal = (struct principal){.id = S("anonymous"), .name = S("anonymous")};
    if (str_is_null(header))
        return ERR_OK;
    str bearer = bearer_of(header);
    if (str_is_null(bearer))
        return refuse(cx, rq, REFUSED_NOT_BEARER, "");
    enum identified outcome = identify(cx, rq, bearer, &who);
    access_count_identified(str_starts(bearer, S("chancery_key_")), outcome);
    if (!str_is_null(who.principal))
        rq->principal.id = who.principal; /* of a refusal too: whose credential it would be */
    if (outcome != IDENTIFIED)
        return refuse(cx, rq, refusals[outcome], "");
    rq->principal = (struct principal){who.principal, who.name, who.permissions, who.expires_us};
    return ERR_OK;
}

err access_authorize(struct ctx *cx, const struct request *rq)
{
    int needed = rq->route->permission;

    if (needed <= PERM_NONE || needed >= PERM_COUNT)
        return refuse(cx, rq, REFUSED_NOBODY, "");
    if (needed == PERM_PUBLIC ||
        (rq->principal.permissions & permission_bit((enum permission)needed)))
        return ERR_OK;
    if (!rq->principal.permissions)
        return refuse(cx, rq, REFUSED_NO_CREDENTIALS, "");
    return refuse(cx, rq, REFUSED_NO_PERMISSION, permission_scope((enum permission)needed));
}

struct caller access_caller(struct ctx *cx, const struct request *rq)
{
    str bearer = bearer_of(request_header(rq, S("authorization")));
    struct identity who = {0};

    if (str_starts(rq->principal.id, S("user/")) && !str_is_null(bearer))
        (void)identify(cx, rq, bearer, &who);
    return (struct caller){{rq->principal.id, rq->peer, who.session}, rq->principal.permissions};
}
