/* SPDX-License-Identifier: MIT */
#include "http/json_writer.h"

#include <string.h>

#include "http/json_plain.h"

/* The moments between which RFC 3339 has a year to write. */
#define TIME_US_FIRST INT64_C(-62167219200000000)
#define TIME_US_LAST INT64_C(253402300799999999)

/* Writes the escape for one character, six bytes at most. */
static size_t json_escape(unsigned char byte, char *to)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = "btnvfr"; /* from 0x08 on; JSON has no \v */

    to[0] = '\\';
    if (byte >= 0x20) {
        to[1] = (char) byte;
        return 2;
    }
    if (byte >= '\b' && byte <= '\r' && byte != '\v') {
        to[1] = letters[byte - '\b'];
        return 2;
    }
    memcpy(to + 1, "u00", 3);
    to[4] = hex[byte >> 4];
    to[5] = hex[byte & 0xF];
    return 6;
}

void json_write_string(struct buffer *buffer, const char *text, size_t length)
{
    buffer_append(buffer, "\"", 1);
    for (size_t at = 0; at < length;) {
        size_t plain = json_plain_length(text + at, length - at);
        buffer_append(buffer, text + at, plain);
        at += plain;
        if (at < length) {
            char *to = buffer_reserve(buffer, 6);
            buffer->length += json_escape((unsigned char) text[at], to);
            at++;
        }
    }
    buffer_append(buffer, "\"", 1);
}

void json_write_number(struct buffer *buffer, uint64_t number)
{
    char digits[20]; /* as many as 2^64 has */
    size_t begin = sizeof digits;

    do {
        digits[--begin] = (char) ('0' + number % 10);
        number /= 10;
    } while (number > 0);
    buffer_append(buffer, digits + begin, sizeof digits - begin);
}

/* Writes `value` with exactly `width` digits and `mark` behind them. */
static char *json_write_digits(char *to, unsigned value, int width, char mark)
{
    for (int i = width; i-- > 0; value /= 10)
        to[i] = (char) ('0' + value % 10);
    to[width] = mark;
    return to + width + 1;
}

/* Writes a day, given in days since 0000-01-01. Years are counted from the first
 * of March, so that the leap day is the last of its year, and from -400, so that
 * nothing is negative. After Howard Hinnant's civil_from_days. */
static char *json_write_date(char *to, unsigned days)
{
    days = days + 146097 - 60; /* 400 years have 146 097 days; January and February 60 */
    unsigned era = days / 146097, day_of_era = days % 146097;
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month_from_march = (5 * day_of_year + 2) / 153;
    unsigned day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    unsigned month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    unsigned year = era * 400 + year_of_era + (month <= 2) - 400;

    to = json_write_digits(to, year, 4, '-');
    to = json_write_digits(to, month, 2, '-');
    return json_write_digits(to, day, 2, 'T');
}

void json_write_time(struct buffer *buffer, int64_t time_us)
{
    if (time_us < TIME_US_FIRST)
        time_us = TIME_US_FIRST;
    if (time_us > TIME_US_LAST)
        time_us = TIME_US_LAST;

    /* Counted from year 0 nothing is negative and every division rounds down. */
    const uint64_t ms_per_day = 86400000;
    uint64_t ms = (uint64_t) (time_us - TIME_US_FIRST) / 1000;
    unsigned ms_of_day = (unsigned) (ms % ms_per_day);

    char *begin = buffer_reserve(buffer, sizeof "\"0000-00-00T00:00:00.000Z\"");
    char *to = begin;
    *to++ = '"';
    to = json_write_date(to, (unsigned) (ms / ms_per_day));
    to = json_write_digits(to, ms_of_day / 3600000, 2, ':');
    to = json_write_digits(to, ms_of_day / 60000 % 60, 2, ':');
    to = json_write_digits(to, ms_of_day / 1000 % 60, 2, '.');
    to = json_write_digits(to, ms_of_day % 1000, 3, 'Z');
    *to++ = '"';
    *to = '\0';
    buffer->length += (size_t) (to - begin);
}
