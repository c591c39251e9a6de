/* bench_event.h - events of a made-up shop, always 314 bytes, the same for the same seed.
 *
 * A block of them is composed once; for each use only id and time are written anew, so that making
 * events costs a client next to nothing.  Ids are random UUIDs, times grow, attributes have the
 * skew of real ones: a few actors and types are common, sessions come in runs.  Inner header of
 * cli/bench*.c. */
#pragma once
#include "base/base.h"

enum { BENCH_EVENT_BYTES = 314, BENCH_BLOCK_EVENTS = 65536 };

struct bench_events; /* owned: bench_events_close() */

struct bench_events *bench_events_open(uint64_t seed);
void bench_events_close(struct bench_events *e); /* NULL is a no-op */
/* Event number n, BENCH_EVENT_BYTES, into `out`.  Any thread. */
void bench_event_put(const struct bench_events *e, uint64_t n, char *out);
/* Events [first, first + count) with a newline behind each. */
void bench_events_fill(const struct bench_events *e, uint64_t first, uint64_t count, char *out);
/* An actor that did about one event in `one_in`; borrowed. */
str bench_actor(const struct bench_events *e, uint64_t one_in);
