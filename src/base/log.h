/* log.h - the server's own log: one JSON object a line on standard error (or a file).
 *
 * Libraries return errors and never log; handlers, jobs and commands log once per failure.  Values
 * are escaped, so nothing a client sends can forge a line.  The sink is the one mutable global of
 * the program.  Any thread. */
#pragma once
#include "base/base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_value {
    const char *key; /* NULL ends a list */
    enum { LOG_STR, LOG_INT, LOG_NUM } kind;
    str s;
    int64_t i;
    double d;
};

#define LOG_S(k, v) ((struct log_value){.key = (k), .kind = LOG_STR, .s = (v)})
#define LOG_Z(k, v) ((struct log_value){.key = (k), .kind = LOG_STR, .s = str_from(v)})
#define LOG_I(k, v) ((struct log_value){.key = (k), .kind = LOG_INT, .i = (int64_t)(v)})
#define LOG_D(k, v) ((struct log_value){.key = (k), .kind = LOG_NUM, .d = (v)})

void log_set(int fd, enum log_level level, bool json); /* json false: short lines for a terminal */
void log_write(enum log_level level, const struct ctx *cx, const char *message,
               const struct log_value *values);
/* LOG(LOG_INFO, cx, "started", LOG_Z("address", a)); cx may be NULL; without values, log_write(…,
 * NULL) */
#define LOG(level, cx, message, ...)                                                               \
    log_write((level), (cx), (message), (const struct log_value[]){__VA_ARGS__, {.key = NULL}})
/* The context's last failure with its detail. */
void log_failure(const struct ctx *cx, const char *message, err e);
