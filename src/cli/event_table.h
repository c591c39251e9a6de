/* event_table.h - events as lines for people: as wide as the terminal, as they come.
 *
 * Values are what somebody sent: control characters are shown as '?', so nothing in an event can
 * reach into the terminal.  Inner header of src/cli. */
#pragma once
#include "base/json.h"
#include "cli/terminal.h"

struct event_table {
    struct terminal terminal;
    bool titled;
};

struct event_table event_table_open(struct terminal terminal);
/* `item` as in answers of the API: index, event or raw.  Titles before the first. */
void event_table_put(struct buf *b, struct event_table *t, struct json item);
/* Text that cannot move the cursor, cut to `columns` (0: not cut) with a mark. */
void put_shown(struct buf *b, str text, size_t columns);
