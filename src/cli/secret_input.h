/* secret_input.h - passwords from people and from programs, never from the command line.
 *
 * Inner header of src/cli. */
#pragma once
#include "base/base.h"

/* From the terminal without echo, asked twice; with `from_stdin` the first line of standard input.
 * *out: arena `mem`; wipe it with secret_wipe_str().  USAGE: there is no terminal; the two differ.
 */
err secret_read(struct ctx *cx, const char *prompt, bool from_stdin, str *out);
