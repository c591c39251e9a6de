/* query.c - see query.h. */
#include "ledger/query.h"
#include "ledger/segment_file.h"

static void free_bitmap(roaring_bitmap_t **b)
{
    if (*b)
        roaring_bitmap_free(*b);
}

struct run {
    struct ledger *l;
    const struct query *q;
    query_visit *visit;
    void *state;
    struct query_end *out;
    bool stop;
};

/* The union of all matches of one attribute. */
static err lookup_attr(struct ctx *cx, const struct query *q, enum attr attr,
                       struct segment_index ix, roaring_bitmap_t *into, bool *out_any)
{
    *out_any = false;
    for (size_t i = 0; i < q->match_count; i++) {
        if (q->match[i].attr != attr)
            continue;
        *out_any = true;
        TRY(index_lookup(cx, ix, attr, q->match[i].value, q->match[i].prefix, into));
    }
    return ERR_OK;
}

static err positions_of(struct ctx *cx, const struct query *q, struct segment_info info,
                        roaring_bitmap_t *all)
{
    roaring_bitmap_add_range(all, 0, info.count);
    for (unsigned a = 0; a < ATTR_COUNT; a++) {
        CLEANUP(free_bitmap) roaring_bitmap_t *one = roaring_bitmap_create();
        bool any;
        TRY(lookup_attr(cx, q, (enum attr)a, info.index, one, &any));
        if (any)
            roaring_bitmap_and_inplace(all, one);
    }
    if (q->from_us || q->to_us) {
        CLEANUP(free_bitmap) roaring_bitmap_t *one = roaring_bitmap_create();
        TRY(index_lookup_time(cx, info.index, q->time, q->from_us, q->to_us, one));
        roaring_bitmap_and_inplace(all, one);
    }
    return ERR_OK;
}

static err visit_position(struct ctx *cx, struct run *r, struct segment *s, uint32_t position,
                          int *bundle, str *frames)
{
    struct segment_info info = segment_info(s);
    struct query_hit hit = {.index = info.first + position};

    if (*bundle != (int)(position / BUNDLE_ENTRIES)) {
        TRY(segment_bundle(cx, s, position / BUNDLE_ENTRIES, frames));
        *bundle = (int)(position / BUNDLE_ENTRIES);
    }
    str rest = *frames;
    for (unsigned i = 0; i <= position % BUNDLE_ENTRIES; i++)
        if (!frame_next(&rest, &hit.entry))
            return fail(cx, ERR_CORRUPT, "entry %llu is not in its bundle",
                        (unsigned long long)hit.index);
    if (!str_is_null(r->q->text)) {
        r->out->scanned++;
        if (str_find(hit.entry, r->q->text) == hit.entry.n)
            return ERR_OK;
    }
    return r->visit(cx, r->state, &hit, &r->stop);
}

static err run_segment(struct ctx *cx, struct run *r, uint64_t number, uint64_t begin, uint64_t end)
{
    CLEANUP(segment_cleanup) struct segment *s = NULL;
    CLEANUP(free_bitmap) roaring_bitmap_t *set = roaring_bitmap_create();
    int bundle = -1;
    str frames;

    TRY(ledger_segment_get(cx, r->l, number, &s));
    struct segment_info info = segment_info(s);
    r->out->segments++;
    if (info.pruned)
        return ERR_OK;
    TRY(positions_of(cx, r->q, info, set));
    uint64_t n = roaring_bitmap_get_cardinality(set);
    uint32_t *positions = arena_new(cx->tmp, uint32_t, n + 1);
    roaring_bitmap_to_uint32_array(set, positions);
    for (uint64_t i = 0; i < n && !r->stop; i++) {
        uint32_t position = positions[r->q->oldest_first ? i : n - 1 - i];
        uint64_t index = info.first + position;
        if (index < begin || index >= end)
            continue;
        if (r->q->scan_max && !str_is_null(r->q->text) && r->out->scanned >= r->q->scan_max) {
            r->stop = true;
            break;
        }
        TRY(visit_position(cx, r, s, position, &bundle, &frames));
        r->out->next = r->q->oldest_first ? index + 1 : index;
    }
    if (!r->stop)
        r->out->next = r->q->oldest_first ? info.first + info.count : info.first;
    return ERR_OK;
}

err query_run(struct ctx *cx, struct ledger *l, const struct query *q, query_visit *visit,
              void *state, struct query_end *out)
{
    uint64_t end = u64_min(q->end, ledger_size(l)), begin = q->begin;
    struct run r = {.l = l, .q = q, .visit = visit, .state = state, .out = out};

    *out = (struct query_end){.complete = true, .next = q->oldest_first ? end : begin};
    if (begin >= end)
        return ERR_OK;
    uint64_t first = begin / SEGMENT_ENTRIES, count = (end - 1) / SEGMENT_ENTRIES - first + 1;
    for (uint64_t i = 0; i < count && !r.stop; i++) {
        SCRATCH(tmp, cx);
        TRY(run_segment(cx, &r, q->oldest_first ? first + i : first + count - 1 - i, begin, end));
    }
    out->complete = !r.stop;
    return ERR_OK;
}
