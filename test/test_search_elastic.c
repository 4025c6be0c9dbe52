/* SPDX-License-Identifier: MIT */
/* test_search_elastic.c - what is special about the index on Elasticsearch: its names
 * and what becomes of a handle when they change, paging, many code points.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "elastic_client.h"
#include "storage/search.h"

static const struct position begin = {.epoch = UINT64_C(1) << 32, .seq = 5, .name = {1, 1}};

static const char *the_url; /* threads ask for it, too */

static const char *url(void)
{
    return the_url;
}

static int set_up(void **state)
{
    the_url = text_of("%s/%s", elastic_server(), elastic_name());
    elastic_remove();
    (void) state;
    return 0;
}

static search_t *opened(bool read_only)
{
    search_t *search = NULL;
    assert_int_equal(search_open(url(), read_only, &search), OK);
    return search;
}

static struct document document_of(uint64_t number, uint64_t seq, const char *text)
{
    return (struct document){1, 1, number, seq, text, text ? strlen(text) : 0};
}

static status_t put(search_t *search, uint64_t number, uint64_t seq, const char *text,
                    const struct position *position)
{
    struct document document = document_of(number, seq, text);
    status_t status = search_apply(search, 0, &document, 1, position);
    return status == OK ? search_flush(search) : status;
}

static status_t counted(search_t *search, const char *query, size_t *ret_count)
{
    uint64_t numbers[100];
    return search_find(search, 1, 1, query, strlen(query), 0, 0, true, 100, numbers, ret_count);
}

static size_t count_of(search_t *search, const char *query)
{
    size_t count = 999;
    assert_int_equal(counted(search, query, &count), OK);
    return count;
}

static void assert_position(search_t *search, const struct position *expected)
{
    struct position position;
    bool found = !expected;
    assert_int_equal(search_position(search, 0, &position, &found), OK);
    assert_int_equal(found, expected != NULL);
    if (expected)
        assert_true(position_equal(&position, expected));
}

static struct position behind(const struct position *position, uint64_t count)
{
    struct position next = *position;
    next.seq += count;
    return next;
}

/* ---- URLs ---- */

static void a_url_is_understood_or_refused(void **state)
{
    static const char *const bad[] = {
        "http://h:1",
        "http://h:1/",
        "http://h:1/Upper",
        "http://h:1/_x",
        "http://h:1/a/b",
        "http://h:1/a?shards=0",
        "http://h:1/a?x=1",
        "http://h:1/a?shards=x",
        "http://h:1/a?replicas=1&",
        "http://h:1/a*",
        "http:///a",
        "http://h:1/a#b",
        "http://h:1/a?shards",
        "http://h:99999/a",
    };
    (void) state;
    search_t *search = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(search_open(bad[i], false, &search), ERR_CONFIG);
        assert_non_null(strstr(search_errmsg(NULL), "http"));
    }
    assert_int_equal(search_open("https://u:p%40@h:1/a?shards=3&replicas=1", false, &search), OK);
    search_close(&search);
}

static void a_server_that_is_away_is_told_and_not_asked_again_at_once(void **state)
{
    (void) state;
    search_t *search = NULL;
    struct position position;
    bool found;
    assert_int_equal(search_open("http://user:secret@127.0.0.1:1/a", false, &search), OK);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(search_position(search, 0, &position, &found), ERR_SEARCH);
    assert_non_null(strstr(search_errmsg(search), "127.0.0.1:1"));
    assert_null(strstr(search_errmsg(search), "secret"));
    search_close(&search);
}

/* ---- the index and its names ---- */

static void reading_makes_no_index(void **state)
{
    (void) state;
    search_t *reader = opened(true);
    assert_position(reader, NULL);
    assert_int_equal(count_of(reader, "text"), 0);
    assert_int_equal(elastic_request("HEAD", text_of("/%s", elastic_name()), NULL, NULL), 404);

    search_t *writer = opened(false);
    assert_int_equal(put(writer, 1, 1, "text", &begin), OK);
    assert_position(reader, &begin);
    assert_int_equal(count_of(reader, "text"), 1);
    search_close(&reader);
    search_close(&writer);
}

static void *maker(void *barrier)
{
    search_t *search = NULL;
    struct position position;
    bool found = true;
    pthread_barrier_wait(barrier);
    status_t status = search_open(url(), false, &search);
    /* As soon as it is there it may be found, while it cannot answer yet. */
    for (int tries = 0; status == OK || (status == ERR_SEARCH && tries < 100); tries++) {
        status = search_position(search, 0, &position, &found);
        if (status == OK)
            break;
        usleep(20000);
    }
    search_close(&search);
    return (void *) (uintptr_t) (status == OK && !found ? 1 : 0);
}

static void many_that_make_the_index_at_once_make_one(void **state)
{
    enum { MAKERS = 6 };
    (void) state;
    for (int round = 0; round < 3; round++) {
        pthread_barrier_t barrier;
        pthread_t threads[MAKERS];
        char *answer;
        elastic_remove();
        pthread_barrier_init(&barrier, NULL, MAKERS);
        for (size_t i = 0; i < MAKERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, maker, &barrier), 0);
        for (size_t i = 0; i < MAKERS; i++) {
            void *good;
            pthread_join(threads[i], &good);
            assert_non_null(good);
        }
        elastic_request("GET", text_of("/_cat/indices/%s*?h=index", elastic_name()), NULL, &answer);
        assert_string_equal(answer, text_of("%s-000001\n", elastic_name()));
        free(answer);
        pthread_barrier_destroy(&barrier);
    }
}

static void a_foreign_index_of_that_name_is_left_alone(void **state)
{
    (void) state;
    search_t *search = opened(false);
    assert_int_equal(elastic_request("PUT", text_of("/%s", elastic_name()), NULL, NULL), 200);
    assert_int_equal(put(search, 1, 1, "text", &begin), ERR_SCHEMA);
    search_close(&search);
}

/* ---- an index that goes away ---- */

static void index_delete(void)
{
    assert_int_equal(elastic_request("DELETE", text_of("/%s-000001", elastic_name()), NULL, NULL),
                     200);
}

static void a_deleted_index_is_noticed_and_made_anew(void **state)
{
    (void) state;
    search_t *search = opened(false);
    struct position next = behind(&begin, 1);
    assert_int_equal(put(search, 1, 1, "text", &begin), OK);
    index_delete();
    assert_int_equal(put(search, 2, 2, "text", &next), ERR_CONFLICT);
    assert_position(search, NULL);
    assert_int_equal(count_of(search, "text"), 0);
    assert_int_equal(put(search, 2, 2, "text", &next), OK);
    assert_position(search, &next);
    search_close(&search);
}

/* The second handle's index has the same name, but it is another one. */
static void an_index_that_another_made_anew_gets_no_positions_of_the_old(void **state)
{
    (void) state;
    search_t *search = opened(false), *other = opened(false);
    struct position next = behind(&begin, 1);
    assert_int_equal(put(search, 1, 1, "text", &begin), OK);
    index_delete();
    assert_position(other, NULL);
    assert_int_equal(put(search, 2, 2, "text", &next), ERR_CONFLICT);
    assert_position(other, NULL);
    assert_position(search, NULL);
    search_close(&search);
    search_close(&other);
}

static void a_position_that_a_twin_moved_is_a_conflict(void **state)
{
    (void) state;
    search_t *search = opened(false), *twin = opened(false);
    struct position next = behind(&begin, 1), far = behind(&begin, 2);
    assert_int_equal(put(search, 1, 1, "text", &begin), OK);
    assert_position(twin, &begin);
    assert_int_equal(put(twin, 2, 2, "text", &far), OK);
    assert_int_equal(put(search, 2, 2, "text", &next), ERR_CONFLICT);
    assert_position(search, &far);

    assert_int_equal(search_reset(twin, 0), OK);
    assert_int_equal(put(search, 3, 3, "text", &next), ERR_CONFLICT);
    assert_position(search, NULL);
    search_close(&search);
    search_close(&twin);
}

/* What was taken for another shard is lost as well: the flush says so. */
static void a_conflict_is_told_to_whoever_waits_for_the_flush(void **state)
{
    (void) state;
    search_t *search = opened(false);
    struct document document = document_of(1, 1, "text");
    assert_int_equal(put(search, 1, 1, "text", &begin), OK);
    assert_int_equal(search_apply(search, 1, &document, 1, &begin), OK);
    index_delete();
    assert_position(search, NULL); /* the index is found to be gone */
    assert_int_equal(search_flush(search), ERR_CONFLICT);
    assert_int_equal(search_flush(search), OK);
    search_close(&search);
}

/* ---- rebuild in place ---- */

static void what_was_removed_comes_back_in_any_version_after_a_reset(void **state)
{
    (void) state;
    search_t *search = opened(false);
    bool more = true;
    assert_int_equal(put(search, 1, 100, "text", &begin), OK);
    assert_int_equal(put(search, 2, 100, "text", &begin), OK);
    assert_int_equal(put(search, 2, 101, NULL, &begin), OK);
    assert_int_equal(put(search, 2, 50, "text", &begin), OK);
    assert_int_equal(count_of(search, "text"), 1);

    assert_int_equal(search_reset(search, 0), OK);
    while (more)
        assert_int_equal(search_purge_shard(search, 0, 1, &more), OK);
    assert_int_equal(count_of(search, "text"), 0);
    assert_int_equal(put(search, 1, 40, "text one", NULL), OK);
    assert_int_equal(put(search, 2, 50, "text two", &begin), OK);
    assert_int_equal(count_of(search, "text"), 2);
    assert_int_equal(put(search, 2, 49, NULL, &begin), OK);
    assert_int_equal(count_of(search, "text two"), 1);
    search_close(&search);
}

/* ---- a new index beside it ---- */

static void a_new_index_takes_the_place_of_the_old_in_one_step(void **state)
{
    (void) state;
    search_t *search = opened(false), *reader = opened(true), *anew = NULL;
    struct position next = behind(&begin, 1), last = behind(&begin, 2);
    assert_int_equal(put(search, 1, 1, "old text", &begin), OK);
    assert_int_equal(search_open_anew(url(), &anew), OK);
    assert_int_equal(put(anew, 1, 1, "new text", &next), OK);
    assert_int_equal(count_of(anew, "new text"), 1);
    assert_int_equal(count_of(reader, "new text"), 0);
    assert_position(reader, &begin);

    assert_int_equal(search_publish(anew), OK);
    size_t count = 999;
    assert_int_equal(counted(reader, "new text", &count), ERR_CONFLICT);
    assert_int_equal(count, 999);
    assert_position(reader, &next);
    assert_int_equal(count_of(reader, "new text"), 1);
    assert_int_equal(count_of(reader, "old text"), 0);
    assert_int_equal(put(search, 2, 2, "text", &last), ERR_CONFLICT);
    assert_position(search, &next);
    assert_int_equal(put(search, 2, 2, "text", &last), OK);
    assert_position(anew, &last);
    assert_int_equal(elastic_request("HEAD", text_of("/%s-000001", elastic_name()), NULL, NULL),
                     404);
    search_close(&search);
    search_close(&reader);
    search_close(&anew);
}

static void an_unfinished_index_is_removed_by_the_next(void **state)
{
    (void) state;
    search_t *search = opened(false), *first = NULL, *second = NULL;
    assert_int_equal(put(search, 1, 1, "old text", &begin), OK);
    assert_int_equal(search_open_anew(url(), &first), OK);
    assert_int_equal(search_open_anew(url(), &second), OK);
    assert_int_equal(put(first, 1, 1, "text", &begin), ERR_CONFLICT);
    assert_int_equal(search_publish(first), ERR_CONFLICT);
    assert_int_equal(put(second, 1, 1, "new text", &begin), OK);
    assert_int_equal(search_publish(second), OK);
    assert_position(search, &begin);
    assert_int_equal(count_of(search, "new text"), 1);
    search_close(&search);
    search_close(&first);
    search_close(&second);
}

/* As when a reindex was killed between the two steps of publishing. */
static void an_index_that_nobody_finds_any_more_is_removed_by_the_next(void **state)
{
    (void) state;
    search_t *search = opened(false), *anew = NULL;
    assert_int_equal(put(search, 1, 1, "old text", &begin), OK);
    const char *actions = text_of("{\"actions\":[{\"remove\":{\"index\":\"%s-000001\",\"alias\":"
                                  "\"%s\"}}]}",
                                  elastic_name(), elastic_name());
    assert_int_equal(elastic_request("POST", "/_aliases", actions, NULL), 200);
    assert_int_equal(elastic_request("PUT", text_of("/%s-000007", elastic_name()), NULL, NULL),
                     200); /* not of this program */
    assert_int_equal(search_open_anew(url(), &anew), OK);
    assert_int_equal(elastic_request("HEAD", text_of("/%s-000001", elastic_name()), NULL, NULL),
                     404);
    assert_int_equal(elastic_request("HEAD", text_of("/%s-000007", elastic_name()), NULL, NULL),
                     200);
    assert_int_equal(put(anew, 1, 1, "new text", &begin), OK);
    assert_int_equal(search_publish(anew), OK);
    assert_int_equal(put(search, 2, 2, "text", &begin), ERR_CONFLICT);
    assert_position(search, &begin);
    assert_int_equal(count_of(search, "new text"), 1);
    search_close(&search);
    search_close(&anew);
}

/* ---- many ---- */

enum { MANY = 25000 };

static void pages_go_on_past_ten_thousand(void **state)
{
    (void) state;
    search_t *search = opened(false);
    static uint64_t numbers[MANY];
    struct document *documents = calloc(MANY, sizeof *documents);
    assert_non_null(documents);
    for (size_t i = 0; i < MANY; i++)
        documents[i] = document_of(i + 1, i + 1, i % 5000 == 7 ? "a rare body" : "a body");
    assert_int_equal(search_apply(search, 0, documents, MANY, &begin), OK);
    assert_int_equal(search_flush(search), OK);
    for (int descending = 0; descending < 2; descending++) {
        size_t count = 0;
        assert_int_equal(
            search_find(search, 1, 1, "body", 4, 0, 0, descending, MANY, numbers, &count), OK);
        assert_int_equal(count, MANY);
        for (size_t i = 0; i < MANY; i++)
            assert_int_equal(numbers[i], descending ? MANY - i : i + 1);
        assert_int_equal(
            search_find(search, 1, 1, "body", 4, 12000, 0, descending, 50, numbers, &count), OK);
        assert_int_equal(count, 50);
        assert_int_equal(numbers[0], descending ? MANY : 12001);
    }
    assert_int_equal(count_of(search, "rare"), MANY / 5000);
    free(documents);
    search_close(&search);
}

static void code_points_beyond_the_basic_plane_are_one_each(void **state)
{
    (void) state;
    search_t *search = opened(false);
    assert_int_equal(put(search, 1, 1, "\U0001F600\U0001F601\U0001F602\U0001F603 x", NULL), OK);
    assert_int_equal(put(search, 2, 1, "\1\37\"\\/\u2028 \t\r\n", NULL), OK);
    assert_int_equal(count_of(search, "\U0001F601"), 1);
    assert_int_equal(count_of(search, "\U0001F602\U0001F603"), 1);
    assert_int_equal(count_of(search, "\U0001F601\U0001F602\U0001F603"), 1);
    assert_int_equal(count_of(search, "\U0001F600\U0001F601\U0001F602\U0001F603 x"), 1);
    assert_int_equal(count_of(search, "\U0001F600\U0001F602"), 0);
    assert_int_equal(count_of(search, "\1\37\"\\/\u2028 \t\r\n"), 1);
    assert_int_equal(count_of(search, "\37"), 1);
    search_close(&search);
}

int main(void)
{
    const struct CMUnitTest alone[] = {
        cmocka_unit_test(a_url_is_understood_or_refused),
        cmocka_unit_test(a_server_that_is_away_is_told_and_not_asked_again_at_once),
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reading_makes_no_index, set_up),
        cmocka_unit_test_setup(many_that_make_the_index_at_once_make_one, set_up),
        cmocka_unit_test_setup(a_foreign_index_of_that_name_is_left_alone, set_up),
        cmocka_unit_test_setup(a_deleted_index_is_noticed_and_made_anew, set_up),
        cmocka_unit_test_setup(an_index_that_another_made_anew_gets_no_positions_of_the_old,
                               set_up),
        cmocka_unit_test_setup(a_position_that_a_twin_moved_is_a_conflict, set_up),
        cmocka_unit_test_setup(a_conflict_is_told_to_whoever_waits_for_the_flush, set_up),
        cmocka_unit_test_setup(what_was_removed_comes_back_in_any_version_after_a_reset, set_up),
        cmocka_unit_test_setup(a_new_index_takes_the_place_of_the_old_in_one_step, set_up),
        cmocka_unit_test_setup(an_unfinished_index_is_removed_by_the_next, set_up),
        cmocka_unit_test_setup(an_index_that_nobody_finds_any_more_is_removed_by_the_next, set_up),
        cmocka_unit_test_setup(pages_go_on_past_ten_thousand, set_up),
        cmocka_unit_test_setup(code_points_beyond_the_basic_plane_are_one_each, set_up),
    };
    int failures = cmocka_run_group_tests(alone, NULL, NULL);
    if (elastic_server()) {
        failures += cmocka_run_group_tests(tests, NULL, NULL);
        elastic_remove();
    }
    return failures ? 1 : 0;
}
