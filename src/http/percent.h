/* SPDX-License-Identifier: MIT */
/* percent.h - percent-encoding, decoded once and strictly.
 *
 * Nothing is repaired: what is not exactly right is refused.
 *
 * No state: any thread may call anything.
 */
#ifndef HTTP_PERCENT_H
#define HTTP_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

enum percent_plus {
    PERCENT_PLUS_IS_PLUS,  /* in paths */
    PERCENT_PLUS_IS_SPACE, /* in query strings and forms */
};

/* Decodes in place; the result is never longer. False if a `%` is not followed
 * by two hexadecimal digits or if the result is not UTF-8; the text is in
 * pieces then. `%00` becomes a NUL. */
bool percent_decode(char *text, size_t length, enum percent_plus plus, size_t *ret_length);

#endif
