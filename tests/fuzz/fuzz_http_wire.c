/* Whatever bytes a client sends to a real server, the next client is answered. */
#include "../http/sample.h"
#include "base/log.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static struct transport *transport;

static void server_start(struct ctx *cx)
{
    struct transport_options o = {.listen = "127.0.0.1:0",
                                  .loops = 1,
                                  .workers = 4,
                                  .connections_max = 1000,
                                  .queue_max = 100,
                                  .head_bytes_max = 8192,
                                  .body_window_bytes = 65536,
                                  .idle_ns = 2000000000,
                                  .receive_ns = 2000000000,
                                  .memory_bytes_max = 8 << 20};

    log_set(-1, LOG_ERROR, true);
    err e = transport_open(cx, &o, sample_router(cx), &transport);
    ENSURE(e == ERR_OK);
}

static int client(void)
{
    str address = str_from(transport_address(transport));
    uint64_t port = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ENSURE(str_to_u64(str_slice(address, str_find_char(address, ':') + 1, address.n), &port));
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ENSURE(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    static const char hello[] = "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    char reply[12] = {0};

    if (!transport)
        server_start(cx);
    int fd = client();
    ssize_t n = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)n; /* a refused client may be cut off at any byte */
    close(fd);
    fd = client();
    ENSURE(send(fd, hello, sizeof hello - 1, MSG_NOSIGNAL) == sizeof hello - 1);
    ENSURE(recv(fd, reply, sizeof reply, MSG_WAITALL) == sizeof reply);
    ENSURE(memcmp(reply, "HTTP/1.1 200", sizeof reply) == 0);
    close(fd);
    return 0;
}
