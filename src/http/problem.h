/* problem.h - what every response has in common, and how failures look (RFC 9457).
 *
 * Private to http; problem_response() itself is in route.h.  Any thread. */
#pragma once
#include "http/route.h"

/* Empty `rs` and give it the headers of every answer: request id, traceparent, and what keeps
 * browsers from guessing.  A handler may set any of them anew. */
void response_reset(struct ctx *cx, struct response *rs, const struct request *rq);
/* Take the client's X-Request-ID when it is well-formed, else make one; into cx->request_id. */
void request_id_take(struct ctx *cx, const struct request *rq);
bool request_id_is_well_formed(str id);
/* W3C Trace Context, version 00, section 3.2. */
bool traceparent_is_well_formed(str value);
