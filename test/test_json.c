/* SPDX-License-Identifier: MIT */
/* test_json.c - bodies are read strictly, or not at all. */
#include "json_fixture.h"

static void strings_asked_for_are_handed_out(void **state)
{
    struct fixture *f = *state;
    assert_read(f, BYTES("{\"x\":\"y\", \"body\" : \"Hey!\",\"limit\":\"5\"}"));
    assert_text(&f->params[0], BYTES("Hey!"));
    assert_text(&f->params[1], BYTES("5"));
}

static void an_empty_object_has_nothing(void **state)
{
    struct fixture *f = *state;
    assert_read(f, BYTES("{}"));
    assert_read(f, BYTES(" \t\r\n{ \t\r\n} \t\r\n"));
    assert_int_equal(f->params[0].type, PARAM_ABSENT);
    assert_int_equal(json_read_object(f->text, 0, NULL, 0), JSON_MALFORMED);
}

static void only_the_top_level_counts(void **state)
{
    struct fixture *f = *state;
    assert_read(
        f, BYTES("{\"a\":{\"body\":\"x\"},\"b\":[{\"body\":\"y\"}],\"Body\":\"z\",\"bod\":\"\"}"));
    assert_int_equal(f->params[0].type, PARAM_ABSENT);
}

static void only_an_object_is_read(void **state)
{
    struct fixture *f = *state;
    const char *bad[] = {"",     " ",          "[1]",  "[]",   "\"x\"", "1",     "null",
                         "true", "{",          "}",    "[{}]", "{}{}",  "{},",   ",{}",
                         "{}x",  "{\"a\":1}x", "{} {", "{}]",  "{]",    "/**/{}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(f, bad[i], strlen(bad[i]));
    assert_refused(f, BYTES("{}\0"));
    assert_refused(f, BYTES("\0{}"));
}

static void members_are_written_as_the_grammar_wants(void **state)
{
    struct fixture *f = *state;
    const char *bad[] = {"{\"a\"}",
                         "{\"a\":}",
                         "{:1}",
                         "{a:1}",
                         "{'a':1}",
                         "{\"a\":1,}",
                         "{,}",
                         "{,\"a\":1}",
                         "{\"a\":1 \"b\":2}",
                         "{\"a\" 1}",
                         "{\"a\":1,,\"b\":2}",
                         "{1:1}",
                         "{null:1}",
                         "{\"a\"::1}",
                         "{\"a\":1:2}",
                         "{\"a\":1",
                         "{\"a\":",
                         "{\"a\"",
                         "{\"a",
                         "{\"",
                         "{\"a\":1;\"b\":2}",
                         "{\"a\":1}}",
                         "{\"a\":1]",
                         "{\"body\":\"x\"",
                         "{\"body\":"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(f, bad[i], strlen(bad[i]));
}

static void other_white_space_is_no_white_space(void **state)
{
    struct fixture *f = *state;
    assert_refused(f, BYTES("{\v}"));
    assert_refused(f, BYTES("\f{}"));
    assert_refused(f, BYTES("{\"a\":\u00A01}"));
    assert_refused(f, BYTES("{}\u2028"));
}

static void a_byte_order_mark_is_skipped_once(void **state)
{
    struct fixture *f = *state;
    assert_read(f, BYTES("\xEF\xBB\xBF{\"body\":\"x\"}"));
    assert_text(&f->params[0], BYTES("x"));
    assert_read(f, BYTES("\xEF\xBB\xBF {}"));
    assert_refused(f, BYTES("\xEF\xBB\xBF"));
    assert_refused(f, BYTES("\xEF\xBB\xBF\xEF\xBB\xBF{}"));
    assert_refused(f, BYTES(" \xEF\xBB\xBF{}"));
    assert_refused(f, BYTES("{}\xEF\xBB\xBF"));
    assert_refused(f, BYTES("\xEF\xBB{}"));
    assert_refused(f, BYTES("\xFE\xFF\0{\0}"));
}

static void values_of_every_kind_are_read(void **state)
{
    struct fixture *f = *state;
    const char *good[] = {"0",
                          "-0",
                          "1",
                          "-1",
                          "10",
                          "0.0",
                          "1.5",
                          "1e5",
                          "1E+5",
                          "1e-5",
                          "0e0",
                          "true",
                          "false",
                          "null",
                          "[]",
                          "{}",
                          "[ ]",
                          "{ }",
                          "[1,2]",
                          "\"\"",
                          "[[]]",
                          "1e400",
                          "-1e-400",
                          "123456789012345678901234567890",
                          "[null,true,{\"a\":[\"b\"]}]",
                          "0.00000000000"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_value(f, true, good[i], strlen(good[i]));
}

static void values_of_no_kind_are_refused(void **state)
{
    struct fixture *f = *state;
    const char *bad[] = {
        "01",       "-01",       "00",        "1.",      ".5",        "-",      "+1",    "1e",
        "1e+",      "1.e5",      "0x10",      "1_000",   "--1",       "- 1",    "1 2",   "NaN",
        "Infinity", "-Infinity", "nan",       "True",    "tru",       "truee",  "fals",  "nul",
        "nulll",    "NULL",      "undefined", "'x'",     "[1,]",      "[,1]",   "[1 2]", "[1",
        "[1}",      "{\"a\":1]", "{\"a\":}",  "{1}",     "[\"a\":1]", "1/*c*/", "//",    "(1)",
        "1.5.5",    "1e5.5",     "0-1",       "\xD9\xA1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_value(f, false, bad[i], strlen(bad[i]));
}

static void what_is_no_string_is_known_as_something_else(void **state)
{
    struct fixture *f = *state;
    assert_read(f, BYTES("{\"body\":5,\"limit\": true }"));
    assert_other(&f->params[0], "5");
    assert_other(&f->params[1], "true");
    assert_read(f, BYTES("{\"body\" : [ 1, \"\\u0041\" ] ,\"limit\":{\"a\":null}}"));
    assert_other(&f->params[0], "[ 1, \"\\u0041\" ]");
    assert_other(&f->params[1], "{\"a\":null}");
    assert_read(f, BYTES("{\"body\":-1.5e3,\"limit\":false}"));
    assert_other(&f->params[0], "-1.5e3");
    assert_other(&f->params[1], "false");
}

static void the_last_of_equal_names_wins(void **state)
{
    struct fixture *f = *state;
    assert_read(f, BYTES("{\"body\":\"1\",\"body\":5,\"b\\u006fdy\":\"\\u0033\"}"));
    assert_text(&f->params[0], BYTES("3"));
    assert_read(f, BYTES("{\"body\":\"1\",\"body\":[]}"));
    assert_other(&f->params[0], "[]");
}

static void null_is_not_there(void **state)
{
    struct fixture *f = *state;
    assert_read(f, BYTES("{\"body\":null}"));
    assert_int_equal(f->params[0].type, PARAM_ABSENT);
    assert_read(f, BYTES("{\"body\":\"earlier\",\"body\":null}"));
    assert_int_equal(f->params[0].type, PARAM_ABSENT);
    assert_read(f, BYTES("{\"body\":null,\"body\":\"later\"}"));
    assert_text(&f->params[0], BYTES("later"));
}

static void the_body_replaces_the_query_only_where_it_has_something(void **state)
{
    struct fixture *f = *state;
    char query[] = "body=query&limit=5";
    assert_true(params_read_form(query, sizeof query - 1, f->params, 2));
    assert_read(f, BYTES("{\"limit\":null,\"x\":1}"));
    assert_text(&f->params[0], BYTES("query"));
    assert_text(&f->params[1], BYTES("5"));
    assert_read(f, BYTES("{\"body\":\"earlier\",\"limit\":6,\"body\":null}"));
    assert_text(&f->params[0], BYTES("query"));
    assert_other(&f->params[1], "6");
    assert_read(f, BYTES("{\"body\":\"\"}"));
    assert_text(&f->params[0], BYTES(""));
}

static void a_malformed_body_changes_nothing(void **state)
{
    struct fixture *f = *state;
    char query[] = "body=query";
    assert_true(params_read_form(query, sizeof query - 1, f->params, 2));
    assert_refused(f, BYTES("{\"body\":\"x\",\"limit\":5,}"));
    assert_text(&f->params[0], BYTES("query"));
    assert_int_equal(f->params[1].type, PARAM_ABSENT);
}

/* An object, and then as many arrays in it as `depth` leaves room for. */
static enum json_result read_nested(struct fixture *f, size_t depth, const char *open,
                                    const char *close)
{
    char text[4096] = "{\"body\":";
    for (size_t i = 1; i < depth; i++)
        strcat(text, open);
    for (size_t i = 1; i < depth; i++)
        strcat(text, close);
    strcat(text, "}");
    return read_object(f, text, strlen(text));
}

static void nesting_ends_at_32(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_nested(f, 32, "[", "]"), JSON_OK);
    assert_int_equal(read_nested(f, 33, "[", "]"), JSON_MALFORMED);
    assert_int_equal(read_nested(f, 1000, "[", "]"), JSON_MALFORMED);
    assert_read(f, BYTES("{\"a\":{\"a\":{\"a\":[{}]}},\"body\":[[]]}"));
    assert_int_equal(read_nested(f, 32, "[{\"a\":", "}]"), JSON_MALFORMED);
    assert_refused(f, BYTES("{\"body\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(strings_asked_for_are_handed_out),
        TEST(an_empty_object_has_nothing),
        TEST(only_the_top_level_counts),
        TEST(only_an_object_is_read),
        TEST(members_are_written_as_the_grammar_wants),
        TEST(other_white_space_is_no_white_space),
        TEST(a_byte_order_mark_is_skipped_once),
        TEST(values_of_every_kind_are_read),
        TEST(values_of_no_kind_are_refused),
        TEST(what_is_no_string_is_known_as_something_else),
        TEST(the_last_of_equal_names_wins),
        TEST(null_is_not_there),
        TEST(the_body_replaces_the_query_only_where_it_has_something),
        TEST(a_malformed_body_changes_nothing),
        TEST(nesting_ends_at_32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
