/* message.h - a request as handlers see it and the response they fill, whatever carried them.
 *
 * The transport (sockets) and the tests (no socket) both make these and hand them to
 * router_dispatch().  Handlers run on worker threads as straight-line blocking code; a request, its
 * response and its context belong to one worker until the handler returns.  All strings of a
 * request are borrowed until then. */
#pragma once
#include "base/base.h"
#include "base/buf.h"
#include "base/shape.h"

struct app;   /* what handlers may reach; see writer/app.h */
struct route; /* http/route.h */

enum {
    REQUEST_ARGS_MAX = 4,
    REQUEST_HEADERS_MAX = 100,
    REQUEST_PARAMS_MAX = 64,
    RESPONSE_HEADERS_MAX = 24,
    RESPONSE_BODY_BYTES_MAX = 128 << 20, /* of one that is not streamed */
};

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER
};

struct header {
    str name; /* as received; compare with str_eq_nocase() */
    str value;
};

/* Who is asking, found by the router's authenticate hook before the handler runs. */
struct principal {
    str id;               /* "user/alice", "key/<id>", "anonymous" */
    str name;             /* for people */
    uint64_t permissions; /* bit set over access/permission.def */
    int64_t expires_us;   /* 0: does not */
};

/* Bytes that arrive while the handler runs.  read() waits for at least one byte; *out_n = 0 is the
 * end.  TIMEOUT when the client is too slow, IO when it has gone, TOO_LARGE past the limit. */
struct body_source {
    err (*read)(struct ctx *cx, void *state, void *p, size_t n, size_t *out_n);
    void *state;
};

struct request {
    enum http_method method;
    str method_text;
    str path;  /* from the carrier as received, without the query; the router percent-decodes it */
    str query; /* raw, behind the '?' */
    const struct header *headers;
    size_t header_count;
    /* Whole body of BODY_JSON and BODY_RAW routes, and of a BODY_STREAM route when it was short and
     * is all there (then `source` gives the same bytes); else null.  JSON_PADDING readable bytes
     * follow it. */
    str body;
    struct body_source source; /* of BODY_STREAM routes */
    int64_t content_length;    /* -1 when not known, 0 without a body; as sent, before decoding */
    str peer;                  /* address of the client, without port */
    bool secure;               /* came over TLS */
    int64_t received_ns;       /* clock_mono_ns() when the head was complete */

    /* filled by the router */
    struct app *app;
    const struct route *route;
    str arg[REQUEST_ARGS_MAX]; /* values of the template's {…}, in order */
    struct principal principal;
    struct header *params; /* query parameters, decoded, in order */
    size_t param_count;
};

/* The first header of that name; null str if absent.  Any letter case. */
str request_header(const struct request *rq, str name);
/* The first query parameter of that name; null str if absent, "" if it has no value. */
str request_param(const struct request *rq, str name);
/* A numeric parameter within bounds, or `absent` when it is not there; INVALID names it. */
err request_param_u64(struct ctx *cx, const struct request *rq, str name, uint64_t min,
                      uint64_t max, uint64_t absent, uint64_t *out);
/* An RFC 3339 time; 0 when absent; INVALID names it. */
err request_param_time(struct ctx *cx, const struct request *rq, str name, int64_t *out_us);
/* Does a `Prefer` header (RFC 7240) ask for this preference, e.g. S("wait=proof")? */
bool request_prefers(const struct request *rq, str preference);

/* Where bytes of a streamed response go; write() waits while the client is slow and fails with IO
 * when it has gone. */
struct body_sink {
    err (*write)(struct ctx *cx, void *state, str bytes);
    void *state;
};

struct sse_stream; /* http/sse.h */

struct response {
    int status; /* 200 unless set */
    struct header headers[RESPONSE_HEADERS_MAX];
    size_t header_count;
    struct buf body;       /* owned by the carrier */
    str fixed;             /* instead of `body`: static or arena bytes, not copied */
    struct body_sink sink; /* set by the carrier */
    err (*begin)(struct ctx *cx, struct response *rs); /* set by the carrier: send the head now */
    bool streaming;                                    /* response_begin() was called */
    struct sse_stream *sse;                            /* the response is a live event stream */
    bool gone; /* set by the carrier: the client left, nobody will be answered */
};

/* Name must be static; value is copied into cx->mem, without what would end its line.  A name that
 * is already there gets the new value. */
void response_header(struct ctx *cx, struct response *rs, const char *name, str value);
/* 200-family answer with a body of this media type: static bytes, or arena `mem`. */
err response_bytes(struct ctx *cx, struct response *rs, int status, const char *media_type,
                   str bytes);
/* An object encoded by its shape, as application/json. */
err response_json(struct ctx *cx, struct response *rs, int status, const struct shape *shape,
                  const void *object);
/* What was written into rs->body is the answer. */
err response_written(struct ctx *cx, struct response *rs, int status, const char *media_type);
/* What was written into rs->body is a whole JSON text. */
err response_json_body(struct ctx *cx, struct response *rs, int status);
/* Send status and headers now; afterwards only response_write(). */
err response_begin(struct ctx *cx, struct response *rs, int status, const char *media_type);
err response_write(struct ctx *cx, struct response *rs, str bytes);
