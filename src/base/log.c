/* log.c - see log.h.  A line is composed in one buffer and written by one write(2), so lines of
 * different threads do not mix. */
#include "base/log.h"
#include "base/clock.h"
#include "base/json_write.h"
#include <stdatomic.h>
#include <unistd.h>

enum { LOG_LINE_BYTES_MAX = 16 * 1024 };

static struct {
    _Atomic int fd;
    _Atomic int level;
    atomic_bool json;
} sink = {STDERR_FILENO, LOG_INFO, true};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_set(int fd, enum log_level level, bool json)
{
    sink.fd = fd;
    sink.level = (int)level;
    sink.json = json;
}

static void put_json(struct buf *b, enum log_level level, const struct ctx *cx, const char *message,
                     const struct log_value *values)
{
    json_open(b, '{');
    json_member_time(b, S("time"), clock_now_us());
    json_member_str(b, S("level"), str_from(level_names[level]));
    json_member_str(b, S("message"), str_from(message));
    if (cx && cx->request_id[0])
        json_member_str(b, S("request_id"), str_from(cx->request_id));
    for (const struct log_value *v = values; v && v->key; v++) {
        str key = str_from(v->key);
        if (v->kind == LOG_STR)
            json_member_str(b, key, v->s);
        else if (v->kind == LOG_INT)
            json_member_i64(b, key, v->i);
        else
            json_member_double(b, key, v->d);
    }
    json_close(b, '}');
}

static void put_text(struct buf *b, enum log_level level, const struct ctx *cx, const char *message,
                     const struct log_value *values)
{
    char now[TIME_TEXT_SIZE];

    time_format(clock_now_us(), now);
    buf_printf(b, "%.19s %-5s %s", now, level_names[level], message);
    if (cx && cx->request_id[0])
        buf_printf(b, " request_id=%s", cx->request_id);
    for (const struct log_value *v = values; v && v->key; v++) {
        buf_printf(b, " %s=", v->key);
        if (v->kind == LOG_STR)
            json_put_str(b, v->s);
        else if (v->kind == LOG_INT)
            buf_put_i64(b, v->i);
        else
            buf_printf(b, "%g", v->d);
    }
}

void log_write(enum log_level level, const struct ctx *cx, const char *message,
               const struct log_value *values)
{
    if ((int)level < sink.level)
        return;
    struct buf b = BUF(LOG_LINE_BYTES_MAX);
    (sink.json ? put_json : put_text)(&b, level, cx, message, values);
    if (b.failed) {
        buf_clear(&b);
        (sink.json ? put_json : put_text)(&b, level, cx, message, NULL);
    }
    buf_put_char(&b, '\n');
    ssize_t ignored = write(sink.fd, b.p, b.n);
    (void)ignored; /* nobody is left to tell */
    buf_close(&b);
}

void log_failure(const struct ctx *cx, const char *message, err e)
{
    LOG(err_http_status(e) >= 500 ? LOG_ERROR : LOG_WARN, cx, message, LOG_Z("code", err_name(e)),
        LOG_Z("detail", cx->detail));
}
