/* verify_segment.c - one segment: every entry against its leaf hash, its frames, its stamps.
 *
 * Where an entry and its leaf hash differ, one of two files is wrong; tree-1, the root over each
 * 256 leaf hashes, tells which.  A segment without its bytes (pruned, or the file is missing) is
 * looked at by its hashes alone. */
#include "ledger/entry.h"
#include "ledger/verify_inner.h"
#include <stdlib.h>

struct look {
    struct verify *v;
    uint64_t number;
    str name; /* of the file with the entries */
    bool sealed;
    struct json_parser *parser;
    struct entry_batch batch;
    struct index_builder *builder; /* sealed */
    unsigned bundle;
    uint64_t count;    /* entries that are there or should be */
    bool damaged;      /* an entry */
    bool in_bad_run;   /* the entry before was wrong as well: one fault for both */
    int64_t inherited; /* stamp of the entry before, for opaque ones */
};

/* The bundle being looked at: what its bytes say and what tree-0 says. */
struct pair {
    struct hash own[BUNDLE_ENTRIES];
    size_t own_count, good; /* good: entries that agree, from the first on */
    const struct hash *stored;
    size_t stored_count;
    size_t need; /* entries that must be there: sealed, or signed */
};

static uint64_t bundle_number(const struct look *k)
{
    return k->number * SEGMENT_BUNDLES + k->bundle;
}

static uint64_t first_entry(const struct look *k)
{
    return bundle_number(k) * BUNDLE_ENTRIES;
}

static void find_stored(const struct look *k, struct pair *p)
{
    uint64_t n, first = first_entry(k), signed_size = k->v->last_signed.size;

    p->stored = verify_stored(k->v, 0, first, &n);
    p->stored_count = (size_t)u64_min(n, BUNDLE_ENTRIES);
    p->need = BUNDLE_ENTRIES;
    if (!k->sealed)
        p->need = signed_size > first ? (size_t)u64_min(signed_size - first, BUNDLE_ENTRIES) : 0;
}

/* ---- what is right ---- */

static void set_root(struct look *k, struct hash root)
{
    k->v->roots[bundle_number(k)] = root;
}

static bool tree_1_says(const struct look *k, const struct hash *leaves)
{
    uint64_t n;
    const struct hash *root = verify_stored(k->v, 1, bundle_number(k), &n);
    struct hash own = verify_root_of(leaves, BUNDLE_ENTRIES);

    return n > 0 && hash_eq(&own, root);
}

static void fault_entry(struct look *k, uint64_t at, uint64_t entry)
{
    k->damaged = true;
    verify_fault(k->v, k->name, at, entry, "entry %llu does not have its leaf hash",
                 (unsigned long long)entry);
}

static void fault_leaf(struct look *k, uint64_t entry)
{
    verify_fault(k->v, S("tree-0"), entry * HASH_BYTES, entry,
                 "the leaf hash of entry %llu is not that of its bytes", (unsigned long long)entry);
}

/* Entry and leaf hash number p->good differ: which of the two is wrong? */
static void judge(struct look *k, const struct pair *p, uint64_t at)
{
    bool own_whole = p->own_count == BUNDLE_ENTRIES;
    uint64_t entry = first_entry(k) + p->good;

    if (p->stored_count == BUNDLE_ENTRIES && tree_1_says(k, p->stored)) {
        set_root(k, verify_root_of(p->stored, BUNDLE_ENTRIES));
        if (!k->in_bad_run)
            fault_entry(k, at, entry);
        return;
    }
    if (own_whole && tree_1_says(k, p->own)) {
        verify_keep_right(k->v, bundle_number(k), p->own, BUNDLE_ENTRIES);
        set_root(k, verify_root_of(p->own, BUNDLE_ENTRIES));
        fault_leaf(k, entry);
        return;
    }
    k->damaged = true;
    if (p->own_count >= p->need && p->need < BUNDLE_ENTRIES && !k->in_bad_run) {
        struct doubt *d = &k->v->doubt;
        *d = (struct doubt){.open = true, .entry = entry, .entry_at = at};
        memcpy(d->own, p->own, p->own_count * sizeof *d->own);
        d->own_count = p->own_count;
    } else if (!k->in_bad_run) {
        fault_entry(k, at, entry);
    }
    if (p->stored_count == BUNDLE_ENTRIES)
        set_root(k, verify_root_of(p->stored, BUNDLE_ENTRIES));
}

/* ---- one bundle ---- */

static err parse(struct ctx *cx, struct look *k, str *frames, struct pair *p)
{
    str entry;

    entry_batch_clear(&k->batch);
    while (k->batch.count < BUNDLE_ENTRIES && frame_next(frames, &entry)) {
        size_t n = k->batch.count;
        TRY(entry_add_stored(cx, &k->batch, k->parser, entry,
                             n ? k->batch.meta[n - 1].recorded_us : k->inherited));
    }
    entry_batch_hash(&k->batch);
    p->own_count = k->batch.count;
    for (size_t i = 0; i < p->own_count; i++)
        p->own[i] = k->batch.meta[i].leaf;
    while (p->good < p->own_count && p->good < p->stored_count &&
           hash_eq(&p->own[p->good], &p->stored[p->good]))
        p->good++;
    return ERR_OK;
}

/* `recorded` never goes back; what it is at both ends is compared with the neighbours later. */
static void check_stamps(struct look *k, size_t n, uint64_t at)
{
    struct verify *v = k->v;

    for (size_t i = 0; i < n; i++) {
        const struct entry_meta *m = &k->batch.meta[i];
        if (!m->id_hash)
            continue;
        if (v->first_recorded[k->number] == VERIFY_NOT_RECORDED)
            v->first_recorded[k->number] = m->recorded_us;
        else if (m->recorded_us < v->last_recorded[k->number])
            verify_fault(v, k->name, at, first_entry(k) + i, "\"recorded\" of entry %llu goes back",
                         (unsigned long long)(first_entry(k) + i));
        v->last_recorded[k->number] = m->recorded_us;
    }
    if (n)
        k->inherited = k->batch.meta[n - 1].recorded_us;
}

/* Where the first bad entry begins; of a sealed one only the bundle is known. */
static uint64_t bad_place(const struct look *k, const struct pair *p, uint64_t at, uint64_t end)
{
    if (k->sealed)
        return at;
    return p->good < p->own_count ? at + k->batch.meta[p->good].at - ENTRY_FRAME_BYTES : end;
}

static bool ends_badly(const struct pair *p)
{
    return p->own_count < p->need || p->stored_count < p->need ||
           !hash_eq(&p->own[p->need - 1], &p->stored[p->need - 1]);
}

/* tree-0 is too short, which is said elsewhere. */
static void trust_bytes(struct look *k, const struct pair *p)
{
    verify_keep_right(k->v, bundle_number(k), p->own, p->own_count);
    if (p->own_count == BUNDLE_ENTRIES)
        set_root(k, verify_root_of(p->own, BUNDLE_ENTRIES));
}

/* Frames that lie at `at` of the file (sealed: in a bundle there).  False: the log ends here. */
static err look_at_bundle(struct ctx *cx, struct look *k, str *frames, uint64_t at, bool *out_more)
{
    struct pair p = {.own_count = 0};
    const char *begin = frames->p;

    find_stored(k, &p);
    TRY(parse(cx, k, frames, &p));
    uint64_t end = at + (uint64_t)(frames->p - begin);
    *out_more = p.good == BUNDLE_ENTRIES || p.need == BUNDLE_ENTRIES;
    if (p.good == BUNDLE_ENTRIES) {
        set_root(k, verify_root_of(p.own, BUNDLE_ENTRIES));
        k->in_bad_run = false;
    } else if (p.good < p.need && p.good < p.own_count && p.good == p.stored_count) {
        trust_bytes(k, &p);
    } else if (p.good < p.need) {
        judge(k, &p, bad_place(k, &p, at, end));
        k->in_bad_run = ends_badly(&p);
    }
    check_stamps(k, p.good >= p.need || k->damaged ? p.good : p.own_count, at);
    size_t count = size_max(p.good, p.need);
    if (k->builder && p.own_count == BUNDLE_ENTRIES)
        index_builder_add(k->builder, &k->batch, 0, BUNDLE_ENTRIES);
    k->count += count;
    verify_progress(k->v, count);
    return ERR_OK;
}

/* ---- raw ---- */

static err look_at_raw(struct ctx *cx, struct look *k, str file)
{
    str rest = file;
    bool more = true;

    for (; more && k->bundle < SEGMENT_BUNDLES; k->bundle++)
        TRY(look_at_bundle(cx, k, &rest, (uint64_t)(rest.p - file.p), &more));
    if (k->count == SEGMENT_ENTRIES && rest.n && !k->damaged)
        verify_fault(k->v, k->name, (uint64_t)(rest.p - file.p), VERIFY_NO_ENTRY,
                     "something follows the last entry");
    return ERR_OK;
}

/* ---- sealed ---- */

/* A reader's own words, "byte 24: ..." . */
static void fault_told(struct ctx *cx, const struct look *k, uint64_t entry)
{
    str text = str_from(cx->detail), head;
    uint64_t at;

    head = str_cut(&text, ':');
    if (str_starts(head, S("byte ")) && str_to_u64(str_slice(head, 5, head.n), &at))
        verify_fault(k->v, k->name, at, entry, "%.*s", STR_FMT(str_trim(text)));
    else
        verify_fault(k->v, k->name, 0, entry, "%s", cx->detail);
    ctx_clear_error(cx);
}

static struct hash segment_root(const struct look *k)
{
    return verify_root_of(k->v->roots + k->number * SEGMENT_BUNDLES, SEGMENT_BUNDLES);
}

static void check_head(const struct look *k, const struct segment_file *f, uint64_t raw_bytes)
{
    struct hash root = segment_file_root(f), own = segment_root(k);

    if (!hash_eq(&root, &own))
        verify_fault(k->v, k->name, 32, VERIFY_NO_ENTRY,
                     "the root in its head is not that of its entries");
    if (!k->damaged && segment_file_raw_bytes(f) != raw_bytes)
        verify_fault(k->v, k->name, 16, VERIFY_NO_ENTRY,
                     "its head does not tell the size of its entries");
}

/* Without bytes: the leaf hashes are right unless tree-1 and all above it say otherwise. */
static void look_at_hashes(struct look *k, bool tree_1_is_right)
{
    uint64_t n, upper;
    const struct hash *stored = verify_stored(k->v, 0, first_entry(k), &n);
    const struct hash *root = verify_stored(k->v, 1, bundle_number(k), &upper);

    if (n < BUNDLE_ENTRIES) {
        if (upper)
            set_root(k, *root);
        return;
    }
    struct hash own = verify_root_of(stored, BUNDLE_ENTRIES);
    if (!upper || !tree_1_is_right || hash_eq(&own, root)) {
        set_root(k, own);
        return;
    }
    set_root(k, *root);
    verify_fault(k->v, S("tree-0"), first_entry(k) * HASH_BYTES, first_entry(k),
                 "one of the leaf hashes from entry %llu on is wrong",
                 (unsigned long long)first_entry(k));
}

static err look_at_sealed(struct ctx *cx, struct look *k, const struct segment_file *f)
{
    uint64_t raw_bytes = 0, at, packed;
    char *frames;
    bool more;
    size_t n;

    for (; k->bundle < SEGMENT_BUNDLES; k->bundle++) {
        segment_file_extent(f, k->bundle, &at, &packed);
        if (segment_file_bundle(cx, f, k->bundle, &frames, &n) != ERR_OK) {
            fault_told(cx, k, first_entry(k));
            look_at_hashes(k, true);
            k->damaged = true;
            k->count += BUNDLE_ENTRIES;
            continue;
        }
        str rest = {frames, n};
        raw_bytes += n;
        k->in_bad_run = false;
        err e = look_at_bundle(cx, k, &rest, at, &more);
        free(frames);
        TRY(e);
    }
    check_head(k, f, raw_bytes);
    return ERR_OK;
}

/* ---- one segment ---- */

static bool tree_1_fits_tree_2(const struct look *k)
{
    uint64_t n, upper;
    const struct hash *roots = verify_stored(k->v, 1, k->number * SEGMENT_BUNDLES, &n);
    const struct hash *stored = verify_stored(k->v, 2, k->number, &upper);

    if (n < SEGMENT_BUNDLES || !upper)
        return false;
    struct hash own = verify_root_of(roots, SEGMENT_BUNDLES);
    return hash_eq(&own, stored);
}

/* Pruned, or the file is missing or cannot be read at all. */
static void look_without_bytes(struct look *k)
{
    uint64_t first = k->number * SEGMENT_ENTRIES, signed_size = k->v->last_signed.size;
    bool tree_1_is_right = tree_1_fits_tree_2(k);

    k->damaged = k->number >= k->v->pruned;
    k->count = SEGMENT_ENTRIES;
    if (!k->sealed)
        k->count = signed_size > first ? u64_min(signed_size - first, SEGMENT_ENTRIES) : 0;
    for (k->bundle = 0; k->bundle < k->count / BUNDLE_ENTRIES; k->bundle++)
        look_at_hashes(k, tree_1_is_right);
    verify_progress(k->v, k->count);
}

static err open_sealed(struct ctx *cx, struct look *k, str bytes)
{
    struct segment_file *f;

    if (segment_file_open(cx, bytes, k->number, &f) != ERR_OK) {
        fault_told(cx, k, VERIFY_NO_ENTRY);
        look_without_bytes(k);
        return ERR_OK;
    }
    err e = look_at_sealed(cx, k, f);
    segment_file_close(f);
    return e;
}

/* Opaque entries at the beginning take the stamp of the segment before, which the index has; that
 * it is that one is seen when all segments are joined. */
static void find_inherited(struct look *k, const struct index_look *ix)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    struct index_reader *reader;
    int64_t first;

    if (!ix->opens || index_reader_open(cx, ix->bytes, k->number, &reader) != ERR_OK)
        return;
    struct segment_index index = {.reader = reader};
    if (index_times(cx, index, INDEX_RECORDED, &first, 1) == ERR_OK)
        k->inherited = first;
    index_reader_close(reader);
}

static err look_at_sealed_pair(struct ctx *cx, struct look *k, str bytes)
{
    struct index_look ix;

    TRY(verify_index_open(cx, k->v, k->number, &ix));
    find_inherited(k, &ix);
    int64_t inherited = k->inherited;
    k->builder = index_builder_open();
    err e = open_sealed(cx, k, bytes);
    if (!k->damaged && k->v->first_recorded[k->number] != inherited && ix.opens)
        k->v->inherited[k->number] = inherited;
    if (e == ERR_OK)
        e = verify_index(cx, k->v, k->number, &ix, k->damaged ? NULL : k->builder);
    verify_index_close(k->v, &ix);
    return e;
}

static void look_close(struct look *k)
{
    json_parser_close(k->parser);
    entry_batch_close(&k->batch);
    index_builder_close(k->builder);
}

err verify_segment(struct ctx *cx, struct verify *v, uint64_t number)
{
    bool sealed = number < v->sealed_end;
    CLEANUP(look_close)
    struct look k = {
        .v = v,
        .number = number,
        .sealed = sealed,
        .name = verify_segment_name(cx->mem, number, sealed ? "seg" : "raw"),
        .parser = json_parser_open(),
    };
    str bytes;

    entry_batch_init(&k.batch, BUNDLE_ENTRIES * (ENTRY_BYTES_MAX + ENTRY_FRAME_BYTES));
    err e = ERR_OK;
    if (number < v->pruned || !folder_has(&v->folder, k.name)) {
        look_without_bytes(&k);
    } else {
        TRY(verify_map(cx, v, k.name, &bytes));
        e = sealed ? look_at_sealed_pair(cx, &k, bytes) : look_at_raw(cx, &k, bytes);
        fs_unmap(v->options->fs, bytes);
    }
    v->counts[number] = k.count;
    if (k.damaged)
        v->first_recorded[number] = v->last_recorded[number] = VERIFY_UNKNOWN;
    return e;
}
