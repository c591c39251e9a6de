/* bundle_cache.c - a chained hash table and a list by age under one lock.
 *
 * A bundle counts one reference while it is in the table; it is freed when the last one goes. */
#include "ledger/bundle_cache.h"
#include "base/queue.h"
#include <stdlib.h>

enum { BUCKETS = 4096 };

struct bundle_cache {
    pthread_mutex_t lock; /* guards everything below */
    size_t bytes, bytes_max;
    uint64_t hits, misses;
    struct bundle ends; /* list head: ends.older is the newest, ends.newer the oldest */
    struct bundle *buckets[BUCKETS];
};

struct bundle_cache *bundle_cache_open(size_t bytes_max)
{
    struct bundle_cache *c = calloc(1, sizeof *c);

    ENSURE(c);
    pthread_mutex_init(&c->lock, NULL);
    c->bytes_max = bytes_max;
    c->ends.newer = c->ends.older = &c->ends;
    return c;
}

static void unref(struct bundle *b)
{
    if (--b->refs)
        return;
    free((void *)(uintptr_t)b->frames.p);
    free(b);
}

static void unlink_age(struct bundle *b)
{
    b->newer->older = b->older;
    b->older->newer = b->newer;
}

static void link_newest(struct bundle_cache *c, struct bundle *b)
{
    b->newer = &c->ends;
    b->older = c->ends.older;
    b->older->newer = b;
    c->ends.older = b;
}

static struct bundle **find(struct bundle_cache *c, uint64_t number)
{
    struct bundle **at = &c->buckets[number % BUCKETS];

    while (*at && (*at)->number != number)
        at = &(*at)->hash_next;
    return at;
}

static void evict(struct bundle_cache *c, struct bundle **at)
{
    struct bundle *b = *at;

    *at = b->hash_next;
    unlink_age(b);
    c->bytes -= b->frames.n;
    unref(b);
}

void bundle_cache_close(struct bundle_cache *c)
{
    if (!c)
        return;
    while (c->ends.newer != &c->ends)
        evict(c, find(c, c->ends.newer->number));
    pthread_mutex_destroy(&c->lock);
    free(c);
}

struct bundle *bundle_cache_get(struct bundle_cache *c, uint64_t number)
{
    LOCK(held, &c->lock);
    struct bundle *b = *find(c, number);

    if (!b) {
        c->misses++;
        return NULL;
    }
    c->hits++;
    unlink_age(b);
    link_newest(c, b);
    b->refs++;
    return b;
}

struct bundle *bundle_cache_put(struct bundle_cache *c, uint64_t number, char *frames, size_t n)
{
    LOCK(held, &c->lock);
    struct bundle **at = find(c, number), *b = *at;

    if (b) {
        free(frames);
        b->refs++;
        return b;
    }
    b = calloc(1, sizeof *b);
    ENSURE(b);
    *b = (struct bundle){.number = number, .frames = {frames, n}, .refs = 2};
    *at = b;
    link_newest(c, b);
    c->bytes += n;
    while (c->bytes > c->bytes_max && c->ends.newer != b)
        evict(c, find(c, c->ends.newer->number));
    return b;
}

void bundle_cache_release(struct bundle_cache *c, struct bundle *b)
{
    if (!b)
        return;
    LOCK(held, &c->lock);
    unref(b);
}

void bundle_cache_drop(struct bundle_cache *c, uint64_t first, uint64_t count)
{
    LOCK(held, &c->lock);

    for (uint64_t n = first; n < first + count; n++) {
        struct bundle **at = find(c, n);
        if (*at)
            evict(c, at);
    }
}

void bundle_cache_figures(struct bundle_cache *c, uint64_t *out_hits, uint64_t *out_misses)
{
    LOCK(held, &c->lock);

    *out_hits = c->hits;
    *out_misses = c->misses;
}
