/* SPDX-License-Identifier: MIT */
/* text.h - what confab knows about Unicode.
 *
 * Text is UTF-8, stored and returned byte for byte: nothing here trims or
 * normalises. It is checked once, at the door, by text_valid(); every other
 * function expects text that passed, and stays within its bounds if not.
 * A NUL is a character like any other, so text always comes with its length.
 *
 * Search ignores case by *simple* folding, one code point to one code point:
 * a place in the folded text is the same place in the text as written. All
 * engines index and query what text_fold() made, so that they answer alike.
 *
 * No state: any thread may call anything.
 */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"

/* The most bytes that `length` bytes of text fold to: a character of two
 * bytes may become one of three (U+023A), and none grows by more. */
#define TEXT_FOLDED_MAX(length) ((length) + (length) / 2)

/* A piece of a text, in code points: from `start` up to, not including, `end`. */
struct text_span {
    size_t start;
    size_t end;
};

/* True if the bytes are UTF-8 as Unicode defines it: no surrogates, nothing
 * overlong, nothing above U+10FFFF. Empty text is valid. */
bool text_valid(const char *text, size_t length);

/* The number of characters, as code points. */
size_t text_code_points(const char *text, size_t length);

/* True if there is nothing to read: empty, or only characters that have
 * Unicode's White_Space property. A zero width space does not have it. */
bool text_blank(const char *text, size_t length);

/* Folds case into `ret_folded`, which has room for `capacity` bytes, at least
 * TEXT_FOLDED_MAX(length) (asserted) and not overlapping `text`. Returns the
 * number of bytes written; there is no NUL behind them. */
size_t text_fold(const char *text, size_t length, char *ret_folded, size_t capacity);

/* Folds case at the end of a buffer; returns how many bytes longer it is. */
size_t text_fold_append(struct buffer *buffer, const char *text, size_t length);

/* Finds `needle` in `text`, both folded, from the left, no occurrence
 * overlapping the one before. Writes the first `spans_max` of them and returns
 * how many it wrote; an empty needle occurs nowhere. */
size_t text_find_all(const char *text, size_t length, const char *needle, size_t needle_length,
                     struct text_span spans[], size_t spans_max);

/* Writes a character as UTF-8, one to four bytes, and returns how many.
 * `code_point` is at most U+10FFFF and no surrogate. */
size_t text_write_character(uint32_t code_point, char *ret_bytes);

/* Reads the one way confab lets people write a number: "0" or a digit from 1
 * to 9 and up to fifteen more digits. False for anything else, signs and
 * blanks included, and then leaves *ret_number alone. */
bool text_read_number(const char *text, size_t length, uint64_t *ret_number);

/* True if the URL begins with the scheme and a colon. */
bool text_has_scheme(const char *url, const char *scheme);

/* Reads exactly `digits` hexadecimal digits, at most eight, capital or small.
 * False if one of them is none, and then leaves *ret_number alone. */
bool text_read_hex(const char *text, size_t digits, uint32_t *ret_number);

#endif
