/* format_property.h - what the fuzzers of the ingest formats assert, for each input:
 *
 * 1. However the input is cut into pieces, the reader answers the same, ids included.
 * 2. Every event is one line of JSON within the limit, with the attributes that CloudEvents
 *    requires, and without those that the server sets.
 * 3. There are no more events and rejections than the input can hold records. */
#pragma once
#include "audit/format.h"
#include "base/json.h"
#include "crypto/sha256.h"
#include <stdlib.h>

enum { FUZZ_EVENT_BYTES_MAX = 900, FUZZ_RECORD_BYTES_MAX = 500 };

struct format_run {
    struct ctx *cx;
    struct json_parser *json;
    struct format_reader *reader;
    struct sha256_stream answer;
    size_t items;
};

static void check_event(struct format_run *run, str event)
{
    static const str required[] = {STR_INIT("specversion"), STR_INIT("id"), STR_INIT("source"),
                                   STR_INIT("type")};
    struct json root, v;

    ENSURE(event.n <= FUZZ_EVENT_BYTES_MAX && memchr(event.p, '\n', event.n) == NULL);
    ENSURE(json_parse(run->cx, run->json, event, &root) == ERR_OK);
    for (size_t i = 0; i < COUNT(required); i++)
        ENSURE(json_get(root, required[i], &v) && json_str(v).n > 0);
    ENSURE(!json_get(root, S("recorded"), &v) && !json_get(root, S("principal"), &v));
}

static void add_number(struct sha256_stream *s, uint64_t v)
{
    sha256_add(s, (str){(const char *)&v, sizeof v});
}

/* False when the input as a whole was refused. */
static bool take_items(struct format_run *run)
{
    CLEANUP(buf_close) struct buf out = BUF(2 * FUZZ_EVENT_BYTES_MAX);
    struct format_item item = {.kind = FORMAT_EVENT};

    for (;;) {
        buf_clear(&out);
        if (format_next(run->cx, run->reader, &out, &item) != ERR_OK) {
            sha256_add(&run->answer, str_from(run->cx->detail));
            return false;
        }
        if (item.kind == FORMAT_MORE || item.kind == FORMAT_END)
            return true;
        run->items++;
        add_number(&run->answer, item.kind);
        add_number(&run->answer, item.line);
        add_number(&run->answer, item.offset);
        if (item.kind == FORMAT_EVENT)
            check_event(run, buf_str(&out));
        else
            ENSURE(out.n == 0 && item.detail.n > 0);
        sha256_add(&run->answer, item.kind == FORMAT_EVENT ? buf_str(&out) : item.detail);
        sha256_add(&run->answer, item.pointer);
    }
}

static bool feed_piece(struct format_run *run, str input, size_t at, size_t n)
{
    char *piece = malloc(n); /* of its own, so that a byte too far is seen */

    ENSURE(piece);
    memcpy(piece, input.p + at, n);
    format_feed(run->reader, (str){piece, n});
    bool good = take_items(run);
    free(piece);
    return good;
}

/* Pieces of 1 to `most` bytes, their sizes made from `seed`. */
static size_t run_format(const char *name, const struct format_options *o, str input, size_t most,
                         struct hash *out)
{
    struct format_run run = {.cx = ctx_open(0), .json = json_parser_open()};
    uint32_t seed = (uint32_t)most;
    bool good = true;

    ENSURE(format_reader_open(run.cx, format_find(str_from(name)), o, &run.reader) == ERR_OK);
    sha256_init(&run.answer);
    for (size_t at = 0, n; good && at < input.n; at += n) {
        seed = seed * 1664525u + 1013904223u;
        n = size_min(1 + (seed >> 8) % most, input.n - at);
        good = feed_piece(&run, input, at, n);
    }
    format_finish(run.reader);
    if (good)
        take_items(&run);
    sha256_finish(&run.answer, out);
    format_reader_close(run.reader);
    json_parser_close(run.json);
    ctx_close(run.cx);
    return run.items;
}

/* Bytes of `input` that are among `ends`, each of which may end a record, and one more. */
static size_t records_at_most(str input, const char *ends)
{
    size_t n = 1;

    for (size_t i = 0; i < input.n; i++)
        n += input.p[i] != '\0' && strchr(ends, input.p[i]) != NULL;
    return n;
}

static void check_format(const char *name, const struct format_options *options, const char *ends,
                         const uint8_t *data, size_t size)
{
    static const size_t pieces[] = {1, 7, 100};
    struct format_options o = *options;
    struct hash whole, cut;
    str input = {(const char *)data, size};

    o.event_bytes_max = FUZZ_EVENT_BYTES_MAX;
    o.record_bytes_max = FUZZ_RECORD_BYTES_MAX;
    o.reference_us = INT64_C(1795219200000000);
    size_t items = run_format(name, &o, input, size + 1, &whole);

    ENSURE(items <= records_at_most(input, ends));
    for (size_t i = 0; i < COUNT(pieces); i++) {
        ENSURE(run_format(name, &o, input, pieces[i], &cut) == items);
        ENSURE(hash_eq(&whole, &cut));
    }
}
