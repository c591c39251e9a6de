/* test_verify.c - verify finds nothing in a whole folder, and in a changed one the place.
 *
 * Every byte of every file of a small log is changed, one at a time.  Of a sealed segment every
 * byte of heads, tables and the index is, as the readers see it, and a sample as verify does. */
#include "ledger/checkpoint_file.h"
#include "ledger/segment_file.h"
#include "ledger/verify.h"
#include "sim_log.h"
#include <stdio.h>
#include <stdlib.h>

/* A whole bundle, which has a root in tree-1, and a part of one. */
enum { SMALL_ENTRIES = 263 };

static struct verify_report verify(struct ctx *cx, struct sim_fs *sim)
{
    struct note_verifier log = note_signer_verifier(sim_log_signer());
    struct verify_options options = {
        .fs = sim_fs(sim), .dir = SIM_LOG_DIR, .log = &log, .threads = 2};
    struct verify_report r;

    CHECK_OK(ledger_verify(cx, &options, &r));
    return r;
}

static void print_faults(const struct verify_report *r)
{
    for (size_t i = 0; i < r->fault_count; i++)
        print_message("%.*s: byte %llu: %.*s\n", STR_FMT(r->faults[i].file),
                      (unsigned long long)r->faults[i].offset, STR_FMT(r->faults[i].text));
}

static void check_clean(struct ctx *cx, struct sim_fs *sim, uint64_t size)
{
    struct verify_report r = verify(cx, sim);
    struct hash root;

    print_faults(&r);
    sim_log_root(size, &root);
    CHECK(r.ok);
    CHECK_EQ(r.size, size);
    CHECK(hash_eq(&r.root, &root));
}

/* Closed in order, with checkpoints in several places. */
static struct sim_fs *small_log(struct ctx *cx)
{
    static struct sim_fs *made;
    static const uint64_t parts[] = {1, 6, 200, 51, 5};

    if (!made) {
        struct sim_log w = {.sim = sim_open(1)};
        CHECK_OK(sim_log_open(cx, &w));
        for (size_t i = 0; i < COUNT(parts); i++) {
            CHECK_OK(sim_log_add(cx, &w, parts[i]));
            CHECK_OK(sim_log_checkpoint(cx, &w));
        }
        CHECK_EQ(w.acked, SMALL_ENTRIES);
        sim_log_close(&w);
        made = w.sim;
    }
    return sim_restart(made, SIM_KILL, 1);
}

/* Two sealed segments are too slow to make in every test; one, and a few entries behind it. */
static struct sim_fs *sealed_log(struct ctx *cx)
{
    static struct sim_fs *made;

    if (!made) {
        struct sim_log w = {.sim = sim_open(1)};
        CHECK_OK(sim_log_open(cx, &w));
        CHECK_OK(sim_log_add(cx, &w, 65001));
        CHECK_OK(sim_log_checkpoint(cx, &w));
        CHECK_OK(sim_log_add(cx, &w, 600));
        CHECK_OK(ledger_seal_wait(cx, w.l));
        sim_log_close(&w);
        made = w.sim;
    }
    return sim_restart(made, SIM_KILL, 1);
}

enum { SEALED_ENTRIES = 65601 };

TEST(verify_finds_nothing_in_a_whole_log)
{
    struct sim_fs *sim = sim_open(1);
    struct sim_log w = {.sim = sim};

    CHECK_OK(sim_log_open(cx, &w));
    sim_log_close(&w);
    check_clean(cx, sim, 0);
    sim_close(sim);
    sim = small_log(cx);
    check_clean(cx, sim, SMALL_ENTRIES);
    sim_close(sim);
    sim = sealed_log(cx);
    check_clean(cx, sim, SEALED_ENTRIES);
    sim_close(sim);
}

TEST(verify_writes_nothing_and_wants_the_folder_alone)
{
    struct sim_fs *sim = small_log(cx);
    struct note_verifier log = note_signer_verifier(sim_log_signer());
    struct verify_options options = {
        .fs = sim_fs(sim), .dir = SIM_LOG_DIR, .log = &log, .threads = 2};
    struct sim_log w = {.sim = sim};
    struct verify_report r;

    sim_fail_at(sim, SIM_ENOSPC, 1, UINT64_MAX); /* hits whatever writes */
    CHECK_OK(ledger_verify(cx, &options, &r));
    CHECK(!sim_has_failed(sim));
    sim_fail_at(sim, SIM_NONE, 0, 0);
    CHECK_OK(sim_log_open(cx, &w));
    CHECK_ERR(ledger_verify(cx, &options, &r), ERR_LOCKED);
    sim_log_close(&w);
    sim_close(sim);
}

/* ---- every byte ---- */

/* How far from the changed byte the fault may be said to be: before it by the size of the thing
 * that the byte is part of, or behind it when the byte tells where something is. */
struct tolerance {
    const char *name;
    uint64_t before, behind;
};

/* clang-format off */
static const struct tolerance tolerances[] = {
    {"segment-00000000.raw", 300, 300},  /* an entry and its length */
    {"segment-00000001.raw", 300, 300},
    {"tree-0",       31, 0},             /* a hash */
    {"tree-1",        0, 0},
    {"tree-2",        0, 0},
    {"checkpoints", 127, 48},            /* a record */
    {"pruned",       32, 0},             /* all of it */
    {"segment-00000000.seg", 8192, 0},   /* a bundle, or head, dictionary and tables */
    {"segment-00000000.idx", 0, 0},
    {"lock", 0, 0},
};
/* clang-format on */

static const struct tolerance *tolerance_of(str name)
{
    for (size_t i = 0; i < COUNT(tolerances); i++)
        if (str_eq(name, str_from(tolerances[i].name)))
            return &tolerances[i];
    return NULL;
}

/* One fault, in that file, near that byte. */
static bool names_the_place(const struct verify_report *r, str name, uint64_t at)
{
    const struct tolerance *t = tolerance_of(name);

    return t && r->fault_count == 1 && str_eq(r->faults[0].file, name) &&
           r->faults[0].offset + t->before >= at && r->faults[0].offset <= at + t->behind;
}

static void check_flip(struct ctx *cx, struct sim_fs *sim, str name, uint64_t at)
{
    const char *path = arena_printf(cx->mem, "%s/%.*s", SIM_LOG_DIR, STR_FMT(name)).p;
    uint8_t mask = (uint8_t)(1u << (at * 5 % 8));

    sim_flip(sim, path, at, mask);
    struct verify_report r = verify(cx, sim);
    if (!names_the_place(&r, name, at)) {
        print_message("byte %llu of %.*s was changed:\n", (unsigned long long)at, STR_FMT(name));
        print_faults(&r);
    }
    CHECK(names_the_place(&r, name, at));
    sim_flip(sim, path, at, mask);
}

static uint64_t bytes_of(struct ctx *cx, struct sim_fs *sim, str name)
{
    const char *path = arena_printf(cx->mem, "%s/%.*s", SIM_LOG_DIR, STR_FMT(name)).p;
    uint64_t n;
    fs_file f;

    CHECK_OK(fs_open(cx, sim_fs(sim), path, FS_READ, &f));
    CHECK_OK(fs_size(cx, sim_fs(sim), f, &n));
    fs_close(sim_fs(sim), f);
    return n;
}

static void flip_all(struct sim_fs *sim, str name, uint64_t step)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    char held[64];

    ENSURE(name.n < sizeof held);
    memcpy(held, name.p, name.n);
    uint64_t n = bytes_of(cx, sim, (str){held, name.n});
    for (uint64_t at = 0; at < n; at += step) {
        check_flip(cx, sim, (str){held, name.n}, at);
        ctx_reset(cx);
    }
}

TEST(verify_names_every_byte_of_a_small_log)
{
    struct sim_fs *sim = small_log(cx);
    str *names;
    size_t n;

    CHECK_OK(fs_list(cx, sim_fs(sim), SIM_LOG_DIR, &names, &n));
    CHECK_EQ(n, 11); /* lock, checkpoints, eight tree files, one segment */
    for (size_t i = 0; i < n; i++)
        flip_all(sim, names[i], 1);
    sim_close(sim);
}

/* A sample, prime to all sizes in the files, and the ends. */
TEST(verify_names_bytes_of_a_sealed_log)
{
    static const struct {
        const char *name;
        uint64_t step;
    } samples[] = {
        {"segment-00000000.seg", 36011},
        {"segment-00000000.idx", 20011},
        {"segment-00000001.raw", 1499},
        {"tree-0", 400009},
        {"tree-1", 1601},
        {"tree-2", 11},
        {"checkpoints", 67},
    };
    struct sim_fs *sim = sealed_log(cx);

    for (size_t i = 0; i < COUNT(samples); i++)
        flip_all(sim, str_from(samples[i].name), samples[i].step);
    sim_close(sim);
}

/* ---- every byte of a sealed pair, as its readers see it ---- */

static char *read_file(struct ctx *cx, struct sim_fs *sim, const char *name, size_t *out_n)
{
    SCRATCH(tmp, cx);
    str bytes;

    CHECK_OK(fs_read_all(cx, sim_fs(sim), arena_printf(tmp.mem, "%s/%s", SIM_LOG_DIR, name).p,
                         1 << 28, &bytes));
    *out_n = bytes.n;
    char *copy = malloc(bytes.n);
    ENSURE(copy);
    memcpy(copy, bytes.p, bytes.n);
    return copy;
}

/* Which bundle holds this byte; SEGMENT_BUNDLES: none. */
static unsigned bundle_of(const struct segment_file *f, uint64_t byte)
{
    uint64_t at, n;

    for (unsigned b = 0; b < SEGMENT_BUNDLES; b++) {
        segment_file_extent(f, b, &at, &n);
        if (byte >= at && byte < at + n)
            return b;
    }
    return SEGMENT_BUNDLES;
}

TEST(sealed_segment_has_no_byte_that_does_not_matter)
{
    struct sim_fs *sim = sealed_log(cx);
    size_t n;
    char *p = read_file(cx, sim, "segment-00000000.seg", &n);
    struct segment_file *f;
    uint64_t first, packed;

    CHECK_OK(segment_file_open(cx, (str){p, n}, 0, &f));
    segment_file_extent(f, 0, &first, &packed);
    for (size_t at = 0; at < n; at++) {
        char *frames;
        size_t frames_n;
        unsigned bundle = bundle_of(f, at);
        p[at] = (char)(p[at] ^ 1 << at % 8);
        if (at < first) {
            struct segment_file *changed;
            CHECK_ERR(segment_file_open(cx, (str){p, n}, 0, &changed), ERR_CORRUPT);
        } else {
            CHECK(bundle < SEGMENT_BUNDLES);
            CHECK_ERR(segment_file_bundle(cx, f, bundle, &frames, &frames_n), ERR_CORRUPT);
        }
        p[at] = (char)(p[at] ^ 1 << at % 8);
        ctx_reset(cx);
    }
    segment_file_close(f);
    free(p);
    sim_close(sim);
}

TEST(index_file_has_no_byte_that_does_not_matter)
{
    struct sim_fs *sim = sealed_log(cx);
    size_t n;
    char *p = read_file(cx, sim, "segment-00000000.idx", &n);
    struct index_reader *r;

    for (size_t at = 0; at < n; at += at < 1024 || at + 64 > n ? 1 : 61) {
        p[at] = (char)(p[at] ^ 1 << at % 8);
        err e = index_reader_open(cx, (str){p, n}, 0, &r);
        if (e == ERR_OK) {
            e = index_reader_check(cx, r);
            index_reader_close(r);
        }
        CHECK_EQ(e, ERR_CORRUPT);
        p[at] = (char)(p[at] ^ 1 << at % 8);
        ctx_reset(cx);
    }
    free(p);
    sim_close(sim);
}

/* ---- files that are shorter, gone, or of another log ---- */

static void truncate_file(struct ctx *cx, struct sim_fs *sim, str name, uint64_t n)
{
    const char *path = arena_printf(cx->mem, "%s/%.*s", SIM_LOG_DIR, STR_FMT(name)).p;
    fs_file f;

    CHECK_OK(fs_open(cx, sim_fs(sim), path, FS_WRITE, &f));
    CHECK_OK(fs_truncate(cx, sim_fs(sim), f, n));
    fs_close(sim_fs(sim), f);
}

static bool names_file(const struct verify_report *r, str name)
{
    for (size_t i = 0; i < r->fault_count; i++)
        if (str_eq(r->faults[i].file, name))
            return true;
    return false;
}

/* Whole records cut off the end cannot be told from records that were never written; every other
 * cut can. */
static bool may_be_cut(str name, uint64_t n)
{
    return str_eq(name, S("checkpoints")) && n % 128 == 0;
}

static void cut_everywhere(struct ctx *cx, struct sim_fs *(*make)(struct ctx *), str name,
                           uint64_t steps)
{
    struct sim_fs *whole = make(cx);
    uint64_t n = bytes_of(cx, whole, name);

    for (uint64_t i = 0; i < steps && n; i++) {
        uint64_t to = n * i / steps;
        struct sim_fs *sim = sim_restart(whole, SIM_KILL, 1);
        truncate_file(cx, sim, name, to);
        struct verify_report r = verify(cx, sim);
        if (!may_be_cut(name, to) && !names_file(&r, name)) {
            print_message("%.*s was cut to %llu of %llu bytes:\n", STR_FMT(name),
                          (unsigned long long)to, (unsigned long long)n);
            print_faults(&r);
        }
        CHECK(may_be_cut(name, to) || names_file(&r, name));
        sim_close(sim);
    }
    sim_close(whole);
}

TEST(verify_notices_cuts)
{
    static const char *const names[] = {"segment-00000000.raw", "tree-0", "tree-1", "checkpoints"};
    static const char *const sealed[] = {"segment-00000000.seg", "segment-00000000.idx", "tree-2",
                                         "segment-00000001.raw"};

    for (size_t i = 0; i < COUNT(names); i++)
        cut_everywhere(cx, small_log, str_from(names[i]), 61);
    for (size_t i = 0; i < COUNT(sealed); i++)
        cut_everywhere(cx, sealed_log, str_from(sealed[i]), 3);
}

static void check_without(struct ctx *cx, struct sim_fs *whole, str name)
{
    struct sim_fs *sim = sim_restart(whole, SIM_KILL, 1);

    CHECK_OK(
        fs_unlink(cx, sim_fs(sim), arena_printf(cx->mem, "%s/%.*s", SIM_LOG_DIR, STR_FMT(name)).p));
    struct verify_report r = verify(cx, sim);
    if (!names_file(&r, name)) {
        print_message("%.*s was removed:\n", STR_FMT(name));
        print_faults(&r);
    }
    CHECK(names_file(&r, name));
    sim_close(sim);
}

TEST(verify_notices_missing_and_strange_files)
{
    struct sim_fs *whole = sealed_log(cx), *strange;
    str *names;
    size_t n;

    CHECK_OK(fs_list(cx, sim_fs(whole), SIM_LOG_DIR, &names, &n));
    for (size_t i = 0; i < n; i++)
        if (!str_eq(names[i], S("lock")))
            check_without(cx, whole, names[i]);
    static const char *const strangers[] = {"segment-00000007.seg", "segment-0000001.raw", "tree-8",
                                            "notes.txt"};
    for (size_t i = 0; i < COUNT(strangers); i++) {
        strange = sim_restart(whole, SIM_KILL, 1);
        CHECK_OK(fs_replace(cx, sim_fs(strange), SIM_LOG_DIR, strangers[i], S("?")));
        struct verify_report r = verify(cx, strange);
        CHECK(names_file(&r, str_from(strangers[i])));
        sim_close(strange);
    }
    sim_close(whole);
}

/* The same number of entries, other bytes. */
static struct sim_fs *another_log(struct ctx *cx)
{
    struct sim_fs *sim = sim_open(1);
    struct ledger_options options = sim_log_options(sim_fs(sim), SIM_LOG_DIR);
    struct entry_batch b, *one = &b;
    struct ledger *l;

    CHECK_OK(fs_mkdir(cx, sim_fs(sim), SIM_LOG_DIR));
    CHECK_OK(ledger_open(cx, &options, &l));
    entry_batch_init(&b, 1 << 20);
    for (uint64_t i = 0; i < SMALL_ENTRIES; i++)
        CHECK_OK(entry_add_opaque(cx, &b,
                                  arena_printf(cx->mem, "other %llu", (unsigned long long)i), 1));
    CHECK_OK(ledger_append(cx, l, &one, 1, NULL, NULL));
    entry_batch_close(&b);
    ledger_close(l);
    return sim;
}

TEST(verify_notices_files_of_another_log)
{
    static const char *const names[] = {"segment-00000000.raw", "tree-0", "tree-1", "checkpoints"};
    struct sim_fs *other = another_log(cx);

    for (size_t i = 0; i < COUNT(names); i++) {
        struct sim_fs *sim = small_log(cx);
        str bytes;
        CHECK_OK(fs_read_all(cx, sim_fs(other),
                             arena_printf(cx->mem, "%s/%s", SIM_LOG_DIR, names[i]).p, 1 << 20,
                             &bytes));
        CHECK_OK(fs_replace(cx, sim_fs(sim), SIM_LOG_DIR, names[i], bytes));
        struct verify_report r = verify(cx, sim);
        if (!names_file(&r, str_from(names[i])))
            print_faults(&r);
        CHECK(names_file(&r, str_from(names[i])));
        sim_close(sim);
    }
    sim_close(other);
}

/* ---- after pruning ---- */

static struct sim_fs *pruned_log(struct ctx *cx)
{
    struct sim_log w = {.sim = sealed_log(cx)};
    uint64_t kept;

    CHECK_OK(sim_log_open(cx, &w));
    CHECK_OK(ledger_prune(cx, w.l, SEGMENT_ENTRIES, &kept));
    CHECK_EQ(kept, SEGMENT_ENTRIES);
    sim_log_close(&w);
    return w.sim;
}

TEST(verify_looks_at_the_hashes_of_what_was_pruned)
{
    struct sim_fs *sim = pruned_log(cx);

    check_clean(cx, sim, SEALED_ENTRIES);
    struct verify_report r = verify(cx, sim);
    CHECK_EQ(r.pruned, SEGMENT_ENTRIES);
    CHECK_EQ(r.checked, SEALED_ENTRIES - SEGMENT_ENTRIES);
    flip_all(sim, S("pruned"), 1);
    flip_all(sim, S("tree-1"), 911);
    flip_all(sim, S("tree-2"), 7);
    /* Which leaf it is of 256 nobody can tell any more. */
    sim_flip(sim, SIM_LOG_DIR "/tree-0", 8192 * 3 + 77, 4);
    r = verify(cx, sim);
    CHECK_EQ(r.fault_count, 1);
    CHECK_STR(r.faults[0].file, S("tree-0"));
    CHECK_EQ(r.faults[0].offset, 8192 * 3);
    sim_close(sim);
}

/* ---- what a crash leaves is no fault ---- */

TEST(verify_takes_what_was_never_acknowledged_for_no_fault)
{
    struct sim_fs *sim = small_log(cx);
    fs_file f;

    CHECK_OK(fs_replace(cx, sim_fs(sim), SIM_LOG_DIR, "segment-00000000.seg.new", S("half")));
    CHECK_OK(fs_replace(cx, sim_fs(sim), SIM_LOG_DIR, "segment-00000001.raw", S("")));
    CHECK_OK(fs_open(cx, sim_fs(sim), SIM_LOG_DIR "/segment-00000000.raw", FS_WRITE, &f));
    uint64_t n = bytes_of(cx, sim, S("segment-00000000.raw"));
    CHECK_OK(fs_pwrite(cx, sim_fs(sim), f, "\0\5torn", 6, n));
    fs_close(sim_fs(sim), f);
    check_clean(cx, sim, SMALL_ENTRIES);
    sim_close(sim);
}

/* ---- what has the right checksums and is wrong all the same ---- */

static void write_at(struct ctx *cx, struct sim_fs *sim, const char *name, uint64_t at, str bytes)
{
    fs_file f;

    CHECK_OK(fs_open(cx, sim_fs(sim), arena_printf(cx->mem, "%s/%s", SIM_LOG_DIR, name).p,
                     FS_WRITE | FS_CREATE, &f));
    CHECK_OK(fs_pwrite(cx, sim_fs(sim), f, bytes.p, bytes.n, at));
    fs_close(sim_fs(sim), f);
}

static void put_record(struct ctx *cx, struct sim_fs *sim, uint64_t i,
                       const struct checkpoint_record *r)
{
    char bytes[CHECKPOINT_RECORD_BYTES];

    checkpoint_record_put(r, bytes);
    write_at(cx, sim, "checkpoints", i * sizeof bytes, (str){bytes, sizeof bytes});
}

static struct checkpoint_record get_record(struct ctx *cx, struct sim_fs *sim, uint64_t i)
{
    struct checkpoint_record r;
    size_t n;
    char *bytes = read_file(cx, sim, "checkpoints", &n);

    CHECK(checkpoint_record_get(bytes + i * CHECKPOINT_RECORD_BYTES, &r));
    free(bytes);
    return r;
}

static void check_one_fault(struct ctx *cx, struct sim_fs *sim, const char *file, uint64_t offset,
                            const char *text)
{
    struct verify_report r = verify(cx, sim);

    if (r.fault_count != 1)
        print_faults(&r);
    CHECK_EQ(r.fault_count, 1);
    CHECK_STR(r.faults[0].file, str_from(file));
    CHECK_EQ(r.faults[0].offset, offset);
    CHECK_HOLDS(r.faults[0].text, text);
}

TEST(verify_notices_a_forged_signature)
{
    struct sim_fs *sim = small_log(cx);
    struct checkpoint_record r = get_record(cx, sim, 2);

    r.signature[5] ^= 1;
    put_record(cx, sim, 2, &r);
    check_one_fault(cx, sim, "checkpoints", 2 * 128 + 48, "signature");
    sim_close(sim);
}

TEST(verify_notices_a_signed_root_that_the_entries_do_not_have)
{
    struct sim_fs *sim = small_log(cx);
    struct checkpoint_record r = get_record(cx, sim, 1);
    struct hash other;

    sha256(S("other"), &other);
    checkpoint_record_sign(sim_log_signer(), S(SIM_LOG_ORIGIN), r.size, &other, r.signed_us, &r);
    put_record(cx, sim, 1, &r);
    check_one_fault(cx, sim, "checkpoints", 128 + 16, "root");
    sim_close(sim);
}

TEST(verify_notices_checkpoints_out_of_order)
{
    struct sim_fs *sim = small_log(cx);
    struct checkpoint_record first = get_record(cx, sim, 1), second = get_record(cx, sim, 2);

    put_record(cx, sim, 1, &second);
    put_record(cx, sim, 2, &first);
    check_one_fault(cx, sim, "checkpoints", 2 * 128, "goes back");
    sim_close(sim);
}

/* Two events whose stamps go back, with hashes, checkpoint and all. */
TEST(verify_notices_stamps_that_go_back)
{
    static const char *const events[] = {
        "{\"recorded\":\"2026-11-20T08:15:30.123456Z\",\"principal\":\"p\",\"specversion\":\"1.0\","
        "\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}",
        "{\"recorded\":\"2026-11-20T08:15:30.123455Z\",\"principal\":\"p\",\"specversion\":\"1.0\","
        "\"id\":\"2\",\"source\":\"/s\",\"type\":\"t\"}"};
    struct sim_log w = {.sim = sim_open(1)};
    struct checkpoint_record r;
    struct hash leaves[2], root;
    uint64_t at = 0;

    CHECK_OK(sim_log_open(cx, &w));
    sim_log_close(&w);
    for (size_t i = 0; i < 2; i++) {
        str e = str_from(events[i]);
        char length[2] = {(char)(e.n >> 8), (char)e.n};
        write_at(cx, w.sim, "segment-00000000.raw", at, (str){length, 2});
        write_at(cx, w.sim, "segment-00000000.raw", at + 2, e);
        hash_leaf(e, &leaves[i]);
        at += 2 + e.n;
    }
    write_at(cx, w.sim, "tree-0", 0, (str){(const char *)leaves, sizeof leaves});
    hash_node(&leaves[0], &leaves[1], &root);
    checkpoint_record_sign(sim_log_signer(), S(SIM_LOG_ORIGIN), 2, &root, INT64_MAX / 2, &r);
    put_record(cx, w.sim, 0, &r);
    truncate_file(cx, w.sim, S("checkpoints"), CHECKPOINT_RECORD_BYTES);
    check_one_fault(cx, w.sim, "segment-00000000.raw", 0, "goes back");
    sim_close(w.sim);
}

/* The index of a segment whose entry 777 had another time, in the form of an index that is whole.
 */
static void index_of_other_entries(struct ctx *cx, const struct segment_file *f, struct buf *out)
{
    struct index_builder *builder = index_builder_open();
    struct json_parser *p = json_parser_open();
    struct entry_batch b;
    int64_t inherited = 0;

    entry_batch_init(&b, 1 << 26);
    for (unsigned bundle = 0; bundle < SEGMENT_BUNDLES; bundle++) {
        char *frames;
        size_t n;
        str entry;
        CHECK_OK(segment_file_bundle(cx, f, bundle, &frames, &n));
        for (str rest = {frames, n}; frame_next(&rest, &entry);) {
            CHECK_OK(entry_add_stored(cx, &b, p, entry, inherited));
            inherited = b.meta[b.count - 1].recorded_us;
        }
        free(frames);
    }
    b.meta[777].time_us++;
    index_builder_add(builder, &b, 0, b.count);
    CHECK_OK(index_builder_write(cx, builder, 0, out));
    entry_batch_close(&b);
    json_parser_close(p);
    index_builder_close(builder);
}

TEST(verify_notices_an_index_of_other_entries)
{
    CLEANUP(buf_close) struct buf other = BUF(1 << 26);
    struct sim_fs *sim = sealed_log(cx);
    struct segment_file *f;
    size_t n;
    char *bytes = read_file(cx, sim, "segment-00000000.seg", &n);

    CHECK_OK(segment_file_open(cx, (str){bytes, n}, 0, &f));
    index_of_other_entries(cx, f, &other);
    segment_file_close(f);
    free(bytes);
    CHECK_OK(fs_replace(cx, sim_fs(sim), SIM_LOG_DIR, "segment-00000000.idx", buf_str(&other)));
    struct verify_report r = verify(cx, sim);
    CHECK_EQ(r.fault_count, 1);
    CHECK_STR(r.faults[0].file, S("segment-00000000.idx"));
    CHECK_HOLDS(r.faults[0].text, "not the one its entries have");
    sim_close(sim);
}

/* ---- opaque entries take the stamp before them, across segments and starts ---- */

static void append_opaque(struct ctx *cx, struct ledger *l, uint64_t n)
{
    struct entry_batch b, *one = &b;

    entry_batch_init(&b, 1 << 24);
    for (uint64_t i = 0; i < n; i++) /* whatever the clock says when they come */
        CHECK_OK(entry_add_opaque(cx, &b, S("x"), INT64_C(1800000000000000) + (int64_t)i));
    CHECK_OK(ledger_append(cx, l, &one, 1, NULL, NULL));
    entry_batch_close(&b);
}

TEST(verify_knows_the_stamps_of_opaque_entries)
{
    struct sim_fs *sim = sim_open(1);
    struct ledger_options options = sim_log_options(sim_fs(sim), SIM_LOG_DIR);
    struct ledger *l;
    uint64_t kept;

    CHECK_OK(ledger_open(cx, &options, &l));
    CHECK_OK(sim_log_append(cx, l, 1));
    append_opaque(cx, l, SEGMENT_ENTRIES + 4000);
    CHECK_OK(ledger_seal_wait(cx, l));
    ledger_close(l);
    CHECK_OK(ledger_open(cx, &options, &l));
    append_opaque(cx, l, SEGMENT_ENTRIES - 4000);
    CHECK_OK(ledger_seal_wait(cx, l));
    struct ledger_figures figures = ledger_figures(l);
    CHECK_EQ(figures.sealed, 2);
    ledger_close(l);
    struct verify_report r = verify(cx, sim);
    print_faults(&r);
    CHECK(r.ok);
    CHECK_OK(ledger_open(cx, &options, &l));
    CHECK_OK(ledger_prune(cx, l, SEGMENT_ENTRIES, &kept));
    ledger_close(l);
    r = verify(cx, sim);
    print_faults(&r);
    CHECK(r.ok);
    sim_close(sim);
}
