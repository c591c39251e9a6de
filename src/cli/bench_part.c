/* bench_part.c - the parts of `chancery bench` that talk to a server. */
#include "base/clock.h"
#include "cli/bench.h"
#include "cli/prometheus.h"
#include "cli/remote.h"
#include <stdlib.h>
#include <time.h>

enum {
    READY_BYTES_MAX = 1 << 30, /* of a body that is made before it is sent */
    PROOF_ROUNDS = 60,
    NEWEST_ROUNDS = 300,
    NEWEST_ONE_IN = 4096,
    SEAL_LIMIT_S = 300,
    SEGMENT_EVENTS = 65536,
};
#define LINE_BYTES (BENCH_EVENT_BYTES + 1)

void bench_note(struct bench *b, enum figure_id id, double value)
{
    b->figures[id] = (struct figure){true, value};
}

static void pause_ms(int64_t ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

/* The part's own connection to the API, for what is not measured. */
static err open_remote(struct ctx *cx, const struct bench *b, struct remote **out)
{
    return remote_open_url(cx, b->url, b->key, out);
}

/* ---- bulk ---- */

struct body {
    const struct bench_events *made;
    uint64_t first, next, end;
    char *bytes;
    uint64_t held; /* events in `bytes` at once */
};

static str body_next(void *state)
{
    struct body *body = state;
    uint64_t n = u64_min(body->held, body->end - body->next);

    if (body->held < body->end - body->first) /* else they were made before */
        bench_events_fill(body->made, body->next, n, body->bytes);
    body->next += n;
    return (str){body->bytes, n * LINE_BYTES};
}

static err body_open(struct ctx *cx, struct bench *b, struct body *body)
{
    uint64_t whole = b->events * LINE_BYTES;

    *body = (struct body){.made = b->made, .first = b->sent, .next = b->sent};
    body->end = body->first + b->events;
    body->held = whole <= READY_BYTES_MAX ? b->events : BENCH_BLOCK_EVENTS;
    body->bytes = malloc(body->held * LINE_BYTES);
    if (!body->bytes)
        return fail(cx, ERR_TOO_LARGE, "no memory for %llu events", (unsigned long long)body->held);
    bench_events_fill(b->made, body->first, u64_min(body->held, b->events), body->bytes);
    return ERR_OK;
}

static err check_upload(struct ctx *cx, const struct bench *b, int status, str answer)
{
    CLEANUP(json_parser_cleanup) struct json_parser *parser = json_parser_open();
    struct json json;

    if (status != 201)
        return fail(cx, ERR_IO, "the upload was answered %d: %.*s", status,
                    STR_FMT(str_slice(answer, 0, 300)));
    TRY(json_parse(cx, parser, answer, &json));
    uint64_t count = json_member_count(json, S("count"));
    if (count != b->events)
        return fail(cx, ERR_IO, "of %llu events %llu were stored: choose another --seed",
                    (unsigned long long)b->events, (unsigned long long)count);
    return ERR_OK;
}

err bench_bulk(struct ctx *cx, struct bench *b)
{
    struct body body;
    int status;
    str answer;
    int64_t took_ns;

    TRY(body_open(cx, b, &body));
    struct upload u = {
        .target = &b->target,
        .path = "/api/v1/events",
        .content_type = "application/x-ndjson",
        .bytes = b->events * LINE_BYTES,
        .next = body_next,
        .state = &body,
    };
    err e = upload_run(cx, &u, &status, &answer, &took_ns);
    free(body.bytes);
    TRY(e);
    TRY(check_upload(cx, b, status, answer));
    b->sent += b->events;
    b->loaded += b->events;
    bool is_long = b->events >= 10000000;
    bench_note(b, is_long ? FIGURE_BULK_LONG : FIGURE_BULK,
               (double)b->events * 1e9 / (double)took_ns);
    if (b->server)
        bench_note(b, FIGURE_MEMORY_LOADED, (double)bench_server_resident(b->server));
    return ERR_OK;
}

/* ---- one event a request ---- */

static size_t make_post(void *state, uint64_t n, char *out)
{
    struct bench *b = state;
    int head =
        snprintf(out, LOAD_REQUEST_BYTES_MAX,
                 "POST /api/v1/events HTTP/1.1\r\nHost: %.*s\r\n%.*s"
                 "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n",
                 STR_FMT(b->target.host), STR_FMT(b->target.authorization), BENCH_EVENT_BYTES);

    ENSURE(head > 0 && head + BENCH_EVENT_BYTES <= LOAD_REQUEST_BYTES_MAX);
    bench_event_put(b->made, b->sent + n, out + head);
    return (size_t)head + BENCH_EVENT_BYTES;
}

static err run_load(struct ctx *cx, struct bench *b, struct load *load, struct load_result *out)
{
    load->target = &b->target;
    load->connections = b->connections;
    load->duration_ns = b->duration_ns;
    TRY(load_run(cx, load, out));
    if (out->failed)
        return fail(cx, ERR_IO, "%llu of %llu requests were not answered %d",
                    (unsigned long long)out->failed, (unsigned long long)out->done,
                    load->expect_status);
    return ERR_OK;
}

static double rate_of(const struct load_result *r)
{
    return r->took_ns ? (double)r->done * 1e9 / (double)r->took_ns : 0;
}

err bench_single(struct ctx *cx, struct bench *b)
{
    struct load load = {.make = make_post, .state = b, .expect_status = 201};
    struct load_result *r = arena_new(cx->mem, struct load_result, 1);

    TRY(run_load(cx, b, &load, r));
    b->sent += r->done;
    b->loaded += r->done;
    bench_note(b, FIGURE_SINGLE, rate_of(r));
    bench_note(b, FIGURE_SINGLE_P50, (double)histogram_quantile(&r->latency_ns, 0.5));
    bench_note(b, FIGURE_SINGLE_P99, (double)histogram_quantile(&r->latency_ns, 0.99));
    return ERR_OK;
}

/* ---- from the answer to the proof ---- */

static err post_one(struct ctx *cx, struct bench *b, struct remote *r, uint64_t *out_index)
{
    char event[BENCH_EVENT_BYTES];
    struct http_reply reply;
    struct json answer, index;

    bench_event_put(b->made, b->sent++, event);
    b->loaded++;
    TRY(remote_send(cx, r, "POST", S("/api/v1/events"), (str){event, sizeof event}, &reply));
    TRY(remote_json(cx, r, &reply, &answer));
    if (!json_pointer_get(answer, S("/receipt/index"), &index) || !json_to_u64(index, out_index))
        return fail(cx, ERR_IO, "the answer has no receipt");
    return ERR_OK;
}

static err prove_one(struct ctx *cx, struct bench *b, struct remote *r, struct histogram *h)
{
    struct remote_request rq = {.headers = {{S("Prefer"), S("wait=proof")}}};
    struct http_reply reply;
    uint64_t index;

    TRY(post_one(cx, b, r, &index));
    int64_t begun_ns = clock_mono_ns();
    rq.path = arena_printf(cx->mem, "/api/v1/events/%llu/proof?format=tlog-proof",
                           (unsigned long long)index);
    TRY(remote_call(cx, r, &rq, &reply));
    histogram_add(h, (uint64_t)(clock_mono_ns() - begun_ns));
    return ERR_OK;
}

err bench_proof(struct ctx *cx, struct bench *b)
{
    CLEANUP(remote_cleanup) struct remote *r = NULL;
    struct histogram *h = arena_new(cx->mem, struct histogram, 1);

    TRY(open_remote(cx, b, &r));
    for (unsigned i = 0; i < PROOF_ROUNDS; i++)
        TRY(prove_one(cx, b, r, h));
    bench_note(b, FIGURE_PROOF_P50, (double)histogram_quantile(h, 0.5));
    bench_note(b, FIGURE_PROOF_P99, (double)histogram_quantile(h, 0.99));
    return ERR_OK;
}

/* ---- the newest of an actor ---- */

static size_t make_newest(void *state, uint64_t n, char *out)
{
    const struct bench *b = state;
    int head =
        snprintf(out, LOAD_REQUEST_BYTES_MAX,
                 "GET /api/v1/events?actor=%.*s&limit=100 HTTP/1.1\r\nHost: %.*s\r\n%.*s\r\n",
                 STR_FMT(bench_actor(b->made, NEWEST_ONE_IN)), STR_FMT(b->target.host),
                 STR_FMT(b->target.authorization));

    (void)n;
    ENSURE(head > 0 && head < LOAD_REQUEST_BYTES_MAX);
    return (size_t)head;
}

static err ask_newest(struct ctx *cx, struct bench *b, uint64_t rounds, struct load_result *out)
{
    struct load load = {
        .target = &b->target,
        .connections = 1,
        .requests_max = rounds,
        .expect_status = 200,
        .make = make_newest,
        .state = b,
    };

    TRY(load_run(cx, &load, out));
    return out->failed ? fail(cx, ERR_IO, "a query was refused") : ERR_OK;
}

static err reach_again(struct ctx *cx, struct bench *b)
{
    b->url = bench_server_url(b->server);
    return load_target_open(cx, b->url, b->key, &b->target);
}

/* Cold: the server and the system's memory of its files are new. */
err bench_newest(struct ctx *cx, struct bench *b)
{
    struct load_result *r = arena_new(cx->mem, struct load_result, 1);
    int64_t start_ns;

    TRY(ask_newest(cx, b, NEWEST_ROUNDS, r));
    bench_note(b, FIGURE_NEWEST_WARM, (double)histogram_quantile(&r->latency_ns, 0.5));
    if (!b->server)
        return ERR_OK;
    TRY(bench_server_restart(cx, b->server, false, true, &start_ns));
    TRY(reach_again(cx, b));
    TRY(ask_newest(cx, b, 1, r));
    bench_note(b, FIGURE_NEWEST_COLD, (double)r->latency_ns.largest);
    return ERR_OK;
}

/* ---- one entry ---- */

static size_t make_get(void *state, uint64_t n, char *out)
{
    const struct bench *b = state;
    uint64_t index = n * 0x9E3779B97F4A7C15u % (b->loaded ? b->loaded : 1);
    int head = snprintf(
        out, LOAD_REQUEST_BYTES_MAX, "GET /api/v1/events/%llu HTTP/1.1\r\nHost: %.*s\r\n%.*s\r\n",
        (unsigned long long)index, STR_FMT(b->target.host), STR_FMT(b->target.authorization));

    ENSURE(head > 0 && head < LOAD_REQUEST_BYTES_MAX);
    return (size_t)head;
}

err bench_get(struct ctx *cx, struct bench *b)
{
    struct load load = {.make = make_get, .state = b, .expect_status = 200};
    struct load_result *r = arena_new(cx->mem, struct load_result, 1);

    TRY(run_load(cx, b, &load, r));
    bench_note(b, FIGURE_GET, rate_of(r));
    bench_note(b, FIGURE_GET_P99, (double)histogram_quantile(&r->latency_ns, 0.99));
    return ERR_OK;
}

/* ---- disk ---- */

static err read_metrics(struct ctx *cx, struct remote *r, struct samples *out)
{
    const struct remote_request rq = {.path = S("/metrics")};
    struct http_reply reply;

    TRY(remote_call(cx, r, &rq, &reply));
    return samples_read(cx, reply.body, out);
}

static err wait_for_sealing(struct ctx *cx, struct remote *r, struct samples *out)
{
    for (int64_t waited_ms = 0; waited_ms < SEAL_LIMIT_S * 1000; waited_ms += 100) {
        TRY(read_metrics(cx, r, out));
        if (samples_sum(out, "chancery_ledger_unsealed_segments", "") == 0)
            return ERR_OK;
        pause_ms(100);
    }
    return fail(cx, ERR_TIMEOUT, "segments are still not sealed after %d s", SEAL_LIMIT_S);
}

err bench_disk(struct ctx *cx, struct bench *b)
{
    CLEANUP(remote_cleanup) struct remote *r = NULL;
    struct samples s;

    TRY(open_remote(cx, b, &r));
    TRY(wait_for_sealing(cx, r, &s));
    double sealed = samples_sum(&s, "chancery_ledger_segments", "") - 1; /* the last one grows */
    double bytes = samples_sum(&s, "chancery_ledger_sealed_bytes", "") +
                   samples_sum(&s, "chancery_ledger_index_bytes", "");
    if (sealed < 1 || bytes <= 0)
        return ERR_OK; /* too few events */
    double each = bytes / (sealed * SEGMENT_EVENTS);
    bench_note(b, FIGURE_DISK_EVENT, each + 32);
    bench_note(b, FIGURE_DISK_TIMES, BENCH_EVENT_BYTES / each);
    return ERR_OK;
}

/* ---- what only an own server suffers ---- */

err bench_restart(struct ctx *cx, struct bench *b)
{
    int64_t took_ns;

    TRY(bench_server_restart(cx, b->server, true, false, &took_ns));
    bench_note(b, FIGURE_RESTART, (double)took_ns);
    return reach_again(cx, b);
}

err bench_verify(struct ctx *cx, struct bench *b)
{
    const char *words[] = {"chancery", "verify",
                           "--data",   arena_z(cx->mem, bench_server_data(b->server)),
                           "--json",   NULL};
    CLEANUP(json_parser_cleanup) struct json_parser *parser = json_parser_open();
    double cpu_seconds;
    struct json json;
    int status;
    str text;

    TRY(bench_server_stop(cx, b->server));
    TRY(bench_run_program(cx, words, &text, &status, &cpu_seconds));
    if (json_parse(cx, parser, text, &json) != ERR_OK || status != 0)
        return fail(cx, ERR_CORRUPT, "verify ended with %d: %.*s", status,
                    STR_FMT(str_slice(text, 0, 300)));
    bench_note(b, FIGURE_VERIFY, (double)json_member_count(json, S("size")) / cpu_seconds);
    return ERR_OK;
}
