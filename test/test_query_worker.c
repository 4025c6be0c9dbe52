/* SPDX-License-Identifier: MIT */
/* test_query_worker.c - what the answers to reads hold: lists, search, the state. */
#include "actors.h"

#include <stdlib.h>

#define TOKEN "some-application"

static int set_up(void **state)
{
    actors_set_up(state);
    struct actors *f = (struct actors *) *state;
    actors_run(f);
    application_post(f, TOKEN);
    assert_int_equal(chat_post(f, TOKEN), 1);
    return 0;
}

/* Asks for a page; its numbers, and " ..." if there is more. */
static const char *page(struct actors *f, enum request_type type, uint64_t after, uint64_t before,
                        uint32_t limit, bool descending)
{
    struct request request = request_of(type, TOKEN, type == REQUEST_CHATS ? 0 : 1, 0,
                                        type == REQUEST_SEARCH ? "body" : NULL);
    request.after = after;
    request.before = before;
    request.limit = limit;
    request.descending = descending;
    assert_int_equal(ask(f, &request), OK);
    return text_of("%s%s", reply_numbers(f), f->reply.more ? " ..." : "");
}

static void pages_check(struct actors *f, enum request_type type)
{
    assert_string_equal(page(f, type, 0, 0, 4, false), "1 2 3 4 ...");
    assert_string_equal(page(f, type, 4, 0, 4, false), "5 6 7 8 ...");
    assert_string_equal(page(f, type, 8, 0, 4, false), "9 10");
    assert_string_equal(page(f, type, 0, 0, 10, false), "1 2 3 4 5 6 7 8 9 10");
    assert_string_equal(page(f, type, 0, 0, 4, true), "10 9 8 7 ...");
    assert_string_equal(page(f, type, 0, 7, 4, true), "6 5 4 3 ...");
    assert_string_equal(page(f, type, 0, 3, 4, true), "2 1");
    assert_string_equal(page(f, type, 3, 7, 4, false), "4 5 6");
    assert_string_equal(page(f, type, 3, 7, 2, true), "6 5 ...");
    assert_string_equal(page(f, type, 10, 0, 4, false), "");
    assert_string_equal(page(f, type, UINT64_MAX, 0, 4, false), "");
    assert_string_equal(page(f, type, 0, 1, 4, true), "");
}

/* ---- lists ---- */

static void messages_are_listed_by_pages(void **state)
{
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, 10);
    pages_check(f, REQUEST_MESSAGES);
}

static void chats_are_listed_by_pages(void **state)
{
    struct actors *f = (struct actors *) *state;
    for (uint64_t chat = 2; chat <= 10; chat++)
        assert_int_equal(chat_post(f, TOKEN), chat);
    pages_check(f, REQUEST_CHATS);
}

static void last_numbers_come_from_the_log_whatever_was_counted(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_stop(f, COUNTING);
    assert_int_equal(chat_post(f, TOKEN), 2);
    messages_post(f, TOKEN, 1, 7);
    messages_post(f, TOKEN, 2, 3);
    for (int which = 0; which < 2; which++) {
        struct request one = request_of(REQUEST_CHAT, TOKEN, (uint64_t) which + 1, 0, NULL);
        assert_int_equal(ask(f, &one), OK);
        assert_int_equal(reply_item(f).last, which ? 3 : 7);
    }
    struct request chats = request_of(REQUEST_CHATS, TOKEN, 0, 0, NULL);
    assert_int_equal(ask(f, &chats), OK);
    assert_int_equal(f->reply.item_count, 2);
    struct bytes_reader reader = bytes_reader(f->reply.items, f->reply.items_length);
    for (int which = 0; which < 2; which++) {
        struct item item;
        assert_int_equal(item_decode(&reader, &item), OK);
        assert_int_equal(item.last, which ? 3 : 7);
        assert_int_equal(item.text_length, strlen("a chat"));
    }
    struct request application = request_of(REQUEST_APPLICATION, TOKEN, 0, 0, NULL);
    assert_int_equal(ask(f, &application), OK);
    assert_int_equal(reply_item(f).last, 2);
    struct request all = {.type = REQUEST_APPLICATIONS, .text = "", .limit = 10};
    assert_int_equal(ask(f, &all), OK);
    assert_int_equal(reply_item(f).last, 2);
    assert_int_equal(reply_item(f).token_length, strlen(TOKEN));
}

static status_t applications_ask(struct actors *f, const char *after, uint32_t limit)
{
    struct request request = {
        .type = REQUEST_APPLICATIONS, .text = after, .text_length = strlen(after), .limit = limit};
    return ask(f, &request);
}

static void applications_of_all_shards_are_listed_in_the_order_of_creation(void **state)
{
    enum { APPLICATIONS = 25, LIMIT = 7 };
    struct actors *f = (struct actors *) *state;
    char after[64] = "";
    int next = 0;
    actors_run(f);
    for (int i = 0; i < APPLICATIONS; i++)
        application_post(f, text_of("application-%d", APPLICATIONS - i));
    for (bool more = true; more; more = f->reply.more) {
        assert_int_equal(applications_ask(f, after, LIMIT), OK);
        assert_int_equal(f->reply.more, APPLICATIONS - next > LIMIT);
        struct bytes_reader reader = bytes_reader(f->reply.items, f->reply.items_length);
        for (uint32_t i = 0; i < f->reply.item_count; i++) {
            struct item item;
            assert_int_equal(item_decode(&reader, &item), OK);
            snprintf(after, sizeof after, "%.*s", (int) item.token_length, item.token);
            assert_string_equal(after, text_of("application-%d", APPLICATIONS - next++));
        }
    }
    assert_int_equal(next, APPLICATIONS);
    struct request deletion = request_of(REQUEST_APPLICATION_DELETE, "application-20", 0, 0, NULL);
    assert_int_equal(ask(f, &deletion), OK);
    assert_int_equal(applications_ask(f, "application-20", 100), OK); /* it still marks a place */
    assert_int_equal(f->reply.item_count, 19);
    assert_int_equal(applications_ask(f, "application-99", 100), ERR_CURSOR_NOT_FOUND);
    assert_int_equal(applications_ask(f, "", 100), OK);
    assert_int_equal(f->reply.item_count, APPLICATIONS - 1);
}

static void an_application_is_listed_right_after_its_creation(void **state)
{
    struct actors *f = (struct actors *) *state;
    for (uint32_t i = 2; i <= 30; i++) {
        application_post(f, text_of("application-%u", i));
        assert_int_equal(applications_ask(f, "", 100), OK);
        assert_int_equal(f->reply.item_count, i);
    }
}

static char *large_body(void)
{
    char *body = (char *) malloc(BODY_BYTES_MAX + 1);
    assert_non_null(body);
    memset(body, 'x', BODY_BYTES_MAX);
    memcpy(body, "body", 4);
    body[BODY_BYTES_MAX] = 0;
    return body;
}

static void a_page_of_large_bodies_ends_early(void **state)
{
    struct actors *f = (struct actors *) *state;
    char *body = large_body();
    for (uint64_t number = 1; number <= 80; number++)
        assert_int_equal(message_post(f, TOKEN, 1, body), number);
    free(body);
    follower_wait(f, FOLLOWER_INDEXING);
    const enum request_type types[] = {REQUEST_MESSAGES, REQUEST_SEARCH};
    for (size_t i = 0; i < 2; i++) {
        page(f, types[i], 0, 0, 100, false);
        assert_in_range(f->reply.item_count, 60, 70);
        assert_true(f->reply.more);
        page(f, types[i], f->reply.item_count, 0, 100, false);
        assert_in_range(f->reply.item_count, 10, 20);
        assert_false(f->reply.more);
    }
}

/* As if the deletion had come between the look and the read. */
static void a_list_of_what_was_deleted_meanwhile_is_not_an_empty_page(void **state)
{
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, 3);
    follower_wait(f, FOLLOWER_INDEXING);
    file_run(f, STORE_FILE, "UPDATE chats SET deleted = 1");
    struct request list = request_of(REQUEST_MESSAGES, TOKEN, 1, 0, NULL);
    struct request search = request_of(REQUEST_SEARCH, TOKEN, 1, 0, "message");
    list.limit = search.limit = 10;
    assert_int_equal(ask(f, &list), ERR_CHAT_NOT_FOUND);
    assert_int_equal(ask(f, &search), ERR_CHAT_NOT_FOUND);
    file_run(f, STORE_FILE, "UPDATE applications SET deleted = 1, visible = 0");
    struct request chats = request_of(REQUEST_CHATS, TOKEN, 0, 0, NULL);
    chats.limit = 10;
    assert_int_equal(ask(f, &chats), ERR_APPLICATION_NOT_FOUND);
    assert_int_equal(ask(f, &list), ERR_APPLICATION_NOT_FOUND);
}

/* ---- search ---- */

static void hits_are_found_by_pages(void **state)
{
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, 10);
    follower_wait(f, FOLLOWER_INDEXING);
    pages_check(f, REQUEST_SEARCH);
}

static void a_hit_has_its_body_and_highlights_in_code_points(void **state)
{
    struct actors *f = (struct actors *) *state;
    const char *body = "\xc3\x84rger, \xc3\xa4RGER: kein \xc3\x84";
    assert_int_equal(message_post(f, TOKEN, 1, body), 1);
    follower_wait(f, FOLLOWER_INDEXING);
    struct request request = request_of(REQUEST_SEARCH, TOKEN, 1, 0, "\xc3\x84RGER");
    assert_int_equal(ask(f, &request), OK);
    struct item hit = reply_item(f);
    assert_int_equal(hit.text_length, strlen(body));
    assert_memory_equal(hit.text, body, hit.text_length);
    assert_int_equal(hit.span_count, 2);
    assert_int_equal(hit.spans[0].start, 0);
    assert_int_equal(hit.spans[0].end, 5);
    assert_int_equal(hit.spans[1].start, 7);
    assert_int_equal(hit.spans[1].end, 12);
    assert_true(hit.created > 0 && hit.updated > 0);
}

/* Makes the index say what the store does not. */
static void lie(struct actors *f, uint64_t number, const char *folded)
{
    struct document document = {
        .application_id = (uint64_t) file_number(f, STORE_FILE, "SELECT id FROM applications"),
        .chat = 1,
        .number = number,
        .seq = 1000000,
        .folded = folded,
        .folded_length = strlen(folded),
    };
    assert_int_equal(search_apply(f->search, 0, &document, 1, NULL), OK);
}

static void what_the_index_proposes_is_verified(void **state)
{
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, 400);
    follower_wait(f, FOLLOWER_INDEXING);
    actor_stop(f, INDEXING);
    struct request request = request_of(REQUEST_SEARCH, TOKEN, 1, 0, "treasure");
    for (uint64_t number = 1; number <= 400; number++)
        if (number != 137 && number != 391)
            lie(f, number, "an old treasure");
    lie(f, 999, "a treasure that was never there");
    struct request edit = request_of(REQUEST_MESSAGE_EDIT, TOKEN, 1, 8, "the real Treasure");
    assert_int_equal(ask(f, &edit), OK);
    edit.number = 300;
    assert_int_equal(ask(f, &edit), OK);
    assert_int_equal(ask(f, &request), OK);
    assert_string_equal(reply_numbers(f), "8 300");
    assert_false(f->reply.more);
    request.limit = 1;
    assert_int_equal(ask(f, &request), OK);
    assert_string_equal(reply_numbers(f), "8");
    assert_true(f->reply.more);
    request.descending = true;
    assert_int_equal(ask(f, &request), OK);
    assert_string_equal(reply_numbers(f), "300");
    assert_true(f->reply.more);
    request.before = 300;
    assert_int_equal(ask(f, &request), OK);
    assert_string_equal(reply_numbers(f), "8");
    assert_false(f->reply.more);
}

static void a_search_says_whether_it_saw_everything(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct request request = request_of(REQUEST_SEARCH, TOKEN, 1, 0, "word");
    assert_int_equal(message_post(f, TOKEN, 1, "a word"), 1);
    follower_wait(f, FOLLOWER_INDEXING);
    assert_int_equal(ask(f, &request), OK);
    assert_true(f->reply.complete);
    assert_string_equal(reply_numbers(f), "1");

    actor_stop(f, INDEXING);
    assert_int_equal(message_post(f, TOKEN, 1, "another word"), 2);
    assert_int_equal(ask(f, &request), OK);
    assert_false(f->reply.complete);
    assert_string_equal(reply_numbers(f), "1");
    struct request edit = request_of(REQUEST_MESSAGE_DELETE, TOKEN, 1, 1, NULL);
    assert_int_equal(ask(f, &edit), OK);
    assert_int_equal(ask(f, &request), OK);
    assert_string_equal(reply_numbers(f), ""); /* what is gone is never shown */

    assert_int_equal(chat_post(f, TOKEN), 2);
    actor_run(f, INDEXING);
    follower_wait(f, FOLLOWER_INDEXING);
    assert_int_equal(ask(f, &request), OK);
    assert_true(f->reply.complete);
    assert_string_equal(reply_numbers(f), "2");
    actor_stop(f, INDEXING);
    assert_int_equal(message_post(f, TOKEN, 2, "elsewhere"), 1);
    assert_int_equal(ask(f, &request), OK);
    assert_true(f->reply.complete); /* the other chat does not matter */
}

static void search_that_is_away_is_told_and_the_rest_goes_on(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct request request = request_of(REQUEST_SEARCH, TOKEN, 1, 0, "body");
    messages_post(f, TOKEN, 1, 3);
    follower_wait(f, FOLLOWER_INDEXING);
    fake_sql_fail(FAULT_QUERY, "search.db", 0, FAULT_ALWAYS);
    for (int i = 0; i < 10; i++)
        assert_int_equal(ask(f, &request), ERR_SEARCH);
    message_check(f, TOKEN, 1, 2, "body 2");
    fake_sql_heal();
    assert_int_equal(ask(f, &request), OK);
    assert_string_equal(reply_numbers(f), "1 2 3");

    actors_stop(f);
    f->config.search = "none";
    actor_run(f, PERSISTENCE);
    actor_run(f, NUMBERING);
    actor_run(f, QUERY);
    assert_int_equal(ask(f, &request), ERR_SEARCH_NONE);
    message_check(f, TOKEN, 1, 2, "body 2");
}

/* ---- state ---- */

static struct state state_ask(struct actors *f)
{
    struct request request = {.type = REQUEST_STATE, .text = ""};
    struct state state;
    assert_int_equal(ask(f, &request), OK);
    assert_int_equal(state_decode(&f->reply, &state), OK);
    return state;
}

static void the_state_tells_that_all_is_well(void **state_p)
{
    struct actors *f = (struct actors *) *state_p;
    messages_post(f, TOKEN, 1, 10);
    follower_wait(f, FOLLOWER_COUNTING);
    follower_wait(f, FOLLOWER_INDEXING);
    struct state state = state_ask(f);
    assert_true(state.journal_ok && state.store_ok && state.search_ok);
    assert_false(state.closed || state.search_none);
    assert_int_equal(state.pending + state.store_lag_ms + state.search_lag_ms + state.counts_lag_ms,
                     0);
}

static void the_state_tells_who_is_late_and_by_how_much(void **state_p)
{
    struct actors *f = (struct actors *) *state_p;
    follower_wait(f, FOLLOWER_COUNTING);
    follower_wait(f, FOLLOWER_INDEXING);
    actor_stop(f, COUNTING);
    messages_post(f, TOKEN, 1, 10);
    follower_wait(f, FOLLOWER_INDEXING);
    struct state state = state_ask(f);
    assert_int_equal(state.pending + state.store_lag_ms + state.search_lag_ms, 0);
    assert_true(state.counts_lag_ms > 0);

    actor_stop(f, INDEXING);
    messages_post(f, TOKEN, 1, 10);
    follower_wait(f, FOLLOWER_PERSISTENCE);
    state = state_ask(f);
    assert_int_equal(state.pending + state.store_lag_ms, 0);
    assert_true(state.search_lag_ms > 0 && state.counts_lag_ms >= state.search_lag_ms);

    actor_stop(f, PERSISTENCE);
    messages_post(f, TOKEN, 1, 10);
    state = state_ask(f);
    assert_int_equal(state.pending, 10);
    assert_true(state.store_lag_ms > 0 && state.search_lag_ms >= state.store_lag_ms);
    WAIT_FOR(state_ask(f).store_lag_ms > state.store_lag_ms + 50);
    assert_true(state.journal_ok && state.store_ok && state.search_ok && !state.closed);
}

static void the_state_tells_what_is_away(void **state_p)
{
    struct actors *f = (struct actors *) *state_p;
    message_post(f, TOKEN, 1, "x");
    follower_wait(f, FOLLOWER_INDEXING);
    fake_sql_fail(FAULT_QUERY, "journal.db", 0, FAULT_ALWAYS);
    struct state state = state_ask(f);
    assert_true(!state.journal_ok && state.store_ok && state.search_ok && !state.closed);
    fake_sql_fail(FAULT_QUERY, "store.db", 0, FAULT_ALWAYS);
    state = state_ask(f);
    assert_true(state.journal_ok && !state.store_ok && state.search_ok);
    fake_sql_fail(FAULT_QUERY, "search.db", 0, FAULT_ALWAYS);
    state = state_ask(f);
    assert_true(state.journal_ok && state.store_ok && !state.search_ok && !state.search_none);
    fake_sql_heal();
    WAIT_FOR(state_ask(f).search_ok);
    state = state_ask(f);
    assert_true(state.journal_ok && state.store_ok && state.search_ok);

    actor_stop(f, INDEXING);
    assert_int_equal(search_reset(f->search, 0), OK); /* being built anew */
    assert_false(state_ask(f).search_ok);
    assert_int_equal(journal_mark(f->journal, 0, 99, false), OK);
    state = state_ask(f);
    assert_true(state.closed && !state.journal_ok && state.store_ok);
    actor_stop(f, QUERY);
    f->config.search = "none";
    actor_run(f, QUERY);
    state = state_ask(f);
    assert_true(state.search_none && state.search_ok);
}

int main(void)
{
#define WORKER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, actors_tear_down)
    const struct CMUnitTest tests[] = {
        WORKER_TEST(messages_are_listed_by_pages),
        WORKER_TEST(chats_are_listed_by_pages),
        WORKER_TEST(last_numbers_come_from_the_log_whatever_was_counted),
        cmocka_unit_test_setup_teardown(
            applications_of_all_shards_are_listed_in_the_order_of_creation, actors_set_up_sharded,
            actors_tear_down),
        WORKER_TEST(an_application_is_listed_right_after_its_creation),
        WORKER_TEST(a_page_of_large_bodies_ends_early),
        WORKER_TEST(a_list_of_what_was_deleted_meanwhile_is_not_an_empty_page),
        WORKER_TEST(hits_are_found_by_pages),
        WORKER_TEST(a_hit_has_its_body_and_highlights_in_code_points),
        WORKER_TEST(what_the_index_proposes_is_verified),
        WORKER_TEST(a_search_says_whether_it_saw_everything),
        WORKER_TEST(search_that_is_away_is_told_and_the_rest_goes_on),
        WORKER_TEST(the_state_tells_that_all_is_well),
        WORKER_TEST(the_state_tells_who_is_late_and_by_how_much),
        WORKER_TEST(the_state_tells_what_is_away),
    };
    return cmocka_run_group_tests(tests, actors_prepare, actors_finish) ? 1 : 0;
}
