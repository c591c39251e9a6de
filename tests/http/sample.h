/* sample.h - a small API that shows every kind of route, for the tests of http. */
#pragma once
#include "http/sse.h"
#include "http/transport.h"

enum { SAMPLE_BODY_BYTES_MAX = 256 * 1024, SAMPLE_UNPACKED_BYTES_MAX = 4 << 20 };

extern const struct route *const sample_tables[];
struct router *sample_router(struct ctx *cx); /* owned */

/* GET /gate waits while the gate is shut; how many wait there now. */
void sample_gate(bool shut);
unsigned sample_waiting(void);
/* The streams that GET /live opened, and those that were closed again. */
unsigned sample_live(void);
unsigned sample_live_closed(void);
bool sample_live_send(str id, str data); /* to all; false when one refused */
/* How the last handler of POST /count ended, and what it had read by then. */
err sample_count_result(void);
uint64_t sample_count_bytes(void);
