/* log_proof.c - the text form of receipts, and checking one against a policy. */
#include "base/encode.h"
#include "ledger/proof.h"

static const str first_line = STR_INIT("c2sp.org/tlog-proof@v1");
static const str extra_word = STR_INIT("extra ");
static const str index_word = STR_INIT("index ");

static err extra_parse(struct ctx *cx, str line, str *out)
{
    str text = str_slice(line, extra_word.n, line.n);
    char *p;
    size_t n;

    if (text.n > BASE64_BYTES(LOG_PROOF_EXTRA_BYTES_MAX))
        return fail(cx, ERR_TOO_LARGE, "the extra data of a proof has at most %d bytes",
                    LOG_PROOF_EXTRA_BYTES_MAX);
    p = arena_new(cx->mem, char, text.n + 1);
    if (!base64_decode(text, p, text.n, &n))
        return fail(cx, ERR_INVALID, "the extra data of the proof is not base64");
    *out = (str){p, n};
    return ERR_OK;
}

static err index_parse(struct ctx *cx, str line, uint64_t *out)
{
    str digits = str_slice(line, index_word.n, line.n);

    if (!str_starts(line, index_word) || (digits.n > 1 && digits.p[0] == '0') ||
        !str_to_u64(digits, out))
        return fail(cx, ERR_INVALID, "the proof has no line 'index <number>' where it is due");
    return ERR_OK;
}

/* Hashes up to the empty line. */
static err path_parse(struct ctx *cx, str *rest, struct proof *out)
{
    size_t n;

    for (str line = str_cut(rest, '\n'); line.n > 0; line = str_cut(rest, '\n')) {
        if (out->count == TREE_PATH_MAX)
            return fail(cx, ERR_INVALID, "the proof has more than %d hashes", TREE_PATH_MAX);
        if (!base64_decode(line, out->path[out->count].bytes, HASH_BYTES, &n) || n != HASH_BYTES)
            return fail(cx, ERR_INVALID, "hash %zu of the proof is not base64 of 32 bytes",
                        out->count + 1);
        out->count++;
    }
    if (str_is_null(*rest) || rest->n == 0)
        return fail(cx, ERR_INVALID, "the proof ends before its checkpoint");
    return ERR_OK;
}

err log_proof_parse(struct ctx *cx, str text, struct log_proof *out)
{
    struct log_proof p = {.extra = STR_NULL};
    str rest = text, line;

    if (text.n > LOG_PROOF_BYTES_MAX)
        return fail(cx, ERR_TOO_LARGE, "a proof has at most %d bytes", LOG_PROOF_BYTES_MAX);
    line = str_cut(&rest, '\n');
    if (!str_eq(line, first_line))
        return fail(cx, ERR_INVALID, "the first line of a proof is '%.*s'", STR_FMT(first_line));
    line = str_cut(&rest, '\n');
    if (str_starts(line, extra_word)) {
        TRY(extra_parse(cx, line, &p.extra));
        line = str_cut(&rest, '\n');
    }
    TRY(index_parse(cx, line, &p.index));
    TRY(path_parse(cx, &rest, &p.proof));
    p.checkpoint = rest;
    *out = p;
    return ERR_OK;
}

void log_proof_put(struct buf *b, const struct log_proof *p)
{
    buf_put(b, first_line);
    buf_put_char(b, '\n');
    if (!str_is_null(p->extra)) {
        buf_put(b, extra_word);
        base64_put(b, p->extra.p, p->extra.n);
        buf_put_char(b, '\n');
    }
    buf_put(b, index_word);
    buf_put_u64(b, p->index);
    buf_put_char(b, '\n');
    for (size_t i = 0; i < p->proof.count; i++) {
        base64_put(b, p->proof.path[i].bytes, HASH_BYTES);
        buf_put_char(b, '\n');
    }
    buf_put_char(b, '\n');
    buf_put(b, p->checkpoint);
}

static bool has_key(const struct note_verified *list, size_t count, str public_key)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(list[i].verifier->public_key, public_key))
            return true;
    return false;
}

/* One who holds a key may sign under many names, so keys are counted, and only cosigning ones. */
static size_t keep_distinct_cosigners(struct note_verified *list, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (list[i].verifier->algorithm == NOTE_COSIGNATURE_V1 &&
            !has_key(list, kept, list[i].verifier->public_key))
            list[kept++] = list[i];
    return kept;
}

/* Is there a signature by one of these, true or not? */
static bool any_signed(const struct note *note, const struct note_verifier *known, size_t count)
{
    for (size_t i = 0; i < note->signature_count; i++)
        for (size_t k = 0; k < count; k++)
            if (note->signatures[i].key_id == known[k].key_id &&
                str_eq(note->signatures[i].name, known[k].name))
                return true;
    return false;
}

static err witnesses_check(struct ctx *cx, const struct note *note,
                           const struct proof_policy *policy, struct proved *out)
{
    out->witness_count = 0;
    if (any_signed(note, policy->witnesses, policy->witness_count)) {
        TRY(note_verify(cx, note, policy->witnesses, policy->witness_count, &out->witnesses,
                        &out->witness_count));
        out->witness_count = keep_distinct_cosigners(out->witnesses, out->witness_count);
    }
    if (out->witness_count < policy->quorum)
        return fail(cx, ERR_FORBIDDEN, "%zu of the known witnesses signed; %zu are asked for",
                    out->witness_count, policy->quorum);
    return ERR_OK;
}

err log_proof_check(struct ctx *cx, str text, const struct hash *leaf,
                    const struct proof_policy *policy, struct proved *out)
{
    struct checkpoint_opened opened = {.log = NULL};
    struct log_proof p = {.extra = STR_NULL};
    struct proved proved = {.leaf = *leaf};

    TRY(log_proof_parse(cx, text, &p));
    TRY(checkpoint_open(cx, p.checkpoint, policy->logs, policy->log_count, &opened));
    TRY(witnesses_check(cx, &opened.note, policy, &proved));
    if (!proof_includes(leaf, p.index, opened.checkpoint.size, &p.proof, &opened.checkpoint.root))
        return fail(cx, ERR_UNPROCESSABLE, "the proof does not lead from this entry to the root");
    proved.origin = opened.checkpoint.origin;
    proved.index = p.index;
    proved.size = opened.checkpoint.size;
    proved.root = opened.checkpoint.root;
    proved.extra = p.extra;
    *out = proved;
    return ERR_OK;
}
