/* SPDX-License-Identifier: MIT */
/* test_json_strings.c - strings of bodies: escapes, and what may not be in them. */
#include "json_fixture.h"

static void escapes_are_decoded(void **state)
{
    struct fixture *f = *state;
    assert_read(f, BYTES("{\"body\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"limit\":\"a\\\\nb\\u0022\"}"));
    assert_text(&f->params[0], BYTES("\"\\/\b\f\n\r\t"));
    assert_text(&f->params[1], BYTES("a\\nb\""));
}

static void escaped_characters_of_every_length_are_decoded(void **state)
{
    struct fixture *f = *state;
    assert_read(f, BYTES("{\"body\":\"<\\u0041\\u00e9\\u4E0a\\uD83D\\ude00>\"}"));
    assert_text(&f->params[0], BYTES("<A\u00E9\u4E0A\U0001F600>"));
    assert_read(
        f, BYTES("{\"body\":\"\\u007f\\u0080\\u07ff\\u0800\\uffff\\ud800\\udc00\\udbff\\udfff\"}"));
    assert_text(
        &f->params[0],
        BYTES("\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"));
}

static void a_name_may_be_written_with_escapes(void **state)
{
    struct fixture *f = *state;
    assert_read(f, BYTES("{\"b\\u006fdy\":\"x\",\"\\u006C\\u0069mit\":1}"));
    assert_text(&f->params[0], BYTES("x"));
    assert_other(&f->params[1], "1");
}

static void bad_escapes_are_refused(void **state)
{
    struct fixture *f = *state;
    const char *bad[] = {"\"\\\"",      "\"\\x41\"",   "\"\\a\"",     "\"\\v\"",     "\"\\0\"",
                         "\"\\'\"",     "\"\\U0041\"", "\"\\u\"",     "\"\\u004\"",  "\"\\u004g\"",
                         "\"\\uX000\"", "\"\\u+041\"", "\"\\u 041\"", "\"\\u{41}\"", "\"\\",
                         "\"\\u00",     "\"\\\n\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_value(f, false, bad[i], strlen(bad[i]));
    assert_refused(f, BYTES("{\"\\q\":1}"));
    assert_refused(f, BYTES("{\"body\":\"x\\"));
    assert_refused(f, BYTES("{\"body\":\"x\\u"));
    assert_refused(f, BYTES("{\"body\":\"x\\ud83d\\u"));
}

static void lone_surrogates_are_refused(void **state)
{
    struct fixture *f = *state;
    const char *bad[] = {"\"\\ud800\"",         "\"\\udfff\"",
                         "\"\\ude00\\ud83d\"",  "\"\\ud83d\\ud83d\"",
                         "\"\\ud83dx\"",        "\"\\ud83d\\n\"",
                         "\"\\ud83d\\u0041\"",  "\"\\ud83d\\\\ude00\"",
                         "\"\\ud83d \\ude00\"", "\"\\ud83d\\ud83d\\ude00\"",
                         "\"\\ude00\\ude00\"",  "\"\\ud83d\\ue000\"",
                         "\"\\ud83d\\ude0\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_value(f, false, bad[i], strlen(bad[i]));
    assert_refused(f, BYTES("{\"\\ud800\":1}"));
}

/* The caller answers 422 to the first, 400 to the rest. */
static void an_escaped_nul_is_a_character_and_a_raw_one_is_malformed(void **state)
{
    struct fixture *f = *state;
    assert_read(f, BYTES("{\"body\":\"a\\u0000b\",\"body\\u0000\":\"x\"}"));
    assert_text(&f->params[0], BYTES("a\0b"));
    assert_value(f, false, BYTES("\"a\0b\""));
    assert_value(f, false, BYTES("\0"));
    assert_value(f, false, BYTES("1\0"));
    assert_refused(f, BYTES("{\"bo\0dy\":1}"));
}

static void raw_control_characters_are_refused(void **state)
{
    struct fixture *f = *state;
    for (char c = 0; c < 0x20; c++) {
        assert_value(f, false, (char[]){'"', c, '"'}, 3);
        assert_value(f, false,
                     (char[]){'"', 'p', 'a', 'd', 'd', 'e', 'd', ' ', c, '1', '2', '3', '4', '5',
                              '6', '7', '"'},
                     17);
    }
    assert_value(f, true, BYTES("\"\x7F\xC2\x80\""));
}

static void what_is_not_utf8_is_refused_wherever_it_is(void **state)
{
    struct fixture *f = *state;
    assert_value(f, false, BYTES("\"\xFF\""));
    assert_value(f, false, BYTES("\"\xC0\x80\""));
    assert_value(f, false, BYTES("\"\xED\xA0\x80\""));
    assert_value(f, false, BYTES("\"\xF4\x90\x80\x80\""));
    assert_value(f, false, BYTES("\"\xE4\xB8\""));
    assert_refused(f, BYTES("{\"\xFF\":1}"));
    assert_refused(f, BYTES("{}\xFF"));
    assert_value(f, true, BYTES("\"\u00E9\u4E0A\U0001F600\uFFFF\""));
}

/* Every place of every special byte in a word of eight, and before the end. */
static void strings_of_every_length_are_read_to_their_quote(void **state)
{
    struct fixture *f = *state;
    for (size_t length = 0; length <= 40; length++) {
        char text[128], expected[64];
        memset(expected, 'x', sizeof expected);
        int size = snprintf(text, sizeof text, "{\"body\":\"%.*s\"}", (int) length, expected);
        assert_read(f, text, (size_t) size);
        assert_text(&f->params[0], expected, length);
        for (size_t at = 0; at < length; at++) {
            size = snprintf(text, sizeof text, "{\"body\":\"%.*s\\n%.*s\"}", (int) at, expected,
                            (int) (length - at - 1), expected);
            expected[at] = '\n';
            assert_read(f, text, (size_t) size);
            assert_text(&f->params[0], expected, length);
            expected[at] = 'x';
        }
    }
}

static void a_text_cut_anywhere_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char text[] =
        "{\"body\":\"a\\u0041\\ud83d\\ude00\\n\xC3\xA9\",\"n\":[-1.5e+3,{\"t\":true}]}";
    for (size_t length = 0; length < sizeof text - 1; length++)
        assert_refused(f, text, length);
    assert_read(f, text, sizeof text - 1);
    assert_text(&f->params[0], BYTES("aA\U0001F600\n\u00E9"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(escapes_are_decoded),
        TEST(escaped_characters_of_every_length_are_decoded),
        TEST(a_name_may_be_written_with_escapes),
        TEST(bad_escapes_are_refused),
        TEST(lone_surrogates_are_refused),
        TEST(an_escaped_nul_is_a_character_and_a_raw_one_is_malformed),
        TEST(raw_control_characters_are_refused),
        TEST(what_is_not_utf8_is_refused_wherever_it_is),
        TEST(strings_of_every_length_are_read_to_their_quote),
        TEST(a_text_cut_anywhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
