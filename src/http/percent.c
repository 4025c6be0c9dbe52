/* SPDX-License-Identifier: MIT */
#include "http/percent.h"

#include "common/text.h"

bool percent_decode(char *text, size_t length, enum percent_plus plus, size_t *ret_length)
{
    size_t written = 0;

    for (size_t at = 0; at < length; at++) {
        char byte = text[at];
        if (byte == '+' && plus == PERCENT_PLUS_IS_SPACE) {
            byte = ' ';
        } else if (byte == '%') {
            uint32_t escaped;
            if (length - at < 3 || !text_read_hex(text + at + 1, 2, &escaped))
                return false;
            byte = (char) escaped;
            at += 2;
        }
        text[written++] = byte;
    }
    if (!text_valid(text, written))
        return false;
    *ret_length = written;
    return true;
}
