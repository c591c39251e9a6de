/* tile.h - names of tiles and entry bundles as c2sp.org/tlog-tiles has them.
 *
 *   tile/<level>/<index>[.p/<width>]      hashes [index * 256, index * 256 + width) of a tile level
 *   tile/entries/<index>[.p/<width>]      those entries
 *
 * The index stands in groups of three digits, all but the last with an x: 1234067 is x001/x234/067.
 * There is one spelling for each tile, and no other is taken.  Any thread. */
#pragma once
#include "base/base.h"
#include "base/buf.h"

enum { TILE_WIDTH_FULL = 256, TILE_LEVEL_MAX = 63 };

struct tile {
    bool is_bundle; /* entries, not hashes; level is 0 */
    unsigned level;
    uint64_t index;
    unsigned width; /* 1 to 256; less than 256 is a partial tile */
};

err tile_parse(struct ctx *cx, str path, struct tile *out); /* INVALID */
void tile_put(struct buf *b, const struct tile *t);

/* How many hashes (or entries, level 0) tile `index` of `level` has in a tree of `size`; 0 when
 * there is no such tile. */
unsigned tile_width(uint64_t size, unsigned level, uint64_t index);
