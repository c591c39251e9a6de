/* Field tables: decoding with pointers, encoding, CSV, schema. */
#include "base/shape.h"
#include "test.h"

struct pet {
    str name;
    uint64_t legs;
};
struct owner {
    str name, note, secret;
    int64_t born_us, age;
    bool active;
    struct strs tags;
    struct list pets;
    str extra;
};

static const struct field pet_fields[] = {
    FIELD(pet, name, F_STR, .flags = F_REQUIRED),
    FIELD(pet, legs, F_U64, .max = 8),
};
static const struct shape pet_shape = SHAPE("Pet", pet, pet_fields);
static const char *const tag_choices[] = {"a", "b", NULL};
static const struct field owner_fields[] = {
    FIELD(owner, name, F_STR, .flags = F_REQUIRED, .min = 1, .max = 5, .doc = "who"),
    FIELD(owner, note, F_STR, .flags = F_NULLABLE),
    FIELD(owner, secret, F_STR, .flags = F_WRITE_ONLY),
    FIELD_AS(owner, born_us, "born", F_TIME),
    FIELD(owner, age, F_I64, .min = -5, .max = 200),
    FIELD(owner, active, F_BOOL),
    FIELD(owner, tags, F_STRS, .choices = tag_choices),
    FIELD(owner, pets, F_LIST, .sub = &pet_shape),
    FIELD(owner, extra, F_RAW),
};
static const struct shape owner_shape = SHAPE("Owner", owner, owner_fields);

TEST(shape_reads_and_writes_the_same)
{
    struct owner o;
    struct buf b = BUF(10000);
    str text =
        S("{\"name\":\"ann\",\"note\":null,\"born\":\"2000-01-01T00:00:00.000000Z\",\"age\":-3,"
          "\"active\":true,\"tags\":[\"a\",\"b\"],\"pets\":[{\"name\":\"rex\",\"legs\":4}],"
          "\"extra\":{\"k\":[1,2.5]}}");

    CHECK_OK(shape_read(cx, &owner_shape, text, &o));
    shape_encode(&b, &owner_shape, &o);
    CHECK_STR(buf_str(&b), text);
    buf_close(&b);
}

TEST(shape_gathers_every_wrong_place)
{
    struct owner o;

    CHECK_ERR(shape_read(cx, &owner_shape,
                         S("{\"name\":\"too long\",\"age\":201,\"tags\":[\"a\",\"z\"],"
                           "\"pets\":[{\"legs\":9},5],\"x/y\":1,\"born\":\"soon\"}"),
                         &o),
              ERR_INVALID);
    static const char *const pointers[] = {"/name",        "/age",    "/tags/1", "/pets/0/legs",
                                           "/pets/0/name", "/pets/1", "/x~1y",   "/born"};
    CHECK_EQ(cx->issue_count, COUNT(pointers));
    for (size_t i = 0; i < COUNT(pointers); i++)
        CHECK_STR(cx->issues[i].pointer, str_from(pointers[i]));
    CHECK_STR(cx->issues[2].detail, S("must be one of: a, b"));
}

TEST(shape_never_writes_what_is_write_only)
{
    struct owner o;
    struct buf b = BUF(10000);

    CHECK_OK(shape_read(cx, &owner_shape, S("{\"name\":\"=1+1\",\"secret\":\"hush\"}"), &o));
    CHECK_STR(o.secret, S("hush"));
    shape_encode(&b, &owner_shape, &o);
    shape_csv_header(&b, &owner_shape);
    shape_csv_row(&b, &owner_shape, &o);
    CHECK(str_find(buf_str(&b), S("hush")) == b.n);
    CHECK_HOLDS(buf_str(&b), "\"'=1+1\",,,0,false,[],[],\r\n");
    buf_close(&b);
}

TEST(shape_becomes_a_schema)
{
    struct buf b = BUF(10000);

    shape_schema(&b, &owner_shape);
    CHECK_HOLDS(buf_str(&b), "\"required\":[\"name\"]");
    CHECK_HOLDS(buf_str(&b), "\"items\":{\"$ref\":\"#/components/schemas/Pet\"}");
    CHECK_HOLDS(buf_str(&b), "\"note\":{\"type\":[\"string\",\"null\"]}");
    CHECK_HOLDS(buf_str(&b), "\"minLength\":1,\"maxLength\":5,\"description\":\"who\"");
    buf_close(&b);
}
