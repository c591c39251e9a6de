/* ingest_feed.c - see ingest_feed.h.
 *
 * Two ways fill a batch: `raw` copies lines, `convert` has a format make events.  Both leave a
 * batch when it is full and go on in the next one. */
#include "cli/ingest_feed.h"
#include "base/queue.h"
#include "cli/ingest_input.h"
#include <stdlib.h>

enum {
    BATCHES = 3,
    PIECE_BYTES = 256 * 1024, /* read at once */
    RAW_LINE_BYTES_MAX = 1 << 20,
};

struct feed {
    const struct feed_options *options;
    struct queue *empty, *full;
    struct feed_batch batches[BATCHES];
    pthread_t thread;
    bool taken_last;

    /* the thread's own */
    struct ctx *cx;
    struct feed_batch *at; /* being filled */
    size_t file;
    uint64_t done_before; /* bytes of the files before */
    char *piece;
};

/* ---- batches ---- */

static void batch_clear(struct feed_batch *b)
{
    buf_clear(&b->text);
    ctx_reset(b->cx);
    b->lines = b->bad_count = b->done_bytes = 0;
    b->run_count = b->bad_kept = 0;
    b->result = ERR_OK;
    b->last = false;
}

/* STOPPED when nobody wants more. */
static err next_batch(struct feed *f)
{
    void *item;

    if (!queue_pop(f->empty, &item))
        return fail(f->cx, ERR_STOPPED, "no more is wanted");
    f->at = item;
    batch_clear(f->at);
    return ERR_OK;
}

static err cut_batch(struct feed *f, uint64_t done_bytes)
{
    f->at->done_bytes = done_bytes;
    if (!queue_push(f->full, f->at))
        return fail(f->cx, ERR_STOPPED, "no more is wanted");
    f->at = NULL;
    return next_batch(f);
}

/* The next line of the batch is this one of the file. */
static void note_line(struct feed *f, uint64_t file_line, uint64_t count)
{
    struct feed_batch *b = f->at;
    const struct feed_run *last = b->run_count ? &b->runs[b->run_count - 1] : NULL;
    uint64_t line = b->lines + 1;

    b->lines += count;
    if (last && last->file == f->file && last->file_line + (line - last->line) == file_line)
        return;
    if (b->run_count == b->run_capacity) {
        b->run_capacity = b->run_capacity ? b->run_capacity * 2 : 64;
        b->runs = realloc(b->runs, b->run_capacity * sizeof *b->runs);
    }
    ENSURE(b->runs);
    b->runs[b->run_count++] = (struct feed_run){line, file_line, f->file};
}

void feed_locate(const struct feed_batch *b, uint64_t line, size_t *out_file, uint64_t *out_line)
{
    size_t low = 0, high = b->run_count;

    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        *(b->runs[mid].line <= line ? &low : &high) = mid;
    }
    *out_file = b->run_count ? b->runs[low].file : 0;
    *out_line = b->run_count ? b->runs[low].file_line + (line - b->runs[low].line) : line;
}

static err note_bad(struct feed *f, uint64_t line, str pointer, str detail)
{
    struct feed_batch *b = f->at;

    if (b->bad_kept < FEED_BAD_MAX)
        b->bad[b->bad_kept++] = (struct feed_bad){f->file, line, arena_str(b->cx->mem, pointer),
                                                  arena_str(b->cx->mem, detail)};
    b->bad_count++;
    return f->options->stop_at_bad ? fail(f->cx, ERR_STOPPED, "a record is bad") : ERR_OK;
}

/* ---- lines as they are ---- */

struct raw {
    struct input *in;
    uint64_t line; /* of the next whole line */
    bool skipping; /* the rest of a line that is too long */
    size_t held;   /* bytes of an unfinished line at the end of the batch */
};

static uint64_t count_lines(str s)
{
    uint64_t n = 0;

    for (const char *p = s.p, *end = s.p + s.n; p < end; n++) {
        p = memchr(p, '\n', (size_t)(end - p));
        if (!p)
            return n;
        p++;
    }
    return n;
}

/* The unfinished line moves to the next batch. */
static err raw_cut(struct feed *f, struct raw *r)
{
    struct buf *full = &f->at->text;

    full->n -= r->held;
    str rest = {full->p + full->n, r->held};
    if (rest.n > PIECE_BYTES * 4) /* cannot be: held lines are at most RAW_LINE_BYTES_MAX */
        return fail(f->cx, ERR_INTERNAL, "a line is longer than was checked");
    CLEANUP(buf_close) struct buf kept = BUF(RAW_LINE_BYTES_MAX + PIECE_BYTES);
    buf_put(&kept, rest);
    TRY(buf_check(f->cx, &kept, "a line"));
    TRY(cut_batch(f, f->done_before + input_done_bytes(r->in)));
    buf_put(&f->at->text, buf_str(&kept));
    return buf_check(f->cx, &f->at->text, "a batch");
}

static void raw_take(struct feed *f, struct raw *r, str bytes)
{
    const char *last = memrchr(bytes.p, '\n', bytes.n);
    uint64_t lines = last ? count_lines(bytes) : 0;

    buf_put(&f->at->text, bytes);
    r->held = last ? (size_t)(bytes.p + bytes.n - last - 1) : r->held + bytes.n;
    if (lines == 0)
        return;
    note_line(f, r->line, lines);
    r->line += lines;
}

/* A line that no server would take is not sent. */
static err raw_drop_line(struct feed *f, struct raw *r)
{
    f->at->text.n -= r->held;
    r->held = 0;
    r->skipping = true;
    return note_bad(f, r->line, S(""), S("the line is longer than 1 MiB"));
}

static err raw_piece(struct feed *f, struct raw *r, str bytes)
{
    if (r->skipping) {
        size_t end = str_find_char(bytes, '\n');
        if (end == bytes.n)
            return ERR_OK;
        r->skipping = false;
        r->line++;
        bytes = str_slice(bytes, end + 1, bytes.n);
    }
    raw_take(f, r, bytes);
    TRY(buf_check(f->cx, &f->at->text, "a batch"));
    if (r->held > RAW_LINE_BYTES_MAX)
        TRY(raw_drop_line(f, r));
    return f->at->text.n >= f->options->batch_bytes ? raw_cut(f, r) : ERR_OK;
}

/* A last line without its end is one all the same. */
static err raw_end(struct feed *f, struct raw *r)
{
    if (r->held == 0)
        return ERR_OK;
    buf_put_char(&f->at->text, '\n');
    note_line(f, r->line, 1);
    return buf_check(f->cx, &f->at->text, "a batch");
}

static err raw_file(struct feed *f, struct input *in)
{
    struct raw r = {.in = in, .line = 1};
    size_t n, from = 0;

    for (bool first = true;; first = false) {
        TRY(input_read(f->cx, in, f->piece, PIECE_BYTES, &n));
        if (n == 0)
            return raw_end(f, &r);
        from = first && str_starts((str){f->piece, n}, S("\xEF\xBB\xBF")) ? 3 : 0;
        TRY(raw_piece(f, &r, (str){f->piece + from, n - from}));
    }
}

/* ---- records of a format ---- */

static err convert_item(struct feed *f, struct input *in, const struct format_item *item)
{
    if (item->kind == FORMAT_REJECTED)
        return note_bad(f, item->line, item->pointer, item->detail);
    buf_put_char(&f->at->text, '\n');
    note_line(f, item->line, 1);
    TRY(buf_check(f->cx, &f->at->text, "a batch"));
    if (f->at->text.n < f->options->batch_bytes)
        return ERR_OK;
    return cut_batch(f, f->done_before + input_done_bytes(in));
}

/* Everything the reader has to give; *out_end behind the last item. */
static err convert_items(struct feed *f, struct input *in, struct format_reader *reader,
                         bool *out_end)
{
    struct format_item item;

    for (;;) {
        TRY(format_next(f->cx, reader, &f->at->text, &item));
        *out_end = item.kind == FORMAT_END;
        if (item.kind == FORMAT_MORE || item.kind == FORMAT_END)
            return ERR_OK;
        TRY(convert_item(f, in, &item));
    }
}

static err convert_file(struct feed *f, struct input *in, const struct format *format,
                        int64_t modified_us)
{
    CLEANUP(format_reader_cleanup) struct format_reader *reader = NULL;
    struct format_options options = f->options->format_options;
    bool end = false;
    size_t n;

    options.reference_us = modified_us;
    TRY(format_reader_open(f->cx, format, &options, &reader));
    while (!end) {
        TRY(input_read(f->cx, in, f->piece, PIECE_BYTES, &n));
        if (n > 0)
            format_feed(reader, (str){f->piece, n});
        else
            format_finish(reader);
        TRY(convert_items(f, in, reader, &end));
    }
    return ERR_OK;
}

/* ---- the thread ---- */

static void input_cleanup(struct input **in)
{
    input_close(*in);
}

static err detect(struct feed *f, struct input *in, str path, const struct format **out)
{
    str head;

    *out = f->options->format;
    if (*out)
        return ERR_OK;
    TRY(input_head(f->cx, in, &head));
    *out = format_detect(head, path);
    if (!*out && str_trim(head).n > 0)
        return fail(f->cx, ERR_USAGE, "the format of %.*s cannot be told: say --format",
                    STR_FMT(path));
    return ERR_OK;
}

static err feed_file(struct feed *f, str path)
{
    CLEANUP(input_cleanup) struct input *in = NULL;
    const struct format *format;
    uint64_t bytes;
    int64_t modified_us;
    const struct format_options *o = &f->options->format_options;

    TRY(input_stat(f->cx, path, &bytes, &modified_us));
    TRY(input_open(f->cx, path, &in));
    TRY(detect(f, in, path, &format));
    if (!format)
        return ERR_OK; /* empty */
    bool as_is = str_eq(str_from(format->name), S("ndjson")) && o->type.n == 0 && o->map.n == 0;
    TRY(as_is ? raw_file(f, in) : convert_file(f, in, format, modified_us));
    f->done_before += input_done_bytes(in);
    return ERR_OK;
}

static err feed_all(struct feed *f)
{
    TRY(next_batch(f));
    for (f->file = 0; f->file < f->options->files.count; f->file++) {
        TRY(feed_file(f, f->options->files.items[f->file]));
        arena_reset(f->cx->mem);
    }
    return ERR_OK;
}

static void *feed_run_thread(void *state)
{
    struct feed *f = state;
    err e = feed_all(f);

    if (!f->at)
        return NULL; /* nobody takes batches any more */
    f->at->last = true;
    f->at->done_bytes = f->done_before;
    /* A bad record that ends the work is not a failure to read. */
    if (e != ERR_OK && e != ERR_STOPPED)
        f->at->result = fail(f->at->cx, e, "%s", f->cx->detail);
    if (!queue_push(f->full, f->at))
        return NULL;
    queue_shut(f->full);
    return NULL;
}

/* ---- for the sender ---- */

struct feed *feed_open(const struct feed_options *options)
{
    struct feed *f = calloc(1, sizeof *f);

    ENSURE(f);
    f->options = options;
    f->cx = ctx_open(0);
    f->piece = malloc(PIECE_BYTES);
    ENSURE(f->piece);
    f->empty = queue_open(BATCHES);
    f->full = queue_open(BATCHES);
    for (size_t i = 0; i < BATCHES; i++) {
        f->batches[i].text =
            BUF(options->batch_bytes + RAW_LINE_BYTES_MAX + PIECE_BYTES + FORMAT_RECORD_BYTES_MAX);
        f->batches[i].cx = ctx_open(0);
        ENSURE(queue_try_push(f->empty, &f->batches[i]));
    }
    f->thread = thread_start("ingest-read", feed_run_thread, f);
    return f;
}

struct feed_batch *feed_take(struct feed *f)
{
    void *item;

    if (f->taken_last || !queue_pop(f->full, &item))
        return NULL;
    struct feed_batch *b = item;
    f->taken_last = b->last;
    return b;
}

void feed_give(struct feed *f, struct feed_batch *b)
{
    (void)queue_try_push(f->empty, b);
}

void feed_close(struct feed *f)
{
    if (!f)
        return;
    queue_shut(f->empty);
    queue_shut(f->full);
    pthread_join(f->thread, NULL);
    for (size_t i = 0; i < BATCHES; i++) {
        buf_close(&f->batches[i].text);
        free(f->batches[i].runs);
        ctx_close(f->batches[i].cx);
    }
    queue_close(f->empty);
    queue_close(f->full);
    ctx_close(f->cx);
    free(f->piece);
    free(f);
}
