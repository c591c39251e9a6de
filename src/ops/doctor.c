/* doctor.c - see doctor.h.  The table of checks is at the end. */
#include "ops/doctor.h"
#include "base/clock.h"
#include "ledger/checkpoint_file.h"
#include "ops/app_parts.h"
#include "writer/writer.h"
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    VKEY_BYTES_MAX = 4096,
    READER_CACHE_BYTES = 1 << 20,
    OWN_DESCRIPTORS = 256, /* segments, databases, threads: what is open beside connections */
    DESCRIPTORS_MIN = 512,
    DISK_FAIL_BYTES = 64 << 20,
    SYNC_WARN_MS = 20,
    BASE_MEMORY_BYTES = 128 << 20,
};
#define SEGMENT_BYTES_MAX (UINT64_C(65536) * UINT64_C(65537)) /* of the longest entries */
#define YEAR_2025_US INT64_C(1735689600000000)
#define YEAR_2100_US INT64_C(4102444800000000)
#define SECOND_US INT64_C(1000000)
#define LATE_WARN_US (10 * SECOND_US)
#define LATE_FAIL_US (60 * SECOND_US)
#define WATCHDOG_MIN_US (2 * SECOND_US) /* the server feeds it every second */

/* What the checks know so far; later ones build upon earlier ones. */
struct patient {
    const struct config_sources *sources;
    const struct doctor_world *world; /* NULL until the configuration is known */
    struct doctor_world own_world;
    struct config config;
    bool is_folder;
    struct note_verifier log; /* name null: log.vkey cannot be read */
    bool size_known;
    uint64_t size;
};

/* ---- saying what was found ---- */

static void found(struct ctx *cx, struct doctor_finding *f, enum doctor_state state,
                  const char *fmt, ...) PRINTF(4, 5);
static void mend(struct ctx *cx, struct doctor_finding *f, const char *fmt, ...) PRINTF(3, 4);

static void found(struct ctx *cx, struct doctor_finding *f, enum doctor_state state,
                  const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    f->state = state;
    f->detail = arena_vprintf(cx->mem, fmt, ap);
    va_end(ap);
}

/* A better remedy than the one of the table. */
static void mend(struct ctx *cx, struct doctor_finding *f, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    f->remedy = arena_vprintf(cx->mem, fmt, ap);
    va_end(ap);
}

/* The last failure is the finding. */
static void found_error(struct ctx *cx, struct doctor_finding *f, enum doctor_state state)
{
    found(cx, f, state, "%s", cx->detail);
    ctx_clear_error(cx);
}

static const char *path_of(struct ctx *cx, const struct patient *p, const char *name)
{
    return parts_path(cx, &p->config, name);
}

static bool has_file(struct ctx *cx, const struct patient *p, const char *name)
{
    return fs_exists(fs_real(), path_of(cx, p, name));
}

static unsigned long long mb(uint64_t bytes)
{
    return bytes / 1000000;
}

/* The server at the configured address serves this very log. */
static bool is_served(const struct patient *p)
{
    return p->log.name.n && str_eq(p->world->server.origin, p->log.name);
}

/* ---- configuration ---- */

static void check_configuration(struct ctx *cx, struct patient *p, struct doctor_finding *f)
{
    if (config_load(cx, p->sources, &p->config) != ERR_OK) {
        CLEANUP(buf_close) struct buf b = BUF(64 * 1024);
        for (size_t i = 0; i < cx->issue_count; i++)
            buf_printf(&b, "%s%.*s: %.*s", i ? "; " : "", STR_FMT(cx->issues[i].pointer),
                       STR_FMT(cx->issues[i].detail));
        found(cx, f, DOCTOR_FAIL, "%s", b.n ? b.p : cx->detail);
        ctx_clear_error(cx);
        return;
    }
    if (p->config.file.n)
        found(cx, f, DOCTOR_OK, "loads from %.*s", STR_FMT(p->config.file));
    else
        found(cx, f, DOCTOR_OK,
              "loads; there is no file, so defaults, environment and flags count");
    if (p->world)
        return;
    doctor_world_read(cx, &p->config, p->sources->environment, &p->own_world);
    p->world = &p->own_world;
}

/* ---- data folder ---- */

/* What others may not read, and how bad it is when they may. */
static const struct {
    const char *name;
    unsigned forbidden;
    enum doctor_state state;
} private_files[] = {
    {"", S_IWGRP | S_IWOTH, DOCTOR_FAIL},        {"vault.key", S_IRWXG | S_IRWXO, DOCTOR_FAIL},
    {"", S_IRWXG | S_IRWXO, DOCTOR_WARN},        {"vault.db", S_IRWXG | S_IRWXO, DOCTOR_WARN},
    {"view.db", S_IRWXG | S_IRWXO, DOCTOR_WARN}, {"ledger", S_IRWXG | S_IRWXO, DOCTOR_WARN},
};

static void check_modes(struct ctx *cx, const struct patient *p, struct doctor_finding *f)
{
    struct stat st;

    for (size_t i = 0; i < COUNT(private_files); i++) {
        const char *path = path_of(cx, p, private_files[i].name);
        if (stat(path, &st) != 0 || !(st.st_mode & private_files[i].forbidden))
            continue;
        found(cx, f, private_files[i].state, "%s may be used by others (mode %03o)", path,
              (unsigned)(st.st_mode & 0777));
        mend(cx, f, "chmod -R go= %.*s", STR_FMT(p->config.data_dir));
        return;
    }
    found(cx, f, DOCTOR_OK, "%.*s, its owner's alone", STR_FMT(p->config.data_dir));
}

static void found_other_owner(struct ctx *cx, struct doctor_finding *f, const char *dir,
                              uid_t owner)
{
    const struct passwd *who = getpwuid(owner);
    const char *name = who ? who->pw_name : arena_printf(cx->mem, "#%u", (unsigned)owner).p;

    found(cx, f, DOCTOR_FAIL, "%s belongs to %s, not to you", dir, name);
    mend(cx, f, "work as its owner: sudo -u '%s' chancery doctor", name);
}

static void read_log_key(struct ctx *cx, struct patient *p)
{
    str text;

    err e = fs_read_all(cx, fs_real(), path_of(cx, p, "log.vkey"), VKEY_BYTES_MAX, &text);
    if (e != ERR_OK || note_verifier_parse(cx, str_trim(text), &p->log) != ERR_OK)
        p->log.name = STR_NULL;
    ctx_clear_error(cx);
}

static void check_folder(struct ctx *cx, struct patient *p, struct doctor_finding *f)
{
    const char *dir = arena_z(cx->mem, p->config.data_dir);
    struct stat st;

    p->is_folder = has_file(cx, p, "log.vkey");
    if (stat(dir, &st) != 0) {
        found(cx, f, DOCTOR_FAIL, "%s: %s", dir, strerror(errno));
        return;
    }
    if (!S_ISDIR(st.st_mode) || !p->is_folder) {
        found(cx, f, DOCTOR_FAIL, "%s is no data folder", dir);
        return;
    }
    read_log_key(cx, p);
    if (!p->log.name.n) {
        found(cx, f, DOCTOR_FAIL, "%s/log.vkey holds no verifier key", dir);
        mend(cx, f, "take log.vkey from a backup");
        return;
    }
    if (st.st_uid != geteuid())
        found_other_owner(cx, f, dir, st.st_uid);
    else
        check_modes(cx, p, f);
}

/* ---- disk ---- */

static void check_space(struct ctx *cx, struct patient *p, struct doctor_finding *f)
{
    uint64_t all = p->world->disk_bytes, left = p->world->disk_free_bytes;
    enum doctor_state state = DOCTOR_OK;

    if (!all && !left) {
        found(cx, f, DOCTOR_FAIL, "how much is free cannot be told");
        return;
    }
    if (left < DISK_FAIL_BYTES || left < all / 100)
        state = DOCTOR_FAIL;
    else if (left < all / 10)
        state = DOCTOR_WARN;
    found(cx, f, state, "%llu of %llu MB free", mb(left), mb(all));
}

static void check_sync(struct ctx *cx, struct patient *p, struct doctor_finding *f)
{
    int64_t us = p->world->sync_ns / 1000;

    if (p->world->sync_ns < 0) {
        found(cx, f, DOCTOR_FAIL, "%.*s", STR_FMT(p->world->sync_failure));
        mend(cx, f, "the folder must take writes: see who owns it and how its disk is mounted");
        return;
    }
    found(cx, f, us > SYNC_WARN_MS * 1000 ? DOCTOR_WARN : DOCTOR_OK,
          "a small write is durable after %lld.%02lld ms", (long long)us / 1000,
          (long long)us % 1000 / 10);
}

/* ---- clock ---- */

/* The newest one whose record is whole (the last may be on its way); 0 when there is none. */
static int64_t newest_checkpoint_us(struct ctx *cx, const struct patient *p)
{
    struct checkpoint_record record = {0};
    char bytes[CHECKPOINT_RECORD_BYTES];
    uint64_t size = 0;
    fs_file f = -1;
    bool whole = false;

    if (fs_open(cx, fs_real(), path_of(cx, p, "ledger/checkpoints"), FS_READ, &f) == ERR_OK &&
        fs_size(cx, fs_real(), f, &size) == ERR_OK)
        for (uint64_t n = size / sizeof bytes, tries = 2; n && tries && !whole; n--, tries--)
            whole = fs_pread_exact(cx, fs_real(), f, bytes, sizeof bytes, (n - 1) * sizeof bytes,
                                   "checkpoints") == ERR_OK &&
                    checkpoint_record_get(bytes, &record);
    fs_close(fs_real(), f);
    ctx_clear_error(cx);
    return whole ? record.signed_us : 0;
}

static void check_clock(struct ctx *cx, struct patient *p, struct doctor_finding *f)
{
    int64_t now = p->world->now_us, newest = p->is_folder ? newest_checkpoint_us(cx, p) : 0;
    char now_text[TIME_TEXT_SIZE], newest_text[TIME_TEXT_SIZE];

    time_format(now, now_text);
    time_format(newest, newest_text);
    if (now < YEAR_2025_US || now > YEAR_2100_US)
        found(cx, f, DOCTOR_FAIL, "it says %s, which cannot be", now_text);
    else if (newest > now + SECOND_US)
        found(cx, f, DOCTOR_FAIL, "it says %s, but the newest checkpoint was signed at %s",
              now_text, newest_text);
    else
        found(cx, f, DOCTOR_OK, "it says %s", now_text);
}

/* ---- the stores ---- */

static const struct {
    const char *status;
    enum doctor_state state;
} health_states[] = {{"pass", DOCTOR_OK}, {"warn", DOCTOR_WARN}, {"fail", DOCTOR_FAIL}};

static void check_served_ledger(struct ctx *cx, struct patient *p, struct doctor_finding *f)
{
    const struct doctor_server *s = &p->world->server;
    enum doctor_state state = DOCTOR_FAIL;

    for (size_t i = 0; i < COUNT(health_states); i++)
        if (str_eq(s->status, str_from(health_states[i].status)))
            state = health_states[i].state;
    found(cx, f, state, "the server at %.*s says \"%.*s\", %llu entries",
          STR_FMT(p->config.http_listen), STR_FMT(s->status), (unsigned long long)s->entries);
    mend(cx, f, "chancery health --url http://%.*s tells which part is not well",
         STR_FMT(p->config.http_listen));
}

/* Without a signer nothing is written: not even a torn tail is cut. */
static err read_ledger_size(struct ctx *cx, const struct patient *p, uint64_t *out)
{
    struct ledger_options options = {
        .fs = fs_real(),
        .dir = path_of(cx, p, "ledger"),
        .origin = p->log.name,
        .unsealed_max = 1,
        .cache_bytes = READER_CACHE_BYTES,
    };
    struct ledger *l;

    TRY(ledger_open(cx, &options, &l));
    *out = ledger_size(l);
    ledger_close(l);
    return ERR_OK;
}

static void found_held(struct ctx *cx, const struct patient *p, struct doctor_finding *f)
{
    found(cx, f, DOCTOR_WARN, "a process holds the folder, but does not answer at %.*s",
          STR_FMT(p->config.http_listen));
    mend(cx, f,
         "if a server runs on another address, say so with --http.listen; else see which "
         "process it is: fuser %s",
         path_of(cx, p, "ledger/lock"));
    ctx_clear_error(cx);
}

static void check_ledger(struct ctx *cx, struct patient *p, struct doctor_finding *f)
{
    if (is_served(p)) {
        check_served_ledger(cx, p, f);
        return;
    }
    if (!has_file(cx, p, "ledger")) {
        p->size_known = true;
        found(cx, f, DOCTOR_OK, "new: the first start makes it");
        return;
    }
    err e = read_ledger_size(cx, p, &p->size);
    p->size_known = e == ERR_OK;
    if (e == ERR_OK)
        found(cx, f, DOCTOR_OK, "opens, %llu entries", (unsigned long long)p->size);
    else if (e == ERR_LOCKED)
        found_held(cx, p, f);
    else
        found_error(cx, f, DOCTOR_FAIL);
}

static void check_vault(struct ctx *cx, struct patient *p, struct doctor_finding *f)
{
    if (!has_file(cx, p, "vault.db")) {
        found(cx, f, DOCTOR_FAIL, "%s is missing", path_of(cx, p, "vault.db"));
        return;
    }
    struct parts *parts = parts_new(&p->config);
    err e = parts_open_vault(cx, parts);
    if (e == ERR_OK)
        e = parts_load_signer(cx, parts);
    app_close(&parts->app);
    if (e == ERR_OK)
        found(cx, f, DOCTOR_OK, "opens with its key and holds the log's");
    else
        found_error(cx, f, DOCTOR_FAIL);
}

static err read_applied(struct ctx *cx, const struct patient *p, uint64_t *out)
{
    struct store_options options = {
        .name = "view", .path = path_of(cx, p, "view.db"), .read_only = true};
    struct store *view;

    TRY(store_open(cx, &options, &view));
    err e = view_applied(cx, view, out);
    store_close(view);
    return e;
}

static void check_view(struct ctx *cx, struct patient *p, struct doctor_finding *f)
{
    uint64_t applied;

    if (!has_file(cx, p, "view.db")) {
        found(cx, f, p->size_known && !p->size ? DOCTOR_OK : DOCTOR_WARN,
              "there is none: the next start folds it from the ledger");
        return;
    }
    if (read_applied(cx, p, &applied) != ERR_OK)
        found_error(cx, f, DOCTOR_FAIL);
    else if (!p->size_known)
        found(cx, f, DOCTOR_OK, "opens, has seen %llu entries", (unsigned long long)applied);
    else if (applied > p->size)
        found(cx, f, DOCTOR_FAIL, "it has seen %llu entries, but the ledger holds %llu",
              (unsigned long long)applied, (unsigned long long)p->size);
    else if (applied < p->size)
        found(cx, f, DOCTOR_OK, "the next start folds the last %llu entries",
              (unsigned long long)(p->size - applied));
    else
        found(cx, f, DOCTOR_OK, "has seen all %llu entries", (unsigned long long)applied);
}

/* ---- limits ---- */

static void check_descriptors(struct ctx *cx, struct patient *p, struct doctor_finding *f)
{
    uint64_t max = p->world->descriptors_max;
    uint64_t wanted = (uint64_t)p->config.http_connections_max + OWN_DESCRIPTORS;
    enum doctor_state state = DOCTOR_OK;

    if (max < wanted)
        state = max < DESCRIPTORS_MIN ? DOCTOR_FAIL : DOCTOR_WARN;
    if (max == DOCTOR_NO_LIMIT)
        found(cx, f, state, "no limit");
    else
        found(cx, f, state, "at most %llu; %lld connections need %llu", (unsigned long long)max,
              (long long)p->config.http_connections_max, (unsigned long long)wanted);
    mend(cx, f,
         "LimitNOFILE=%llu in the unit, 'ulimit -n' in a shell, or fewer "
         "http.connections_max",
         (unsigned long long)wanted);
}

static void check_memory(struct ctx *cx, struct patient *p, struct doctor_finding *f)
{
    const struct config *c = &p->config;
    uint64_t least = c->writer_queue_bytes_max + c->password_memory_bytes + BASE_MEMORY_BYTES;
    uint64_t wanted = least + c->ledger_cache_bytes;
    uint64_t has = u64_min(p->world->memory_bytes, p->world->address_bytes_max);
    enum doctor_state state = DOCTOR_OK;

    if (has < wanted)
        state = has < least ? DOCTOR_FAIL : DOCTOR_WARN;
    found(cx, f, state, "%llu MB, of which these settings may take about %llu", mb(has),
          mb(wanted));
}

static void check_file_size(struct ctx *cx, struct patient *p, struct doctor_finding *f)
{
    uint64_t max = p->world->file_bytes_max;

    if (max == DOCTOR_NO_LIMIT)
        found(cx, f, DOCTOR_OK, "no limit");
    else
        found(cx, f, max < SEGMENT_BYTES_MAX ? DOCTOR_FAIL : DOCTOR_OK,
              "at most %llu MB; a segment may take %llu", mb(max), mb(SEGMENT_BYTES_MAX));
}

/* ---- the running server ---- */

static void check_port(struct ctx *cx, struct patient *p, struct doctor_finding *f)
{
    const struct doctor_server *s = &p->world->server;
    str at = p->config.http_listen;
    int failed = p->world->bind_errno;

    if (is_served(p))
        found(cx, f, DOCTOR_OK, "%.*s is our own server's", STR_FMT(at));
    else if (failed == 0)
        found(cx, f, DOCTOR_OK, "%.*s is free", STR_FMT(at));
    else if (s->origin.n)
        found(cx, f, DOCTOR_FAIL, "at %.*s another log is served: %.*s", STR_FMT(at),
              STR_FMT(s->origin));
    else
        found(cx, f, DOCTOR_FAIL, "%.*s cannot be listened on: %s", STR_FMT(at), strerror(failed));
}

static void check_checkpoint(struct ctx *cx, struct patient *p, struct doctor_finding *f)
{
    const struct doctor_server *s = &p->world->server;
    int64_t age = p->world->now_us - s->checkpoint_us;
    enum doctor_state state = DOCTOR_OK;

    if (!is_served(p)) {
        found(cx, f, DOCTOR_SKIPPED, "no server runs");
        return;
    }
    if (s->covered >= s->entries) {
        found(cx, f, DOCTOR_OK, "the newest one covers all entries");
        return;
    }
    if (age > LATE_WARN_US)
        state = age > LATE_FAIL_US ? DOCTOR_FAIL : DOCTOR_WARN;
    found(cx, f, state, "%llu entries are not covered; the newest one is %lld s old",
          (unsigned long long)(s->entries - s->covered), (long long)(age / SECOND_US));
}

/* ---- systemd ---- */

static const char *variable(const struct patient *p, const char *name)
{
    size_t n = strlen(name);

    for (const char *const *v = p->world->environment; v && *v; v++)
        if (strncmp(*v, name, n) == 0 && (*v)[n] == '=')
            return *v + n + 1;
    return NULL;
}

static bool check_notify(struct ctx *cx, const struct patient *p, struct doctor_finding *f)
{
    const char *path = variable(p, "NOTIFY_SOCKET");
    struct stat st;

    /* '@' is a name without a file */
    if (!path || path[0] == '@' || (stat(path, &st) == 0 && S_ISSOCK(st.st_mode)))
        return true;
    found(cx, f, DOCTOR_FAIL, "NOTIFY_SOCKET names %s, which is no socket", path);
    mend(cx, f, "Type=notify in the unit; do not set NOTIFY_SOCKET yourself");
    return false;
}

static bool check_watchdog(struct ctx *cx, const struct patient *p, struct doctor_finding *f)
{
    const char *text = variable(p, "WATCHDOG_USEC");
    int64_t us;

    if (!text || (str_to_i64(str_from(text), &us) && us >= WATCHDOG_MIN_US))
        return true;
    found(cx, f, DOCTOR_FAIL, "the watchdog waits %s µs, but is fed once a second", text);
    mend(cx, f, "WatchdogSec=30 in the unit");
    return false;
}

static bool check_credentials(struct ctx *cx, const struct patient *p, struct doctor_finding *f)
{
    const char *dir = variable(p, "CREDENTIALS_DIRECTORY");

    if (!dir || access(dir, R_OK | X_OK) == 0)
        return true;
    found(cx, f, DOCTOR_FAIL, "CREDENTIALS_DIRECTORY names %s: %s", dir, strerror(errno));
    mend(cx, f, "LoadCredential=vault.master_key:FILE in the unit; systemd sets the variable");
    return false;
}

static void check_systemd(struct ctx *cx, struct patient *p, struct doctor_finding *f)
{
    if (!variable(p, "INVOCATION_ID") && !variable(p, "NOTIFY_SOCKET") &&
        !variable(p, "CREDENTIALS_DIRECTORY")) {
        found(cx, f, DOCTOR_SKIPPED, "not started by systemd");
        return;
    }
    if (check_notify(cx, p, f) && check_watchdog(cx, p, f) && check_credentials(cx, p, f))
        found(cx, f, DOCTOR_OK, "what it hands over can be used");
}

/* ---- the table ---- */

enum need { NEED_NOTHING, NEED_CONFIG, NEED_FOLDER };

struct check {
    const char *name;
    enum need need;
    void (*run)(struct ctx *cx, struct patient *p, struct doctor_finding *f);
    const char *remedy;
};

/* clang-format off */
static const struct check checks[] = {
    {"configuration", NEED_NOTHING, check_configuration, "correct these places; 'chancery config docs' explains each setting"},
    {"data-folder",   NEED_CONFIG,  check_folder,        "make it with 'chancery init', or name the right one with --data"},
    {"disk-space",    NEED_FOLDER,  check_space,         "make room, or move the folder to a larger disk"},
    {"disk-sync",     NEED_FOLDER,  check_sync,          "every acknowledged batch waits this long; use a disk with power-loss protection"},
    {"clock",         NEED_CONFIG,  check_clock,         "set the clock (timedatectl set-ntp true); until it has caught up all entries bear the same time"},
    {"ledger",        NEED_FOLDER,  check_ledger,        "'chancery verify' names what is wrong; what a backup has can be put back"},
    {"vault",         NEED_FOLDER,  check_vault,         "put back vault.db and vault.key from one backup, or give the key that sealed it"},
    {"view",          NEED_FOLDER,  check_view,          "make it anew: chancery rebuild"},
    {"descriptors",   NEED_CONFIG,  check_descriptors,   "raise the limit"},
    {"memory",        NEED_CONFIG,  check_memory,        "lower ledger.cache_bytes or writer.queue_bytes_max, or raise MemoryMax= or 'ulimit -v'"},
    {"file-size",     NEED_CONFIG,  check_file_size,     "LimitFSIZE=infinity in the unit, or 'ulimit -f unlimited'"},
    {"port",          NEED_CONFIG,  check_port,          "stop what holds it ('ss -ltnp' tells), or serve elsewhere: --http.listen"},
    {"checkpoint",    NEED_FOLDER,  check_checkpoint,    "look for errors in the server's log; restart it"},
    {"systemd",       NEED_CONFIG,  check_systemd,       "see the unit file in the documentation"},
};
/* clang-format on */

const char *doctor_state_name(enum doctor_state s)
{
    static const char *const names[DOCTOR_STATES] = {"ok", "warn", "fail", "skipped"};

    return names[s];
}

static void run_check(struct ctx *cx, struct patient *p, const struct check *c,
                      struct doctor_finding *f)
{
    f->name = c->name;
    f->remedy = str_from(c->remedy);
    if (c->need >= NEED_CONFIG && !p->world)
        found(cx, f, DOCTOR_SKIPPED, "the configuration does not load");
    else if (c->need == NEED_FOLDER && !p->is_folder)
        found(cx, f, DOCTOR_SKIPPED, "there is no data folder");
    else
        c->run(cx, p, f);
    if (f->state == DOCTOR_OK || f->state == DOCTOR_SKIPPED)
        f->remedy = STR_NULL;
}

void doctor_examine(struct ctx *cx, const struct config_sources *sources,
                    const struct doctor_world *world, struct doctor_report *out)
{
    struct patient *p = arena_new(cx->mem, struct patient, 1);

    p->sources = sources;
    p->world = world;
    *out = (struct doctor_report){
        .findings = arena_new(cx->mem, struct doctor_finding, COUNT(checks)),
        .count = COUNT(checks),
    };
    for (size_t i = 0; i < COUNT(checks); i++) {
        run_check(cx, p, &checks[i], &out->findings[i]);
        out->warnings += out->findings[i].state == DOCTOR_WARN;
        out->failures += out->findings[i].state == DOCTOR_FAIL;
    }
}
