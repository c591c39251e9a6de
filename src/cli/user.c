/* user.c - `chancery user create|list|disable|enable|password`, over HTTP or in a folder. */
#include "base/json_write.h"
#include "cli/api_list.h"
#include "cli/commands.h"
#include "cli/secret_input.h"
#include "crypto/seal.h"

enum { BODY_BYTES_MAX = 64 * 1024 };

/* Send a body that holds a secret, and wipe it. */
static err send_secret(struct ctx *cx, struct cli *cli, str path, struct buf *body,
                       struct http_reply *out)
{
    CLEANUP(remote_cleanup) struct remote *r = NULL;
    err e = buf_check(cx, body, "the request");

    if (e == ERR_OK)
        e = remote_open(cx, cli, &r);
    if (e == ERR_OK)
        e = remote_send(cx, r, "POST", path, buf_str(body), out);
    secret_wipe(body->p, body->n);
    return e;
}

static err user_path(struct ctx *cx, str name, const char *action, str *out)
{
    if (name.n == 0)
        return fail(cx, ERR_USAGE, "the name of a user is never empty");
    *out = arena_printf(cx->mem, "/api/v1/users/%.*s/%s", STR_FMT(path_segment(cx, name)), action);
    return ERR_OK;
}

static err print_done(struct ctx *cx, struct cli *cli, const struct http_reply *reply,
                      const char *what)
{
    if (cli->json)
        return cli_print(cx, cli, "%.*s\n", STR_FMT(reply->body));
    return cli_print(cx, cli, "%.*s: %s\n", STR_FMT(cli->operands.items[0]), what);
}

/* ---- create, password ---- */

struct create_args {
    str role;
    bool password_stdin;
};

static err create_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct create_args *a = args;
    CLEANUP(buf_close) struct buf body = BUF(BODY_BYTES_MAX);
    struct http_reply reply;
    str password;

    TRY(secret_read(cx, "Password (at least 15 characters)", a->password_stdin, &password));
    json_open(&body, '{');
    json_member_str(&body, S("username"), cli->operands.items[0]);
    json_member_str(&body, S("role"), a->role);
    json_member_str(&body, S("password"), password);
    json_close(&body, '}');
    secret_wipe_str(&password);
    TRY(send_secret(cx, cli, S("/api/v1/users"), &body, &reply));
    return print_done(cx, cli, &reply, "the user was made");
}

static const struct cli_option create_options[] = {
    OPTION(create_args, role, OPT_TEXT, .value = "ROLE", .required = true,
           .help = "administrator, operator, auditor, analyst or viewer"),
    OPTION(create_args, password_stdin, OPT_FLAG,
           .help = "read the password from standard input, its first line"),
    {.name = NULL},
};

static const struct command create_command = {
    .name = "create",
    .summary = "make a user",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .details =
        "The password is asked for at the terminal without showing it, or read from standard "
        "input; it is never given on the command line.",
    .examples = "chancery user create --role auditor alice\n"
                "pass show a | chancery user create --data D --role viewer --password-stdin a\n",
    .options = create_options,
    .args_bytes = sizeof(struct create_args),
    .run = create_run,
};

struct password_args {
    bool password_stdin;
};

static err password_run(struct ctx *cx, struct cli *cli, const void *args)
{
    const struct password_args *a = args;
    CLEANUP(buf_close) struct buf body = BUF(BODY_BYTES_MAX);
    struct http_reply reply;
    str path, password;

    TRY(user_path(cx, cli->operands.items[0], "password", &path));
    TRY(secret_read(cx, "New password (at least 15 characters)", a->password_stdin, &password));
    json_open(&body, '{');
    json_member_str(&body, S("password"), password);
    json_close(&body, '}');
    secret_wipe_str(&password);
    TRY(send_secret(cx, cli, path, &body, &reply));
    return print_done(cx, cli, &reply, "the password was changed; all sessions ended");
}

static const struct cli_option password_options[] = {
    OPTION(password_args, password_stdin, OPT_FLAG,
           .help = "read the password from standard input, its first line"),
    {.name = NULL},
};

static const struct command password_command = {
    .name = "password",
    .summary = "set a user's password; all sessions of the user end",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .examples = "chancery user password alice\n",
    .options = password_options,
    .args_bytes = sizeof(struct password_args),
    .run = password_run,
};

/* ---- list, disable, enable ---- */

static err list_run(struct ctx *cx, struct cli *cli, const void *args)
{
    static const struct api_column columns[] = {
        {"NAME", "name", API_TEXT},
        {"ROLE", "role", API_TEXT},
        {"CREATED (UTC)", "created", API_TIME},
        {"PASSWORD SET", "password_changed", API_TIME},
        {"DISABLED", "disabled", API_TIME},
    };

    (void)args;
    return api_list_print(cx, cli, "/api/v1/users", columns, COUNT(columns));
}

static const struct command list_command = {
    .name = "list",
    .summary = "list users",
    .examples = "chancery user list --json\n",
    .run = list_run,
};

static err change(struct ctx *cx, struct cli *cli, const char *action, const char *what)
{
    CLEANUP(remote_cleanup) struct remote *r = NULL;
    struct http_reply reply;
    str path;

    TRY(user_path(cx, cli->operands.items[0], action, &path));
    TRY(remote_open(cx, cli, &r));
    TRY(remote_send(cx, r, "POST", path, STR_NULL, &reply));
    return print_done(cx, cli, &reply, what);
}

static err disable_run(struct ctx *cx, struct cli *cli, const void *args)
{
    (void)args;
    return change(cx, cli, "disable", "may no longer sign in; all sessions ended");
}

static err enable_run(struct ctx *cx, struct cli *cli, const void *args)
{
    (void)args;
    return change(cx, cli, "enable", "may sign in again");
}

static const struct command disable_command = {
    .name = "disable",
    .summary = "let a user no longer sign in; all sessions end",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .examples = "chancery user disable alice\n",
    .run = disable_run,
};

static const struct command enable_command = {
    .name = "enable",
    .summary = "let a disabled user sign in again",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .examples = "chancery user enable alice\n",
    .run = enable_run,
};

static const struct command *const user_subs[] = {
    &create_command, &list_command, &disable_command, &enable_command, &password_command, NULL};

const struct command user_command = {
    .name = "user",
    .summary = "make, list and change users",
    .sub = user_subs,
};
