/* format.c - the table of formats, and telling which one a file is in. */
#include "audit/format_reader.h"

/* Where two are equally likely, the first is taken. */
const struct format *const formats[] = {
    &format_ndjson,   &format_cloudevents, &format_csv,
    &format_journald, &format_auditd,      &format_syslog,
    &format_access,   &format_dpkg,        NULL,
};

const struct format *format_find(str name)
{
    for (const struct format *const *f = formats; *f; f++)
        if (str_eq(name, str_from((*f)->name)))
            return *f;
    return NULL;
}

static bool all_digits(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0;
}

/* "access.log.2.gz" and "access.log-20261120.zst" without what rotation added. */
static str without_rotation(str name)
{
    static const str packed[] = {STR_INIT(".gz"), STR_INIT(".zst"), STR_INIT(".xz")};
    size_t at = name.n;

    for (size_t i = 0; i < COUNT(packed); i++)
        if (str_ends(name, packed[i]))
            return without_rotation(str_slice(name, 0, name.n - packed[i].n));
    while (at > 0 && name.p[at - 1] != '.' && name.p[at - 1] != '-')
        at--;
    if (at > 1 && all_digits(str_slice(name, at, name.n)))
        return str_slice(name, 0, at - 1);
    return name;
}

static str base_name(str path)
{
    str rest = path, name = path;

    while (!str_is_null(rest))
        name = str_cut(&rest, '/');
    return without_rotation(name);
}

static bool is_named(const struct format *f, str name)
{
    for (const char *const *hint = f->file_names; *hint; hint++) {
        str h = str_from(*hint);

        if (h.p[0] == '.' ? str_ends(name, h) : str_starts(name, h))
            return true;
    }
    return false;
}

/* Content counts for more than the name; "perhaps" alone is not enough. */
const struct format *format_detect(str head, str file_name)
{
    enum { ENOUGH = 3 };
    const struct format *best = NULL;
    unsigned best_score = ENOUGH - 1;
    str name = base_name(file_name);

    for (const struct format *const *f = formats; *f; f++) {
        unsigned likeness = head.n > 0 ? (*f)->likeness(head) : 1;
        unsigned score = 2 * likeness + (likeness > 0 && is_named(*f, name));

        if (score > best_score) {
            best = *f;
            best_score = score;
        }
    }
    return best;
}
