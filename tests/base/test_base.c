/* Strings, arenas, buffers, encodings, times, queues, files, metrics. */
#include "base/clock.h"
#include "base/encode.h"
#include "base/fs.h"
#include "base/metric.h"
#include "base/queue.h"
#include "test.h"

TEST(str_numbers_are_whole_and_in_range)
{
    uint64_t u = 7;
    int64_t i = 7;

    CHECK(str_to_u64(S("18446744073709551615"), &u) && u == UINT64_MAX);
    CHECK(!str_to_u64(S("18446744073709551616"), &u) && u == UINT64_MAX);
    CHECK(!str_to_u64(S(""), &u) && !str_to_u64(S("+1"), &u) && !str_to_u64(S("1 "), &u));
    CHECK(str_to_i64(S("-9223372036854775808"), &i) && i == INT64_MIN);
    CHECK(!str_to_i64(S("9223372036854775808"), &i) && !str_to_i64(S("-9223372036854775809"), &i));
    CHECK(!str_to_i64(S("-"), &i));
}

TEST(str_cut_splits_and_ends_null)
{
    str rest = S("a,,b");

    CHECK_STR(str_cut(&rest, ','), S("a"));
    CHECK_STR(str_cut(&rest, ','), S(""));
    CHECK(!str_is_null(rest));
    CHECK_STR(str_cut(&rest, ','), S("b"));
    CHECK(str_is_null(rest));
}

/* Unicode table 3-7: overlong forms, surrogates and what lies beyond U+10FFFF are not UTF-8. */
TEST(utf8_is_strict)
{
    static const char *const bad[] = {
        "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
        "\x80",     "\xE2\x82",     "\xFF",         "\xF0\x8F\xBF\xBF"};

    CHECK(str_is_utf8(S("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x94\x92")));
    for (size_t i = 0; i < COUNT(bad); i++)
        CHECK(!str_is_utf8(str_from(bad[i])));
}

TEST(arena_rewinds_to_its_mark_and_keeps_alignment)
{
    struct arena *a = arena_open(0);
    char *first = arena_new(a, char, 3);
    struct arena_mark mark = arena_mark(a);

    memcpy(first, "abc", 3);
    for (size_t n = 1; n < 100000; n *= 3) {
        void *p = arena_alloc(a, 1, n);
        CHECK_EQ((uintptr_t)p % 16, 0);
    }
    arena_rewind(a, mark);
    char *again = arena_new(a, char, 16);
    CHECK(again == first + 16);
    CHECK(memcmp(first, "abc", 3) == 0);
    arena_close(a);
}

TEST(arena_try_refuses_what_input_may_not_take)
{
    struct arena *a = arena_open(100000);

    CHECK(arena_try(a, char, 50000) != NULL);
    CHECK(arena_try(a, char, 100000) == NULL);
    CHECK(arena_try(a, uint64_t, SIZE_MAX / 4) == NULL);
    arena_close(a);
}

TEST(buf_fails_for_good_past_its_maximum)
{
    struct buf b = BUF(5);

    buf_put(&b, S("12345"));
    CHECK(buf_ok(&b));
    buf_put_char(&b, '6');
    CHECK(!buf_ok(&b));
    CHECK_STR(buf_str(&b), S("12345"));
    CHECK_ERR(buf_check(cx, &b, "the answer"), ERR_TOO_LARGE);
    buf_close(&b);
}

TEST(hex_and_base64_are_strict_and_reverse)
{
    uint8_t bytes[64], back[64];
    size_t n;
    struct buf b = BUF(200);

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 200);
    for (size_t length = 0; length <= sizeof bytes; length++) {
        buf_clear(&b);
        base64_put(&b, bytes, length);
        CHECK(base64_decode(buf_str(&b), back, sizeof back, &n) && n == length);
        CHECK(memcmp(bytes, back, n) == 0);
        buf_clear(&b);
        base64url_put(&b, bytes, length);
        CHECK(base64url_decode(buf_str(&b), back, sizeof back, &n) && n == length);
        CHECK(memcmp(bytes, back, n) == 0);
        buf_clear(&b);
        hex_put(&b, bytes, length);
        CHECK(hex_decode(buf_str(&b), back, length));
    }
    CHECK(!base64_decode(S("QQ"), back, 64, &n) && !base64_decode(S("QR=="), back, 64, &n));
    CHECK(!base64_decode(S("QQ==QQ=="), back, 64, &n) && !base64_decode(S("Q==="), back, 64, &n));
    CHECK(!base64_decode(S("QUJD"), back, 2, &n));
    buf_close(&b);
}

TEST(percent_decoding_refuses_bad_escapes_and_nul)
{
    CHECK_STR(percent_decode(cx->mem, S("a%20b+c"), true), S("a b c"));
    CHECK_STR(percent_decode(cx->mem, S("a+c%2f"), false), S("a+c/"));
    CHECK(str_is_null(percent_decode(cx->mem, S("%2"), false)));
    CHECK(str_is_null(percent_decode(cx->mem, S("%zz"), false)));
    CHECK(str_is_null(percent_decode(cx->mem, S("%00"), false)));
}

TEST(times_read_back_as_written)
{
    static const struct {
        const char *in, *out;
    } good[] = {
        {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"},
        {"2024-02-29T23:59:60Z", "2024-03-01T00:00:00.000000Z"},
        {"2026-11-20t08:15:30.1234567+02:00", "2026-11-20T06:15:30.123456Z"},
        {"0000-01-01 00:00:00-00:00", "0000-01-01T00:00:00.000000Z"},
        {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
        {"1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500000Z"},
        {"2026-11-20", "2026-11-20T00:00:00.000000Z"},
    };
    static const char *const bad[] = {"2023-02-29T00:00:00Z",
                                      "2026-13-01T00:00:00Z",
                                      "2026-11-20T24:00:00Z",
                                      "2026-11-20T08:15Z",
                                      "2026-11-20T08:15:30",
                                      "2026-11-20T08:15:30.Z",
                                      "2026-11-20T08:15:30+2",
                                      "x",
                                      ""};
    char text[TIME_TEXT_SIZE];
    int64_t us;

    for (size_t i = 0; i < COUNT(good); i++) {
        CHECK(time_parse(str_from(good[i].in), &us));
        time_format(us, text);
        CHECK_STR(str_from(text), str_from(good[i].out));
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        CHECK(!time_parse(str_from(bad[i]), &us));
}

TEST(durations_have_units)
{
    int64_t ns;

    CHECK(duration_parse(S("250ms"), &ns) && ns == 250000000);
    CHECK(duration_parse(S("24h"), &ns) && ns == 86400000000000);
    CHECK(duration_parse(S("90"), &ns) && ns == 90000000000);
    CHECK(!duration_parse(S("5 parsecs"), &ns) && !duration_parse(S("-1s"), &ns));
    CHECK(!duration_parse(S("999999999999y"), &ns));
}

TEST(uuid7_is_ordered_and_versioned)
{
    char a[UUID_TEXT_SIZE], b[UUID_TEXT_SIZE];

    uuid7(a);
    uuid7(b);
    CHECK(strlen(a) == UUID_TEXT_BYTES && a[14] == '7' && strchr("89ab", a[19]));
    CHECK(strncmp(a, b, 13) <= 0 && strcmp(a, b) != 0);
}

static void *produce(void *arg)
{
    struct queue *q = arg;

    for (uintptr_t i = 1; i <= 10000; i++)
        if (!queue_push(q, (void *)i))
            return NULL;
    queue_shut(q);
    return NULL;
}

TEST(queue_hands_over_everything_in_order_then_ends)
{
    struct queue *q = queue_open(7);
    pthread_t t = thread_start("produce", produce, q);
    void *item;
    uintptr_t next = 1;

    while (queue_pop(q, &item))
        CHECK((uintptr_t)item == next++);
    CHECK(next == 10001);
    CHECK(!queue_try_push(q, q));
    pthread_join(t, NULL);
    queue_close(q);
}

TEST(files_replace_whole_and_list_sorted)
{
    struct fs fs = fs_real();
    str text, *names;
    size_t n;

    CHECK_OK(fs_replace(cx, fs, dir, "b", S("one")));
    CHECK_OK(fs_replace(cx, fs, dir, "b", S("two")));
    CHECK_OK(fs_replace(cx, fs, dir, "a", S("")));
    CHECK_OK(fs_read_all(cx, fs, test_path(cx, dir, "b"), 100, &text));
    CHECK_STR(text, S("two"));
    CHECK_ERR(fs_read_all(cx, fs, test_path(cx, dir, "b"), 2, &text), ERR_TOO_LARGE);
    CHECK_OK(fs_list(cx, fs, dir, &names, &n));
    CHECK_EQ(n, 2);
    CHECK_STR(names[0], S("a"));
    CHECK_ERR(fs_read_all(cx, fs, test_path(cx, dir, "c"), 2, &text), ERR_NOT_FOUND);
    CHECK_DETAIL("/c");
}

TEST(files_write_long_vectors_and_lock_once)
{
    struct fs fs = fs_real();
    struct iovec iov[200];
    char back[200];
    fs_file f, again;
    size_t n;

    for (size_t i = 0; i < COUNT(iov); i++)
        iov[i] = (struct iovec){(void *)(uintptr_t) & "0123456789"[i % 10], 1};
    CHECK_OK(fs_open(cx, fs, test_path(cx, dir, "v"), FS_WRITE | FS_CREATE, &f));
    CHECK_OK(fs_pwritev(cx, fs, f, iov, COUNT(iov), 0));
    CHECK_OK(fs_pread(cx, fs, f, back, sizeof back, 0, &n));
    CHECK_EQ(n, sizeof back);
    for (size_t i = 0; i < sizeof back; i++)
        CHECK_EQ(back[i], "0123456789"[i % 10]);
    CHECK_OK(fs_lock(cx, fs, f));
    CHECK_OK(fs_open(cx, fs, test_path(cx, dir, "v"), FS_WRITE, &again));
    CHECK_ERR(fs_lock(cx, fs, again), ERR_LOCKED);
    fs_close(fs, again);
    fs_close(fs, f);
}

TEST(metrics_render_in_the_text_format)
{
    static struct metric requests = {.name = "x_requests_total", .help = "requests"};
    static struct metric seconds = {.name = "x_seconds",
                                    .help = "time",
                                    .kind = METRIC_HISTOGRAM,
                                    .scale = 1000000000,
                                    .bounds = metric_seconds_bounds};
    struct buf b = BUF(10000);

    CHECK(!metric_moved(&requests));
    metric_cell_add(metric_cell(&requests, S("status=\"200\"")), 2);
    metric_cell_add(metric_cell(&requests, S("status=\"200\"")), 1);
    metric_cell_add(metric_cell(&requests, S("status=\"404\"")), 1);
    metric_observe(&seconds, 6000000);
    metric_render(&b, &requests);
    metric_render(&b, &seconds);
    CHECK(metric_moved(&requests));
    CHECK_HOLDS(buf_str(&b),
                "# TYPE x_requests_total counter\nx_requests_total{status=\"200\"} 3\n");
    CHECK_HOLDS(buf_str(&b), "x_seconds_bucket{le=\"0.005\"} 0\nx_seconds_bucket{le=\"0.01\"} 1\n");
    CHECK_HOLDS(buf_str(&b), "x_seconds_sum 0.006\nx_seconds_count 1\n");
    buf_close(&b);
}
