/* test_events.c - finding, reading and counting events through the router.
 *
 * What a filter must find is computed from the numbers of the events (house.h). */
#include "base/clock.h"
#include "base/encode.h"
#include "crypto/sha256.h"
#include "house.h"

typedef bool pick(uint64_t i);

static bool all(uint64_t i)
{
    (void)i;
    return true;
}

static bool logins(uint64_t i)
{
    return strcmp(event_type(i), "user.login") == 0;
}

static bool user_events(uint64_t i)
{
    return strncmp(event_type(i), "user.", 5) == 0;
}

static bool case_three_denied(uint64_t i)
{
    return event_case(i) == 3 && event_is_denied(i);
}

static bool case_one_or_teen(uint64_t i) /* case/1, case/10 to case/16 */
{
    return event_case(i) == 1 || event_case(i) >= 10;
}

static bool two_actors(uint64_t i)
{
    return event_actor(i) == 2 || event_actor(i) == 5;
}

static bool in_the_time(uint64_t i)
{
    return i >= 100 && i < 200;
}

static bool nobody(uint64_t i)
{
    (void)i;
    return false;
}

/* clang-format off */
static const struct {
    const char *filter;
    pick *wanted;
} filters[] = {
    {"", all},
    {"&type=user.login", logins},
    {"&type=user.*", user_events},
    {"&type=*", all},
    {"&subject=case/3&outcome=denied", case_three_denied},
    {"&subject=case/1*", case_one_or_teen},
    {"&actor=user/2&actor=user/5", two_actors},
    {"&principal=key/sender", all},
    {"&source=/test&type=user.login", logins},
    {"&q=needle", event_has_needle},
    {"&time=time&from=2023-11-14T23:53:20Z&to=2023-11-15T01:33:20Z", in_the_time},
    {"&from=2001-01-01T00:00:00Z", all},
    {"&to=2001-01-01T00:00:00Z", nobody},
    {"&sessionid=*", nobody},
    {"&remoteip=192.0.2.1", nobody},
};
/* clang-format on */

/* Every index that pages of this filter have, in their order. */
static size_t read_pages(struct ctx *cx, struct harness *h, const char *filter, const char *order,
                         unsigned limit, uint64_t *out)
{
    str target = arena_printf(cx->mem, "/api/v1/events?limit=%u&order=%s%s", limit, order, filter);
    size_t n = 0;

    for (;;) {
        const struct reply *r = harness_get(h, target.p);
        CHECK_EQ(r->status, 200);
        size_t count = reply_count(r, "/items");
        CHECK(count <= limit);
        for (size_t i = 0; i < count; i++)
            out[n++] = reply_u64(r, arena_printf(cx->mem, "/items/%zu/index", i).p);
        str next = reply_str(r, "/next");
        CHECK_EQ(reply_bool(r, "/complete"), str_is_null(next));
        CHECK_EQ(str_is_null(reply_header(r, "Link")), str_is_null(next));
        if (str_is_null(next))
            return n;
        target = arena_printf(cx->mem, "/api/v1/events?limit=%u&order=%s%s&cursor=%.*s", limit,
                              order, filter, STR_FMT(next));
    }
}

static void check_found(const uint64_t *found, size_t n, pick *wanted, bool newest, uint64_t size)
{
    size_t at = 0;

    for (uint64_t i = 0; i < size; i++) {
        uint64_t index = newest ? size - 1 - i : i;
        if (!wanted(index))
            continue;
        CHECK(at < n);
        CHECK_EQ(found[at], index);
        at++;
    }
    CHECK_EQ(at, n);
}

static void check_filters(struct ctx *cx, struct house *house, unsigned limit)
{
    uint64_t size = ledger_size(house->app.ledger);
    uint64_t *found = arena_new(cx->mem, uint64_t, size + 1);

    for (size_t i = 0; i < COUNT(filters); i++)
        for (int newest = 0; newest < 2; newest++) {
            size_t n = read_pages(cx, house->h, filters[i].filter, newest ? "newest" : "oldest",
                                  limit, found);
            check_found(found, n, filters[i].wanted, newest, size);
        }
}

TEST(pages_hold_what_a_plain_scan_finds)
{
    struct house *house = house_open(cx, dir, NULL);

    house_fill(cx, house, 1500);
    check_filters(cx, house, 7);
    check_filters(cx, house, 1000);
    house_close(house);
}

TEST(pages_cross_from_the_growing_into_the_sealed_segment)
{
    struct house *house = house_open(cx, dir, NULL);

    house_fill(cx, house, SEGMENT_ENTRIES + 700);
    CHECK_OK(ledger_seal_wait(cx, house->app.ledger));
    check_filters(cx, house, 1000);
    house_close(house);
}

TEST(an_empty_log_has_an_empty_page)
{
    struct house *house = house_open(cx, dir, NULL);
    const struct reply *r = harness_get(house->h, "/api/v1/events");

    CHECK_EQ(r->status, 200);
    CHECK_EQ(reply_count(r, "/items"), 0);
    CHECK(reply_bool(r, "/complete"));
    r = harness_get(house->h, "/api/v1/events/0");
    CHECK_EQ(r->status, 404);
    r = harness_get(house->h, "/api/v1/events/stats");
    CHECK_EQ(reply_u64(r, "/total"), 0);
    house_close(house);
}

/* What is recorded between two pages is on neither of them, in both orders. */
TEST(paging_is_over_the_log_as_it_was)
{
    static const char *const orders[] = {"newest", "oldest"};

    struct house *house = house_open(cx, dir, NULL);
    house_fill(cx, house, 20);
    for (size_t i = 0; i < COUNT(orders); i++) {
        uint64_t size = ledger_size(house->app.ledger);
        str target = arena_printf(cx->mem, "/api/v1/events?limit=15&order=%s", orders[i]);
        const struct reply *r = harness_get(house->h, target.p);
        size_t n = reply_count(r, "/items");
        str link = arena_str(cx->mem, reply_header(r, "Link"));
        while (link.n) {
            house_fill(cx, house, 3);
            str next = str_slice(link, 1, str_find_char(link, '>'));
            r = harness_get(house->h, arena_str(cx->mem, next).p);
            CHECK_EQ(r->status, 200);
            n += reply_count(r, "/items");
            for (size_t k = 0; k < reply_count(r, "/items"); k++)
                CHECK(reply_u64(r, arena_printf(cx->mem, "/items/%zu/index", k).p) < size);
            link = arena_str(cx->mem, reply_header(r, "Link"));
        }
        CHECK_EQ(n, size);
    }
    house_close(house);
}

TEST(a_text_search_says_how_far_it_came)
{
    const struct house_options options = {.audit.query_scan_max = 100};
    struct house *house = house_open(cx, dir, &options);
    uint64_t found[32];

    house_fill(cx, house, 1500);
    const struct reply *r = harness_get(house->h, "/api/v1/events?q=no-such-text");
    CHECK_EQ(reply_u64(r, "/scanned"), 100);
    CHECK_EQ(reply_count(r, "/items"), 0);
    CHECK(!reply_bool(r, "/complete"));
    CHECK(!str_is_null(reply_str(r, "/next")));
    size_t n = read_pages(cx, house->h, "&q=needle", "newest", 50, found);
    check_found(found, n, event_has_needle, true, 1500);
    house_close(house);
}

TEST(events_need_the_permission_to_read)
{
    static const char *const targets[] = {"/api/v1/events",         "/api/v1/events/0",
                                          "/api/v1/events/0/proof", "/api/v1/events/stats",
                                          "/api/v1/events/stream",  "/log/tile/entries/000.p/1",
                                          "/api/v1/events/export"};
    struct house *house = house_open(cx, dir, NULL);

    house_fill(cx, house, 1);
    harness_key(house->h, NULL);
    for (size_t i = 0; i < COUNT(targets); i++)
        CHECK_EQ(harness_get(house->h, targets[i])->status, 403);
    harness_key(house->h, "reader");
    CHECK_EQ(harness_get(house->h, "/api/v1/events/export")->status, 403);
    house_close(house);
}

TEST(wrong_parameters_are_refused_by_name)
{
    static const struct {
        const char *target, *text;
    } wrong[] = {
        {"/api/v1/events?type=a*b", "/type"},
        {"/api/v1/events?limit=0", "/limit"},
        {"/api/v1/events?cursor=abc", "/cursor"},
        {"/api/v1/events?colour=red", "colour"},
        {"/api/v1/events?from=now", "from"},
        {"/api/v1/events/stats?q=text", "'q'"},
        {"/api/v1/events/stats?group=colour", "/group"},
        {"/api/v1/events/stats?bucket=fast", "/bucket"},
        {"/api/v1/events/stats?bucket=1ms", "/bucket"},
        {"/api/v1/events/one", "index"},
        {"/api/v1/events/0/proof?format=xml", "/format"},
        {"/api/v1/events/stream?after=x", "after"},
    };
    struct house *house = house_open(cx, dir, NULL);

    for (size_t i = 0; i < COUNT(wrong); i++) {
        const struct reply *r = harness_get(house->h, wrong[i].target);
        CHECK_EQ(r->status, 400);
        CHECK_HOLDS(r->body, wrong[i].text);
    }
    house_close(house);
}

/* ---- one event ---- */

TEST(an_event_is_given_with_what_proves_it)
{
    struct house *house = house_open(cx, dir, NULL);
    struct hash leaf;
    char hex[2 * HASH_BYTES + 1];
    str entry;

    house_fill(cx, house, 20);
    CHECK_OK(ledger_entry(cx, house->app.ledger, 14, &entry));
    hash_leaf(entry, &leaf);
    hex_encode(leaf.bytes, HASH_BYTES, hex);

    const struct reply *r = harness_get(house->h, "/api/v1/events/14");
    CHECK_EQ(r->status, 200);
    CHECK_EQ(reply_u64(r, "/index"), 14);
    CHECK_STR(reply_str(r, "/leaf_hash"), str_from(hex));
    CHECK_STR(reply_str(r, "/event/principal"), S("key/sender"));
    CHECK_EQ(reply_u64(r, "/event/data/n"), 14);
    CHECK_HOLDS(r->body, entry.p); /* byte for byte */
    str etag = arena_str(cx->mem, reply_header(r, "ETag"));
    CHECK_STR(etag, arena_printf(cx->mem, "\"%s\"", hex));
    CHECK_HOLDS(reply_header(r, "Cache-Control"), "private");

    harness_header(house->h, "If-None-Match", arena_printf(cx->mem, "\"x\", %s", etag.p).p);
    r = harness_get(house->h, "/api/v1/events/14");
    CHECK_EQ(r->status, 304);
    CHECK_EQ(r->body.n, 0);
    harness_header(house->h, "If-None-Match", "\"x\"");
    CHECK_EQ(harness_get(house->h, "/api/v1/events/14")->status, 200);
    CHECK_EQ(harness_get(house->h, "/api/v1/events/20")->status, 404);
    CHECK_EQ(harness_get(house->h, "/api/v1/events/18446744073709551615")->status, 404);
    house_close(house);
}

TEST(raw_entries_are_shown_as_base64)
{
    struct house *house = house_open(cx, dir, NULL);

    house_fill(cx, house, 1);
    uint64_t index = house_add_raw(cx, house, S("\x00raw\xff"));
    CHECK_EQ(index, 1);
    const struct reply *r = harness_get(house->h, "/api/v1/events/1");
    CHECK_EQ(r->status, 200);
    CHECK_STR(reply_str(r, "/raw"), S("AHJhd/8="));
    CHECK_HOLDS(r->body, "\"event\":null");
    r = harness_get(house->h, "/api/v1/events");
    CHECK_EQ(reply_count(r, "/items"), 2);
    CHECK_STR(reply_str(r, "/items/0/raw"), S("AHJhd/8="));
    house_close(house);
}

TEST(a_pruned_event_is_gone_and_still_proved)
{
    struct house *house = house_open(cx, dir, NULL);
    uint64_t kept;

    house_fill(cx, house, SEGMENT_ENTRIES + 10);
    CHECK_OK(ledger_seal_wait(cx, house->app.ledger));
    CHECK_OK(ledger_prune(cx, house->app.ledger, SEGMENT_ENTRIES + 5, &kept));
    CHECK_EQ(kept, SEGMENT_ENTRIES);
    CHECK_EQ(harness_get(house->h, "/api/v1/events/17")->status, 410);
    CHECK_EQ(harness_get(house->h, "/api/v1/events/65536")->status, 200);
    harness_header(house->h, "Prefer", "wait=proof");
    CHECK_EQ(harness_get(house->h, "/api/v1/events/17/proof")->status, 200);
    const struct reply *r = harness_get(house->h, "/api/v1/events?limit=1000&order=oldest");
    CHECK_EQ(reply_count(r, "/items"), 10);
    CHECK_EQ(reply_u64(r, "/items/0/index"), SEGMENT_ENTRIES);
    CHECK(reply_bool(r, "/complete"));
    house_close(house);
}

/* ---- counting ---- */

TEST(counts_are_those_of_a_plain_scan)
{
    struct house *house = house_open(cx, dir, NULL);
    uint64_t by_case[17] = {0}, denied = 0;

    house_fill(cx, house, 1000);
    for (uint64_t i = 0; i < 1000; i++) {
        by_case[event_case(i)] += event_is_denied(i);
        denied += event_is_denied(i);
    }
    const struct reply *r =
        harness_get(house->h, "/api/v1/events/stats?group=subject&outcome=denied&limit=1000");
    CHECK_EQ(r->status, 200);
    CHECK_EQ(reply_u64(r, "/total"), denied);
    CHECK_EQ(reply_u64(r, "/other"), 0);
    CHECK_EQ(reply_count(r, "/rows"), 17);
    for (size_t i = 0; i < 17; i++) {
        str value = reply_str(r, arena_printf(cx->mem, "/rows/%zu/value", i).p);
        uint64_t number;
        CHECK(str_to_u64(str_slice(value, 5, value.n), &number));
        CHECK_EQ(reply_u64(r, arena_printf(cx->mem, "/rows/%zu/count", i).p), by_case[number]);
    }
    r = harness_get(house->h, "/api/v1/events/stats?group=subject&outcome=denied&limit=3");
    CHECK_EQ(reply_count(r, "/rows"), 3);
    uint64_t shown = 0;
    for (size_t i = 0; i < 3; i++)
        shown += reply_u64(r, arena_printf(cx->mem, "/rows/%zu/count", i).p);
    CHECK_EQ(shown + reply_u64(r, "/other"), denied);
    house_close(house);
}

TEST(counts_by_time_are_in_aligned_buckets)
{
    struct house *house = house_open(cx, dir, NULL);
    uint64_t sum = 0;

    house_fill(cx, house, 300); /* one a minute */
    const struct reply *r =
        harness_get(house->h, "/api/v1/events/stats?bucket=1h&time=time&type=user.*");
    CHECK_EQ(r->status, 200);
    CHECK_EQ(reply_count(r, "/rows"), 6); /* from 22:13:20 to 03:13:20 */
    for (size_t i = 0; i < 6; i++) {
        int64_t from;
        CHECK(time_parse(reply_str(r, arena_printf(cx->mem, "/rows/%zu/from", i).p), &from));
        CHECK_EQ(from % INT64_C(3600000000), 0);
        sum += reply_u64(r, arena_printf(cx->mem, "/rows/%zu/count", i).p);
    }
    CHECK_EQ(sum, 200);
    CHECK_EQ(reply_u64(r, "/total"), 200);
    house_close(house);
}
