/* SPDX-License-Identifier: MIT */
/* contract_search_state.c - positions, purges, scans and random histories of
 * every search index; see contract_search.c for what is found.
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

/* ---- positions ---- */

static const struct position sample = {
    .epoch = UINT64_C(0xFFFFFFFF00000001),
    .seq = UINT64_C(9007199254740993),
    .name = {UINT64_C(0x8000000000000001), UINT64_MAX},
    .time = INT64_C(1700000000123456),
    .run = UINT64_C(0xFEDCBA9876543210),
};

static void assert_position(search_t *search, unsigned shard, const struct position *expected)
{
    struct position position = {.seq = 77};
    bool found;
    assert_int_equal(search_position(search, shard, &position, &found), OK);
    assert_int_equal(found, expected != NULL);
    if (expected)
        assert_true(position_equal(&position, expected));
}

static void a_position_moves_with_the_documents(void **state)
{
    struct document document = {1, 1, 1, 1, "text", 4};
    assert_position(*state, 3, NULL);
    assert_int_equal(search_apply(*state, 3, &document, 1, &sample), OK);
    assert_int_equal(search_flush(*state), OK);
    assert_position(*state, 3, &sample);
    assert_position(*state, 2, NULL);

    struct position next = sample;
    next.seq++;
    assert_int_equal(search_apply(*state, 3, NULL, 0, &next), OK);
    assert_int_equal(search_flush(*state), OK);
    assert_position(*state, 3, &next);
    assert_int_equal(search_apply(*state, 3, &document, 1, NULL), OK);
    assert_position(*state, 3, &next);
    assert_int_equal(search_apply(*state, 3, &document, 0, NULL), OK);
    assert_int_equal(search_flush(*state), OK);
    assert_finds(*state, "text", 1, 0);
}

static void a_reset_forgets_the_position_of_one_shard(void **state)
{
    assert_int_equal(search_apply(*state, 0, NULL, 0, &sample), OK);
    assert_int_equal(search_apply(*state, 1, NULL, 0, &sample), OK);
    assert_int_equal(search_flush(*state), OK);
    put(*state, 1, 1, 1, 1, "text");
    assert_int_equal(search_reset(*state, 0), OK);
    assert_int_equal(search_reset(*state, 0), OK);
    assert_position(*state, 0, NULL);
    assert_position(*state, 1, &sample);
    assert_finds(*state, "text", 1, 0);
}

static void refused_documents_do_not_move_the_position(void **state)
{
    struct document documents[] = {{1, 1, 1, 1, "text", 4}, {1, 1, 0, 2, "text", 4}};
    assert_int_equal(search_apply(*state, 0, documents, 2, &sample), ERR_DATA);
    assert_position(*state, 0, NULL);
    assert_finds(*state, "text", 0);
}

static void another_handle_sees_what_was_applied(void **state)
{
    search_t *other = NULL;
    struct document document = {1, 1, 1, 1, "text", 4};
    assert_int_equal(search_open(url, true, &other), OK);
    assert_int_equal(search_apply(*state, 0, &document, 1, &sample), OK);
    assert_int_equal(search_flush(*state), OK);
    assert_position(other, 0, &sample);
    assert_finds(other, "text", 1, 0);
    search_close(&other);
    assert_null(other);
    search_close(&other);
}

/* ---- purges ---- */

static void fill_unseen(search_t *search, uint64_t application_id, uint64_t chat, size_t count)
{
    struct document *documents = calloc(count, sizeof *documents);
    assert_non_null(documents);
    for (size_t i = 0; i < count; i++)
        documents[i] = (struct document){application_id, chat, i + 1, i + 1, "filling", 7};
    assert_int_equal(search_apply(search, application_id % 8, documents, count, NULL), OK);
    free(documents);
}

/* Enough for several slices. */
static void fill(search_t *search, uint64_t application_id, uint64_t chat, size_t count)
{
    fill_unseen(search, application_id, chat, count);
    assert_int_equal(search_flush(search), OK);
}

static size_t count_of(search_t *search, uint64_t application_id, uint64_t chat)
{
    static uint64_t numbers[5000];
    size_t by_trigrams = find(search, application_id, chat, "filling", 0, 0, true, 5000, numbers);
    assert_int_equal(find(search, application_id, chat, "f", 0, 0, true, 5000, numbers),
                     by_trigrams);
    return by_trigrams;
}

static void a_purged_chat_is_empty_and_others_are_not(void **state)
{
    bool more = true;
    fill(*state, 1, 1, 2500);
    fill(*state, 1, 2, 3);
    fill(*state, 2, 1, 3);
    size_t before = 2501;
    while (more) {
        assert_int_equal(search_purge(*state, 1, 1, &more), OK);
        assert_true(count_of(*state, 1, 1) < before);
        before = count_of(*state, 1, 1) + 1;
    }
    assert_int_equal(count_of(*state, 1, 1), 0);
    assert_int_equal(count_of(*state, 1, 2), 3);
    assert_int_equal(count_of(*state, 2, 1), 3);
    assert_int_equal(search_purge(*state, 1, 1, &more), OK);
    assert_false(more);
    put(*state, 1, 1, 1, 9, "filling again");
    assert_int_equal(count_of(*state, 1, 1), 1);
}

static void a_purged_application_is_empty_and_others_are_not(void **state)
{
    bool more = true;
    fill(*state, 1, 1, 1500);
    for (uint64_t chat = 2; chat < 50; chat++)
        fill_unseen(*state, 1, chat, 20);
    fill(*state, 2, 1, 3);
    while (more)
        assert_int_equal(search_purge(*state, 1, 0, &more), OK);
    for (uint64_t chat = 1; chat < 50; chat++)
        assert_int_equal(count_of(*state, 1, chat), 0);
    assert_int_equal(count_of(*state, 2, 1), 3);
    assert_int_equal(search_purge(*state, 3, 0, &more), OK);
    assert_false(more);
}

/* The shard of an application is its id modulo their number. */
static void a_purged_shard_is_empty_and_others_are_not(void **state)
{
    bool more = true;
    fill(*state, 8, 1, 1500);
    fill(*state, 16, 1, 20);
    fill(*state, 17, 1, 20);
    assert_int_equal(search_apply(*state, 0, NULL, 0, &sample), OK);
    assert_int_equal(search_flush(*state), OK);
    while (more)
        assert_int_equal(search_purge_shard(*state, 0, 8, &more), OK);
    assert_int_equal(count_of(*state, 8, 1), 0);
    assert_int_equal(count_of(*state, 16, 1), 0);
    assert_int_equal(count_of(*state, 17, 1), 20);
    assert_position(*state, 0, &sample);

    for (more = true; more;)
        assert_int_equal(search_purge_shard(*state, 0, 1, &more), OK);
    assert_int_equal(count_of(*state, 17, 1), 0);
    fill(*state, 17, 1, 5);
    assert_int_equal(count_of(*state, 17, 1), 5);
}

/* ---- scans ---- */

struct walk {
    size_t count;
    struct indexed last;
    uint64_t sum; /* of something of each document */
};

static void walk_each(void *context, const struct indexed *document)
{
    struct walk *walk = context;
    const struct indexed *last = &walk->last;
    uint64_t here[] = {document->application_id, document->chat, document->number};
    uint64_t before[] = {last->application_id, last->chat, last->number};
    size_t i = 0;
    while (i < 2 && here[i] == before[i])
        i++;
    assert_true(here[i] > before[i]);
    assert_int_equal(document->seq, here[0] * 100 + here[1] * 10 + here[2]);
    assert_int_equal(document->hash, search_hash("text", 4));
    walk->sum += document->seq;
    walk->count++;
    walk->last = *document;
}

static void a_scan_sees_every_document_once_and_in_order(void **state)
{
    uint64_t sum = 0;
    for (uint64_t application_id = 5; application_id > 0; application_id--)
        for (uint64_t chat = 1; chat < 4; chat++)
            for (uint64_t number = 1; number < 6; number += application_id == 3 ? 3 : 1) {
                uint64_t seq = application_id * 100 + chat * 10 + number;
                take(*state, application_id, chat, number, seq, "Text");
                sum += seq;
            }
    put(*state, 2, 9, 1, 1, "gone");
    put(*state, 2, 9, 1, 2, NULL);
    for (size_t limit = 1; limit < 100; limit += limit < 8 ? 1 : 33) {
        struct document_cursor cursor = {0};
        struct walk walk = {0};
        bool more = true;
        while (more) {
            size_t before = walk.count;
            assert_int_equal(search_scan(*state, &cursor, limit, walk_each, &walk, &more), OK);
            assert_true(walk.count - before <= limit);
            assert_true(!more || walk.count - before == limit);
        }
        assert_int_equal(walk.sum, sum);
    }
    struct document_cursor cursor = {5, 3, 5};
    struct walk walk = {0};
    bool more = true;
    assert_int_equal(search_scan(*state, &cursor, 10, walk_each, &walk, &more), OK);
    assert_int_equal(walk.count, 0);
    assert_false(more);
}

/* ---- random histories, against a plain array and a plain loop ---- */

enum { CHATS = 3, NUMBERS = 40, BATCH = 12, LENGTH = 24, STEPS = 1500 };

struct model {
    char text[LENGTH + 1];
    uint64_t seq;
    bool there;
};

static uint64_t random_state;

static size_t random_below(size_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t) (random_state >> 33) % bound;
}

/* Few characters, so that much is alike; of one to four bytes. */
static size_t random_text(char *ret_text, size_t characters)
{
    static const char *const alphabet[] = {"a", "b", "\"", " ", "\u00E4", "\u4E0A", "\U0001F600"};
    size_t length = 0;
    ret_text[0] = '\0';
    for (; characters > 0; characters--) {
        const char *character = alphabet[random_below(sizeof alphabet / sizeof *alphabet)];
        if (length + strlen(character) > LENGTH)
            break;
        strcpy(ret_text + length, character);
        length += strlen(character);
    }
    return length;
}

static void random_batch(search_t *search, struct model model[CHATS][NUMBERS], uint64_t *seq)
{
    struct document documents[BATCH];
    char texts[BATCH][LENGTH + 1];
    size_t count = random_below(BATCH) + 1;
    for (size_t i = 0; i < count; i++) {
        size_t chat = random_below(CHATS), number = random_below(NUMBERS);
        struct model *row = &model[chat][number];
        /* Sometimes a version from the past, where the index has a newer one. */
        bool stale = row->there && random_below(4) == 0;
        uint64_t version = stale ? row->seq - random_below(2) - 1 : ++*seq + 10;
        documents[i] = (struct document){1, chat + 1, number + 1, version, NULL, 0};
        if (random_below(5) > 0) {
            documents[i].folded_length = random_text(texts[i], random_below(12));
            documents[i].folded = texts[i];
        }
        if (!stale) {
            row->seq = version;
            row->there = documents[i].folded != NULL;
            if (row->there)
                strcpy(row->text, texts[i]);
        }
    }
    assert_int_equal(search_apply(search, 0, documents, count, NULL), OK);
}

static const char *characters_on(const char *text, size_t count)
{
    for (; count > 0 && *text; count--)
        for (text++; (*text & 0xC0) == 0x80;)
            text++;
    return text;
}

/* What an index proposes. SQLite has looked at the text, Elasticsearch only at whether
 * every three characters of the query are somewhere in it. */
static bool proposed(const char *text, const char *query)
{
    if (!fixture_elastic || text_code_points(query, strlen(query)) <= 3)
        return strstr(text, query);
    for (; text_code_points(query, strlen(query)) >= 3; query = characters_on(query, 1)) {
        size_t length = (size_t) (characters_on(query, 3) - query);
        if (!memmem(text, strlen(text), query, length))
            return false;
    }
    return true;
}

static void compare_once(search_t *search, const struct model row[NUMBERS], uint64_t chat)
{
    char query[LENGTH + 1];
    uint64_t numbers[NUMBERS], expected[NUMBERS];
    size_t length = random_text(query, random_below(7) + 1);
    bool descending = random_below(2);
    uint64_t after = random_below(NUMBERS), before = random_below(NUMBERS + 1);
    size_t limit = random_below(NUMBERS) + 1, count = 0;
    for (size_t i = 0; i < NUMBERS && count < limit; i++) {
        size_t n = descending ? NUMBERS - 1 - i : i;
        if (row[n].there && n + 1 > after && (before == 0 || n + 1 < before) &&
            proposed(row[n].text, query))
            expected[count++] = n + 1;
    }
    size_t found = 999;
    assert_int_equal(search_find(search, 1, chat, query, length, after, before, descending, limit,
                                 numbers, &found),
                     OK);
    assert_int_equal(found, count);
    assert_memory_equal(numbers, expected, count * sizeof *numbers);
}

static void random_histories_answer_as_a_plain_loop_does(void **state)
{
    static struct model model[CHATS][NUMBERS];
    uint64_t seq = 0;
    const char *seed = getenv("TEST_SEED");
    random_state = seed ? strtoull(seed, NULL, 10) : 1;
    memset(model, 0, sizeof model);
    /* There a flush is what costs: fewer of them, and more between. */
    size_t steps = fixture_elastic ? STEPS / 100 : STEPS, each = fixture_elastic ? 12 : 1;
    for (size_t step = 0; step < steps; step++) {
        for (size_t i = 0; i < each; i++)
            random_batch(*state, model, &seq);
        assert_int_equal(search_flush(*state), OK);
        for (size_t i = 0; i < CHATS * each; i++)
            compare_once(*state, model[i % CHATS], i % CHATS + 1);
        if (random_below(100) < each) {
            size_t chat = random_below(CHATS);
            for (bool more = true; more;)
                assert_int_equal(search_purge(*state, 1, chat + 1, &more), OK);
            for (size_t i = 0; i < NUMBERS; i++)
                model[chat][i].there = false;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_position_moves_with_the_documents, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reset_forgets_the_position_of_one_shard, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(refused_documents_do_not_move_the_position, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(another_handle_sees_what_was_applied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_purged_chat_is_empty_and_others_are_not, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_purged_application_is_empty_and_others_are_not, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_purged_shard_is_empty_and_others_are_not, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_scan_sees_every_document_once_and_in_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(random_histories_answer_as_a_plain_loop_does, set_up,
                                        tear_down),
    };
    int failures = 0;
    for (size_t i = 0; (url = search_fixture_url(i)); i++)
        failures += cmocka_run_group_tests_name(search_fixture_name(i), tests, NULL, NULL);
    return failures ? 1 : 0;
}
