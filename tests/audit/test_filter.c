/* test_filter.c - every query parameter, good and bad; cursors and what is done to them. */
#include "audit/audit_filter.h"
#include "test.h"

/* "name=value" texts, ended by NULL. */
static str lookup(const void *state, const char *name, size_t nth)
{
    for (const char *const *p = state; *p; p++) {
        str value = str_from(*p);
        if (str_eq(str_cut(&value, '='), str_from(name)) && nth-- == 0)
            return value;
    }
    return STR_NULL;
}

static str canonical(struct ctx *cx, const struct filter *f)
{
    struct buf b = BUF(4096);

    filter_put(&b, f);
    str text = arena_str(cx->mem, buf_str(&b));
    buf_close(&b);
    return text;
}

enum { GIVEN_MAX = 20 };

/* clang-format off */
static const struct {
    const char *given[GIVEN_MAX], *canonical;
} good[] = {
    {{NULL}, ""},
    {{"type=user.login"}, "type=user.login"},
    {{"type=user.*"}, "type=user.*"},
    {{"type=*"}, "type=*"},
    {{"type=b", "type=a"}, "type=b&type=a"},
    {{"subject=case/*", "type=t"}, "type=t&subject=case%2F*"},
    {{"source=/a&b=c"}, "source=%2Fa%26b%3Dc"},
    {{"actor=user/x", "principal=key/1", "outcome=denied", "remoteip=192.0.2.*", "sessionid=s"},
     "actor=user%2Fx&principal=key%2F1&outcome=denied&remoteip=192.0.2.*&sessionid=s"},
    {{"from=2026-11-20T00:00:00+01:00"}, "from=2026-11-19T23%3A00%3A00.000000Z"},
    {{"from=2026-11-20", "to=2026-11-21", "time=time"},
     "from=2026-11-20T00%3A00%3A00.000000Z&to=2026-11-21T00%3A00%3A00.000000Z&time=time"},
    {{"time=recorded"}, ""},
    {{"q=a needle*"}, "q=a%20needle%2A"},
    {{"order=oldest"}, "order=oldest"},
    {{"order=newest", "limit=1000"}, ""},
};

static const struct {
    const char *given[GIVEN_MAX], *pointer;
} bad[] = {
    {{"type="}, "/type"},
    {{"type=*x"}, "/type"},
    {{"type=a*b*"}, "/type"},
    {{"type=**"}, "/type"},
    {{"subject=case/*/1"}, "/subject"},
    {{"source=*a"}, "/source"},
    {{"actor="}, "/actor"},
    {{"principal=*/1"}, "/principal"},
    {{"outcome=\xff"}, "/outcome"},
    {{"remoteip=*.1"}, "/remoteip"},
    {{"sessionid=*-"}, "/sessionid"},
    {{"from=yesterday"}, "/from"},
    {{"from=2026-11-20", "from=2026-11-20"}, "/from"},
    {{"to=2026-13-01"}, "/to"},
    {{"from=2026-11-21", "to=2026-11-21"}, "/from"},
    {{"from=2026-11-22", "to=2026-11-21"}, "/from"},
    {{"time=sent"}, "/time"},
    {{"q="}, "/q"},
    {{"q=a", "q=b"}, "/q"},
    {{"order=random"}, "/order"},
    {{"limit=0"}, "/limit"},
    {{"limit=1001"}, "/limit"},
    {{"limit=ten"}, "/limit"},
    {{"cursor="}, "/cursor"},
    {{"cursor=AAAA"}, "/cursor"},
    {{"type=1", "type=2", "type=3", "type=4", "type=5", "type=6", "type=7", "type=8", "type=9",
      "actor=1", "actor=2", "actor=3", "actor=4", "actor=5", "actor=6", "actor=7", "actor=8"},
     "/actor"},
};
/* clang-format on */

TEST(filters_are_read_and_written_back)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        struct filter f;
        CHECK_OK(filter_parse(cx, lookup, good[i].given, &f));
        CHECK_STR(canonical(cx, &f), str_from(good[i].canonical));
    }
}

TEST(a_wrong_parameter_is_named)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct filter f;
        ctx_clear_error(cx);
        CHECK_ERR(filter_parse(cx, lookup, bad[i].given, &f), ERR_INVALID);
        CHECK_EQ(cx->issue_count, 1);
        CHECK_STR(cx->issues[0].pointer, str_from(bad[i].pointer));
        CHECK_DETAIL(bad[i].pointer + 1);
    }
}

TEST(text_that_is_searched_for_has_a_limit)
{
    str most = arena_printf(cx->mem, "q=%0*d", FILTER_TEXT_BYTES_MAX, 0);
    str more = arena_printf(cx->mem, "q=%0*d", FILTER_TEXT_BYTES_MAX + 1, 0);
    const char *fits[] = {most.p, NULL}, *does_not[] = {more.p, NULL};
    struct filter f;

    CHECK_OK(filter_parse(cx, lookup, fits, &f));
    CHECK_ERR(filter_parse(cx, lookup, does_not, &f), ERR_INVALID);
}

TEST(a_filter_has_the_values_it_was_given)
{
    const char *given[] = {"type=user.*",
                           "actor=user/1",
                           "from=1970-01-01T00:00:01Z",
                           "to=1970-01-01T00:00:00Z",
                           "time=time",
                           "order=oldest",
                           "limit=7",
                           NULL};
    struct filter f;

    CHECK_ERR(filter_parse(cx, lookup, given, &f), ERR_INVALID); /* to is before from */
    given[3] = "to=1970-01-01T00:00:02Z";
    CHECK_OK(filter_parse(cx, lookup, given, &f));
    CHECK_EQ(f.query.match_count, 2);
    CHECK_EQ(f.query.match[0].attr, ATTR_TYPE);
    CHECK(f.query.match[0].prefix);
    CHECK_STR(f.query.match[0].value, S("user."));
    CHECK_EQ(f.query.match[1].attr, ATTR_ACTOR);
    CHECK(!f.query.match[1].prefix);
    CHECK_EQ(f.query.from_us, 1000000);
    CHECK_EQ(f.query.to_us, 2000000);
    CHECK_EQ(f.query.time, INDEX_TIME);
    CHECK(f.query.oldest_first);
    CHECK_EQ(f.limit, 7);
    CHECK_EQ(f.query.begin, 0);
    CHECK(f.query.end == UINT64_MAX);
}

/* ---- cursors ---- */

static str next_of(struct ctx *cx, const char *const *given, uint64_t next)
{
    const struct query_end end = {.complete = false, .next = next};
    struct filter f;

    CHECK_OK(filter_parse(cx, lookup, given, &f));
    f.query.begin = 10;
    f.query.end = 900;
    return filter_next(cx, &f, &end);
}

TEST(a_cursor_leads_to_the_rest_of_its_range)
{
    const char *newest[] = {"type=a", NULL}, *oldest[] = {"type=a", "order=oldest", NULL};
    const struct query_end done = {.complete = true};
    struct filter f;

    const char *with[] = {"limit=3", "type=a",
                          arena_printf(cx->mem, "cursor=%s", next_of(cx, newest, 55).p).p, NULL};
    CHECK_OK(filter_parse(cx, lookup, with, &f));
    CHECK_EQ(f.query.begin, 10);
    CHECK_EQ(f.query.end, 55);
    with[0] = "order=oldest";
    with[2] = arena_printf(cx->mem, "cursor=%s", next_of(cx, oldest, 55).p).p;
    CHECK_OK(filter_parse(cx, lookup, with, &f));
    CHECK_EQ(f.query.begin, 55);
    CHECK_EQ(f.query.end, 900);
    CHECK(str_is_null(filter_next(cx, &f, &done)));
}

TEST(a_cursor_of_another_filter_is_refused)
{
    const char *made_for[] = {"type=a", NULL};
    str cursor = arena_printf(cx->mem, "cursor=%s", next_of(cx, made_for, 55).p);
    const char *others[][4] = {
        {cursor.p, "type=b", NULL},
        {cursor.p, "type=a*", NULL},
        {cursor.p, NULL},
        {cursor.p, "type=a", "order=oldest", NULL},
        {cursor.p, "actor=a", NULL},
        {cursor.p, "type=a", "q=x", NULL},
        {cursor.p, "type=a", "time=time", NULL},
    };
    struct filter f;

    for (size_t i = 0; i < COUNT(others); i++) {
        ctx_clear_error(cx);
        CHECK_ERR(filter_parse(cx, lookup, others[i], &f), ERR_INVALID);
        CHECK_DETAIL("another query");
    }
}

/* Every bit of a cursor turned, and every length of it. */
TEST(a_cursor_that_was_changed_is_refused)
{
    const char *made_for[] = {"type=a", NULL};
    str cursor = next_of(cx, made_for, 55);
    uint64_t begin, end;

    CHECK_OK(cursor_read(cx, S("type=a"), cursor, &begin, &end));
    for (size_t i = 0; i < cursor.n; i++)
        for (int bit = 0; bit < 8; bit++) {
            char *changed = (char *)(uintptr_t)arena_str(cx->mem, cursor).p;
            changed[i] = (char)(changed[i] ^ 1 << bit);
            CHECK_ERR(cursor_read(cx, S("type=a"), (str){changed, cursor.n}, &begin, &end),
                      ERR_INVALID);
        }
    for (size_t n = 0; n < cursor.n; n++)
        CHECK_ERR(cursor_read(cx, S("type=a"), str_slice(cursor, 0, n), &begin, &end), ERR_INVALID);
    CHECK_ERR(cursor_read(cx, S("type=a"), arena_printf(cx->mem, "%sA", cursor.p), &begin, &end),
              ERR_INVALID);
}
