/* doctor_world.c - what the doctor's checks are told: limits, disk, port, and the running server.
 */
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "http/client.h"
#include "ops/doctor.h"
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { SYNC_ROUNDS = 5, SYNC_BYTES = 4096, HEALTH_BYTES_MAX = 64 * 1024, LIMIT_TEXT_BYTES = 64 };
#define ASK_NS INT64_C(3000000000)

/* ---- limits ---- */

/* RLIM_INFINITY is the largest number already. */
static uint64_t hard_limit(__rlimit_resource_t what)
{
    struct rlimit limit;

    return getrlimit(what, &limit) == 0 ? (uint64_t)limit.rlim_max : DOCTOR_NO_LIMIT;
}

/* The first number of a small file of the kernel; none ("max") is no limit. */
static uint64_t number_in(const char *path)
{
    unsigned long long n;
    FILE *f = fopen(path, "re");
    bool read = f && fscanf(f, "%llu", &n) == 1;

    if (f)
        fclose(f);
    return read ? n : DOCTOR_NO_LIMIT;
}

/* Of the control group that we are in: the line "0::/path" (cgroups version 2). */
static uint64_t group_memory_bytes(struct ctx *cx)
{
    uint64_t least = DOCTOR_NO_LIMIT;
    char path[512];
    FILE *f = fopen("/proc/self/cgroup", "re");

    if (!f)
        return least;
    if (fscanf(f, "0::%511s", path) == 1) {
        const char *file = arena_printf(cx->mem, "/sys/fs/cgroup%s/memory.max", path).p;
        least = number_in(file);
    }
    fclose(f);
    return u64_min(least, number_in("/sys/fs/cgroup/memory.max"));
}

static uint64_t memory_bytes(struct ctx *cx)
{
    uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES), page = (uint64_t)sysconf(_SC_PAGESIZE);

    return u64_min(pages * page, group_memory_bytes(cx));
}

/* ---- disk ---- */

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* The median: one slow sync is an accident. */
static err time_syncs(struct ctx *cx, fs_file f, int64_t *out_ns)
{
    static const char bytes[SYNC_BYTES];
    int64_t ns[SYNC_ROUNDS];

    for (int i = 0; i < SYNC_ROUNDS; i++) {
        int64_t began = clock_mono_ns();
        TRY(fs_pwrite(cx, fs_real(), f, bytes, sizeof bytes, (uint64_t)i * sizeof bytes));
        TRY(fs_sync(cx, fs_real(), f));
        ns[i] = clock_mono_ns() - began;
    }
    qsort(ns, SYNC_ROUNDS, sizeof *ns, by_size);
    *out_ns = ns[SYNC_ROUNDS / 2];
    return ERR_OK;
}

static void read_sync(struct ctx *cx, const char *dir, struct doctor_world *out)
{
    const char *path = arena_printf(cx->mem, "%s/doctor-%ld.new", dir, (long)getpid()).p;
    fs_file f = -1;

    err e = fs_open(cx, fs_real(), path, FS_WRITE | FS_CREATE | FS_EXCLUSIVE, &f);
    if (e == ERR_OK) {
        e = time_syncs(cx, f, &out->sync_ns);
        fs_close(fs_real(), f);
        unlink(path);
    }
    if (e == ERR_OK)
        return;
    out->sync_ns = -1;
    out->sync_failure = arena_str(cx->mem, str_from(cx->detail));
    ctx_clear_error(cx);
}

static void read_disk(const char *dir, struct doctor_world *out)
{
    struct statvfs st;

    if (statvfs(dir, &st) != 0)
        return;
    out->disk_bytes = (uint64_t)st.f_blocks * st.f_frsize;
    out->disk_free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
}

/* ---- port ---- */

static int try_bind(const struct addrinfo *to)
{
    int on = 1, failed = 0, fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, to->ai_addr, to->ai_addrlen) != 0)
        failed = errno;
    close(fd);
    return failed;
}

static int bind_errno(struct ctx *cx, str listen)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    str host = listen;
    size_t colon = listen.n;

    while (colon && listen.p[colon - 1] != ':')
        colon--;
    host.n = colon ? colon - 1 : 0;
    if (str_starts(host, S("[")) && str_ends(host, S("]")))
        host = str_slice(host, 1, host.n - 1);
    if (getaddrinfo(host.n ? arena_z(cx->mem, host) : NULL, listen.p + colon, &hints, &found) != 0)
        return EADDRNOTAVAIL;
    int failed = try_bind(found);
    freeaddrinfo(found);
    return failed;
}

/* ---- the server ---- */

static str text_at(struct ctx *cx, struct json v, str pointer)
{
    struct json found;

    return json_pointer_get(v, pointer, &found) ? arena_str(cx->mem, json_str(found)) : STR_NULL;
}

static uint64_t count_at(struct json v, str pointer)
{
    struct json found;
    uint64_t n = 0;

    return json_pointer_get(v, pointer, &found) && json_to_u64(found, &n) ? n : 0;
}

static void read_health(struct ctx *cx, str body, struct doctor_server *out)
{
    CLEANUP(json_parser_cleanup) struct json_parser *parser = json_parser_open();
    struct json v;

    if (json_parse(cx, parser, body, &v) != ERR_OK ||
        !str_eq(text_at(cx, v, S("/service")), S("chancery")))
        return;
    out->origin = text_at(cx, v, S("/origin"));
    out->status = text_at(cx, v, S("/status"));
    out->entries = count_at(v, S("/checks/ledger/entries"));
    out->covered = count_at(v, S("/checks/ledger/checkpoint_size"));
    if (!time_parse(text_at(cx, v, S("/checks/ledger/checkpoint_time")), &out->checkpoint_us))
        out->checkpoint_us = 0;
}

static void ask_server(struct ctx *cx, str listen, struct doctor_server *out)
{
    struct http_client_options options = {
        .base_url = arena_printf(cx->mem, "http://%.*s", STR_FMT(listen)), .timeout_ns = ASK_NS};
    struct http_client *client;
    struct http_reply reply;

    if (http_client_open(cx, &options, &client) == ERR_OK) {
        out->answers = http_call(cx, client, "GET", S("/api/v1/health"), NULL, 0, STR_NULL,
                                 HEALTH_BYTES_MAX, &reply) == ERR_OK;
        if (out->answers)
            read_health(cx, reply.body, out);
        http_client_close(client);
    }
    ctx_clear_error(cx);
}

void doctor_world_read(struct ctx *cx, const struct config *config, const char *const *environment,
                       struct doctor_world *out)
{
    const char *dir = arena_z(cx->mem, config->data_dir);

    *out = (struct doctor_world){
        .environment = environment,
        .now_us = clock_now_us(),
        .descriptors_max = hard_limit(RLIMIT_NOFILE),
        .file_bytes_max = hard_limit(RLIMIT_FSIZE),
        .address_bytes_max = hard_limit(RLIMIT_AS),
        .memory_bytes = memory_bytes(cx),
        .bind_errno = bind_errno(cx, config->http_listen),
    };
    read_disk(dir, out);
    read_sync(cx, dir, out);
    if (!str_ends(config->http_listen, S(":0")))
        ask_server(cx, config->http_listen, &out->server);
}
