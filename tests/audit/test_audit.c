/* test_audit.c - the tables of the reading side: routes as documentation, metrics that move. */
#include "base/json.h"
#include "house.h"

/* Routes are served as they are documented: the OpenAPI text is JSON, every route says what it is
 * for, and every parameter of a path is described. */
TEST(routes_are_documented)
{
    static const struct route *const tables[] = {audit_routes, NULL};
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    struct buf text = BUF(1 << 20);
    struct json root, item;

    openapi_write(&text, tables, S("1"));
    CHECK_OK(json_parse(cx, p, buf_str(&text), &root));
    CHECK(json_pointer_get(root, S("/components/schemas/EventPage/properties/items"), &item));
    for (const struct route *r = audit_routes; r->method; r++) {
        str path = str_from(r->path);
        CHECK(r->summary && *r->summary && r->tag && r->permission);
        size_t open = str_find_char(path, '{'), close = str_find_char(path, '}');
        if (open == path.n)
            continue;
        str name = str_slice(path, open + 1, path.p[close - 1] == '*' ? close - 1 : close);
        bool described = false;
        for (const struct param *param = r->params; param && param->name; param++)
            described = described || str_eq(str_from(param->name), name);
        CHECK(described);
    }
    buf_close(&text);
}

/* The example of every parameter is one that the route takes. */
TEST(examples_of_parameters_are_taken)
{
    const struct house_options options = {.audit.streams_max = 100};
    struct house *house = house_open(cx, dir, &options);

    house_fill(cx, house, 3);
    harness_key(house->h, "exporter");
    for (const struct route *r = audit_routes; r->method; r++)
        for (const struct param *p = r->params; p && p->name; p++) {
            if (!p->example || strchr(r->path, '{') || strstr(r->path, "/proof/"))
                continue;
            str target = arena_printf(cx->mem, "%s?%s=%s", r->path, p->name, p->example);
            CHECK_EQ(harness_get(house->h, target.p)->status, 200);
        }
    house_close(house);
}

struct watched {
    struct house *house;
};

static bool all_have_moved(void *state)
{
    struct watched *w = state;

    (void)w;
    for (struct metric *const *m = audit_metrics; *m; m++)
        if (!metric_moved(*m))
            return false;
    return true;
}

/* A witness that nobody can reach lags behind. */
TEST(every_metric_is_moved)
{
    static const str unreachable =
        STR_INIT("witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN "
                 "http://127.0.0.1:1");
    const struct house_options options = {.audit = {.streams_max = 1,
                                                    .witnesses = &unreachable,
                                                    .witness_count = 1,
                                                    .witness_interval_ns = 2000000}};
    struct house *house = house_open(cx, dir, &options);
    struct harness *stream = house_client(house);

    house_fill(cx, house, 200);
    harness_key(house->h, "exporter");
    CHECK_EQ(harness_get(house->h, "/api/v1/events?q=needle")->status, 200);
    CHECK_EQ(harness_get(house->h, "/api/v1/events/export")->status, 200);
    CHECK_EQ(harness_get(house->h, "/log/tile/0/000.p/1")->status, 200);
    CHECK_EQ(harness_get(house->h, "/log/proof/inclusion?index=0&size=1")->status, 200);
    CHECK_EQ(harness_get(stream, "/api/v1/events/stream?after=0")->status, 200);
    struct watched w = {house};
    wait_until(all_have_moved, &w);
    harness_close(stream);
    house_close(house);
}
