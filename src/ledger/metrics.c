/* metrics.c - see metrics.h. */
#include "ledger/metrics.h"

#define M(var, name_, kind_, scale_, bounds_, help_)                                               \
    struct metric var = {.name = (name_),                                                          \
                         .help = (help_),                                                          \
                         .kind = (kind_),                                                          \
                         .scale = (scale_),                                                        \
                         .bounds = (bounds_)};
#include "ledger/metric.def"
#undef M

struct metric *const ledger_metrics[] = {
#define M(var, name, kind, scale, bounds, help) &var,
#include "ledger/metric.def"
#undef M
    NULL,
};
