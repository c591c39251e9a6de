/* whole_file.c - see whole_file.h. */
#include "cli/whole_file.h"
#include "base/buf.h"
#include <stdio.h>

enum { STEP_BYTES = 16 * 1024 };

static err read_all(struct ctx *cx, FILE *f, const char *name, struct buf *b)
{
    for (size_t got = 1; got > 0; b->n += got) {
        if (!buf_reserve(b, STEP_BYTES))
            return fail(cx, ERR_TOO_LARGE, "%s is larger than %zu bytes", name,
                        b->max - STEP_BYTES);
        got = fread(b->p + b->n, 1, STEP_BYTES, f);
        if (got == 0 && ferror(f))
            return fail_errno(cx, ERR_IO, "%s", name);
    }
    return ERR_OK;
}

err whole_file_read(struct ctx *cx, str path, size_t bytes_max, str *out)
{
    CLEANUP(buf_close) struct buf b = BUF(bytes_max + STEP_BYTES);
    bool standard = str_eq(path, S("-"));
    FILE *f = standard ? stdin : fopen(arena_z(cx->mem, path), "rbe");

    if (!f)
        return fail_errno(cx, ERR_IO, "%.*s", STR_FMT(path));
    err e = read_all(cx, f, standard ? "standard input" : arena_z(cx->mem, path), &b);
    if (!standard)
        fclose(f);
    TRY(e);
    *out = arena_str(cx->mem, buf_str(&b));
    return ERR_OK;
}
