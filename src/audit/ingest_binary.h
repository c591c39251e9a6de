/* ingest_binary.h - CloudEvents HTTP binding 1.0.2, binary mode: attributes are ce- headers, the
 * body is the data. */
#pragma once
#include "http/message.h"

/* The event as JSON text into `out`.  INVALID: a header that is not percent-encoded UTF-8, or a
 * JSON body that is not JSON. */
err ingest_binary_compose(struct ctx *cx, const struct request *rq, str body,
                          struct json_parser *parser, struct buf *out);
