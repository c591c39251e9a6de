/* audit_stream.c - GET /api/v1/events/stream: events as they are recorded, as server-sent events.
 *
 * One thread, the feeder, serves all subscribers.  Each of them has a place in the log, `at`:
 *
 *   live         at >= hub->live: new entries are read and parsed once, in portions, and compared
 *                with the filter of every live subscriber
 *   catching up  at < hub->live: the subscriber resumed from an older place, or so much was
 * recorded at once that indexes find its events sooner than reading everything would
 *
 * In every round each subscriber that catches up gets one bounded portion by a query, then one
 * portion goes to the live ones, so nobody starves.  Whoever catches up is sent only as much as it
 * reads (sse_backlog); a live one that falls behind by SSE_BACKLOG_BYTES_MAX is dropped by http.
 *
 * Locks: hub->lock guards both lists and `closing`.  subscriber->lock guards its `stream`: the
 * carrier takes the stream away (closed) on its own thread, while the feeder may be sending.  The
 * second is taken inside the first, never the other way round.  `at` and `stalled_ns` belong to the
 * feeder once the subscriber has arrived. */
#include "audit/audit_inner.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/queue.h"
#include "http/sse.h"
#include "ledger/segment_file.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    LIVE_LAG_MAX = 16384,     /* entries waiting for live subscribers; beyond it they catch up */
    CATCH_UP_ENTRIES = 65536, /* of the log that one portion looks at */
    CATCH_UP_SCAN = 4096,     /* entries that a text filter reads in one portion */
    CATCH_UP_HITS = 2048,     /* sent in one portion */
    CATCH_UP_BACKLOG = 256 << 10, /* bytes waiting for the client; more are not put behind them */
    ITEM_BYTES_MAX = 256 << 10,
};

#define IDLE_NS INT64_C(100000000)    /* how long a newcomer may wait for the feeder to look up */
#define NAP_NS INT64_C(5000000)       /* between rounds while someone catches up */
#define STALL_NS INT64_C(30000000000) /* a client that catches up and reads nothing is let go */

struct subscriber {
    struct subscriber *next;
    struct stream_hub *hub;
    struct arena *mem; /* of what the query borrows, and the principal */
    struct query query;
    str principal;
    uint64_t at;        /* next entry to look at */
    int64_t stalled_ns; /* since when the client does not read what it has; 0: it does */
    pthread_mutex_t lock;
    struct sse_stream *stream; /* NULL: it has gone */
    _Atomic bool gone;
};

struct stream_hub {
    struct ledger *ledger;
    unsigned max, of_one_max;
    pthread_mutex_t lock;
    pthread_cond_t arrived; /* or closing */
    struct subscriber *arrivals, *all;
    bool closing;
    pthread_t feeder;

    /* the feeder's own */
    uint64_t live;       /* everything before it has gone to the live subscribers */
    int64_t recorded_us; /* of the entry before `live`, for entries without a stamp */
    struct json_parser *parser;
    struct entry_batch batch;
    struct buf text;
};

/* ---- one subscriber ---- */

static void subscriber_free(struct subscriber *s)
{
    pthread_mutex_destroy(&s->lock);
    arena_close(s->mem);
    free(s);
}

/* On the carrier's thread, once. */
static void subscriber_closed(void *state)
{
    struct subscriber *s = state;

    pthread_mutex_lock(&s->lock);
    s->stream = NULL;
    metric_add(&audit_streams, -1);
    s->gone = true; /* from now on the feeder may free it at any time, but for the lock */
    pthread_mutex_unlock(&s->lock);
}

static bool subscriber_send(struct subscriber *s, uint64_t index, str data)
{
    char id[24];
    LOCK(held, &s->lock);

    snprintf(id, sizeof id, "%llu", (unsigned long long)index);
    if (!s->stream || !sse_send(s->stream, str_from(id), STR_NULL, data))
        return false;
    metric_add(&audit_stream_sent_total, 1);
    return true;
}

static size_t subscriber_backlog(struct subscriber *s)
{
    LOCK(held, &s->lock);

    return s->stream ? sse_backlog(s->stream) : 0;
}

static void subscriber_end(struct subscriber *s)
{
    LOCK(held, &s->lock);

    if (s->stream)
        sse_end(s->stream);
}

/* ---- to the live ones ---- */

static str item_text(struct ctx *cx, struct stream_hub *hub, uint64_t index, str entry)
{
    SCRATCH(scratch, cx);
    struct event_item item = event_item_of(scratch.mem, index, entry);

    buf_clear(&hub->text);
    shape_encode(&hub->text, &event_item_shape, &item);
    return buf_str(&hub->text);
}

/* Entry i of the batch, number `index`, to everyone who is live and wants it. */
static void offer(struct ctx *cx, struct stream_hub *hub, uint64_t index, size_t i)
{
    str text = STR_NULL;

    for (struct subscriber *s = hub->all; s; s = s->next) {
        if (s->at != index)
            continue;
        s->at++;
        if (s->gone || !query_matches(&s->query, &hub->batch, i))
            continue;
        if (str_is_null(text))
            text = item_text(cx, hub, index, entry_batch_get(&hub->batch, i));
        (void)subscriber_send(s, index, text);
    }
}

/* Parse the entries of one bundle that lie in [hub->live, end). */
static err read_portion(struct ctx *cx, struct stream_hub *hub, uint64_t end)
{
    CLEANUP(segment_cleanup) struct segment *segment = NULL;
    uint64_t index = hub->live / BUNDLE_ENTRIES * BUNDLE_ENTRIES;
    str frames, entry;

    entry_batch_clear(&hub->batch);
    TRY(ledger_segment_get(cx, hub->ledger, hub->live / SEGMENT_ENTRIES, &segment));
    TRY(segment_bundle(cx, segment, (unsigned)(hub->live % SEGMENT_ENTRIES / BUNDLE_ENTRIES),
                       &frames));
    for (; index < end && frame_next(&frames, &entry); index++) {
        if (index < hub->live)
            continue;
        TRY(entry_add_stored(cx, &hub->batch, hub->parser, entry, hub->recorded_us));
        hub->recorded_us = hub->batch.meta[hub->batch.count - 1].recorded_us;
    }
    return ERR_OK;
}

static err feed_live(struct ctx *cx, struct stream_hub *hub, uint64_t size)
{
    if (size - hub->live > LIVE_LAG_MAX) {
        hub->live = size;
        return ERR_OK;
    }
    while (hub->live < size) {
        TRY(read_portion(cx, hub, size));
        if (hub->batch.count == 0)
            return fail(cx, ERR_CORRUPT, "entry %llu is not in its bundle",
                        (unsigned long long)hub->live);
        for (size_t i = 0; i < hub->batch.count; i++)
            offer(cx, hub, hub->live + i, i);
        hub->live += hub->batch.count;
    }
    return ERR_OK;
}

/* ---- to those who catch up ---- */

struct portion {
    struct stream_hub *hub;
    struct subscriber *to;
    unsigned hits;
};

static err portion_visit(struct ctx *cx, void *state, const struct query_hit *hit, bool *stop)
{
    struct portion *p = state;

    if (str_is_null(hit->entry)) /* pruned */
        return ERR_OK;
    bool sent = subscriber_send(p->to, hit->index, item_text(cx, p->hub, hit->index, hit->entry));
    *stop = !sent || ++p->hits == CATCH_UP_HITS || subscriber_backlog(p->to) > CATCH_UP_BACKLOG;
    return ERR_OK;
}

/* Has it read what it was sent? */
static bool is_ready(struct subscriber *s)
{
    int64_t now = clock_mono_ns();

    if (subscriber_backlog(s) <= CATCH_UP_BACKLOG / 2) {
        s->stalled_ns = 0;
        return true;
    }
    if (s->stalled_ns == 0)
        s->stalled_ns = now;
    else if (now - s->stalled_ns > STALL_NS)
        subscriber_end(s);
    return false;
}

static err catch_up(struct ctx *cx, struct stream_hub *hub, struct subscriber *s)
{
    struct portion p = {.hub = hub, .to = s};
    struct query q = s->query;
    struct query_end end;

    q.oldest_first = true;
    q.scan_max = CATCH_UP_SCAN;
    q.begin = s->at;
    q.end = u64_min(hub->live, s->at + CATCH_UP_ENTRIES);
    TRY(query_run(cx, hub->ledger, &q, portion_visit, &p, &end));
    s->at = end.complete ? q.end : end.next;
    return ERR_OK;
}

/* *out_more: someone is not there yet. */
static err feed_behind(struct ctx *cx, struct stream_hub *hub, bool *out_more)
{
    *out_more = false;
    for (struct subscriber *s = hub->all; s; s = s->next) {
        if (s->gone || s->at >= hub->live)
            continue;
        if (is_ready(s))
            TRY(catch_up(cx, hub, s));
        *out_more = *out_more || s->at < hub->live;
    }
    return ERR_OK;
}

/* ---- the feeder ---- */

/* Take those who have arrived, let go of those who have left, wait while there is nobody.  False
 * when the hub closes. */
static bool take_arrivals(struct stream_hub *hub)
{
    LOCK(held, &hub->lock);
    struct subscriber **place = &hub->all;

    while (*place) {
        struct subscriber *s = *place;
        if (!s->gone) {
            place = &s->next;
            continue;
        }
        *place = s->next;
        pthread_mutex_lock(&s->lock); /* until subscriber_closed() has let go of it */
        pthread_mutex_unlock(&s->lock);
        subscriber_free(s);
    }
    while (!hub->all && !hub->arrivals && !hub->closing)
        pthread_cond_wait(&hub->arrived, &hub->lock);
    if (!hub->all) {
        hub->live = ledger_size(hub->ledger);
        hub->recorded_us = ledger_recorded_us(hub->ledger);
    }
    while (hub->arrivals) {
        struct subscriber *s = hub->arrivals;
        hub->arrivals = s->next;
        s->next = hub->all;
        hub->all = s;
    }
    return !hub->closing;
}

/* What cannot be read now will not be readable in the next round: better no stream than one with a
 * hole. */
static void end_all(struct stream_hub *hub)
{
    for (struct subscriber *s = hub->all; s; s = s->next)
        subscriber_end(s);
}

static void nap(struct stream_hub *hub)
{
    LOCK(held, &hub->lock);

    if (!hub->closing)
        (void)cond_wait_until(&hub->arrived, &hub->lock, clock_mono_ns() + NAP_NS);
}

static void *feeder_run(void *arg)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    struct stream_hub *hub = arg;

    while (take_arrivals(hub)) {
        bool more = false;
        err e = feed_behind(cx, hub, &more);
        if (e == ERR_OK)
            e = feed_live(cx, hub, ledger_size(hub->ledger));
        if (e != ERR_OK) {
            log_failure(cx, "event streams", e);
            end_all(hub);
            hub->live = ledger_size(hub->ledger);
        }
        if (more)
            nap(hub);
        else
            (void)ledger_wait(hub->ledger, hub->live, clock_mono_ns() + IDLE_NS);
        ctx_reset(cx);
    }
    return NULL;
}

struct stream_hub *stream_hub_open(struct ledger *l, unsigned streams_max, unsigned of_one_max)
{
    struct stream_hub *hub = calloc(1, sizeof *hub);

    ENSURE(hub);
    hub->ledger = l;
    hub->max = streams_max;
    hub->of_one_max = of_one_max;
    hub->parser = json_parser_open();
    hub->text = BUF(ITEM_BYTES_MAX);
    entry_batch_init(&hub->batch, (size_t)BUNDLE_ENTRIES * (ENTRY_BYTES_MAX + ENTRY_FRAME_BYTES));
    pthread_mutex_init(&hub->lock, NULL);
    cond_init(&hub->arrived);
    hub->feeder = thread_start("feeder", feeder_run, hub);
    return hub;
}

void stream_hub_close(struct stream_hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    hub->closing = true;
    pthread_cond_broadcast(&hub->arrived);
    pthread_mutex_unlock(&hub->lock);
    pthread_join(hub->feeder, NULL);
    while (hub->all) {
        struct subscriber *s = hub->all;
        ENSURE(s->gone);
        hub->all = s->next;
        subscriber_free(s);
    }
    json_parser_close(hub->parser);
    entry_batch_close(&hub->batch);
    buf_close(&hub->text);
    pthread_cond_destroy(&hub->arrived);
    pthread_mutex_destroy(&hub->lock);
    free(hub);
}

/* ---- the route ---- */

static unsigned count(const struct subscriber *s, str principal, unsigned *of_one)
{
    unsigned n = 0;

    for (; s; s = s->next) {
        n += !s->gone;
        *of_one += !s->gone && str_eq(s->principal, principal);
    }
    return n;
}

/* Called with the hub's lock. */
static err check_room(struct ctx *cx, const struct stream_hub *hub, str principal)
{
    unsigned of_one = 0;
    unsigned open = count(hub->all, principal, &of_one) + count(hub->arrivals, principal, &of_one);

    if (hub->closing)
        return fail(cx, ERR_STOPPED, "the server is stopping");
    if (open >= hub->max)
        return fail(cx, ERR_BUSY, "%u event streams are open, which is the limit", open);
    if (hub->of_one_max && of_one >= hub->of_one_max)
        return fail(cx, ERR_TOO_MANY, "you have %u event streams open, which is the limit", of_one);
    return ERR_OK;
}

/* Behind Last-Event-ID (a browser resumes) or ?after=; otherwise with what comes next. */
static err read_place(struct ctx *cx, const struct request *rq, uint64_t size, uint64_t *out)
{
    str last = request_header(rq, S("last-event-id"));
    uint64_t after;

    *out = size;
    if (str_is_null(last) || last.n == 0)
        last = request_param(rq, S("after"));
    if (str_is_null(last))
        return ERR_OK;
    if (!str_to_u64(last, &after))
        return fail(cx, ERR_INVALID, "the header Last-Event-ID must be the index of an entry");
    *out = u64_min(after == UINT64_MAX ? after : after + 1, size);
    return ERR_OK;
}

static struct subscriber *subscriber_new(struct stream_hub *hub, const struct request *rq,
                                         const struct filter *f, uint64_t at)
{
    struct subscriber *s = calloc(1, sizeof *s);

    ENSURE(s);
    s->hub = hub;
    s->mem = arena_open(0);
    s->query = filter_keep(s->mem, &f->query);
    s->principal = arena_str(s->mem, rq->principal.id);
    s->at = at;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

/* The stream and its place in the list come under one lock, so that the limits hold. */
static err subscribe(struct ctx *cx, struct request *rq, struct response *rs, struct subscriber *s)
{
    struct stream_hub *hub = s->hub;
    LOCK(held, &hub->lock);

    TRY(check_room(cx, hub, s->principal));
    TRY(sse_begin(cx, rq, rs, subscriber_closed, s, &s->stream));
    metric_add(&audit_streams, 1);
    s->next = hub->arrivals;
    hub->arrivals = s;
    pthread_cond_signal(&hub->arrived);
    return ERR_OK;
}

err events_stream(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct stream_hub *hub = rq->app->audit->streams;
    struct filter f;
    uint64_t at;

    TRY(audit_filter(cx, rq, &f));
    TRY(read_place(cx, rq, ledger_size(hub->ledger), &at));
    if (rq->method == HTTP_HEAD)
        return response_bytes(cx, rs, 200, "text/event-stream", S(""));
    struct subscriber *s = subscriber_new(hub, rq, &f, at);
    err e = subscribe(cx, rq, rs, s);
    if (e != ERR_OK)
        subscriber_free(s);
    return e;
}
