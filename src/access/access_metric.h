/* access_metric.h - what this domain counts; the rows are in access_metric.def.  Any thread. */
#pragma once
#include "access/access_registry.h"
#include "base/metric.h"

#define M(id, name, kind, help) extern struct metric id;
#include "access/access_metric.def"
#undef M

extern struct metric *const access_metrics[]; /* NULL-ended */

/* access_identified by kind of credential and outcome. */
void access_count_identified(bool key, enum identified outcome);
/* access_refused by reason (a label that is one of few). */
void access_count_refused(const char *reason);
