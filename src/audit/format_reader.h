/* format_reader.h - what the input formats share: framing, rejections, writing events.
 *
 * For format*.c only; everyone else includes format.h.  A format implements the functions of
 * struct format; `record` is called with r->record set and does one of: write an event and return
 * format_event_done(), return format_reject(), or return ERR_OK (the record is kept or empty). */
#pragma once
#include "audit/format.h"
#include "base/json.h"
#include "base/json_write.h"

extern const struct format format_ndjson, format_cloudevents, format_csv, format_journald,
    format_auditd, format_syslog, format_access, format_dpkg;

/* The end of the line; true if it is there. */
bool frame_cut_line(str bytes, size_t *out_used);

/* Where the search for the end of a record stands.  `start` is set by the reader at the first byte
 * of each record, `overlong` when the record passed the limit and is being skipped.  The others are
 * the format's own. */
struct frame {
    bool start, overlong;
    bool first;            /* nothing before this record */
    bool gap;              /* what was just cut off lies between records */
    bool quoted;           /* inside a quoted string */
    bool escaped;          /* after a backslash */
    bool counted;          /* syslog: the record began with its length */
    bool separated, empty; /* cloudevents: a comma, the bracket stood last; no element was seen */
    char separator;
    unsigned phase;
    uint32_t depth;   /* of open brackets */
    uint64_t left;    /* bytes */
    const char *flaw; /* what is wrong about the place of the next record */
};

struct format_record {
    str text; /* without line end */
    uint64_t line, offset;
    uint64_t bytes; /* with line end, also when too long to have a text */
    bool padded;    /* JSON_PADDING readable bytes follow the text */
    bool complete;  /* its end was found: not cut off by the end of the input */
};

/* Attributes that columns and members may be mapped to; `time` is parsed, the others are text. */
enum attribute {
    EV_ID,
    EV_SOURCE,
    EV_TYPE,
    EV_SUBJECT,
    EV_TIME,
    EV_ACTOR,
    EV_OUTCOME,
    EV_REMOTEIP,
    EV_SESSIONID,
    EV_COUNT,
};
extern const char *const format_attribute_names[EV_COUNT];

struct mapping {
    enum attribute attribute;
    str name; /* column, member or JSON pointer */
};

/* Counts equal lines; see "Ids" in format.h. */
struct repeats {
    struct repeats_slot *recent, *older; /* open addressing; key 0 is free */
    size_t recent_slots, older_slots, recent_count;
};

void repeats_close(struct repeats *t);
/* How often `key` was counted before; counts it. */
uint32_t repeats_count(struct repeats *t, uint64_t key);

struct format_reader {
    const struct format *format;
    struct format_options options; /* strings in `mem` */
    struct mapping mappings[EV_COUNT];
    size_t mapping_count;
    struct arena *mem;
    struct arena *tmp; /* until the next record */
    struct json_parser *json;
    str input; /* fed and not yet consumed */
    bool finished;
    struct buf carry; /* the beginning of a record whose end was not yet fed */
    struct frame frame;
    uint64_t line, offset; /* of input.p */
    struct format_record record;
    bool delivered; /* `record` was handed to the format: the next begins */
    bool lost;      /* a record was too long to be read */
    bool again;     /* `record` is to be given to the format once more */
    bool lean;      /* leave original lines out: with them the event would be too large */
    bool id_set;    /* `id` is that of the present record */
    str id;         /* arena `tmp` */
    struct buf source_text;
    size_t event_end_max; /* how far into `out` the event may reach */
    struct repeats repeats;
    void *state; /* the format's own, arena `mem` */
};

struct format_event {
    str attribute[EV_COUNT]; /* null: absent; EV_TIME is not used */
    int64_t time_us;
    bool has_time;
};

/* {"specversion":"1.0",…,"data": - the caller writes one value, then format_event_done().  A
 * missing id is derived from the record.  Control characters in attributes become U+FFFD. */
void format_event_open(struct format_reader *r, struct buf *out, const struct format_event *e);
err format_event_done(struct buf *out, struct format_item *item);
static inline bool format_event_fits(const struct format_reader *r, const struct buf *out)
{
    return buf_ok(out) && out->n <= r->event_end_max;
}
/* A line as it came: a string, or {"base64":…} if it is not UTF-8. */
void format_put_line(struct buf *out, str line);
/* Member "line" of data: the record as it came. */
void format_event_put_line(const struct format_reader *r, struct buf *out);
/* "/host/<host>/<name>" unless the source is an option; valid until it is asked for again. */
str format_event_source(struct format_reader *r, str host, str name);
/* The id of a record that has none; `salt` sets records apart whose text is equal. */
str format_event_id(struct format_reader *r, str salt);
str format_digest_hex(struct arena *mem, const str *parts, size_t count); /* 32 digits */

/* item becomes a rejection of the present record; the _at form says "column N: …" first, N being
 * `at` + 1.  Always ERR_OK. */
err format_reject(struct format_reader *r, struct format_item *item, str pointer, const char *fmt,
                  ...) PRINTF(4, 5);
err format_reject_at(struct format_reader *r, struct format_item *item, size_t at, const char *fmt,
                     ...) PRINTF(4, 5);
/* Parse the record; false with a rejection unless it is a JSON object. */
bool format_parse_object(struct ctx *cx, struct format_reader *r, struct format_item *item,
                         struct json *out);

/* ---- CloudEvents ---- */

enum cloudevent_member {
    CE_SPECVERSION,
    CE_ID,
    CE_SOURCE,
    CE_TYPE,
    CE_TIME,
    CE_RECORDED,
    CE_PRINCIPAL,
    CE_COUNT,
};

struct cloudevent {
    struct json member[CE_COUNT];
    unsigned present; /* bit 1 << CE_… */
};

struct cloudevent cloudevent_look(struct json object);
bool cloudevent_is_meant(const struct cloudevent *e); /* it has a specversion */
/* It has all that CloudEvents requires. */
bool cloudevent_is_whole(const struct cloudevent *e);
/* Pass the record through if it is a valid event, else reject it. */
err cloudevent_pass(struct format_reader *r, const struct cloudevent *e, struct buf *out,
                    struct format_item *item);

/* ---- mapped columns and members ---- */

err mapping_open(struct ctx *cx, struct format_reader *r); /* read the option; USAGE */
/* NULL if no mapping names it. */
const struct mapping *mapping_find(const struct format_reader *r, enum attribute attribute);
/* Set the attribute from the text of its column or member; an empty one is absent.  False with a
 * rejection at `pointer`. */
bool mapping_set(struct format_reader *r, struct format_event *e, enum attribute attribute,
                 str text, str pointer, struct format_item *item);
/* Source and type from the options where they are not mapped; false with a rejection. */
bool mapping_finish(struct format_reader *r, struct format_event *e, struct format_item *item);

/* ---- text ---- */

/* JSON pointer of a top-level member, escaped, in arena `tmp`. */
str format_pointer(const struct format_reader *r, str member);

/* RFC 3339, the same without zone, or a number of s, ms, µs or ns since 1970, told apart by size.
 */
bool text_time(str s, int32_t zone_offset_s, int64_t *out_us);

struct civil {
    int year, month, day, hour, minute, second; /* second 60 is taken as the next */
};
/* "YYYY-MM-DD hh:mm:ss", with a fraction or not. */
bool text_local_time(str s, int32_t zone_offset_s, int64_t *out_us);
bool text_civil_time(const struct civil *c, int32_t zone_offset_s, int64_t *out_us);
int text_month(str name);                               /* "Jan" is 1; 0 if it is none */
bool text_digits(str s, size_t at, size_t n, int *out); /* exactly n decimal digits at s.p[at] */

bool text_is_ip(str s);
static inline bool text_is_among(char c, str set)
{
    return str_find_char(set, c) < set.n;
}
str text_first_line(str head); /* without BOM and line end */
bool text_holds(str s, str needle);
/* Syslog severity 0 to 7 as its keyword ("err"), and as outcome: "failure" from err up, else null.
 */
str format_severity_name(unsigned severity);
str format_severity_outcome(unsigned severity);

/* Reading a line from left to right. */
struct scan {
    str s;
    size_t at;
};
str text_word(struct scan *s); /* to the next blank, which is passed as well; empty at the end */
bool text_char(struct scan *s, char c);
static inline str text_rest(const struct scan *s)
{
    return str_slice(s->s, s->at, s->s.n);
}
