/* witness_server.c - see witness_server.h.
 *
 * The order of the checks is part of the protocol (table `checks`): each has a status of its own,
 * and a client learns the most useful thing first. */
#include "audit/witness_server.h"
#include "access/permission.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/queue.h"
#include "ledger/proof.h"
#include <stdlib.h>

enum { ORIGIN_HASH_BYTES = 2 * HASH_BYTES };

/* What is known of one log. */
struct witnessed {
    char name[ORIGIN_HASH_BYTES + 1]; /* of its file */
    str origin;
    char *note; /* owned; NULL: nothing has been cosigned */
    uint64_t size;
    struct hash root; /* of `size` */
};

struct witness {
    struct app app; /* what the routes are given; only its address matters */
    struct witness_options options;
    fs_file lock_file;
    pthread_mutex_t lock; /* guards `logs` and their files */
    struct witnessed *logs;
    size_t log_count;
};

/* ---- state files ---- */

static struct witnessed *find(struct witness *w, str origin)
{
    for (size_t i = 0; i < w->log_count; i++)
        if (str_eq(w->logs[i].origin, origin))
            return &w->logs[i];
    return NULL;
}

static void set_state(struct witnessed *known, str note, const struct checkpoint *c)
{
    free(known->note);
    known->note = strndup(note.p, note.n);
    ENSURE(known->note);
    known->size = c->size;
    known->root = c->root;
}

/* A state file must carry the log's signature and ours. */
static err load(struct ctx *cx, struct witness *w, struct witnessed *known)
{
    const struct note_verifier mine = note_signer_verifier(w->options.signer);
    const char *path = arena_printf(cx->mem, "%s/%s", w->options.dir, known->name).p;
    struct checkpoint_opened opened;
    struct note_verified *verified;
    size_t n;
    str note;

    if (!fs_exists(w->options.fs, path))
        return ERR_OK;
    TRY(fs_read_all(cx, w->options.fs, path, NOTE_BYTES_MAX, &note));
    if (checkpoint_open(cx, note, w->options.logs, w->options.log_count, &opened) != ERR_OK ||
        note_verify(cx, &opened.note, &mine, 1, &verified, &n) != ERR_OK ||
        !str_eq(opened.checkpoint.origin, known->origin))
        return fail(cx, ERR_CORRUPT, "%s is not a checkpoint of '%.*s' cosigned by this witness",
                    path, STR_FMT(known->origin));
    set_state(known, note, &opened.checkpoint);
    return ERR_OK;
}

static err add_log(struct ctx *cx, struct witness *w, str origin)
{
    struct witnessed *known = &w->logs[w->log_count];
    struct hash h;

    if (find(w, origin)) /* a log may have several keys */
        return ERR_OK;
    sha256(origin, &h);
    hex_encode(h.bytes, HASH_BYTES, known->name);
    known->origin = origin;
    known->root = hash_empty_root();
    w->log_count++;
    return load(cx, w, known);
}

/* Two witnesses on one folder could cosign two histories. */
static err lock_dir(struct ctx *cx, struct witness *w)
{
    const char *path = arena_printf(cx->mem, "%s/lock", w->options.dir).p;

    TRY(fs_mkdir(cx, w->options.fs, w->options.dir));
    TRY(fs_open(cx, w->options.fs, path, FS_WRITE | FS_CREATE, &w->lock_file));
    return fs_lock(cx, w->options.fs, w->lock_file);
}

err witness_open(struct ctx *cx, const struct witness_options *options, struct witness **out)
{
    struct witness *w;

    if (options->signer->algorithm != NOTE_COSIGNATURE_V1)
        return fail(cx, ERR_CONFIG, "the key of a witness must be one that cosigns");
    w = calloc(1, sizeof *w);
    ENSURE(w);
    w->options = *options;
    w->options.now_us = options->now_us ? options->now_us : clock_now_us;
    w->lock_file = -1;
    w->logs = calloc(options->log_count + 1, sizeof *w->logs);
    ENSURE(w->logs);
    pthread_mutex_init(&w->lock, NULL);
    err e = lock_dir(cx, w);
    for (size_t i = 0; e == ERR_OK && i < options->log_count; i++)
        e = add_log(cx, w, options->logs[i].name);
    if (e != ERR_OK) {
        witness_close(w);
        return e;
    }
    *out = w;
    return ERR_OK;
}

void witness_close(struct witness *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->log_count; i++)
        free(w->logs[i].note);
    fs_close(w->options.fs, w->lock_file);
    pthread_mutex_destroy(&w->lock);
    free(w->logs);
    free(w);
}

/* ---- the request ---- */

struct submission {
    uint64_t old;
    struct proof proof;
    str note;
    struct checkpoint_opened opened;
    struct witnessed *known;
};

static err malformed(struct ctx *cx)
{
    return fail(cx, ERR_INVALID,
                "the body must be a line 'old <size>', at most %d lines of base64 "
                "hashes, an empty line and a signed checkpoint",
                WITNESS_PROOF_LINES_MAX);
}

/* `old <size>`: decimal without leading zeros. */
static bool parse_old(str line, uint64_t *out)
{
    str digits = str_slice(line, 4, line.n);

    return str_starts(line, S("old ")) && (digits.n == 1 || (digits.n > 1 && digits.p[0] != '0')) &&
           str_to_u64(digits, out);
}

static err parse(struct ctx *cx, str body, struct submission *s)
{
    str rest = body, line = str_cut(&rest, '\n');
    size_t n;

    if (!parse_old(line, &s->old))
        return malformed(cx);
    for (line = str_cut(&rest, '\n'); line.n; line = str_cut(&rest, '\n')) {
        if (s->proof.count == WITNESS_PROOF_LINES_MAX ||
            !base64_decode(line, s->proof.path[s->proof.count].bytes, HASH_BYTES, &n) ||
            n != HASH_BYTES)
            return malformed(cx);
        s->proof.count++;
    }
    if (str_is_null(rest))
        return malformed(cx);
    s->note = rest;
    return ERR_OK;
}

/* ---- the checks, in the order of the protocol ---- */

/* Form (INVALID), origin (NOT_FOUND), signature (FORBIDDEN). */
static err check_checkpoint(struct ctx *cx, struct witness *w, struct submission *s)
{
    TRY(checkpoint_open(cx, s->note, w->options.logs, w->options.log_count, &s->opened));
    s->known = find(w, s->opened.checkpoint.origin);
    ENSURE(s->known);
    return ERR_OK;
}

static err check_old_is_older(struct ctx *cx, struct witness *w, struct submission *s)
{
    (void)w;
    if (s->old > s->opened.checkpoint.size)
        return fail(cx, ERR_INVALID, "the old size is larger than that of the checkpoint");
    return ERR_OK;
}

static err check_old_is_known(struct ctx *cx, struct witness *w, struct submission *s)
{
    (void)w;
    if (s->old != s->known->size)
        return fail(cx, ERR_CONFLICT, "%llu\n", (unsigned long long)s->known->size);
    return ERR_OK;
}

static err check_empty_root(struct ctx *cx, struct witness *w, struct submission *s)
{
    const struct checkpoint *c = &s->opened.checkpoint;
    struct hash empty = hash_empty_root();

    (void)w;
    if (c->size == 0 && !hash_eq(&c->root, &empty))
        return fail(cx, ERR_UNPROCESSABLE, "an empty tree has another root");
    return ERR_OK;
}

static err check_proof(struct ctx *cx, struct witness *w, struct submission *s)
{
    const struct checkpoint *c = &s->opened.checkpoint;

    (void)w;
    if (s->old == 0 && s->proof.count)
        return fail(cx, ERR_UNPROCESSABLE, "that a tree continues the empty one needs no proof");
    if (s->old && !proof_extends(s->old, &s->known->root, c->size, &c->root, &s->proof))
        return fail(cx, ERR_UNPROCESSABLE,
                    "the proof does not show that the checkpoint continues the one of size %llu",
                    (unsigned long long)s->old);
    return ERR_OK;
}

static err (*const checks[])(struct ctx *, struct witness *, struct submission *) = {
    check_checkpoint, check_old_is_older, check_old_is_known, check_empty_root, check_proof,
};

/* ---- the answer ---- */

/* The checkpoint with those of its signatures that are by keys trusted here, and ours. */
static err put_state(struct ctx *cx, const struct witness *w, const struct submission *s, str line,
                     struct buf *out)
{
    const struct note *given = &s->opened.note;
    struct note kept = {.text = given->text,
                        .signatures =
                            arena_new(cx->mem, struct note_signature, given->signature_count + 1)};

    for (size_t i = 0; i < given->signature_count; i++)
        for (size_t k = 0; k < w->options.log_count; k++)
            if (given->signatures[i].key_id == w->options.logs[k].key_id &&
                str_eq(given->signatures[i].name, w->options.logs[k].name)) {
                kept.signatures[kept.signature_count++] = given->signatures[i];
                break;
            }
    note_put(out, &kept);
    buf_put(out, line);
    return buf_check(cx, out, "a checkpoint");
}

static err cosign(struct ctx *cx, struct witness *w, struct submission *s, str *out_line)
{
    CLEANUP(buf_close) struct buf state = BUF(NOTE_BYTES_MAX);
    uint64_t now_s = (uint64_t)(w->options.now_us() / 1000000);

    TRY(checkpoint_cosign(cx, s->note, w->options.signer, now_s, out_line));
    TRY(put_state(cx, w, s, *out_line, &state));
    TRY(fs_replace(cx, w->options.fs, w->options.dir, s->known->name, buf_str(&state)));
    set_state(s->known, buf_str(&state), &s->opened.checkpoint);
    return ERR_OK;
}

/* Errors that are the client's, and so have a status in the protocol. */
static bool is_verdict(err e)
{
    return e == ERR_INVALID || e == ERR_NOT_FOUND || e == ERR_FORBIDDEN || e == ERR_CONFLICT ||
           e == ERR_UNPROCESSABLE || e == ERR_TOO_LARGE;
}

err witness_add_checkpoint(struct ctx *cx, struct witness *w, str body, int *out_status,
                           str *out_answer)
{
    struct submission s = {0};
    LOCK(held, &w->lock);
    err e = parse(cx, body, &s);

    for (size_t i = 0; e == ERR_OK && i < COUNT(checks); i++)
        e = checks[i](cx, w, &s);
    if (is_verdict(e)) {
        *out_status = err_http_status(e);
        *out_answer = arena_printf(cx->mem, "%s%s", cx->detail, e == ERR_CONFLICT ? "" : "\n");
        ctx_clear_error(cx);
        return ERR_OK;
    }
    TRY(e);
    TRY(cosign(cx, w, &s, out_answer));
    *out_status = 200;
    return ERR_OK;
}

err witness_latest(struct ctx *cx, struct witness *w, str origin_hash, str *out)
{
    LOCK(held, &w->lock);

    for (size_t i = 0; i < w->log_count; i++) {
        if (!w->logs[i].note || !str_eq(str_from(w->logs[i].name), origin_hash))
            continue;
        *out = arena_str(cx->mem, str_from(w->logs[i].note));
        return ERR_OK;
    }
    return fail(cx, ERR_NOT_FOUND, "no checkpoint of this log has been cosigned here");
}

/* ---- routes ---- */

struct app *witness_app(struct witness *w)
{
    return &w->app;
}

static struct witness *witness_of(const struct request *rq)
{
    return (struct witness *)rq->app; /* its first member */
}

static err add_checkpoint(struct ctx *cx, struct request *rq, struct response *rs)
{
    int status;
    str answer;

    if (rq->body.n > WITNESS_REQUEST_BYTES_MAX)
        return fail(cx, ERR_TOO_LARGE, "the request is larger than %d bytes",
                    WITNESS_REQUEST_BYTES_MAX);
    TRY(witness_add_checkpoint(cx, witness_of(rq), rq->body, &status, &answer));
    return response_bytes(cx, rs, status,
                          status == 409 ? "text/x.tlog.size" : "text/plain; charset=utf-8", answer);
}

static err latest(struct ctx *cx, struct request *rq, struct response *rs)
{
    str note;

    TRY(witness_latest(cx, witness_of(rq), rq->arg[0], &note));
    response_header(cx, rs, "Cache-Control", S("public, max-age=1"));
    return response_bytes(cx, rs, 200, "text/plain; charset=utf-8", note);
}

/* clang-format off */
const struct route witness_routes[] = {
    {.method = "POST", .path = "/add-checkpoint", .run = add_checkpoint, .permission = PERM_PUBLIC, .body = BODY_RAW,
     .summary = "Cosign a checkpoint that continues the last one", .reply_type = "text/plain", .tag = "witness"},
    {.method = "GET", .path = "/{origin_hash}/checkpoint", .run = latest, .permission = PERM_PUBLIC,
     .summary = "The last checkpoint cosigned of a log, named by the SHA-256 of its origin", .reply_type = "text/plain", .tag = "witness"},
    {0},
};
/* clang-format on */
