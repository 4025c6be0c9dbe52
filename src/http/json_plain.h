/* SPDX-License-Identifier: MIT */
/* json_plain.h - what a JSON string may hold as it is, shared by the reader
 * and the writer, which both spend most of their time on it.
 */
#ifndef HTTP_JSON_PLAIN_H
#define HTTP_JSON_PLAIN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* How many bytes there are before the first that is a quote, a backslash or a
 * control character; `length` if there is none. */
static inline size_t json_plain_length(const char *text, size_t length)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    size_t at = 0;

    /* Eight at a time: taking one from a byte below a bound sets its top bit. */
    for (; length - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, text + at, sizeof word);
        uint64_t quote = word ^ (ones * '"');
        uint64_t backslash = word ^ (ones * '\\');
        uint64_t stops = ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
                         ((backslash - ones) & ~backslash);
        if (stops & (ones * 0x80))
            break;
    }
    while (at < length && (unsigned char) text[at] >= 0x20 && text[at] != '"' && text[at] != '\\')
        at++;
    return at;
}

#endif
