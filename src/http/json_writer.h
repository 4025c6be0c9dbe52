/* SPDX-License-Identifier: MIT */
/* json_writer.h - JSON values, appended to a buffer.
 *
 * Braces, brackets, commas and member names are written by the caller as
 * plain text; these functions write what needs care. They cannot fail.
 *
 * One thread per buffer.
 */
#ifndef HTTP_JSON_WRITER_H
#define HTTP_JSON_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"

/* Appends a string with its quotes. Only `"`, `\` and control characters are
 * escaped: all else, which must be UTF-8, goes out byte for byte. */
void json_write_string(struct buffer *buffer, const char *text, size_t length);

/* Appends an unsigned number in decimal. */
void json_write_number(struct buffer *buffer, uint64_t number);

/* Appends a time, given in microseconds since 1970, as an RFC 3339 string in
 * UTC with milliseconds, quotes included: "2026-11-24T04:09:53.123Z". Parts of
 * a millisecond are dropped, and a year outside 0000 to 9999, which RFC 3339
 * cannot write, becomes the nearest moment inside. */
void json_write_time(struct buffer *buffer, int64_t time_us);

#endif
