/* test_terminal.c - widths, wrapping, numbers, tables, progress; the screen on a pseudo-terminal.
 */
#include "cli/terminal.h"
#include "test.h"
#include <inttypes.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)

TEST(text_columns_counts_what_a_terminal_shows)
{
    static const struct {
        const char *text;
        size_t columns;
    } rows[] = {
        {"", 0},  {"abc", 3}, {"Grüße", 5},    {"e\u0301", 1}, {"日本", 4},
        {"🚀", 2}, {"—", 1},   {"\xff\xfe", 2}, {"a\xe6", 2},
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_EQ(text_columns(str_from(rows[i].text)), rows[i].columns);
    CHECK_STR(text_fit(S("日本語"), 5), S("日本"));
    CHECK_STR(text_fit(S("abc"), 9), S("abc"));
}

TEST(text_wrap_breaks_between_words)
{
    CLEANUP(buf_close) struct buf b = BUF(4096);

    text_wrap(&b, S("one two three four\nnew"), 4, 2, 12);
    CHECK_STR(buf_str(&b), S("one two\n  three four\n  new"));
    buf_clear(&b);
    text_wrap(&b, S("  averyveryverylongword  x "), 0, 1, 10);
    CHECK_STR(buf_str(&b), S("averyveryverylongword\n x"));
}

TEST(numbers_for_people)
{
    static const struct {
        uint64_t n;
        const char *count, *bytes;
    } rows[] = {
        {0, "0", "0 B"},
        {950, "950", "950 B"},
        {999, "999", "999 B"},
        {1000, "1.0 k", "1.0 kB"},
        {1234567, "1.2 M", "1.2 MB"},
        {9949, "9.9 k", "9.9 kB"},
        {9960, "10 k", "10 kB"},
        {34000000, "34 M", "34 MB"},
        {999499, "999 k", "999 kB"},
        {999500, "1.0 M", "1.0 MB"},
        {UINT64_MAX, "18 E", "18 EB"},
    };
    static const struct {
        int64_t ns;
        const char *want;
    } times[] = {
        {0, "0 ns"},
        {340000, "340 µs"},
        {1300000000, "1.3 s"},
        {59 * NS_PER_S, "59 s"},
        {60 * NS_PER_S, "1 min"},
        {125 * NS_PER_S, "2 min 5 s"},
        {12000 * NS_PER_S, "3 h 20 min"},
        {3 * 86400 * NS_PER_S, "3 d"},
        {-1300000000, "-1.3 s"},
    };
    CLEANUP(buf_close) struct buf b = BUF(4096);

    for (size_t i = 0; i < COUNT(rows); i++) {
        buf_clear(&b);
        human_count(&b, rows[i].n);
        CHECK_STR(buf_str(&b), str_from(rows[i].count));
        buf_clear(&b);
        human_bytes(&b, rows[i].n);
        CHECK_STR(buf_str(&b), str_from(rows[i].bytes));
    }
    for (size_t i = 0; i < COUNT(times); i++) {
        buf_clear(&b);
        human_duration(&b, times[i].ns);
        CHECK_STR(buf_str(&b), str_from(times[i].want));
    }
}

TEST(tables_align_their_columns)
{
    static const struct table_column columns[] = {
        {"NAME", ALIGN_LEFT}, {"N", ALIGN_RIGHT}, {"WHY", ALIGN_LEFT}};
    static const char *const cells[] = {"Grüße", "7", "", "日本語", "1234", "because"};
    const struct terminal plain = {.columns = 80},
                          colour = {.columns = 80, .tty = true, .colour = true};
    CLEANUP(buf_close) struct buf b = BUF(4096);
    struct table t = table_open(cx->mem, columns, COUNT(columns));

    table_put(&b, &t, &plain);
    CHECK_STR(buf_str(&b), S(""));
    for (size_t i = 0; i < COUNT(cells); i++)
        table_add(&t, str_from(cells[i]));
    table_put(&b, &t, &plain);
    CHECK_STR(buf_str(&b), S("NAME       N  WHY\n"
                             "Grüße      7  \n"
                             "日本語  1234  because\n"));
    buf_clear(&b);
    table_put(&b, &t, &colour);
    CHECK_HOLDS(buf_str(&b), "\033[1mNAME");
}

static str progress_text(struct ctx *cx, bool tty, bool quiet, uint64_t total)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    const struct terminal t = {.file = f, .tty = tty, .columns = 80};
    struct progress p = progress_open(t, "ingest", total, true, quiet, 0);
    str out;

    for (int64_t tick = 1; tick <= 2100; tick++) /* 21 s in steps of 10 ms, 1 MB a step */
        progress_update(&p, (uint64_t)tick * 1000000, tick * NS_PER_S / 100);
    progress_close(&p, 21 * NS_PER_S);
    fclose(f);
    out = arena_str(cx->mem, (str){text, n});
    free(text);
    return out;
}

static size_t count_of(str s, str needle)
{
    size_t count = 0, at;

    while ((at = str_find(s, needle)) < s.n) {
        count++;
        s = str_slice(s, at + needle.n, s.n);
    }
    return count;
}

TEST(progress_is_a_bar_on_a_terminal_and_few_lines_elsewhere)
{
    str bar = progress_text(cx, true, false, 2100000000);
    str plain = progress_text(cx, false, false, 4200000000);

    CHECK_HOLDS(bar, "█");
    CHECK_HOLDS(bar, "1.0 GB of 2.1 GB, 100 MB/s, ");
    CHECK_HOLDS(bar, " left\033[K");
    CHECK_EQ(count_of(bar, S("\r")), 211); /* ten a second, and the end */
    CHECK(str_ends(bar, S("\n")));
    CHECK_STR(plain, S("ingest: 1.0 GB of 4.2 GB, 100 MB/s, 32 s left\n"
                       "ingest: 2.0 GB of 4.2 GB, 100 MB/s, 22 s left\n"
                       "ingest: 2.1 GB of 4.2 GB, 100 MB/s, 21 s left\n"));
    CHECK_STR(progress_text(cx, true, true, 1), S(""));
}

TEST(terminal_colours_only_where_they_are_wanted)
{
    static const char *const plain[] = {"TERM=xterm", NULL},
                             *const no[] = {"TERM=xterm", "NO_COLOR=1", NULL},
                             *const dumb[] = {"TERM=dumb", NULL};
    int master, slave;
    FILE *f;

    CHECK_EQ(openpty(&master, &slave, NULL, NULL, &(struct winsize){.ws_row = 30, .ws_col = 100}),
             0);
    f = fdopen(slave, "w");
    CHECK(terminal_of(f, plain).colour);
    CHECK_EQ(terminal_of(f, plain).columns, 100);
    CHECK(terminal_of(f, no).tty && !terminal_of(f, no).colour);
    CHECK(!terminal_of(f, dumb).tty && !terminal_of(f, dumb).colour);
    fclose(f);
    close(master);
}

/* --- screen --- */

/* In a child whose terminal is the pseudo-terminal: draw, then wait until told to leave. */
static int child_watches(void)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    CLEANUP(screen_cleanup) struct screen *s = NULL;

    if (screen_open(cx, stdout, &s) != ERR_OK)
        return 9;
    screen_draw(s, S("\033[1mbold words that go on\033[0m\nsecond\nthird\nfourth"));
    while (screen_wait(s, NS_PER_S))
        screen_draw(s, S("again"));
    return 7;
}

static str read_until(struct ctx *cx, int fd, const char *text)
{
    struct buf b = BUF(1 << 16);
    str out;
    ssize_t n;

    while (buf_reserve(&b, 1024) && (n = read(fd, b.p + b.n, 1024)) > 0) {
        b.n += (size_t)n;
        b.p[b.n] = 0;
        if (text && strstr(b.p, text))
            break;
    }
    out = arena_str(cx->mem, buf_str(&b));
    buf_close(&b);
    return out;
}

static void check_screen(struct ctx *cx, int signal_to_send, const char *key)
{
    int master, status;
    str first, rest;
    pid_t child = forkpty(&master, NULL, NULL, &(struct winsize){.ws_row = 3, .ws_col = 10});

    CHECK(child >= 0);
    if (child == 0)
        _exit(child_watches());
    first = read_until(cx, master, "\033[J");
    CHECK_HOLDS(first, "\033[?1049h\033[?25l");
    CHECK_HOLDS(first, "\033[1mbold words\033[0m"); /* cut to ten columns */
    CHECK_HOLDS(first, "third");
    CHECK_EQ(str_find(first, S("fourth")), first.n);
    if (signal_to_send)
        kill(child, signal_to_send);
    else
        CHECK_EQ(write(master, key, 1), 1);
    rest = read_until(cx, master, "\033[?1049l");
    CHECK_HOLDS(rest, "\033[?25h\033[?1049l");
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    close(master);
}

TEST(screen_is_given_back_on_key_and_signals)
{
    check_screen(cx, 0, "q");
    check_screen(cx, 0, "\003"); /* Ctrl-C through the line discipline */
    check_screen(cx, SIGTERM, NULL);
    check_screen(cx, SIGHUP, NULL);
}

TEST(screen_needs_a_terminal)
{
    struct screen *s = NULL;
    FILE *f = fopen("/dev/null", "w");

    CHECK_ERR(screen_open(cx, f, &s), ERR_USAGE);
    fclose(f);
}
