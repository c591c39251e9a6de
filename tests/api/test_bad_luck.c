/* test_bad_luck.c - full disks, folders that cannot be written, descriptors that run out, and
 * writes that fail: a clear word, nothing that was acknowledged lost, and the next start as if
 * nothing had been. */
#include "base/clock.h"
#include "base/fs.h"
#include "program.h"
#include "small_disk.h"
#include <signal.h>
#include <unistd.h>

enum { ACKED_MAX = 4000 };

/* A client that remembers what was acknowledged. */
struct client {
    const char *key;
    const char *ids[ACKED_MAX];
    uint64_t index[ACKED_MAX];
    unsigned count, sent;
};

/* One event; the status of the answer, 0 when there was none. */
static int try_event(struct ctx *cx, struct client *c, const struct serving *s)
{
    const char *id = arena_printf(cx->mem, "n%u", c->sent++).p;
    struct net n = net_dial(s->address);
    struct net_reply r =
        ask_on(cx, &n, c->key, "POST", "/api/v1/events", "application/json", event(cx, id, ""));

    net_close(&n);
    if (r.status == 201 && c->count < ACKED_MAX) {
        c->ids[c->count] = id;
        c->index[c->count++] = number_at(cx, r.body, "/first_index");
    }
    return r.status;
}

static void check_all_there(struct ctx *cx, const struct client *c, const struct serving *s)
{
    for (unsigned i = 0; i < c->count; i++)
        check_event_at(cx, s, c->key, c->index[i], c->ids[i]);
}

/* Start again on the folder: everything acknowledged is there, it takes more, and the view is as
 * the ledger says. */
static void check_restart(struct ctx *cx, const char *dir, const char *data, struct client *c)
{
    struct serving s = serve(cx, data, NULL);

    check_all_there(cx, c, &s);
    CHECK_EQ(try_event(cx, c, &s), 201);
    CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);
    check_view_rebuilt(cx, dir, data);
    struct outcome o = RUN(cx, "verify", "--data", data, "--json");
    CHECK_STATUS(o, 0);
}

/* ---- disk full ---- */

TEST(a_full_disk_is_said_and_passes)
{
    const char *disk = test_path(cx, dir, "disk");
    struct client c = {0};

    if (!small_disk_mount(disk, 40))
        SKIP("no file system may be mounted here");
    const char *data = make_data(cx, disk);
    c.key = make_key(cx, data, "events:write,events:read,metrics:read");
    struct serving s = serve(cx, data, NULL);
    for (unsigned i = 0; i < 20; i++)
        CHECK_EQ(try_event(cx, &c, &s), 201);

    /* what is left of the last pages fills up, then it is said */
    small_disk_fill(disk, 0);
    int status;
    while ((status = try_event(cx, &c, &s)) == 201 && c.count < 1000)
        ;
    CHECK_EQ(status, 507);
    struct net_reply r = post_json(cx, &s, c.key, "/api/v1/events", event(cx, "full", ""));
    CHECK_EQ(r.status, 507);
    CHECK_STR(text_at(cx, r.body, "/code"), S("NO_SPACE"));
    CHECK_HOLDS(text_at(cx, r.body, "/title"), "full");
    check_all_there(cx, &c, &s);

    /* and passes with the cause */
    small_disk_fill(disk, 20 << 20);
    for (unsigned i = 0; i < 20; i++)
        CHECK_EQ(try_event(cx, &c, &s), 201);
    CHECK_EQ(post_json(cx, &s, c.key, "/api/v1/events", event(cx, "full", "")).status, 201);
    check_all_there(cx, &c, &s);
    CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);
    check_restart(cx, dir, data, &c);
    small_disk_drop(disk);
}

TEST(a_stream_onto_a_full_disk_tells_how_far_it_came)
{
    const char *disk = test_path(cx, dir, "disk");
    CLEANUP(buf_close) struct buf b = BUF(64 << 20);
    char *fill = arena_new(cx->mem, char, 2001);
    struct client c = {0};

    if (!small_disk_mount(disk, 20))
        SKIP("no file system may be mounted here");
    memset(fill, 'x', 2000);
    for (unsigned i = 0; i < 20000; i++) { /* 40 MB */
        SCRATCH(tmp, cx);
        buf_put(&b, event(cx, arena_printf(tmp.mem, "l%u", i).p,
                          arena_printf(tmp.mem, ",\"data\":\"%s\"", fill).p));
        buf_put_char(&b, '\n');
    }
    const char *data = make_data(cx, disk);
    c.key = make_key(cx, data, "events:write,events:read");
    struct serving s = serve(cx, data, NULL);
    struct net n = net_dial(s.address);
    net_send(&n, request_head(cx, c.key, "POST", "/api/v1/events", "application/x-ndjson",
                              (int64_t)b.n));
    (void)net_send(&n, buf_str(&b));
    struct net_reply r = net_read(cx, &n);
    net_close(&n);
    if (r.status) { /* the answer may be lost when the client is still sending */
        CHECK_EQ(r.status, 507);
        /* a portion behind the one that found no room may have found some */
        CHECK(number_at(cx, r.body, "/acknowledged_lines") <= number_at(cx, r.body, "/count"));
    }
    uint64_t count = number_at(cx, r.body, "/acknowledged_lines");
    CHECK(r.status == 0 || count > 1000);
    struct net_reply all = get(cx, &s, c.key, "/api/v1/events/stats?type=test.made");
    CHECK(number_at(cx, all.body, "/total") >= count);
    for (uint64_t i = 0; i < count; i += 97)
        check_event_at(cx, &s, c.key, number_at(cx, r.body, "/first_index") + i,
                       arena_printf(cx->mem, "l%llu", (unsigned long long)i).p);
    CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);

    /* a start needs room too: it says so, or it serves what is there */
    small_disk_fill(disk, 0);
    struct outcome o = {0};
    const struct serve_how how = {.log = test_path(cx, dir, "log")};
    s = serve_or_refused(cx, data, &how, &o);
    if (s.pid) {
        CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);
    } else {
        CHECK_STATUS(o, 3);
        CHECK_HOLDS(o.err, "No space left on device");
    }
    CHECK_EQ(unlink(test_path(cx, disk, "filler")), 0);
    o = RUN(cx, "verify", "--data", data, "--json");
    CHECK_STATUS(o, 0);
    small_disk_drop(disk);
}

/* ---- a folder that cannot be written ---- */

TEST(a_read_only_folder_is_refused_with_the_reason)
{
    const char *disk = test_path(cx, dir, "disk");
    struct client c = {0};

    if (!small_disk_mount(disk, 40))
        SKIP("no file system may be mounted here");
    const char *data = make_data(cx, disk);
    c.key = make_key(cx, data, "events:write,events:read");
    struct serving s = serve(cx, data, NULL);
    for (unsigned i = 0; i < 20; i++)
        CHECK_EQ(try_event(cx, &c, &s), 201);
    CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);

    small_disk_protect(disk);
    struct outcome o = serve_refused(cx, data, NULL);
    CHECK_STATUS(o, 3);
    CHECK_HOLDS(o.err, "Read-only file system");
    CHECK_HOLDS(o.err, data);
    o = RUN(cx, "init", "--data", test_path(cx, disk, "other"));
    CHECK_STATUS(o, 3);
    CHECK_HOLDS(o.err, "Read-only file system");
    small_disk_drop(disk);
}

/* ---- descriptors ---- */

TEST(when_descriptors_run_out_those_who_are_in_are_served_and_others_wait)
{
    enum { CLIENTS = 120 };
    static struct net clients[CLIENTS];
    const char *data = make_data(cx, dir);
    struct client c = {.key = make_key(cx, data, "events:write,events:read,metrics:read")};
    struct serving s = serve(cx, data, &(struct serve_how){.files_max = 80});
    struct net kept = net_dial(s.address);
    str body = event(cx, "kept", "");

    CHECK_EQ(ask_on(cx, &kept, c.key, "POST", "/api/v1/events", "application/json", body).status,
             201);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = net_dial(s.address);
        net_send(&clients[i], S("GET /livez HTTP/1.1\r\nHost: t\r\n\r\n"));
    }
    /* the first one is served while others stand before the door */
    for (unsigned i = 0; i < 20; i++) {
        body = event(cx, arena_printf(cx->mem, "kept-%u", i).p, "");
        CHECK_EQ(
            ask_on(cx, &kept, c.key, "POST", "/api/v1/events", "application/json", body).status,
            201);
    }
    struct net_reply r = ask_on(cx, &kept, c.key, "GET", "/metrics", NULL, STR_NULL);
    CHECK_EQ(r.status, 200);
    CHECK_HOLDS(r.body, "chancery_http_refused_total{reason=\"descriptors\"}");
    /* whoever goes makes room for the next; everyone gets an answer in the end or a closed door */
    unsigned served = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        served += net_read(cx, &clients[i]).status == 200;
        net_close(&clients[i]);
    }
    CHECK(served >= 30);
    net_close(&kept);
    for (unsigned i = 0; i < 20; i++)
        CHECK_EQ(try_event(cx, &c, &s), 201);
    CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);
    check_restart(cx, dir, data, &c);
}

/* ---- writes and syncs that fail ---- */

static bool strace_works(struct ctx *cx)
{
    const char *const args[] = {"strace", "-o", "/dev/null", "true", NULL};

    return command_run(cx, args).status == 0;
}

/* Calls that fail: every thread's Nth of this kind, on one file or on all. */
struct failing {
    const char *call, *error;
    unsigned nth;
    const char *file; /* in the data folder; NULL: any */
};

static const char *const *strace_args(struct ctx *cx, const char *data, const struct failing *f)
{
    const char **args = arena_new(cx->mem, const char *, 16);
    size_t n = 0;

    for (const char *const *a =
             (const char *const[]){"strace", "-D", "-f", "-qq", "-o", "/dev/null", NULL};
         *a; a++)
        args[n++] = *a;
    args[n++] = "-e";
    args[n++] = arena_printf(cx->mem, "trace=%s", f->call).p;
    args[n++] = "-e";
    args[n++] = arena_printf(cx->mem, "inject=%s:error=%s:when=%u", f->call, f->error, f->nth).p;
    if (f->file) {
        args[n++] = "-P";
        args[n++] = test_path(cx, data, f->file);
    }
    return args;
}

/* Five events, and no orderly end. */
static const char *made_before(struct ctx *cx, const char *own, struct client *c)
{
    const char *data = make_data(cx, own);

    c->key = make_key(cx, data, "events:write,events:read");
    struct serving s = serve(cx, data, NULL);
    for (unsigned i = 0; i < 5; i++)
        CHECK_EQ(try_event(cx, c, &s), 201);
    CHECK_EQ(serving_end(cx, &s, SIGKILL), 128 + SIGKILL);
    return data;
}

static void check_failing(struct ctx *cx, const char *dir, const struct failing *f)
{
    static const char *const env[] = {"ASAN_OPTIONS=detect_leaks=0", NULL};
    const char *own = test_path(cx, dir, arena_printf(cx->mem, "%s-%u", f->call, f->nth).p);
    struct outcome o = {0};
    struct client c = {0};

    CHECK_OK(fs_mkdir(cx, fs_real(), own));
    const char *data = made_before(cx, own, &c);
    const struct serve_how how = {.wrap = strace_args(cx, data, f), .env = env};
    struct serving s = serve_or_refused(cx, data, &how, &o);
    if (s.pid) {
        int status = 201;
        for (unsigned i = 0; i < 4 * f->nth + 20 && status == 201 && !serving_has_ended(&s); i++) {
            status = try_event(cx, &c, &s);
            if (f->file) /* nothing more is asked of it when that has failed */
                (void)get(cx, &s, NULL, "/log/checkpoint");
        }
        CHECK(status == 201 || status == 500 || status == 0);
        CHECK_EQ(serving_wait(cx, &s), 3);
        o.err = serving_log(cx, &s);
    } else {
        CHECK_STATUS(o, 3);
    }
    CHECK(str_find(o.err, S("Input/output error")) < o.err.n || /* the ledger's words, SQLite's */
          str_find(o.err, S("disk I/O error")) < o.err.n);
    print_message("%s %u: %s, %u acknowledged\n", f->call, f->nth,
                  s.line ? "while serving" : "at the start", c.count);
    check_restart(cx, own, data, &c);
}

static void check_each(struct ctx *cx, const char *dir, const struct failing *cases, size_t count)
{
    if (!strace_works(cx))
        SKIP("processes may not be traced here");
    for (size_t i = 0; i < count; i++)
        check_failing(cx, dir, &cases[i]);
}

TEST(a_failed_sync_stops_the_server_and_the_next_start_has_everything)
{
    static const struct failing cases[] = {
        {"fdatasync", "EIO", 1, NULL},  {"fdatasync", "EIO", 2, NULL},
        {"fdatasync", "EIO", 3, NULL},  {"fdatasync", "EIO", 4, NULL},
        {"fdatasync", "EIO", 6, NULL},  {"fdatasync", "EIO", 9, NULL},
        {"fdatasync", "EIO", 14, NULL}, {"fdatasync", "EIO", 25, NULL},
        {"fsync", "EIO", 1, NULL},
    };

    check_each(cx, dir, cases, COUNT(cases));
}

TEST(a_failed_write_stops_the_server_and_the_next_start_has_everything)
{
    static const struct failing cases[] = {
        {"pwritev", "EIO", 1, NULL}, {"pwritev", "EIO", 2, NULL},  {"pwritev", "EIO", 3, NULL},
        {"pwritev", "EIO", 7, NULL}, {"pwritev", "EIO", 16, NULL},
    };

    check_each(cx, dir, cases, COUNT(cases));
}

/* It is not the writer that meets this one, and nobody else asks for anything: it stops all the
 * same. */
TEST(a_checkpoint_that_cannot_be_synced_stops_the_server)
{
    static const struct failing cases[] = {{"fdatasync", "EIO", 2, "ledger/checkpoints"}};

    check_each(cx, dir, cases, COUNT(cases));
}
