/* SPDX-License-Identifier: MIT */
#include "common/timestamp.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* 0000-01-01T00:00:00Z and the end of 9999-12-31. */
#define SECOND_FIRST INT64_C(-62167219200)
#define SECOND_LAST INT64_C(253402300799)

const char *timestamp_write(int64_t time_us, char text[TIMESTAMP_SIZE])
{
    if (time_us < SECOND_FIRST * 1000000)
        time_us = SECOND_FIRST * 1000000;
    if (time_us > SECOND_LAST * 1000000 + 999999)
        time_us = SECOND_LAST * 1000000 + 999999;
    int64_t microseconds = time_us % 1000000;
    if (microseconds < 0)
        microseconds += 1000000;
    time_t seconds = (time_t) ((time_us - microseconds) / 1000000);
    struct tm day;
    if (!gmtime_r(&seconds, &day))
        assert(false);
    int length = snprintf(text, TIMESTAMP_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ",
                          (unsigned) (day.tm_year + 1900) % 10000,
                          (unsigned) (day.tm_mon + 1) % 100, (unsigned) day.tm_mday % 100,
                          (unsigned) day.tm_hour % 100, (unsigned) day.tm_min % 100,
                          (unsigned) day.tm_sec % 100, (unsigned) microseconds % 1000000);
    assert(length == TIMESTAMP_SIZE - 1);
    return text;
}

/* Digits where the pattern has a 0, its own characters elsewhere. */
static bool pattern_fits(const char *text, const char *pattern)
{
    for (size_t i = 0; pattern[i]; i++)
        if (pattern[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != pattern[i])
            return false;
    return true;
}

static int digits(const char *text, size_t count)
{
    int number = 0;
    for (size_t i = 0; i < count; i++)
        number = number * 10 + (text[i] - '0');
    return number;
}

/* Digits behind the point as microseconds; false if there are too many or others. */
static bool fraction_read(const char *text, size_t length, int64_t *ret_microseconds)
{
    *ret_microseconds = 0;
    if (length == 0)
        return true;
    if (length < 2 || length > 7 || text[0] != '.')
        return false;
    for (size_t i = 1; i < 7; i++) {
        char digit = i < length ? text[i] : '0';
        if (digit < '0' || digit > '9')
            return false;
        *ret_microseconds = *ret_microseconds * 10 + (digit - '0');
    }
    return true;
}

bool timestamp_read(const char *text, size_t length, int64_t *ret_time_us)
{
    static const char pattern[] = "0000-00-00T00:00:00";
    const size_t head = sizeof pattern - 1;
    int64_t microseconds;
    if (length < head + 1 || !pattern_fits(text, pattern) || text[length - 1] != 'Z' ||
        !fraction_read(text + head, length - head - 1, &microseconds))
        return false;
    const struct tm asked = {
        .tm_year = digits(text, 4) - 1900,
        .tm_mon = digits(text + 5, 2) - 1,
        .tm_mday = digits(text + 8, 2),
        .tm_hour = digits(text + 11, 2),
        .tm_min = digits(text + 14, 2),
        .tm_sec = digits(text + 17, 2),
    };
    /* timegm() takes any numbers and makes a day of them: only what stays as it is
     * was one. */
    struct tm day = asked;
    time_t seconds = timegm(&day);
    if (day.tm_year != asked.tm_year || day.tm_mon != asked.tm_mon ||
        day.tm_mday != asked.tm_mday || day.tm_hour != asked.tm_hour ||
        day.tm_min != asked.tm_min || day.tm_sec != asked.tm_sec)
        return false;
    *ret_time_us = (int64_t) seconds * 1000000 + microseconds;
    return true;
}
