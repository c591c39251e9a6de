/* check.c - `chancery check`: is this entry in that log?  Answered offline, from a proof and keys.
 */
#include "base/clock.h"
#include "base/encode.h"
#include "base/json_write.h"
#include "cli/commands.h"
#include "cli/receipt_file.h"
#include "cli/whole_file.h"
#include "ledger/entry.h"
#include "ledger/proof.h"

enum {
    KEYS_MAX = 64,
    KEY_FILE_BYTES_MAX = 64 * 1024,
    ENTRY_FILE_BYTES_MAX = 1 << 20,
    PROOF_FILE_BYTES_MAX = 8 << 20,
    OUT_BYTES_MAX = 1 << 20
};

struct check_args {
    struct strs vkey, witness;
    str quorum, leaf;
};

/* ---- keys ---- */

struct keys {
    struct note_verifier items[KEYS_MAX];
    size_t count;
};

static err add_key(struct ctx *cx, struct keys *keys, str vkey)
{
    if (keys->count == KEYS_MAX)
        return fail(cx, ERR_USAGE, "more than %d keys", KEYS_MAX);
    if (note_verifier_parse(cx, vkey, &keys->items[keys->count]) != ERR_OK) {
        char why[CTX_DETAIL_BYTES];
        memcpy(why, cx->detail, sizeof why);
        return fail(cx, ERR_USAGE, "'%.*s' is no vkey: %.300s", STR_FMT(str_slice(vkey, 0, 100)),
                    why);
    }
    keys->count++;
    return ERR_OK;
}

/* A line of a file that is neither empty nor a comment is a key. */
static err add_key_file(struct ctx *cx, struct keys *keys, str path)
{
    str text;

    TRY(whole_file_read(cx, path, KEY_FILE_BYTES_MAX, &text));
    while (text.p) {
        str line = str_trim(str_cut(&text, '\n'));
        if (line.n && line.p[0] != '#')
            TRY(add_key(cx, keys, line));
    }
    return ERR_OK;
}

/* A vkey has two '+'; what has none is the name of a file. */
static err read_keys(struct ctx *cx, struct strs from, struct keys *keys)
{
    for (size_t i = 0; i < from.count; i++) {
        str one = from.items[i];
        bool is_file = str_find_char(one, '+') == one.n;
        TRY(is_file ? add_key_file(cx, keys, one) : add_key(cx, keys, one));
    }
    return ERR_OK;
}

static err read_quorum(struct ctx *cx, str text, size_t witness_count, uint64_t *out)
{
    *out = witness_count;
    if (str_is_null(text) || (str_to_u64(text, out) && *out <= witness_count))
        return ERR_OK;
    return fail(cx, ERR_USAGE,
                "--quorum is '%.*s' but must be a number of at most the %zu --witness",
                STR_FMT(text), witness_count);
}

/* ---- the entry ---- */

struct subject {
    struct hash leaf;
    str entry; /* null: only its hash is known */
    bool from_answer;
};

static err read_subject(struct ctx *cx, const struct cli *cli, const struct check_args *a,
                        const struct receipt_file *receipt, struct subject *out)
{
    bool has_entry = cli->operands.count > 1;
    str text;

    *out = (struct subject){.entry = STR_NULL};
    if (has_entry && a->leaf.n)
        return fail(cx, ERR_USAGE, "give the entry or --leaf, not both");
    if (a->leaf.n && !leaf_read(a->leaf, &out->leaf))
        return fail(cx, ERR_USAGE, "--leaf must be a SHA-256 in hexadecimal or base64");
    if (a->leaf.n)
        return ERR_OK;
    if (!has_entry && !receipt->has_leaf)
        return fail(cx, ERR_USAGE, "what is it a proof of? Give the entry's file, or --leaf");
    if (!has_entry) {
        out->leaf = receipt->leaf;
        out->from_answer = true;
        return ERR_OK;
    }
    TRY(whole_file_read(cx, cli->operands.items[1], ENTRY_FILE_BYTES_MAX, &text));
    TRY(entry_file_read(cx, text, &out->entry));
    hash_leaf(out->entry, &out->leaf);
    return ERR_OK;
}

/* ---- the answer ---- */

static void hex_of(const struct hash *h, char out[2 * HASH_BYTES + 1])
{
    hex_encode(h->bytes, HASH_BYTES, out);
}

static err print_text(struct ctx *cx, struct cli *cli, const struct proved *p,
                      const struct subject *s)
{
    const struct terminal t = terminal_of(cli->out, cli->environment);
    char leaf[2 * HASH_BYTES + 1], root[2 * HASH_BYTES + 1], time[TIME_TEXT_SIZE];

    hex_of(&p->leaf, leaf);
    hex_of(&p->root, root);
    TRY(cli_print(cx, cli, "%sgood:%s entry %llu is in the log %.*s\n",
                  terminal_style(&t, STYLE_GOOD), terminal_style(&t, STYLE_PLAIN),
                  (unsigned long long)p->index, STR_FMT(p->origin)));
    TRY(cli_print(cx, cli, "  leaf  %s\n  root  %s of %llu entries, signed by the log\n", leaf,
                  root, (unsigned long long)p->size));
    for (size_t i = 0; i < p->witness_count; i++) {
        time_format((int64_t)p->witnesses[i].time_s * 1000000, time);
        TRY(cli_print(cx, cli, "  seen  by %.*s at %.19sZ\n",
                      STR_FMT(p->witnesses[i].verifier->name), time));
    }
    if (s->from_answer)
        cli_note(cli, "the leaf hash is the one that the server answered; give the entry too, to "
                      "check what it says");
    return ERR_OK;
}

static err print_json(struct ctx *cx, struct cli *cli, const struct proved *p)
{
    CLEANUP(buf_close) struct buf b = BUF(OUT_BYTES_MAX);
    char leaf[2 * HASH_BYTES + 1], root[2 * HASH_BYTES + 1];

    hex_of(&p->leaf, leaf);
    hex_of(&p->root, root);
    json_open(&b, '{');
    json_member_bool(&b, S("ok"), true);
    json_member_str(&b, S("origin"), p->origin);
    json_member_u64(&b, S("index"), p->index);
    json_member_u64(&b, S("size"), p->size);
    json_member_str(&b, S("leaf_hash"), str_from(leaf));
    json_member_str(&b, S("root"), str_from(root));
    json_key(&b, S("witnesses"));
    json_open(&b, '[');
    for (size_t i = 0; i < p->witness_count; i++) {
        json_open(&b, '{');
        json_member_str(&b, S("name"), p->witnesses[i].verifier->name);
        json_member_time(&b, S("time"), (int64_t)p->witnesses[i].time_s * 1000000);
        json_close(&b, '}');
    }
    json_close(&b, ']');
    json_close(&b, '}');
    buf_put_char(&b, '\n');
    TRY(buf_check(cx, &b, "the answer"));
    return cli_write(cx, cli, buf_str(&b));
}

/* The answer is no: told as such, not as a failure. */
static err print_no(struct ctx *cx, struct cli *cli, err e)
{
    CLEANUP(buf_close) struct buf b = BUF(OUT_BYTES_MAX);
    const struct terminal t = terminal_of(cli->out, cli->environment);
    char why[CTX_DETAIL_BYTES];

    memcpy(why, cx->detail, sizeof why);
    if (cli->json) {
        json_open(&b, '{');
        json_member_bool(&b, S("ok"), false);
        json_member_str(&b, S("code"), str_from(err_name(e)));
        json_member_str(&b, S("detail"), str_from(why));
        json_close(&b, '}');
        buf_put_char(&b, '\n');
    } else {
        buf_printf(&b, "%snot proved:%s %s\n", terminal_style(&t, STYLE_BAD),
                   terminal_style(&t, STYLE_PLAIN), why);
    }
    TRY(cli_write(cx, cli, buf_str(&b)));
    cli->answered = true;
    return fail(cx, e, "%s", why);
}

/* What was sent is not yet what was logged: a common mistake, so it is named. */
static err explain(struct ctx *cx, const struct subject *s, err e)
{
    bool unstamped =
        s->entry.n && s->entry.p[0] == '{' && !str_starts(s->entry, S("{\"recorded\":\""));
    char why[CTX_DETAIL_BYTES];

    if (e != ERR_UNPROCESSABLE || !unstamped)
        return e;
    memcpy(why, cx->detail, sizeof why);
    return fail(
        cx, e,
        "%.200s. What is logged begins with \"recorded\" and \"principal\", which the server "
        "sets: give what GET /api/v1/events/{index} answers, byte for byte",
        why);
}

static err check_proof(struct ctx *cx, str proof, struct subject *s,
                       const struct proof_policy *policy, struct proved *out)
{
    err e = log_proof_check(cx, proof, &s->leaf, policy, out);

    /* Editors and shells leave a newline behind. */
    if (e == ERR_UNPROCESSABLE && str_ends(s->entry, S("\n"))) {
        struct subject shorter = {.entry = str_slice(s->entry, 0, s->entry.n - 1)};
        hash_leaf(shorter.entry, &shorter.leaf);
        e = log_proof_check(cx, proof, &shorter.leaf, policy, out);
    }
    return e == ERR_OK ? e : explain(cx, s, e);
}

static err check_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct check_args *a = args;
    struct keys *logs = arena_new(cx->mem, struct keys, 1);
    struct keys *witnesses = arena_new(cx->mem, struct keys, 1);
    struct receipt_file receipt;
    struct subject subject;
    struct proved proved;
    uint64_t quorum;
    str text;

    TRY(read_keys(cx, a->vkey, logs));
    TRY(read_keys(cx, a->witness, witnesses));
    TRY(read_quorum(cx, a->quorum, witnesses->count, &quorum));
    TRY(whole_file_read(cx, cli->operands.items[0], PROOF_FILE_BYTES_MAX, &text));
    err e = receipt_file_read(cx, text, &receipt);
    if (e != ERR_OK)
        return print_no(cx, cli, e);
    TRY(read_subject(cx, cli, a, &receipt, &subject));
    const struct proof_policy policy = {
        .logs = logs->items,
        .log_count = logs->count,
        .witnesses = witnesses->items,
        .witness_count = witnesses->count,
        .quorum = (size_t)quorum,
    };
    e = check_proof(cx, receipt.proof, &subject, &policy, &proved);
    if (e != ERR_OK)
        return print_no(cx, cli, e);
    return cli->json ? print_json(cx, cli, &proved) : print_text(cx, cli, &proved, &subject);
}

static const struct cli_option check_options[] = {
    OPTION(check_args, vkey, OPT_TEXTS, .value = "VKEY", .required = true,
           .help = "key of the log, or a file with it"),
    OPTION(check_args, witness, OPT_TEXTS, .value = "VKEY",
           .help = "key of a witness, or a file with keys"),
    OPTION(check_args, quorum, OPT_TEXT, .value = "N",
           .help = "how many of the witnesses must have seen it [default: all]"),
    OPTION(check_args, leaf, OPT_TEXT, .value = "HASH",
           .help = "leaf hash in place of the entry, hexadecimal or base64"),
    {.name = NULL},
};

const struct command check_command = {
    .name = "check",
    .summary = "check a receipt offline: is the entry in the log?",
    .operands = "PROOF [ENTRY]",
    .operands_min = 1,
    .operands_max = 2,
    .operand_help = "PROOF is what 'chancery prove' wrote, or what a POST with Prefer: wait=proof "
                    "answered. ENTRY holds the entry's bytes, or what GET /api/v1/events/{index} "
                    "answered. '-' is standard input.",
    .details =
        "Nothing is asked of any server. The log's key is at /log/vkey and in DATA/log.vkey; "
        "take it once from a place that you trust. Exit status: 0 proved, 1 not proved, and "
        "why.",
    .examples = "chancery check --vkey log.vkey 4711.tlog-proof 4711.json\n"
                "chancery check --vkey log.vkey --leaf 6e34…0a1d 4711.tlog-proof\n"
                "chancery check --vkey log.vkey --witness witnesses --quorum 2 p e.json\n",
    .options = check_options,
    .args_bytes = sizeof(struct check_args),
    .run = check_run,
};
