/* index_bench.c - what the index of a segment and the table of ids cost.
 *
 *   index_bench [SEGMENTS]
 *
 * Prints one figure a line: nanoseconds to add an entry, bytes of the file for each entry by part,
 * microseconds to look a value up, nanoseconds and seconds of the table of ids.  Three logs:
 *
 *   uniform   every attribute drawn alone: nothing to gain from its neighbours
 *   sessions  what a service sees: some hundred sessions at a time, each with its actor, address
 *             and source
 *   distinct  every value new: the most that an index may cost */
#include "base/clock.h"
#include "base/fs.h"
#include "ledger/dedup.h"
#include "ledger/index_inner.h"
#include "plain_batch.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    TYPES = 40,
    SOURCES = 20,
    SUBJECTS = 5000,
    ACTORS = 500,
    ADDRESSES = 20000,
    SESSIONS = 10000,
    LIVE_SESSIONS = 400,
    BATCH = 2048,
    DEDUP_IDS = 10 * 1000 * 1000,
    LOOKUPS = 2000,
    FILES = 153, /* ten million entries */
    WARM_ROUNDS = 20,
};

enum log_kind { LOG_UNIFORM, LOG_SESSIONS, LOG_DISTINCT, LOG_KINDS };
static const char *const log_names[LOG_KINDS] = {"uniform", "sessions", "distinct"};

struct session {
    uint64_t id;
    uint32_t actor, address, source;
};

struct maker {
    enum log_kind kind;
    struct dice dice;
    int64_t now_us;
    uint64_t made;
    struct session live[LIVE_SESSIONS];
    char text[ATTR_COUNT][64];
};

static str put(struct maker *m, enum attr a, const char *fmt, ...) PRINTF(3, 4);
static str put(struct maker *m, enum attr a, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(m->text[a], sizeof m->text[a], fmt, ap);
    va_end(ap);
    return (str){m->text[a], (size_t)n};
}

/* Version 7 of RFC 9562: 48 bits of milliseconds, the rest random. */
static str put_uuid(struct maker *m, enum attr a, uint64_t id)
{
    struct dice d = {id};
    uint64_t low = dice_u64(&d), ms = 0x019A2B000000 + id % 86400000;

    return put(m, a, "%08x-%04x-7%03x-a%03x-%012llx", (unsigned)(ms >> 16), (unsigned)(ms & 0xFFFF),
               (unsigned)(low & 0xFFF), (unsigned)(low >> 12 & 0xFFF),
               (unsigned long long)(low >> 16));
}

/* A few are chosen often, most seldom. */
static uint32_t skewed(struct dice *d, uint32_t n)
{
    uint64_t x = dice_below(d, n), y = dice_below(d, n);

    return (uint32_t)(x * y / n);
}

static struct session pick_session(struct maker *m)
{
    struct session *s = &m->live[dice_below(&m->dice, LIVE_SESSIONS)];

    if (s->id == 0 || dice_below(&m->dice, 30) == 0)
        *s = (struct session){dice_u64(&m->dice), skewed(&m->dice, ACTORS),
                              dice_below(&m->dice, ADDRESSES), dice_below(&m->dice, SOURCES)};
    return *s;
}

static struct session new_session(struct maker *m)
{
    uint64_t session = m->kind == LOG_DISTINCT ? m->made : dice_below(&m->dice, SESSIONS);

    return (struct session){session + 1, dice_below(&m->dice, ACTORS),
                            dice_below(&m->dice, ADDRESSES), dice_below(&m->dice, SOURCES)};
}

static void make(struct maker *m, struct entry_batch *b)
{
    static const char *const outcomes[] = {"success", "failure", "denied"};
    struct session s = m->kind == LOG_SESSIONS ? pick_session(m) : new_session(m);
    uint32_t subject = m->kind == LOG_SESSIONS   ? skewed(&m->dice, SUBJECTS)
                       : m->kind == LOG_DISTINCT ? (uint32_t)m->made
                                                 : dice_below(&m->dice, SUBJECTS);
    uint32_t address =
        m->kind == LOG_DISTINCT ? (uint32_t)m->made * 2654435761u : s.address * 2654435761u;
    uint32_t luck = dice_below(&m->dice, 100);
    struct plain_entry e = {.recorded_us = m->now_us,
                            .time_us = m->now_us / 1000 * 1000 - dice_below(&m->dice, 5) * 1000,
                            .id_hash = dice_u64(&m->dice),
                            .text = S("")};

    m->now_us += dice_below(&m->dice, 3);
    m->made++;
    e.attr[ATTR_TYPE] = put(m, ATTR_TYPE, "com.example.case.action%02u", skewed(&m->dice, TYPES));
    e.attr[ATTR_SOURCE] = put(m, ATTR_SOURCE, "/service/%u", s.source);
    e.attr[ATTR_SUBJECT] = put(m, ATTR_SUBJECT, "case/%05u", subject);
    e.attr[ATTR_ACTOR] = put(m, ATTR_ACTOR, "user/name%03u", s.actor);
    e.attr[ATTR_PRINCIPAL] = put(m, ATTR_PRINCIPAL, "key/%u", s.source % 4);
    e.attr[ATTR_OUTCOME] = str_from(outcomes[luck < 92 ? 0 : luck < 98 ? 1 : 2]);
    e.attr[ATTR_REMOTEIP] = put(m, ATTR_REMOTEIP, "10.%u.%u.%u", address >> 8 & 0xFF,
                                address >> 16 & 0xFF, address >> 24);
    e.attr[ATTR_SESSIONID] = put_uuid(m, ATTR_SESSIONID, s.id);
    plain_add(b, &e);
}

static void figure(enum log_kind kind, const char *name, double value, const char *unit)
{
    printf("%-9s %-28s %10.2f %s\n", log_names[kind], name, value, unit);
}

/* Processor time, all threads: a busy machine disturbs it less than wall time. */
static int64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static double cpu_since(int64_t start_ns)
{
    return (double)(cpu_ns() - start_ns) / 1e9;
}

static double seconds_since(int64_t start_ns)
{
    return (double)(clock_mono_ns() - start_ns) / 1e9;
}

static void print_parts(enum log_kind kind, const struct index_reader *r)
{
    double n = r->entries;

    for (unsigned a = 0; a < ATTR_COUNT; a++)
        figure(kind, attr_names[a], (double)r->attr[a].n / n, "B/entry");
    figure(kind, "recorded", (double)r->times[INDEX_RECORDED].bytes.n / n, "B/entry");
    figure(kind, "time", (double)r->times[INDEX_TIME].bytes.n / n, "B/entry");
    figure(kind, "fingerprints", (double)r->fingerprints.n / n, "B/entry");
    figure(kind, "file", (double)r->bytes.n / n, "B/entry");
}

static void look_up(struct ctx *cx, enum log_kind kind, const char *what, struct segment_index ix,
                    enum attr attr, const struct entry_batch *b)
{
    static struct positions hits;
    struct dice dice = {7};
    uint64_t found = 0;
    int64_t start = cpu_ns();

    for (unsigned i = 0; i < LOOKUPS; i++) {
        const struct entry_meta *m = &b->meta[dice_below(&dice, (uint32_t)b->count)];
        positions_clear(&hits);
        ENSURE(index_lookup(cx, ix, attr, entry_batch_value(b, &m->attr[attr]), false, &hits) ==
               ERR_OK);
        found += positions_next(&hits, 0) != POSITION_NONE;
    }
    ENSURE(found == LOOKUPS);
    char name[64];
    snprintf(name, sizeof name, "%s %s", what, attr_names[attr]);
    figure(kind, name, cpu_since(start) / LOOKUPS * 1e6, "us/lookup");
}

/* The least of several runs: what the work costs when nobody disturbs it. */
struct least {
    double add_s, write_s, close_s;
};

static void keep_least(double *least, double value)
{
    if (*least == 0 || value < *least)
        *least = value;
}

static void bench_reading(struct ctx *cx, enum log_kind kind, struct index_builder *builder,
                          str file, const struct entry_batch *b)
{
    struct index_reader *r;

    ENSURE(index_reader_open(cx, file, 0, &r) == ERR_OK);
    print_parts(kind, r);
    figure(kind, "builder memory", (double)index_builder_bytes(builder) / 1e6, "MB");
    for (unsigned a = 0; a < ATTR_COUNT; a++)
        look_up(cx, kind, "file", (struct segment_index){.reader = r}, (enum attr)a, b);
    for (unsigned a = 0; a < ATTR_COUNT; a++)
        look_up(cx, kind, "memory", (struct segment_index){.builder = builder}, (enum attr)a, b);
    index_reader_close(r);
}

/* Add a segment, write it; the last time also ask it. */
static void bench_segment(struct ctx *cx, struct maker *m, struct least *least, bool last)
{
    struct entry_batch b = {.frames = BUF(1 << 30), .values = BUF(1 << 30)};
    CLEANUP(buf_close) struct buf file = BUF(1 << 30);

    while (b.count < SEGMENT_ENTRIES)
        make(m, &b);
    int64_t start = cpu_ns();
    struct index_builder *builder = index_builder_open();
    for (size_t from = 0; from < b.count; from += BATCH)
        index_builder_add(builder, &b, from, from + BATCH);
    keep_least(&least->add_s, cpu_since(start));
    start = cpu_ns();
    ENSURE(index_builder_write(cx, builder, 0, &file) == ERR_OK);
    keep_least(&least->write_s, cpu_since(start));
    if (last)
        bench_reading(cx, m->kind, builder, buf_str(&file), &b);
    start = cpu_ns();
    index_builder_close(builder);
    keep_least(&least->close_s, cpu_since(start));
    entry_batch_close(&b);
}

static void bench_log(struct ctx *cx, enum log_kind kind, uint64_t segments)
{
    struct maker m = {.kind = kind, .dice = {1}, .now_us = INT64_C(1763600000000000)};
    struct least least = {0};

    for (uint64_t i = 0; i < segments; i++)
        bench_segment(cx, &m, &least, i + 1 == segments);
    figure(kind, "add", least.add_s / SEGMENT_ENTRIES * 1e9, "ns/entry");
    figure(kind, "write", least.write_s * 1e3, "ms/segment");
    figure(kind, "close", least.close_s * 1e3, "ms/segment");
}

/* ---- a value in many files ---- */

struct files {
    const char *dir;
    str map[FILES];
    struct index_reader *reader[FILES];
};

static const char *file_path(struct ctx *cx, const struct files *f, unsigned i)
{
    return arena_printf(cx->mem, "%s/%u.idx", f->dir, i).p;
}

/* One log's segments as files, not in the page cache. */
static void write_files(struct ctx *cx, struct files *f)
{
    struct maker m = {.kind = LOG_SESSIONS, .dice = {1}, .now_us = INT64_C(1763600000000000)};

    for (unsigned i = 0; i < FILES; i++) {
        struct entry_batch b = {.frames = BUF(1 << 30), .values = BUF(1 << 30)};
        CLEANUP(buf_close) struct buf file = BUF(1 << 30);
        fs_file handle;
        while (b.count < SEGMENT_ENTRIES)
            make(&m, &b);
        struct index_builder *builder = index_builder_open();
        index_builder_add(builder, &b, 0, b.count);
        ENSURE(index_builder_write(cx, builder, i, &file) == ERR_OK);
        ENSURE(fs_open(cx, fs_real(), file_path(cx, f, i), FS_WRITE | FS_CREATE, &handle) ==
               ERR_OK);
        ENSURE(fs_pwrite(cx, fs_real(), handle, file.p, file.n, 0) == ERR_OK);
        ENSURE(fs_sync(cx, fs_real(), handle) == ERR_OK);
        posix_fadvise(handle, 0, 0, POSIX_FADV_DONTNEED);
        ENSURE(fs_map(cx, fs_real(), handle, &f->map[i]) == ERR_OK);
        madvise((void *)(uintptr_t)f->map[i].p, f->map[i].n, MADV_RANDOM);
        fs_close(fs_real(), handle);
        index_builder_close(builder);
        entry_batch_close(&b);
    }
}

static void ask_files(struct ctx *cx, const struct files *f, str value)
{
    static struct positions hits;

    for (unsigned i = 0; i < FILES; i++) {
        struct segment_index ix = {.reader = f->reader[i]};
        positions_clear(&hits);
        ENSURE(index_lookup(cx, ix, ATTR_SESSIONID, value, false, &hits) == ERR_OK);
    }
}

static void files_figure(const char *what, double seconds)
{
    printf("%-9s %-28s %10.2f ms\n", "files", what, seconds * 1e3);
}

static void bench_files(struct ctx *cx)
{
    static struct files f;
    char dir[] = "/var/tmp/index-bench-XXXXXX";
    const str absent = S("019a2b3c-1234-7abc-a123-0123456789ab");

    f.dir = mkdtemp(dir);
    ENSURE(f.dir);
    write_files(cx, &f);
    int64_t wall = clock_mono_ns();
    for (unsigned i = 0; i < FILES; i++)
        ENSURE(index_reader_open(cx, f.map[i], i, &f.reader[i]) == ERR_OK);
    files_figure("open, cold", seconds_since(wall));
    wall = clock_mono_ns();
    ask_files(cx, &f, absent);
    files_figure("look up, cold", seconds_since(wall));
    double least = 0;
    for (unsigned i = 0; i < WARM_ROUNDS; i++) {
        int64_t start = cpu_ns();
        ask_files(cx, &f, absent);
        keep_least(&least, cpu_since(start));
    }
    files_figure("look up, warm, processor", least);
    for (unsigned i = 0; i < FILES; i++) {
        index_reader_close(f.reader[i]);
        fs_unmap(fs_real(), f.map[i]);
        ENSURE(fs_unlink(cx, fs_real(), file_path(cx, &f, i)) == ERR_OK);
    }
    rmdir(dir);
}

static void dedup_figure(const char *name, double value, const char *unit)
{
    printf("%-9s %-28s %10.2f %s\n", "dedup", name, value, unit);
}

static void bench_dedup(void)
{
    struct dice dice = {3};
    uint64_t *hash = malloc(sizeof *hash * DEDUP_IDS), indexes[4], found = 0;
    struct dedup *d = dedup_open(16u << 20);

    ENSURE(hash);
    for (size_t i = 0; i < DEDUP_IDS; i++)
        hash[i] = dice_u64(&dice);
    int64_t start = cpu_ns();
    for (size_t i = 0; i < DEDUP_IDS; i++) {
        if (i + 16 < DEDUP_IDS)
            dedup_prefetch(d, hash[i + 16]);
        found += dedup_find(d, hash[i], i, indexes, COUNT(indexes));
        dedup_add(d, hash[i], i);
    }
    dedup_figure("find and add", cpu_since(start) / DEDUP_IDS * 1e9, "ns/id");
    dedup_figure("memory", (double)dedup_bytes(d) / 1e6, "MB");
    dedup_figure("false candidates", (double)found, "");
    dedup_close(d);

    for (size_t i = 0; i < DEDUP_IDS; i++)
        hash[i] >>= 24;
    d = dedup_open(16u << 20);
    start = cpu_ns();
    int64_t wall = clock_mono_ns();
    dedup_load(d, 0, hash, DEDUP_IDS);
    dedup_figure("load at once", seconds_since(wall), "s");
    dedup_figure("load at once, processor", cpu_since(start), "s");
    dedup_close(d);
    d = dedup_open(16u << 20);
    start = cpu_ns();
    wall = clock_mono_ns();
    for (size_t i = 0; i < DEDUP_IDS; i += SEGMENT_ENTRIES)
        dedup_load(d, i, hash + i, size_min(SEGMENT_ENTRIES, DEDUP_IDS - i));
    dedup_figure("load by segments", seconds_since(wall), "s");
    dedup_figure("load by segments, processor", cpu_since(start), "s");
    dedup_figure("memory", (double)dedup_bytes(d) / 1e6, "MB");
    dedup_close(d);
    free(hash);
}

int main(int argc, char **argv)
{
    uint64_t segments = 8;
    struct ctx *cx = ctx_open(0);

    if (argc > 1 && (!str_to_u64(str_from(argv[1]), &segments) || segments == 0))
        return 2;
    for (unsigned k = 0; k < LOG_KINDS; k++)
        bench_log(cx, (enum log_kind)k, segments);
    bench_dedup();
    bench_files(cx);
    ctx_close(cx);
    return 0;
}
