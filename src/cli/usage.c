/* usage.c - lays help out in at most 80 columns; bold headings where the terminal can. */
#include "cli/usage.h"
#include "cli/option.h"

enum { USAGE_COLUMNS = 80, USAGE_LEFT_MAX = 26, USAGE_BYTES_MAX = 1 << 18 };

struct page {
    struct buf *b;
    struct arena *mem;
    const struct terminal *terminal;
    size_t columns;
};

static void heading(const struct page *p, const char *text)
{
    buf_printf(p->b, "\n%s%s%s\n", terminal_style(p->terminal, STYLE_BOLD), text,
               terminal_style(p->terminal, STYLE_PLAIN));
}

static void paragraphs(const struct page *p, const char *text)
{
    text_wrap(p->b, str_from(text), 0, 0, p->columns);
    buf_put_char(p->b, '\n');
}

/* "  left   right", the right side wrapped in its own column. */
static void row(const struct page *p, str left, size_t left_columns, str right)
{
    size_t at = left_columns + 4;

    buf_printf(p->b, "  %.*s", STR_FMT(left));
    if (text_columns(left) > left_columns)
        buf_printf(p->b, "\n%*s", (int)at, "");
    else
        buf_printf(p->b, "%*s", (int)(at - 2 - text_columns(left)), "");
    text_wrap(p->b, right, at, at, p->columns);
    buf_put_char(p->b, '\n');
}

static void commands(const struct page *p, const struct command *const *table)
{
    size_t widest = 0;

    for (const struct command *const *c = table; *c; c++)
        widest = size_max(widest, strlen((*c)->name));
    for (const struct command *const *c = table; *c; c++)
        row(p, str_from((*c)->name), widest, str_from((*c)->summary));
}

static str option_left(struct arena *mem, const struct cli_option *o)
{
    str name = option_name(mem, o);
    const char *value = o->value ? o->value : "VALUE";
    str left = o->letter ? arena_printf(mem, "-%c, %.*s", o->letter, STR_FMT(name))
                         : arena_printf(mem, "    %.*s", STR_FMT(name));

    return option_takes_value(o) ? arena_printf(mem, "%.*s %s", STR_FMT(left), value) : left;
}

static void put_choices(struct buf *b, const char *choices)
{
    buf_put(b, S(": "));
    for (str rest = str_from(choices); rest.p;) {
        buf_put(b, str_cut(&rest, '|'));
        buf_put(b, rest.p ? S(", ") : S(""));
    }
}

void usage_put_option_help(struct buf *b, const struct cli_option *o)
{
    buf_put(b, str_from(o->help));
    if (o->choices)
        put_choices(b, o->choices);
    if (o->kind == OPT_TEXTS)
        buf_put(b, S(" (may be repeated)"));
    if (o->required)
        buf_put(b, S(" (required)"));
    if (o->fallback)
        buf_printf(b, " [default: %s]", o->fallback);
    if (o->env)
        buf_printf(b, " [env: %s]", o->env);
}

static void options(const struct page *p, const struct cli_option *table)
{
    CLEANUP(buf_close) struct buf right = BUF(USAGE_BYTES_MAX);
    size_t widest = 0;

    for (const struct cli_option *o = table; o->name; o++)
        widest = size_max(widest, option_left(p->mem, o).n);
    for (const struct cli_option *o = table; o->name; o++) {
        buf_clear(&right);
        usage_put_option_help(&right, o);
        row(p, option_left(p->mem, o), size_min(widest, USAGE_LEFT_MAX), buf_str(&right));
    }
}

/* Indented, lines kept. */
static void examples(const struct page *p, const char *text)
{
    for (str rest = str_from(text); rest.n > 0;) {
        str line = str_cut(&rest, '\n');

        buf_printf(p->b, "  %.*s\n", STR_FMT(line));
    }
}

static void command_page(const struct page *p, const struct cli *cli)
{
    const struct command *c = cli->command;

    paragraphs(p, arena_printf(p->mem, "chancery %s - %s", cli->path, c->summary).p);
    heading(p, "Usage");
    buf_printf(p->b, "  chancery %s%s%s%s%s\n", cli->path, c->sub ? " COMMAND" : "",
               c->options ? " [OPTION...]" : "", c->operands ? " " : "",
               c->operands ? c->operands : "");
    if (c->operands && c->operand_help)
        row(p, str_from(c->operands), strlen(c->operands), str_from(c->operand_help));
    if (c->details) {
        buf_put_char(p->b, '\n');
        paragraphs(p, c->details);
    }
    if (c->sub) {
        heading(p, "Commands");
        commands(p, c->sub);
    }
    if (c->options) {
        heading(p, "Options");
        options(p, c->options);
    }
    heading(p, "Global options");
    options(p, cli_global_options);
    if (c->examples) {
        heading(p, "Examples");
        examples(p, c->examples);
    }
}

static void front_page(const struct page *p, const struct cli *cli)
{
    buf_printf(p->b, "chancery %s - the office that keeps the records, and can prove each one\n",
               CHANCERY_VERSION);
    heading(p, "Usage");
    buf_put(p->b, S("  chancery COMMAND [OPTION...]\n"));
    heading(p, "Commands");
    commands(p, cli->commands);
    heading(p, "Global options");
    options(p, cli_global_options);
    buf_put_char(p->b, '\n');
    paragraphs(p,
               "'chancery help COMMAND' explains one of them. Exit statuses: 0 good, 1 the answer "
               "is no, 2 wrong usage or configuration, 3 I/O or another failure.");
}

void usage_print(const struct cli *cli, FILE *to)
{
    CLEANUP(buf_close) struct buf b = BUF(USAGE_BYTES_MAX);
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    const struct terminal t = terminal_of(to, cli->environment);
    const struct page p = {&b, cx->mem, &t, size_min(t.columns, USAGE_COLUMNS)};

    if (cli->command)
        command_page(&p, cli);
    else
        front_page(&p, cli);
    fwrite(b.p, 1, b.n, to);
}
