/* access_refusal.h - every refusal is an event, and no flood of them fills the ledger.
 *
 * The first refusal of a (principal, route, reason) is noted at once; those that follow within the
 * same minute are counted and noted as one event when it is over.  At most REFUSALS_MAX such groups
 * are held; beyond that the principal is left out ("others").
 * Threads: any; refusal_note() is called on event loops and does not wait. */
#pragma once
#include "access/access_event.h"
#include "http/message.h"
#include "writer/writer.h"

enum { REFUSALS_MAX = 1024, REFUSAL_PRINCIPAL_BYTES_MAX = 96 };
#define REFUSAL_WINDOW_US INT64_C(60000000)

enum refusal_kind {
#define X(name, code, type, outcome, reason, detail) REFUSED_##name,
#include "access/access_refusal.def"
#undef X
    REFUSAL_KINDS,
};

struct refusals;

struct refusals *refusals_open(struct writer *w); /* owned; borrows the writer */
void refusals_close(struct refusals *r);          /* what was not flushed is lost */

struct refusal {
    enum refusal_kind kind;
    str principal;             /* who is asking, or who they say they are */
    const char *method, *path; /* of the route; static */
    str peer;
    int64_t now_us;
};

void refusal_note(struct refusals *r, const struct refusal *refusal);
/* Note the counts of all minutes that are over (`all`: of all). */
void refusals_flush(struct refusals *r, int64_t now_us, bool all);

/* The error of a refusal with what the client is told; `more` (may be "") is put behind it. */
err refusal_fail(struct ctx *cx, enum refusal_kind kind, const char *more);
