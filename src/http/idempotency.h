/* SPDX-License-Identifier: MIT */
/* idempotency.h - the Idempotency-Key header.
 *
 * A key is 1 to 255 visible ASCII characters as they are, or a quoted string
 * of RFC 8941, in which blanks may stand too and `"` and `\` are escaped by a
 * backslash: k and "k" are the same key. Blanks around either are dropped.
 *
 * No state: any thread may call anything.
 */
#ifndef HTTP_IDEMPOTENCY_H
#define HTTP_IDEMPOTENCY_H

#include <stdbool.h>
#include <stddef.h>

/* The longest key, quotes and escapes not counted. */
enum { IDEMPOTENCY_KEY_MAX = 255 };

/* Reads the value of one header. False if it is no key, as when it is empty;
 * ret_key, with room for IDEMPOTENCY_KEY_MAX bytes and no NUL behind the key,
 * and *ret_length are left alone then. That the header was not sent twice is
 * for the caller to see. */
bool idempotency_key_read(const char *value, size_t length, char *ret_key, size_t *ret_length);

#endif
