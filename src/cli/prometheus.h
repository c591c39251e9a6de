/* prometheus.h - samples out of the Prometheus text format (version 0.0.4).
 *
 * Pure.  Lines that are no sample are passed over.  Inner header of src/cli. */
#pragma once
#include "base/base.h"

struct sample {
    str name, labels; /* labels as between the braces; "" without */
    double value;
};

struct samples {
    struct sample *items; /* arena `mem`; texts borrowed */
    size_t count;
};

err samples_read(struct ctx *cx, str text, struct samples *out);
/* Sum over the samples of that name whose labels hold this text ("" holds in all); 0 without any.
 */
double samples_sum(const struct samples *s, const char *name, const char *labels_hold);
bool samples_have(const struct samples *s, const char *name);
