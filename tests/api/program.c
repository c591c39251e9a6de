/* program.c - see program.h. */
#include "program.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ARGS_MAX = 64, OUTPUT_BYTES_MAX = 64 << 20, LOG_BYTES_MAX = 64 << 20 };
#define PATIENCE_NS (NET_PATIENCE_MS * INT64_C(1000000))

/* ---- processes ---- */

/* Another build of the program may be named in the environment. */
const char *program_path(void)
{
    const char *other = getenv("TEST_PROGRAM");

    return other ? other : CHANCERY_PROGRAM;
}

struct spawn {
    const char *const *wrap, *const *args, *const *env;
    const char *program;
    size_t files_max;
    int out, err;
};

static void limit_files(size_t max)
{
    struct rlimit limit = {max, max};

    if (max)
        setrlimit(RLIMIT_NOFILE, &limit);
}

static void append(const char **argv, size_t *n, const char *const *more)
{
    for (; more && *more; more++) {
        ENSURE(*n + 1 < ARGS_MAX);
        argv[(*n)++] = *more;
    }
}

/* In the child: nothing of the caller's settings, and no life after the caller's. */
_Noreturn static void become(const struct spawn *s)
{
    static const char *const unset[] = {"CHANCERY_URL", "CHANCERY_KEY", "CHANCERY_CONFIG",
                                        "NOTIFY_SOCKET"};
    const char *argv[ARGS_MAX] = {0};
    size_t n = 0;

    append(argv, &n, s->wrap);
    argv[n++] = s->program;
    append(argv, &n, s->args);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; i < COUNT(unset); i++)
        unsetenv(unset[i]);
    for (const char *const *e = s->env; e && *e; e++)
        putenv((char *)(uintptr_t)*e);
    dup2(s->out, STDOUT_FILENO);
    dup2(s->err, STDERR_FILENO);
    limit_files(s->files_max);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static pid_t start(const struct spawn *s)
{
    fflush(NULL);
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0)
        become(s);
    return pid;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

static int await_status(pid_t pid)
{
    int64_t deadline = clock_mono_ns() + 2 * PATIENCE_NS;
    int status;

    while (waitpid(pid, &status, WNOHANG) != pid) {
        if (clock_mono_ns() > deadline) {
            kill(pid, SIGKILL);
            FAIL("the process does not end");
        }
        nap();
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static str read_whole(struct ctx *cx, const char *path)
{
    str text = S("");

    CHECK_OK(fs_read_all(cx, fs_real(), path, LOG_BYTES_MAX, &text));
    return text;
}

static const char *temporary(struct ctx *cx, int *out_fd)
{
    char *path = arena_new(cx->mem, char, 64);

    snprintf(path, 64, "/tmp/chancery-output-XXXXXX");
    *out_fd = mkostemp(path, O_CLOEXEC);
    CHECK(*out_fd >= 0);
    return path;
}

static struct outcome run(struct ctx *cx, struct spawn *s)
{
    const char *out = temporary(cx, &s->out), *err_path = temporary(cx, &s->err);
    struct outcome o = {.status = await_status(start(s))};

    close(s->out);
    close(s->err);
    o.out = read_whole(cx, out);
    o.err = read_whole(cx, err_path);
    unlink(out);
    unlink(err_path);
    return o;
}

struct outcome program_run(struct ctx *cx, const char *const *args)
{
    return run(cx, &(struct spawn){.program = program_path(), .args = args});
}

struct outcome command_run(struct ctx *cx, const char *const *args)
{
    return run(cx, &(struct spawn){.program = args[0], .args = args + 1});
}

void check_status(struct outcome o, int wanted, const char *file, int line)
{
    if (o.status == wanted)
        return;
    print_error("%s:%d: the command ended with %d, not %d\n%.*s%.*s", file, line, o.status, wanted,
                STR_FMT(o.out), STR_FMT(o.err));
    _fail(file, line);
}

/* ---- a server ---- */

static void serve_args(const char **args, const char *data, const struct serve_how *how)
{
    const char *const own[] = {"serve", "--data", data, "--listen", "127.0.0.1:0", NULL};
    size_t n = 0;

    append(args, &n, own);
    append(args, &n, how->args);
}

/* One line, read bytewise: what follows is not ours.  NULL when it ends before. */
static const char *read_line(struct ctx *cx, const struct serving *s)
{
    char *line = arena_new(cx->mem, char, 1024);
    struct pollfd p = {.fd = s->out, .events = POLLIN};
    size_t n = 0;

    while (n + 1 < 1024 && poll(&p, 1, 2 * NET_PATIENCE_MS) == 1 && read(s->out, line + n, 1) == 1)
        if (line[n++] == '\n')
            return line;
    return NULL;
}

static struct serving spawn_server(struct ctx *cx, const char *data, const struct serve_how *how)
{
    const char *args[ARGS_MAX] = {0};
    int pipe_fd[2];

    serve_args(args, data, how);
    CHECK_EQ(pipe2(pipe_fd, O_CLOEXEC), 0);
    struct serving s = {.out = pipe_fd[0], .log = how->log};
    if (!s.log)
        s.log = arena_printf(cx->mem, "%s.log", data).p;
    int log = open(s.log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(log >= 0);
    struct spawn spawn = {how->wrap,      args,       how->env, program_path(),
                          how->files_max, pipe_fd[1], log};
    s.pid = start(&spawn);
    close(log);
    close(pipe_fd[1]);
    return s;
}

struct serving serve_or_refused(struct ctx *cx, const char *data, const struct serve_how *how,
                                struct outcome *out)
{
    static const struct serve_how plain;
    struct serving s = spawn_server(cx, data, how ? how : &plain);

    s.line = read_line(cx, &s);
    if (!s.line) {
        out->status = serving_wait(cx, &s);
        out->out = S("");
        out->err = serving_log(cx, &s);
        return s;
    }
    str url = str_trim(str_from(s.line));
    CHECK(str_starts(url, S("listening on http://127.0.0.1:")));
    s.url = arena_z(cx->mem, str_slice(url, S("listening on ").n, url.n));
    s.address = s.url + S("http://").n;
    return s;
}

struct serving serve(struct ctx *cx, const char *data, const struct serve_how *how)
{
    struct outcome o;
    struct serving s = serve_or_refused(cx, data, how, &o);

    if (!s.pid)
        FAIL("the server did not start: %d %.*s", o.status, STR_FMT(o.err));
    return s;
}

struct outcome serve_refused(struct ctx *cx, const char *data, const struct serve_how *how)
{
    static const struct serve_how plain;
    const char *args[ARGS_MAX] = {0};

    how = how ? how : &plain;
    serve_args(args, data, how);
    return run(cx, &(struct spawn){.wrap = how->wrap,
                                   .args = args,
                                   .env = how->env,
                                   .program = program_path(),
                                   .files_max = how->files_max});
}

void serving_signal(const struct serving *s, int signal)
{
    CHECK(s->pid > 0);
    CHECK_EQ(kill(s->pid, signal), 0);
}

int serving_wait(struct ctx *cx, struct serving *s)
{
    int status = await_status(s->pid);

    close(s->out);
    s->pid = 0;
    if (status == 23 || status == 128 + SIGABRT || status == 128 + SIGSEGV)
        print_error("the server's log:\n%.*s\n", STR_FMT(serving_log(cx, s)));
    return status;
}

int serving_end(struct ctx *cx, struct serving *s, int signal)
{
    serving_signal(s, signal);
    return serving_wait(cx, s);
}

bool serving_has_ended(const struct serving *s)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

str serving_log(struct ctx *cx, const struct serving *s)
{
    return read_whole(cx, s->log);
}

void serving_await_log(struct ctx *cx, const struct serving *s, const char *text)
{
    int64_t deadline = clock_mono_ns() + PATIENCE_NS;

    for (;;) {
        str log = serving_log(cx, s);
        if (str_find(log, str_from(text)) < log.n)
            return;
        if (clock_mono_ns() > deadline)
            FAIL("the log does not say \"%s\": %.*s", text, STR_FMT(log));
        nap();
    }
}

uint64_t serving_memory(struct ctx *cx, const struct serving *s, const char *what)
{
    char line[256];
    unsigned long long kib = 0;
    FILE *f = fopen(arena_printf(cx->mem, "/proc/%d/status", (int)s->pid).p, "re");

    CHECK(f != NULL);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, what, strlen(what)) == 0)
            kib = strtoull(line + strlen(what) + 1, NULL, 10);
    fclose(f);
    CHECK(kib > 0);
    return kib * 1024;
}

/* ---- folders and keys ---- */

const char *make_data(struct ctx *cx, const char *dir)
{
    const char *data = test_path(cx, dir, "data");
    struct outcome o = RUN(cx, "init", "--data", data, "--json");

    CHECK_STATUS(o, 0);
    return data;
}

const char *make_key(struct ctx *cx, const char *data, const char *scopes)
{
    struct outcome o =
        RUN(cx, "key", "create", "--data", data, "--name", "test", "--scope", scopes, "--json");

    CHECK_STATUS(o, 0);
    return arena_z(cx->mem, text_at(cx, o.out, "/key"));
}

void copy_folder(struct ctx *cx, const char *from, const char *to)
{
    struct outcome o = command_run(cx, (const char *const[]){"cp", "-a", from, to, NULL});

    CHECK_STATUS(o, 0);
}

static str dump_view(struct ctx *cx, const char *data)
{
    CLEANUP(buf_close) struct buf text = BUF(LOG_BYTES_MAX);
    struct store_options options = {.name = "view", .path = test_path(cx, data, "view.db")};
    struct store *view;

    CHECK_OK(store_open(cx, &options, &view));
    CHECK_OK(store_dump(cx, view, &text));
    store_close(view);
    return arena_str(cx->mem, buf_str(&text));
}

void check_view_rebuilt(struct ctx *cx, const char *dir, const char *data)
{
    const char *copy = test_path(cx, dir, "copy");

    copy_folder(cx, data, copy);
    struct outcome o = RUN(cx, "rebuild", "--data", copy, "--json");
    CHECK_STATUS(o, 0);
    CHECK_STR(dump_view(cx, data), dump_view(cx, copy));
    o = command_run(cx, (const char *const[]){"rm", "-r", copy, NULL});
    CHECK_STATUS(o, 0);
}

/* ---- requests ---- */

str request_head(struct ctx *cx, const char *key, const char *method, const char *target,
                 const char *type, int64_t length)
{
    str auth = key ? arena_printf(cx->mem, "Authorization: Bearer %s\r\n", key) : S("");
    str content = type ? arena_printf(cx->mem, "Content-Type: %s\r\n", type) : S("");
    str framing = length < 0 ? S("Transfer-Encoding: chunked\r\n")
                             : arena_printf(cx->mem, "Content-Length: %lld\r\n", (long long)length);

    return arena_printf(cx->mem, "%s %s HTTP/1.1\r\nHost: t\r\n%.*s%.*s%.*s\r\n", method, target,
                        STR_FMT(auth), STR_FMT(content), STR_FMT(framing));
}

struct net_reply ask_on(struct ctx *cx, struct net *n, const char *key, const char *method,
                        const char *target, const char *type, str body)
{
    net_send(n, request_head(cx, key, method, target, type, (int64_t)body.n));
    net_send(n, body);
    return net_read(cx, n);
}

struct net_reply ask(struct ctx *cx, const struct serving *s, const char *key, const char *method,
                     const char *target, const char *type, str body)
{
    struct net n = net_dial(s->address);
    struct net_reply r = ask_on(cx, &n, key, method, target, type, body);

    net_close(&n);
    return r;
}

struct net_reply get(struct ctx *cx, const struct serving *s, const char *key, const char *target)
{
    return ask(cx, s, key, "GET", target, NULL, STR_NULL);
}

struct net_reply post_json(struct ctx *cx, const struct serving *s, const char *key,
                           const char *target, str body)
{
    return ask(cx, s, key, "POST", target, "application/json", body);
}

/* ---- JSON texts ---- */

static bool find(struct ctx *cx, struct json_parser *p, str text, const char *pointer,
                 struct json *out)
{
    struct json root;

    if (json_parse(cx, p, text, &root) != ERR_OK) {
        ctx_clear_error(cx);
        return false;
    }
    return json_pointer_get(root, str_from(pointer), out);
}

str text_at(struct ctx *cx, str json, const char *pointer)
{
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    struct json v;

    return find(cx, p, json, pointer, &v) && json_kind(v) == JSON_STRING
               ? arena_str(cx->mem, json_str(v))
               : STR_NULL;
}

uint64_t number_at(struct ctx *cx, str json, const char *pointer)
{
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    struct json v;
    uint64_t n = 0;

    return find(cx, p, json, pointer, &v) && json_to_u64(v, &n) ? n : 0;
}

bool has_at(struct ctx *cx, str json, const char *pointer)
{
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    struct json v;

    return find(cx, p, json, pointer, &v);
}

size_t count_at(struct ctx *cx, str json, const char *pointer)
{
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    struct json v;
    size_t n = 0;

    if (!find(cx, p, json, pointer, &v))
        return 0;
    for (struct json_iter it = json_iter(v); json_next(&it);)
        n++;
    return n;
}

/* ---- events ---- */

str event(struct ctx *cx, const char *id, const char *more)
{
    return arena_printf(cx->mem,
                        "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"/test\","
                        "\"type\":\"test.made\"%s}",
                        id, more);
}

uint64_t send_event(struct ctx *cx, const struct serving *s, const char *key, const char *id)
{
    struct net_reply r = post_json(cx, s, key, "/api/v1/events", event(cx, id, ""));

    if (r.status != 201)
        FAIL("event %s: %d %.*s", id, r.status, STR_FMT(r.body));
    return number_at(cx, r.body, "/first_index");
}

void check_event_at(struct ctx *cx, const struct serving *s, const char *key, uint64_t index,
                    const char *id)
{
    str target = arena_printf(cx->mem, "/api/v1/events/%llu", (unsigned long long)index);
    struct net_reply r = get(cx, s, key, target.p);

    if (r.status != 200 || !str_eq(text_at(cx, r.body, "/event/id"), str_from(id)))
        FAIL("entry %llu is not event %s: %d %.*s", (unsigned long long)index, id, r.status,
             STR_FMT(r.body));
}
