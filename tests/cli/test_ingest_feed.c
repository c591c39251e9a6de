/* test_ingest_feed.c - files become batches: nothing is lost, every line can be traced back. */
#include "base/fs.h"
#include "cli/ingest_feed.h"
#include "test.h"
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_BYTES = 64 << 20 };

static const char *write_file(struct ctx *cx, const char *dir, const char *name, str bytes)
{
    const char *path = test_path(cx, dir, name);
    FILE *f = fopen(path, "wb");

    CHECK(f != NULL);
    CHECK_EQ(fwrite(bytes.p, 1, bytes.n, f), bytes.n);
    CHECK_EQ(fclose(f), 0);
    return path;
}

struct all {
    struct buf text;
    uint64_t lines, bad, batches;
    err result;
    str detail; /* of the result */
    struct feed_bad first_bad;
};

/* Everything of the files, and where line `probe` of all came from. */
static struct all read_all(struct ctx *cx, const struct feed_options *options, uint64_t probe,
                           size_t *out_file, uint64_t *out_line)
{
    struct feed *f = feed_open(options);
    struct all a = {.text = BUF(TEXT_BYTES)};
    struct feed_batch *b;

    while ((b = feed_take(f)) != NULL) {
        if (probe > a.lines && probe <= a.lines + b->lines)
            feed_locate(b, probe - a.lines, out_file, out_line);
        if (a.bad == 0 && b->bad_kept) {
            a.first_bad = b->bad[0];
            a.first_bad.detail = arena_str(cx->mem, b->bad[0].detail);
        }
        buf_put(&a.text, buf_str(&b->text));
        a.lines += b->lines;
        a.bad += b->bad_count;
        a.batches++;
        a.result = b->result;
        a.detail = arena_str(cx->mem, str_from(b->cx->detail));
        feed_give(f, b);
    }
    feed_close(f);
    return a;
}

static struct strs list(struct ctx *cx, const char *a, const char *b)
{
    str *items = arena_new(cx->mem, str, 2);

    items[0] = str_from(a);
    items[1] = str_from(b);
    return (struct strs){items, b ? 2 : 1};
}

static str numbered_lines(struct ctx *cx, unsigned count, const char *end)
{
    CLEANUP(buf_close) struct buf b = BUF(TEXT_BYTES);

    for (unsigned i = 1; i <= count; i++)
        buf_printf(&b, "{\"n\":%u}%s", i, i < count ? "\n" : end);
    return arena_str(cx->mem, buf_str(&b));
}

/* With batches of any size the bytes are the same, and each line knows its file and line. */
TEST(feed_passes_lines_through_in_order)
{
    str text = numbered_lines(cx, 5000, "");
    const char *a = write_file(cx, dir, "a.ndjson", text);
    const char *b =
        write_file(cx, dir, "b.ndjson", S("\xEF\xBB\xBF{\"last\":1}\r\n\n{\"last\":2}\n"));

    for (size_t batch = 64; batch < 1 << 20; batch *= 7) {
        struct feed_options o = {
            .files = list(cx, a, b), .batch_bytes = batch, .format = format_find(S("ndjson"))};
        size_t file = 9;
        uint64_t line = 0;
        struct all all = read_all(cx, &o, 4321, &file, &line);

        CHECK_EQ(all.result, ERR_OK);
        CHECK_EQ(all.bad, 0);
        CHECK_EQ(all.lines, 5003);
        CHECK_EQ(file, 0);
        CHECK_EQ(line, 4321);
        CHECK_STR(str_slice(buf_str(&all.text), 0, text.n), text);
        CHECK_STR(str_slice(buf_str(&all.text), text.n, all.text.n),
                  S("\n{\"last\":1}\r\n\n{\"last\":2}\n"));
        buf_close(&all.text);
        all = read_all(cx, &o, 5003, &file, &line);
        CHECK_EQ(file, 1);
        CHECK_EQ(line, 3);
        buf_close(&all.text);
    }
}

/* A line that goes on for ever is one bad line, and memory does not grow with it. */
TEST(feed_skips_a_line_that_is_too_long)
{
    CLEANUP(buf_close) struct buf b = BUF(TEXT_BYTES);

    buf_put(&b, S("{\"n\":1}\n\""));
    CHECK(buf_reserve(&b, 20 << 20));
    memset(b.p + b.n, 'x', 20 << 20);
    b.n += 20 << 20;
    buf_put(&b, S("\"\n{\"n\":3}\n"));
    const char *path = write_file(cx, dir, "long.ndjson", buf_str(&b));
    struct feed_options o = {
        .files = list(cx, path, NULL), .batch_bytes = 1 << 20, .format = format_find(S("ndjson"))};
    size_t file = 9;
    uint64_t line = 0;
    struct all all = read_all(cx, &o, 2, &file, &line);

    CHECK_STR(buf_str(&all.text), S("{\"n\":1}\n{\"n\":3}\n"));
    CHECK_EQ(all.bad, 1);
    CHECK_EQ(all.first_bad.line, 2);
    CHECK_EQ(line, 3);
    buf_close(&all.text);
    o.stop_at_bad = true;
    all = read_all(cx, &o, 1, &file, &line);
    CHECK_STR(buf_str(&all.text), S("{\"n\":1}\n"));
    CHECK_EQ(all.result, ERR_OK);
    buf_close(&all.text);
}

/* Records of a format: rejected ones and those of several lines do not shift the others, in one
 * batch or in many. */
TEST(feed_traces_converted_records_to_their_lines)
{
    const char *path =
        write_file(cx, dir, "x.csv",
                   S("type,subject\na,s1\n\"b\",\"two\nlines\"\nbad,too,many\nc,s3\nd,s4\n"));
    struct feed_options o = {
        .files = list(cx, path, NULL),
        .format = format_find(S("csv")),
        .format_options = {.source = S("/x"), .map = S("type=type,subject=subject")},
    };
    static const uint64_t file_lines[] = {2, 3, 6, 7};

    for (o.batch_bytes = 100; o.batch_bytes <= 10000; o.batch_bytes *= 100)
        for (uint64_t i = 0; i < COUNT(file_lines); i++) {
            size_t file = 9;
            uint64_t line = 0;
            struct all all = read_all(cx, &o, i + 1, &file, &line);

            CHECK_EQ(all.result, ERR_OK);
            CHECK_EQ(all.lines, 4);
            CHECK_EQ(all.bad, 1);
            CHECK_EQ(all.first_bad.line, 5);
            CHECK_EQ(line, file_lines[i]);
            CHECK_HOLDS(buf_str(&all.text), "\"subject\":\"s3\"");
            buf_close(&all.text);
        }
}

/* gzip of "{\"n\":1}\n{\"n\":2}\n" */
static const unsigned char packed[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xff, 0xab,
    0x56, 0xca, 0x53, 0xb2, 0x32, 0xac, 0xe5, 0xaa, 0x06, 0xd1, 0x46,
    0xb5, 0x5c, 0x00, 0x45, 0xc6, 0x98, 0xbe, 0x10, 0x00, 0x00, 0x00,
};

TEST(feed_unpacks_and_tells_damage)
{
    str bytes = {(const char *)packed, sizeof packed};
    const char *good = write_file(cx, dir, "a.ndjson.gz", bytes);
    const char *bad = write_file(cx, dir, "b.ndjson.gz", str_slice(bytes, 0, 20));
    struct feed_options o = {.files = list(cx, good, NULL), .batch_bytes = 1000};
    size_t file;
    uint64_t line;
    struct all all = read_all(cx, &o, 0, &file, &line);

    CHECK_EQ(all.result, ERR_OK);
    CHECK_STR(buf_str(&all.text), S("{\"n\":1}\n{\"n\":2}\n"));
    buf_close(&all.text);
    o.files = list(cx, good, bad);
    all = read_all(cx, &o, 0, &file, &line);
    CHECK_EQ(all.result, ERR_IO);
    CHECK_HOLDS(all.detail, "b.ndjson.gz");
    CHECK_HOLDS(buf_str(&all.text), "{\"n\":2}");
    buf_close(&all.text);
}

TEST(feed_names_a_file_whose_format_cannot_be_told)
{
    const char *path = write_file(cx, dir, "what", S("\x01\x02\x03 nothing that is known\n"));
    const char *empty = write_file(cx, dir, "empty", S(""));
    struct feed_options o = {.files = list(cx, empty, path), .batch_bytes = 1000};
    size_t file;
    uint64_t line;
    struct all all = read_all(cx, &o, 0, &file, &line);

    CHECK_EQ(all.result, ERR_USAGE);
    CHECK_HOLDS(all.detail, "--format");
    buf_close(&all.text);
}

/* Nobody wants the rest: the thread ends wherever it is. */
TEST(feed_can_be_left_at_any_time)
{
    const char *path = write_file(cx, dir, "a.ndjson", numbered_lines(cx, 200000, "\n"));
    struct feed_options o = {.files = list(cx, path, path), .batch_bytes = 1000};

    for (unsigned taken = 0; taken < 6; taken++) {
        struct feed *f = feed_open(&o);
        for (unsigned i = 0; i < taken; i++)
            feed_give(f, feed_take(f));
        feed_close(f);
    }
}
