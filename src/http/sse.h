/* sse.h - server-sent events (WHATWG HTML, section 9.2): one response that goes on.
 *
 * A handler turns its response into a stream and returns; the transport keeps the connection
 * without a worker thread.  Any thread may then send; the transport's loop delivers.  A comment
 * line is sent every 15 s so that dead clients are noticed.
 * Lifetime: the stream is valid until `closed` is called, exactly once, on the loop's thread. */
#pragma once
#include "http/message.h"

enum { SSE_BACKLOG_BYTES_MAX = 1 << 20 };

struct sse_stream;

/* Make `rs` an event stream.  `closed(state)` is called when the client has gone, fell behind by
 * more than SSE_BACKLOG_BYTES_MAX, or the server stops. */
err sse_begin(struct ctx *cx, struct request *rq, struct response *rs, void (*closed)(void *state),
              void *state, struct sse_stream **out);
/* One event; `id` and `event` may be null.  False when the stream is closing. */
bool sse_send(struct sse_stream *s, str id, str event, str data);
/* Bytes that wait for the client: a sender that has much to send goes by it. */
size_t sse_backlog(struct sse_stream *s);
void sse_end(struct sse_stream *s); /* closes it from our side */
