/* sse_reader.h - server-sent events from bytes as they come (WHATWG HTML, section 9.2.6).
 *
 * Pure: no I/O.  Inner header of src/cli. */
#pragma once
#include "base/buf.h"

enum { SSE_LINE_BYTES_MAX = 1 << 20 };

struct sse_event {
    str id;    /* of this event or the last one that had one; "" at first */
    str event; /* "message" unless named */
    str data;
};

typedef err sse_take(struct ctx *cx, void *state, const struct sse_event *e);

struct sse_reader {
    struct buf line, data, id, event;
    bool after_cr, any_data;
    sse_take *take;
    void *state;
};

struct sse_reader sse_reader_open(sse_take *take, void *state);
void sse_reader_close(struct sse_reader *r);
/* A new connection: what was unfinished is forgotten, the last id is kept. */
void sse_reader_restart(struct sse_reader *r);
/* TOO_LARGE: a line or event without end. */
err sse_reader_feed(struct ctx *cx, struct sse_reader *r, str bytes);
