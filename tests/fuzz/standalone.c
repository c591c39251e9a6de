/* standalone.c - runs a fuzzer's function over files, so that its corpus is replayed by every
 * build, with any compiler and without libFuzzer.  Arguments are files or folders of files. */
#include "base/fs.h"
#include <stdio.h>

enum { INPUT_BYTES_MAX = 16 * 1024 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static err run_file(struct ctx *cx, const char *path)
{
    str input;

    TRY(fs_read_all(cx, fs_real(), path, INPUT_BYTES_MAX, &input));
    LLVMFuzzerTestOneInput((const uint8_t *)input.p, input.n);
    return ERR_OK;
}

static err run(struct ctx *cx, const char *path, size_t *count)
{
    str *names;
    size_t n;

    if (fs_list(cx, fs_real(), path, &names, &n) != ERR_OK) {
        TRY(run_file(cx, path));
        ++*count;
        return ERR_OK;
    }
    for (size_t i = 0; i < n; i++)
        TRY(run_file(cx, arena_printf(cx->mem, "%s/%.*s", path, STR_FMT(names[i])).p));
    *count += n;
    return ERR_OK;
}

int main(int argc, char **argv)
{
    size_t count = 0;

    for (int i = 1; i < argc; i++) {
        CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);

        if (run(cx, argv[i], &count) != ERR_OK) {
            fprintf(stderr, "%s\n", cx->detail);
            return 3;
        }
    }
    printf("%zu inputs\n", count);
    return count > 0 ? 0 : 2;
}
