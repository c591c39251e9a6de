/* access_registry.h - who may come in, in memory: users, API keys, sessions.
 *
 * It answers "whose credential is this and what may they do" for every request, on the event loops,
 * in under a microsecond and without waiting for disk.  It holds copies: users and keys follow the
 * view, their secrets and the sessions follow the vault.  Secrets are held as SHA-256 only.
 *
 * Threads: any.  One read-write lock guards everything; it is held for a hash lookup, a comparison
 * and the copy of two short strings, or for one change. */
#pragma once
#include "base/base.h"
#include "crypto/sha256.h"

struct registry;

struct registry *registry_open(void); /* owned */
void registry_close(struct registry *r);

/* ---- who is it? ---- */

enum identified {
    IDENTIFIED,
    IDENTIFIED_NOT, /* unknown, revoked, wrong secret, disabled user */
    IDENTIFIED_MALFORMED,
    IDENTIFIED_EXPIRED,
};

struct identity {
    str principal; /* "key/…", "user/…" */
    str name;
    str session; /* its id; null for keys */
    uint64_t permissions;
    int64_t expires_us; /* 0: does not */
};

struct registry_limits {
    int64_t session_idle_us;
};

/* Strings in `mem`.  With IDENTIFIED_NOT, out->principal is the key that was named if there is one
 * (somebody has its id but not its secret), else null. */
enum identified registry_identify(struct registry *r, struct arena *mem, str bearer,
                                  const struct registry_limits *limits, int64_t now_us,
                                  struct identity *out);

/* ---- users ---- */

struct registry_user {
    str name;
    uint64_t permissions; /* 0: disabled */
};

void registry_user_put(struct registry *r, const struct registry_user *user);

/* ---- API keys ---- */

struct registry_key {
    str id, name;
    struct hash secret; /* of the key's whole text */
    uint64_t permissions;
    int64_t expires_us;
    int64_t used_us;
};

void registry_key_put(struct registry *r, const struct registry_key *key);
void registry_key_drop(struct registry *r, str id);
int64_t registry_key_used_us(struct registry *r, str id); /* 0: never, or no such key */

/* ---- sessions ---- */

struct registry_session {
    str id, user;
    struct hash secret; /* of the token */
    int64_t created_us, expires_us, used_us;
};

void registry_session_put(struct registry *r, const struct registry_session *session);
/* False: there was none of that id. */
bool registry_session_drop(struct registry *r, str id);
size_t registry_session_count(struct registry *r);
/* Copies in `mem` of the sessions that ended by idleness or age, and of those of one user. */
size_t registry_sessions_over(struct registry *r, struct arena *mem,
                              const struct registry_limits *limits, int64_t now_us,
                              struct registry_session **out);
size_t registry_sessions_of(struct registry *r, struct arena *mem, str user,
                            struct registry_session **out);

/* ---- last uses ---- */

/* What was used since the last call: copies in `mem`. */
size_t registry_keys_used(struct registry *r, struct arena *mem, struct registry_key **out);
size_t registry_sessions_used(struct registry *r, struct arena *mem, struct registry_session **out);
