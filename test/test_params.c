/* SPDX-License-Identifier: MIT */
/* test_params.c - parameters of query strings and forms, taken literally. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/params.h"

#define BYTES(literal) (literal), sizeof(literal) - 1

/* A text of exact size on the heap: reading past its end is noticed. */
struct fixture {
    char *text;
    struct param params[2]; /* "body" and "limit" */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->params[0].name = "body";
    f->params[1].name = "limit";
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    free(f->text);
    free(f);
    return 0;
}

static bool read_form(struct fixture *f, const char *text, size_t length)
{
    free(f->text);
    f->text = malloc(length ? length : 1);
    memcpy(f->text, text, length);
    return params_read_form(f->text, length, f->params, 2);
}

static void assert_param(const struct param *param, const char *text, size_t length)
{
    assert_int_equal(param->type, PARAM_TEXT);
    assert_int_equal(param->length, length);
    assert_memory_equal(param->text, text, length);
}

static void parameters_asked_for_are_found(void **state)
{
    struct fixture *f = *state;
    assert_true(read_form(f, BYTES("limit=5&x=y&body=Hey!")));
    assert_param(&f->params[0], BYTES("Hey!"));
    assert_param(&f->params[1], BYTES("5"));
}

static void parameters_not_given_are_absent(void **state)
{
    struct fixture *f = *state;
    assert_true(read_form(f, BYTES("Body=1&bod=2&bodyy=3&limi=4")));
    assert_int_equal(f->params[0].type, PARAM_ABSENT);
    assert_int_equal(f->params[1].type, PARAM_ABSENT);
    assert_true(read_form(f, "", 0));
    assert_true(params_read_form(NULL, 0, f->params, 2));
    assert_int_equal(f->params[0].type, PARAM_ABSENT);
}

static void a_plus_is_a_space_and_an_escaped_plus_a_plus(void **state)
{
    struct fixture *f = *state;
    assert_true(read_form(f, BYTES("body=a+b%2Bc%20d&li%6Dit=+")));
    assert_param(&f->params[0], BYTES("a b+c d"));
    assert_param(&f->params[1], BYTES(" "));
}

static void escapes_are_decoded_once(void **state)
{
    struct fixture *f = *state;
    assert_true(read_form(f, BYTES("body=%2541%26%3d%e4%b8%8A")));
    assert_param(&f->params[0], BYTES("%41&=\u4E0A"));
}

static void an_escaped_separator_does_not_separate(void **state)
{
    struct fixture *f = *state;
    assert_true(read_form(f, BYTES("body=a%26limit%3D7")));
    assert_param(&f->params[0], BYTES("a&limit=7"));
    assert_int_equal(f->params[1].type, PARAM_ABSENT);
}

static void a_value_ends_at_the_next_ampersand_only(void **state)
{
    struct fixture *f = *state;
    assert_true(read_form(f, BYTES("body=a=b==;c?d#e&limit=1")));
    assert_param(&f->params[0], BYTES("a=b==;c?d#e"));
}

static void a_name_alone_has_an_empty_value(void **state)
{
    struct fixture *f = *state;
    assert_true(read_form(f, BYTES("body&limit=")));
    assert_param(&f->params[0], BYTES(""));
    assert_param(&f->params[1], BYTES(""));
}

static void empty_pairs_are_skipped(void **state)
{
    struct fixture *f = *state;
    assert_true(read_form(f, BYTES("&&body=1&&&=x&=&limit=2&")));
    assert_param(&f->params[0], BYTES("1"));
    assert_param(&f->params[1], BYTES("2"));
    assert_true(read_form(f, BYTES("&")));
}

static void the_last_of_equal_names_wins(void **state)
{
    struct fixture *f = *state;
    assert_true(read_form(f, BYTES("body=1&body=2&body=")));
    assert_param(&f->params[0], BYTES(""));
}

static void a_body_replaces_what_it_has_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    char query[] = "body=query&limit=5";
    assert_true(params_read_form(query, sizeof query - 1, f->params, 2));
    assert_true(read_form(f, BYTES("body=form")));
    assert_param(&f->params[0], BYTES("form"));
    assert_param(&f->params[1], BYTES("5"));
}

/* The caller answers 422: it could be decoded, but it is no text. */
static void a_nul_is_decoded(void **state)
{
    struct fixture *f = *state;
    assert_true(read_form(f, BYTES("body=a%00b&body%00=x&limit=\0")));
    assert_param(&f->params[0], BYTES("a\0b"));
    assert_param(&f->params[1], BYTES("\0"));
}

static void bad_escapes_are_refused_wherever_they_are(void **state)
{
    struct fixture *f = *state;
    assert_false(read_form(f, BYTES("body=%")));
    assert_false(read_form(f, BYTES("body=%4")));
    assert_false(read_form(f, BYTES("body=%zz")));
    assert_false(read_form(f, BYTES("body=%4g")));
    assert_false(read_form(f, BYTES("body=% 41")));
    assert_false(read_form(f, BYTES("body=100%&limit=5")));
    assert_false(read_form(f, BYTES("body=1&other=%")));
    assert_false(read_form(f, BYTES("body=1&%zz=1")));
    assert_false(read_form(f, BYTES("body=1&%4")));
    assert_false(read_form(f, BYTES("%4&1=body")));
    assert_false(read_form(f, BYTES("body=%4\0")));
}

static void what_is_not_utf8_is_refused_wherever_it_is(void **state)
{
    struct fixture *f = *state;
    assert_false(read_form(f, BYTES("body=%ff")));
    assert_false(read_form(f, BYTES("body=\xFF")));
    assert_false(read_form(f, BYTES("body=%c0%80")));
    assert_false(read_form(f, BYTES("body=%ed%a0%80")));
    assert_false(read_form(f, BYTES("body=%f4%90%80%80")));
    assert_false(read_form(f, BYTES("body=1&other=%ff")));
    assert_false(read_form(f, BYTES("body=1&%ff=1")));
    assert_false(read_form(f, BYTES("body=%e4&limit=%b8%8a")));
    assert_false(read_form(f, BYTES("body%c3=%a9")));
}

static void a_character_may_be_escaped_in_part(void **state)
{
    struct fixture *f = *state;
    assert_true(read_form(f, BYTES("body=\xC3%A9&limit=\u00E9")));
    assert_param(&f->params[0], BYTES("\u00E9"));
    assert_param(&f->params[1], BYTES("\u00E9"));
}

static void a_bad_text_changes_nothing(void **state)
{
    struct fixture *f = *state;
    char query[] = "body=query";
    assert_true(params_read_form(query, sizeof query - 1, f->params, 2));
    assert_false(read_form(f, BYTES("body=form&limit=5&x=%")));
    assert_param(&f->params[0], BYTES("query"));
    assert_int_equal(f->params[1].type, PARAM_ABSENT);
}

/* Both keep civetweb's own parser busy for ever. */
static void the_bodies_that_hang_other_parsers_are_read(void **state)
{
    struct fixture *f = *state;
    assert_true(read_form(f, BYTES("a=b\0c=d")));
    assert_true(read_form(f, BYTES("a=b\0")));
    assert_false(read_form(f, BYTES("a=b%")));
    assert_false(read_form(f, BYTES("a=%4")));
}

static void numbers_are_read_within_their_bounds(void **state)
{
    struct fixture *f = *state;
    uint64_t number = 77;
    assert_true(read_form(f, BYTES("limit=1000")));
    assert_true(params_read_number(&f->params[1], 1, 1000, &number));
    assert_int_equal(number, 1000);
    assert_true(params_read_number(&f->params[1], 1000, 1000, &number));
    assert_false(params_read_number(&f->params[1], 1, 999, &number));
    assert_false(params_read_number(&f->params[1], 1001, 2000, &number));
    assert_true(read_form(f, BYTES("limit=0")));
    assert_true(params_read_number(&f->params[1], 0, 9, &number));
    assert_int_equal(number, 0);
    assert_false(params_read_number(&f->params[1], 1, 9, &number));
    assert_int_equal(number, 0);
}

static void what_is_no_number_is_refused(void **state)
{
    struct fixture *f = *state;
    const char *bad[] = {"limit=",     "limit=abc",
                         "limit=-1",   "limit=+5",
                         "limit=%2B5", "limit=05",
                         "limit=5.0",  "limit=5+",
                         "limit=5%00", "limit=1e2",
                         "limit=0x5",  "limit",
                         "limit=%20",  "limit=99999999999999999999"};
    uint64_t number = 77;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(read_form(f, bad[i], strlen(bad[i])));
        assert_false(params_read_number(&f->params[1], 0, UINT64_MAX, &number));
    }
    f->params[1] = (struct param){.type = PARAM_ABSENT, .text = "5", .length = 1};
    assert_false(params_read_number(&f->params[1], 0, 9, &number));
    f->params[1].type = PARAM_OTHER; /* {"limit":5} */
    assert_false(params_read_number(&f->params[1], 0, 9, &number));
    assert_int_equal(number, 77);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(parameters_asked_for_are_found),
        TEST(parameters_not_given_are_absent),
        TEST(a_plus_is_a_space_and_an_escaped_plus_a_plus),
        TEST(escapes_are_decoded_once),
        TEST(an_escaped_separator_does_not_separate),
        TEST(a_value_ends_at_the_next_ampersand_only),
        TEST(a_name_alone_has_an_empty_value),
        TEST(empty_pairs_are_skipped),
        TEST(the_last_of_equal_names_wins),
        TEST(a_body_replaces_what_it_has_and_nothing_else),
        TEST(a_nul_is_decoded),
        TEST(bad_escapes_are_refused_wherever_they_are),
        TEST(what_is_not_utf8_is_refused_wherever_it_is),
        TEST(a_character_may_be_escaped_in_part),
        TEST(a_bad_text_changes_nothing),
        TEST(the_bodies_that_hang_other_parsers_are_read),
        TEST(numbers_are_read_within_their_bounds),
        TEST(what_is_no_number_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
