/* fuzz_index.c - any bytes as the index of a segment: opening and all questions stay within them,
 * and what is answered is in order.  Sizes and checksums are made right first, so that the parts
 * behind them are reached. */
#include "../ledger/ask_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ctx *cx = ctx_open(0);
    char *copy = malloc(size + 1);
    bool ok;

    ENSURE(copy);
    if (size)
        memcpy(copy, data, size);
    ask_repair(copy, size);
    ask_index(cx, (str){copy, size}, size >= 16 ? ask_get_u64(copy + 8) : 0, &ok);
    free(copy);
    ctx_close(cx);
    return 0;
}
