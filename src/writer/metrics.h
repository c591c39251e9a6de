/* metrics.h - what the writer counts (metric.def). */
#pragma once
#include "base/metric.h"

#define M(var, name, kind, scale, bounds, help) extern struct metric var;
#include "writer/metric.def"
#undef M

extern struct metric *const writer_metrics[]; /* NULL-ended */
