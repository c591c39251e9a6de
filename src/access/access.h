/* access.h - who may do what: users, sessions, API keys, the first administrator.
 *
 * Users and keys are folded from events (access_view.h), their secrets lie in the vault, and a
 * registry in memory answers for every request (access_registry.h).  A change goes
 *   secret into the vault -> command: check, emit -> view -> registry,
 * so a crash in between leaves at most a secret that no event speaks of: it counts for nothing and
 * is removed by the next access_open().  What takes something away goes the other way round.
 *
 * The functions below that take a `caller` are the same for handlers and for the command line on a
 * folder that no server holds.  Threads: any.  Errors: INVALID (with issues), NOT_FOUND, CONFLICT,
 * FORBIDDEN (a caller gives at most what it has), UNAUTHENTICATED, BUSY, and those of writer.h. */
#pragma once
#include "access/access_view.h"
#include "access/permission.h"
#include "access/vault.h"
#include "crypto/password.h"
#include "http/route.h"
#include "ledger/ledger.h"
#include "writer/app.h"
#include "writer/module.h"

struct access;

struct access_options {
    struct vault *vault;         /* borrowed */
    int64_t session_idle_us;     /* without a request a session ends after this */
    int64_t session_absolute_us; /* and after this in any case */
    size_t sessions_max;
    struct password_options password;
    unsigned password_threads;     /* hashed at once; 0: one for each core */
    unsigned password_waiting_max; /* beyond it BUSY */
    int64_t (*now_us)(void);       /* NULL: clock_now_us() */
};

#define ACCESS_OPTIONS_DEFAULT                                                                     \
    ((struct access_options){                                                                      \
        .session_idle_us = INT64_C(30) * 60 * 1000000,                                             \
        .session_absolute_us = INT64_C(12) * 3600 * 1000000,                                       \
        .sessions_max = 10000,                                                                     \
        .password = PASSWORD_OPTIONS_DEFAULT,                                                      \
        .password_waiting_max = 8,                                                                 \
    })

/* Needs app->view (migrated, caught up) and app->writer.  Owned: access_close(), while the writer
 * still runs. */
err access_open(struct ctx *cx, struct app *app, const struct access_options *options,
                struct access **out);
void access_close(struct access *a); /* NULL is a no-op */

/* ---- for the router: they do not wait ---- */

err access_authenticate(struct ctx *cx, struct request *rq);
err access_authorize(struct ctx *cx, const struct request *rq);

/* ---- for the module table ---- */

extern const struct route access_routes[];
extern const struct event_kind access_events[];
extern const struct job access_jobs[];
extern struct metric *const access_metrics[];
/* Of the view: access_view_migrations.  The vault's own tables are vault.c's affair. */

/* ---- callers ---- */

struct caller {
    struct actor actor;
    uint64_t permissions;
};

extern const struct caller access_system; /* the command line: "system", may do everything */
/* Who is asking; strings in arena `mem` or borrowed from the request. */
struct caller access_caller(struct ctx *cx, const struct request *rq);

/* ---- users ---- */

struct user_request {
    str username, role, password;
};

err access_user_create(struct ctx *cx, struct app *app, const struct caller *by,
                       const struct user_request *request, struct user *out,
                       struct ledger_receipt *out_receipt);
/* All sessions of a user who is disabled, or whose password changes, end. */
err access_user_disable(struct ctx *cx, struct app *app, const struct caller *by, str name,
                        struct user *out, struct ledger_receipt *out_receipt);
err access_user_enable(struct ctx *cx, struct app *app, const struct caller *by, str name,
                       struct user *out, struct ledger_receipt *out_receipt);

struct password_request {
    str password;
    str current_password; /* needed to change one's own */
};

err access_user_password(struct ctx *cx, struct app *app, const struct caller *by, str name,
                         const struct password_request *request, struct user *out,
                         struct ledger_receipt *out_receipt);

/* ---- API keys ---- */

struct key_request {
    str name;
    struct strs scopes;
    int64_t expires_us; /* 0: never */
};

/* *out_text is the key itself, shown this once; wipe it with secret_wipe_str(). */
err access_key_create(struct ctx *cx, struct app *app, const struct caller *by,
                      const struct key_request *request, struct api_key *out, str *out_text,
                      struct ledger_receipt *out_receipt);
err access_key_revoke(struct ctx *cx, struct app *app, const struct caller *by, str id,
                      struct api_key *out, struct ledger_receipt *out_receipt);
err access_key_list(struct ctx *cx, struct app *app, str after, size_t limit, struct list *out);

/* ---- the first administrator ---- */

#define SETUP_LINK_US (INT64_C(24) * 3600 * 1000000)

err access_has_administrator(struct ctx *cx, struct app *app, bool *out);
/* A new one-time token for /setup?token=...; the one before no longer counts.  CONFLICT when there
 * is an administrator. */
err access_setup_link(struct ctx *cx, struct app *app, int64_t valid_us, str *out_token);
