/* fault_scenario.c - see fault_scenario.h. */
#include "fault_scenario.h"
#include "ledger/verify.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SEAL_RETRY_MS = 1300 }; /* a little more than the sealer's own */

/* ---- steps ---- */

static err step_open(struct ctx *cx, struct sim_log *w, uint64_t n)
{
    (void)n;
    return w->l ? ERR_OK : sim_log_open(cx, w);
}

static err step_checkpoint(struct ctx *cx, struct sim_log *w, uint64_t n)
{
    (void)n;
    return sim_log_checkpoint(cx, w);
}

/* After a failed sync the sealer must not simply try again: give it the time to. */
static err step_seal(struct ctx *cx, struct sim_log *w, uint64_t n)
{
    err e = ledger_seal_wait(cx, w->l);

    (void)n;
    for (unsigned ms = 0; e != ERR_OK && w->fault == SIM_SYNC && ms < SEAL_RETRY_MS; ms += 20) {
        usleep(20 * 1000);
        e = ledger_seal_wait(cx, w->l);
    }
    return e;
}

static err step_prune(struct ctx *cx, struct sim_log *w, uint64_t n)
{
    uint64_t kept;

    w->pruned_to = n;
    return ledger_prune(cx, w->l, n, &kept);
}

static err step_close(struct ctx *cx, struct sim_log *w, uint64_t n)
{
    (void)cx, (void)n;
    sim_log_close(w);
    return ERR_OK;
}

/* Faults begin here; what lies before has a scenario of its own. */
static err step_faults(struct ctx *cx, struct sim_log *w, uint64_t n)
{
    (void)cx, (void)n;
    sim_fail_at(w->sim, w->fault, w->nth, 1);
    return ERR_OK;
}

typedef err step_run(struct ctx *cx, struct sim_log *w, uint64_t n);
static step_run *const step_runs[] = {
    [STEP_OPEN] = step_open,     [STEP_ADD] = sim_log_add,  [STEP_CHECKPOINT] = step_checkpoint,
    [STEP_SEAL] = step_seal,     [STEP_PRUNE] = step_prune, [STEP_CLOSE] = step_close,
    [STEP_FAULTS] = step_faults,
};

err fault_step(struct ctx *cx, struct sim_log *w, const struct step *step)
{
    return step_runs[step->kind](cx, w, step->n);
}

/* ---- one run ---- */

static char running[160];

void fault_run_begins(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(running, sizeof running, fmt, ap);
    va_end(ap);
}

void fault_run_ended(void)
{
    running[0] = 0;
}

__attribute__((destructor)) static void say_what_failed(void)
{
    if (running[0])
        fprintf(stderr, "failed in: %s\n", running);
}

void fault_reopen(struct ctx *cx, struct sim_log *w)
{
    sim_log_close(w);
    CHECK_OK(sim_log_open(cx, w));
}

/* The fault is over when this returns, unless the machine is dead.  False: it is still to come. */
static bool take_step(struct ctx *cx, struct sim_log *w, const struct step *step)
{
    err e = fault_step(cx, w, step);
    bool hit = sim_has_failed(w->sim);

    if (e == ERR_OK || sim_is_dead(w->sim))
        return hit;
    CHECK(hit);
    if (w->l && fault_step(cx, w, step) == ERR_OK)
        return hit;
    fault_reopen(cx, w);
    CHECK_OK(fault_step(cx, w, step));
    return hit;
}

void fault_restart(struct sim_log *w, enum sim_fault how, uint64_t seed)
{
    struct sim_fs *survived = sim_restart(w->sim, how, seed);

    sim_log_close(w);
    sim_close(w->sim);
    w->sim = survived;
}

/* Bytes against leaves, tree, checkpoints and index against entries, from the files alone. */
static void check_verified(struct ctx *cx, struct sim_log *w)
{
    struct note_verifier log = note_signer_verifier(sim_log_signer());
    struct verify_options options = {.fs = sim_fs(w->sim), .dir = SIM_LOG_DIR, .log = &log};
    struct verify_report r;

    CHECK_OK(ledger_verify(cx, &options, &r));
    for (size_t i = 0; i < r.fault_count; i++)
        print_message("%.*s: byte %llu: %.*s\n", STR_FMT(r.faults[i].file),
                      (unsigned long long)r.faults[i].offset, STR_FMT(r.faults[i].text));
    CHECK(r.ok);
    CHECK_EQ(r.size, w->acked);
}

static void open_and_check(struct ctx *cx, struct sim_log *w)
{
    sim_fail_at(w->sim, SIM_NONE, 0, 0);
    CHECK_OK(sim_log_open(cx, w));
    sim_log_check(cx, w);
}

void fault_check_after(struct ctx *cx, struct sim_log *w, uint64_t seed)
{
    open_and_check(cx, w);
    CHECK_OK(sim_log_add(cx, w, 3));
    CHECK_OK(sim_log_checkpoint(cx, w));
    sim_log_close(w);
    check_verified(cx, w);
    fault_restart(w, SIM_REORDERED, seed);
    open_and_check(cx, w);
    sim_log_close(w);
}

static bool is_power_loss(enum sim_fault fault)
{
    return fault == SIM_CRASH || fault == SIM_TORN || fault == SIM_REORDERED;
}

/* False when the scenario was over before the fault. */
static bool run_scenario(const struct fault_scenario *sc, enum sim_fault fault, uint64_t nth,
                         uint64_t seed)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    struct sim_log *w = calloc(1, sizeof *w);
    bool hit = false;

    ENSURE(w);
    w->sim = sc->begin(cx, seed);
    w->fault = fault;
    w->nth = nth;
    for (const struct step *s = sc->steps; s->kind != STEP_END && !sim_is_dead(w->sim); s++)
        hit = take_step(cx, w, s) || hit;
    bool power_lost = sim_is_dead(w->sim) && is_power_loss(fault);
    fault_restart(w, power_lost ? fault : SIM_KILL, seed);
    fault_check_after(cx, w, seed + 1);
    sim_close(w->sim);
    free(w);
    return hit;
}

void fault_run_all(const struct fault_scenario *sc)
{
    for (unsigned fault = SIM_CRASH; fault < SIM_FAULTS; fault++) {
        uint64_t n = 1;
        do
            fault_run_begins("%s, %s at call %llu", sc->name, sim_fault_names[fault],
                             (unsigned long long)n);
        while (run_scenario(sc, (enum sim_fault)fault, n, n * 7919 + fault) && n++);
        print_message("%s: %s at each of %llu calls\n", sc->name, sim_fault_names[fault],
                      (unsigned long long)n - 1);
    }
    fault_run_ended();
}

/* ---- files to begin with ---- */

struct sim_fs *fault_begin_empty(struct ctx *cx, uint64_t seed)
{
    (void)cx;
    return sim_open(seed);
}

struct sim_fs *fault_begin_nearly_full(struct ctx *cx, uint64_t seed)
{
    static struct sim_fs *made;

    if (!made) {
        struct sim_log w = {.sim = sim_open(1)};
        CHECK_OK(sim_log_open(cx, &w));
        CHECK_OK(sim_log_add(cx, &w, SEGMENT_ENTRIES - 10));
        sim_log_close(&w);
        made = w.sim;
    }
    return sim_restart(made, SIM_KILL, seed);
}
