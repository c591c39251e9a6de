/* access_refusal.c - see access_refusal.h.
 *
 * Groups lie side by side and are searched in order by their hash: there are few, and when there
 * are many the search still takes about a microsecond.  Behind the REFUSALS_MAX places are those of
 * the groups "others", one for each kind, which name no route. */
#include "access/access_refusal.h"
#include "access/access_metric.h"
#include "base/queue.h"
#include <stdlib.h>

enum { GROUPS_MAX = REFUSALS_MAX + REFUSAL_KINDS };

struct group {
    uint64_t hash;
    enum refusal_kind kind;
    const char *method, *path; /* "" in groups of others */
    size_t principal_bytes;
    char principal[REFUSAL_PRINCIPAL_BYTES_MAX];
    int64_t since_us;
    uint64_t count; /* since the last event of the group */
};

struct refusals {
    struct writer *writer;
    pthread_mutex_t lock; /* guards what follows */
    size_t count;
    struct group groups[GROUPS_MAX];
};

static const struct {
    err code;
    const char *type, *outcome, *reason, *detail;
} kinds[REFUSAL_KINDS] = {
#define X(name, code, type, outcome, reason, detail)                                               \
    [REFUSED_##name] = {ERR_##code, type, outcome, reason, detail},
#include "access/access_refusal.def"
#undef X
};

err refusal_fail(struct ctx *cx, enum refusal_kind kind, const char *more)
{
    return fail(cx, kinds[kind].code, "%s%s", kinds[kind].detail, more);
}

struct refusals *refusals_open(struct writer *w)
{
    struct refusals *r = calloc(1, sizeof *r);

    ENSURE(r);
    r->writer = w;
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

void refusals_close(struct refusals *r)
{
    if (!r)
        return;
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static str principal_of(const struct group *g)
{
    return (str){g->principal, g->principal_bytes};
}

static bool is_same(const struct group *a, const struct group *b)
{
    return a->hash == b->hash && a->kind == b->kind && a->method == b->method &&
           a->path == b->path && str_eq(principal_of(a), principal_of(b));
}

static void group_set(struct group *g, const struct refusal *f, str principal, const char *method,
                      const char *path)
{
    *g = (struct group){.kind = f->kind, .method = method, .path = path, .since_us = f->now_us};
    g->principal_bytes = size_min(principal.n, sizeof g->principal);
    memcpy(g->principal, principal.p, g->principal_bytes);
    g->hash = (uintptr_t)path ^ (uintptr_t)method << 20 ^ (uint64_t)f->kind << 56;
    for (size_t i = 0; i < g->principal_bytes; i++)
        g->hash = (g->hash ^ (unsigned char)g->principal[i]) * UINT64_C(0x100000001b3);
}

/* The group that is equal, or NULL. */
static struct group *find(struct refusals *r, const struct group *g)
{
    for (size_t i = 0; i < r->count; i++)
        if (is_same(&r->groups[i], g))
            return &r->groups[i];
    return NULL;
}

/* Count it; true, with *out set, when it is the first of its group. */
static bool count_refusal(struct refusals *r, const struct refusal *f, struct group *out)
{
    LOCK(lock, &r->lock);
    group_set(out, f, f->principal, f->method, f->path);
    struct group *g = find(r, out);
    if (!g && r->count >= REFUSALS_MAX) {
        group_set(out, f, S("others"), "", "");
        g = find(r, out);
    }
    if (g) {
        g->count++;
        return false;
    }
    r->groups[r->count++] = *out;
    return true;
}

static void note(struct refusals *r, const struct group *g, str peer, uint64_t count)
{
    const struct refused data = {
        .method = str_from(g->method),
        .route = str_from(g->path),
        .reason = str_from(kinds[g->kind].reason),
        .count = count,
        .since_us = g->since_us,
    };
    const struct event e = {
        .type = kinds[g->kind].type,
        .subject = principal_of(g),
        .outcome = str_from(kinds[g->kind].outcome),
        .data = &data,
    };
    const struct actor actor = {.principal = principal_of(g), .remoteip = peer};

    writer_note(r->writer, &e, &actor);
}

void refusal_note(struct refusals *r, const struct refusal *f)
{
    struct group first;

    access_count_refused(kinds[f->kind].reason);
    if (count_refusal(r, f, &first))
        note(r, &first, f->peer, 1);
}

/* Take one group whose minute is over. */
static bool take_over(struct refusals *r, int64_t now_us, bool all, struct group *out)
{
    LOCK(lock, &r->lock);
    for (size_t i = 0; i < r->count; i++) {
        if (!all && now_us - r->groups[i].since_us < REFUSAL_WINDOW_US)
            continue;
        *out = r->groups[i];
        r->groups[i] = r->groups[--r->count];
        return true;
    }
    return false;
}

void refusals_flush(struct refusals *r, int64_t now_us, bool all)
{
    struct group g;

    while (take_over(r, now_us, all, &g))
        if (g.count)
            note(r, &g, STR_NULL, g.count);
}
