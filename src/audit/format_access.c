/* format_access.c - access logs of nginx and Apache: common and combined log format.
 *
 *   192.0.2.7 - alice [20/Nov/2026:08:15:30 +0100] "GET /a?b HTTP/1.1" 200 512 "referer" "agent"
 *
 * Before the client may stand a virtual host with its port (Apache's vhost_combined), behind the
 * agent any further words or quoted texts.  Clients choose much of such a line, so `data` keeps it
 * as it came beside what was read from it. */
#include "audit/format_reader.h"

enum { EXTRA_MAX = 16 };

struct access {
    str vhost, client, ident, user;
    int64_t time_us;
    str request, method, target, protocol;
    str status, bytes, referer, agent;
    str extra[EXTRA_MAX];
    size_t extra_count;
};

/* ---- reading ---- */

static str unless_dash(str s)
{
    return str_eq(s, S("-")) ? STR_NULL : s;
}

static bool is_host_and_port(str s)
{
    str port = s;
    uint64_t n;

    str_cut(&port, ':');
    return !text_is_ip(s) && str_to_u64(port, &n);
}

/* What stands before the time: "[vhost:port ]client ident user". */
static bool read_client(struct scan *s, struct access *a)
{
    struct scan head = {str_slice(s->s, 0, str_find(s->s, S(" ["))), 0};

    if (head.s.n == s->s.n)
        return false;
    a->client = text_word(&head);
    if (is_host_and_port(a->client)) {
        a->vhost = a->client;
        a->client = text_word(&head);
    }
    a->ident = unless_dash(text_word(&head));
    a->user = unless_dash(text_rest(&head));
    s->at = head.s.n + 1;
    return a->client.n > 0 && text_rest(&head).n > 0;
}

/* "[20/Nov/2026:08:15:30 +0100] " */
static bool read_time(struct scan *s, struct access *a)
{
    str t = str_slice(text_rest(s), 0, sizeof "[20/Nov/2026:08:15:30 +0100] " - 1);
    int zone_h, zone_m;
    struct civil c = {.month = text_month(str_slice(t, 4, 7))};

    if (!text_digits(t, 1, 2, &c.day) || !text_digits(t, 8, 4, &c.year) ||
        !text_digits(t, 13, 2, &c.hour) || !text_digits(t, 16, 2, &c.minute) ||
        !text_digits(t, 19, 2, &c.second) || !text_digits(t, 23, 2, &zone_h) ||
        !text_digits(t, 25, 2, &zone_m) || !str_ends(t, S("] ")))
        return false;
    int32_t zone_s = (zone_h * 60 + zone_m) * 60;

    if (t.p[22] != '+' && t.p[22] != '-')
        return false;
    s->at += t.n;
    return text_civil_time(&c, t.p[22] == '-' ? -zone_s : zone_s, &a->time_us);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

/* The byte that an escape at s.p[at] stands for, and how long it is; -1 if it is none. */
static int unescape(str s, size_t at, size_t *out_n)
{
    static const char letters[] = "n\nt\tr\rv\vb\bf\f\"\"\\\\";

    *out_n = 2;
    if (at + 1 >= s.n)
        return -1;
    for (const char *l = letters; *l; l += 2)
        if (s.p[at + 1] == l[0])
            return (unsigned char)l[1];
    *out_n = 4;
    if (s.p[at + 1] != 'x' || at + 3 >= s.n || hex_digit(s.p[at + 2]) < 0 ||
        hex_digit(s.p[at + 3]) < 0)
        return -1;
    return hex_digit(s.p[at + 2]) * 16 + hex_digit(s.p[at + 3]);
}

/* A text in quotes with \" \\ \n \xHH; false if it is not there or not closed. */
static bool read_quoted(struct arena *tmp, struct scan *s, str *out)
{
    if (!text_char(s, '"'))
        return false;
    str rest = text_rest(s);
    char *p = arena_new(tmp, char, rest.n + 1);
    size_t n = 0, at = 0, used;

    while (at < rest.n && rest.p[at] != '"') {
        int byte = rest.p[at] == '\\' ? unescape(rest, at, &used) : -1;

        p[n++] = byte >= 0 ? (char)byte : rest.p[at];
        at += byte >= 0 ? used : 1;
    }
    s->at += at + 1;
    *out = unless_dash((str){p, n});
    return at < rest.n;
}

/* A number or "-", and the blank behind it if there is one. */
static bool read_number(struct scan *s, str *out)
{
    uint64_t n;

    *out = unless_dash(text_word(s));
    return str_is_null(*out) || str_to_u64(*out, &n);
}

/* "GET /a HTTP/1.1"; anything else (a TLS hello, nothing) leaves method and target null. */
static void split_request(struct access *a)
{
    str target = a->request, method = str_cut(&target, ' ');
    size_t blank = target.n;

    for (size_t i = 0; i < method.n; i++)
        if (method.p[i] < 'A' || method.p[i] > 'Z')
            return;
    if (method.n == 0 || target.n == 0)
        return;
    while (blank > 0 && target.p[blank - 1] != ' ')
        blank--;
    a->method = method;
    a->target = target;
    if (blank > 0 && str_starts(str_slice(target, blank, target.n), S("HTTP/"))) {
        a->protocol = str_slice(target, blank, target.n);
        a->target = str_slice(target, 0, blank - 1);
    }
}

/* Referer, agent and what a site added; true if all of the rest is well-formed. */
static bool read_tail(struct arena *tmp, struct scan *s, struct access *a)
{
    str *known[] = {&a->referer, &a->agent};
    size_t n = 0;

    for (; s->at < s->s.n; n++) {
        str *out = n < COUNT(known) ? known[n] : &a->extra[a->extra_count];

        if (a->extra_count == EXTRA_MAX)
            return false;
        if (s->s.p[s->at] != '"')
            *out = unless_dash(text_word(s));
        else if (!read_quoted(tmp, s, out) || (s->at < s->s.n && !text_char(s, ' ')))
            return false;
        a->extra_count += n >= COUNT(known);
    }
    return true;
}

/* False with *out_what expected at s->at. */
static bool read_line(struct arena *tmp, struct scan *s, struct access *a, const char **out_what)
{
    *out_what = "client, ident, user and [time]";
    if (!read_client(s, a))
        return false;
    *out_what = "a time like [20/Nov/2026:08:15:30 +0100]";
    if (!read_time(s, a))
        return false;
    *out_what = "the request in quotes";
    if (!read_quoted(tmp, s, &a->request))
        return false;
    *out_what = "a blank and the status";
    if (!text_char(s, ' ') || !read_number(s, &a->status))
        return false;
    *out_what = "the size of the answer or -";
    if (s->at == s->s.n || !read_number(s, &a->bytes))
        return false;
    *out_what = "a text with its closing quote";
    split_request(a);
    return read_tail(tmp, s, a);
}

/* ---- writing ---- */

static void put_text(struct buf *out, str key, str v)
{
    if (!str_is_null(v))
        json_member_str(out, key, v);
}

static void put_number(struct buf *out, str key, str v)
{
    uint64_t n;

    if (str_to_u64(v, &n))
        json_member_u64(out, key, n);
}

static void put_data(const struct format_reader *r, const struct access *a, struct buf *out)
{
    json_open(out, '{');
    put_text(out, S("vhost"), a->vhost);
    put_text(out, S("client"), a->client);
    put_text(out, S("ident"), a->ident);
    put_text(out, S("user"), a->user);
    put_text(out, S("request"), str_is_null(a->method) ? a->request : STR_NULL);
    put_text(out, S("method"), a->method);
    put_text(out, S("target"), a->target);
    put_text(out, S("protocol"), a->protocol);
    put_number(out, S("status"), a->status);
    put_number(out, S("bytes"), a->bytes);
    put_text(out, S("referer"), a->referer);
    put_text(out, S("user_agent"), a->agent);
    if (a->extra_count > 0) {
        json_key(out, S("extra"));
        json_open(out, '[');
        for (size_t i = 0; i < a->extra_count; i++)
            json_put_str(out, a->extra[i]);
        json_close(out, ']');
    }
    format_event_put_line(r, out);
    json_close(out, '}');
}

static str outcome_of(str status)
{
    uint64_t n;

    if (!str_to_u64(status, &n) || n < 100)
        return STR_NULL;
    return n < 400 ? S("success") : S("failure");
}

static err access_record(struct ctx *cx, struct format_reader *r, struct buf *out,
                         struct format_item *item)
{
    struct access a = {.time_us = 0};
    struct scan s = {r->record.text, 0};
    const char *what;

    (void)cx;
    if (!read_line(r->tmp, &s, &a, &what))
        return format_reject_at(r, item, size_min(s.at, s.s.n), "expected %s", what);
    struct format_event e = {.time_us = a.time_us, .has_time = true};

    e.attribute[EV_SOURCE] = format_event_source(r, STR_NULL, S("access"));
    e.attribute[EV_TYPE] = S("http.request");
    e.attribute[EV_SUBJECT] = str_slice(a.target, 0, str_find_char(a.target, '?'));
    if (a.user.n > 0)
        e.attribute[EV_ACTOR] = arena_printf(r->tmp, "user/%.*s", STR_FMT(a.user));
    e.attribute[EV_OUTCOME] = outcome_of(a.status);
    e.attribute[EV_REMOTEIP] = text_is_ip(a.client) ? a.client : STR_NULL;
    format_event_open(r, out, &e);
    put_data(r, &a, out);
    return format_event_done(out, item);
}

static unsigned access_likeness(str head)
{
    struct access a = {.time_us = 0};
    struct scan s = {text_first_line(head), 0};

    return read_client(&s, &a) && read_time(&s, &a) ? 3 : 0;
}

static const char *const access_names[] = {"access.log", "access_log", "other_vhosts_access.log",
                                           NULL};

const struct format format_access = {
    .name = "access",
    .doc = "access logs of nginx and Apache: common or combined log format",
    .file_names = access_names,
    .likeness = access_likeness,
    .record = access_record,
};
