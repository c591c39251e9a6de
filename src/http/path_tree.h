/* path_tree.h - which route template a path belongs to.
 *
 * A tree over path segments, built once and then only read, by any thread.  A literal segment is
 * preferred to {name}, which is preferred to a last {rest*}; a choice that leads nowhere is taken
 * back.  Segments are split first and percent-decoded afterwards, so an encoded slash is data. */
#pragma once
#include "http/route.h"

enum { PATH_SEGMENTS_MAX = 32, PATH_METHODS_MAX = 8 };

struct path_tree;
struct path_node;

struct path_tree *path_tree_open(void); /* owned */
void path_tree_close(struct path_tree *t);
/* CONFIG when the template is malformed or the same method and path are already there. */
err path_tree_add(struct ctx *cx, struct path_tree *t, const struct route *route, void *state);

struct path_match {
    const struct path_node *node; /* NULL: no template fits */
    str arg[REQUEST_ARGS_MAX];    /* decoded; arena `mem` or borrowed from the path */
};

/* `path` as received, without the query.  INVALID for bad escapes, NUL bytes, "." and "..". */
err path_tree_find(struct ctx *cx, const struct path_tree *t, str path, struct path_match *out);
/* The state given for this method at that node; NULL if the method is not served. */
void *path_node_state(const struct path_node *node, str method);
/* "GET, HEAD, OPTIONS, POST" in a fixed order. */
str path_node_methods(struct arena *mem, const struct path_node *node);
