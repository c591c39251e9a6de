/* monitor_view.c - see monitor_view.h. */
#include "cli/monitor_view.h"
#include "base/json_write.h"
#include "cli/event_table.h"
#include "cli/remote.h"

/* ---- reading ---- */

/* clang-format off */
static const struct figure_row {
    size_t offset;
    const char *metric, *labels_hold;
} figure_rows[] = {
#define F(member, metric, labels) {offsetof(struct figures, member), metric, labels}
    F(entries,                "chancery_ledger_entries", ""),
    F(up_seconds,             "chancery_uptime_seconds", ""),
    F(segments,               "chancery_ledger_segments", ""),
    F(unsealed,               "chancery_ledger_unsealed_segments", ""),
    F(raw_bytes,              "chancery_ledger_raw_bytes", ""),
    F(sealed_bytes,           "chancery_ledger_sealed_bytes", ""),
    F(index_bytes,            "chancery_ledger_index_bytes", ""),
    F(known_ids,              "chancery_ledger_known_ids", ""),
    F(cache_hits_total,       "chancery_ledger_cache_hits_total", ""),
    F(cache_misses_total,     "chancery_ledger_cache_misses_total", ""),
    F(checkpoint_age_seconds, "chancery_ledger_checkpoint_age_seconds", ""),
    F(uncovered,              "chancery_ledger_uncovered_entries", ""),
    F(checkpoints_total,      "chancery_ledger_checkpoints_total", ""),
    F(stored_total,           "chancery_events_stored_total", ""),
    F(duplicate_total,        "chancery_events_duplicate_total", ""),
    F(rejected_total,         "chancery_events_rejected_total", ""),
    F(batches_total,          "chancery_writer_batch_seconds_count", ""),
    F(batch_seconds_total,    "chancery_writer_batch_seconds_sum", ""),
    F(batch_entries_total,    "chancery_writer_batch_entries_sum", ""),
    F(syncs_total,            "chancery_ledger_sync_seconds_count", ""),
    F(sync_seconds_total,     "chancery_ledger_sync_seconds_sum", ""),
    F(writer_depth,           "chancery_writer_queue_depth", ""),
    F(worker_depth,           "chancery_http_worker_queue_depth", ""),
    F(connections,            "chancery_http_connections", ""),
    F(streams,                "chancery_http_event_streams", ""),
    F(in_flight,              "chancery_http_requests_in_flight", ""),
    F(requests_total,         "chancery_http_requests_total", ""),
    F(refused_total,          "chancery_http_refused_total", ""),
    F(client_errors_total,    "chancery_http_requests_total", "status=\"4"),
    F(server_errors_total,    "chancery_http_requests_total", "status=\"5"),
    F(received_bytes_total,   "chancery_http_received_bytes_total", ""),
    F(sent_bytes_total,       "chancery_http_sent_bytes_total", ""),
    F(resident_bytes,         "chancery_process_resident_bytes", ""),
    F(disk_free_bytes,        "chancery_disk_free_bytes", ""),
#undef F
};
/* clang-format on */

static double pointed(struct json health, const char *pointer)
{
    struct json v;
    double d;

    return json_pointer_get(health, str_from(pointer), &v) && json_to_double(v, &d) ? d : 0;
}

/* What can be known without the right to read metrics. */
static void read_health(struct ctx *cx, struct json health, struct figures *f)
{
    f->status = arena_str(cx->mem, json_member_text(health, S("status")));
    f->version = arena_str(cx->mem, json_member_text(health, S("version")));
    f->origin = arena_str(cx->mem, json_member_text(health, S("origin")));
    f->entries = pointed(health, "/checks/ledger/entries");
    f->up_seconds = pointed(health, "/uptime_seconds");
    f->segments = pointed(health, "/checks/ledger/segments");
    f->unsealed = pointed(health, "/checks/ledger/unsealed_segments");
    f->writer_depth = pointed(health, "/checks/writer/queue_depth");
    f->disk_free_bytes = pointed(health, "/checks/disk/free_bytes");
    f->uncovered = f->entries - pointed(health, "/checks/ledger/checkpoint_size");
}

err figures_read(struct ctx *cx, str metrics, struct json health, int64_t at_ns,
                 struct figures *out)
{
    struct figures f = {.at_ns = at_ns, .has_metrics = !str_is_null(metrics)};
    struct samples samples;

    read_health(cx, health, &f);
    if (f.has_metrics) {
        TRY(samples_read(cx, metrics, &samples));
        for (size_t i = 0; i < COUNT(figure_rows); i++) {
            const struct figure_row *row = &figure_rows[i];
            *(double *)(void *)((char *)&f + row->offset) =
                samples_sum(&samples, row->metric, row->labels_hold);
        }
    }
    *out = f;
    return ERR_OK;
}

/* ---- between two readings ---- */

/* A counter that fell was started anew. */
static double growth(double before, double now)
{
    return now >= before ? now - before : now;
}

static double seconds_between(const struct figures *before, const struct figures *now)
{
    return before ? (double)(now->at_ns - before->at_ns) / 1e9 : 0;
}

#define GROWTH(member) growth(before->member, now->member)
#define RATE(member)                                                                               \
    (seconds_between(before, now) > 0 ? GROWTH(member) / seconds_between(before, now) : 0)

static double part_of(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

void history_add(struct history *h, const struct figures *before, const struct figures *now)
{
    double rate = RATE(entries);

    if (h->count == MONITOR_HISTORY) {
        memmove(h->rate, h->rate + 1, (MONITOR_HISTORY - 1) * sizeof h->rate[0]);
        h->count--;
    }
    h->rate[h->count++] = rate;
}

/* ---- drawing ---- */

static void put_count(struct buf *b, double n)
{
    human_count(b, n > 0 ? (uint64_t)(n + 0.5) : 0);
}

static void put_bytes(struct buf *b, double n)
{
    human_bytes(b, n > 0 ? (uint64_t)(n + 0.5) : 0);
}

static void put_seconds(struct buf *b, double s)
{
    human_duration(b, (int64_t)(s * 1e9));
}

static void put_label(struct buf *b, const struct terminal *t, const char *label)
{
    buf_printf(b, " %s%-11s%s ", terminal_style(t, STYLE_DIM), label,
               terminal_style(t, STYLE_PLAIN));
}

static void put_sparkline(struct buf *b, const struct history *h)
{
    static const char *const levels[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double most = 0;

    for (size_t i = 0; i < h->count; i++)
        most = h->rate[i] > most ? h->rate[i] : most;
    for (size_t i = 0; i < h->count; i++)
        buf_put(b, str_from(levels[(size_t)(part_of(h->rate[i], most) * 7 + 0.5)]));
}

static void put_head(struct buf *b, const struct terminal *t, const struct figures *now, str place)
{
    bool good = str_eq(now->status, S("pass"));
    enum style style = good ? STYLE_GOOD : str_eq(now->status, S("warn")) ? STYLE_WARN : STYLE_BAD;

    buf_printf(b, "%sChancery %.*s%s  ", terminal_style(t, STYLE_BOLD), STR_FMT(now->version),
               terminal_style(t, STYLE_PLAIN));
    put_shown(b, now->origin, 60);
    buf_printf(b, "  %.*s  up ", STR_FMT(place));
    put_seconds(b, now->up_seconds);
    buf_printf(b, "  %s%s%s\n\n", terminal_style(t, style), good ? "healthy" : now->status.p,
               terminal_style(t, STYLE_PLAIN));
}

static void put_events(struct buf *b, const struct terminal *t, const struct figures *before,
                       const struct figures *now, const struct history *h)
{
    put_label(b, t, "entries");
    buf_printf(b, "%.0f", now->entries);
    if (before) {
        buf_put(b, S(", "));
        put_count(b, RATE(entries));
        buf_put(b, S("/s "));
        put_sparkline(b, h);
    }
    buf_put_char(b, '\n');
}

static void put_requests(struct buf *b, const struct terminal *t, const struct figures *before,
                         const struct figures *now)
{
    put_label(b, t, "requests");
    put_count(b, RATE(requests_total));
    buf_put(b, S("/s, refused "));
    put_count(b, RATE(client_errors_total));
    buf_put(b, S("/s, "));
    if (GROWTH(server_errors_total) > 0)
        buf_put(b, str_from(terminal_style(t, STYLE_BAD)));
    buf_put(b, S("failed "));
    put_count(b, RATE(server_errors_total));
    buf_printf(b, "/s%s, %.0f running, %.0f waiting\n", terminal_style(t, STYLE_PLAIN),
               now->in_flight, now->worker_depth);
    put_label(b, t, "network");
    buf_put(b, S("in "));
    put_bytes(b, RATE(received_bytes_total));
    buf_put(b, S("/s, out "));
    put_bytes(b, RATE(sent_bytes_total));
    buf_printf(b, "/s, %.0f connections, %.0f event streams\n", now->connections, now->streams);
    put_label(b, t, "taken in");
    put_count(b, RATE(stored_total));
    buf_put(b, S("/s stored, "));
    put_count(b, RATE(duplicate_total));
    buf_put(b, S("/s known already, "));
    put_count(b, RATE(rejected_total));
    buf_put(b, S("/s bad\n"));
}

static void put_writer(struct buf *b, const struct terminal *t, const struct figures *before,
                       const struct figures *now)
{
    put_label(b, t, "writer");
    buf_printf(b, "queue %.0f, ", now->writer_depth);
    put_count(b, RATE(batches_total));
    buf_put(b, S(" batches/s of "));
    put_count(b, part_of(GROWTH(batch_entries_total), GROWTH(batches_total)));
    buf_put(b, S(" entries, "));
    put_seconds(b, part_of(GROWTH(batch_seconds_total), GROWTH(batches_total)));
    buf_put(b, S(" each; sync "));
    put_seconds(b, part_of(GROWTH(sync_seconds_total), GROWTH(syncs_total)));
    buf_put_char(b, '\n');
}

static void put_ledger(struct buf *b, const struct terminal *t, const struct figures *now)
{
    double asked = now->cache_hits_total + now->cache_misses_total;

    put_label(b, t, "segments");
    buf_printf(b, "%.0f, %.0f wait for sealing; raw ", now->segments, now->unsealed);
    put_bytes(b, now->raw_bytes);
    buf_put(b, S(", sealed "));
    put_bytes(b, now->sealed_bytes);
    buf_put(b, S(", index "));
    put_bytes(b, now->index_bytes);
    buf_put_char(b, '\n');
    put_label(b, t, "cache");
    buf_printf(b, "%.1f %% of ", 100 * part_of(now->cache_hits_total, asked));
    put_count(b, asked);
    buf_put(b, S(" reads; known ids "));
    put_count(b, now->known_ids);
    buf_put_char(b, '\n');
}

static void put_rest(struct buf *b, const struct terminal *t, const struct figures *now)
{
    put_label(b, t, "checkpoint");
    if (now->has_metrics) {
        put_seconds(b, now->checkpoint_age_seconds);
        buf_put(b, S(" ago, "));
    }
    put_count(b, now->uncovered);
    buf_put(b, S(" entries not covered yet\n"));
    put_label(b, t, "process");
    if (now->has_metrics) {
        buf_put(b, S("resident "));
        put_bytes(b, now->resident_bytes);
        buf_put(b, S(", "));
    }
    buf_put(b, S("free disk "));
    put_bytes(b, now->disk_free_bytes);
    buf_put_char(b, '\n');
}

void monitor_put(struct buf *b, const struct terminal *t, const struct figures *before,
                 const struct figures *now, const struct history *h, str place)
{
    put_head(b, t, now, place);
    put_events(b, t, before, now, h);
    if (now->has_metrics && before && before->has_metrics) {
        put_requests(b, t, before, now);
        put_writer(b, t, before, now);
        put_ledger(b, t, now);
    }
    put_rest(b, t, now);
    if (!now->has_metrics)
        buf_put(b, S("\n More with a key that may read metrics (metrics:read).\n"));
    buf_printf(b, "\n %sq quits%s\n", terminal_style(t, STYLE_DIM), terminal_style(t, STYLE_PLAIN));
}

/* ---- for logs and programs ---- */

void monitor_put_line(struct buf *b, const struct figures *before, const struct figures *now)
{
    buf_printf(b, "%.*s entries %.0f", STR_FMT(now->status), now->entries);
    if (before)
        buf_printf(b, " rate %.0f/s", RATE(entries));
    buf_printf(b, " queue %.0f", now->writer_depth);
    if (before && now->has_metrics)
        buf_printf(b, " requests %.0f/s failed %.0f/s batch %.2f ms sync %.2f ms",
                   RATE(requests_total), RATE(server_errors_total),
                   1e3 * part_of(GROWTH(batch_seconds_total), GROWTH(batches_total)),
                   1e3 * part_of(GROWTH(sync_seconds_total), GROWTH(syncs_total)));
    if (now->has_metrics)
        buf_printf(b, " checkpoint %.1f s ago resident %.0f MB", now->checkpoint_age_seconds,
                   now->resident_bytes / 1e6);
    buf_put_char(b, '\n');
}

void monitor_put_json(struct buf *b, const struct figures *before, const struct figures *now)
{
    json_open(b, '{');
    json_member_str(b, S("status"), now->status);
    json_member_double(b, S("entries"), now->entries);
    json_member_double(b, S("writer_queue"), now->writer_depth);
    json_member_double(b, S("uncovered"), now->uncovered);
    if (before)
        json_member_double(b, S("entries_per_second"), RATE(entries));
    if (before && now->has_metrics) {
        json_member_double(b, S("requests_per_second"), RATE(requests_total));
        json_member_double(b, S("failed_per_second"), RATE(server_errors_total));
        json_member_double(b, S("batch_seconds"),
                           part_of(GROWTH(batch_seconds_total), GROWTH(batches_total)));
        json_member_double(b, S("sync_seconds"),
                           part_of(GROWTH(sync_seconds_total), GROWTH(syncs_total)));
    }
    if (now->has_metrics) {
        json_member_double(b, S("checkpoint_age_seconds"), now->checkpoint_age_seconds);
        json_member_double(b, S("segments"), now->segments);
        json_member_double(b, S("unsealed_segments"), now->unsealed);
        json_member_double(b, S("cache_hits"), now->cache_hits_total);
        json_member_double(b, S("cache_misses"), now->cache_misses_total);
        json_member_double(b, S("resident_bytes"), now->resident_bytes);
    }
    json_close(b, '}');
    buf_put_char(b, '\n');
}
