/* format.h - log files as CloudEvents: the input formats of `chancery ingest`.
 * See docs/ingest-formats.md.
 *
 * A reader is fed bytes in pieces of any size and gives one item at a time: an event (CloudEvents
 * 1.0 JSON, on one line) or a rejection that names line, offset and reason.
 *
 *   format_reader_open(cx, format, &options, &r)
 *   while there are bytes: format_feed(r, bytes), then format_next() until FORMAT_MORE
 *   format_finish(r), then format_next() until FORMAT_END
 *
 * Invariants  1. What comes out depends on the bytes and the options, never on the cuts between
 *                pieces.
 *             2. Memory is bounded by the options, whatever the input: a longer record is skipped
 *                and becomes one rejection.
 *             3. Every record becomes an event, a part of one (auditd) or a rejection; only blank
 *                lines vanish.
 *             4. The same input from its beginning gives the same ids; see below.
 * Threads     a reader belongs to one thread at a time; the tables are constant.
 *
 * Ids.  The server stores an event with a known `source` and `id` only once, so a file may be read
 * again after an interruption if the ids come out the same.  They are the record's own where it has
 * one (CloudEvents `id`, a mapped column or member, journald `__CURSOR`, auditd time and serial).
 * Otherwise they are 128 bits of the SHA-256 of the record's text, and "-2", "-3", … for the
 * further times that the same text is seen in this run.  Not of the byte offset: a rotated or
 * concatenated file holds the same lines elsewhere.  Hence the limits:
 *   - a run begins at the beginning of a file; starting in the middle counts repetitions anew;
 *   - equal lines of two files with one source are one event.  Lines with a time of day hardly ever
 *     are; for csv and ndjson without times give each file its own source, or map an id;
 *   - repetitions are remembered for the last FORMAT_REPEATS to 2 × FORMAT_REPEATS different lines.
 */
#pragma once
#include "base/base.h"
#include "base/buf.h"

enum {
    FORMAT_RECORD_BYTES_MAX = 1 << 20, /* default of record_bytes_max */
    FORMAT_RECORD_BYTES_MIN = 64,
    /* Default of event_bytes_max: an entry of the ledger less what the server sets in front. */
    FORMAT_EVENT_BYTES_MAX = 65535 - 512,
    FORMAT_REPEATS = 1 << 18,
    FORMAT_HEAD_BYTES = 4096, /* format_detect() needs no more */
};

struct format_reader;
struct format_item;
struct frame;

/* One row of the table.  Only name, doc, file_names and maps are for callers. */
struct format {
    const char *name;
    const char *doc;
    /* NULL-ended: what file names begin with or, with a leading dot, end with. */
    const char *const *file_names;
    bool maps;                      /* takes the options `type` and `map` */
    unsigned (*likeness)(str head); /* of the content: 0 no, 1 perhaps, 2 likely, 3 surely */
    /* Finds the end of a record; NULL is the end of the line.  See format_reader.h. */
    bool (*cut)(struct frame *f, str bytes, size_t *out_used);
    err (*open)(struct ctx *cx, struct format_reader *r); /* NULL: nothing to prepare */
    err (*record)(struct ctx *cx, struct format_reader *r, struct buf *out,
                  struct format_item *item);
    /* At the end of the input, until it leaves FORMAT_END; NULL: nothing is held back. */
    err (*flush)(struct ctx *cx, struct format_reader *r, struct buf *out,
                 struct format_item *item);
    void (*close)(struct format_reader *r); /* NULL: nothing but memory of the reader */
};

extern const struct format *const formats[]; /* ends with NULL */

const struct format *format_find(str name); /* NULL if unknown */
/* The format of a file that begins with `head` (FORMAT_HEAD_BYTES or the whole file); NULL if it
 * cannot be told.  `file_name` may be a path, rotated ("access.log.2.gz") or null. */
const struct format *format_detect(str head, str file_name);

/* Zero is a usable default for every member.  Strings are borrowed for the open only. */
struct format_options {
    str source; /* of every event; else /host/<host>/<what the record names> */
    str type;   /* ndjson, csv: of events whose type is not mapped */
    str host;   /* this machine, for records that name none; else "localhost" */
    /* ndjson, csv: "type=action,subject=object_id,time=ts": attribute = column, member or JSON
     * pointer.  Attributes: id source type subject time actor outcome remoteip sessionid. */
    str map;
    char separator;        /* csv; 0 is a comma */
    int32_t zone_offset_s; /* east of UTC, of local times that name no zone */
    /* No record is more than a day later than this: it settles the year of syslog lines that have
     * none.  Give the time the file was last written to, so that reading it again later gives the
     * same years; for a pipe the time it is now.  0: lines without a year are refused. */
    int64_t reference_us;
    size_t record_bytes_max;
    size_t event_bytes_max;
};

enum format_item_kind {
    FORMAT_EVENT,
    FORMAT_REJECTED,
    FORMAT_MORE, /* feed more bytes, or finish */
    FORMAT_END,
};

struct format_item {
    enum format_item_kind kind;
    uint64_t line;   /* where the record begins, from 1 */
    uint64_t offset; /* the same in bytes from the beginning of the input */
    /* Of a rejection, valid until the next call: the place in a JSON record, or the column of a csv
     * row, as a JSON pointer ("" is the whole), and what is wrong. */
    str pointer;
    str detail;
};

/* Owned: format_reader_close().  USAGE names the option that is wrong or missing. */
err format_reader_open(struct ctx *cx, const struct format *format,
                       const struct format_options *options, struct format_reader **out);
void format_reader_close(struct format_reader *r); /* NULL is a no-op */
static inline void format_reader_cleanup(struct format_reader **r)
{
    format_reader_close(*r);
}

/* Borrows `bytes` until format_next() answers FORMAT_MORE; only then feed again. */
void format_feed(struct format_reader *r, str bytes);
void format_finish(struct format_reader *r); /* what was fed is all there is */

/* Append the next event to `out`, which must be empty or end with "\n", "[" or a whole event (then
 * a comma is put between) and have room for event_bytes_max + 1 more: TOO_LARGE otherwise, and
 * nothing is consumed.  INVALID when the input as a whole cannot be read (the header row of a csv
 * lacks a mapped column); the reader is then only to be closed. */
err format_next(struct ctx *cx, struct format_reader *r, struct buf *out, struct format_item *item);
