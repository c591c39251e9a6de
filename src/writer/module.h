/* module.h - the table of modules: what each domain brings.  The one instance is src/modules.c.
 *
 * Adding a domain = a folder and a row. */
#pragma once
#include "base/metric.h"
#include "http/route.h"
#include "store/store.h"
#include "writer/event.h"

struct app;

struct job {
    const char *name; /* NULL ends a table */
    int64_t every_ns;
    err (*run)(struct ctx *cx, struct app *app);
};

struct module {
    const char *name; /* NULL ends the table */
    const struct route *routes;
    const struct event_kind *events;
    const struct migration *view_migrations;
    const struct job *jobs;
    struct metric *const *metrics; /* NULL-ended */
};

extern const struct module modules[];
