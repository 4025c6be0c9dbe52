/* SPDX-License-Identifier: MIT */
/* fuzz.h - what the fuzz targets share.
 *
 * A target is one function, the one that libFuzzer calls. Built with clang
 * -fsanitize=fuzzer it is a fuzzer; linked with standalone.c it runs its corpus
 * and seeded mutations of it, with any compiler.
 *
 * Targets do not only wait for crashes: each compares the code with another
 * that does the same, written without an eye on speed or by somebody else.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unicode/ustring.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An assertion that says so and aborts, whatever the build. */
#define FUZZ_CHECK(condition)                                                         \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                  \
        }                                                                             \
    } while (0)

/* A copy of exact size on the heap, so that AddressSanitizer sees its end. */
static inline char *fuzz_copy(const void *data, size_t size)
{
    char *copy = (char *) malloc(size ? size : 1);

    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    return copy;
}

/* Whether ICU takes the bytes for UTF-8. */
static inline bool fuzz_is_utf8(const char *text, size_t length)
{
    UErrorCode error = U_ZERO_ERROR;
    int32_t units;

    u_strFromUTF8(NULL, 0, &units, text, (int32_t) length, &error);
    return error != U_INVALID_CHAR_FOUND;
}

/* Percent-decoding, again: to a new text, by the C library's digits. False if
 * an escape is bad or the result is not UTF-8; free *ret_text in any case. */
static inline bool fuzz_decode(const char *text, size_t length, bool plus_is_space, char **ret_text,
                               size_t *ret_length)
{
    char *to = *ret_text = fuzz_copy(text, length); /* never longer than what it replaces */

    for (size_t i = 0; i < length; i++) {
        if (text[i] == '%') {
            if (i + 2 >= length || !isxdigit((unsigned char) text[i + 1]) ||
                !isxdigit((unsigned char) text[i + 2]))
                return false;
            char digits[] = {text[i + 1], text[i + 2], '\0'};
            *to++ = (char) strtol(digits, NULL, 16);
            i += 2;
        } else {
            *to++ = plus_is_space && text[i] == '+' ? ' ' : text[i];
        }
    }
    *ret_length = (size_t) (to - *ret_text);
    return fuzz_is_utf8(*ret_text, *ret_length);
}

#endif
