/* secret_input.c - see secret_input.h. */
#include "cli/secret_input.h"
#include "crypto/password.h"
#include "crypto/seal.h"
#include <fcntl.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = PASSWORD_BYTES_MAX + 2, INTERRUPT = 3 };

struct quiet_terminal {
    FILE *file;
    struct termios before;
};

static void quiet_terminal_close(struct quiet_terminal *t)
{
    if (!t->file)
        return;
    tcsetattr(fileno(t->file), TCSAFLUSH, &t->before);
    fclose(t->file);
}

/* The terminal itself, so that standard input may be something else. */
static err quiet_terminal_open(struct ctx *cx, struct quiet_terminal *t)
{
    struct termios quiet;

    t->file = fopen("/dev/tty", "r+e");
    if (!t->file || tcgetattr(fileno(t->file), &t->before) != 0)
        return fail(cx, ERR_USAGE, "there is no terminal to ask at: give it with --password-stdin");
    setvbuf(t->file, NULL, _IONBF, 0);
    quiet = t->before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG); /* Ctrl-C must not leave the terminal mute */
    quiet.c_lflag |= ECHONL;
    quiet.c_cc[VEOL] = INTERRUPT;
    tcsetattr(fileno(t->file), TCSAFLUSH, &quiet);
    return ERR_OK;
}

/* A line without its end, straight into the arena's memory: no buffer of stdio keeps it. */
static err read_line(struct ctx *cx, int fd, str *out)
{
    char *p = arena_new(cx->mem, char, LINE_BYTES_MAX);
    size_t n = 0;

    while (n < LINE_BYTES_MAX) {
        ssize_t got = read(fd, p + n, 1);
        if (got < 0)
            return fail_errno(cx, ERR_IO, "the password cannot be read");
        if (got == 0 || p[n] == '\n')
            break;
        if (p[n] == INTERRUPT)
            return fail(cx, ERR_USAGE, "interrupted");
        n++;
    }
    if (n > PASSWORD_BYTES_MAX)
        return fail(cx, ERR_TOO_LARGE, "a password has at most %d bytes", PASSWORD_BYTES_MAX);
    if (n > 0 && p[n - 1] == '\r')
        n--;
    *out = (str){p, n};
    return ERR_OK;
}

static err ask(struct ctx *cx, struct quiet_terminal *t, const char *prompt, str *out)
{
    fputs(prompt, t->file);
    return read_line(cx, fileno(t->file), out);
}

static err ask_twice(struct ctx *cx, const char *prompt, str *out)
{
    CLEANUP(quiet_terminal_close) struct quiet_terminal t = {0};
    str again;

    TRY(quiet_terminal_open(cx, &t));
    TRY(ask(cx, &t, arena_printf(cx->mem, "%s: ", prompt).p, out));
    TRY(ask(cx, &t, "Again, to be sure: ", &again));
    bool same = str_eq(*out, again);
    secret_wipe_str(&again);
    if (!same)
        return fail(cx, ERR_USAGE, "the two are not the same");
    return ERR_OK;
}

err secret_read(struct ctx *cx, const char *prompt, bool from_stdin, str *out)
{
    if (!from_stdin)
        return ask_twice(cx, prompt, out);
    TRY(read_line(cx, STDIN_FILENO, out));
    return out->n ? ERR_OK : fail(cx, ERR_USAGE, "there is no password on standard input");
}
