/* SPDX-License-Identifier: MIT */
/* log.h - structured lines on standard error.
 *
 *     2026-11-24T04:09:53.123Z warning event=append_failed shard=0 reason="database is locked"
 *
 * A stable event name first, then key=value pairs by printf; values that may
 * hold blanks stand in quotes. Never message bodies, never whole tokens. Control
 * characters are replaced, so that no text can forge a line. Warnings and errors
 * are limited to one a second for each place in the code; the next line says
 * how many were left out. Any thread.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARNING, LEVEL_ERROR };

/* One place in the code that logs. */
struct log_site {
    _Atomic int64_t next_us; /* not before this moment of the monotonic clock */
    _Atomic uint64_t left_out;
};

/* Lines below `level` are not written. Before threads start. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

void log_write(enum log_level level, struct log_site *site, const char *event, const char *format,
               ...) __attribute__((format(printf, 4, 5)));

#define log_debug(event, ...) log_write(LEVEL_DEBUG, NULL, event, __VA_ARGS__)
#define log_info(event, ...) log_write(LEVEL_INFO, NULL, event, __VA_ARGS__)
#define log_warning(event, ...) LOG_LIMITED(LEVEL_WARNING, event, __VA_ARGS__)
#define log_error(event, ...) LOG_LIMITED(LEVEL_ERROR, event, __VA_ARGS__)
#define LOG_LIMITED(level, event, ...)                        \
    do {                                                      \
        static struct log_site log_site_here;                 \
        log_write(level, &log_site_here, event, __VA_ARGS__); \
    } while (0)

#endif
