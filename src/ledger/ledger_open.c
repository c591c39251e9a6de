/* ledger_open.c - opening and closing the log and its segments. */
#include "base/clock.h"
#include "ledger/engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

const char *segment_path(struct arena *a, const struct ledger *l, uint64_t number, const char *kind)
{
    return arena_printf(a, "%s/segment-%08llu.%s", l->dir, (unsigned long long)number, kind).p;
}

err poison(struct ctx *cx, struct ledger *l, err e)
{
    pthread_mutex_lock(&l->state_lock);
    if (!l->poisoned)
        memcpy(l->failure, cx->detail, sizeof l->failure);
    l->poisoned = true;
    pthread_cond_broadcast(&l->signed_);
    pthread_cond_broadcast(&l->sealed);
    pthread_mutex_unlock(&l->state_lock);
    return e;
}

err check_poison(struct ctx *cx, const struct ledger *l)
{
    if (l->poisoned)
        return fail(cx, ERR_IO, "an earlier write to the ledger failed; it must be opened again");
    return ERR_OK;
}

struct segment_data *segment_data_new(uint64_t number, enum segment_state state)
{
    struct segment_data *s = calloc(1, sizeof *s);

    ENSURE(s);
    s->number = number;
    s->state = state;
    s->refs = 1;
    s->raw = -1;
    s->count = state == SEGMENT_GROWING ? 0 : SEGMENT_ENTRIES;
    return s;
}

void segment_data_close(struct ledger *l, struct segment_data *s)
{
    if (!s)
        return;
    fs_close(l->options.fs, s->raw);
    index_builder_close(s->builder);
    index_reader_close(s->reader);
    segment_file_close(s->file);
    fs_unmap(l->options.fs, s->segment_map);
    fs_unmap(l->options.fs, s->index_map);
    free(s);
}

err segments_push(struct ctx *cx, struct ledger *l, struct segment_data *s)
{
    LOCK(held, &l->segments_lock);

    if (l->segment_count == l->segment_capacity) {
        size_t capacity = size_max(64, l->segment_capacity * 2);
        struct segment_data **more = realloc(l->segments, capacity * sizeof *more);
        if (!more)
            return fail(cx, ERR_TOO_LARGE, "there is not enough memory for another segment");
        l->segments = more;
        l->segment_capacity = capacity;
    }
    l->segments[l->segment_count++] = s;
    l->sealed_bytes += s->segment_map.n;
    l->index_bytes += s->index_map.n;
    return ERR_OK;
}

err segment_create(struct ctx *cx, struct ledger *l, uint64_t number, struct segment_data **out)
{
    SCRATCH(tmp, cx);
    struct segment_data *s = segment_data_new(number, SEGMENT_GROWING);
    err e = fs_open(cx, l->options.fs, segment_path(tmp.mem, l, number, "raw"),
                    FS_WRITE | FS_CREATE | FS_TRUNCATE, &s->raw);

    s->builder = index_builder_open();
    if (e != ERR_OK) {
        segment_data_close(l, s);
        return e;
    }
    *out = s;
    return ERR_OK;
}

/* Map a whole file; the mapping outlives its handle.  A query touches a few pages of each file:
 * without the hint the kernel reads megabytes ahead of every one of them. */
static err map_file(struct ctx *cx, struct fs fs, const char *path, str *out)
{
    fs_file f;

    TRY(fs_open(cx, fs, path, FS_READ, &f));
    err e = fs_map(cx, fs, f, out);
    fs_close(fs, f);
    if (e == ERR_OK && out->n)
        (void)posix_madvise((void *)(uintptr_t)out->p, out->n, POSIX_MADV_RANDOM);
    return e;
}

static err open_sealed_parts(struct ctx *cx, struct ledger *l, struct segment_data *s)
{
    SCRATCH(tmp, cx);
    const char *segment = segment_path(tmp.mem, l, s->number, "seg");
    const char *index = segment_path(tmp.mem, l, s->number, "idx");
    char why[CTX_DETAIL_BYTES];

    TRY(map_file(cx, l->options.fs, segment, &s->segment_map));
    err e = segment_file_open(cx, s->segment_map, s->number, &s->file);
    if (e == ERR_OK) {
        TRY(map_file(cx, l->options.fs, index, &s->index_map));
        segment = index;
        e = index_reader_open(cx, s->index_map, s->number, &s->reader);
    }
    if (e != ERR_OK) {
        memcpy(why, cx->detail, sizeof why);
        return fail(cx, e, "%s: %.400s", segment, why);
    }
    return ERR_OK;
}

err segment_open_sealed(struct ctx *cx, struct ledger *l, uint64_t number,
                        struct segment_data **out)
{
    struct segment_data *s = segment_data_new(number, SEGMENT_SEALED);
    err e = open_sealed_parts(cx, l, s);

    if (e != ERR_OK) {
        segment_data_close(l, s);
        return e;
    }
    *out = s;
    return ERR_OK;
}

/* A new folder is durable when the one above it is synced. */
static err sync_parent(struct ctx *cx, struct ledger *l)
{
    SCRATCH(tmp, cx);
    const char *slash = strrchr(l->dir, '/');
    str parent = slash ? (str){l->dir, (size_t)(slash - l->dir)} : S(".");

    return fs_sync_dir(cx, l->options.fs, parent.n ? arena_z(tmp.mem, parent) : "/");
}

/* A reader of a folder that was copied without the file goes without the lock. */
static err take_lock(struct ctx *cx, struct ledger *l)
{
    SCRATCH(tmp, cx);
    const char *path = arena_printf(tmp.mem, "%s/lock", l->dir).p;
    err e = fs_open(cx, l->options.fs, path, l->options.signer ? FS_WRITE | FS_CREATE : FS_READ,
                    &l->lock);

    if (e == ERR_NOT_FOUND && !l->options.signer) {
        ctx_clear_error(cx);
        return ERR_OK;
    }
    TRY(e);
    e = fs_lock(cx, l->options.fs, l->lock);
    return e == ERR_LOCKED ? fail(cx, e, "%s is in use by another process", l->dir) : e;
}

/* In a log that has segments these files have been made before the first of them. */
static err open_one(struct ctx *cx, struct ledger *l, const char *name, bool is_new, fs_file *out)
{
    SCRATCH(tmp, cx);
    unsigned flags = l->options.signer ? FS_WRITE : FS_READ;
    err e = fs_open(cx, l->options.fs, arena_printf(tmp.mem, "%s/%s", l->dir, name).p,
                    flags | (is_new && l->options.signer ? FS_CREATE : 0), out);

    return e == ERR_NOT_FOUND ? fail(cx, is_new ? e : ERR_CORRUPT, "%s/%s is missing", l->dir, name)
                              : e;
}

static err open_files(struct ctx *cx, struct ledger *l, struct folder *out)
{
    struct fs fs = l->options.fs;
    char name[16];

    if (l->options.signer)
        TRY(fs_mkdir(cx, fs, l->dir));
    TRY(take_lock(cx, l));
    TRY(folder_read(cx, fs, l->dir, out));
    bool is_new = folder_segments_end(out, S("raw")) + folder_segments_end(out, S("seg")) == 0 &&
                  !folder_has(out, S("pruned"));
    for (unsigned level = 0; level < TREE_FILES; level++) {
        snprintf(name, sizeof name, "tree-%u", level);
        TRY(open_one(cx, l, name, is_new, &l->tree[level]));
    }
    TRY(open_one(cx, l, "checkpoints", is_new, &l->checkpoints));
    if (!l->options.signer)
        return ERR_OK;
    if (is_new)
        TRY(sync_parent(cx, l));
    return fs_sync_dir(cx, fs, l->dir); /* whatever names are seen are durable from here on */
}

static struct ledger *ledger_new(const struct ledger_options *options)
{
    struct ledger *l = calloc(1, sizeof *l);

    ENSURE(l);
    l->options = *options;
    l->dir = strdup(options->dir);
    l->origin_text = strndup(options->origin.p, options->origin.n);
    ENSURE(l->dir && l->origin_text);
    l->options.origin = str_from(l->origin_text);
    l->lock = l->checkpoints = -1;
    for (unsigned i = 0; i < TREE_FILES; i++)
        l->tree[i] = -1;
    pthread_mutex_init(&l->segments_lock, NULL);
    pthread_mutex_init(&l->state_lock, NULL);
    cond_init(&l->grown);
    cond_init(&l->signed_);
    cond_init(&l->check_now);
    cond_init(&l->seal_now);
    cond_init(&l->sealed);
    l->cache = bundle_cache_open(options->cache_bytes);
    if (options->dedup_ids)
        l->dedup = dedup_open(options->dedup_ids);
    frontier_init(&l->frontier);
    return l;
}

static void stop_threads(struct ledger *l)
{
    if (!l->threads_run)
        return;
    pthread_mutex_lock(&l->state_lock);
    l->stopping = true;
    pthread_cond_broadcast(&l->check_now);
    pthread_cond_broadcast(&l->seal_now);
    pthread_mutex_unlock(&l->state_lock);
    pthread_join(l->sealer, NULL);
    pthread_join(l->checkpointer, NULL);
    l->threads_run = false;
}

void ledger_close(struct ledger *l)
{
    if (!l)
        return;
    stop_threads(l);
    for (size_t i = 0; i < l->segment_count; i++)
        segment_data_close(l, l->segments[i]);
    free(l->segments);
    bundle_cache_close(l->cache);
    dedup_close(l->dedup);
    for (unsigned i = 0; i < TREE_FILES; i++)
        fs_close(l->options.fs, l->tree[i]);
    fs_close(l->options.fs, l->checkpoints);
    fs_close(l->options.fs, l->lock);
    free((char *)(uintptr_t)l->dir);
    free((char *)(uintptr_t)l->origin_text);
    free(l);
}

err ledger_open(struct ctx *cx, const struct ledger_options *options, struct ledger **out)
{
    struct ledger *l = ledger_new(options);
    struct recovery r = {.l = l};
    err e = open_files(cx, l, &r.folder);

    if (e == ERR_OK)
        e = ledger_recover(cx, &r);
    if (e == ERR_OK && options->signer)
        e = ledger_mend(cx, &r);
    if (e != ERR_OK) {
        ledger_close(l);
        return e;
    }
    if (options->signer) {
        l->sealer = thread_start("sealer", sealer_run, l);
        l->checkpointer = thread_start("checkpointer", checkpointer_run, l);
        l->threads_run = true;
    }
    *out = l;
    return ERR_OK;
}
