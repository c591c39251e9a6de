/* clock.h - time, its text form and unique ids.
 *
 * Wall time is microseconds since 1970-01-01 UTC in an int64_t named `*_us`; durations are measured
 * on the monotonic clock in nanoseconds named `*_ns`.  Logic takes times as arguments; only the
 * edges read a clock. */
#pragma once
#include "base/base.h"
#include "base/buf.h"

enum { TIME_TEXT_BYTES = 27, TIME_TEXT_SIZE = 28, UUID_TEXT_BYTES = 36, UUID_TEXT_SIZE = 37 };

int64_t clock_now_us(void);
int64_t clock_mono_ns(void);

/* "2026-11-20T08:15:30.123456Z", always 27 bytes; years 0000 to 9999 (clamped). */
void time_format(int64_t us, char out[TIME_TEXT_SIZE]);
/* RFC 3339 (section 5.6): any fraction (beyond µs cut off), any offset, 'T' or blank or 't'; leap
 * second 60 is taken as the next second.  Also a date alone (midnight UTC). */
bool time_parse(str s, int64_t *out_us);
/* "90s", "15m", "24h", "7d", "250ms", or a bare number of seconds. */
bool duration_parse(str s, int64_t *out_ns);

/* A UUID version 7 (RFC 9562 section 5.7): 48 bits of milliseconds, then randomness. */
void uuid7(char out[UUID_TEXT_SIZE]);
