/* weak stand-ins until the query engine is whole */
#include "ledger/query.h"
bool query_matches(const struct query *q, const struct entry_batch *b, size_t i);
__attribute__((weak)) bool query_matches(const struct query *q, const struct entry_batch *b, size_t i)
{
    for (unsigned a = 0; a < ATTR_COUNT; a++) {
        bool any = false, hit = false;
        str v = entry_batch_value(b, &b->meta[i].attr[a]);
        for (size_t k = 0; k < q->match_count; k++) {
            if (q->match[k].attr != a) continue;
            any = true;
            hit = hit || (v.p && (q->match[k].prefix ? str_starts(v, q->match[k].value) : str_eq(v, q->match[k].value)));
        }
        if (any && !hit) return false;
    }
    str e = entry_batch_get(b, i);
    return str_is_null(q->text) || str_find(e, q->text) < e.n;
}
__attribute__((weak)) err query_stats(struct ctx *cx, struct ledger *l, const struct query *q,
                const struct query_stats_spec *spec, struct query_count **out, size_t *out_n,
                uint64_t *out_total, uint64_t *out_other)
{
    (void)l;(void)q;(void)spec;(void)out;(void)out_n;(void)out_total;(void)out_other;
    return fail(cx, ERR_INTERNAL, "no stats yet");
}
