/* http_harness.h - requests through the real router without a socket.
 *
 *   struct harness *h = harness_open(router);
 *   const struct reply *r = harness_get(h, "/api/v1/things?limit=2");
 *   CHECK_EQ(r->status, 200);
 *   CHECK_STR(reply_str(r, "/items/0/name"), S("first"));
 *
 * What it does to a request is what the transport does: the same admit, run and refusal, the body
 * whole or in pieces, an own context for each request.  A reply is valid until the next call. */
#pragma once
#include "base/json.h"
#include "http/route.h"

struct harness;

struct reply {
    int status;
    const struct header *headers;
    size_t header_count;
    str body;               /* of a streamed response: all that was written */
    struct json json;       /* when is_json */
    bool is_json;           /* the body parses as JSON */
    bool streamed, cut_off; /* response_begin() was called; and the handler failed afterwards */
    bool live;              /* an event stream: see harness_events() */
};

struct harness *harness_open(struct router *router); /* borrowed */
void harness_close(struct harness *h);

/* "Authorization: Bearer KEY" on all following requests; NULL for none. */
void harness_key(struct harness *h, const char *key);
/* On the next request only. */
void harness_header(struct harness *h, const char *name, const char *value);
/* The next request's body comes in pieces of that many bytes, its length unknown in advance. */
void harness_pieces(struct harness *h, size_t bytes);

/* `body` null: no body. */
const struct reply *harness_send(struct harness *h, const char *method, const char *target,
                                 str body);
const struct reply *harness_get(struct harness *h, const char *target);
const struct reply *harness_post(struct harness *h, const char *target, const char *json);

str reply_header(const struct reply *r, const char *name); /* null if absent */
/* By JSON pointer; a null str, 0 or false when there is nothing of that kind. */
str reply_str(const struct reply *r, const char *pointer);
uint64_t reply_u64(const struct reply *r, const char *pointer);
bool reply_bool(const struct reply *r, const char *pointer);
bool reply_has(const struct reply *r, const char *pointer);
size_t reply_count(const struct reply *r, const char *pointer); /* elements or members */

/* What the open event stream sent since the last call; valid until the next one. */
str harness_events(struct harness *h);
/* The client goes away; also done by the next request. */
void harness_hang_up(struct harness *h);
