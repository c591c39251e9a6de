/* metric.h - counters, gauges and histograms, declared in tables and moved with one atomic add.
 *
 * A module lists its metrics in a .def table; ops renders all tables in the Prometheus text format.
 * A metric with a label has one cell per label value, found or made by metric_cell(); at most
 * METRIC_CELLS_MAX, beyond which the cell "other" is used.  Any thread. */
#pragma once
#include "base/base.h"
#include "base/buf.h"
#include <stdatomic.h>

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum { METRIC_CELLS_MAX = 512, METRIC_BUCKETS_MAX = 20 };

struct metric_cell {
    char *labels;          /* `route="/x",status="200"` or NULL */
    _Atomic int64_t value; /* counter, gauge (in the metric's scale); histogram: count */
    _Atomic int64_t sum;   /* histogram, in the scale */
    _Atomic uint64_t buckets[METRIC_BUCKETS_MAX];
};

struct metric {
    const char *name; /* base units: _total, _seconds, _bytes */
    const char *help;
    enum metric_kind kind;
    int64_t scale; /* what is stored per base unit: 1000000000 for ns kept as seconds; 0 is 1 */
    const int64_t *bounds; /* histogram: upper bounds in the stored scale, 0-ended */
    struct metric_cell plain;
    _Atomic(struct metric_cell *) cells[METRIC_CELLS_MAX]; /* labelled */
};

/* Duration buckets of OpenTelemetry in ns, and a finer set for fsync and batches. */
extern const int64_t metric_seconds_bounds[];
extern const int64_t metric_fine_seconds_bounds[];
extern const int64_t metric_size_bounds[]; /* powers of four from 1 */

static inline void metric_add(struct metric *m, int64_t n)
{
    atomic_fetch_add_explicit(&m->plain.value, n, memory_order_relaxed);
}

static inline void metric_set(struct metric *m, int64_t v)
{
    atomic_store_explicit(&m->plain.value, v, memory_order_relaxed);
}

static inline int64_t metric_value(const struct metric *m)
{
    return atomic_load_explicit(&m->plain.value, memory_order_relaxed);
}

void metric_observe(struct metric *m, int64_t v); /* in the stored scale */
/* `labels` as Prometheus writes them between braces; copied at first use. */
struct metric_cell *metric_cell(struct metric *m, str labels);
void metric_cell_add(struct metric_cell *c, int64_t n);
void metric_cell_observe(struct metric *m, struct metric_cell *c, int64_t v);
/* HELP, TYPE and all samples in the text format 0.0.4. */
void metric_render(struct buf *b, const struct metric *m);
bool metric_moved(const struct metric *m); /* has any cell ever been changed from zero? */
