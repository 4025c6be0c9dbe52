/* SPDX-License-Identifier: MIT */
/* test_media.c - which bodies are JSON, which are forms, which are neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/media.h"

static void json_by_name_by_suffix_and_by_silence(void **state)
{
    (void) state;
    assert_int_equal(media_read("application/json", NULL), MEDIA_JSON);
    assert_int_equal(media_read("Application/JSON", NULL), MEDIA_JSON);
    assert_int_equal(media_read("application/vnd.api+json", NULL), MEDIA_JSON);
    assert_int_equal(media_read("application/merge-patch+json ; x=1", NULL), MEDIA_JSON);
    assert_int_equal(media_read(NULL, NULL), MEDIA_JSON);
    assert_int_equal(media_read("", NULL), MEDIA_JSON);
    assert_int_equal(media_read("  ", NULL), MEDIA_JSON);
}

static void forms_by_name(void **state)
{
    (void) state;
    assert_int_equal(media_read("application/x-www-form-urlencoded", NULL), MEDIA_FORM);
    assert_int_equal(media_read("application/x-www-form-urlencoded;charset=UTF-8", NULL),
                     MEDIA_FORM);
}

static void all_else_is_other(void **state)
{
    (void) state;
    static const char *const types[] = {
        "text/plain",
        "application/jsonx",
        "application/xml",
        "multipart/form-data; boundary=x",
        "+json",
        "json",
        "*/*",
        "application/json, text/plain",
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        assert_int_equal(media_read(types[i], NULL), MEDIA_OTHER);
}

static void only_utf_8_is_read(void **state)
{
    (void) state;
    assert_int_equal(media_read("application/json; charset=utf-8", NULL), MEDIA_JSON);
    assert_int_equal(media_read("application/json; a=b; Charset=\"UTF-8\" ", NULL), MEDIA_JSON);
    assert_int_equal(media_read("application/json; charset=latin1", NULL), MEDIA_OTHER);
    assert_int_equal(media_read("application/json; charset=utf-16", NULL), MEDIA_OTHER);
    assert_int_equal(media_read("application/json; charset=", NULL), MEDIA_OTHER);
    assert_int_equal(media_read("application/json; a=b; charset=\"utf8\"", NULL), MEDIA_OTHER);
}

static void only_bodies_that_are_not_encoded_are_read(void **state)
{
    (void) state;
    assert_int_equal(media_read("application/json", "identity"), MEDIA_JSON);
    assert_int_equal(media_read("application/json", ""), MEDIA_JSON);
    assert_int_equal(media_read("application/json", " Identity "), MEDIA_JSON);
    assert_int_equal(media_read("application/json", "gzip"), MEDIA_OTHER);
    assert_int_equal(media_read("application/json", "identity, gzip"), MEDIA_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_by_name_by_suffix_and_by_silence),
        cmocka_unit_test(forms_by_name),
        cmocka_unit_test(all_else_is_other),
        cmocka_unit_test(only_utf_8_is_read),
        cmocka_unit_test(only_bodies_that_are_not_encoded_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
