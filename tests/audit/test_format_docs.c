/* docs/ingest-formats.md tells the truth: each example block, named after its format and the
 * options it is read with, gives the events of the block behind it; and every format has its
 * section. */
#include "base/clock.h"
#include "base/fs.h"
#include "format_case.h"

enum { PAGE_BYTES_MAX = 1 << 20, ZONE_OFFSET_S = 3600 };

static str read_page(struct ctx *cx)
{
    str page;

    CHECK_OK(fs_read_all(cx, fs_real(), "docs/ingest-formats.md", PAGE_BYTES_MAX, &page));
    return page;
}

/* The text up to the closing fence, which is passed too. */
static str take_block(str *rest)
{
    str from = *rest;

    while (!str_is_null(*rest)) {
        str line = str_cut(rest, '\n');

        if (str_eq(line, S("```")))
            return str_slice(from, 0, (size_t)(line.p - from.p));
    }
    CHECK_STR(from, S("a block that is closed"));
    return STR_NULL;
}

static void set_option(struct format_options *o, str pair)
{
    str value = pair, name = str_cut(&value, '=');

    if (str_eq(name, S("type")))
        o->type = value;
    else if (str_eq(name, S("map")))
        o->map = value;
    else if (str_eq(name, S("reference")))
        CHECK(time_parse(value, &o->reference_us));
    else
        CHECK_STR(name, S("type, map or reference"));
}

/* `heading` is what follows the fence: format and options. */
static void check_example(struct ctx *cx, str heading, str *rest)
{
    struct format_options o = {.host = S("web1"), .zone_offset_s = ZONE_OFFSET_S};
    str options = heading, name = str_cut(&options, ' '), input = take_block(rest);

    while (options.n > 0)
        set_option(&o, str_cut(&options, ' '));
    CHECK_STR(str_cut(rest, '\n'), S("```json"));
    str told = format_answer(cx, "cloudevents", NULL, take_block(rest), 0);
    str given = format_answer(cx, arena_z(cx->mem, name), &o, input, 0);
    size_t count = count_lines_of(told, "event");

    CHECK(count > 0 && count_lines_of(told, "reject") == 0);
    CHECK_EQ(count_lines_of(given, "event"), count);
    CHECK_EQ(count_lines_of(given, "reject"), 0);
    for (size_t n = 0; n < count; n++)
        CHECK_STR(event_member(cx, given, n, ""), event_member(cx, told, n, ""));
}

TEST(every_example_of_the_page_is_true)
{
    str rest = read_page(cx);
    size_t examples = 0;

    while (!str_is_null(rest)) {
        str line = str_cut(&rest, '\n');

        if (!str_starts(line, S("```")))
            continue;
        check_example(cx, str_slice(line, 3, line.n), &rest);
        examples++;
    }
    CHECK_EQ(examples, 10);
}

TEST(the_page_has_a_section_for_every_format)
{
    str page = read_page(cx);

    for (size_t i = 0; formats[i]; i++) {
        const char *name = formats[i]->name;

        CHECK_HOLDS(page, arena_printf(cx->mem, "\n## %s\n", name).p);
        CHECK_HOLDS(page, arena_printf(cx->mem, "\n```%s", name).p);
    }
    CHECK_HOLDS(page, "262,144"); /* FORMAT_REPEATS */
    CHECK_EQ(FORMAT_REPEATS, 262144);
    CHECK_EQ(FORMAT_RECORD_BYTES_MAX, 1 << 20);
}
