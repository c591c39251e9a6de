/* format_reader.c - cutting a stream of bytes into records and handing each to its format.
 *
 * A record that lies whole in the fed bytes is used where it is; only one that spans two pieces is
 * copied, into `carry`.  One that passes record_bytes_max is dropped and skipped to its end, so the
 * reader never holds more than that. */
#include "audit/format_reader.h"

enum { ZONE_OFFSET_MAX_S = 15 * 3600, SOURCE_BYTES_MAX = 1 << 20 };

static const str BOM = STR_INIT("\xEF\xBB\xBF");

/* ---- options ---- */

static err check_options(struct ctx *cx, const struct format *f, const struct format_options *o)
{
    if (!f->maps && (o->map.n > 0 || o->type.n > 0))
        return fail(cx, ERR_USAGE, "%s: only ndjson and csv take it, %s has its own",
                    o->map.n > 0 ? "map" : "type", f->name);
    if (o->record_bytes_max < FORMAT_RECORD_BYTES_MIN)
        return fail(cx, ERR_USAGE, "a record limit of %zu bytes is too small: at least %d",
                    o->record_bytes_max, FORMAT_RECORD_BYTES_MIN);
    if (o->zone_offset_s > ZONE_OFFSET_MAX_S || o->zone_offset_s < -ZONE_OFFSET_MAX_S)
        return fail(cx, ERR_USAGE, "a zone offset is at most 15 hours");
    if (strchr("\"\r\n", o->separator))
        return fail(cx, ERR_USAGE, "a quote or line end cannot separate columns");
    return ERR_OK;
}

static str or_default(struct arena *mem, str given, const char *otherwise)
{
    return given.n > 0 ? arena_str(mem, given) : str_from(otherwise);
}

static err set_options(struct ctx *cx, struct format_reader *r, const struct format_options *o)
{
    r->options = *o;
    r->options.source = or_default(r->mem, o->source, NULL);
    r->options.type = or_default(r->mem, o->type, NULL);
    r->options.host = or_default(r->mem, o->host, "localhost");
    r->options.map = or_default(r->mem, o->map, NULL);
    if (o->separator == 0)
        r->options.separator = ',';
    if (o->record_bytes_max == 0)
        r->options.record_bytes_max = FORMAT_RECORD_BYTES_MAX;
    if (o->event_bytes_max == 0)
        r->options.event_bytes_max = FORMAT_EVENT_BYTES_MAX;
    r->frame.separator = r->options.separator;
    r->carry.max = r->options.record_bytes_max + JSON_PADDING;
    r->source_text.max = SOURCE_BYTES_MAX;
    TRY(check_options(cx, r->format, &r->options));
    return mapping_open(cx, r);
}

err format_reader_open(struct ctx *cx, const struct format *format,
                       const struct format_options *options, struct format_reader **out)
{
    struct arena *mem = arena_open(0);
    CLEANUP(format_reader_cleanup)
    struct format_reader *r = arena_new(mem, struct format_reader, 1);

    r->mem = mem;
    r->tmp = arena_open(0);
    r->json = json_parser_open();
    r->format = format;
    r->line = 1;
    r->delivered = true;
    TRY(set_options(cx, r, options));
    if (format->open)
        TRY(format->open(cx, r));
    *out = r;
    r = NULL;
    return ERR_OK;
}

void format_reader_close(struct format_reader *r)
{
    if (!r)
        return;
    struct arena *mem = r->mem;

    if (r->format->close && r->state)
        r->format->close(r);
    json_parser_close(r->json);
    buf_close(&r->carry);
    buf_close(&r->source_text);
    repeats_close(&r->repeats);
    arena_close(r->tmp);
    arena_close(mem); /* holds the reader itself */
}

void format_feed(struct format_reader *r, str bytes)
{
    ENSURE(r->input.n == 0 && !r->finished);
    r->input = bytes;
}

void format_finish(struct format_reader *r)
{
    r->finished = true;
}

/* ---- framing ---- */

bool frame_cut_line(str bytes, size_t *out_used)
{
    const char *end = memchr(bytes.p, '\n', bytes.n);

    *out_used = end ? (size_t)(end - bytes.p) + 1 : bytes.n;
    return end != NULL;
}

static uint64_t count_lines(str s)
{
    uint64_t n = 0;
    size_t used;

    for (; frame_cut_line(s, &used); s = str_slice(s, used, s.n))
        n++;
    return n;
}

static void begin_record(struct format_reader *r)
{
    r->record = (struct format_record){.line = r->line, .offset = r->offset};
    buf_clear(&r->carry);
    r->frame.start = true;
    r->frame.first = r->offset == 0;
    r->frame.overlong = r->frame.gap = false;
    r->delivered = false;
}

/* One look at the fed bytes; *out_piece is what of them belongs to the record. */
static bool cut_piece(struct format_reader *r, str *out_piece)
{
    struct frame *f = &r->frame;
    size_t used, most = r->options.record_bytes_max;

    if (!f->overlong && r->record.bytes == most) {
        f->overlong = true;
        buf_clear(&r->carry);
    }
    str window = {r->input.p,
                  f->overlong ? r->input.n : size_min(r->input.n, most - (size_t)r->record.bytes)};
    bool ended = r->format->cut ? r->format->cut(f, window, &used) : frame_cut_line(window, &used);

    *out_piece = (str){window.p, used};
    r->input = str_slice(r->input, used, r->input.n);
    r->offset += used;
    r->record.bytes += used;
    ENSURE(r->record.bytes > 0); /* else records would never come to an end */
    r->line += r->format->cut ? count_lines(*out_piece) : ended;
    return ended;
}

static str without_line_end(str s)
{
    if (s.n > 0 && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n > 0 && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

static void set_text(struct format_reader *r, str whole, size_t readable_after)
{
    str text = without_line_end(whole);

    r->record.padded = readable_after + (whole.n - text.n) >= JSON_PADDING;
    if (r->frame.first && str_starts(text, BOM))
        text = str_slice(text, BOM.n, text.n);
    r->record.text = text;
}

/* The record whose last piece is `piece`, where it lies or joined in `carry`. */
static void end_record(struct format_reader *r, str piece)
{
    if (r->frame.overlong)
        return;
    if (r->carry.n == 0) {
        set_text(r, piece, r->input.n);
        return;
    }
    buf_put(&r->carry, piece);
    bool padded = buf_reserve(&r->carry, JSON_PADDING); /* may move it */

    set_text(r, buf_str(&r->carry), padded ? JSON_PADDING : 0);
}

/* Sets r->record; false when the fed bytes end before one does. */
static bool next_record(struct format_reader *r)
{
    str piece;

    while (r->input.n > 0) {
        if (cut_piece(r, &piece)) {
            if (r->frame.gap) {
                begin_record(r);
                continue;
            }
            end_record(r, piece);
            r->record.complete = true;
            return true;
        }
        if (!r->frame.overlong)
            buf_put(&r->carry, piece);
    }
    if (!r->finished || r->record.bytes == 0)
        return false;
    end_record(r, STR_NULL);
    return true;
}

/* ---- items ---- */

static void put_back(struct buf *out, size_t mark)
{
    out->n = mark;
    out->failed = false;
    if (out->p)
        out->p[mark] = '\0';
}

typedef err format_call(struct ctx *, struct format_reader *, struct buf *, struct format_item *);

/* Nothing of `call` stays in `out` but an event that fits.  One that is too large with the original
 * line in it is tried without. */
static err call_format(struct ctx *cx, struct format_reader *r, format_call *call, struct buf *out,
                       struct format_item *item)
{
    const struct format_item before = *item;
    size_t mark = out->n;

    for (r->lean = false;; r->lean = true) {
        *item = before;
        TRY(call(cx, r, out, item));
        if (item->kind == FORMAT_EVENT && format_event_fits(r, out))
            return ERR_OK;
        put_back(out, mark);
        if (item->kind != FORMAT_EVENT)
            return ERR_OK;
        if (r->lean)
            return format_reject(r, item, S(""), "its event would be over %zu bytes long",
                                 r->options.event_bytes_max);
    }
}

static bool is_blank(str s)
{
    size_t i = 0;

    while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\r'))
        i++;
    return i == s.n;
}

static err read_record(struct ctx *cx, struct format_reader *r, struct buf *out,
                       struct format_item *item)
{
    item->line = r->record.line;
    item->offset = r->record.offset;
    const char *flaw = r->frame.flaw;

    arena_reset(r->tmp);
    r->id_set = false;
    r->frame.flaw = NULL;
    if (r->frame.overlong) {
        r->lost = true;
        return format_reject(r, item, S(""),
                             "it is %llu bytes long; records of at most %zu are read",
                             (unsigned long long)r->record.bytes, r->options.record_bytes_max);
    }
    if (flaw)
        return format_reject(r, item, S(""), "%s", flaw);
    if (is_blank(r->record.text))
        return ERR_OK;
    return call_format(cx, r, r->format->record, out, item);
}

static err end_of_input(struct ctx *cx, struct format_reader *r, struct buf *out,
                        struct format_item *item)
{
    item->kind = FORMAT_END;
    item->line = r->line;
    item->offset = r->offset;
    r->id_set = false;
    if (r->frame.flaw) {
        const char *flaw = r->frame.flaw;

        r->frame.flaw = NULL;
        return format_reject(r, item, S(""), "%s", flaw);
    }
    if (r->format->flush)
        return call_format(cx, r, r->format->flush, out, item);
    return ERR_OK;
}

/* Until there is something to tell; FORMAT_MORE stands for nothing yet. */
static err next_item(struct ctx *cx, struct format_reader *r, struct buf *out,
                     struct format_item *item)
{
    for (;;) {
        item->kind = FORMAT_MORE;
        if (!r->again) {
            if (r->delivered)
                begin_record(r);
            if (!next_record(r))
                break;
            r->delivered = true;
        }
        r->again = false;
        TRY(read_record(cx, r, out, item));
        if (item->kind != FORMAT_MORE)
            return ERR_OK;
    }
    return r->finished ? end_of_input(cx, r, out, item) : ERR_OK;
}

err format_next(struct ctx *cx, struct format_reader *r, struct buf *out, struct format_item *item)
{
    size_t mark = out->n, need = r->options.event_bytes_max + 1;

    if (!buf_ok(out) || out->max < need || mark > out->max - need)
        return fail(cx, ERR_TOO_LARGE, "no room for an event of %zu bytes", need - 1);
    *item = (struct format_item){.pointer = STR_NULL};
    bool comma = mark > 0 && out->p[mark - 1] == '}';

    r->event_end_max = mark + comma + r->options.event_bytes_max;
    err e = next_item(cx, r, out, item);

    if (e != ERR_OK)
        put_back(out, mark);
    return e;
}
