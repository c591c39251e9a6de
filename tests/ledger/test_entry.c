/* Entries: what is taken, what is refused and where, how they are stamped, framed and read back. */
#include "base/clock.h"
#include "ledger/entry.h"
#include "test.h"

struct desk {
    struct entry_batch batch;
    struct json_parser *parser;
    struct entry_stamp stamp;
};

static struct desk desk_open(void)
{
    struct desk d = {.parser = json_parser_open(),
                     .stamp = {.recorded_us = 1700000000123456, .principal = S("key/7")}};

    entry_batch_init(&d.batch, 1 << 24);
    return d;
}

static void desk_close(struct desk *d)
{
    json_parser_close(d->parser);
    entry_batch_close(&d->batch);
}

/* The text with the padding that entry_add() asks for. */
static str padded(struct ctx *cx, str text)
{
    char *p = arena_new(cx->mem, char, text.n + JSON_PADDING);

    memcpy(p, text.p, text.n);
    return (str){p, text.n};
}

static err add(struct ctx *cx, struct desk *d, const char *text)
{
    ctx_clear_error(cx);
    return entry_add(cx, &d->batch, d->parser, padded(cx, str_from(text)), &d->stamp);
}

#define GOOD "\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"/s\",\"type\":\"t\""
#define STAMP "{\"recorded\":\"2023-11-14T22:13:20.123456Z\",\"principal\":\"key/7\","

TEST(entry_is_kept_as_received_behind_its_stamp)
{
    CLEANUP(desk_close) struct desk d = desk_open();

    CHECK_OK(add(cx, &d, "  {" GOOD ", \"data\" : {\"b\":1.50,\"a\":[ 2 ]} }\n"));
    CHECK_STR(entry_batch_get(&d.batch, 0),
              S(STAMP GOOD ", \"data\" : {\"b\":1.50,\"a\":[ 2 ]} }"));
    str frame = buf_str(&d.batch.frames);
    CHECK_EQ((unsigned char)frame.p[0] * 256 + (unsigned char)frame.p[1], frame.n - 2);
    entry_batch_hash(&d.batch);
    struct hash leaf;
    hash_leaf(entry_batch_get(&d.batch, 0), &leaf);
    CHECK(hash_eq(&leaf, &d.batch.meta[0].leaf));
}

TEST(entry_attributes_are_unescaped_and_indexed)
{
    CLEANUP(desk_close) struct desk d = desk_open();

    CHECK_OK(add(cx, &d,
                 "{" GOOD
                 ",\"subject\":\"case\\/\\u00e9\",\"actor\":\"user/al\",\"outcome\":\"success\","
                 "\"remoteip\":\"10.0.0.1\",\"sessionid\":\"s\",\"time\":\"2026-01-02T03:04:05Z\","
                 "\"traceid\":\"x\",\"retry\":3,\"final\":true,\"unset\":null}"));
    const struct entry_meta *m = &d.batch.meta[0];
    static const char *const want[ATTR_COUNT] = {"t",     "/s",      "case/\xC3\xA9", "user/al",
                                                 "key/7", "success", "10.0.0.1",      "s"};
    for (size_t a = 0; a < ATTR_COUNT; a++)
        CHECK_STR(entry_batch_value(&d.batch, &m->attr[a]), str_from(want[a]));
    CHECK(m->has_time && m->time_us == 1767323045000000);
    CHECK(m->id_hash == entry_id_hash(S("/s"), S("a")));
}

TEST(entry_refusals_name_the_member)
{
    static const struct {
        const char *text, *pointer, *detail;
    } bad[] = {
        {"{\"id\":\"a\",\"source\":\"/s\",\"type\":\"t\"}", "/specversion", "is required"},
        {"{" GOOD ",\"recorded\":\"x\"}", "/recorded", "is set by the server"},
        {"{" GOOD ",\"principal\":null}", "/principal", "is set by the server"},
        {"{" GOOD ",\"subject\":\"\"}", "/subject", "must be a string that is not empty"},
        {"{" GOOD ",\"actor\":5}", "/actor", "must be a string that is not empty"},
        {"{" GOOD ",\"time\":\"yesterday\"}", "/time", "must be a time"},
        {"{" GOOD ",\"Upper\":\"x\"}", "/Upper", "is no attribute name"},
        {"{" GOOD ",\"a_b\":\"x\"}", "/a_b", "is no attribute name"},
        {"{" GOOD ",\"\":\"x\"}", "/", "is no attribute name"},
        {"{" GOOD ",\"ext\":{}}", "/ext", "must be a string, a whole number"},
        {"{" GOOD ",\"data\":1,\"data_base64\":\"eA==\"}", "/data_base64", "only one of them"},
        {"{\"specversion\":\"0.3\",\"id\":\"a\",\"source\":\"/s\",\"type\":\"t\"}", "/specversion",
         "1.0"},
        {"{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"/chancery\",\"type\":\"t\"}",
         "/source", "reserved"},
        {"{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"/chancery/x\",\"type\":\"t\"}",
         "/source", "reserved"},
    };
    CLEANUP(desk_close) struct desk d = desk_open();

    for (size_t i = 0; i < COUNT(bad); i++) {
        CHECK_ERR(add(cx, &d, bad[i].text), ERR_INVALID);
        CHECK(cx->issue_count >= 1);
        CHECK_STR(cx->issues[0].pointer, str_from(bad[i].pointer));
        CHECK_HOLDS(cx->issues[0].detail, bad[i].detail);
        CHECK_EQ(d.batch.count, 0);
        CHECK_EQ(d.batch.frames.n, 0);
        CHECK_EQ(d.batch.values.n, 0);
    }
    CHECK_ERR(add(cx, &d, "[1]"), ERR_INVALID);
    CHECK_ERR(add(cx, &d, "{" GOOD ",\"id\":\"b\"}"), ERR_INVALID);
    CHECK_DETAIL("\"id\" stands twice");
}

/* The limit counts what is stored: the stamp is part of it. */
TEST(entry_size_is_limited_to_the_byte)
{
    CLEANUP(desk_close) struct desk d = desk_open();
    size_t fixed = sizeof(STAMP GOOD ",\"data\":\"\"}") - 1;

    for (size_t over = 0; over < 2; over++) {
        size_t n = ENTRY_BYTES_MAX - fixed + over;
        char *fill = arena_new(cx->mem, char, n + 1);
        memset(fill, 'x', n);
        const char *text = arena_printf(cx->mem, "{" GOOD ",\"data\":\"%s\"}", fill).p;
        CHECK_EQ(add(cx, &d, text), over ? ERR_TOO_LARGE : ERR_OK);
    }
    CHECK_EQ(d.batch.count, 1);
    CHECK_EQ(d.batch.meta[0].n, ENTRY_BYTES_MAX);
}

TEST(entry_stored_reads_back_the_same)
{
    CLEANUP(desk_close) struct desk d = desk_open(), back = desk_open();

    CHECK_OK(add(cx, &d, "{" GOOD ",\"subject\":\"x\",\"time\":\"2026-01-02T03:04:05Z\"}"));
    CHECK_OK(entry_add_stored(cx, &back.batch, back.parser, entry_batch_get(&d.batch, 0), 5));
    const struct entry_meta *a = &d.batch.meta[0], *b = &back.batch.meta[0];
    CHECK(a->recorded_us == b->recorded_us && a->time_us == b->time_us && a->id_hash == b->id_hash);
    for (size_t i = 0; i < ATTR_COUNT; i++)
        CHECK_STR(entry_batch_value(&d.batch, &a->attr[i]),
                  entry_batch_value(&back.batch, &b->attr[i]));
    CHECK_STR(entry_batch_get(&back.batch, 0), entry_batch_get(&d.batch, 0));
}

/* Nobody but the server can write what reads back as stamped; anything else is opaque. */
TEST(entry_opaque_cannot_pretend_to_be_stamped)
{
    CLEANUP(desk_close) struct desk d = desk_open();

    CHECK_ERR(entry_add_opaque(cx, &d.batch, S(STAMP GOOD "}"), 9), ERR_INVALID);
    CHECK_ERR(entry_add_opaque(cx, &d.batch, S("{\"recorded\":\"x"), 9), ERR_INVALID);
    CHECK_OK(entry_add_opaque(cx, &d.batch, S("\x00\x01 anything"), 9));
    CHECK_OK(entry_add_opaque(cx, &d.batch, S(""), 9));
    CHECK_OK(entry_add_stored(cx, &d.batch, d.parser, S("{\"recorded\":\"2023\"}"), 11));
    CHECK_EQ(d.batch.count, 3);
    for (size_t i = 0; i < 3; i++)
        CHECK_EQ(d.batch.meta[i].id_hash, 0);
    CHECK_EQ(d.batch.meta[2].recorded_us, 11);
}

TEST(entry_restamp_changes_the_stamp_and_nothing_else)
{
    CLEANUP(desk_close) struct desk d = desk_open();
    struct hash leaf;

    CHECK_OK(add(cx, &d, "{" GOOD "}"));
    entry_batch_hash(&d.batch);
    entry_restamp(&d.batch, 0, 1700000001000000);
    CHECK_STR(entry_batch_get(&d.batch, 0),
              S("{\"recorded\":\"2023-11-14T22:13:21.000000Z\",\"principal\":\"key/7\"," GOOD "}"));
    hash_leaf(entry_batch_get(&d.batch, 0), &leaf);
    CHECK(hash_eq(&leaf, &d.batch.meta[0].leaf));
    CHECK_EQ(d.batch.meta[0].time_us, 1700000001000000);
}
