/* dedup.h - which source+id were seen lately, so that an event sent twice is stored once.
 *
 * A table of 40-bit fingerprints with the index of their entry: 256 shards by the top 8 bits, each
 * an open-addressing table of {32-bit tag, 32-bit low part of the index}, grown and purged one
 * shard at a time, so no insertion waits for a whole rehash.  A fingerprint is a hint: on a match
 * the caller reads the entry and compares source and id, so a collision costs a read and never
 * loses an event.  Window: the last `ids_max` entries (age is judged by the caller from
 * `recorded`). One thread at a time (the writer); dedup_load() may run shards in parallel before
 * that. */
#pragma once
#include "base/base.h"

struct dedup;

struct dedup *dedup_open(uint64_t ids_max); /* at most 2^31; owned */
void dedup_close(struct dedup *d);
/* Entries of this hash within the window ending at `size`, newest first; returns how many of at
 * most `max` (there is nearly always 0 or 1). */
size_t dedup_find(const struct dedup *d, uint64_t id_hash, uint64_t size, uint64_t *out_indexes,
                  size_t max);
void dedup_add(struct dedup *d, uint64_t id_hash, uint64_t index);
/* Make the cache lines of these hashes warm; called a few entries ahead. */
void dedup_prefetch(const struct dedup *d, uint64_t id_hash);
/* Fingerprints (id_hash >> 24, 40 bits) of entries first, first+1, …; 0 is none. */
void dedup_load(struct dedup *d, uint64_t first, const uint64_t *fingerprints, size_t count);
size_t dedup_bytes(const struct dedup *d);
uint64_t dedup_count(const struct dedup *d);
