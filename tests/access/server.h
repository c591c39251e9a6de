/* server.h - a whole Chancery in a folder but for the sockets: ledger, writer, view, vault, access
 * and the real router, with a clock that the test moves. */
#pragma once
#include "access/access_private.h"
#include "http_harness.h"
#include "test.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)

#define PASSWORD "a long enough password"

struct server {
    struct app app;
    const char *dir;
    struct store *view, *vault_store;
    struct vault *vault;
    struct note_signer signer;
    struct router *router;
    struct harness *http;
    struct access_options options;
};

/* Cheap password hashing; everything else as users have it. */
struct server *server_open(struct ctx *cx, const char *dir);
/* Checks that the view is what a rebuild gives, closes and frees. */
void server_close(struct ctx *cx, struct server *s);
/* The process ends and another one starts. */
void server_restart(struct ctx *cx, struct server *s);
/* Add to the clock that `access` reads. */
void server_pass(int64_t us);
int64_t server_now_us(void);

/* POST of a JSON text with the key that is set. */
const struct reply *server_post(struct ctx *cx, struct server *s, const char *target,
                                const char *fmt, ...) PRINTF(4, 5);
/* The status of a request without a body; `key` (a key or token, may be NULL) stays set. */
int server_status(struct server *s, const char *key, const char *method, const char *target);

/* Events that the ledger holds, in order, as text; waits for what was noted. */
str server_events(struct ctx *cx, struct server *s);
/* How many of them have this type. */
size_t server_count(struct ctx *cx, struct server *s, const char *type);
/* Fails if the text is in an entry, in the view or in the server's own log. */
void server_check_nowhere(struct ctx *cx, struct server *s, str secret);

/* An API key with these scopes (separated by blanks), made as the command line does. */
const char *server_key(struct ctx *cx, struct server *s, const char *scopes, str *out_id);
void server_user(struct ctx *cx, struct server *s, const char *name, const char *role);
/* The token of a new session; the status must be 201. */
const char *server_sign_in(struct ctx *cx, struct server *s, const char *name,
                           const char *password);
