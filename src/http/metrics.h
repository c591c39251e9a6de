/* metrics.h - what this folder counts; the rows are in metric.def.
 *
 * Any thread. */
#pragma once
#include "base/metric.h"

#define M(id, name, kind, scale, bounds, help) extern struct metric id;
#include "http/metric.def"
#undef M

/* NULL-ended, for the module table. */
extern struct metric *const http_metrics[];

/* http_refused by reason. */
enum refusal {
    REFUSED_MALFORMED,
    REFUSED_CONNECTIONS,
    REFUSED_DESCRIPTORS,
    REFUSED_QUEUE,
    REFUSED_TOO_LARGE,
    REFUSED_SLOW,
    REFUSALS
};
void http_count_refusal(enum refusal reason);
