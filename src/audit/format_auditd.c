/* format_auditd.c - the log of the Linux audit daemon, /var/log/audit/audit.log.
 *
 *   type=SYSCALL msg=audit(1364481363.243:24287): arch=c000003e success=no … key="k"<1D>AUID="root"
 *
 * Records with the same node, time and serial are one event.  They mostly follow each other, but
 * the kernel may interleave events, so up to OPEN_MAX are gathered at a time.  One is complete when
 * its EOE record comes, when a record comes that is two seconds younger (as ausearch(8) has it),
 * when room is needed, or at the end of the input.
 *
 * The id is time and serial and the digest of the records: should an event be cut in two by log
 * rotation, or be read before the daemon has written all of it, the parts are different events, and
 * none is taken for a repetition of another. */
#include "audit/format_reader.h"
#include "base/encode.h"

enum { OPEN_MAX = 8, FIELDS_MAX = 512 };

#define COMPLETE_AFTER_US (INT64_C(2) * 1000000)

struct head {
    str node, type, stamp; /* stamp: "1364481363.243:24287" */
    int64_t time_us;
    str body;
};

struct open_event {
    struct buf lines; /* each ends with \n */
    uint64_t line, offset;
    int64_t time_us;
    uint64_t order; /* of opening; 0: this slot is free */
    bool ended;
};

struct auditd {
    struct open_event events[OPEN_MAX];
    uint64_t opened;
};

/* ---- the head of a record ---- */

/* "1364481363.243:24287" */
static bool read_stamp(str stamp, int64_t *out_us)
{
    str serial = stamp, fraction = str_cut(&serial, ':'), seconds = str_cut(&fraction, '.');
    uint64_t s, n;
    int ms;

    if (!str_to_u64(seconds, &s) || s > UINT32_MAX || fraction.n != 3 ||
        !text_digits(fraction, 0, 3, &ms) || !str_to_u64(serial, &n))
        return false;
    *out_us = (int64_t)s * 1000000 + ms * 1000;
    return true;
}

/* The word if it is "<key>=<value>", its value; null if it is not. */
static str scan_member(struct scan *s, str key)
{
    struct scan ahead = *s;
    str word = text_word(&ahead);

    if (!str_starts(word, key) || word.n <= key.n)
        return STR_NULL;
    *s = ahead;
    return str_slice(word, key.n, word.n);
}

/* False with *out_what expected at *out_at. */
static bool read_head(str line, struct head *h, size_t *out_at, const char **out_what)
{
    struct scan s = {line, 0};

    h->node = scan_member(&s, S("node="));
    *out_at = s.at;
    *out_what = "type=";
    h->type = scan_member(&s, S("type="));
    if (h->type.n == 0)
        return false;
    *out_at = s.at;
    *out_what = "msg=audit(SECONDS.MILLISECONDS:SERIAL):";
    str stamp = scan_member(&s, S("msg=audit("));

    if (!str_ends(stamp, S("):")))
        return false;
    h->stamp = str_slice(stamp, 0, stamp.n - 2);
    h->body = text_rest(&s);
    return read_stamp(h->stamp, &h->time_us);
}

/* ---- the fields of a record ---- */

struct fields {
    struct scan s;
    struct arena *tmp;
    bool nested; /* inside msg='…' */
    bool execve; /* its arguments may be encoded */
    str key;     /* null: `value` is a word without one */
    str value;
};

/* Fields that the kernel writes in hexadecimal when they hold blanks, quotes or control bytes. */
static bool is_encoded_key(const struct fields *f)
{
    static const char *const keys[] = {"acct",     "cmd",  "comm",      "cwd",  "data",     "dir",
                                       "exe",      "file", "key",       "name", "new-disk", "ocomm",
                                       "old-disk", "path", "proctitle", "vm",   "watch"};

    for (size_t i = 0; i < COUNT(keys); i++)
        if (str_eq(f->key, str_from(keys[i])))
            return true;
    return f->execve && f->key.n > 1 && f->key.p[0] == 'a' && f->key.p[1] >= '0' &&
           f->key.p[1] <= '9';
}

static bool is_hex(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!text_is_among(s.p[i], S("0123456789ABCDEF")))
            return false;
    return s.n > 0 && s.n % 2 == 0;
}

/* NUL stands between the arguments of a proctitle. */
static str decode(struct arena *tmp, str s)
{
    char *p = arena_new(tmp, char, s.n / 2 + 1);

    if (!hex_decode(s, p, s.n / 2))
        return s;
    for (size_t i = 0; i < s.n / 2; i++)
        p[i] = p[i] ? p[i] : ' ';
    return (str){p, s.n / 2};
}

/* A value without quotes, to the next blank. */
static void read_bare(struct fields *f)
{
    f->value = text_word(&f->s);
    if (f->nested && str_ends(f->value, S("'"))) {
        f->value.n--;
        f->nested = false;
    }
    if (is_encoded_key(f) && is_hex(f->value))
        f->value = decode(f->tmp, f->value);
}

/* To the closing quote; the kernel cuts long records off, so it may be missing. */
static void read_quoted(struct fields *f)
{
    str rest = text_rest(&f->s);

    f->value = str_slice(rest, 0, str_find_char(rest, '"'));
    f->s.at = size_min(f->s.at + f->value.n + 1, f->s.s.n);
    if (f->nested && text_char(&f->s, '\''))
        f->nested = false;
}

/* The length of the key that begins the text, which is ASCII; 0 if there is none. */
static size_t key_bytes(str s)
{
    size_t n = 0;

    while (n < s.n && s.p[n] > ' ' && s.p[n] < 0x7f && !text_is_among(s.p[n], S("=\"'")))
        n++;
    return n > 0 && n < s.n && s.p[n] == '=' ? n : 0;
}

static bool next_field(struct fields *f)
{
    while (text_char(&f->s, ' '))
        ;
    if (f->s.at >= f->s.s.n)
        return false;
    str rest = text_rest(&f->s);
    size_t n = key_bytes(rest);

    f->key = n > 0 ? str_slice(rest, 0, n) : STR_NULL;
    f->s.at += n > 0 ? n + 1 : 0;
    if (n > 0 && text_char(&f->s, '\'')) {
        f->nested = true;
        return next_field(f);
    }
    if (n > 0 && text_char(&f->s, '"'))
        read_quoted(f);
    else
        read_bare(f);
    return true;
}

enum { ENRICHED_FROM = 0x1d };

static struct fields fields_of(struct arena *tmp, const struct head *h, bool enriched)
{
    size_t at = str_find_char(h->body, ENRICHED_FROM);

    return (struct fields){
        .s = {enriched ? str_slice(h->body, at + 1, h->body.n) : str_slice(h->body, 0, at), 0},
        .tmp = tmp,
        .execve = str_eq(h->type, S("EXECVE")),
    };
}

/* ---- what an event says about itself ---- */

enum fact {
    F_AUID_NAME,
    F_AUID,
    F_ACCT,
    F_UID,
    F_ADDR,
    F_SES,
    F_SUCCESS,
    F_RES,
    F_UNIT,
    F_NAME,
    F_COUNT
};

struct facts {
    str v[F_COUNT];
};

static const str fact_keys[F_COUNT] = {
    [F_AUID_NAME] = STR_INIT("AUID"),  [F_AUID] = STR_INIT("auid"), [F_ACCT] = STR_INIT("acct"),
    [F_UID] = STR_INIT("uid"),         [F_ADDR] = STR_INIT("addr"), [F_SES] = STR_INIT("ses"),
    [F_SUCCESS] = STR_INIT("success"), [F_RES] = STR_INIT("res"),   [F_UNIT] = STR_INIT("unit"),
    [F_NAME] = STR_INIT("name"),
};

static bool is_known(str s)
{
    static const char *const unknown[] = {"?", "-1", "4294967295", "unset", "(null)", "(none)"};

    for (size_t i = 0; i < COUNT(unknown); i++)
        if (str_eq(s, str_from(unknown[i])))
            return false;
    return s.n > 0;
}

/* The first known value of each; names only if they are of files. */
static void look(struct fields f, struct facts *facts, bool names)
{
    while (next_field(&f))
        for (unsigned i = 0; i < F_COUNT; i++)
            if (str_eq(f.key, fact_keys[i]) && facts->v[i].n == 0 && is_known(f.value) &&
                (names || i != F_NAME))
                facts->v[i] = f.value;
}

static str outcome_of(str s)
{
    static const struct {
        const char *text, *outcome;
    } words[] = {{"yes", "success"},    {"success", "success"}, {"1", "success"},
                 {"no", "failure"},     {"failed", "failure"},  {"0", "failure"},
                 {"failure", "failure"}};

    for (size_t i = 0; i < COUNT(words); i++)
        if (str_eq(s, str_from(words[i].text)))
            return str_from(words[i].outcome);
    return STR_NULL;
}

static str actor_of(struct arena *tmp, const struct facts *f)
{
    static const struct {
        enum fact fact;
        const char *prefix;
    } choices[] = {{F_AUID_NAME, "user"}, {F_AUID, "uid"}, {F_ACCT, "user"}, {F_UID, "uid"}};

    for (size_t i = 0; i < COUNT(choices); i++)
        if (f->v[choices[i].fact].n > 0)
            return arena_printf(tmp, "%s/%.*s", choices[i].prefix, STR_FMT(f->v[choices[i].fact]));
    return STR_NULL;
}

static str subject_of(struct arena *tmp, const struct facts *f)
{
    str name = f->v[F_NAME];

    if (f->v[F_UNIT].n > 0)
        return arena_printf(tmp, "unit/%.*s", STR_FMT(f->v[F_UNIT]));
    if (name.n > 0)
        return arena_printf(tmp, "file%s%.*s", name.p[0] == '/' ? "" : "/", STR_FMT(name));
    return STR_NULL;
}

static str lower(struct arena *tmp, str s)
{
    char *p = arena_new(tmp, char, s.n + 1);

    for (size_t i = 0; i < s.n; i++)
        p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] | 0x20) : s.p[i];
    return (str){p, s.n};
}

/* ---- writing ---- */

/* Fields under their names.  A name that comes again keeps its first value, and what passes
 * FIELDS_MAX goes to `rest`: the line holds them as they were. */
static void put_fields(struct fields f, str key, struct buf *out)
{
    str *seen = arena_new(f.tmp, str, FIELDS_MAX);
    size_t count = 0;

    json_key(out, key);
    json_open(out, '{');
    while (count < FIELDS_MAX && next_field(&f)) {
        size_t i = 0;

        while (i < count && !str_eq(seen[i], f.key))
            i++;
        if (i < count || str_is_null(f.key))
            continue;
        seen[count++] = f.key;
        json_member_str(out, f.key, f.value);
    }
    json_close(out, '}');
    if (next_field(&f))
        json_member_str(out, S("rest"), f.s.s);
}

/* The words without a key, as in "avc:  denied  { read } for  pid=1". */
static void put_words(struct fields f, struct buf *out)
{
    bool any = false;

    while (next_field(&f)) {
        if (!str_is_null(f.key))
            continue;
        if (!any)
            json_key(out, S("words"));
        if (!any)
            json_open(out, '[');
        json_put_str(out, f.value);
        any = true;
    }
    if (any)
        json_close(out, ']');
}

static void put_record(struct arena *tmp, const struct head *h, struct buf *out)
{
    struct fields enriched = fields_of(tmp, h, true);

    json_open(out, '{');
    json_member_str(out, S("type"), h->type);
    put_fields(fields_of(tmp, h, false), S("fields"), out);
    put_words(fields_of(tmp, h, false), out);
    if (enriched.s.s.n > 0)
        put_fields(enriched, S("enriched"), out);
    json_close(out, '}');
}

/* The next line of an event, with its head, which is known to be good. */
static bool next_line(str *rest, str *out_line, struct head *h)
{
    const char *what;
    size_t at;

    if (rest->n == 0)
        return false;
    *out_line = str_cut(rest, '\n');
    return read_head(*out_line, h, &at, &what);
}

static void put_data(const struct format_reader *r, str lines, struct buf *out)
{
    struct head h;
    str line;

    json_open(out, '{');
    json_key(out, S("records"));
    json_open(out, '[');
    for (str rest = lines; next_line(&rest, &line, &h);)
        put_record(r->tmp, &h, out);
    json_close(out, ']');
    if (!r->lean) {
        json_key(out, S("lines"));
        json_open(out, '[');
        for (str rest = lines; next_line(&rest, &line, &h);)
            format_put_line(out, line);
        json_close(out, ']');
    }
    json_close(out, '}');
}

static void write_event(struct format_reader *r, str lines, struct buf *out)
{
    struct arena *tmp = r->tmp;
    struct head first = {.time_us = 0}, h;
    struct facts facts = {0};
    str line, rest = lines;

    next_line(&rest, &line, &first);
    for (rest = lines; next_line(&rest, &line, &h);) {
        bool object = str_eq(h.type, S("PATH")) && !text_holds(h.body, S("nametype=PARENT"));

        look(fields_of(tmp, &h, false), &facts, object);
        look(fields_of(tmp, &h, true), &facts, false);
    }
    str digest = format_digest_hex(tmp, &lines, 1);
    str result = facts.v[F_SUCCESS].n > 0 ? facts.v[F_SUCCESS] : facts.v[F_RES];
    struct format_event e = {.time_us = first.time_us, .has_time = true};

    e.attribute[EV_ID] = arena_printf(tmp, "%.*s:%.*s", STR_FMT(first.stamp), STR_FMT(digest));
    e.attribute[EV_SOURCE] = format_event_source(r, first.node, S("auditd"));
    e.attribute[EV_TYPE] = arena_printf(tmp, "auditd.%.*s", STR_FMT(lower(tmp, first.type)));
    e.attribute[EV_SUBJECT] = subject_of(tmp, &facts);
    e.attribute[EV_ACTOR] = actor_of(tmp, &facts);
    e.attribute[EV_OUTCOME] = outcome_of(result);
    e.attribute[EV_REMOTEIP] = text_is_ip(facts.v[F_ADDR]) ? facts.v[F_ADDR] : STR_NULL;
    e.attribute[EV_SESSIONID] = facts.v[F_SES];
    format_event_open(r, out, &e);
    put_data(r, lines, out);
}

/* ---- gathering ---- */

/* Give an event to the caller.  It is kept when it turned out too large, to be written once more
 * without its lines. */
static err emit(struct format_reader *r, struct open_event *o, struct buf *out,
                struct format_item *item)
{
    item->line = o->line;
    item->offset = o->offset;
    if (!buf_ok(&o->lines)) {
        o->order = 0;
        return format_reject(r, item, S(""), "the records of this event are over %zu bytes long",
                             o->lines.max);
    }
    write_event(r, buf_str(&o->lines), out);
    err_ignore(format_event_done(out, item));
    if (format_event_fits(r, out) || r->lean)
        o->order = 0;
    return ERR_OK;
}

static bool is_same_event(const struct open_event *o, const struct head *h)
{
    str rest = buf_str(&o->lines), line;
    struct head first;

    return o->order > 0 && next_line(&rest, &line, &first) && str_eq(first.stamp, h->stamp) &&
           str_eq(first.node, h->node);
}

static struct open_event *find_open(struct auditd *a, const struct head *h)
{
    for (size_t i = 0; i < OPEN_MAX; i++)
        if (is_same_event(&a->events[i], h))
            return &a->events[i];
    return NULL;
}

/* The event opened first; NULL if there is none. */
static struct open_event *oldest(struct auditd *a)
{
    struct open_event *found = NULL;

    for (size_t i = 0; i < OPEN_MAX; i++)
        if (a->events[i].order > 0 && (!found || a->events[i].order < found->order))
            found = &a->events[i];
    return found;
}

static struct open_event *free_slot(struct auditd *a)
{
    for (size_t i = 0; i < OPEN_MAX; i++)
        if (a->events[i].order == 0)
            return &a->events[i];
    return NULL;
}

/* One that must be given out before an event of this time begins; NULL if there is none. */
static struct open_event *complete_before(struct auditd *a, int64_t time_us)
{
    struct open_event *o = oldest(a);

    if (o && (o->time_us + COMPLETE_AFTER_US <= time_us || !free_slot(a)))
        return o;
    return NULL;
}

static struct open_event *begin_event(struct format_reader *r, struct auditd *a, int64_t time_us)
{
    struct open_event *o = free_slot(a);

    ENSURE(o); /* complete_before() saw to it */
    buf_clear(&o->lines);
    o->lines.max = r->options.record_bytes_max;
    o->line = r->record.line;
    o->offset = r->record.offset;
    o->time_us = time_us;
    o->order = ++a->opened;
    o->ended = false;
    return o;
}

static err auditd_record(struct ctx *cx, struct format_reader *r, struct buf *out,
                         struct format_item *item)
{
    struct auditd *a = r->state;
    struct head h;
    size_t at;
    const char *what;

    (void)cx;
    if (!read_head(r->record.text, &h, &at, &what))
        return format_reject_at(r, item, at, "expected %s", what);
    struct open_event *o = find_open(a, &h);
    struct open_event *before = o ? NULL : complete_before(a, h.time_us);

    if (before) {
        r->again = true;
        return emit(r, before, out, item);
    }
    if (!o)
        o = begin_event(r, a, h.time_us);
    if (!o->ended) {
        buf_put(&o->lines, r->record.text);
        buf_put_char(&o->lines, '\n');
    }
    o->ended = str_eq(h.type, S("EOE"));
    return o->ended ? emit(r, o, out, item) : ERR_OK;
}

static err auditd_flush(struct ctx *cx, struct format_reader *r, struct buf *out,
                        struct format_item *item)
{
    struct open_event *o = oldest(r->state);

    (void)cx;
    return o ? emit(r, o, out, item) : ERR_OK;
}

static err auditd_open(struct ctx *cx, struct format_reader *r)
{
    (void)cx;
    r->state = arena_new(r->mem, struct auditd, 1);
    return ERR_OK;
}

static void auditd_close(struct format_reader *r)
{
    struct auditd *a = r->state;

    for (size_t i = 0; i < OPEN_MAX; i++)
        buf_close(&a->events[i].lines);
}

static unsigned auditd_likeness(str head)
{
    struct head h;
    size_t at;
    const char *what;

    return read_head(text_first_line(head), &h, &at, &what) ? 3 : 0;
}

static const char *const auditd_names[] = {"audit.log", NULL};

const struct format format_auditd = {
    .name = "auditd",
    .doc = "the Linux audit daemon, /var/log/audit/audit.log",
    .file_names = auditd_names,
    .likeness = auditd_likeness,
    .open = auditd_open,
    .record = auditd_record,
    .flush = auditd_flush,
    .close = auditd_close,
};
