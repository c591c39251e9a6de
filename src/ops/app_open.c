/* app_open.c - see app_open.h. */
#include "ops/app_open.h"
#include "access/access.h"
#include "audit/audit.h"
#include "audit/ingest.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "crypto/token.h"
#include "ops/app_parts.h"
#include "writer/module.h"
#include "writer/writer.h"
#include <stdlib.h>
#include <unistd.h>

enum { VKEY_BYTES_MAX = 4096, PORTIONS = 6, PORTION_BYTES = 512 * 1024 };
#define PROOF_WAIT_NS INT64_C(5000000000)

/* ---- the table of modules as lists ---- */

#define GATHER(cx, type, member)                                                                   \
    size_t count = 0, n = 0;                                                                       \
    for (const struct module *m = modules; m->name; m++)                                           \
        count += m->member != NULL;                                                                \
    type *list = arena_new((cx)->mem, type, count + 1);                                            \
    for (const struct module *m = modules; m->name; m++)                                           \
        if (m->member)                                                                             \
            list[n++] = m->member;                                                                 \
    return list

const struct route *const *app_routes(struct ctx *cx)
{
    GATHER(cx, const struct route *, routes);
}

const struct event_kind *const *app_events(struct ctx *cx)
{
    GATHER(cx, const struct event_kind *, events);
}

struct metric *const *app_metrics(struct ctx *cx)
{
    size_t count = 0, n = 0;

    for (const struct module *m = modules; m->name; m++)
        for (struct metric *const *one = m->metrics; one && *one; one++)
            count++;
    struct metric **list = arena_new(cx->mem, struct metric *, count + 1);
    for (const struct module *m = modules; m->name; m++)
        for (struct metric *const *one = m->metrics; one && *one; one++)
            list[n++] = *one;
    return list;
}

err parts_migrate_view(struct ctx *cx, struct store *view)
{
    for (const struct module *m = modules; m->name; m++)
        if (m->view_migrations)
            TRY(store_migrate(cx, view, m->name, m->view_migrations));
    return ERR_OK;
}

/* ---- the vault ---- */

const char *parts_path(struct ctx *cx, const struct config *config, const char *name)
{
    return arena_printf(cx->mem, "%.*s/%s", STR_FMT(config->data_dir), name).p;
}

/* The configured master key goes before what the environment says. */
static err load_master_key(struct ctx *cx, const struct config *config, struct seal_key *out)
{
    struct vault_key_source source = vault_key_source(arena_z(cx->mem, config->data_dir));

    if (config->vault_master_key.n)
        source.text = arena_z(cx->mem, config->vault_master_key);
    return vault_key_load(cx, fs_real(), &source, out);
}

static err open_vault_store(struct ctx *cx, const struct config *config, struct store **out)
{
    struct store_options options = {
        .name = "vault", .path = parts_path(cx, config, "vault.db"), .sync = STORE_DURABLE};

    TRY(store_open(cx, &options, out));
    return store_migrate(cx, *out, "vault", vault_migrations);
}

err parts_open_vault(struct ctx *cx, struct parts *p)
{
    struct seal_key key;

    TRY(load_master_key(cx, p->config, &key));
    err e = open_vault_store(cx, p->config, &p->vault_store);
    if (e == ERR_OK)
        e = vault_open(cx, p->vault_store, &key, &p->vault);
    secret_wipe(&key, sizeof key);
    p->app.vault = p->vault_store;
    return e;
}

/* ---- the log's key ---- */

err parts_load_signer(struct ctx *cx, struct parts *p)
{
    struct note_verifier verifier;
    struct ed25519_key key;
    str text, seed;

    TRY(fs_read_all(cx, fs_real(), parts_path(cx, p->config, "log.vkey"), VKEY_BYTES_MAX, &text));
    p->app.vkey = arena_str(p->cx->mem, str_trim(text));
    TRY(note_verifier_parse(p->cx, p->app.vkey, &verifier));
    p->app.origin = verifier.name;
    TRY(vault_get(cx, p->vault, VAULT_LOG_KEY, p->app.origin, &seed));
    if (seed.n != ED25519_SEED_BYTES)
        return fail(cx, ERR_CORRUPT, "the vault holds no key for the log %.*s",
                    STR_FMT(verifier.name));
    ed25519_from_seed((const uint8_t *)seed.p, &key);
    secret_wipe_str(&seed);
    err e = note_signer_init(p->cx, p->app.origin, NOTE_ED25519, &key, &p->signer);
    ed25519_wipe(&key);
    if (e == ERR_OK && p->signer.key_id != verifier.key_id)
        return fail(cx, ERR_CORRUPT, "log.vkey is not the public half of the key in the vault");
    return e;
}

/* Letters, digits, dots and dashes of the host's name, and something no other log has. */
static str made_up_origin(struct ctx *cx)
{
    char host[256] = "", mark[9];
    uint8_t random[4];

    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = 0;
    for (char *c = host; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-", *c))
            *c = '-';
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, mark);
    return arena_printf(cx->mem, "%s/chancery-%s", host[0] ? host : "localhost", mark);
}

static err make_log_key(struct ctx *cx, struct vault *vault, str origin, str *out_vkey)
{
    struct buf text = BUF(VKEY_BYTES_MAX);
    struct note_signer signer;
    struct ed25519_key key;

    ed25519_generate(&key);
    err e = note_signer_init(cx, origin, NOTE_ED25519, &key, &signer);
    if (e == ERR_OK) {
        struct note_verifier verifier = note_signer_verifier(&signer);
        note_verifier_put(&text, &verifier);
        *out_vkey = arena_str(cx->mem, buf_str(&text));
        e = vault_put(cx, vault, VAULT_LOG_KEY, origin,
                      (str){(const char *)key.seed, sizeof key.seed});
    }
    note_signer_wipe(&signer);
    ed25519_wipe(&key);
    buf_close(&text);
    return e;
}

/* ---- a new folder ---- */

struct fresh_vault {
    struct store *store;
    struct vault *vault;
    struct seal_key key;
};

static void fresh_vault_close(struct fresh_vault *f)
{
    vault_close(f->vault);
    store_close(f->store);
    secret_wipe(&f->key, sizeof f->key);
}

/* With a key from outside none is made. */
static err make_master_key(struct ctx *cx, const struct config *config, struct seal_key *out)
{
    err e = load_master_key(cx, config, out);

    if (e != ERR_NOT_FOUND)
        return e;
    ctx_clear_error(cx);
    return vault_key_create(cx, fs_real(), arena_z(cx->mem, config->data_dir), out);
}

err app_init(struct ctx *cx, const struct config *config, str origin, str *out_vkey)
{
    CLEANUP(fresh_vault_close) struct fresh_vault f = {0};
    const char *dir = arena_z(cx->mem, config->data_dir);

    if (fs_exists(fs_real(), parts_path(cx, config, "log.vkey")))
        return fail(cx, ERR_CONFLICT, "%s is a data folder already", dir);
    TRY(fs_mkdir(cx, fs_real(), dir));
    TRY(make_master_key(cx, config, &f.key));
    TRY(open_vault_store(cx, config, &f.store));
    err e = vault_create(cx, f.store, &f.key);
    if (e != ERR_OK && e != ERR_CONFLICT) /* an init that was cut short is taken up again */
        return e;
    ctx_clear_error(cx);
    TRY(vault_open(cx, f.store, &f.key, &f.vault));
    if (origin.n == 0)
        origin = config->ledger_origin;
    if (origin.n == 0)
        origin = made_up_origin(cx);
    if (!note_name_is_valid(origin))
        return fail(cx, ERR_USAGE, "\"%.*s\" cannot be a log's name: no blanks, no '+'",
                    STR_FMT(origin));
    TRY(make_log_key(cx, f.vault, origin, out_vkey));
    str line = arena_printf(cx->mem, "%.*s\n", STR_FMT(*out_vkey));
    return fs_replace(cx, fs_real(), dir, "log.vkey", line); /* last: now it is a data folder */
}

/* ---- opening ---- */

/* After a failed write memory may not be trusted: stop at once; the next start recovers. */
static void stop_now(const struct ctx *cx, err e)
{
    log_failure(cx, "the ledger cannot be written; stopping, the next start recovers", e);
    _exit(3);
}

err parts_open_ledger(struct ctx *cx, struct parts *p)
{
    const struct config *c = p->config;
    struct ledger_options options = {
        .fs = fs_real(),
        .dir = arena_printf(p->cx->mem, "%.*s/ledger", STR_FMT(c->data_dir)).p,
        .origin = p->app.origin,
        .signer = &p->signer,
        .checkpoint_ns = c->ledger_checkpoint_interval_ns,
        .unsealed_max = (unsigned)c->ledger_unsealed_segments_max,
        .zstd_level = (int)c->ledger_zstd_level,
        .cache_bytes = c->ledger_cache_bytes,
        .dedup_ids = (uint64_t)c->dedup_ids,
        .dedup_age_us = c->dedup_age_ns / 1000,
    };

    err e = ledger_open(cx, &options, &p->app.ledger);
    if (e == ERR_LOCKED)
        return fail(cx, e,
                    "%.*s is in use by another process; if that is a server, talk to it with --url",
                    STR_FMT(c->data_dir));
    return e;
}

err parts_open_view(struct ctx *cx, struct parts *p)
{
    struct store_options options = {
        .name = "view", .path = parts_path(cx, p->config, "view.db"), .sync = STORE_FOLDED};

    TRY(store_open(cx, &options, &p->app.view));
    return parts_migrate_view(cx, p->app.view);
}

err parts_open_writer(struct ctx *cx, struct parts *p)
{
    struct writer_options options = {
        .ledger = p->app.ledger,
        .view = p->app.view,
        .events = app_events(p->cx),
        .queue_bytes_max = p->config->writer_queue_bytes_max,
        .batch_bytes_max = p->config->writer_batch_bytes_max,
        .fatal = stop_now,
    };

    return writer_open(cx, &options, &p->app.writer);
}

static err open_access(struct ctx *cx, struct parts *p)
{
    struct access_options options = ACCESS_OPTIONS_DEFAULT;

    options.vault = p->vault;
    options.session_idle_us = p->config->session_idle_ns / 1000;
    options.session_absolute_us = p->config->session_absolute_ns / 1000;
    options.password.memory_kib = (uint32_t)(p->config->password_memory_bytes / 1024);
    options.password.passes = (unsigned)p->config->password_ops;
    return access_open(cx, &p->app, &options, &p->app.access);
}

static void open_ingest(struct parts *p)
{
    struct ingest_options options = {
        .body_bytes_max = p->config->http_body_bytes_max,
        .portion_bytes = PORTION_BYTES,
        .portions = PORTIONS,
        .proof_wait_ns = PROOF_WAIT_NS,
    };

    p->app.ingest = ingest_open(&options);
}

static err open_audit(struct ctx *cx, struct parts *p, enum app_mode mode)
{
    const struct config *c = p->config;
    struct audit_options options = {.query_scan_max = (uint64_t)c->query_scan_budget,
                                    .proof_wait_ns = PROOF_WAIT_NS};

    if (mode == APP_SERVER) {
        options.streams_max = (unsigned)c->events_stream_max;
        options.witnesses = c->ledger_witnesses.items;
        options.witness_count = c->ledger_witnesses.count;
    }
    return audit_open(cx, &p->app, &options, &p->app.audit);
}

static err open_parts(struct ctx *cx, struct parts *p, enum app_mode mode)
{
    if (!fs_exists(fs_real(), parts_path(cx, p->config, "log.vkey")))
        return fail(cx, ERR_NOT_FOUND,
                    "%.*s is no data folder; make one: chancery init --data %.*s",
                    STR_FMT(p->config->data_dir), STR_FMT(p->config->data_dir));
    TRY(parts_open_vault(cx, p));
    TRY(parts_load_signer(cx, p));
    TRY(parts_open_ledger(cx, p));
    TRY(parts_open_view(cx, p));
    TRY(parts_open_writer(cx, p));
    TRY(open_access(cx, p));
    open_ingest(p);
    return open_audit(cx, p, mode);
}

struct parts *parts_new(const struct config *config)
{
    struct parts *p = calloc(1, sizeof *p);

    ENSURE(p);
    p->cx = ctx_open(0);
    p->config = config;
    return p;
}

err app_open(struct ctx *cx, const struct config *config, enum app_mode mode, struct app **out)
{
    struct parts *p = parts_new(config);

    p->app.version = S(CHANCERY_VERSION);
    p->app.started_us = clock_now_us();
    p->app.public_url = config->http_public_url;
    p->app.data_dir = config->data_dir;
    err e = open_parts(cx, p, mode);
    if (e != ERR_OK) {
        app_close(&p->app);
        return e;
    }
    *out = &p->app;
    return ERR_OK;
}

void app_close(struct app *app)
{
    struct parts *p = (struct parts *)app;

    if (!p)
        return;
    audit_close(app->audit);
    ingest_close(app->ingest);
    access_close(app->access);
    writer_close(app->writer);
    store_close(app->view);
    ledger_close(app->ledger);
    note_signer_wipe(&p->signer);
    vault_close(p->vault);
    store_close(p->vault_store);
    ctx_close(p->cx);
    free(p);
}
