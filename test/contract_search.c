/* SPDX-License-Identifier: MIT */
/* contract_search.c - what every search index must do (storage/search.h).
 *
 * Runs against SQLite in a folder of its own, and on the Elasticsearch in
 * CONFAB_TEST_ELASTICSEARCH, in an index of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "search_fixture.h"

static const char *url;

static int set_up(void **state)
{
    *state = search_fixture_open(url);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    search_t *search = *state;
    search_close(&search);
    return 0;
}

/* Puts the texts into chat 1 of application 1, as messages 1, 2, 3... */
static void put_all(search_t *search, const char *const texts[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(search, 1, 1, i + 1, i + 1, texts[i]);
}

#define PUT_ALL(search, ...)                            \
    put_all(search, (const char *const[]){__VA_ARGS__}, \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* ---- what is found ---- */

static void every_substring_of_every_length_is_found(void **state)
{
    static const char text[] = "the quick brown fox, \u4E0A\u6D77\u8BDD \U0001F600! \"50%\" a_b\\c";
    put(*state, 1, 1, 7, 1, "something else");
    put(*state, 1, 1, 8, 2, text);
    for (size_t begin = 0; begin < strlen(text); begin++) {
        size_t end = begin;
        for (size_t characters = 0; characters < 20 && text[end]; characters++) {
            for (end++; (text[end] & 0xC0) == 0x80;)
                end++;
            if ((text[begin] & 0xC0) == 0x80)
                continue;
            uint64_t numbers[3];
            size_t count = find_bytes(*state, 1, 1, text + begin, end - begin, numbers, 3);
            if (count == 0 || numbers[0] != 8)
                fail_msg("not found: %.*s", (int) (end - begin), text + begin);
        }
    }
}

static void a_long_query_must_occur_as_a_whole(void **state)
{
    PUT_ALL(*state, "one two three four five six seven eight nine ten",
            "one two three four six five seven eight nine ten", "one two three", "ten nine eight");
    assert_finds(*state, "one two three four five six seven eight nine ten", 1, 0);
    assert_finds(*state, "three four six five seven eight", 2, 0);
    assert_finds(*state, "one two three", 3, 2, 1, 0);
    assert_finds(*state, "eight nine ten eleven", 0);
    assert_finds(*state, "eight nine ten one two three", 0);
}

static void one_and_two_characters_are_found(void **state)
{
    PUT_ALL(*state, "a", "ab", "abc", "\u65E5\u672C", "\U0001F600", "b a");
    assert_finds(*state, "a", 6, 3, 2, 1, 0);
    assert_finds(*state, "ab", 3, 2, 0);
    assert_finds(*state, "\u672C", 4, 0);
    assert_finds(*state, "\u65E5\u672C", 4, 0);
    assert_finds(*state, "\U0001F600", 5, 0);
    assert_finds(*state, "b ", 6, 0);
    assert_finds(*state, "z", 0);
    assert_finds(*state, "\u672C\u65E5", 0);
}

static void no_character_has_a_meaning(void **state)
{
    static const char *const texts[] = {
        "100% sure*", "what? _x_",    "a \"quoted\" word", "back\\slash",  "a AND b",
        "(x) NEAR y", "body: {curly", "-minus ^caret",     "a OR \" NOT",  "'single' ; --",
        "\"\"\"",     "+1 -1 ~1",     "[a] {b} <c> &&",    "scope:body||", "$1 #2 @3 !4",
    };
    enum { COUNT = sizeof texts / sizeof *texts };
    put_all(*state, texts, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_finds(*state, texts[i], (int) i + 1, 0);
    assert_finds(*state, "* s", 0);
    assert_finds(*state, "su*", 0);
    assert_finds(*state, "a% sure", 0);
    assert_finds(*state, "_0%", 0);
    assert_finds(*state, "sure OR what", 0);
    assert_finds(*state, "e*", 1, 0);
    assert_finds(*state, "\" ", 9, 3, 0);
}

static void case_is_what_the_folding_says(void **state)
{
    PUT_ALL(*state, "ÄRGER Привет", "ärger привет");
    assert_finds(*state, "RGER ПРИ", 2, 1, 0);
    /* The index itself does not fold once more. */
    uint64_t numbers[2];
    assert_int_equal(find_bytes(*state, 1, 1, "ÄRGER", strlen("ÄRGER"), numbers, 2), 0);
}

static void texts_of_every_size_are_found(void **state)
{
    size_t length = 65535;
    char *text = malloc(length + 1);
    assert_non_null(text);
    for (size_t i = 0; i < length; i++)
        text[i] = (char) ('a' + i * i % 23 % 17);
    memcpy(text + length - 6, "the e!", 7);
    put(*state, 1, 1, 1, 1, text);
    put(*state, 1, 1, 2, 2, "x");
    assert_finds(*state, "the e!", 1, 0);
    assert_finds(*state, "!", 1, 0);
    assert_finds(*state, "x", 2, 0);
    free(text);
}

/* ---- where it is looked for ---- */

static void only_the_one_chat_is_searched(void **state)
{
    for (uint64_t application_id = 1; application_id <= 3; application_id++)
        for (uint64_t chat = 1; chat <= 3; chat++)
            for (uint64_t number = 1; number <= 3; number++)
                put(*state, application_id, chat, number * 10 + chat, 1, "the same text");
    uint64_t numbers[10];
    assert_int_equal(find(*state, 2, 2, "same", 0, 0, false, 10, numbers), 3);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(numbers[i], i * 10 + 12);
    assert_int_equal(find(*state, 2, 2, "s", 0, 0, true, 10, numbers), 3);
    assert_int_equal(find(*state, 2, 4, "same", 0, 0, false, 10, numbers), 0);
    assert_int_equal(find(*state, 4, 1, "s", 0, 0, false, 10, numbers), 0);
}

static void assert_page(search_t *search, uint64_t after, uint64_t before, bool descending,
                        size_t limit, size_t count, uint64_t first)
{
    uint64_t numbers[20];
    for (int rare = 0; rare <= 1; rare++) {
        const char *query = rare ? "page" : "p";
        assert_int_equal(find(search, 1, 1, query, after, before, descending, limit, numbers),
                         count);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(numbers[i], descending ? first - i : first + i);
    }
}

static void bounds_are_strict_and_pages_go_either_way(void **state)
{
    for (uint64_t number = 1; number <= 12; number++)
        put(*state, 1, 1, number, number, "page");
    assert_page(*state, 0, 0, false, 20, 12, 1);
    assert_page(*state, 0, 0, true, 20, 12, 12);
    assert_page(*state, 0, 0, false, 5, 5, 1);
    assert_page(*state, 0, 0, true, 5, 5, 12);
    assert_page(*state, 5, 0, false, 5, 5, 6);
    assert_page(*state, 0, 5, true, 3, 3, 4);
    assert_page(*state, 3, 6, false, 20, 2, 4);
    assert_page(*state, 3, 6, true, 1, 1, 5);
    assert_page(*state, 12, 0, false, 20, 0, 0);
    assert_page(*state, 0, 1, true, 20, 0, 0);
    assert_page(*state, 6, 6, true, 20, 0, 0);
    assert_page(*state, 6, 7, true, 20, 0, 0);
    assert_page(*state, 9, 2, false, 20, 0, 0);
    assert_page(*state, 11, UINT64_C(9007199254740991), false, 20, 1, 12);
    assert_page(*state, UINT64_C(9007199254740991), 0, false, 20, 0, 0);
    assert_page(*state, 0, 0, false, 0, 0, 0);
}

static void the_highest_numbers_do_not_touch_the_next_chat(void **state)
{
    put(*state, 1, 1, UINT64_C(4294967295), 1, "border");
    put(*state, 1, 2, 1, 2, "border");
    uint64_t numbers[3];
    assert_int_equal(find(*state, 1, 1, "border", 0, 0, true, 3, numbers), 1);
    assert_int_equal(numbers[0], UINT64_C(4294967295));
    assert_int_equal(find(*state, 1, 2, "border", 0, 0, false, 3, numbers), 1);
    assert_int_equal(numbers[0], 1);
}

static void a_number_that_no_index_holds_is_bad_data(void **state)
{
    struct document document = {1, 1, UINT64_C(4294967296), 1, "x", 1};
    assert_int_equal(search_apply(*state, 0, &document, 1, NULL), ERR_DATA);
    document.number = 0;
    assert_int_equal(search_apply(*state, 0, &document, 1, NULL), ERR_DATA);
    assert_finds(*state, "x", 0);
}

/* ---- versions ---- */

static void an_older_version_is_ignored(void **state)
{
    put(*state, 1, 1, 1, 10, "the newer text");
    put(*state, 1, 1, 1, 9, "an older text");
    put(*state, 1, 1, 1, 9, NULL);
    assert_finds(*state, "newer", 1, 0);
    assert_finds(*state, "older", 0);
}

static void the_same_version_again_is_harmless(void **state)
{
    for (int i = 0; i < 3; i++)
        put(*state, 1, 1, 1, 10, "again and again");
    assert_finds(*state, "again", 1, 0);
    put(*state, 1, 1, 1, 10, NULL);
    put(*state, 1, 1, 1, 10, NULL);
    assert_finds(*state, "again", 0);
    assert_finds(*state, "a", 0);
}

static void an_edited_text_takes_the_place_of_the_old(void **state)
{
    put(*state, 1, 1, 1, 1, "first words");
    put(*state, 1, 1, 2, 2, "first words");
    put(*state, 1, 1, 1, 3, "other words");
    assert_finds(*state, "first", 2, 0);
    assert_finds(*state, "rst w", 2, 0);
    assert_finds(*state, "other", 1, 0);
    assert_finds(*state, "words", 2, 1, 0);
    put(*state, 1, 1, 1, 4, "first words");
    assert_finds(*state, "first", 2, 1, 0);
    assert_finds(*state, "other", 0);
}

static void a_deleted_message_is_not_found(void **state)
{
    PUT_ALL(*state, "some text", "some text");
    put(*state, 1, 1, 1, 3, NULL);
    put(*state, 1, 1, 77, 4, NULL); /* was never there */
    put(*state, 5, 5, 1, 5, NULL);
    assert_finds(*state, "text", 2, 0);
    assert_finds(*state, "x", 2, 0);
}

/* In one call the documents may be of any chats, in any order, and repeated. */
static void the_order_within_a_batch_does_not_matter(void **state)
{
    const struct document documents[] = {
        {2, 1, 5, 7, "two five", 8},    {1, 1, 9, 3, "old nine", 8},
        {1, 1, 1, 1, "one one", 7},     {1, 1, 9, 8, "new nine", 8},
        {2, 1, 1, 2, "two one", 7},     {1, 1, 9, 4, "mid nine", 8},
        {1, 1, 4, 5, "gone four", 9},   {1, 1, 4, 6, NULL, 0},
        {1, 2, 1, 1, "other chat", 10}, {1, 1, 3, 6, "same seq 1", 10},
        {1, 1, 3, 6, "same seq 2", 10},
    };
    for (int times = 0; times < 2; times++) {
        size_t count = sizeof documents / sizeof *documents;
        assert_int_equal(search_apply(*state, 0, documents, count, NULL), OK);
        assert_int_equal(search_flush(*state), OK);
        assert_finds(*state, "n", 9, 1, 0);
        assert_finds(*state, "new", 9, 0);
        assert_finds(*state, "old", 0);
        assert_finds(*state, "mid", 0);
        assert_finds(*state, "four", 0);
        assert_finds(*state, "seq 2", 3, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_substring_of_every_length_is_found, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_long_query_must_occur_as_a_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_and_two_characters_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_character_has_a_meaning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(case_is_what_the_folding_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(texts_of_every_size_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_the_one_chat_is_searched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bounds_are_strict_and_pages_go_either_way, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_highest_numbers_do_not_touch_the_next_chat, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_number_that_no_index_holds_is_bad_data, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_older_version_is_ignored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_version_again_is_harmless, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_edited_text_takes_the_place_of_the_old, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_deleted_message_is_not_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_order_within_a_batch_does_not_matter, set_up,
                                        tear_down),
    };
    int failures = 0;
    for (size_t i = 0; (url = search_fixture_url(i)); i++)
        failures += cmocka_run_group_tests_name(search_fixture_name(i), tests, NULL, NULL);
    return failures ? 1 : 0;
}
