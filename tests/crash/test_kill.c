/* test_kill.c - a server that is killed again and again loses nothing that it acknowledged.
 *
 * Clients send events and remember the answers; the server is killed (SIGKILL) at any moment, now
 * and then while it is still starting, and started again.  Each time a sample of what was
 * acknowledged is asked for by its index; now and then, and at the end, the server is stopped, the
 * whole folder is verified, every acknowledged event is looked up in the files and every checkpoint
 * that a client has seen must be in the history with its root.
 *
 * TEST_CRASH_SECONDS says how long (60), TEST_CRASH_SEED makes another run. */
#include "base/clock.h"
#include "ledger/checkpoint_file.h"
#include "ledger/ledger.h"
#include "program.h"
#include "sender.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SENDERS = 4, SAMPLE = 20, STOP_EVERY = 6, LIFE_MS_MAX = 900, START_MS_MAX = 60 };

struct crash {
    const char *data, *key;
    struct serving server;
    struct sender senders[SENDERS];
    size_t checked[SENDERS]; /* acknowledgements that were looked up in the files */
    uint64_t random;
    unsigned kills;
};

static uint64_t roll(struct crash *k, uint64_t n)
{
    k->random = k->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (k->random >> 33) % n;
}

static void pause_ms(uint64_t ms)
{
    usleep((useconds_t)ms * 1000);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    uint64_t n;

    return text && str_to_u64(str_from(text), &n) ? n : otherwise;
}

/* ---- what was acknowledged ---- */

/* Of the newest, and some of any age. */
static void check_sample(struct ctx *cx, struct crash *k)
{
    for (unsigned i = 0; i < SENDERS; i++) {
        const struct sender *s = &k->senders[i];
        for (unsigned n = 0; n < SAMPLE && s->acked_count; n++) {
            size_t back = n < SAMPLE / 2 ? n : roll(k, s->acked_count);
            const struct acked *a =
                &s->acked[s->acked_count - 1 - size_min(back, s->acked_count - 1)];
            uint64_t j = roll(k, a->count);
            str id = sender_event_id(cx->mem, s, a->number + j);
            check_event_at(cx, &k->server, k->key, a->index + j, id.p);
        }
    }
}

static void check_entry(struct ctx *cx, struct ledger *l, const struct sender *s, uint64_t number,
                        uint64_t index)
{
    SCRATCH(tmp, cx);
    str entry, id = sender_event_id(tmp.mem, s, number);
    str member = arena_printf(tmp.mem, "\"id\":\"%.*s\"", STR_FMT(id));

    if (ledger_entry(cx, l, index, &entry) != ERR_OK)
        FAIL("entry %llu, event %s: %s", (unsigned long long)index, id.p, cx->detail);
    CHECK_HOLDS(entry, arena_z(tmp.mem, member));
}

/* All that were not looked up before, and from time to time all. */
static void check_acked(struct ctx *cx, struct crash *k, struct ledger *l, bool all)
{
    for (unsigned i = 0; i < SENDERS; i++) {
        const struct sender *s = &k->senders[i];
        for (size_t n = all ? 0 : k->checked[i]; n < s->acked_count; n++) {
            const struct acked *a = &s->acked[n];
            for (uint64_t j = 0; j < a->count; j++)
                check_entry(cx, l, s, a->number + j, a->index + j);
            arena_reset(cx->mem);
        }
        k->checked[i] = s->acked_count;
    }
}

static bool is_in_history(struct ctx *cx, struct ledger *l, const struct sender *s)
{
    struct ledger_signed c;

    if (s->checkpoint_size == 0)
        return true;
    if (ledger_checkpoint_covering(cx, l, s->checkpoint_size, &c) != ERR_OK)
        return false;
    return c.size == s->checkpoint_size && hash_eq(&c.root, &s->checkpoint_root);
}

/* ---- stops ---- */

/* Results here outlive a moment only: the memory of `cx` is needed for the server. */
static void check_files(struct crash *k, bool all)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    struct outcome o = RUN(cx, "verify", "--data", k->data, "--json");
    const char *dir = test_path(cx, k->data, "ledger");
    struct ledger *l;

    if (o.status != 0)
        FAIL("verify: %.*s%.*s", STR_FMT(o.out), STR_FMT(o.err));
    struct ledger_options options = {
        .fs = fs_real(), .dir = dir, .origin = S("any"), .cache_bytes = 1 << 24};
    CHECK_OK(ledger_open(cx, &options, &l));
    for (unsigned i = 0; i < SENDERS; i++)
        CHECK(is_in_history(cx, l, &k->senders[i]));
    check_acked(cx, k, l, all);
    ledger_close(l);
}

static void stop_and_check(struct ctx *cx, struct crash *k, bool all)
{
    CHECK_EQ(serving_end(cx, &k->server, SIGTERM), 0);
    check_files(k, all);
}

/* A start that does not come to its end. */
static void kill_while_starting(struct crash *k)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(126);
        execl(program_path(), "chancery", "serve", "--data", k->data, "--listen", "127.0.0.1:0",
              (char *)NULL);
        _exit(127);
    }
    pause_ms(roll(k, START_MS_MAX));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    k->kills++;
}

/* ---- lives ---- */

static void run_life(struct crash *k)
{
    for (unsigned i = 0; i < SENDERS; i++)
        sender_start(&k->senders[i], k->server.address);
    pause_ms(roll(k, LIFE_MS_MAX));
    serving_signal(&k->server, SIGKILL);
    for (unsigned i = 0; i < SENDERS; i++)
        sender_join(&k->senders[i]);
    CHECK_EQ(waitpid(k->server.pid, NULL, 0), k->server.pid);
    close(k->server.out);
    k->kills++;
}

static void say_totals(const struct crash *k)
{
    uint64_t events = 0, lost = 0, refused = 0;

    for (unsigned i = 0; i < SENDERS; i++) {
        events += k->senders[i].events;
        lost += k->senders[i].lost_answers;
        refused += k->senders[i].refused;
        CHECK_EQ(k->senders[i].strange, 0);
    }
    print_message("%u kills, %llu events acknowledged and found again, %llu answers lost, %llu "
                  "requests refused\n",
                  k->kills, (unsigned long long)events, (unsigned long long)lost,
                  (unsigned long long)refused);
}

TEST(killed_server_keeps_all_that_it_acknowledged)
{
    int64_t end =
        clock_mono_ns() + (int64_t)from_environment("TEST_CRASH_SECONDS", 60) * INT64_C(1000000000);
    uint64_t seed = from_environment("TEST_CRASH_SEED", (uint64_t)clock_now_us());
    struct crash *k = calloc(1, sizeof *k);

    ENSURE(k);
    print_message("seed %llu\n", (unsigned long long)seed);
    k->random = seed;
    k->data = make_data(cx, dir);
    k->key = make_key(cx, k->data, "admin");
    for (unsigned i = 0; i < SENDERS; i++)
        sender_open(&k->senders[i], i, k->key, seed + i);
    for (unsigned life = 1; clock_mono_ns() < end; life++) {
        CLEANUP(ctx_cleanup) struct ctx *of_life = ctx_open(0);
        if (roll(k, 4) == 0)
            kill_while_starting(k);
        k->server = serve(of_life, k->data, NULL);
        check_sample(of_life, k);
        if (life % STOP_EVERY == 0)
            stop_and_check(of_life, k, false);
        else
            run_life(k);
    }
    k->server = serve(cx, k->data, NULL);
    stop_and_check(cx, k, true);
    say_totals(k);
    CHECK(k->kills > 0 && k->senders[0].acked_count > 0);
    for (unsigned i = 0; i < SENDERS; i++)
        sender_close(&k->senders[i]);
    free(k);
}
