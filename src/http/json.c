/* SPDX-License-Identifier: MIT */
#include "http/json.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/text.h"
#include "http/json_plain.h"

/* Where we are in a text known to be UTF-8. Every function that reads begins at
 * `at`, leaves `at` behind what it read, and returns false if it cannot. */
struct reader {
    char *at;
    char *end;
};

/* A string as it stands between its quotes. */
struct raw_string {
    char *text;
    size_t length;
    bool escaped; /* it has to be decoded */
};

static void reader_skip_blanks(struct reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
                                        *reader->at == '\r' || *reader->at == '\t'))
        reader->at++;
}

/* Steps over `byte` if it is next. */
static bool reader_take(struct reader *reader, char byte)
{
    if (reader->at == reader->end || *reader->at != byte)
        return false;
    reader->at++;
    return true;
}

static bool reader_take_word(struct reader *reader, const char *word)
{
    size_t length = strlen(word);

    if ((size_t) (reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
        return false;
    reader->at += length;
    return true;
}

static bool reader_skip_digits(struct reader *reader)
{
    char *begin = reader->at;

    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
    return reader->at > begin;
}

static bool reader_skip_number(struct reader *reader)
{
    reader_take(reader, '-');
    if (!reader_take(reader, '0') && !reader_skip_digits(reader))
        return false;
    if (reader_take(reader, '.') && !reader_skip_digits(reader))
        return false;
    if (reader_take(reader, 'e') || reader_take(reader, 'E')) {
        if (!reader_take(reader, '+'))
            reader_take(reader, '-');
        return reader_skip_digits(reader);
    }
    return true; /* digits after a leading zero are refused by what must follow */
}

/* Reads four hexadecimal digits, a \u before them being read already. */
static bool reader_take_unit(struct reader *reader, uint32_t *ret_unit)
{
    if (reader->end - reader->at < 4 || !text_read_hex(reader->at, 4, ret_unit))
        return false;
    reader->at += 4;
    return true;
}

/* Reads what follows a \u: four digits, or a pair of surrogates. */
static bool reader_take_character(struct reader *reader, uint32_t *ret_character)
{
    uint32_t high, low;

    if (!reader_take_unit(reader, &high))
        return false;
    if (high >= 0xD800 && high <= 0xDFFF) {
        if (high > 0xDBFF || !reader_take_word(reader, "\\u") || !reader_take_unit(reader, &low) ||
            low < 0xDC00 || low > 0xDFFF)
            return false;
        high = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    }
    *ret_character = high;
    return true;
}

static bool reader_skip_escape(struct reader *reader)
{
    uint32_t character;

    if (!reader_take(reader, '\\') || reader->at == reader->end)
        return false;
    switch (*reader->at++) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return true;
    case 'u':
        return reader_take_character(reader, &character);
    default:
        return false;
    }
}

static bool reader_take_string(struct reader *reader, struct raw_string *ret_string)
{
    struct raw_string string = {0};

    if (!reader_take(reader, '"'))
        return false;
    string.text = reader->at;
    for (;;) {
        reader->at += json_plain_length(reader->at, (size_t) (reader->end - reader->at));
        if (reader_take(reader, '"'))
            break;
        if (!reader_skip_escape(reader))
            return false;
        string.escaped = true;
    }
    string.length = (size_t) (reader->at - 1 - string.text);
    *ret_string = string;
    return true;
}

/* Decodes the escape at reader->at, known to be good, to `to`, which is not
 * behind it: no escape is shorter than what it stands for. */
static size_t reader_decode_escape(struct reader *reader, char *to)
{
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    uint32_t character;

    char kind = reader->at[1];
    reader->at += 2;
    if (kind == 'u') {
        bool good = reader_take_character(reader, &character);
        assert(good);
        return text_write_character(character, to);
    }
    const char *letter = strchr(letters, kind);
    *to = letter ? meanings[letter - letters] : kind;
    return 1;
}

/* Decodes a string in place. */
static void raw_string_decode(struct raw_string *string)
{
    struct reader reader = {string->text, string->text + string->length};
    char *to = string->text;

    if (!string->escaped)
        return;
    while (reader.at < reader.end) {
        char *backslash = memchr(reader.at, '\\', (size_t) (reader.end - reader.at));
        size_t plain = (size_t) ((backslash ? backslash : reader.end) - reader.at);
        memmove(to, reader.at, plain);
        to += plain;
        reader.at += plain;
        if (backslash)
            to += reader_decode_escape(&reader, to);
    }
    string->length = (size_t) (to - string->text);
    string->escaped = false;
}

static bool reader_skip_value(struct reader *reader, unsigned depth);

/* Reads a name and its colon, and the blanks up to the value. */
static bool reader_take_name(struct reader *reader, struct raw_string *ret_name)
{
    reader_skip_blanks(reader);
    if (!reader_take_string(reader, ret_name))
        return false;
    reader_skip_blanks(reader);
    if (!reader_take(reader, ':'))
        return false;
    reader_skip_blanks(reader);
    return true;
}

/* Steps over the members of an object or the elements of an array up to
 * `closer`, the opening one being read already. */
static bool reader_skip_container(struct reader *reader, char closer, unsigned depth)
{
    struct raw_string name;

    if (depth > JSON_DEPTH_MAX)
        return false;
    reader_skip_blanks(reader);
    if (reader_take(reader, closer))
        return true;
    do {
        if (closer == '}' && !reader_take_name(reader, &name))
            return false;
        reader_skip_blanks(reader);
        if (!reader_skip_value(reader, depth))
            return false;
        reader_skip_blanks(reader);
    } while (reader_take(reader, ','));
    return reader_take(reader, closer);
}

/* Steps over any value. `depth` is that of what it stands in. */
static bool reader_skip_value(struct reader *reader, unsigned depth)
{
    struct raw_string string;

    switch (reader->at < reader->end ? *reader->at : '\0') {
    case '"':
        return reader_take_string(reader, &string);
    case '{':
        reader->at++;
        return reader_skip_container(reader, '}', depth + 1);
    case '[':
        reader->at++;
        return reader_skip_container(reader, ']', depth + 1);
    case 't':
        return reader_take_word(reader, "true");
    case 'f':
        return reader_take_word(reader, "false");
    case 'n':
        return reader_take_word(reader, "null");
    default:
        return reader_skip_number(reader);
    }
}

/* Reads the value of a member at the top level into `param`, which is NULL if
 * nobody asked for it. */
static bool reader_take_member(struct reader *reader, struct param *param)
{
    char *begin = reader->at;
    struct raw_string string;

    if (!param)
        return reader_skip_value(reader, 1);
    if (begin < reader->end && *begin == '"') {
        if (!reader_take_string(reader, &string))
            return false;
        raw_string_decode(&string);
        param->type = PARAM_TEXT;
        param->text = string.text;
        param->length = string.length;
        return true;
    }
    if (!reader_skip_value(reader, 1))
        return false;
    param->type = *begin == 'n' ? PARAM_ABSENT : PARAM_OTHER;
    param->text = begin;
    param->length = (size_t) (reader->at - begin);
    return true;
}

static bool reader_take_object(struct reader *reader, struct param params[], size_t count)
{
    struct raw_string name;

    reader_skip_blanks(reader);
    if (!reader_take(reader, '{'))
        return false;
    reader_skip_blanks(reader);
    if (!reader_take(reader, '}')) {
        do {
            if (!reader_take_name(reader, &name))
                return false;
            raw_string_decode(&name);
            struct param *param = params_find(params, count, name.text, name.length);
            if (!reader_take_member(reader, param))
                return false;
            reader_skip_blanks(reader);
        } while (reader_take(reader, ','));
        if (!reader_take(reader, '}'))
            return false;
    }
    reader_skip_blanks(reader);
    return reader->at == reader->end;
}

enum json_result json_read_object(char *text, size_t length, struct param params[], size_t count)
{
    /* Apart from `params`: only when all is read is it known which of several
     * equal members is the last, and whether any of them counts. */
    struct param found[PARAMS_MAX];
    struct reader reader = {text, text + length};

    assert(count <= PARAMS_MAX);
    if (!text_valid(text, length))
        return JSON_MALFORMED;
    for (size_t i = 0; i < count; i++)
        found[i] = (struct param){.name = params[i].name};

    reader_take_word(&reader, "\xEF\xBB\xBF");
    if (!reader_take_object(&reader, found, count))
        return JSON_MALFORMED;

    for (size_t i = 0; i < count; i++)
        if (found[i].type != PARAM_ABSENT)
            params[i] = found[i];
    return JSON_OK;
}
