/* index_file.c - writing, opening and checking the file of index_inner.h. */
#include "ledger/index_values.h"
#include <endian.h>
#include <stdlib.h>
#include <xxhash.h>

/* ---- writing ---- */

struct section {
    uint32_t kind;
    uint64_t at, n;
};

struct file_writer {
    const struct index_builder *b;
    struct buf *out;
    size_t base; /* of the file in `out` */
    uint32_t count;
    struct section section[INDEX_SECTIONS_MAX];
    uint32_t sections;
};

static size_t head_bytes(uint32_t sections)
{
    return INDEX_HEAD_BYTES + (size_t)sections * INDEX_SECTION_BYTES + INDEX_HEAD_SUM_BYTES;
}

static void section_begin(struct file_writer *w, uint32_t kind)
{
    w->section[w->sections] = (struct section){.kind = kind, .at = w->out->n - w->base};
}

static void section_end(struct file_writer *w)
{
    struct section *s = &w->section[w->sections++];

    s->n = w->out->n - w->base - s->at;
}

static err put_sections(struct ctx *cx, struct file_writer *w)
{
    for (unsigned a = 0; a < ATTR_COUNT; a++) {
        struct builder_view v = builder_view(w->b, (enum attr)a);
        v.count = w->count;
        if (!v.column)
            continue;
        section_begin(w, a);
        TRY(values_write(cx, w->out, &v));
        section_end(w);
    }
    for (unsigned i = 0; i < INDEX_TIMES; i++) {
        const int64_t *recorded = i == INDEX_RECORDED ? NULL : w->b->times[INDEX_RECORDED];
        section_begin(w, SECTION_TIMES + i);
        times_write(w->out, w->b->times[i], recorded, w->count);
        section_end(w);
    }
    if (w->b->any_fingerprint) {
        section_begin(w, SECTION_FINGERPRINTS);
        buf_put(w->out,
                (str){(const char *)w->b->fingerprints, (size_t)w->count * FINGERPRINT_BYTES});
        section_end(w);
    }
    return ERR_OK;
}

static char *put_u64(char *at, uint64_t v)
{
    uint64_t le = htole64(v);

    memcpy(at, &le, sizeof le);
    return at + sizeof le;
}

static void put_head(const struct file_writer *w, uint64_t segment, uint64_t file_bytes)
{
    char *start = w->out->p + w->base, *p = start;

    memcpy(p, INDEX_MAGIC, 8);
    p = put_u64(p + 8, segment);
    p = put_u64(p, file_bytes);
    p = put_u64(p, w->count | (uint64_t)w->sections << 32);
    for (unsigned i = 0; i < INDEX_TIMES; i++) {
        p = put_u64(p, (uint64_t)w->b->times_min[i]);
        p = put_u64(p, (uint64_t)w->b->times_max[i]);
    }
    for (uint32_t i = 0; i < w->sections; i++) {
        p = put_u64(p, w->section[i].kind);
        p = put_u64(p, w->section[i].at);
        p = put_u64(p, w->section[i].n);
    }
    put_u64(p, XXH3_64bits(start, (size_t)(p - start)));
}

static uint32_t sections_of(const struct index_builder *b)
{
    uint32_t n = INDEX_TIMES + (b->any_fingerprint ? 1u : 0u);

    for (unsigned a = 0; a < ATTR_COUNT; a++)
        n += b->attr[a].column != NULL;
    return n;
}

err index_builder_write(struct ctx *cx, const struct index_builder *b, uint64_t segment,
                        struct buf *out)
{
    struct file_writer w = {.b = b, .out = out, .base = out->n, .count = index_builder_count(b)};
    size_t head = head_bytes(sections_of(b));
    XXH128_canonical_t sum;

    ENSURE(w.count > 0);
    if (buf_reserve(out, head))
        out->n += head;
    TRY(put_sections(cx, &w));
    TRY(buf_check(cx, out, "index of a segment"));
    put_head(&w, segment, out->n - w.base + INDEX_SUM_BYTES);
    XXH128_canonicalFromHash(&sum, XXH3_128bits(out->p + w.base, out->n - w.base));
    buf_put(out, (str){(const char *)sum.digest, sizeof sum.digest});
    return buf_check(cx, out, "index of a segment");
}

/* ---- opening ---- */

static uint64_t get_u64(str s, size_t at)
{
    uint64_t v;

    memcpy(&v, s.p + at, sizeof v);
    return le64toh(v);
}

err index_corrupt(struct ctx *cx, const struct index_reader *r, const char *what, const void *at)
{
    return fail(cx, ERR_CORRUPT, "index of segment %llu: malformed %s at byte %zu",
                (unsigned long long)r->segment, what, (size_t)((const char *)at - r->bytes.p));
}

/* Give a section its place; false when the kind is not known or its size cannot be. */
static bool place_section(struct index_reader *r, uint64_t kind, str bytes)
{
    if (kind < ATTR_COUNT) {
        r->attr[kind] = bytes;
    } else if (kind >= SECTION_TIMES && kind < SECTION_TIMES + INDEX_TIMES) {
        r->times[kind - SECTION_TIMES].bytes = bytes;
    } else if (kind == SECTION_FINGERPRINTS) {
        r->fingerprints = bytes;
        return bytes.n == (size_t)r->entries * FINGERPRINT_BYTES;
    } else {
        return false;
    }
    return bytes.n > 0;
}

/* Sections follow each other from the end of the head to the sum, their kinds rising. */
static err open_sections(struct ctx *cx, struct index_reader *r, uint32_t sections)
{
    uint64_t at = head_bytes(sections), end = r->bytes.n - INDEX_SUM_BYTES;
    int64_t kind_before = -1;

    for (uint32_t i = 0; i < sections; i++) {
        size_t row = INDEX_HEAD_BYTES + (size_t)i * INDEX_SECTION_BYTES;
        uint64_t kind = get_u64(r->bytes, row), n = get_u64(r->bytes, row + 16);
        if (get_u64(r->bytes, row + 8) != at || n > end - at || (int64_t)kind <= kind_before ||
            !place_section(r, kind, (str){r->bytes.p + at, n}))
            return index_corrupt(cx, r, "section", r->bytes.p + row);
        kind_before = (int64_t)kind;
        at += n;
    }
    if (at != end || str_is_null(r->times[INDEX_RECORDED].bytes) ||
        str_is_null(r->times[INDEX_TIME].bytes))
        return index_corrupt(cx, r, "list of sections", r->bytes.p + INDEX_HEAD_BYTES);
    return ERR_OK;
}

static err open_head(struct ctx *cx, struct index_reader *r)
{
    str b = r->bytes;

    if (b.n < head_bytes(0) + INDEX_SUM_BYTES || memcmp(b.p, INDEX_MAGIC, 8) != 0)
        return index_corrupt(cx, r, "magic", b.p);
    uint32_t sections = (uint32_t)(get_u64(b, 24) >> 32);
    r->entries = (uint32_t)get_u64(b, 24);
    if (sections > INDEX_SECTIONS_MAX || b.n < head_bytes(sections) + INDEX_SUM_BYTES)
        return index_corrupt(cx, r, "number of sections", b.p + 28);
    size_t sum_at = head_bytes(sections) - INDEX_HEAD_SUM_BYTES;
    if (get_u64(b, sum_at) != XXH3_64bits(b.p, sum_at))
        return index_corrupt(cx, r, "head (its checksum differs)", b.p);
    if (get_u64(b, 8) != r->segment)
        return fail(cx, ERR_CORRUPT, "index of segment %llu: it is that of segment %llu",
                    (unsigned long long)r->segment, (unsigned long long)get_u64(b, 8));
    if (get_u64(b, 16) != b.n)
        return fail(cx, ERR_CORRUPT, "index of segment %llu: %zu bytes instead of %llu",
                    (unsigned long long)r->segment, b.n, (unsigned long long)get_u64(b, 16));
    if (r->entries == 0 || r->entries > SEGMENT_ENTRIES)
        return index_corrupt(cx, r, "number of entries", b.p + 24);
    for (unsigned i = 0; i < INDEX_TIMES; i++) {
        r->times_min[i] = (int64_t)get_u64(b, 32 + (size_t)i * 16);
        r->times_max[i] = (int64_t)get_u64(b, 40 + (size_t)i * 16);
        r->times[i].entries = r->entries;
    }
    r->times[INDEX_TIME].recorded = &r->times[INDEX_RECORDED];
    return open_sections(cx, r, sections);
}

static void reader_cleanup(struct index_reader **r)
{
    index_reader_close(*r);
}

err index_reader_open(struct ctx *cx, str bytes, uint64_t segment, struct index_reader **out)
{
    CLEANUP(reader_cleanup) struct index_reader *r = calloc(1, sizeof *r);

    ENSURE(r);
    r->bytes = bytes;
    r->segment = segment;
    TRY(open_head(cx, r));
    *out = r;
    r = NULL;
    return ERR_OK;
}

void index_reader_close(struct index_reader *r)
{
    free(r);
}

err index_reader_check(struct ctx *cx, const struct index_reader *r)
{
    XXH128_canonical_t sum;
    size_t n = r->bytes.n - INDEX_SUM_BYTES;

    XXH128_canonicalFromHash(&sum, XXH3_128bits(r->bytes.p, n));
    if (memcmp(sum.digest, r->bytes.p + n, sizeof sum.digest) != 0)
        return index_corrupt(cx, r, "file (its checksum differs)", r->bytes.p);
    return ERR_OK;
}
