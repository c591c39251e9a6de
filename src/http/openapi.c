/* openapi.c - the API as OpenAPI 3.1, from the tables that also drive it.
 *
 * Paths come in the order of the tables, methods of one path together, schemas by name: the same
 * tables give the same bytes. */
#include "base/json_write.h"
#include "http/route.h"
#include <ctype.h>
#include <stdlib.h>

enum { ROUTES_MAX = 1000, SHAPES_MAX = 500 };

struct catalogue {
    const struct route *routes[ROUTES_MAX];
    size_t route_count;
    const struct shape *shapes[SHAPES_MAX];
    size_t shape_count;
};

/* A shape and all that it is made of, each once. NOLINTNEXTLINE(misc-no-recursion) */
static void shape_reach(struct catalogue *c, const struct shape *shape)
{
    if (!shape)
        return;
    for (size_t i = 0; i < c->shape_count; i++)
        if (strcmp(c->shapes[i]->name, shape->name) == 0)
            return;
    ENSURE(c->shape_count < SHAPES_MAX);
    c->shapes[c->shape_count++] = shape;
    for (size_t i = 0; i < shape->count; i++)
        shape_reach(c, shape->fields[i].sub);
}

static int by_name(const void *a, const void *b)
{
    const struct shape *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static void collect(struct catalogue *c, const struct route *const *tables)
{
    for (const struct route *const *table = tables; *table; table++) {
        for (const struct route *r = *table; r->method; r++) {
            ENSURE(c->route_count < ROUTES_MAX);
            c->routes[c->route_count++] = r;
            shape_reach(c, r->request);
            shape_reach(c, r->reply);
        }
    }
    qsort(c->shapes, c->shape_count, sizeof(const struct shape *), by_name);
}

static void put_ref(struct buf *b, const char *folder, const char *name)
{
    CLEANUP(buf_close) struct buf path = BUF(512);

    buf_printf(&path, "#/components/%s/%s", folder, name);
    json_open(b, '{');
    json_member_str(b, S("$ref"), buf_str(&path));
    json_close(b, '}');
}

/* "get_api_v1_events_index": method and path, words joined by one underscore. */
static void put_operation_id(struct buf *b, const struct route *r)
{
    CLEANUP(buf_close) struct buf id = BUF(512);

    for (const char *p = r->method; *p; p++)
        buf_put_char(&id, (char)tolower((unsigned char)*p));
    for (const char *p = r->path; *p; p++) {
        if (isalnum((unsigned char)*p))
            buf_put_char(&id, *p);
        else if (id.p[id.n - 1] != '_' && p[1])
            buf_put_char(&id, '_');
    }
    while (id.n && id.p[id.n - 1] == '_')
        id.n--;
    json_member_str(b, S("operationId"), buf_str(&id));
}

/* The path with {rest*} as {rest}. */
static void put_path_key(struct buf *b, const char *path)
{
    CLEANUP(buf_close) struct buf key = BUF(1024);

    for (const char *p = path; *p; p++)
        if (*p != '*')
            buf_put_char(&key, *p);
    json_key(b, buf_str(&key));
}

static bool is_path_param(const struct route *r, const char *name)
{
    str path = str_from(r->path), wanted = str_from(name);

    for (;;) {
        path = str_slice(path, str_find_char(path, '{') + 1, path.n);
        if (!path.n)
            return false;
        str one = str_slice(path, 0, str_find_char(path, '}'));
        if (str_ends(one, S("*")))
            one.n--;
        if (str_eq(one, wanted))
            return true;
    }
}

static void put_param_schema(struct buf *b, enum field_kind kind)
{
    /* clang-format off */
    static const struct { const char *type, *format; } kinds[] = {
        [F_STR]    = {"string", NULL},     [F_I64]  = {"integer", "int64"},
        [F_U64]    = {"integer", "int64"}, [F_DOUBLE] = {"number", "double"},
        [F_BOOL]   = {"boolean", NULL},    [F_TIME] = {"string", "date-time"},
    };
    /* clang-format on */
    bool known = (size_t)kind < COUNT(kinds) && kinds[kind].type;

    json_key(b, S("schema"));
    json_open(b, '{');
    json_member_str(b, S("type"), str_from(known ? kinds[kind].type : "string"));
    if (known && kinds[kind].format)
        json_member_str(b, S("format"), str_from(kinds[kind].format));
    if (kind == F_U64)
        json_member_i64(b, S("minimum"), 0);
    json_close(b, '}');
}

static void put_param(struct buf *b, str name, bool in_path, const struct param *p)
{
    json_open(b, '{');
    json_member_str(b, S("name"), name);
    json_member_str(b, S("in"), in_path ? S("path") : S("query"));
    if (in_path)
        json_member_bool(b, S("required"), true);
    if (p && p->doc)
        json_member_str(b, S("description"), str_from(p->doc));
    put_param_schema(b, p ? p->kind : F_STR);
    if (p && p->example)
        json_member_str(b, S("example"), str_from(p->example));
    json_close(b, '}');
}

static const struct param *param_named(const struct route *r, str name)
{
    for (const struct param *p = r->params; p && p->name; p++)
        if (str_eq(str_from(p->name), name))
            return p;
    return NULL;
}

static void put_params(struct buf *b, const struct route *r)
{
    str path = str_from(r->path);

    json_key(b, S("parameters"));
    json_open(b, '[');
    for (;;) {
        path = str_slice(path, str_find_char(path, '{') + 1, path.n);
        if (!path.n)
            break;
        str name = str_slice(path, 0, str_find_char(path, '}'));
        if (str_ends(name, S("*")))
            name.n--;
        put_param(b, name, true, param_named(r, name));
    }
    for (const struct param *p = r->params; p && p->name; p++)
        if (!is_path_param(r, p->name))
            put_param(b, str_from(p->name), false, p);
    json_close(b, ']');
}

/* {"content":{TYPE:{"schema":…}}} without the outer braces. */
static void put_content(struct buf *b, const char *type, const struct shape *shape)
{
    json_key(b, S("content"));
    json_open(b, '{');
    json_key(b, str_from(type));
    json_open(b, '{');
    if (shape) {
        json_key(b, S("schema"));
        put_ref(b, "schemas", shape->name);
    }
    json_close(b, '}');
    json_close(b, '}');
}

static void put_request_body(struct buf *b, const struct route *r)
{
    if (r->body == BODY_NONE)
        return;
    json_key(b, S("requestBody"));
    json_open(b, '{');
    json_member_bool(b, S("required"), r->body == BODY_JSON);
    put_content(b, r->body == BODY_JSON ? "application/json" : "*/*", r->request);
    json_close(b, '}');
}

static void put_responses(struct buf *b, const struct route *r)
{
    json_key(b, S("responses"));
    json_open(b, '{');
    json_key(b, S("2XX"));
    json_open(b, '{');
    json_member_str(b, S("description"), S("done"));
    if (r->reply || r->reply_type)
        put_content(b, r->reply_type ? r->reply_type : "application/json", r->reply);
    json_close(b, '}');
    json_key(b, S("default"));
    put_ref(b, "responses", "Problem");
    json_close(b, '}');
}

static void put_operation(struct buf *b, const struct route *r)
{
    CLEANUP(buf_close) struct buf method = BUF(16);

    for (const char *p = r->method; *p; p++)
        buf_put_char(&method, (char)tolower((unsigned char)*p));
    json_key(b, buf_str(&method));
    json_open(b, '{');
    put_operation_id(b, r);
    json_member_str(b, S("summary"), str_from(r->summary ? r->summary : ""));
    if (r->tag) {
        json_key(b, S("tags"));
        json_open(b, '[');
        json_put_str(b, str_from(r->tag));
        json_close(b, ']');
    }
    put_params(b, r);
    put_request_body(b, r);
    put_responses(b, r);
    json_close(b, '}');
}

static bool seen_before(const struct catalogue *c, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(c->routes[k]->path, c->routes[i]->path) == 0)
            return true;
    return false;
}

static void put_paths(struct buf *b, const struct catalogue *c)
{
    json_key(b, S("paths"));
    json_open(b, '{');
    for (size_t i = 0; i < c->route_count; i++) {
        if (seen_before(c, i))
            continue;
        put_path_key(b, c->routes[i]->path);
        json_open(b, '{');
        for (size_t k = i; k < c->route_count; k++)
            if (strcmp(c->routes[k]->path, c->routes[i]->path) == 0)
                put_operation(b, c->routes[k]);
        json_close(b, '}');
    }
    json_close(b, '}');
}

/* What problem.c writes. */
static void put_problem(struct buf *b)
{
    json_key(b, S("Problem"));
    json_put_raw(
        b, S("{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"code\","
             "\"request_id\"],\"properties\":{\"type\":{\"type\":\"string\",\"format\":"
             "\"uri-reference\"},\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},"
             "\"detail\":{\"type\":\"string\"},\"instance\":{\"type\":\"string\"},"
             "\"code\":{\"type\":\"string\"},\"request_id\":{\"type\":\"string\"},\"errors\":{"
             "\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"pointer\":{"
             "\"type\":\"string\"},\"detail\":{\"type\":\"string\"}}}}}}"));
}

static void put_components(struct buf *b, const struct catalogue *c)
{
    json_key(b, S("components"));
    json_open(b, '{');
    json_key(b, S("schemas"));
    json_open(b, '{');
    put_problem(b);
    for (size_t i = 0; i < c->shape_count; i++) {
        json_key(b, str_from(c->shapes[i]->name));
        shape_schema(b, c->shapes[i]);
    }
    json_close(b, '}');
    json_key(b, S("responses"));
    json_put_raw(b, S("{\"Problem\":{\"description\":\"what went wrong, RFC 9457\",\"content\":{"
                      "\"application/problem+json\":{\"schema\":{\"$ref\":"
                      "\"#/components/schemas/Problem\"}}}}}"));
    json_key(b, S("securitySchemes"));
    json_put_raw(b, S("{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"}}"));
    json_close(b, '}');
}

void openapi_write(struct buf *b, const struct route *const *tables, str version)
{
    struct catalogue *c = calloc(1, sizeof *c);

    ENSURE(c);
    collect(c, tables);
    json_open(b, '{');
    json_member_str(b, S("openapi"), S("3.1.0"));
    json_key(b, S("info"));
    json_open(b, '{');
    json_member_str(b, S("title"), S("Chancery"));
    json_member_str(b, S("version"), version);
    json_close(b, '}');
    json_key(b, S("security"));
    json_put_raw(b, S("[{\"bearer\":[]}]"));
    put_paths(b, c);
    put_components(b, c);
    json_close(b, '}');
    free(c);
}
