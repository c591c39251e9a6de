/* ledger_checkpoint.c - signing the tree's head, and the history of it.
 *
 * The checkpointer signs at most once in options.checkpoint_ns while the log grows, sooner (but
 * not within CHECKPOINT_NS_MIN) when someone waits, and once more when the log is closed.  The
 * record is durable before anyone can see the checkpoint, so a start after any crash finds every
 * checkpoint that was ever given out and refuses a log that does not fit it. */
#include "base/clock.h"
#include "ledger/engine.h"
#include "ledger/metrics.h"

#define CHECKPOINT_NS_MIN INT64_C(5000000)

err checkpoint_make(struct ctx *cx, struct ledger *l)
{
    char bytes[CHECKPOINT_RECORD_BYTES];
    struct checkpoint_record r;
    struct hash root;

    pthread_mutex_lock(&l->state_lock);
    uint64_t size = l->frontier.size, count = l->checkpoint_count;
    bool done = count && l->last_signed.size == size;
    if (!done)
        frontier_root(&l->frontier, &root);
    int64_t after = l->last_signed.signed_us;
    pthread_mutex_unlock(&l->state_lock);
    if (done)
        return ERR_OK;

    int64_t now = clock_now_us();
    checkpoint_record_sign(l->options.signer, l->options.origin, size, &root,
                           now > after ? now : after, &r);
    checkpoint_record_put(&r, bytes);
    err e = fs_pwrite(cx, l->options.fs, l->checkpoints, bytes, sizeof bytes,
                      count * CHECKPOINT_RECORD_BYTES);
    if (e == ERR_NO_SPACE)
        return e; /* a full disk passes; the next record is written over this one */
    if (e == ERR_OK)
        e = fs_sync(cx, l->options.fs, l->checkpoints);
    if (e != ERR_OK)
        return poison(cx, l, e);

    LOCK(held, &l->state_lock);
    l->last_signed = r;
    l->checkpoint_count = count + 1;
    metric_add(&ledger_checkpoints_total, 1);
    pthread_cond_broadcast(&l->signed_);
    return ERR_OK;
}

/* Sizes below it are covered; 0 before the first checkpoint, which may cover the empty log. */
static uint64_t signed_end(const struct ledger *l)
{
    return l->checkpoint_count ? l->last_signed.size + 1 : 0;
}

/* Wait until a checkpoint is due; false when the ledger closes.  `last_ns`: of the one before. */
static bool wait_until_due(struct ledger *l, int64_t last_ns)
{
    LOCK(held, &l->state_lock);

    while (!l->stopping) {
        bool grown = l->checkpoint_count == 0 || l->frontier.size > l->last_signed.size;
        bool wanted = l->checkpoint_wanted > signed_end(l);
        int64_t due = last_ns + (wanted ? CHECKPOINT_NS_MIN : l->options.checkpoint_ns);
        if (!grown)
            pthread_cond_wait(&l->check_now, &l->state_lock);
        else if (clock_mono_ns() >= due)
            return true;
        else
            (void)cond_wait_until(&l->check_now, &l->state_lock, due);
    }
    return false;
}

void *checkpointer_run(void *ledger)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    struct ledger *l = ledger;
    int64_t last_ns = 0;

    while (wait_until_due(l, last_ns)) {
        if (!l->poisoned)
            err_ignore(checkpoint_make(cx, l));
        last_ns = clock_mono_ns();
        ctx_reset(cx);
    }
    if (!l->poisoned)
        err_ignore(checkpoint_make(cx, l)); /* the next start checks against the whole log */
    return NULL;
}

err ledger_checkpoint(struct ctx *cx, struct ledger *l, uint64_t size_min, str *out,
                      uint64_t *out_size)
{
    struct checkpoint_record r;

    pthread_mutex_lock(&l->state_lock);
    bool good = true;
    if (size_min >= signed_end(l) && size_min >= l->checkpoint_wanted) {
        l->checkpoint_wanted = size_min + 1;
        pthread_cond_signal(&l->check_now);
    }
    while (good && size_min >= signed_end(l)) {
        good = !l->stopping && !l->poisoned && l->options.signer;
        if (good && cx->deadline_ns)
            good = cond_wait_until(&l->signed_, &l->state_lock, cx->deadline_ns);
        else if (good)
            pthread_cond_wait(&l->signed_, &l->state_lock);
    }
    r = l->last_signed;
    pthread_mutex_unlock(&l->state_lock);
    if (!good)
        TRY(check_poison(cx, l));
    if (!good)
        return fail(cx, ERR_TIMEOUT, "no checkpoint covers %llu entries yet",
                    (unsigned long long)size_min);
    *out = checkpoint_record_note(cx, l->options.origin, &r);
    if (out_size)
        *out_size = r.size;
    return ERR_OK;
}

uint64_t ledger_checkpoint_size(const struct ledger *l)
{
    struct ledger *open = (struct ledger *)(uintptr_t)l;
    LOCK(held, &open->state_lock);

    return l->last_signed.size;
}

uint64_t ledger_checkpoint_count(const struct ledger *l)
{
    return l->checkpoint_count;
}

static err read_record(struct ctx *cx, struct ledger *l, uint64_t i, struct checkpoint_record *out)
{
    char bytes[CHECKPOINT_RECORD_BYTES];

    TRY(fs_pread_exact(cx, l->options.fs, l->checkpoints, bytes, sizeof bytes,
                       i * CHECKPOINT_RECORD_BYTES, "checkpoints"));
    if (!checkpoint_record_get(bytes, out))
        return fail(cx, ERR_CORRUPT, "checkpoints: byte %llu: the record is damaged",
                    (unsigned long long)(i * CHECKPOINT_RECORD_BYTES));
    return ERR_OK;
}

static struct ledger_signed as_signed(struct ctx *cx, const struct ledger *l,
                                      const struct checkpoint_record *r)
{
    return (struct ledger_signed){.size = r->size,
                                  .signed_us = r->signed_us,
                                  .root = r->root,
                                  .note = checkpoint_record_note(cx, l->options.origin, r)};
}

err ledger_checkpoint_at(struct ctx *cx, struct ledger *l, uint64_t i, struct ledger_signed *out)
{
    struct checkpoint_record r;

    if (i >= l->checkpoint_count)
        return fail(cx, ERR_NOT_FOUND, "there is no checkpoint %llu", (unsigned long long)i);
    TRY(read_record(cx, l, i, &r));
    *out = as_signed(cx, l, &r);
    return ERR_OK;
}

err ledger_checkpoint_covering(struct ctx *cx, struct ledger *l, uint64_t size,
                               struct ledger_signed *out)
{
    uint64_t low = 0, high = l->checkpoint_count;
    struct checkpoint_record r;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        TRY(read_record(cx, l, middle, &r));
        if (r.size < size)
            low = middle + 1;
        else
            high = middle;
    }
    return ledger_checkpoint_at(cx, l, low, out);
}
