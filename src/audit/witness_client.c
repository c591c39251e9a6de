/* witness_client.c - see witness_client.h.
 *
 * What a witness has seen last is not kept over a restart: the first request says "old 0", and a
 * witness that knows more answers 409 with its size.  Locks: client->lock guards `now`, `reached`
 * and each link's `answered`; nothing is called with it held. */
#include "audit/witness_client.h"
#include "audit/audit_inner.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/queue.h"
#include "http/client.h"
#include <stdlib.h>

enum { REQUEST_BYTES_MAX = NOTE_BYTES_MAX + 64 * 1024, TRIES_MAX = 2 };

#define BACKOFF_NS_MIN INT64_C(1000000000)
#define BACKOFF_NS_MAX INT64_C(60000000000)

/* One witness, used by its own thread alone. */
struct link {
    struct witness_client *client;
    size_t place;                  /* among the witnesses */
    struct note_verifier verifier; /* borrows from client->mem */
    struct http_client *http;
    struct witness_door door;
    uint64_t seen; /* size of the last checkpoint it is known to have cosigned */
    uint64_t done; /* number + 1 of the last checkpoint it answered for; 0: none */
    int64_t backoff_ns, not_before_ns;
    pthread_t thread;
};

/* A checkpoint on its way through the witnesses. */
struct round {
    uint64_t number, size;      /* of the history; entries */
    char *note;                 /* owned; NULL: none yet */
    char *lines[WITNESSES_MAX]; /* owned signature lines; NULL: not signed */
    size_t signed_count;
    int64_t begun_ns;
};

struct witness_client {
    struct witness_client_options options;
    struct arena *mem;
    struct link links[WITNESSES_MAX];
    size_t count;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool stopping;
    struct round now;
    char *reached; /* owned: the newest checkpoint with enough cosignatures, with them; or NULL */
    uint64_t reached_size;
};

/* ---- rounds ---- */

static void round_clear(struct round *r)
{
    for (size_t i = 0; i < WITNESSES_MAX; i++)
        free(r->lines[i]);
    free(r->note);
    *r = (struct round){0};
}

/* Called with the lock. */
static bool round_is_over(const struct witness_client *c, int64_t now_ns)
{
    int64_t age = now_ns - c->now.begun_ns;
    bool enough = c->now.signed_count >= c->options.quorum && age >= c->options.interval_ns;

    return !c->now.note || c->now.signed_count == c->count || enough ||
           age >= c->options.timeout_ns;
}

/* Take the newest checkpoint for the next round, if this one is over and there is a newer. */
static err round_advance(struct ctx *cx, struct witness_client *c)
{
    uint64_t count = ledger_checkpoint_count(c->options.ledger);
    struct ledger_signed head;

    if (count == 0)
        return ERR_OK;
    TRY(ledger_checkpoint_at(cx, c->options.ledger, count - 1, &head));
    LOCK(held, &c->lock);
    int64_t now_ns = clock_mono_ns();
    if (!round_is_over(c, now_ns) || (c->now.note && c->now.number >= count - 1))
        return ERR_OK;
    round_clear(&c->now);
    c->now.number = count - 1;
    c->now.size = head.size;
    c->now.note = strndup(head.note.p, head.note.n);
    c->now.begun_ns = now_ns;
    ENSURE(c->now.note);
    return ERR_OK;
}

static str with_lines(struct arena *mem, const struct round *r)
{
    str note = arena_str(mem, str_from(r->note));

    for (size_t i = 0; i < WITNESSES_MAX; i++)
        if (r->lines[i])
            note = arena_printf(mem, "%.*s%s", STR_FMT(note), r->lines[i]);
    return note;
}

/* A witness has signed checkpoint `number`. */
static void round_sign(struct ctx *cx, struct witness_client *c, const struct link *l,
                       uint64_t number, str line)
{
    LOCK(held, &c->lock);

    if (c->now.number != number || !c->now.note || c->now.lines[l->place])
        return;
    c->now.lines[l->place] = strndup(line.p, line.n);
    ENSURE(c->now.lines[l->place]);
    if (++c->now.signed_count < c->options.quorum)
        return;
    free(c->reached);
    c->reached = strdup(with_lines(cx->mem, &c->now).p);
    c->reached_size = c->now.size;
    ENSURE(c->reached);
}

str witness_client_add(struct ctx *cx, struct witness_client *c, str note)
{
    LOCK(held, &c->lock);

    if (c->now.signed_count && str_eq(str_from(c->now.note), note))
        return with_lines(cx->mem, &c->now);
    if (str_starts(str_from(c->reached), note)) /* it is the note and signature lines */
        return arena_str(cx->mem, str_from(c->reached));
    return note;
}

err witness_client_newest(struct ctx *cx, struct witness_client *c, str *out_note,
                          uint64_t *out_size)
{
    LOCK(held, &c->lock);

    if (!c->reached)
        return fail(cx, ERR_NOT_FOUND, "no checkpoint has been cosigned by %zu witnesses yet",
                    c->options.quorum);
    *out_note = arena_str(cx->mem, str_from(c->reached));
    *out_size = c->reached_size;
    return ERR_OK;
}

/* ---- one call ---- */

static err compose(struct ctx *cx, const struct link *l, uint64_t size, str note, struct buf *body)
{
    struct proof p = {0};

    if (l->seen > size)
        return fail(cx, ERR_CONFLICT,
                    "it has cosigned %llu entries, more than the %llu of this checkpoint",
                    (unsigned long long)l->seen, (unsigned long long)size);
    if (l->seen > 0)
        TRY(tree_consistency(cx, ledger_tree(l->client->options.ledger), l->seen, size, &p));
    buf_clear(body);
    buf_printf(body, "old %llu\n", (unsigned long long)l->seen);
    for (size_t i = 0; i < p.count; i++) {
        base64_put(body, p.path[i].bytes, HASH_BYTES);
        buf_put_char(body, '\n');
    }
    buf_put_char(body, '\n');
    buf_put(body, note);
    return buf_check(cx, body, "the request to a witness");
}

/* The size in a 409: decimal, without leading zeros, one line. */
static bool size_parse(const struct witness_answer *a, uint64_t *out)
{
    str digits = str_slice(a->body, 0, a->body.n ? a->body.n - 1 : 0);

    return str_eq(a->type, S("text/x.tlog.size")) && str_ends(a->body, S("\n")) &&
           (digits.n == 1 || (digits.n > 1 && digits.p[0] != '0')) && str_to_u64(digits, out);
}

/* The witness's own line of the answer, once it verifies; lines of others are ignored. */
static err take_line(struct ctx *cx, const struct link *l, str note, str answer, str *out)
{
    CLEANUP(buf_close) struct buf line = BUF(WITNESS_ANSWER_BYTES_MAX);
    struct note parsed, one = {0};
    struct note_verified *verified;
    size_t n;

    TRY(note_parse(cx, arena_printf(cx->mem, "%.*s%.*s", STR_FMT(note), STR_FMT(answer)), &parsed));
    TRY(note_verify(cx, &parsed, &l->verifier, 1, &verified, &n));
    for (size_t i = 0; i < parsed.signature_count && !one.signatures; i++)
        if (parsed.signatures[i].key_id == l->verifier.key_id &&
            str_eq(parsed.signatures[i].name, l->verifier.name))
            one.signatures = &parsed.signatures[i];
    one.signature_count = 1;
    one.text = S("");
    note_put(&line, &one);
    TRY(buf_check(cx, &line, "a cosignature"));
    *out = arena_str(cx->mem, str_slice(buf_str(&line), 1, line.n)); /* without the blank line */
    return ERR_OK;
}

static err refused(struct ctx *cx, const struct witness_answer *a)
{
    str why = str_trim(str_slice(a->body, 0, 200));

    return fail(cx, ERR_UNPROCESSABLE, "it answers %d: %.*s", a->status, STR_FMT(why));
}

static err call(struct ctx *cx, struct link *l, uint64_t size, str note, str *out_line)
{
    CLEANUP(buf_close) struct buf body = BUF(REQUEST_BYTES_MAX);
    struct witness_answer a = {0};

    for (int i = 0; i < TRIES_MAX; i++) {
        TRY(compose(cx, l, size, note, &body));
        TRY(l->door.post(cx, l->door.state, buf_str(&body), &a));
        if (a.status == 200) {
            TRY(take_line(cx, l, note, a.body, out_line));
            l->seen = size;
            return ERR_OK;
        }
        if (a.status != 409 || !size_parse(&a, &l->seen))
            break;
    }
    return refused(cx, &a);
}

static err http_post(struct ctx *cx, void *state, str body, struct witness_answer *out)
{
    const struct header type = {S("Content-Type"), S("text/plain; charset=utf-8")};
    struct link *l = state;
    struct http_reply reply = {0};

    TRY(http_call(cx, l->http, "POST", S("/add-checkpoint"), &type, 1, body,
                  WITNESS_ANSWER_BYTES_MAX, &reply));
    *out = (struct witness_answer){reply.status, reply.content_type, reply.body};
    return ERR_OK;
}

/* ---- a witness's thread ---- */

static void count_call(struct ctx *cx, const struct link *l, const char *result)
{
    str label =
        arena_printf(cx->mem, "witness=\"%.*s\",result=\"%s\"", STR_FMT(l->verifier.name), result);

    metric_cell_add(metric_cell(&audit_witness_calls_total, label), 1);
}

static void set_lag(struct ctx *cx, const struct link *l)
{
    str label = arena_printf(cx->mem, "witness=\"%.*s\"", STR_FMT(l->verifier.name));
    uint64_t size = ledger_checkpoint_size(l->client->options.ledger);

    atomic_store(&metric_cell(&audit_witness_lag, label)->value,
                 size > l->seen ? (int64_t)(size - l->seen) : 0);
}

/* Logged when it begins to fail, not every time it goes on failing. */
static void call_failed(struct ctx *cx, struct link *l, err e)
{
    if (l->backoff_ns == 0)
        LOG(LOG_WARN, cx, "a witness does not cosign", LOG_S("witness", l->verifier.name),
            LOG_Z("error", err_name(e)), LOG_Z("detail", cx->detail));
    l->backoff_ns = l->backoff_ns ? l->backoff_ns * 2 : BACKOFF_NS_MIN;
    if (l->backoff_ns > BACKOFF_NS_MAX)
        l->backoff_ns = BACKOFF_NS_MAX;
    l->not_before_ns = clock_mono_ns() + l->backoff_ns;
    count_call(cx, l, "failed");
}

static void call_succeeded(struct ctx *cx, struct link *l)
{
    if (l->backoff_ns)
        LOG(LOG_INFO, cx, "a witness cosigns again", LOG_S("witness", l->verifier.name));
    l->backoff_ns = 0;
    count_call(cx, l, "signed");
}

/* What this witness should sign now: a copy, or false. */
static bool task(struct ctx *cx, struct link *l, uint64_t *number, uint64_t *size, str *note)
{
    struct witness_client *c = l->client;
    LOCK(held, &c->lock);

    if (!c->now.note || l->done == c->now.number + 1 || clock_mono_ns() < l->not_before_ns)
        return false;
    *number = c->now.number;
    *size = c->now.size;
    *note = arena_str(cx->mem, str_from(c->now.note));
    return true;
}

static void work(struct ctx *cx, struct link *l)
{
    uint64_t number, size;
    str note, line;

    err e = round_advance(cx, l->client);
    if (e != ERR_OK)
        log_failure(cx, "reading a checkpoint for the witnesses", e);
    else if (task(cx, l, &number, &size, &note)) {
        e = call(cx, l, size, note, &line);
        if (e == ERR_OK) {
            l->done = number + 1;
            call_succeeded(cx, l);
            round_sign(cx, l->client, l, number, line);
        } else {
            call_failed(cx, l, e);
        }
    }
    set_lag(cx, l);
}

/* False when the client closes. */
static bool pause_until_next(struct witness_client *c)
{
    LOCK(held, &c->lock);
    int64_t deadline = clock_mono_ns() + c->options.interval_ns / 2;

    while (!c->stopping && cond_wait_until(&c->stop, &c->lock, deadline))
        ;
    return !c->stopping;
}

static void *link_run(void *arg)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    struct link *l = arg;

    do {
        work(cx, l);
        ctx_reset(cx);
    } while (pause_until_next(l->client));
    return NULL;
}

/* ---- opening and closing ---- */

static err link_init(struct ctx *cx, struct witness_client *c, size_t place)
{
    struct link *l = &c->links[place];
    str url = arena_str(c->mem, c->options.witnesses[place]);
    str vkey = str_cut(&url, ' ');
    struct note_verifier v;

    *l = (struct link){.client = c, .place = place, .door = {http_post, l}};
    url = str_trim(url);
    if (url.n == 0 || note_verifier_parse(cx, vkey, &v) != ERR_OK)
        return fail(cx, ERR_CONFIG, "witness %zu must be its vkey, a blank and its address",
                    place + 1);
    if (v.algorithm != NOTE_COSIGNATURE_V1)
        return fail(cx, ERR_CONFIG, "the key of witness %.*s does not cosign", STR_FMT(v.name));
    l->verifier = v;
    l->verifier.name = arena_str(c->mem, v.name);
    l->verifier.public_key = arena_str(c->mem, v.public_key);
    if (c->options.doors) {
        l->door = c->options.doors[place];
        return ERR_OK;
    }
    const struct http_client_options http = {.base_url = url, .timeout_ns = c->options.timeout_ns};
    if (http_client_open(cx, &http, &l->http) != ERR_OK)
        return fail(cx, ERR_CONFIG, "'%.*s' is not the address of a witness", STR_FMT(url));
    return ERR_OK;
}

static void client_free(struct witness_client *c)
{
    for (size_t i = 0; i < c->count; i++)
        http_client_close(c->links[i].http);
    round_clear(&c->now);
    free(c->reached);
    pthread_cond_destroy(&c->stop);
    pthread_mutex_destroy(&c->lock);
    arena_close(c->mem);
    free(c);
}

err witness_client_open(struct ctx *cx, const struct witness_client_options *options,
                        struct witness_client **out)
{
    struct witness_client *c = calloc(1, sizeof *c);
    err e = ERR_OK;

    ENSURE(c);
    c->options = *options;
    c->mem = arena_open(0);
    pthread_mutex_init(&c->lock, NULL);
    cond_init(&c->stop);
    if (options->count > WITNESSES_MAX || options->quorum > options->count || options->quorum == 0)
        e = fail(cx, ERR_CONFIG,
                 "there may be at most %d witnesses, and the quorum is one of them "
                 "to all of them",
                 WITNESSES_MAX);
    while (e == ERR_OK && c->count < options->count)
        e = link_init(cx, c, c->count++);
    if (e != ERR_OK) {
        client_free(c);
        return e;
    }
    for (size_t i = 0; i < c->count; i++)
        c->links[i].thread = thread_start("witness", link_run, &c->links[i]);
    *out = c;
    return ERR_OK;
}

void witness_client_close(struct witness_client *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_broadcast(&c->stop);
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < c->count; i++)
        pthread_join(c->links[i].thread, NULL);
    client_free(c);
}
