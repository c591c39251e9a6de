/* What parses as a checkpoint is written back to the same bytes. */
#include "ledger/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    CLEANUP(buf_close) struct buf again = BUF(size + 16);
    str in = {(const char *)data, size};
    struct checkpoint c;

    if (checkpoint_parse(cx, in, &c) == ERR_OK) {
        ENSURE(c.origin.n > 0);
        checkpoint_put(&again, &c);
        ENSURE(str_eq(buf_str(&again), in));
    }
    return 0;
}
