/* writer.h - the one thread that changes state: it drains its queue into a batch and commits it.
 *
 * For a whole batch: one view transaction; each command runs in a savepoint (it checks the view as
 * it now is and emits events; an emitted event is folded into the view at once; a failed command is
 * rolled back and emits nothing); all events and all ready-made entries are appended to the ledger
 * with one commit; the view commits; every waiter wakes with its result.
 * If the process dies between ledger and view, start-up folds the missing tail (writer_open).
 * If a ledger write or sync fails the process stops: memory may no longer be trusted. */
#pragma once
#include "base/metric.h"
#include "ledger/ledger.h"
#include "store/store.h"
#include "writer/event.h"

struct writer;

struct writer_options {
    struct ledger *ledger;
    struct store *view;
    const struct event_kind *const *events; /* NULL-ended list of tables, each ended by type NULL */
    size_t queue_bytes_max;                 /* of entries waiting; beyond it BUSY */
    size_t batch_bytes_max;
    void (*fatal)(const struct ctx *cx, err e); /* the process stops; when it returns (tests), the
                                                   writer refuses everything from then on */
};

/* Folds what the view has not seen, then starts the thread. */
err writer_open(struct ctx *cx, const struct writer_options *options, struct writer **out);
/* Finish what is queued, refuse more (STOPPED), stop the thread. */
void writer_close(struct writer *w);

/* Append ready-made entries (hashed) and wait until they are durable.  `receipts` has room for
 * batch->count.  BUSY when the queue is full: nothing was taken. */
err writer_append(struct ctx *cx, struct writer *w, struct entry_batch *batch,
                  struct ledger_receipt *receipts);
/* The same in two steps, so that one thread can keep several batches on their way.  The batch
 * and receipts belong to the writer until writer_wait().  Waits for room instead of BUSY when
 * `patient`. */
struct writer_ticket {
    struct entry_batch *batch;
    struct ledger_receipt *receipts; /* room for batch->count, or NULL */
    /* private */
    err result;
    char detail[CTX_DETAIL_BYTES];
    int done; /* futex word */
    struct writer_ticket *next;
    struct call *call; /* a command instead of a batch */
    size_t bytes;
    int64_t queued_ns;
    uint64_t sequence;
};
err writer_submit(struct ctx *cx, struct writer *w, struct writer_ticket *t, bool patient);
err writer_wait(struct ctx *cx, struct writer *w, struct writer_ticket *t);

/* A command decides: it reads the view, checks, and emits (event.h).  Runs on the writer's thread;
 * must not wait for anything.  `args` is its own structure; results go back in it (memory: cx->mem
 * of the caller, which waits). */
typedef err command(struct ctx *cx, struct work *work, void *args);
/* Run it and wait until its events are durable.  out_receipt (of its first event) may be NULL. */
err writer_run(struct ctx *cx, struct writer *w, command *run, void *args,
               const struct actor *actor, struct ledger_receipt *out_receipt);
/* Record one event without a check or a wait (logins, denials): queued, dropped only on shutdown.
 */
void writer_note(struct writer *w, const struct event *e, const struct actor *actor);

/* How far the view has come: entries below *out are folded.  CORRUPT when it does not say. */
err view_applied(struct ctx *cx, struct store *view, uint64_t *out);
/* Fold the whole ledger into an empty view (chancery rebuild, verify). */
typedef void progress_fn(void *state, uint64_t done, uint64_t total);
err view_rebuild(struct ctx *cx, struct ledger *l, struct store *view,
                 const struct event_kind *const *events, progress_fn *progress, void *state);

unsigned writer_queue_depth(const struct writer *w);
