/* format_text.c - times, addresses and words in log lines. */
#include "audit/format_reader.h"
#include "base/clock.h"
#include <arpa/inet.h>

bool text_digits(str s, size_t at, size_t n, int *out)
{
    int v = 0;

    if (at + n > s.n)
        return false;
    for (size_t i = at; i < at + n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (s.p[i] - '0');
    }
    *out = v;
    return true;
}

int text_month(str name)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (int m = 0; name.n == 3 && m < 12; m++)
        if (memcmp(name.p, months + 3 * m, 3) == 0)
            return m + 1;
    return 0;
}

bool text_local_time(str s, int32_t zone_offset_s, int64_t *out_us)
{
    char text[40];
    int64_t us;

    if (s.n < sizeof "YYYY-MM-DD hh:mm:ss" - 1 || s.n >= sizeof text)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 'Z';
    if (!time_parse((str){text, s.n + 1}, &us))
        return false;
    *out_us = us - (int64_t)zone_offset_s * 1000000;
    return true;
}

static void put_digits(char *at, int v, int n)
{
    while (n-- > 0) {
        at[n] = (char)('0' + v % 10);
        v /= 10;
    }
}

bool text_civil_time(const struct civil *c, int32_t zone_offset_s, int64_t *out_us)
{
    char text[] = "YYYY-MM-DD hh:mm:ss";

    put_digits(text, c->year, 4);
    put_digits(text + 5, c->month, 2);
    put_digits(text + 8, c->day, 2);
    put_digits(text + 11, c->hour, 2);
    put_digits(text + 14, c->minute, 2);
    put_digits(text + 17, c->second, 2);
    return text_local_time((str){text, sizeof text - 1}, zone_offset_s, out_us);
}

/* Digits of a fraction as µs; false if it is anything else. */
static bool fraction_us(str s, int64_t *out)
{
    int64_t us = 0, unit = 100000;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++, unit /= 10) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        us += (s.p[i] - '0') * unit;
    }
    *out = us;
    return true;
}

/* From 1973 on, so that 20261120 is not taken for a day in 1970. */
static bool epoch_to_us(str s, int64_t *out_us)
{
    uint64_t whole;
    int64_t us = 0;
    str fraction = s;

    if (!str_to_u64(str_cut(&fraction, '.'), &whole) || whole < 100000000)
        return false;
    if (!str_is_null(fraction) && !fraction_us(fraction, &us))
        return false;
    if (whole < UINT64_C(100000000000))
        *out_us = (int64_t)whole * 1000000 + us;
    else if (whole < UINT64_C(100000000000000))
        *out_us = (int64_t)whole * 1000 + us / 1000;
    else if (whole < UINT64_C(100000000000000000))
        *out_us = (int64_t)whole;
    else
        *out_us = (int64_t)(whole / 1000);
    return true;
}

bool text_time(str s, int32_t zone_offset_s, int64_t *out_us)
{
    return epoch_to_us(s, out_us) || text_local_time(s, zone_offset_s, out_us) ||
           time_parse(s, out_us);
}

bool text_is_ip(str s)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char address[16];

    if (s.n == 0 || s.n >= sizeof text)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

str text_word(struct scan *s)
{
    str rest = text_rest(s);
    str word = str_slice(rest, 0, str_find_char(rest, ' '));

    s->at += word.n + (word.n < rest.n);
    return word;
}

bool text_char(struct scan *s, char c)
{
    if (s->at >= s->s.n || s->s.p[s->at] != c)
        return false;
    s->at++;
    return true;
}

str text_first_line(str head)
{
    str rest = str_starts(head, S("\xEF\xBB\xBF")) ? str_slice(head, 3, head.n) : head;
    str line = str_cut(&rest, '\n');

    return str_ends(line, S("\r")) ? str_slice(line, 0, line.n - 1) : line;
}

bool text_holds(str s, str needle)
{
    return str_find(s, needle) < s.n;
}
