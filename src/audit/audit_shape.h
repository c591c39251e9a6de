/* audit_shape.h - the objects of the event API and of the log's JSON answers, with their shapes.
 *
 * Hashes are lower-case hexadecimal in JSON; base64 is for the texts of C2SP. */
#pragma once
#include "base/shape.h"
#include "crypto/sha256.h"

/* An entry as the API shows it. */
struct event_item {
    uint64_t index;
    str leaf_hash; /* null: not asked for */
    str event;     /* the entry, byte for byte; null when it is not an event */
    str raw;       /* then base64 of its bytes; null otherwise */
};
extern const struct shape event_item_shape;

struct event_page {
    struct list items; /* event_item */
    str next;
    uint64_t scanned;
    bool complete;
};
extern const struct shape event_page_shape;

struct receipt {
    uint64_t index;
    str leaf_hash;
    int64_t recorded_us;
};
extern const struct shape receipt_shape;

struct rejected_line {
    uint64_t line;
    str pointer, detail;
};
extern const struct shape rejected_line_shape;

struct ingest_answer {
    uint64_t first_index, count, duplicates, rejected_count;
    struct list rejected;
    struct receipt receipt;
    str proof;
};
extern const struct shape ingest_answer_shape;

struct stats_row {
    str value;
    int64_t from_us;
    uint64_t count;
};
extern const struct shape stats_row_shape;

struct stats_answer {
    struct list rows;
    uint64_t total, other;
};
extern const struct shape stats_answer_shape;

struct checkpoint_item {
    uint64_t number, size;
    str root;
    int64_t signed_us;
};
extern const struct shape checkpoint_item_shape;

struct checkpoint_page {
    struct list items;
    str next;
};
extern const struct shape checkpoint_page_shape;

struct inclusion {
    uint64_t index, size;
    str leaf_hash, root;
    struct strs hashes;
    str checkpoint; /* null: none was asked for */
};
extern const struct shape inclusion_shape;

struct consistency {
    uint64_t from, to;
    str from_root, to_root;
    struct strs hashes;
};
extern const struct shape consistency_shape;

/* `data` of the event events.exported. */
struct export_record {
    str filter, format;
    uint64_t count;
    bool complete;
};
extern const struct shape export_record_shape;

str hash_text(struct arena *mem, const struct hash *h);
/* Borrows `entry` when it is an event; otherwise base64 in `mem`. */
struct event_item event_item_of(struct arena *mem, uint64_t index, str entry);
