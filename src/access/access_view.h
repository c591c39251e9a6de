/* access_view.h - users and API keys as the ledger tells of them; the only file with SQL of them.
 *
 * No secret is here: a user's row names a credential, whose hash is in the vault. */
#pragma once
#include "base/shape.h"
#include "store/store.h"

extern const struct migration access_view_migrations[];

struct user {
    str name, role, credential;
    int64_t created_us, disabled_us, password_us; /* disabled_us 0: may sign in */
    str created_by, disabled_by;
};

struct api_key {
    str id, name;
    struct strs scopes;
    int64_t created_us, expires_us, revoked_us, used_us; /* used_us is not in the view */
    str created_by, revoked_by;
};

/* All in arena `mem`.  NOT_FOUND. */
err view_user(struct ctx *cx, struct db *db, str name, struct user *out);
err view_key(struct ctx *cx, struct db *db, str id, struct api_key *out);
/* At most `limit`, in order, behind `after` ("" from the first). */
err view_users(struct ctx *cx, struct db *db, str after, size_t limit, struct list *out);
err view_keys(struct ctx *cx, struct db *db, str after, size_t limit, struct list *out);
/* Enabled users of a role, not counting `but` (may be ""). */
err view_count_role(struct ctx *cx, struct db *db, str role, str but, uint64_t *out);
/* Does a user's row name this credential? */
err view_has_credential(struct ctx *cx, struct db *db, str credential, bool *out);
