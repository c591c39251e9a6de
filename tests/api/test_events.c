/* test_events.c - events on their whole way through the real router: taken in, found, counted,
 * exported, proved.  Each scenario ends with the view compared to one folded anew. */
#include "base/clock.h"
#include "base/encode.h"
#include "ledger/ledger.h"
#include "ledger/proof.h"
#include "office.h"
#include "program.h"

#define NDJSON "application/x-ndjson"
#define JSON "application/json"

/* Events from..to-1, a line each. */
static str lines(struct ctx *cx, unsigned from, unsigned to)
{
    CLEANUP(buf_close) struct buf b = BUF(64 << 20);

    for (unsigned i = from; i < to; i++) {
        buf_put(&b, event(cx, arena_printf(cx->mem, "e%u", i).p,
                          arena_printf(cx->mem, ",\"subject\":\"case/%u\",\"outcome\":\"%s\"",
                                       i % 7, i % 3 ? "success" : "failure")
                              .p));
        buf_put_char(&b, '\n');
    }
    return arena_str(cx->mem, buf_str(&b));
}

static const struct reply *get_at(struct ctx *cx, struct office *o, const char *format, uint64_t n)
{
    CLEANUP(buf_close) struct buf b = BUF(4096);
    str rest = str_from(format);

    buf_put(&b, str_cut(&rest, '#'));
    buf_put_u64(&b, n);
    buf_put(&b, rest);
    return harness_get(o->http, arena_z(cx->mem, buf_str(&b)));
}

static void check_id_at(struct ctx *cx, struct office *o, uint64_t index, const char *id)
{
    const struct reply *r = get_at(cx, o, "/api/v1/events/#", index);

    CHECK_EQ(r->status, 200);
    CHECK_STR(reply_str(r, "/event/id"), str_from(id));
}

static struct office *open_with_key(struct ctx *cx, const char *dir)
{
    struct office *o = office_open(cx, dir);

    office_key(cx, o, "events:write events:read events:export");
    return o;
}

/* ---- in ---- */

TEST(one_event_is_taken_in_found_and_read_as_it_was_sent)
{
    struct office *o = open_with_key(cx, dir);
    str sent =
        event(cx, "a-1", ",\"subject\":\"case/7\",\"data\":{ \"n\" : 1.50, \"s\":\"\\u00e9\" }");
    const struct reply *r = office_post(o, "/api/v1/events", JSON, sent);

    CHECK_EQ(r->status, 201);
    CHECK_EQ(reply_u64(r, "/count"), 1);
    CHECK_EQ(reply_u64(r, "/duplicates"), 0);
    CHECK_EQ(reply_u64(r, "/rejected_count"), 0);
    CHECK_EQ(reply_count(r, "/rejected"), 0);
    uint64_t index = reply_u64(r, "/first_index");
    CHECK_EQ(reply_u64(r, "/receipt/index"), index);
    CHECK_STR(reply_header(r, "Chancery-Index"),
              arena_printf(cx->mem, "%llu", (unsigned long long)index));
    str leaf = arena_str(cx->mem, reply_str(r, "/receipt/leaf_hash"));
    str recorded = arena_str(cx->mem, reply_str(r, "/receipt/recorded"));

    /* the entry is the stamp and then the client's bytes, and its leaf hash is that of the receipt
     */
    str entry;
    struct hash hash;
    char hex[2 * HASH_BYTES + 1];
    CHECK_OK(ledger_entry(cx, o->app->ledger, index, &entry));
    CHECK(str_starts(entry, S("{\"recorded\":\"")));
    CHECK(str_ends(entry, str_slice(sent, 1, sent.n)));
    hash_leaf(entry, &hash);
    hex_encode(hash.bytes, HASH_BYTES, hex);
    CHECK_STR(leaf, str_from(hex));

    r = get_at(cx, o, "/api/v1/events/#", index);
    CHECK_EQ(r->status, 200);
    CHECK_HOLDS(r->body, arena_z(cx->mem, entry));
    CHECK_STR(reply_str(r, "/event/recorded"), recorded);
    CHECK(str_starts(reply_str(r, "/event/principal"), S("key/")));
    CHECK_STR(reply_str(r, "/leaf_hash"), leaf);
    office_close(cx, o);
}

TEST(every_kind_of_body_is_taken_in)
{
    struct office *o = open_with_key(cx, dir);
    const struct {
        const char *type;
        str body;
        uint64_t count;
    } kinds[] = {
        {JSON, event(cx, "k1", ""), 1},
        {"application/json; charset=utf-8", event(cx, "k2", ""), 1},
        {"APPLICATION/JSON", event(cx, "k3", ""), 1},
        {JSON,
         arena_printf(cx->mem, " [%.*s , %.*s ] ", STR_FMT(event(cx, "k4", "")),
                      STR_FMT(event(cx, "k5", ""))),
         2},
        {JSON, S("[]"), 0},
        {"application/cloudevents+json", event(cx, "k6", ""), 1},
        {"application/cloudevents-batch+json",
         arena_printf(cx->mem, "[%.*s]", STR_FMT(event(cx, "k7", ""))), 1},
        {NDJSON, lines(cx, 0, 3), 3},
        {NDJSON, str_slice(lines(cx, 3, 5), 0, lines(cx, 3, 5).n - 1), 2}, /* no last newline */
        {NDJSON, arena_printf(cx->mem, "\r\n%.*s\r\n\r\n\n", STR_FMT(event(cx, "k8", ""))), 1},
        {"application/jsonl", event(cx, "k9", ""), 1},
        {NDJSON, S(""), 0},
    };

    for (size_t i = 0; i < COUNT(kinds); i++) {
        const struct reply *r = office_post(o, "/api/v1/events", kinds[i].type, kinds[i].body);
        if (r->status != 201 || reply_u64(r, "/count") != kinds[i].count)
            FAIL("kind %zu: %d %.*s", i, r->status, STR_FMT(r->body));
        CHECK_EQ(reply_has(r, "/receipt"), kinds[i].count > 0);
    }
    office_close(cx, o);
}

TEST(a_stream_in_pieces_of_any_size_is_the_same_stream)
{
    static const size_t pieces[] = {1, 2, 7, 100, 4096, 65537};
    struct office *o = open_with_key(cx, dir);
    uint64_t next = ledger_size(o->app->ledger);

    for (unsigned i = 0; i < COUNT(pieces); i++) {
        harness_pieces(o->http, pieces[i]);
        const struct reply *r =
            office_post(o, "/api/v1/events", NDJSON, lines(cx, i * 20, i * 20 + 20));
        CHECK_EQ(r->status, 201);
        CHECK_EQ(reply_u64(r, "/first_index"), next);
        CHECK_EQ(reply_u64(r, "/count"), 20);
        next += 20;
    }
    check_id_at(cx, o, next - 1, "e119");
    office_close(cx, o);
}

TEST(cloudevents_binary_mode_makes_the_event_of_its_headers)
{
    struct office *o = open_with_key(cx, dir);
    const struct {
        const char *type;
        str body;
        const char *pointer, *want;
    } bodies[] = {
        {JSON, STR_INIT("{\"a\":\"b\"}"), "/event/data/a", "b"},
        {"application/vnd.x+json; charset=utf-8", STR_INIT("{\"a\":\"c\"}"), "/event/data/a", "c"},
        {"text/plain", STR_INIT("caf\xc3\xa9"), "/event/data", "caf\xc3\xa9"},
        {"text/plain", STR_INIT("\xff"), "/event/data_base64", "/w=="},
        {"application/octet-stream", STR_INIT("\x00\x01"), "/event/data_base64", "AAE="},
    };

    for (size_t i = 0; i < COUNT(bodies); i++) {
        harness_header(o->http, "ce-specversion", "1.0");
        harness_header(o->http, "CE-ID", arena_printf(cx->mem, "bin-%zu", i).p);
        harness_header(o->http, "ce-source", "/b%20in/%25");
        harness_header(o->http, "ce-type", "test.binary");
        harness_header(o->http, "ce-subject", "Euro%20%E2%82%AC%20%F0%9F%98%80 %22plain%22");
        harness_header(o->http, "ce-time", "2026-01-02T03:04:05+02:00");
        const struct reply *r = office_post(o, "/api/v1/events", bodies[i].type, bodies[i].body);
        CHECK_EQ(r->status, 201);
        r = get_at(cx, o, "/api/v1/events/#", reply_u64(r, "/first_index"));
        CHECK_STR(reply_str(r, "/event/source"), S("/b in/%"));
        CHECK_STR(reply_str(r, "/event/subject"),
                  S("Euro \xe2\x82\xac \xf0\x9f\x98\x80 \"plain\""));
        CHECK_STR(reply_str(r, "/event/datacontenttype"), str_from(bodies[i].type));
        CHECK_STR(reply_str(r, bodies[i].pointer), str_from(bodies[i].want));
    }
    CHECK_EQ(reply_count(harness_get(o->http, "/api/v1/events?source=/b%20in/%25"), "/items"),
             COUNT(bodies));
    office_close(cx, o);
}

TEST(raw_bytes_are_added_and_read_back)
{
    struct office *o = open_with_key(cx, dir);
    const str raws[] = {STR_INIT(""), STR_INIT("plain"), STR_INIT("\x00\xff\n"), STR_INIT("{}")};

    for (size_t i = 0; i < COUNT(raws); i++) {
        uint64_t next = ledger_size(o->app->ledger), got = 0;
        str entry;
        const struct reply *r = office_post(o, "/log/add", "application/octet-stream", raws[i]);
        CHECK_EQ(r->status, 200);
        CHECK(str_to_u64(str_trim(r->body), &got));
        CHECK_EQ(got, next);
        CHECK_OK(ledger_entry(cx, o->app->ledger, next, &entry));
        CHECK_STR(entry, raws[i]);
        r = get_at(cx, o, "/api/v1/events/#", next);
        CHECK_EQ(r->status, 200);
        CHECK(reply_has(r, "/raw"));
    }
    /* raw bytes have no id, so twice is twice */
    CHECK_EQ(office_post(o, "/log/add", NULL, S("plain"))->status, 200);
    CHECK_EQ(ledger_size(o->app->ledger), 1 + COUNT(raws) + 1);
    office_close(cx, o);
}

/* ---- twice ---- */

TEST(an_event_sent_twice_is_stored_once_also_across_restarts)
{
    struct office *o = open_with_key(cx, dir);
    const struct reply *r = office_post(o, "/api/v1/events", NDJSON, lines(cx, 0, 100));
    uint64_t first = reply_u64(r, "/first_index");

    CHECK_EQ(reply_u64(r, "/count"), 100);
    for (int round = 0; round < 3; round++) {
        r = office_post(o, "/api/v1/events", NDJSON, lines(cx, 40, 60));
        CHECK_EQ(r->status, 201);
        CHECK_EQ(reply_u64(r, "/count"), 0);
        CHECK_EQ(reply_u64(r, "/duplicates"), 20);
        CHECK_EQ(reply_u64(r, "/first_index"), first + 40); /* the first receipt */
        CHECK_EQ(reply_u64(r, "/receipt/index"), first + 59);
        office_restart(cx, o);
        office_key(cx, o, "events:write events:read");
    }
    /* twice in one request, and the same id from another source */
    str twice = arena_printf(cx->mem, "[%.*s,%.*s]", STR_FMT(event(cx, "x", "")),
                             STR_FMT(event(cx, "x", ",\"data\":2")));
    r = office_post(o, "/api/v1/events", JSON, twice);
    CHECK_EQ(reply_u64(r, "/count"), 1);
    CHECK_EQ(reply_u64(r, "/duplicates"), 1);
    r = office_post(
        o, "/api/v1/events", JSON,
        S("{\"specversion\":\"1.0\",\"id\":\"x\",\"source\":\"/else\",\"type\":\"t\"}"));
    CHECK_EQ(reply_u64(r, "/count"), 1);
    office_close(cx, o);
}

/* ---- found ---- */

static uint64_t walk(struct ctx *cx, struct office *o, const char *query, bool newest)
{
    uint64_t seen = 0, last = newest ? UINT64_MAX : 0;
    const char *target = arena_printf(cx->mem, "/api/v1/events?%s&limit=7", query).p;
    const char *first = target;

    for (;;) {
        const struct reply *r = harness_get(o->http, target);
        CHECK_EQ(r->status, 200);
        size_t n = reply_count(r, "/items");
        CHECK(n <= 7);
        for (size_t i = 0; i < n; i++) {
            uint64_t index = reply_u64(r, arena_printf(cx->mem, "/items/%zu/index", i).p);
            CHECK(seen == 0 || (newest ? index < last : index > last));
            last = index;
            seen++;
        }
        str next = reply_str(r, "/next");
        if (str_is_null(next))
            return seen;
        CHECK_HOLDS(reply_header(r, "Link"), "rel=\"next\"");
        target = arena_printf(cx->mem, "%s&cursor=%.*s", first, STR_FMT(next)).p;
        /* what comes in meanwhile changes no page of the newest first */
        if (newest) {
            str late = event(
                cx, arena_printf(cx->mem, "late-%s-%llu", query, (unsigned long long)seen).p, "");
            CHECK_EQ(office_post(o, "/api/v1/events", JSON, late)->status, 201);
        }
    }
}

TEST(pages_give_every_event_once_in_order)
{
    struct office *o = open_with_key(cx, dir);

    CHECK_EQ(office_post(o, "/api/v1/events", NDJSON, lines(cx, 0, 140))->status, 201);
    CHECK_EQ(walk(cx, o, "subject=case/3&order=newest", true), 20);
    CHECK_EQ(walk(cx, o, "subject=case/3&order=oldest", false), 20);
    CHECK_EQ(walk(cx, o, "subject=case/*&outcome=failure", true), 47);
    CHECK_EQ(walk(cx, o, "type=test.*&subject=case/1&subject=case/2&order=oldest", false), 40);
    CHECK_EQ(walk(cx, o, "q=e13&order=oldest", false), 11); /* e13, e130 … e139 */
    CHECK_EQ(walk(cx, o, "type=none", true), 0);
    office_close(cx, o);
}

TEST(counts_come_to_what_was_sent)
{
    struct office *o = open_with_key(cx, dir);

    CHECK_EQ(office_post(o, "/api/v1/events", NDJSON, lines(cx, 0, 210))->status, 201);
    const struct reply *r =
        harness_get(o->http, "/api/v1/events/stats?group=subject&type=test.made");
    CHECK_EQ(r->status, 200);
    CHECK_EQ(reply_count(r, "/rows"), 7);
    CHECK_EQ(reply_u64(r, "/rows/0/count"), 30);
    CHECK_EQ(reply_u64(r, "/total"), 210);
    r = harness_get(o->http, "/api/v1/events/stats?group=outcome&subject=case/0");
    CHECK_EQ(reply_u64(r, "/total"), 30);
    CHECK_STR(reply_str(r, "/rows/0/value"), S("success"));
    CHECK_EQ(reply_u64(r, "/rows/0/count"), 20);
    office_close(cx, o);
}

TEST(an_export_is_every_event_and_is_itself_recorded)
{
    struct office *o = open_with_key(cx, dir);

    CHECK_EQ(office_post(o, "/api/v1/events", NDJSON, lines(cx, 0, 300))->status, 201);
    const struct reply *r =
        harness_get(o->http, "/api/v1/events/export?type=test.made&order=oldest");
    CHECK_EQ(r->status, 200);
    CHECK(r->streamed && !r->cut_off);
    str rest = r->body;
    size_t n = 0;
    while (!str_is_null(rest)) {
        str line = str_cut(&rest, '\n');
        if (!line.n)
            continue;
        CHECK_HOLDS(line, arena_printf(cx->mem, "\"id\":\"e%zu\"", n).p);
        n++;
    }
    CHECK_EQ(n, 300);
    r = harness_get(o->http, "/api/v1/events/export?format=csv&type=test.made");
    CHECK_EQ(r->status, 200);
    CHECK_HOLDS(r->body, "test.made");
    /* which is noted behind the answer */
    NET_UNTIL(reply_count(harness_get(o->http, "/api/v1/events?type=events.exported"), "/items") ==
              2);
    r = harness_get(o->http, "/api/v1/events?type=events.exported");
    CHECK_EQ(reply_u64(r, "/items/1/event/data/count"), 300);
    CHECK(reply_bool(r, "/items/1/event/data/complete"));
    office_close(cx, o);
}

TEST(a_live_stream_gives_what_is_recorded_and_resumes)
{
    struct office *o = open_with_key(cx, dir);
    const char *key = office_key(cx, o, "events:write events:read");

    CHECK_EQ(office_post(o, "/api/v1/events", NDJSON, lines(cx, 0, 10))->status, 201);
    uint64_t last = ledger_size(o->app->ledger) - 1;
    harness_header(o->http, "Last-Event-ID",
                   arena_printf(cx->mem, "%llu", (unsigned long long)last - 2).p);
    const struct reply *r = harness_get(o->http, "/api/v1/events/stream?type=test.made");
    CHECK_EQ(r->status, 200);
    CHECK(r->live);
    CLEANUP(buf_close) struct buf seen = BUF(1 << 20);
    int64_t deadline = clock_mono_ns() + INT64_C(20000000000);
    str want = arena_printf(cx->mem, "id: %llu\n", (unsigned long long)last);
    while (str_find(buf_str(&seen), want) == seen.n && clock_mono_ns() < deadline)
        buf_put(&seen, harness_events(o->http));
    CHECK_HOLDS(buf_str(&seen), want.p);
    CHECK_HOLDS(buf_str(&seen),
                arena_printf(cx->mem, "id: %llu\n", (unsigned long long)last - 1).p);
    CHECK(str_find(buf_str(&seen), S("\"id\":\"e7\"")) == seen.n);
    CHECK(key != NULL);
    office_close(cx, o);
}

/* ---- proved ---- */

static void check_receipt(struct ctx *cx, struct office *o, str text, uint64_t index)
{
    struct note_verifier verifier;
    struct proof_policy policy = {.logs = &verifier, .log_count = 1};
    struct proved proved;
    struct hash leaf;
    str entry;

    CHECK_OK(note_verifier_parse(cx, o->app->vkey, &verifier));
    CHECK_OK(ledger_entry(cx, o->app->ledger, index, &entry));
    hash_leaf(entry, &leaf);
    CHECK_OK(log_proof_check(cx, text, &leaf, &policy, &proved));
    CHECK_EQ(proved.index, index);
}

TEST(a_receipt_waited_for_proves_the_event)
{
    struct office *o = open_with_key(cx, dir);

    for (unsigned i = 0; i < 5; i++) {
        harness_header(o->http, "Prefer", "wait=proof");
        const struct reply *r =
            office_post(o, "/api/v1/events", NDJSON, lines(cx, i * 3, i * 3 + 3));
        CHECK_EQ(r->status, 201);
        check_receipt(cx, o, arena_str(cx->mem, reply_str(r, "/proof")),
                      reply_u64(r, "/receipt/index"));
    }
    for (uint64_t i = 0; i < ledger_size(o->app->ledger); i++) {
        harness_header(o->http, "Accept", "text/plain");
        harness_header(o->http, "Prefer", "wait=proof");
        const struct reply *r = get_at(cx, o, "/api/v1/events/#/proof", i);
        CHECK_EQ(r->status, 200);
        check_receipt(cx, o, arena_str(cx->mem, r->body), i);
    }
    office_close(cx, o);
}
