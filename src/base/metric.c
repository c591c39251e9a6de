/* metric.c - see metric.h. */
#include "base/metric.h"
#include <stdio.h>
#include <stdlib.h>

#define MS INT64_C(1000000)
#define SECOND INT64_C(1000000000)

const int64_t metric_seconds_bounds[] = {
    5 * MS,   10 * MS, 25 * MS,        50 * MS,    75 * MS,         100 * MS,    250 * MS, 500 * MS,
    750 * MS, SECOND,  5 * SECOND / 2, 5 * SECOND, 15 * SECOND / 2, 10 * SECOND, 0};
const int64_t metric_fine_seconds_bounds[] = {MS / 20,    MS / 10,  MS / 4,  MS / 2,  MS,
                                              5 * MS / 2, 5 * MS,   10 * MS, 25 * MS, 50 * MS,
                                              100 * MS,   250 * MS, SECOND,  0};
const int64_t metric_size_bounds[] = {1,     4,     16,     64,      256,     1024, 4096,
                                      16384, 65536, 262144, 1048576, 4194304, 0};

static void observe(const struct metric *m, struct metric_cell *c, int64_t v)
{
    size_t i = 0;

    while (m->bounds[i] && v > m->bounds[i])
        i++;
    atomic_fetch_add_explicit(&c->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->sum, v, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->value, 1, memory_order_relaxed);
}

void metric_observe(struct metric *m, int64_t v)
{
    observe(m, &m->plain, v);
}

void metric_cell_observe(struct metric *m, struct metric_cell *c, int64_t v)
{
    observe(m, c, v);
}

void metric_cell_add(struct metric_cell *c, int64_t n)
{
    atomic_fetch_add_explicit(&c->value, n, memory_order_relaxed);
}

static struct metric_cell *cell_new(str labels)
{
    struct metric_cell *c = calloc(1, sizeof *c);

    ENSURE(c);
    c->labels = strndup(labels.p, labels.n);
    ENSURE(c->labels);
    return c;
}

/* Cells are only ever added, at the first free place, so readers need no lock. */
struct metric_cell *metric_cell(struct metric *m, str labels)
{
    struct metric_cell *made = NULL;

    for (size_t i = 0; i < METRIC_CELLS_MAX; i++) {
        str want = i == METRIC_CELLS_MAX - 1 ? S("overflow=\"true\"") : labels;
        struct metric_cell *c = atomic_load(&m->cells[i]);
        if (!c) {
            if (!made)
                made = cell_new(want);
            if (atomic_compare_exchange_strong(&m->cells[i], &c, made))
                return made;
        }
        if (str_eq(str_from(c->labels), want)) {
            if (made)
                free(made->labels);
            free(made);
            return c;
        }
    }
    ensure_failed("the last cell takes everything", __FILE__, __LINE__);
}

static void put_scaled(struct buf *b, const struct metric *m, int64_t v)
{
    if (m->scale > 1)
        buf_printf(b, "%.9g", (double)v / (double)m->scale);
    else
        buf_put_i64(b, v);
}

static void put_name(struct buf *b, const struct metric *m, const char *suffix,
                     const struct metric_cell *c, const char *le)
{
    const char *labels = c->labels ? c->labels : "";

    buf_printf(b, "%s%s", m->name, suffix);
    if (*labels || *le)
        buf_printf(b, "{%s%s%s}", labels, *labels && *le ? "," : "", le);
    buf_put_char(b, ' ');
}

static void put_histogram(struct buf *b, const struct metric *m, const struct metric_cell *c)
{
    uint64_t total = 0;
    char le[48];

    for (size_t i = 0;; i++) {
        total += c->buckets[i];
        if (m->bounds[i])
            snprintf(le, sizeof le, "le=\"%.9g\"",
                     (double)m->bounds[i] / (double)(m->scale > 1 ? m->scale : 1));
        else
            snprintf(le, sizeof le, "le=\"+Inf\"");
        put_name(b, m, "_bucket", c, le);
        buf_put_u64(b, total);
        buf_put_char(b, '\n');
        if (!m->bounds[i])
            break;
    }
    put_name(b, m, "_sum", c, "");
    put_scaled(b, m, c->sum);
    buf_put_char(b, '\n');
    put_name(b, m, "_count", c, "");
    buf_put_u64(b, total);
    buf_put_char(b, '\n');
}

static void put_cell(struct buf *b, const struct metric *m, const struct metric_cell *c)
{
    if (m->kind == METRIC_HISTOGRAM) {
        put_histogram(b, m, c);
        return;
    }
    put_name(b, m, "", c, "");
    put_scaled(b, m, c->value);
    buf_put_char(b, '\n');
}

void metric_render(struct buf *b, const struct metric *m)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    bool labelled = false;

    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, kinds[m->kind]);
    for (size_t i = 0; i < METRIC_CELLS_MAX; i++) {
        const struct metric_cell *c = atomic_load(&m->cells[i]);
        if (!c)
            break;
        labelled = true;
        put_cell(b, m, c);
    }
    if (!labelled)
        put_cell(b, m, &m->plain);
}

bool metric_moved(const struct metric *m)
{
    if (m->plain.value || m->plain.sum)
        return true;
    for (size_t i = 0; i < METRIC_CELLS_MAX; i++) {
        const struct metric_cell *c = atomic_load(&m->cells[i]);
        if (!c)
            break;
        if (c->value || c->sum)
            return true;
    }
    return false;
}
