/* checkpoint.h - the signed head of a log (c2sp.org/tlog-checkpoint) and what witnesses add to it
 * (c2sp.org/tlog-cosignature).
 *
 * The text is `origin\nsize\nbase64(root)\n` and possibly extension lines; it is signed as a note.
 * What parses is formatted back to the same bytes.  Any thread. */
#pragma once
#include "base/base.h"
#include "base/buf.h"
#include "crypto/note.h"
#include "crypto/sha256.h"

struct checkpoint {
    str origin; /* not empty */
    uint64_t size;
    struct hash root;
    str extensions; /* whole lines with their newlines; usually none */
};

/* The text without signatures; borrows from `text`.  INVALID. */
err checkpoint_parse(struct ctx *cx, str text, struct checkpoint *out);
void checkpoint_put(struct buf *b, const struct checkpoint *c);

/* As a note with the log's signature.  *out: arena `mem`. */
err checkpoint_sign(struct ctx *cx, const struct checkpoint *c, const struct note_signer *log,
                    str *out);

/* A checkpoint whose signatures have been checked. */
struct checkpoint_opened {
    struct checkpoint checkpoint;
    struct note note;
    const struct note_verifier *log;
};

/* Parse a signed checkpoint, which one of `logs` must have signed whose name is the origin. Borrows
 * from `note`, otherwise arena `mem`.
 * INVALID: the form.  NOT_FOUND: the origin is that of no log given.  FORBIDDEN: the signature. */
err checkpoint_open(struct ctx *cx, str note, const struct note_verifier *logs, size_t log_count,
                    struct checkpoint_opened *out);

/* The line that `witness` (algorithm 04) adds to a signed checkpoint; the caller has verified it.
 * *out: arena `mem`.  INVALID when `note` is no checkpoint or `witness` is no cosigner. */
err checkpoint_cosign(struct ctx *cx, str note, const struct note_signer *witness, uint64_t time_s,
                      str *out);
