/* proof.h - checking proofs, and the offline receipt that carries one (c2sp.org/tlog-proof@v1).
 *
 * Nothing here reads a log: it is what a stranger needs.  Any thread. */
#pragma once
#include "base/base.h"
#include "base/buf.h"
#include "ledger/checkpoint.h"
#include "ledger/tree.h"

/* Is `leaf` number `index` of the tree with this size and root?  False unless index < size. */
bool proof_includes(const struct hash *leaf, uint64_t index, uint64_t size,
                    const struct proof *proof, const struct hash *root);
/* Is the tree (m, root_m) the beginning of (n, root_n)?  False unless 0 < m <= n: that every tree
 * begins with the empty one needs no proof, and callers say so themselves. */
bool proof_extends(uint64_t m, const struct hash *root_m, uint64_t n, const struct hash *root_n,
                   const struct proof *proof);

enum { LOG_PROOF_BYTES_MAX = NOTE_BYTES_MAX + 64 * 1024, LOG_PROOF_EXTRA_BYTES_MAX = 32 * 1024 };

/* A `.tlog-proof`. */
struct log_proof {
    str extra; /* not signed by anyone; null when absent */
    uint64_t index;
    struct proof proof;
    str checkpoint; /* the signed note as it is */
};

/* Form only.  What parses is formatted back to the same bytes.  The checkpoint borrows from `text`,
 * extra: arena `mem`.  INVALID, TOO_LARGE. */
err log_proof_parse(struct ctx *cx, str text, struct log_proof *out);
void log_proof_put(struct buf *b, const struct log_proof *p);

/* Whom to believe: one of the logs, and at least `quorum` of the witnesses (algorithm 04). */
struct proof_policy {
    const struct note_verifier *logs;
    size_t log_count;
    const struct note_verifier *witnesses;
    size_t witness_count;
    size_t quorum;
};

struct proved {
    str origin;
    uint64_t index, size;
    struct hash leaf, root;
    str extra;
    struct note_verified *witnesses; /* those that cosigned, each key once */
    size_t witness_count;
};

/* Check a whole receipt for an entry with this leaf hash (hash_leaf()).  Results: arena `mem`, and
 * borrowed from `text` and the policy.
 * INVALID, TOO_LARGE: the form.  NOT_FOUND: a log that the policy does not name.  FORBIDDEN:
 * signatures or quorum.  UNPROCESSABLE: the entry is not what the proof is for. */
err log_proof_check(struct ctx *cx, str text, const struct hash *leaf,
                    const struct proof_policy *policy, struct proved *out);
