/* SPDX-License-Identifier: MIT */
#include "http/media.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

static bool word_is(const char *word, size_t length, const char *wanted)
{
    return strlen(wanted) == length && strncasecmp(word, wanted, length) == 0;
}

/* One `name=value` behind a semicolon; the value may stand in quotes. */
static bool parameter_is_fine(const char *text, size_t length)
{
    const char *equals = memchr(text, '=', length);
    if (!equals || !word_is(text, (size_t) (equals - text), "charset"))
        return true;
    const char *value = equals + 1;
    size_t value_length = length - (size_t) (value - text);
    if (value_length >= 2 && value[0] == '"' && value[value_length - 1] == '"')
        return word_is(value + 1, value_length - 2, "utf-8");
    return word_is(value, value_length, "utf-8");
}

static bool parameters_are_fine(const char *text)
{
    while (*text == ';') {
        text = skip_blanks(text + 1);
        size_t length = strcspn(text, ";");
        size_t trimmed = length;
        while (trimmed && (text[trimmed - 1] == ' ' || text[trimmed - 1] == '\t'))
            trimmed--;
        if (!parameter_is_fine(text, trimmed))
            return false;
        text += length;
    }
    return *text == 0;
}

enum media media_read(const char *type, const char *encoding)
{
    if (encoding) {
        encoding = skip_blanks(encoding);
        size_t length = strcspn(encoding, " \t");
        if (length && !(word_is(encoding, length, "identity") && !*skip_blanks(encoding + length)))
            return MEDIA_OTHER;
    }
    if (!type || !*skip_blanks(type))
        return MEDIA_JSON;

    type = skip_blanks(type);
    size_t length = strcspn(type, "; \t");
    if (!parameters_are_fine(skip_blanks(type + length)))
        return MEDIA_OTHER;
    if (word_is(type, length, "application/x-www-form-urlencoded"))
        return MEDIA_FORM;
    if (word_is(type, length, "application/json") ||
        (length > 5 && memchr(type, '/', length) && word_is(type + length - 5, 5, "+json")))
        return MEDIA_JSON;
    return MEDIA_OTHER;
}
