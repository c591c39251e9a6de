/* fault_scenario.h - running a log through a list of steps while something fails.
 *
 * A scenario is run again and again, each time with another call failing, until it ends before the
 * failing call is reached.  A step that fails is tried once more and then the log is opened again,
 * as the server would be started again; after a death the log is opened on what has survived.  In
 * the end everything must hold that ledger.h promises (sim_log_check), whatever the threads' order
 * was, the files must verify, and all that has been seen must survive another power loss. */
#pragma once
#include "sim_log.h"

enum step_kind {
    STEP_END,
    STEP_OPEN,
    STEP_ADD,
    STEP_CHECKPOINT,
    STEP_SEAL,
    STEP_PRUNE,
    STEP_CLOSE,
    STEP_FAULTS,
};

struct step {
    enum step_kind kind;
    uint64_t n;
};

err fault_step(struct ctx *cx, struct sim_log *w, const struct step *step);

struct fault_scenario {
    const char *name;
    const struct step *steps;
    struct sim_fs *(*begin)(struct ctx *cx, uint64_t seed);
};

/* With every fault at every call that it can hit behind STEP_FAULTS. */
void fault_run_all(const struct fault_scenario *sc);

/* Files to begin with: none; ten entries before the first segment is full. */
struct sim_fs *fault_begin_empty(struct ctx *cx, uint64_t seed);
struct sim_fs *fault_begin_nearly_full(struct ctx *cx, uint64_t seed);

/* ---- the pieces, for scenarios of another kind ---- */

/* Which run it is: said when the program ends before fault_run_ended(). */
void fault_run_begins(const char *fmt, ...) PRINTF(1, 2);
void fault_run_ended(void);
void fault_restart(struct sim_log *w, enum sim_fault how, uint64_t seed);
void fault_reopen(struct ctx *cx, struct sim_log *w);
/* What follows every end: open, check, go on, stop in order, look at the files; then lose power. */
void fault_check_after(struct ctx *cx, struct sim_log *w, uint64_t seed);
