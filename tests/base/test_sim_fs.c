/* test_sim_fs.c - the simulated file system keeps what it must, loses only what it may, and does
 * both at some seed. */
#include "../sim_fs.h"
#include "../test.h"

enum { SEEDS = 200 };

static const enum sim_fault power_losses[] = {SIM_CRASH, SIM_TORN, SIM_REORDERED};

static void put(struct ctx *cx, struct fs fs, const char *path, str bytes, bool sync)
{
    fs_file f;

    CHECK_OK(fs_open(cx, fs, path, FS_WRITE | FS_CREATE, &f));
    CHECK_OK(fs_pwrite(cx, fs, f, bytes.p, bytes.n, 0));
    if (sync)
        CHECK_OK(fs_sync(cx, fs, f));
    fs_close(fs, f);
}

static str get(struct ctx *cx, struct fs fs, const char *path)
{
    str bytes = STR_NULL;

    if (fs_read_all(cx, fs, path, 1 << 20, &bytes) != ERR_OK)
        return STR_NULL;
    return bytes;
}

TEST(sim_reads_back_what_was_written)
{
    struct sim_fs *s = sim_open(1);
    struct fs fs = sim_fs(s);
    str *names;
    size_t n;

    CHECK_OK(fs_mkdir(cx, fs, "d"));
    put(cx, fs, "d/b", S("hello"), false);
    put(cx, fs, "d/a", S(""), false);
    CHECK_STR(get(cx, fs, "d/b"), S("hello"));
    CHECK_OK(fs_rename(cx, fs, "d/b", "d/c"));
    CHECK_OK(fs_list(cx, fs, "d", &names, &n));
    CHECK_EQ(n, 2);
    CHECK_STR(names[0], S("a"));
    CHECK_STR(names[1], S("c"));
    CHECK_OK(fs_unlink(cx, fs, "d/a"));
    CHECK_ERR(fs_unlink(cx, fs, "d/a"), ERR_NOT_FOUND);
    fs_file f;
    CHECK_ERR(fs_open(cx, fs, "x/y", FS_WRITE | FS_CREATE, &f), ERR_NOT_FOUND);
    CHECK_ERR(fs_open(cx, fs, "d/c", FS_WRITE | FS_CREATE | FS_EXCLUSIVE, &f), ERR_CONFLICT);
    sim_close(s);
}

TEST(sim_lock_is_held_once_and_let_go)
{
    struct sim_fs *s = sim_open(1);
    struct fs fs = sim_fs(s);
    fs_file a, b;

    CHECK_OK(fs_open(cx, fs, "lock", FS_WRITE | FS_CREATE, &a));
    CHECK_OK(fs_open(cx, fs, "lock", FS_WRITE | FS_CREATE, &b));
    CHECK_OK(fs_lock(cx, fs, a));
    CHECK_ERR(fs_lock(cx, fs, b), ERR_LOCKED);
    struct sim_fs *again = sim_restart(s, SIM_KILL, 2);
    fs_file c;
    CHECK_OK(fs_open(cx, sim_fs(again), "lock", FS_WRITE, &c));
    CHECK_OK(fs_lock(cx, sim_fs(again), c)); /* a dead process holds nothing */
    fs_close(sim_fs(again), c);
    fs_close(fs, a);
    CHECK_OK(fs_lock(cx, fs, b));
    fs_close(fs, b);
    sim_close(again);
    sim_close(s);
}

/* At every seed and after every kind of power loss: synced bytes under a synced name are there. */
TEST(sim_power_loss_keeps_what_was_synced)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        for (size_t k = 0; k < COUNT(power_losses); k++) {
            struct sim_fs *s = sim_open(seed);
            CHECK_OK(fs_mkdir(cx, sim_fs(s), "d"));
            CHECK_OK(fs_sync_dir(cx, sim_fs(s), "."));
            put(cx, sim_fs(s), "d/f", S("synced"), true);
            CHECK_OK(fs_sync_dir(cx, sim_fs(s), "d"));
            put(cx, sim_fs(s), "d/g", S("not synced"), false);
            struct sim_fs *after = sim_restart(s, power_losses[k], seed);
            CHECK_STR(get(cx, sim_fs(after), "d/f"), S("synced"));
            sim_close(after);
            sim_close(s);
        }
        ctx_reset(cx);
    }
}

/* What a power loss made of a file of three 512-byte sectors, written but not synced. */
struct seen {
    unsigned gone, empty, whole, prefix, zeros, holes;
};

static void count_outcome(struct seen *seen, str bytes, str written)
{
    static const char zeros[3 * 512];
    bool cut = bytes.n < written.n;

    if (str_is_null(bytes))
        seen->gone++;
    else if (bytes.n == 0)
        seen->empty++;
    else if (str_eq(bytes, written))
        seen->whole++;
    else if (cut && memcmp(bytes.p, written.p, bytes.n) == 0)
        seen->prefix++;
    else if (memcmp(bytes.p, zeros, bytes.n) == 0)
        seen->zeros++;
    else
        seen->holes++;
}

static struct seen outcomes(struct ctx *cx, enum sim_fault how)
{
    char bytes[3 * 512];
    struct seen seen = {0};

    memset(bytes, 'x', sizeof bytes);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_fs *s = sim_open(seed);
        put(cx, sim_fs(s), "f", (str){bytes, sizeof bytes}, false);
        struct sim_fs *after = sim_restart(s, how, seed);
        count_outcome(&seen, get(cx, sim_fs(after), "f"), (str){bytes, sizeof bytes});
        sim_close(after);
        sim_close(s);
    }
    return seen;
}

TEST(sim_power_loss_does_all_that_it_may_to_what_was_not_synced)
{
    struct seen whole = outcomes(cx, SIM_CRASH), torn = outcomes(cx, SIM_TORN);
    struct seen kill = outcomes(cx, SIM_KILL);

    CHECK(whole.gone && whole.empty && whole.whole);
    CHECK_EQ(whole.prefix + whole.zeros + whole.holes, 0);
    CHECK(torn.gone && torn.empty && torn.whole && torn.prefix && torn.zeros && torn.holes);
    CHECK_EQ(kill.whole, SEEDS);
}

/* "one" then "two" over each other: only when reordered may "one" win though both were kept. */
TEST(sim_reordered_writes_take_effect_in_any_order)
{
    unsigned early[SIM_FAULTS] = {0};

    for (uint64_t seed = 0; seed < 4 * SEEDS; seed++) {
        for (size_t k = 0; k < COUNT(power_losses); k++) {
            struct sim_fs *s = sim_open(seed);
            put(cx, sim_fs(s), "f", S("......."), true);
            CHECK_OK(fs_sync_dir(cx, sim_fs(s), "."));
            put(cx, sim_fs(s), "f", S("one"), false);
            put(cx, sim_fs(s), "f", S("twotwo"), false);
            struct sim_fs *after = sim_restart(s, power_losses[k], seed);
            early[power_losses[k]] += str_eq(get(cx, sim_fs(after), "f"), S("onetwo."));
            sim_close(after);
            sim_close(s);
        }
        ctx_reset(cx);
    }
    CHECK_EQ(early[SIM_CRASH], 0);
    CHECK(early[SIM_REORDERED] > 0);
}

/* A rename over a file: the name leads to the old bytes or the new ones, never to nothing. */
TEST(sim_rename_is_atomic_and_durable_with_the_folder)
{
    unsigned old = 0, new = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_fs *s = sim_open(seed);
        put(cx, sim_fs(s), "f", S("old"), true);
        CHECK_OK(fs_sync_dir(cx, sim_fs(s), "."));
        put(cx, sim_fs(s), "f.new", S("new"), true);
        CHECK_OK(fs_rename(cx, sim_fs(s), "f.new", "f"));
        struct sim_fs *after = sim_restart(s, SIM_REORDERED, seed);
        str bytes = get(cx, sim_fs(after), "f");
        old += str_eq(bytes, S("old"));
        new += str_eq(bytes, S("new"));
        sim_close(after);
        CHECK_OK(fs_sync_dir(cx, sim_fs(s), "."));
        after = sim_restart(s, SIM_REORDERED, seed);
        CHECK_STR(get(cx, sim_fs(after), "f"), S("new"));
        sim_close(after);
        sim_close(s);
        ctx_reset(cx);
    }
    CHECK_EQ(old + new, SEEDS);
    CHECK(old && new);
}

/* After a failed sync the process sees its bytes, a later sync succeeds, and they may be gone. */
TEST(sim_failed_sync_may_lose_what_the_process_goes_on_to_see)
{
    unsigned lost = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_fs *s = sim_open(seed);
        put(cx, sim_fs(s), "f", S("...."), true);
        CHECK_OK(fs_sync_dir(cx, sim_fs(s), "."));
        fs_file f;
        CHECK_OK(fs_open(cx, sim_fs(s), "f", FS_WRITE, &f));
        CHECK_OK(fs_pwrite(cx, sim_fs(s), f, "data", 4, 0));
        sim_fail_at(s, SIM_SYNC, 1, 1);
        CHECK_ERR(fs_sync(cx, sim_fs(s), f), ERR_IO);
        CHECK_OK(fs_sync(cx, sim_fs(s), f));
        CHECK_STR(get(cx, sim_fs(s), "f"), S("data"));
        fs_close(sim_fs(s), f);
        struct sim_fs *after = sim_restart(s, SIM_CRASH, seed);
        lost += !str_eq(get(cx, sim_fs(after), "f"), S("data"));
        sim_close(after);
        sim_close(s);
        ctx_reset(cx);
    }
    CHECK(lost > 0 && lost < SEEDS);
}

TEST(sim_fails_the_call_it_was_told_to_and_no_other)
{
    struct sim_fs *s = sim_open(1);
    struct fs fs = sim_fs(s);
    fs_file f;
    uint64_t size;

    CHECK_OK(fs_open(cx, fs, "f", FS_WRITE | FS_CREATE, &f));
    sim_fail_at(s, SIM_ENOSPC, 2, 2);
    CHECK_OK(fs_pwrite(cx, fs, f, "1", 1, 0));
    CHECK_OK(fs_size(cx, fs, f, &size)); /* needs no room: not counted */
    CHECK(!sim_has_failed(s));
    CHECK_ERR(fs_pwrite(cx, fs, f, "2", 1, 1), ERR_NO_SPACE);
    CHECK_ERR(fs_rename(cx, fs, "f", "g"), ERR_NO_SPACE);
    CHECK(sim_has_failed(s));
    CHECK_OK(fs_pwrite(cx, fs, f, "2", 1, 1));
    sim_fail_at(s, SIM_SHORT, 1, 1);
    CHECK_ERR(fs_pwrite(cx, fs, f, "345678", 6, 2), ERR_IO);
    CHECK_OK(fs_size(cx, fs, f, &size));
    CHECK(size >= 2 && size < 8);
    sim_fail_at(s, SIM_EIO, 1, 1);
    CHECK_ERR(fs_size(cx, fs, f, &size), ERR_IO);
    fs_close(fs, f);
    sim_close(s);
}

TEST(sim_dead_machine_answers_nothing)
{
    struct sim_fs *s = sim_open(1);
    struct fs fs = sim_fs(s);
    fs_file f, g;

    CHECK_OK(fs_open(cx, fs, "f", FS_WRITE | FS_CREATE, &f));
    sim_fail_at(s, SIM_CRASH, 1, 1);
    CHECK_ERR(fs_pwrite(cx, fs, f, "1", 1, 0), ERR_IO);
    CHECK(sim_is_dead(s));
    CHECK_ERR(fs_sync(cx, fs, f), ERR_IO);
    CHECK_ERR(fs_open(cx, fs, "f", FS_READ, &g), ERR_IO);
    fs_close(fs, f);
    sim_close(s);
}

TEST(sim_same_seed_same_outcome)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        str bytes[2];
        for (size_t i = 0; i < 2; i++) {
            char text[4096];
            memset(text, 'y', sizeof text);
            struct sim_fs *s = sim_open(seed);
            put(cx, sim_fs(s), "f", (str){text, sizeof text}, false);
            struct sim_fs *after = sim_restart(s, SIM_REORDERED, seed);
            bytes[i] = get(cx, sim_fs(after), "f");
            sim_close(after);
            sim_close(s);
        }
        CHECK_STR(bytes[0], bytes[1]);
        ctx_reset(cx);
    }
}
