/* SPDX-License-Identifier: MIT */
/* timestamp.h - times as text, to the microsecond: 2026-11-24T04:09:53.123456Z
 *
 * RFC 3339 in UTC, without losing anything. No state: any thread may call anything.
 */
#ifndef COMMON_TIMESTAMP_H
#define COMMON_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TIMESTAMP_SIZE = sizeof "2026-11-24T04:09:53.123456Z" };

/* Writes a time in µs since 1970. Years outside 0000 to 9999 become the nearest
 * moment inside. Returns `text`. */
const char *timestamp_write(int64_t time_us, char text[TIMESTAMP_SIZE]);

/* Reads such a text, with none to six digits after the point. False: it is none,
 * or no such day exists; *ret_time_us stays as it was. */
bool timestamp_read(const char *text, size_t length, int64_t *ret_time_us);

#endif
