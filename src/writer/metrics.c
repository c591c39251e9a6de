/* metrics.c - see metrics.h. */
#include "writer/metrics.h"

#define M(var, name_, kind_, scale_, bounds_, help_)                                               \
    struct metric var = {.name = (name_),                                                          \
                         .help = (help_),                                                          \
                         .kind = (kind_),                                                          \
                         .scale = (scale_),                                                        \
                         .bounds = (bounds_)};
#include "writer/metric.def"
#undef M

struct metric *const writer_metrics[] = {
#define M(var, name, kind, scale, bounds, help) &var,
#include "writer/metric.def"
#undef M
    NULL,
};
