/* whole_file.h - a small file, a pipe or standard input ("-") in memory.  Inner header of src/cli.
 */
#pragma once
#include "base/base.h"

/* *out: arena `mem`, NUL-terminated.  IO, also when there is no such file; TOO_LARGE. */
err whole_file_read(struct ctx *cx, str path, size_t bytes_max, str *out);
