/* writer.c - the queue and the batch loop.  See writer.h.
 *
 * A batch: own events first (their index must be known when they are folded, and only entries of
 * clients can turn out to be duplicates), then the ready-made entries in the order of their stamps.
 * The batch's time is the oldest stamp in it, so that no entry has to be stamped and hashed again.
 *
 * `lock` guards the queue.  A ticket belongs to the writer from writer_submit() until its futex
 * word says DONE; after that the writer never touches it again. */
#include "writer/writer.h"
#include "base/clock.h"
#include "base/queue.h"
#include "ledger/query.h"
#include "writer/emitter.h"
#include "writer/metrics.h"
#include "writer/view.h"
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PENDING, ASLEEP, DONE };

/* A command or a note on its way through the queue. */
struct call {
    command *run; /* NULL: a note */
    void *args;
    struct ctx *cx; /* of the caller; a note's own */
    struct actor actor;
    struct event event;
    str data; /* of a note, encoded */
    struct ledger_receipt receipt;
    bool emitted;
};

struct writer {
    struct writer_options options;
    struct emitter emitter;
    pthread_t thread;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t filled, emptied;
    struct writer_ticket *head, **tail;
    size_t bytes;
    uint64_t sequence;
    bool shut;
    _Atomic unsigned depth;
    _Atomic bool broken;
};

/* ---- tickets ---- */

static void futex_wait(int *word, int value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void complete(struct writer_ticket *t)
{
    int *word = &t->done;

    if (__atomic_exchange_n(word, DONE, __ATOMIC_ACQ_REL) == ASLEEP)
        syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

err writer_wait(struct ctx *cx, struct writer *w, struct writer_ticket *t)
{
    int expected = PENDING;

    (void)w;
    if (__atomic_compare_exchange_n(&t->done, &expected, ASLEEP, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
        while (__atomic_load_n(&t->done, __ATOMIC_ACQUIRE) != DONE)
            futex_wait(&t->done, ASLEEP);
    }
    return t->result == ERR_OK ? ERR_OK : fail(cx, t->result, "%s", t->detail);
}

err writer_submit(struct ctx *cx, struct writer *w, struct writer_ticket *t, bool patient)
{
    t->done = PENDING;
    t->result = ERR_OK;
    t->next = NULL;
    t->bytes = t->batch ? t->batch->frames.n : 0;
    t->queued_ns = clock_mono_ns();
    if (t->batch)
        entry_batch_hash(t->batch);

    LOCK(held, &w->lock);
    while (patient && !w->shut && w->bytes && w->bytes + t->bytes > w->options.queue_bytes_max)
        pthread_cond_wait(&w->emptied, &w->lock);
    if (w->shut)
        return fail(cx, ERR_STOPPED, "the server is stopping");
    if (w->bytes && w->bytes + t->bytes > w->options.queue_bytes_max)
        return fail(cx, ERR_BUSY, "the writer's queue is full");
    t->sequence = w->sequence++;
    *w->tail = t;
    w->tail = &t->next;
    w->bytes += t->bytes;
    w->depth++;
    pthread_cond_signal(&w->filled);
    return ERR_OK;
}

err writer_append(struct ctx *cx, struct writer *w, struct entry_batch *batch,
                  struct ledger_receipt *receipts)
{
    struct writer_ticket t = {.batch = batch, .receipts = receipts};

    TRY(writer_submit(cx, w, &t, false));
    return writer_wait(cx, w, &t);
}

err writer_run(struct ctx *cx, struct writer *w, command *run, void *args,
               const struct actor *actor, struct ledger_receipt *out_receipt)
{
    struct call call = {.run = run, .args = args, .cx = cx, .actor = *actor};
    struct writer_ticket t = {.call = &call};

    TRY(writer_submit(cx, w, &t, true));
    err e = writer_wait(cx, w, &t);
    if (e == ERR_OK && out_receipt)
        *out_receipt = call.receipt;
    return e;
}

static void note_free(struct writer_ticket *t)
{
    ctx_close(t->call->cx);
    free(t->call);
    free(t);
}

void writer_note(struct writer *w, const struct event *e, const struct actor *actor)
{
    struct writer_ticket *t = calloc(1, sizeof *t);
    struct call *call = calloc(1, sizeof *call);
    struct buf data = BUF(ENTRY_BYTES_MAX);

    ENSURE(t && call);
    struct ctx *cx = ctx_open(0);
    emitter_encode_data(&w->emitter, e, &data);
    *call = (struct call){
        .cx = cx,
        .event = {e->type, arena_str(cx->mem, e->subject), arena_str(cx->mem, e->outcome), NULL},
        .actor = {arena_str(cx->mem, actor->principal), arena_str(cx->mem, actor->remoteip),
                  arena_str(cx->mem, actor->sessionid)},
        .data = arena_str(cx->mem, buf_str(&data)),
    };
    buf_close(&data);
    t->call = call;
    if (writer_submit(cx, w, t, true) != ERR_OK)
        note_free(t);
}

/* ---- the batch ---- */

struct batch {
    struct writer_ticket **tickets;
    size_t count, capacity;
    size_t calls;
    uint64_t entries;
};

static void batch_push(struct batch *b, struct writer_ticket *t)
{
    if (b->count == b->capacity) {
        b->capacity = size_max(64, b->capacity * 2);
        b->tickets = realloc(b->tickets, b->capacity * sizeof *b->tickets);
        ENSURE(b->tickets);
    }
    b->tickets[b->count++] = t;
    b->calls += t->call != NULL;
    b->entries += t->batch ? t->batch->count : 0;
}

/* Wait for work and take up to batch_bytes_max of it; false when shut and empty. */
static bool take(struct writer *w, struct batch *b)
{
    size_t bytes = 0;
    LOCK(held, &w->lock);

    while (!w->head && !w->shut)
        pthread_cond_wait(&w->filled, &w->lock);
    b->count = b->calls = 0;
    b->entries = 0;
    while (w->head && (b->count == 0 || bytes + w->head->bytes <= w->options.batch_bytes_max)) {
        struct writer_ticket *t = w->head;
        w->head = t->next;
        bytes += t->bytes;
        w->depth--;
        batch_push(b, t);
    }
    if (!w->head)
        w->tail = &w->head;
    w->bytes -= bytes;
    pthread_cond_broadcast(&w->emptied);
    return b->count != 0;
}

static int64_t ticket_stamp(const struct writer_ticket *t)
{
    return t->batch && t->batch->count ? t->batch->meta[0].recorded_us : INT64_MAX;
}

static int by_stamp(const void *a, const void *b)
{
    const struct writer_ticket *x = *(struct writer_ticket *const *)a;
    const struct writer_ticket *y = *(struct writer_ticket *const *)b;
    int64_t s = ticket_stamp(x), t = ticket_stamp(y);

    if (s != t)
        return s < t ? -1 : 1;
    return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

static int64_t batch_time(const struct writer *w, const struct batch *b)
{
    int64_t now = clock_now_us(), newest = ledger_recorded_us(w->options.ledger);
    int64_t oldest = ticket_stamp(b->tickets[0]);

    now = oldest < now ? oldest : now;
    return now > newest ? now : newest;
}

static void set_result(struct writer_ticket *t, const struct ctx *cx, err e)
{
    t->result = e;
    if (e != ERR_OK)
        memcpy(t->detail, cx->detail, sizeof t->detail);
}

/* One command in its savepoint, or one note. */
static err run_call(struct writer *w, struct call *c, int64_t now_us)
{
    struct store *view = w->options.view;
    struct work work = {store_writer(view), now_us, &c->actor, &w->emitter};
    size_t before = w->emitter.batch.count;

    TRY(store_savepoint(c->cx, view));
    err e = c->run
                ? c->run(c->cx, &work, c->args)
                : emitter_add(c->cx, &w->emitter, &c->event, c->data, &c->actor, now_us, work.view);
    if (e != ERR_OK) {
        emitter_undo(&w->emitter, before);
        CLEANUP(ctx_cleanup) struct ctx *undo = ctx_open(0);
        err undone = store_savepoint_undo(undo, view);
        return undone == ERR_OK ? e : fail(c->cx, undone, "%s", undo->detail);
    }
    c->emitted = w->emitter.batch.count > before;
    c->receipt.index = before; /* place in the batch, for now */
    return store_savepoint_release(c->cx, view);
}

static err run_calls(struct ctx *cx, struct writer *w, const struct batch *b, int64_t now_us)
{
    TRY(store_begin(cx, w->options.view));
    for (size_t i = 0; i < b->count; i++) {
        struct writer_ticket *t = b->tickets[i];
        if (t->call)
            set_result(t, t->call->cx, run_call(w, t->call, now_us));
    }
    return view_set_applied(cx, store_writer(w->options.view),
                            w->emitter.first + w->emitter.batch.count);
}

static err append_all(struct ctx *cx, struct writer *w, const struct batch *b,
                      struct ledger_receipt *own)
{
    SCRATCH(tmp, cx);
    struct entry_batch **batches = arena_new(tmp.mem, struct entry_batch *, b->count + 1);
    struct ledger_receipt **receipts = arena_new(tmp.mem, struct ledger_receipt *, b->count + 1);
    size_t n = 0;

    if (w->emitter.batch.count) {
        receipts[n] = own;
        batches[n++] = &w->emitter.batch;
    }
    for (size_t i = 0; i < b->count; i++) {
        struct writer_ticket *t = b->tickets[i];
        if (!t->batch || !t->batch->count)
            continue;
        receipts[n] = t->receipts;
        batches[n++] = t->batch;
    }
    return n ? ledger_append(cx, w->options.ledger, batches, n, receipts, NULL) : ERR_OK;
}

/* The receipt of a command is that of its first event. */
static void hand_receipts(const struct batch *b, const struct ledger_receipt *own)
{
    for (size_t i = 0; i < b->count; i++) {
        struct call *c = b->tickets[i]->call;
        if (c && c->emitted)
            c->receipt = own[c->receipt.index];
    }
}

static void finish(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        struct writer_ticket *t = b->tickets[i];
        if (t->call && !t->call->run)
            note_free(t);
        else
            complete(t);
    }
}

/* Everything of the batch fails alike, but calls that had failed on their own. */
static void fail_all(const struct ctx *cx, struct batch *b, err e)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->tickets[i]->result == ERR_OK)
            set_result(b->tickets[i], cx, e);
}

static err commit_batch(struct ctx *cx, struct writer *w, struct batch *b)
{
    struct store *view = w->options.view;
    int64_t begun = clock_mono_ns();

    qsort(b->tickets, b->count, sizeof *b->tickets, by_stamp);
    emitter_begin(&w->emitter, ledger_size(w->options.ledger));
    err e = b->calls ? run_calls(cx, w, b, batch_time(w, b)) : ERR_OK;
    struct ledger_receipt *own =
        arena_new(cx->mem, struct ledger_receipt, size_max(1, w->emitter.batch.count));
    if (e == ERR_OK)
        e = append_all(cx, w, b, own);
    if (e != ERR_OK) {
        if (b->calls)
            store_rollback(view);
        return e;
    }
    hand_receipts(b, own);
    metric_observe(&writer_batch_seconds, clock_mono_ns() - begun);
    metric_observe(&writer_batch_entries, (int64_t)(b->entries + w->emitter.batch.count));
    if (b->calls && store_commit(cx, view) != ERR_OK) {
        w->broken = true; /* the ledger has what the view has not: only a start can mend that */
        return cx->code;
    }
    return ERR_OK;
}

/* A full disk passes; anything else that fails in the ledger ends the process. */
static bool is_fatal(const struct writer *w, err e)
{
    return e == ERR_IO || e == ERR_CORRUPT || w->broken;
}

static void *writer_loop(void *arg)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    struct writer *w = arg;
    struct batch b = {0};

    while (take(w, &b)) {
        err e =
            w->broken ? fail(cx, ERR_STOPPED, "an earlier write failed") : commit_batch(cx, w, &b);
        if (e != ERR_OK) {
            metric_add(&writer_failures_total, 1);
            fail_all(cx, &b, e);
        }
        bool fatal = e != ERR_OK && !w->broken && is_fatal(w, e);
        bool broke = e != ERR_OK && w->broken && e != ERR_STOPPED;
        if (fatal || broke) {
            w->broken = true;
            w->options.fatal(cx, e);
        }
        finish(&b);
        ctx_reset(cx);
    }
    free(b.tickets);
    return NULL;
}

unsigned writer_queue_depth(const struct writer *w)
{
    return w->depth;
}

/* ---- opening and closing ---- */

err writer_open(struct ctx *cx, const struct writer_options *options, struct writer **out)
{
    struct writer *w = calloc(1, sizeof *w);

    ENSURE(w);
    w->options = *options;
    w->tail = &w->head;
    pthread_mutex_init(&w->lock, NULL);
    cond_init(&w->filled);
    cond_init(&w->emptied);
    emitter_open(&w->emitter, options->events);
    err e = view_catch_up(cx, options->ledger, options->view, options->events);
    if (e != ERR_OK) {
        emitter_close(&w->emitter);
        free(w);
        return e;
    }
    w->thread = thread_start("writer", writer_loop, w);
    *out = w;
    return ERR_OK;
}

void writer_close(struct writer *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->shut = true;
    pthread_cond_broadcast(&w->filled);
    pthread_cond_broadcast(&w->emptied);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    emitter_close(&w->emitter);
    pthread_cond_destroy(&w->filled);
    pthread_cond_destroy(&w->emptied);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
