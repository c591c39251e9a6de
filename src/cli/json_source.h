/* json_source.h - parts of a JSON text as they are written, byte for byte: what is hashed is bytes.
 *
 * The text has been parsed before, so it is known to be valid.  Pure.  Inner header of src/cli. */
#pragma once
#include "base/buf.h"

/* The value of a top-level member; null when there is none. */
str json_member_source(str object, str key);
/* `*rest` is an array at first; gives one element after the other, then false. */
bool json_element_source(str *rest, str *out);
/* Append it as one line: a line end between tokens, where alone one can be, becomes a blank. */
void put_on_one_line(struct buf *b, str json);
