/* query_inner.h - what finding and counting share: the way from segment to segment, and the set of
 * positions in one of them that satisfy a query. */
#pragma once
#include "ledger/query.h"

/* The part of one segment that a query looks at: positions [from, to). */
struct query_part {
    struct segment *segment;
    struct segment_info info;
    uint32_t from, to;
};

/* Sets of positions, 8 KiB each: in the arena. */
struct query_sets {
    struct positions hits;  /* of the last query_hits() */
    struct positions group; /* matches of one attribute */
};

typedef err query_part_visit(struct ctx *cx, void *state, const struct query_part *part,
                             bool *stop);

/* The range of indexes that q means in a log of this size. */
void query_range(const struct query *q, uint64_t size, uint64_t *out_begin, uint64_t *out_end);
/* Each segment of [begin, end) that has not been pruned, in the query's order.  TIMEOUT past the
 * deadline. */
err query_parts(struct ctx *cx, struct ledger *l, const struct query *q, query_part_visit *visit,
                void *state);
/* The positions of the part whose attributes and time satisfy the query, into sets->hits. */
err query_hits(struct ctx *cx, const struct query *q, const struct query_part *part,
               struct query_sets *sets);
