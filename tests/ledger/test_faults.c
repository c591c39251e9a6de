/* test_faults.c - the engine over a file system that fails: at every call of a small log, and at
 * random; and what it does with acknowledged bytes that are damaged. */
#include "fault_scenario.h"
#include <stdlib.h>

static const struct step small_steps[] = {
    {STEP_FAULTS, 0}, {STEP_OPEN, 0},  {STEP_ADD, 3},        {STEP_CHECKPOINT, 0}, {STEP_ADD, 1},
    {STEP_ADD, 2},    {STEP_ADD, 300}, {STEP_CHECKPOINT, 0}, {STEP_ADD, 5},        {STEP_CLOSE, 0},
    {STEP_OPEN, 0},   {STEP_ADD, 2},   {STEP_CHECKPOINT, 0}, {STEP_CLOSE, 0},      {STEP_END, 0},
};

TEST(faults_at_every_call_of_a_small_log)
{
    fault_run_all(&(struct fault_scenario){"small log", small_steps, fault_begin_empty});
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
        err e = fault_step(cx, w, &step);
        if (e == ERR_OK || sim_is_dead(w->sim))
            return;
        if (roll(d, 2) || !w->l) {
            sim_log_close(w);
            step = (struct step){STEP_OPEN, 0};
        }
    }
    sim_fail_at(w->sim, SIM_NONE, 0, 0);
    fault_reopen(cx, w);
}

/* After a death, or in the middle of things. */
static void random_restart(struct dice *d, struct sim_log *w)
{
    static const enum sim_fault ends[] = {SIM_CRASH, SIM_TORN, SIM_REORDERED, SIM_KILL};
    bool dead = sim_is_dead(w->sim);

    if (dead || roll(d, 8) == 0)
        fault_restart(w, dead && w->fault == SIM_KILL ? SIM_KILL : ends[roll(d, COUNT(ends))],
                      d->state);
}

static void run_random(uint64_t seed)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    struct sim_log *w = calloc(1, sizeof *w);
    struct dice d = {seed * 1000003};

    ENSURE(w);
    fault_run_begins("random scenario %llu", (unsigned long long)seed);
    w->sim = seed % 16 ? sim_open(seed) : fault_begin_nearly_full(cx, seed);
    for (uint64_t n = 3 + roll(&d, STEPS_MAX - 3); n > 0; n--) {
        if (roll(&d, 3) == 0)
            arm(&d, w);
        take_random_step(cx, &d, w);
        random_restart(&d, w);
        arena_reset(cx->mem);
    }
    fault_restart(w, SIM_KILL, seed);
    fault_check_after(cx, w, seed + 1);
    sim_close(w->sim);
    free(w);
    fault_run_ended();
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    uint64_t n;

    return text && str_to_u64(str_from(text), &n) ? n : otherwise;
}

/* TEST_FAULT_SEEDS scenarios from TEST_FAULT_SEED on. */
TEST(faults_in_random_scenarios)
{
    uint64_t first = from_environment("TEST_FAULT_SEED", 1);
    uint64_t count = from_environment("TEST_FAULT_SEEDS", SEEDS_DEFAULT);

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
