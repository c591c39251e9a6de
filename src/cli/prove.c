/* prove.c - `chancery prove`: the receipt of an entry that needs no server to be checked. */
#include "base/json_write.h"
#include "cli/commands.h"
#include "cli/remote.h"
#include <errno.h>
#include <stdio.h>

enum { PROOF_BYTES_MAX = 4 << 20 };

struct prove_args {
    str output;
};

static err write_file(struct ctx *cx, str path, str text)
{
    FILE *f = fopen(path.p, "wbe");

    if (!f)
        return fail_errno(cx, ERR_IO, "%s", path.p);
    bool whole = fwrite(text.p, 1, text.n, f) == text.n;
    if (fclose(f) != 0 || !whole)
        return fail_errno(cx, ERR_IO, "%s", path.p);
    return ERR_OK;
}

static err print_json(struct ctx *cx, struct cli *cli, uint64_t index, str proof, str file)
{
    CLEANUP(buf_close) struct buf b = BUF(PROOF_BYTES_MAX);

    json_open(&b, '{');
    json_member_u64(&b, S("index"), index);
    json_member_str(&b, S("proof"), proof);
    if (file.n)
        json_member_str(&b, S("file"), file);
    json_close(&b, '}');
    buf_put_char(&b, '\n');
    TRY(buf_check(cx, &b, "the proof"));
    return cli_write(cx, cli, buf_str(&b));
}

static err prove_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct prove_args *a = args;
    CLEANUP(remote_cleanup) struct remote *r = NULL;
    struct remote_request rq = {.headers = {{S("Prefer"), S("wait=proof")}}};
    struct http_reply reply;
    uint64_t index;

    if (!str_to_u64(cli->operands.items[0], &index))
        return fail(cx, ERR_USAGE, "'%.*s' is not the index of an entry",
                    STR_FMT(cli->operands.items[0]));
    rq.path = arena_printf(cx->mem, "/api/v1/events/%llu/proof?format=tlog-proof",
                           (unsigned long long)index);
    TRY(remote_open(cx, cli, &r));
    TRY(remote_call(cx, r, &rq, &reply));
    bool to_file = a->output.n && !str_eq(a->output, S("-"));
    if (to_file)
        TRY(write_file(cx, a->output, reply.body));
    if (cli->json)
        return print_json(cx, cli, index, reply.body, to_file ? a->output : STR_NULL);
    if (!to_file)
        return cli_write(cx, cli, reply.body);
    cli_note(cli, "the proof of entry %llu is in %.*s", (unsigned long long)index,
             STR_FMT(a->output));
    return ERR_OK;
}

static const struct cli_option prove_options[] = {
    OPTION(prove_args, output, OPT_PATH, .letter = 'o', .value = "FILE",
           .help = "where to write it [default: standard output]"),
    {.name = NULL},
};

const struct command prove_command = {
    .name = "prove",
    .summary = "get the proof that an entry is in the log",
    .operands = "INDEX",
    .operands_min = 1,
    .operands_max = 1,
    .operand_help = "place of the entry in the log, as receipts and queries tell it",
    .details = "The proof is a c2sp.org/tlog-proof text: an inclusion proof and a checkpoint that "
               "the log signed. Keep it with the entry; 'chancery check' and other tools verify it "
               "without this server.",
    .examples = "chancery prove 4711 -o 4711.tlog-proof\n"
                "chancery prove --data ./data 0\n",
    .options = prove_options,
    .args_bytes = sizeof(struct prove_args),
    .run = prove_run,
};
