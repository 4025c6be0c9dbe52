/* SPDX-License-Identifier: MIT */
/* bytes.h - numbers and strings in and out of bytes, little-endian.
 *
 * Writers append to a struct buffer. A reader walks over bytes that anybody may
 * have sent: past the end, or after anything that does not fit, it turns bad,
 * stays bad and hands out zeros, so that a decoder checks once, at its end.
 */
#ifndef COMMON_BYTES_H
#define COMMON_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/buffer.h"

struct bytes_reader {
    const uint8_t *at, *end;
    bool bad;
};

static inline void bytes_put(struct buffer *buffer, uint64_t value, size_t width)
{
    memcpy(buffer_reserve(buffer, width), &value, width); /* little-endian hosts only */
    buffer->length += width;
}

static inline void bytes_put_string(struct buffer *buffer, const void *data, size_t length)
{
    bytes_put(buffer, length, 4);
    if (length)
        buffer_append(buffer, (const char *) data, length);
}

static inline struct bytes_reader bytes_reader(const void *data, size_t length)
{
    const uint8_t *start = (const uint8_t *) data;
    return (struct bytes_reader){.at = start, .end = start + length};
}

static inline const uint8_t *bytes_take(struct bytes_reader *reader, size_t length)
{
    if (reader->bad || (size_t) (reader->end - reader->at) < length) {
        reader->bad = true;
        return NULL;
    }
    reader->at += length;
    return reader->at - length;
}

static inline uint64_t bytes_get(struct bytes_reader *reader, size_t width)
{
    uint64_t value = 0;
    const uint8_t *from = bytes_take(reader, width);
    if (from)
        memcpy(&value, from, width);
    return value;
}

static inline const char *bytes_get_string(struct bytes_reader *reader, size_t *ret_length)
{
    size_t length = (size_t) bytes_get(reader, 4);
    const char *data = (const char *) bytes_take(reader, length);
    *ret_length = data ? length : 0;
    return data ? data : "";
}

/* True if everything fitted and nothing is left over. */
static inline bool bytes_finished(const struct bytes_reader *reader)
{
    return !reader->bad && reader->at == reader->end;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bytes.h copies numbers as they are");

#endif
