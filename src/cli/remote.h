/* remote.h - how client commands reach data: requests of the API, wherever it is answered.
 *
 * With --url, or with neither --url nor --data, requests go over HTTP.  With --data the folder is
 * opened here and the same requests go through the same routes without a socket, as "system" with
 * every permission.  So each command is written once, and both doors answer alike.
 * What was typed counts more than CHANCERY_URL.  One thread. */
#pragma once
#include "base/json.h"
#include "cli/command.h"
#include "http/client.h"

#define REMOTE_URL_DEFAULT "http://127.0.0.1:8080"

enum { REMOTE_REPLY_BYTES_MAX = 128 << 20, REMOTE_HEADERS_MAX = 8 };

struct remote;

/* Is it a folder that these options mean? */
bool remote_is_folder(const struct cli *cli);
/* Owned: remote_close().  LOCKED when a server holds the folder; says to use --url. */
err remote_open(struct ctx *cx, struct cli *cli, struct remote **out);
/* The server at this address, whatever the options say. */
err remote_open_url(struct ctx *cx, str url, str key, struct remote **out);
void remote_close(struct remote *r); /* NULL is a no-op */
static inline void remote_cleanup(struct remote **r)
{
    remote_close(*r);
}
str remote_place(const struct remote *r); /* address or folder, for messages */

struct remote_request {
    const char *method;                        /* NULL: GET */
    str path;                                  /* with its query */
    struct header headers[REMOTE_HEADERS_MAX]; /* as many as have a name */
    str body;                                  /* null: none */
    http_body_read *read;                      /* instead: the body as it comes */
    http_body_write *write; /* where the body of a good answer goes as it comes */
    void *state;            /* of either */
};

/* Any status is a good outcome.  The reply's memory: arena `mem`. */
err remote_exchange(struct ctx *cx, struct remote *r, const struct remote_request *rq,
                    struct http_reply *out);
/* The last answer as an error, when it is one, with its issues. */
err remote_check(struct ctx *cx, struct remote *r, const struct http_reply *reply);
/* Both. */
err remote_call(struct ctx *cx, struct remote *r, const struct remote_request *rq,
                struct http_reply *out);
/* An answer in JSON; valid until the next one is parsed. */
err remote_json(struct ctx *cx, struct remote *r, const struct http_reply *reply, struct json *out);
err remote_get(struct ctx *cx, struct remote *r, str path, struct json *out);
/* `body` is a JSON text; null: none. */
err remote_send(struct ctx *cx, struct remote *r, const char *method, str path, str body,
                struct http_reply *out);

/* Members of answers; null or 0 when absent or of another kind. */
str json_member_text(struct json object, str key);
uint64_t json_member_count(struct json object, str key);
