/* config.h - the settings of Chancery, where each came from, and what is wrong with them.
 *
 * Rows stand in config.def.  Strongest first: command-line flags, environment (CHANCERY_…, for
 * secrets also CHANCERY_…_FILE), systemd credentials (secrets), file, default.  The whole of every
 * source is checked, so a wrong value is reported even where a stronger source hides it.
 * Secrets are never formatted.  A loaded configuration is read-only; any thread may read it. */
#pragma once
#include "base/base.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/shape.h"

enum config_kind {
    CONFIG_BOOL,
    CONFIG_INT,
    CONFIG_SIZE,
    CONFIG_DURATION,
    CONFIG_STRING,
    CONFIG_PATH,
    CONFIG_ADDRESS, /* host:port */
    CONFIG_URL,     /* http:// or https://, without a slash at its end */
    CONFIG_CHOICE,
    CONFIG_LIST, /* of strings */
};

enum config_flags {
    CONFIG_SECRET = 1, /* never printed; not taken from the command line */
    CONFIG_RELOAD = 2, /* config_reload() applies a change to a running server */
};

enum config_key {
#define C(kind, group, name, fallback, min, max, flags, help) CONFIG_KEY_##group##_##name,
#include "ops/config.def"
    CONFIG_KEY_COUNT
};

enum config_level {
    CONFIG_FROM_DEFAULT,
    CONFIG_FROM_FILE,
    CONFIG_FROM_CREDENTIAL,
    CONFIG_FROM_ENVIRONMENT,
    CONFIG_FROM_FLAG,
};

struct config_origin {
    enum config_level level;
    str where; /* "default", "chancery.yaml:3:11", "CHANCERY_HTTP_LISTEN", "--http.listen" */
};

#define CONFIG_MEMBER_BOOL(field) bool field;
#define CONFIG_MEMBER_INT(field) int64_t field;
#define CONFIG_MEMBER_SIZE(field) uint64_t field;
#define CONFIG_MEMBER_DURATION(field) int64_t field##_ns;
#define CONFIG_MEMBER_STRING(field) str field; /* NUL-terminated, as all texts here */
#define CONFIG_MEMBER_PATH(field) str field;
#define CONFIG_MEMBER_ADDRESS(field) str field;
#define CONFIG_MEMBER_URL(field) str field;
#define CONFIG_MEMBER_CHOICE(field) str field;
#define CONFIG_MEMBER_LIST(field) struct strs field;

struct config {
#define C(kind, group, name, fallback, min, max, flags, help) CONFIG_MEMBER_##kind(group##_##name)
#include "ops/config.def"
    struct config_origin origin[CONFIG_KEY_COUNT];
    str file; /* the file that was read; null: none */
};

struct config_row {
    const char *name; /* "http.listen" */
    enum config_kind kind;
    uint32_t offset; /* of the field in struct config */
    unsigned flags;
    const char *fallback, *min, *max, *help;
};
extern const struct config_row config_rows[CONFIG_KEY_COUNT];

struct config_setting {
    str name, value; /* as on the command line */
};

struct config_sources {
    struct fs fs;
    str file; /* must exist; null: <data.dir>/chancery.yaml, else system_file, else none */
    const char *system_file;            /* NULL: /etc/chancery/chancery.yaml */
    const char *const *environment;     /* as environ(7); NULL: empty */
    const struct config_setting *flags; /* later ones win; those of a list add up */
    size_t flag_count;
};

/* Strings are in cx->mem.  CONFIG with one issue per wrong place: its pointer is the place (file
 * with line and column, variable, flag). */
err config_load(struct ctx *cx, const struct config_sources *sources, struct config *out);
void config_defaults(struct ctx *cx, struct config *out);
/* Load again for a running server: `*running` takes the changed settings that can be reloaded;
 * names of changed settings that need a restart are put into `restart`, separated by blanks.
 * `cx` must live as long as the server. */
err config_reload(struct ctx *cx, const struct config_sources *sources, struct config *running,
                  struct buf *restart);

/* CONFIG_KEY_COUNT when there is none of that name. */
enum config_key config_find(str name);
/* Put the value as a user would write it; a secret as "(secret, set)" or "(secret, not set)". */
void config_format(struct buf *b, const struct config *c, enum config_key key);
/* The same as a JSON value: numbers and sizes in bytes as numbers, durations as text. */
void config_format_json(struct buf *b, const struct config *c, enum config_key key);
void config_put_variable(struct buf *b, enum config_key key); /* "CHANCERY_HTTP_LISTEN" */
bool config_read_size(str text, uint64_t *out_bytes);         /* "4096", "64KiB", "1MB" */
const char *config_kind_name(enum config_kind kind);
const char *config_level_name(enum config_level level);

/* docs/configuration.md, whole. */
void config_docs(struct buf *b);
