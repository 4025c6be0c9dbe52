/* SPDX-License-Identifier: MIT */
/* test_timestamp.c - times as text and back, to the microsecond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/timestamp.h"

static void assert_written(int64_t time_us, const char *expected)
{
    char text[TIMESTAMP_SIZE];
    assert_string_equal(timestamp_write(time_us, text), expected);
}

static void assert_read(const char *text, int64_t expected)
{
    int64_t time_us = 0;
    assert_true(timestamp_read(text, strlen(text), &time_us));
    assert_int_equal(time_us, expected);
}

static void assert_refused(const char *text)
{
    int64_t time_us = 77;
    if (timestamp_read(text, strlen(text), &time_us))
        fail_msg("read: %s", text);
    assert_int_equal(time_us, 77);
}

static void moments_have_six_digits_behind_the_point(void **state)
{
    (void) state;
    assert_written(0, "1970-01-01T00:00:00.000000Z");
    assert_written(1, "1970-01-01T00:00:00.000001Z");
    assert_written(INT64_C(1795493393123456), "2026-11-24T04:09:53.123456Z");
    assert_written(-1, "1969-12-31T23:59:59.999999Z");
    assert_written(INT64_C(951782400000000), "2000-02-29T00:00:00.000000Z");
}

static void moments_that_cannot_be_written_become_the_nearest(void **state)
{
    (void) state;
    assert_written(INT64_MIN, "0000-01-01T00:00:00.000000Z");
    assert_written(INT64_MAX, "9999-12-31T23:59:59.999999Z");
}

static void what_was_written_is_read_back(void **state)
{
    (void) state;
    static const int64_t moments[] = {0,
                                      1,
                                      -1,
                                      999999,
                                      1000000,
                                      -1000000,
                                      INT64_C(1795493393123456),
                                      INT64_C(-62167219200000000),
                                      INT64_C(253402300799999999)};
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        char text[TIMESTAMP_SIZE];
        assert_read(timestamp_write(moments[i], text), moments[i]);
    }
    srandom(1);
    for (int i = 0; i < 100000; i++) {
        char text[TIMESTAMP_SIZE];
        int64_t moment = ((int64_t) random() << 21 ^ random()) - (INT64_C(1) << 50);
        assert_read(timestamp_write(moment, text), moment);
    }
}

static void digits_behind_the_point_may_be_fewer(void **state)
{
    (void) state;
    assert_read("1970-01-01T00:00:01Z", 1000000);
    assert_read("1970-01-01T00:00:01.5Z", 1500000);
    assert_read("1970-01-01T00:00:01.000Z", 1000000);
    assert_read("1970-01-01T00:00:01.123Z", 1123000);
}

static void what_is_no_moment_is_refused(void **state)
{
    (void) state;
    static const char *const texts[] = {
        "",
        "Z",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01t00:00:00Z",
        "1970-01-01 00:00:00Z",
        "1970-01-01T00:00:00z",
        "1970-01-01T00:00:00+00:00",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00.1234567Z",
        "1970-01-01T00:00:00.12x4Z",
        "1970-01-01T00:00:00,5Z",
        "1970-1-01T00:00:00Z",
        "+970-01-01T00:00:00Z",
        " 1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z ",
        "1970-00-01T00:00:00Z",
        "1970-13-01T00:00:00Z",
        "1970-01-00T00:00:00Z",
        "1970-01-32T00:00:00Z",
        "1970-02-29T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:60Z",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_refused(texts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_have_six_digits_behind_the_point),
        cmocka_unit_test(moments_that_cannot_be_written_become_the_nearest),
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(digits_behind_the_point_may_be_fewer),
        cmocka_unit_test(what_is_no_moment_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
