/* audit_route.c - the routes of events and of the log, with their parameters. */
#include "audit/audit_inner.h"
#include "audit/ingest.h"

/* What a client sends as an event: only for the documentation; entries are checked by ledger/entry.h
 * and may have more members (extension attributes). */
struct event_entry {
    str specversion, id, source, type, subject, actor, outcome, remoteip, sessionid, data;
    int64_t time_us;
};

/* clang-format off */
static const char *const spec_versions[] = {"1.0", NULL};
static const struct field event_entry_fields[] = {
    FIELD(event_entry, specversion, F_STR, .flags = F_REQUIRED, .choices = spec_versions, .doc = "version of CloudEvents", .example = "\"1.0\""),
    FIELD(event_entry, id, F_STR, .flags = F_REQUIRED, .doc = "with `source` it names the event: sent twice, it is stored once", .example = "\"a1\""),
    FIELD(event_entry, source, F_STR, .flags = F_REQUIRED, .doc = "where it happened", .example = "\"/hr\""),
    FIELD(event_entry, type, F_STR, .flags = F_REQUIRED, .doc = "what happened", .example = "\"user.login\""),
    FIELD(event_entry, subject, F_STR, .doc = "what it happened to", .example = "\"case/17\""),
    FIELD_AS(event_entry, time_us, "time", F_TIME, .doc = "when it happened, as the sender says"),
    FIELD(event_entry, actor, F_STR, .doc = "who did it", .example = "\"user/alice\""),
    FIELD(event_entry, outcome, F_STR, .doc = "how it ended", .example = "\"success\""),
    FIELD(event_entry, remoteip, F_STR, .doc = "network address of the actor", .example = "\"192.0.2.7\""),
    FIELD(event_entry, sessionid, F_STR, .doc = "session of the actor"),
    FIELD(event_entry, data, F_RAW, .doc = "anything more"),
};
static const struct shape event_entry_shape = SHAPE("EventEntry", event_entry, event_entry_fields);

/* The filter's parameters, in groups that routes put together. */
#define MATCH(name, attr, doc, example) {#name, F_STR, doc, example},
#define RANGE(name, take, kind, doc, example) {#name, kind, doc, example},
#define TEXT(name, take, kind, doc, example) {#name, kind, doc, example},
#define PAGE(name, take, kind, doc, example) {#name, kind, doc, example},
static const struct param list_params[] = {
#include "audit/audit_filter.def"
    {0},
};

#define MATCH(name, attr, doc, example) {#name, F_STR, doc, example},
#define RANGE(name, take, kind, doc, example) {#name, kind, doc, example},
static const struct param stats_params[] = {
    {"group", F_STR, "count for each value of this attribute", "type"},
    {"bucket", F_STR, "count for each span of this length, aligned to 1970-01-01 UTC", "1h"},
    {"limit", F_U64, "at most so many rows, 1 to 1000; 50 unless given", "20"},
#include "audit/audit_filter.def"
    {0},
};

#define MATCH(name, attr, doc, example) {#name, F_STR, doc, example},
#define RANGE(name, take, kind, doc, example) {#name, kind, doc, example},
#define TEXT(name, take, kind, doc, example) {#name, kind, doc, example},
static const struct param export_params[] = {
    {"format", F_STR, "ndjson (the default) or csv", "csv"},
    {"order", F_STR, "newest (the default) or oldest first", "oldest"},
#include "audit/audit_filter.def"
    {0},
};

#define MATCH(name, attr, doc, example) {#name, F_STR, doc, example},
#define RANGE(name, take, kind, doc, example) {#name, kind, doc, example},
#define TEXT(name, take, kind, doc, example) {#name, kind, doc, example},
static const struct param stream_params[] = {
    {"after", F_U64, "begin behind this index, as the header Last-Event-ID does; otherwise with what comes next", "4711"},
#include "audit/audit_filter.def"
    {0},
};

static const struct param ingest_params[] = {
    {"on_error", F_STR, "stop (the default) at the first wrong event, or skip wrong ones and list them", "skip"},
    {0},
};
static const struct param index_params[] = {
    {"index", F_U64, "place in the log, from 0", "0"},
    {0},
};
static const struct param proof_params[] = {
    {"index", F_U64, "place in the log, from 0", "0"},
    {"format", F_STR, "json (the default) or tlog-proof, which the header Accept: text/plain also asks for", "tlog-proof"},
    {0},
};
static const struct param checkpoint_params[] = {
    {"witnessed", F_STR, "1: the newest that enough witnesses have cosigned", "0"},
    {0},
};
static const struct param history_params[] = {
    {"limit", F_U64, "at most so many, 1 to 1000; 50 unless given", "10"},
    {"cursor", F_STR, "`next` of the page before", NULL},
    {0},
};
static const struct param number_params[] = {
    {"number", F_U64, "in the order of signing, from 0", "0"},
    {0},
};
static const struct param tile_params[] = {
    {"rest", F_STR, "level and index in groups of three digits, all but the last with an x", "0/000.p/1"},
    {0},
};
static const struct param bundle_params[] = {
    {"rest", F_STR, "index in groups of three digits, all but the last with an x", "000.p/1"},
    {0},
};
static const struct param inclusion_params[] = {
    {"index", F_U64, "of the entry", "0"},
    {"size", F_U64, "of the tree; the newest signed one unless given", "1"},
    {0},
};
static const struct param consistency_params[] = {
    {"from", F_U64, "the smaller size", "1"},
    {"to", F_U64, "the larger size; the newest signed one unless given", "1"},
    {"format", F_STR, "json (the default), or text: one base64 hash a line, as the witness protocol has it", "json"},
    {0},
};
/* clang-format on */

#define R(method, path, run, permission, body, params, request, reply, type, tag, summary)         \
    {method, path, run, permission, body, summary, params, request, reply, type, tag},

#define BUNDLE_PERMISSION PERM_EVENTS_READ
const struct route audit_routes[] = {
#include "audit/audit_route.def"
    {0},
};
#undef BUNDLE_PERMISSION

#define R(method, path, run, permission, body, params, request, reply, type, tag, summary)         \
    {method, path, run, permission, body, summary, params, request, reply, type, tag},

#define BUNDLE_PERMISSION PERM_PUBLIC
const struct route audit_routes_public[] = {
#include "audit/audit_route.def"
    {0},
};
#undef BUNDLE_PERMISSION
