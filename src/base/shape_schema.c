/* shape_schema.c - a shape as JSON Schema (draft 2020-12), for OpenAPI 3.1. */
#include "base/json_write.h"
#include "base/shape.h"

/* clang-format off */
static const struct {
    const char *type, *format;
} kinds[] = {
    [F_STR]    = {"string",  NULL},        [F_I64]  = {"integer", "int64"},
    [F_U64]    = {"integer", "int64"},     [F_DOUBLE] = {"number", "double"},
    [F_BOOL]   = {"boolean", NULL},        [F_TIME] = {"string",  "date-time"},
    [F_STRS]   = {"array",   NULL},        [F_RAW]  = {NULL,      NULL},
    [F_OBJECT] = {NULL,      NULL},        [F_LIST] = {"array",   NULL},
};
/* clang-format on */

static void put_ref(struct buf *b, const struct shape *shape)
{
    struct buf path = BUF(256);

    buf_printf(&path, "#/components/schemas/%s", shape->name);
    json_member_str(b, S("$ref"), buf_str(&path));
    buf_close(&path);
}

/* Which two keywords bound a kind. */
static void put_bounds(struct buf *b, const struct field *f)
{
    static const char *const names[][2] = {
        [F_STR] = {"minLength", "maxLength"}, [F_I64] = {"minimum", "maximum"},
        [F_U64] = {"minimum", "maximum"},     [F_DOUBLE] = {"minimum", "maximum"},
        [F_STRS] = {"minItems", "maxItems"},  [F_LIST] = {"minItems", "maxItems"},
    };

    if (f->kind == F_U64 && f->min == 0)
        json_member_i64(b, S("minimum"), 0);
    if ((f->min == 0 && f->max == 0) || f->kind >= COUNT(names) || !names[f->kind][0])
        return;
    if (f->min)
        json_member_i64(b, str_from(names[f->kind][0]), f->min);
    json_member_i64(b, str_from(names[f->kind][1]), f->max);
}

static void put_choices(struct buf *b, const struct field *f)
{
    if (!f->choices)
        return;
    json_key(b, S("enum"));
    json_open(b, '[');
    for (const char *const *c = f->choices; *c; c++)
        json_put_str(b, str_from(*c));
    json_close(b, ']');
}

static void put_items(struct buf *b, const struct field *f)
{
    json_key(b, S("items"));
    json_open(b, '{');
    if (f->kind == F_LIST) {
        put_ref(b, f->sub);
    } else {
        json_member_str(b, S("type"), S("string"));
        put_choices(b, f);
    }
    json_close(b, '}');
}

static void put_type(struct buf *b, const struct field *f)
{
    if (!kinds[f->kind].type)
        return;
    if (f->flags & F_NULLABLE) {
        json_key(b, S("type"));
        json_open(b, '[');
        json_put_str(b, str_from(kinds[f->kind].type));
        json_put_str(b, S("null"));
        json_close(b, ']');
    } else {
        json_member_str(b, S("type"), str_from(kinds[f->kind].type));
    }
    if (kinds[f->kind].format)
        json_member_str(b, S("format"), str_from(kinds[f->kind].format));
}

static void put_field(struct buf *b, const struct field *f)
{
    json_key(b, str_from(f->name));
    json_open(b, '{');
    put_type(b, f);
    if (f->kind == F_OBJECT)
        put_ref(b, f->sub);
    if (f->kind == F_LIST || f->kind == F_STRS)
        put_items(b, f);
    else
        put_choices(b, f);
    put_bounds(b, f);
    if (f->flags & F_READ_ONLY)
        json_member_bool(b, S("readOnly"), true);
    if (f->flags & F_WRITE_ONLY)
        json_member_bool(b, S("writeOnly"), true);
    if (f->doc)
        json_member_str(b, S("description"), str_from(f->doc));
    if (f->example) {
        json_key(b, S("examples"));
        json_open(b, '[');
        json_put_raw(b, str_from(f->example));
        json_close(b, ']');
    }
    json_close(b, '}');
}

static bool has_required(const struct shape *shape)
{
    for (size_t i = 0; i < shape->count; i++)
        if (shape->fields[i].flags & F_REQUIRED)
            return true;
    return false;
}

void shape_schema(struct buf *b, const struct shape *shape)
{
    json_open(b, '{');
    json_member_str(b, S("type"), S("object"));
    json_member_bool(b, S("additionalProperties"), false);
    if (has_required(shape)) {
        json_key(b, S("required"));
        json_open(b, '[');
        for (size_t i = 0; i < shape->count; i++)
            if (shape->fields[i].flags & F_REQUIRED)
                json_put_str(b, str_from(shape->fields[i].name));
        json_close(b, ']');
    }
    json_key(b, S("properties"));
    json_open(b, '{');
    for (size_t i = 0; i < shape->count; i++)
        put_field(b, &shape->fields[i]);
    json_close(b, '}');
    json_close(b, '}');
}
