/* audit_filter.h - from query parameters (or flags of a command) to a query, and cursors for pages.
 *
 * Pure: knows no request, no clock and no ledger.  Which parameters there are is in
 * audit_filter.def.  A cursor says where to go on and in which filter; it is not secret and gives
 * no rights, so it carries a checksum, not a signature. */
#pragma once
#include "ledger/query.h"

enum { FILTER_LIMIT = 50, FILTER_LIMIT_MAX = 1000, FILTER_TEXT_BYTES_MAX = 256 };

struct filter {
    struct query query; /* strings are borrowed; [begin, end) is [0, UINT64_MAX) without a cursor */
    uint64_t limit;
};

/* The nth (from 0) value of a parameter; null when there are no more. */
typedef str filter_lookup(const void *state, const char *name, size_t nth);

/* INVALID names the parameter (also as an issue). */
err filter_parse(struct ctx *cx, filter_lookup *lookup, const void *state, struct filter *out);
/* What is asked for as a query string, always in the same order; without limit and cursor. */
void filter_put(struct buf *b, const struct filter *f);
/* Cursor of the page behind one that ended so; null when there is none. */
str filter_next(struct ctx *cx, const struct filter *f, const struct query_end *end);
/* The same query with its strings in `mem`. */
struct query filter_keep(struct arena *mem, const struct query *q);

/* Cursors of other lists: `scope` says which list, [begin, end) what is left of it. */
str cursor_make(struct ctx *cx, str scope, uint64_t begin, uint64_t end);
/* INVALID: made by nobody here, or for another scope. */
err cursor_read(struct ctx *cx, str scope, str cursor, uint64_t *out_begin, uint64_t *out_end);
