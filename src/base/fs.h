/* fs.h - every file of Chancery is opened, read, written and synced through this table.
 *
 * The table is what lets tests fail the Nth call, tear a write, lose what was never synced and
 * crash at any moment (tests/sim_fs.h).  Nothing outside base/fs.c calls open(2), write(2) or
 * fsync(2).
 *
 * Durability: bytes are durable after fs_sync() of the file AND, for a new or renamed name,
 * fs_sync_dir() of its folder.  After a failed fs_sync() nothing in memory may be trusted; the
 * caller must stop the process (Chancery does) and recover at the next start.
 * Threads: an fs and different handles of it from any thread; fs_pread() of one handle from many.
 */
#pragma once
#include "base/base.h"
#include <sys/uio.h>

typedef int fs_file; /* a handle of the fs that gave it; -1 is none */

enum fs_flags {
    FS_READ = 0,
    FS_WRITE = 1,     /* read and write */
    FS_CREATE = 2,    /* make it if absent, mode 0600 */
    FS_EXCLUSIVE = 4, /* with FS_CREATE: fail with CONFLICT if it exists */
    FS_TRUNCATE = 8,
};

struct fs {
    const struct fs_ops *ops;
    void *state;
};

/* Paths are C strings.  All return IO, NO_SPACE or what is said; the detail names the path. */
struct fs_ops {
    err (*open)(struct ctx *, void *state, const char *path, unsigned flags,
                fs_file *out); /* NOT_FOUND */
    void (*close)(void *state, fs_file f);
    /* Reads until `n` bytes or the end of the file; *out_n tells how many. */
    err (*pread)(struct ctx *, void *state, fs_file f, void *p, size_t n, uint64_t at,
                 size_t *out_n);
    /* Writes all of it or fails (then any prefix may have been written). */
    err (*pwritev)(struct ctx *, void *state, fs_file f, const struct iovec *iov, size_t count,
                   uint64_t at);
    err (*sync)(struct ctx *, void *state, fs_file f); /* data and what is needed to read it back */
    err (*size)(struct ctx *, void *state, fs_file f, uint64_t *out);
    err (*truncate)(struct ctx *, void *state, fs_file f, uint64_t size);
    err (*lock)(struct ctx *, void *state, fs_file f); /* exclusive, until closed; LOCKED */
    err (*rename)(struct ctx *, void *state, const char *from, const char *to); /* replaces */
    err (*unlink)(struct ctx *, void *state, const char *path);                 /* NOT_FOUND */
    err (*mkdir)(struct ctx *, void *state, const char *path); /* mode 0700; existing is fine */
    err (*sync_dir)(struct ctx *, void *state, const char *path);
    /* Names in a folder, sorted, without . and ..; arena `mem`. */
    err (*list)(struct ctx *, void *state, const char *path, str **out, size_t *out_n);
    /* The whole file as memory, read-only, until fs_unmap(); an empty file maps to {"", 0}. */
    err (*map)(struct ctx *, void *state, fs_file f, str *out);
    void (*unmap)(void *state, str mapped);
    err (*free_space)(struct ctx *, void *state, const char *path, uint64_t *out_bytes);
};

struct fs fs_real(void); /* the operating system's files */

err fs_open(struct ctx *cx, struct fs fs, const char *path, unsigned flags, fs_file *out);
void fs_close(struct fs fs, fs_file f); /* -1 is a no-op */
err fs_pread(struct ctx *cx, struct fs fs, fs_file f, void *p, size_t n, uint64_t at,
             size_t *out_n);
/* Exactly n bytes, else CORRUPT naming `what`. */
err fs_pread_exact(struct ctx *cx, struct fs fs, fs_file f, void *p, size_t n, uint64_t at,
                   const char *what);
err fs_pwrite(struct ctx *cx, struct fs fs, fs_file f, const void *p, size_t n, uint64_t at);
err fs_pwritev(struct ctx *cx, struct fs fs, fs_file f, const struct iovec *iov, size_t count,
               uint64_t at);
err fs_sync(struct ctx *cx, struct fs fs, fs_file f);
err fs_size(struct ctx *cx, struct fs fs, fs_file f, uint64_t *out);
err fs_truncate(struct ctx *cx, struct fs fs, fs_file f, uint64_t size);
err fs_lock(struct ctx *cx, struct fs fs, fs_file f);
err fs_rename(struct ctx *cx, struct fs fs, const char *from, const char *to);
err fs_unlink(struct ctx *cx, struct fs fs, const char *path);
err fs_mkdir(struct ctx *cx, struct fs fs, const char *path);
err fs_sync_dir(struct ctx *cx, struct fs fs, const char *path);
err fs_list(struct ctx *cx, struct fs fs, const char *path, str **out, size_t *out_n);
err fs_map(struct ctx *cx, struct fs fs, fs_file f, str *out);
void fs_unmap(struct fs fs, str mapped);
err fs_free_space(struct ctx *cx, struct fs fs, const char *path, uint64_t *out_bytes);

/* A whole small file in the arena `mem`; TOO_LARGE past `max`. */
err fs_read_all(struct ctx *cx, struct fs fs, const char *path, size_t max, str *out);
/* Replace a file so that a crash leaves the old or the new bytes: temporary name, sync, rename,
 * sync of the folder. */
err fs_replace(struct ctx *cx, struct fs fs, const char *dir, const char *name, str bytes);
bool fs_exists(struct fs fs, const char *path);
