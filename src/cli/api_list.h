/* api_list.h - lists of the API as tables, and objects that a command made or changed.
 *
 * Inner header of src/cli. */
#pragma once
#include "cli/remote.h"

enum api_column_kind { API_TEXT, API_TIME, API_LIST };

struct api_column {
    const char *title, *member;
    enum api_column_kind kind;
};

/* Every page of the list at `path`; with --json one object with all `items`. */
err api_list_print(struct ctx *cx, struct cli *cli, const char *path,
                   const struct api_column *columns, size_t count);
/* One segment of a path, percent-encoded; arena `mem`. */
str path_segment(struct ctx *cx, str text);
