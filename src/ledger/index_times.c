/* index_times.c - see index_times.h. */
#include "ledger/index_times.h"
#include <endian.h>
#include <stdlib.h>
#include <zstd.h>

enum {
    VARINT_BYTES_MAX = 10,
    UNPACKED_BYTES_MAX = TIME_CHUNK * VARINT_BYTES_MAX,
    ZSTD_LEVEL = 3,
};
static const uint32_t unpacked_mask = (1u << 30) - 1, packed_bit = 1u << 30,
                      relative_bit = 1u << 31;

struct chunk_head {
    int64_t min, max;
    uint32_t stored, unpacked;
    bool packed, relative;
};

static void head_put(const struct chunk_head *h, char *at)
{
    uint64_t min = htole64((uint64_t)h->min), max = htole64((uint64_t)h->max);
    uint32_t stored = htole32(h->stored);
    uint32_t flags =
        htole32(h->unpacked | (h->packed ? packed_bit : 0) | (h->relative ? relative_bit : 0));

    memcpy(at, &min, sizeof min);
    memcpy(at + 8, &max, sizeof max);
    memcpy(at + 16, &stored, sizeof stored);
    memcpy(at + 20, &flags, sizeof flags);
}

static struct chunk_head head_get(const char *at)
{
    uint64_t min, max;
    uint32_t stored, flags;

    memcpy(&min, at, sizeof min);
    memcpy(&max, at + 8, sizeof max);
    memcpy(&stored, at + 16, sizeof stored);
    memcpy(&flags, at + 20, sizeof flags);
    flags = le32toh(flags);
    return (struct chunk_head){.min = (int64_t)le64toh(min),
                               .max = (int64_t)le64toh(max),
                               .stored = le32toh(stored),
                               .unpacked = flags & unpacked_mask,
                               .packed = flags & packed_bit,
                               .relative = flags & relative_bit};
}

static size_t put_varint(uint8_t *out, uint64_t v)
{
    size_t n = 0;

    for (; v >= 0x80; v >>= 7)
        out[n++] = (uint8_t)(v | 0x80);
    out[n++] = (uint8_t)v;
    return n;
}

/* Differences are taken modulo 2^64, so that no two times are too far apart. */
static uint64_t zigzag(uint64_t difference)
{
    return difference << 1 ^ (0 - (difference >> 63));
}

static uint64_t unzigzag(uint64_t v)
{
    return v >> 1 ^ (0 - (v & 1));
}

/* What one form of one chunk comes to. */
struct packed {
    uint8_t raw[UNPACKED_BYTES_MAX];
    char zstd[ZSTD_COMPRESSBOUND(UNPACKED_BYTES_MAX)];
    size_t raw_n, zstd_n;
};

static void pack(ZSTD_CCtx *zstd, struct packed *p, const int64_t *times, const int64_t *recorded,
                 uint32_t n, int64_t min)
{
    uint64_t before = (uint64_t)min;

    p->raw_n = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t base = recorded ? (uint64_t)recorded[i] : before;
        p->raw_n += put_varint(p->raw + p->raw_n, zigzag((uint64_t)times[i] - base));
        before = (uint64_t)times[i];
    }
    p->zstd_n = ZSTD_compressCCtx(zstd, p->zstd, sizeof p->zstd, p->raw, p->raw_n, ZSTD_LEVEL);
    ENSURE(!ZSTD_isError(p->zstd_n));
}

static size_t packed_size(const struct packed *p)
{
    return size_min(p->raw_n, p->zstd_n);
}

static void put_chunk(struct buf *out, const struct packed *p, struct chunk_head *h)
{
    h->packed = p->zstd_n < p->raw_n;
    h->unpacked = (uint32_t)p->raw_n;
    h->stored = (uint32_t)packed_size(p);
    buf_put(out, h->packed ? (str){p->zstd, p->zstd_n} : (str){(const char *)p->raw, p->raw_n});
}

static struct chunk_head bounds(const int64_t *times, uint32_t n)
{
    struct chunk_head h = {.min = times[0], .max = times[0]};

    for (uint32_t i = 1; i < n; i++) {
        h.min = times[i] < h.min ? times[i] : h.min;
        h.max = times[i] > h.max ? times[i] : h.max;
    }
    return h;
}

void times_write(struct buf *out, const int64_t *times, const int64_t *recorded, uint32_t entries)
{
    struct packed *forms = malloc(2 * sizeof *forms);
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    size_t heads = out->n, heads_n = (size_t)time_chunks(entries) * TIME_HEAD_BYTES;

    ENSURE(forms && zstd);
    if (buf_reserve(out, heads_n))
        out->n += heads_n;
    for (uint32_t c = 0; c < time_chunks(entries) && buf_ok(out); c++) {
        uint32_t first = c * TIME_CHUNK;
        uint32_t n = (uint32_t)size_min(TIME_CHUNK, entries - first);
        struct chunk_head h = bounds(times + first, n);
        if (h.min != h.max) {
            pack(zstd, &forms[0], times + first, NULL, n, h.min);
            if (recorded)
                pack(zstd, &forms[1], times + first, recorded + first, n, h.min);
            h.relative = recorded && packed_size(&forms[1]) < packed_size(&forms[0]);
            put_chunk(out, &forms[h.relative], &h);
        }
        if (buf_ok(out))
            head_put(&h, out->p + heads + (size_t)c * TIME_HEAD_BYTES);
    }
    ZSTD_freeCCtx(zstd);
    free(forms);
}

static bool heads_fit(const struct time_column *col)
{
    return col->bytes.n >= (size_t)time_chunks(col->entries) * TIME_HEAD_BYTES;
}

bool times_bounds(const struct time_column *col, uint32_t c, int64_t *out_min, int64_t *out_max)
{
    if (!heads_fit(col))
        return false;
    struct chunk_head h = head_get(col->bytes.p + (size_t)c * TIME_HEAD_BYTES);
    *out_min = h.min;
    *out_max = h.max;
    return h.min <= h.max;
}

/* The bytes of chunk c, unpacked; null when malformed. */
static str unpack(struct arena *tmp, const struct time_column *col, uint32_t c,
                  const struct chunk_head *h)
{
    size_t at = (size_t)time_chunks(col->entries) * TIME_HEAD_BYTES;

    for (uint32_t i = 0; i < c; i++)
        at += head_get(col->bytes.p + (size_t)i * TIME_HEAD_BYTES).stored;
    if (at > col->bytes.n || h->stored > col->bytes.n - at || h->unpacked > UNPACKED_BYTES_MAX)
        return STR_NULL;
    str stored = {col->bytes.p + at, h->stored};
    if (!h->packed)
        return stored;
    char *p = arena_new(tmp, char, h->unpacked);
    size_t n = ZSTD_decompress(p, h->unpacked, stored.p, stored.n);
    return n == h->unpacked ? (str){p, n} : STR_NULL;
}

static bool get_varint(str *rest, uint64_t *out)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < VARINT_BYTES_MAX && i < rest->n; i++) {
        uint8_t byte = (uint8_t)rest->p[i];
        v |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            *rest = (str){rest->p + i + 1, rest->n - i - 1};
            *out = v;
            return true;
        }
    }
    return false;
}

static bool decode(str bytes, const struct chunk_head *h, const int64_t *recorded, uint32_t n,
                   int64_t *out)
{
    uint64_t before = (uint64_t)h->min, v;

    for (uint32_t i = 0; i < n; i++) {
        if (!get_varint(&bytes, &v))
            return false;
        before = (recorded ? (uint64_t)recorded[i] : before) + unzigzag(v);
        out[i] = (int64_t)before;
        if (out[i] < h->min || out[i] > h->max)
            return false;
    }
    return bytes.n == 0;
}

static bool read_chunk(struct arena *tmp, const struct time_column *col, uint32_t c, int64_t *out)
{
    uint32_t n = (uint32_t)size_min(TIME_CHUNK, col->entries - c * TIME_CHUNK);
    struct chunk_head h = head_get(col->bytes.p + (size_t)c * TIME_HEAD_BYTES);
    int64_t *recorded = NULL;

    if (h.min == h.max) {
        for (uint32_t i = 0; i < n; i++)
            out[i] = h.min;
        return h.stored == 0;
    }
    if (h.relative) {
        if (!col->recorded)
            return false;
        recorded = arena_new(tmp, int64_t, TIME_CHUNK);
        if (!times_read(tmp, col->recorded, c, recorded))
            return false;
    }
    str bytes = unpack(tmp, col, c, &h);
    return !str_is_null(bytes) && decode(bytes, &h, recorded, n, out);
}

bool times_read(struct arena *tmp, const struct time_column *col, uint32_t c, int64_t *out)
{
    if (!heads_fit(col))
        return false;
    struct arena_mark mark = arena_mark(tmp);
    bool ok = read_chunk(tmp, col, c, out);
    arena_rewind(tmp, mark);
    return ok;
}
