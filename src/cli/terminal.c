/* terminal.c - what the terminal can do, how wide text is, tables. */
#include "cli/terminal.h"
#include "cli/option.h"
#include <inttypes.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TERMINAL_COLUMNS_DEFAULT = 80, TERMINAL_ROWS_DEFAULT = 24, TABLE_GAP = 2 };

struct terminal terminal_of(FILE *f, const char *const *environment)
{
    struct terminal t = {
        .file = f, .columns = TERMINAL_COLUMNS_DEFAULT, .rows = TERMINAL_ROWS_DEFAULT};
    struct winsize size = {0};
    int fd = fileno(f); /* -1 for a stream in memory */

    if (fd < 0 || !isatty(fd))
        return t;
    t.tty = !str_eq(environment_find(environment, "TERM"), S("dumb"));
    t.colour = t.tty && environment_find(environment, "NO_COLOR").n == 0;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        t.columns = size.ws_col;
        t.rows = size.ws_row;
    }
    return t;
}

const char *terminal_style(const struct terminal *t, enum style style)
{
    static const char *const sequences[] = {
        [STYLE_PLAIN] = "\033[0m", [STYLE_BOLD] = "\033[1m",  [STYLE_DIM] = "\033[2m",
        [STYLE_GOOD] = "\033[32m", [STYLE_WARN] = "\033[33m", [STYLE_BAD] = "\033[1;31m",
    };

    return t->colour ? sequences[style] : "";
}

/* --- text --- */

struct span {
    uint32_t first, last;
};

/* Marks that stand on the letter before them, and joiners. */
static const struct span zero_width[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f},
    {0x0900, 0x0902}, {0x093c, 0x093c}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
};
/* East Asian wide and full-width characters, emoji. */
static const struct span double_width[] = {
    {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
    {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
};

static bool is_in(uint32_t c, const struct span *spans, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (spans[i].first <= c && c <= spans[i].last)
            return true;
    return false;
}

/* One character of UTF-8 at s[at]; an ill-formed byte counts as one column. */
static size_t next_character(str s, size_t at, size_t *out_columns)
{
    unsigned char head = (unsigned char)s.p[at];
    size_t bytes = head >= 0xf0 ? 4 : head >= 0xe0 ? 3 : head >= 0xc0 ? 2 : 1;
    uint32_t c = bytes == 1 ? head : head & (0xffu >> (bytes + 1));

    *out_columns = 1;
    if (at + bytes > s.n)
        return 1;
    for (size_t i = 1; i < bytes; i++)
        c = c << 6 | ((unsigned char)s.p[at + i] & 0x3fu);
    if (is_in(c, zero_width, COUNT(zero_width)))
        *out_columns = 0;
    else if (is_in(c, double_width, COUNT(double_width)))
        *out_columns = 2;
    return bytes;
}

size_t text_columns(str utf8)
{
    size_t total = 0, columns;

    for (size_t at = 0; at < utf8.n; total += columns)
        at += next_character(utf8, at, &columns);
    return total;
}

str text_fit(str utf8, size_t columns)
{
    size_t at = 0, used = 0;

    while (at < utf8.n) {
        size_t width, bytes = next_character(utf8, at, &width);

        if (used + width > columns)
            break;
        used += width;
        at += bytes;
    }
    return str_slice(utf8, 0, at);
}

static void put_blanks(struct buf *b, size_t n)
{
    while (n--)
        buf_put_char(b, ' ');
}

static void wrap_paragraph(struct buf *b, str text, size_t at, size_t indent, size_t columns)
{
    bool first = true;

    while (text.p) {
        str word = str_cut(&text, ' ');
        size_t width = text_columns(word);

        if (word.n == 0)
            continue;
        if (!first && at + 1 + width > columns) {
            buf_put_char(b, '\n');
            put_blanks(b, indent);
            at = indent;
        } else if (!first) {
            buf_put_char(b, ' ');
            at++;
        }
        buf_put(b, word);
        at += width;
        first = false;
    }
}

void text_wrap(struct buf *b, str text, size_t at, size_t indent, size_t columns)
{
    while (text.p) {
        wrap_paragraph(b, str_cut(&text, '\n'), at, indent, columns);
        if (!text.p)
            return;
        buf_put_char(b, '\n');
        put_blanks(b, indent);
        at = indent;
    }
}

/* --- numbers --- */

static void put_scaled(struct buf *b, uint64_t n, const char *const *units, size_t unit_count)
{
    double v = (double)n;
    size_t unit = 0;

    /* 999.5 would be written as 1000. */
    while (v >= 999.5 && unit + 1 < unit_count) {
        v /= 1000;
        unit++;
    }
    if (unit == 0)
        buf_put_u64(b, n);
    else
        buf_printf(b, v < 9.95 ? "%.1f" : "%.0f", v);
    buf_printf(b, "%s%s", units[unit][0] ? " " : "", units[unit]);
}

void human_count(struct buf *b, uint64_t n)
{
    static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};

    put_scaled(b, n, units, COUNT(units));
}

void human_bytes(struct buf *b, uint64_t n)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};

    put_scaled(b, n, units, COUNT(units));
}

static void put_two(struct buf *b, int64_t whole, const char *big, int64_t rest, const char *small)
{
    buf_printf(b, "%" PRId64 " %s", whole, big);
    if (rest > 0)
        buf_printf(b, " %" PRId64 " %s", rest, small);
}

void human_duration(struct buf *b, int64_t ns)
{
    static const char *const units[] = {"ns", "µs", "ms", "s"};
    int64_t seconds = ns / 1000000000;

    if (ns < 0) {
        buf_put_char(b, '-');
        human_duration(b, ns == INT64_MIN ? INT64_MAX : -ns);
    } else if (seconds < 60) {
        put_scaled(b, (uint64_t)ns, units, COUNT(units));
    } else if (seconds < 3600) {
        put_two(b, seconds / 60, "min", seconds % 60, "s");
    } else if (seconds < 48 * 3600) {
        put_two(b, seconds / 3600, "h", seconds / 60 % 60, "min");
    } else {
        put_two(b, seconds / 86400, "d", seconds / 3600 % 24, "h");
    }
}

/* --- tables --- */

struct table table_open(struct arena *mem, const struct table_column *columns, size_t count)
{
    ENSURE(count > 0 && count <= TABLE_COLUMNS_MAX);
    return (struct table){.mem = mem, .columns = columns, .column_count = count};
}

void table_add(struct table *t, str cell)
{
    if (t->cell_count == t->cell_capacity) {
        size_t capacity = t->cell_capacity ? t->cell_capacity * 2 : 64;
        str *cells = arena_new(t->mem, str, capacity);

        for (size_t i = 0; i < t->cell_count; i++)
            cells[i] = t->cells[i];
        t->cells = cells;
        t->cell_capacity = capacity;
    }
    t->cells[t->cell_count++] = arena_str(t->mem, cell);
}

static void put_cell(struct buf *b, str cell, size_t width, enum align align, bool last)
{
    size_t blanks = width - size_min(width, text_columns(cell));

    if (align == ALIGN_RIGHT)
        put_blanks(b, blanks);
    buf_put(b, cell);
    if (align == ALIGN_LEFT && !last)
        put_blanks(b, blanks);
    if (!last)
        put_blanks(b, TABLE_GAP);
}

static void put_titles(struct buf *b, const struct table *t, const size_t *widths,
                       const struct terminal *terminal)
{
    buf_put(b, str_from(terminal_style(terminal, STYLE_BOLD)));
    for (size_t c = 0; c < t->column_count; c++)
        put_cell(b, str_from(t->columns[c].title), widths[c], t->columns[c].align,
                 c + 1 == t->column_count);
    buf_put(b, str_from(terminal_style(terminal, STYLE_PLAIN)));
    buf_put_char(b, '\n');
}

void table_put(struct buf *b, const struct table *t, const struct terminal *terminal)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};

    ENSURE(t->column_count > 0);
    if (t->cell_count == 0)
        return;
    for (size_t c = 0; c < t->column_count; c++)
        widths[c] = text_columns(str_from(t->columns[c].title));
    for (size_t i = 0; i < t->cell_count; i++)
        widths[i % t->column_count] =
            size_max(widths[i % t->column_count], text_columns(t->cells[i]));
    put_titles(b, t, widths, terminal);
    for (size_t i = 0; i < t->cell_count; i++) {
        size_t c = i % t->column_count;
        bool last = c + 1 == t->column_count;

        put_cell(b, t->cells[i], widths[c], t->columns[c].align, last);
        if (last)
            buf_put_char(b, '\n');
    }
}
