/* house.c - see house.h. */
#include "house.h"
#include "access/permission.h"
#include "base/clock.h"
#include "writer/view.h"
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define FIRST_TIME_US INT64_C(1700000000000000)

static err authenticate(struct ctx *cx, struct request *rq)
{
    str key = request_header(rq, S("authorization"));
    uint64_t read = permission_bit(PERM_EVENTS_READ), export = permission_bit(PERM_EVENTS_EXPORT);

    (void)cx;
    rq->principal = (struct principal){.id = S("anonymous")};
    if (str_eq(key, S("Bearer reader")))
        rq->principal = (struct principal){.id = S("key/reader"), .permissions = read};
    if (str_eq(key, S("Bearer exporter")))
        rq->principal = (struct principal){.id = S("key/exporter"), .permissions = read | export};
    return ERR_OK;
}

static err authorize(struct ctx *cx, const struct request *rq)
{
    int needed = rq->route->permission;

    if (needed == PERM_PUBLIC ||
        (rq->principal.permissions & permission_bit((enum permission)needed)))
        return ERR_OK;
    return fail(cx, ERR_FORBIDDEN, "not for you");
}

static void must_not_fail(const struct ctx *cx, err e)
{
    print_error("the writer failed: %s %s\n", err_name(e), cx->detail);
    abort();
}

static void open_ledger(struct ctx *cx, struct house *house, const char *dir, int64_t checkpoint_ns)
{
    struct ed25519_key key;

    ed25519_from_seed((const uint8_t *)"an ed25519 seed of 32 bytes here", &key);
    CHECK_OK(note_signer_init(cx, HOUSE_ORIGIN, NOTE_ED25519, &key, &house->signer));
    house->verifier = note_signer_verifier(&house->signer);
    house->ledger_options = (struct ledger_options){
        .fs = fs_real(),
        .dir = test_path(cx, dir, "ledger"),
        .origin = HOUSE_ORIGIN,
        .signer = &house->signer,
        .checkpoint_ns = checkpoint_ns ? checkpoint_ns : 1000000,
        .unsealed_max = 4,
        .zstd_level = 1,
        .cache_bytes = 1 << 20,
        .dedup_ids = 1 << 17,
    };
    CHECK_OK(ledger_open(cx, &house->ledger_options, &house->app.ledger));
}

static void open_writer(struct ctx *cx, struct house *house)
{
    static const struct event_kind *const kinds[] = {audit_events, NULL};
    const struct store_options view = {.name = "view", .path = ":memory:"};
    struct writer_options options = {
        .ledger = house->app.ledger,
        .events = kinds,
        .queue_bytes_max = 1 << 25,
        .batch_bytes_max = 1 << 24,
        .fatal = must_not_fail,
    };

    CHECK_OK(store_open(cx, &view, &house->app.view));
    CHECK_OK(store_migrate(cx, house->app.view, "writer", view_migrations));
    options.view = house->app.view;
    CHECK_OK(writer_open(cx, &options, &house->app.writer));
}

struct house *house_open(struct ctx *cx, const char *dir, const struct house_options *options)
{
    static const struct house_options plain = {.audit.streams_max = 8};
    struct house *house = calloc(1, sizeof *house);

    ENSURE(house);
    options = options ? options : &plain;
    open_ledger(cx, house, dir, options->checkpoint_ns);
    open_writer(cx, house);
    house->app.vkey = S("vkey-of-the-house");
    CHECK_OK(audit_open(cx, &house->app, &options->audit, &house->app.audit));
    const struct route *const tables[] = {options->routes ? options->routes : audit_routes, NULL};
    const struct router_options router = {.app = &house->app,
                                          .tables = tables,
                                          .body_bytes_max = 1 << 20,
                                          .authenticate = authenticate,
                                          .authorize = authorize};
    CHECK_OK(router_open(cx, &router, &house->router));
    house->h = house_client(house);
    house->parser = json_parser_open();
    entry_batch_init(&house->batch, 1 << 28);
    return house;
}

struct harness *house_client(struct house *house)
{
    struct harness *h = harness_open(house->router);

    harness_key(h, "reader");
    return h;
}

void house_close(struct house *house)
{
    harness_close(house->h);
    router_close(house->router);
    audit_close(house->app.audit);
    writer_close(house->app.writer);
    store_close(house->app.view);
    ledger_close(house->app.ledger);
    json_parser_close(house->parser);
    entry_batch_close(&house->batch);
    free(house);
}

/* ---- the events ---- */

const char *event_type(uint64_t i)
{
    static const char *const types[] = {"user.login", "user.logout", "file.read"};

    return types[i % COUNT(types)];
}

uint64_t event_case(uint64_t i)
{
    return i % 17;
}

uint64_t event_actor(uint64_t i)
{
    return i % 7;
}

bool event_is_denied(uint64_t i)
{
    return i % 5 == 0;
}

bool event_has_needle(uint64_t i)
{
    return i % 101 == 7;
}

int64_t event_time_us(uint64_t i)
{
    return FIRST_TIME_US + (int64_t)i * 60000000;
}

static str event_text(struct ctx *cx, uint64_t i)
{
    char time[TIME_TEXT_SIZE];

    time_format(event_time_us(i), time);
    return arena_printf(
        cx->mem,
        "{\"specversion\":\"1.0\",\"id\":\"%llu\",\"source\":\"/test\",\"type\":\"%s\",%s"
        "\"subject\":\"case/%llu\",\"actor\":\"user/%llu\",\"outcome\":\"%s\",\"time\":\"%s\","
        "\"data\":{\"n\":%llu,\"text\":\"%s\"}}",
        (unsigned long long)i, event_type(i), i % 13 ? "" : "\n  ",
        (unsigned long long)event_case(i), (unsigned long long)event_actor(i),
        event_is_denied(i) ? "denied" : "success", time, (unsigned long long)i,
        event_has_needle(i) ? "a needle, \\\"quoted\\\"" : "hay");
}

static void put(struct ctx *cx, struct house *house, str text)
{
    const struct entry_stamp stamp = {.recorded_us = clock_now_us(), .principal = S("key/sender")};
    char *padded = arena_alloc(cx->mem, 1, text.n + JSON_PADDING);

    memcpy(padded, text.p, text.n);
    CHECK_OK(entry_add(cx, &house->batch, house->parser, (str){padded, text.n}, &stamp));
}

static uint64_t send(struct ctx *cx, struct house *house)
{
    struct ledger_receipt *receipts = arena_new(cx->mem, struct ledger_receipt, house->batch.count);

    entry_batch_hash(&house->batch);
    CHECK_OK(writer_append(cx, house->app.writer, &house->batch, receipts));
    return receipts[0].index;
}

void house_fill(struct ctx *cx, struct house *house, size_t count)
{
    enum { STEP = 20000 }; /* more at once than streams follow entry by entry */

    while (count) {
        struct arena_mark mark = arena_mark(cx->mem);
        size_t n = size_min(count, STEP);
        entry_batch_clear(&house->batch);
        for (size_t i = 0; i < n; i++)
            put(cx, house, event_text(cx, house->filled + i));
        (void)send(cx, house);
        arena_rewind(cx->mem, mark);
        house->filled += n;
        count -= n;
    }
}

uint64_t house_add_raw(struct ctx *cx, struct house *house, str bytes)
{
    entry_batch_clear(&house->batch);
    CHECK_OK(entry_add_opaque(cx, &house->batch, bytes, clock_now_us()));
    return send(cx, house);
}

uint64_t house_add_event(struct ctx *cx, struct house *house, const char *json)
{
    entry_batch_clear(&house->batch);
    put(cx, house, str_from(json));
    return send(cx, house);
}

void wait_until(bool (*condition)(void *state), void *state)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    int64_t deadline = clock_mono_ns() + INT64_C(60000000000);

    while (!condition(state)) {
        CHECK(clock_mono_ns() < deadline);
        nanosleep(&pause, NULL);
    }
}
