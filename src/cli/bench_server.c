/* bench_server.c - a data folder and a serving process for measuring, and their end. */
#include "base/clock.h"
#include "cli/bench.h"
#include "cli/remote.h"
#include "ops/app_open.h"
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 16 + 2 * SETTINGS_MAX, LINE_BYTES_MAX = 512, OUTPUT_BYTES_MAX = 16 << 20 };
#define START_LIMIT_NS (INT64_C(300) * 1000000000)

struct bench_server {
    struct ctx *cx; /* texts */
    const char *data, *log;
    const char *words[WORDS_MAX];
    str url, key;
    pid_t pid; /* 0: none */
    int out;   /* its standard output */
};

/* ---- a process ---- */

static err spawn(struct ctx *cx, const char *const *words, const char *log, pid_t *out_pid,
                 int *out_fd)
{
    posix_spawn_file_actions_t actions;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail_errno(cx, ERR_IO, "a pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    if (log)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log,
                                         O_WRONLY | O_CREAT | O_APPEND, 0600);
    int rc = posix_spawn(out_pid, "/proc/self/exe", &actions, NULL, (char *const *)(uintptr_t)words,
                         environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *out_fd = ends[0];
    errno = rc;
    return rc == 0 ? ERR_OK : fail_errno(cx, ERR_IO, "this program cannot be started again");
}

static err read_output(struct ctx *cx, int fd, str *out)
{
    CLEANUP(buf_close) struct buf b = BUF(OUTPUT_BYTES_MAX);
    ssize_t n = 1;

    while (n > 0) {
        if (!buf_reserve(&b, 16 * 1024))
            return buf_check(cx, &b, "what it wrote");
        n = read(fd, b.p + b.n, 16 * 1024);
        if (n < 0)
            return fail_errno(cx, ERR_IO, "what it wrote cannot be read");
        b.n += (size_t)n;
    }
    *out = arena_str(cx->mem, buf_str(&b));
    return ERR_OK;
}

static double cpu_of(const struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
           (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}

err bench_run_program(struct ctx *cx, const char *const *words, str *out_text, int *out_status,
                      double *out_cpu_seconds)
{
    struct rusage usage = {0};
    int fd, status = 0;
    pid_t pid;

    TRY(spawn(cx, words, NULL, &pid, &fd));
    err e = read_output(cx, fd, out_text);
    close(fd);
    wait4(pid, &status, 0, &usage);
    TRY(e);
    *out_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    *out_cpu_seconds = cpu_of(&usage);
    return ERR_OK;
}

/* ---- starting and ending ---- */

/* The line "listening on http://…"; why there is none is in the log. */
static err read_address(struct ctx *cx, struct bench_server *s)
{
    int64_t until_ns = clock_mono_ns() + START_LIMIT_NS;
    struct pollfd on = {.fd = s->out, .events = POLLIN};
    str start = S("listening on ");
    char line[LINE_BYTES_MAX];
    size_t n = 0;

    while (n < sizeof line && clock_mono_ns() < until_ns) {
        if (poll(&on, 1, 1000) == 0)
            continue;
        if (read(s->out, line + n, 1) <= 0)
            break;
        if (line[n] != '\n') {
            n++;
            continue;
        }
        if (str_starts((str){line, n}, start)) {
            s->url = arena_str(s->cx->mem, str_slice((str){line, n}, start.n, n));
            return ERR_OK;
        }
        n = 0;
    }
    return fail(cx, ERR_IO, "the server did not start; see %s", s->log);
}

static err start(struct ctx *cx, struct bench_server *s)
{
    TRY(spawn(cx, s->words, s->log, &s->pid, &s->out));
    return read_address(cx, s);
}

static void end(struct bench_server *s, int signal_number)
{
    if (s->pid == 0)
        return;
    kill(s->pid, signal_number);
    waitpid(s->pid, NULL, 0);
    close(s->out);
    s->pid = 0;
}

err bench_server_stop(struct ctx *cx, struct bench_server *s)
{
    int status = 0;

    if (s->pid == 0)
        return ERR_OK;
    kill(s->pid, SIGTERM);
    waitpid(s->pid, &status, 0);
    close(s->out);
    s->pid = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return fail(cx, ERR_IO, "the server did not stop well; see %s", s->log);
    return ERR_OK;
}

/* ---- a new folder ---- */

/* The settings of this command line, then what must be so. */
static void make_words(struct bench_server *s, const struct cli *cli)
{
    size_t n = 0;

    s->words[n++] = "chancery";
    s->words[n++] = "serve";
    for (size_t i = 0; i < cli->setting_count; i++) {
        s->words[n++] = "--set";
        s->words[n++] = arena_printf(s->cx->mem, "%.*s=%.*s", STR_FMT(cli->settings[i].name),
                                     STR_FMT(cli->settings[i].value))
                            .p;
    }
    s->words[n++] = "--quiet";
    s->words[n++] = "--data";
    s->words[n++] = s->data;
    s->words[n++] = "--listen";
    s->words[n++] = "127.0.0.1:0";
    s->words[n] = NULL;
}

/* Its own options, so that the folder of the command line is left alone. */
static struct cli folder_cli(const struct cli *cli, struct config_setting *settings,
                             const char *data)
{
    struct cli own = *cli;

    memcpy(settings, cli->settings, cli->setting_count * sizeof *settings);
    settings[cli->setting_count] = (struct config_setting){S("data.dir"), str_from(data)};
    own.settings = settings;
    own.setting_count = cli->setting_count + 1;
    own.data = str_from(data);
    own.url = STR_NULL;
    return own;
}

static err make_key(struct ctx *cx, struct cli *own, struct bench_server *s)
{
    CLEANUP(remote_cleanup) struct remote *r = NULL;
    struct http_reply reply;
    struct json made;

    TRY(remote_open(cx, own, &r));
    TRY(remote_send(cx, r, "POST", S("/api/v1/keys"),
                    S("{\"name\":\"bench\",\"scopes\":[\"admin\"]}"), &reply));
    TRY(remote_json(cx, r, &reply, &made));
    s->key = arena_str(s->cx->mem, json_member_text(made, S("key")));
    return ERR_OK;
}

static err make_folder(struct ctx *cx, struct bench_server *s, const struct cli *cli)
{
    struct config_setting *settings =
        arena_new(cx->mem, struct config_setting, cli->setting_count + 1);
    struct cli own = folder_cli(cli, settings, s->data);
    struct config config;
    str vkey;

    TRY(cli_config(cx, &own, &config));
    TRY(app_init(cx, &config, STR_NULL, &vkey));
    return make_key(cx, &own, s);
}

err bench_server_open(struct ctx *cx, struct cli *cli, const char *dir, struct bench_server **out)
{
    struct bench_server *s = calloc(1, sizeof *s);

    ENSURE(s);
    s->cx = ctx_open(0);
    s->data = arena_printf(s->cx->mem, "%s/data", dir).p;
    s->log = arena_printf(s->cx->mem, "%s/serve.log", dir).p;
    make_words(s, cli);
    err e = make_folder(cx, s, cli);
    if (e == ERR_OK)
        e = start(cx, s);
    if (e != ERR_OK) {
        bench_server_close(s);
        return e;
    }
    *out = s;
    return ERR_OK;
}

void bench_server_close(struct bench_server *s)
{
    if (!s)
        return;
    end(s, SIGTERM);
    ctx_close(s->cx);
    free(s);
}

str bench_server_url(const struct bench_server *s)
{
    return s->url;
}

str bench_server_key(const struct bench_server *s)
{
    return s->key;
}

str bench_server_data(const struct bench_server *s)
{
    return str_from(s->data);
}

/* ---- looking at it ---- */

uint64_t bench_server_resident(const struct bench_server *s)
{
    long long pages = 0;
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/statm", (int)s->pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    if (fscanf(f, "%*d %lld", &pages) != 1)
        pages = 0;
    fclose(f);
    return (uint64_t)(pages * sysconf(_SC_PAGESIZE));
}

/* ---- folders ---- */

/* Files of all kinds, folders behind what is in them. */
static void walk(const char *dir, void (*visit)(void *state, const FTSENT *file), void *state)
{
    char *const roots[] = {(char *)(uintptr_t)dir, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);

    for (FTSENT *f = tree ? fts_read(tree) : NULL; f; f = fts_read(tree))
        if (f->fts_info != FTS_D)
            visit(state, f);
    if (tree)
        fts_close(tree);
}

static void add_bytes(void *state, const FTSENT *f)
{
    if (f->fts_info == FTS_F)
        *(uint64_t *)state += (uint64_t)f->fts_statp->st_blocks * 512;
}

uint64_t bench_folder_bytes(const char *dir)
{
    uint64_t sum = 0;

    walk(dir, add_bytes, &sum);
    return sum;
}

static void remove_one(void *state, const FTSENT *f)
{
    (void)state;
    (void)remove(f->fts_accpath);
}

void bench_folder_remove(const char *dir)
{
    walk(dir, remove_one, NULL);
}

/* What is on disk already is dropped from memory, so that the next read waits for the disk. */
static void forget_file(void *state, const FTSENT *f)
{
    int fd = f->fts_info == FTS_F ? open(f->fts_accpath, O_RDONLY | O_CLOEXEC) : -1;

    (void)state;
    if (fd < 0)
        return;
    (void)fdatasync(fd);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

err bench_server_restart(struct ctx *cx, struct bench_server *s, bool kill_it, bool cold,
                         int64_t *out_ns)
{
    if (kill_it)
        end(s, SIGKILL);
    else
        TRY(bench_server_stop(cx, s));
    if (cold)
        walk(s->data, forget_file, NULL);
    int64_t begun_ns = clock_mono_ns();
    TRY(start(cx, s));
    *out_ns = clock_mono_ns() - begun_ns;
    return ERR_OK;
}
