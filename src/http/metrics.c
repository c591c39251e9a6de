/* metrics.c - see metrics.h. */
#include "http/metrics.h"

#define M(id, name_, kind_, scale_, bounds_, help_)                                                \
    struct metric id = {.name = (name_),                                                           \
                        .help = (help_),                                                           \
                        .kind = (kind_),                                                           \
                        .scale = (scale_),                                                         \
                        .bounds = (bounds_)};
#include "http/metric.def"
#undef M

struct metric *const http_metrics[] = {
#define M(id, name, kind, scale, bounds, help) &(id),
#include "http/metric.def"
#undef M
    NULL,
};

void http_count_refusal(enum refusal reason)
{
    static const char *const labels[REFUSALS] = {
        [REFUSED_MALFORMED] = "reason=\"malformed\"",
        [REFUSED_CONNECTIONS] = "reason=\"connections\"",
        [REFUSED_DESCRIPTORS] = "reason=\"descriptors\"",
        [REFUSED_QUEUE] = "reason=\"queue\"",
        [REFUSED_TOO_LARGE] = "reason=\"too_large\"",
        [REFUSED_SLOW] = "reason=\"slow\"",
    };

    metric_cell_add(metric_cell(&http_refused, str_from(labels[reason])), 1);
}
