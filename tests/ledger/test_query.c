/* Finding and counting against a plain scan over all entries. */
#include "fake_segments.h"
#include "ledger/query.h"
#include "test.h"
#include <stdlib.h>

enum { ENTRIES = 3 * SEGMENT_ENTRIES + 5000, HITS_MAX = ENTRIES };

/* One log for all tests: it takes a while to make. */
struct world {
    struct ctx *cx;
    struct plain_entry *entries;
    struct ledger *l;
};

static struct world *the_world(void)
{
    static struct world w;

    if (w.cx) {
        fake_ledger_show(w.l, ENTRIES);
        fake_ledger_prune(w.l, 0);
        (void)fake_ledger_work(w.l);
        return &w;
    }
    struct dice d = {2024};
    int64_t now = INT64_C(1763600000000000);
    w.cx = ctx_open(0);
    w.entries = arena_new(w.cx->mem, struct plain_entry, ENTRIES);
    for (uint64_t i = 0; i < ENTRIES; i++) {
        struct plain_entry *e = &w.entries[i];
        struct arena *mem = w.cx->mem;
        now += dice_below(&d, 200) * (i % 40000 == 0 ? 100000 : 1);
        e->recorded_us = now;
        e->time_us = now - dice_below(&d, 3000000);
        e->attr[ATTR_TYPE] = arena_printf(mem, "type.%u.%u", dice_below(&d, 3), dice_below(&d, 5));
        e->attr[ATTR_SUBJECT] = arena_printf(mem, "case/%u", dice_below(&d, 3000));
        if (dice_below(&d, 3))
            e->attr[ATTR_ACTOR] = arena_printf(mem, "user/%u", dice_below(&d, 50));
        if (i % 1000 == 7)
            e->attr[ATTR_SESSIONID] = arena_printf(mem, "session-%u", (unsigned)(i / 5000));
        e->attr[ATTR_OUTCOME] = dice_below(&d, 20) ? S("success") : S("failure");
        e->text = arena_printf(mem, "{\"n\":%u,\"x\":\"%u\"}", (unsigned)i, dice_below(&d, 4000));
    }
    w.l = fake_ledger_open(w.cx, w.entries, ENTRIES);
    return &w;
}

/* ---- the plain answer ---- */

static bool plain_match(const struct query *q, const struct plain_entry *e)
{
    int64_t t = q->time == INDEX_TIME ? e->time_us : e->recorded_us;
    bool any[ATTR_COUNT] = {0}, asked[ATTR_COUNT] = {0};

    for (size_t i = 0; i < q->match_count; i++) {
        const struct query_match *m = &q->match[i];
        str v = e->attr[m->attr];
        asked[m->attr] = true;
        if (v.p && (m->prefix ? str_starts(v, m->value) : str_eq(v, m->value)))
            any[m->attr] = true;
    }
    for (unsigned a = 0; a < ATTR_COUNT; a++)
        if (asked[a] && !any[a])
            return false;
    if ((q->from_us && t < q->from_us) || (q->to_us && t >= q->to_us))
        return false;
    return q->text.n == 0 || str_find(e->text, q->text) < e->text.n;
}

static size_t plain_find(const struct world *w, const struct query *q, uint64_t size, uint64_t *out)
{
    uint64_t end = u64_min(q->end, size);
    size_t n = 0;

    for (uint64_t i = q->begin; i < end; i++) {
        uint64_t at = q->oldest_first ? i : end - 1 - (i - q->begin);
        if (plain_match(q, &w->entries[at]))
            out[n++] = at;
    }
    return n;
}

/* ---- random queries ---- */

static struct query_match pick_match(struct ctx *cx, const struct world *w, struct dice *d)
{
    static const enum attr attrs[] = {ATTR_TYPE,      ATTR_SUBJECT, ATTR_SUBJECT, ATTR_ACTOR,
                                      ATTR_SESSIONID, ATTR_OUTCOME, ATTR_REMOTEIP};
    struct query_match m = {.attr = attrs[dice_below(d, COUNT(attrs))]};
    str v = w->entries[dice_below(d, ENTRIES)].attr[m.attr];

    m.prefix = dice_below(d, 4) == 0;
    if (!v.p)
        v = S("nothing");
    m.value = m.prefix ? arena_str(cx->mem, str_slice(v, 0, dice_below(d, (uint32_t)v.n + 1))) : v;
    return m;
}

static struct query pick_query(struct ctx *cx, const struct world *w, struct dice *d)
{
    struct query q = {.end = UINT64_MAX};

    q.match_count = dice_below(d, 4);
    for (size_t i = 0; i < q.match_count; i++)
        q.match[i] = pick_match(cx, w, d);
    q.time = dice_below(d, 2) ? INDEX_TIME : INDEX_RECORDED;
    if (dice_below(d, 3) == 0)
        q.from_us = w->entries[dice_below(d, ENTRIES)].time_us;
    if (dice_below(d, 3) == 0)
        q.to_us = w->entries[dice_below(d, ENTRIES)].recorded_us;
    if (dice_below(d, 2))
        q.text = dice_below(d, 4) == 0 ? arena_printf(cx->mem, "\"%u\"", dice_below(d, 4000))
                                       : arena_printf(cx->mem, ":\"%u", dice_below(d, 40));
    if (dice_below(d, 3) == 0)
        q.begin = dice_below(d, ENTRIES);
    if (dice_below(d, 3) == 0)
        q.end = dice_below(d, ENTRIES + 1000);
    if (dice_below(d, 2))
        q.scan_max = 60 + dice_below(d, 2u << dice_below(d, 14));
    q.oldest_first = dice_below(d, 2);
    return q;
}

struct found {
    const struct world *w;
    uint64_t *index;
    size_t n, limit; /* stop when so many are there */
};

static err see_hit(struct ctx *cx, void *state, const struct query_hit *hit, bool *stop)
{
    struct found *f = state;

    (void)cx;
    CHECK(f->n < HITS_MAX);
    CHECK_STR(hit->entry, f->w->entries[hit->index].text);
    f->index[f->n++] = hit->index;
    *stop = f->n == f->limit;
    return ERR_OK;
}

/* Go on from where the last page ended until it says that it is complete. */
static void find_in_pages(struct ctx *cx, struct world *w, struct query q, struct dice *d,
                          struct found *f)
{
    struct query_end end = {0};

    bool some = q.begin <= q.end;

    for (unsigned pages = 0; !end.complete; pages++) {
        CHECK(pages < 100000);
        f->limit = f->n + 1 + (pages < 20 ? dice_below(d, 40) : dice_below(d, 4 * SEGMENT_ENTRIES));
        CHECK_OK(query_run(cx, w->l, &q, see_hit, f, &end));
        CHECK(!q.scan_max || end.scanned <= q.scan_max);
        if (q.oldest_first)
            q.begin = end.next;
        else
            q.end = end.next;
        CHECK(!some || q.begin <= q.end);
    }
}

TEST(query_finds_what_a_plain_scan_finds_page_by_page)
{
    struct world *w = the_world();
    struct found f = {.w = w, .index = malloc(sizeof(uint64_t) * HITS_MAX)};
    uint64_t *want = malloc(sizeof(uint64_t) * HITS_MAX);
    struct dice d = {1};
    size_t all = 0;

    CHECK(f.index && want);
    for (unsigned i = 0; i < 150; i++) {
        struct query q = pick_query(cx, w, &d);
        fake_ledger_show(w->l, i % 4 ? ENTRIES : dice_below(&d, ENTRIES));
        size_t n = plain_find(w, &q, ledger_size(w->l), want);
        f.n = 0;
        find_in_pages(cx, w, q, &d, &f);
        CHECK_EQ(f.n, n);
        CHECK(n == 0 || memcmp(f.index, want, n * sizeof *want) == 0);
        all += n;
        ctx_reset(cx);
    }
    CHECK(all > 10000);
    free(want);
    free(f.index);
}

/* Lists of a hundred by one attribute touch what they must and no more. */
TEST(query_reads_no_more_than_it_needs)
{
    struct world *w = the_world();
    uint64_t index[200];
    struct found f = {.w = w, .index = index, .limit = 100};
    struct query q = {
        .match = {{ATTR_OUTCOME, S("failure"), false}}, .match_count = 1, .end = UINT64_MAX};
    struct query_end end;

    CHECK_OK(query_run(cx, w->l, &q, see_hit, &f, &end));
    struct fake_work work = fake_ledger_work(w->l);
    CHECK_EQ(f.n, 100);
    CHECK_EQ(work.segments, 1);
    CHECK(work.bundles <= 12); /* one in twenty */
    CHECK(!end.complete);
    CHECK_EQ(end.next, index[99]);

    f = (struct found){.w = w, .index = index};
    q.match[0] = (struct query_match){ATTR_SESSIONID, S("session-20"), false};
    CHECK_OK(query_run(cx, w->l, &q, see_hit, &f, &end));
    work = fake_ledger_work(w->l);
    CHECK_EQ(f.n, 5);
    CHECK_EQ(work.segments, 4);
    CHECK_EQ(work.bundles, 5); /* only those with hits */
    CHECK(end.complete);
    CHECK_EQ(end.scanned, 0);
}

/* What is appended while a query runs is not seen by it. */
static err append_meanwhile(struct ctx *cx, void *state, const struct query_hit *hit, bool *stop)
{
    struct found *f = state;

    (void)cx, (void)stop;
    CHECK(hit->index < ENTRIES - 2000);
    f->n++;
    fake_ledger_show(f->w->l, ENTRIES);
    return ERR_OK;
}

TEST(query_sees_the_log_as_it_was)
{
    struct world *w = the_world();

    for (int oldest_first = 0; oldest_first < 2; oldest_first++) {
        struct found f = {.w = w};
        struct query q = {.begin = ENTRIES - 4000, .end = UINT64_MAX, .oldest_first = oldest_first};
        struct query_end end;
        fake_ledger_show(w->l, ENTRIES - 2000);
        CHECK_OK(query_run(cx, w->l, &q, append_meanwhile, &f, &end));
        CHECK_EQ(f.n, 2000);
        CHECK(end.complete);
        CHECK_EQ(end.next, oldest_first ? ENTRIES - 2000 : ENTRIES - 4000);
    }
}

TEST(query_passes_over_pruned_segments)
{
    struct world *w = the_world();
    struct found f = {.w = w, .index = malloc(sizeof(uint64_t) * HITS_MAX)};
    struct query q = {
        .match = {{ATTR_SESSIONID, S("session-"), true}}, .match_count = 1, .end = UINT64_MAX};
    struct query_end end;
    uint64_t total, other;
    struct query_count *rows;
    size_t n;

    fake_ledger_prune(w->l, 2);
    CHECK_OK(query_run(cx, w->l, &q, see_hit, &f, &end));
    CHECK(end.complete);
    CHECK_EQ(f.n, (ENTRIES - 7 + 999) / 1000 - (2 * SEGMENT_ENTRIES - 7 + 999) / 1000);
    CHECK(f.index[f.n - 1] >= 2 * SEGMENT_ENTRIES);
    CHECK_OK(query_stats(cx, w->l, &q, &(struct query_stats_spec){.rows_max = 1}, &rows, &n, &total,
                         &other));
    CHECK_EQ(total, f.n);
    free(f.index);
}

TEST(query_of_an_empty_log_is_complete)
{
    struct world *w = the_world();
    struct found f = {.w = w};
    struct query q = {.end = UINT64_MAX};
    struct query_end end = {.next = 77};

    fake_ledger_show(w->l, 0);
    CHECK_OK(query_run(cx, w->l, &q, see_hit, &f, &end));
    CHECK(end.complete);
    CHECK_EQ(end.next, 0);
    q.begin = 5; /* who waits for entry 5 goes on waiting for it */
    q.oldest_first = true;
    CHECK_OK(query_run(cx, w->l, &q, see_hit, &f, &end));
    CHECK(end.complete);
    CHECK_EQ(end.next, 5);
}

TEST(query_stops_at_its_deadline)
{
    struct world *w = the_world();
    struct found f = {.w = w};
    struct query q = {.end = UINT64_MAX};
    struct query_end end;

    cx->deadline_ns = 1;
    CHECK_ERR(query_run(cx, w->l, &q, see_hit, &f, &end), ERR_TIMEOUT);
}

TEST(query_matches_says_what_a_query_finds)
{
    struct world *w = the_world();
    struct entry_batch b = {.frames = BUF(1 << 24), .values = BUF(1 << 24)};
    struct dice d = {8};
    unsigned yes = 0;

    for (uint64_t i = 0; i < 2000; i++)
        plain_add(&b, &w->entries[i]);
    for (unsigned k = 0; k < 200; k++) {
        struct query q = pick_query(cx, w, &d);
        for (uint64_t i = 0; i < b.count; i += 7) {
            bool want = plain_match(&q, &w->entries[i]);
            CHECK_EQ(query_matches(&q, &b, i), want);
            yes += want;
        }
    }
    CHECK(yes > 100);
    entry_batch_close(&b);
}

/* ---- counting ---- */

static int64_t plain_bucket(int64_t us, int64_t size)
{
    int64_t n = us / size - (us % size < 0);

    return n * size;
}

static bool row_holds(const struct query *q, const struct query_stats_spec *spec,
                      const struct query_count *row, const struct plain_entry *e)
{
    int64_t t = q->time == INDEX_TIME ? e->time_us : e->recorded_us;
    str v = spec->grouped ? e->attr[spec->group] : STR_NULL;

    return (!spec->bucket_us || plain_bucket(t, spec->bucket_us) == row->from_us) &&
           str_is_null(v) == str_is_null(row->value) && str_eq(v, row->value);
}

static void check_rows(const struct world *w, const struct query *q,
                       const struct query_stats_spec *spec, const struct query_count *rows,
                       size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t want = 0;
        for (uint64_t at = q->begin; at < u64_min(q->end, ledger_size(w->l)); at++)
            want +=
                plain_match(q, &w->entries[at]) && row_holds(q, spec, &rows[i], &w->entries[at]);
        CHECK_EQ(rows[i].count, want);
        if (i == 0 || rows[i - 1].from_us < rows[i].from_us)
            continue;
        CHECK_EQ(rows[i - 1].from_us, rows[i].from_us);
        CHECK(rows[i - 1].count > rows[i].count ||
              (rows[i - 1].count == rows[i].count &&
               (str_is_null(rows[i - 1].value) || str_cmp(rows[i - 1].value, rows[i].value) < 0)));
    }
}

TEST(stats_count_what_a_plain_scan_counts)
{
    static const enum attr groups[] = {ATTR_TYPE, ATTR_ACTOR, ATTR_OUTCOME, ATTR_SESSIONID,
                                       ATTR_REMOTEIP};
    static const int64_t buckets[] = {0, 0, 1000000, 60000000, INT64_C(86400000000)};
    struct world *w = the_world();
    struct dice d = {4};

    for (unsigned i = 0; i < 60; i++) {
        struct query q = pick_query(cx, w, &d);
        struct query_stats_spec spec = {.grouped = i % 5 != 0,
                                        .group = groups[dice_below(&d, COUNT(groups))],
                                        .bucket_us = buckets[dice_below(&d, COUNT(buckets))],
                                        .rows_max = 1 + dice_below(&d, 30)};
        struct query_count *rows;
        uint64_t total, other, sum = 0;
        size_t n;
        q.text = STR_NULL;
        if (i % 3 == 0)
            q = (struct query){.end = i % 2 ? UINT64_MAX : SEGMENT_ENTRIES};
        CHECK_OK(query_stats(cx, w->l, &q, &spec, &rows, &n, &total, &other));
        CHECK(n <= spec.rows_max);
        check_rows(w, &q, &spec, rows, n);
        for (size_t k = 0; k < n; k++)
            sum += rows[k].count;
        CHECK_EQ(sum + other, total);
        uint64_t want = 0;
        for (uint64_t at = q.begin; at < u64_min(q.end, ENTRIES); at++)
            want += plain_match(&q, &w->entries[at]);
        CHECK_EQ(total, want);
        CHECK_EQ(fake_ledger_work(w->l).bundles, 0);
        ctx_reset(cx);
    }
}

/* Of more groups than rows the largest are kept, in an order that does not depend on chance. */
TEST(stats_keep_the_largest)
{
    struct world *w = the_world();
    struct query q = {.end = UINT64_MAX};
    struct query_stats_spec spec = {.grouped = true, .group = ATTR_SUBJECT, .rows_max = 10000};
    struct query_count *all, *top;
    uint64_t total, other;
    size_t n, kept;

    CHECK_OK(query_stats(cx, w->l, &q, &spec, &all, &n, &total, &other));
    CHECK_EQ(n, 3000);
    CHECK_EQ(total, ENTRIES);
    CHECK_EQ(other, 0);
    spec.rows_max = 17;
    CHECK_OK(query_stats(cx, w->l, &q, &spec, &top, &kept, &total, &other));
    CHECK_EQ(kept, 17);
    for (size_t i = 0; i < kept; i++) {
        CHECK_STR(top[i].value, all[i].value);
        CHECK_EQ(top[i].count, all[i].count);
        total -= top[i].count;
    }
    CHECK_EQ(other, total);
    spec.rows_max = 0;
    CHECK_OK(query_stats(cx, w->l, &q, &spec, &top, &kept, &total, &other));
    CHECK(kept == 0 && other == ENTRIES);
}
