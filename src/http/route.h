/* route.h - the table of routes and the one way a request goes through it.
 *
 * router_dispatch(): request id, match template, method, authenticate, permission, media type and
 * size of the body, handler; a failure anywhere becomes a problem (RFC 9457); then metrics, log.
 * Checks are columns of the route, never code in handlers. */
#pragma once
#include "http/message.h"

enum body_kind {
    BODY_NONE,   /* a body is refused */
    BODY_JSON,   /* application/json, whole, up to the router's body_bytes_max */
    BODY_RAW,    /* any type, whole, up to the router's body_bytes_max */
    BODY_STREAM, /* the handler reads rq->source and checks the type itself */
};

/* A query or path parameter, for validation and OpenAPI.  Query parameters that a route does not
 * list are refused. */
struct param {
    const char *name;
    enum field_kind kind;
    const char *doc;
    const char *example; /* text as in a URL, or NULL */
};

typedef err handler(struct ctx *cx, struct request *rq, struct response *rs);

struct route {
    const char *method;
    const char
        *path; /* template: /api/v1/events/{index}; a last segment {rest*} takes the remainder */
    handler *run;
    int permission; /* of access/permission.def; 0 denies everyone */
    enum body_kind body;
    const char *summary;         /* one line, OpenAPI and docs */
    const struct param *params;  /* ended by name NULL, or NULL */
    const struct shape *request; /* of the body, or NULL */
    const struct shape *reply;   /* of a good answer, or NULL */
    const char *reply_type;      /* media type of the answer when it is not JSON */
    const char *tag;             /* group in the documentation */
};

struct router;

/* Hooks given by the layers below http. */
struct router_options {
    struct app *app;
    const struct route *const *tables; /* NULL-ended list of tables, each ended by method NULL */
    size_t body_bytes_max;             /* of a whole body, as sent and unpacked */
    uint64_t unpacked_bytes_max;       /* of a streamed body that came compressed; 0: no bound */
    /* Runs on the transport's loop thread before the body is read, so that a refused request never
     * costs a worker: it must not wait for disk, network or a lock that others hold for long.  What
     * it needs from disk is cached in memory beforehand.  The same holds for `authorize`.
     *
     * Fill rq->principal from the request's credentials; UNAUTHENTICATED when they are wrong.  With
     * no credentials it gives "anonymous" and no permissions. */
    err (*authenticate)(struct ctx *cx, struct request *rq);
    /* May rq->principal use rq->route?  FORBIDDEN or UNAUTHENTICATED otherwise. */
    err (*authorize)(struct ctx *cx, const struct request *rq);
};

err router_open(struct ctx *cx, const struct router_options *options,
                struct router **out); /* owned */
void router_close(struct router *r);

/* Before the body is read: find route, principal and permission, so that a transport can refuse
 * early.  On failure the response holds the problem and the error is returned. */
err router_admit(struct ctx *cx, struct router *r, struct request *rq, struct response *rs);
/* After router_admit() succeeded and (unless BODY_STREAM) the body is whole. */
err router_run(struct ctx *cx, struct router *r, struct request *rq, struct response *rs);
/* Both. */
void router_dispatch(struct ctx *cx, struct router *r, struct request *rq, struct response *rs);

/* A failure that the carrier met itself, on a request that goes no further: problem, count and log
 * as for any other.  After fail(). */
void router_refuse(struct ctx *cx, struct router *r, struct request *rq, struct response *rs,
                   err e);
size_t router_body_bytes_max(const struct router *r);

/* The whole API as OpenAPI 3.1 JSON, from the routes and their shapes. */
void openapi_write(struct buf *b, const struct route *const *tables, str version);

/* Fill `rs` with the problem for the context's last failure.  Detail of a 5xx stays in the log. */
void problem_response(struct ctx *cx, struct response *rs, const struct request *rq, err e);
