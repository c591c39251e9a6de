/* head.c - see head.h.
 *
 * The walk keeps one invariant: everything before `w.p` has been accounted for, byte by byte. */
#include "http/head.h"

struct walk {
    str rest;
};

/* RFC 9110 section 5.6.2: the characters of methods and field names. */
static bool is_token_char(unsigned char c)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr(others, c));
}

static bool is_token(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_token_char((unsigned char)s.p[i]))
            return false;
    return s.n > 0;
}

/* Up to the next NUL, which is left in place; what has no NUL is cut off at the end. */
static str take_text(struct walk *w)
{
    size_t n = str_find_char(w->rest, '\0');
    str text = {w->rest.p, n};

    w->rest = str_slice(w->rest, n, w->rest.n);
    return text;
}

/* Exactly `n` NUL bytes and then something else or the end; the end of a line is two. */
static bool take_nuls(struct walk *w, size_t n)
{
    if (w->rest.n < n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (w->rest.p[i])
            return false;
    w->rest = str_slice(w->rest, n, w->rest.n);
    return true;
}

static err bad(struct ctx *cx, const char *what)
{
    return fail(cx, ERR_INVALID, "malformed request: %s", what);
}

/* http://host/path is allowed by RFC 9112 section 3.2.2; what counts is the path. */
static bool strip_authority(str *target)
{
    static const str schemes[] = {STR_INIT("http://"), STR_INIT("https://")};

    for (size_t i = 0; i < COUNT(schemes); i++) {
        if (!str_starts(*target, schemes[i]))
            continue;
        str rest = str_slice(*target, schemes[i].n, target->n);
        *target = str_slice(rest, str_find_char(rest, '/'), rest.n);
    }
    return target->n && (target->p[0] == '/' || str_eq(*target, S("*")));
}

static err read_target(struct ctx *cx, str target, struct head *h)
{
    for (size_t i = 0; i < target.n; i++) {
        unsigned char c = (unsigned char)target.p[i];
        if (c <= 0x20 || c >= 0x7f || c == '#')
            return bad(cx, "a byte that is not allowed in the request target");
    }
    if (!strip_authority(&target))
        return bad(cx, "the request target is not a path");
    h->target = target;
    return ERR_OK;
}

static err read_request_line(struct ctx *cx, struct walk *w, str target, struct head *h)
{
    h->method = take_text(w);
    if (!is_token(h->method) || !take_nuls(w, 1))
        return bad(cx, "the method");
    if (w->rest.n < target.n)
        return bad(cx, "the request line");
    w->rest = str_slice(w->rest, target.n, w->rest.n);
    if (!take_nuls(w, 1))
        return bad(cx, "the request line");
    TRY(read_target(cx, target, h));
    str version = take_text(w);
    h->http10 = str_eq(version, S("HTTP/1.0"));
    if (!h->http10 && !str_eq(version, S("HTTP/1.1")))
        return bad(cx, "the protocol version");
    return take_nuls(w, 2) ? ERR_OK : bad(cx, "the end of the request line");
}

static err read_value(struct ctx *cx, str value)
{
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return bad(cx, "a control character in a header value");
    }
    return ERR_OK;
}

static str skip_blanks(str s)
{
    size_t i = 0;

    while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t'))
        i++;
    return str_slice(s, i, s.n);
}

static err read_header(struct ctx *cx, struct walk *w, struct head *h)
{
    if (h->header_count == REQUEST_HEADERS_MAX)
        return fail(cx, ERR_HEADERS_TOO_LARGE, "more than %d headers", REQUEST_HEADERS_MAX);
    str name = take_text(w);
    if (!is_token(name))
        return bad(cx, "a header name");
    if (!take_nuls(w, 1))
        return bad(cx, "a header without a colon");
    str value = skip_blanks(take_text(w));
    TRY(read_value(cx, value));
    if (!take_nuls(w, 2))
        return bad(cx, "the end of a header line");
    h->headers[h->header_count++] = (struct header){name, value};
    return ERR_OK;
}

/* Headers that mean two different things when they come twice. */
enum single {
    HOST,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    AUTHORIZATION,
    CONTENT_TYPE,
    CONTENT_ENCODING,
    EXPECT,
    SINGLES
};

static const str single_names[SINGLES] = {
    [HOST] = STR_INIT("host"),
    [CONTENT_LENGTH] = STR_INIT("content-length"),
    [TRANSFER_ENCODING] = STR_INIT("transfer-encoding"),
    [AUTHORIZATION] = STR_INIT("authorization"),
    [CONTENT_TYPE] = STR_INIT("content-type"),
    [CONTENT_ENCODING] = STR_INIT("content-encoding"),
    [EXPECT] = STR_INIT("expect"),
};

static err find_singles(struct ctx *cx, const struct head *h, str found[SINGLES])
{
    for (size_t i = 0; i < h->header_count; i++) {
        for (size_t k = 0; k < SINGLES; k++) {
            if (!str_eq_nocase(h->headers[i].name, single_names[k]))
                continue;
            if (!str_is_null(found[k]))
                return fail(cx, ERR_INVALID, "malformed request: header '%.*s' given twice",
                            STR_FMT(single_names[k]));
            found[k] = h->headers[i].value;
        }
    }
    return ERR_OK;
}

static err check_host(struct ctx *cx, str host, bool http10)
{
    static const char allowed[] = ".-_:[]~%!$&'()*+;=";

    if (str_is_null(host) && !http10)
        return bad(cx, "no Host header");
    host = str_trim(host);
    for (size_t i = 0; i < host.n; i++) {
        unsigned char c = (unsigned char)host.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && !strchr(allowed, c))
            return bad(cx, "the Host header");
    }
    return ERR_OK;
}

/* How the body is framed.  The values must be exactly what the library acts upon. */
static err check_framing(struct ctx *cx, const str found[SINGLES], struct head *h)
{
    str length = found[CONTENT_LENGTH], encoding = found[TRANSFER_ENCODING];
    uint64_t n = 0;

    if (!str_is_null(encoding)) {
        if (!str_is_null(length))
            return bad(cx, "Transfer-Encoding together with Content-Length");
        if (h->http10 || !str_eq_nocase(encoding, S("chunked")))
            return bad(cx, "this Transfer-Encoding is not understood");
        h->content_length = -1;
        return ERR_OK;
    }
    if (!str_is_null(length) && (!str_to_u64(length, &n) || n > INT64_MAX))
        return bad(cx, "the Content-Length");
    h->content_length = (int64_t)n;
    return ERR_OK;
}

err head_read(struct ctx *cx, str cut, str target, struct head *out)
{
    struct head h = {.headers = out->headers};
    struct walk w = {cut};
    str found[SINGLES] = {{0}};

    TRY(read_request_line(cx, &w, target, &h));
    while (w.rest.n > 2)
        TRY(read_header(cx, &w, &h));
    if (!take_nuls(&w, 2) || w.rest.n)
        return bad(cx, "the end of the head");
    TRY(find_singles(cx, &h, found));
    TRY(check_host(cx, found[HOST], h.http10));
    TRY(check_framing(cx, found, &h));
    if (!str_is_null(found[EXPECT]) && !str_eq_nocase(found[EXPECT], S("100-continue")))
        return bad(cx, "this expectation is not understood");
    h.expects_continue = !str_is_null(found[EXPECT]);
    for (size_t i = 0; i < h.header_count; i++)
        h.headers[i].value = str_trim(h.headers[i].value);
    *out = h;
    return ERR_OK;
}

/* The library takes CRLF and a bare LF as the end of a line and writes NUL over both. */
static void cut_line_ends(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != '\n')
            continue;
        if (i > 0 && p[i - 1] == '\r')
            p[i - 1] = 0;
        p[i] = 0;
    }
}

static void cut_request_line(char *p, size_t n, str *out_target)
{
    char *end = memchr(p, 0, n);
    size_t line = end ? (size_t)(end - p) : n;
    char *first = memchr(p, ' ', line);
    char *last = memrchr(p, ' ', line);

    *out_target = STR_NULL;
    if (!first || first == last)
        return;
    *first = *last = 0;
    *out_target = (str){first + 1, (size_t)(last - first - 1)};
}

str head_cut(struct arena *mem, str raw, str *out_target)
{
    size_t end = str_find(raw, S("\r\n\r\n"));

    if (end == raw.n)
        return STR_NULL;
    size_t n = end + 4;
    char *p = arena_alloc(mem, 1, n);
    memcpy(p, raw.p, n);
    cut_line_ends(p, n);
    char *line = memchr(p, 0, n);
    cut_request_line(p, n, out_target);
    while (line && line < p + n) {
        while (line < p + n && !*line)
            line++;
        size_t left = (size_t)(p + n - line);
        char *stop = left ? memchr(line, 0, left) : NULL;
        char *colon = stop ? memchr(line, ':', (size_t)(stop - line)) : NULL;
        if (stop > line && !colon)
            return STR_NULL;
        if (colon)
            *colon = 0;
        line = stop;
    }
    return (str){p, n};
}
