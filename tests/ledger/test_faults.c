/* test_faults.c - the engine over a file system that fails at every call in every way.
 *
 * A scenario is a list of steps.  It is run again and again, each time with another call failing,
 * until the scenario ends before the failing call is reached.  A step that fails is tried once
 * more and then the log is opened again, as the server would be started again; after a death the
 * log is opened on what has survived.  In the end everything must hold that ledger.h promises
 * (sim_log_check), whatever the threads' order was. */
#include "ledger/verify.h"
#include "sim_log.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

enum { SEAL_RETRY_MS = 1300 }; /* a little more than the sealer's own */

struct step {
    enum step_kind kind;
    uint64_t n;
};

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

/* ---- one run ---- */

/* Which one it is; said at the end when it did not come to its own. */
static char running[160];

__attribute__((destructor)) static void say_what_failed(void)
{
    if (running[0])
        fprintf(stderr, "failed in: %s\n", running);
}

static void reopen(struct ctx *cx, struct sim_log *w)
{
    sim_log_close(w);
    CHECK_OK(sim_log_open(cx, w));
}

/* The fault is over when this returns, unless the machine is dead.  False: it is still to come. */
static bool take_step(struct ctx *cx, struct sim_log *w, const struct step *step)
{
    step_run *run = step_runs[step->kind];
    err e = run(cx, w, step->n);
    bool hit = sim_has_failed(w->sim);

    if (e == ERR_OK || sim_is_dead(w->sim))
        return hit;
    CHECK(hit);
    if (w->l && run(cx, w, step->n) == ERR_OK)
        return hit;
    reopen(cx, w);
    CHECK_OK(run(cx, w, step->n));
    return hit;
}

static void restart(struct sim_log *w, enum sim_fault how, uint64_t seed)
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

/* What follows every end: open, check, go on, stop in order, look at the files. */
static void check_after(struct ctx *cx, struct sim_log *w)
{
    sim_fail_at(w->sim, SIM_NONE, 0, 0);
    CHECK_OK(sim_log_open(cx, w));
    sim_log_check(cx, w);
    CHECK_OK(sim_log_add(cx, w, 3));
    CHECK_OK(sim_log_checkpoint(cx, w));
    sim_log_close(w);
    check_verified(cx, w);
}

/* All that has been seen by now survives whatever comes. */
static void check_durable(struct ctx *cx, struct sim_log *w, uint64_t seed)
{
    restart(w, SIM_REORDERED, seed);
    CHECK_OK(sim_log_open(cx, w));
    sim_log_check(cx, w);
    sim_log_close(w);
}

struct scenario {
    const struct step *steps;
    struct sim_fs *(*begin)(struct ctx *cx, uint64_t seed);
};

static bool is_power_loss(enum sim_fault fault)
{
    return fault == SIM_CRASH || fault == SIM_TORN || fault == SIM_REORDERED;
}

/* False when the scenario was over before the fault. */
static bool run_scenario(const struct scenario *sc, enum sim_fault fault, uint64_t nth,
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
    restart(w, power_lost ? fault : SIM_KILL, seed);
    check_after(cx, w);
    check_durable(cx, w, seed + 1);
    sim_close(w->sim);
    free(w);
    return hit;
}

static void run_all(const struct scenario *sc, const char *name)
{
    for (unsigned fault = SIM_CRASH; fault < SIM_FAULTS; fault++) {
        uint64_t n = 1;
        do
            snprintf(running, sizeof running, "%s, %s at call %llu", name, sim_fault_names[fault],
                     (unsigned long long)n);
        while (run_scenario(sc, (enum sim_fault)fault, n, n * 7919 + fault) && n++);
        print_message("%s: %s at each of %llu calls\n", name, sim_fault_names[fault],
                      (unsigned long long)n - 1);
    }
    running[0] = 0;
}

/* ---- scenarios ---- */

static struct sim_fs *begin_empty(struct ctx *cx, uint64_t seed)
{
    (void)cx;
    return sim_open(seed);
}

static const struct step small_steps[] = {
    {STEP_FAULTS, 0}, {STEP_OPEN, 0},  {STEP_ADD, 3},        {STEP_CHECKPOINT, 0}, {STEP_ADD, 1},
    {STEP_ADD, 2},    {STEP_ADD, 300}, {STEP_CHECKPOINT, 0}, {STEP_ADD, 5},        {STEP_CLOSE, 0},
    {STEP_OPEN, 0},   {STEP_ADD, 2},   {STEP_CHECKPOINT, 0}, {STEP_CLOSE, 0},      {STEP_END, 0},
};

TEST(faults_at_every_call_of_a_small_log)
{
    struct scenario sc = {small_steps, begin_empty};

    run_all(&sc, "small log");
}

/* Ten entries before the first segment is full. */
static struct sim_fs *begin_nearly_full(struct ctx *cx, uint64_t seed)
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

static const struct step seal_steps[] = {
    {STEP_OPEN, 0},       {STEP_FAULTS, 0}, {STEP_ADD, 20},  {STEP_SEAL, 0},
    {STEP_CHECKPOINT, 0}, {STEP_ADD, 5},    {STEP_CLOSE, 0}, {STEP_OPEN, 0},
    {STEP_ADD, 1},        {STEP_CLOSE, 0},  {STEP_END, 0},
};

static const struct step prune_steps[] = {
    {STEP_OPEN, 0}, {STEP_FAULTS, 0}, {STEP_PRUNE, SEGMENT_ENTRIES + 1},
    {STEP_ADD, 1},  {STEP_CLOSE, 0},  {STEP_OPEN, 0},
    {STEP_ADD, 1},  {STEP_CLOSE, 0},  {STEP_END, 0},
};

/* The last entry of a segment is the last of an append. */
static const struct step brim_steps[] = {
    {STEP_OPEN, 0}, {STEP_FAULTS, 0}, {STEP_ADD, 10}, {STEP_CHECKPOINT, 0},
    {STEP_ADD, 1},  {STEP_CLOSE, 0},  {STEP_END, 0},
};

TEST(faults_at_every_call_of_sealing)
{
    struct scenario sc = {seal_steps, begin_nearly_full};

    run_all(&sc, "sealing");
}

TEST(faults_at_every_call_of_filling_a_segment_to_the_brim)
{
    struct scenario sc = {brim_steps, begin_nearly_full};

    run_all(&sc, "full segment");
}

/* The first segment is sealed, the second begun. */
static struct sim_fs *begin_sealed(struct ctx *cx, uint64_t seed)
{
    static struct sim_fs *made;

    if (!made) {
        struct sim_log w = {.sim = begin_nearly_full(cx, 1)};
        CHECK_OK(sim_log_open(cx, &w));
        CHECK_OK(sim_log_add(cx, &w, 20));
        CHECK_OK(ledger_seal_wait(cx, w.l));
        sim_log_close(&w);
        made = w.sim;
    }
    return sim_restart(made, SIM_KILL, seed);
}

TEST(faults_at_every_call_of_pruning)
{
    struct scenario sc = {prune_steps, begin_sealed};

    run_all(&sc, "pruning");
}

/* ---- random scenarios ---- */

enum { SEEDS_DEFAULT = 200, STEPS_MAX = 16, FAR_CALL = 40, TIMES_MAX = 3 };

struct dice {
    uint64_t state;
};

static uint64_t roll(struct dice *d, uint64_t n)
{
    uint64_t z = d->state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return (z ^ z >> 31) % n;
}

static struct step random_step(struct dice *d, bool open)
{
    static const enum step_kind kinds[] = {STEP_ADD,        STEP_ADD,  STEP_ADD,   STEP_ADD,
                                           STEP_CHECKPOINT, STEP_SEAL, STEP_PRUNE, STEP_CLOSE};
    struct step step = {open ? kinds[roll(d, COUNT(kinds))] : STEP_OPEN, 0};

    if (step.kind == STEP_ADD)
        step.n = 1 + roll(d, roll(d, 4) ? 5 : 300);
    if (step.kind == STEP_PRUNE)
        step.n = SEGMENT_ENTRIES;
    return step;
}

/* Another fault is on its way; the one before may still be. */
static void arm(struct dice *d, struct sim_log *w)
{
    enum sim_fault fault = (enum sim_fault)(SIM_CRASH + roll(d, SIM_FAULTS - SIM_CRASH));

    w->fault = fault;
    sim_fail_at(w->sim, fault, 1 + roll(d, FAR_CALL), 1 + roll(d, TIMES_MAX));
}

/* Until it is done, the log is opened again and the faults are over, or the machine is dead. */
static void take_random_step(struct ctx *cx, struct dice *d, struct sim_log *w)
{
    struct step step = random_step(d, w->l != NULL);

    for (unsigned i = 0; i <= TIMES_MAX; i++) {
        err e = step_runs[step.kind](cx, w, step.n);
        if (e == ERR_OK || sim_is_dead(w->sim))
            return;
        if (roll(d, 2) || !w->l) {
            sim_log_close(w);
            step = (struct step){STEP_OPEN, 0};
        }
    }
    sim_fail_at(w->sim, SIM_NONE, 0, 0);
    reopen(cx, w);
}

/* After a death, or in the middle of things. */
static void random_restart(struct dice *d, struct sim_log *w)
{
    static const enum sim_fault ends[] = {SIM_CRASH, SIM_TORN, SIM_REORDERED, SIM_KILL};
    bool dead = sim_is_dead(w->sim);

    if (dead || roll(d, 8) == 0)
        restart(w, dead && w->fault == SIM_KILL ? SIM_KILL : ends[roll(d, COUNT(ends))], d->state);
}

static void run_random(uint64_t seed)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    struct sim_log *w = calloc(1, sizeof *w);
    struct dice d = {seed * 1000003};

    ENSURE(w);
    snprintf(running, sizeof running, "random scenario %llu", (unsigned long long)seed);
    w->sim = seed % 16 ? sim_open(seed) : begin_nearly_full(cx, seed);
    for (uint64_t n = 3 + roll(&d, STEPS_MAX - 3); n > 0; n--) {
        if (roll(&d, 3) == 0)
            arm(&d, w);
        take_random_step(cx, &d, w);
        random_restart(&d, w);
        arena_reset(cx->mem);
    }
    restart(w, SIM_KILL, seed);
    check_after(cx, w);
    check_durable(cx, w, seed + 1);
    sim_close(w->sim);
    free(w);
    running[0] = 0;
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    uint64_t n;

    return text && str_to_u64(str_from(text), &n) ? n : otherwise;
}

/* CHANCERY_FAULT_SEEDS scenarios from CHANCERY_FAULT_SEED on. */
TEST(faults_in_random_scenarios)
{
    uint64_t first = from_environment("CHANCERY_FAULT_SEED", 1);
    uint64_t count = from_environment("CHANCERY_FAULT_SEEDS", SEEDS_DEFAULT);

    for (uint64_t seed = first; seed < first + count; seed++)
        run_random(seed);
    print_message("random scenarios %llu to %llu\n", (unsigned long long)first,
                  (unsigned long long)(first + count - 1));
}

/* ---- acknowledged bytes that are damaged ---- */

static void put_all(struct ctx *cx, struct sim_fs *sim, struct buf *out)
{
    str *names, bytes;
    size_t n;

    CHECK_OK(fs_list(cx, sim_fs(sim), SIM_LOG_DIR, &names, &n));
    for (size_t i = 0; i < n; i++) {
        const char *path = arena_printf(cx->mem, "%s/%.*s", SIM_LOG_DIR, STR_FMT(names[i])).p;
        CHECK_OK(fs_read_all(cx, sim_fs(sim), path, 1 << 28, &bytes));
        buf_printf(out, "%s %zu\n", path, bytes.n);
        buf_put(out, bytes);
    }
}

/* Opened with all that was acknowledged, or refused by name and left as it was. */
static void open_damaged(struct ctx *cx, struct sim_fs *whole, str name, uint64_t at)
{
    CLEANUP(buf_close) struct buf before = BUF(1 << 28);
    CLEANUP(buf_close) struct buf after = BUF(1 << 28);
    struct sim_log w = {.sim = sim_restart(whole, SIM_KILL, 1), .acked = 20};

    sim_flip(w.sim, arena_printf(cx->mem, "%s/%.*s", SIM_LOG_DIR, STR_FMT(name)).p, at,
             (uint8_t)(1u << at % 8));
    put_all(cx, w.sim, &before);
    err e = sim_log_open(cx, &w);
    sim_log_close(&w);
    if (e != ERR_OK) {
        put_all(cx, w.sim, &after);
        CHECK_EQ(e, ERR_CORRUPT);
        CHECK_HOLDS(str_from(cx->detail), "byte ");
        CHECK(str_eq(buf_str(&before), buf_str(&after)));
        if (!str_eq(name, S("tree-0")))
            CHECK_HOLDS(str_from(cx->detail), arena_z(cx->mem, name));
    }
    CHECK_EQ(e != ERR_OK, str_starts(name, S("segment")) || str_eq(name, S("tree-0")) ||
                              (str_eq(name, S("checkpoints")) && at >= 128));
    sim_close(w.sim);
}

TEST(open_refuses_acknowledged_bytes_that_are_damaged_and_leaves_them)
{
    static const char *const names[] = {"segment-00000000.raw", "tree-0", "checkpoints"};
    struct sim_log w = {.sim = sim_open(1)};

    CHECK_OK(sim_log_open(cx, &w));
    CHECK_OK(sim_log_add(cx, &w, 7));
    CHECK_OK(sim_log_checkpoint(cx, &w));
    CHECK_OK(sim_log_add(cx, &w, 13));
    sim_log_close(&w);
    for (size_t i = 0; i < COUNT(names); i++) {
        str bytes;
        CHECK_OK(fs_read_all(cx, sim_fs(w.sim),
                             arena_printf(cx->mem, "%s/%s", SIM_LOG_DIR, names[i]).p, 1 << 20,
                             &bytes));
        size_t size = bytes.n;
        for (uint64_t at = 0; at < size; at++) {
            open_damaged(cx, w.sim, str_from(names[i]), at);
            ctx_reset(cx);
        }
    }
    sim_close(w.sim);
}
