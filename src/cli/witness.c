/* witness.c - `chancery witness`: cosigns checkpoints of other logs, so that none of them can show
 * different people different histories (c2sp.org/tlog-witness).
 *
 * The state folder holds witness.key (ours alone), witness.vkey (for everyone) and, for each log,
 * the last checkpoint that was cosigned.  Answers carry signatures, so no secret and no key of a
 * client is needed; TLS is the affair of a proxy in front. */
#include "audit/witness_server.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/whole_file.h"
#include "crypto/seal.h"
#include "http/transport.h"
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_BYTES_MAX = 4096, LOGS_MAX = 256, LOG_FILE_BYTES_MAX = 256 * 1024 };
#define DRAIN_NS INT64_C(5000000000)

struct witness_args {
    str state, listen, name;
    struct strs log;
};

struct witness_server {
    struct note_signer signer;
    str vkey;
    struct note_verifier logs[LOGS_MAX];
    size_t log_count;
    struct witness *witness;
    struct router *router;
    struct transport *transport;
};

static void witness_server_close(struct witness_server *s)
{
    if (s->transport)
        transport_close(s->transport);
    router_close(s->router);
    witness_close(s->witness);
    note_signer_wipe(&s->signer);
}

/* ---- the key ---- */

static err make_key(struct ctx *cx, const char *dir, str name, struct note_signer *out)
{
    CLEANUP(buf_close) struct buf text = BUF(KEY_BYTES_MAX);
    struct ed25519_key key;

    if (!note_name_is_valid(name))
        return fail(cx, ERR_USAGE,
                    "a new witness needs a --name without blanks and '+', for "
                    "example witness.example.org");
    ed25519_generate(&key);
    err e = note_signer_init(cx, arena_str(cx->mem, name), NOTE_COSIGNATURE_V1, &key, out);
    ed25519_wipe(&key);
    TRY(e);
    note_signer_put(&text, out);
    buf_put_char(&text, '\n');
    e = fs_replace(cx, fs_real(), dir, "witness.key", buf_str(&text));
    secret_wipe(text.p, text.n);
    return e;
}

static err load_key(struct ctx *cx, const char *path, str name, struct note_signer *out)
{
    struct stat st;
    str text;

    if (stat(path, &st) != 0)
        return fail_errno(cx, ERR_IO, "%s", path);
    if (st.st_mode & 077)
        return fail(cx, ERR_CONFIG,
                    "%s can be read by others: chmod 600 it, and think about a new key", path);
    TRY(fs_read_all(cx, fs_real(), path, KEY_BYTES_MAX, &text));
    err e = note_signer_parse(cx, str_trim(text), out);
    secret_wipe_str(&text);
    TRY(e);
    if (name.n && !str_eq(name, out->name))
        return fail(cx, ERR_USAGE, "the key in %s is of %.*s, not of %.*s", path,
                    STR_FMT(out->name), STR_FMT(name));
    return ERR_OK;
}

static err open_key(struct ctx *cx, struct witness_server *s, const struct witness_args *a)
{
    const char *dir = a->state.p, *path = arena_printf(cx->mem, "%s/witness.key", dir).p;
    CLEANUP(buf_close) struct buf text = BUF(KEY_BYTES_MAX);

    TRY(fs_mkdir(cx, fs_real(), dir));
    TRY(fs_exists(fs_real(), path) ? load_key(cx, path, a->name, &s->signer)
                                   : make_key(cx, dir, a->name, &s->signer));
    struct note_verifier verifier = note_signer_verifier(&s->signer);
    note_verifier_put(&text, &verifier);
    s->vkey = arena_str(cx->mem, buf_str(&text));
    buf_put_char(&text, '\n');
    return fs_replace(cx, fs_real(), dir, "witness.vkey", buf_str(&text));
}

/* ---- the logs ---- */

static err add_log(struct ctx *cx, struct witness_server *s, str vkey)
{
    if (s->log_count == LOGS_MAX)
        return fail(cx, ERR_USAGE, "more than %d logs", LOGS_MAX);
    if (note_verifier_parse(cx, vkey, &s->logs[s->log_count]) != ERR_OK) {
        char why[CTX_DETAIL_BYTES];
        memcpy(why, cx->detail, sizeof why);
        return fail(cx, ERR_USAGE, "'%.*s' is no vkey: %.300s", STR_FMT(str_slice(vkey, 0, 100)),
                    why);
    }
    s->log_count++;
    return ERR_OK;
}

/* A vkey has two '+'; what has none is a file with one on each line. */
static err add_logs(struct ctx *cx, struct witness_server *s, struct strs from)
{
    for (size_t i = 0; i < from.count; i++) {
        str text = from.items[i];
        if (str_find_char(text, '+') == text.n)
            TRY(whole_file_read(cx, text, LOG_FILE_BYTES_MAX, &text));
        while (text.p) {
            str line = str_trim(str_cut(&text, '\n'));
            if (line.n && line.p[0] != '#')
                TRY(add_log(cx, s, line));
        }
    }
    return ERR_OK;
}

/* ---- serving ---- */

static err authenticate(struct ctx *cx, struct request *rq)
{
    (void)cx;
    rq->principal = (struct principal){.id = S("anonymous"), .name = S("anonymous")};
    return ERR_OK;
}

/* A checkpoint speaks for itself. */
static err authorize(struct ctx *cx, const struct request *rq)
{
    (void)cx, (void)rq;
    return ERR_OK;
}

static err open_serving(struct ctx *cx, struct witness_server *s, const struct witness_args *a)
{
    static const struct route *const tables[] = {witness_routes, NULL};
    const struct witness_options witness = {
        .fs = fs_real(),
        .dir = a->state.p,
        .signer = &s->signer,
        .logs = s->logs,
        .log_count = s->log_count,
    };

    TRY(witness_open(cx, &witness, &s->witness));
    const struct router_options router = {
        .app = witness_app(s->witness),
        .tables = tables,
        .body_bytes_max = WITNESS_REQUEST_BYTES_MAX,
        .authenticate = authenticate,
        .authorize = authorize,
    };
    TRY(router_open(cx, &router, &s->router));
    const struct transport_options transport = {
        .listen = a->listen.p,
        .loops = 1,
        .workers = 8,
        .connections_max = 256,
        .queue_max = 256,
        .head_bytes_max = 16 * 1024,
        .body_window_bytes = 64 * 1024,
        .idle_ns = INT64_C(60000000000),
        .receive_ns = INT64_C(30000000000),
        .memory_bytes_max = 4 << 20,
    };
    return transport_open(cx, &transport, s->router, &s->transport);
}

static err tell(struct ctx *cx, struct cli *cli, const struct witness_server *s)
{
    CLEANUP(buf_close) struct buf b = BUF(KEY_BYTES_MAX);

    if (cli->json) {
        json_open(&b, '{');
        json_member_str(&b, S("vkey"), s->vkey);
        json_member_u64(&b, S("logs"), s->log_count);
        json_member_str(&b, S("url"),
                        arena_printf(cx->mem, "http://%s", transport_address(s->transport)));
        json_close(&b, '}');
        buf_put_char(&b, '\n');
    } else {
        cli_note(cli, "Key of this witness, for logs and for those who check receipts:\n  %.*s",
                 STR_FMT(s->vkey));
        buf_printf(&b, "listening on http://%s\n", transport_address(s->transport));
    }
    TRY(cli_write(cx, cli, buf_str(&b)));
    return fflush(cli->out) == 0 ? ERR_OK : fail_errno(cx, ERR_IO, "standard output");
}

/* Held before any thread is started, so that only the wait takes them. */
static sigset_t hold_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return set;
}

static err witness_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct witness_args *a = args;
    CLEANUP(witness_server_close) struct witness_server s = {.log_count = 0};
    sigset_t ends = hold_signals();
    int number;

    log_set(STDERR_FILENO, LOG_INFO, !isatty(STDERR_FILENO));
    TRY(add_logs(cx, &s, a->log));
    TRY(open_key(cx, &s, a));
    TRY(open_serving(cx, &s, a));
    TRY(tell(cx, cli, &s));
    sigwait(&ends, &number);
    transport_drain(s.transport, clock_mono_ns() + DRAIN_NS);
    return ERR_OK;
}

static const struct cli_option witness_options[] = {
    OPTION(witness_args, state, OPT_PATH, .value = "DIR", .required = true,
           .help = "folder for the key and what was cosigned; made if absent"),
    OPTION(witness_args, log, OPT_TEXTS, .value = "VKEY", .required = true,
           .help = "key of a log to cosign for, or a file with keys"),
    OPTION(witness_args, name, OPT_TEXT, .value = "NAME",
           .help = "name in the key, needed the first time"),
    OPTION(witness_args, listen, OPT_TEXT, .value = "ADDRESS", .fallback = "127.0.0.1:8090",
           .help = "address and port"),
    {.name = NULL},
};

const struct command witness_command = {
    .name = "witness",
    .summary = "cosign the checkpoints of other logs",
    .details = "A witness signs a log's checkpoint only when it continues the last one that it "
               "signed, so a log that shows different histories to different people cannot have "
               "the signature for both. It stores one checkpoint for each log. The state folder "
               "must never be restored from a backup: the witness would sign what it has "
               "forgotten.",
    .examples = "chancery witness --state ./witness --name witness.example.org --log log.vkey\n"
                "chancery serve --set ledger.witnesses='VKEY http://127.0.0.1:8090'\n",
    .options = witness_options,
    .args_bytes = sizeof(struct witness_args),
    .run = witness_run,
};
