/* entry.c - see entry.h.
 *
 * The members of a CloudEvents object are told apart by a small perfect hash (member_slot); which
 * slot a name has is checked by a test.  Names that are not in the table are extension attributes.
 */
#include "ledger/entry.h"
#include "base/clock.h"
#include "base/json_write.h"
#include <stdlib.h>
#define XXH_INLINE_ALL /* values are short: a call would cost as much as the hash */
#include <xxhash.h>

#define STAMP_HEAD "{\"recorded\":\""
#define STAMP_MIDDLE "\",\"principal\":"
enum { RECORDED_AT = sizeof STAMP_HEAD - 1, VALUES_BYTES_MAX = 1 << 30 };

const char *const attr_names[ATTR_COUNT] = {
    [ATTR_TYPE] = "type",         [ATTR_SOURCE] = "source",       [ATTR_SUBJECT] = "subject",
    [ATTR_ACTOR] = "actor",       [ATTR_PRINCIPAL] = "principal", [ATTR_OUTCOME] = "outcome",
    [ATTR_REMOTEIP] = "remoteip", [ATTR_SESSIONID] = "sessionid",
};

/* What is required of a member's value. */
enum member_rule {
    RULE_NONE, /* free slot */
    RULE_SPECVERSION,
    RULE_ID,
    RULE_TEXT, /* a non-empty string that is indexed as `attr` */
    RULE_TIME,
    RULE_STRING, /* a non-empty string */
    RULE_DATA,   /* anything */
    RULE_BASE64,
    RULE_RESERVED, /* ours */
};

struct member {
    str name;
    enum member_rule rule;
    enum attr attr;
};

enum { SLOTS = 32 };

static unsigned member_slot(str name)
{
    unsigned last = (unsigned char)name.p[name.n - 1], second = (unsigned char)name.p[1];

    return ((unsigned)name.n + 4 * last + 9 * second) % SLOTS;
}

/* clang-format off */
static const struct member members[SLOTS] = {
    [1]  = {STR_INIT("source"),          RULE_TEXT,        ATTR_SOURCE},
    [4]  = {STR_INIT("data_base64"),     RULE_BASE64,      ATTR_COUNT},
    [5]  = {STR_INIT("recorded"),        RULE_RESERVED,    ATTR_COUNT},
    [6]  = {STR_INIT("sessionid"),       RULE_TEXT,        ATTR_SESSIONID},
    [8]  = {STR_INIT("actor"),           RULE_TEXT,        ATTR_ACTOR},
    [9]  = {STR_INIT("time"),            RULE_TIME,        ATTR_COUNT},
    [12] = {STR_INIT("datacontenttype"), RULE_STRING,      ATTR_COUNT},
    [17] = {STR_INIT("data"),            RULE_DATA,        ATTR_COUNT},
    [19] = {STR_INIT("specversion"),     RULE_SPECVERSION, ATTR_COUNT},
    [20] = {STR_INIT("subject"),         RULE_TEXT,        ATTR_SUBJECT},
    [21] = {STR_INIT("remoteip"),        RULE_TEXT,        ATTR_REMOTEIP},
    [22] = {STR_INIT("id"),              RULE_ID,          ATTR_COUNT},
    [23] = {STR_INIT("dataschema"),      RULE_STRING,      ATTR_COUNT},
    [24] = {STR_INIT("outcome"),         RULE_TEXT,        ATTR_OUTCOME},
    [25] = {STR_INIT("type"),            RULE_TEXT,        ATTR_TYPE},
    [27] = {STR_INIT("principal"),       RULE_RESERVED,    ATTR_COUNT},
};
/* clang-format on */

/* One object on its way into the batch. */
struct reading {
    struct ctx *cx;
    struct entry_batch *batch;
    struct entry_meta *meta; /* behind the batch's last, not counted yet */
    bool stored;             /* the two stamped members are expected, not refused */
    bool own, has_version, has_data;
};

uint64_t entry_value_hash(str value)
{
    return XXH3_64bits(value.p ? value.p : "", value.n);
}

/* Never has a zero fingerprint (its upper 40 bits): zero means "has no id". */
static uint64_t id_hash(uint64_t source_hash, str id)
{
    uint64_t h = XXH3_64bits_withSeed(id.p, id.n, source_hash);

    return h >> 24 ? h : h | UINT64_C(1) << 24;
}

uint64_t entry_id_hash(str source, str id)
{
    return id_hash(entry_value_hash(source), id);
}

void entry_batch_init(struct entry_batch *b, size_t bytes_max)
{
    *b = (struct entry_batch){.frames = BUF(bytes_max), .values = BUF(VALUES_BYTES_MAX)};
}

void entry_batch_close(struct entry_batch *b)
{
    buf_close(&b->frames);
    buf_close(&b->values);
    free(b->meta);
    b->meta = NULL;
    b->count = b->capacity = 0;
}

void entry_batch_clear(struct entry_batch *b)
{
    buf_clear(&b->frames);
    buf_clear(&b->values);
    b->count = 0;
    b->hashed = false;
}

void entry_batch_truncate(struct entry_batch *b, size_t count)
{
    if (count >= b->count)
        return;
    b->frames.n = b->meta[count].at - ENTRY_FRAME_BYTES; /* values of the dropped stay, unused */
    b->count = count;
}

/* Room for all values of an entry was reserved when it began. */
static struct entry_attr keep_value(struct entry_batch *b, str value)
{
    struct entry_attr a = {(uint32_t)b->values.n, (uint32_t)value.n, entry_value_hash(value)};

    if (value.n)
        memcpy(b->values.p + b->values.n, value.p, value.n);
    b->values.n += value.n;
    return a;
}

#define ISSUE(r, name, ...)                                                                        \
    ctx_add_issue((r)->cx, arena_printf((r)->cx->mem, "/%.*s", STR_FMT(str_slice(name, 0, 80))),   \
                  __VA_ARGS__)

/* ---- one member ---- */

static bool non_empty_string(struct reading *r, str name, struct json v)
{
    if (json_kind(v) == JSON_STRING && json_str(v).n)
        return true;
    ISSUE(r, name, "must be a string that is not empty");
    return false;
}

static void read_text(struct reading *r, const struct member *m, struct json v)
{
    if (!non_empty_string(r, m->name, v))
        return;
    str value = json_str(v);
    if (m->attr == ATTR_SOURCE && !r->own && !r->stored &&
        (str_eq(value, S("/chancery")) || str_starts(value, S("/chancery/")))) {
        ISSUE(r, m->name, "\"/chancery\" is reserved for the server's own events");
        return;
    }
    r->meta->attr[m->attr] = keep_value(r->batch, value);
}

static void read_member(struct reading *r, const struct member *m, struct json v)
{
    switch (m->rule) {
    case RULE_SPECVERSION:
        r->has_version = true;
        if (!str_eq(json_str(v), S("1.0")))
            ISSUE(r, m->name, "must be \"1.0\"");
        break;
    case RULE_ID:
        if (non_empty_string(r, m->name, v))
            r->meta->id = keep_value(r->batch, json_str(v));
        break;
    case RULE_TEXT:
        read_text(r, m, v);
        break;
    case RULE_TIME:
        r->meta->has_time =
            json_kind(v) == JSON_STRING && time_parse(json_str(v), &r->meta->time_us);
        if (!r->meta->has_time)
            ISSUE(r, m->name, "must be a time like 2026-11-20T08:15:30Z (RFC 3339)");
        break;
    case RULE_STRING:
        (void)non_empty_string(r, m->name, v);
        break;
    case RULE_BASE64:
        if (json_kind(v) != JSON_STRING)
            ISSUE(r, m->name, "must be a string");
        if (r->has_data)
            ISSUE(r, m->name, "stands beside \"data\": only one of them may");
        r->has_data = true;
        break;
    case RULE_DATA:
        if (r->has_data)
            ISSUE(r, m->name, "stands beside \"data_base64\": only one of them may");
        r->has_data = true;
        break;
    case RULE_RESERVED:
        if (!r->stored)
            ISSUE(r, m->name, "is set by the server");
        else if (str_eq(m->name, S("principal")) && json_str(v).n)
            r->meta->attr[ATTR_PRINCIPAL] = keep_value(r->batch, json_str(v));
        break;
    case RULE_NONE:
        break;
    }
}

/* CloudEvents 1.0 section 3: names of lower-case letters and digits; values are not structured. */
static void read_extension(struct reading *r, str name, struct json v)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9')) {
            ISSUE(r, name, "is no attribute name: lower-case letters and digits only");
            return;
        }
    }
    if (name.n == 0)
        ISSUE(r, name, "is no attribute name: it is empty");
    else if (json_kind(v) == JSON_OBJECT || json_kind(v) == JSON_ARRAY ||
             json_kind(v) == JSON_DOUBLE)
        ISSUE(r, name, "must be a string, a whole number, true or false; put more into \"data\"");
}

static void require(struct reading *r, const char *name, bool given)
{
    if (!given)
        ISSUE(r, str_from(name), "is required");
}

static void read_object(struct reading *r, struct json root)
{
    for (struct json_iter it = json_iter(root); json_next(&it);) {
        const struct member *m = it.key.n >= 2 ? &members[member_slot(it.key)] : &members[0];
        if (json_kind(it.value) == JSON_NULL && m->rule != RULE_RESERVED)
            continue; /* an unset attribute may be written as null (JSON format, section 2.2) */
        if (m->rule != RULE_NONE && str_eq(m->name, it.key))
            read_member(r, m, it.value);
        else
            read_extension(r, it.key, it.value);
    }
    bool had_issues = r->cx->issue_count != 0;
    if (had_issues)
        return;
    require(r, "specversion", r->has_version);
    require(r, "id", r->meta->id.at != ATTR_ABSENT);
    require(r, "source", r->meta->attr[ATTR_SOURCE].at != ATTR_ABSENT);
    require(r, "type", r->meta->attr[ATTR_TYPE].at != ATTR_ABSENT);
}

/* ---- the batch ---- */

static void meta_begin(struct entry_meta *m, const struct entry_batch *b, int64_t recorded_us)
{
    *m = (struct entry_meta){.at = (uint32_t)b->frames.n + ENTRY_FRAME_BYTES,
                             .recorded_us = recorded_us,
                             .time_us = recorded_us,
                             .id = {ATTR_ABSENT, 0, 0}};
    for (size_t a = 0; a < ATTR_COUNT; a++)
        m->attr[a].at = ATTR_ABSENT;
}

/* Room for one more entry of `bytes` and `stamp` bytes; *out is its metadata, begun. */
static err begin(struct ctx *cx, struct entry_batch *b, size_t bytes, size_t stamp,
                 int64_t recorded_us, struct entry_meta **out)
{
    if (b->count == b->capacity) {
        size_t capacity = size_max(b->capacity * 2, 64);
        struct entry_meta *more = realloc(b->meta, capacity * sizeof *more);
        if (!more)
            return fail(cx, ERR_TOO_LARGE, "there is not enough memory for the batch");
        b->meta = more;
        b->capacity = capacity;
    }
    if (!buf_reserve(&b->frames, ENTRY_FRAME_BYTES + bytes + stamp) ||
        !buf_reserve(&b->values, bytes + stamp)) {
        b->frames.failed = b->values.failed = false;
        return fail(cx, ERR_TOO_LARGE, "the batch is full");
    }
    meta_begin(&b->meta[b->count], b, recorded_us);
    *out = &b->meta[b->count];
    return ERR_OK;
}

static void put(struct entry_batch *b, str s)
{
    memcpy(b->frames.p + b->frames.n, s.p, s.n);
    b->frames.n += s.n;
}

static void end(struct entry_batch *b)
{
    struct entry_meta *m = &b->meta[b->count++];
    unsigned char *length = (unsigned char *)b->frames.p + m->at - ENTRY_FRAME_BYTES;

    m->n = (uint32_t)(b->frames.n - m->at);
    length[0] = (unsigned char)(m->n >> 8);
    length[1] = (unsigned char)m->n;
    b->hashed = false;
}

/* Take back what a refused entry left behind. */
static void rewind_to(struct entry_batch *b, size_t frames, size_t values)
{
    b->frames.n = frames;
    b->values.n = values;
}

void entry_stamp_prepare(struct entry_stamp *stamp)
{
    char recorded[TIME_TEXT_SIZE];
    struct buf b = BUF(ENTRY_STAMP_BYTES_MAX);

    time_format(stamp->recorded_us, recorded);
    buf_put(&b, S(STAMP_HEAD));
    buf_put(&b, (str){recorded, TIME_TEXT_BYTES});
    buf_put(&b, S(STAMP_MIDDLE));
    json_put_str(&b, stamp->principal);
    buf_put_char(&b, ',');
    ENSURE(buf_ok(&b));
    memcpy(stamp->text, b.p, b.n);
    stamp->text_bytes = b.n;
    stamp->principal_hash = entry_value_hash(stamp->principal);
    buf_close(&b);
}

static err refuse(struct ctx *cx)
{
    const struct issue *first = &cx->issues[0];

    return fail(cx, ERR_INVALID, "%.*s %.*s", STR_FMT(first->pointer), STR_FMT(first->detail));
}

static err add(struct reading *r, str text, const struct entry_stamp *stamp, struct json root)
{
    struct entry_batch *b = r->batch;
    struct entry_meta *m = r->meta;

    read_object(r, root);
    if (r->cx->issue_count)
        return refuse(r->cx);
    m->id_hash = id_hash(m->attr[ATTR_SOURCE].hash, entry_batch_value(b, &m->id));
    b->frames.n += ENTRY_FRAME_BYTES;
    if (!r->stored) {
        if (stamp->principal.n)
            m->attr[ATTR_PRINCIPAL] = keep_value(b, stamp->principal);
        put(b, (str){stamp->text, stamp->text_bytes});
        text = str_slice(text, 1, text.n);
    }
    put(b, text);
    size_t n = b->frames.n - m->at;
    if (n > ENTRY_BYTES_MAX)
        return fail(r->cx, ERR_TOO_LARGE,
                    "the entry has %zu bytes with what the server adds, at most %d are taken", n,
                    ENTRY_BYTES_MAX);
    end(b);
    return ERR_OK;
}

static err add_prepared(struct ctx *cx, struct entry_batch *b, struct json_parser *p, str text,
                        const struct entry_stamp *stamp)
{
    size_t frames = b->frames.n, values = b->values.n;
    struct reading r = {.cx = cx, .batch = b, .own = stamp->own};
    struct json root;

    cx->issue_count = 0;
    text = str_trim(text);
    if (text.n > ENTRY_BYTES_MAX)
        return fail(cx, ERR_TOO_LARGE, "the entry has %zu bytes, at most %d are taken", text.n,
                    ENTRY_BYTES_MAX);
    TRY(json_parse_padded(cx, p, text, &root));
    if (json_kind(root) != JSON_OBJECT)
        return fail(cx, ERR_INVALID, "an event must be a JSON object");
    TRY(begin(cx, b, text.n, stamp->text_bytes, stamp->recorded_us, &r.meta));
    err e = add(&r, text, stamp, root);
    if (e != ERR_OK)
        rewind_to(b, frames, values);
    return e;
}

/* Apart, so that the many who come prepared do not pay for its room on the stack. */
static __attribute__((noinline)) err add_unprepared(struct ctx *cx, struct entry_batch *b,
                                                    struct json_parser *p, str text,
                                                    const struct entry_stamp *stamp)
{
    struct entry_stamp own = *stamp;

    entry_stamp_prepare(&own);
    return add_prepared(cx, b, p, text, &own);
}

err entry_add(struct ctx *cx, struct entry_batch *b, struct json_parser *p, str text,
              const struct entry_stamp *stamp)
{
    return stamp->text_bytes ? add_prepared(cx, b, p, text, stamp)
                             : add_unprepared(cx, b, p, text, stamp);
}

static err add_opaque(struct ctx *cx, struct entry_batch *b, str bytes, int64_t recorded_us)
{
    struct entry_meta *m;

    TRY(begin(cx, b, bytes.n, 0, recorded_us, &m));
    b->frames.n += ENTRY_FRAME_BYTES;
    if (bytes.n)
        put(b, bytes);
    end(b);
    return ERR_OK;
}

err entry_add_opaque(struct ctx *cx, struct entry_batch *b, str bytes, int64_t recorded_us)
{
    if (bytes.n > ENTRY_BYTES_MAX)
        return fail(cx, ERR_TOO_LARGE, "the entry has %zu bytes, at most %d are taken", bytes.n,
                    ENTRY_BYTES_MAX);
    /* Nobody may write what reads back as an event that the server has stamped. */
    if (str_starts(bytes, S(STAMP_HEAD)))
        return fail(cx, ERR_INVALID, "a raw entry may not begin with the server's stamp");
    return add_opaque(cx, b, bytes, recorded_us);
}

/* The `recorded` of a stamped entry. */
static bool stamp_of(str bytes, int64_t *out_us)
{
    return str_starts(bytes, S(STAMP_HEAD)) && bytes.n > RECORDED_AT + TIME_TEXT_BYTES &&
           time_parse(str_slice(bytes, RECORDED_AT, RECORDED_AT + TIME_TEXT_BYTES), out_us) &&
           str_starts(str_slice(bytes, RECORDED_AT + TIME_TEXT_BYTES, bytes.n), S(STAMP_MIDDLE));
}

bool entry_is_event(str bytes)
{
    int64_t recorded_us;

    return stamp_of(bytes, &recorded_us);
}

err entry_add_stored(struct ctx *cx, struct entry_batch *b, struct json_parser *p, str bytes,
                     int64_t inherited_us)
{
    size_t frames = b->frames.n, values = b->values.n;
    struct reading r = {.cx = cx, .batch = b, .stored = true};
    int64_t recorded_us = inherited_us;
    struct json root;

    cx->issue_count = 0;
    if (stamp_of(bytes, &recorded_us) && json_parse(cx, p, bytes, &root) == ERR_OK) {
        TRY(begin(cx, b, bytes.n, 0, recorded_us, &r.meta));
        if (add(&r, bytes, NULL, root) == ERR_OK)
            return ERR_OK;
        rewind_to(b, frames, values);
    }
    ctx_clear_error(cx);
    return add_opaque(cx, b, bytes, inherited_us);
}

void entry_batch_hash(struct entry_batch *b)
{
    enum { STEP = 256 };
    str entries[STEP];
    struct hash leaves[STEP];

    for (size_t from = 0; from < b->count && !b->hashed; from += STEP) {
        size_t n = size_min(STEP, b->count - from);
        for (size_t i = 0; i < n; i++)
            entries[i] = entry_batch_get(b, from + i);
        hash_leaves(entries, n, leaves);
        for (size_t i = 0; i < n; i++)
            b->meta[from + i].leaf = leaves[i];
    }
    b->hashed = true;
}

void entry_restamp(struct entry_batch *b, size_t i, int64_t recorded_us)
{
    struct entry_meta *m = &b->meta[i];
    char text[TIME_TEXT_SIZE];

    if (m->id_hash) { /* opaque entries carry no stamp */
        time_format(recorded_us, text);
        memcpy(b->frames.p + m->at + RECORDED_AT, text, TIME_TEXT_BYTES);
        hash_leaf(entry_batch_get(b, i), &m->leaf);
    }
    if (!m->has_time)
        m->time_us = recorded_us;
    m->recorded_us = recorded_us;
}
