/* unpack.c - see unpack.h.
 *
 * Both libraries are driven alike: input bytes wait in `in`, step() turns some of them into output
 * and tells whether a member (gzip) or frame (zstd) has just ended.  The body is good only if it
 * ends there; several may follow each other. */
#include "http/unpack.h"
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

enum { IN_BYTES = 64 * 1024, ZSTD_WINDOW_LOG_MAX = 23 };

struct unpacker {
    enum encoding encoding;
    struct body_source inner;
    uint64_t given, max; /* bytes given, at most */
    z_stream gzip;
    ZSTD_DStream *zstd;
    size_t in_at, in_n;
    bool inner_ended, between; /* no member is open */
    char in[IN_BYTES];
};

static const struct {
    str name;
    enum encoding encoding;
} names[] = {
    {STR_INIT("identity"), ENCODING_IDENTITY},
    {STR_INIT("gzip"), ENCODING_GZIP},
    {STR_INIT("x-gzip"), ENCODING_GZIP},
    {STR_INIT("zstd"), ENCODING_ZSTD},
};

err encoding_find(struct ctx *cx, str header, enum encoding *out)
{
    if (str_is_null(header)) {
        *out = ENCODING_IDENTITY;
        return ERR_OK;
    }
    for (size_t i = 0; i < COUNT(names); i++) {
        if (str_eq_nocase(header, names[i].name)) {
            *out = names[i].encoding;
            return ERR_OK;
        }
    }
    return fail(cx, ERR_MEDIA_TYPE, "Content-Encoding '%.*s' is not taken; gzip and zstd are",
                STR_FMT(str_slice(header, 0, 40)));
}

err unpacker_open(struct ctx *cx, enum encoding encoding, struct body_source inner,
                  uint64_t unpacked_max, struct unpacker **out)
{
    struct unpacker *u = calloc(1, sizeof *u);

    if (!u)
        return fail(cx, ERR_INTERNAL, "no memory to unpack a body");
    u->encoding = encoding;
    u->inner = inner;
    u->max = unpacked_max ? unpacked_max : UINT64_MAX;
    u->between = true;
    bool ready = encoding == ENCODING_GZIP ? inflateInit2(&u->gzip, 15 + 16) == Z_OK
                                           : (u->zstd = ZSTD_createDStream()) != NULL;
    if (!ready) {
        free(u);
        return fail(cx, ERR_INTERNAL, "no memory to unpack a body");
    }
    if (u->zstd)
        ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
    *out = u;
    return ERR_OK;
}

void unpacker_close(struct unpacker *u)
{
    if (!u)
        return;
    if (u->encoding == ENCODING_GZIP)
        inflateEnd(&u->gzip);
    ZSTD_freeDStream(u->zstd);
    free(u);
}

static err step_gzip(struct ctx *cx, struct unpacker *u, char *p, size_t n, size_t *out_n)
{
    if (u->between && inflateReset(&u->gzip) != Z_OK)
        return fail(cx, ERR_INTERNAL, "zlib cannot start again");
    u->gzip.next_in = (unsigned char *)u->in + u->in_at;
    u->gzip.avail_in = (unsigned)(u->in_n - u->in_at);
    u->gzip.next_out = (unsigned char *)p;
    u->gzip.avail_out = (unsigned)n;
    int rc = inflate(&u->gzip, Z_NO_FLUSH);
    u->in_at = u->in_n - u->gzip.avail_in;
    *out_n = n - u->gzip.avail_out;
    u->between = rc == Z_STREAM_END;
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
        return fail(cx, ERR_INVALID, "the body is not well-formed gzip data");
    return ERR_OK;
}

static err step_zstd(struct ctx *cx, struct unpacker *u, char *p, size_t n, size_t *out_n)
{
    ZSTD_inBuffer in = {u->in, u->in_n, u->in_at};
    ZSTD_outBuffer out = {p, n, 0};
    size_t rc = ZSTD_decompressStream(u->zstd, &out, &in);

    if (ZSTD_isError(rc))
        return fail(cx, ERR_INVALID, "the body is not well-formed zstd data: %s",
                    ZSTD_getErrorName(rc));
    u->in_at = in.pos;
    *out_n = out.pos;
    u->between = rc == 0;
    return ERR_OK;
}

static err fill(struct ctx *cx, struct unpacker *u)
{
    size_t n;

    TRY(u->inner.read(cx, u->inner.state, u->in, IN_BYTES, &n));
    u->in_at = 0;
    u->in_n = n;
    u->inner_ended = n == 0;
    return ERR_OK;
}

static err step(struct ctx *cx, struct unpacker *u, char *p, size_t n, size_t *out_n)
{
    size_t want = size_min(n, IN_BYTES * 16);

    if (u->encoding == ENCODING_GZIP)
        TRY(step_gzip(cx, u, p, want, out_n));
    else
        TRY(step_zstd(cx, u, p, want, out_n));
    u->given += *out_n;
    if (u->given > u->max)
        return fail(cx, ERR_TOO_LARGE, "the body is larger than %llu bytes when unpacked",
                    (unsigned long long)u->max);
    return ERR_OK;
}

static err unpacker_read(struct ctx *cx, void *state, void *p, size_t n, size_t *out_n)
{
    struct unpacker *u = state;
    size_t got = 0;

    while (got == 0) {
        if (u->in_at == u->in_n && !u->inner_ended)
            TRY(fill(cx, u));
        if (u->inner_ended && u->between)
            break;
        /* A full output may have left bytes inside the library: so step even without input. */
        bool dry = u->inner_ended;
        TRY(step(cx, u, p, n, &got));
        if (dry && got == 0 && !u->between)
            return fail(cx, ERR_INVALID, "the compressed body is cut off");
    }
    *out_n = got;
    return ERR_OK;
}

struct body_source unpacker_source(struct unpacker *u)
{
    return (struct body_source){unpacker_read, u};
}

static err memory_read(struct ctx *cx, void *state, void *p, size_t n, size_t *out_n)
{
    str *rest = state;
    size_t take = size_min(n, rest->n);

    (void)cx;
    if (take)
        memcpy(p, rest->p, take);
    *rest = str_slice(*rest, take, rest->n);
    *out_n = take;
    return ERR_OK;
}

struct body_source memory_source(str *rest)
{
    return (struct body_source){memory_read, rest};
}
