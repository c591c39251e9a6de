/* status.h - how the server is: health, readiness, metrics, the first page, the API's description.
 */
#pragma once
#include "base/metric.h"
#include "http/route.h"

extern const struct route status_routes[];
extern struct metric *const status_metrics[]; /* NULL-ended */
