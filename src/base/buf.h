/* buf.h - a growing byte buffer that cannot be made without a maximum.
 *
 * Failure is sticky: after a put that would pass `max` (or memory ran out) all further puts do
 * nothing and buf_ok() is false, so writers check once at the end.  The bytes are always followed
 * by a NUL that does not count.  One thread at a time. */
#pragma once
#include "base/base.h"

struct buf {
    char *p; /* owned; NULL while empty */
    size_t n;
    size_t capacity;
    size_t max;
    bool failed;
};

#define BUF(max_bytes) ((struct buf){.max = (max_bytes)})

void buf_close(struct buf *b); /* frees; leaves an empty buffer with the same max */
static inline void buf_clear(struct buf *b)
{
    b->n = 0;
    b->failed = false;
}

static inline str buf_str(const struct buf *b)
{
    return (str){b->p ? b->p : "", b->n};
}

static inline bool buf_ok(const struct buf *b)
{
    return !b->failed;
}

/* ERR_TOO_LARGE naming `what` when a put has failed. */
err buf_check(struct ctx *cx, const struct buf *b, const char *what);

/* Room for `n` more bytes at b->p + b->n; false when that fails.  Add to b->n what was used. */
bool buf_reserve(struct buf *b, size_t n);
void buf_put(struct buf *b, str s);
void buf_put_char(struct buf *b, char c);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_i64(struct buf *b, int64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_drop_front(struct buf *b, size_t n); /* n <= b->n */
