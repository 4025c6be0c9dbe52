/* SPDX-License-Identifier: MIT */
#include "http/idempotency.h"

#include <string.h>

static bool idempotency_is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static bool idempotency_is_visible(char byte)
{
    return byte >= 0x21 && byte <= 0x7E;
}

/* Takes the quotes and backslashes off. `value` begins with a quote. */
static bool idempotency_unquote(const char *value, size_t length, char *key, size_t *ret_length)
{
    size_t written = 0;

    if (length < 2 || value[length - 1] != '"')
        return false;
    const char *end = value + length - 1;
    for (const char *at = value + 1; at < end; at++) {
        char byte = *at;
        if (byte == '\\') {
            if (++at == end || (*at != '"' && *at != '\\'))
                return false;
            byte = *at;
        } else if (byte == '"' || (byte != ' ' && !idempotency_is_visible(byte))) {
            return false;
        }
        if (written == IDEMPOTENCY_KEY_MAX)
            return false;
        key[written++] = byte;
    }
    *ret_length = written;
    return true;
}

static bool idempotency_copy(const char *value, size_t length, char *key, size_t *ret_length)
{
    if (length > IDEMPOTENCY_KEY_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!idempotency_is_visible(value[i]))
            return false;
        key[i] = value[i];
    }
    *ret_length = length;
    return true;
}

bool idempotency_key_read(const char *value, size_t length, char *ret_key, size_t *ret_length)
{
    char key[IDEMPOTENCY_KEY_MAX];
    size_t key_length = 0;

    while (length > 0 && idempotency_is_blank(value[0])) {
        value++;
        length--;
    }
    while (length > 0 && idempotency_is_blank(value[length - 1]))
        length--;

    bool quoted = length > 0 && value[0] == '"';
    if (quoted ? !idempotency_unquote(value, length, key, &key_length)
               : !idempotency_copy(value, length, key, &key_length))
        return false;
    if (key_length == 0)
        return false;
    memcpy(ret_key, key, key_length);
    *ret_length = key_length;
    return true;
}
