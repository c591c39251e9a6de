/* query.c - see query.h. */
#include "ledger/query_inner.h"

enum { BUNDLE_ENTRIES = 256 };

/* ---- from segment to segment ---- */

void query_range(const struct query *q, uint64_t size, uint64_t *out_begin, uint64_t *out_end)
{
    *out_end = u64_min(q->end, size);
    *out_begin = u64_min(q->begin, *out_end);
}

static err visit_part(struct ctx *cx, struct ledger *l, const struct query_part *range,
                      uint64_t number, query_part_visit *visit, void *state, bool *stop)
{
    CLEANUP(segment_cleanup) struct segment *s = NULL;

    TRY(ledger_segment_get(cx, l, number, &s));
    struct query_part part = *range;
    part.segment = s;
    part.info = segment_info(s);
    part.to = (uint32_t)size_min(part.to, part.info.count);
    if (part.info.pruned || part.from >= part.to)
        return ERR_OK;
    return visit(cx, state, &part, stop);
}

err query_parts(struct ctx *cx, struct ledger *l, const struct query *q, query_part_visit *visit,
                void *state)
{
    uint64_t begin, end;
    bool stop = false;

    query_range(q, ledger_size(l), &begin, &end);
    if (begin == end)
        return ERR_OK;
    uint64_t first = begin / SEGMENT_ENTRIES, last = (end - 1) / SEGMENT_ENTRIES;
    for (uint64_t i = 0; i <= last - first && !stop; i++) {
        uint64_t number = q->oldest_first ? first + i : last - i, at = number * SEGMENT_ENTRIES;
        struct query_part range = {
            .from = begin > at ? (uint32_t)(begin - at) : 0,
            .to = (uint32_t)u64_min(end - at, SEGMENT_ENTRIES),
        };
        if (ctx_deadline_passed(cx))
            return fail(cx, ERR_TIMEOUT, "the query took too long, at segment %llu",
                        (unsigned long long)number);
        TRY(visit_part(cx, l, &range, number, visit, state, &stop));
    }
    return ERR_OK;
}

/* ---- within a segment ---- */

/* Attributes by how few entries one value of them usually has: what leaves least comes first. */
static const enum attr attrs_rarest_first[ATTR_COUNT] = {
    ATTR_SESSIONID, ATTR_SUBJECT,   ATTR_REMOTEIP, ATTR_ACTOR,
    ATTR_TYPE,      ATTR_PRINCIPAL, ATTR_SOURCE,   ATTR_OUTCOME,
};

/* Keep in sets->hits what matches the query in this attribute; *out_any: whether some is left. */
static err match_attr(struct ctx *cx, const struct query *q, struct segment_index index,
                      enum attr attr, struct query_sets *sets, bool *out_any)
{
    bool asked = false;

    *out_any = true;
    for (size_t i = 0; i < q->match_count; i++) {
        const struct query_match *m = &q->match[i];
        if (m->attr != attr)
            continue;
        if (!asked)
            positions_clear(&sets->group);
        asked = true;
        TRY(index_lookup(cx, index, attr, m->value, m->prefix, &sets->group));
    }
    if (asked) {
        positions_and(&sets->hits, &sets->group);
        *out_any = positions_next(&sets->hits, 0) != POSITION_NONE;
    }
    return ERR_OK;
}

static bool outside_time(const struct query *q, struct segment_index index)
{
    int64_t min, max;

    return index_time_range(index, q->time, &min, &max) &&
           ((q->from_us && max < q->from_us) || (q->to_us && min >= q->to_us));
}

err query_hits(struct ctx *cx, const struct query *q, const struct query_part *part,
               struct query_sets *sets)
{
    bool timed = q->from_us || q->to_us, any = true;

    positions_clear(&sets->hits);
    if (timed && outside_time(q, part->info.index))
        return ERR_OK;
    positions_add_range(&sets->hits, part->from, part->to);
    for (unsigned a = 0; a < ATTR_COUNT && q->match_count && any; a++)
        TRY(match_attr(cx, q, part->info.index, attrs_rarest_first[a], sets, &any));
    if (!timed || !any)
        return ERR_OK;
    positions_clear(&sets->group);
    TRY(index_lookup_time(cx, part->info.index, q->time, q->from_us, q->to_us, &sets->group));
    positions_and(&sets->hits, &sets->group);
    return ERR_OK;
}

/* ---- finding ---- */

/* A bundle at hand, with the place of each of its entries. */
struct bundle {
    uint32_t number; /* UINT32_MAX: none */
    str frames;
    uint32_t count;
    uint32_t at[BUNDLE_ENTRIES]; /* of the entries' lengths */
};

struct finding {
    const struct query *q;
    query_visit *visit;
    void *state;
    uint64_t scanned, segments;
    bool stopped;
    uint64_t next;
    struct query_sets sets;
    struct bundle bundle;
};

static uint32_t frame_bytes(str frames, size_t at)
{
    return (uint32_t)(uint8_t)frames.p[at] << 8 | (uint8_t)frames.p[at + 1];
}

static void bundle_index(struct bundle *b)
{
    size_t at = 0;

    for (b->count = 0; b->count < BUNDLE_ENTRIES && at + ENTRY_FRAME_BYTES <= b->frames.n;
         b->count++) {
        uint32_t n = frame_bytes(b->frames, at);
        if (n > b->frames.n - at - ENTRY_FRAME_BYTES)
            break;
        b->at[b->count] = (uint32_t)at;
        at += ENTRY_FRAME_BYTES + n;
    }
}

static err read_entry(struct ctx *cx, struct finding *f, const struct query_part *part,
                      uint32_t position, str *out)
{
    struct bundle *b = &f->bundle;
    uint32_t number = position / BUNDLE_ENTRIES, i = position % BUNDLE_ENTRIES;

    if (b->number != number) {
        b->number = UINT32_MAX;
        TRY(segment_bundle(cx, part->segment, number, &b->frames));
        b->number = number;
        bundle_index(b);
    }
    if (i >= b->count)
        return fail(cx, ERR_CORRUPT, "entry %llu is not in its bundle",
                    (unsigned long long)(part->info.first + position));
    *out = (str){b->frames.p + b->at[i] + ENTRY_FRAME_BYTES, frame_bytes(b->frames, b->at[i])};
    return ERR_OK;
}

static void stop_at(struct finding *f, uint64_t next)
{
    f->stopped = true;
    f->next = next;
}

static bool may_scan(const struct finding *f)
{
    return f->q->scan_max == 0 || f->scanned < f->q->scan_max;
}

/* One entry that the indexes found. */
static err find_one(struct ctx *cx, struct finding *f, const struct query_part *part,
                    uint32_t position)
{
    struct query_hit hit = {.index = part->info.first + position};
    bool oldest_first = f->q->oldest_first, text = !str_is_null(f->q->text), stop = false;

    if (text && !may_scan(f)) {
        stop_at(f, oldest_first ? hit.index : hit.index + 1);
        return ERR_OK;
    }
    TRY(read_entry(cx, f, part, position, &hit.entry));
    if (text) {
        f->scanned++;
        if (f->q->text.n && !memmem(hit.entry.p, hit.entry.n, f->q->text.p, f->q->text.n))
            return ERR_OK;
    }
    TRY(f->visit(cx, f->state, &hit, &stop));
    if (stop)
        stop_at(f, oldest_first ? hit.index + 1 : hit.index);
    return ERR_OK;
}

static err find_in_part(struct ctx *cx, void *state, const struct query_part *part, bool *stop)
{
    struct finding *f = state;
    uint32_t at;

    f->segments++;
    f->bundle.number = UINT32_MAX;
    TRY(query_hits(cx, f->q, part, &f->sets));
    if (f->q->oldest_first) {
        for (at = part->from; !f->stopped; at++) {
            at = positions_next(&f->sets.hits, at);
            if (at == POSITION_NONE)
                break;
            TRY(find_one(cx, f, part, at));
        }
    } else {
        for (at = part->to; !f->stopped;) {
            at = positions_before(&f->sets.hits, at);
            if (at == POSITION_NONE)
                break;
            TRY(find_one(cx, f, part, at));
        }
    }
    *stop = f->stopped;
    return ERR_OK;
}

err query_run(struct ctx *cx, struct ledger *l, const struct query *q, query_visit *visit,
              void *state, struct query_end *out)
{
    SCRATCH(tmp, cx);
    struct finding *f = arena_new(tmp.mem, struct finding, 1);
    struct query snapshot = *q;

    query_range(q, ledger_size(l), &snapshot.begin, &snapshot.end);
    f->q = &snapshot;
    f->visit = visit;
    f->state = state;
    TRY(query_parts(cx, l, &snapshot, find_in_part, f));
    uint64_t whole = q->begin; /* never back, even from where the log has not come yet */
    if (q->oldest_first && snapshot.end > whole)
        whole = snapshot.end;
    *out = (struct query_end){.complete = !f->stopped || f->next == whole,
                              .next = f->stopped ? f->next : whole,
                              .scanned = f->scanned,
                              .segments = f->segments};
    return ERR_OK;
}

/* ---- one entry ---- */

static bool attr_matches(const struct query_match *m, str value)
{
    return !str_is_null(value) &&
           (m->prefix ? str_starts(value, m->value) : str_eq(value, m->value));
}

bool query_matches(const struct query *q, const struct entry_batch *b, size_t i)
{
    const struct entry_meta *meta = &b->meta[i];
    unsigned asked = 0, matched = 0; /* a bit for each attribute */
    int64_t time = q->time == INDEX_TIME ? meta->time_us : meta->recorded_us;

    if ((q->from_us && time < q->from_us) || (q->to_us && time >= q->to_us))
        return false;
    for (size_t k = 0; k < q->match_count; k++) {
        const struct query_match *m = &q->match[k];
        asked |= 1u << m->attr;
        if (attr_matches(m, entry_batch_value(b, &meta->attr[m->attr])))
            matched |= 1u << m->attr;
    }
    if (asked != matched)
        return false;
    str entry = entry_batch_get(b, i);
    return q->text.n == 0 || memmem(entry.p, entry.n, q->text.p, q->text.n) != NULL;
}
