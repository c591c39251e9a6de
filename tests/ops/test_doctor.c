/* test_doctor.c - each check of the doctor made to fail once, over a real folder and a made-up
 * machine. */
#include "ledger/checkpoint_file.h"
#include "ops/app_open.h"
#include "ops/doctor.h"
#include "store/store.h"
#include "test.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

struct ward {
    struct config_sources sources;
    const char *environment[4];
    struct config_setting flags[4];
    struct config config;
    struct doctor_world world;
};

/* A machine on which nothing is wrong. */
static const struct doctor_world sound = {
    .now_us = INT64_C(1800000000000000),
    .disk_bytes = UINT64_C(100) << 30,
    .disk_free_bytes = UINT64_C(50) << 30,
    .descriptors_max = 20000,
    .file_bytes_max = DOCTOR_NO_LIMIT,
    .address_bytes_max = DOCTOR_NO_LIMIT,
    .memory_bytes = UINT64_C(8) << 30,
    .sync_ns = 1000000,
};

static struct ward *ward_new(struct ctx *cx, const char *dir)
{
    struct ward *w = arena_new(cx->mem, struct ward, 1);
    str vkey;

    w->sources = (struct config_sources){
        .fs = fs_real(),
        .system_file = test_path(cx, dir, "system.yaml"),
        .environment = w->environment,
        .flags = w->flags,
        .flag_count = 1,
    };
    w->flags[0] = (struct config_setting){S("data.dir"), str_from(test_path(cx, dir, "data"))};
    w->world = sound;
    w->world.environment = w->environment;
    CHECK_OK(config_load(cx, &w->sources, &w->config));
    CHECK_OK(app_init(cx, &w->config, S("log.example.org/test"), &vkey));
    return w;
}

/* The folder as a first start leaves it: with ledger and view. */
static void start_once(struct ctx *cx, const struct ward *w)
{
    struct app *app;

    CHECK_OK(app_open(cx, &w->config, APP_OFFLINE, &app));
    app_close(app);
}

static struct doctor_finding finding_of(struct ctx *cx, const struct ward *w, const char *name)
{
    struct doctor_report r;

    doctor_examine(cx, &w->sources, &w->world, &r);
    for (size_t i = 0; i < r.count; i++)
        if (strcmp(r.findings[i].name, name) == 0)
            return r.findings[i];
    FAIL("there is no check %s", name);
    return (struct doctor_finding){0};
}

static void check_finds(struct ctx *cx, const struct ward *w, const char *name,
                        enum doctor_state state, const char *text)
{
    struct doctor_finding f = finding_of(cx, w, name);

    if (f.state != state)
        FAIL("%s is %s: %.*s", name, doctor_state_name(f.state), STR_FMT(f.detail));
    CHECK_HOLDS(f.detail, text);
    CHECK_EQ(f.remedy.n > 0, state == DOCTOR_WARN || state == DOCTOR_FAIL);
}

static const char *in_data(struct ctx *cx, const struct ward *w, const char *name)
{
    return arena_printf(cx->mem, "%.*s/%s", STR_FMT(w->config.data_dir), name).p;
}

static void write_data(struct ctx *cx, const struct ward *w, const char *name, str bytes)
{
    CHECK_OK(fs_replace(cx, fs_real(), w->config.data_dir.p, name, bytes));
}

TEST(doctor_finds_nothing_where_nothing_is_wrong)
{
    struct ward *w = ward_new(cx, dir);
    struct doctor_report r;

    for (int started = 0; started < 2; started++) {
        doctor_examine(cx, &w->sources, &w->world, &r);
        for (size_t i = 0; i < r.count; i++)
            if (r.findings[i].state != DOCTOR_OK && r.findings[i].state != DOCTOR_SKIPPED)
                FAIL("%s: %.*s", r.findings[i].name, STR_FMT(r.findings[i].detail));
        CHECK_EQ(r.failures + r.warnings, 0);
        start_once(cx, w);
    }
}

TEST(doctor_counts_what_it_finds)
{
    struct ward *w = ward_new(cx, dir);
    struct doctor_report r;

    w->world.disk_free_bytes = w->world.disk_bytes / 20;
    w->world.bind_errno = EADDRINUSE;
    doctor_examine(cx, &w->sources, &w->world, &r);
    CHECK_EQ(r.warnings, 1);
    CHECK_EQ(r.failures, 1);
}

/* What cannot be looked at without a configuration is not, and is no failure of its own. */
TEST(doctor_names_wrong_settings)
{
    struct ward *w = ward_new(cx, dir);
    struct doctor_report r;

    w->flags[w->sources.flag_count++] = (struct config_setting){S("http.workers"), S("0")};
    w->world = sound;
    doctor_examine(cx, &w->sources, NULL, &r);
    CHECK_EQ(r.findings[0].state, DOCTOR_FAIL);
    CHECK_HOLDS(r.findings[0].detail, "http.workers");
    CHECK_EQ(r.failures, 1);
    for (size_t i = 1; i < r.count; i++)
        CHECK_EQ(r.findings[i].state, DOCTOR_SKIPPED);
}

TEST(doctor_wants_a_data_folder)
{
    struct ward *w = ward_new(cx, dir);

    w->flags[0].value = str_from(test_path(cx, dir, "nowhere"));
    check_finds(cx, w, "data-folder", DOCTOR_FAIL, "No such file");
    check_finds(cx, w, "ledger", DOCTOR_SKIPPED, "no data folder");
    w->flags[0].value = str_from(dir);
    check_finds(cx, w, "data-folder", DOCTOR_FAIL, "is no data folder");
}

TEST(doctor_wants_the_data_folder_private)
{
    static const struct {
        const char *name;
        mode_t wrong, right;
        enum doctor_state state;
    } cases[] = {
        {"", 0755, 0700, DOCTOR_WARN},          {"", 0720, 0700, DOCTOR_FAIL},
        {"vault.key", 0640, 0600, DOCTOR_FAIL}, {"vault.db", 0604, 0600, DOCTOR_WARN},
        {"view.db", 0644, 0600, DOCTOR_WARN},   {"ledger", 0750, 0700, DOCTOR_WARN},
    };
    struct ward *w = ward_new(cx, dir);

    start_once(cx, w);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *path = in_data(cx, w, cases[i].name);
        CHECK_EQ(chmod(path, cases[i].wrong), 0);
        check_finds(cx, w, "data-folder", cases[i].state, path);
        CHECK_EQ(chmod(path, cases[i].right), 0);
        check_finds(cx, w, "data-folder", DOCTOR_OK, "its owner's alone");
    }
}

TEST(doctor_wants_the_folder_to_be_ours)
{
    struct ward *w = ward_new(cx, dir);

    if (geteuid() != 0)
        SKIP("only root can give a folder away");
    CHECK_EQ(chown(w->config.data_dir.p, 65534, 65534), 0);
    check_finds(cx, w, "data-folder", DOCTOR_FAIL, "belongs to");
    write_data(cx, w, "log.vkey", S("no key\n"));
    check_finds(cx, w, "data-folder", DOCTOR_FAIL, "log.vkey");
}

TEST(doctor_judges_disk_space_by_share_and_size)
{
    struct ward *w = ward_new(cx, dir);
    uint64_t all = w->world.disk_bytes;

    w->world.disk_free_bytes = all / 10;
    check_finds(cx, w, "disk-space", DOCTOR_OK, "free");
    w->world.disk_free_bytes = all / 10 - 1;
    check_finds(cx, w, "disk-space", DOCTOR_WARN, "free");
    w->world.disk_free_bytes = all / 100 - 1;
    check_finds(cx, w, "disk-space", DOCTOR_FAIL, "free");
    w->world.disk_bytes = 128 << 20;
    w->world.disk_free_bytes = (64 << 20) - 1;
    check_finds(cx, w, "disk-space", DOCTOR_FAIL, "free");
}

TEST(doctor_times_the_disk)
{
    struct ward *w = ward_new(cx, dir);

    w->world.sync_ns = 20000000;
    check_finds(cx, w, "disk-sync", DOCTOR_OK, "20.00 ms");
    w->world.sync_ns = 20010000;
    check_finds(cx, w, "disk-sync", DOCTOR_WARN, "20.01 ms");
    w->world.sync_ns = -1;
    w->world.sync_failure = S("no medium");
    check_finds(cx, w, "disk-sync", DOCTOR_FAIL, "no medium");
}

TEST(doctor_compares_the_clock_with_the_newest_checkpoint)
{
    struct ward *w = ward_new(cx, dir);
    struct checkpoint_record r = {.size = 1, .signed_us = w->world.now_us + 2000000};
    char bytes[2 * CHECKPOINT_RECORD_BYTES] = {0}; /* the second is on its way */

    w->world.now_us = INT64_C(1000000);
    check_finds(cx, w, "clock", DOCTOR_FAIL, "1970");
    w->world.now_us = sound.now_us;
    checkpoint_record_put(&r, bytes);
    CHECK_OK(fs_mkdir(cx, fs_real(), in_data(cx, w, "ledger")));
    write_data(cx, w, "ledger/checkpoints", (str){bytes, sizeof bytes});
    check_finds(cx, w, "clock", DOCTOR_FAIL, "newest checkpoint");
    w->world.now_us += 2000000;
    check_finds(cx, w, "clock", DOCTOR_OK, "it says 2027-");
}

TEST(doctor_opens_ledger_vault_and_view)
{
    struct ward *w = ward_new(cx, dir);
    struct app *app;

    start_once(cx, w);
    CHECK_OK(app_open(cx, &w->config, APP_OFFLINE, &app));
    check_finds(cx, w, "ledger", DOCTOR_WARN, "holds the folder");
    app_close(app);

    CHECK_EQ(unlink(in_data(cx, w, "view.db")), 0);
    check_finds(cx, w, "view", DOCTOR_OK, "there is none"); /* and nothing to fold */
    write_data(cx, w, "view.db",
               S("This is no database, and it is long enough to be seen as none."));
    check_finds(cx, w, "view", DOCTOR_FAIL, "view");

    write_data(cx, w, "vault.key", S("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"));
    check_finds(cx, w, "vault", DOCTOR_FAIL, "vault");
    CHECK_EQ(unlink(in_data(cx, w, "vault.db")), 0);
    check_finds(cx, w, "vault", DOCTOR_FAIL, "is missing");

    CHECK_EQ(unlink(in_data(cx, w, "ledger/tree-0")), 0);
    check_finds(cx, w, "ledger", DOCTOR_FAIL, "tree-0");
}

/* The vault opens, but what it holds signs another log than the one that is published. */
TEST(doctor_compares_the_vault_with_the_published_key)
{
    struct ward *w = ward_new(cx, dir);
    struct config other = w->config;
    str vkey;

    other.data_dir = str_from(test_path(cx, dir, "other"));
    CHECK_OK(app_init(cx, &other, S("log.example.org/test"), &vkey));
    write_data(cx, w, "log.vkey", vkey);
    check_finds(cx, w, "vault", DOCTOR_FAIL, "log.vkey is not the public half");
}

/* A view that was folded from a longer ledger, which then lost its end. */
TEST(doctor_notices_a_view_that_is_ahead)
{
    static const struct sql ahead = {"AHEAD", "UPDATE progress SET applied = 5 WHERE id = 1"};
    struct ward *w = ward_new(cx, dir);
    struct store *view;
    struct app *app;

    CHECK_OK(app_open(cx, &w->config, APP_OFFLINE, &app));
    view = app->view;
    CHECK_OK(store_begin(cx, view));
    CHECK_OK(store_end(cx, view, db_exec(cx, store_writer(view), &ahead, NO_ARGS, NULL)));
    app_close(app);
    check_finds(cx, w, "view", DOCTOR_FAIL, "has seen 5 entries, but the ledger holds 0");
}

TEST(doctor_judges_limits)
{
    struct ward *w = ward_new(cx, dir);

    w->world.descriptors_max = 4096;
    check_finds(cx, w, "descriptors", DOCTOR_WARN, "at most 4096");
    w->world.descriptors_max = 256;
    check_finds(cx, w, "descriptors", DOCTOR_FAIL, "at most 256");
    w->world.descriptors_max = DOCTOR_NO_LIMIT;
    check_finds(cx, w, "descriptors", DOCTOR_OK, "no limit");
    w->world.memory_bytes = 300 << 20;
    check_finds(cx, w, "memory", DOCTOR_WARN, "314 MB");
    w->world.address_bytes_max = 100 << 20;
    check_finds(cx, w, "memory", DOCTOR_FAIL, "104 MB");
    w->world.file_bytes_max = 1 << 30;
    check_finds(cx, w, "file-size", DOCTOR_FAIL, "1073 MB");
}

TEST(doctor_knows_whose_port_it_is)
{
    struct ward *w = ward_new(cx, dir);
    struct doctor_server *s = &w->world.server;

    w->world.bind_errno = EACCES;
    check_finds(cx, w, "port", DOCTOR_FAIL, "Permission denied");
    w->world.bind_errno = EADDRINUSE;
    check_finds(cx, w, "port", DOCTOR_FAIL, "in use");
    *s = (struct doctor_server){.answers = true, .origin = S("other"), .status = S("pass")};
    check_finds(cx, w, "port", DOCTOR_FAIL, "another log");
    s->origin = S("log.example.org/test");
    check_finds(cx, w, "port", DOCTOR_OK, "our own");
}

TEST(doctor_asks_the_running_server)
{
    struct ward *w = ward_new(cx, dir);
    struct doctor_server *s = &w->world.server;

    *s = (struct doctor_server){.answers = true,
                                .origin = S("log.example.org/test"),
                                .status = S("pass"),
                                .entries = 7,
                                .covered = 7,
                                .checkpoint_us = sound.now_us - 61000000};
    check_finds(cx, w, "ledger", DOCTOR_OK, "7 entries");
    check_finds(cx, w, "checkpoint", DOCTOR_OK, "covers all");
    s->covered = 5;
    check_finds(cx, w, "checkpoint", DOCTOR_FAIL, "2 entries are not covered");
    s->checkpoint_us += 50000000;
    check_finds(cx, w, "checkpoint", DOCTOR_WARN, "11 s old");
    s->checkpoint_us += 1000000;
    check_finds(cx, w, "checkpoint", DOCTOR_OK, "10 s old");
    s->status = S("warn");
    check_finds(cx, w, "ledger", DOCTOR_WARN, "warn");
    s->status = S("fail");
    check_finds(cx, w, "ledger", DOCTOR_FAIL, "fail");
}

TEST(doctor_looks_at_what_systemd_hands_over)
{
    struct ward *w = ward_new(cx, dir);
    const char **e = w->environment;

    check_finds(cx, w, "systemd", DOCTOR_SKIPPED, "not started");
    e[0] = "INVOCATION_ID=1";
    check_finds(cx, w, "systemd", DOCTOR_OK, "can be used");
    e[0] = "NOTIFY_SOCKET=@chancery";
    e[1] = "WATCHDOG_USEC=1000000";
    check_finds(cx, w, "systemd", DOCTOR_FAIL, "watchdog");
    e[1] = "WATCHDOG_USEC=30000000";
    check_finds(cx, w, "systemd", DOCTOR_OK, "can be used");
    e[0] = arena_printf(cx->mem, "NOTIFY_SOCKET=%s", dir).p;
    check_finds(cx, w, "systemd", DOCTOR_FAIL, "no socket");
    e[0] = "CREDENTIALS_DIRECTORY=/nowhere/at/all";
    check_finds(cx, w, "systemd", DOCTOR_FAIL, "/nowhere/at/all");
}

/* The machine itself: whatever it is like, it can be read, and nothing is left behind. */
TEST(doctor_reads_this_machine)
{
    struct ward *w = ward_new(cx, dir);
    struct doctor_world here;
    size_t before, after;
    str *names;

    CHECK_OK(fs_list(cx, fs_real(), w->config.data_dir.p, &names, &before));
    doctor_world_read(cx, &w->config, w->environment, &here);
    CHECK_OK(fs_list(cx, fs_real(), w->config.data_dir.p, &names, &after));
    CHECK_EQ(before, after);
    CHECK(here.disk_bytes > 0 && here.disk_free_bytes <= here.disk_bytes);
    CHECK(here.sync_ns > 0);
    CHECK(here.memory_bytes > 0 && here.memory_bytes != DOCTOR_NO_LIMIT);
    CHECK(here.descriptors_max > 0);
    w->config.data_dir = str_from(test_path(cx, dir, "nowhere"));
    doctor_world_read(cx, &w->config, w->environment, &here);
    CHECK_EQ(here.sync_ns, -1);
    CHECK_HOLDS(here.sync_failure, "nowhere");
}
