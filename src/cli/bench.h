/* bench.h - what the parts of `chancery bench` share.  Inner header of cli/bench*.c. */
#pragma once
#include "cli/bench_event.h"
#include "cli/bench_load.h"
#include "cli/command.h"

/* ---- the machine, measured in the same run ---- */

struct calibration {
    double hashes;     /* SHA-256 of one 314-byte entry after the other, one thread, per second */
    double hash_bytes; /* SHA-256 of 1 MiB, bytes per second */
    double copy_bytes; /* memcpy of 64 MiB, bytes per second */
    double sync_4k_ns, sync_1m_ns; /* write and fdatasync, median */
};

err bench_calibrate(struct ctx *cx, const char *dir, struct calibration *out);

/* ---- a server of our own ---- */

struct bench_server; /* owned: bench_server_close() */

/* A new data folder in `dir` and a process of this program that serves it; `key` may do everything.
 * Its log goes to <dir>/serve.log. */
err bench_server_open(struct ctx *cx, struct cli *cli, const char *dir, struct bench_server **out);
void bench_server_close(struct bench_server *s); /* ends the process; NULL is a no-op */
str bench_server_url(const struct bench_server *s);
str bench_server_key(const struct bench_server *s);
str bench_server_data(const struct bench_server *s);
uint64_t bench_server_resident(const struct bench_server *s); /* bytes of memory */
/* End the process (`kill`: as a power cut would) and start it again; *out_ns: from the start until
 * it takes requests.  `cold`: what the system holds of its files is dropped between. */
err bench_server_restart(struct ctx *cx, struct bench_server *s, bool kill, bool cold,
                         int64_t *out_ns);
err bench_server_stop(struct ctx *cx, struct bench_server *s);
/* Run this program with these words (NULL-ended) until it ends; what it wrote, its status, its
 * processor time. */
err bench_run_program(struct ctx *cx, const char *const *words, str *out_text, int *out_status,
                      double *out_cpu_seconds);
uint64_t bench_folder_bytes(const char *dir); /* as they lie on disk, all files below */
void bench_folder_remove(const char *dir);

/* ---- figures ---- */

enum figure_id {
#define FIGURE(id, part, name, unit, against, target, better) FIGURE_##id,
#include "cli/bench_figure.def"
    FIGURE_COUNT,
};

enum figure_unit { UNIT_RATE, UNIT_NS, UNIT_BYTES, UNIT_TIMES };
enum figure_against {
    AGAINST_NOTHING,
    AGAINST_HASHES,
    AGAINST_COPY,
    AGAINST_SYNC_4K,
    AGAINST_SYNC_1M
};
enum figure_better { BETTER_MORE, BETTER_LESS };

struct figure {
    bool measured;
    double value;
};

struct bench {
    struct cli *cli;
    uint64_t events, seed;
    unsigned connections;
    int64_t duration_ns;
    const char *folder; /* the temporary folder */
    struct bench_events *made;
    struct bench_server *server; /* NULL: somebody else's */
    struct load_target target;
    str url, key;
    struct calibration calibration;
    struct figure figures[FIGURE_COUNT];
    uint64_t loaded; /* events in the server, made by this run */
    uint64_t sent;   /* events made so far */
};

void bench_note(struct bench *b, enum figure_id id, double value);

/* Parts; each says which figures it measures. */
typedef err bench_part(struct ctx *cx, struct bench *b);
bench_part bench_append, bench_bulk, bench_single, bench_proof, bench_newest, bench_get, bench_disk,
    bench_restart, bench_verify;

/* What calibration a figure is compared with, in the figure's unit. */
double bench_against(const struct calibration *c, enum figure_against against,
                     enum figure_unit unit);
err bench_print(struct ctx *cx, const struct bench *b);
