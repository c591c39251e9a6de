/* sim_log.h - a log over the simulated file system whose entries are known beforehand.
 *
 * Entry i of every such log has the same bytes, so the root at every size is known too, and any two
 * checkpoints that were ever handed out agree when each has the root of its size. */
#pragma once
#include "../sim_fs.h"
#include "../test.h"
#include "ledger/ledger.h"

enum { SIM_LOG_ENTRIES_MAX = 67000, SIM_HANDED_MAX = 256 };
#define SIM_LOG_DIR "log"
#define SIM_LOG_ORIGIN "example.com/sim"

struct handed_out {
    uint64_t size;
    struct hash root;
};

struct sim_log {
    struct sim_fs *sim; /* owned */
    struct ledger *l;   /* owned; NULL: closed */
    uint64_t acked;     /* entries [0, acked) were acknowledged or have been seen */
    struct handed_out handed[SIM_HANDED_MAX];
    size_t handed_count;
    uint64_t pruned_to;   /* asked for */
    enum sim_fault fault; /* to come */
    uint64_t nth;
};

/* The signer of all logs of the tests; static. */
const struct note_signer *sim_log_signer(void);
struct ledger_options sim_log_options(struct fs fs, const char *dir);

/* Entry i, arena `mem`: every fourth is opaque, the others are events. */
str sim_log_entry(struct arena *mem, uint64_t i);
void sim_log_root(uint64_t size, struct hash *out);

/* Append entries [size, size + n) in one call. */
err sim_log_append(struct ctx *cx, struct ledger *l, uint64_t n);

/* The same over w->l, keeping account.  sim_log_open() looks at what is there: it must be all that
 * was acknowledged, and what more there is must be entries that were sent. */
err sim_log_open(struct ctx *cx, struct sim_log *w);
err sim_log_add(struct ctx *cx, struct sim_log *w, uint64_t n);
err sim_log_checkpoint(struct ctx *cx, struct sim_log *w);
void sim_log_close(struct sim_log *w); /* the ledger only */

/* Fail the test unless everything that the ledger promises holds.  The ledger is open. */
void sim_log_check(struct ctx *cx, struct sim_log *w);
