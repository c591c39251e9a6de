/* test_bench.c - the tools of the benchmark measure what they say. */
#include "base/json.h"
#include "cli/bench.h"
#include "ledger/entry.h"
#include "test.h"

TEST(bench_events_are_events_of_one_size)
{
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    const struct entry_stamp stamp = {.recorded_us = 1, .principal = S("key/x")};
    static const uint64_t numbers[] = {0, 1, 65535, 65536, 1000000, 20000000000};
    struct bench_events *e = bench_events_open(7);
    struct entry_batch b;
    char event[BENCH_EVENT_BYTES + JSON_PADDING] = {0};

    entry_batch_init(&b, 1 << 20);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        bench_event_put(e, numbers[i], event);
        CHECK_OK(entry_add(cx, &b, p, (str){event, BENCH_EVENT_BYTES}, &stamp));
        for (size_t j = 0; j < i; j++)
            CHECK(b.meta[j].id_hash != b.meta[i].id_hash);
    }
    entry_batch_close(&b);
    bench_events_close(e);
}

TEST(bench_events_are_the_same_for_the_same_seed)
{
    struct bench_events *a = bench_events_open(7), *b = bench_events_open(7),
                        *c = bench_events_open(8);
    char x[2 * (BENCH_EVENT_BYTES + 1)], y[sizeof x];

    bench_events_fill(a, 70000, 2, x);
    bench_events_fill(b, 70000, 2, y);
    CHECK(memcmp(x, y, sizeof x) == 0);
    CHECK_EQ(x[BENCH_EVENT_BYTES], '\n');
    bench_events_fill(c, 70000, 2, y);
    CHECK(memcmp(x, y, sizeof x) != 0);
    CHECK(str_starts(bench_actor(a, 4096), S("user/")));
    bench_events_close(a);
    bench_events_close(b);
    bench_events_close(c);
}

TEST(histogram_is_right_to_two_percent)
{
    struct histogram *h = arena_new(cx->mem, struct histogram, 1);

    CHECK_EQ(histogram_quantile(h, 0.5), 0);
    for (uint64_t v = 1; v <= 100000; v++)
        histogram_add(h, v * 1000);
    for (int percent = 1; percent <= 100; percent++) {
        double want = percent * 1000.0 * 1000, got = (double)histogram_quantile(h, percent / 100.0);
        CHECK(got > want * 0.98 && got < want * 1.02);
    }
    CHECK_EQ(h->largest, 100000000);
    histogram_add(h, UINT64_MAX);
    CHECK_EQ(histogram_quantile(h, 1.0) > UINT64_C(1) << 62, 1);
}

TEST(histogram_keeps_small_values_exactly)
{
    struct histogram *h = arena_new(cx->mem, struct histogram, 1);

    for (uint64_t v = 0; v < 128; v++) {
        memset(h, 0, sizeof *h);
        histogram_add(h, v);
        CHECK_EQ(histogram_quantile(h, 0.99), v);
    }
}

TEST(bench_compares_in_the_unit_of_the_figure)
{
    const struct calibration c = {.hashes = 1e6, .sync_4k_ns = 2e6};

    CHECK(bench_against(&c, AGAINST_HASHES, UNIT_RATE) == 1e6);
    CHECK(bench_against(&c, AGAINST_SYNC_4K, UNIT_RATE) == 500);
    CHECK(bench_against(&c, AGAINST_SYNC_4K, UNIT_NS) == 2e6);
    CHECK(bench_against(&c, AGAINST_SYNC_1M, UNIT_NS) == 0);
    CHECK(bench_against(&c, AGAINST_NOTHING, UNIT_NS) == 0);
}

TEST(load_target_takes_plain_addresses_only)
{
    struct load_target t;

    CHECK_OK(load_target_open(cx, S("http://127.0.0.1:81/"), S("k"), &t));
    CHECK_STR(t.host, S("127.0.0.1:81"));
    CHECK_STR(t.authorization, S("Authorization: Bearer k\r\n"));
    CHECK_EQ(ntohs(((struct sockaddr_in *)(void *)&t.address)->sin_port), 81);
    CHECK_OK(load_target_open(cx, S("http://[::1]:82"), S(""), &t));
    CHECK_EQ(t.address.ss_family, AF_INET6);
    CHECK_ERR(load_target_open(cx, S("https://127.0.0.1"), S(""), &t), ERR_USAGE);
}
