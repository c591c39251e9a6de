/* event_table.c - see event_table.h. */
#include "cli/event_table.h"
#include "cli/remote.h"

enum { INDEX_COLUMNS = 9, TIME_COLUMNS = 23, OUTCOME_COLUMNS = 8, GAP = 2 };
enum { LEFT_COLUMNS_MIN = 28, SHARES = 7 };

struct column {
    const char *title;
    const char *member, *otherwise; /* of the event */
    size_t columns;                 /* where there is no terminal */
    size_t share;                   /* of what a terminal has left, in SHARES */
};

static const struct column columns[] = {
    {"TYPE", "type", NULL, 24, 2},
    {"ACTOR", "actor", "principal", 22, 2},
    {"SUBJECT", "subject", "source", 30, 3},
    {"OUTCOME", "outcome", NULL, OUTCOME_COLUMNS, 0},
};

struct event_table event_table_open(struct terminal terminal)
{
    return (struct event_table){.terminal = terminal};
}

/* ---- text that is only text ---- */

/* C0 and DEL, and C1 (C2 80 to C2 9F in UTF-8): all that terminals take as commands. */
static size_t control_bytes(str s)
{
    unsigned char c = (unsigned char)s.p[0], next = s.n > 1 ? (unsigned char)s.p[1] : 0;

    if (c < 0x20 || c == 0x7f)
        return 1;
    return c == 0xc2 && next >= 0x80 && next < 0xa0 ? 2 : 0;
}

void put_shown(struct buf *b, str text, size_t columns_max)
{
    bool cut = columns_max > 0 && text_columns(text) > columns_max;

    if (cut)
        text = text_fit(text, columns_max - 1);
    while (text.n > 0) {
        size_t control = control_bytes(text);
        if (control)
            buf_put_char(b, '?');
        else
            buf_put_char(b, text.p[0]);
        text = str_slice(text, control ? control : 1, text.n);
    }
    if (cut)
        buf_put(b, S("…"));
}

/* ---- lines ---- */

static void put_blanks(struct buf *b, size_t n)
{
    while (n--)
        buf_put_char(b, ' ');
}

/* Only a terminal's lines are cut: what goes to a file or a pipe is whole. */
static void put_cell(struct buf *b, const struct event_table *t, str text, size_t width, bool last)
{
    put_shown(b, text, t->terminal.tty ? width : 0);
    if (last)
        return;
    put_blanks(b, width - size_min(width, text_columns(text)) + GAP);
}

/* On a terminal the columns share what index, time and outcome leave. */
static size_t width_of(const struct event_table *t, size_t i)
{
    size_t fixed = INDEX_COLUMNS + TIME_COLUMNS + OUTCOME_COLUMNS + 5 * GAP;
    size_t left = t->terminal.columns - size_min(t->terminal.columns, fixed);

    if (!t->terminal.tty || columns[i].share == 0)
        return columns[i].columns;
    return size_max(left, LEFT_COLUMNS_MIN) * columns[i].share / SHARES;
}

static void put_titles(struct buf *b, const struct event_table *t)
{
    buf_put(b, str_from(terminal_style(&t->terminal, STYLE_BOLD)));
    buf_printf(b, "%*s", INDEX_COLUMNS, "INDEX");
    put_blanks(b, GAP);
    put_cell(b, t, S("RECORDED (UTC)"), TIME_COLUMNS, false);
    for (size_t i = 0; i < COUNT(columns); i++)
        put_cell(b, t, str_from(columns[i].title), width_of(t, i), i + 1 == COUNT(columns));
    buf_put(b, str_from(terminal_style(&t->terminal, STYLE_PLAIN)));
    buf_put_char(b, '\n');
}

/* "2026-11-20T08:15:30.123456Z" as "2026-11-20 08:15:30.123" */
static void put_time(struct buf *b, str time)
{
    char text[TIME_COLUMNS + 1];

    if (time.n < TIME_COLUMNS) {
        put_blanks(b, TIME_COLUMNS);
        return;
    }
    memcpy(text, time.p, TIME_COLUMNS);
    text[TIME_COLUMNS] = 0;
    text[10] = ' ';
    put_shown(b, str_from(text), 0);
}

static enum style outcome_style(str outcome)
{
    if (str_eq(outcome, S("failure")) || str_eq(outcome, S("denied")))
        return STYLE_BAD;
    return str_eq(outcome, S("success")) ? STYLE_GOOD : STYLE_PLAIN;
}

static str cell_text(struct json event, size_t i)
{
    str text = json_member_text(event, str_from(columns[i].member));

    if (str_is_null(text) && columns[i].otherwise)
        text = json_member_text(event, str_from(columns[i].otherwise));
    return text;
}

static void put_event(struct buf *b, const struct event_table *t, struct json event)
{
    put_time(b, json_member_text(event, S("recorded")));
    put_blanks(b, GAP);
    for (size_t i = 0; i < COUNT(columns); i++) {
        str text = cell_text(event, i);
        bool last = i + 1 == COUNT(columns);
        enum style style = last ? outcome_style(text) : STYLE_PLAIN;

        if (style != STYLE_PLAIN)
            buf_put(b, str_from(terminal_style(&t->terminal, style)));
        put_cell(b, t, text, width_of(t, i), last);
        if (style != STYLE_PLAIN)
            buf_put(b, str_from(terminal_style(&t->terminal, STYLE_PLAIN)));
    }
}

void event_table_put(struct buf *b, struct event_table *t, struct json item)
{
    struct json event;

    if (!t->titled)
        put_titles(b, t);
    t->titled = true;
    buf_printf(b, "%*llu", INDEX_COLUMNS, (unsigned long long)json_member_count(item, S("index")));
    put_blanks(b, GAP);
    if (json_get(item, S("event"), &event) && json_kind(event) == JSON_OBJECT)
        put_event(b, t, event);
    else
        buf_put(b, S("(bytes that are no event)"));
    while (b->n && b->p[b->n - 1] == ' ')
        b->n--;
    buf_put_char(b, '\n');
}
