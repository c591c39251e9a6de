/* ingest_input.c - see ingest_input.h. */
#include "cli/ingest_input.h"
#include "base/clock.h"
#include "http/unpack.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MAGIC_BYTES = 4, HEAD_BYTES = 4096 };

struct input {
    FILE *file;
    const char *path; /* owned */
    uint64_t done;    /* bytes of the file */
    char magic[MAGIC_BYTES];
    size_t magic_at, magic_n;
    struct unpacker *unpacker; /* NULL: the bytes are as they are stored */
    char head[HEAD_BYTES];
    size_t head_at, head_n;
};

/* ---- stored bytes ---- */

static err file_failure(struct ctx *cx, const char *path)
{
    return fail_errno(cx, ERR_IO, "%s", path);
}

static err read_file(struct ctx *cx, struct input *in, void *p, size_t n, size_t *out_n)
{
    size_t got = fread(p, 1, n, in->file);

    if (got < n && ferror(in->file))
        return file_failure(cx, in->path);
    in->done += got;
    *out_n = got;
    return ERR_OK;
}

/* What is stored, the bytes that were looked at first included. */
static err read_stored(struct ctx *cx, void *state, void *p, size_t n, size_t *out_n)
{
    struct input *in = state;
    size_t left = in->magic_n - in->magic_at;

    if (left == 0)
        return read_file(cx, in, p, n, out_n);
    *out_n = size_min(n, left);
    memcpy(p, in->magic + in->magic_at, *out_n);
    in->magic_at += *out_n;
    return ERR_OK;
}

/* ---- unpacked bytes ---- */

static enum encoding encoding_of(const struct input *in)
{
    static const struct {
        str magic;
        enum encoding encoding;
    } known[] = {
        {STR_INIT("\x1f\x8b"), ENCODING_GZIP},
        {STR_INIT("\x28\xb5\x2f\xfd"), ENCODING_ZSTD},
    };
    str magic = {in->magic, in->magic_n};

    for (size_t i = 0; i < COUNT(known); i++)
        if (str_starts(magic, known[i].magic))
            return known[i].encoding;
    return ENCODING_IDENTITY;
}

static err begin(struct ctx *cx, struct input *in)
{
    TRY(read_file(cx, in, in->magic, MAGIC_BYTES, &in->magic_n));
    enum encoding encoding = encoding_of(in);
    if (encoding == ENCODING_IDENTITY)
        return ERR_OK;
    return unpacker_open(cx, encoding, (struct body_source){read_stored, in}, 0, &in->unpacker);
}

static err read_unpacked(struct ctx *cx, struct input *in, void *p, size_t n, size_t *out_n)
{
    struct body_source source = {read_stored, in};

    if (in->unpacker)
        source = unpacker_source(in->unpacker);
    err e = source.read(cx, source.state, p, n, out_n);
    if (e == ERR_INVALID) { /* damaged gzip or zstd: the rest cannot be had */
        char why[CTX_DETAIL_BYTES];
        memcpy(why, cx->detail, sizeof why);
        return fail(cx, ERR_IO, "%s: %.400s", in->path, why);
    }
    return e;
}

err input_read(struct ctx *cx, struct input *in, void *p, size_t n, size_t *out_n)
{
    size_t left = in->head_n - in->head_at;

    if (left == 0)
        return read_unpacked(cx, in, p, n, out_n);
    *out_n = size_min(n, left);
    memcpy(p, in->head + in->head_at, *out_n);
    in->head_at += *out_n;
    return ERR_OK;
}

err input_head(struct ctx *cx, struct input *in, str *out)
{
    size_t got = 1;

    while (in->head_n < HEAD_BYTES && got > 0) {
        TRY(read_unpacked(cx, in, in->head + in->head_n, HEAD_BYTES - in->head_n, &got));
        in->head_n += got;
    }
    *out = (str){in->head, in->head_n};
    return ERR_OK;
}

/* ---- files ---- */

err input_open(struct ctx *cx, str path, struct input **out)
{
    struct input *in = calloc(1, sizeof *in);
    bool standard = str_eq(path, S("-"));

    ENSURE(in);
    in->path = strdup(standard ? "standard input" : path.p);
    in->file = standard ? stdin : fopen(path.p, "rbe");
    err e = in->file ? begin(cx, in) : file_failure(cx, in->path);
    if (e != ERR_OK) {
        input_close(in);
        return e;
    }
    *out = in;
    return ERR_OK;
}

void input_close(struct input *in)
{
    if (!in)
        return;
    unpacker_close(in->unpacker);
    if (in->file && in->file != stdin)
        fclose(in->file);
    free((char *)(uintptr_t)in->path);
    free(in);
}

uint64_t input_done_bytes(const struct input *in)
{
    return in->done;
}

err input_stat(struct ctx *cx, str path, uint64_t *out_bytes, int64_t *out_modified_us)
{
    struct stat st;
    bool standard = str_eq(path, S("-"));

    if ((standard ? fstat(fileno(stdin), &st) : stat(path.p, &st)) != 0)
        return file_failure(cx, path.p);
    if (S_ISDIR(st.st_mode))
        return fail(cx, ERR_IO, "%s is a folder", path.p);
    bool regular = S_ISREG(st.st_mode);
    *out_bytes = regular ? (uint64_t)st.st_size : 0;
    *out_modified_us = regular ? (int64_t)st.st_mtim.tv_sec * 1000000 : clock_now_us();
    return ERR_OK;
}
