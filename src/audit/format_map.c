/* format_map.c - which column or member becomes which attribute, for formats that do not say. */
#include "audit/format_reader.h"

static err add_mapping(struct ctx *cx, struct format_reader *r, str pair)
{
    str name = pair, attribute = str_trim(str_cut(&name, '='));
    unsigned i = 0;

    while (i < EV_COUNT && !str_eq(attribute, str_from(format_attribute_names[i])))
        i++;
    if (i == EV_COUNT)
        return fail(cx, ERR_USAGE,
                    "map: '%.*s' is not an attribute; they are id, source, type, subject, time, "
                    "actor, outcome, remoteip and sessionid",
                    STR_FMT(attribute));
    if (name.n == 0)
        return fail(cx, ERR_USAGE, "map: '%.*s' needs =NAME behind it", STR_FMT(attribute));
    /* So there is room: no attribute is taken twice. */
    if (mapping_find(r, i))
        return fail(cx, ERR_USAGE, "map: '%s' is mapped twice", format_attribute_names[i]);
    r->mappings[r->mapping_count++] = (struct mapping){i, name};
    return ERR_OK;
}

err mapping_open(struct ctx *cx, struct format_reader *r)
{
    str rest = r->options.map;

    while (rest.n > 0)
        TRY(add_mapping(cx, r, str_cut(&rest, ',')));
    return ERR_OK;
}

const struct mapping *mapping_find(const struct format_reader *r, enum attribute attribute)
{
    for (size_t i = 0; i < r->mapping_count; i++)
        if (r->mappings[i].attribute == attribute)
            return &r->mappings[i];
    return NULL;
}

bool mapping_set(struct format_reader *r, struct format_event *e, enum attribute attribute,
                 str text, str pointer, struct format_item *item)
{
    if (text.n == 0)
        return true;
    if (attribute != EV_TIME) {
        e->attribute[attribute] = text;
        return true;
    }
    e->has_time = text_time(text, r->options.zone_offset_s, &e->time_us);
    if (!e->has_time)
        err_ignore(format_reject(r, item, pointer, "'%.*s' is not a time that can be read",
                                 STR_FMT(str_slice(text, 0, 40))));
    return e->has_time;
}

bool mapping_finish(struct format_reader *r, struct format_event *e, struct format_item *item)
{
    const struct mapping *type = mapping_find(r, EV_TYPE);

    if (e->attribute[EV_SOURCE].n == 0)
        e->attribute[EV_SOURCE] = format_event_source(r, STR_NULL, str_from(r->format->name));
    if (e->attribute[EV_TYPE].n == 0)
        e->attribute[EV_TYPE] = r->options.type;
    if (e->attribute[EV_TYPE].n > 0)
        return true;
    err_ignore(format_reject(r, item, type ? format_pointer(r, type->name) : S(""),
                             "it has no type: none is set for all, and %s",
                             type ? "here it is empty" : "no column or member is mapped to it"));
    return false;
}
