/* SPDX-License-Identifier: MIT */
/* fuzz_json.c - our strict reader against jansson, which is strict as well.
 *
 * Both take the text or both refuse it, and every member at the top level is
 * the same to both. Where they differ on purpose:
 *
 *   - a byte order mark: ours skips one, jansson knows none; cut off for it
 *   - an array at the top, nesting beyond 32: ours refuses, jansson reads
 *   - numbers too large for a double, a NUL in a member's name: legal JSON
 *     that jansson cannot keep; it stops there, and nothing is compared
 *   - a NUL byte behind a number or a word: jansson 2.14 does not see it; ours
 *     refuses one wherever it is, as JSON has no place for it
 */
#include <jansson.h>

#include "fuzz.h"
#include "http/json.h"
#include "http/json_writer.h"

static const char mark[] = "\xEF\xBB\xBF";

/* Levels of nesting in a value. */
static size_t json_depth(const json_t *value)
{
    size_t deepest = 0, i;
    const char *name;
    json_t *child;

    if (json_is_array(value)) {
        json_array_foreach(value, i, child)
        {
            size_t depth = json_depth(child);
            deepest = depth > deepest ? depth : deepest;
        }
    } else if (json_is_object(value)) {
        json_object_foreach((json_t *) value, name, child)
        {
            size_t depth = json_depth(child);
            deepest = depth > deepest ? depth : deepest;
        }
    } else {
        return 0;
    }
    return deepest + 1;
}

static json_t *load(const char *text, size_t length, size_t flags, json_error_t *error)
{
    return json_loadb(text, length, flags | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, error);
}

/* A string must come back as it was through our writer and jansson's reader. */
static void check_writer(const struct param *param)
{
    struct buffer buffer = {0};
    json_error_t error;

    json_write_string(&buffer, param->text, param->length);
    json_t *value = load(buffer.data, buffer.length, JSON_DECODE_ANY, &error);
    FUZZ_CHECK(value && json_string_length(value) == param->length);
    FUZZ_CHECK(memcmp(json_string_value(value), param->text, param->length) == 0);
    json_decref(value);
    buffer_free(&buffer);
}

static void check_member(const struct param *param, const json_t *expected)
{
    json_error_t error;

    if (json_is_null(expected)) {
        FUZZ_CHECK(param->type == PARAM_TEXT && strcmp(param->text, "query") == 0);
    } else if (json_is_string(expected)) {
        FUZZ_CHECK(param->type == PARAM_TEXT);
        FUZZ_CHECK(param->length == json_string_length(expected));
        FUZZ_CHECK(memcmp(param->text, json_string_value(expected), param->length) == 0);
        check_writer(param);
    } else {
        FUZZ_CHECK(param->type == PARAM_OTHER);
        json_t *value = load(param->text, param->length, JSON_DECODE_ANY, &error);
        FUZZ_CHECK(value && json_equal(value, (json_t *) expected));
        json_decref(value);
    }
}

/* Asks for the members that jansson found, as many as may be asked for. */
static void check_object(char *text, size_t length, json_t *expected)
{
    struct param params[PARAMS_MAX];
    size_t count = 0;
    const char *name;
    json_t *child;

    json_object_foreach(expected, name, child)
    {
        if (count < PARAMS_MAX)
            params[count++] = (struct param){name, PARAM_TEXT, "query", 5};
    }
    FUZZ_CHECK(json_read_object(text, length, params, count) == JSON_OK);
    for (size_t i = 0; i < count; i++)
        check_member(&params[i], json_object_get(expected, params[i].name));
}

/* What ours must say where the other does not hand out an object to compare. */
static void check_refusal(char *text, size_t length, bool certain)
{
    struct param params[] = {{.name = "a"}, {.name = "body"}};
    enum json_result result = json_read_object(text, length, params, 2);

    if (certain)
        FUZZ_CHECK(result == JSON_MALFORMED);
    if (result == JSON_MALFORMED)
        FUZZ_CHECK(params[0].type == PARAM_ABSENT && params[1].type == PARAM_ABSENT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_copy(data, size);
    size_t skip = size >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
    json_error_t error;

    if (memchr(text, '\0', size)) {
        check_refusal(text, size, true);
        free(text);
        return 0;
    }
    json_t *expected = load(text + skip, size - skip, 0, &error);
    if (!expected) {
        enum json_error_code code = json_error_code(&error);
        check_refusal(text, size,
                      code != json_error_numeric_overflow && code != json_error_null_byte_in_key);
    } else if (json_is_object(expected) && json_depth(expected) <= JSON_DEPTH_MAX) {
        check_object(text, size, expected);
    } else {
        check_refusal(text, size, true);
    }
    json_decref(expected);
    free(text);
    return 0;
}
