/* config.c - brings the sources of settings together: default, file, credentials, environment,
 * flags, each one over the one before. */
#include "ops/config.h"
#include "ops/config_value.h"
#include "ops/config_yaml.h"
#include "ops/suggest.h"

enum { CONFIG_FILE_BYTES_MAX = 1 << 18, CONFIG_SECRET_BYTES_MAX = 1 << 16 };

struct alias {
    const char *old;
    enum config_key key;
};

static const struct alias aliases[] = {
#define A(old_, group, name) {.old = old_, .key = CONFIG_KEY_##group##_##name},
#include "ops/config.def"
};

/* Variables that other parts read: they belong to us, but are no settings. */
static const char *const other_variables[] = {
#define ENV(name, help) name,
#include "ops/config.def"
};

struct loading {
    struct ctx *cx;
    const struct config_sources *from;
    struct config *out;
};

enum config_key config_find(str name)
{
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++)
        if (str_eq(name, str_from(config_rows[i].name)))
            return (enum config_key)i;
    for (size_t i = 0; i < COUNT(aliases); i++)
        if (str_eq(name, str_from(aliases[i].old)))
            return aliases[i].key;
    return CONFIG_KEY_COUNT;
}

const char *config_level_name(enum config_level level)
{
    static const char *const names[] = {"default", "file", "credential", "environment", "flag"};

    return names[level];
}

void config_put_variable(struct buf *b, enum config_key key)
{
    buf_put(b, S("CHANCERY_"));
    for (const char *p = config_rows[key].name; *p; p++)
        buf_put_char(b, *p == '.' ? '_' : (char)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p));
}

static str variable_of(struct ctx *cx, enum config_key key)
{
    CLEANUP(buf_close) struct buf b = BUF(256);

    config_put_variable(&b, key);
    return arena_str(cx->mem, buf_str(&b));
}

static void set(const struct loading *l, enum config_key key, struct strs values,
                struct config_origin origin)
{
    const struct config_row *row = &config_rows[key];
    const char *why;

    if (config_value_set(l->cx, l->out, key, values, &why))
        l->out->origin[key] = origin;
    else if (row->flags & CONFIG_SECRET || values.count != 1)
        ctx_add_issue(l->cx, origin.where, "%s %s", row->name, why);
    else
        ctx_add_issue(l->cx, origin.where, "%s is '%.*s' but %s", row->name,
                      STR_FMT(values.items[0]), why);
}

static void report_unknown(const struct loading *l, str place, str name)
{
    struct suggestion near = suggest_begin(name);

    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++)
        suggest_try(&near, str_from(config_rows[i].name));
    ctx_add_issue(l->cx, place, "there is no setting '%.*s'%s", STR_FMT(name),
                  suggest_text(l->cx, &near));
}

/* Lists on one line: items between commas or line ends. */
static struct strs split(struct ctx *cx, str text)
{
    struct strs out = {.items = arena_new(cx->mem, str, text.n + 1)};
    size_t start = 0;

    for (size_t i = 0; i <= text.n; i++) {
        str item;

        if (i < text.n && text.p[i] != ',' && text.p[i] != '\n')
            continue;
        item = str_trim(str_slice(text, start, i));
        if (item.n > 0)
            out.items[out.count++] = item;
        start = i + 1;
    }
    return out;
}

static struct strs values_of(struct ctx *cx, enum config_key key, str text)
{
    str *one;

    if (config_rows[key].kind == CONFIG_LIST)
        return split(cx, text);
    one = arena_new(cx->mem, str, 1);
    *one = text;
    return (struct strs){one, 1};
}

/* --- default --- */

static void set_defaults(const struct loading *l)
{
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++)
        set(l, (enum config_key)i,
            values_of(l->cx, (enum config_key)i, str_from(config_rows[i].fallback)),
            (struct config_origin){CONFIG_FROM_DEFAULT, S("default")});
}

void config_defaults(struct ctx *cx, struct config *out)
{
    const struct config_sources none = {0};
    const struct loading l = {cx, &none, out};

    *out = (struct config){0};
    set_defaults(&l);
    ENSURE(cx->issue_count == 0);
}

/* --- file --- */

static str environment_get(const struct config_sources *from, str name)
{
    for (const char *const *e = from->environment; e && *e; e++) {
        str rest = str_from(*e);

        if (str_eq(str_cut(&rest, '='), name) && rest.p)
            return rest;
    }
    return STR_NULL;
}

/* The data folder as flags and environment say: it tells where the file is. */
static str early_data_dir(const struct loading *l)
{
    str dir = environment_get(l->from, variable_of(l->cx, CONFIG_KEY_data_dir));

    for (size_t i = 0; i < l->from->flag_count; i++)
        if (config_find(l->from->flags[i].name) == CONFIG_KEY_data_dir)
            dir = l->from->flags[i].value;
    return dir.n > 0 ? dir : str_from(config_rows[CONFIG_KEY_data_dir].fallback);
}

/* Sets out->file to the file to read, if any; *out_in_data: it was found in the data folder. */
static void find_file(const struct loading *l, bool *out_in_data)
{
    const char *system =
        l->from->system_file ? l->from->system_file : "/etc/chancery/chancery.yaml";
    str dir = early_data_dir(l);
    str beside = arena_printf(l->cx->mem, "%.*s/chancery.yaml", STR_FMT(dir));

    *out_in_data = false;
    if (l->from->file.p) {
        l->out->file = l->from->file;
    } else if (fs_exists(l->from->fs, beside.p)) {
        l->out->file = beside;
        *out_in_data = true;
    } else if (fs_exists(l->from->fs, system)) {
        l->out->file = str_from(system);
    }
}

static void set_entry(const struct loading *l, const struct config_entry *e, bool in_data)
{
    enum config_key key = config_find(e->key);
    str where = arena_printf(l->cx->mem, "%.*s:%zu:%zu", STR_FMT(l->out->file), e->line, e->column);

    if (key == CONFIG_KEY_COUNT) {
        report_unknown(l, where, e->key);
    } else if (l->out->origin[key].level == CONFIG_FROM_FILE) {
        ctx_add_issue(l->cx, where, "%s is set a second time, first at %.*s", config_rows[key].name,
                      STR_FMT(l->out->origin[key].where));
    } else if (in_data && key == CONFIG_KEY_data_dir) {
        ctx_add_issue(l->cx, where,
                      "data.dir cannot be set in the file that was found in the data folder; "
                      "use --data or /etc/chancery/chancery.yaml");
    } else {
        set(l, key, e->values, (struct config_origin){CONFIG_FROM_FILE, where});
    }
}

static err apply_file(const struct loading *l)
{
    struct config_entries entries;
    bool in_data;
    str text;

    find_file(l, &in_data);
    if (!l->out->file.p)
        return ERR_OK;
    if (fs_read_all(l->cx, l->from->fs, arena_z(l->cx->mem, l->out->file), CONFIG_FILE_BYTES_MAX,
                    &text) != ERR_OK) {
        str why = arena_str(l->cx->mem, str_from(l->cx->detail));

        return fail(l->cx, ERR_CONFIG, "the configuration file cannot be read: %.*s", STR_FMT(why));
    }
    config_yaml_read(l->cx, text, l->out->file, &entries);
    for (size_t i = 0; i < entries.count; i++)
        set_entry(l, &entries.items[i], in_data);
    return ERR_OK;
}

/* --- secrets in files --- */

/* One line end behind the secret is the editor's, not part of it. */
static void set_secret_file(const struct loading *l, enum config_key key, str path,
                            struct config_origin origin)
{
    str text;

    if (fs_read_all(l->cx, l->from->fs, arena_z(l->cx->mem, path), CONFIG_SECRET_BYTES_MAX,
                    &text) != ERR_OK) {
        ctx_add_issue(l->cx, origin.where, "%s cannot be read: %s", config_rows[key].name,
                      l->cx->detail);
        return;
    }
    if (str_ends(text, S("\n")))
        text.n--;
    set(l, key, values_of(l->cx, key, text), origin);
}

/* systemd's LoadCredential= puts them in a folder of memory that only the service can read. */
static void apply_credentials(const struct loading *l)
{
    str dir = environment_get(l->from, S("CREDENTIALS_DIRECTORY"));

    for (size_t i = 0; i < CONFIG_KEY_COUNT && dir.n > 0; i++) {
        const struct config_row *row = &config_rows[i];
        str path = arena_printf(l->cx->mem, "%.*s/%s", STR_FMT(dir), row->name);

        if (row->flags & CONFIG_SECRET && fs_exists(l->from->fs, path.p))
            set_secret_file(l, (enum config_key)i, path,
                            (struct config_origin){CONFIG_FROM_CREDENTIAL, path});
    }
}

/* --- environment --- */

static void report_unknown_variable(const struct loading *l, str name)
{
    struct suggestion near = suggest_begin(name);

    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++)
        suggest_try(&near, variable_of(l->cx, (enum config_key)i));
    for (size_t i = 0; i < COUNT(other_variables); i++)
        suggest_try(&near, str_from(other_variables[i]));
    ctx_add_issue(l->cx, name, "Chancery reads no variable of this name%s",
                  suggest_text(l->cx, &near));
}

static bool is_other_variable(str name)
{
    for (size_t i = 0; i < COUNT(other_variables); i++)
        if (str_eq(name, str_from(other_variables[i])))
            return true;
    return false;
}

/* A secret named both ways leaves open which is meant. */
static bool is_given_twice(const struct loading *l, enum config_key key, str file_name)
{
    str name = variable_of(l->cx, key);

    if (!environment_get(l->from, name).p)
        return false;
    ctx_add_issue(l->cx, file_name, "%.*s is set as well; leave one of them out", STR_FMT(name));
    return true;
}

static void apply_variable(const struct loading *l, str name, str value)
{
    struct config_origin origin = {CONFIG_FROM_ENVIRONMENT, arena_str(l->cx->mem, name)};

    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        enum config_key key = (enum config_key)i;
        str own = variable_of(l->cx, key);

        if (str_eq(name, own)) {
            set(l, key, values_of(l->cx, key, value), origin);
            return;
        }
        if (config_rows[i].flags & CONFIG_SECRET && str_starts(name, own) &&
            str_eq(str_slice(name, own.n, name.n), S("_FILE"))) {
            if (!is_given_twice(l, key, origin.where))
                set_secret_file(l, key, value, origin);
            return;
        }
    }
    if (!is_other_variable(name))
        report_unknown_variable(l, origin.where);
}

static void apply_environment(const struct loading *l)
{
    for (const char *const *e = l->from->environment; e && *e; e++) {
        str rest = str_from(*e), name = str_cut(&rest, '=');

        if (str_starts(name, S("CHANCERY_")) && rest.p)
            apply_variable(l, name, rest);
    }
}

/* --- flags --- */

static struct strs add_up(struct ctx *cx, struct strs a, struct strs b)
{
    str *items = arena_new(cx->mem, str, a.count + b.count + 1);

    for (size_t i = 0; i < a.count; i++)
        items[i] = a.items[i];
    for (size_t i = 0; i < b.count; i++)
        items[a.count + i] = b.items[i];
    return (struct strs){items, a.count + b.count};
}

static void apply_flag(const struct loading *l, const struct config_setting *flag)
{
    enum config_key key = config_find(flag->name);
    str where = arena_printf(l->cx->mem, "--%.*s", STR_FMT(flag->name));
    struct strs values;

    if (key == CONFIG_KEY_COUNT) {
        report_unknown(l, where, flag->name);
        return;
    }
    if (config_rows[key].flags & CONFIG_SECRET) {
        ctx_add_issue(l->cx, where,
                      "everyone on this machine can read a secret on a command line; put it in a "
                      "file and name that in %.*s_FILE",
                      STR_FMT(variable_of(l->cx, key)));
        return;
    }
    values = values_of(l->cx, key, flag->value);
    if (config_rows[key].kind == CONFIG_LIST && l->out->origin[key].level == CONFIG_FROM_FLAG) {
        struct strs before;

        memcpy(&before, (const char *)l->out + config_rows[key].offset, sizeof(before));
        values = add_up(l->cx, before, values);
    }
    set(l, key, values, (struct config_origin){CONFIG_FROM_FLAG, where});
}

/* --- all --- */

static void check_together(const struct loading *l)
{
    const struct config *c = l->out;

    if (c->session_idle_ns > c->session_absolute_ns)
        ctx_add_issue(l->cx, c->origin[CONFIG_KEY_session_idle].where,
                      "session.idle is longer than session.absolute");
    if (c->writer_batch_bytes_max > c->writer_queue_bytes_max)
        ctx_add_issue(l->cx, c->origin[CONFIG_KEY_writer_batch_bytes_max].where,
                      "writer.batch_bytes_max is larger than writer.queue_bytes_max");
}

err config_load(struct ctx *cx, const struct config_sources *sources, struct config *out)
{
    struct config c = {0};
    const struct loading l = {cx, sources, &c};

    cx->issues = NULL;
    cx->issue_count = 0;
    set_defaults(&l);
    TRY(apply_file(&l));
    apply_credentials(&l);
    apply_environment(&l);
    for (size_t i = 0; i < sources->flag_count; i++)
        apply_flag(&l, &sources->flags[i]);
    if (cx->issue_count == 0)
        check_together(&l);
    if (cx->issue_count > 1)
        return fail(cx, ERR_CONFIG, "%zu things are wrong in the configuration", cx->issue_count);
    if (cx->issue_count == 1)
        return fail(cx, ERR_CONFIG, "%.*s: %.*s", STR_FMT(cx->issues[0].pointer),
                    STR_FMT(cx->issues[0].detail));
    *out = c;
    return ERR_OK;
}

err config_reload(struct ctx *cx, const struct config_sources *sources, struct config *running,
                  struct buf *restart)
{
    struct config fresh;

    TRY(config_load(cx, sources, &fresh));
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        enum config_key key = (enum config_key)i;

        if (config_value_equal(running, &fresh, key))
            continue;
        if (config_rows[i].flags & CONFIG_RELOAD) {
            config_value_copy(running, &fresh, key);
            running->origin[key] = fresh.origin[key];
        } else {
            buf_put(restart, restart->n ? S(" ") : S(""));
            buf_put(restart, str_from(config_rows[i].name));
        }
    }
    return ERR_OK;
}
