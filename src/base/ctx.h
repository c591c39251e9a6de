/* ctx.h - what a piece of work carries with it: memory, deadline, request id, why it failed.
 *
 * First parameter of nearly every function.  One thread at a time; no globals behind it. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum { CTX_DETAIL_BYTES = 512, CTX_ISSUES_MAX = 100, CTX_REQUEST_ID_BYTES = 129 };

/* One wrong place in an input: a JSON pointer (RFC 6901) and what is wrong there. */
struct issue {
    str pointer;
    str detail;
};

struct ctx {
    struct arena *mem;   /* results: lives as long as the piece of work */
    struct arena *tmp;   /* scratch: see SCRATCH() */
    int64_t deadline_ns; /* on clock_mono_ns(); 0 is none */
    err code;            /* of the last fail() */
    char detail[CTX_DETAIL_BYTES];
    char request_id[CTX_REQUEST_ID_BYTES]; /* "" outside requests */
    struct issue *issues;                  /* arena `mem`; all places that were found wrong */
    size_t issue_count;
    str members; /* what a failure tells beside its detail: JSON members `"a":1,"b":2`, or null */
};

/* Owned: ctx_close().  `limit_bytes` bounds what inputs may allocate in `mem` (0: no bound). */
struct ctx *ctx_open(size_t limit_bytes);
void ctx_close(struct ctx *cx); /* NULL is a no-op */
void ctx_reset(struct ctx *cx); /* as new, keeping its first chunks of memory */
static inline void ctx_cleanup(struct ctx **cx)
{
    ctx_close(*cx);
}

/* Forget the last failure (it was dealt with). */
void ctx_clear_error(struct ctx *cx);
/* Add a wrong place; beyond CTX_ISSUES_MAX they are only counted by the last one's text. */
void ctx_add_issue(struct ctx *cx, str pointer, const char *fmt, ...) PRINTF(3, 4);
bool ctx_deadline_passed(const struct ctx *cx);
