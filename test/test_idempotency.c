/* SPDX-License-Identifier: MIT */
/* test_idempotency.c - what an Idempotency-Key header may say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/idempotency.h"

#define BYTES(literal) (literal), sizeof(literal) - 1

static bool read_key(const char *value, size_t value_length, char *key, size_t *length)
{
    char *copy = malloc(value_length ? value_length : 1);

    assert_non_null(copy);
    memcpy(copy, value, value_length);
    bool good = idempotency_key_read(copy, value_length, key, length);
    free(copy);
    return good;
}

static void assert_key(const char *value, const char *expected)
{
    char key[IDEMPOTENCY_KEY_MAX];
    size_t length = 0;

    assert_true(read_key(value, strlen(value), key, &length));
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(key, expected, length);
}

static void assert_no_key(const char *value, size_t value_length)
{
    char key[IDEMPOTENCY_KEY_MAX] = "kept";
    size_t length = 77;

    assert_false(read_key(value, value_length, key, &length));
    assert_int_equal(length, 77);
    assert_string_equal(key, "kept");
}

static void a_bare_key_is_taken_as_it_is(void **state)
{
    (void) state;
    assert_key("k", "k");
    assert_key("8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324");
    assert_key("!#~,;=\\x", "!#~,;=\\x");
    assert_key("a\"b\"", "a\"b\"");
}

static void blanks_around_are_dropped(void **state)
{
    (void) state;
    assert_key(" \t k\t ", "k");
    assert_key("  \"k\"  ", "k");
}

static void a_quoted_key_equals_the_bare_one(void **state)
{
    (void) state;
    assert_key("\"k\"", "k");
    assert_key("\"a b\"", "a b");
    assert_key("\" k \"", " k ");
    assert_key("\" \"", " ");
    assert_key("\"a\\\"b\\\\c\"", "a\"b\\c");
    assert_key("\"\\\"\"", "\"");
}

static void an_empty_key_is_none(void **state)
{
    (void) state;
    assert_no_key("", 0);
    assert_no_key(BYTES("  \t"));
    assert_no_key(BYTES("\"\""));
}

static void blanks_and_invisible_characters_are_not_bare(void **state)
{
    (void) state;
    assert_no_key(BYTES("a b"));
    assert_no_key(BYTES("a\tb"));
    assert_no_key(BYTES("a\x7F"));
    assert_no_key(BYTES("a\x1F"));
    assert_no_key(BYTES("a\0b"));
    assert_no_key(BYTES("caf\u00E9"));
}

static void a_quoted_key_must_be_well_formed(void **state)
{
    (void) state;
    assert_no_key(BYTES("\""));
    assert_no_key(BYTES("\"k"));
    assert_no_key(BYTES("\"k\"x"));
    assert_no_key(BYTES("\"k\";a=1"));
    assert_no_key(BYTES("\"a\"b\""));
    assert_no_key(BYTES("\"k\\\""));
    assert_no_key(BYTES("\"\\k\""));
    assert_no_key(BYTES("\"a\tb\""));
    assert_no_key(BYTES("\"a\x7F\""));
    assert_no_key(BYTES("\"caf\u00E9\""));
}

static void a_key_has_255_characters_at_most(void **state)
{
    (void) state;
    char value[1024], key[IDEMPOTENCY_KEY_MAX];
    size_t length;

    memset(value, 'k', sizeof value);
    assert_true(read_key(value, 255, key, &length));
    assert_int_equal(length, 255);
    assert_no_key(value, 256);

    /* Quotes and backslashes are not counted. */
    value[0] = '"';
    for (size_t i = 1; i <= 2 * 256; i++)
        value[i] = i % 2 ? '\\' : '"';
    value[511] = '"';
    assert_true(read_key(value, 512, key, &length));
    assert_int_equal(length, 255);
    value[511] = '\\';
    value[513] = '"';
    assert_no_key(value, 514);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bare_key_is_taken_as_it_is),
        cmocka_unit_test(blanks_around_are_dropped),
        cmocka_unit_test(a_quoted_key_equals_the_bare_one),
        cmocka_unit_test(an_empty_key_is_none),
        cmocka_unit_test(blanks_and_invisible_characters_are_not_bare),
        cmocka_unit_test(a_quoted_key_must_be_well_formed),
        cmocka_unit_test(a_key_has_255_characters_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
