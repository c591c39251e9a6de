/* permission.h - what may be done, as a small set of names; 0 is nobody, so forgetting denies. */
#pragma once
#include "base/base.h"

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

const char *permission_scope(enum permission p); /* "events:write" */
/* The bit of a scope text, or of "admin" (all); 0 when there is no such scope. */
uint64_t permission_parse(str scope);
