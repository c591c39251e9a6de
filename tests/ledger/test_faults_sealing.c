/* test_faults_sealing.c - every call failing while a segment is filled, sealed and pruned.
 *
 * Segments have 65,536 entries, so each run begins with files made once. */
#include "fault_scenario.h"

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
    fault_run_all(&(struct fault_scenario){"sealing", seal_steps, fault_begin_nearly_full});
}

TEST(faults_at_every_call_of_filling_a_segment_to_the_brim)
{
    fault_run_all(&(struct fault_scenario){"full segment", brim_steps, fault_begin_nearly_full});
}

/* The first segment is sealed, the second begun. */
static struct sim_fs *begin_sealed(struct ctx *cx, uint64_t seed)
{
    static struct sim_fs *made;

    if (!made) {
        struct sim_log w = {.sim = fault_begin_nearly_full(cx, 1)};
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
    fault_run_all(&(struct fault_scenario){"pruning", prune_steps, begin_sealed});
}
