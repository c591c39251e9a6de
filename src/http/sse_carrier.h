/* sse_carrier.h - the other end of an event stream: what the transport (or a test) does with it.
 *
 * Private to http.  Senders on any thread append to the stream's backlog; the carrier, on its own
 * thread, flushes it. */
#pragma once
#include "http/sse.h"

/* From now on call `wake(carrier)` when there is something to do; called at once if there already
 * is.  May be called with the stream's lock held: it only leaves a note. */
void sse_attach(struct sse_stream *s, void (*wake)(void *carrier), void *carrier);
/* Give the backlog to `send`, which returns how many of the bytes it took.  Returns how many are
 * left. */
size_t sse_flush(struct sse_stream *s, size_t (*send)(void *state, str bytes), void *state);
/* A line that is not an event: heartbeat, retry. */
void sse_put_raw(struct sse_stream *s, str bytes);
bool sse_is_closing(struct sse_stream *s);
bool sse_overflowed(struct sse_stream *s);
/* Calls `closed` and frees the stream. */
void sse_finish(struct sse_stream *s);
