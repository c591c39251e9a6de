/* json_split.c - see json_split.h. */
#include "audit/json_split.h"

static size_t string_end(str s, size_t at)
{
    for (at++; at < s.n && s.p[at] != '"'; at++)
        if (s.p[at] == '\\')
            at++;
    return at;
}

/* Where the value that begins the text ends: at a comma or bracket outside it. */
static size_t value_end(str s)
{
    size_t depth = 0, at = 0;

    for (; at < s.n; at++) {
        char c = s.p[at];
        if (c == '"')
            at = string_end(s, at);
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']' || c == ',') && depth == 0)
            break;
        else if (c == '}' || c == ']')
            depth--;
    }
    return size_min(at, s.n);
}

bool json_split_next(str *rest, str *out_element)
{
    str s = str_trim(*rest);

    if (s.n && (s.p[0] == '[' || s.p[0] == ','))
        s = str_trim(str_slice(s, 1, s.n));
    if (s.n == 0 || s.p[0] == ']')
        return false;
    size_t end = value_end(s);
    *out_element = str_trim(str_slice(s, 0, end));
    *rest = str_slice(s, end, s.n);
    return true;
}
