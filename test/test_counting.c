/* SPDX-License-Identifier: MIT */
/* test_counting.c - counts are exact once a flush has passed, whatever happened. */
#include "actors.h"

#define TOKEN "some-application"

static int set_up(void **state)
{
    actors_set_up(state);
    struct actors *f = (struct actors *) *state;
    actor_run(f, PERSISTENCE);
    actor_run(f, NUMBERING);
    application_post(f, TOKEN);
    assert_int_equal(chat_post(f, TOKEN), 1);
    return 0;
}

static void change(struct actors *f, enum request_type type, uint64_t chat, uint64_t number)
{
    struct request request = request_of(type, TOKEN, chat, number, NULL);
    assert_int_equal(ask(f, &request), OK);
}

static int64_t messages_counted(struct actors *f)
{
    return file_number(f, STORE_FILE, "SELECT messages_count FROM chats WHERE number = 1");
}

static int64_t chats_counted(struct actors *f)
{
    return file_number(f, STORE_FILE, "SELECT chats_count FROM applications");
}

static void counts_are_exact_after_a_flush(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, COUNTING);
    for (int64_t round = 1; round <= 5; round++) {
        messages_post(f, TOKEN, 1, 40);
        assert_int_equal(chat_post(f, TOKEN), 1 + round);
        messages_post(f, TOKEN, (uint64_t) (1 + round), 10);
        follower_wait(f, FOLLOWER_COUNTING);
        assert_int_equal(messages_counted(f), 40 * round);
        assert_int_equal(chats_counted(f), 1 + round);
        store_check(f);
    }
}

static void deletions_are_counted_once(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, COUNTING);
    messages_post(f, TOKEN, 1, 40);
    assert_int_equal(chat_post(f, TOKEN), 2);
    assert_int_equal(chat_post(f, TOKEN), 3);
    messages_post(f, TOKEN, 2, 10);
    change(f, REQUEST_MESSAGE_DELETE, 1, 7);
    change(f, REQUEST_MESSAGE_DELETE, 1, 7);
    change(f, REQUEST_MESSAGE_DELETE, 1, 40);
    change(f, REQUEST_CHAT_DELETE, 2, 0);
    change(f, REQUEST_CHAT_DELETE, 2, 0);
    follower_wait(f, FOLLOWER_COUNTING);
    assert_int_equal(messages_counted(f), 38);
    assert_int_equal(chats_counted(f), 2);
    change(f, REQUEST_CHAT_DELETE, 3, 0);
    messages_post(f, TOKEN, 1, 1);
    follower_wait(f, FOLLOWER_COUNTING);
    assert_int_equal(messages_counted(f), 39);
    assert_int_equal(chats_counted(f), 1);
    store_check(f);
}

static void counts_are_written_once_a_flush_and_at_the_end(void **state)
{
    struct actors *f = (struct actors *) *state;
    f->config.counts_flush = 3600000;
    follower_wait(f, FOLLOWER_PERSISTENCE);
    actor_run(f, COUNTING);
    follower_wait(f, FOLLOWER_COUNTING); /* the first one at once */
    uint64_t flushed = followed_seq(f, FOLLOWER_COUNTING, 0);
    messages_post(f, TOKEN, 1, 50);
    follower_wait(f, FOLLOWER_PERSISTENCE);
    STAYS(followed_seq(f, FOLLOWER_COUNTING, 0) == flushed && messages_counted(f) == 0);
    actor_stop(f, COUNTING);
    assert_int_equal(messages_counted(f), 50);
    store_check(f);
}

static void counts_are_written_early_when_too_much_of_the_log_waits_for_them(void **state)
{
    struct actors *f = (struct actors *) *state;
    f->config.counts_flush = 3600000;
    f->config.backlog_records = 1000;
    follower_wait(f, FOLLOWER_PERSISTENCE);
    actor_run(f, COUNTING);
    follower_wait(f, FOLLOWER_COUNTING);
    uint64_t flushed = followed_seq(f, FOLLOWER_COUNTING, 0);
    messages_post(f, TOKEN, 1, 150);
    WAIT_FOR(followed_seq(f, FOLLOWER_COUNTING, 0) >= flushed + 100);
    assert_in_range(messages_counted(f), 100, 150);
}

static void tens_of_thousands_of_chats_are_counted_early(void **state)
{
    enum { CHATS = 33000 };
    struct actors *f = (struct actors *) *state;
    struct request request = request_of(REQUEST_CHAT_CREATE, TOKEN, 0, 0, "");
    f->config.counts_flush = 3600000;
    for (int i = 0; i < CHATS; i++) {
        request_send(f, &request);
        if (i % 400 == 399 || i + 1 == CHATS)
            for (int left = i % 400 + 1; left > 0; left--)
                reply_wait(f, NUMBERING);
    }
    for (uint64_t chat = 1; chat <= CHATS + 1; chat++) {
        request = request_of(REQUEST_MESSAGE_CREATE, TOKEN, chat, 0, "x");
        request_send(f, &request);
        if (chat % 400 == 0 || chat == CHATS + 1)
            for (uint64_t left = (chat - 1) % 400 + 1; left > 0; left--)
                reply_wait(f, NUMBERING);
    }
    actor_run(f, COUNTING);
    WAIT_FOR(file_number(f, STORE_FILE, "SELECT COUNT(*) FROM chats WHERE messages_count = 1") >=
             32767);
    actor_stop(f, COUNTING);
    store_check(f);
}

static void an_idle_follower_notices_that_its_row_went_back(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct position old;
    bool found;
    assert_int_equal(store_position(f->store, FOLLOWER_COUNTING, 0, &old, &found), OK);
    actor_run(f, COUNTING);
    messages_post(f, TOKEN, 1, 50);
    follower_wait(f, FOLLOWER_COUNTING);
    assert_int_equal(messages_counted(f), 50);
    file_run(f, STORE_FILE, "UPDATE chats SET messages_count = 0");
    assert_int_equal(store_position_set(f->store, FOLLOWER_COUNTING, 0, &old), OK);
    WAIT_FOR(messages_counted(f) == 50);
}

static void counting_that_was_cut_off_counts_anew(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct position old;
    bool found;
    assert_int_equal(store_position(f->store, FOLLOWER_COUNTING, 0, &old, &found), OK);
    assert_int_equal(store_position_remove(f->store, FOLLOWER_COUNTING), OK);
    assert_int_equal(store_position_remove(f->store, FOLLOWER_INDEXING), OK);
    messages_post(f, TOKEN, 1, 50);
    change(f, REQUEST_MESSAGE_DELETE, 1, 50);
    actor_stop(f, PERSISTENCE); /* trims at the end */
    assert_int_equal(store_position_set(f->store, FOLLOWER_COUNTING, 0, &old), OK);
    actor_run(f, PERSISTENCE);
    actor_run(f, COUNTING);
    follower_wait(f, FOLLOWER_COUNTING);
    assert_int_equal(messages_counted(f), 49);
    messages_post(f, TOKEN, 1, 10);
    follower_wait(f, FOLLOWER_COUNTING);
    assert_int_equal(messages_counted(f), 59);
    store_check(f);
}

static void counting_without_a_position_counts_anew(void **state)
{
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, 50);
    follower_wait(f, FOLLOWER_PERSISTENCE);
    assert_int_equal(store_position_remove(f->store, FOLLOWER_COUNTING), OK);
    file_run(f, STORE_FILE, "UPDATE chats SET messages_count = 99");
    actor_run(f, COUNTING);
    follower_wait(f, FOLLOWER_COUNTING);
    assert_int_equal(messages_counted(f), 50);
    store_check(f);
}

static void a_twin_that_moved_the_position_makes_no_difference(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, COUNTING);
    for (int64_t round = 1; round <= 5; round++) {
        messages_post(f, TOKEN, 1, 10);
        follower_wait(f, FOLLOWER_COUNTING);
        assert_int_equal(messages_counted(f), 10 * round);
        file_run(f, STORE_FILE, "UPDATE positions SET run = run + 1 WHERE follower = 'counting'");
    }
    store_check(f);
}

static void a_store_that_fails_gets_exact_counts(void **state)
{
    static const enum fault faults[] = {FAULT_BEGIN, FAULT_STATEMENT, FAULT_QUERY, FAULT_COMMIT,
                                        FAULT_COMMIT_UNKNOWN};
    struct actors *f = (struct actors *) *state;
    actor_run(f, COUNTING);
    for (int round = 0; round < 20; round++) {
        fake_sql_fail(faults[round % 5], "store.db", round / 5, 2);
        messages_post(f, TOKEN, 1, 10);
        change(f, REQUEST_MESSAGE_DELETE, 1, (uint64_t) (10 * round + 1));
    }
    follower_wait(f, FOLLOWER_COUNTING);
    fake_sql_heal();
    assert_int_equal(messages_counted(f), 180);
    store_check(f);
}

static void counting_never_runs_ahead_of_the_store(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, COUNTING);
    follower_wait(f, FOLLOWER_COUNTING);
    actor_stop(f, PERSISTENCE);
    uint64_t stored = followed_seq(f, FOLLOWER_PERSISTENCE, 0);
    messages_post(f, TOKEN, 1, 10);
    STAYS(followed_seq(f, FOLLOWER_COUNTING, 0) <= stored);
    actor_stop(f, COUNTING);
    assert_int_equal(followed_seq(f, FOLLOWER_COUNTING, 0), stored);
}

int main(void)
{
#define COUNTING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, actors_tear_down)
    const struct CMUnitTest tests[] = {
        COUNTING_TEST(counts_are_exact_after_a_flush),
        COUNTING_TEST(deletions_are_counted_once),
        COUNTING_TEST(counts_are_written_once_a_flush_and_at_the_end),
        COUNTING_TEST(counts_are_written_early_when_too_much_of_the_log_waits_for_them),
        COUNTING_TEST(tens_of_thousands_of_chats_are_counted_early),
        COUNTING_TEST(an_idle_follower_notices_that_its_row_went_back),
        COUNTING_TEST(counting_that_was_cut_off_counts_anew),
        COUNTING_TEST(counting_without_a_position_counts_anew),
        COUNTING_TEST(a_twin_that_moved_the_position_makes_no_difference),
        COUNTING_TEST(a_store_that_fails_gets_exact_counts),
        COUNTING_TEST(counting_never_runs_ahead_of_the_store),
    };
    return cmocka_run_group_tests(tests, actors_prepare, actors_finish) ? 1 : 0;
}
