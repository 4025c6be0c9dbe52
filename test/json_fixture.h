/* SPDX-License-Identifier: MIT */
/* json_fixture.h - a body, the parameters read from it, and how to look at them. */
#ifndef JSON_FIXTURE_H
#define JSON_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/json.h"

#define BYTES(literal) (literal), sizeof(literal) - 1

/* A text of exact size on the heap: reading past its end is noticed. */
struct fixture {
    char *text;
    struct param params[2]; /* "body" and "limit" */
};

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->params[0].name = "body";
    f->params[1].name = "limit";
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    free(f->text);
    free(f);
    return 0;
}

static inline enum json_result read_object(struct fixture *f, const char *text, size_t length)
{
    free(f->text);
    f->text = malloc(length ? length : 1);
    memcpy(f->text, text, length);
    return json_read_object(f->text, length, f->params, 2);
}

static inline void assert_read(struct fixture *f, const char *text, size_t length)
{
    assert_int_equal(read_object(f, text, length), JSON_OK);
}

static inline void assert_refused(struct fixture *f, const char *text, size_t length)
{
    if (read_object(f, text, length) != JSON_MALFORMED)
        fail_msg("read: %.*s", (int) length, text);
}

/* The value in the place of a member nobody asked for, of one asked for, and
 * within others: each is read by other code. */
static inline void assert_value(struct fixture *f, bool good, const char *value, size_t length)
{
    static const char *const around[][2] = {{"{\"other\":", "}"},
                                            {"{\"body\":", "}"},
                                            {"{\"a\":[", "]}"},
                                            {"{\"a\":[{\"body\": ", " }]}"}};
    char text[256];

    for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
        size_t before = strlen(around[i][0]), after = strlen(around[i][1]);
        assert_true(before + length + after < sizeof text);
        memcpy(text, around[i][0], before);
        memcpy(text + before, value, length);
        memcpy(text + before + length, around[i][1], after);
        if (good)
            assert_read(f, text, before + length + after);
        else
            assert_refused(f, text, before + length + after);
    }
}

static inline void assert_text(const struct param *param, const char *text, size_t length)
{
    assert_int_equal(param->type, PARAM_TEXT);
    assert_int_equal(param->length, length);
    assert_memory_equal(param->text, text, length);
}

static inline void assert_other(const struct param *param, const char *text)
{
    assert_int_equal(param->type, PARAM_OTHER);
    assert_int_equal(param->length, strlen(text));
    assert_memory_equal(param->text, text, strlen(text));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
