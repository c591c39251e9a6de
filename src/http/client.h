/* client.h - outgoing HTTP by libcurl: one client per base address, used by one thread at a time.
 */
#pragma once
#include "http/message.h"

struct http_client;

struct http_client_options {
    str base_url;          /* "http://127.0.0.1:8080" */
    str key;               /* sent as "Authorization: Bearer …"; null: none */
    int64_t timeout_ns;    /* of a whole call that is not streamed; 0: 30 s */
    bool follow_redirects; /* off unless set */
};

struct http_reply {
    int status;
    str content_type;
    str body;               /* arena `mem` */
    struct header *headers; /* arena `mem` */
    size_t header_count;
};

/* Fills at most n bytes; *out_n = 0 ends the body. */
typedef err http_body_read(struct ctx *cx, void *state, void *p, size_t n, size_t *out_n);
typedef err http_body_write(struct ctx *cx, void *state, str bytes);

err http_client_open(struct ctx *cx, const struct http_client_options *options,
                     struct http_client **out);
void http_client_close(struct http_client *c);

/* Any status is a good outcome here; UNREACHABLE, TIMEOUT, TOO_LARGE (reply over `reply_max`). */
err http_call(struct ctx *cx, struct http_client *c, const char *method, str path,
              const struct header *headers, size_t header_count, str body, size_t reply_max,
              struct http_reply *out);
/* Upload a body of unknown length (chunked). */
err http_upload(struct ctx *cx, struct http_client *c, const char *method, str path,
                const struct header *headers, size_t header_count, http_body_read *read,
                void *state, size_t reply_max, struct http_reply *out);
/* Stream the reply's body into `write`; out->body stays empty when the status is 2xx. */
err http_download(struct ctx *cx, struct http_client *c, str path, const struct header *headers,
                  size_t header_count, http_body_write *write, void *state, struct http_reply *out);
/* An answer that is not 2xx as an error: code by status, detail from its problem document. */
err http_reply_check(struct ctx *cx, const struct http_reply *reply);
