/* SPDX-License-Identifier: MIT */
/* test_search_elastic_faults.c - answers that an Elasticsearch gives in bad times, and
 * that nothing is lost, and no position stands, whatever they are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "fake_elastic.h"
#include "storage/search.h"
#include "support.h"

enum { DOCUMENTS = 5 };

static const struct position begin = {.epoch = UINT64_C(1) << 32, .seq = 5, .name = {1, 1}};

static fake_elastic_t *elastic;

static int set_up(void **state)
{
    search_t *search = NULL;
    elastic = fake_elastic_open();
    assert_int_equal(search_open(fake_elastic_url(elastic), false, &search), OK);
    *state = search;
    return 0;
}

static int tear_down(void **state)
{
    search_t *search = *state;
    search_close(&search);
    fake_elastic_close(&elastic);
    return 0;
}

static void plan(struct fake_elastic_fault fault)
{
    fake_elastic_plan(elastic, &fault);
}

/* Five messages and the position behind them. */
static status_t put(search_t *search)
{
    struct document documents[DOCUMENTS];
    for (uint64_t i = 0; i < DOCUMENTS; i++)
        documents[i] = (struct document){1, 1, i + 1, i + 1, i == 4 ? NULL : "text", 4};
    status_t status = search_apply(search, 0, documents, DOCUMENTS, &begin);
    return status == OK ? search_flush(search) : status;
}

static size_t bulk_count(void)
{
    return fake_elastic_count(elastic, "/_bulk");
}

/* The ids in the nth _bulk, in their order: "1-1-1 1-1-2 ". */
static const char *ids_of(size_t nth)
{
    const char *body = fake_elastic_body(elastic, "/_bulk", nth), *ids = "";
    for (char id[100]; body && (body = strstr(body, "\"_id\":\"")); body++)
        if (sscanf(body, "\"_id\":\"%99[^\"]", id) == 1)
            ids = text_of("%s%s ", ids, id);
    return ids;
}

static bool position_was_sent(void)
{
    for (size_t i = 0; i < bulk_count(); i++)
        if (strstr(ids_of(i), "position-an-uuid-0"))
            return true;
    return false;
}

/* A new handle: one whose server failed does not ask it again for a while. */
static void reopen(void **state)
{
    search_t *search = *state;
    search_close(&search);
    assert_int_equal(search_open(fake_elastic_url(elastic), false, &search), OK);
    *state = search;
}

static void assert_goes_well_now(void **state)
{
    struct position position;
    bool found = true;
    assert_true(fake_elastic_done(elastic));
    reopen(state);
    assert_int_equal(search_position(*state, 0, &position, &found), OK);
    assert_false(found);
    assert_int_equal(put(*state), OK);
    assert_true(position_was_sent());
}

/* ---- too much for it just now ---- */

static void only_what_was_too_much_is_offered_again_and_in_order(void **state)
{
    plan((struct fake_elastic_fault){
        .where = "/_bulk", .ids = "1-1-2 1-1-4 1-1-5", .item_code = 429});
    plan((struct fake_elastic_fault){.where = "/_bulk", .ids = "1-1-4", .item_code = 503});
    assert_int_equal(put(*state), OK);
    assert_int_equal(bulk_count(), 4);
    assert_string_equal(ids_of(0), "1-1-1 1-1-2 1-1-3 1-1-4 1-1-5 ");
    assert_string_equal(ids_of(1), "1-1-2 1-1-4 1-1-5 ");
    assert_string_equal(ids_of(2), "1-1-4 ");
    assert_string_equal(ids_of(3), "position-an-uuid-0 ");
    assert_non_null(
        strstr(fake_elastic_body(elastic, "/_bulk", 0), fake_elastic_body(elastic, "/_bulk", 2)));
    assert_int_equal(fake_elastic_count(elastic, "/_refresh"), 1);
    assert_int_equal(search_refused(*state), 0);
}

static void a_server_that_takes_nothing_now_is_offered_all_of_it_again(void **state)
{
    plan((struct fake_elastic_fault){.where = "/_bulk", .code = 503, .answer = "<html>no"});
    plan((struct fake_elastic_fault){.where = "/_bulk", .code = 429, .answer = ""});
    assert_int_equal(put(*state), OK);
    assert_int_equal(bulk_count(), 4);
    for (size_t i = 1; i < 3; i++)
        assert_string_equal(fake_elastic_body(elastic, "/_bulk", 0),
                            fake_elastic_body(elastic, "/_bulk", i));
    assert_string_equal(ids_of(3), "position-an-uuid-0 ");
}

/* ---- never ---- */

static void a_document_that_is_refused_is_left_out_and_counted(void **state)
{
    plan((struct fake_elastic_fault){.where = "/_bulk", .ids = "1-1-2", .item_code = 400});
    assert_int_equal(put(*state), OK);
    assert_int_equal(bulk_count(), 2);
    assert_string_equal(ids_of(1), "position-an-uuid-0 ");
    assert_non_null(strstr(search_errmsg(*state), "1-1-2: its_type: its reason"));
    assert_int_equal(search_refused(*state), 1);
    assert_int_equal(search_refused(*state), 0);
}

static void a_newer_version_in_the_index_is_no_failure(void **state)
{
    plan((struct fake_elastic_fault){.where = "/_bulk", .ids = "1-1-2 1-1-5", .item_code = 409});
    assert_int_equal(put(*state), OK);
    assert_int_equal(bulk_count(), 2);
    assert_int_equal(search_refused(*state), 0);
}

static void a_server_that_knows_us_not_says_so(void **state)
{
    static const char answer[] = "{\"error\":{\"type\":\"security_exception\","
                                 "\"reason\":\"unable to authenticate\"}}";
    plan((struct fake_elastic_fault){.where = "/_bulk", .code = 401, .answer = answer});
    assert_int_equal(put(*state), ERR_SEARCH);
    assert_non_null(strstr(search_errmsg(*state), "unable to authenticate"));
    assert_null(strstr(search_errmsg(*state), "secret"));
    assert_goes_well_now(state);
}

/* ---- silence, half an answer, garbage ---- */

static void a_server_that_hangs_costs_one_time_out(void **state)
{
    uint64_t numbers[10];
    size_t count;
    int64_t start_us = clock_monotonic_us();
    plan((struct fake_elastic_fault){.where = "/_search", .trouble = FAKE_ELASTIC_HANGS});
    assert_int_equal(search_find(*state, 1, 1, "text", 4, 0, 0, true, 10, numbers, &count),
                     ERR_SEARCH);
    assert_true(clock_monotonic_us() - start_us < 5000000);
    assert_non_null(strstr(search_errmsg(*state), "127.0.0.1"));
    /* Whoever asks next hears it at once. */
    assert_int_equal(search_find(*state, 1, 1, "text", 4, 0, 0, true, 10, numbers, &count),
                     ERR_SEARCH);
    assert_int_equal(fake_elastic_count(elastic, "/_search"), 1);
    assert_goes_well_now(state);
}

static void a_connection_that_breaks_off_leaves_no_position(void **state)
{
    static const char *const where[] = {"/_bulk", "/_refresh", "/messages-*"};
    for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
        plan((struct fake_elastic_fault){.where = where[i], .trouble = FAKE_ELASTIC_CUTS});
        assert_int_equal(put(*state), ERR_SEARCH);
        assert_false(position_was_sent());
        reopen(state);
    }
    assert_goes_well_now(state);
}

static const char *const garbage[] = {
    "",
    "<html>a proxy's</html>",
    "{\"errors\":false,\"items\":[{\"index\":{\"_ind",
    "[]",
    "3",
    "{}",
    "{\"items\":7}",
    "{\"errors\":false,\"items\":[]}",
    "{\"errors\":true,\"items\":[{\"index\":{\"_index\":\"messages-000001\",\"status\":201}}]}",
    "{\"items\":[{},{},{},{},{},{},{}]}",
    "{\"_shards\":{\"failed\":1}}",
    "{\"timed_out\":true,\"hits\":{\"hits\":[]}}",
    "{\"timed_out\":false,\"hits\":{\"hits\":[{\"sort\":[\"x\"]}]}}",
};

static void garbage_leaves_no_position(void **state)
{
    static const char *const where[] = {"/_bulk", "/_refresh"};
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < sizeof garbage / sizeof *garbage; j++) {
            struct position position;
            bool found;
            plan((struct fake_elastic_fault){.where = where[i], .answer = garbage[j]});
            assert_int_equal(put(*state), ERR_SEARCH);
            assert_true(*search_errmsg(*state));
            assert_false(position_was_sent());
            assert_int_equal(search_position(*state, 0, &position, &found), OK);
        }
    assert_goes_well_now(state);
}

static void garbage_is_no_answer_to_a_question(void **state)
{
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        uint64_t numbers[10];
        size_t count = 77;
        plan((struct fake_elastic_fault){.where = "/_search", .answer = garbage[i]});
        assert_int_equal(search_find(*state, 1, 1, "text", 4, 0, 0, true, 10, numbers, &count),
                         ERR_SEARCH);
        assert_int_equal(count, 77);
    }
    assert_goes_well_now(state);
}

static void garbage_is_no_position(void **state)
{
    static const char *const answers[] = {
        "",
        "[]",
        "{\"_index\":\"messages-000001\",\"found\":true}",
        "{\"_index\":\"messages-000001\",\"fields\":{\"position\":[\"1 2 3\"]}}",
        "{\"_index\":\"messages-000001\",\"fields\":{\"position\":[7]}}",
        "{\"_index\":\"messages-000001\",\"fields\":{\"position\":\"1 2 3 4 5 6\"}}",
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct position position;
        bool found;
        plan((struct fake_elastic_fault){.where = "/_doc/", .answer = answers[i]});
        assert_int_equal(search_position(*state, 0, &position, &found),
                         i < 2 ? ERR_SEARCH : ERR_SCHEMA);
    }
    assert_goes_well_now(state);
}

/* ---- another index than before ---- */

static void documents_that_went_into_another_index_are_a_conflict(void **state)
{
    static const char *const ids[] = {NULL, "1-1-2"};
    for (size_t i = 0; i < 2; i++) {
        struct position position;
        bool found;
        plan((struct fake_elastic_fault){
            .where = "/_bulk", .index = "messages-000002", .ids = ids[i], .item_code = 400});
        assert_int_equal(put(*state), ERR_CONFLICT);
        assert_false(position_was_sent());
        assert_int_equal(put(*state), ERR_CONFLICT); /* until the position is read */
        assert_int_equal(search_position(*state, 0, &position, &found), OK);
    }
    assert_int_equal(put(*state), OK);
}

static void an_index_that_is_gone_is_a_conflict(void **state)
{
    static const char *const where[] = {"/_bulk", "/_refresh"};
    static const char answer[] = "{\"error\":{\"type\":\"index_not_found_exception\"}}";
    for (size_t i = 0; i < 2; i++) {
        struct position position;
        bool found;
        plan((struct fake_elastic_fault){.where = where[i], .code = 404, .answer = answer});
        assert_int_equal(put(*state), ERR_CONFLICT);
        assert_int_equal(search_position(*state, 0, &position, &found), OK);
    }
    assert_int_equal(put(*state), OK);
}

/* ---- the position itself ---- */

static void a_position_that_was_not_taken_does_not_stand(void **state)
{
    static const struct {
        int code;
        status_t status;
    } answers[] = {{409, ERR_CONFLICT}, {429, ERR_SEARCH}, {503, ERR_SEARCH}, {400, ERR_SEARCH}};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct position position;
        bool found;
        assert_int_equal(search_apply(*state, 0, NULL, 0, &begin), OK);
        plan((struct fake_elastic_fault){
            .where = "/_bulk", .ids = "position-an-uuid-0", .item_code = answers[i].code});
        assert_int_equal(search_flush(*state), answers[i].status);
        assert_int_equal(search_position(*state, 0, &position, &found), OK);
    }
    assert_int_equal(put(*state), OK);
    assert_int_equal(search_refused(*state), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_what_was_too_much_is_offered_again_and_in_order),
        TEST(a_server_that_takes_nothing_now_is_offered_all_of_it_again),
        TEST(a_document_that_is_refused_is_left_out_and_counted),
        TEST(a_newer_version_in_the_index_is_no_failure),
        TEST(a_server_that_knows_us_not_says_so),
        TEST(a_server_that_hangs_costs_one_time_out),
        TEST(a_connection_that_breaks_off_leaves_no_position),
        TEST(garbage_leaves_no_position),
        TEST(garbage_is_no_answer_to_a_question),
        TEST(garbage_is_no_position),
        TEST(documents_that_went_into_another_index_are_a_conflict),
        TEST(an_index_that_is_gone_is_a_conflict),
        TEST(a_position_that_was_not_taken_does_not_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
