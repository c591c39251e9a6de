/* house.h - a real ledger, view and writer with the audit routes before them, without a socket.
 *
 * The house is filled with events whose every attribute follows from their number, so a test knows
 * what a filter must find without asking the code it tests. */
#pragma once
#include "audit/audit.h"
#include "audit/witness_client.h"
#include "crypto/note.h"
#include "http_harness.h"
#include "ledger/ledger.h"
#include "test.h"
#include "writer/writer.h"

#define HOUSE_ORIGIN S("log.test/house")

struct house {
    struct app app;
    struct note_signer signer;
    struct note_verifier verifier;
    struct ledger_options ledger_options;
    struct router *router;
    struct harness *h;
    struct json_parser *parser;
    struct entry_batch batch;
    uint64_t filled;
};

struct house_options {
    struct audit_options audit;
    const struct route *routes; /* NULL: audit_routes */
    int64_t checkpoint_ns;      /* 0: 1 ms */
};

/* `options` may be NULL.  The key "reader" reads, "exporter" exports as well; harness_key(h, NULL)
 * is nobody. */
struct house *house_open(struct ctx *cx, const char *dir, const struct house_options *options);
void house_close(struct house *house);
/* Another connection to the same router. */
struct harness *house_client(struct house *house);

/* Events `filled`, `filled + 1`, … */
void house_fill(struct ctx *cx, struct house *house, size_t count);
/* Raw bytes as one entry; gives its index. */
uint64_t house_add_raw(struct ctx *cx, struct house *house, str bytes);
uint64_t house_add_event(struct ctx *cx, struct house *house, const char *json);

/* What is true of event i. */
const char *event_type(uint64_t i);
uint64_t event_case(uint64_t i);   /* subject "case/<n>" */
uint64_t event_actor(uint64_t i);  /* actor "user/<n>" */
bool event_is_denied(uint64_t i);  /* outcome */
bool event_has_needle(uint64_t i); /* the text "needle" */
int64_t event_time_us(uint64_t i); /* of the sender */

/* Wait until `condition(state)` holds; fails the test after a minute. */
void wait_until(bool (*condition)(void *state), void *state);
