/* bench_print.c - the figures of a run as a table or as JSON. */
#include "base/json_write.h"
#include "cli/bench.h"
#include "cli/remote.h"
#include <unistd.h>

enum { OUT_BYTES_MAX = 1 << 20 };

static const struct figure_row {
    const char *part, *name;
    enum figure_unit unit;
    enum figure_against against;
    double target;
    enum figure_better better;
    const char *id;
} rows[FIGURE_COUNT] = {
#define FIGURE(id, part, name, unit, against, target, better)                                      \
    [FIGURE_##id] = {#part, name, unit, against, target, better, #id},
#include "cli/bench_figure.def"
};

static const char *const against_names[] = {
    [AGAINST_NOTHING] = "",
    [AGAINST_HASHES] = "SHA-256 of an event",
    [AGAINST_COPY] = "memcpy",
    [AGAINST_SYNC_4K] = "write + sync of 4 KiB",
    [AGAINST_SYNC_1M] = "write + sync of 1 MiB",
};

double bench_against(const struct calibration *c, enum figure_against against,
                     enum figure_unit unit)
{
    const double per_second[] = {
        [AGAINST_NOTHING] = 0,
        [AGAINST_HASHES] = c->hashes,
        [AGAINST_COPY] = c->copy_bytes / BENCH_EVENT_BYTES,
        [AGAINST_SYNC_4K] = c->sync_4k_ns > 0 ? 1e9 / c->sync_4k_ns : 0,
        [AGAINST_SYNC_1M] = c->sync_1m_ns > 0 ? 1e9 / c->sync_1m_ns : 0,
    };
    double rate = per_second[against];

    return unit == UNIT_NS && rate > 0 ? 1e9 / rate : rate;
}

static bool is_reached(const struct figure_row *row, double value)
{
    return row->better == BETTER_MORE ? value >= row->target : value <= row->target;
}

static str shown(struct ctx *cx, enum figure_unit unit, double value)
{
    CLEANUP(buf_close) struct buf b = BUF(128);

    if (unit == UNIT_RATE) {
        human_count(&b, (uint64_t)value);
        buf_put(&b, S("/s"));
    } else if (unit == UNIT_NS) {
        human_duration(&b, (int64_t)value);
    } else if (unit == UNIT_TIMES) {
        buf_printf(&b, "%.1f ×", value);
    } else if (value < 1000) {
        buf_printf(&b, "%.1f B", value);
    } else {
        human_bytes(&b, (uint64_t)value);
    }
    return arena_str(cx->mem, buf_str(&b));
}

/* ---- for people ---- */

static void add_row(struct ctx *cx, struct table *t, const struct bench *b, size_t id)
{
    const struct figure_row *row = &rows[id];
    double value = b->figures[id].value;
    double against = bench_against(&b->calibration, row->against, row->unit);

    table_add(t, str_from(row->name));
    table_add(t, shown(cx, row->unit, value));
    table_add(t, against > 0 ? arena_printf(cx->mem, "%.2g", value / against) : S(""));
    table_add(t, str_from(against_names[row->against]));
    table_add(t, row->target > 0 ? shown(cx, row->unit, row->target) : S(""));
    table_add(t, row->target <= 0 ? S("") : is_reached(row, value) ? S("reached") : S("short"));
}

static void put_calibration(struct ctx *cx, struct buf *b, const struct bench *bench)
{
    const struct calibration *c = &bench->calibration;

    buf_put(b, S("This machine: SHA-256 of a 314-byte event "));
    buf_put(b, shown(cx, UNIT_RATE, c->hashes));
    buf_put(b, S(" ("));
    human_bytes(b, (uint64_t)c->hash_bytes);
    buf_put(b, S("/s in long runs), memcpy "));
    human_bytes(b, (uint64_t)c->copy_bytes);
    buf_put(b, S("/s,\nwrite + fdatasync of 4 KiB "));
    human_duration(b, (int64_t)c->sync_4k_ns);
    buf_put(b, S(", of 1 MiB "));
    human_duration(b, (int64_t)c->sync_1m_ns);
    buf_printf(b, ", %ld processors.\n\n", sysconf(_SC_NPROCESSORS_ONLN));
}

static err print_table(struct ctx *cx, const struct bench *b)
{
    static const struct table_column columns[] = {
        {"FIGURE", ALIGN_LEFT}, {"MEASURED", ALIGN_RIGHT}, {"RATIO", ALIGN_RIGHT},
        {"TO", ALIGN_LEFT},     {"TARGET", ALIGN_RIGHT},   {"", ALIGN_LEFT},
    };
    const struct terminal t = terminal_of(b->cli->out, b->cli->environment);
    CLEANUP(buf_close) struct buf out = BUF(OUT_BYTES_MAX);
    struct table table = table_open(cx->mem, columns, COUNT(columns));

    for (size_t i = 0; i < FIGURE_COUNT; i++)
        if (b->figures[i].measured)
            add_row(cx, &table, b, i);
    put_calibration(cx, &out, b);
    table_put(&out, &table, &t);
    TRY(buf_check(cx, &out, "the table"));
    return cli_write(cx, b->cli, buf_str(&out));
}

/* ---- for programs ---- */

static void put_figure_json(struct buf *out, const struct bench *b, size_t id)
{
    static const char *const units[] = {[UNIT_RATE] = "per_second",
                                        [UNIT_NS] = "ns",
                                        [UNIT_BYTES] = "bytes",
                                        [UNIT_TIMES] = "times"};
    const struct figure_row *row = &rows[id];
    double value = b->figures[id].value;
    double against = bench_against(&b->calibration, row->against, row->unit);

    json_open(out, '{');
    json_member_str(out, S("id"), str_from(row->id));
    json_member_str(out, S("part"), str_from(row->part));
    json_member_str(out, S("name"), str_trim(str_from(row->name)));
    json_member_double(out, S("value"), value);
    json_member_str(out, S("unit"), str_from(units[row->unit]));
    if (against > 0) {
        json_member_str(out, S("against"), str_from(against_names[row->against]));
        json_member_double(out, S("calibration"), against);
        json_member_double(out, S("ratio"), value / against);
    }
    if (row->target > 0) {
        json_member_double(out, S("target"), row->target);
        json_member_bool(out, S("reached"), is_reached(row, value));
    }
    json_close(out, '}');
}

static err print_json(struct ctx *cx, const struct bench *b)
{
    const struct calibration *c = &b->calibration;
    CLEANUP(buf_close) struct buf out = BUF(OUT_BYTES_MAX);

    json_open(&out, '{');
    json_member_str(&out, S("version"), S(CHANCERY_VERSION));
    json_member_i64(&out, S("processors"), sysconf(_SC_NPROCESSORS_ONLN));
    json_member_u64(&out, S("events"), b->events);
    json_member_u64(&out, S("seed"), b->seed);
    json_key(&out, S("calibration"));
    json_open(&out, '{');
    json_member_double(&out, S("event_hashes_per_second"), c->hashes);
    json_member_double(&out, S("hash_bytes_per_second"), c->hash_bytes);
    json_member_double(&out, S("copy_bytes_per_second"), c->copy_bytes);
    json_member_double(&out, S("sync_4k_ns"), c->sync_4k_ns);
    json_member_double(&out, S("sync_1m_ns"), c->sync_1m_ns);
    json_close(&out, '}');
    json_key(&out, S("figures"));
    json_open(&out, '[');
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        if (b->figures[i].measured)
            put_figure_json(&out, b, i);
    json_close(&out, ']');
    json_close(&out, '}');
    buf_put_char(&out, '\n');
    TRY(buf_check(cx, &out, "the figures"));
    return cli_write(cx, b->cli, buf_str(&out));
}

err bench_print(struct ctx *cx, const struct bench *b)
{
    return b->cli->json ? print_json(cx, b) : print_table(cx, b);
}
