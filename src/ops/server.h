/* server.h - `chancery serve`: from configuration to a listening process and down again in order.
 */
#pragma once
#include "ops/config.h"

struct server_hooks {
    /* Called once when requests are answered; `setup_url` is null when there is an administrator.
     */
    err (*ready)(struct ctx *cx, void *state, const char *address, str setup_url);
    void *state;
};

/* Level and form of the log as the configuration says; again after every reload. */
void server_log(const struct config *config);

/* Runs until SIGTERM or SIGINT (a second one ends the process at once).  SIGTERM, SIGINT and SIGHUP
 * must be blocked in the calling thread before any thread was started.
 * `reload` loads the configuration again (SIGHUP). */
err server_run(struct ctx *cx, struct config *config, const struct config_sources *sources,
               const struct server_hooks *hooks);
