/* SPDX-License-Identifier: MIT */
/* test_text.c - what is UTF-8, what is blank, and what search takes for equal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unicode/uchar.h>

#include "common/text.h"

/* A literal with its length, NULs inside counted. */
#define BYTES(literal) (literal), sizeof(literal) - 1

/* Looks at a copy of exact size, so that reading past the end is noticed. */
static bool valid(const char *text, size_t length)
{
    char *copy = malloc(length + 1);
    assert_non_null(copy);
    char *end = copy + 1; /* an odd address as well */
    memcpy(end, text, length);
    bool result = text_valid(end, length);
    free(copy);
    return result;
}

/* The same bytes at every place of a longer text, as words of eight see them. */
static void assert_validity(bool expected, const char *text, size_t length)
{
    char padded[40];

    assert_int_equal(valid(text, length), expected);
    for (size_t before = 0; before <= 17; before++) {
        for (size_t after = 0; after <= 17; after++) {
            memset(padded, 'x', sizeof padded);
            memcpy(padded + before, text, length);
            assert_int_equal(valid(padded, before + length + after), expected);
        }
    }
}

static void utf8_of_every_length_is_valid(void **state)
{
    (void) state;
    assert_true(text_valid("", 0));
    assert_true(text_valid(NULL, 0));
    assert_validity(true, BYTES("a"));
    assert_validity(true, BYTES("\x7F"));
    assert_validity(true, BYTES("\xC2\x80"));
    assert_validity(true, BYTES("\xDF\xBF"));
    assert_validity(true, BYTES("\xE0\xA0\x80"));
    assert_validity(true, BYTES("\xED\x9F\xBF"));
    assert_validity(true, BYTES("\xEE\x80\x80"));
    assert_validity(true, BYTES("\xEF\xBF\xBF"));
    assert_validity(true, BYTES("\xF0\x90\x80\x80"));
    assert_validity(true, BYTES("\xF4\x8F\xBF\xBF"));
}

static void a_nul_is_a_character(void **state)
{
    (void) state;
    assert_validity(true, BYTES("a\0b"));
    assert_int_equal(text_code_points(BYTES("a\0b")), 3);
}

static void overlong_forms_are_refused(void **state)
{
    (void) state;
    assert_validity(false, BYTES("\xC0\x80"));
    assert_validity(false, BYTES("\xC1\xBF"));
    assert_validity(false, BYTES("\xE0\x80\x80"));
    assert_validity(false, BYTES("\xE0\x9F\xBF"));
    assert_validity(false, BYTES("\xF0\x80\x80\x80"));
    assert_validity(false, BYTES("\xF0\x8F\xBF\xBF"));
}

static void surrogates_are_refused(void **state)
{
    (void) state;
    assert_validity(false, BYTES("\xED\xA0\x80"));
    assert_validity(false, BYTES("\xED\xBF\xBF"));
    assert_validity(false, BYTES("\xED\xA0\xBD\xED\xB8\x80"));
}

static void code_points_above_the_last_are_refused(void **state)
{
    (void) state;
    assert_validity(false, BYTES("\xF4\x90\x80\x80"));
    assert_validity(false, BYTES("\xF5\x80\x80\x80"));
    assert_validity(false, BYTES("\xFB\xBF\xBF\xBF\xBF"));
    assert_validity(false, BYTES("\xFF"));
}

static void broken_sequences_are_refused(void **state)
{
    (void) state;
    assert_validity(false, BYTES("\x80"));
    assert_validity(false, BYTES("\xBF"));
    assert_validity(false, BYTES("\xC3"));
    assert_validity(false, BYTES("\xE2\x82"));
    assert_validity(false, BYTES("\xF0\x9F\x98"));
    assert_validity(false, BYTES("\xC3\xC3\xA9"));
    assert_validity(false, BYTES("\xE2\x82\x41"));
    assert_validity(false, BYTES("\xF0\x9F\x41\x80"));
    assert_validity(false, BYTES("\xC3\xA9\x80"));
}

/* All that Unicode has, each written by us and read back by the check. */
static void every_code_point_but_surrogates_is_valid(void **state)
{
    (void) state;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        char bytes[4];
        size_t length = text_write_character(c, bytes);
        bool surrogate = c >= 0xD800 && c <= 0xDFFF;
        if (text_valid(bytes, length) == surrogate || text_code_points(bytes, length) != 1)
            fail_msg("U+%04X", c);
    }
}

static void code_points_are_counted_not_bytes(void **state)
{
    (void) state;
    assert_int_equal(text_code_points("", 0), 0);
    assert_int_equal(text_code_points(BYTES("abc")), 3);
    assert_int_equal(text_code_points(BYTES("\u00E9\u4E0A\U0001F600")), 3);
    assert_int_equal(text_code_points(BYTES("e\u0301")), 2);
}

static void every_white_space_is_blank(void **state)
{
    (void) state;
    assert_true(text_blank("", 0));
    assert_true(text_blank(BYTES(" \t\r\n\v\f")));
    assert_true(text_blank(BYTES("\xC2\x85\xC2\xA0"))); /* next line, no-break space */
    assert_true(text_blank(BYTES("\u1680\u2000\u2007\u200A\u2028\u2029\u202F\u205F\u3000")));
}

static void what_only_looks_empty_is_not_blank(void **state)
{
    (void) state;
    assert_false(text_blank(BYTES("a")));
    assert_false(text_blank(BYTES("  \u00A0.")));
    assert_false(text_blank(BYTES("\0")));
    assert_false(text_blank(BYTES("\u200B"))); /* zero width space */
    assert_false(text_blank(BYTES("\u180E"))); /* was a space before Unicode 6.3 */
    assert_false(text_blank(BYTES("\uFEFF")));
    assert_false(text_blank(BYTES("\x1C"))); /* blank to Java, not to Unicode */
    assert_false(text_blank(BYTES(" \xFF")));
}

static void assert_folds(const char *text, const char *expected)
{
    size_t length = strlen(text), capacity = TEXT_FOLDED_MAX(length);
    char *folded = malloc(capacity + 1);

    assert_non_null(folded);
    size_t written = text_fold(text, length, folded, capacity);
    assert_int_equal(written, strlen(expected));
    assert_memory_equal(folded, expected, written);
    free(folded);
}

static void ascii_capitals_fold(void **state)
{
    (void) state;
    assert_folds("", "");
    assert_folds("@AZ[`az{", "@az[`az{");
    assert_folds("The Quick Brown FOX, 0123456789!", "the quick brown fox, 0123456789!");
    for (int c = 0; c < 0x80; c++) {
        char text[16], folded[TEXT_FOLDED_MAX(16)];
        memset(text, c, sizeof text);
        assert_int_equal(text_fold(text, sizeof text, folded, sizeof folded), sizeof text);
        for (size_t i = 0; i < sizeof text; i++)
            assert_int_equal(folded[i], c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
}

static void other_scripts_fold(void **state)
{
    (void) state;
    assert_folds("ÄRGER Привет ΑΒΓ", "ärger привет αβγ");
    assert_folds("上海 😀", "上海 😀");
    assert_folds("\U00010400", "\U00010428"); /* Deseret */
    assert_folds("\u13A0", "\u13A0");         /* Cherokee folds to capitals */
    assert_folds("\uAB70", "\u13A0");
}

static void the_special_cases_fold_to_one_character(void **state)
{
    (void) state;
    assert_folds("ς", "σ");
    assert_folds("ΣΊΣΥΦΟΣ", "σίσυφοσ");
    assert_folds("ſ", "s");
    assert_folds("\u00B5", "\u03BC"); /* micro sign to mu */
    assert_folds("\u212A", "k");      /* kelvin sign */
    assert_folds("\u212B", "\u00E5"); /* angstrom sign */
    assert_folds("ẞ", "ß");
}

static void what_folds_only_to_several_or_by_language_stays(void **state)
{
    (void) state;
    assert_folds("ß", "ß");
    assert_folds("İ", "İ");
    assert_folds("ı", "ı");
    assert_folds("\uFB01", "\uFB01"); /* the fi ligature */
    assert_folds("\u0149", "\u0149");
    assert_folds("I", "i");
}

static void accents_do_not_fold_and_nothing_is_normalised(void **state)
{
    (void) state;
    assert_folds("é", "é");
    assert_folds("e\u0301", "e\u0301");
}

/* What search relies on: one to one, and folding again changes nothing. And
 * what callers rely on: the room that the header tells them to have. */
static void every_code_point_folds_to_one_within_the_bound(void **state)
{
    (void) state;
    bool bound_reached = false;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        char text[4], folded[8], again[16];
        size_t length = text_write_character(c, text);
        size_t once = text_fold(text, length, folded, sizeof folded);
        size_t twice = text_fold(folded, once, again, sizeof again);
        if (once > TEXT_FOLDED_MAX(length) || text_code_points(folded, once) != 1 ||
            !text_valid(folded, once) || twice != once || memcmp(folded, again, once) != 0)
            fail_msg("U+%04X", c);
        bound_reached |= once == TEXT_FOLDED_MAX(length) && once > length;
    }
    assert_true(bound_reached);
}

static void bytes_that_are_not_text_are_kept(void **state)
{
    (void) state;
    assert_folds("A\xFF\xC3", "a\xFF\xC3");
    assert_folds("\xE2\x82", "\xE2\x82");
    assert_folds("\xED\xA0\x80Z", "\xED\xA0\x80z");
}

static void assert_found(const char *text, const char *needle, size_t expected,
                         const struct text_span spans[])
{
    struct text_span found[4];
    size_t count = text_find_all(text, strlen(text), needle, strlen(needle), found, 4);

    assert_int_equal(count, expected);
    for (size_t i = 0; i < expected; i++) {
        assert_int_equal(found[i].start, spans[i].start);
        assert_int_equal(found[i].end, spans[i].end);
    }
}

static void a_needle_is_found_wherever_it_is(void **state)
{
    (void) state;
    assert_found("hola!", "ola", 1, (struct text_span[]){{1, 4}});
    assert_found("hola!", "hola!", 1, (struct text_span[]){{0, 5}});
    assert_found("a-a-a", "a", 3, (struct text_span[]){{0, 1}, {2, 3}, {4, 5}});
    assert_found("100% *?", "% *", 1, (struct text_span[]){{3, 6}});
}

static void a_needle_that_is_not_there_is_not_found(void **state)
{
    (void) state;
    assert_found("hola", "x", 0, NULL);
    assert_found("hola", "holas", 0, NULL);
    assert_found("", "a", 0, NULL);
    assert_found("hola", "", 0, NULL);
    assert_found("", "", 0, NULL);
}

static void occurrences_do_not_overlap(void **state)
{
    (void) state;
    assert_found("aaaaa", "aa", 2, (struct text_span[]){{0, 2}, {2, 4}});
    assert_found("abababa", "aba", 2, (struct text_span[]){{0, 3}, {4, 7}});
}

static void places_are_code_points(void **state)
{
    (void) state;
    assert_found("é上😀x上😀", "上😀", 2, (struct text_span[]){{1, 3}, {4, 6}});
    assert_found("日本語日本", "本", 2, (struct text_span[]){{1, 2}, {4, 5}});
}

static void no_more_is_found_than_asked_for(void **state)
{
    (void) state;
    struct text_span spans[16];
    assert_found("aaaaaaaaaa", "a", 4, (struct text_span[]){{0, 1}, {1, 2}, {2, 3}, {3, 4}});
    assert_int_equal(text_find_all(BYTES("aaa"), BYTES("a"), spans, 0), 0);
    assert_int_equal(text_find_all(BYTES("aaa"), BYTES("a"), spans, 1), 1);
    assert_int_equal(text_find_all(BYTES("a\0b"), BYTES("\0"), spans, 16), 1);
}

static void assert_number(const char *text, bool good, uint64_t expected)
{
    uint64_t number = 77;

    assert_int_equal(text_read_number(text, strlen(text), &number), good);
    assert_int_equal(number, good ? expected : 77);
}

static void numbers_are_written_in_one_way_only(void **state)
{
    (void) state;
    const char *bad[] = {"",      "00",  "01",  "+5",   "-1",  " 5",
                         "5 ",    "1.0", "1e3", "0x10", "abc", "10000000000000000",
                         "\u0661"};
    assert_number("0", true, 0);
    assert_number("7", true, 7);
    assert_number("1000", true, 1000);
    assert_number("9999999999999999", true, UINT64_C(9999999999999999));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_number(bad[i], false, 0);
    assert_false(text_read_number(BYTES("1\0"), &(uint64_t){0}));
}

static void hexadecimal_digits_are_read_in_either_case(void **state)
{
    (void) state;
    uint32_t number = 77;
    assert_true(text_read_hex("aF09", 4, &number));
    assert_int_equal(number, 0xAF09);
    assert_true(text_read_hex("FFFFFFFF", 8, &number));
    assert_int_equal(number, UINT32_MAX);
    assert_false(text_read_hex("0g", 2, &number));
    assert_false(text_read_hex("-1", 2, &number));
    assert_false(text_read_hex("1 ", 2, &number));
    assert_int_equal(number, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_of_every_length_is_valid),
        cmocka_unit_test(a_nul_is_a_character),
        cmocka_unit_test(overlong_forms_are_refused),
        cmocka_unit_test(surrogates_are_refused),
        cmocka_unit_test(code_points_above_the_last_are_refused),
        cmocka_unit_test(broken_sequences_are_refused),
        cmocka_unit_test(every_code_point_but_surrogates_is_valid),
        cmocka_unit_test(code_points_are_counted_not_bytes),
        cmocka_unit_test(every_white_space_is_blank),
        cmocka_unit_test(what_only_looks_empty_is_not_blank),
        cmocka_unit_test(ascii_capitals_fold),
        cmocka_unit_test(other_scripts_fold),
        cmocka_unit_test(the_special_cases_fold_to_one_character),
        cmocka_unit_test(what_folds_only_to_several_or_by_language_stays),
        cmocka_unit_test(accents_do_not_fold_and_nothing_is_normalised),
        cmocka_unit_test(every_code_point_folds_to_one_within_the_bound),
        cmocka_unit_test(bytes_that_are_not_text_are_kept),
        cmocka_unit_test(a_needle_is_found_wherever_it_is),
        cmocka_unit_test(a_needle_that_is_not_there_is_not_found),
        cmocka_unit_test(occurrences_do_not_overlap),
        cmocka_unit_test(places_are_code_points),
        cmocka_unit_test(no_more_is_found_than_asked_for),
        cmocka_unit_test(numbers_are_written_in_one_way_only),
        cmocka_unit_test(hexadecimal_digits_are_read_in_either_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
