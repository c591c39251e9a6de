/* modules.c - the one table of modules: adding a domain = a folder and a row. */
#include "access/access.h"
#include "audit/audit.h"
#include "audit/ingest.h"
#include "http/metrics.h"
#include "ledger/metrics.h"
#include "ops/status.h"
#include "writer/metrics.h"
#include "writer/module.h"
#include "writer/view.h"

/* clang-format off */
const struct module modules[] = {
    {"http",   .metrics = http_metrics},
    {"ledger", .metrics = ledger_metrics},
    {"writer", .view_migrations = view_migrations, .metrics = writer_metrics},
    {"access", access_routes, access_events, access_view_migrations, access_jobs, access_metrics},
    {"audit",  audit_routes, audit_events, NULL, NULL, audit_metrics},
    {"ingest", .routes = ingest_routes, .metrics = ingest_metrics},
    {"status", .routes = status_routes, .metrics = status_metrics},
    {0},
};
/* clang-format on */
