/* config_yaml.c - reads a settings file by libyaml's document API.
 *
 * libcyaml, which stands on the same parser, checks YAML against a C table too, but it stops at the
 * first wrong key and tells its line only in the text of a log callback.  libyaml's nodes carry
 * line and column, so here every wrong place of the file is reported at once, and the one table of
 * settings (config.def) stays the only one.
 *
 * "http:\n  listen: X" and "http.listen: X" mean the same.  Depth is bounded by the depth of
 * setting names, so aliases cannot blow the walk up. */
#include "ops/config_yaml.h"
#include "ops/suggest.h"
#include <yaml.h>

enum { CONFIG_ENTRIES_MAX = 1000 };

struct walk {
    struct ctx *cx;
    yaml_document_t *document;
    str path;
    struct config_entries *out;
};

static void parser_cleanup(yaml_parser_t *p)
{
    yaml_parser_delete(p);
}

static void document_cleanup(yaml_document_t *d)
{
    yaml_document_delete(d);
}

static str place(const struct walk *w, yaml_mark_t mark)
{
    return arena_printf(w->cx->mem, "%.*s:%zu:%zu", STR_FMT(w->path), mark.line + 1,
                        mark.column + 1);
}

static str scalar(const yaml_node_t *node)
{
    return (str){(const char *)node->data.scalar.value, node->data.scalar.length};
}

static bool is_absent(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0 &&
           node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* Is there a setting "<name>.…"? */
static bool is_group(str name)
{
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        str row = str_from(config_rows[i].name);

        if (str_starts(row, name) && row.n > name.n && row.p[name.n] == '.')
            return true;
    }
    return false;
}

static void report_unknown_group(const struct walk *w, str name, yaml_mark_t mark)
{
    struct suggestion near = suggest_begin(name);

    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        str row = str_from(config_rows[i].name);

        suggest_try(&near, str_slice(row, 0, str_find_char(row, '.')));
    }
    ctx_add_issue(w->cx, place(w, mark), "there is no group of settings '%.*s'%s", STR_FMT(name),
                  suggest_text(w->cx, &near));
}

static void add(const struct walk *w, str key, struct strs values, yaml_mark_t mark)
{
    if (w->out->count < CONFIG_ENTRIES_MAX)
        w->out->items[w->out->count++] = (struct config_entry){
            .key = key, .values = values, .line = mark.line + 1, .column = mark.column + 1};
}

static void add_sequence(const struct walk *w, str key, const yaml_node_t *node, yaml_mark_t mark)
{
    const yaml_node_item_t *from = node->data.sequence.items.start;
    size_t count = (size_t)(node->data.sequence.items.top - from);
    str *items = arena_new(w->cx->mem, str, count + 1);

    for (size_t i = 0; i < count; i++) {
        yaml_node_t *item = yaml_document_get_node(w->document, from[i]);

        if (item->type != YAML_SCALAR_NODE) {
            ctx_add_issue(w->cx, place(w, item->start_mark), "'%.*s' is a list of texts only",
                          STR_FMT(key));
            return;
        }
        items[i] = arena_str(w->cx->mem, scalar(item));
    }
    add(w, key, (struct strs){items, count}, mark);
}

static void walk_mapping(const struct walk *w, str prefix, const yaml_node_t *mapping);

static void walk_pair(const struct walk *w, str prefix, const yaml_node_t *key,
                      const yaml_node_t *value)
{
    str name, *one;

    if (key->type != YAML_SCALAR_NODE || key->data.scalar.length == 0) {
        ctx_add_issue(w->cx, place(w, key->start_mark), "the name of a setting must be a word");
        return;
    }
    name = arena_printf(w->cx->mem, "%.*s%s%.*s", STR_FMT(prefix), prefix.n ? "." : "",
                        STR_FMT(scalar(key)));
    if (value->type == YAML_MAPPING_NODE) {
        if (is_group(name))
            walk_mapping(w, name, value);
        else
            report_unknown_group(w, name, key->start_mark);
    } else if (value->type == YAML_SEQUENCE_NODE) {
        add_sequence(w, name, value, key->start_mark);
    } else if (!is_absent(value)) {
        one = arena_new(w->cx->mem, str, 1);
        *one = arena_str(w->cx->mem, scalar(value));
        add(w, name, (struct strs){one, 1}, key->start_mark);
    } else if (!is_group(name)) { /* a group whose lines are all commented out is fine */
        ctx_add_issue(w->cx, place(w, key->start_mark), "'%.*s' has no value", STR_FMT(name));
    }
}

static void walk_mapping(const struct walk *w, str prefix, const yaml_node_t *mapping)
{
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++)
        walk_pair(w, prefix, yaml_document_get_node(w->document, pair->key),
                  yaml_document_get_node(w->document, pair->value));
}

static void report_syntax(const struct walk *w, const yaml_parser_t *parser)
{
    ctx_add_issue(w->cx, place(w, parser->problem_mark), "this is not YAML: %s",
                  parser->problem ? parser->problem : "it cannot be read");
}

static void walk_document(const struct walk *w)
{
    const yaml_node_t *root = yaml_document_get_root_node(w->document);

    if (!root || is_absent(root))
        return; /* empty, or comments only */
    if (root->type == YAML_MAPPING_NODE)
        walk_mapping(w, S(""), root);
    else
        ctx_add_issue(w->cx, place(w, root->start_mark), "settings are written as 'name: value'");
}

/* A second document in the file would be silently without effect. */
static void refuse_more(const struct walk *w, yaml_parser_t *parser)
{
    CLEANUP(document_cleanup) yaml_document_t more = {0};

    if (!yaml_parser_load(parser, &more))
        report_syntax(w, parser);
    else if (yaml_document_get_root_node(&more))
        ctx_add_issue(w->cx, place(w, more.start_mark), "a second YAML document is not read");
}

void config_yaml_read(struct ctx *cx, str text, str path, struct config_entries *out)
{
    CLEANUP(parser_cleanup) yaml_parser_t parser = {0};
    CLEANUP(document_cleanup) yaml_document_t document = {0};
    struct walk w = {cx, &document, path, out};

    *out = (struct config_entries){arena_new(cx->mem, struct config_entry, CONFIG_ENTRIES_MAX), 0};
    ENSURE(yaml_parser_initialize(&parser));
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
    if (!yaml_parser_load(&parser, &document)) {
        report_syntax(&w, &parser);
        return;
    }
    walk_document(&w);
    refuse_more(&w, &parser);
}
