/* bench_calibrate.c - how fast this machine is, so that figures of different machines compare. */
#include "base/clock.h"
#include "cli/bench.h"
#include "crypto/sha256.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    HASH_ENTRIES = 400000,
    HASH_MEGABYTES = 256,
    COPY_BYTES = 64 << 20,
    COPY_ROUNDS = 8,
    SYNC_ROUNDS = 101,
    SYNC_LARGE_BYTES = 1 << 20,
    SYNC_SMALL_BYTES = 4096
};

static double per_second(double count, int64_t begun_ns)
{
    return count * 1e9 / (double)(clock_mono_ns() - begun_ns);
}

static double rate_of_hashes(void)
{
    char entry[BENCH_EVENT_BYTES];
    struct hash h;

    memset(entry, 'x', sizeof entry);
    int64_t begun_ns = clock_mono_ns();
    for (unsigned i = 0; i < HASH_ENTRIES; i++) {
        hash_leaf((str){entry, sizeof entry}, &h);
        entry[0] = (char)h.bytes[0]; /* none can be left out */
    }
    return per_second(HASH_ENTRIES, begun_ns);
}

static double rate_of_hash_bytes(char *memory)
{
    struct hash h;
    int64_t begun_ns = clock_mono_ns();

    for (unsigned i = 0; i < HASH_MEGABYTES; i++) {
        sha256((str){memory, 1 << 20}, &h);
        memory[0] = (char)h.bytes[0];
    }
    return per_second((double)HASH_MEGABYTES * (1 << 20), begun_ns);
}

static double rate_of_copy(char *from, char *to)
{
    memcpy(to, from, COPY_BYTES); /* touched before it is measured */
    int64_t begun_ns = clock_mono_ns();
    for (unsigned i = 0; i < COPY_ROUNDS; i++) {
        memcpy(to, from, COPY_BYTES);
        from[i] = to[i + 1];
    }
    return per_second((double)COPY_ROUNDS * COPY_BYTES, begun_ns);
}

static int compare_ns(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Appending and making it durable, as a ledger does: the median. */
static err median_sync(struct ctx *cx, const char *path, const char *memory, size_t bytes,
                       double *out_ns)
{
    int64_t took[SYNC_ROUNDS];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return fail_errno(cx, ERR_IO, "%s", path);
    for (unsigned i = 0; i < SYNC_ROUNDS; i++) {
        int64_t begun_ns = clock_mono_ns();
        if (write(fd, memory, bytes) != (ssize_t)bytes || fdatasync(fd) != 0) {
            close(fd);
            return fail_errno(cx, ERR_IO, "%s", path);
        }
        took[i] = clock_mono_ns() - begun_ns;
    }
    close(fd);
    unlink(path);
    qsort(took, SYNC_ROUNDS, sizeof took[0], compare_ns);
    int64_t median_ns = took[SYNC_ROUNDS / 2];
    *out_ns = (double)median_ns;
    return ERR_OK;
}

err bench_calibrate(struct ctx *cx, const char *dir, struct calibration *out)
{
    const char *path = arena_printf(cx->mem, "%s/calibration", dir).p;
    char *memory = malloc(COPY_BYTES), *other = malloc(COPY_BYTES);

    ENSURE(memory && other);
    memset(memory, 'c', COPY_BYTES);
    *out = (struct calibration){
        .hashes = rate_of_hashes(),
        .hash_bytes = rate_of_hash_bytes(memory),
        .copy_bytes = rate_of_copy(memory, other),
    };
    err e = median_sync(cx, path, memory, SYNC_SMALL_BYTES, &out->sync_4k_ns);
    if (e == ERR_OK)
        e = median_sync(cx, path, memory, SYNC_LARGE_BYTES, &out->sync_1m_ns);
    free(memory);
    free(other);
    return e;
}
