/* emitter.h - from an event to its entry, and from an entry to the view; inside writer/ only. */
#pragma once
#include "ledger/entry.h"
#include "writer/event.h"

struct emitter {
    const struct event_kind *const *kinds;
    struct json_parser *parser;
    struct entry_batch batch; /* events of the batch being made, in order */
    struct buf text;
    uint64_t first; /* index that the batch's first entry will get */
};

void emitter_open(struct emitter *e, const struct event_kind *const *kinds);
void emitter_close(struct emitter *e);
/* Begin a batch whose first entry will be number `first`. */
void emitter_begin(struct emitter *e, uint64_t first);
/* Forget what was emitted since `count` entries were there. */
void emitter_undo(struct emitter *e, size_t count);

/* `data` of the event as JSON text, into `out`; nothing when it has none. */
void emitter_encode_data(const struct emitter *e, const struct event *event, struct buf *out);
/* As emit(), with `data` already encoded; view NULL: not folded (it has no fold). */
err emitter_add(struct ctx *cx, struct emitter *e, const struct event *event, str data,
                const struct actor *actor, int64_t now_us, struct db *view);
/* Fold one stored entry; events of unknown type and foreign entries are left alone. */
err emitter_fold(struct ctx *cx, struct emitter *e, uint64_t index, str entry, struct db *view);
