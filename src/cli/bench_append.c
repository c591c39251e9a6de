/* bench_append.c - the engine without HTTP: what parsing, checking and hashing cost, and what the
 * writer makes of it, so that layers can be told apart. */
#include "base/clock.h"
#include "cli/bench.h"
#include "ops/app_open.h"
#include "writer/writer.h"
#include <stdlib.h>

enum { BATCH_EVENTS = 2048, BATCHES = 6, PREPARE_EVENTS = 500000 };

struct producer {
    const struct bench_events *made;
    struct ctx *cx;
    struct json_parser *parser;
    char *text; /* a batch of events with padding behind */
    struct entry_batch batches[BATCHES];
    struct writer_ticket tickets[BATCHES];
    bool under_way[BATCHES];
};

static void producer_open(struct producer *p, const struct bench_events *made)
{
    *p = (struct producer){.made = made, .cx = ctx_open(0), .parser = json_parser_open()};
    p->text = calloc(1, BATCH_EVENTS * (BENCH_EVENT_BYTES + 1) + JSON_PADDING);
    ENSURE(p->text);
    for (unsigned i = 0; i < BATCHES; i++)
        entry_batch_init(&p->batches[i], UINT32_MAX);
}

static void producer_close(struct producer *p)
{
    for (unsigned i = 0; i < BATCHES; i++)
        entry_batch_close(&p->batches[i]);
    json_parser_close(p->parser);
    ctx_close(p->cx);
    free(p->text);
}

/* As a handler does it: each event checked and stamped, then all hashed. */
static err prepare(struct ctx *cx, struct producer *p, struct entry_batch *batch, uint64_t first,
                   uint64_t count)
{
    struct entry_stamp stamp = {.recorded_us = clock_now_us(), .principal = S("key/bench")};

    entry_stamp_prepare(&stamp);
    bench_events_fill(p->made, first, count, p->text);
    entry_batch_clear(batch);
    for (uint64_t i = 0; i < count; i++) {
        str event = {p->text + i * (BENCH_EVENT_BYTES + 1), BENCH_EVENT_BYTES};
        TRY(entry_add(cx, batch, p->parser, event, &stamp));
    }
    entry_batch_hash(batch);
    return ERR_OK;
}

static err measure_prepare(struct ctx *cx, struct bench *b, struct producer *p)
{
    int64_t begun_ns = clock_mono_ns();

    for (uint64_t at = 0; at < PREPARE_EVENTS; at += BATCH_EVENTS)
        TRY(prepare(cx, p, &p->batches[0], at, u64_min(BATCH_EVENTS, PREPARE_EVENTS - at)));
    bench_note(b, FIGURE_PREPARE, PREPARE_EVENTS * 1e9 / (double)(clock_mono_ns() - begun_ns));
    return ERR_OK;
}

static err await(struct ctx *cx, struct producer *p, struct writer *w, unsigned i)
{
    if (!p->under_way[i])
        return ERR_OK;
    p->under_way[i] = false;
    return writer_wait(cx, w, &p->tickets[i]);
}

static err append_all(struct ctx *cx, struct bench *b, struct producer *p, struct writer *w)
{
    uint64_t at = 0;

    for (unsigned i = 0; at < b->events; i = (i + 1) % BATCHES) {
        uint64_t n = u64_min(BATCH_EVENTS, b->events - at);
        TRY(await(cx, p, w, i));
        TRY(prepare(cx, p, &p->batches[i], at, n));
        p->tickets[i] = (struct writer_ticket){.batch = &p->batches[i]};
        TRY(writer_submit(cx, w, &p->tickets[i], true));
        p->under_way[i] = true;
        at += n;
    }
    return ERR_OK;
}

static err measure_append(struct ctx *cx, struct bench *b, struct producer *p, struct app *app)
{
    int64_t begun_ns = clock_mono_ns();
    err e = append_all(cx, b, p, app->writer);

    for (unsigned i = 0; i < BATCHES; i++) {
        err ended = await(cx, p, app->writer, i);
        e = e == ERR_OK ? ended : e;
    }
    if (e == ERR_OK)
        bench_note(b, FIGURE_APPEND,
                   (double)b->events * 1e9 / (double)(clock_mono_ns() - begun_ns));
    return e;
}

err bench_append(struct ctx *cx, struct bench *b)
{
    CLEANUP(producer_close) struct producer p;
    CLEANUP(app_cleanup) struct app *app = NULL;
    const char *dir = arena_printf(cx->mem, "%s/append", b->folder).p;
    struct config config;
    str vkey;

    producer_open(&p, b->made);
    TRY(measure_prepare(cx, b, &p));
    config_defaults(cx, &config);
    config.data_dir = str_from(dir);
    TRY(app_init(cx, &config, STR_NULL, &vkey));
    TRY(app_open(cx, &config, APP_OFFLINE, &app));
    TRY(measure_append(cx, b, &p, app));
    app_close(app);
    app = NULL;
    bench_folder_remove(dir);
    return ERR_OK;
}
