/* wire.c - see wire.h. */
#include "http/wire.h"
#include <errno.h>
#include <microhttpd.h>
#include <sys/socket.h>
#include <time.h>

static void put_date(struct buf *b)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = time(NULL);
    struct tm tm;

    gmtime_r(&now, &tm);
    buf_printf(b, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[tm.tm_wday], tm.tm_mday,
               months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void wire_response(struct buf *b, const struct response *rs, bool head_only)
{
    str body = str_is_null(rs->fixed) ? buf_str(&rs->body) : rs->fixed;

    buf_printf(b, "HTTP/1.1 %d %s\r\n", rs->status,
               MHD_get_reason_phrase_for((unsigned)rs->status));
    put_date(b);
    for (size_t i = 0; i < rs->header_count; i++) {
        buf_put(b, rs->headers[i].name);
        buf_put(b, S(": "));
        buf_put(b, rs->headers[i].value);
        buf_put(b, S("\r\n"));
    }
    buf_put(b, S("Connection: close\r\n"));
    if (!head_only)
        buf_printf(b, "Content-Length: %zu\r\n", body.n);
    buf_put(b, S("\r\n"));
    if (!head_only)
        buf_put(b, body);
}

ssize_t wire_send(int fd, str bytes)
{
    size_t done = 0;

    while (done < bytes.n) {
        ssize_t n = send(fd, bytes.p + done, bytes.n - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? (ssize_t)done : -1;
        done += (size_t)n;
    }
    return (ssize_t)done;
}
