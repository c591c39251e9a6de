/* witness_server.h - being a witness for other logs (c2sp.org/tlog-witness).
 *
 * For each log that is trusted the last checkpoint that was cosigned lies in a file of its own,
 * named by the SHA-256 of the log's origin in hexadecimal.  A checkpoint is cosigned only when it
 * continues that one, and the file is durable before the cosignature is given out.  Any thread; one
 * request at a time is decided. */
#pragma once
#include "base/fs.h"
#include "http/route.h"
#include "ledger/checkpoint.h"
#include "writer/app.h"

enum { WITNESS_REQUEST_BYTES_MAX = 64 * 1024, WITNESS_PROOF_LINES_MAX = 63 };

struct witness;

struct witness_options {
    struct fs fs;
    const char *dir;                  /* of the state; made if absent */
    const struct note_signer *signer; /* algorithm 04; borrowed; its key is for nothing else */
    const struct note_verifier *logs; /* whose names are their origins; borrowed */
    size_t log_count;
    int64_t (*now_us)(void); /* NULL: the clock */
};

/* CONFIG: the signer does not cosign.  CORRUPT: a state file that is not ours.  LOCKED. */
err witness_open(struct ctx *cx, const struct witness_options *options, struct witness **out);
void witness_close(struct witness *w); /* NULL is a no-op */

/* What add-checkpoint answers: the status (200, 400, 403, 404, 409, 422) and the body: signature
 * lines, the known size, or why not.  Arena `mem`.  An error is ours (IO, NO_SPACE): nothing was
 * cosigned. */
err witness_add_checkpoint(struct ctx *cx, struct witness *w, str body, int *out_status,
                           str *out_answer);
/* The last checkpoint cosigned, with the log's signatures and ours.  `origin_hash` is lower-case
 * hexadecimal.  Arena `mem`.  NOT_FOUND. */
err witness_latest(struct ctx *cx, struct witness *w, str origin_hash, str *out);

/* POST /add-checkpoint and GET /{hash}/checkpoint, for a router of their own whose `app` is
 * witness_app().  Both are public: a checkpoint speaks for itself. */
extern const struct route witness_routes[];
struct app *witness_app(struct witness *w);
