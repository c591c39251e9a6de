/* ledger_folder.c - see ledger_folder.h. */
#include "ledger/ledger_folder.h"
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

enum { DIGITS_MIN = 8, NAME_BYTES = 64 };

err folder_read(struct ctx *cx, struct fs fs, const char *dir, struct folder *out)
{
    err e = fs_list(cx, fs, dir, &out->names, &out->count);

    if (e != ERR_NOT_FOUND)
        return e;
    ctx_clear_error(cx);
    *out = (struct folder){NULL, 0};
    return ERR_OK;
}

static int compare_names(const void *key, const void *name)
{
    return str_cmp(*(const str *)key, *(const str *)name);
}

bool folder_has(const struct folder *f, str name)
{
    return f->count && bsearch(&name, f->names, f->count, sizeof *f->names, compare_names);
}

bool segment_name_parse(str name, struct segment_name *out)
{
    str rest = name, digits = str_cut(&rest, '.');
    uint64_t number;

    if (!str_starts(digits, S("segment-")) || str_is_null(rest))
        return false;
    digits = str_slice(digits, S("segment-").n, digits.n);
    if (digits.n < DIGITS_MIN || (digits.n > DIGITS_MIN && digits.p[0] == '0') ||
        !str_to_u64(digits, &number))
        return false;
    *out = (struct segment_name){number, rest};
    return true;
}

bool folder_has_segment(const struct folder *f, uint64_t number, str kind)
{
    char name[NAME_BYTES];
    int n = snprintf(name, sizeof name, "segment-%08llu.%.*s", (unsigned long long)number,
                     STR_FMT(kind));

    return folder_has(f, (str){name, (size_t)n});
}

uint64_t folder_segments_end(const struct folder *f, str kind)
{
    struct segment_name name;
    uint64_t end = 0;

    for (size_t i = 0; i < f->count; i++)
        if (segment_name_parse(f->names[i], &name) && str_eq(name.kind, kind) && name.number >= end)
            end = name.number + 1;
    return end;
}

str pruned_mark(struct arena *mem, uint64_t first_kept)
{
    str digits = arena_printf(mem, "%llu", (unsigned long long)first_kept);

    return arena_printf(mem, "%.*s %016llx\n", STR_FMT(digits),
                        (unsigned long long)XXH3_64bits(digits.p, digits.n));
}

bool pruned_mark_parse(str text, uint64_t *out)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    str rest = text;
    uint64_t first_kept;

    if (!str_to_u64(str_cut(&rest, ' '), &first_kept) || first_kept == 0 ||
        !str_eq(pruned_mark(cx->mem, first_kept), text))
        return false;
    *out = first_kept;
    return true;
}
