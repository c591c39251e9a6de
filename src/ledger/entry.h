/* entry.h - what is logged: one CloudEvents 1.0 object as received, with two members set in front.
 *
 *   {"recorded":"2026-11-20T08:15:30.123456Z","principal":"key/0192…", <the client's members>}
 *
 * Entries are prepared by the threads that receive them: parsed once, checked, stamped, framed,
 * hashed, their attributes copied out, all into an entry_batch.  The writer then only copies bytes
 * and joins hashes.  `recorded` stands at a fixed place with a fixed width so that the writer can
 * set a later time in the rare batch that overtook another (entry_restamp).
 *
 * An entry that does not begin with the two members is opaque (POST /log/add): logged and proved
 * like any other, found by its index alone. */
#pragma once
#include "base/base.h"
#include "base/buf.h"
#include "base/json.h"
#include "crypto/sha256.h"

enum {
    ENTRY_BYTES_MAX = 65535, /* C2SP tlog-tiles: a uint16 length stands before each entry */
    ENTRY_FRAME_BYTES = 2,
    ENTRY_DEPTH_MAX = JSON_DEPTH_MAX,
};

/* Attributes with an index; `attr_names` spells them as in CloudEvents. */
enum attr {
    ATTR_TYPE,
    ATTR_SOURCE,
    ATTR_SUBJECT,
    ATTR_ACTOR,
    ATTR_PRINCIPAL,
    ATTR_OUTCOME,
    ATTR_REMOTEIP,
    ATTR_SESSIONID,
    ATTR_COUNT,
};
extern const char *const attr_names[ATTR_COUNT];

/* A value in the batch's `values`; at == ATTR_ABSENT when the entry has no such attribute. */
#define ATTR_ABSENT UINT32_MAX
struct entry_attr {
    uint32_t at, n;
    uint64_t hash; /* entry_value_hash() of the value */
};

struct entry_meta {
    uint32_t at; /* of the entry's first byte in the batch's `frames` (behind its length) */
    uint32_t n;
    int64_t recorded_us;
    int64_t time_us;  /* the client's `time`; recorded_us when it gave none */
    bool has_time;    /* the client gave one */
    uint64_t id_hash; /* of source and id; 0 for opaque entries, which are never duplicates */
    struct entry_attr id;
    struct entry_attr attr[ATTR_COUNT];
    struct hash leaf;
};

/* Owned: entry_batch_close().  One thread at a time. */
struct entry_batch {
    struct buf frames; /* uint16 big-endian length, entry, … as in the segment file */
    struct buf values; /* attribute values, unescaped */
    struct entry_meta *meta;
    size_t count, capacity;
    bool hashed; /* leaves are computed */

    /* set by ledger_append() */
    uint64_t first_index; /* of the first entry, stored now or (a duplicate) earlier */
    size_t stored, duplicates;
};

void entry_batch_init(struct entry_batch *b, size_t bytes_max);
void entry_batch_close(struct entry_batch *b);
void entry_batch_clear(struct entry_batch *b);
void entry_batch_truncate(struct entry_batch *b,
                          size_t count); /* drop the entries behind `count` */
static inline str entry_batch_get(const struct entry_batch *b, size_t i)
{
    return (str){b->frames.p + b->meta[i].at, b->meta[i].n};
}

static inline str entry_batch_value(const struct entry_batch *b, const struct entry_attr *a)
{
    return a->at == ATTR_ABSENT ? STR_NULL : (str){b->values.p + a->at, a->n};
}

enum { ENTRY_STAMP_BYTES_MAX = 512 };

/* What the server knows when it receives an entry. */
struct entry_stamp {
    int64_t recorded_us;
    str principal; /* at most 64 bytes; escaped here */
    bool own;      /* our own event: may use the source "/chancery" */
    /* set by entry_stamp_prepare() */
    uint64_t principal_hash;
    size_t text_bytes;
    char text[ENTRY_STAMP_BYTES_MAX];
};

/* For many entries of one stamp: its text is made once.  Optional. */
void entry_stamp_prepare(struct entry_stamp *stamp);

/* Check one event of a client and add it.  `text` must be followed by JSON_PADDING readable bytes.
 * INVALID (with issues: pointer and detail), TOO_LARGE; the batch is then as before. */
err entry_add(struct ctx *cx, struct entry_batch *b, struct json_parser *p, str text,
              const struct entry_stamp *stamp);
/* Any bytes, as they are. */
err entry_add_opaque(struct ctx *cx, struct entry_batch *b, str bytes, int64_t recorded_us);
/* Add an entry as stored (with its stamp): recovery, rebuild of indexes.  Anything that is not
 * a stamped event is opaque and inherits `recorded_us` of the entry before it. */
err entry_add_stored(struct ctx *cx, struct entry_batch *b, struct json_parser *p, str bytes,
                     int64_t inherited_us);
/* Compute all leaf hashes; done once, before the batch goes to the writer. */
void entry_batch_hash(struct entry_batch *b);
/* Set `recorded` of entry i to a later time and hash it again. */
void entry_restamp(struct entry_batch *b, size_t i, int64_t recorded_us);

/* Does a stored entry carry the server's stamp: is it an event, not raw bytes? */
bool entry_is_event(str bytes);

uint64_t entry_value_hash(str value);
uint64_t entry_id_hash(str source, str id);
