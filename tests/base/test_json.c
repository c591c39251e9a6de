/* Reading and writing JSON. */
#include "base/clock.h"
#include "base/json.h"
#include "base/json_write.h"
#include "test.h"

static err read(struct ctx *cx, struct json_parser *p, const char *text)
{
    struct json v;

    ctx_clear_error(cx);
    return json_parse(cx, p, str_from(text), &v);
}

TEST(json_says_where_a_text_is_wrong)
{
    static const struct {
        const char *text, *detail;
    } bad[] = {
        {"{\"a\":1,}", "at byte 7 a key in quotes was expected"},
        {"{\"a\" 1}", "at byte 5 a colon was expected"},
        {"[1 2]", "at byte 3 a comma or the closing bracket was expected"},
        {"\"\xC3(\"", "at byte 1 the text is not UTF-8"},
        {"\"a\nb\"", "at byte 2 a control character stands in a string"},
        {"\"\\x\"", "at byte 2 there is no such escape"},
        {"\"\\ud800\"", "a high surrogate stands alone"},
        {"01", "at byte 2 a number has a leading zero"},
        {"1e999", "at byte 0 a number is out of range"},
        {"18446744073709551616", "at byte 0 a number is out of range"},
        {"{} x", "at byte 3 something follows the value"},
        {"", "the text ends too early"},
        {"[1", "the text ends too early"},
        {"{\"a\":1,\"b\":{\"k\":1,\"k\":2}}", "the key \"k\" stands twice"},
        {"{\"a\":1,\"\\u0061\":2}", "the key \"a\" stands twice"},
    };
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();

    for (size_t i = 0; i < COUNT(bad); i++) {
        CHECK_ERR(read(cx, p, bad[i].text), ERR_INVALID);
        CHECK_DETAIL(bad[i].detail);
    }
}

TEST(json_names_the_place_of_a_key_that_stands_twice)
{
    static const struct {
        const char *text, *pointer;
    } bad[] = {
        {"{\"a\":1,\"a\":2}", "/a"},
        {"{\"x\":1,\"b\":{\"y\":{},\"c\":[0,{},{\"k\":[],\"k\":2}]}}", "/b/c/2/k"},
        {"[[{\"~/\":{\"\":1,\"\":1}}]]", "/0/0/~0~1/"},
    };
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();

    for (size_t i = 0; i < COUNT(bad); i++) {
        ctx_clear_error(cx);
        CHECK_ERR(read(cx, p, bad[i].text), ERR_INVALID);
        CHECK_EQ(cx->issue_count, 1);
        CHECK_STR(cx->issues[0].pointer, str_from(bad[i].pointer));
    }
}

/* Whoever chooses the keys must not choose the time it takes: the bound is a hundred times what is
 * needed, and a tenth of what comparing all pairs takes. */
TEST(json_keys_that_begin_alike_cost_no_more_than_others)
{
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    struct buf b = BUF(10 << 20);

    buf_put_char(&b, '[');
    for (unsigned object = 0; b.n < 1000000; object++) {
        buf_put(&b, object ? S(",{") : S("{"));
        for (unsigned i = 0; i < 32; i++)
            buf_printf(&b, "%s\"attribute%02u\":1", i ? "," : "", i);
        buf_put_char(&b, '}');
    }
    buf_put_char(&b, ']');
    int64_t begun = clock_mono_ns();
    CHECK_EQ(read(cx, p, b.p), ERR_OK);
    CHECK(clock_mono_ns() - begun < INT64_C(5000000000));
    buf_close(&b);
}

TEST(json_depth_is_limited_exactly)
{
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    char text[2 * JSON_DEPTH_MAX + 3] = {0};

    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    CHECK_OK(read(cx, p, text));
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    CHECK_ERR(read(cx, p, text), ERR_INVALID);
    CHECK_DETAIL("nested too deeply");
}

TEST(json_finds_duplicates_among_many_keys)
{
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();

    for (unsigned twice = 0; twice < 2; twice++) {
        struct buf b = BUF(100000);
        json_open(&b, '{');
        for (unsigned i = 0; i < 1000; i++) {
            str key = arena_printf(cx->mem, "key%u", twice && i == 999 ? 3 : i);
            json_member_u64(&b, key, i);
        }
        json_close(&b, '}');
        CHECK_EQ(read(cx, p, b.p), twice ? ERR_INVALID : ERR_OK);
        buf_close(&b);
    }
}

TEST(json_walks_by_key_index_and_pointer)
{
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    struct json v, m;
    int64_t i;
    uint64_t u;
    double d;

    CHECK_OK(json_parse(cx, p,
                        S("{\"a/b\":[1,-2,{\"~\":1.5}],\"s\":\"x\\u00e9\\n\",\"u\":"
                          "18446744073709551615,\"t\":true,\"n\":null}"),
                        &v));
    CHECK(json_pointer_get(v, S("/a~1b/1"), &m) && json_to_i64(m, &i) && i == -2);
    CHECK(json_pointer_get(v, S("/a~1b/2/~0"), &m) && json_to_double(m, &d) && d == 1.5);
    CHECK(!json_pointer_get(v, S("/a~1b/3"), &m) && !json_pointer_get(v, S("a"), &m));
    CHECK(json_get(v, S("s"), &m));
    CHECK_STR(json_str(m), S("x\xC3\xA9\n"));
    CHECK(json_get(v, S("u"), &m) && json_to_u64(m, &u) && u == UINT64_MAX && !json_to_i64(m, &i));
    CHECK(json_get(v, S("n"), &m) && json_kind(m) == JSON_NULL);
}

TEST(json_written_is_json_read)
{
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    struct buf b = BUF(10000), again = BUF(10000);
    struct json v;

    json_open(&b, '{');
    json_member_str(&b, S("q\"\\\n\x01"), S("tab\there \xFF end"));
    json_member_double(&b, S("d"), 0.1);
    json_member_i64(&b, S("i"), INT64_MIN);
    json_key(&b, S("list"));
    json_open(&b, '[');
    json_put_null(&b);
    json_put_bool(&b, true);
    json_open(&b, '{');
    json_close(&b, '}');
    json_close(&b, ']');
    json_member_time(&b, S("t"), 0);
    json_close(&b, '}');
    CHECK_STR(buf_str(&b), S("{\"q\\\"\\\\\\n\\u0001\":\"tab\\there \xEF\xBF\xBD end\",\"d\":0.1,"
                             "\"i\":-9223372036854775808,\"list\":[null,true,{}],\"t\":\"1970-01-"
                             "01T00:00:00.000000Z\"}"));
    CHECK_OK(json_parse(cx, p, buf_str(&b), &v));
    json_put_value(&again, v);
    CHECK_STR(buf_str(&again), buf_str(&b));
    buf_close(&b);
    buf_close(&again);
}
