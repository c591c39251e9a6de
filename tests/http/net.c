/* net.c - see net.h. */
#include "net.h"

#define SECOND INT64_C(1000000000)

struct transport_options server_defaults(void)
{
    return (struct transport_options){
        .listen = "127.0.0.1:0",
        .loops = 2,
        .workers = 16,
        .connections_max = 400,
        .queue_max = 1000,
        .head_bytes_max = 8 * 1024,
        .body_window_bytes = 64 * 1024,
        .idle_ns = 30 * SECOND,
        .receive_ns = 30 * SECOND,
        .memory_bytes_max = 8 << 20,
    };
}

struct server server_open(struct ctx *cx, const struct transport_options *options)
{
    struct transport_options defaults = server_defaults();
    struct server s = {.router = sample_router(cx)};

    CHECK_OK(transport_open(cx, options ? options : &defaults, s.router, &s.t));
    return s;
}

void server_close(struct server *s)
{
    transport_close(s->t);
    router_close(s->router);
    *s = (struct server){0};
}

struct net net_open(const struct server *s)
{
    return net_dial(transport_address(s->t));
}
