/* format_cloudevents.c - CloudEvents 1.0 in JSON: one event, a batch (an array), or one per line.
 *
 * The first byte tells: '[' is a batch, read element by element in bounded memory; '{' that closes
 * before its line ends is one event a line; '{' that does not is a document, perhaps several.  In a
 * batch or document a raw line end ends a string (it may not stand in one), so that a quote that
 * is missing before it spoils one event and not the rest. */
#include "audit/format_reader.h"
#include "base/clock.h"

/* ---- framing ---- */

enum phase {
    PHASE_START, /* nothing was seen but blanks */
    PHASE_FIRST, /* in the first line of something that begins with '{' */
    PHASE_LINES,
    PHASE_DOCUMENTS,
    PHASE_ARRAY,
    PHASE_AFTER, /* the array */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void step_comma(struct frame *f)
{
    if (f->separated)
        f->flaw = "a value is missing between commas";
    f->separated = true;
}

static void step_open_array(struct frame *f)
{
    f->phase = PHASE_ARRAY;
    f->separated = f->empty = true;
}

static void step_close_array(struct frame *f)
{
    if (f->separated && !f->empty)
        f->flaw = "a value is missing behind the last comma";
    f->phase = PHASE_AFTER;
}

/* Pass a byte that stands between values; false if it is one of a value. */
static bool step_gap(struct frame *f, char c)
{
    bool start = f->phase == PHASE_START, array = f->phase == PHASE_ARRAY;

    if (is_space(c) || (start && text_is_among(c, S("\xEF\xBB\xBF"))))
        return true;
    if (start && c == '[')
        step_open_array(f);
    else if (array && c == ',')
        step_comma(f);
    else if (array && c == ']')
        step_close_array(f);
    else
        return false;
    return true;
}

static void begin_value(struct frame *f, char c)
{
    if (f->phase == PHASE_START)
        f->phase = c == '{' ? PHASE_FIRST : PHASE_LINES;
    if (f->phase == PHASE_AFTER)
        f->flaw = "it stands behind the end of the array";
    if (f->phase == PHASE_ARRAY && !f->separated)
        f->flaw = "a comma is missing before it";
    f->start = f->separated = f->empty = f->quoted = f->escaped = false;
    f->depth = 0;
}

static void step_string(struct frame *f, char c)
{
    if (f->escaped)
        f->escaped = false;
    else if (c == '\\')
        f->escaped = true;
    else
        f->quoted = c != '"';
    if (c == '\n')
        f->quoted = f->escaped = false;
}

enum step { STEP_ON, STEP_ENDS_WITH, STEP_ENDS_BEFORE };

static enum step step_value(struct frame *f, char c)
{
    bool outermost = f->depth == 0;

    if (c == '"')
        f->quoted = true;
    else if (c == '{' || c == '[')
        f->depth++;
    else if (outermost && (is_space(c) || c == ',' || c == ']'))
        return STEP_ENDS_BEFORE;
    else if ((c == '}' || c == ']') && (outermost || --f->depth == 0))
        return STEP_ENDS_WITH;
    return STEP_ON;
}

/* The end of the line where it is not known yet what the input is: true if it is lines. */
static bool step_first_line_end(struct frame *f)
{
    f->phase = f->depth == 0 ? PHASE_LINES : PHASE_DOCUMENTS;
    return f->phase == PHASE_LINES;
}

/* `fresh`: the bytes begin the value.  Its first byte is always taken, so that each one has some.
 */
static bool cut_value(struct frame *f, str bytes, bool fresh, size_t *out_used)
{
    for (size_t i = 0; i < bytes.n; i++) {
        char c = bytes.p[i];
        bool first = f->phase == PHASE_FIRST;
        enum step step = STEP_ON;

        if (first && c == '\n' && step_first_line_end(f))
            step = STEP_ENDS_WITH;
        else if (f->quoted)
            step_string(f, c);
        else
            step = step_value(f, c);
        if (step == STEP_ON || f->phase == PHASE_FIRST)
            continue;
        *out_used = i + (step == STEP_ENDS_WITH || (fresh && i == 0));
        return true;
    }
    *out_used = bytes.n;
    return false;
}

static bool cloudevents_cut(struct frame *f, str bytes, size_t *out_used)
{
    size_t gap = 0;

    while (f->start && gap < bytes.n && step_gap(f, bytes.p[gap]))
        gap++;
    f->gap = gap > 0;
    *out_used = gap;
    if (f->gap)
        return true;
    bool fresh = f->start;

    if (fresh)
        begin_value(f, bytes.p[0]);
    return f->phase == PHASE_LINES ? frame_cut_line(bytes, out_used)
                                   : cut_value(f, bytes, fresh, out_used);
}

/* ---- events ---- */

static const str member_names[CE_COUNT] = {
    [CE_SPECVERSION] = STR_INIT("specversion"),
    [CE_ID] = STR_INIT("id"),
    [CE_SOURCE] = STR_INIT("source"),
    [CE_TYPE] = STR_INIT("type"),
    [CE_TIME] = STR_INIT("time"),
    [CE_RECORDED] = STR_INIT("recorded"),
    [CE_PRINCIPAL] = STR_INIT("principal"),
};

struct cloudevent cloudevent_look(struct json object)
{
    struct cloudevent e = {.present = 0};

    for (struct json_iter it = json_iter(object); json_next(&it);) {
        for (unsigned i = 0; i < CE_COUNT; i++) {
            if (!str_eq(it.key, member_names[i]))
                continue;
            e.member[i] = it.value;
            e.present |= 1u << i;
            break;
        }
    }
    return e;
}

static bool has(const struct cloudevent *e, unsigned member)
{
    return (e->present & 1u << member) != 0;
}

bool cloudevent_is_meant(const struct cloudevent *e)
{
    return has(e, CE_SPECVERSION);
}

bool cloudevent_is_whole(const struct cloudevent *e)
{
    return has(e, CE_SPECVERSION) && has(e, CE_ID) && has(e, CE_SOURCE) && has(e, CE_TYPE);
}

static const char *member_flaw(const struct cloudevent *e, unsigned i)
{
    bool required = i <= CE_TYPE;
    str text = has(e, i) ? json_str(e->member[i]) : STR_NULL;
    int64_t us;

    if (i == CE_RECORDED || i == CE_PRINCIPAL)
        return has(e, i) ? "this member is reserved: the server sets it" : NULL;
    /* A null stands for an attribute that is not set (JSON format, section 2.2). */
    if (!has(e, i) || json_kind(e->member[i]) == JSON_NULL)
        return required ? "an event needs this member" : NULL;
    if (text.n == 0)
        return "it must be a string that is not empty";
    if (i == CE_SPECVERSION && !str_eq(text, S("1.0")))
        return "only version 1.0 is known";
    if (i == CE_TIME && !time_parse(text, &us))
        return "it must be a time as in RFC 3339";
    return NULL;
}

/* Leave out what may stand between tokens, so that a document becomes one line. */
static void put_on_one_line(struct buf *out, str text)
{
    struct frame f = {.quoted = false};
    size_t from = 0;

    json_put_raw(out, S(""));
    for (size_t i = 0; i < text.n; i++) {
        bool space = !f.quoted && is_space(text.p[i]);

        if (f.quoted)
            step_string(&f, text.p[i]);
        else
            f.quoted = text.p[i] == '"';
        if (!space)
            continue;
        buf_put(out, str_slice(text, from, i));
        from = i + 1;
    }
    buf_put(out, str_slice(text, from, text.n));
}

err cloudevent_pass(struct format_reader *r, const struct cloudevent *e, struct buf *out,
                    struct format_item *item)
{
    str text = str_trim(r->record.text);

    for (unsigned i = 0; i < CE_COUNT; i++) {
        const char *flaw = member_flaw(e, i);

        if (flaw)
            return format_reject(r, item, format_pointer(r, member_names[i]), "%s", flaw);
    }
    if (memchr(text.p, '\n', text.n))
        put_on_one_line(out, text);
    else
        json_put_raw(out, text);
    item->kind = FORMAT_EVENT;
    return ERR_OK;
}

static err cloudevents_record(struct ctx *cx, struct format_reader *r, struct buf *out,
                              struct format_item *item)
{
    struct json object;

    if (!format_parse_object(cx, r, item, &object))
        return ERR_OK;
    const struct cloudevent e = cloudevent_look(object);

    return cloudevent_pass(r, &e, out, item);
}

/* A batch must be closed: otherwise the end of the file is missing. */
static err cloudevents_flush(struct ctx *cx, struct format_reader *r, struct buf *out,
                             struct format_item *item)
{
    (void)cx;
    (void)out;
    if (r->frame.phase != PHASE_ARRAY)
        return ERR_OK;
    r->frame.phase = PHASE_AFTER;
    return format_reject(r, item, S(""), "the array is not closed: the input ends too early");
}

static unsigned cloudevents_likeness(str head)
{
    str text = str_trim(head), line = text_first_line(text);
    bool named = text_holds(head, S("\"specversion\""));

    if (str_starts(text, S("[")))
        return named ? 3 : 1;
    if (!str_starts(line, S("{")) || !named)
        return 0;
    return str_ends(line, S("}")) || line.n == text.n ? 2 : 3;
}

static const char *const cloudevents_names[] = {".cloudevents.json", ".cloudevents", NULL};

const struct format format_cloudevents = {
    .name = "cloudevents",
    .doc = "CloudEvents 1.0 in JSON: one event, an array of them, or one a line",
    .file_names = cloudevents_names,
    .likeness = cloudevents_likeness,
    .cut = cloudevents_cut,
    .record = cloudevents_record,
    .flush = cloudevents_flush,
};
