/* SPDX-License-Identifier: MIT */
/* test_path.c - a target is split before it is decoded, and decoded once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/path.h"

#define BYTES(literal) (literal), sizeof(literal) - 1

struct fixture {
    char *target; /* of exact size: reading past its end is noticed */
    struct path path;
};

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    free(f->target);
    free(f);
    return 0;
}

static enum path_result split(struct fixture *f, const char *target, size_t length)
{
    free(f->target);
    f->target = malloc(length ? length : 1);
    memcpy(f->target, target, length);
    return path_split(f->target, length, &f->path);
}

static void assert_segment(const struct fixture *f, size_t i, const char *text, size_t length)
{
    assert_true(i < f->path.count);
    assert_int_equal(f->path.lengths[i], length);
    assert_memory_equal(f->path.segments[i], text, length);
}

static void a_path_is_split_at_its_slashes(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(split(f, BYTES("/api/v1/applications/Tk/chats/12")), PATH_OK);
    assert_int_equal(f->path.count, 6);
    assert_segment(f, 0, BYTES("api"));
    assert_segment(f, 3, BYTES("Tk"));
    assert_segment(f, 5, BYTES("12"));
    assert_null(f->path.query);
    assert_int_equal(f->path.query_length, 0);
}

static void the_root_has_no_segments(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(split(f, BYTES("/")), PATH_OK);
    assert_int_equal(f->path.count, 0);
    assert_int_equal(split(f, BYTES("/?a=b")), PATH_OK);
    assert_int_equal(f->path.count, 0);
    assert_int_equal(f->path.query_length, 3);
}

static void one_slash_at_the_end_does_not_count(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(split(f, BYTES("/healthz/")), PATH_OK);
    assert_int_equal(f->path.count, 1);
    assert_int_equal(split(f, BYTES("/a/b/?x")), PATH_OK);
    assert_int_equal(f->path.count, 2);
    assert_int_equal(split(f, BYTES("/1/2/3/4/5/6/7/8/9/10/")), PATH_OK);
    assert_int_equal(f->path.count, 10);
}

static void other_empty_segments_match_no_route(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(split(f, BYTES("//")), PATH_UNKNOWN);
    assert_int_equal(split(f, BYTES("/a//")), PATH_UNKNOWN);
    assert_int_equal(split(f, BYTES("//a")), PATH_UNKNOWN);
    assert_int_equal(split(f, BYTES("/api/v1/applications//chats")), PATH_UNKNOWN);
    assert_int_equal(split(f, BYTES("/a//?x=/b")), PATH_UNKNOWN);
}

static void a_query_begins_at_the_first_question_mark_and_stays_raw(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(split(f, BYTES("/a?b=%zz/c?d%20")), PATH_OK);
    assert_int_equal(f->path.count, 1);
    assert_int_equal(f->path.query_length, 12);
    assert_memory_equal(f->path.query, "b=%zz/c?d%20", 12);
    assert_int_equal(split(f, BYTES("/a?")), PATH_OK);
    assert_non_null(f->path.query);
    assert_int_equal(f->path.query_length, 0);
}

static void an_escaped_slash_or_question_mark_does_not_split(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(split(f, BYTES("/a%2Fb/c%2fd%3Fe")), PATH_OK);
    assert_int_equal(f->path.count, 2);
    assert_segment(f, 0, BYTES("a/b"));
    assert_segment(f, 1, BYTES("c/d?e"));
    assert_null(f->path.query);
}

static void segments_are_decoded_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(split(f, BYTES("/%2541/%41%62/%E4%b8%8a/\xE4\xB8\x8A")), PATH_OK);
    assert_segment(f, 0, BYTES("%41"));
    assert_segment(f, 1, BYTES("Ab"));
    assert_segment(f, 2, BYTES("\u4E0A"));
    assert_segment(f, 3, BYTES("\u4E0A"));
}

static void a_plus_is_a_plus(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(split(f, BYTES("/a+b/%2B")), PATH_OK);
    assert_segment(f, 0, BYTES("a+b"));
    assert_segment(f, 1, BYTES("+"));
}

static void dot_segments_are_ordinary(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(split(f, BYTES("/a/./../%2e%2E/b.json")), PATH_OK);
    assert_int_equal(f->path.count, 5);
    assert_segment(f, 1, BYTES("."));
    assert_segment(f, 2, BYTES(".."));
    assert_segment(f, 3, BYTES(".."));
    assert_segment(f, 4, BYTES("b.json"));
}

static void what_cannot_be_decoded_is_malformed(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(split(f, BYTES("/%")), PATH_MALFORMED);
    assert_int_equal(split(f, BYTES("/a%4")), PATH_MALFORMED);
    assert_int_equal(split(f, BYTES("/a%zz/b")), PATH_MALFORMED);
    assert_int_equal(split(f, BYTES("/a%2")), PATH_MALFORMED);
    assert_int_equal(split(f, BYTES("/a%2/F")), PATH_MALFORMED);
    assert_int_equal(split(f, BYTES("/a%?41")), PATH_MALFORMED);
    assert_int_equal(split(f, BYTES("/a%ff")), PATH_MALFORMED);
    assert_int_equal(split(f, BYTES("/%c0%af")), PATH_MALFORMED);
    assert_int_equal(split(f, BYTES("/%ed%a0%80")), PATH_MALFORMED);
    assert_int_equal(split(f, BYTES("/%e4/%b8%8a")), PATH_MALFORMED);
    assert_int_equal(split(f, BYTES("/a%00b")), PATH_MALFORMED);
    assert_int_equal(split(f, BYTES("/a\0b")), PATH_MALFORMED);
}

static void malformed_wins_over_unknown_wherever_it_stands(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(split(f, BYTES("/a//%")), PATH_MALFORMED);
    assert_int_equal(split(f, BYTES("/%//a")), PATH_MALFORMED);
    assert_int_equal(split(f, BYTES("/1/2/3/4/5/6/7/8/9/10/11/%00")), PATH_MALFORMED);
    assert_int_equal(split(f, BYTES("a/%ff")), PATH_MALFORMED);
}

static void more_segments_than_any_route_has_match_none(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(split(f, BYTES("/1/2/3/4/5/6/7/8/9/10")), PATH_OK);
    assert_int_equal(split(f, BYTES("/1/2/3/4/5/6/7/8/9/10/11")), PATH_UNKNOWN);
}

static void a_target_that_is_no_path_matches_no_route(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(split(f, BYTES("")), PATH_UNKNOWN);
    assert_int_equal(split(f, BYTES("*")), PATH_UNKNOWN);
    assert_int_equal(split(f, BYTES("?a=b")), PATH_UNKNOWN);
    assert_int_equal(split(f, BYTES("http://host/a")), PATH_UNKNOWN);
}

static void a_failure_leaves_the_path_alone(void **state)
{
    struct fixture *f = *state;
    f->path.count = 77;
    assert_int_equal(split(f, BYTES("/a/%?x")), PATH_MALFORMED);
    assert_int_equal(split(f, BYTES("/a//b?x")), PATH_UNKNOWN);
    assert_int_equal(f->path.count, 77);
    assert_null(f->path.query);
}

static void numbers_begin_at_one_and_end_at_two_to_the_53(void **state)
{
    (void) state;
    uint64_t number = 0;
    assert_true(path_number(BYTES("1"), &number));
    assert_int_equal(number, 1);
    assert_true(path_number(BYTES("9007199254740991"), &number));
    assert_int_equal(number, PATH_NUMBER_MAX);
    assert_false(path_number(BYTES("9007199254740992"), &number));
    assert_false(path_number(BYTES("9999999999999999"), &number));
    assert_false(path_number(BYTES("0"), &number));
    assert_int_equal(number, PATH_NUMBER_MAX);
}

static void what_is_no_number_is_refused(void **state)
{
    (void) state;
    const char *bad[] = {"",   "01", "-1", "+1",  "1.0",    "abc",
                         "1a", " 1", "1 ", "1e3", "search", "99999999999999999999"};
    uint64_t number = 77;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(path_number(bad[i], strlen(bad[i]), &number));
    assert_int_equal(number, 77);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_path_is_split_at_its_slashes),
        TEST(the_root_has_no_segments),
        TEST(one_slash_at_the_end_does_not_count),
        TEST(other_empty_segments_match_no_route),
        TEST(a_query_begins_at_the_first_question_mark_and_stays_raw),
        TEST(an_escaped_slash_or_question_mark_does_not_split),
        TEST(segments_are_decoded_once),
        TEST(a_plus_is_a_plus),
        TEST(dot_segments_are_ordinary),
        TEST(what_cannot_be_decoded_is_malformed),
        TEST(malformed_wins_over_unknown_wherever_it_stands),
        TEST(more_segments_than_any_route_has_match_none),
        TEST(a_target_that_is_no_path_matches_no_route),
        TEST(a_failure_leaves_the_path_alone),
        TEST(numbers_begin_at_one_and_end_at_two_to_the_53),
        TEST(what_is_no_number_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
