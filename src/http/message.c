/* message.c - reading a request's headers and parameters, filling a response.
 *
 * No I/O and no globals: a request and its response belong to one thread at a time. */
#include "http/message.h"
#include "base/clock.h"
#include "base/json_write.h"

str request_header(const struct request *rq, str name)
{
    for (size_t i = 0; i < rq->header_count; i++)
        if (str_eq_nocase(rq->headers[i].name, name))
            return rq->headers[i].value;
    return STR_NULL;
}

str request_param(const struct request *rq, str name)
{
    for (size_t i = 0; i < rq->param_count; i++)
        if (str_eq(rq->params[i].name, name))
            return rq->params[i].value;
    return STR_NULL;
}

err request_param_u64(struct ctx *cx, const struct request *rq, str name, uint64_t min,
                      uint64_t max, uint64_t absent, uint64_t *out)
{
    str text = request_param(rq, name);
    uint64_t v;

    if (str_is_null(text)) {
        *out = absent;
        return ERR_OK;
    }
    if (!str_to_u64(text, &v) || v < min || v > max)
        return fail(cx, ERR_INVALID, "query parameter '%.*s' must be a number from %llu to %llu",
                    STR_FMT(name), (unsigned long long)min, (unsigned long long)max);
    *out = v;
    return ERR_OK;
}

err request_param_time(struct ctx *cx, const struct request *rq, str name, int64_t *out_us)
{
    str text = request_param(rq, name);
    int64_t us = 0;

    if (!str_is_null(text) && !time_parse(text, &us))
        return fail(cx, ERR_INVALID, "query parameter '%.*s' must be an RFC 3339 time",
                    STR_FMT(name));
    *out_us = us;
    return ERR_OK;
}

/* One `Prefer` header: preferences are separated by commas, each may have parameters behind ';'. */
static bool header_prefers(str value, str preference)
{
    while (!str_is_null(value)) {
        str one = str_cut(&value, ',');

        if (str_eq_nocase(str_trim(str_cut(&one, ';')), preference))
            return true;
    }
    return false;
}

bool request_prefers(const struct request *rq, str preference)
{
    for (size_t i = 0; i < rq->header_count; i++)
        if (str_eq_nocase(rq->headers[i].name, S("prefer")) &&
            header_prefers(rq->headers[i].value, preference))
            return true;
    return false;
}

/* A value made from input must not be able to end its line. */
static str header_value(struct arena *mem, str value)
{
    char *p = arena_alloc(mem, 1, value.n + 1);

    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        p[i] = (c < 0x20 && c != '\t') || c == 0x7f ? '?' : value.p[i];
    }
    p[value.n] = 0;
    return (str){p, value.n};
}

void response_header(struct ctx *cx, struct response *rs, const char *name, str value)
{
    str n = str_from(name);
    struct header *h = rs->headers;
    struct header *end = h + rs->header_count;

    while (h < end && !str_eq_nocase(h->name, n))
        h++;
    if (h == end) {
        ENSURE(rs->header_count < RESPONSE_HEADERS_MAX);
        rs->header_count++;
    }
    *h = (struct header){n, header_value(cx->mem, value)};
}

err response_bytes(struct ctx *cx, struct response *rs, int status, const char *media_type,
                   str bytes)
{
    rs->status = status;
    rs->fixed = bytes;
    response_header(cx, rs, "Content-Type", str_from(media_type));
    return ERR_OK;
}

err response_written(struct ctx *cx, struct response *rs, int status, const char *media_type)
{
    TRY(buf_check(cx, &rs->body, "the answer"));
    rs->status = status;
    response_header(cx, rs, "Content-Type", str_from(media_type));
    return ERR_OK;
}

err response_json_body(struct ctx *cx, struct response *rs, int status)
{
    return response_written(cx, rs, status, "application/json");
}

err response_json(struct ctx *cx, struct response *rs, int status, const struct shape *shape,
                  const void *object)
{
    buf_clear(&rs->body);
    shape_encode(&rs->body, shape, object);
    return response_json_body(cx, rs, status);
}

err response_begin(struct ctx *cx, struct response *rs, int status, const char *media_type)
{
    ENSURE(!rs->streaming && rs->begin);
    rs->status = status;
    response_header(cx, rs, "Content-Type", str_from(media_type));
    TRY(rs->begin(cx, rs));
    rs->streaming = true;
    return ERR_OK;
}

err response_write(struct ctx *cx, struct response *rs, str bytes)
{
    ENSURE(rs->streaming);
    return bytes.n ? rs->sink.write(cx, rs->sink.state, bytes) : ERR_OK;
}
