/* ledger_seal.c - turning full segments into sealed files, and pruning old ones.
 *
 * Sealing: compress the bundles, write the index, both under temporary names; sync them and the
 * tree files; rename the index, then the segment (whose presence means "sealed"); sync the folder;
 * only then remove the raw file.  A crash anywhere leaves either the raw file or the whole sealed
 * pair. Runs on its own thread at low priority, so that taking entries in comes first. */
#include "base/clock.h"
#include "ledger/engine.h"
#include "ledger/metrics.h"
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SEALER_NICE = 19 };
#define SEAL_RETRY_NS INT64_C(1000000000)

static err write_temporary(struct ctx *cx, struct fs fs, const char *path, str bytes)
{
    fs_file f;

    TRY(fs_open(cx, fs, path, FS_WRITE | FS_CREATE | FS_TRUNCATE, &f));
    err e = fs_pwrite(cx, fs, f, bytes.p, bytes.n, 0);
    if (e == ERR_OK)
        e = fs_sync(cx, fs, f);
    fs_close(fs, f);
    return e;
}

static err write_sealed(struct ctx *cx, struct ledger *l, const struct segment_data *s, str frames)
{
    SCRATCH(tmp, cx);
    CLEANUP(buf_close) struct buf out = BUF((size_t)1 << 40);
    struct fs fs = l->options.fs;
    struct hash root;

    TRY(fs_pread_exact(cx, fs, l->tree[2], &root, HASH_BYTES, s->number * HASH_BYTES, "tree-2"));
    TRY(segment_file_write(cx, s->number, frames, s->bundle_at, &root, l->options.zstd_level,
                           &out));
    TRY(write_temporary(cx, fs, segment_path(tmp.mem, l, s->number, "seg.new"), buf_str(&out)));
    buf_clear(&out);
    TRY(index_builder_write(cx, s->builder, s->number, &out));
    return write_temporary(cx, fs, segment_path(tmp.mem, l, s->number, "idx.new"), buf_str(&out));
}

static err put_in_place(struct ctx *cx, struct ledger *l, uint64_t number)
{
    SCRATCH(tmp, cx);
    struct fs fs = l->options.fs;

    for (unsigned level = 0; level < TREE_FILES; level++) {
        err e = fs_sync(cx, fs, l->tree[level]);
        if (e != ERR_OK) /* a second sync would say that all is well */
            return poison(cx, l, e);
    }
    TRY(fs_rename(cx, fs, segment_path(tmp.mem, l, number, "idx.new"),
                  segment_path(tmp.mem, l, number, "idx")));
    TRY(fs_rename(cx, fs, segment_path(tmp.mem, l, number, "seg.new"),
                  segment_path(tmp.mem, l, number, "seg")));
    return fs_sync_dir(cx, fs, l->dir);
}

static err seal(struct ctx *cx, struct ledger *l, uint64_t number)
{
    SCRATCH(tmp, cx);
    struct segment_data *s = segment_ref(l, number), *sealed = NULL;
    str frames;

    err e = fs_map(cx, l->options.fs, s->raw, &frames);
    if (e == ERR_OK) {
        e = write_sealed(cx, l, s, frames);
        fs_unmap(l->options.fs, frames);
    }
    segment_unref(l, s);
    TRY(e);
    TRY(put_in_place(cx, l, number));
    TRY(segment_open_sealed(cx, l, number, &sealed));
    segment_replace(l, sealed);
    l->sealed_count = number + 1;
    /* If it cannot be removed now it will be at the next start. */
    err_ignore(fs_unlink(cx, l->options.fs, segment_path(tmp.mem, l, number, "raw")));
    return ERR_OK;
}

static bool wait_for_full(struct ledger *l, uint64_t *out_number)
{
    LOCK(held, &l->state_lock);

    while (!l->stopping && l->size / SEGMENT_ENTRIES <= l->sealed_count)
        pthread_cond_wait(&l->seal_now, &l->state_lock);
    *out_number = l->sealed_count;
    return !l->stopping;
}

/* A full disk passes: the raw file stays, and sealing is tried again. */
static void note_outcome(struct ledger *l, err e)
{
    LOCK(held, &l->state_lock);

    l->sealer_failed = e != ERR_OK;
    pthread_cond_broadcast(&l->sealed);
    if (e != ERR_OK)
        (void)cond_wait_until(&l->seal_now, &l->state_lock, clock_mono_ns() + SEAL_RETRY_NS);
}

void *sealer_run(void *ledger)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    struct ledger *l = ledger;
    uint64_t number;

    while (wait_for_full(l, &number)) {
        setpriority(PRIO_PROCESS, (id_t)gettid(), SEALER_NICE);
        int64_t begun = clock_mono_ns();
        err e = l->poisoned ? ERR_IO : seal(cx, l, number);
        if (e == ERR_OK)
            metric_observe(&ledger_seal_seconds, clock_mono_ns() - begun);
        else
            metric_add(&ledger_seal_failures_total, 1);
        note_outcome(l, e);
        ctx_reset(cx);
    }
    return NULL;
}

err ledger_seal_wait(struct ctx *cx, struct ledger *l)
{
    LOCK(held, &l->state_lock);

    while (l->size / SEGMENT_ENTRIES > l->sealed_count && !l->sealer_failed && !l->poisoned)
        pthread_cond_wait(&l->sealed, &l->state_lock);
    if (l->sealer_failed || l->poisoned)
        return fail(cx, ERR_IO, "segments cannot be sealed");
    return ERR_OK;
}

/* ---- pruning ---- */

static err remove_pair(struct ctx *cx, struct ledger *l, uint64_t number)
{
    static const char *const kinds[] = {"seg", "idx"};
    SCRATCH(tmp, cx);

    for (size_t i = 0; i < COUNT(kinds); i++) {
        err e = fs_unlink(cx, l->options.fs, segment_path(tmp.mem, l, number, kinds[i]));
        if (e != ERR_OK && e != ERR_NOT_FOUND)
            return e;
    }
    return ERR_OK;
}

/* The mark is durable before the first byte goes, so a crash in between is no missing segment. */
err ledger_prune(struct ctx *cx, struct ledger *l, uint64_t index, uint64_t *out_first_kept)
{
    uint64_t to = u64_min(index / SEGMENT_ENTRIES, l->sealed_count), from = l->pruned_count;
    SCRATCH(tmp, cx);

    if (to > from) {
        TRY(check_poison(cx, l));
        TRY(fs_replace(cx, l->options.fs, l->dir, "pruned", pruned_mark(tmp.mem, to)));
        for (uint64_t number = from; number < to; number++) {
            segment_replace(l, segment_data_new(number, SEGMENT_PRUNED));
            l->pruned_count = number + 1;
            bundle_cache_drop(l->cache, number * SEGMENT_BUNDLES, SEGMENT_BUNDLES);
            TRY(remove_pair(cx, l, number));
        }
        TRY(fs_sync_dir(cx, l->options.fs, l->dir));
    }
    *out_first_kept = ledger_first_kept(l);
    return ERR_OK;
}
