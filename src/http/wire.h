/* wire.h - a response as bytes, for the few that do not go through libmicrohttpd: those that end a
 * connection whose request was never read to its end, and the heads of event streams. */
#pragma once
#include "http/message.h"
#include <sys/types.h>

/* Status line and headers with "Connection: close"; then, unless `head_only`, the body with its
 * length. */
void wire_response(struct buf *b, const struct response *rs, bool head_only);
/* Send at once what the socket takes, never waiting; how many bytes that was, or -1 when it is
 * broken. */
ssize_t wire_send(int fd, str bytes);
