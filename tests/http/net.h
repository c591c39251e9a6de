/* net.h - a server of the sample API on a free port, for the client of net_client.h. */
#pragma once
#include "net_client.h"
#include "sample.h"

struct server {
    struct router *router;
    struct transport *t;
};

/* Small limits that tests can reach; a test may change any before server_open(). */
struct transport_options server_defaults(void);
struct server server_open(struct ctx *cx, const struct transport_options *options);
void server_close(struct server *s);
struct net net_open(const struct server *s);
