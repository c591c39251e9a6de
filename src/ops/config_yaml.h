/* config_yaml.h - a YAML file of settings as a flat list.  Inner header of ops/config*.c. */
#pragma once
#include "ops/config.h"

struct config_entry {
    str key;             /* dotted: "http.listen" */
    struct strs values;  /* one, or the items of a sequence */
    size_t line, column; /* of the key, from 1 */
};

struct config_entries {
    struct config_entry *items;
    size_t count;
};

/* All settings of the text, in order; arena `mem`.  Wrong places become issues of the context
 * (pointer "<path>:<line>:<column>") and are left out. */
void config_yaml_read(struct ctx *cx, str text, str path, struct config_entries *out);
