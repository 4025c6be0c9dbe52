/* SPDX-License-Identifier: MIT */
#include "http/params.h"

#include <assert.h>
#include <string.h>

#include "common/text.h"
#include "http/percent.h"

struct param *params_find(struct param params[], size_t count, const char *name, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(params[i].name) == length && memcmp(params[i].name, name, length) == 0)
            return &params[i];
    return NULL;
}

/* Decodes one name=value, or a name alone; notes it if it was asked for. */
static bool params_read_pair(char *pair, size_t length, struct param params[], size_t count)
{
    char *equals = memchr(pair, '=', length);
    size_t name_length = equals ? (size_t) (equals - pair) : length;
    char *value = equals ? equals + 1 : pair + length;
    size_t value_length = (size_t) (pair + length - value);

    if (!percent_decode(pair, name_length, PERCENT_PLUS_IS_SPACE, &name_length) ||
        !percent_decode(value, value_length, PERCENT_PLUS_IS_SPACE, &value_length))
        return false;

    struct param *param = params_find(params, count, pair, name_length);
    if (param) {
        param->type = PARAM_TEXT;
        param->text = value;
        param->length = value_length;
    }
    return true;
}

bool params_read_form(char *text, size_t length, struct param params[], size_t count)
{
    /* Work on a copy: a text that turns out bad must not count by halves. */
    struct param found[PARAMS_MAX];

    assert(count <= PARAMS_MAX);
    if (length == 0)
        return true;
    memcpy(found, params, count * sizeof *params);

    for (size_t begin = 0; begin < length;) {
        char *pair = text + begin;
        char *ampersand = memchr(pair, '&', length - begin);
        size_t pair_length = ampersand ? (size_t) (ampersand - pair) : length - begin;
        if (!params_read_pair(pair, pair_length, found, count))
            return false;
        begin += pair_length + 1;
    }
    memcpy(params, found, count * sizeof *params);
    return true;
}

bool params_read_number(const struct param *param, uint64_t minimum, uint64_t maximum,
                        uint64_t *ret_number)
{
    uint64_t number;

    if (param->type != PARAM_TEXT || !text_read_number(param->text, param->length, &number) ||
        number < minimum || number > maximum)
        return false;
    *ret_number = number;
    return true;
}
