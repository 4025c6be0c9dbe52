/* SPDX-License-Identifier: MIT */
#include "common/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first allocation holds a short reply whole. */
enum { CAPACITY_FIRST = 512, CAPACITY_KEPT = 128 * 1024 };

char *buffer_reserve(struct buffer *buffer, size_t extra)
{
    assert(extra < SIZE_MAX / 2 - buffer->length);
    size_t needed = buffer->length + extra + 1;

    if (needed > buffer->capacity) {
        size_t capacity = buffer->capacity ? buffer->capacity * 2 : CAPACITY_FIRST;
        if (capacity < needed)
            capacity = needed;
        buffer->data = realloc(buffer->data, capacity);
        if (!buffer->data)
            abort();
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->length;
}

void buffer_append(struct buffer *buffer, const char *data, size_t length)
{
    char *to = buffer_reserve(buffer, length);

    if (length > 0)
        memcpy(to, data, length);
    to[length] = '\0';
    buffer->length += length;
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(length >= 0);

    char *to = buffer_reserve(buffer, (size_t) length);
    va_start(args, format);
    vsnprintf(to, (size_t) length + 1, format, args);
    va_end(args);
    buffer->length += (size_t) length;
}

void buffer_clear(struct buffer *buffer)
{
    buffer->length = 0;
    if (buffer->data)
        buffer->data[0] = '\0';
}

void buffer_shrink(struct buffer *buffer)
{
    if (buffer->capacity > CAPACITY_KEPT)
        buffer_free(buffer);
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}
