/* err.c - the table of errors and the one place that notes why something failed. */
#include "base/base.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *name, *text;
    int http, exit;
    bool retry;
} table[ERR_COUNT] = {
    [ERR_OK] = {"OK", "good", 200, 0, false},
#define X(name, http, exit, retry, text) [ERR_##name] = {#name, text, http, exit, retry},
#include "base/err.def"
#undef X
};

const char *err_name(err e)
{
    return table[e].name;
}

const char *err_text(err e)
{
    return table[e].text;
}

int err_http_status(err e)
{
    return table[e].http;
}

int err_exit_status(err e)
{
    return table[e].exit;
}

bool err_is_retryable(err e)
{
    return table[e].retry;
}

err(fail)(struct ctx *cx, err code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(cx->detail, sizeof cx->detail, fmt, ap);
    va_end(ap);
    cx->code = code;
    return code;
}

err(fail_errno)(struct ctx *cx, err code, const char *fmt, ...)
{
    int reason = errno;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(cx->detail, sizeof cx->detail, fmt, ap);
    va_end(ap);

    size_t used = strlen(cx->detail);
    char text[128];
    snprintf(cx->detail + used, sizeof cx->detail - used, ": %s",
             strerror_r(reason, text, sizeof text));
    cx->code = reason == ENOSPC || reason == EDQUOT ? ERR_NO_SPACE : code;
    return cx->code;
}

_Noreturn void ensure_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "chancery: internal error: %s (%s:%d)\n", condition, file, line);
    abort();
}
