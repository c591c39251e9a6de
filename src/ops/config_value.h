/* config_value.h - what a setting's text means: reading, bounds and writing, one row per kind.
 * Inner header of ops/config*.c. */
#pragma once
#include "ops/config.h"

/* Read `values` (one text; several for a list) into the field of `key`.  False when a text does not
 * fit: `*out_why` then says what it must be ("must be between 1 and 64"). */
bool config_value_set(struct ctx *cx, struct config *c, enum config_key key, struct strs values,
                      const char **out_why);
bool config_value_equal(const struct config *a, const struct config *b, enum config_key key);
void config_value_copy(struct config *to, const struct config *from, enum config_key key);
/* A bound as people read it: "64KiB"; "" when there is none. */
void config_put_bounds(struct buf *b, enum config_key key);
