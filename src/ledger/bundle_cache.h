/* bundle_cache.h - decompressed bundles of sealed segments, the least recently used leave first.
 *
 * A bundle is shared and counted: whoever got one gives it back.  Any thread; one lock inside. */
#pragma once
#include "base/base.h"

struct bundle_cache;

struct bundle {
    uint64_t number; /* of the bundle in the whole log: segment * 256 + bundle */
    str frames;
    /* private */
    int refs;
    struct bundle *hash_next, *newer, *older;
};

struct bundle_cache *bundle_cache_open(size_t bytes_max); /* owned */
void bundle_cache_close(struct bundle_cache *c);
/* NULL on a miss. */
struct bundle *bundle_cache_get(struct bundle_cache *c, uint64_t number);
/* Takes `frames` (malloc'ed) over; gives back the bundle, counted.  If another thread was faster
 * its bundle is given and `frames` freed. */
struct bundle *bundle_cache_put(struct bundle_cache *c, uint64_t number, char *frames, size_t n);
void bundle_cache_release(struct bundle_cache *c, struct bundle *b); /* NULL is a no-op */
/* Forget bundles [first, first + count): their segment was pruned. */
void bundle_cache_drop(struct bundle_cache *c, uint64_t first, uint64_t count);
void bundle_cache_figures(struct bundle_cache *c, uint64_t *out_hits, uint64_t *out_misses);
