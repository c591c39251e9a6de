/* verify.h - looking at everything a ledger's folder holds, and naming the first wrong byte of each
 * file.
 *
 * Nothing is believed that can be computed again: entries from their bytes, the tree from the
 * entries, checkpoints from the tree and the log's key, indexes from the entries.  Nothing is
 * written. What was never acknowledged (a torn tail behind the last checkpoint, temporary names) is
 * no fault. The caller makes sure that no server writes meanwhile: verify takes the folder's lock
 * (LOCKED). */
#pragma once
#include "base/fs.h"
#include "crypto/note.h"
#include "crypto/sha256.h"

enum { VERIFY_FAULTS_MAX = 1000 };
#define VERIFY_NO_ENTRY UINT64_MAX

struct verify_fault {
    str file;        /* name within the ledger's folder */
    uint64_t offset; /* of the first wrong byte, as closely as it can be told */
    uint64_t entry;  /* index, or VERIFY_NO_ENTRY */
    str text;        /* what is wrong there */
};

struct verify_options {
    struct fs fs;
    const char *dir;
    const struct note_verifier *log; /* signs the checkpoints; its name is the origin */
    unsigned threads;                /* segments looked at together; 0: one */
    void (*progress)(void *state, uint64_t done, uint64_t total); /* entries; may be NULL */
    void *progress_state;
};

struct verify_report {
    bool ok;
    uint64_t size, checked, pruned, checkpoints; /* entries; entries whose bytes were there; … */
    struct hash root;
    struct verify_fault *faults; /* by file and offset; arena `mem` */
    size_t fault_count;
    int64_t elapsed_ns;
};

/* ERR_OK when everything was looked at, whatever was found; LOCKED, IO, NOT_FOUND otherwise. */
err ledger_verify(struct ctx *cx, const struct verify_options *options, struct verify_report *out);
