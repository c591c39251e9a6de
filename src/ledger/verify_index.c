/* verify_index.c - the index of a sealed segment, made again from the entries and compared byte for
 * byte.  Where the entries are damaged themselves, its own checksum must do. */
#include "ledger/verify_inner.h"

err verify_index_open(struct ctx *cx, struct verify *v, uint64_t number, struct index_look *out)
{
    str name = verify_segment_name(cx->mem, number, "idx");
    struct index_reader *reader;

    *out = (struct index_look){.name = name, .bytes = STR_NULL};
    if (!folder_has(&v->folder, name))
        return ERR_OK; /* which has been said */
    TRY(verify_map(cx, v, name, &out->bytes));
    out->opens = index_reader_open(cx, out->bytes, number, &reader) == ERR_OK;
    if (out->opens)
        index_reader_close(reader);
    ctx_clear_error(cx);
    return ERR_OK;
}

void verify_index_close(struct verify *v, struct index_look *ix)
{
    if (!str_is_null(ix->bytes))
        fs_unmap(v->options->fs, ix->bytes);
}

static bool checksum_holds(uint64_t number, const struct index_look *ix)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    struct index_reader *reader;

    if (index_reader_open(cx, ix->bytes, number, &reader) != ERR_OK)
        return false;
    err e = index_reader_check(cx, reader);
    index_reader_close(reader);
    return e == ERR_OK;
}

static void compare(struct verify *v, const struct index_look *ix, str want)
{
    size_t at = 0, n = size_min(ix->bytes.n, want.n);

    while (at < n && ix->bytes.p[at] == want.p[at])
        at++;
    if (at < n || ix->bytes.n != want.n)
        verify_fault(v, ix->name, at, VERIFY_NO_ENTRY, "the index is not the one its entries have");
}

err verify_index(struct ctx *cx, struct verify *v, uint64_t number, const struct index_look *ix,
                 const struct index_builder *builder)
{
    CLEANUP(buf_close) struct buf want = BUF((size_t)1 << 40);

    if (str_is_null(ix->bytes))
        return ERR_OK;
    if (builder) {
        TRY(index_builder_write(cx, builder, number, &want));
        compare(v, ix, buf_str(&want));
    } else if (!checksum_holds(number, ix)) {
        verify_fault(v, ix->name, 0, VERIFY_NO_ENTRY, "the index is damaged");
    }
    return ERR_OK;
}
