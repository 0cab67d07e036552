#include "base/clock.h"

#include <stdio.h>

int64_t fg_clock_unix_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

double fg_clock_thread_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

double fg_clock_monotonic_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

void fg_clock_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

struct timespec fg_clock_cond_in_ms(int ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

void fg_clock_text(int64_t unix_ms, char text[FG_TIME_TEXT])
{
    int64_t ms = ((unix_ms % 1000) + 1000) % 1000;
    time_t seconds = (time_t)((unix_ms - ms) / 1000);
    struct tm tm;
    char date[FG_TIME_TEXT];
    if (!gmtime_r(&seconds, &tm) || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        snprintf(date, sizeof date, "1970-01-01T00:00:00");
    snprintf(text, FG_TIME_TEXT, "%.19s.%03dZ", date, (int)ms);
}

/* Exactly n digits of p, -1 where there are fewer. */
static int digits(const char *p, int n)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        value = value * 10 + (p[i] - '0');
    }
    return value;
}

/* From 1970-01-01 in the Gregorian calendar; the year begins in March, so that the leap day is its last. */
static int64_t days_of(int year, int month, int day)
{
    const int64_t y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static bool parse_offset(const char *p, int *minutes)
{
    *minutes = 0;
    if ((*p == 'Z' || *p == 'z') && !p[1])
        return true;
    int hours = *p == '+' || *p == '-' ? digits(p + 1, 2) : -1;
    int rest = hours >= 0 && p[3] == ':' ? digits(p + 4, 2) : -1;
    if (hours > 23 || rest < 0 || rest > 59 || p[6])
        return false;
    *minutes = (hours * 60 + rest) * (*p == '-' ? -1 : 1);
    return true;
}

bool fg_clock_parse(const char *text, int64_t *unix_ms)
{
    static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *p = text;
    int year, month, day, hour, minute, second, ms = 0, offset = 0;
    *unix_ms = 0;
    if ((year = digits(p, 4)) < 0 || p[4] != '-' || (month = digits(p + 5, 2)) < 1 || month > 12 ||
        p[7] != '-' || (day = digits(p + 8, 2)) < 1 || day > month_days[month - 1] ||
        (month == 2 && day == 29 && (year % 4 || (year % 100 == 0 && year % 400))))
        return false;
    int64_t midnight_ms = days_of(year, month, day) * 86400000;
    if (!p[10]) {
        *unix_ms = midnight_ms;
        return true;
    }
    if ((p[10] != 'T' && p[10] != 't') || (hour = digits(p + 11, 2)) < 0 || hour > 23 || p[13] != ':' ||
        (minute = digits(p + 14, 2)) < 0 || minute > 59 || p[16] != ':' || (second = digits(p + 17, 2)) < 0 ||
        second > 60)
        return false;
    p += 19;
    if (*p == '.') {
        int place = 100;
        if (p[1] < '0' || p[1] > '9')
            return false;
        for (p++; *p >= '0' && *p <= '9'; p++, place /= 10)
            ms += (*p - '0') * place;
    }
    if (!parse_offset(p, &offset))
        return false;
    *unix_ms = midnight_ms + ((hour * 60 + minute - offset) * 60 + second) * 1000LL + ms;
    return true;
}
