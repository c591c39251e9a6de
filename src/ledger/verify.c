/* verify.c - the order of looking: files, segments (several at once), order of record, tree,
 * checkpoints. */
#include "ledger/verify.h"
#include "base/clock.h"
#include "ledger/verify_inner.h"
#include <stdio.h>
#include <stdlib.h>

enum { THREADS_MAX = 64 };

void verify_fault(struct verify *v, str file, uint64_t offset, uint64_t entry, const char *fmt, ...)
{
    LOCK(held, &v->lock);
    va_list ap;

    if (v->fault_count == VERIFY_FAULTS_MAX)
        return;
    va_start(ap, fmt);
    v->faults[v->fault_count++] = (struct verify_fault){
        .file = arena_str(v->cx->mem, file),
        .offset = offset,
        .entry = entry,
        .text = arena_vprintf(v->cx->mem, fmt, ap),
    };
    va_end(ap);
}

void verify_progress(struct verify *v, uint64_t entries)
{
    LOCK(held, &v->lock);

    v->done += entries;
    if (v->options->progress)
        v->options->progress(v->options->progress_state, v->done, v->total);
}

str verify_segment_name(struct arena *mem, uint64_t number, const char *kind)
{
    return arena_printf(mem, "segment-%08llu.%s", (unsigned long long)number, kind);
}

/* ---- files ---- */

err verify_map(struct ctx *cx, const struct verify *v, str name, str *out)
{
    SCRATCH(tmp, cx);
    const char *path = arena_printf(tmp.mem, "%s/%.*s", v->options->dir, STR_FMT(name)).p;
    fs_file f;

    TRY(fs_open(cx, v->options->fs, path, FS_READ, &f));
    err e = fs_map(cx, v->options->fs, f, out);
    fs_close(v->options->fs, f);
    return e;
}

/* One of the files that every log has. */
static err map_common(struct ctx *cx, struct verify *v, const char *name, str *out)
{
    *out = S("");
    if (folder_has(&v->folder, str_from(name)))
        return verify_map(cx, v, str_from(name), out);
    verify_fault(v, str_from(name), 0, VERIFY_NO_ENTRY, "the file is missing");
    return ERR_OK;
}

/* Segments that there can be, with one made ahead: the leaf hashes tell, or what was signed. */
static uint64_t segments_max(const struct verify *v)
{
    uint64_t leaves = v->tree[0].n / HASH_BYTES, signed_size = v->last_signed.size;

    return (leaves > signed_size ? leaves : signed_size) / SEGMENT_ENTRIES + 2;
}

static bool is_known_name(const struct verify *v, str name)
{
    static const char *const names[] = {"lock",   "checkpoints", "pruned", "pruned.new",
                                        "tree-0", "tree-1",      "tree-2", "tree-3",
                                        "tree-4", "tree-5",      "tree-6", "tree-7"};
    static const char *const kinds[] = {"raw", "seg", "idx", "seg.new", "idx.new"};
    struct segment_name segment;

    for (size_t i = 0; i < COUNT(names); i++)
        if (str_eq(name, str_from(names[i])))
            return true;
    for (size_t i = 0; segment_name_parse(name, &segment) && i < COUNT(kinds); i++)
        if (str_eq(segment.kind, str_from(kinds[i])))
            return segment.number < segments_max(v);
    return false;
}

static uint64_t first_present(const struct verify *v)
{
    struct segment_name name;
    uint64_t first = UINT64_MAX;

    for (size_t i = 0; i < v->folder.count; i++)
        if (segment_name_parse(v->folder.names[i], &name) && name.number < first)
            first = name.number;
    return first == UINT64_MAX ? 0 : first;
}

static err read_pruned(struct ctx *cx, struct verify *v)
{
    str text;

    if (!folder_has(&v->folder, S("pruned")))
        return ERR_OK;
    TRY(verify_map(cx, v, S("pruned"), &text));
    if (!pruned_mark_parse(text, &v->pruned)) {
        verify_fault(v, S("pruned"), 0, VERIFY_NO_ENTRY, "no segment number with its checksum");
        v->pruned = first_present(v);
    }
    fs_unmap(v->options->fs, text);
    return ERR_OK;
}

static void check_names(struct verify *v)
{
    for (size_t i = 0; i < v->folder.count; i++)
        if (!is_known_name(v, v->folder.names[i]))
            verify_fault(v, v->folder.names[i], 0, VERIFY_NO_ENTRY, "no such file belongs here");
}

/* A segment is sealed when both files are there; with one of them and the raw file it still is
 * not, and the next start will say so too. */
static bool is_sealed(const struct folder *f, uint64_t n)
{
    bool seg = folder_has_segment(f, n, S("seg")), idx = folder_has_segment(f, n, S("idx"));

    return (seg && idx) || ((seg || idx) && !folder_has_segment(f, n, S("raw")));
}

static uint64_t find_sealed_end(const struct verify *v)
{
    for (uint64_t end = segments_max(v); end > v->pruned; end--)
        if (is_sealed(&v->folder, end - 1))
            return end;
    return v->pruned;
}

static void check_file(struct verify *v, uint64_t n, const char *kind)
{
    SCRATCH(tmp, v->cx);
    str name = verify_segment_name(tmp.mem, n, kind);

    if (!folder_has(&v->folder, name))
        verify_fault(v, name, 0, n * SEGMENT_ENTRIES, "the file is missing");
}

/* Every segment from the first kept to the last must be there in one of its forms. */
static void check_presence(struct verify *v)
{
    uint64_t raw_end = u64_min(folder_segments_end(&v->folder, S("raw")), segments_max(v));
    uint64_t signed_end = (v->last_signed.size + SEGMENT_ENTRIES - 1) / SEGMENT_ENTRIES;

    v->sealed_end = find_sealed_end(v);
    v->segment_end = v->sealed_end;
    v->segment_end = raw_end > v->segment_end ? raw_end : v->segment_end;
    v->segment_end = signed_end > v->segment_end ? signed_end : v->segment_end;
    for (uint64_t n = v->pruned; n < v->sealed_end; n++) {
        check_file(v, n, "seg");
        check_file(v, n, "idx");
    }
    for (uint64_t n = v->sealed_end; n < signed_end; n++)
        check_file(v, n, "raw");
}

/* What must be there: as much as the last whole checkpoint says. */
static void read_last_signed(struct verify *v)
{
    for (uint64_t i = v->checkpoints.n / CHECKPOINT_RECORD_BYTES; i-- > 0;)
        if (checkpoint_record_get(v->checkpoints.p + i * CHECKPOINT_RECORD_BYTES, &v->last_signed))
            return;
}

static err open_folder(struct ctx *cx, struct verify *v)
{
    char name[16];

    TRY(folder_read(cx, v->options->fs, v->options->dir, &v->folder));
    for (unsigned level = 0; level < VERIFY_TREE_FILES; level++) {
        snprintf(name, sizeof name, "tree-%u", level);
        TRY(map_common(cx, v, name, &v->tree[level]));
    }
    TRY(map_common(cx, v, "checkpoints", &v->checkpoints));
    TRY(read_pruned(cx, v));
    read_last_signed(v);
    check_names(v);
    check_presence(v);
    v->total = v->tree[0].n / HASH_BYTES;
    return ERR_OK;
}

static void close_folder(struct verify *v)
{
    for (unsigned level = 0; level < VERIFY_TREE_FILES; level++)
        fs_unmap(v->options->fs, v->tree[level]);
    fs_unmap(v->options->fs, v->checkpoints);
    free(v->counts);
    free(v->first_recorded);
    free(v->last_recorded);
    free(v->inherited);
    free(v->roots);
    pthread_mutex_destroy(&v->lock);
}

/* ---- segments, several at once ---- */

struct worker {
    struct verify *v;
    pthread_t thread;
    err result;
    char detail[CTX_DETAIL_BYTES];
};

static bool take_segment(struct verify *v, uint64_t *out)
{
    LOCK(held, &v->lock);

    *out = v->next;
    return v->next < v->segment_end ? (v->next++, true) : false;
}

static void *work(void *arg)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    struct worker *w = arg;
    uint64_t number;

    while (w->result == ERR_OK && take_segment(w->v, &number)) {
        w->result = verify_segment(cx, w->v, number);
        if (w->result != ERR_OK)
            memcpy(w->detail, cx->detail, sizeof w->detail);
        ctx_reset(cx);
    }
    return NULL;
}

static err verify_segments(struct ctx *cx, struct verify *v)
{
    unsigned threads = v->options->threads ? v->options->threads : 1;
    struct worker workers[THREADS_MAX] = {{0}};

    threads = threads > THREADS_MAX ? THREADS_MAX : threads;
    for (unsigned i = 0; i < threads; i++) {
        workers[i].v = v;
        workers[i].thread = thread_start("verify", work, &workers[i]);
    }
    for (unsigned i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    for (unsigned i = 0; i < threads; i++)
        if (workers[i].result != ERR_OK)
            return fail(cx, workers[i].result, "%s", workers[i].detail);
    return ERR_OK;
}

/* `recorded` must not go back from one segment to the next, and opaque entries at the beginning of
 * a segment are indexed with the last stamp before it. */
static void check_order(struct verify *v, uint64_t n, int64_t last)
{
    SCRATCH(tmp, v->cx);
    str name = verify_segment_name(tmp.mem, n, n < v->sealed_end ? "seg" : "raw");

    if (last == VERIFY_UNKNOWN)
        return;
    if (v->first_recorded[n] != VERIFY_NOT_RECORDED && v->first_recorded[n] < last)
        verify_fault(v, name, 0, n * SEGMENT_ENTRIES,
                     "\"recorded\" goes back from the segment before");
    int64_t want = n == 0 ? 0 : last;
    if (v->inherited[n] != VERIFY_NOT_RECORDED && want != VERIFY_NOT_RECORDED &&
        v->inherited[n] != want)
        verify_fault(v, verify_segment_name(tmp.mem, n, "idx"), 32, n * SEGMENT_ENTRIES,
                     "the index does not go on from the stamp of the segment before");
}

/* The size is where the entries end. */
static uint64_t join_segments(struct verify *v)
{
    int64_t last = VERIFY_NOT_RECORDED;
    uint64_t size = 0;

    for (uint64_t n = 0; n < v->segment_end; n++) {
        check_order(v, n, last);
        if (v->last_recorded[n] != VERIFY_NOT_RECORDED)
            last = v->last_recorded[n];
        size = n * SEGMENT_ENTRIES + v->counts[n];
        if (v->counts[n] < SEGMENT_ENTRIES)
            break;
    }
    return size;
}

static int by_place(const void *a, const void *b)
{
    const struct verify_fault *x = a, *y = b;
    int order = str_cmp(x->file, y->file);

    return order ? order : (x->offset > y->offset) - (x->offset < y->offset);
}

static void take_room(struct verify *v)
{
    size_t n = (size_t)v->segment_end + 1;

    v->counts = calloc(n, sizeof *v->counts);
    v->first_recorded = calloc(n, sizeof *v->first_recorded);
    v->last_recorded = calloc(n, sizeof *v->last_recorded);
    v->inherited = calloc(n, sizeof *v->inherited);
    v->roots = calloc(n * SEGMENT_BUNDLES, sizeof *v->roots);
    ENSURE(v->counts && v->first_recorded && v->last_recorded && v->inherited && v->roots);
    for (size_t i = 0; i < n; i++)
        v->first_recorded[i] = v->last_recorded[i] = v->inherited[i] = VERIFY_NOT_RECORDED;
}

/* Upper levels over what is neither sealed nor signed are written again at the next start. */
static uint64_t durable_size(const struct verify *v, uint64_t size)
{
    uint64_t sealed = v->sealed_end * SEGMENT_ENTRIES, signed_size = v->last_signed.size;

    return u64_min(size, sealed > signed_size ? sealed : signed_size);
}

static err run(struct ctx *cx, struct verify *v, struct verify_report *out)
{
    TRY(open_folder(cx, v));
    take_room(v);
    TRY(verify_segments(cx, v));
    out->size = join_segments(v);
    verify_upper_levels(v, durable_size(v, out->size));
    verify_checkpoints(v, out->size, &out->root);
    out->pruned = v->pruned * SEGMENT_ENTRIES;
    out->checked = out->size - u64_min(out->size, out->pruned);
    out->checkpoints = v->checkpoints.n / CHECKPOINT_RECORD_BYTES;
    return ERR_OK;
}

/* Held while looking, so that no server begins to write. */
static err take_lock(struct ctx *cx, const struct verify_options *o, fs_file *out)
{
    const char *path = arena_printf(cx->mem, "%s/lock", o->dir).p;
    err e = fs_open(cx, o->fs, path, FS_READ, out);

    if (e == ERR_NOT_FOUND)
        return fail(cx, ERR_NOT_FOUND, "%s is no ledger's folder", o->dir);
    TRY(e);
    if (fs_lock(cx, o->fs, *out) != ERR_OK)
        return fail(cx, ERR_LOCKED, "%s is in use by another process", o->dir);
    return ERR_OK;
}

err ledger_verify(struct ctx *cx, const struct verify_options *options, struct verify_report *out)
{
    struct verify v = {.options = options, .cx = cx};
    int64_t begun = clock_mono_ns();
    fs_file lock = -1;

    *out = (struct verify_report){0};
    pthread_mutex_init(&v.lock, NULL);
    v.faults = arena_new(cx->mem, struct verify_fault, VERIFY_FAULTS_MAX);
    err e = take_lock(cx, options, &lock);
    if (e == ERR_OK)
        e = run(cx, &v, out);
    fs_close(options->fs, lock);
    close_folder(&v);
    TRY(e);
    qsort(v.faults, v.fault_count, sizeof *v.faults, by_place);
    out->faults = v.faults;
    out->fault_count = v.fault_count;
    out->ok = v.fault_count == 0;
    out->elapsed_ns = clock_mono_ns() - begun;
    return ERR_OK;
}
