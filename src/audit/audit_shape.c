/* audit_shape.c - see audit_shape.h. */
#include "audit/audit_shape.h"
#include "base/encode.h"
#include "ledger/entry.h"

#define LEAF_EXAMPLE "\"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d\""

/* clang-format off */
static const struct field event_item_fields[] = {
    FIELD(event_item, index, F_U64, .doc = "its place in the log, from 0", .example = "4711"),
    FIELD(event_item, leaf_hash, F_STR, .doc = "SHA-256 of a zero byte and the entry's bytes; when one event is asked for", .example = LEAF_EXAMPLE),
    FIELD(event_item, event, F_RAW, .flags = F_NULLABLE, .doc = "the CloudEvents object as it is logged, with `recorded` and `principal` in front; null when the entry is not an event"),
    FIELD(event_item, raw, F_STR, .doc = "base64 of an entry that is not an event"),
};
const struct shape event_item_shape = SHAPE("Event", event_item, event_item_fields);

static const struct field event_page_fields[] = {
    FIELD(event_page, items, F_LIST, .sub = &event_item_shape, .doc = "in the order asked for"),
    FIELD(event_page, next, F_STR, .flags = F_NULLABLE, .doc = "cursor of the next page; null on the last"),
    FIELD(event_page, scanned, F_U64, .doc = "entries whose text was read for this page"),
    FIELD(event_page, complete, F_BOOL, .doc = "everything the filter may find has been looked at"),
};
const struct shape event_page_shape = SHAPE("EventPage", event_page, event_page_fields);

static const struct field receipt_fields[] = {
    FIELD(receipt, index, F_U64, .doc = "its place in the log", .example = "4711"),
    FIELD(receipt, leaf_hash, F_STR, .doc = "what proofs are about", .example = LEAF_EXAMPLE),
    FIELD_AS(receipt, recorded_us, "recorded", F_TIME, .doc = "when the server recorded it"),
};
const struct shape receipt_shape = SHAPE("Receipt", receipt, receipt_fields);

static const struct field rejected_line_fields[] = {
    FIELD(rejected_line, line, F_U64, .doc = "line of the stream or element of the array, from 1"),
    FIELD(rejected_line, pointer, F_STR, .doc = "JSON pointer to what is wrong"),
    FIELD(rejected_line, detail, F_STR, .doc = "what is wrong"),
};
const struct shape rejected_line_shape = SHAPE("RejectedLine", rejected_line, rejected_line_fields);

static const struct field ingest_answer_fields[] = {
    FIELD(ingest_answer, first_index, F_U64, .flags = F_NULLABLE, .doc = "index of the first event; null when none was stored"),
    FIELD(ingest_answer, count, F_U64, .doc = "events stored now"),
    FIELD(ingest_answer, duplicates, F_U64, .doc = "events that had been stored before"),
    FIELD(ingest_answer, rejected_count, F_U64, .doc = "events that were refused"),
    FIELD(ingest_answer, rejected, F_LIST, .sub = &rejected_line_shape, .doc = "the first hundred of them"),
    FIELD(ingest_answer, receipt, F_OBJECT, .sub = &receipt_shape, .doc = "of the last event; absent when none was stored"),
    FIELD(ingest_answer, proof, F_STR, .doc = "tlog-proof of the last event, with `Prefer: wait=proof`"),
};
const struct shape ingest_answer_shape = SHAPE("IngestAnswer", ingest_answer, ingest_answer_fields);

static const struct field stats_row_fields[] = {
    FIELD(stats_row, value, F_STR, .flags = F_NULLABLE, .doc = "of the attribute; null for events without it", .example = "\"user.login\""),
    FIELD_AS(stats_row, from_us, "from", F_TIME, .doc = "begin of the time bucket"),
    FIELD(stats_row, count, F_U64, .doc = "events", .example = "42"),
};
const struct shape stats_row_shape = SHAPE("StatsRow", stats_row, stats_row_fields);

static const struct field stats_answer_fields[] = {
    FIELD(stats_answer, rows, F_LIST, .sub = &stats_row_shape, .doc = "by bucket, then the largest first"),
    FIELD(stats_answer, total, F_U64, .doc = "all events that match"),
    FIELD(stats_answer, other, F_U64, .doc = "those of them in no row, because there are more rows than `limit`"),
};
const struct shape stats_answer_shape = SHAPE("Stats", stats_answer, stats_answer_fields);

static const struct field checkpoint_item_fields[] = {
    FIELD(checkpoint_item, number, F_U64, .doc = "in the order of signing, from 0"),
    FIELD(checkpoint_item, size, F_U64, .doc = "entries it covers"),
    FIELD(checkpoint_item, root, F_STR, .doc = "of the Merkle tree over them"),
    FIELD_AS(checkpoint_item, signed_us, "signed", F_TIME, .doc = "when it was signed"),
};
const struct shape checkpoint_item_shape = SHAPE("Checkpoint", checkpoint_item, checkpoint_item_fields);

static const struct field checkpoint_page_fields[] = {
    FIELD(checkpoint_page, items, F_LIST, .sub = &checkpoint_item_shape, .doc = "newest first"),
    FIELD(checkpoint_page, next, F_STR, .flags = F_NULLABLE, .doc = "cursor of the next page; null on the last"),
};
const struct shape checkpoint_page_shape = SHAPE("CheckpointPage", checkpoint_page, checkpoint_page_fields);

static const struct field inclusion_fields[] = {
    FIELD(inclusion, index, F_U64, .doc = "of the entry"),
    FIELD(inclusion, size, F_U64, .doc = "of the tree"),
    FIELD(inclusion, leaf_hash, F_STR, .doc = "of the entry", .example = LEAF_EXAMPLE),
    FIELD(inclusion, root, F_STR, .doc = "of the tree"),
    FIELD(inclusion, hashes, F_STRS, .doc = "from the leaf up (RFC 6962, section 2.1.1)"),
    FIELD(inclusion, checkpoint, F_STR, .doc = "the signed checkpoint of that size"),
};
const struct shape inclusion_shape = SHAPE("InclusionProof", inclusion, inclusion_fields);

static const struct field consistency_fields[] = {
    FIELD(consistency, from, F_U64, .doc = "the smaller size"),
    FIELD(consistency, to, F_U64, .doc = "the larger size"),
    FIELD(consistency, from_root, F_STR, .doc = "root of the smaller tree"),
    FIELD(consistency, to_root, F_STR, .doc = "root of the larger tree"),
    FIELD(consistency, hashes, F_STRS, .doc = "in the order of RFC 6962, section 2.1.2"),
};
const struct shape consistency_shape = SHAPE("ConsistencyProof", consistency, consistency_fields);

static const struct field export_record_fields[] = {
    FIELD(export_record, filter, F_STR, .flags = F_REQUIRED, .doc = "what was asked for, as a query string"),
    FIELD(export_record, format, F_STR, .flags = F_REQUIRED, .doc = "ndjson or csv"),
    FIELD(export_record, count, F_U64, .flags = F_REQUIRED, .doc = "events given out"),
    FIELD(export_record, complete, F_BOOL, .flags = F_REQUIRED, .doc = "the export reached its end"),
};
const struct shape export_record_shape = SHAPE("ExportRecord", export_record, export_record_fields);
/* clang-format on */

str hash_text(struct arena *mem, const struct hash *h)
{
    char *p = arena_alloc(mem, 1, 2 * HASH_BYTES + 1);

    hex_encode(h->bytes, HASH_BYTES, p);
    return (str){p, 2 * (size_t)HASH_BYTES};
}

struct event_item event_item_of(struct arena *mem, uint64_t index, str entry)
{
    struct event_item item = {.index = index, .leaf_hash = STR_NULL, .raw = STR_NULL};

    if (entry_is_event(entry)) {
        item.event = entry;
        return item;
    }
    char *p = arena_alloc(mem, 1, BASE64_BYTES(entry.n) + 1);
    base64_encode(entry.p, entry.n, p);
    item.event = STR_NULL;
    item.raw = (str){p, BASE64_BYTES(entry.n)};
    return item;
}
