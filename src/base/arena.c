/* arena.c - chunks in a list, each twice as large as the last, up to a ceiling.
 *
 * A mark is a chunk and a fill level; rewinding frees the chunks made since.  A chunk header is
 * 16-byte aligned, so every allocation, rounded up to 16, is too. */
#include "base/base.h"
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#endif
#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum { CHUNK_BYTES_FIRST = 8 * 1024, CHUNK_BYTES_MAX = 1024 * 1024, ALIGN = 16 };

struct chunk {
    struct chunk *previous;
    size_t capacity, used;
    size_t align_; /* keeps `bytes` 16-byte aligned */
    char bytes[];
};
_Static_assert(sizeof(struct chunk) % ALIGN == 0, "chunk bytes must be aligned");

struct arena {
    struct chunk *top;
    size_t limit, total; /* bytes in all chunks */
};

static struct chunk *chunk_new(size_t capacity, struct chunk *previous)
{
    struct chunk *c = malloc(sizeof *c + capacity);

    if (!c)
        return NULL;
    c->previous = previous;
    c->capacity = capacity;
    c->used = 0;
    ASAN_POISON_MEMORY_REGION(c->bytes, capacity);
    return c;
}

static void chunk_free(struct chunk *c)
{
    ASAN_UNPOISON_MEMORY_REGION(c->bytes, c->capacity);
    free(c);
}

struct arena *arena_open(size_t limit_bytes)
{
    struct arena *a = calloc(1, sizeof *a);

    ENSURE(a);
    a->limit = limit_bytes;
    return a;
}

void arena_close(struct arena *a)
{
    if (!a)
        return;
    arena_rewind(a, (struct arena_mark){0});
    free(a);
}

size_t arena_bytes(const struct arena *a)
{
    return a->total;
}

/* A new top chunk that holds `need` bytes; false past the limit or when memory runs out. */
static bool grow(struct arena *a, size_t need, bool bounded)
{
    size_t capacity = a->top ? size_min(a->top->capacity * 2, CHUNK_BYTES_MAX) : CHUNK_BYTES_FIRST;

    capacity = size_max(capacity, need);
    if (bounded && a->limit && need > a->limit - size_min(a->total, a->limit))
        return false;
    struct chunk *c = chunk_new(capacity, a->top);
    if (!c)
        return false;
    a->top = c;
    a->total += capacity;
    return true;
}

static void *alloc(struct arena *a, size_t size, size_t count, bool bounded)
{
    size_t bytes;

    if (__builtin_mul_overflow(size, count, &bytes) || bytes > SIZE_MAX / 4)
        return NULL;
    size_t rounded = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!a->top || a->top->capacity - a->top->used < rounded) {
        if (!grow(a, rounded, bounded))
            return NULL;
    }
    void *p = a->top->bytes + a->top->used;
    a->top->used += rounded;
    ASAN_UNPOISON_MEMORY_REGION(p, bytes);
    return memset(p, 0, bytes);
}

void *arena_alloc(struct arena *a, size_t size, size_t count)
{
    void *p = alloc(a, size, count, false);

    ENSURE(p);
    return p;
}

void *arena_try_alloc(struct arena *a, size_t size, size_t count)
{
    return alloc(a, size, count, true);
}

str arena_str(struct arena *a, str s)
{
    if (str_is_null(s))
        return s;
    char *p = arena_alloc(a, 1, s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return (str){p, s.n};
}

const char *arena_z(struct arena *a, str s)
{
    return arena_str(a, str_is_null(s) ? S("") : s).p;
}

str arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
    va_list again;

    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    ENSURE(n >= 0);
    char *p = arena_alloc(a, 1, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (str){p, (size_t)n};
}

str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    str s = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return s;
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){a->top, a->top ? a->top->used : 0};
}

void arena_rewind(struct arena *a, struct arena_mark mark)
{
    while (a->top && a->top != mark.chunk) {
        struct chunk *gone = a->top;
        a->top = gone->previous;
        a->total -= gone->capacity;
        chunk_free(gone);
    }
    if (a->top && a->top->used > mark.used) {
        ASAN_POISON_MEMORY_REGION(a->top->bytes + mark.used, a->top->used - mark.used);
        a->top->used = mark.used;
    }
}

void arena_reset(struct arena *a)
{
    struct chunk *first = a->top;

    while (first && first->previous)
        first = first->previous;
    arena_rewind(a, (struct arena_mark){first, 0});
}
