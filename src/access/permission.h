/* permission.h - what may be done, as a small set of names; 0 is nobody, so forgetting denies.
 *
 * A set is a bit set over permission.def.  In events, in the view and in the API a set is the list
 * of its scopes, so rows of the table may be put in any order. */
#pragma once
#include "base/base.h"
#include "base/shape.h"

enum permission {
    PERM_NONE,
#define X(name, scope, doc) PERM_##name,
#include "access/permission.def"
#undef X
    PERM_COUNT,
};

static inline uint64_t permission_bit(enum permission p)
{
    return UINT64_C(1) << p;
}

/* What every valid credential has. */
#define PERMISSIONS_SIGNED_IN (permission_bit(PERM_PUBLIC) | permission_bit(PERM_SIGNED_IN))

uint64_t permission_all(void);
const char *permission_scope(enum permission p); /* "events:write" */
/* The bit of a scope text, or of "admin" (all); 0 when there is no such scope. */
uint64_t permission_parse(str scope);

/* The set that a key asks for; INVALID with an issue at /scopes/i for what is no scope or cannot be
 * given ("public", "signed-in"). */
err scopes_parse(struct ctx *cx, struct strs scopes, uint64_t *out);
/* The scopes of a set, without what every credential has; "admin" alone for all.  Arena. */
struct strs scopes_list(struct arena *mem, uint64_t permissions);
/* "events:read events:write", as the view keeps it, and back; unknown words are left out. */
str scopes_join(struct arena *mem, struct strs scopes);
uint64_t scopes_split(str text);

/* ---- roles: named sets, role.def ---- */

#define ROLE_ADMINISTRATOR S("administrator")

extern const char *const role_names[]; /* NULL-ended */
/* The set of a role, with what every credential has; 0 when there is no such role. */
uint64_t role_permissions(str role);
