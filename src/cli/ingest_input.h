/* ingest_input.h - the bytes of one file or of standard input, unpacked when they are gzip or zstd.
 *
 * Inner header of cli/ingest*.c.  One thread at a time. */
#pragma once
#include "base/base.h"

struct input;

/* "-" is standard input.  IO, also when there is none.  Owned: input_close(). */
err input_open(struct ctx *cx, str path, struct input **out);
void input_close(struct input *in); /* NULL is a no-op */
/* At most n bytes; *out_n = 0 at the end. */
err input_read(struct ctx *cx, struct input *in, void *p, size_t n, size_t *out_n);
/* The first bytes, unpacked, which will still be read: as many as there are, at most `n` of 4096.
 * Borrowed until the next read. */
err input_head(struct ctx *cx, struct input *in, str *out);
uint64_t input_done_bytes(const struct input *in); /* read of the file as it is stored */
/* Bytes of a regular file, 0 when not known; and when it was last written to, now for a pipe. */
err input_stat(struct ctx *cx, str path, uint64_t *out_bytes, int64_t *out_modified_us);
