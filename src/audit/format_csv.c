/* format_csv.c - comma-separated values (RFC 4180) with a header row.
 *
 * A quote opens a quoted cell only at the beginning of a cell; inside one, "" is a quote and line
 * ends are text.  Mapped columns become attributes, the others members of `data`, as strings.
 * A row that passes the record limit is given up at the next line end, so that one quote left open
 * does not swallow the file. */
#include "audit/format_reader.h"

enum { COLUMNS_MAX = 4096 };

struct csv {
    str *names;                    /* of columns; arena of the reader */
    const struct mapping **mapped; /* of each column, or NULL */
    str *cells;
    size_t count; /* 0: the header was not read */
};

/* ---- framing ---- */

enum phase { PHASE_CELL_START, PHASE_PLAIN, PHASE_QUOTED, PHASE_QUOTE_SEEN };

static unsigned phase_after(const struct frame *f, char c)
{
    if (f->phase == PHASE_QUOTED)
        return c == '"' ? PHASE_QUOTE_SEEN : PHASE_QUOTED;
    if (c == f->separator)
        return PHASE_CELL_START;
    if (c == '"' && f->phase != PHASE_PLAIN)
        return PHASE_QUOTED; /* opens the cell, or is the second of "" */
    if (f->first && f->phase == PHASE_CELL_START && text_is_among(c, S("\xEF\xBB\xBF")))
        return PHASE_CELL_START;
    return PHASE_PLAIN;
}

static bool csv_cut(struct frame *f, str bytes, size_t *out_used)
{
    if (f->start)
        f->phase = PHASE_CELL_START;
    f->start = false;
    if (f->overlong)
        return frame_cut_line(bytes, out_used);
    for (size_t i = 0; i < bytes.n; i++) {
        if (bytes.p[i] == '\n' && f->phase != PHASE_QUOTED) {
            *out_used = i + 1;
            return true;
        }
        f->phase = phase_after(f, bytes.p[i]);
    }
    *out_used = bytes.n;
    return false;
}

/* ---- rows ---- */

/* The text between quotes with "" made one; `s` begins behind the opening quote.  *out_end is where
 * the closing quote stands, s.n if there is none. */
static str quoted_text(struct arena *mem, str s, size_t *out_end)
{
    char *p = NULL;
    size_t n = 0, from = 0, at = 0;

    for (;; at += 2) {
        at += str_find_char(str_slice(s, at, s.n), '"');
        if (at + 1 >= s.n || s.p[at + 1] != '"')
            break;
        p = p ? p : arena_new(mem, char, s.n);
        memcpy(p + n, s.p + from, at + 1 - from);
        n += at + 1 - from;
        from = at + 2;
    }
    at = size_min(at, s.n);
    *out_end = at;
    if (!p)
        return str_slice(s, 0, at);
    memcpy(p + n, s.p + from, at - from);
    return (str){p, n + at - from};
}

/* One cell from s->at to its separator or the end; false with a rejection. */
static bool read_cell(struct format_reader *r, struct scan *s, str *out, struct format_item *item)
{
    size_t start = s->at, end;
    char separator = r->options.separator;

    if (text_char(s, '"')) {
        *out = quoted_text(r->tmp, text_rest(s), &end);
        s->at += end + 1;
        if (s->at > s->s.n) {
            err_ignore(format_reject_at(r, item, start, "this quote is never closed"));
            return false;
        }
        if (s->at == s->s.n || s->s.p[s->at] == separator)
            return true;
        err_ignore(format_reject_at(r, item, s->at, "text follows the closing quote"));
        return false;
    }
    *out = text_rest(s);
    out->n = str_find_char(*out, separator);
    s->at += out->n;
    size_t quote = str_find_char(*out, '"');

    if (quote == out->n)
        return true;
    err_ignore(format_reject_at(r, item, start + quote, "a quote stands in a cell without quotes"));
    return false;
}

/* Up to `max` cells; *out_count is how many there are, also when more.  False with a rejection. */
static bool read_row(struct format_reader *r, str *cells, size_t max, size_t *out_count,
                     struct format_item *item)
{
    struct scan s = {r->record.text, 0};
    str cell;

    for (*out_count = 0;; s.at++) {
        if (!read_cell(r, &s, &cell, item))
            return false;
        if (*out_count < max)
            cells[*out_count] = cell;
        ++*out_count;
        if (s.at >= s.s.n)
            return true;
    }
}

/* ---- the header ---- */

static err name_columns(struct ctx *cx, struct format_reader *r, struct csv *csv)
{
    for (size_t i = 0; i < csv->count; i++) {
        str name = str_trim(csv->cells[i]);

        csv->names[i] =
            name.n > 0 ? arena_str(r->mem, name) : arena_printf(r->mem, "column_%zu", i + 1);
        if (!str_is_utf8(name))
            return fail(cx, ERR_INVALID, "the name of column %zu of the header is not UTF-8",
                        i + 1);
        for (size_t k = 0; k < i; k++)
            if (str_eq(csv->names[i], csv->names[k]))
                return fail(cx, ERR_INVALID, "columns %zu and %zu of the header are both '%.*s'",
                            k + 1, i + 1, STR_FMT(csv->names[i]));
    }
    return ERR_OK;
}

static err map_column(struct ctx *cx, struct csv *csv, const struct mapping *m)
{
    for (size_t i = 0; i < csv->count; i++) {
        if (!str_eq(csv->names[i], m->name))
            continue;
        if (csv->mapped[i])
            return fail(cx, ERR_USAGE, "map: column '%.*s' is mapped twice", STR_FMT(m->name));
        csv->mapped[i] = m;
        return ERR_OK;
    }
    return fail(cx, ERR_INVALID, "map: the header has no column '%.*s'; the first is '%.*s'",
                STR_FMT(m->name), STR_FMT(csv->names[0]));
}

static err read_header(struct ctx *cx, struct format_reader *r, struct csv *csv,
                       struct format_item *item)
{
    size_t count;

    if (r->lost)
        return fail(cx, ERR_INVALID, "the header row is over %zu bytes long",
                    r->options.record_bytes_max);
    csv->cells = arena_new(r->mem, str, COLUMNS_MAX);
    if (!read_row(r, csv->cells, COLUMNS_MAX, &count, item))
        return fail(cx, ERR_INVALID, "the header row cannot be read: %.*s", STR_FMT(item->detail));
    if (count > COLUMNS_MAX)
        return fail(cx, ERR_INVALID, "the header has %zu columns; at most %d are read", count,
                    COLUMNS_MAX);
    csv->count = count;
    csv->names = arena_new(r->mem, str, count);
    csv->mapped = arena_new(r->mem, const struct mapping *, count);
    TRY(name_columns(cx, r, csv));
    for (size_t i = 0; i < r->mapping_count; i++)
        TRY(map_column(cx, csv, &r->mappings[i]));
    return ERR_OK;
}

/* ---- events ---- */

static err write_row(struct format_reader *r, const struct csv *csv, struct buf *out,
                     struct format_item *item)
{
    struct format_event e = {.has_time = false};

    for (size_t i = 0; i < csv->count; i++)
        if (csv->mapped[i] && !mapping_set(r, &e, csv->mapped[i]->attribute, csv->cells[i],
                                           format_pointer(r, csv->names[i]), item))
            return ERR_OK;
    if (!mapping_finish(r, &e, item))
        return ERR_OK;
    format_event_open(r, out, &e);
    json_open(out, '{');
    for (size_t i = 0; i < csv->count; i++)
        if (!csv->mapped[i])
            json_member_str(out, csv->names[i], csv->cells[i]);
    json_close(out, '}');
    return format_event_done(out, item);
}

static err csv_record(struct ctx *cx, struct format_reader *r, struct buf *out,
                      struct format_item *item)
{
    struct csv *csv = r->state;
    size_t count;

    if (csv->count == 0)
        return read_header(cx, r, csv, item);
    if (!read_row(r, csv->cells, csv->count, &count, item))
        return ERR_OK;
    if (count != csv->count)
        return format_reject_at(r, item, r->record.text.n,
                                "the row ends after %zu %s, the header "
                                "has %zu",
                                count, count == 1 ? "cell" : "cells", csv->count);
    return write_row(r, csv, out, item);
}

static err csv_open(struct ctx *cx, struct format_reader *r)
{
    if (r->options.type.n == 0 && !mapping_find(r, EV_TYPE))
        return fail(cx, ERR_USAGE,
                    "csv: say what type the events have: a type for all, or a column (type=NAME)");
    r->state = arena_new(r->mem, struct csv, 1);
    return ERR_OK;
}

static size_t count_char(str s, char c)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == c;
    return n;
}

/* Two lines with the same number of one of the usual separators. */
static unsigned csv_likeness(str head)
{
    str rest = head, header = text_first_line(head);

    str_cut(&rest, '\n');
    str row = str_is_null(rest) ? STR_NULL : text_first_line(rest);

    if (header.n == 0 || text_is_among(header.p[0], S("{[<")))
        return 0;
    for (const char *c = ",;\t"; *c; c++)
        if (count_char(header, *c) > 0 && count_char(header, *c) == count_char(row, *c))
            return 2;
    return 1;
}

static const char *const csv_names[] = {".csv", ".tsv", NULL};

const struct format format_csv = {
    .name = "csv",
    .doc = "comma-separated values (RFC 4180) with a header row, columns mapped by option",
    .file_names = csv_names,
    .maps = true,
    .likeness = csv_likeness,
    .cut = csv_cut,
    .open = csv_open,
    .record = csv_record,
};
