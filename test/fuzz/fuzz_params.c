/* SPDX-License-Identifier: MIT */
/* fuzz_params.c - the form reader against a plain one that copies. */
#include "fuzz.h"
#include "http/params.h"

static const char *const names[] = {"a", "b", "limit"};
enum { NAMES_COUNT = sizeof names / sizeof *names };

struct expectation {
    char *values[NAMES_COUNT]; /* NULL: absent */
    size_t lengths[NAMES_COUNT];
};

static void expectation_set(struct expectation *expected, const char *name, size_t name_length,
                            const char *value, size_t length)
{
    for (size_t i = 0; i < NAMES_COUNT; i++) {
        if (strlen(names[i]) == name_length && memcmp(names[i], name, name_length) == 0) {
            free(expected->values[i]);
            expected->values[i] = fuzz_copy(value, length);
            expected->lengths[i] = length;
        }
    }
}

static bool expectation_read_pair(struct expectation *expected, const char *pair, size_t length)
{
    size_t equals = 0, name_length, value_length;
    char *name, *value = NULL;

    while (equals < length && pair[equals] != '=')
        equals++;
    size_t begin = equals < length ? equals + 1 : length;
    bool good = fuzz_decode(pair, equals, true, &name, &name_length) &&
                fuzz_decode(pair + begin, length - begin, true, &value, &value_length);
    if (good)
        expectation_set(expected, name, name_length, value, value_length);
    free(name);
    free(value);
    return good;
}

static bool expectation_read(struct expectation *expected, const char *text, size_t length)
{
    bool good = true;
    size_t begin = 0;

    for (size_t i = 0; i <= length; i++) {
        if (i == length || text[i] == '&') {
            good = expectation_read_pair(expected, text + begin, i - begin) && good;
            begin = i + 1;
        }
    }
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct expectation expected = {0};
    struct param params[NAMES_COUNT] = {0};
    char *text = fuzz_copy(data, size);

    for (size_t i = 0; i < NAMES_COUNT; i++)
        params[i].name = names[i];
    bool good = expectation_read(&expected, text, size);
    FUZZ_CHECK(params_read_form(text, size, params, NAMES_COUNT) == good);

    for (size_t i = 0; i < NAMES_COUNT; i++) {
        if (!good || !expected.values[i]) {
            FUZZ_CHECK(params[i].type == PARAM_ABSENT);
        } else {
            FUZZ_CHECK(params[i].type == PARAM_TEXT && params[i].length == expected.lengths[i]);
            FUZZ_CHECK(memcmp(params[i].text, expected.values[i], params[i].length) == 0);
        }
        free(expected.values[i]);
    }
    free(text);
    return 0;
}
