/* screen.c - a full-screen view that is drawn again and again.
 *
 * Signals are blocked and read from a signalfd while the screen is open, so that every way out runs
 * through screen_close() and no handler needs a global. */
#include "cli/terminal.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define SCREEN_ENTER "\033[?1049h\033[?25l\033[2J"
#define SCREEN_LEAVE "\033[?25h\033[?1049l"

struct screen {
    FILE *file;
    int signals; /* signalfd */
    sigset_t old_mask;
    bool keys; /* standard input is a terminal whose settings are in `old_keys` */
    struct termios old_keys;
};

/* Every signal by which a terminal ends, stops or resizes a program. */
static sigset_t screen_signals(void)
{
    static const int list[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < COUNT(list); i++)
        sigaddset(&set, list[i]);
    return set;
}

static void put(struct screen *s, const char *sequence)
{
    fputs(sequence, s->file);
    fflush(s->file);
}

static void enter(struct screen *s)
{
    struct termios keys = s->old_keys;

    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    if (s->keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    put(s, SCREEN_ENTER);
}

static void leave(struct screen *s)
{
    put(s, SCREEN_LEAVE);
    if (s->keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &s->old_keys);
}

err screen_open(struct ctx *cx, FILE *file, struct screen **out)
{
    const sigset_t set = screen_signals();
    struct screen *s;
    int fd = fileno(file), signals;

    if (fd < 0 || !isatty(fd))
        return fail(cx, ERR_USAGE, "a full-screen view needs a terminal");
    signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        return fail_errno(cx, ERR_IO, "signalfd");
    s = calloc(1, sizeof(*s));
    ENSURE(s);
    *s = (struct screen){.file = file, .signals = signals};
    pthread_sigmask(SIG_BLOCK, &set, &s->old_mask);
    s->keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &s->old_keys) == 0;
    enter(s);
    *out = s;
    return ERR_OK;
}

void screen_close(struct screen *s)
{
    if (!s)
        return;
    leave(s);
    close(s->signals);
    pthread_sigmask(SIG_SETMASK, &s->old_mask, NULL);
    free(s);
}

struct terminal screen_terminal(const struct screen *s)
{
    struct terminal t = {
        .file = s->file, .tty = true, .colour = !getenv("NO_COLOR"), .columns = 80, .rows = 24};
    struct winsize size = {0};

    if (ioctl(fileno(s->file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        t.columns = size.ws_col;
        t.rows = size.ws_row;
    }
    return t;
}

/* Escape sequences take no columns; a line is cut before the first character that does not fit. */
static void put_line(struct buf *b, str line, size_t columns)
{
    size_t used = 0;

    while (line.n > 0) {
        bool escape = line.p[0] == '\033';
        size_t end = escape ? str_find_char(line, 'm') + 1 : str_find_char(line, '\033');
        str part = str_slice(line, 0, end);

        if (!escape) {
            part = text_fit(part, columns - used);
            used += text_columns(part);
        }
        buf_put(b, part);
        line = str_slice(line, size_min(end, line.n), line.n);
    }
}

void screen_draw(struct screen *s, str lines)
{
    const struct terminal t = screen_terminal(s);
    CLEANUP(buf_close) struct buf b = BUF(1 << 20);

    buf_put(&b, S("\033[H"));
    for (size_t row = 0; row < t.rows && lines.n > 0; row++) {
        buf_put(&b, row ? S("\r\n") : S(""));
        put_line(&b, str_cut(&lines, '\n'), t.columns);
        buf_put(&b, S("\033[0m\033[K"));
    }
    buf_put(&b, S("\033[J"));
    fwrite(b.p, 1, b.n, s->file);
    fflush(s->file);
}

/* Ctrl-Z: give the terminal back, sleep, take it again.  SIGSTOP because TSTP is blocked. */
static void suspend(struct screen *s)
{
    leave(s);
    raise(SIGSTOP);
    enter(s);
}

static bool goes_on_after_signal(struct screen *s)
{
    struct signalfd_siginfo info;

    if (read(s->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return true;
    if (info.ssi_signo == SIGTSTP)
        suspend(s);
    return info.ssi_signo == SIGTSTP || info.ssi_signo == SIGWINCH;
}

static bool goes_on_after_key(void)
{
    char key;

    return read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q';
}

bool screen_wait(struct screen *s, int64_t timeout_ns)
{
    struct pollfd on[] = {{.fd = s->signals, .events = POLLIN},
                          {.fd = s->keys ? STDIN_FILENO : -1, .events = POLLIN}};

    if (poll(on, COUNT(on), (int)(timeout_ns / 1000000)) <= 0)
        return true;
    if (on[0].revents && !goes_on_after_signal(s))
        return false;
    return !on[1].revents || goes_on_after_key();
}
