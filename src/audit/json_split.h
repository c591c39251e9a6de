/* json_split.h - the elements of a JSON array as they were written, byte for byte. */
#pragma once
#include "base/base.h"

/* `*rest` is a valid array (json_parse() took it) on the first call; gives the text of the next
 * element; false behind the last. */
bool json_split_next(str *rest, str *out_element);
