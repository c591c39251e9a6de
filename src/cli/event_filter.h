/* event_filter.h - which events are meant: the parameters of the API as options of commands.
 *
 * audit/audit_filter.def has the one list of them; event_filter.def makes a command's options of
 * it. Times may also be said as a duration: "15m" is a quarter of an hour ago.  Inner header of
 * src/cli. */
#pragma once
#include "base/buf.h"
#include "base/shape.h"

enum { FILTER_QUERY_BYTES_MAX = 256 * 1024 };

struct event_filter {
#define MATCH(name, attr, help, example) struct strs name;
#define RANGE(name, take, kind, help, example) str name;
#define TEXT(name, take, kind, help, example) str name;
#include "audit/audit_filter.def"
};

/* Append "type=…&from=…", percent-encoded, to what ends in '?' or a parameter.  USAGE: a time. */
err event_filter_put(struct ctx *cx, struct buf *b, const struct event_filter *f, int64_t now_us);
/* One more parameter. */
void query_put(struct buf *b, str name, str value);
