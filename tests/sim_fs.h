/* sim_fs.h - a file system in memory that fails on purpose, behind the table of base/fs.h.
 *
 * Every file has two images: what the process sees, and what the disk surely holds.  Between them
 * lie the writes and truncations since the last sync of that file; a folder has its creations,
 * renames and removals since its last sync_dir in the same way.  A power loss settles each of them
 * by chance; a restart then gives a new file system over what is left.
 *
 * A power loss and a file: each unsynced write is kept, lost, or (torn) kept in part: a prefix,
 * some of its 512-byte sectors, or its length alone with zeros for bytes.  Truncations are kept or
 * lost. The size follows what is kept.  Reordered: what is kept takes effect in any order.
 *
 * A power loss and a folder: a name is durable only after sync_dir of its folder.  Before that each
 * creation, rename and removal is kept or lost by itself, or (half of the time) all are kept up to
 * some point, as a journal does.  Syncing a file does not sync its name.
 *
 * A failed sync of a file: what was pending is written or lost by chance and never tried again,
 * while the process goes on to see it, as with the page cache of Linux.  A failed sync_dir leaves
 * pending what was pending.
 *
 * The same seed and the same calls give the same outcome.  Any thread. */
#pragma once
#include "base/fs.h"

enum sim_fault {
    SIM_NONE,
    SIM_CRASH,     /* power loss; writes are kept or lost whole, in their order */
    SIM_TORN,      /* power loss; or kept in part */
    SIM_REORDERED, /* power loss; in part and in any order */
    SIM_KILL,      /* the process dies; what it wrote stays */
    SIM_ENOSPC,    /* a call that needs room fails with NO_SPACE */
    SIM_EIO,       /* any call fails with IO and does nothing */
    SIM_SHORT,     /* a write fails with IO behind a prefix */
    SIM_SYNC,      /* a sync fails with IO */
    SIM_FAULTS,
};
extern const char *const sim_fault_names[SIM_FAULTS];

struct sim_fs;

struct sim_fs *sim_open(uint64_t seed); /* empty; owned */
void sim_close(struct sim_fs *s);       /* NULL is a no-op */
struct fs sim_fs(struct sim_fs *s);

/* From now on the `nth` call (1 is the next) of those that `fault` can hit is hit, and so are the
 * `times` - 1 behind it.  SIM_NONE: nothing fails any more. */
void sim_fail_at(struct sim_fs *s, enum sim_fault fault, uint64_t nth, uint64_t times);
/* While paused nothing is hit or counted: the test itself looks at the files. */
void sim_pause(struct sim_fs *s, bool paused);
bool sim_has_failed(struct sim_fs *s); /* since the last sim_fail_at() */
bool sim_is_dead(struct sim_fs *s);    /* crashed or killed: every call gives IO */
uint64_t sim_calls(struct sim_fs *s);  /* of all kinds so far */

/* A new file system, without open handles, over what is left after `how`: one of the three power
 * losses, or SIM_KILL (all that was written, synced or not).  `s` stays as it is. */
struct sim_fs *sim_restart(struct sim_fs *s, enum sim_fault how, uint64_t seed);

/* Change a byte of a file behind everybody's back. */
void sim_flip(struct sim_fs *s, const char *path, uint64_t at, uint8_t mask);

/* Copy every file of a folder of this file system into one of another. */
err sim_copy_dir(struct ctx *cx, struct fs from, const char *from_dir, struct fs to,
                 const char *to_dir);
