/* witness_client.h - asking witnesses to cosign our checkpoints (c2sp.org/tlog-witness).
 *
 * All witnesses are given the same checkpoint, so that their cosignatures come together on it; the
 * next one is taken when enough have signed, or when waiting longer would not help.  Nobody else
 * waits for witnesses: checkpoints are served and proofs are made without cosignatures until there
 * are some.  One thread for each witness; any thread may call the rest. */
#pragma once
#include "ledger/ledger.h"

enum { WITNESSES_MAX = 16, WITNESS_ANSWER_BYTES_MAX = 64 * 1024 };

struct witness_client;

/* How a request body reaches a witness: POST <url>/add-checkpoint.  Any status is a good outcome.
 * The answer is in arena `mem`. */
struct witness_answer {
    int status;
    str type, body;
};
struct witness_door {
    err (*post)(struct ctx *cx, void *state, str body, struct witness_answer *out);
    void *state;
};

struct witness_client_options {
    struct ledger *ledger;
    const str *witnesses; /* each "VKEY URL" */
    size_t count, quorum;
    int64_t interval_ns;              /* between two checkpoints given to witnesses */
    int64_t timeout_ns;               /* of one call */
    const struct witness_door *doors; /* one for each witness instead of HTTP; NULL: HTTP */
};

/* CONFIG names the witness that is wrong. */
err witness_client_open(struct ctx *cx, const struct witness_client_options *options,
                        struct witness_client **out);
void witness_client_close(struct witness_client *c); /* NULL is a no-op */

/* A checkpoint signed by the log, and with it the cosignatures that are at hand for exactly that
 * one.  Arena `mem`, or `note` itself. */
str witness_client_add(struct ctx *cx, struct witness_client *c, str note);
/* The newest checkpoint that enough witnesses have cosigned.  Arena `mem`.  NOT_FOUND. */
err witness_client_newest(struct ctx *cx, struct witness_client *c, str *out_note,
                          uint64_t *out_size);
