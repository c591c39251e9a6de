/* There is one name for each tile: what parses is written back to the same bytes, and every tile's
 * name parses to that tile. */
#include "ledger/tile.h"

static void check_name(struct ctx *cx, str in)
{
    CLEANUP(buf_close) struct buf again = BUF(1000);
    struct tile t;

    if (tile_parse(cx, in, &t) == ERR_OK) {
        tile_put(&again, &t);
        ENSURE(str_eq(buf_str(&again), in));
    }
}

/* The input's bytes as the members of a tile. */
static void check_tile(struct ctx *cx, const uint8_t *data)
{
    CLEANUP(buf_close) struct buf name = BUF(1000);
    struct tile t = {.is_bundle = data[0] & 1, .width = 1u + data[1]}, again;

    t.level = t.is_bundle ? 0 : data[2] % (TILE_LEVEL_MAX + 1);
    memcpy(&t.index, data + 3, sizeof(t.index));
    tile_put(&name, &t);
    ENSURE(tile_parse(cx, buf_str(&name), &again) == ERR_OK);
    ENSURE(again.is_bundle == t.is_bundle && again.level == t.level && again.index == t.index &&
           again.width == t.width);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);

    check_name(cx, (str){(const char *)data, size});
    if (size >= 11)
        check_tile(cx, data);
    return 0;
}
