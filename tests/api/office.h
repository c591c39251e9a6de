/* office.h - the whole application behind its real router, without a process and without a socket.
 *
 *   struct office *o = office_open(cx, dir);
 *   office_key(cx, o, "events:write events:read");   and use it from now on
 *   const struct reply *r = harness_post(o->http, "/api/v1/events", "{…}");
 *   office_close(cx, o);                             checks the view on the way out
 *
 * The data folder is dir/data, made when it is not there. */
#pragma once
#include "http_harness.h"
#include "ops/app_open.h"
#include "test.h"

struct office {
    const char *data;
    struct ctx *cx; /* of configuration and tables */
    struct config config;
    struct app *app;
    struct router *router;
    struct harness *http;
};

struct office *office_open(struct ctx *cx, const char *dir);
/* Every scenario ends with it: the view, folded again from the ledger, is the view. */
void office_close(struct ctx *cx, struct office *o);
/* Close everything, the same check, and open it again; keys stay good, the harness forgets its own.
 */
void office_restart(struct ctx *cx, struct office *o);

/* A key with these scopes (separated by blanks), used by the harness from now on; arena `mem`. */
const char *office_key(struct ctx *cx, struct office *o, const char *scopes);
/* POST of this type; on the next requests as harness_send(). */
const struct reply *office_post(struct office *o, const char *target, const char *type, str body);
