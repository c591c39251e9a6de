/* The index of a segment against a plain list of its entries: in memory and as a file. */
#include "ask_index.h"
#include "ledger/dedup.h"
#include "plain_batch.h"
#include "test.h"

enum { STYLES = 6, SEGMENT = 7 };

/* How the values of one attribute are made up. */
struct style {
    uint32_t kind, distinct, absent_percent, run;
};

struct model {
    struct plain_entry *entries;
    uint32_t count;
    struct style style[ATTR_COUNT];
};

static str make_value(struct ctx *cx, const struct style *s, uint64_t n)
{
    static const char zeros[200] = {0};
    struct dice d = {n * 31 + s->kind};
    char *bytes;

    switch (s->kind) {
    case 0:
        return arena_printf(cx->mem, "case/%04u", (unsigned)n);
    case 1: /* one is the beginning of another; the empty one too */
        return arena_str(cx->mem,
                         str_slice(S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                                   0, n % 150));
    case 2: /* any bytes, zeros among them */
        bytes = arena_alloc(cx->mem, 1, 1 + n % 23);
        for (size_t i = 0; i < n % 23; i++)
            bytes[i] = (char)dice_below(&d, n % 2 ? 256 : 2);
        return (str){bytes, n % 23};
    case 3: /* long ones that differ far behind */
        bytes = arena_alloc(cx->mem, 1, 400);
        memset(bytes, 'x', 400);
        memcpy(bytes + 300 + n % 90, &n, sizeof n);
        return (str){bytes, 400};
    case 4: /* zeros only */
        return arena_str(cx->mem, (str){zeros, n % sizeof zeros});
    default:
        return arena_printf(cx->mem, "%08x-%04x-7000-%012llx", (unsigned)(dice_u64(&d) >> 32),
                            (unsigned)n & 0xFFFF, (unsigned long long)dice_u64(&d) >> 16);
    }
}

static void make_attrs(struct ctx *cx, struct model *m, struct dice *d, uint32_t i)
{
    for (unsigned a = 0; a < ATTR_COUNT; a++) {
        const struct style *s = &m->style[a];
        if (dice_below(d, 100) < s->absent_percent)
            continue;
        if (s->run && i > 0 && dice_below(d, s->run) && m->entries[i - 1].attr[a].p)
            m->entries[i].attr[a] = m->entries[i - 1].attr[a];
        else
            m->entries[i].attr[a] = make_value(cx, s, dice_below(d, s->distinct));
    }
}

static void make_model(struct ctx *cx, struct dice *d, uint32_t count, struct model *m)
{
    static const uint32_t distinct[] = {1, 2, 3, 40, 63, 64, 65, 500, 20000};
    static const uint32_t absent[] = {0, 0, 0, 1, 50, 97, 100};
    int64_t now = dice_below(d, 4) ? INT64_C(1763600000000000) : -5000000;
    uint32_t pace = 1u << dice_below(d, 24);

    m->count = count;
    m->entries = arena_new(cx->mem, struct plain_entry, count);
    for (unsigned a = 0; a < ATTR_COUNT; a++)
        m->style[a] = (struct style){
            dice_below(d, STYLES), distinct[dice_below(d, COUNT(distinct))],
            absent[dice_below(d, COUNT(absent))], dice_below(d, 2) * dice_below(d, 300)};
    for (uint32_t i = 0; i < count; i++) {
        struct plain_entry *e = &m->entries[i];
        make_attrs(cx, m, d, i);
        now += dice_below(d, pace) / (1 + dice_below(d, 3));
        e->recorded_us = now;
        e->time_us = pace % 3 ? now : now - dice_below(d, 5 * pace);
        e->id_hash = dice_below(d, 10) ? dice_u64(d) : 0;
    }
}

static struct index_builder *build(const struct model *m, struct dice *d)
{
    struct entry_batch b = {.frames = BUF(1 << 28), .values = BUF(1 << 28)};
    struct index_builder *builder = index_builder_open();

    for (uint32_t i = 0; i < m->count; i++)
        plain_add(&b, &m->entries[i]);
    for (size_t from = 0, to; from < b.count; from = to) {
        to = from + size_min(1 + dice_below(d, 3000), b.count - from);
        index_builder_add(builder, &b, from, to);
    }
    entry_batch_close(&b);
    return builder;
}

static bool plain_match(const struct plain_entry *e, enum attr attr, str value, bool prefix)
{
    str v = e->attr[attr];

    return !str_is_null(v) && (prefix ? str_starts(v, value) : str_eq(v, value));
}

static str pick_value(struct ctx *cx, const struct model *m, struct dice *d, enum attr attr,
                      bool prefix)
{
    str v = m->entries[dice_below(d, m->count)].attr[attr];

    if (str_is_null(v) || dice_below(d, 5) == 0)
        v = make_value(cx, &m->style[attr], dice_below(d, 1000));
    return prefix ? str_slice(v, 0, dice_below(d, (uint32_t)v.n + 1)) : v;
}

static void check_lookups(struct ctx *cx, const struct model *m, struct dice *d,
                          const struct segment_index *ix)
{
    for (unsigned i = 0; i < 60; i++) {
        enum attr attr = (enum attr)dice_below(d, ATTR_COUNT);
        bool prefix = dice_below(d, 3) == 0;
        str value = pick_value(cx, m, d, attr, prefix);
        for (unsigned k = 0; k < 2; k++) {
            struct positions hits = {0};
            CHECK_OK(index_lookup(cx, ix[k], attr, value, prefix, &hits));
            for (uint32_t at = 0; at < m->count; at++)
                CHECK_EQ(positions_have(&hits, at),
                         plain_match(&m->entries[at], attr, value, prefix));
            CHECK_EQ(positions_next(&hits, m->count), POSITION_NONE);
        }
    }
}

static int64_t time_of(const struct plain_entry *e, enum index_time which)
{
    return which == INDEX_TIME ? e->time_us : e->recorded_us;
}

static void check_time_lookup(struct ctx *cx, const struct model *m, struct dice *d,
                              struct segment_index ix, enum index_time which)
{
    struct positions hits = {0};
    int64_t a = time_of(&m->entries[dice_below(d, m->count)], which) + dice_below(d, 2);
    int64_t b = time_of(&m->entries[dice_below(d, m->count)], which) + dice_below(d, 2);
    int64_t from = dice_below(d, 3) ? a : 0, to = dice_below(d, 3) ? b : 0;

    CHECK_OK(index_lookup_time(cx, ix, which, from, to, &hits));
    for (uint32_t at = 0; at < m->count; at++) {
        int64_t t = time_of(&m->entries[at], which);
        CHECK_EQ(positions_have(&hits, at), (!from || t >= from) && (!to || t < to));
    }
}

static void check_columns(struct ctx *cx, const struct model *m, struct dice *d,
                          struct segment_index ix)
{
    int64_t *times = arena_new(cx->mem, int64_t, m->count), min, max;
    uint64_t *prints = arena_new(cx->mem, uint64_t, m->count);
    uint32_t n = dice_below(d, m->count) + 1;

    CHECK_EQ(index_count(ix), m->count);
    for (unsigned w = 0; w < INDEX_TIMES; w++) {
        CHECK_OK(index_times(cx, ix, (enum index_time)w, times, n));
        CHECK(index_time_range(ix, (enum index_time)w, &min, &max));
        bool seen_min = false, seen_max = false;
        for (uint32_t i = 0; i < m->count; i++) {
            int64_t t = time_of(&m->entries[i], (enum index_time)w);
            CHECK(i >= n || times[i] == t);
            CHECK(min <= t && t <= max);
            seen_min |= t == min;
            seen_max |= t == max;
        }
        CHECK(seen_min && seen_max);
        for (unsigned i = 0; i < 10; i++)
            check_time_lookup(cx, m, d, ix, (enum index_time)w);
    }
    CHECK_OK(index_fingerprints(cx, ix, prints, n));
    for (uint32_t i = 0; i < n; i++)
        CHECK_EQ(prints[i], m->entries[i].id_hash >> 24);
}

struct seen_values {
    const struct model *model;
    enum attr attr;
    uint32_t entries;
    str before;
    uint32_t *room;
};

static err see_value(struct ctx *cx, void *state, const struct index_item *item)
{
    struct seen_values *s = state;
    const uint32_t *at;

    CHECK(str_is_null(s->before) || str_cmp(s->before, item->value) < 0);
    s->before = arena_str(cx->mem, item->value);
    CHECK_OK(index_item_positions(cx, item, s->room, &at));
    for (uint32_t i = 0; i < item->count; i++) {
        CHECK(i == 0 || at[i] > at[i - 1]);
        CHECK_STR(s->model->entries[at[i]].attr[s->attr], item->value);
    }
    s->entries += item->count;
    return ERR_OK;
}

static void check_values(struct ctx *cx, const struct model *m, struct segment_index ix)
{
    for (unsigned a = 0; a < ATTR_COUNT; a++) {
        struct seen_values s = {.model = m,
                                .attr = (enum attr)a,
                                .room = arena_new(cx->mem, uint32_t, SEGMENT_ENTRIES)};
        uint32_t want = 0;
        for (uint32_t i = 0; i < m->count; i++)
            want += !str_is_null(m->entries[i].attr[a]);
        CHECK_OK(index_values(cx, ix, (enum attr)a, see_value, &s));
        CHECK_EQ(s.entries, want);
    }
}

static void check_all(struct ctx *cx, uint64_t seed, uint32_t count)
{
    struct dice d = {seed};
    struct model m = {0};
    struct index_reader *r;
    CLEANUP(buf_close) struct buf file = BUF(1 << 28);

    make_model(cx, &d, count, &m);
    struct index_builder *b = build(&m, &d);
    CHECK_OK(index_builder_write(cx, b, SEGMENT, &file));
    CHECK_OK(index_reader_open(cx, buf_str(&file), SEGMENT, &r));
    CHECK_OK(index_reader_check(cx, r));
    struct segment_index ix[] = {{.builder = b}, {.reader = r}};
    check_lookups(cx, &m, &d, ix);
    for (unsigned k = 0; k < 2; k++) {
        check_columns(cx, &m, &d, ix[k]);
        check_values(cx, &m, ix[k]);
    }
    index_reader_close(r);
    index_builder_close(b);
}

/* Many small segments at the edges of the format's blocks and chunks. */
TEST(index_answers_like_a_plain_scan)
{
    static const uint32_t counts[] = {1, 2, 31, 32, 33, 63, 64, 65, 300, 1000, 4095, 4096, 4097};

    for (uint64_t seed = 0; seed < 130; seed++) {
        check_all(cx, seed, counts[seed % COUNT(counts)]);
        ctx_reset(cx);
    }
}

TEST(index_answers_like_a_plain_scan_when_full)
{
    for (uint64_t seed = 500; seed < 503; seed++) {
        check_all(cx, seed, SEGMENT_ENTRIES);
        ctx_reset(cx);
    }
}

/* 65,536 different values: every number of a value is taken. */
TEST(index_holds_as_many_values_as_entries)
{
    struct dice d = {5};
    struct model m = {.count = SEGMENT_ENTRIES};
    struct index_reader *r;
    CLEANUP(buf_close) struct buf file = BUF(1 << 28);

    m.entries = arena_new(cx->mem, struct plain_entry, m.count);
    for (uint32_t i = 0; i < m.count; i++)
        m.entries[i].attr[ATTR_SESSIONID] = arena_printf(cx->mem, "%u", i * 7919);
    struct index_builder *b = build(&m, &d);
    CHECK_OK(index_builder_write(cx, b, SEGMENT, &file));
    CHECK_OK(index_reader_open(cx, buf_str(&file), SEGMENT, &r));
    struct segment_index ix[] = {{.builder = b}, {.reader = r}};
    for (unsigned k = 0; k < 2; k++) {
        check_values(cx, &m, ix[k]);
        for (uint32_t i = 0; i < m.count; i += 97) {
            struct positions hits = {0};
            CHECK_OK(index_lookup(cx, ix[k], ATTR_SESSIONID, m.entries[i].attr[ATTR_SESSIONID],
                                  false, &hits));
            CHECK_EQ(positions_next(&hits, 0), i);
            CHECK_EQ(positions_count(&hits), 1);
        }
    }
    index_reader_close(r);
    index_builder_close(b);
}

/* A hash that two values share must not make them one. */
TEST(index_compares_bytes_when_hashes_agree)
{
    struct entry_batch b = {.frames = BUF(1 << 20), .values = BUF(1 << 20)};
    struct index_builder *builder = index_builder_open();
    const str values[] = {S("one"), S("two"), S("longer than sixteen bytes"), S("eight by")};

    for (unsigned i = 0; i < COUNT(values); i++) {
        plain_add(&b, &(struct plain_entry){.attr[ATTR_TYPE] = values[i], .text = S("")});
        b.meta[i].attr[ATTR_TYPE].hash = entry_value_hash(values[0]);
    }
    index_builder_add(builder, &b, 0, b.count);
    struct positions hits = {0};
    CHECK_OK(index_lookup(cx, (struct segment_index){.builder = builder}, ATTR_TYPE, values[0],
                          false, &hits));
    CHECK(positions_have(&hits, 0));
    CHECK_EQ(positions_count(&hits), 1);
    index_builder_close(builder);
    entry_batch_close(&b);
}

static void small_file(struct ctx *cx, uint64_t seed, uint32_t count, struct buf *out)
{
    struct dice d = {seed};
    struct model m = {0};

    make_model(cx, &d, count, &m);
    struct index_builder *b = build(&m, &d);
    CHECK_OK(index_builder_write(cx, b, SEGMENT, out));
    index_builder_close(b);
}

/* Whatever byte is changed, opening or checking notices; and asking all the same is safe. */
TEST(index_file_notices_every_changed_byte)
{
    CLEANUP(buf_close) struct buf file = BUF(1 << 28);
    bool ok;

    small_file(cx, 11, 90, &file);
    for (size_t at = 0; at < file.n; at++) {
        file.p[at] ^= (char)(1 << at % 8);
        ask_index(cx, buf_str(&file), SEGMENT, &ok);
        CHECK(!ok);
        file.p[at] ^= (char)(1 << at % 8);
    }
    ask_index(cx, buf_str(&file), SEGMENT, &ok);
    CHECK(ok);
}

TEST(index_file_notices_every_cut)
{
    CLEANUP(buf_close) struct buf file = BUF(1 << 28);
    struct index_reader *r;

    small_file(cx, 12, 90, &file);
    for (size_t n = 0; n < file.n; n++) {
        char *exact = malloc(n + 1);
        CHECK(exact != NULL);
        memcpy(exact, file.p, n);
        CHECK_ERR(index_reader_open(cx, (str){exact, n}, SEGMENT, &r), ERR_CORRUPT);
        free(exact);
    }
    CHECK_ERR(index_reader_open(cx, buf_str(&file), SEGMENT + 1, &r), ERR_CORRUPT);
    CHECK_DETAIL("segment 7");
    buf_put_char(&file, 0);
    CHECK_ERR(index_reader_open(cx, buf_str(&file), SEGMENT, &r), ERR_CORRUPT);
}

/* With checksums made to fit, malformed parts are met when they are used. */
TEST(index_file_is_safe_to_ask_when_malformed)
{
    struct dice d = {99};
    bool ok;

    for (uint64_t seed = 20; seed < 40; seed++) {
        CLEANUP(buf_close) struct buf file = BUF(1 << 28);
        small_file(cx, seed, 200, &file);
        char *exact = malloc(file.n);
        CHECK(exact != NULL);
        for (unsigned i = 0; i < 150; i++) {
            memcpy(exact, file.p, file.n);
            for (unsigned k = 0; k <= i % 3; k++)
                exact[8 + dice_below(&d, (uint32_t)file.n - 8)] ^= (char)(1 + dice_below(&d, 255));
            ask_repair(exact, file.n);
            ask_index(cx, (str){exact, file.n}, SEGMENT, &ok);
        }
        free(exact);
        ctx_reset(cx);
    }
}

/* Each part takes about as many bytes as there is to know. */
TEST(index_file_is_small)
{
    struct dice d = {6};
    struct model m = {.count = SEGMENT_ENTRIES};
    struct index_reader *r;
    CLEANUP(buf_close) struct buf file = BUF(1 << 28);

    m.entries = arena_new(cx->mem, struct plain_entry, m.count);
    for (uint32_t i = 0; i < m.count; i++) {
        struct plain_entry *e = &m.entries[i];
        e->recorded_us = (i ? m.entries[i - 1].recorded_us : 0) + dice_below(&d, 1 << 20);
        e->time_us = e->recorded_us;
        e->attr[ATTR_OUTCOME] = dice_below(&d, 100) ? S("success") : S("failure");
        e->attr[ATTR_PRINCIPAL] = i / 3000 % 2 ? S("key/one") : S("key/two");
        e->attr[ATTR_TYPE] = arena_printf(cx->mem, "type-%u", dice_below(&d, 64));
        e->attr[ATTR_ACTOR] = arena_printf(cx->mem, "user/%05u", dice_below(&d, 1024) * 37);
    }
    struct index_builder *b = build(&m, &d);
    CHECK_OK(index_builder_write(cx, b, SEGMENT, &file));
    CHECK_OK(index_reader_open(cx, buf_str(&file), SEGMENT, &r));
    CHECK(r->attr[ATTR_OUTCOME].n < SEGMENT_ENTRIES / 8 / 3); /* 0.08 bits an entry, twice */
    CHECK(r->attr[ATTR_PRINCIPAL].n < 300);                   /* runs */
    CHECK(r->attr[ATTR_TYPE].n < SEGMENT_ENTRIES * 8 / 8);    /* 6 bits an entry and the gaps' */
    CHECK(r->attr[ATTR_ACTOR].n < SEGMENT_ENTRIES * 13 / 8);  /* 10 bits */
    CHECK(r->times[INDEX_TIME].bytes.n < 1000);               /* as recorded */
    CHECK(r->times[INDEX_RECORDED].bytes.n < SEGMENT_ENTRIES * 3);
    CHECK(str_is_null(r->attr[ATTR_SUBJECT]));
    index_reader_close(r);
    index_builder_close(b);
}

/* The same entries give the same bytes: an index can be checked by making it again. */
TEST(index_file_depends_on_its_entries_alone)
{
    CLEANUP(buf_close) struct buf one = BUF(1 << 28), two = BUF(1 << 28);
    struct dice d = {3}, other = {4};
    struct model m = {0};

    make_model(cx, &d, 5000, &m);
    struct index_builder *a = build(&m, &d), *b = build(&m, &other);
    buf_put(&two, S("before"));
    CHECK_OK(index_builder_write(cx, a, SEGMENT, &one));
    CHECK_OK(index_builder_write(cx, b, SEGMENT, &two));
    CHECK_STR(buf_str(&one), str_slice(buf_str(&two), 6, two.n));
    index_builder_close(a);
    index_builder_close(b);
}

/* One thread adds, another asks: what it finds lies below the count it knew, and is right. */
struct asking {
    struct ctx *cx;
    struct index_builder *builder;
    const struct model *model;
};

static void *ask_while_growing(void *arg)
{
    struct asking *a = arg;
    struct segment_index ix = {.builder = a->builder};
    struct dice d = {1};

    while (index_builder_count(a->builder) < a->model->count) {
        uint32_t known = index_builder_count(a->builder);
        uint32_t at = dice_below(&d, a->model->count);
        str value = a->model->entries[at].attr[ATTR_SUBJECT];
        struct positions hits = {0};
        if (str_is_null(value))
            continue;
        ENSURE(index_lookup(a->cx, ix, ATTR_SUBJECT, value, at % 5 == 0, &hits) == ERR_OK);
        ENSURE(at >= known || positions_have(&hits, at));
        for (uint32_t i = positions_next(&hits, 0); i != POSITION_NONE;
             i = positions_next(&hits, i + 1))
            ENSURE(plain_match(&a->model->entries[i], ATTR_SUBJECT, value, at % 5 == 0));
    }
    return NULL;
}

TEST(index_is_asked_while_it_grows)
{
    struct dice d = {77};
    struct model m = {.count = 30000};
    struct entry_batch b = {.frames = BUF(1 << 28), .values = BUF(1 << 28)};
    struct index_builder *builder = index_builder_open();
    struct asking a = {ctx_open(0), builder, &m};
    pthread_t thread;

    m.entries = arena_new(cx->mem, struct plain_entry, m.count);
    for (uint32_t i = 0; i < m.count; i++) {
        m.entries[i].attr[ATTR_SUBJECT] = arena_printf(cx->mem, "case/%u", dice_below(&d, 3000));
        plain_add(&b, &m.entries[i]);
    }
    CHECK_EQ(pthread_create(&thread, NULL, ask_while_growing, &a), 0);
    for (size_t from = 0; from < b.count; from += 50)
        index_builder_add(builder, &b, from, from + 50);
    pthread_join(thread, NULL);
    ctx_close(a.cx);
    index_builder_close(builder);
    entry_batch_close(&b);
}
