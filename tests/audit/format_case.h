/* format_case.h - a format's whole answer to an input as one text, so that answers can be compared.
 *
 *   event 3 120 {"specversion":…}      line and offset of the record, then the event
 *   reject 4 180 /time | what is wrong
 *   fail the input as a whole cannot be read, and why */
#pragma once
#include "audit/format.h"
#include "test.h"

/* In the arena of cx.  `chunk` bytes are fed at a time; 0 is all at once. */
str format_answer(struct ctx *cx, const char *format, const struct format_options *options,
                  str input, size_t chunk);
/* In two pieces, cut at `at`. */
str format_answer_cut(struct ctx *cx, const char *format, const struct format_options *options,
                      str input, size_t at);
/* The answer is `want`, for pieces of every size from 1 up and for all at once. */
void check_answer(struct ctx *cx, const char *format, const struct format_options *options,
                  str input, const char *want);
/* The same for an input that is one rejection: "LINE OFFSET POINTER | what is wrong". */
void check_rejected(struct ctx *cx, const char *format, const struct format_options *options,
                    str input, const char *want);
/* What the answer gives as member `name` (a JSON pointer) of event `n`, as text; null if absent. */
str event_member(struct ctx *cx, str answer, size_t n, const char *pointer);
size_t count_lines_of(str answer, const char *kind); /* "event", "reject" */
