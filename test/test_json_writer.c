/* SPDX-License-Identifier: MIT */
/* test_json_writer.c - what goes out reads back as the same. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "http/json.h"
#include "http/json_writer.h"

#define BYTES(literal) (literal), sizeof(literal) - 1

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct buffer));
    return 0;
}

static int tear_down(void **state)
{
    buffer_free(*state);
    free(*state);
    return 0;
}

static void assert_string(struct buffer *buffer, const char *text, size_t length,
                          const char *expected)
{
    buffer_clear(buffer);
    json_write_string(buffer, text, length);
    assert_string_equal(buffer->data, expected);
    assert_int_equal(buffer->length, strlen(expected));
}

static void strings_go_out_byte_for_byte(void **state)
{
    assert_string(*state, BYTES(""), "\"\"");
    assert_string(*state, NULL, 0, "\"\"");
    assert_string(*state, BYTES("Hola, </script> & 'you' \x7F"),
                  "\"Hola, </script> & 'you' \x7F\"");
    assert_string(*state, BYTES("\u00E9\u4E0A\U0001F600\u2028"),
                  "\"\u00E9\u4E0A\U0001F600\u2028\"");
}

static void what_json_reserves_is_escaped(void **state)
{
    assert_string(*state, BYTES("\"\\/"), "\"\\\"\\\\/\"");
    assert_string(*state, BYTES("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\"");
    assert_string(*state, BYTES("\0\x01\v\x0E\x1F"), "\"\\u0000\\u0001\\u000b\\u000e\\u001f\"");
    assert_string(*state, BYTES("12345678\"1234567\\12345678901\n"),
                  "\"12345678\\\"1234567\\\\12345678901\\n\"");
}

/* Every byte below 0x80 at every place of a word of eight. */
static void what_is_written_reads_back_as_it_was(void **state)
{
    struct buffer *buffer = *state;
    for (int c = 0; c < 0x80; c++) {
        for (size_t at = 0; at < 24; at++) {
            char text[24];
            memset(text, 'x', sizeof text);
            text[at] = (char) c;
            buffer_clear(buffer);
            buffer_append_text(buffer, "{\"t\":");
            json_write_string(buffer, text, sizeof text);
            buffer_append_text(buffer, "}");
            struct param param = {.name = "t"};
            assert_int_equal(json_read_object(buffer->data, buffer->length, &param, 1), JSON_OK);
            assert_int_equal(param.length, sizeof text);
            assert_memory_equal(param.text, text, sizeof text);
        }
    }
}

static void numbers_are_decimal(void **state)
{
    struct buffer *buffer = *state;
    json_write_number(buffer, 0);
    buffer_append_text(buffer, " ");
    json_write_number(buffer, 10);
    buffer_append_text(buffer, " ");
    json_write_number(buffer, UINT64_C(9007199254740993));
    buffer_append_text(buffer, " ");
    json_write_number(buffer, UINT64_MAX);
    assert_string_equal(buffer->data, "0 10 9007199254740993 18446744073709551615");
}

static void assert_time(struct buffer *buffer, int64_t time_us, const char *expected)
{
    buffer_clear(buffer);
    json_write_time(buffer, time_us);
    assert_string_equal(buffer->data, expected);
    assert_int_equal(buffer->length, strlen(expected));
}

static void times_are_utc_with_milliseconds(void **state)
{
    assert_time(*state, 0, "\"1970-01-01T00:00:00.000Z\"");
    assert_time(*state, 1795493393123456, "\"2026-11-24T04:09:53.123Z\"");
    assert_time(*state, 951782400000000, "\"2000-02-29T00:00:00.000Z\"");
    assert_time(*state, 4107542400000000, "\"2100-03-01T00:00:00.000Z\"");
    assert_time(*state, 1709251199999999, "\"2024-02-29T23:59:59.999Z\"");
}

static void parts_of_a_millisecond_are_dropped(void **state)
{
    assert_time(*state, 999, "\"1970-01-01T00:00:00.000Z\"");
    assert_time(*state, 1000, "\"1970-01-01T00:00:00.001Z\"");
    assert_time(*state, -1, "\"1969-12-31T23:59:59.999Z\"");
    assert_time(*state, -1000, "\"1969-12-31T23:59:59.999Z\"");
    assert_time(*state, -1001, "\"1969-12-31T23:59:59.998Z\"");
}

static void years_end_where_rfc_3339_ends(void **state)
{
    assert_time(*state, INT64_C(-62167219200000000), "\"0000-01-01T00:00:00.000Z\"");
    assert_time(*state, INT64_C(-62162035200000000), "\"0000-03-01T00:00:00.000Z\"");
    assert_time(*state, INT64_MIN, "\"0000-01-01T00:00:00.000Z\"");
    assert_time(*state, INT64_C(253402300799999999), "\"9999-12-31T23:59:59.999Z\"");
    assert_time(*state, INT64_MAX, "\"9999-12-31T23:59:59.999Z\"");
}

/* Each day of ten thousand years, at some time of the day. */
static void every_day_is_the_one_that_the_c_library_says(void **state)
{
    for (int64_t day = -719528; day <= 2932896; day++) {
        int64_t second = day * 86400 + (day * 7919 % 86400 + 86400) % 86400;
        time_t time = (time_t) second;
        struct tm tm;
        char expected[64];
        gmtime_r(&time, &tm);
        snprintf(expected, sizeof expected, "\"%04d-%02d-%02dT%02d:%02d:%02d.123Z\"",
                 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        assert_time(*state, second * 1000000 + 123456, expected);
    }
}

static void a_buffer_grows_and_can_be_used_again(void **state)
{
    struct buffer *buffer = *state;
    for (int i = 0; i < 10000; i++)
        buffer_printf(buffer, "%04d,", i);
    assert_int_equal(buffer->length, 50000);
    assert_memory_equal(buffer->data + 49995, "9999,", 6);

    char *data = buffer->data;
    buffer_clear(buffer);
    assert_string_equal(buffer->data, "");
    buffer_append(buffer, "a\0b", 3);
    assert_ptr_equal(buffer->data, data);
    assert_int_equal(buffer->length, 3);
    assert_memory_equal(buffer->data, "a\0b", 4);

    buffer_free(buffer);
    assert_null(buffer->data);
    assert_int_equal(buffer->capacity, 0);
    buffer_append(buffer, NULL, 0);
    assert_string_equal(buffer->data, "");
    buffer_free(buffer);
    buffer_clear(buffer);
    assert_null(buffer->data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(strings_go_out_byte_for_byte),
        TEST(what_json_reserves_is_escaped),
        TEST(what_is_written_reads_back_as_it_was),
        TEST(numbers_are_decimal),
        TEST(times_are_utc_with_milliseconds),
        TEST(parts_of_a_millisecond_are_dropped),
        TEST(years_end_where_rfc_3339_ends),
        TEST(every_day_is_the_one_that_the_c_library_says),
        TEST(a_buffer_grows_and_can_be_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
