/* doctor.h - is everything around a data folder as a server needs it?
 *
 * A table of checks, looked at in order; each says what it found and how to mend it.  What the
 * checks are told about the machine and the server stands in a struct, so that tests can tell them
 * of another one.  Nothing is changed but a small file that is written, timed and removed, and what
 * opening a database leaves.  One thread. */
#pragma once
#include "ops/config.h"

enum doctor_state { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL, DOCTOR_SKIPPED, DOCTOR_STATES };

/* A server that answers at the configured address. */
struct doctor_server {
    bool answers;       /* something does */
    str origin, status; /* null: it is no Chancery server */
    uint64_t entries, covered;
    int64_t checkpoint_us; /* 0: none yet */
};

#define DOCTOR_NO_LIMIT UINT64_MAX

struct doctor_world {
    const char *const *environment;
    int64_t now_us;
    uint64_t disk_bytes, disk_free_bytes; /* both 0: cannot be told */
    uint64_t descriptors_max;             /* what the server may raise its limit to */
    uint64_t file_bytes_max, address_bytes_max;
    uint64_t memory_bytes; /* of the machine or of our control group, the smaller */
    int64_t sync_ns;       /* one small write made durable; -1: that failed */
    str sync_failure;
    int bind_errno; /* of taking the configured port; 0: it is free */
    struct doctor_server server;
};

/* Look at this machine.  What cannot be read is left at what raises no alarm. */
void doctor_world_read(struct ctx *cx, const struct config *config, const char *const *environment,
                       struct doctor_world *out);

struct doctor_finding {
    const char *name; /* "data-folder" */
    enum doctor_state state;
    str detail; /* what was found */
    str remedy; /* how to mend it; null when all is well */
};

struct doctor_report {
    struct doctor_finding *findings; /* arena `mem`, in the order of the checks */
    size_t count, warnings, failures;
};

const char *doctor_state_name(enum doctor_state s); /* "ok", "warn", "fail", "skipped" */

/* `world` NULL: this machine.  A check that cannot be made is a finding, never an error. */
void doctor_examine(struct ctx *cx, const struct config_sources *sources,
                    const struct doctor_world *world, struct doctor_report *out);
