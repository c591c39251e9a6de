/* remote_local.h - the routes over a folder that no server holds, without a socket.  Inner header
 * of remote.c. */
#pragma once
#include "cli/remote.h"

struct local;

err local_open(struct ctx *cx, struct cli *cli, struct local **out);
void local_close(struct local *l); /* NULL is a no-op */
str local_dir(const struct local *l);
/* As remote_exchange().  A failure that is told to nobody over HTTP (5xx) is returned as it is. */
err local_exchange(struct ctx *cx, struct local *l, const struct remote_request *rq,
                   struct http_reply *out);
