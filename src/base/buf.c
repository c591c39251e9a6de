/* buf.c - see buf.h. */
#include "base/buf.h"
#include <stdio.h>
#include <stdlib.h>

void buf_close(struct buf *b)
{
    free(b->p);
    *b = BUF(b->max);
}

err buf_check(struct ctx *cx, const struct buf *b, const char *what)
{
    if (buf_ok(b))
        return ERR_OK;
    return fail(cx, ERR_TOO_LARGE, "%s is larger than %zu bytes", what, b->max);
}

bool buf_reserve(struct buf *b, size_t n)
{
    if (LIKELY(!b->failed && b->capacity - b->n > n && b->capacity))
        return true;
    if (b->failed || n > b->max || b->n > b->max - n) {
        b->failed = true;
        return false;
    }
    size_t need = b->n + n + 1;
    size_t capacity = size_max(need, size_min(size_max(b->capacity * 2, 256), b->max + 1));
    char *p = realloc(b->p, capacity);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->capacity = capacity;
    return true;
}

void buf_put(struct buf *b, str s)
{
    if (!buf_reserve(b, s.n))
        return;
    if (s.n)
        memcpy(b->p + b->n, s.p, s.n);
    b->n += s.n;
    b->p[b->n] = 0;
}

void buf_put_char(struct buf *b, char c)
{
    buf_put(b, (str){&c, 1});
}

void buf_put_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    buf_put(b, (str){digits + at, sizeof digits - at});
}

void buf_put_i64(struct buf *b, int64_t v)
{
    if (v < 0)
        buf_put_char(b, '-');
    buf_put_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;

    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    ENSURE(n >= 0);
    if (buf_reserve(b, (size_t)n)) {
        vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

void buf_drop_front(struct buf *b, size_t n)
{
    ENSURE(n <= b->n);
    if (n == 0)
        return;
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
    b->p[b->n] = 0;
}
