/* audit.c - opening and closing the reading side; its metrics and events. */
#include "audit/audit_inner.h"
#include <stdlib.h>

#define SECOND_NS INT64_C(1000000000)

/* clang-format off */
#define M(var, name_, kind_, scale_, bounds_, help_) \
    struct metric var = {.name = (name_), .help = (help_), .kind = (kind_), .scale = (scale_), .bounds = (bounds_)};
#include "audit/audit_metric.def"
#undef M

struct metric *const audit_metrics[] = {
#define M(var, name, kind, scale, bounds, help) &(var),
#include "audit/audit_metric.def"
#undef M
    NULL,
};

const struct event_kind audit_events[] = {
    {"events.exported", NULL, &export_record_shape, "events were exported in bulk"},
    {0},
};
/* clang-format on */

static struct audit_options with_defaults(const struct audit_options *given)
{
    struct audit_options o = *given;

    o.query_scan_max = o.query_scan_max ? o.query_scan_max : 1000000;
    o.exports_max = o.exports_max ? o.exports_max : 4;
    o.proof_wait_ns = o.proof_wait_ns ? o.proof_wait_ns : 5 * SECOND_NS;
    o.witness_quorum = o.witness_quorum ? o.witness_quorum : (unsigned)o.witness_count;
    o.witness_interval_ns = o.witness_interval_ns ? o.witness_interval_ns : SECOND_NS;
    o.witness_timeout_ns = o.witness_timeout_ns ? o.witness_timeout_ns : 5 * SECOND_NS;
    return o;
}

static err open_witnesses(struct ctx *cx, struct audit *a)
{
    const struct witness_client_options options = {
        .ledger = a->app->ledger,
        .witnesses = a->options.witnesses,
        .count = a->options.witness_count,
        .quorum = a->options.witness_quorum,
        .interval_ns = a->options.witness_interval_ns,
        .timeout_ns = a->options.witness_timeout_ns,
    };

    return options.count ? witness_client_open(cx, &options, &a->witnesses) : ERR_OK;
}

err audit_open(struct ctx *cx, struct app *app, const struct audit_options *options,
               struct audit **out)
{
    struct audit *a = calloc(1, sizeof *a);

    ENSURE(a);
    a->app = app;
    a->options = with_defaults(options);
    err e = open_witnesses(cx, a);
    if (e != ERR_OK) {
        free(a);
        return e;
    }
    a->options.witnesses = NULL; /* was borrowed */
    a->streams =
        stream_hub_open(app->ledger, a->options.streams_max, a->options.streams_of_one_max);
    *out = a;
    return ERR_OK;
}

void audit_close(struct audit *a)
{
    if (!a)
        return;
    stream_hub_close(a->streams);
    witness_client_close(a->witnesses);
    free(a);
}

err audit_choice(struct ctx *cx, const struct request *rq, const char *name,
                 const char *const *choices, size_t *out)
{
    CLEANUP(buf_close) struct buf list = BUF(CTX_DETAIL_BYTES);
    str value = request_param(rq, str_from(name));

    *out = 0;
    if (str_is_null(value))
        return ERR_OK;
    for (size_t i = 0; choices[i]; i++) {
        if (str_eq(value, str_from(choices[i]))) {
            *out = i;
            return ERR_OK;
        }
        buf_printf(&list, "%s%s", i ? " or " : "", choices[i]);
    }
    ctx_add_issue(cx, arena_printf(cx->mem, "/%s", name), "must be %.*s", STR_FMT(buf_str(&list)));
    return fail(cx, ERR_INVALID, "the parameter %s must be %.*s", name, STR_FMT(buf_str(&list)));
}
