/* test_openapi.c - the document made from the sample's tables. */
#include "base/json.h"
#include "sample.h"
#include "test.h"

static str write_document(struct ctx *cx)
{
    struct buf b = BUF(1 << 20);

    openapi_write(&b, sample_tables, S("1.2.3"));
    CHECK(buf_ok(&b));
    str s = arena_str(cx->mem, buf_str(&b));
    buf_close(&b);
    return s;
}

static bool has(struct json doc, const char *pointer)
{
    struct json v;

    return json_pointer_get(doc, str_from(pointer), &v);
}

static str text_at(struct json doc, const char *pointer)
{
    struct json v;

    return json_pointer_get(doc, str_from(pointer), &v) ? json_str(v) : STR_NULL;
}

/* Every $ref points at something. NOLINTNEXTLINE(misc-no-recursion) */
static void check_refs(struct json doc, struct json v)
{
    struct json target;

    for (struct json_iter it = json_iter(v); json_next(&it);) {
        if (str_eq(it.key, S("$ref"))) {
            str ref = json_str(it.value);
            CHECK(str_starts(ref, S("#/")));
            CHECK(json_pointer_get(doc, str_slice(ref, 1, ref.n), &target));
        }
        check_refs(doc, it.value);
    }
}

TEST(the_document_describes_routes_and_shapes)
{
    CLEANUP(json_parser_cleanup) struct json_parser *parser = json_parser_open();
    struct json doc;

    CHECK_OK(json_parse(cx, parser, write_document(cx), &doc));
    CHECK_STR(text_at(doc, "/openapi"), S("3.1.0"));
    CHECK_STR(text_at(doc, "/info/version"), S("1.2.3"));
    CHECK(has(doc, "/paths/~1things~1{id}/get"));
    CHECK(has(doc, "/paths/~1things~1{id}/delete"));
    CHECK(has(doc, "/paths/~1files~1{rest}/get"));
    CHECK_STR(text_at(doc, "/paths/~1things~1{id}/get/operationId"), S("get_things_id"));
    CHECK_STR(text_at(doc, "/paths/~1things~1{id}/get/parameters/0/in"), S("path"));
    CHECK_STR(text_at(doc, "/paths/~1things~1{id}/get/parameters/1/name"), S("name"));
    CHECK_STR(text_at(doc, "/paths/~1things~1{id}/get/parameters/1/in"), S("query"));
    CHECK_STR(
        text_at(doc, "/paths/~1things/post/requestBody/content/application~1json/schema/$ref"),
        S("#/components/schemas/Thing"));
    CHECK(!has(doc, "/paths/~1hello/get/requestBody"));
    CHECK(has(doc, "/paths/~1hello/get/responses/2XX/content/text~1plain"));
    CHECK(has(doc, "/components/schemas/Box") && has(doc, "/components/schemas/Thing"));
    CHECK(has(doc, "/components/securitySchemes/bearer"));
    check_refs(doc, doc);
}

TEST(the_same_tables_give_the_same_document)
{
    CHECK_STR(write_document(cx), write_document(cx));
}

TEST(operation_ids_are_unique)
{
    CLEANUP(json_parser_cleanup) struct json_parser *parser = json_parser_open();
    str seen[100];
    size_t count = 0;
    struct json doc, paths, id;

    CHECK_OK(json_parse(cx, parser, write_document(cx), &doc));
    CHECK(json_get(doc, S("paths"), &paths));
    for (struct json_iter path = json_iter(paths); json_next(&path);) {
        for (struct json_iter op = json_iter(path.value); json_next(&op);) {
            CHECK(json_get(op.value, S("operationId"), &id));
            for (size_t i = 0; i < count; i++)
                CHECK(!str_eq(seen[i], json_str(id)));
            seen[count++] = json_str(id);
        }
    }
    CHECK_EQ(count, 13);
}
