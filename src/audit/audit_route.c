/* audit_route.c - the routes of events and of the log, with their parameters. */
#include "audit/audit_inner.h"

/* clang-format off */
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
