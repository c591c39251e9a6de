/* progress.c - one line that tells how far a long command is. */
#include "cli/terminal.h"

enum {
    PROGRESS_BAR_COLUMNS_MIN = 10,
    PROGRESS_BAR_COLUMNS_MAX = 40,
    PROGRESS_LINE_BYTES_MAX = 4096
};
#define NS_PER_S INT64_C(1000000000)
#define PROGRESS_REDRAW_NS (NS_PER_S / 10)

struct progress progress_open(struct terminal terminal, const char *label, uint64_t total,
                              bool bytes, bool quiet, int64_t now_ns)
{
    return (struct progress){.terminal = terminal,
                             .label = label,
                             .total = total,
                             .bytes = bytes,
                             .quiet = quiet,
                             .started_ns = now_ns,
                             .drawn_ns = now_ns};
}

static void put_number(struct buf *b, const struct progress *p, uint64_t n)
{
    if (p->bytes)
        human_bytes(b, n);
    else
        human_count(b, n);
}

/* "ingest: 3.1 MB of 34 MB, 12 MB/s, 3 s left" */
static void put_words(struct buf *b, const struct progress *p, int64_t now_ns)
{
    double seconds = (double)(now_ns - p->started_ns) / (double)NS_PER_S;
    double rate = seconds > 0 ? (double)p->done / seconds : 0;

    put_number(b, p, p->done);
    if (p->total > 0) {
        buf_put(b, S(" of "));
        put_number(b, p, p->total);
    }
    if (rate < 1)
        return;
    buf_put(b, S(", "));
    put_number(b, p, (uint64_t)rate);
    buf_put(b, S("/s"));
    if (p->total <= p->done)
        return;
    buf_put(b, S(", "));
    human_duration(b, (int64_t)((double)(p->total - p->done) / rate) * NS_PER_S);
    buf_put(b, S(" left"));
}

/* Eighths of a block make the end of the bar smooth. */
static void put_bar(struct buf *b, const struct progress *p, size_t columns)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    double part = p->done >= p->total ? 1 : (double)p->done / (double)p->total;
    size_t filled = (size_t)(part * (double)columns * 8), full = filled / 8;
    size_t used = full + (filled % 8 != 0);

    for (size_t i = 0; i < full; i++)
        buf_put(b, S("█"));
    buf_put(b, str_from(eighths[filled % 8]));
    for (size_t i = used; i < columns; i++)
        buf_put(b, S("░"));
}

static void draw_bar(struct progress *p, int64_t now_ns)
{
    CLEANUP(buf_close) struct buf line = BUF(PROGRESS_LINE_BYTES_MAX);
    CLEANUP(buf_close) struct buf words = BUF(PROGRESS_LINE_BYTES_MAX);
    size_t taken, free_columns;

    put_words(&words, p, now_ns);
    taken = strlen(p->label) + 3 + text_columns(buf_str(&words));
    free_columns = p->terminal.columns - size_min(p->terminal.columns, taken + 1);
    buf_printf(&line, "\r%s ", p->label);
    if (p->total > 0 && free_columns >= PROGRESS_BAR_COLUMNS_MIN) {
        put_bar(&line, p, size_min(free_columns, PROGRESS_BAR_COLUMNS_MAX));
        buf_put_char(&line, ' ');
    }
    buf_put(&line, text_fit(buf_str(&words), p->terminal.columns - 1));
    buf_put(&line, S("\033[K"));
    fwrite(line.p, 1, line.n, p->terminal.file);
    fflush(p->terminal.file);
}

static void draw(struct progress *p, int64_t now_ns)
{
    CLEANUP(buf_close) struct buf words = BUF(PROGRESS_LINE_BYTES_MAX);

    p->drawn_ns = now_ns;
    p->drawn = true;
    if (p->terminal.tty) {
        draw_bar(p, now_ns);
        return;
    }
    put_words(&words, p, now_ns);
    fprintf(p->terminal.file, "%s: %.*s\n", p->label, STR_FMT(buf_str(&words)));
    fflush(p->terminal.file);
}

void progress_update(struct progress *p, uint64_t done, int64_t now_ns)
{
    int64_t interval = p->terminal.tty ? PROGRESS_REDRAW_NS : PROGRESS_PLAIN_SECONDS * NS_PER_S;

    p->done = done;
    if (!p->quiet && now_ns - p->drawn_ns >= interval)
        draw(p, now_ns);
}

void progress_close(struct progress *p, int64_t now_ns)
{
    if (p->quiet || (!p->terminal.tty && !p->drawn))
        return; /* what was quick needs no line in a log */
    draw(p, now_ns);
    if (p->terminal.tty)
        fputc('\n', p->terminal.file);
}
