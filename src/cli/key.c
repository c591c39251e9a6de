/* key.c - `chancery key create|list|revoke`: API keys, over HTTP or in a folder. */
#include "base/clock.h"
#include "base/json_write.h"
#include "cli/api_list.h"
#include "cli/commands.h"
#include "crypto/seal.h"

enum { BODY_BYTES_MAX = 64 * 1024 };

/* ---- create ---- */

struct create_args {
    str name, expires;
    struct strs scope;
};

/* "events:read,events:write" is two. */
static void put_scopes(struct buf *b, struct strs scopes)
{
    json_key(b, S("scopes"));
    json_open(b, '[');
    for (size_t i = 0; i < scopes.count; i++)
        for (str rest = scopes.items[i]; rest.p;) {
            str one = str_trim(str_cut(&rest, ','));
            if (one.n)
                json_put_str(b, one);
        }
    json_close(b, ']');
}

/* A time, or from now on so long. */
static err put_expires(struct ctx *cx, struct buf *b, str text)
{
    int64_t us, ns;

    if (str_is_null(text))
        return ERR_OK;
    if (!time_parse(text, &us)) {
        if (!duration_parse(text, &ns))
            return fail(cx, ERR_USAGE,
                        "--expires is '%.*s' but must be a time like 2027-01-01T00:00:00Z or a "
                        "duration like 90d",
                        STR_FMT(text));
        us = clock_now_us() + ns / 1000;
    }
    json_member_time(b, S("expires"), us);
    return ERR_OK;
}

static err print_key(struct ctx *cx, struct cli *cli, struct remote *r, struct http_reply *reply)
{
    struct json made;

    if (cli->json)
        return cli_print(cx, cli, "%.*s\n", STR_FMT(reply->body));
    TRY(remote_json(cx, r, reply, &made));
    str id = json_member_text(made, S("id")), key = json_member_text(made, S("key"));
    TRY(cli_print(cx, cli, "id   %.*s\nkey  %.*s\n", STR_FMT(id), STR_FMT(key)));
    cli_note(cli, "Keep the key now: it is not shown again.");
    return ERR_OK;
}

static err create_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct create_args *a = args;
    CLEANUP(buf_close) struct buf body = BUF(BODY_BYTES_MAX);
    CLEANUP(remote_cleanup) struct remote *r = NULL;
    struct http_reply reply;

    json_open(&body, '{');
    json_member_str(&body, S("name"), a->name);
    put_scopes(&body, a->scope);
    TRY(put_expires(cx, &body, a->expires));
    json_close(&body, '}');
    TRY(buf_check(cx, &body, "the request"));
    TRY(remote_open(cx, cli, &r));
    TRY(remote_send(cx, r, "POST", S("/api/v1/keys"), buf_str(&body), &reply));
    err e = print_key(cx, cli, r, &reply);
    secret_wipe_str(&reply.body);
    return e;
}

static const struct cli_option create_options[] = {
    OPTION(create_args, name, OPT_TEXT, .value = "NAME", .required = true,
           .help = "what it is for"),
    OPTION(create_args, scope, OPT_TEXTS, .value = "SCOPE", .required = true,
           .help = "what it may do: events:write, events:read, events:export, metrics:read, "
                   "keys:write, users:write, ledger:admin, or admin for all"),
    OPTION(create_args, expires, OPT_TEXT, .value = "TIME",
           .help = "when it stops to count: a time, or a duration like 90d [default: never]"),
    {.name = NULL},
};

static const struct command create_command = {
    .name = "create",
    .summary = "make an API key; it is shown this once",
    .details = "A key may do at most what its maker may. On a folder that no server holds (--data) "
               "everything may be given.",
    .examples = "chancery key create --name shop --scope events:write --expires 365d\n"
                "chancery key create --data ./data --name audit --scope events:read --json\n",
    .options = create_options,
    .args_bytes = sizeof(struct create_args),
    .run = create_run,
};

/* ---- list, revoke ---- */

static err list_run(struct ctx *cx, struct cli *cli, const void *args)
{
    static const struct api_column columns[] = {
        {"ID", "id", API_TEXT},           {"NAME", "name", API_TEXT},
        {"SCOPES", "scopes", API_LIST},   {"CREATED (UTC)", "created", API_TIME},
        {"EXPIRES", "expires", API_TIME}, {"LAST USED", "last_used", API_TIME},
        {"REVOKED", "revoked", API_TIME},
    };

    (void)args;
    return api_list_print(cx, cli, "/api/v1/keys", columns, COUNT(columns));
}

static const struct command list_command = {
    .name = "list",
    .summary = "list API keys, the revoked too",
    .examples = "chancery key list\n",
    .run = list_run,
};

static err revoke_run(struct ctx *cx, struct cli *cli, const void *args)
{
    CLEANUP(remote_cleanup) struct remote *r = NULL;
    str id = cli->operands.items[0];
    struct http_reply reply;

    (void)args;
    TRY(remote_open(cx, cli, &r));
    TRY(remote_send(cx, r, "DELETE",
                    arena_printf(cx->mem, "/api/v1/keys/%.*s", STR_FMT(path_segment(cx, id))),
                    STR_NULL, &reply));
    if (cli->json)
        return cli_print(cx, cli, "%.*s\n", STR_FMT(reply.body));
    return cli_print(cx, cli, "the key %.*s no longer counts\n", STR_FMT(id));
}

static const struct command revoke_command = {
    .name = "revoke",
    .summary = "revoke an API key, at once and for ever",
    .operands = "ID",
    .operands_min = 1,
    .operands_max = 1,
    .operand_help = "as 'chancery key list' shows it",
    .examples = "chancery key revoke 01JD8K2Q\n",
    .run = revoke_run,
};

static const struct command *const key_subs[] = {&create_command, &list_command, &revoke_command,
                                                 NULL};

const struct command key_command = {
    .name = "key",
    .summary = "make, list and revoke API keys",
    .sub = key_subs,
};
