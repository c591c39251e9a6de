/* dedup.c - see dedup.h.
 *
 * A slot is a tag (32 bits of the fingerprint, never 0) above the low 32 bits of the index; 0 is
 * free.  A tag's place is the slot its highest bits say, or the next free one.  So a shard that
 * doubles is read and written from front to back.
 *
 * A slot whose entry has left the window is as good as free for another tag on whose way it lies;
 * what is left of the old is dropped when the shard would grow. */
#include "ledger/dedup.h"
#include <pthread.h>
#include <stdlib.h>

enum {
    SHARDS = 256,
    TAG_BITS = 32,
    SLOT_BITS_FIRST = 6,
    SLOT_BITS_MAX = 28,
    AHEAD = 16, /* slots on their way while loading */
    LOAD_THREADS = 2,
    LOAD_PARALLEL_MIN = 1 << 15,
    LOAD_CHUNK = 1 << 20,
    FINGERPRINT_SHIFT = 24, /* of the id's hash */
};
#define AGE_UNKNOWN (1u << 31)

struct shard {
    uint64_t *slots;
    uint32_t bits; /* of the number of slots */
    uint32_t used;
};

struct dedup {
    uint64_t ids_max;
    struct shard shard[SHARDS];
};

static uint32_t shard_slots(const struct shard *s)
{
    return 1u << s->bits;
}

static uint32_t used_max(unsigned bits)
{
    return (1u << bits) / 4 * 3;
}

static void shard_open(struct shard *s, uint32_t bits)
{
    s->bits = bits;
    s->used = 0;
    s->slots = calloc(1u << bits, sizeof *s->slots);
    ENSURE(s->slots);
}

struct dedup *dedup_open(uint64_t ids_max)
{
    struct dedup *d = calloc(1, sizeof *d);

    ENSURE(d && ids_max <= AGE_UNKNOWN);
    d->ids_max = ids_max;
    for (unsigned i = 0; i < SHARDS; i++)
        shard_open(&d->shard[i], SLOT_BITS_FIRST);
    return d;
}

void dedup_close(struct dedup *d)
{
    if (!d)
        return;
    for (unsigned i = 0; i < SHARDS; i++)
        free(d->shard[i].slots);
    free(d);
}

/* The top 8 of a fingerprint's 40 bits are its shard, the others its tag. */
static struct shard *shard_of(struct dedup *d, uint64_t fingerprint)
{
    return &d->shard[fingerprint >> TAG_BITS & (SHARDS - 1)];
}

static uint32_t tag_of(uint64_t fingerprint)
{
    uint32_t tag = (uint32_t)fingerprint;

    return tag ? tag : 1;
}

static uint32_t home_of(const struct shard *s, uint32_t tag)
{
    return tag >> (TAG_BITS - s->bits);
}

static uint32_t slot_tag(uint64_t slot)
{
    return (uint32_t)(slot >> 32);
}

/* How many entries ago slot's was, at a log of this size; 2^31 and more: not yet in it. */
static uint32_t slot_age(uint64_t slot, uint64_t size)
{
    return (uint32_t)(size - 1) - (uint32_t)slot;
}

static bool slot_left(uint64_t slot, uint64_t size, uint64_t ids_max)
{
    uint32_t age = slot_age(slot, size);

    return age >= ids_max && age < AGE_UNKNOWN;
}

size_t dedup_find(const struct dedup *d, uint64_t id_hash, uint64_t size, uint64_t *out_indexes,
                  size_t max)
{
    uint64_t fingerprint = id_hash >> FINGERPRINT_SHIFT;
    const struct shard *s = &d->shard[fingerprint >> TAG_BITS];
    uint32_t tag = tag_of(fingerprint), mask = shard_slots(s) - 1;
    size_t n = 0;

    if (fingerprint == 0)
        return 0;
    for (uint32_t i = home_of(s, tag); s->slots[i]; i = (i + 1) & mask) {
        uint32_t age = slot_age(s->slots[i], size);
        if (slot_tag(s->slots[i]) != tag || age >= d->ids_max || age >= size)
            continue;
        size_t at = n < max ? n++ : n; /* newest first; the oldest falls off the end */
        for (; at > 0 && out_indexes[at - 1] < size - 1 - age; at--)
            if (at < max)
                out_indexes[at] = out_indexes[at - 1];
        if (at < max)
            out_indexes[at] = size - 1 - age;
    }
    return n;
}

static uint64_t slot_of(uint32_t tag, uint64_t index)
{
    return (uint64_t)tag << 32 | (uint32_t)index;
}

/* Of an append that failed: no entry of this tag can have a later index than the newest. */
static bool slot_never_was(uint64_t slot, uint32_t tag, uint64_t newest)
{
    return slot_tag(slot) == tag && slot_age(slot, newest) >= AGE_UNKNOWN;
}

/* Into the first place on its way that is free, whose slot left the window before `last`, or never
 * was. */
static void shard_put(struct shard *s, uint64_t slot, uint64_t last, uint64_t ids_max)
{
    uint32_t mask = shard_slots(s) - 1, i = home_of(s, slot_tag(slot));

    while (s->slots[i] && !slot_left(s->slots[i], last + 1, ids_max) &&
           !slot_never_was(s->slots[i], slot_tag(slot), last))
        i = (i + 1) & mask;
    s->used += s->slots[i] == 0;
    s->slots[i] = slot;
}

/* The same without entries that left the window, with `bits` slots. */
static void shard_rebuild(struct shard *s, uint32_t bits, uint64_t index, uint64_t ids_max)
{
    struct shard old = *s;

    shard_open(s, bits);
    for (uint32_t i = 0; i < shard_slots(&old); i++) {
        if (!old.slots[i] || slot_left(old.slots[i], index + 1, ids_max))
            continue;
        uint32_t mask = shard_slots(s) - 1, at = home_of(s, slot_tag(old.slots[i]));
        while (s->slots[at])
            at = (at + 1) & mask;
        s->slots[at] = old.slots[i];
        s->used++;
    }
    free(old.slots);
}

static uint32_t shard_live(const struct shard *s, uint64_t index, uint64_t ids_max)
{
    uint32_t live = 0;

    for (uint32_t i = 0; i < shard_slots(s); i++)
        live += s->slots[i] && !slot_left(s->slots[i], index + 1, ids_max);
    return live;
}

/* Room for one more.  Purged only, when that leaves a quarter of the room. */
static void shard_room(struct shard *s, uint64_t index, uint64_t ids_max)
{
    if (LIKELY(s->used < used_max(s->bits)))
        return;
    bool purge = shard_live(s, index, ids_max) <= used_max(s->bits) / 4 * 3;
    uint32_t bits = purge ? s->bits : s->bits + 1;
    ENSURE(bits <= SLOT_BITS_MAX);
    shard_rebuild(s, bits, index, ids_max);
}

void dedup_add(struct dedup *d, uint64_t id_hash, uint64_t index)
{
    uint64_t fingerprint = id_hash >> FINGERPRINT_SHIFT;

    if (fingerprint == 0)
        return;
    struct shard *s = shard_of(d, fingerprint);
    shard_room(s, index, d->ids_max);
    shard_put(s, slot_of(tag_of(fingerprint), index), index, d->ids_max);
}

void dedup_prefetch(const struct dedup *d, uint64_t id_hash)
{
    uint64_t fingerprint = id_hash >> FINGERPRINT_SHIFT;
    const struct shard *s = &d->shard[fingerprint >> TAG_BITS];

    __builtin_prefetch(&s->slots[home_of(s, tag_of(fingerprint))]);
}

/* ---- loading ---- */

/* One thread's part of a load: its shards, and their slots to come, put in order of the shards, so
 * that one shard at a time is in the cache. */
struct load {
    struct dedup *d;
    uint64_t first;
    const uint64_t *fingerprints;
    size_t count;
    unsigned from, to; /* shards */
    size_t start[SHARDS + 1];
    uint64_t *slots;
};

static unsigned load_shard(const struct load *l, size_t i)
{
    return (unsigned)(l->fingerprints[i] >> TAG_BITS) & (SHARDS - 1);
}

static void load_sort(struct load *l)
{
    size_t next[SHARDS];

    for (size_t i = 0; i < l->count; i++)
        l->start[load_shard(l, i) + 1] += l->fingerprints[i] != 0;
    l->start[l->from] = 0;
    for (unsigned i = l->from; i < l->to; i++) {
        next[i] = l->start[i];
        l->start[i + 1] += l->start[i];
    }
    l->slots = malloc((l->start[l->to] + 1) * sizeof *l->slots);
    ENSURE(l->slots);
    for (size_t i = 0; i < l->count; i++) {
        unsigned shard = load_shard(l, i);
        if (shard >= l->from && shard < l->to && l->fingerprints[i])
            l->slots[next[shard]++] = slot_of(tag_of(l->fingerprints[i]), l->first + i);
    }
}

static void load_one_shard(struct load *l, struct shard *s, const uint64_t *slots, size_t count)
{
    uint64_t last = l->first + l->count - 1;
    uint32_t bits = s->bits;

    while (used_max(bits) < s->used + count && bits < SLOT_BITS_MAX)
        bits++;
    if (bits > s->bits)
        shard_rebuild(s, bits, last, l->d->ids_max);
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count)
            __builtin_prefetch(&s->slots[home_of(s, slot_tag(slots[i + AHEAD]))], 1);
        shard_put(s, slots[i], last, l->d->ids_max);
    }
}

static void *load_part(void *arg)
{
    struct load *l = arg;

    load_sort(l);
    for (unsigned i = l->from; i < l->to; i++)
        load_one_shard(l, &l->d->shard[i], l->slots + l->start[i], l->start[i + 1] - l->start[i]);
    free(l->slots);
    return NULL;
}

static void load_chunk(struct dedup *d, uint64_t first, const uint64_t *fingerprints, size_t count)
{
    struct load l[LOAD_THREADS];
    pthread_t thread[LOAD_THREADS];
    unsigned parts = count >= LOAD_PARALLEL_MIN ? LOAD_THREADS : 1;

    for (unsigned i = 0; i < parts; i++) {
        l[i] = (struct load){.d = d,
                             .first = first,
                             .fingerprints = fingerprints,
                             .count = count,
                             .from = SHARDS / parts * i,
                             .to = SHARDS / parts * (i + 1)};
        if (i > 0)
            ENSURE(pthread_create(&thread[i], NULL, load_part, &l[i]) == 0);
    }
    load_part(&l[0]);
    for (unsigned i = 1; i < parts; i++)
        pthread_join(thread[i], NULL);
}

void dedup_load(struct dedup *d, uint64_t first, const uint64_t *fingerprints, size_t count)
{
    for (size_t n; count; count -= n, first += n, fingerprints += n) {
        n = size_min(count, LOAD_CHUNK);
        load_chunk(d, first, fingerprints, n);
    }
}

size_t dedup_bytes(const struct dedup *d)
{
    size_t n = sizeof *d;

    for (unsigned i = 0; i < SHARDS; i++)
        n += shard_slots(&d->shard[i]) * sizeof(uint64_t);
    return n;
}

uint64_t dedup_count(const struct dedup *d)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < SHARDS; i++)
        n += d->shard[i].used;
    return n;
}
