/* ledger_proof.c - the offline receipt of an entry. */
#include "ledger/engine.h"
#include "ledger/proof.h"

err ledger_prove(struct ctx *cx, struct ledger *l, uint64_t index, bool wait, str *out)
{
    struct ledger_signed head;
    struct log_proof p = {.index = index};
    struct buf text = BUF(LOG_PROOF_BYTES_MAX);

    if (index >= l->size)
        return fail(cx, ERR_NOT_FOUND, "there is no entry %llu: the log has %llu",
                    (unsigned long long)index, (unsigned long long)l->size);
    if (wait && ledger_checkpoint_size(l) <= index)
        TRY(ledger_checkpoint(cx, l, index + 1, &head.note, NULL));
    err e = ledger_checkpoint_covering(cx, l, index + 1, &head);
    if (e == ERR_NOT_FOUND)
        return fail(cx, ERR_BUSY, "no checkpoint covers entry %llu yet", (unsigned long long)index);
    TRY(e);
    TRY(tree_inclusion(cx, ledger_tree(l), index, head.size, &p.proof));
    p.checkpoint = head.note;
    log_proof_put(&text, &p);
    *out = arena_str(cx->mem, buf_str(&text));
    buf_close(&text);
    return ERR_OK;
}
