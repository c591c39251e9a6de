/* format_ndjson.c - one JSON object a line.
 *
 * One that is a CloudEvent already is passed through byte for byte; any other becomes the `data` of
 * an event whose attributes come from mapped members and options.  This is the fast path of
 * ingesting: a line is found by memchr, parsed once where it lies, and copied once. */
#include "audit/format_reader.h"

static str number_text(struct format_reader *r, struct json v, bool time)
{
    CLEANUP(buf_close) struct buf b = BUF(64);
    double d;

    /* Seconds with a fraction, which %g would round or write with an exponent. */
    if (time && json_kind(v) == JSON_DOUBLE && json_to_double(v, &d))
        return arena_printf(r->tmp, "%.6f", d);
    json_put_value(&b, v);
    return arena_str(r->tmp, buf_str(&b));
}

/* The text of a mapped member; null if it is null, absent in *out_scalar if it is a container. */
static str member_text(struct format_reader *r, struct json v, bool time, bool *out_scalar)
{
    enum json_kind kind = json_kind(v);

    *out_scalar = kind != JSON_OBJECT && kind != JSON_ARRAY;
    if (kind == JSON_STRING)
        return json_str(v);
    return *out_scalar && kind != JSON_NULL ? number_text(r, v, time) : STR_NULL;
}

/* False with a rejection. */
static bool map_member(struct format_reader *r, const struct mapping *m, struct json object,
                       struct format_event *e, struct format_item *item)
{
    bool pointer = str_starts(m->name, S("/")), scalar;
    struct json v;

    if (pointer ? !json_pointer_get(object, m->name, &v) : !json_get(object, m->name, &v))
        return true;
    str where = pointer ? m->name : format_pointer(r, m->name);
    str text = member_text(r, v, m->attribute == EV_TIME, &scalar);

    if (scalar)
        return mapping_set(r, e, m->attribute, text, where, item);
    err_ignore(format_reject(r, item, where, "it must be text or a number to be the %s",
                             format_attribute_names[m->attribute]));
    return false;
}

static err wrap(struct format_reader *r, struct json object, struct buf *out,
                struct format_item *item)
{
    struct format_event e = {.has_time = false};

    for (size_t i = 0; i < r->mapping_count; i++)
        if (!map_member(r, &r->mappings[i], object, &e, item))
            return ERR_OK;
    if (!mapping_finish(r, &e, item))
        return ERR_OK;
    format_event_open(r, out, &e);
    json_put_raw(out, str_trim(r->record.text));
    return format_event_done(out, item);
}

static err ndjson_record(struct ctx *cx, struct format_reader *r, struct buf *out,
                         struct format_item *item)
{
    struct json object;

    if (!format_parse_object(cx, r, item, &object))
        return ERR_OK;
    const struct cloudevent e = cloudevent_look(object);
    bool wrappable = r->options.type.n > 0 || mapping_find(r, EV_TYPE);

    /* What claims to be a CloudEvent and is not whole is wrapped only if it was said how. */
    if (cloudevent_is_whole(&e) || (cloudevent_is_meant(&e) && !wrappable))
        return cloudevent_pass(r, &e, out, item);
    return wrap(r, object, out, item);
}

static unsigned ndjson_likeness(str head)
{
    str line = str_trim(text_first_line(head));

    if (!str_starts(line, S("{")))
        return 0;
    return str_ends(line, S("}")) || line.n >= FORMAT_HEAD_BYTES / 2 ? 2 : 1;
}

static const char *const ndjson_names[] = {".ndjson", ".jsonl", NULL};

const struct format format_ndjson = {
    .name = "ndjson",
    .doc = "one JSON object a line: CloudEvents as they are, others wrapped",
    .file_names = ndjson_names,
    .maps = true,
    .likeness = ndjson_likeness,
    .record = ndjson_record,
};
