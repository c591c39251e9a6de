/* prometheus.c - see prometheus.h. */
#include "cli/prometheus.h"

enum { SAMPLES_FIRST = 256, SAMPLES_MAX = 1 << 20 };

/* `name{labels} value [timestamp]`; label values may hold '}' and blanks inside their quotes. */
static bool read_sample(str line, struct sample *out)
{
    size_t end = 0;

    while (end < line.n && line.p[end] != '{' && line.p[end] != ' ')
        end++;
    out->name = str_slice(line, 0, end);
    out->labels = S("");
    if (end < line.n && line.p[end] == '{') {
        size_t from = end + 1;
        bool quoted = false;
        for (end = from; end < line.n && (quoted || line.p[end] != '}'); end++) {
            if (quoted && line.p[end] == '\\')
                end++;
            else if (line.p[end] == '"')
                quoted = !quoted;
        }
        out->labels = str_slice(line, from, end);
        end++;
    }
    str rest = str_trim(str_slice(line, end, line.n));
    return out->name.n > 0 && str_to_double(str_cut(&rest, ' '), &out->value);
}

static void grow(struct ctx *cx, struct samples *s, size_t *capacity)
{
    struct sample *more = arena_new(cx->mem, struct sample, *capacity * 2);

    memcpy(more, s->items, s->count * sizeof *more);
    s->items = more;
    *capacity *= 2;
}

err samples_read(struct ctx *cx, str text, struct samples *out)
{
    size_t capacity = SAMPLES_FIRST;
    struct sample one;

    *out = (struct samples){arena_new(cx->mem, struct sample, capacity), 0};
    while (text.p) {
        str line = str_trim(str_cut(&text, '\n'));
        if (line.n == 0 || line.p[0] == '#' || !read_sample(line, &one))
            continue;
        if (out->count == SAMPLES_MAX)
            return fail(cx, ERR_TOO_LARGE, "there are more than %d metrics", SAMPLES_MAX);
        if (out->count == capacity)
            grow(cx, out, &capacity);
        out->items[out->count++] = one;
    }
    return ERR_OK;
}

double samples_sum(const struct samples *s, const char *name, const char *labels_hold)
{
    str part = str_from(labels_hold);
    double sum = 0;

    for (size_t i = 0; i < s->count; i++) {
        str labels = s->items[i].labels;
        if (str_eq(s->items[i].name, str_from(name)) &&
            (part.n == 0 || str_find(labels, part) < labels.n))
            sum += s->items[i].value;
    }
    return sum;
}

bool samples_have(const struct samples *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (str_eq(s->items[i].name, str_from(name)))
            return true;
    return false;
}
