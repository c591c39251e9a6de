/* audit_proof.c - that an entry is in the log, and that one state of the log continues another. */
#include "audit/audit_inner.h"
#include "base/clock.h"
#include "base/encode.h"
#include "ledger/proof.h"

enum { PROOF_TEXT_BYTES_MAX = TREE_PATH_MAX * (BASE64_BYTES(HASH_BYTES) + 1) };

static void count_proof(const char *label)
{
    metric_cell_add(metric_cell(&audit_proofs_total, str_from(label)), 1);
}

static struct strs hash_texts(struct arena *mem, const struct proof *p)
{
    struct strs texts = {arena_new(mem, str, p->count + 1), p->count};

    for (size_t i = 0; i < p->count; i++)
        texts.items[i] = hash_text(mem, &p->path[i]);
    return texts;
}

/* A proof of entry `index` in the tree of `size`; 0 < size <= the log's. */
static err prove(struct ctx *cx, struct ledger *l, uint64_t index, uint64_t size,
                 struct inclusion *out)
{
    struct tree_source tree = ledger_tree(l);
    struct hash leaf, root;
    struct proof p;

    TRY(tree_inclusion(cx, tree, index, size, &p));
    TRY(tree.read(cx, tree.state, 0, index, 1, &leaf));
    TRY(tree_root(cx, tree, size, &root));
    *out = (struct inclusion){.index = index,
                              .size = size,
                              .leaf_hash = hash_text(cx->mem, &leaf),
                              .root = hash_text(cx->mem, &root),
                              .hashes = hash_texts(cx->mem, &p)};
    return ERR_OK;
}

/* ---- GET /api/v1/events/{index}/proof ---- */

static bool wants_text(const struct request *rq, size_t format)
{
    str accept = request_header(rq, S("accept"));
    bool takes_text = str_find(accept, S("text/plain")) < accept.n;
    bool takes_json = str_find(accept, S("application/json")) < accept.n;

    return format == 1 ||
           (str_is_null(request_param(rq, S("format"))) && takes_text && !takes_json);
}

/* The checkpoint a proof leads to: one that witnesses cosigned if it covers the entry, else the
 * smallest that does.  With `wait` one is asked for. */
static err covering(struct ctx *cx, struct audit *a, uint64_t index, bool wait, str *out_note,
                    uint64_t *out_size)
{
    struct ledger *l = a->app->ledger;
    struct ledger_signed head;

    if (a->witnesses && witness_client_newest(cx, a->witnesses, out_note, out_size) == ERR_OK &&
        *out_size > index)
        return ERR_OK;
    ctx_clear_error(cx);
    cx->deadline_ns = clock_mono_ns() + a->options.proof_wait_ns;
    if (wait && ledger_checkpoint_size(l) <= index &&
        ledger_checkpoint(cx, l, index + 1, out_note, NULL) != ERR_OK && cx->code != ERR_TIMEOUT)
        return cx->code;
    err e = ledger_checkpoint_covering(cx, l, index + 1, &head);
    if (e == ERR_NOT_FOUND)
        return fail(cx, ERR_BUSY,
                    "no checkpoint covers entry %llu yet; ask again, or send the "
                    "header Prefer: wait=proof",
                    (unsigned long long)index);
    TRY(e);
    *out_size = head.size;
    *out_note = a->witnesses ? witness_client_add(cx, a->witnesses, head.note) : head.note;
    return ERR_OK;
}

static err reply_text(struct ctx *cx, struct ledger *l, uint64_t index, uint64_t size, str note,
                      struct response *rs)
{
    struct log_proof p = {.extra = STR_NULL, .index = index, .checkpoint = note};

    TRY(tree_inclusion(cx, ledger_tree(l), index, size, &p.proof));
    log_proof_put(&rs->body, &p);
    TRY(buf_check(cx, &rs->body, "the proof"));
    count_proof("kind=\"receipt\"");
    response_header(cx, rs, "Content-Type", S("text/plain; charset=utf-8"));
    return ERR_OK;
}

err event_proof(struct ctx *cx, struct request *rq, struct response *rs)
{
    static const char *const formats[] = {"json", "tlog-proof", NULL};
    struct ledger *l = rq->app->ledger;
    struct inclusion answer;
    uint64_t index, size = 0;
    size_t format;
    str note = STR_NULL;

    TRY(audit_index(cx, rq, &index));
    TRY(audit_choice(cx, rq, "format", formats, &format));
    if (index >= ledger_size(l))
        return fail(cx, ERR_NOT_FOUND, "there is no entry %llu: the log has %llu",
                    (unsigned long long)index, (unsigned long long)ledger_size(l));
    TRY(covering(cx, rq->app->audit, index, request_prefers(rq, S("wait=proof")), &note, &size));
    response_header(cx, rs, "Vary", S("Accept"));
    if (wants_text(rq, format))
        return reply_text(cx, l, index, size, note, rs);
    TRY(prove(cx, l, index, size, &answer));
    answer.checkpoint = note;
    count_proof("kind=\"inclusion\"");
    return response_json(cx, rs, 200, &inclusion_shape, &answer);
}

/* ---- /log/proof/… ---- */

/* A size in the query, or the newest signed one.  Proofs between given sizes never change. */
static err read_size(struct ctx *cx, const struct request *rq, str name, struct response *rs,
                     uint64_t *out)
{
    uint64_t size = ledger_size(rq->app->ledger);

    if (str_is_null(request_param(rq, name))) {
        *out = ledger_checkpoint_size(rq->app->ledger);
        return ERR_OK;
    }
    TRY(request_param_u64(cx, rq, name, 0, UINT64_MAX, 0, out));
    if (*out > size)
        return fail(cx, ERR_NOT_FOUND, "the log has %llu entries, fewer than the parameter %.*s",
                    (unsigned long long)size, STR_FMT(name));
    response_header(cx, rs, "Cache-Control", CACHE_FOR_EVER);
    return ERR_OK;
}

static err required_u64(struct ctx *cx, const struct request *rq, str name, uint64_t *out)
{
    if (str_is_null(request_param(rq, name)))
        return fail(cx, ERR_INVALID, "the parameter %.*s is required", STR_FMT(name));
    return request_param_u64(cx, rq, name, 0, UINT64_MAX, 0, out);
}

err log_inclusion(struct ctx *cx, struct request *rq, struct response *rs)
{
    struct inclusion answer;
    uint64_t index, size;

    TRY(required_u64(cx, rq, S("index"), &index));
    TRY(read_size(cx, rq, S("size"), rs, &size));
    if (index >= size)
        return fail(cx, ERR_NOT_FOUND, "a tree of %llu entries has no entry %llu",
                    (unsigned long long)size, (unsigned long long)index);
    TRY(prove(cx, rq->app->ledger, index, size, &answer));
    count_proof("kind=\"inclusion\"");
    return response_json(cx, rs, 200, &inclusion_shape, &answer);
}

/* As add-checkpoint of the witness protocol takes it: a hash a line. */
static err reply_lines(struct ctx *cx, const struct proof *p, struct response *rs)
{
    for (size_t i = 0; i < p->count; i++) {
        base64_put(&rs->body, p->path[i].bytes, HASH_BYTES);
        buf_put_char(&rs->body, '\n');
    }
    TRY(buf_check(cx, &rs->body, "the proof"));
    response_header(cx, rs, "Content-Type", S("text/plain; charset=utf-8"));
    return ERR_OK;
}

err log_consistency(struct ctx *cx, struct request *rq, struct response *rs)
{
    static const char *const formats[] = {"json", "text", NULL};
    struct tree_source tree = ledger_tree(rq->app->ledger);
    struct hash from_root, to_root;
    struct consistency answer;
    struct proof p;
    size_t format;

    TRY(required_u64(cx, rq, S("from"), &answer.from));
    TRY(read_size(cx, rq, S("to"), rs, &answer.to));
    TRY(audit_choice(cx, rq, "format", formats, &format));
    if (answer.from == 0 || answer.from > answer.to)
        return fail(cx, ERR_INVALID, "the parameter from must be from 1 to %llu, the parameter to",
                    (unsigned long long)answer.to);
    TRY(tree_consistency(cx, tree, answer.from, answer.to, &p));
    count_proof("kind=\"consistency\"");
    if (format == 1)
        return reply_lines(cx, &p, rs);
    TRY(tree_root(cx, tree, answer.from, &from_root));
    TRY(tree_root(cx, tree, answer.to, &to_root));
    answer.from_root = hash_text(cx->mem, &from_root);
    answer.to_root = hash_text(cx->mem, &to_root);
    answer.hashes = hash_texts(cx->mem, &p);
    return response_json(cx, rs, 200, &consistency_shape, &answer);
}
