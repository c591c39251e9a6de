/* program.h - the program as its users have it: processes, folders, sockets.
 *
 *   struct outcome o = RUN(cx, "init", "--data", data, "--json");
 *   CHECK_EQ(o.status, 0);
 *
 *   struct serving s = serve(cx, data, NULL);
 *   struct net_reply r = ask(cx, &s, key, "GET", "/api/v1/events/0", NULL, STR_NULL);
 *   CHECK_EQ(serving_end(cx, &s, SIGTERM), 0);
 *
 * A process that a failed test leaves behind ends with the test's own.  Every wait is bounded. */
#pragma once
#include "net_client.h"
#include <sys/types.h>

/* ---- one command ---- */

const char *program_path(void);

struct outcome {
    int status;   /* exit status; 128 + number after a signal */
    str out, err; /* arena */
};

/* Arguments behind the program's name, NULL-ended. */
struct outcome program_run(struct ctx *cx, const char *const *args);
#define RUN(cx, ...) program_run((cx), (const char *const[]){__VA_ARGS__, NULL})
/* The same for any other program, found by PATH. */
struct outcome command_run(struct ctx *cx, const char *const *args);
#define SHELL(cx, ...) command_run((cx), (const char *const[]){"sh", "-c", __VA_ARGS__, NULL})

/* Must be 0; shows what the command said otherwise. */
void check_status(struct outcome o, int wanted, const char *file, int line);
#define CHECK_STATUS(outcome, wanted) check_status((outcome), (wanted), __FILE__, __LINE__)

/* ---- a server ---- */

struct serve_how {
    const char *const *args; /* further ones of `serve`; NULL-ended, or NULL */
    const char *const *wrap; /* a program that runs it, such as strace; NULL-ended, or NULL */
    const char *const *env;  /* "NAME=value"; NULL-ended, or NULL */
    size_t files_max;        /* RLIMIT_NOFILE; 0: as it is */
    const char *log;         /* file for its standard error; NULL: beside the data folder */
};

struct serving {
    pid_t pid; /* 0: none */
    int out;
    const char *log;     /* file of its standard error */
    const char *line;    /* what it said when it was ready */
    const char *address; /* "127.0.0.1:PORT" */
    const char *url;
};

/* Start and wait until it is ready; fails the test when it does not become so. */
struct serving serve(struct ctx *cx, const char *data, const struct serve_how *how);
/* Start one that is to end by itself before it is ready. */
struct outcome serve_refused(struct ctx *cx, const char *data, const struct serve_how *how);
/* Either: when it ended before it was ready, `pid` is 0 and *out tells how. */
struct serving serve_or_refused(struct ctx *cx, const char *data, const struct serve_how *how,
                                struct outcome *out);
void serving_signal(const struct serving *s, int signal);
/* Wait for its end; as `status` above. */
int serving_wait(struct ctx *cx, struct serving *s);
int serving_end(struct ctx *cx, struct serving *s, int signal);
bool serving_has_ended(const struct serving *s);
str serving_log(struct ctx *cx, const struct serving *s);
/* Wait until the log holds the text. */
void serving_await_log(struct ctx *cx, const struct serving *s, const char *text);
/* Of /proc/PID/status, in bytes: "VmRSS", "VmHWM". */
uint64_t serving_memory(struct ctx *cx, const struct serving *s, const char *what);

/* ---- folders and keys ---- */

const char *make_data(struct ctx *cx, const char *dir); /* init in dir/data */
/* With the server not running. */
const char *make_key(struct ctx *cx, const char *data, const char *scopes);
void copy_folder(struct ctx *cx, const char *from, const char *to);
/* The view says what the ledger says: rebuilt from a copy of the folder, it is the same.  With the
 * server not running. */
void check_view_rebuilt(struct ctx *cx, const char *dir, const char *data);

/* ---- requests ---- */

/* The head of a request; `key` and `type` may be NULL; length < 0: chunked. */
str request_head(struct ctx *cx, const char *key, const char *method, const char *target,
                 const char *type, int64_t length);
/* On a connection of its own, or on one that is kept. */
struct net_reply ask(struct ctx *cx, const struct serving *s, const char *key, const char *method,
                     const char *target, const char *type, str body);
struct net_reply ask_on(struct ctx *cx, struct net *n, const char *key, const char *method,
                        const char *target, const char *type, str body);
struct net_reply get(struct ctx *cx, const struct serving *s, const char *key, const char *target);
struct net_reply post_json(struct ctx *cx, const struct serving *s, const char *key,
                           const char *target, str body);

/* ---- JSON texts, by pointer; arena; a null str or 0 when there is nothing of that kind ---- */

str text_at(struct ctx *cx, str json, const char *pointer);
uint64_t number_at(struct ctx *cx, str json, const char *pointer);
bool has_at(struct ctx *cx, str json, const char *pointer);
size_t count_at(struct ctx *cx, str json, const char *pointer);

/* ---- events ---- */

/* A well-formed event of source /test, its id, and type test.made; `more` are further members
 * (",\"data\":1") or "". */
str event(struct ctx *cx, const char *id, const char *more);
/* One event, sent and acknowledged: its index. */
uint64_t send_event(struct ctx *cx, const struct serving *s, const char *key, const char *id);
/* The entry at `index` is the event with this id. */
void check_event_at(struct ctx *cx, const struct serving *s, const char *key, uint64_t index,
                    const char *id);
