/* workers.h - threads that run requests, because a handler may wait for the disk.
 *
 * Threads are started when there is work and none is free, up to a maximum, and stay.  The one that
 * became free last is woken first: its stack and its caches are warm.  At most WAKES_MAX threads
 * are being woken at a time; a woken one wakes the next if work is left.  So quick handlers are run
 * by a few threads without a wake-up each, slow ones by as many as there are. */
#pragma once
#include "base/base.h"

struct workers;

struct job {
    struct job *next;
};

typedef void job_run(void *state, struct job *job);

struct workers *workers_open(unsigned threads_max, unsigned queue_max, job_run *run, void *state);
/* Is there room in the queue?  A guess that the next submit settles. */
bool workers_have_room(const struct workers *w, unsigned more);
/* A list of `count` jobs, first to last; taken even past queue_max, see workers_have_room().  False
 * when the workers are being stopped: then none was taken. */
bool workers_submit(struct workers *w, struct job *first, struct job *last, unsigned count);
unsigned workers_queue_depth(const struct workers *w);
/* Run what is queued, then end all threads; afterwards only close. */
void workers_stop(struct workers *w);
void workers_close(struct workers *w); /* NULL is a no-op */
