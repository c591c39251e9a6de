/* ctx.c - see ctx.h. */
#include "base/base.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>

struct ctx *ctx_open(size_t limit_bytes)
{
    struct ctx *cx = calloc(1, sizeof *cx);

    ENSURE(cx);
    cx->mem = arena_open(limit_bytes);
    cx->tmp = arena_open(0);
    return cx;
}

void ctx_close(struct ctx *cx)
{
    if (!cx)
        return;
    arena_close(cx->mem);
    arena_close(cx->tmp);
    free(cx);
}

void ctx_reset(struct ctx *cx)
{
    arena_reset(cx->mem);
    arena_reset(cx->tmp);
    cx->deadline_ns = 0;
    cx->request_id[0] = 0;
    ctx_clear_error(cx);
}

void ctx_clear_error(struct ctx *cx)
{
    cx->code = ERR_OK;
    cx->detail[0] = 0;
    cx->issues = NULL;
    cx->issue_count = 0;
    cx->members = STR_NULL;
}

void ctx_add_issue(struct ctx *cx, str pointer, const char *fmt, ...)
{
    if (cx->issue_count >= CTX_ISSUES_MAX) {
        cx->issues[CTX_ISSUES_MAX - 1].detail = S("and more");
        return;
    }
    if (!cx->issues)
        cx->issues = arena_new(cx->mem, struct issue, CTX_ISSUES_MAX);
    va_list ap;
    va_start(ap, fmt);
    cx->issues[cx->issue_count++] = (struct issue){
        .pointer = arena_str(cx->mem, pointer),
        .detail = arena_vprintf(cx->mem, fmt, ap),
    };
    va_end(ap);
}

bool ctx_deadline_passed(const struct ctx *cx)
{
    return cx->deadline_ns != 0 && clock_mono_ns() > cx->deadline_ns;
}
