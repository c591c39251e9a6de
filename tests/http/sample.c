/* sample.c - see sample.h. */
#include "sample.h"
#include "base/json_write.h"
#include "base/queue.h"
#include <stdatomic.h>
#include <stdlib.h>

enum { LIVE_MAX = 64 };

struct thing {
    str name;
    uint64_t size;
};

static const struct field thing_fields[] = {
    FIELD(thing, name, F_STR, .flags = F_REQUIRED, .max = 20, .doc = "what it is called"),
    FIELD(thing, size, F_U64, .max = 1000, .doc = "how large"),
};
static const struct shape thing_shape = SHAPE("Thing", thing, thing_fields);

struct box {
    struct thing inside;
    struct list things;
};

static const struct field box_fields[] = {
    FIELD(box, inside, F_OBJECT, .sub = &thing_shape, .doc = "one"),
    FIELD(box, things, F_LIST, .sub = &thing_shape, .doc = "many"),
};
static const struct shape box_shape = SHAPE("Box", box, box_fields);

static struct {
    pthread_mutex_t lock; /* guards all */
    pthread_cond_t changed;
    bool shut;
    unsigned waiting;
    struct sse_stream *live[LIVE_MAX];
    unsigned live_count, live_closed;
    err count_result;
    uint64_t count_bytes;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* --- handlers ----------------------------------------------------------------------------- */

static err hello(struct ctx *cx, struct request *rq, struct response *rs)
{
    (void)rq;
    return response_bytes(cx, rs, 200, "text/plain", S("hello"));
}

static bool is_first(const struct request *rq, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (str_eq(rq->params[k].name, rq->params[i].name))
            return false;
    return true;
}

/* Its principal, argument and parameters as the handler saw them. */
static err show(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct buf *b = &rs->body;

    json_open(b, '{');
    json_member_str(b, S("path"), rq->path);
    json_member_str(b, S("principal"), rq->principal.id);
    json_key(b, S("args"));
    json_open(b, '[');
    for (size_t i = 0; i < REQUEST_ARGS_MAX && !str_is_null(rq->arg[i]); i++)
        json_put_str(b, rq->arg[i]);
    json_close(b, ']');
    json_key(b, S("params"));
    json_open(b, '{');
    for (size_t i = 0; i < rq->param_count; i++)
        if (is_first(rq, i))
            json_member_str(b, rq->params[i].name, rq->params[i].value);
    json_close(b, '}');
    json_close(b, '}');
    return response_json_body(cx, rs, 200);
}

static err echo(struct ctx *cx, struct request *rq, struct response *rs)
{
    return response_bytes(cx, rs, 200, "application/octet-stream", rq->body);
}

static err thing_put(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct thing t;

    TRY(shape_read(cx, &thing_shape, rq->body, &t));
    return response_json(cx, rs, 201, &thing_shape, &t);
}

static err count_body(struct ctx *cx, struct request *rq, uint64_t *bytes)
{
    char part[8192];
    size_t n = 1;

    while (n) {
        TRY(rq->source.read(cx, rq->source.state, part, sizeof part, &n));
        *bytes += n;
        if (n && part[0] == '!')
            return fail(cx, ERR_UNPROCESSABLE, "an exclamation mark");
    }
    return ERR_OK;
}

static err count(struct ctx *cx, struct request *rq, struct response *rs)
{
    uint64_t bytes = 0;
    err e = count_body(cx, rq, &bytes);

    pthread_mutex_lock(&state.lock);
    state.count_result = e;
    state.count_bytes = bytes;
    pthread_mutex_unlock(&state.lock);
    TRY(e);
    json_open(&rs->body, '{');
    json_member_u64(&rs->body, S("bytes"), bytes);
    json_close(&rs->body, '}');
    return response_json_body(cx, rs, 200);
}

/* {lines} lines of 64 bytes; "cut" fails after the first. */
static err lines(struct ctx *cx, struct request *rq, struct response *rs)
{
    uint64_t n = 0;
    bool cut = !str_to_u64(rq->arg[0], &n);

    TRY(response_begin(cx, rs, 200, "text/plain"));
    for (uint64_t i = 0; i < n || cut; i++) {
        if (cut && i == 1)
            return fail(cx, ERR_IO, "the disk is gone");
        TRY(response_write(cx, rs, arena_printf(cx->tmp, "%062llu\r\n", (unsigned long long)i)));
        arena_reset(cx->tmp);
    }
    return ERR_OK;
}

static err fail_by_name(struct ctx *cx, struct request *rq, struct response *rs)
{
    (void)rs;
    ctx_add_issue(cx, S("/a/b"), "is wrong");
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++)
        if (str_eq(rq->arg[0], str_from(err_name((err)e))))
            return fail(cx, (err)e, "secret detail");
    return fail(cx, ERR_NOT_FOUND, "no such code");
}

static err gate(struct ctx *cx, struct request *rq, struct response *rs)
{
    pthread_mutex_lock(&state.lock);
    state.waiting++;
    while (state.shut)
        pthread_cond_wait(&state.changed, &state.lock);
    state.waiting--;
    pthread_mutex_unlock(&state.lock);
    return hello(cx, rq, rs);
}

static void live_closed(void *stream_place)
{
    pthread_mutex_lock(&state.lock);
    *(struct sse_stream **)stream_place = NULL;
    state.live_closed++;
    pthread_mutex_unlock(&state.lock);
}

static err live(struct ctx *cx, struct request *rq, struct response *rs)
{
    LOCK(held, &state.lock);

    struct sse_stream **place = state.live;
    while (place < state.live + LIVE_MAX && *place)
        place++;
    if (place == state.live + LIVE_MAX)
        return fail(cx, ERR_BUSY, "too many streams");
    TRY(sse_begin(cx, rq, rs, live_closed, place, place));
    sse_send(*place, S("0"), S("welcome"), S("two\nlines"));
    state.live_count++;
    return ERR_OK;
}

/* --- control ------------------------------------------------------------------------------ */

void sample_gate(bool shut)
{
    LOCK(held, &state.lock);

    state.shut = shut;
    pthread_cond_broadcast(&state.changed);
}

unsigned sample_waiting(void)
{
    LOCK(held, &state.lock);

    return state.waiting;
}

unsigned sample_live(void)
{
    LOCK(held, &state.lock);

    return state.live_count;
}

unsigned sample_live_closed(void)
{
    LOCK(held, &state.lock);

    return state.live_closed;
}

bool sample_live_send(str id, str data)
{
    LOCK(held, &state.lock);
    bool all = true;

    for (unsigned i = 0; i < LIVE_MAX; i++)
        if (state.live[i])
            all = sse_send(state.live[i], id, STR_NULL, data) && all;
    return all;
}

err sample_count_result(void)
{
    LOCK(held, &state.lock);

    return state.count_result;
}

uint64_t sample_count_bytes(void)
{
    LOCK(held, &state.lock);

    return state.count_bytes;
}

/* --- the table ---------------------------------------------------------------------------- */

enum { PUBLIC = 1, WRITER = 2 };

static const struct param show_params[] = {
    {"id", F_U64, "which one", "7"},
    {"name", F_STR, "what it is called", NULL},
    {"limit", F_U64, "at most that many", "10"},
    {"from", F_TIME, "not before", NULL},
    {"all", F_BOOL, "everything", NULL},
    {0},
};

/* clang-format off */
static const struct route sample_routes[] = {
    {"GET",    "/hello",             hello,        PUBLIC, BODY_NONE,   "Say hello",       NULL, NULL, NULL, "text/plain", "sample"},
    {"GET",    "/things/{id}",       show,         PUBLIC, BODY_NONE,   "Show a thing",    show_params, NULL, &box_shape, NULL, "sample"},
    {"DELETE", "/things/{id}",       show,         WRITER, BODY_NONE,   "Remove a thing",  NULL, NULL, NULL, NULL, "sample"},
    {"GET",    "/things/special",    show,         PUBLIC, BODY_NONE,   "A literal wins",  NULL, NULL, NULL, NULL, "sample"},
    {"GET",    "/things/{a}/parts/{b}", show,      PUBLIC, BODY_NONE,   "Two arguments",   NULL, NULL, NULL, NULL, "sample"},
    {"GET",    "/files/{rest*}",     show,         PUBLIC, BODY_NONE,   "The remainder",   NULL, NULL, NULL, NULL, "sample"},
    {"POST",   "/things",            thing_put,    WRITER, BODY_JSON,   "Make a thing",    NULL, &thing_shape, &thing_shape, NULL, "sample"},
    {"POST",   "/echo",              echo,         PUBLIC, BODY_RAW,    "Give it back",    NULL, NULL, NULL, "application/octet-stream", "sample"},
    {"POST",   "/count",             count,        PUBLIC, BODY_STREAM, "Count the bytes", NULL, NULL, NULL, NULL, "sample"},
    {"GET",    "/lines/{lines}",     lines,        PUBLIC, BODY_NONE,   "Stream lines",    NULL, NULL, NULL, "text/plain", "sample"},
    {"GET",    "/fail/{code}",       fail_by_name, PUBLIC, BODY_NONE,   "Fail",            NULL, NULL, NULL, NULL, "sample"},
    {"GET",    "/gate",              gate,         PUBLIC, BODY_NONE,   "Wait",            NULL, NULL, NULL, NULL, "sample"},
    {"GET",    "/live",              live,         PUBLIC, BODY_NONE,   "Event stream",    NULL, NULL, NULL, "text/event-stream", "sample"},
    {0},
};
/* clang-format on */

const struct route *const sample_tables[] = {sample_routes, NULL};

static err authenticate(struct ctx *cx, struct request *rq)
{
    str credentials = request_header(rq, S("authorization"));

    rq->principal.id = S("anonymous");
    if (str_is_null(credentials))
        return ERR_OK;
    if (!str_eq(credentials, S("Bearer good")))
        return fail(cx, ERR_UNAUTHENTICATED, "this key is not known");
    rq->principal.id = arena_str(cx->mem, S("key/good"));
    rq->principal.permissions = WRITER;
    return ERR_OK;
}

static err authorize(struct ctx *cx, const struct request *rq)
{
    if (rq->route->permission == PUBLIC || (rq->principal.permissions & WRITER))
        return ERR_OK;
    return fail(cx, ERR_FORBIDDEN, "this needs a key that may write");
}

struct router *sample_router(struct ctx *cx)
{
    const struct router_options options = {
        .tables = sample_tables,
        .body_bytes_max = SAMPLE_BODY_BYTES_MAX,
        .unpacked_bytes_max = SAMPLE_UNPACKED_BYTES_MAX,
        .authenticate = authenticate,
        .authorize = authorize,
    };
    struct router *r = NULL;
    err e = router_open(cx, &options, &r);

    ENSURE(e == ERR_OK);
    return r;
}
