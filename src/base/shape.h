/* shape.h - field tables: one table per object drives decoding, validation, encoding and OpenAPI.
 *
 *   struct thing { str name; int64_t created_us; uint64_t size; };
 *   static const struct field thing_fields[] = {
 *       FIELD(thing, name, F_STR, .flags = F_REQUIRED, .max = 80, .doc = "what it is called"),
 *       FIELD_AS(thing, created_us, "created", F_TIME, .doc = "when"),
 *   };
 *   const struct shape thing_shape = SHAPE("Thing", thing, thing_fields);
 *
 * Unknown members are errors.  All wrong places are gathered as issues of the context before
 * INVALID is returned. */
#pragma once
#include "base/base.h"
#include "base/buf.h"
#include "base/json.h"

enum field_kind {
    F_STR,    /* str */
    F_I64,    /* int64_t */
    F_U64,    /* uint64_t */
    F_DOUBLE, /* double */
    F_BOOL,   /* bool */
    F_TIME,   /* int64_t µs since 1970; 0 is absent; RFC 3339 text */
    F_STRS,   /* struct strs: array of strings */
    F_RAW,    /* str: any JSON value as text; null str is absent */
    F_OBJECT, /* embedded struct of shape `sub` */
    F_LIST,   /* struct list of structs of shape `sub` */
};

enum field_flags {
    F_REQUIRED = 1,  /* must be present when decoding */
    F_NULLABLE = 2,  /* written as null when absent; otherwise an absent member is left out */
    F_READ_ONLY = 4, /* never decoded: sending it is an error */
    F_WRITE_ONLY = 8 /* never encoded: passwords */
};

struct strs {
    str *items;
    size_t count;
};

struct list {
    void *items;
    size_t count;
};

struct shape;

struct field {
    const char *name;
    enum field_kind kind;
    uint32_t offset;
    unsigned flags;
    int64_t min, max; /* of the number, or of the string's or list's length; 0,0 is none */
    const char *const *choices; /* NULL-ended list of allowed strings */
    const struct shape *sub;
    const char *doc;     /* one line for people; in OpenAPI */
    const char *example; /* JSON text or NULL */
};

struct shape {
    const char *name; /* schema name in OpenAPI */
    const struct field *fields;
    size_t count;
    size_t bytes; /* sizeof the struct */
};

/* FIELD(thing, name, F_STR, .flags = …): the struct's member and the JSON member have one name. */
#define FIELD(type, member, ...) FIELD_AS(type, member, #member, __VA_ARGS__)
/* As FIELD() under another JSON name: FIELD_AS(thing, created_us, "created", F_TIME). */
#define FIELD_AS(type, member, json_name, ...)                                                     \
    {                                                                                              \
        .name = (json_name), .offset = offsetof(struct type, member), .kind = __VA_ARGS__          \
    }
#define SHAPE(shape_name, type, table)                                                             \
    {                                                                                              \
        shape_name, table, COUNT(table), sizeof(struct type)                                       \
    }

/* Decode into `out` (zeroed first); strings are copied into cx->mem.  INVALID with issues. */
err shape_decode(struct ctx *cx, const struct shape *shape, struct json v, void *out);
/* Parse and decode one JSON text. */
err shape_read(struct ctx *cx, const struct shape *shape, str text, void *out);
void shape_encode(struct buf *b, const struct shape *shape, const void *in);
/* As a CSV row (RFC 4180; cells that begin with = + - @ or a control character get a leading '),
 * and its header row.  Nested values are JSON text. */
void shape_csv_header(struct buf *b, const struct shape *shape);
void shape_csv_row(struct buf *b, const struct shape *shape, const void *in);
void csv_cell_put(struct buf *b, str s);
/* The JSON Schema (2020-12) of the shape, for OpenAPI; nested shapes as $ref. */
void shape_schema(struct buf *b, const struct shape *shape);
