/* config_value.c - the kinds of settings.
 *
 * Numbers (bool, int, size, duration) are handled as int64_t between text and field; all other
 * kinds are texts with a check of their form.  Adding a kind is a row of `kinds` and a
 * CONFIG_MEMBER_*. */
#include "ops/config_value.h"
#include "base/clock.h"
#include "base/json_write.h"
#include <inttypes.h>

/* clang-format off */
#define OFFSET_BOOL(field)     offsetof(struct config, field)
#define OFFSET_INT(field)      offsetof(struct config, field)
#define OFFSET_SIZE(field)     offsetof(struct config, field)
#define OFFSET_DURATION(field) offsetof(struct config, field##_ns)
#define OFFSET_STRING(field)   offsetof(struct config, field)
#define OFFSET_PATH(field)     offsetof(struct config, field)
#define OFFSET_ADDRESS(field)  offsetof(struct config, field)
#define OFFSET_URL(field)      offsetof(struct config, field)
#define OFFSET_CHOICE(field)   offsetof(struct config, field)
#define OFFSET_LIST(field)     offsetof(struct config, field)
/* clang-format on */

const struct config_row config_rows[CONFIG_KEY_COUNT] = {
#define C(kind_, group, name_, fallback_, min_, max_, flags_, help_)                               \
    {                                                                                              \
        .name = #group "." #name_,                                                                 \
        .kind = CONFIG_##kind_,                                                                    \
        .offset = OFFSET_##kind_(group##_##name_),                                                 \
        .flags = flags_,                                                                           \
        .fallback = fallback_,                                                                     \
        .min = min_,                                                                               \
        .max = max_,                                                                               \
        .help = help_,                                                                             \
    },
#include "ops/config.def"
};

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first: the writer takes the first that divides the value. */
static const struct unit count_units[] = {
    {"G", 1000000000}, {"M", 1000000}, {"k", 1000}, {"", 1}, {NULL, 0},
};
static const struct unit size_units[] = {
    {"TiB", INT64_C(1) << 40},
    {"GiB", 1 << 30},
    {"MiB", 1 << 20},
    {"KiB", 1 << 10},
    {"", 1},
    {"B", 1},
    {"TB", INT64_C(1000000000000)},
    {"GB", 1000000000},
    {"MB", 1000000},
    {"kB", 1000},
    {NULL, 0},
};
static const struct unit duration_units[] = {
    {"d", INT64_C(86400000000000)},
    {"h", INT64_C(3600000000000)},
    {"m", INT64_C(60000000000)},
    {"s", 1000000000},
    {"ms", 1000000},
    {"us", 1000},
    {"ns", 1},
    {NULL, 0},
};

/* A decimal number, blanks, a unit of the table in any letter case. */
static bool read_units(str text, const struct unit *units, int64_t *out)
{
    size_t digits = 0;
    uint64_t number;
    str unit;

    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
        digits++;
    if (!str_to_u64(str_slice(text, 0, digits), &number))
        return false;
    unit = str_trim(str_slice(text, digits, text.n));
    for (; units->name; units++)
        if (str_eq_nocase(unit, str_from(units->name)))
            return number <= INT64_MAX &&
                   !__builtin_mul_overflow((int64_t)number, units->factor, out);
    return false;
}

static void write_units(struct buf *b, const struct unit *units, int64_t v)
{
    while (units->factor > 1 && (v == 0 || v % units->factor != 0))
        units++;
    buf_put_i64(b, v / units->factor);
    buf_put(b, str_from(units->name));
}

static bool read_bool(str text, int64_t *out)
{
    static const char *const words[] = {"false", "no", "off", "0", "true", "yes", "on", "1"};

    for (size_t i = 0; i < COUNT(words); i++) {
        if (!str_eq_nocase(text, str_from(words[i])))
            continue;
        *out = i >= COUNT(words) / 2;
        return true;
    }
    return false;
}

static bool read_int(str text, int64_t *out)
{
    return str_to_i64(text, out) || read_units(text, count_units, out);
}

static bool read_size(str text, int64_t *out)
{
    return read_units(text, size_units, out);
}

bool config_read_size(str text, uint64_t *out_bytes)
{
    int64_t v;

    if (!read_size(text, &v))
        return false;
    *out_bytes = (uint64_t)v;
    return true;
}

static void write_bool(struct buf *b, int64_t v)
{
    buf_put(b, v ? S("true") : S("false"));
}

static void write_int(struct buf *b, int64_t v)
{
    if (v < 1000000)
        buf_put_i64(b, v);
    else
        write_units(b, count_units, v);
}

static void write_size(struct buf *b, int64_t v)
{
    write_units(b, size_units, v);
}

static void write_duration(struct buf *b, int64_t v)
{
    if (v == 0)
        buf_put(b, S("0s"));
    else
        write_units(b, duration_units, v);
}

static bool is_plain(str text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
            return false;
    return str_is_utf8(text);
}

static bool is_address(str text)
{
    size_t colon = text.n;
    uint64_t port;
    str host;

    while (colon > 0 && text.p[colon - 1] != ':')
        colon--;
    if (colon < 2 || !str_to_u64(str_slice(text, colon, text.n), &port) || port > 65535)
        return false;
    host = str_slice(text, 0, colon - 1);
    if (host.p[0] == '[')
        return host.n > 2 && host.p[host.n - 1] == ']';
    return str_find_char(host, ':') == host.n && str_find_char(host, ' ') == host.n;
}

static bool is_url(str text)
{
    str rest;

    if (str_starts(text, S("https://")))
        rest = str_slice(text, 8, text.n);
    else if (str_starts(text, S("http://")))
        rest = str_slice(text, 7, text.n);
    else
        return text.n == 0;
    return rest.n > 0 && rest.p[0] != '/' && !str_ends(rest, S("/")) &&
           str_find_char(rest, ' ') == rest.n;
}

/* clang-format off */
static const struct kind {
    const char *name; /* in the documentation */
    size_t bytes;     /* of the field */
    const char *form; /* "must be …" */
    bool (*read)(str text, int64_t *out); /* numbers only */
    void (*write)(struct buf *b, int64_t v);
    bool (*check)(str text); /* texts only */
} kinds[] = {
    [CONFIG_BOOL] = {"bool", sizeof(bool), "true or false", read_bool, write_bool, NULL},
    [CONFIG_INT] = {"int", sizeof(int64_t), "a whole number such as 500, 20k or 16M", read_int, write_int, NULL},
    [CONFIG_SIZE] = {"size", sizeof(uint64_t), "a size such as 4096, 64KiB or 1MB", read_size, write_size, NULL},
    [CONFIG_DURATION] = {"duration", sizeof(int64_t), "a duration such as 250ms, 90s, 15m, 24h or 7d",
                         duration_parse, write_duration, NULL},
    [CONFIG_STRING] = {"string", sizeof(str), "text without control characters", NULL, NULL, is_plain},
    [CONFIG_PATH] = {"path", sizeof(str), "a path without control characters", NULL, NULL, is_plain},
    [CONFIG_ADDRESS] = {"host:port", sizeof(str), "HOST:PORT, for example 127.0.0.1:8080 or [::1]:8080",
                        NULL, NULL, is_address},
    [CONFIG_URL] = {"URL", sizeof(str), "http://… or https://… without a slash at the end", NULL, NULL, is_url},
    [CONFIG_CHOICE] = {"choice", sizeof(str), "one of the words", NULL, NULL, is_plain},
    [CONFIG_LIST] = {"list", sizeof(struct strs), "texts without control characters", NULL, NULL, is_plain},
};
/* clang-format on */

const char *config_kind_name(enum config_kind kind)
{
    return kinds[kind].name;
}

static const void *field_of(const struct config *c, enum config_key key)
{
    return (const char *)c + config_rows[key].offset;
}

static void *field_to_set(struct config *c, enum config_key key)
{
    return (char *)c + config_rows[key].offset;
}

static bool is_number(enum config_kind kind)
{
    return kinds[kind].read != NULL;
}

static int64_t number_of(const struct config *c, enum config_key key)
{
    const void *field = field_of(c, key);

    return config_rows[key].kind == CONFIG_BOOL ? *(const bool *)field : *(const int64_t *)field;
}

static void put_bound(struct buf *b, enum config_kind kind, const char *text)
{
    int64_t v;

    if (is_number(kind) && kinds[kind].read(str_from(text), &v))
        kinds[kind].write(b, v);
    else
        buf_put(b, str_from(text));
}

void config_put_bounds(struct buf *b, enum config_key key)
{
    const struct config_row *row = &config_rows[key];

    if (row->kind == CONFIG_CHOICE) {
        for (str rest = str_from(row->min); rest.p;) {
            buf_put(b, str_cut(&rest, '|'));
            buf_put(b, rest.p ? S(", ") : S(""));
        }
        return;
    }
    if (!is_number(row->kind) || row->kind == CONFIG_BOOL)
        return;
    put_bound(b, row->kind, row->min);
    buf_put(b, S(" to "));
    put_bound(b, row->kind, row->max);
}

/* Texts and lists are bounded by length, numbers by value; both bounds stand in the row as text. */
static bool in_bounds(const struct config_row *row, int64_t v)
{
    bool (*read)(str, int64_t *) = is_number(row->kind) ? kinds[row->kind].read : str_to_i64;
    int64_t min = INT64_MIN, max = INT64_MAX;

    if (row->min[0])
        ENSURE(read(str_from(row->min), &min));
    if (row->max[0])
        ENSURE(read(str_from(row->max), &max));
    return min <= v && v <= max;
}

static const char *why_number(struct ctx *cx, enum config_key key)
{
    CLEANUP(buf_close) struct buf b = BUF(256);

    config_put_bounds(&b, key);
    return arena_printf(cx->mem, "must be %.*s", STR_FMT(buf_str(&b))).p;
}

static bool set_number(struct ctx *cx, struct config *c, enum config_key key, str text,
                       const char **out_why)
{
    const struct config_row *row = &config_rows[key];
    void *field = field_to_set(c, key);
    int64_t v;

    if (!kinds[row->kind].read(text, &v)) {
        *out_why = arena_printf(cx->mem, "must be %s", kinds[row->kind].form).p;
        return false;
    }
    if (!in_bounds(row, v)) {
        *out_why = why_number(cx, key);
        return false;
    }
    if (row->kind == CONFIG_BOOL)
        *(bool *)field = v != 0;
    else
        *(int64_t *)field = v;
    return true;
}

static bool is_choice(const struct config_row *row, str text)
{
    for (str rest = str_from(row->min); rest.p;)
        if (str_eq(str_cut(&rest, '|'), text))
            return true;
    return false;
}

static bool set_choice(struct ctx *cx, struct config *c, enum config_key key, str text,
                       const char **out_why)
{
    CLEANUP(buf_close) struct buf words = BUF(256);

    if (is_choice(&config_rows[key], text)) {
        *(str *)field_to_set(c, key) = arena_str(cx->mem, text);
        return true;
    }
    config_put_bounds(&words, key);
    *out_why = arena_printf(cx->mem, "must be one of %.*s", STR_FMT(buf_str(&words))).p;
    return false;
}

static const char *why_length(struct ctx *cx, const struct config_row *row, const char *of)
{
    if (strcmp(row->min, "1") == 0 && !row->max[0])
        return "must not be empty";
    return arena_printf(cx->mem, "must have %s to %s %s", row->min[0] ? row->min : "0",
                        row->max[0] ? row->max : "any number of", of)
        .p;
}

static bool set_text(struct ctx *cx, struct config *c, enum config_key key, str text,
                     const char **out_why)
{
    const struct config_row *row = &config_rows[key];

    if (!in_bounds(row, (int64_t)text.n)) {
        *out_why = why_length(cx, row, "bytes");
        return false;
    }
    if (!is_plain(text) || !kinds[row->kind].check(text)) {
        *out_why = arena_printf(cx->mem, "must be %s", kinds[row->kind].form).p;
        return false;
    }
    *(str *)field_to_set(c, key) = arena_str(cx->mem, text);
    return true;
}

static bool set_list(struct ctx *cx, struct config *c, enum config_key key, struct strs values,
                     const char **out_why)
{
    const struct config_row *row = &config_rows[key];
    struct strs *field = field_to_set(c, key);
    str *items;

    if (!in_bounds(row, (int64_t)values.count)) {
        *out_why = why_length(cx, row, "items");
        return false;
    }
    items = arena_new(cx->mem, str, values.count + 1);
    for (size_t i = 0; i < values.count; i++) {
        if (values.items[i].n == 0 || !kinds[row->kind].check(values.items[i])) {
            *out_why =
                arena_printf(cx->mem, "must be %s, none of them empty", kinds[row->kind].form).p;
            return false;
        }
        items[i] = arena_str(cx->mem, values.items[i]);
    }
    *field = (struct strs){items, values.count};
    return true;
}

bool config_value_set(struct ctx *cx, struct config *c, enum config_key key, struct strs values,
                      const char **out_why)
{
    enum config_kind kind = config_rows[key].kind;

    if (kind == CONFIG_LIST)
        return set_list(cx, c, key, values, out_why);
    if (values.count != 1) {
        *out_why = "takes one value, not a list";
        return false;
    }
    if (is_number(kind))
        return set_number(cx, c, key, values.items[0], out_why);
    if (kind == CONFIG_CHOICE)
        return set_choice(cx, c, key, values.items[0], out_why);
    return set_text(cx, c, key, values.items[0], out_why);
}

bool config_value_equal(const struct config *a, const struct config *b, enum config_key key)
{
    const struct strs *x = field_of(a, key), *y = field_of(b, key);

    if (is_number(config_rows[key].kind))
        return number_of(a, key) == number_of(b, key);
    if (config_rows[key].kind != CONFIG_LIST)
        return str_eq(*(const str *)field_of(a, key), *(const str *)field_of(b, key));
    if (x->count != y->count)
        return false;
    for (size_t i = 0; i < x->count; i++)
        if (!str_eq(x->items[i], y->items[i]))
            return false;
    return true;
}

void config_value_copy(struct config *to, const struct config *from, enum config_key key)
{
    memcpy(field_to_set(to, key), field_of(from, key), kinds[config_rows[key].kind].bytes);
}

static bool is_set(const struct config *c, enum config_key key)
{
    return ((const str *)field_of(c, key))->n > 0;
}

void config_format(struct buf *b, const struct config *c, enum config_key key)
{
    const struct config_row *row = &config_rows[key];
    const struct strs *list = field_of(c, key);

    if (row->flags & CONFIG_SECRET) {
        buf_put(b, is_set(c, key) ? S("(secret, set)") : S("(secret, not set)"));
    } else if (is_number(row->kind)) {
        kinds[row->kind].write(b, number_of(c, key));
    } else if (row->kind == CONFIG_LIST) {
        for (size_t i = 0; i < list->count; i++) {
            buf_put(b, i ? S(", ") : S(""));
            buf_put(b, list->items[i]);
        }
    } else {
        buf_put(b, *(const str *)field_of(c, key));
    }
}

static void format_list_json(struct buf *b, const struct strs *list)
{
    json_open(b, '[');
    for (size_t i = 0; i < list->count; i++)
        json_put_str(b, list->items[i]);
    json_close(b, ']');
}

void config_format_json(struct buf *b, const struct config *c, enum config_key key)
{
    const struct config_row *row = &config_rows[key];
    CLEANUP(buf_close) struct buf text = BUF(1 << 16);

    if (row->flags & CONFIG_SECRET || row->kind == CONFIG_DURATION) {
        config_format(&text, c, key);
        json_put_str(b, buf_str(&text));
    } else if (row->kind == CONFIG_BOOL) {
        json_put_bool(b, number_of(c, key) != 0);
    } else if (is_number(row->kind)) {
        json_put_i64(b, number_of(c, key));
    } else if (row->kind == CONFIG_LIST) {
        format_list_json(b, field_of(c, key));
    } else {
        json_put_str(b, *(const str *)field_of(c, key));
    }
}
