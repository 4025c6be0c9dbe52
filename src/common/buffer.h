/* SPDX-License-Identifier: MIT */
/* buffer.h - bytes that grow.
 *
 * A struct buffer that is all zeros is empty and ready. Whatever is appended,
 * data[length] is a NUL then, which `length` does not count. The bytes may move
 * at any append: keep lengths, not pointers. Out of memory aborts.
 *
 * One thread per buffer.
 */
#ifndef COMMON_BUFFER_H
#define COMMON_BUFFER_H

#include <stddef.h>

struct buffer {
    char *data;      /* NULL until something is appended */
    size_t length;   /* bytes in use */
    size_t capacity; /* bytes allocated */
};

/* Makes room for `extra` bytes and a NUL behind them, and returns where they
 * go. The caller writes there, the NUL as well if anybody is to look for it,
 * and adds to `length` what it wrote. */
char *buffer_reserve(struct buffer *buffer, size_t extra);

/* Appends `length` bytes, which must not lie in the buffer itself. */
void buffer_append(struct buffer *buffer, const char *data, size_t length);

/* Appends a C string, without its NUL. */
void buffer_append_text(struct buffer *buffer, const char *text);

/* Appends as printf would print. */
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Empties the buffer and keeps its memory for the next use. */
void buffer_clear(struct buffer *buffer);

/* Gives the memory back if it is more than most uses need: for buffers that live
 * long and were large once. What was in the buffer may be gone. */
void buffer_shrink(struct buffer *buffer);

/* Gives the memory back; the buffer is empty and ready again. */
void buffer_free(struct buffer *buffer);

#endif
