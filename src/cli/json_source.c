/* json_source.c - see json_source.h. */
#include "cli/json_source.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t skip_space(str s, size_t at)
{
    while (at < s.n && is_space(s.p[at]))
        at++;
    return at;
}

/* Behind the string that begins at `at`. */
static size_t skip_string(str s, size_t at)
{
    for (at++; at < s.n && s.p[at] != '"'; at++)
        if (s.p[at] == '\\')
            at++;
    return at + 1;
}

/* Behind the value that begins at `at`. */
static size_t skip_value(str s, size_t at)
{
    size_t depth = 0;

    while (at < s.n) {
        char c = s.p[at];
        if (depth == 0 && (c == ',' || c == '}' || c == ']' || is_space(c)))
            return at;
        at = c == '"' ? skip_string(s, at) : at + 1;
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        if (depth == 0 && (c == '"' || c == '}' || c == ']'))
            return at;
    }
    return at;
}

str json_member_source(str object, str key)
{
    size_t at = skip_space(object, 0) + 1; /* '{' */

    for (;;) {
        at = skip_space(object, at);
        if (at >= object.n || object.p[at] != '"')
            return STR_NULL;
        size_t name_end = skip_string(object, at);
        str name = str_slice(object, at + 1, name_end - 1);
        at = skip_space(object, skip_space(object, name_end) + 1); /* ':' */
        size_t end = skip_value(object, at);
        if (str_eq(name, key))
            return str_slice(object, at, end);
        at = skip_space(object, end) + 1; /* ',' or '}' */
    }
}

bool json_element_source(str *rest, str *out)
{
    size_t at = skip_space(*rest, 0);

    /* '[' before the first, ',' before the others, ']' at the end */
    if (at >= rest->n || rest->p[at] == ']')
        return false;
    at = skip_space(*rest, at + 1);
    if (at >= rest->n || rest->p[at] == ']')
        return false;
    size_t end = skip_value(*rest, at);
    *out = str_slice(*rest, at, end);
    *rest = str_slice(*rest, end, rest->n);
    return true;
}

void put_on_one_line(struct buf *b, str json)
{
    size_t from = b->n;

    buf_put(b, json);
    for (size_t i = from; i < b->n; i++)
        if (b->p[i] == '\n' || b->p[i] == '\r')
            b->p[i] = ' ';
}
