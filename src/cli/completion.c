/* completion.c - `chancery completion bash|zsh|fish`: completion scripts made from the tables.
 *
 * Each script knows, for every path of command words ("/config/show"), the words that may follow,
 * and for every option that takes a value, what the value may be.  No shell library is needed. */
#include "base/json_write.h"
#include "cli/commands.h"
#include "cli/option.h"

enum { COMPLETION_BYTES_MAX = 1 << 20 };

struct script {
    struct buf *b;
    struct arena *mem;
    const struct cli *cli;
};

/* Called for each command below the table, parents first; `path` is like "/config/show". */
typedef void visit_command(const struct script *s, str path, const struct command *c);

static void walk(const struct script *s, str path, const struct command *const *table,
                 visit_command *visit)
{
    for (; table && *table; table++) {
        str below = arena_printf(s->mem, "%.*s/%s", STR_FMT(path), (*table)->name);

        visit(s, below, *table);
        walk(s, below, (*table)->sub, visit);
    }
}

/* In single quotes for a POSIX shell: no help text can end the string. */
static void put_quoted(struct buf *b, str text)
{
    buf_put_char(b, '\'');
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '\'')
            buf_put(b, S("'\\''"));
        else
            buf_put_char(b, text.p[i]);
    buf_put_char(b, '\'');
}

static void put_choices(struct buf *b, const char *choices)
{
    for (str rest = str_from(choices); rest.p;) {
        buf_put_char(b, ' ');
        buf_put(b, str_cut(&rest, '|'));
    }
}

static void put_command_names(struct buf *b, const struct command *const *table)
{
    for (; table && *table; table++)
        buf_printf(b, " %s", (*table)->name);
}

static void put_setting_names(struct buf *b, const char *before)
{
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++)
        if (!(config_rows[i].flags & CONFIG_SECRET))
            buf_printf(b, " %s%s=", before, config_rows[i].name);
}

/* What may stand behind the command itself: sub-commands, names of commands (for help), words. */
static void put_operands(const struct script *s, const struct command *c)
{
    put_command_names(s->b, c->sub);
    if (c == &help_command)
        put_command_names(s->b, s->cli->commands);
    for (const char *const *word = c->operand_choices; word && *word; word++)
        buf_printf(s->b, " %s", *word);
}

/* --- bash --- */

static const char bash_head[] =
    "# Completion of chancery for bash: eval \"$(chancery completion bash)\"\n"
    "_chancery() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at=$COMP_CWORD\n"
    "    local path= i words= options=\n"
    "    # '=' is a word of its own to bash.\n"
    "    if [[ $cur == '=' ]]; then\n"
    "        cur=\n"
    "    elif [[ $prev == '=' ]]; then\n"
    "        prev=${COMP_WORDS[COMP_CWORD-2]}; at=$((COMP_CWORD-1))\n"
    "    fi\n"
    "    for ((i = 1; i < at; i++)); do\n"
    "        case $path/${COMP_WORDS[i]} in\n";

static const char bash_tail[] =
    "    if [[ $cur == -* ]]; then\n"
    "        words=$options\n"
    "    fi\n"
    "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
    "    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then\n"
    "        compopt -o nospace\n"
    "    fi\n"
    "}\n"
    "complete -o default -F _chancery chancery\n";

static void bash_path(const struct script *s, str path, const struct command *c)
{
    (void)c;
    buf_printf(s->b, "%.*s) path=%.*s ;;\n", STR_FMT(path), STR_FMT(path));
}

/* "path:option) what its value may be".  An empty reply leaves bash to complete file names. */
static void bash_values(const struct script *s, str pattern, const struct cli_option *o)
{
    for (; o && o->name; o++) {
        if (!option_takes_value(o))
            continue;
        buf_printf(s->b, "%.*s:%.*s", STR_FMT(pattern), STR_FMT(option_name(s->mem, o)));
        if (o->letter)
            buf_printf(s->b, "|%.*s:-%c", STR_FMT(pattern), o->letter);
        buf_put(s->b, S(") COMPREPLY=("));
        if (o->choices) {
            buf_put(s->b, S("$(compgen -W '"));
            put_choices(s->b, o->choices);
            buf_put(s->b, S("' -- \"$cur\")"));
        }
        buf_put(s->b, S("); return ;;\n"));
    }
}

static void bash_command_values(const struct script *s, str path, const struct command *c)
{
    bash_values(s, path, c->options);
}

static void put_option_names(const struct script *s, const struct cli_option *o)
{
    for (; o && o->name; o++) {
        buf_printf(s->b, " %.*s", STR_FMT(option_name(s->mem, o)));
        if (o->letter)
            buf_printf(s->b, " -%c", o->letter);
    }
}

static void bash_words(const struct script *s, str path, const struct command *c)
{
    buf_printf(s->b, "%.*s) words='", STR_FMT(path));
    put_operands(s, c);
    buf_put(s->b, S("' options='"));
    put_option_names(s, c->options);
    buf_put(s->b, S("' ;;\n"));
}

static void bash_script(const struct script *s)
{
    buf_put(s->b, str_from(bash_head));
    walk(s, S(""), s->cli->commands, bash_path);
    buf_put(s->b, S("        esac\n    done\n    case $path:$prev in\n"));
    buf_put(s->b, S("*:--set) COMPREPLY=($(compgen -W '"));
    put_setting_names(s->b, "");
    buf_put(s->b, S("' -- \"$cur\")); compopt -o nospace; return ;;\n"));
    walk(s, S(""), s->cli->commands, bash_command_values);
    bash_values(s, S("*"), cli_global_options);
    buf_put(s->b, S("    esac\n    case $path in\n'') words='"));
    put_command_names(s->b, s->cli->commands);
    buf_put(s->b, S("' ;;\n"));
    walk(s, S(""), s->cli->commands, bash_words);
    buf_put(s->b, S("    esac\n    options+='"));
    put_option_names(s, cli_global_options);
    put_setting_names(s->b, "--");
    buf_put(s->b, S("'\n"));
    buf_put(s->b, str_from(bash_tail));
}

/* --- zsh --- */

static const char zsh_head[] =
    "#compdef chancery\n"
    "# Completion of chancery for zsh: chancery completion zsh >\"${fpath[1]}/_chancery\"\n"
    "_chancery() {\n"
    "    local cur=${words[CURRENT]} prev=${words[CURRENT-1]} at= i\n"
    "    local -a follow options\n"
    "    for ((i = 2; i < CURRENT; i++)); do\n"
    "        case $at/${words[i]} in\n";

static const char zsh_tail[] = "    if [[ $cur == -* ]]; then\n"
                               "        _describe -o option options\n"
                               "    elif (( ${#follow} )); then\n"
                               "        _describe command follow\n"
                               "    else\n"
                               "        _files\n"
                               "    fi\n"
                               "}\n"
                               "if [[ ${funcstack[1]} == _chancery ]]; then _chancery \"$@\"; else "
                               "compdef _chancery chancery; fi\n";

/* "name:help" in quotes, with colons of the name escaped. */
static void zsh_item(const struct script *s, str name, const char *help)
{
    CLEANUP(buf_close) struct buf item = BUF(4096);

    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == ':')
            buf_put_char(&item, '\\');
        buf_put_char(&item, name.p[i]);
    }
    buf_printf(&item, "%s%s", help ? ":" : "", help ? help : "");
    buf_put_char(s->b, ' ');
    put_quoted(s->b, buf_str(&item));
}

static void zsh_path(const struct script *s, str path, const struct command *c)
{
    (void)c;
    buf_printf(s->b, "%.*s) at=%.*s ;;\n", STR_FMT(path), STR_FMT(path));
}

static void zsh_values(const struct script *s, str pattern, const struct cli_option *o)
{
    for (; o && o->name; o++) {
        if (!option_takes_value(o))
            continue;
        buf_printf(s->b, "%.*s:%.*s", STR_FMT(pattern), STR_FMT(option_name(s->mem, o)));
        if (o->letter)
            buf_printf(s->b, "|%.*s:-%c", STR_FMT(pattern), o->letter);
        buf_put(s->b, S(") "));
        if (o->choices) {
            buf_put(s->b, S("compadd --"));
            put_choices(s->b, o->choices);
        } else {
            buf_put(s->b, o->kind == OPT_PATH ? S("_files") : S("_message value"));
        }
        buf_put(s->b, S("; return ;;\n"));
    }
}

static void zsh_command_values(const struct script *s, str path, const struct command *c)
{
    zsh_values(s, path, c->options);
}

static void zsh_commands(const struct script *s, const struct command *const *table)
{
    for (; table && *table; table++)
        zsh_item(s, str_from((*table)->name), (*table)->summary);
}

static void zsh_options(const struct script *s, const struct cli_option *o)
{
    for (; o && o->name; o++)
        zsh_item(s, option_name(s->mem, o), o->help);
}

static void zsh_words(const struct script *s, str path, const struct command *c)
{
    buf_printf(s->b, "%.*s) follow=(", STR_FMT(path));
    zsh_commands(s, c->sub);
    if (c == &help_command)
        zsh_commands(s, s->cli->commands);
    for (const char *const *word = c->operand_choices; word && *word; word++)
        zsh_item(s, str_from(*word), NULL);
    buf_put(s->b, S(") options=("));
    zsh_options(s, c->options);
    buf_put(s->b, S(") ;;\n"));
}

static void zsh_script(const struct script *s)
{
    buf_put(s->b, str_from(zsh_head));
    walk(s, S(""), s->cli->commands, zsh_path);
    buf_put(s->b, S("        esac\n    done\n    case $at:$prev in\n*:--set) compadd -S '' --"));
    put_setting_names(s->b, "");
    buf_put(s->b, S("; return ;;\n"));
    walk(s, S(""), s->cli->commands, zsh_command_values);
    zsh_values(s, S("*"), cli_global_options);
    buf_put(s->b, S("    esac\n    case $at in\n'') follow=("));
    zsh_commands(s, s->cli->commands);
    buf_put(s->b, S(") ;;\n"));
    walk(s, S(""), s->cli->commands, zsh_words);
    buf_put(s->b, S("    esac\n    options+=("));
    zsh_options(s, cli_global_options);
    buf_put(s->b, S(")\n"));
    buf_put(s->b, str_from(zsh_tail));
}

/* --- fish --- */

static const char fish_head[] =
    "# Completion of chancery for fish: chancery completion fish | source\n"
    "function __chancery_path\n"
    "    set -l at ''\n"
    "    for word in (commandline -opc)[2..-1]\n"
    "        switch $at/$word\n"
    "            case";

static const char fish_middle[] = "\n"
                                  "                set at $at/$word\n"
                                  "        end\n"
                                  "    end\n"
                                  "    echo $at\n"
                                  "end\n"
                                  "function __chancery_at\n"
                                  "    test (__chancery_path) = $argv[1]\n"
                                  "end\n";

static void fish_path(const struct script *s, str path, const struct command *c)
{
    (void)c;
    buf_printf(s->b, " %.*s", STR_FMT(path));
}

static void fish_options(const struct script *s, const char *condition, const struct cli_option *o)
{
    for (; o && o->name; o++) {
        buf_printf(s->b, "complete -c chancery%s -l %.*s", condition,
                   STR_FMT(str_slice(option_name(s->mem, o), 2, SIZE_MAX)));
        if (o->letter)
            buf_printf(s->b, " -s %c", o->letter);
        if (option_takes_value(o))
            buf_put(s->b, o->kind == OPT_PATH ? S(" -r -F") : S(" -x"));
        if (o->choices) {
            buf_put(s->b, S(" -a '"));
            put_choices(s->b, o->choices);
            buf_put(s->b, S("'"));
        }
        buf_put(s->b, S(" -d "));
        put_quoted(s->b, str_from(o->help));
        buf_put_char(s->b, '\n');
    }
}

static void fish_word(const struct script *s, str at, const char *word, const char *help)
{
    buf_printf(s->b, "complete -c chancery -n \"__chancery_at '%.*s'\" -f -a %s", STR_FMT(at),
               word);
    if (help) {
        buf_put(s->b, S(" -d "));
        put_quoted(s->b, str_from(help));
    }
    buf_put_char(s->b, '\n');
}

static void fish_command(const struct script *s, str path, const struct command *c)
{
    const char *condition = arena_printf(s->mem, " -n \"__chancery_at %.*s\"", STR_FMT(path)).p;
    size_t parent = path.n;

    while (path.p[parent - 1] != '/')
        parent--;
    fish_word(s, str_slice(path, 0, parent - 1), c->name, c->summary);
    for (const struct command *const *h = s->cli->commands; c == &help_command && *h; h++)
        fish_word(s, path, (*h)->name, (*h)->summary);
    for (const char *const *word = c->operand_choices; word && *word; word++)
        fish_word(s, path, *word, NULL);
    fish_options(s, condition, c->options);
}

static void fish_script(const struct script *s)
{
    buf_put(s->b, str_from(fish_head));
    walk(s, S(""), s->cli->commands, fish_path);
    buf_put(s->b, str_from(fish_middle));
    fish_options(s, "", cli_global_options);
    walk(s, S(""), s->cli->commands, fish_command);
}

/* --- the command --- */

static const struct shell {
    const char *name;
    void (*write)(const struct script *s);
} shells[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

static const char *const shell_names[] = {"bash", "zsh", "fish", NULL};

static err completion_run(struct ctx *cx, struct cli *cli, const void *args)
{
    CLEANUP(buf_close) struct buf b = BUF(COMPLETION_BYTES_MAX);
    const struct script s = {&b, cx->mem, cli};

    (void)args;
    for (size_t i = 0; i < COUNT(shells); i++) {
        if (!str_eq(cli->operands.items[0], str_from(shells[i].name)))
            continue;
        shells[i].write(&s);
        TRY(buf_check(cx, &b, "the script"));
        return cli_write(cx, cli, buf_str(&b));
    }
    return fail(cx, ERR_USAGE, "there is a script for bash, zsh and fish, not for '%.*s'",
                STR_FMT(cli->operands.items[0]));
}

const struct command completion_command = {
    .name = "completion",
    .summary = "write a completion script for a shell",
    .operands = "SHELL",
    .operands_min = 1,
    .operands_max = 1,
    .operand_help = "bash, zsh or fish",
    .operand_choices = shell_names,
    .examples = "eval \"$(chancery completion bash)\"\n"
                "chancery completion zsh >\"${fpath[1]}/_chancery\"\n"
                "chancery completion fish | source\n",
    .run = completion_run,
};
