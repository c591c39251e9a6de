/* audit_ingest.c - see ingest.h.
 *
 * What a request may be, by its content type (table `kinds`):
 *   one document   application/json, application/cloudevents+json (object or array),
 *                  application/cloudevents-batch+json (array): all or nothing, unless on_error=skip
 *   a stream       application/x-ndjson and its other names: line by line, in portions
 *   binary mode    any other type with a ce-specversion header: headers are the attributes
 *
 * Line numbers count from 1; for arrays the "line" is the element's number. */
#include "access/permission.h"
#include "audit/audit_shape.h"
#include "audit/ingest.h"
#include "audit/ingest_binary.h"
#include "audit/json_split.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/json_write.h"
#include "base/queue.h"
#include "writer/writer.h"
#include <stdlib.h>

enum { REJECTED_LISTED_MAX = 100, PORTIONS_MAX = 8, ANSWER_BYTES_MAX = 1 << 20 };

#define M(var, name_, help_)                                                                       \
    static struct metric var = {.name = (name_), .help = (help_), .kind = METRIC_COUNTER};
#include "audit/ingest_metric.def"
#undef M

struct metric *const ingest_metrics[] = {
#define M(var, name, help) &var,
#include "audit/ingest_metric.def"
#undef M
    NULL,
};

/* Whole lines of a stream (or a whole document), and what became of them. */
struct portion {
    struct buf text; /* with JSON_PADDING bytes of room behind its end */
    struct entry_batch batch;
    struct writer_ticket ticket;
    struct ledger_receipt *receipts;
    size_t receipt_capacity;
    bool under_way;
    uint64_t last_line; /* number of its last line */
};

/* Everything one request needs; kept between requests. */
struct workspace {
    struct workspace *next;
    struct json_parser *parser;
    struct portion portions[PORTIONS_MAX];
};

struct ingest {
    struct ingest_options options;
    pthread_mutex_t lock; /* guards `idle` */
    struct workspace *idle;
};

struct rejected {
    err code;
    uint64_t line;
    str pointer, detail;
};

/* One request on its way. */
struct intake {
    struct app *app;
    struct request *rq;
    struct workspace *ws;
    bool skip; /* on_error=skip */

    uint64_t lines; /* seen */
    uint64_t count, duplicates, rejected_count;
    uint64_t acknowledged_line; /* everything up to it is stored or was rejected */
    bool broken;                /* a portion was not stored; those behind it may be */
    bool any;
    uint64_t first_index;
    struct ledger_receipt last;
    struct rejected rejected[REJECTED_LISTED_MAX];
};

/* ---- workspaces ---- */

struct ingest *ingest_open(const struct ingest_options *options)
{
    struct ingest *in = calloc(1, sizeof *in);

    ENSURE(in && options->portions >= 1 && options->portions <= PORTIONS_MAX);
    in->options = *options;
    pthread_mutex_init(&in->lock, NULL);
    return in;
}

static void workspace_close(struct workspace *ws)
{
    for (size_t i = 0; i < PORTIONS_MAX; i++) {
        buf_close(&ws->portions[i].text);
        entry_batch_close(&ws->portions[i].batch);
        free(ws->portions[i].receipts);
    }
    json_parser_close(ws->parser);
    free(ws);
}

void ingest_close(struct ingest *in)
{
    if (!in)
        return;
    while (in->idle) {
        struct workspace *ws = in->idle;
        in->idle = ws->next;
        workspace_close(ws);
    }
    pthread_mutex_destroy(&in->lock);
    free(in);
}

static struct workspace *workspace_take(struct ingest *in)
{
    pthread_mutex_lock(&in->lock);
    struct workspace *ws = in->idle;
    if (ws)
        in->idle = ws->next;
    pthread_mutex_unlock(&in->lock);
    if (ws)
        return ws;
    ws = calloc(1, sizeof *ws);
    ENSURE(ws);
    ws->parser = json_parser_open();
    for (size_t i = 0; i < PORTIONS_MAX; i++) {
        size_t most = size_max(in->options.portion_bytes, in->options.body_bytes_max);
        ws->portions[i].text = BUF(most + JSON_PADDING);
        /* stamps make entries longer than what was received */
        entry_batch_init(&ws->portions[i].batch, UINT32_MAX);
    }
    return ws;
}

/* Memory that one large request took is not kept for the small ones. */
static void workspace_give(struct ingest *in, struct workspace *ws)
{
    for (size_t i = 0; i < PORTIONS_MAX; i++) {
        struct portion *p = &ws->portions[i];
        buf_clear(&p->text);
        entry_batch_clear(&p->batch);
        p->last_line = 0;
        if (p->batch.frames.capacity > 64 * 1024) {
            buf_close(&p->text);
            entry_batch_close(&p->batch);
            entry_batch_init(&p->batch, UINT32_MAX);
            free(p->receipts);
            p->receipts = NULL;
            p->receipt_capacity = 0;
        }
    }
    LOCK(held, &in->lock);
    ws->next = in->idle;
    in->idle = ws;
}

/* ---- rejected lines ---- */

/* Failures that speak of one event; the others end the request. */
static bool is_of_event(err e)
{
    return e == ERR_INVALID || e == ERR_TOO_LARGE;
}

static void note_rejected(struct ctx *cx, struct intake *t, uint64_t line, err code)
{
    str pointer = S(""), detail = str_from(cx->detail);

    if (cx->issue_count) {
        pointer = cx->issues[0].pointer;
        detail = cx->issues[0].detail;
    }
    if (t->rejected_count < REJECTED_LISTED_MAX)
        t->rejected[t->rejected_count] =
            (struct rejected){code, line, arena_str(cx->mem, pointer), arena_str(cx->mem, detail)};
    t->rejected_count++;
    metric_add(&events_rejected_total, 1);
}

/* One event's text into the portion's batch.  In skip mode a bad one is noted and left out. */
static err take_event(struct ctx *cx, struct intake *t, struct portion *p, str text, uint64_t line,
                      const struct entry_stamp *stamp)
{
    err e = entry_add(cx, &p->batch, t->ws->parser, text, stamp);

    if (e == ERR_OK)
        return ERR_OK;
    note_rejected(cx, t, line, e);
    if (!t->skip || !is_of_event(e))
        return e;
    ctx_clear_error(cx);
    return ERR_OK;
}

/* ---- to the writer and back ---- */

static err portion_send(struct ctx *cx, struct intake *t, struct portion *p, bool patient)
{
    struct entry_batch *b = &p->batch;

    if (b->count == 0)
        return ERR_OK;
    if (b->count > p->receipt_capacity) {
        free(p->receipts);
        p->receipts = malloc(b->count * sizeof *p->receipts);
        ENSURE(p->receipts);
        p->receipt_capacity = b->count;
    }
    p->ticket = (struct writer_ticket){.batch = b, .receipts = p->receipts};
    err e = writer_submit(cx, t->app->writer, &p->ticket, patient);
    p->under_way = e == ERR_OK;
    t->broken = t->broken || e != ERR_OK;
    return e;
}

/* Wait for a portion and count it. */
static err portion_finish(struct ctx *cx, struct intake *t, struct portion *p)
{
    if (p->under_way) {
        p->under_way = false;
        err e = writer_wait(cx, t->app->writer, &p->ticket);
        t->broken = t->broken || e != ERR_OK;
        TRY(e);
        if (!t->any)
            t->first_index = p->batch.first_index;
        t->any = true;
        t->count += p->batch.stored;
        t->duplicates += p->batch.duplicates;
        t->last = p->receipts[p->batch.count - 1];
        metric_add(&events_stored_total, (int64_t)p->batch.stored);
        metric_add(&events_duplicate_total, (int64_t)p->batch.duplicates);
    }
    if (!t->broken && p->last_line > t->acknowledged_line)
        t->acknowledged_line = p->last_line;
    entry_batch_clear(&p->batch);
    return ERR_OK;
}

/* ---- one document ---- */

/* The whole body with padding behind it. */
static err read_document(struct ctx *cx, struct intake *t, struct portion *p)
{
    size_t max = t->app->ingest->options.body_bytes_max, got;

    for (;;) {
        if (!buf_reserve(&p->text, 16 * 1024 + JSON_PADDING) && p->text.n >= max)
            break;
        p->text.failed = false;
        size_t room = p->text.capacity - p->text.n - JSON_PADDING - 1;
        if (room == 0)
            break;
        TRY(t->rq->source.read(cx, t->rq->source.state, p->text.p + p->text.n, room, &got));
        if (got == 0)
            return ERR_OK;
        p->text.n += got;
    }
    return fail(cx, ERR_TOO_LARGE,
                "the document is larger than %zu bytes; send many events as application/x-ndjson",
                max);
}

static err take_document(struct ctx *cx, struct intake *t, struct portion *p, bool must_be_array)
{
    struct entry_stamp stamp = {.recorded_us = clock_now_us(), .principal = t->rq->principal.id};
    str text = str_trim(buf_str(&p->text)), element;
    struct json root;

    if (text.n == 0)
        return fail(cx, ERR_INVALID, "the body is empty");
    if (!must_be_array && text.p[0] != '[') {
        t->lines = 1;
        return take_event(cx, t, p, text, 1, &stamp);
    }
    TRY(json_parse_padded(cx, t->ws->parser, text, &root));
    if (json_kind(root) != JSON_ARRAY)
        return fail(cx, ERR_INVALID, "a batch must be a JSON array of events");
    while (json_split_next(&text, &element)) {
        t->lines++;
        err e = take_event(cx, t, p, element, t->lines, &stamp);
        if (is_of_event(e)) /* every wrong element is listed; nothing of them is stored */
            ctx_clear_error(cx);
        else
            TRY(e);
    }
    return ERR_OK;
}

/* What was wrong, as the issues of a problem: /<element>/<member>. */
static err refuse_document(struct ctx *cx, struct intake *t, bool array)
{
    ctx_clear_error(cx);
    for (uint64_t i = 0; i < u64_min(t->rejected_count, REJECTED_LISTED_MAX); i++) {
        const struct rejected *r = &t->rejected[i];
        str pointer = array ? arena_printf(cx->mem, "/%llu%.*s", (unsigned long long)(r->line - 1),
                                           STR_FMT(r->pointer))
                            : r->pointer;
        ctx_add_issue(cx, pointer, "%.*s", STR_FMT(r->detail));
    }
    const struct rejected *first = &t->rejected[0];
    str pointer = cx->issues[0].pointer;
    return fail(cx, first->code, "%.*s%s%.*s; nothing was stored", STR_FMT(pointer),
                pointer.n ? " " : "", STR_FMT(first->detail));
}

static err run_document(struct ctx *cx, struct intake *t, bool must_be_array)
{
    struct portion *p = &t->ws->portions[0];

    TRY(read_document(cx, t, p));
    bool array = must_be_array || (p->text.n && str_trim(buf_str(&p->text)).p[0] == '[');
    err e = take_document(cx, t, p, must_be_array);
    if (t->rejected_count && !t->skip && (e == ERR_OK || is_of_event(e)))
        return refuse_document(cx, t, array);
    TRY(e);
    p->last_line = t->lines;
    TRY(portion_send(cx, t, p, false));
    return portion_finish(cx, t, p);
}

static err run_array_only(struct ctx *cx, struct intake *t)
{
    return run_document(cx, t, true);
}

static err run_object_or_array(struct ctx *cx, struct intake *t)
{
    return run_document(cx, t, false);
}

static err run_binary(struct ctx *cx, struct intake *t)
{
    struct entry_stamp stamp = {.recorded_us = clock_now_us(), .principal = t->rq->principal.id};
    struct portion *p = &t->ws->portions[0], *composed = &t->ws->portions[1];

    TRY(read_document(cx, t, p));
    TRY(ingest_binary_compose(cx, t->rq, buf_str(&p->text), t->ws->parser, &composed->text));
    t->lines = 1;
    if (!buf_reserve(&composed->text, JSON_PADDING))
        return buf_check(cx, &composed->text, "the event");
    err e = take_event(cx, t, p, buf_str(&composed->text), 1, &stamp);
    if (t->rejected_count && !t->skip)
        return refuse_document(cx, t, false);
    TRY(e);
    p->last_line = 1;
    TRY(portion_send(cx, t, p, false));
    return portion_finish(cx, t, p);
}

/* ---- a stream of lines ---- */

struct stream {
    struct portion *portions;
    unsigned count, at; /* the ring, and the portion being filled */
    bool ended;
    bool discarding; /* the rest of a line that is too long */
};

static err reject_long_line(struct ctx *cx, struct intake *t)
{
    t->lines++;
    err e = fail(cx, ERR_TOO_LARGE, "the line is longer than an entry may be, %d bytes",
                 ENTRY_BYTES_MAX);
    note_rejected(cx, t, t->lines, e);
    if (!t->skip)
        return e;
    ctx_clear_error(cx);
    return ERR_OK;
}

/* Bytes up to and with the last newline are lines; at the end of the body all are. */
static size_t whole_lines(const struct stream *s, const struct portion *p)
{
    if (s->ended)
        return p->text.n;
    const char *last = p->text.n ? memrchr(p->text.p, '\n', p->text.n) : NULL;
    return last ? (size_t)(last - p->text.p) + 1 : 0;
}

/* Drop what is left of an overlong line. */
static void discard(struct stream *s, struct portion *p)
{
    size_t end = str_find_char(buf_str(&p->text), '\n');

    s->discarding = end == p->text.n;
    buf_drop_front(&p->text, s->discarding ? end : end + 1);
}

/* Read until the portion holds at least one whole line. */
static err fill(struct ctx *cx, struct intake *t, struct stream *s, struct portion *p)
{
    size_t max = t->app->ingest->options.portion_bytes, got;

    while (!s->ended) {
        if (!buf_reserve(&p->text, max - p->text.n + JSON_PADDING))
            return buf_check(cx, &p->text, "a portion");
        TRY(t->rq->source.read(cx, t->rq->source.state, p->text.p + p->text.n, max - p->text.n,
                               &got));
        s->ended = got == 0;
        p->text.n += got;
        if (s->discarding)
            discard(s, p);
        if (whole_lines(s, p))
            break;
        if (p->text.n > ENTRY_BYTES_MAX) {
            TRY(reject_long_line(cx, t));
            s->discarding = true;
            buf_clear(&p->text);
        }
    }
    return ERR_OK;
}

static err take_lines(struct ctx *cx, struct intake *t, struct portion *p, str lines)
{
    struct entry_stamp stamp = {.recorded_us = clock_now_us(), .principal = t->rq->principal.id};

    entry_stamp_prepare(&stamp);
    while (lines.n) {
        str line = str_cut(&lines, '\n');
        t->lines++;
        line = str_trim(line);
        if (line.n)
            TRY(take_event(cx, t, p, line, t->lines, &stamp));
        p->last_line = t->lines;
        if (str_is_null(lines))
            break;
    }
    return ERR_OK;
}

/* The next portion of the ring, free to use, beginning with what followed the last whole line. */
static err rotate(struct ctx *cx, struct intake *t, struct stream *s, size_t used)
{
    struct portion *full = &s->portions[s->at];

    s->at = (s->at + 1) % s->count;
    struct portion *next = &s->portions[s->at];
    TRY(portion_finish(cx, t, next));
    buf_clear(&next->text);
    buf_put(&next->text, str_slice(buf_str(&full->text), used, full->text.n));
    return buf_check(cx, &next->text, "a portion");
}

static err stream_step(struct ctx *cx, struct intake *t, struct stream *s)
{
    struct portion *p = &s->portions[s->at];

    TRY(fill(cx, t, s, p));
    size_t used = whole_lines(s, p);
    err e = take_lines(cx, t, p, str_slice(buf_str(&p->text), 0, used));
    TRY(portion_send(cx, t, p, true)); /* what stands before a bad line is stored */
    TRY(e);
    return rotate(cx, t, s, used);
}

/* Every portion that is under way must come back before its memory is used again. */
static err stream_end(struct ctx *cx, struct intake *t, struct stream *s)
{
    CLEANUP(ctx_cleanup) struct ctx *mine = ctx_open(0);
    err first = ERR_OK;

    for (unsigned i = 1; i <= s->count; i++) {
        err e = portion_finish(mine, t, &s->portions[(s->at + i) % s->count]);
        if (e != ERR_OK && first == ERR_OK)
            first = fail(cx, e, "%s", mine->detail);
    }
    return first;
}

static void put_result_members(struct buf *b, const struct intake *t);

/* The failure tells how far it came: what was acknowledged stays.  A bad line is the reason only
 * when all before it is stored. */
static err explain_stop(struct ctx *cx, struct intake *t, err e)
{
    struct buf members = BUF(ANSWER_BYTES_MAX);
    char why[CTX_DETAIL_BYTES];

    memcpy(why, cx->detail, sizeof why);
    ctx_clear_error(cx);
    if (t->rejected_count && !t->skip && !t->broken) {
        const struct rejected *r = &t->rejected[0];
        ctx_add_issue(cx, r->pointer, "line %llu: %.*s", (unsigned long long)r->line,
                      STR_FMT(r->detail));
        t->acknowledged_line = r->line - 1;
        err_ignore(fail(cx, e, "line %llu: %.*s%s%.*s; the %llu lines before it are stored",
                        (unsigned long long)r->line, STR_FMT(r->pointer), r->pointer.n ? " " : "",
                        STR_FMT(r->detail), (unsigned long long)t->acknowledged_line));
    } else {
        err_ignore(fail(cx, e, "%.400s; lines up to %llu are stored", why,
                        (unsigned long long)t->acknowledged_line));
    }
    json_member_u64(&members, S("acknowledged_lines"), t->acknowledged_line);
    put_result_members(&members, t);
    cx->members = arena_str(cx->mem, buf_str(&members));
    buf_close(&members);
    return e;
}

static err run_stream(struct ctx *cx, struct intake *t)
{
    struct stream s = {.portions = t->ws->portions, .count = t->app->ingest->options.portions};
    err e = ERR_OK;

    while (!s.ended && e == ERR_OK)
        e = stream_step(cx, t, &s);
    err ended = stream_end(cx, t, &s);
    if (ended != ERR_OK)
        e = ended; /* that something is not stored goes before why no more came */
    return e == ERR_OK ? ERR_OK : explain_stop(cx, t, e);
}

/* ---- the answer ---- */

static void put_receipt(struct buf *b, const struct ledger_receipt *r)
{
    char leaf[2 * HASH_BYTES + 1];

    hex_encode(r->leaf.bytes, HASH_BYTES, leaf);
    json_key(b, S("receipt"));
    json_open(b, '{');
    json_member_u64(b, S("index"), r->index);
    json_member_str(b, S("leaf_hash"), str_from(leaf));
    json_member_time(b, S("recorded"), r->recorded_us);
    json_close(b, '}');
}

static void put_result_members(struct buf *b, const struct intake *t)
{
    json_key(b, S("first_index"));
    if (t->any)
        json_put_u64(b, t->first_index);
    else
        json_put_null(b);
    json_member_u64(b, S("count"), t->count);
    json_member_u64(b, S("duplicates"), t->duplicates);
    json_member_u64(b, S("rejected_count"), t->rejected_count);
    json_key(b, S("rejected"));
    json_open(b, '[');
    for (uint64_t i = 0; i < u64_min(t->rejected_count, REJECTED_LISTED_MAX); i++) {
        json_open(b, '{');
        json_member_u64(b, S("line"), t->rejected[i].line);
        json_member_str(b, S("pointer"), t->rejected[i].pointer);
        json_member_str(b, S("detail"), t->rejected[i].detail);
        json_close(b, '}');
    }
    json_close(b, ']');
    if (t->any)
        put_receipt(b, &t->last);
}

/* `Prefer: wait=proof`: the receipt that needs no server. */
static err put_proof(struct ctx *cx, struct intake *t, struct buf *b)
{
    str proof;

    if (!t->any || !request_prefers(t->rq, S("wait=proof")))
        return ERR_OK;
    cx->deadline_ns = clock_mono_ns() + t->app->ingest->options.proof_wait_ns;
    TRY(ledger_prove(cx, t->app->ledger, t->last.index, true, &proof));
    json_member_str(b, S("proof"), proof);
    return ERR_OK;
}

static err answer(struct ctx *cx, struct intake *t, struct response *rs)
{
    if (t->any)
        response_header(cx, rs, "Chancery-Index",
                        arena_printf(cx->mem, "%llu", (unsigned long long)t->last.index));
    json_open(&rs->body, '{');
    put_result_members(&rs->body, t);
    TRY(put_proof(cx, t, &rs->body));
    json_close(&rs->body, '}');
    return response_json_body(cx, rs, 201);
}

/* ---- routes ---- */

static const struct {
    str type;
    err (*run)(struct ctx *cx, struct intake *t);
} kinds[] = {
    {STR_INIT("application/x-ndjson"), run_stream},
    {STR_INIT("application/json"), run_object_or_array},
    {STR_INIT("application/cloudevents+json"), run_object_or_array},
    {STR_INIT("application/cloudevents-batch+json"), run_array_only},
    {STR_INIT("application/ndjson"), run_stream},
    {STR_INIT("application/jsonl"), run_stream},
    {STR_INIT("application/jsonlines"), run_stream},
};

static err run_by_type(struct ctx *cx, struct intake *t)
{
    str type = request_header(t->rq, S("content-type"));
    str media = str_trim(str_cut(&type, ';'));

    if (!str_is_null(request_header(t->rq, S("ce-specversion"))))
        return run_binary(cx, t);
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (str_eq_nocase(media, kinds[i].type))
            return kinds[i].run(cx, t);
    return fail(
        cx, ERR_MEDIA_TYPE,
        "content type \"%.*s\" is not taken here: send application/json, application/x-ndjson, "
        "application/cloudevents+json, application/cloudevents-batch+json, or any type with "
        "ce- headers",
        STR_FMT(str_slice(media, 0, 100)));
}

static err on_error_mode(struct ctx *cx, const struct request *rq, bool *out_skip)
{
    str mode = request_param(rq, S("on_error"));

    *out_skip = str_eq(mode, S("skip"));
    if (*out_skip || str_is_null(mode) || str_eq(mode, S("stop")))
        return ERR_OK;
    ctx_add_issue(cx, S("/on_error"), "must be stop or skip");
    return fail(cx, ERR_INVALID, "the parameter on_error must be stop or skip");
}

err events_post(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct ingest *in = rq->app->ingest;
    struct intake *t = arena_new(cx->mem, struct intake, 1);

    *t = (struct intake){.app = rq->app, .rq = rq};
    TRY(on_error_mode(cx, rq, &t->skip));
    t->ws = workspace_take(in);
    err e = run_by_type(cx, t);
    workspace_give(in, t->ws);
    TRY(e);
    return answer(cx, t, rs);
}

err log_add(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct ingest *in = rq->app->ingest;
    struct intake t = {.app = rq->app, .rq = rq, .ws = workspace_take(in)};
    struct portion *p = &t.ws->portions[0];

    err e = read_document(cx, &t, p);
    if (e == ERR_OK)
        e = entry_add_opaque(cx, &p->batch, buf_str(&p->text), clock_now_us());
    if (e == ERR_OK)
        e = portion_send(cx, &t, p, false);
    if (e == ERR_OK)
        e = portion_finish(cx, &t, p);
    workspace_give(in, t.ws);
    TRY(e);
    buf_put_u64(&rs->body, t.last.index);
    buf_put_char(&rs->body, '\n');
    response_header(cx, rs, "Content-Type", S("text/plain; charset=utf-8"));
    return ERR_OK;
}

static const struct param events_params[] = {
    {"on_error", F_STR, "stop (default) or skip: what a bad event does to the others", "skip"},
    {0},
};

/* clang-format off */
const struct route ingest_routes[] = {
    {"POST", "/api/v1/events", events_post, PERM_EVENTS_WRITE, BODY_STREAM, "Send events: one, many, or a stream", .params = events_params, .reply = &ingest_answer_shape, .tag = "events"},
    {"POST", "/log/add",       log_add,     PERM_EVENTS_WRITE, BODY_STREAM, "Add the raw bytes of one entry", .reply_type = "text/plain", .tag = "log"},
    {0},
};
/* clang-format on */
