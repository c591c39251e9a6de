/* access_private.h - the inside of this domain. */
#pragma once
#include "access/access.h"
#include "access/access_gate.h"
#include "access/access_metric.h"
#include "access/access_refusal.h"
#include "access/access_registry.h"

enum { CREDENTIAL_ID_BYTES = 16, KEY_ID_BYTES = 16, SESSION_ID_BYTES = 16 };
#define PASSWORD_WAIT_NS INT64_C(10000000000)

struct access {
    struct app *app;
    struct access_options options;
    struct registry_limits limits;
    struct vault *vault;
    struct registry *registry;
    struct refusals *refusals;
    struct gate gate;
    /* Held while the registry is brought up to date with the view, so that of two changes the later
     * state is what stays. */
    pthread_mutex_t reloading;
};

static inline int64_t access_now_us(const struct access *a)
{
    return a->options.now_us();
}

/* An actor as an event names it: "user/alice". */
str access_subject(struct arena *mem, const char *kind, str id);

/* ---- access_command.c: what the writer's thread decides ---- */

struct user_create_args {
    str name, role, credential;
    uint64_t permissions; /* of the caller */
    bool first;           /* only while there is no administrator */
};
command command_user_create;

struct user_change_args {
    str name, credential;
    uint64_t permissions;
    bool own; /* the caller is that user */
};
command command_user_disable, command_user_enable, command_user_password;

struct key_create_args {
    str id;
    const struct key_request *request;
    uint64_t permissions, wanted;
};
command command_key_create;

struct key_revoke_args {
    str id;
};
command command_key_revoke;

struct session_start_args {
    str user, credential; /* the credential that was verified */
    str id;
    int64_t expires_us;
};
command command_session_start;

/* ---- access_user.c ---- */

err access_user_put(struct ctx *cx, struct access *a, const struct caller *by,
                    const struct user_request *request, bool first,
                    struct ledger_receipt *out_receipt);
/* Bring the registry up to date with the view. */
err access_user_reload(struct ctx *cx, struct access *a, str name);
bool access_is_own(const struct caller *by, str name); /* is the caller this user? */
err access_find_user(struct ctx *cx, struct access *a, str name, struct user *out);
/* Hash or compare behind the gate: BUSY. */
err access_password_hash(struct ctx *cx, struct access *a, str password, str *out);
/* `credential` null: there is no such user; takes as long and says false. */
err access_password_verify(struct ctx *cx, struct access *a, str credential, str password,
                           bool *out);

/* Remove a secret that counts for nothing; a failure leaves it for the next start. */
void access_forget(struct access *a, enum vault_kind kind, str id);

/* ---- access_key.c ---- */

err access_find_key(struct ctx *cx, struct access *a, str id, struct api_key *out);
/* Its hash from the vault into the registry. */
err access_key_load(struct ctx *cx, struct access *a, const struct api_key *key);

/* ---- access_session.c ---- */

struct session {
    str id, user, role, token; /* token: only when it was just made; wipe it */
    int64_t created_us, expires_us;
};

struct session_request {
    str username, password;
};

err access_session_start(struct ctx *cx, struct access *a, const struct session_request *request,
                         const struct refusal *as, struct session *out,
                         struct ledger_receipt *out_receipt);
err access_session_end(struct ctx *cx, struct access *a, str id, const char *reason,
                       const struct actor *by);
err access_sessions_end(struct ctx *cx, struct access *a, str user, const char *reason,
                        const struct actor *by);
err access_sessions_load(struct ctx *cx, struct access *a);
err access_sessions_expire(struct ctx *cx, struct access *a);
err access_sessions_save(struct ctx *cx, struct access *a);

/* ---- access_setup.c ---- */

struct setup_request {
    str token, username, password;
};

/* May this token make the first administrator now? */
err access_setup_check(struct ctx *cx, struct access *a, str token, bool *out);
err access_setup_run(struct ctx *cx, struct access *a, const struct setup_request *request,
                     const struct refusal *as, struct user *out,
                     struct ledger_receipt *out_receipt);

/* ---- access_api.c ---- */

/* The refusal of this request, for refusal_note(). */
struct refusal access_refusal_of(const struct access *a, const struct request *rq,
                                 enum refusal_kind kind);
/* ---- access_page.c ---- */

handler access_setup_get, access_setup_form;
