/* path_tree.c - see path_tree.h. */
#include "http/path_tree.h"
#include "base/encode.h"
#include <stdlib.h>

struct served {
    str method;
    void *state;
};

struct path_node {
    str segment;             /* literal; unused for {name} and {rest*} */
    struct path_node *next;  /* sibling literals */
    struct path_node *first; /* literal children */
    struct path_node *any;   /* child {name} */
    struct path_node *rest;  /* child {rest*} */
    struct served served[PATH_METHODS_MAX];
    size_t served_count;
};

struct path_tree {
    struct path_node root;
};

struct segments {
    str part[PATH_SEGMENTS_MAX];
    size_t at[PATH_SEGMENTS_MAX]; /* where the part begins in the raw path */
    size_t count;
};

struct path_tree *path_tree_open(void)
{
    struct path_tree *t = calloc(1, sizeof *t);

    ENSURE(t);
    return t;
}

static void node_close(struct path_node *n)
{
    while (n) {
        struct path_node *next = n->next;
        node_close(n->first);
        node_close(n->any);
        node_close(n->rest);
        free(n);
        n = next;
    }
}

void path_tree_close(struct path_tree *t)
{
    if (!t)
        return;
    node_close(t->root.first);
    node_close(t->root.any);
    node_close(t->root.rest);
    free(t);
}

static struct path_node *node_child(struct path_node **place, str segment)
{
    if (!*place) {
        *place = calloc(1, sizeof **place);
        ENSURE(*place);
        (*place)->segment = segment;
    }
    return *place;
}

static struct path_node *literal_child(struct path_node *n, str segment)
{
    struct path_node **place = &n->first;

    while (*place && !str_eq((*place)->segment, segment))
        place = &(*place)->next;
    return node_child(place, segment);
}

/* The child for one segment of a template. */
static struct path_node *template_child(struct path_node *n, str segment)
{
    if (!str_starts(segment, S("{")))
        return literal_child(n, segment);
    return node_child(str_ends(segment, S("*}")) ? &n->rest : &n->any, STR_NULL);
}

err path_tree_add(struct ctx *cx, struct path_tree *t, const struct route *route, void *state)
{
    struct path_node *n = &t->root;
    str path = str_from(route->path), method = str_from(route->method);

    if (!str_starts(path, S("/")))
        return fail(cx, ERR_CONFIG, "route '%s' does not begin with '/'", route->path);
    for (str left = str_slice(path, 1, path.n); !str_is_null(left);)
        n = template_child(n, str_cut(&left, '/'));
    if (path_node_state(n, method) || n->served_count == PATH_METHODS_MAX)
        return fail(cx, ERR_CONFIG, "route '%s %s' stands twice", route->method, route->path);
    n->served[n->served_count++] = (struct served){method, state};
    return ERR_OK;
}

/* Null when the segment cannot be taken. */
static str segment_decode(struct arena *mem, str raw)
{
    str s = memchr(raw.p, '%', raw.n) ? percent_decode(mem, raw, false) : raw;

    if (str_is_null(s) || str_eq(s, S(".")) || str_eq(s, S("..")) || memchr(s.p, 0, s.n))
        return STR_NULL;
    return s;
}

static err path_split(struct ctx *cx, str path, struct segments *out)
{
    str left = str_slice(path, 1, path.n);

    if (!str_starts(path, S("/")))
        return fail(cx, ERR_INVALID, "the path does not begin with '/'");
    for (out->count = 0; !str_is_null(left); out->count++) {
        if (out->count == PATH_SEGMENTS_MAX)
            return fail(cx, ERR_NOT_FOUND, "the path has more than %d parts", PATH_SEGMENTS_MAX);
        out->at[out->count] = (size_t)(left.p - path.p);
        str part = segment_decode(cx->mem, str_cut(&left, '/'));
        if (str_is_null(part))
            return fail(cx, ERR_INVALID, "the path has a part that is not allowed");
        out->part[out->count] = part;
    }
    return ERR_OK;
}

struct search {
    const struct segments *s;
    struct path_match *m;
    size_t rest_from, rest_arg; /* the segment at which {rest*} begins, and its argument */
    bool rest;
};

/* Depth is bounded by PATH_SEGMENTS_MAX. NOLINTNEXTLINE(misc-no-recursion) */
static bool search(struct search *q, const struct path_node *n, size_t i, size_t args)
{
    if (i == q->s->count) {
        q->m->node = n;
        return n->served_count > 0;
    }
    str part = q->s->part[i];
    for (const struct path_node *c = n->first; c; c = c->next)
        if (str_eq(c->segment, part) && search(q, c, i + 1, args))
            return true;
    if (args >= REQUEST_ARGS_MAX)
        return false;
    if (n->any && part.n) {
        q->m->arg[args] = part;
        if (search(q, n->any, i + 1, args + 1))
            return true;
    }
    q->rest = n->rest != NULL;
    q->rest_from = i;
    q->rest_arg = args;
    q->m->node = n->rest;
    return q->rest;
}

/* The remainder is joined again from its decoded segments, so none of them may hold a slash. */
static err put_rest(struct ctx *cx, const struct search *q)
{
    str joined = S("");

    for (size_t i = q->rest_from; i < q->s->count; i++) {
        str part = q->s->part[i];
        if (str_find_char(part, '/') < part.n)
            return fail(cx, ERR_INVALID, "the path has a part that is not allowed");
        joined = i == q->rest_from
                     ? part
                     : arena_printf(cx->mem, "%.*s/%.*s", STR_FMT(joined), STR_FMT(part));
    }
    q->m->arg[q->rest_arg] = joined;
    return ERR_OK;
}

err path_tree_find(struct ctx *cx, const struct path_tree *t, str path, struct path_match *out)
{
    struct segments s = {0};
    struct path_match m = {0};
    struct search q = {.s = &s, .m = &m};

    TRY(path_split(cx, path, &s));
    if (!search(&q, &t->root, 0, 0))
        m.node = NULL;
    else if (q.rest)
        TRY(put_rest(cx, &q));
    *out = m;
    return ERR_OK;
}

void *path_node_state(const struct path_node *node, str method)
{
    for (size_t i = 0; i < node->served_count; i++)
        if (str_eq(node->served[i].method, method))
            return node->served[i].state;
    return NULL;
}

str path_node_methods(struct arena *mem, const struct path_node *node)
{
    static const str order[] = {STR_INIT("GET"),   STR_INIT("HEAD"), STR_INIT("OPTIONS"),
                                STR_INIT("PATCH"), STR_INIT("POST"), STR_INIT("PUT"),
                                STR_INIT("DELETE")};
    bool get = path_node_state(node, S("GET"));
    str list = S("");

    for (size_t i = 0; i < COUNT(order); i++) {
        bool implied = str_eq(order[i], S("OPTIONS")) || (get && str_eq(order[i], S("HEAD")));
        if (implied || path_node_state(node, order[i]))
            list = arena_printf(mem, "%.*s%s%.*s", STR_FMT(list), list.n ? ", " : "",
                                STR_FMT(order[i]));
    }
    return list;
}
