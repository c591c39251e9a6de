/* verify.c - `chancery verify`: a data folder, or a running server through its /log/. */
#include "ledger/verify.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/json_write.h"
#include "cli/commands.h"
#include "cli/remote.h"
#include "cli/verify_remote.h"
#include "cli/whole_file.h"
#include "ops/app_open.h"
#include <unistd.h>

enum { OUT_BYTES_MAX = 16 << 20, VKEY_BYTES_MAX = 4096 };

struct verify_args {
    str vkey;
};

static const struct cli_option verify_options[] = {
    OPTION(verify_args, vkey, OPT_TEXT, .value = "VKEY",
           .help = "verifier key or its file; without it the folder's or server's own is believed"),
    {0},
};

static void draw(void *state, uint64_t done, uint64_t total)
{
    struct progress *p = state;

    p->total = total;
    progress_update(p, done, clock_mono_ns());
}

/* The key that was given, else the one at hand. */
static err read_vkey(struct ctx *cx, str given, const char *fallback_file,
                     struct note_verifier *out)
{
    str text = given;

    if (!given.n || access(arena_z(cx->mem, given), R_OK) == 0)
        TRY(whole_file_read(cx, given.n ? given : str_from(fallback_file), VKEY_BYTES_MAX, &text));
    return note_verifier_parse(cx, str_trim(text), out);
}

/* ---- a folder ---- */

static void add_fault(struct ctx *cx, struct verify_report *r, const char *file, str text)
{
    struct verify_fault *more = arena_new(cx->mem, struct verify_fault, r->fault_count + 1);

    if (r->fault_count)
        memcpy(more, r->faults, r->fault_count * sizeof *more);
    more[r->fault_count++] = (struct verify_fault){
        .file = str_from(file), .entry = VERIFY_NO_ENTRY, .text = arena_str(cx->mem, text)};
    r->faults = more;
    r->ok = false;
}

/* Only over a ledger that holds: the view cannot be better than what it is folded from. */
static err verify_rest(struct ctx *cx, const struct config *config, struct progress *p,
                       struct verify_report *r)
{
    struct strs vault = {0};
    str view;

    err e = app_check(cx, config, draw, p, &vault, &view);
    if (e == ERR_CORRUPT || e == ERR_NOT_FOUND || e == ERR_CONFIG || e == ERR_INVALID) {
        add_fault(cx, r, "data folder", str_from(cx->detail));
        ctx_clear_error(cx);
        return ERR_OK;
    }
    TRY(e);
    for (size_t i = 0; i < vault.count; i++)
        add_fault(cx, r, "vault.db", vault.items[i]);
    if (!str_is_null(view))
        add_fault(cx, r, "view.db", view);
    return ERR_OK;
}

static err verify_folder(struct ctx *cx, struct cli *cli, str vkey, struct progress *p,
                         struct verify_report *out)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct note_verifier log;
    struct config config;

    TRY(cli_config(cx, cli, &config));
    const char *own = arena_printf(cx->mem, "%.*s/log.vkey", STR_FMT(config.data_dir)).p;
    TRY(read_vkey(cx, vkey, own, &log));
    struct verify_options options = {
        .fs = fs_real(),
        .dir = arena_printf(cx->mem, "%.*s/ledger", STR_FMT(config.data_dir)).p,
        .log = &log,
        .threads = processors > 0 ? (unsigned)processors : 1,
        .progress = draw,
        .progress_state = p,
    };
    err e = ledger_verify(cx, &options, out);
    if (e == ERR_LOCKED)
        return fail(cx, e, "%.*s is in use by a server: verify it with --url, or stop it first",
                    STR_FMT(config.data_dir));
    if (e == ERR_NOT_FOUND && fs_exists(fs_real(), own)) { /* made, but never opened */
        ctx_clear_error(cx);
        *out = (struct verify_report){.ok = true, .root = hash_empty_root()};
    } else {
        TRY(e);
    }
    return out->ok ? verify_rest(cx, &config, p, out) : ERR_OK;
}

/* ---- the answer ---- */

static void put_json(struct buf *b, const struct verify_report *r)
{
    char root[2 * HASH_BYTES + 1];

    hex_encode(r->root.bytes, HASH_BYTES, root);
    json_open(b, '{');
    json_member_bool(b, S("ok"), r->ok);
    json_member_u64(b, S("size"), r->size);
    json_member_str(b, S("root"), str_from(root));
    json_member_u64(b, S("checked"), r->checked);
    json_member_u64(b, S("pruned"), r->pruned);
    json_member_u64(b, S("checkpoints"), r->checkpoints);
    json_key(b, S("errors"));
    json_open(b, '[');
    for (size_t i = 0; i < r->fault_count; i++) {
        const struct verify_fault *f = &r->faults[i];
        json_open(b, '{');
        json_member_str(b, S("file"), f->file);
        json_member_u64(b, S("offset"), f->offset);
        if (f->entry != VERIFY_NO_ENTRY)
            json_member_u64(b, S("entry"), f->entry);
        json_member_str(b, S("detail"), f->text);
        json_close(b, '}');
    }
    json_close(b, ']');
    json_close(b, '}');
    buf_put_char(b, '\n');
}

static void put_text(struct buf *b, const struct verify_report *r)
{
    char root[BASE64_BYTES(HASH_BYTES) + 1];

    base64_encode(r->root.bytes, HASH_BYTES, root);
    for (size_t i = 0; i < r->fault_count; i++) {
        const struct verify_fault *f = &r->faults[i];
        buf_printf(b, "%.*s: byte %llu: %.*s\n", STR_FMT(f->file), (unsigned long long)f->offset,
                   STR_FMT(f->text));
    }
    buf_put(b, r->ok ? S("Everything holds: ") : S("Damaged: "));
    human_count(b, r->size);
    buf_put(b, S(" entries, "));
    human_count(b, r->checkpoints);
    buf_printf(b, " checkpoints, root %s", root);
    if (r->pruned)
        buf_printf(b, ", %llu entries pruned", (unsigned long long)r->pruned);
    buf_put(b, S(" ("));
    human_duration(b, r->elapsed_ns);
    buf_put(b, S(")\n"));
}

static err verify_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct verify_args *a = args;
    CLEANUP(buf_close) struct buf b = BUF(OUT_BYTES_MAX);
    struct progress p = progress_open(terminal_of(cli->err, cli->environment), "verifying", 0,
                                      false, cli->quiet || cli->json, clock_mono_ns());
    struct verify_report report = {0};

    err e = cli->url.n && !remote_is_folder(cli)
                ? verify_remote(cx, cli, a->vkey, draw, &p, &report)
                : verify_folder(cx, cli, a->vkey, &p, &report);
    progress_close(&p, clock_mono_ns());
    TRY(e);
    (cli->json ? put_json : put_text)(&b, &report);
    TRY(cli_write(cx, cli, buf_str(&b)));
    cli->answered = true;
    return report.ok ? ERR_OK : fail(cx, ERR_INVALID, "%zu faults", report.fault_count);
}

const struct command verify_command = {
    .name = "verify",
    .summary = "recompute everything and name the first wrong byte",
    .details =
        "Of a data folder that no server holds: every entry, the tree, every checkpoint and its "
        "signature, the indexes against the entries, the vault, and the view against a new fold of "
        "the ledger. With --url, of a running server, through what it serves under /log/.",
    .examples = "chancery verify --data ./data\n"
                "chancery verify --url http://127.0.0.1:8080 --vkey log.vkey --json\n",
    .options = verify_options,
    .args_bytes = sizeof(struct verify_args),
    .run = verify_run,
};
