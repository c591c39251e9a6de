/* event.h - our own events: emitted by commands, folded into the view.
 *
 * Every event of Chancery itself is a CloudEvents object with source "/chancery", a type like
 * "user.created", a subject like "user/alice", the actor, and `data` by the kind's field table. */
#pragma once
#include "base/base.h"
#include "base/json.h"
#include "base/shape.h"
#include "store/store.h"

#define EVENT_SOURCE S("/chancery")

struct event {
    const char *type;
    str subject;
    str outcome;      /* null, "success", "failure", "denied" */
    const void *data; /* struct of the kind's `data` shape, or NULL */
};

/* Who causes events. */
struct actor {
    str principal;           /* "user/alice", "key/…", "system" */
    str remoteip, sessionid; /* null when unknown */
};

/* An event as it stands in the ledger, for folds.  Valid for the call. */
struct logged_event {
    uint64_t index;
    int64_t recorded_us;
    str type, subject, actor, principal, outcome;
    struct json data; /* check has_data first */
    bool has_data;
};

/* `fold` records: it never fails on a well-formed event, never reads clock, network or randomness,
 * and depends only on the event and the view. */
typedef err fold(struct ctx *cx, struct db *view, const struct logged_event *e);

struct event_kind {
    const char *type; /* NULL ends a table */
    fold *fold;       /* NULL: the view does not care */
    const struct shape *data;
    const char *doc;
};

/* What a command may use.  Runs on the writer's thread. */
struct work {
    struct db *view; /* inside the batch's transaction */
    int64_t now_us;  /* the one clock of this command */
    const struct actor *actor;
    struct emitter *emitter; /* private */
};

/* Record an event and fold it at once. */
err emit(struct ctx *cx, struct work *work, const struct event *e);

/* Decode the event's data by its kind's shape, in folds; arena `mem`. */
err event_data(struct ctx *cx, const struct logged_event *e, const struct shape *shape, void *out);
