/* fs.c - the operating system's files behind the table of fs.h, and what is built on the table. */
#include "base/fs.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static err os_open(struct ctx *cx, void *state, const char *path, unsigned flags, fs_file *out)
{
    int mode = O_CLOEXEC | (flags & FS_WRITE ? O_RDWR : O_RDONLY);

    (void)state;
    mode |= flags & FS_CREATE ? O_CREAT : 0;
    mode |= flags & FS_EXCLUSIVE ? O_EXCL : 0;
    mode |= flags & FS_TRUNCATE ? O_TRUNC : 0;
    int fd = open(path, mode, 0600);
    if (fd >= 0) {
        *out = fd;
        return ERR_OK;
    }
    if (errno == ENOENT)
        return fail_errno(cx, ERR_NOT_FOUND, "%s", path);
    if (errno == EEXIST)
        return fail_errno(cx, ERR_CONFLICT, "%s", path);
    return fail_errno(cx, ERR_IO, "cannot open %s", path);
}

static void os_close(void *state, fs_file f)
{
    (void)state;
    close(f);
}

static err os_pread(struct ctx *cx, void *state, fs_file f, void *p, size_t n, uint64_t at,
                    size_t *out_n)
{
    size_t have = 0;

    (void)state;
    while (have < n) {
        ssize_t got = pread(f, (char *)p + have, n - have, (off_t)(at + have));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(cx, ERR_IO, "cannot read %zu bytes at %llu", n,
                              (unsigned long long)at);
        if (got == 0)
            break;
        have += (size_t)got;
    }
    *out_n = have;
    return ERR_OK;
}

/* Drop the first `n` bytes of the vector; returns how many entries are left. */
static size_t iov_advance(struct iovec *iov, size_t count, size_t n)
{
    size_t gone = 0;

    while (gone < count && n >= iov[gone].iov_len)
        n -= iov[gone++].iov_len;
    if (gone < count) {
        iov[gone].iov_base = (char *)iov[gone].iov_base + n;
        iov[gone].iov_len -= n;
    }
    memmove(iov, iov + gone, (count - gone) * sizeof *iov);
    return count - gone;
}

static err os_pwritev(struct ctx *cx, void *state, fs_file f, const struct iovec *iov, size_t count,
                      uint64_t at)
{
    struct iovec left[64];

    (void)state;
    while (count) {
        size_t part = size_min(count, COUNT(left)), open = part;
        memcpy(left, iov, part * sizeof *iov);
        while (open) {
            ssize_t put = pwritev(f, left, (int)open, (off_t)at);
            if (put < 0 && errno == EINTR)
                continue;
            if (put < 0)
                return fail_errno(cx, ERR_IO, "cannot write at %llu", (unsigned long long)at);
            at += (uint64_t)put;
            open = iov_advance(left, open, (size_t)put);
        }
        iov += part;
        count -= part;
    }
    return ERR_OK;
}

static err os_sync(struct ctx *cx, void *state, fs_file f)
{
    (void)state;
    if (fdatasync(f) != 0)
        return fail_errno(cx, ERR_IO, "cannot sync");
    return ERR_OK;
}

static err os_size(struct ctx *cx, void *state, fs_file f, uint64_t *out)
{
    struct stat st;

    (void)state;
    if (fstat(f, &st) != 0)
        return fail_errno(cx, ERR_IO, "cannot stat");
    *out = (uint64_t)st.st_size;
    return ERR_OK;
}

static err os_truncate(struct ctx *cx, void *state, fs_file f, uint64_t size)
{
    (void)state;
    if (ftruncate(f, (off_t)size) != 0)
        return fail_errno(cx, ERR_IO, "cannot set the size to %llu", (unsigned long long)size);
    return ERR_OK;
}

static err os_lock(struct ctx *cx, void *state, fs_file f)
{
    (void)state;
    if (flock(f, LOCK_EX | LOCK_NB) == 0)
        return ERR_OK;
    if (errno == EWOULDBLOCK)
        return fail(cx, ERR_LOCKED, "another process holds the lock");
    return fail_errno(cx, ERR_IO, "cannot lock");
}

static err os_rename(struct ctx *cx, void *state, const char *from, const char *to)
{
    (void)state;
    if (rename(from, to) != 0)
        return fail_errno(cx, ERR_IO, "cannot rename %s to %s", from, to);
    return ERR_OK;
}

static err os_unlink(struct ctx *cx, void *state, const char *path)
{
    (void)state;
    if (unlink(path) == 0)
        return ERR_OK;
    if (errno == ENOENT)
        return fail_errno(cx, ERR_NOT_FOUND, "%s", path);
    return fail_errno(cx, ERR_IO, "cannot remove %s", path);
}

static err os_mkdir(struct ctx *cx, void *state, const char *path)
{
    (void)state;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return fail_errno(cx, ERR_IO, "cannot make the folder %s", path);
    return ERR_OK;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static err os_sync_dir(struct ctx *cx, void *state, const char *path)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    if (fd < 0 || fsync(fd) != 0)
        return fail_errno(cx, ERR_IO, "cannot sync the folder %s", path);
    return ERR_OK;
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

static void close_dir(DIR **d)
{
    if (*d)
        closedir(*d);
}

static err os_list(struct ctx *cx, void *state, const char *path, str **out, size_t *out_n)
{
    CLEANUP(close_dir) DIR *d = opendir(path);
    size_t n = 0, capacity = 64;
    struct dirent *entry;

    (void)state;
    if (!d)
        return fail_errno(cx, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot list %s", path);
    str *names = arena_new(cx->mem, str, capacity);
    while ((entry = readdir(d))) {
        str name = str_from(entry->d_name);
        if (str_eq(name, S(".")) || str_eq(name, S("..")))
            continue;
        if (n == capacity) {
            str *more = arena_new(cx->mem, str, capacity * 2);
            memcpy(more, names, n * sizeof *names);
            names = more;
            capacity *= 2;
        }
        names[n++] = arena_str(cx->mem, name);
    }
    qsort(names, n, sizeof *names, by_name);
    *out = names;
    *out_n = n;
    return ERR_OK;
}

static err os_map(struct ctx *cx, void *state, fs_file f, str *out)
{
    uint64_t size = 0;

    TRY(os_size(cx, state, f, &size));
    if (size == 0) {
        *out = S("");
        return ERR_OK;
    }
    void *p = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, f, 0);
    if (p == MAP_FAILED)
        return fail_errno(cx, ERR_IO, "cannot map %llu bytes", (unsigned long long)size);
    *out = (str){p, (size_t)size};
    return ERR_OK;
}

static void os_unmap(void *state, str mapped)
{
    (void)state;
    if (mapped.n)
        munmap((void *)(uintptr_t)mapped.p, mapped.n);
}

static err os_free_space(struct ctx *cx, void *state, const char *path, uint64_t *out_bytes)
{
    struct statvfs st;

    (void)state;
    if (statvfs(path, &st) != 0)
        return fail_errno(cx, ERR_IO, "cannot stat the file system of %s", path);
    *out_bytes = (uint64_t)st.f_bavail * st.f_frsize;
    return ERR_OK;
}

struct fs fs_real(void)
{
    static const struct fs_ops ops = {
        .open = os_open,
        .close = os_close,
        .pread = os_pread,
        .pwritev = os_pwritev,
        .sync = os_sync,
        .size = os_size,
        .truncate = os_truncate,
        .lock = os_lock,
        .rename = os_rename,
        .unlink = os_unlink,
        .mkdir = os_mkdir,
        .sync_dir = os_sync_dir,
        .list = os_list,
        .map = os_map,
        .unmap = os_unmap,
        .free_space = os_free_space,
    };
    return (struct fs){&ops, NULL};
}

err fs_open(struct ctx *cx, struct fs fs, const char *path, unsigned flags, fs_file *out)
{
    return fs.ops->open(cx, fs.state, path, flags, out);
}

void fs_close(struct fs fs, fs_file f)
{
    if (f >= 0)
        fs.ops->close(fs.state, f);
}

err fs_pread(struct ctx *cx, struct fs fs, fs_file f, void *p, size_t n, uint64_t at, size_t *out_n)
{
    return fs.ops->pread(cx, fs.state, f, p, n, at, out_n);
}

err fs_pread_exact(struct ctx *cx, struct fs fs, fs_file f, void *p, size_t n, uint64_t at,
                   const char *what)
{
    size_t have;

    TRY(fs_pread(cx, fs, f, p, n, at, &have));
    if (have != n)
        return fail(cx, ERR_CORRUPT, "%s ends at byte %llu, %zu bytes short", what,
                    (unsigned long long)(at + have), n - have);
    return ERR_OK;
}

err fs_pwritev(struct ctx *cx, struct fs fs, fs_file f, const struct iovec *iov, size_t count,
               uint64_t at)
{
    return fs.ops->pwritev(cx, fs.state, f, iov, count, at);
}

err fs_pwrite(struct ctx *cx, struct fs fs, fs_file f, const void *p, size_t n, uint64_t at)
{
    struct iovec one = {(void *)(uintptr_t)p, n};

    return fs_pwritev(cx, fs, f, &one, 1, at);
}

err fs_sync(struct ctx *cx, struct fs fs, fs_file f)
{
    return fs.ops->sync(cx, fs.state, f);
}

err fs_size(struct ctx *cx, struct fs fs, fs_file f, uint64_t *out)
{
    return fs.ops->size(cx, fs.state, f, out);
}

err fs_truncate(struct ctx *cx, struct fs fs, fs_file f, uint64_t size)
{
    return fs.ops->truncate(cx, fs.state, f, size);
}

err fs_lock(struct ctx *cx, struct fs fs, fs_file f)
{
    return fs.ops->lock(cx, fs.state, f);
}

err fs_rename(struct ctx *cx, struct fs fs, const char *from, const char *to)
{
    return fs.ops->rename(cx, fs.state, from, to);
}

err fs_unlink(struct ctx *cx, struct fs fs, const char *path)
{
    return fs.ops->unlink(cx, fs.state, path);
}

err fs_mkdir(struct ctx *cx, struct fs fs, const char *path)
{
    return fs.ops->mkdir(cx, fs.state, path);
}

err fs_sync_dir(struct ctx *cx, struct fs fs, const char *path)
{
    return fs.ops->sync_dir(cx, fs.state, path);
}

err fs_list(struct ctx *cx, struct fs fs, const char *path, str **out, size_t *out_n)
{
    return fs.ops->list(cx, fs.state, path, out, out_n);
}

err fs_map(struct ctx *cx, struct fs fs, fs_file f, str *out)
{
    return fs.ops->map(cx, fs.state, f, out);
}

void fs_unmap(struct fs fs, str mapped)
{
    fs.ops->unmap(fs.state, mapped);
}

err fs_free_space(struct ctx *cx, struct fs fs, const char *path, uint64_t *out_bytes)
{
    return fs.ops->free_space(cx, fs.state, path, out_bytes);
}

/* A handle that closes itself. */
struct held_file {
    struct fs fs;
    fs_file f;
};

static void held_close(struct held_file *h)
{
    fs_close(h->fs, h->f);
}

err fs_read_all(struct ctx *cx, struct fs fs, const char *path, size_t max, str *out)
{
    CLEANUP(held_close) struct held_file h = {fs, -1};
    uint64_t size;
    size_t have;

    TRY(fs_open(cx, fs, path, FS_READ, &h.f));
    TRY(fs_size(cx, fs, h.f, &size));
    if (size > max)
        return fail(cx, ERR_TOO_LARGE, "%s has %llu bytes, at most %zu are read", path,
                    (unsigned long long)size, max);
    char *p = arena_new(cx->mem, char, (size_t)size + 1);
    TRY(fs_pread(cx, fs, h.f, p, (size_t)size, 0, &have));
    *out = (str){p, have};
    return ERR_OK;
}

static err write_new(struct ctx *cx, struct fs fs, const char *path, str bytes)
{
    CLEANUP(held_close) struct held_file h = {fs, -1};

    TRY(fs_open(cx, fs, path, FS_WRITE | FS_CREATE | FS_TRUNCATE, &h.f));
    if (bytes.n)
        TRY(fs_pwrite(cx, fs, h.f, bytes.p, bytes.n, 0));
    return fs_sync(cx, fs, h.f);
}

err fs_replace(struct ctx *cx, struct fs fs, const char *dir, const char *name, str bytes)
{
    SCRATCH(tmp, cx);
    const char *path = arena_printf(tmp.mem, "%s/%s", dir, name).p;
    const char *fresh = arena_printf(tmp.mem, "%s/%s.new", dir, name).p;

    TRY(write_new(cx, fs, fresh, bytes));
    TRY(fs_rename(cx, fs, fresh, path));
    return fs_sync_dir(cx, fs, dir);
}

bool fs_exists(struct fs fs, const char *path)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    fs_file f = -1;

    if (fs_open(cx, fs, path, FS_READ, &f) != ERR_OK)
        return false;
    fs_close(fs, f);
    return true;
}
