/* SPDX-License-Identifier: MIT */
#include "common/text.h"

#include <assert.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

/* Most text is ASCII, and eight bytes of it fit a register. */
#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

static uint64_t text_word(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return word;
}

static bool text_is_tail(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* The length of the character that begins here, 0 if none does. The second
 * byte is where overlong forms, surrogates and too high code points show. */
static size_t text_character(const unsigned char *text, size_t length)
{
    unsigned char first = text[0];

    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4 || length < 2)
        return 0;
    if (first < 0xE0)
        return text_is_tail(text[1]) ? 2 : 0;

    unsigned char lowest = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char highest = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (text[1] < lowest || text[1] > highest || length < 3 || !text_is_tail(text[2]))
        return 0;
    if (first < 0xF0)
        return 3;
    return length >= 4 && text_is_tail(text[3]) ? 4 : 0;
}

bool text_valid(const char *text, size_t length)
{
    size_t at = 0;

    while (at < length) {
        while (length - at >= 8 && !(text_word(text + at) & EACH_BYTE(0x80)))
            at += 8;
        /* Past an eight with something else in it, or in the last few bytes. */
        for (size_t end = length - at < 8 ? length : at + 8; at < end;) {
            size_t size = text_character((const unsigned char *) text + at, length - at);
            if (size == 0)
                return false;
            at += size;
        }
    }
    return true;
}

size_t text_code_points(const char *text, size_t length)
{
    size_t count = 0;

    for (size_t i = 0; i < length; i++)
        count += !text_is_tail((unsigned char) text[i]);
    return count;
}

bool text_blank(const char *text, size_t length)
{
    size_t at = 0;

    while (at < length) {
        UChar32 character;
        U8_NEXT(text, at, length, character);
        if (character < 0 || !u_isUWhiteSpace(character))
            return false;
    }
    return true;
}

/* Folds the ASCII at the beginning, eight bytes at a time; returns how much. */
static size_t text_fold_ascii(const char *text, size_t length, char *ret_folded)
{
    size_t at = 0;

    for (; length - at >= 8; at += 8) {
        uint64_t word = text_word(text + at);
        if (word & EACH_BYTE(0x80))
            break;
        /* The top bit of each byte tells a capital: it is at least A, and not
         * above Z. Two to the right it is the bit that makes it small. */
        uint64_t from_a = word + EACH_BYTE(0x80 - 'A');
        uint64_t above_z = word + EACH_BYTE(0x7F - 'Z');
        word |= (from_a & ~above_z & EACH_BYTE(0x80)) >> 2;
        memcpy(ret_folded + at, &word, sizeof word);
    }
    return at;
}

size_t text_fold(const char *text, size_t length, char *ret_folded, size_t capacity)
{
    size_t at = 0, written = 0;

    assert(capacity >= TEXT_FOLDED_MAX(length));
    while (at < length) {
        size_t ascii = text_fold_ascii(text + at, length - at, ret_folded + written);
        at += ascii;
        written += ascii;

        for (size_t end = length - at < 8 ? length : at + 8; at < end;) {
            size_t begin = at;
            UChar32 character;
            U8_NEXT(text, at, length, character);
            if (character < 0) { /* not UTF-8 after all: kept as it is */
                memcpy(ret_folded + written, text + begin, at - begin);
                written += at - begin;
            } else {
                character = u_foldCase(character, U_FOLD_CASE_DEFAULT);
                written += text_write_character((uint32_t) character, ret_folded + written);
            }
        }
    }
    return written;
}

size_t text_fold_append(struct buffer *buffer, const char *text, size_t length)
{
    size_t room = TEXT_FOLDED_MAX(length);
    size_t folded = text_fold(text, length, buffer_reserve(buffer, room), room);
    buffer->length += folded;
    return folded;
}

size_t text_find_all(const char *text, size_t length, const char *needle, size_t needle_length,
                     struct text_span spans[], size_t spans_max)
{
    size_t found = 0, at = 0, place = 0; /* `place` is `at` in code points */

    if (needle_length == 0)
        return 0;
    size_t needle_width = text_code_points(needle, needle_length);

    /* In UTF-8 no character looks like a part of others, so bytes will do. */
    while (found < spans_max) {
        const char *hit = memmem(text + at, length - at, needle, needle_length);
        if (!hit)
            break;
        size_t begin = (size_t) (hit - text);
        place += text_code_points(text + at, begin - at);
        spans[found].start = place;
        spans[found].end = place + needle_width;
        found++;
        place += needle_width;
        at = begin + needle_length;
    }
    return found;
}

size_t text_write_character(uint32_t code_point, char *ret_bytes)
{
    if (code_point < 0x80) {
        ret_bytes[0] = (char) code_point;
        return 1;
    }
    if (code_point < 0x800) {
        ret_bytes[0] = (char) (0xC0 | code_point >> 6);
        ret_bytes[1] = (char) (0x80 | (code_point & 0x3F));
        return 2;
    }
    if (code_point < 0x10000) {
        ret_bytes[0] = (char) (0xE0 | code_point >> 12);
        ret_bytes[1] = (char) (0x80 | (code_point >> 6 & 0x3F));
        ret_bytes[2] = (char) (0x80 | (code_point & 0x3F));
        return 3;
    }
    ret_bytes[0] = (char) (0xF0 | code_point >> 18);
    ret_bytes[1] = (char) (0x80 | (code_point >> 12 & 0x3F));
    ret_bytes[2] = (char) (0x80 | (code_point >> 6 & 0x3F));
    ret_bytes[3] = (char) (0x80 | (code_point & 0x3F));
    return 4;
}

bool text_read_number(const char *text, size_t length, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (length == 0 || length > 16 || (text[0] == '0' && length > 1))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        number = number * 10 + (uint64_t) (text[i] - '0');
    }
    *ret_number = number;
    return true;
}

/* The value of a hexadecimal digit, -1 if it is none. */
static int text_hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

bool text_has_scheme(const char *url, const char *scheme)
{
    size_t length = strlen(scheme);
    return strncmp(url, scheme, length) == 0 && url[length] == ':';
}

bool text_read_hex(const char *text, size_t digits, uint32_t *ret_number)
{
    uint32_t number = 0;

    assert(digits <= 8);
    for (size_t i = 0; i < digits; i++) {
        int digit = text_hex_digit(text[i]);
        if (digit < 0)
            return false;
        number = number << 4 | (uint32_t) digit;
    }
    *ret_number = number;
    return true;
}
