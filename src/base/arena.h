/* arena.h - memory that is dropped all at once.
 *
 * An arena grows by chunks and frees nothing until it is rewound or closed.  `arena_new` aborts on
 * exhaustion and is for sizes that we choose; sizes chosen by input go through `arena_try`.
 * One thread at a time.  Free bytes are poisoned under AddressSanitizer. */
#pragma once
#include "base/macros.h"
#include "base/str.h"
#include <stdarg.h>
#include <stdbool.h>

struct arena;

struct arena_mark {
    void *chunk;
    size_t used;
};

/* `limit_bytes` bounds arena_try(); 0 is no bound.  Owned: arena_close(). */
struct arena *arena_open(size_t limit_bytes);
void arena_close(struct arena *a); /* NULL is a no-op */
size_t arena_bytes(const struct arena *a);

/* Zeroed, aligned for any type.  arena_alloc() aborts, arena_try_alloc() gives NULL past the limit.
 */
void *arena_alloc(struct arena *a, size_t size, size_t count);
void *arena_try_alloc(struct arena *a, size_t size, size_t count);
#define arena_new(a, type, count) ((type *)arena_alloc((a), sizeof(type), (count)))
#define arena_try(a, type, count) ((type *)arena_try_alloc((a), sizeof(type), (count)))

str arena_str(struct arena *a, str s);       /* a copy, NUL-terminated behind its end */
const char *arena_z(struct arena *a, str s); /* the same as a C string */
str arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
str arena_vprintf(struct arena *a, const char *fmt, va_list ap) PRINTF(2, 0);

struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, struct arena_mark mark);
void arena_reset(struct arena *a); /* empty; keeps the first chunk */

struct scratch {
    struct arena *mem;
    struct arena_mark mark;
};

static inline void scratch_end(struct scratch *s)
{
    arena_rewind(s->mem, s->mark);
}

/* Temporaries for the rest of the scope, rewound on every way out of it. */
#define SCRATCH(name, cx)                                                                          \
    CLEANUP(scratch_end) struct scratch name = {(cx)->tmp, arena_mark((cx)->tmp)}
