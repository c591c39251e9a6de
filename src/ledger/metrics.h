/* metrics.h - what the ledger counts (metric.def). */
#pragma once
#include "base/metric.h"

#define M(var, name, kind, scale, bounds, help) extern struct metric var;
#include "ledger/metric.def"
#undef M

extern struct metric *const ledger_metrics[]; /* NULL-ended */
