/* SPDX-License-Identifier: MIT */
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

enum { LINE_MAX_BYTES = 2048, PAUSE_US = 1000000 };

static _Atomic int log_level_now = LEVEL_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&log_level_now, (int) level);
}

bool log_enabled(enum log_level level)
{
    return (int) level >= atomic_load_explicit(&log_level_now, memory_order_relaxed);
}

/* True if the site may write now; *ret_left_out: lines it swallowed before. */
static bool site_open(struct log_site *site, uint64_t *ret_left_out)
{
    *ret_left_out = 0;
    if (!site)
        return true;
    int64_t now = clock_monotonic_us(), next = atomic_load(&site->next_us);
    if (now < next || !atomic_compare_exchange_strong(&site->next_us, &next, now + PAUSE_US)) {
        atomic_fetch_add(&site->left_out, 1);
        return false;
    }
    *ret_left_out = atomic_exchange(&site->left_out, 0);
    return true;
}

static size_t line_start(char *line, size_t size, enum log_level level, const char *event)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    int64_t now = clock_us();
    time_t seconds = (time_t) (now / 1000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t length = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &utc);
    return length + (size_t) snprintf(line + length, size - length, ".%03dZ %s event=%s ",
                                      (int) (now / 1000 % 1000), names[level], event);
}

void log_write(enum log_level level, struct log_site *site, const char *event, const char *format,
               ...)
{
    uint64_t left_out;
    if (!log_enabled(level) || !site_open(site, &left_out))
        return;

    char line[LINE_MAX_BYTES];
    size_t room = sizeof line - 32; /* for what is appended below */
    size_t length = line_start(line, room, level, event);
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(line + length, room - length, format, arguments);
    va_end(arguments);
    length += written < 0 ? 0 : (size_t) written;
    if (length > room - 1)
        length = room - 1;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char) line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    if (left_out)
        length += (size_t) snprintf(line + length, sizeof line - length, " left_out=%llu",
                                    (unsigned long long) left_out);
    line[length++] = '\n';
    if (write(STDERR_FILENO, line, length) < 0)
        return; /* nobody is left to tell */
}
