/* format_dpkg.c - what Debian's package manager did: /var/log/dpkg.log.
 *
 *   2026-11-20 23:36:46 install foo:amd64 <none> 1.2
 *
 * The actions are those of dpkg(1), section "--log".  Times are local and name no zone: the offset
 * is an option.  `data` holds every word of the line, so the line itself is not kept. */
#include "audit/format_reader.h"

enum { WORDS_MAX = 3 };

struct action {
    str name;
    size_t word_count;
    /* Members of `data` for the words behind the action. */
    str words[WORDS_MAX];
    unsigned subject_word; /* of the words, from 1; 0: none */
    const char *subject_prefix;
};

/* clang-format off */
#define PACKAGE STR_INIT("package")
#define VERSIONS 3, {PACKAGE, STR_INIT("installed"), STR_INIT("available")}, 1, "package/"
static const struct action actions[] = {
    {STR_INIT("status"),    3, {STR_INIT("status"), PACKAGE, STR_INIT("installed")}, 2, "package/"},
    {STR_INIT("install"),   VERSIONS},
    {STR_INIT("upgrade"),   VERSIONS},
    {STR_INIT("configure"), VERSIONS},
    {STR_INIT("trigproc"),  VERSIONS},
    {STR_INIT("disappear"), VERSIONS},
    {STR_INIT("remove"),    VERSIONS},
    {STR_INIT("purge"),     VERSIONS},
    {STR_INIT("startup"),   2, {STR_INIT("what"), STR_INIT("command")}, 0, ""},
    {STR_INIT("conffile"),  2, {STR_INIT("file"), STR_INIT("decision")}, 1, "file"},
};
/* clang-format on */

static const struct action *action_find(str name)
{
    for (size_t i = 0; i < COUNT(actions); i++)
        if (str_eq(name, actions[i].name))
            return &actions[i];
    return NULL;
}

/* The words behind the action; false with a rejection unless there are as many as it has. */
static bool read_words(struct format_reader *r, struct scan *s, const struct action *a, str *words,
                       struct format_item *item)
{
    for (size_t i = 0; i < a->word_count; i++) {
        size_t at = s->at;

        words[i] = text_word(s);
        if (words[i].n > 0)
            continue;
        err_ignore(format_reject_at(r, item, at, "'%.*s' needs the %.*s here", STR_FMT(a->name),
                                    STR_FMT(a->words[i])));
        return false;
    }
    if (s->at == s->s.n)
        return true;
    err_ignore(format_reject_at(r, item, s->at, "'%.*s' has nothing behind the %.*s",
                                STR_FMT(a->name), STR_FMT(a->words[a->word_count - 1])));
    return false;
}

static void write_event(struct format_reader *r, const struct action *a, const str *words,
                        int64_t time_us, struct buf *out)
{
    struct format_event e = {.time_us = time_us, .has_time = true};

    e.attribute[EV_SOURCE] = format_event_source(r, STR_NULL, S("dpkg"));
    e.attribute[EV_TYPE] = arena_printf(r->tmp, "dpkg.%.*s", STR_FMT(a->name));
    if (a->subject_word > 0)
        e.attribute[EV_SUBJECT] =
            arena_printf(r->tmp, "%s%.*s", a->subject_prefix, STR_FMT(words[a->subject_word - 1]));
    format_event_open(r, out, &e);
    json_open(out, '{');
    for (size_t i = 0; i < a->word_count; i++)
        json_member_str(out, a->words[i], str_eq(words[i], S("<none>")) ? STR_NULL : words[i]);
    json_close(out, '}');
}

static err dpkg_record(struct ctx *cx, struct format_reader *r, struct buf *out,
                       struct format_item *item)
{
    enum { TIME_BYTES = sizeof "YYYY-MM-DD hh:mm:ss" - 1 };
    struct scan s = {r->record.text, 0};
    str words[WORDS_MAX];
    int64_t us;

    (void)cx;
    if (!text_local_time(str_slice(s.s, 0, TIME_BYTES), r->options.zone_offset_s, &us))
        return format_reject_at(r, item, 0, "expected a time like 2026-11-20 23:36:46");
    s.at = TIME_BYTES;
    if (!text_char(&s, ' '))
        return format_reject_at(r, item, s.at, "expected a blank and an action");
    str name = text_word(&s);
    const struct action *a = action_find(name);

    if (!a)
        return format_reject_at(r, item, TIME_BYTES + 1, "'%.*s' is no action of dpkg",
                                STR_FMT(str_slice(name, 0, 40)));
    if (!read_words(r, &s, a, words, item))
        return ERR_OK;
    write_event(r, a, words, us, out);
    return format_event_done(out, item);
}

static unsigned dpkg_likeness(str head)
{
    struct scan s = {text_first_line(head), 0};
    int64_t us;

    if (s.s.n < 20 || !text_local_time(str_slice(s.s, 0, 19), 0, &us))
        return 0;
    s.at = 20;
    return action_find(text_word(&s)) ? 3 : 0;
}

static const char *const dpkg_names[] = {"dpkg.log", NULL};

const struct format format_dpkg = {
    .name = "dpkg",
    .doc = "Debian's package log, /var/log/dpkg.log",
    .file_names = dpkg_names,
    .likeness = dpkg_likeness,
    .record = dpkg_record,
};
