/* ingest_feed.h - files as batches of NDJSON, made by a thread of its own while others are sent.
 *
 *   feed_open()   starts the thread
 *   feed_take()   the next batch, in order; NULL behind the last
 *   feed_give()   when it was sent: its memory is used again
 *   feed_close()  ends the thread, wherever it is
 *
 * Invariants  1. A batch holds whole lines, one event each, at most `batch_bytes` unless a single
 *                event is larger.
 *             2. Memory is bounded by the number of batches, whatever the input.
 *             3. Every line of a batch can be traced to the file and line that it came from.
 * Lines of NDJSON that nothing has to be mapped in go through as they are: whoever stores them
 * parses them, once.  Inner header of cli/ingest*.c. */
#pragma once
#include "audit/format.h"
#include "base/shape.h"

/* From here on a line of the batch is a line of a file: both count up together. */
struct feed_run {
    uint64_t line; /* of the batch, from 1 */
    uint64_t file_line;
    size_t file;
};

struct feed_bad {
    size_t file;
    uint64_t line;
    str pointer, detail; /* owned by the batch's memory */
};

enum { FEED_BAD_MAX = 1000 }; /* of one batch are kept; all are counted */

struct feed_batch {
    struct buf text;
    uint64_t lines;
    struct feed_run *runs; /* owned */
    size_t run_count, run_capacity;
    struct feed_bad bad[FEED_BAD_MAX]; /* records that are no event */
    size_t bad_kept;
    uint64_t bad_count;
    uint64_t done_bytes; /* of all files, when the batch was cut */
    struct ctx *cx;      /* its texts; and why `result` */
    err result;          /* of reading: with it the batch is the last */
    bool last;
};

struct feed_options {
    struct strs files;
    const struct format *format; /* NULL: told from each file */
    struct format_options format_options;
    size_t batch_bytes;
    bool stop_at_bad; /* what stands behind a bad record is not read */
};

struct feed;

struct feed *feed_open(const struct feed_options *options); /* owned; options are borrowed */
struct feed_batch *feed_take(struct feed *f);
void feed_give(struct feed *f, struct feed_batch *b);
void feed_close(struct feed *f); /* NULL is a no-op */

/* Where line `line` of the batch came from. */
void feed_locate(const struct feed_batch *b, uint64_t line, size_t *out_file, uint64_t *out_line);
