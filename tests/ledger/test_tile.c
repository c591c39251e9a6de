/* Names of tiles, and which tiles a tree has. */
#include "ledger/tile.h"
#include "test.h"

struct named {
    const char *path;
    struct tile tile;
};

static const struct named named[] = {
    {"tile/0/000", {.level = 0, .index = 0, .width = 256}},
    {"tile/0/005", {.level = 0, .index = 5, .width = 256}},
    {"tile/0/999", {.level = 0, .index = 999, .width = 256}},
    {"tile/0/x001/000", {.level = 0, .index = 1000, .width = 256}},
    {"tile/1/x001/x234/067", {.level = 1, .index = 1234067, .width = 256}},
    {"tile/63/000.p/1", {.level = 63, .index = 0, .width = 1}},
    {"tile/2/x001/x234/067.p/255", {.level = 2, .index = 1234067, .width = 255}},
    {"tile/entries/x123/456", {.is_bundle = true, .index = 123456, .width = 256}},
    {"tile/entries/000.p/112", {.is_bundle = true, .index = 0, .width = 112}},
    {"tile/0/x018/x446/x744/x073/x709/x551/615", {.level = 0, .index = UINT64_MAX, .width = 256}},
};

TEST(tile_names_are_read_and_written)
{
    for (size_t i = 0; i < COUNT(named); i++) {
        CLEANUP(buf_close) struct buf b = BUF(1000);
        struct tile t;

        CHECK_OK(tile_parse(cx, str_from(named[i].path), &t));
        CHECK_EQ(t.is_bundle, named[i].tile.is_bundle);
        CHECK_EQ(t.level, named[i].tile.level);
        CHECK(t.index == named[i].tile.index);
        CHECK_EQ(t.width, named[i].tile.width);
        tile_put(&b, &named[i].tile);
        CHECK_STR(buf_str(&b), str_from(named[i].path));
    }
}

TEST(other_spellings_are_refused)
{
    static const char *const wrong[] = {
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000",
        "tile/0/x000/000",
        "tile/0/x000/x001/000",
        "tile/0/001/000",
        "tile/0/X001/000",
        "tile/0/x001/x000",
        "tile/0/x01/000",
        "tile/0/x001//000",
        "tile/0/000/",
        "tile/0/-01",
        "tile/0/ 01",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/-1/000",
        "tile//000",
        "tile/data/000",
        "tile/Entries/000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/1000",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/0/000.q/1",
        "tile/0/000p/1",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
    };
    struct tile t;

    for (size_t i = 0; i < COUNT(wrong); i++)
        CHECK_ERR(tile_parse(cx, str_from(wrong[i]), &t), ERR_INVALID);
    CHECK_ERR(tile_parse(cx, S("tile/0/000\0"), &t), ERR_INVALID);
}

/* The specification's examples: sizes 70000 and 256. */
TEST(widths_of_tiles)
{
    CHECK_EQ(tile_width(70000, 0, 0), 256);
    CHECK_EQ(tile_width(70000, 0, 272), 256);
    CHECK_EQ(tile_width(70000, 0, 273), 112);
    CHECK_EQ(tile_width(70000, 0, 274), 0);
    CHECK_EQ(tile_width(70000, 1, 0), 256);
    CHECK_EQ(tile_width(70000, 1, 1), 17);
    CHECK_EQ(tile_width(70000, 1, 2), 0);
    CHECK_EQ(tile_width(70000, 2, 0), 1);
    CHECK_EQ(tile_width(70000, 3, 0), 0);
    CHECK_EQ(tile_width(256, 0, 0), 256);
    CHECK_EQ(tile_width(256, 0, 1), 0);
    CHECK_EQ(tile_width(256, 1, 0), 1);
    CHECK_EQ(tile_width(0, 0, 0), 0);
    CHECK_EQ(tile_width(UINT64_MAX, 7, 0), 255);
    CHECK_EQ(tile_width(UINT64_MAX, 8, 0), 0);
    CHECK_EQ(tile_width(UINT64_MAX, 63, 0), 0);
}
