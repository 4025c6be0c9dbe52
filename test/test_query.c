/* SPDX-License-Identifier: MIT */
/* test_query.c - a read sees every write that was acknowledged before it was sent.
 *
 * Or says that it does not, or is refused: never an older state in silence, and
 * never a "not found" of something that is only not there yet.
 */
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

static void change(struct actors *f, enum request_type type, uint64_t chat, uint64_t number,
                   const char *text)
{
    struct request request = request_of(type, TOKEN, chat, number, text);
    assert_int_equal(ask(f, &request), OK);
}

static status_t read_one(struct actors *f, enum request_type type, uint64_t chat, uint64_t number)
{
    struct request request = request_of(type, TOKEN, chat, number, NULL);
    return ask(f, &request);
}

/* ---- read your writes ---- */

static void a_read_sees_what_was_written_just_before(void **state)
{
    struct actors *f = (struct actors *) *state;
    for (uint64_t number = 1; number <= 50; number++) {
        const char *body = text_of("body %llu", (unsigned long long) number);
        assert_int_equal(message_post(f, TOKEN, 1, body), number);
        message_check(f, TOKEN, 1, number, body);
        change(f, REQUEST_MESSAGE_EDIT, 1, number, "edited");
        message_check(f, TOKEN, 1, number, "edited");
        if (number % 5)
            continue;
        change(f, REQUEST_MESSAGE_DELETE, 1, number, NULL);
        assert_int_equal(read_one(f, REQUEST_MESSAGE, 1, number), ERR_MESSAGE_NOT_FOUND);
        change(f, REQUEST_CHAT_RENAME, 1, 0, body);
        assert_int_equal(read_one(f, REQUEST_CHAT, 1, 0), OK);
        struct item chat = reply_item(f);
        assert_int_equal(chat.text_length, strlen(body));
        assert_memory_equal(chat.text, body, chat.text_length);
        assert_int_equal(chat.last, number);
    }
}

/* Over inproc the query actor never hears of a persistence that was started anew, so
 * that this also shows that wake-ups are only hints. */
static void a_read_waits_for_the_store(void **state)
{
    struct actors *f = (struct actors *) *state;
    for (uint64_t number = 1; number <= 5; number++) {
        actor_stop(f, PERSISTENCE);
        assert_int_equal(message_post(f, TOKEN, 1, "not stored yet"), number);
        uint64_t parked = metric_value("confab_reads_parked_total");
        struct request request = request_of(REQUEST_MESSAGE, TOKEN, 1, number, NULL);
        request_send(f, &request);
        WAIT_FOR(metric_value("confab_reads_parked_total") > parked);
        actor_run(f, PERSISTENCE);
        reply_wait(f, QUERY);
        assert_int_equal(f->reply.status, OK);
        assert_int_equal(f->reply.behind, BEHIND_NOT);
        assert_int_equal(reply_item(f).text_length, strlen("not stored yet"));
    }
}

static void a_read_of_an_idle_chat_does_not_wait_for_a_busy_one(void **state)
{
    struct actors *f = (struct actors *) *state;
    assert_int_equal(message_post(f, TOKEN, 1, "idle"), 1);
    assert_int_equal(chat_post(f, TOKEN), 2);
    message_check(f, TOKEN, 1, 1, "idle");
    actor_stop(f, PERSISTENCE);
    messages_post(f, TOKEN, 2, 10);
    for (int i = 0; i < 10; i++) {
        message_check(f, TOKEN, 1, 1, "idle");
        assert_int_equal(f->reply.behind, BEHIND_NOT);
    }
    struct request busy = request_of(REQUEST_MESSAGE, TOKEN, 2, 10, NULL);
    busy.wait_ms_max = 100;
    assert_int_equal(ask(f, &busy), ERR_STORE_BEHIND);
}

/* ---- what does not exist ---- */

static void what_does_not_exist_is_told_at_once(void **state)
{
    struct actors *f = (struct actors *) *state;
    const struct {
        struct request request;
        status_t status;
    } rows[] = {
        {request_of(REQUEST_APPLICATION, "nobody", 0, 0, NULL), ERR_APPLICATION_NOT_FOUND},
        {request_of(REQUEST_CHATS, "nobody", 0, 0, NULL), ERR_APPLICATION_NOT_FOUND},
        {request_of(REQUEST_CHAT, "nobody", 1, 0, NULL), ERR_APPLICATION_NOT_FOUND},
        {request_of(REQUEST_MESSAGE, "nobody", 1, 1, NULL), ERR_APPLICATION_NOT_FOUND},
        {request_of(REQUEST_SEARCH, "nobody", 1, 0, "x"), ERR_APPLICATION_NOT_FOUND},
        {request_of(REQUEST_CHAT, TOKEN, 2, 0, NULL), ERR_CHAT_NOT_FOUND},
        {request_of(REQUEST_CHAT, TOKEN, 0, 0, NULL), ERR_CHAT_NOT_FOUND},
        {request_of(REQUEST_CHAT, TOKEN, UINT64_MAX, 0, NULL), ERR_CHAT_NOT_FOUND},
        {request_of(REQUEST_MESSAGES, TOKEN, 2, 0, NULL), ERR_CHAT_NOT_FOUND},
        {request_of(REQUEST_MESSAGES, TOKEN, 0, 0, NULL), ERR_CHAT_NOT_FOUND},
        {request_of(REQUEST_MESSAGE, TOKEN, 0, 1, NULL), ERR_CHAT_NOT_FOUND},
        {request_of(REQUEST_MESSAGE, TOKEN, 2, 1, NULL), ERR_CHAT_NOT_FOUND},
        {request_of(REQUEST_SEARCH, TOKEN, 2, 0, "x"), ERR_CHAT_NOT_FOUND},
        {request_of(REQUEST_MESSAGE, TOKEN, 1, 0, NULL), ERR_MESSAGE_NOT_FOUND},
        {request_of(REQUEST_MESSAGE, TOKEN, 1, 1, NULL), ERR_MESSAGE_NOT_FOUND},
        {request_of(REQUEST_MESSAGE, TOKEN, 1, UINT64_MAX, NULL), ERR_MESSAGE_NOT_FOUND},
    };
    actor_stop(f, PERSISTENCE); /* nothing of it waits for the store, */
    fake_sql_fail(FAULT_QUERY, "store.db", 0, FAULT_ALWAYS); /* or asks it */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (ask(f, &rows[i].request) != rows[i].status)
            fail_msg("row %zu: %s", i, status_name(f->reply.status));
    change(f, REQUEST_CHAT_DELETE, 1, 0, NULL);
    assert_int_equal(read_one(f, REQUEST_CHAT, 1, 0), ERR_CHAT_NOT_FOUND);
    change(f, REQUEST_APPLICATION_DELETE, 0, 0, NULL);
    assert_int_equal(read_one(f, REQUEST_APPLICATION, 0, 0), ERR_APPLICATION_NOT_FOUND);
}

/* ---- a store that is behind or away ---- */

static void a_store_that_is_too_far_behind_is_told_or_shown_as_it_is(void **state)
{
    struct actors *f = (struct actors *) *state;
    assert_int_equal(message_post(f, TOKEN, 1, "old"), 1);
    message_check(f, TOKEN, 1, 1, "old");
    actor_stop(f, PERSISTENCE);
    change(f, REQUEST_MESSAGE_EDIT, 1, 1, "new");
    assert_int_equal(message_post(f, TOKEN, 1, "newer"), 2);

    struct request request = request_of(REQUEST_MESSAGE, TOKEN, 1, 1, NULL);
    request.wait_ms_max = 150;
    int64_t start_us = clock_monotonic_us();
    assert_int_equal(ask(f, &request), ERR_STORE_BEHIND);
    assert_true(clock_monotonic_us() - start_us >= 150000);
    request.wait_ms_max = 60000; /* nobody waits for longer than a second */
    start_us = clock_monotonic_us();
    assert_int_equal(ask(f, &request), ERR_STORE_BEHIND);
    assert_in_range(clock_monotonic_us() - start_us, 1000000, 20000000);

    request.wait_ms_max = 100;
    request.stale_allowed = true;
    assert_int_equal(ask(f, &request), OK);
    assert_int_equal(f->reply.behind, BEHIND_SECONDS);
    assert_in_range(f->reply.behind_seconds, 1, 100);
    assert_memory_equal(reply_item(f).text, "old", 3);
    request.number = 2; /* it may be there, but not in what can be shown */
    assert_int_equal(ask(f, &request), ERR_STORE_BEHIND);
    actor_run(f, PERSISTENCE);
    message_check(f, TOKEN, 1, 1, "new");
    assert_int_equal(f->reply.behind, BEHIND_NOT);
}

static void a_store_that_is_away_is_told_and_asked_again(void **state)
{
    struct actors *f = (struct actors *) *state;
    assert_int_equal(message_post(f, TOKEN, 1, "here"), 1);
    message_check(f, TOKEN, 1, 1, "here");
    for (int round = 0; round < 3; round++) {
        fake_sql_fail(FAULT_QUERY, "store.db", 0, FAULT_ALWAYS);
        fake_sql_fail(FAULT_OPEN, "store.db", 0, round ? FAULT_ALWAYS : 0);
        for (int i = 0; i < 10; i++)
            assert_int_equal(read_one(f, REQUEST_MESSAGE, 1, 1), ERR_STORE);
        assert_int_equal(read_one(f, REQUEST_MESSAGES, 1, 0), ERR_STORE);
        fake_sql_heal();
        message_check(f, TOKEN, 1, 1, "here");
    }
}

/* ---- a journal that is away ---- */

static void reads_go_on_without_the_journal_and_say_so(void **state)
{
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, 5);
    follower_wait(f, FOLLOWER_COUNTING);
    follower_wait(f, FOLLOWER_INDEXING);
    fake_sql_fail(FAULT_BEGIN, "journal.db", 0, FAULT_ALWAYS);
    fake_sql_fail(FAULT_QUERY, "journal.db", 0, FAULT_ALWAYS);
    message_check(f, TOKEN, 1, 5, "body 5");
    assert_int_equal(f->reply.behind, BEHIND_UNKNOWN);
    const struct request found[] = {
        request_of(REQUEST_APPLICATION, TOKEN, 0, 0, NULL),
        request_of(REQUEST_CHATS, TOKEN, 0, 0, NULL),
        request_of(REQUEST_CHAT, TOKEN, 1, 0, NULL),
        request_of(REQUEST_MESSAGES, TOKEN, 1, 0, NULL),
        request_of(REQUEST_SEARCH, TOKEN, 1, 0, "body"),
        {.type = REQUEST_APPLICATIONS, .text = "", .limit = 10},
    };
    for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
        assert_int_equal(ask(f, &found[i]), OK);
        assert_int_equal(f->reply.behind, BEHIND_UNKNOWN);
        assert_int_equal(f->reply.item_count,
                         found[i].type == REQUEST_MESSAGES || found[i].type == REQUEST_SEARCH ? 5
                                                                                              : 1);
        assert_false(f->reply.complete);
    }
    const struct request missing[] = {
        request_of(REQUEST_APPLICATION, "nobody", 0, 0, NULL),
        request_of(REQUEST_CHAT, TOKEN, 2, 0, NULL),
        request_of(REQUEST_MESSAGES, TOKEN, 0, 0, NULL),
        request_of(REQUEST_MESSAGES, TOKEN, 2, 0, NULL),
        request_of(REQUEST_MESSAGE, TOKEN, 1, 6, NULL),
        request_of(REQUEST_SEARCH, TOKEN, 2, 0, "x"),
    };
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        assert_int_equal(ask(f, &missing[i]), ERR_JOURNAL);

    fake_sql_heal(); /* it is left alone for a second */
    WAIT_FOR(read_one(f, REQUEST_MESSAGE, 1, 5) == OK && f->reply.behind == BEHIND_NOT);
    assert_int_equal(read_one(f, REQUEST_MESSAGE, 1, 6), ERR_MESSAGE_NOT_FOUND);
}

static void reads_go_on_from_a_closed_shard(void **state)
{
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, 5);
    message_check(f, TOKEN, 1, 5, "body 5");
    assert_int_equal(journal_mark(f->journal, 0, 99, false), OK);
    message_check(f, TOKEN, 1, 5, "body 5");
    assert_int_equal(f->reply.behind, BEHIND_UNKNOWN);
    struct request all = {.type = REQUEST_APPLICATIONS, .text = "", .limit = 10};
    assert_int_equal(ask(f, &all), OK);
    assert_int_equal(f->reply.behind, BEHIND_UNKNOWN);
    assert_int_equal(read_one(f, REQUEST_MESSAGE, 1, 6), ERR_JOURNAL);
}

static void a_closed_shard_does_not_touch_the_others(void **state)
{
    struct actors *f = (struct actors *) *state;
    const char *tokens[3] = {NULL};
    actors_run(f);
    for (int i = 0; !tokens[0] || !tokens[1] || !tokens[2]; i++) {
        const char *token = text_of("application-%d", i);
        tokens[token_shard(token, strlen(token), 3)] = token;
    }
    for (int i = 0; i < 3; i++) {
        application_post(f, tokens[i]);
        assert_int_equal(chat_post(f, tokens[i]), 1);
        assert_int_equal(message_post(f, tokens[i], 1, "here"), 1);
        message_check(f, tokens[i], 1, 1, "here");
    }
    assert_int_equal(journal_mark(f->journal, 1, 99, false), OK);
    for (int round = 0; round < 5; round++) {
        struct request requests[6];
        uint64_t first = f->last_id + 1;
        for (int i = 0; i < 6; i++) { /* looked at together or not */
            requests[i] = request_of(REQUEST_MESSAGE, tokens[i % 3], 1, i < 3 ? 1 : 2, NULL);
            request_send(f, &requests[i]);
        }
        for (int i = 0; i < 6; i++) {
            reply_wait(f, QUERY);
            uint64_t which = f->reply.id - first;
            bool closed = which % 3 == 1;
            assert_int_equal(f->reply.status, which < 3 ? OK
                                              : closed  ? ERR_JOURNAL
                                                        : ERR_MESSAGE_NOT_FOUND);
            assert_int_equal(f->reply.behind, which < 3 && !closed ? BEHIND_NOT
                                              : closed             ? BEHIND_UNKNOWN
                                                                   : BEHIND_NOT);
        }
    }
}

int main(void)
{
#define QUERY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, actors_tear_down)
    const struct CMUnitTest tests[] = {
        QUERY_TEST(a_read_sees_what_was_written_just_before),
        QUERY_TEST(a_read_waits_for_the_store),
        QUERY_TEST(a_read_of_an_idle_chat_does_not_wait_for_a_busy_one),
        QUERY_TEST(what_does_not_exist_is_told_at_once),
        QUERY_TEST(a_store_that_is_too_far_behind_is_told_or_shown_as_it_is),
        QUERY_TEST(a_store_that_is_away_is_told_and_asked_again),
        QUERY_TEST(reads_go_on_without_the_journal_and_say_so),
        QUERY_TEST(reads_go_on_from_a_closed_shard),
        cmocka_unit_test_setup_teardown(a_closed_shard_does_not_touch_the_others,
                                        actors_set_up_sharded, actors_tear_down),
    };
    return cmocka_run_group_tests(tests, actors_prepare, actors_finish) ? 1 : 0;
}
