/* option.c - reads a command line by the tables of command.h.
 *
 * Options may stand anywhere behind the command, global ones also before it; "--" ends them.
 * "--name=VALUE", "--name VALUE", "-n VALUE", "-nVALUE", "-fn VALUE".  "--group.name=VALUE" is a
 * setting of config.def. */
#include "cli/option.h"
#include "base/clock.h"
#include <inttypes.h>

struct parser {
    struct ctx *cx;
    struct cli *cli;
    const char *const *next;            /* words to come */
    const struct command *const *table; /* commands the next word may name; NULL: operands */
    char *args;
    bool *seen, *global_seen; /* one per row of the option table */
};

/* --- values --- */

static const char *fill_flag(struct ctx *cx, const struct cli_option *o, str text, void *field)
{
    (void)cx, (void)o, (void)text;
    *(bool *)field = true;
    return NULL;
}

static const char *fill_text(struct ctx *cx, const struct cli_option *o, str text, void *field)
{
    (void)o;
    *(str *)field = arena_str(cx->mem, text);
    return NULL;
}

static const char *fill_path(struct ctx *cx, const struct cli_option *o, str text, void *field)
{
    return text.n == 0 ? "a path, which is never empty" : fill_text(cx, o, text, field);
}

static const char *fill_choice(struct ctx *cx, const struct cli_option *o, str text, void *field)
{
    CLEANUP(buf_close) struct buf words = BUF(4096);

    for (str rest = str_from(o->choices); rest.p;) {
        str word = str_cut(&rest, '|');

        if (str_eq(word, text))
            return fill_text(cx, o, text, field);
        buf_printf(&words, "%s%.*s", words.n ? ", " : "", STR_FMT(word));
    }
    return arena_printf(cx->mem, "one of %.*s", STR_FMT(buf_str(&words))).p;
}

static const char *fill_count(struct ctx *cx, const struct cli_option *o, str text, void *field)
{
    uint64_t max = o->max ? o->max : UINT64_MAX, v;

    if (!str_to_u64(text, &v))
        return "a whole number";
    if (v < o->min || v > max)
        return arena_printf(cx->mem, "a number from %" PRIu64 " to %" PRIu64, o->min, max).p;
    *(uint64_t *)field = v;
    return NULL;
}

static const char *fill_size(struct ctx *cx, const struct cli_option *o, str text, void *field)
{
    (void)cx, (void)o;
    return config_read_size(text, field) ? NULL : "a size such as 4096, 64KiB or 1MB";
}

static const char *fill_duration(struct ctx *cx, const struct cli_option *o, str text, void *field)
{
    (void)cx, (void)o;
    return duration_parse(text, field) ? NULL : "a duration such as 250ms, 90s, 15m, 24h or 7d";
}

static const char *fill_time(struct ctx *cx, const struct cli_option *o, str text, void *field)
{
    (void)cx, (void)o;
    return time_parse(text, field) ? NULL : "a time such as 2026-11-20T08:15:30Z or 2026-11-20";
}

static const char *fill_texts(struct ctx *cx, const struct cli_option *o, str text, void *field)
{
    struct strs *list = field;
    str *items = arena_new(cx->mem, str, list->count + 1);

    (void)o;
    for (size_t i = 0; i < list->count; i++)
        items[i] = list->items[i];
    items[list->count] = arena_str(cx->mem, text);
    *list = (struct strs){items, list->count + 1};
    return NULL;
}

/* Each gives NULL, or what the value must be. */
static const char *(*const fill[])(struct ctx *, const struct cli_option *, str, void *) = {
    [OPT_FLAG] = fill_flag,         [OPT_TEXT] = fill_text,   [OPT_PATH] = fill_path,
    [OPT_CHOICE] = fill_choice,     [OPT_COUNT] = fill_count, [OPT_SIZE] = fill_size,
    [OPT_DURATION] = fill_duration, [OPT_TIME] = fill_time,   [OPT_TEXTS] = fill_texts,
};

/* --- names --- */

bool option_takes_value(const struct cli_option *o)
{
    return o->kind != OPT_FLAG;
}

str option_name(struct arena *mem, const struct cli_option *o)
{
    size_t n = strlen(o->name);
    char *name = arena_new(mem, char, n + 3);

    name[0] = name[1] = '-';
    for (size_t i = 0; i < n; i++)
        name[i + 2] = o->name[i] == '_' ? '-' : o->name[i];
    return (str){name, n + 2};
}

str environment_find(const char *const *environment, const char *name)
{
    for (; environment && *environment; environment++) {
        str rest = str_from(*environment);

        if (str_eq(str_cut(&rest, '='), str_from(name)) && rest.p)
            return rest;
    }
    return STR_NULL;
}

const struct command *command_find(const struct command *const *table, str name)
{
    for (; table && *table; table++)
        if (str_eq(name, str_from((*table)->name)))
            return *table;
    return NULL;
}

void command_suggest(struct suggestion *s, const struct command *const *table)
{
    for (; table && *table; table++)
        suggest_try(s, str_from((*table)->name));
}

static bool is_named(const struct cli_option *o, str name)
{
    if (name.n != strlen(o->name))
        return false;
    for (size_t i = 0; i < name.n; i++)
        if ((name.p[i] == '-' ? '_' : name.p[i]) != o->name[i])
            return false;
    return true;
}

static const struct cli_option no_options[] = {{.name = NULL}};

static const struct cli_option *own_options(const struct parser *p)
{
    return p->cli->command && p->cli->command->options ? p->cli->command->options : no_options;
}

static const struct cli_option *find_long(const struct cli_option *table, str name)
{
    for (; table->name; table++)
        if (is_named(table, name))
            return table;
    return NULL;
}

static const struct cli_option *find_letter(const struct cli_option *table, char letter)
{
    for (; table->name; table++)
        if (table->letter == letter)
            return table;
    return NULL;
}

/* --- options --- */

static bool is_global(const struct cli_option *o)
{
    for (const struct cli_option *g = cli_global_options; g->name; g++)
        if (g == o)
            return true;
    return false;
}

static err set_option(struct parser *p, const struct cli_option *o, str text, const char *from)
{
    bool global = is_global(o);
    char *base = global ? (char *)p->cli : p->args;
    const char *must = fill[o->kind](p->cx, o, text, base + o->offset);

    if (must)
        return fail(p->cx, ERR_USAGE, "%s is '%.*s' but must be %s", from, STR_FMT(text), must);
    if (global)
        p->global_seen[o - cli_global_options] = true;
    else
        p->seen[o - own_options(p)] = true;
    return ERR_OK;
}

static err take_value(struct parser *p, const char *name, str *out)
{
    if (!*p->next)
        return fail(p->cx, ERR_USAGE, "%s needs a value", name);
    *out = str_from(*p->next++);
    return ERR_OK;
}

static err unknown_option(struct parser *p, str name)
{
    struct suggestion near = suggest_begin(name);

    for (const struct cli_option *o = own_options(p); o->name; o++)
        suggest_try(&near, option_name(p->cx->mem, o));
    for (const struct cli_option *o = cli_global_options; o->name; o++)
        suggest_try(&near, option_name(p->cx->mem, o));
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++)
        suggest_try(&near, arena_printf(p->cx->mem, "--%s", config_rows[i].name));
    return fail(p->cx, ERR_USAGE, "there is no option '%.*s'%s%s%s", STR_FMT(name),
                p->cli->command ? " of " : "", p->cli->command ? p->cli->path : "",
                suggest_text(p->cx, &near));
}

static err add_setting(struct parser *p, str name, str value)
{
    struct cli *cli = p->cli;

    if (cli->setting_count == SETTINGS_MAX)
        return fail(p->cx, ERR_USAGE, "more than %d settings", SETTINGS_MAX);
    cli->settings[cli->setting_count++] = (struct config_setting){name, value};
    return ERR_OK;
}

/* "--http.listen=X": text behind the dashes with a dot before any '='. */
static err parse_setting(struct parser *p, str name, str value)
{
    enum config_key key = config_find(name);

    if (key == CONFIG_KEY_COUNT)
        return unknown_option(p, arena_printf(p->cx->mem, "--%.*s", STR_FMT(name)));
    if (!value.p && config_rows[key].kind == CONFIG_BOOL)
        value = S("true");
    else if (!value.p)
        TRY(take_value(p, arena_printf(p->cx->mem, "--%.*s", STR_FMT(name)).p, &value));
    return add_setting(p, name, value);
}

static err parse_long(struct parser *p, str text)
{
    str value = str_slice(text, 2, text.n), name = str_cut(&value, '=');
    const struct cli_option *o = find_long(own_options(p), name);
    const char *shown = arena_printf(p->cx->mem, "--%.*s", STR_FMT(name)).p;

    if (!o)
        o = find_long(cli_global_options, name);
    if (!o && str_find_char(name, '.') < name.n)
        return parse_setting(p, name, value);
    if (!o)
        return unknown_option(p, str_from(shown));
    if (!option_takes_value(o) && value.p)
        return fail(p->cx, ERR_USAGE, "%s takes no value", shown);
    if (option_takes_value(o) && !value.p)
        TRY(take_value(p, shown, &value));
    return set_option(p, o, value, shown);
}

static err parse_letters(struct parser *p, str text)
{
    for (size_t i = 1; i < text.n; i++) {
        const char shown[] = {'-', text.p[i], '\0'};
        const struct cli_option *o = find_letter(own_options(p), text.p[i]);
        str value = str_slice(text, i + 1, text.n);

        if (!o)
            o = find_letter(cli_global_options, text.p[i]);
        if (!o)
            return unknown_option(p, str_from(shown));
        if (!option_takes_value(o)) {
            TRY(set_option(p, o, S(""), shown));
            continue;
        }
        if (value.n == 0)
            TRY(take_value(p, shown, &value));
        return set_option(p, o, value, shown);
    }
    return ERR_OK;
}

/* --- words --- */

static size_t option_count(const struct cli_option *table)
{
    size_t n = 0;

    while (table[n].name)
        n++;
    return n;
}

static void enter_command(struct parser *p, const struct command *c)
{
    struct cli *cli = p->cli;

    cli->path = cli->path ? arena_printf(p->cx->mem, "%s %s", cli->path, c->name).p : c->name;
    cli->command = c;
    p->table = c->sub;
    p->args = arena_alloc(p->cx->mem, 1, c->args_bytes + 1);
    p->seen = arena_new(p->cx->mem, bool, option_count(own_options(p)) + 1);
}

static err parse_word(struct parser *p, str word)
{
    struct cli *cli = p->cli;
    const struct command *c = command_find(p->table, word);
    struct suggestion near = suggest_begin(word);

    if (c) {
        enter_command(p, c);
        return ERR_OK;
    }
    if (p->table) {
        command_suggest(&near, p->table);
        return fail(p->cx, ERR_USAGE, "there is no command '%s%s%.*s'%s",
                    cli->path ? cli->path : "", cli->path ? " " : "", STR_FMT(word),
                    suggest_text(p->cx, &near));
    }
    if (cli->operands.count == OPERANDS_MAX)
        return fail(p->cx, ERR_USAGE, "more than %d operands", OPERANDS_MAX);
    cli->operands.items[cli->operands.count++] = word;
    return ERR_OK;
}

static err parse_words(struct parser *p)
{
    bool ended = false;

    while (*p->next) {
        str word = str_from(*p->next++);

        if (!ended && str_eq(word, S("--")))
            ended = true;
        else if (!ended && str_starts(word, S("--")))
            TRY(parse_long(p, word));
        else if (!ended && word.n > 1 && word.p[0] == '-')
            TRY(parse_letters(p, word));
        else
            TRY(parse_word(p, word));
    }
    return ERR_OK;
}

/* --- what was not said --- */

static err complete_option(struct parser *p, const struct cli_option *o, bool seen)
{
    str value = o->env ? environment_find(p->cli->environment, o->env) : STR_NULL;
    str name = option_name(p->cx->mem, o);

    if (seen)
        return ERR_OK;
    if (value.n > 0)
        return set_option(p, o, value, o->env);
    if (o->fallback)
        return set_option(p, o, str_from(o->fallback), name.p);
    if (o->required)
        return fail(p->cx, ERR_USAGE, "%s needs %.*s %s", p->cli->path, STR_FMT(name),
                    o->value ? o->value : "VALUE");
    return ERR_OK;
}

static err complete_options(struct parser *p)
{
    for (const struct cli_option *o = cli_global_options; o->name; o++)
        TRY(complete_option(p, o, p->global_seen[o - cli_global_options]));
    if (p->cli->help || p->cli->version)
        return ERR_OK; /* they need nothing else to be right */
    for (const struct cli_option *o = own_options(p); o->name; o++)
        TRY(complete_option(p, o, p->seen[o - own_options(p)]));
    return ERR_OK;
}

static err check_operands(struct parser *p)
{
    const struct command *c = p->cli->command;
    size_t count = p->cli->operands.count, max = c->operands ? c->operands_max : 0;

    if (count > 0 && !c->operands)
        return fail(p->cx, ERR_USAGE, "%s takes no '%.*s'", p->cli->path,
                    STR_FMT(p->cli->operands.items[0]));
    if (count > max && max > 0)
        return fail(p->cx, ERR_USAGE, "%s takes %zu of %s at most, not %zu", p->cli->path, max,
                    c->operands, count);
    if (count < c->operands_min)
        return fail(p->cx, ERR_USAGE, "%s needs %s", p->cli->path, c->operands);
    return ERR_OK;
}

/* "--set name=value" lies among the settings before the dotted flags, which are more exact. */
static err add_set_options(struct parser *p)
{
    struct cli *cli = p->cli;
    size_t count = cli->setting_count;
    struct config_setting *dotted = cli->settings;

    cli->settings = arena_new(p->cx->mem, struct config_setting, SETTINGS_MAX);
    cli->setting_count = 0;
    for (size_t i = 0; i < cli->set.count; i++) {
        str value = cli->set.items[i], name = str_cut(&value, '=');

        if (!value.p)
            return fail(p->cx, ERR_USAGE, "--set needs NAME=VALUE, not '%.*s'", STR_FMT(name));
        TRY(add_setting(p, name, value));
    }
    for (size_t i = 0; i < count; i++)
        TRY(add_setting(p, dotted[i].name, dotted[i].value));
    if (cli->data.p)
        TRY(add_setting(p, S("data.dir"), cli->data));
    return ERR_OK;
}

err cli_parse(struct ctx *cx, struct cli *cli, const char *const *argv, void **out_args)
{
    struct parser p = {.cx = cx, .cli = cli, .next = argv + (argv[0] ? 1 : 0)};

    p.table = cli->commands;
    p.seen = arena_new(cx->mem, bool, 1); /* until a command brings its own table */
    p.global_seen = arena_new(cx->mem, bool, option_count(cli_global_options) + 1);
    cli->settings = arena_new(cx->mem, struct config_setting, SETTINGS_MAX);
    cli->operands.items = arena_new(cx->mem, str, OPERANDS_MAX);
    TRY(parse_words(&p));
    TRY(complete_options(&p));
    *out_args = p.args;
    if (cli->help || cli->version)
        return ERR_OK;
    if (p.table)
        return fail(cx, ERR_USAGE, "%s%sa command is needed", cli->path ? cli->path : "",
                    cli->path ? ": " : "");
    TRY(check_operands(&p));
    return add_set_options(&p);
}
