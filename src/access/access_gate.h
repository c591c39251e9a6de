/* access_gate.h - lets a few in at once and a few wait; the others are told to come back.
 *
 * Password hashing takes 64 MiB and tens of milliseconds of one core: a flood of logins must
 * neither eat the memory nor hold every worker.  Any thread. */
#pragma once
#include "base/queue.h"

struct gate {
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t left;
    unsigned inside, inside_max;
    unsigned waiting, waiting_max;
};

void gate_init(struct gate *g, unsigned inside_max, unsigned waiting_max);
void gate_fini(struct gate *g);
/* BUSY: too many wait already, or nobody left before `wait_ns` (or the deadline) was over. */
err gate_enter(struct ctx *cx, struct gate *g, int64_t wait_ns);
void gate_leave(struct gate *g);
/* For CLEANUP(); *g NULL is a no-op. */
static inline void gate_leave_cleanup(struct gate **g)
{
    if (*g)
        gate_leave(*g);
}
