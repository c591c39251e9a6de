/* verify.c - the order of looking: files, segments (several at once), order of record, tree,
 * checkpoints. */
#include "ledger/verify.h"
#include "base/clock.h"
#include "ledger/verify_inner.h"
#include <stdio.h>
#include <stdlib.h>

enum { PRUNED_BYTES_MAX = 64, THREADS_MAX = 64 };

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

/* Map a file of the folder; an absent one is empty. */
static err map_named(struct ctx *cx, const struct verify *v, const char *name, str *out)
{
    SCRATCH(tmp, cx);
    const char *path = arena_printf(tmp.mem, "%s/%s", v->options->dir, name).p;
    fs_file f;

    *out = S("");
    if (!folder_has(&v->folder, str_from(name)))
        return ERR_OK;
    TRY(fs_open(cx, v->options->fs, path, FS_READ, &f));
    err e = fs_map(cx, v->options->fs, f, out);
    fs_close(v->options->fs, f);
    return e;
}

static bool is_known_name(str name)
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
            return true;
    return false;
}

static err read_pruned(struct ctx *cx, struct verify *v)
{
    str text;

    if (!folder_has(&v->folder, S("pruned")))
        return ERR_OK;
    TRY(fs_read_all(cx, v->options->fs, arena_printf(cx->mem, "%s/pruned", v->options->dir).p,
                    PRUNED_BYTES_MAX, &text));
    if (!str_ends(text, S("\n")) || !str_to_u64(str_slice(text, 0, text.n - 1), &v->pruned))
        verify_fault(v, S("pruned"), 0, VERIFY_NO_ENTRY, "no segment number");
    return ERR_OK;
}

/* Every segment from the first kept to the last must be there in one of its forms. */
static void check_presence(struct verify *v)
{
    uint64_t raw_end = folder_segments_end(&v->folder, S("raw"));
    uint64_t seg_end = folder_segments_end(&v->folder, S("seg"));
    char name[64];

    v->sealed_end = size_max((size_t)seg_end, (size_t)v->pruned);
    v->segment_end = raw_end > v->sealed_end ? raw_end : v->sealed_end;
    for (uint64_t n = v->pruned; n < v->segment_end; n++) {
        bool sealed = folder_has_segment(&v->folder, n, S("seg"));
        snprintf(name, sizeof name, "segment-%08llu.%s", (unsigned long long)n,
                 sealed              ? "idx"
                 : n < v->sealed_end ? "seg"
                                     : "raw");
        if (!folder_has(&v->folder, str_from(name)))
            verify_fault(v, str_from(name), 0, n * SEGMENT_ENTRIES, "the file is missing");
    }
}

static err open_folder(struct ctx *cx, struct verify *v)
{
    char name[16];

    TRY(folder_read(cx, v->options->fs, v->options->dir, &v->folder));
    for (size_t i = 0; i < v->folder.count; i++)
        if (!is_known_name(v->folder.names[i]))
            verify_fault(v, v->folder.names[i], 0, VERIFY_NO_ENTRY, "no such file belongs here");
    for (unsigned level = 0; level < VERIFY_TREE_FILES; level++) {
        snprintf(name, sizeof name, "tree-%u", level);
        TRY(map_named(cx, v, name, &v->tree[level]));
    }
    TRY(map_named(cx, v, "checkpoints", &v->checkpoints));
    TRY(read_pruned(cx, v));
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
    pthread_mutex_destroy(&v->lock);
}

/* What must be there: as much as the last whole checkpoint says. */
static void read_signed_size(struct verify *v)
{
    struct checkpoint_record r;

    for (uint64_t i = v->checkpoints.n / CHECKPOINT_RECORD_BYTES; i-- > 0;) {
        if (checkpoint_record_get(v->checkpoints.p + i * CHECKPOINT_RECORD_BYTES, &r)) {
            v->signed_size = r.size;
            return;
        }
    }
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
    v->next = v->pruned;
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

/* The size is where the entries end; `recorded` must not go back from one segment to the next. */
static uint64_t join_segments(struct verify *v)
{
    uint64_t size = v->pruned * SEGMENT_ENTRIES;
    SCRATCH(tmp, v->cx);

    for (uint64_t n = v->pruned; n < v->segment_end; n++) {
        bool last = n + 1 == v->segment_end;
        size = n * SEGMENT_ENTRIES + v->counts[n];
        if (n > v->pruned && v->counts[n] && v->first_recorded[n] < v->last_recorded[n - 1])
            verify_fault(v, verify_segment_name(tmp.mem, n, n < v->sealed_end ? "seg" : "raw"), 0,
                         n * SEGMENT_ENTRIES, "\"recorded\" goes back from the segment before");
        if (v->counts[n] < SEGMENT_ENTRIES && !last)
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

static err run(struct ctx *cx, struct verify *v, struct verify_report *out)
{
    TRY(open_folder(cx, v));
    read_signed_size(v);
    v->counts = calloc(v->segment_end + 1, sizeof *v->counts);
    v->first_recorded = calloc(v->segment_end + 1, sizeof *v->first_recorded);
    v->last_recorded = calloc(v->segment_end + 1, sizeof *v->last_recorded);
    ENSURE(v->counts && v->first_recorded && v->last_recorded);
    TRY(verify_segments(cx, v));
    out->size = join_segments(v);
    if (out->size < v->signed_size)
        verify_fault(v, S("checkpoints"),
                     v->checkpoints.n / CHECKPOINT_RECORD_BYTES * CHECKPOINT_RECORD_BYTES -
                         CHECKPOINT_RECORD_BYTES,
                     out->size, "%llu entries were signed, %llu are whole",
                     (unsigned long long)v->signed_size, (unsigned long long)out->size);
    verify_upper_levels(v, out->size);
    verify_checkpoints(v, out->size, &out->root);
    out->checked = out->size - u64_min(out->size, v->pruned * SEGMENT_ENTRIES);
    out->pruned = v->pruned * SEGMENT_ENTRIES;
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
