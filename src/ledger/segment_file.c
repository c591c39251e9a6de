/* segment_file.c - see segment_file.h.
 *
 * The dictionary is a sample of the segment's own entries, finished by zstd with entropy tables: as
 * good as a trained one for bundles of this size, at a hundredth of the time. */
#include "ledger/segment_file.h"
#include <stdlib.h>
#include <xxhash.h>
#define ZDICT_STATIC_LINKING_ONLY /* ZDICT_finalizeDictionary is stable since 1.5 */
#define ZSTD_STATIC_LINKING_ONLY  /* ZSTD_createDDict_byReference */
#include <zdict.h>
#include <zstd.h>

enum {
    DICTIONARY_BYTES = 16 * 1024,
    SAMPLES = 256,
    OFFSETS_BYTES = (SEGMENT_BUNDLES + 1) * 8,
    TABLE_BYTES = OFFSETS_BYTES + SEGMENT_BUNDLES * 8, /* and the checksums of the bundles */
    CHECKED_HEAD_BYTES = 80,
};

static const char magic[8] = "CHANSEG1";

struct segment_file {
    str bytes;
    uint64_t number, raw_bytes;
    struct hash root;
    const char *table;
    ZSTD_DDict *dictionary;
};

static void put_u32(char *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (char)(v >> 8 * i);
}

static void put_u64(char *p, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++)
        p[i] = (char)(v >> 8 * i);
}

static uint64_t get_u64(const char *p)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < 8; i++)
        v |= (uint64_t)(unsigned char)p[i] << 8 * i;
    return v;
}

static uint32_t get_u32(const char *p)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < 4; i++)
        v |= (uint32_t)(unsigned char)p[i] << 8 * i;
    return v;
}

bool frame_next(str *rest, str *out_entry)
{
    const unsigned char *p = (const unsigned char *)rest->p;

    if (rest->n < 2)
        return false;
    size_t n = (size_t)p[0] << 8 | p[1];
    if (rest->n - 2 < n)
        return false;
    *out_entry = (str){rest->p + 2, n};
    rest->p += 2 + n;
    rest->n -= 2 + n;
    return true;
}

/* ---- writing ---- */

/* The first entry of every bundle, as samples side by side. */
static size_t gather_samples(str frames, const uint64_t *bundle_at, struct buf *samples,
                             size_t sizes[SAMPLES])
{
    size_t count = 0;

    for (unsigned b = 0; b < SEGMENT_BUNDLES; b++) {
        str rest = str_slice(frames, bundle_at[b], bundle_at[b + 1]), entry;
        if (!frame_next(&rest, &entry) || entry.n == 0)
            continue;
        buf_put(samples, entry);
        sizes[count++] = entry.n;
    }
    return count;
}

static void make_dictionary(str frames, const uint64_t *bundle_at, int level, struct buf *out)
{
    struct buf samples = BUF(SAMPLES * 65536);
    size_t sizes[SAMPLES];
    size_t count = gather_samples(frames, bundle_at, &samples, sizes);
    str content = buf_str(&samples);

    if (content.n > DICTIONARY_BYTES)
        content = str_slice(content, content.n - DICTIONARY_BYTES, content.n);
    if (count >= 8 && content.n >= 256 && buf_reserve(out, 2 * DICTIONARY_BYTES)) {
        ZDICT_params_t params = {.compressionLevel = level};
        size_t n = ZDICT_finalizeDictionary(out->p, 2 * DICTIONARY_BYTES, content.p, content.n,
                                            samples.p, sizes, (unsigned)count, params);
        out->n = ZDICT_isError(n) ? 0 : n;
    }
    buf_close(&samples);
}

struct compressor {
    ZSTD_CCtx *context;
    ZSTD_CDict *dictionary;
};

static void compressor_close(struct compressor *c)
{
    ZSTD_freeCCtx(c->context);
    ZSTD_freeCDict(c->dictionary);
}

static err compressor_open(struct ctx *cx, struct compressor *c, str dictionary, int level)
{
    c->context = ZSTD_createCCtx();
    if (dictionary.n)
        c->dictionary = ZSTD_createCDict(dictionary.p, dictionary.n, level);
    if (!c->context || (dictionary.n && !c->dictionary))
        return fail(cx, ERR_TOO_LARGE, "there is not enough memory to compress a segment");
    ZSTD_CCtx_setParameter(c->context, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(c->context, ZSTD_c_checksumFlag, 0); /* our own covers every byte */
    ZSTD_CCtx_refCDict(c->context, c->dictionary);
    return ERR_OK;
}

static err put_bundle(struct ctx *cx, const struct compressor *c, str frames, struct buf *out)
{
    size_t room = ZSTD_compressBound(frames.n);

    if (!buf_reserve(out, room))
        return buf_check(cx, out, "a sealed segment");
    size_t n = ZSTD_compress2(c->context, out->p + out->n, room, frames.p, frames.n);
    if (ZSTD_isError(n))
        return fail(cx, ERR_INTERNAL, "zstd: %s", ZSTD_getErrorName(n));
    out->n += n;
    return ERR_OK;
}

static void put_checksum(struct buf *out, size_t checked_bytes)
{
    XXH128_canonical_t canonical;
    XXH3_state_t *state = XXH3_createState();

    ENSURE(state);
    XXH3_128bits_reset(state);
    XXH3_128bits_update(state, out->p, CHECKED_HEAD_BYTES);
    XXH3_128bits_update(state, out->p + SEGMENT_HEAD_BYTES, checked_bytes - SEGMENT_HEAD_BYTES);
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
    XXH3_freeState(state);
    memcpy(out->p + CHECKED_HEAD_BYTES, &canonical, sizeof canonical);
}

static void put_head(struct buf *out, uint64_t number, str frames, const struct hash *root,
                     size_t dictionary_bytes)
{
    size_t first = SEGMENT_HEAD_BYTES + dictionary_bytes + TABLE_BYTES;

    memcpy(out->p, magic, sizeof magic);
    put_u64(out->p + 8, number);
    put_u64(out->p + 16, frames.n);
    put_u32(out->p + 24, (uint32_t)dictionary_bytes);
    put_u32(out->p + 28, 0);
    memcpy(out->p + 32, root->bytes, HASH_BYTES);
    put_u64(out->p + 64, first);
    put_u64(out->p + 72, out->n);
    put_checksum(out, first);
}

err segment_file_write(struct ctx *cx, uint64_t number, str frames,
                       const uint64_t bundle_at[SEGMENT_BUNDLES + 1], const struct hash *root,
                       int zstd_level, struct buf *out)
{
    CLEANUP(buf_close) struct buf dictionary = BUF(2 * DICTIONARY_BYTES);
    CLEANUP(compressor_close) struct compressor c = {0};

    make_dictionary(frames, bundle_at, zstd_level, &dictionary);
    TRY(compressor_open(cx, &c, buf_str(&dictionary), zstd_level));
    buf_clear(out);
    size_t table = SEGMENT_HEAD_BYTES + dictionary.n, first = table + TABLE_BYTES;
    if (!buf_reserve(out, first))
        return buf_check(cx, out, "a sealed segment");
    memset(out->p, 0, first);
    memcpy(out->p + SEGMENT_HEAD_BYTES, dictionary.p ? dictionary.p : "", dictionary.n);
    out->n = first;
    for (unsigned b = 0; b < SEGMENT_BUNDLES; b++) {
        size_t at = out->n;
        put_u64(out->p + table + 8 * b, at);
        TRY(put_bundle(cx, &c, str_slice(frames, bundle_at[b], bundle_at[b + 1]), out));
        put_u64(out->p + table + OFFSETS_BYTES + 8 * b, XXH3_64bits(out->p + at, out->n - at));
    }
    put_u64(out->p + table + 8 * SEGMENT_BUNDLES, out->n);
    put_head(out, number, frames, root, dictionary.n);
    return ERR_OK;
}

/* ---- reading ---- */

static bool checksum_holds(str bytes, size_t checked_bytes)
{
    struct buf copy = BUF(checked_bytes);

    buf_put(&copy, str_slice(bytes, 0, checked_bytes));
    put_checksum(&copy, checked_bytes);
    bool good = memcmp(copy.p, bytes.p, SEGMENT_HEAD_BYTES) == 0;
    buf_close(&copy);
    return good;
}

static err check_head(struct ctx *cx, str bytes, uint64_t number, size_t *out_dictionary)
{
    if (bytes.n < SEGMENT_HEAD_BYTES + TABLE_BYTES || memcmp(bytes.p, magic, sizeof magic) != 0)
        return fail(cx, ERR_CORRUPT, "byte 0: this is no sealed segment");
    size_t dictionary = get_u32(bytes.p + 24);
    size_t first = SEGMENT_HEAD_BYTES + dictionary + TABLE_BYTES;
    if (get_u64(bytes.p + 72) != bytes.n)
        return fail(cx, ERR_CORRUPT, "byte %zu: the file should have %llu bytes", bytes.n,
                    (unsigned long long)get_u64(bytes.p + 72));
    if (dictionary > bytes.n || first > bytes.n || get_u64(bytes.p + 64) != first)
        return fail(cx, ERR_CORRUPT, "byte 24: the dictionary does not fit the file");
    if (!checksum_holds(bytes, first))
        return fail(cx, ERR_CORRUPT, "bytes 0 to %zu: head, dictionary or table are damaged",
                    first);
    if (get_u64(bytes.p + 8) != number)
        return fail(cx, ERR_CORRUPT, "byte 8: this is segment %llu, not %llu",
                    (unsigned long long)get_u64(bytes.p + 8), (unsigned long long)number);
    *out_dictionary = dictionary;
    return ERR_OK;
}

/* The table is under the checksum, but a foreign tool may have written both: bounds are checked. */
static err check_table(struct ctx *cx, const struct segment_file *f)
{
    uint64_t previous = get_u64(f->table);

    for (unsigned b = 1; b <= SEGMENT_BUNDLES; b++) {
        uint64_t at = get_u64(f->table + 8 * b);
        if (at < previous || at > f->bytes.n)
            return fail(cx, ERR_CORRUPT, "byte %zu: bundle %u does not fit the file",
                        (size_t)(f->table + 8 * b - f->bytes.p), b);
        previous = at;
    }
    return ERR_OK;
}

err segment_file_open(struct ctx *cx, str bytes, uint64_t number, struct segment_file **out)
{
    size_t dictionary;

    TRY(check_head(cx, bytes, number, &dictionary));
    struct segment_file f = {.bytes = bytes, .number = number, .raw_bytes = get_u64(bytes.p + 16)};
    memcpy(f.root.bytes, bytes.p + 32, HASH_BYTES);
    f.table = bytes.p + SEGMENT_HEAD_BYTES + dictionary;
    TRY(check_table(cx, &f));
    if (dictionary) {
        f.dictionary = ZSTD_createDDict_byReference(bytes.p + SEGMENT_HEAD_BYTES, dictionary);
        if (!f.dictionary)
            return fail(cx, ERR_CORRUPT, "byte %d: the dictionary cannot be read",
                        SEGMENT_HEAD_BYTES);
    }
    *out = malloc(sizeof f);
    ENSURE(*out);
    **out = f;
    return ERR_OK;
}

void segment_file_close(struct segment_file *f)
{
    if (!f)
        return;
    ZSTD_freeDDict(f->dictionary);
    free(f);
}

struct hash segment_file_root(const struct segment_file *f)
{
    return f->root;
}

uint64_t segment_file_raw_bytes(const struct segment_file *f)
{
    return f->raw_bytes;
}

void segment_file_extent(const struct segment_file *f, unsigned bundle, uint64_t *out_at,
                         uint64_t *out_n)
{
    *out_at = get_u64(f->table + 8 * (size_t)bundle);
    *out_n = get_u64(f->table + 8 * (size_t)bundle + 8) - *out_at;
}

static bool bundle_checksum_holds(const struct segment_file *f, unsigned bundle)
{
    uint64_t at, n;

    segment_file_extent(f, bundle, &at, &n);
    return get_u64(f->table + OFFSETS_BYTES + 8 * (size_t)bundle) ==
           XXH3_64bits(f->bytes.p + at, n);
}

static bool is_whole_bundle(str frames)
{
    unsigned count = 0;
    str entry;

    while (frame_next(&frames, &entry))
        count++;
    return count == BUNDLE_ENTRIES && frames.n == 0;
}

static void free_chars(char **p)
{
    free(*p);
}

static void free_dctx(ZSTD_DCtx **d)
{
    ZSTD_freeDCtx(*d);
}

err segment_file_bundle(struct ctx *cx, const struct segment_file *f, unsigned bundle,
                        char **out_frames, size_t *out_n)
{
    CLEANUP(free_dctx) ZSTD_DCtx *context = ZSTD_createDCtx();
    CLEANUP(free_chars) char *frames = NULL;
    uint64_t at, packed;

    ENSURE(context);
    segment_file_extent(f, bundle, &at, &packed);
    if (!bundle_checksum_holds(f, bundle))
        return fail(cx, ERR_CORRUPT, "byte %llu: bundle %u is damaged", (unsigned long long)at,
                    bundle);
    unsigned long long n = ZSTD_getFrameContentSize(f->bytes.p + at, packed);
    if (n > BUNDLE_ENTRIES * (65535ULL + 2))
        return fail(cx, ERR_CORRUPT, "byte %llu: bundle %u is damaged", (unsigned long long)at,
                    bundle);
    frames = malloc(n ? n : 1);
    ENSURE(frames);
    size_t got = f->dictionary ? ZSTD_decompress_usingDDict(context, frames, n, f->bytes.p + at,
                                                            packed, f->dictionary)
                               : ZSTD_decompressDCtx(context, frames, n, f->bytes.p + at, packed);
    if (ZSTD_isError(got) || got != n || !is_whole_bundle((str){frames, got}))
        return fail(cx, ERR_CORRUPT, "byte %llu: bundle %u is damaged", (unsigned long long)at,
                    bundle);
    *out_frames = frames;
    *out_n = got;
    frames = NULL;
    return ERR_OK;
}
