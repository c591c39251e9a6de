/* clock.c - see clock.h.  Civil dates by the days-from-civil algorithm (proleptic Gregorian). */
#include "base/clock.h"
#include <sys/random.h>
#include <time.h>

enum { SECONDS_PER_DAY = 86400 };
#define US_PER_S INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define TIME_MIN_S INT64_C(-62167219200) /* 0000-01-01 */
#define TIME_MAX_S INT64_C(253402300799) /* 9999-12-31T23:59:59 */

int64_t clock_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

int64_t clock_mono_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

static void civil_from_days(int64_t days, unsigned *year, unsigned *month, unsigned *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned day_of_era = (unsigned)(days - era * 146097);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned shifted = (5 * day_of_year + 2) / 153;

    *day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = (unsigned)((int64_t)year_of_era + era * 400) + (*month <= 2);
}

static void put_digits(char *at, unsigned value, unsigned digits)
{
    while (digits--) {
        at[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

void time_format(int64_t us, char out[TIME_TEXT_SIZE])
{
    unsigned year, month, day;
    int64_t seconds = us / US_PER_S - (us % US_PER_S < 0);
    unsigned fraction = (unsigned)(us - seconds * US_PER_S);

    if (seconds < TIME_MIN_S || seconds > TIME_MAX_S) {
        seconds = seconds < TIME_MIN_S ? TIME_MIN_S : TIME_MAX_S;
        fraction = 0;
    }
    int64_t days = seconds / SECONDS_PER_DAY - (seconds % SECONDS_PER_DAY < 0);
    unsigned second = (unsigned)(seconds - days * SECONDS_PER_DAY);
    civil_from_days(days, &year, &month, &day);
    memcpy(out, "0000-00-00T00:00:00.000000Z", TIME_TEXT_SIZE);
    put_digits(out, year, 4);
    put_digits(out + 5, month, 2);
    put_digits(out + 8, day, 2);
    put_digits(out + 11, second / 3600, 2);
    put_digits(out + 14, second / 60 % 60, 2);
    put_digits(out + 17, second % 60, 2);
    put_digits(out + 20, fraction, 6);
}

/* `digits` decimal digits at s[at]; advances. */
static bool take_digits(str s, size_t *at, unsigned digits, unsigned *out)
{
    unsigned v = 0;

    if (s.n - *at < digits)
        return false;
    for (unsigned i = 0; i < digits; i++) {
        char c = s.p[*at + i];
        if (c < '0' || c > '9')
            return false;
        v = v * 10 + (unsigned)(c - '0');
    }
    *at += digits;
    *out = v;
    return true;
}

static bool take_char(str s, size_t *at, const char *any_of)
{
    for (; *at < s.n && *any_of; any_of++) {
        if (s.p[*at] == *any_of) {
            ++*at;
            return true;
        }
    }
    return false;
}

static bool take_date(str s, size_t *at, int64_t *out_days)
{
    static const unsigned char month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year, month, day;

    if (!take_digits(s, at, 4, &year) || !take_char(s, at, "-") || !take_digits(s, at, 2, &month) ||
        !take_char(s, at, "-") || !take_digits(s, at, 2, &day))
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (month < 1 || month > 12 || day < 1 || day > month_days[month - 1] ||
        (month == 2 && day == 29 && !leap))
        return false;
    *out_days = days_from_civil(year, month, day);
    return true;
}

/* ".123456789", cut off behind the microsecond. */
static bool take_fraction(str s, size_t *at, unsigned *out_us)
{
    unsigned scale = 100000, us = 0;
    size_t start;

    *out_us = 0;
    if (!take_char(s, at, "."))
        return true;
    for (start = *at; *at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9'; ++*at) {
        us += scale * (unsigned)(s.p[*at] - '0');
        scale /= 10;
    }
    *out_us = us;
    return *at > start;
}

static bool take_offset(str s, size_t *at, int64_t *out_seconds)
{
    unsigned hours, minutes;

    *out_seconds = 0;
    if (take_char(s, at, "Zz"))
        return true;
    bool west = *at < s.n && s.p[*at] == '-';
    if (!take_char(s, at, "+-") || !take_digits(s, at, 2, &hours) || !take_char(s, at, ":") ||
        !take_digits(s, at, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *out_seconds = (west ? -1 : 1) * (int64_t)(hours * 3600 + minutes * 60);
    return true;
}

bool time_parse(str s, int64_t *out_us)
{
    int64_t days, offset = 0;
    unsigned hour = 0, minute = 0, second = 0, us = 0;
    size_t at = 0;

    if (!take_date(s, &at, &days))
        return false;
    if (at < s.n) {
        if (!take_char(s, &at, "Tt ") || !take_digits(s, &at, 2, &hour) ||
            !take_char(s, &at, ":") || !take_digits(s, &at, 2, &minute) ||
            !take_char(s, &at, ":") || !take_digits(s, &at, 2, &second) ||
            !take_fraction(s, &at, &us) || !take_offset(s, &at, &offset))
            return false;
    }
    if (at != s.n || hour > 23 || minute > 59 || second > 60)
        return false;
    int64_t seconds =
        days * SECONDS_PER_DAY + (int64_t)(hour * 3600 + minute * 60 + second) - offset;
    *out_us = seconds * US_PER_S + us;
    return true;
}

bool duration_parse(str s, int64_t *out_ns)
{
    static const struct {
        const char *suffix;
        int64_t ns;
    } units[] = {
        {"ms", NS_PER_S / 1000},
        {"us", 1000},
        {"s", NS_PER_S},
        {"m", 60 * NS_PER_S},
        {"h", 3600 * NS_PER_S},
        {"d", 86400 * NS_PER_S},
        {"w", 7 * 86400 * NS_PER_S},
        {"y", 365 * 86400 * NS_PER_S},
        {"", NS_PER_S},
    };
    int64_t v;

    for (size_t i = 0; i < COUNT(units); i++) {
        str suffix = str_from(units[i].suffix);
        if (!str_ends(s, suffix) || !str_to_i64(str_slice(s, 0, s.n - suffix.n), &v) || v < 0)
            continue;
        return !__builtin_mul_overflow(v, units[i].ns, out_ns);
    }
    return false;
}

void uuid7(char out[UUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char b[16];
    uint64_t ms = (uint64_t)clock_now_us() / 1000;

    ENSURE(getrandom(b, sizeof b, 0) == sizeof b);
    for (unsigned i = 0; i < 6; i++)
        b[i] = (unsigned char)(ms >> (40 - 8 * i));
    b[6] = (unsigned char)((b[6] & 0x0F) | 0x70);
    b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = digits[b[i] >> 4];
        *out++ = digits[b[i] & 15];
    }
    *out = 0;
}
