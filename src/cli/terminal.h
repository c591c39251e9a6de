/* terminal.h - what makes output pleasant on a terminal, and plain where there is none.
 *
 * Widths count terminal columns of UTF-8 text; they do not depend on the locale. */
#pragma once
#include "base/base.h"
#include "base/buf.h"
#include <stdio.h>

struct terminal {
    FILE *file;
    bool tty;             /* a terminal that understands cursor movement */
    bool colour;          /* tty, and neither NO_COLOR nor TERM=dumb */
    size_t columns, rows; /* 80 and 24 when unknown */
};

struct terminal terminal_of(FILE *f, const char *const *environment);

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_GOOD, STYLE_WARN, STYLE_BAD };
/* The escape sequence that starts a style (STYLE_PLAIN ends it); "" without colour. */
const char *terminal_style(const struct terminal *t, enum style style);

/* --- text --- */

size_t text_columns(str utf8);
/* The longest beginning that fits; the caller adds "…" if it wants to. */
str text_fit(str utf8, size_t columns);
/* Append words of `text`, broken at `columns`; lines after the first start with `indent` blanks,
 * and `at` columns of the first are already taken.  '\n' starts a new paragraph.  Ends without a
 * newline. */
void text_wrap(struct buf *b, str text, size_t at, size_t indent, size_t columns);

/* --- numbers for people: three digits are enough --- */

void human_count(struct buf *b, uint64_t n);    /* 950, 1.2 k, 34 M */
void human_bytes(struct buf *b, uint64_t n);    /* 950 B, 1.2 kB, 34 MB */
void human_duration(struct buf *b, int64_t ns); /* 340 µs, 1.3 s, 2 min 5 s, 3 h 20 min */

/* --- tables --- */

enum { TABLE_COLUMNS_MAX = 12 };
enum align { ALIGN_LEFT, ALIGN_RIGHT };

struct table_column {
    const char *title;
    enum align align;
};

/* Rows are gathered in the arena and printed together, so columns are as wide as they need. */
struct table {
    struct arena *mem;
    const struct table_column *columns;
    size_t column_count;
    str *cells; /* row after row */
    size_t cell_count, cell_capacity;
};

struct table table_open(struct arena *mem, const struct table_column *columns, size_t count);
void table_add(struct table *t, str cell); /* copied; fills row by row, left to right */
/* The last column is not padded.  Titles are left out when there are no rows. */
void table_put(struct buf *b, const struct table *t, const struct terminal *terminal);

/* --- progress --- */

/* On a terminal one line that is drawn again at most ten times a second; elsewhere a plain line
 * every PROGRESS_PLAIN_SECONDS; nothing when quiet.  One thread. */
enum { PROGRESS_PLAIN_SECONDS = 10 };

struct progress {
    struct terminal terminal;
    const char *label;
    bool bytes; /* counts are bytes */
    bool quiet;
    uint64_t total; /* 0: not known */
    uint64_t done;
    int64_t started_ns, drawn_ns;
    bool drawn;
};

struct progress progress_open(struct terminal terminal, const char *label, uint64_t total,
                              bool bytes, bool quiet, int64_t now_ns);
void progress_update(struct progress *p, uint64_t done, int64_t now_ns);
/* Draws the end and leaves the line. */
void progress_close(struct progress *p, int64_t now_ns);

/* --- full screen --- */

/* The alternate screen with hidden cursor and unechoed keys.  While it is open INT, TERM, HUP,
 * QUIT, TSTP and WINCH are taken through a descriptor (so open it before starting threads) and end
 * screen_wait(); screen_close() gives terminal and signals back. */
struct screen;

/* Owned: screen_close().  USAGE when standard output is no terminal. */
err screen_open(struct ctx *cx, FILE *file, struct screen **out);
void screen_close(struct screen *s); /* NULL is a no-op */
static inline void screen_cleanup(struct screen **s)
{
    screen_close(*s);
}
struct terminal screen_terminal(const struct screen *s); /* with the size of now */
/* Show lines, cut to the size of the screen. */
void screen_draw(struct screen *s, str lines);
/* Wait; false when the user wants to leave ('q', Ctrl-C, a signal).  Returns early when the size
 * changed or a key was pressed. */
bool screen_wait(struct screen *s, int64_t timeout_ns);
