/* access_metric.c - see access_metric.h. */
#include "access/access_metric.h"
#include <stdio.h>

#define M(id, name_, kind_, help_)                                                                 \
    struct metric id = {.name = (name_), .help = (help_), .kind = (kind_)};
#include "access/access_metric.def"
#undef M

struct metric *const access_metrics[] = {
#define M(id, name, kind, help) &(id),
#include "access/access_metric.def"
#undef M
    NULL,
};

/* Cells are found once and kept: this runs for every request. */
void access_count_identified(bool key, enum identified outcome)
{
    static const char *const labels[2][4] = {
        {
            [IDENTIFIED] = "kind=\"session\",outcome=\"good\"",
            [IDENTIFIED_NOT] = "kind=\"session\",outcome=\"unknown\"",
            [IDENTIFIED_MALFORMED] = "kind=\"session\",outcome=\"malformed\"",
            [IDENTIFIED_EXPIRED] = "kind=\"session\",outcome=\"expired\"",
        },
        {
            [IDENTIFIED] = "kind=\"key\",outcome=\"good\"",
            [IDENTIFIED_NOT] = "kind=\"key\",outcome=\"unknown\"",
            [IDENTIFIED_MALFORMED] = "kind=\"key\",outcome=\"malformed\"",
            [IDENTIFIED_EXPIRED] = "kind=\"key\",outcome=\"expired\"",
        },
    };
    static _Atomic(struct metric_cell *) cells[2][4];
    _Atomic(struct metric_cell *) *place = &cells[key][outcome];
    struct metric_cell *c = atomic_load_explicit(place, memory_order_acquire);

    if (!c) {
        c = metric_cell(&access_identified, str_from(labels[key][outcome]));
        atomic_store_explicit(place, c, memory_order_release);
    }
    metric_cell_add(c, 1);
}

void access_count_refused(const char *reason)
{
    char label[80];

    snprintf(label, sizeof label, "reason=\"%s\"", reason);
    metric_cell_add(metric_cell(&access_refused, str_from(label)), 1);
}
