/* suggest.c - optimal string alignment: insert, delete, replace, or swap of neighbours cost one. */
#include "ops/suggest.h"

enum { SUGGEST_BYTES_MAX = 63 };

static size_t smallest(size_t a, size_t b, size_t c)
{
    return size_min(a, size_min(b, c));
}

/* Three rolling rows of the usual table: two back, one back, current. */
static size_t edit_distance(str a, str b)
{
    size_t rows[3][SUGGEST_BYTES_MAX + 1];

    for (size_t j = 0; j <= b.n; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t differs = a.p[i - 1] != b.p[j - 1];

            now[j] = smallest(last[j] + 1, now[j - 1] + 1, last[j - 1] + differs);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                now[j] = size_min(now[j], before[j - 2] + 1);
        }
    }
    return rows[a.n % 3][b.n];
}

struct suggestion suggest_begin(str word)
{
    /* A third of the letters may be wrong: more is another word. */
    return (struct suggestion){.word = word, .distance = word.n / 3 + 2};
}

void suggest_try(struct suggestion *s, str candidate)
{
    size_t distance;

    if (s->word.n == 0 || s->word.n > SUGGEST_BYTES_MAX || candidate.n > SUGGEST_BYTES_MAX)
        return;
    distance = edit_distance(s->word, candidate);
    /* What was typed may also be a beginning: "comp" for "completion". */
    if (s->word.n >= 3 && str_starts(candidate, s->word))
        distance = size_min(distance, 1);
    if (distance < s->distance) {
        s->distance = distance;
        s->best = candidate;
    }
}

const char *suggest_text(struct ctx *cx, const struct suggestion *s)
{
    if (str_is_null(s->best))
        return "";
    return arena_printf(cx->mem, "; did you mean '%.*s'?", STR_FMT(s->best)).p;
}
