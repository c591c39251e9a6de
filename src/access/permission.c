/* permission.c - scopes, sets of them and roles: tables and their readers.  Pure. */
#include "access/permission.h"

static const char *const scope_texts[PERM_COUNT] = {
    [PERM_NONE] = "none",
#define X(name, scope, doc) [PERM_##name] = (scope),
#include "access/permission.def"
#undef X
};

_Static_assert(PERM_COUNT <= 64, "a set of permissions is 64 bits");

uint64_t permission_all(void)
{
    return (permission_bit(PERM_COUNT - 1) << 1) - 1 - permission_bit(PERM_NONE);
}

const char *permission_scope(enum permission p)
{
    return scope_texts[p];
}

uint64_t permission_parse(str scope)
{
    if (str_eq(scope, S("admin")))
        return permission_all();
    for (unsigned p = PERM_NONE + 1; p < PERM_COUNT; p++)
        if (str_eq(scope, str_from(scope_texts[p])))
            return permission_bit(p);
    return 0;
}

err scopes_parse(struct ctx *cx, struct strs scopes, uint64_t *out)
{
    uint64_t set = 0;

    for (size_t i = 0; i < scopes.count; i++) {
        uint64_t one = permission_parse(scopes.items[i]);
        if (one & ~PERMISSIONS_SIGNED_IN)
            set |= one;
        else
            ctx_add_issue(cx, arena_printf(cx->mem, "/scopes/%zu", i), "there is no such scope");
    }
    if (scopes.count == 0)
        ctx_add_issue(cx, S("/scopes"), "must have at least one scope");
    if (cx->issue_count)
        return fail(cx, ERR_INVALID, "%.*s: %.*s", STR_FMT(cx->issues[0].pointer),
                    STR_FMT(cx->issues[0].detail));
    *out = set | PERMISSIONS_SIGNED_IN;
    return ERR_OK;
}

struct strs scopes_list(struct arena *mem, uint64_t permissions)
{
    struct strs list = {arena_new(mem, str, PERM_COUNT), 0};

    if (permissions == permission_all()) {
        list.items[list.count++] = S("admin");
        return list;
    }
    for (unsigned p = PERM_NONE + 1; p < PERM_COUNT; p++)
        if (permissions & permission_bit(p) & ~PERMISSIONS_SIGNED_IN)
            list.items[list.count++] = str_from(scope_texts[p]);
    return list;
}

str scopes_join(struct arena *mem, struct strs scopes)
{
    size_t n = 0, at = 0;

    for (size_t i = 0; i < scopes.count; i++)
        n += scopes.items[i].n + 1;
    char *p = arena_new(mem, char, n + 1);
    for (size_t i = 0; i < scopes.count; i++) {
        if (i)
            p[at++] = ' ';
        memcpy(p + at, scopes.items[i].p, scopes.items[i].n);
        at += scopes.items[i].n;
    }
    return (str){p, at};
}

uint64_t scopes_split(str text)
{
    uint64_t set = 0;

    while (!str_is_null(text))
        set |= permission_parse(str_cut(&text, ' '));
    return set ? set | PERMISSIONS_SIGNED_IN : 0;
}

/* ---- roles ---- */

const char *const role_names[] = {
#define X(name, permissions, doc) name,
#include "access/role.def"
#undef X
    NULL,
};

uint64_t role_permissions(str role)
{
    const uint64_t sets[] = {
#define X(name, permissions, doc) (permissions),
#include "access/role.def"
#undef X
    };

    for (size_t i = 0; role_names[i]; i++)
        if (str_eq(role, str_from(role_names[i])))
            return sets[i] | PERMISSIONS_SIGNED_IN;
    return 0;
}
