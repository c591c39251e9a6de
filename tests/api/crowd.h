/* crowd.h - many connections of one client thread, each with one request under way at a time.
 *
 * All connections are open before the first request is sent, and stay open until the last reply. */
#pragma once
#include "base/buf.h"
#include "test.h"

struct crowd {
    const char *address; /* "127.0.0.1:PORT" */
    unsigned connections;
    unsigned requests; /* in all; connection c sends number c, c + connections, … */
    void *state;
    /* Put the whole request with this number. */
    void (*make)(void *state, unsigned number, struct buf *out);
    /* Its reply, in the order of arrival; false: ask again. */
    bool (*take)(void *state, unsigned number, int status, str body);
};

/* Fails the test when a connection breaks, or when `seconds` pass. */
void crowd_run(const struct crowd *crowd, unsigned seconds);
/* Room for that many descriptors in this process; false when the system does not give it. */
bool crowd_fits(unsigned connections);
