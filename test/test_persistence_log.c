/* SPDX-License-Identifier: MIT */
/* test_persistence_log.c - what is stored leaves the log, and the log must fit the store. */
#include "persistence_fixture.h"

/* ---- trimming ---- */

static uint64_t first_seq(struct actors *f)
{
    struct journal_meta meta;
    bool found;
    assert_int_equal(journal_meta(f->journal, 0, &meta, &found), OK);
    return meta.first_seq;
}

static void the_log_is_trimmed_up_to_the_slowest_follower(void **state)
{
    struct actors *f = (struct actors *) *state;
    f->config.counts_flush = 3600000;
    actor_run(f, PERSISTENCE);
    actor_run(f, COUNTING); /* writes at once, and then in an hour */
    WAIT_FOR(followed_seq(f, FOLLOWER_COUNTING, 0) > 0);
    messages_post(f, TOKEN, 1, 300);
    actor_run(f, INDEXING);
    follower_wait(f, FOLLOWER_INDEXING);
    uint64_t counted = followed_seq(f, FOLLOWER_COUNTING, 0);
    assert_true(counted < last_seq(f, 0));
    WAIT_FOR(first_seq(f) == counted + 1);
    actor_stop(f, COUNTING); /* writes what it has */
    WAIT_FOR(first_seq(f) == last_seq(f, 0) + 1);
}

static void a_follower_that_does_not_run_keeps_the_log(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, PERSISTENCE);
    actor_run(f, COUNTING);
    messages_post(f, TOKEN, 1, 100);
    follower_wait(f, FOLLOWER_COUNTING);
    actor_stop(f, PERSISTENCE); /* trims at the end, whatever may go */
    assert_int_equal(first_seq(f), 1);
    assert_int_equal(store_position_remove(f->store, FOLLOWER_INDEXING), OK);
    actor_run(f, PERSISTENCE);
    WAIT_FOR(first_seq(f) == last_seq(f, 0) + 1);
}

static void a_hold_stops_trimming_until_it_is_released(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, PERSISTENCE);
    actor_run(f, COUNTING);
    actor_run(f, INDEXING);
    messages_post(f, TOKEN, 1, 100);
    follower_wait(f, FOLLOWER_PERSISTENCE);
    struct position held = stored_position(f);
    assert_int_equal(store_position_set(f->store, FOLLOWER_HOLD, 0, &held), OK);
    messages_post(f, TOKEN, 1, 100);
    follower_wait(f, FOLLOWER_COUNTING);
    follower_wait(f, FOLLOWER_INDEXING);
    WAIT_FOR(first_seq(f) == held.seq + 1);
    actor_stop(f, PERSISTENCE);
    assert_int_equal(first_seq(f), held.seq + 1);
    assert_int_equal(store_position_remove(f->store, FOLLOWER_HOLD), OK);
    actor_run(f, PERSISTENCE);
    WAIT_FOR(first_seq(f) == last_seq(f, 0) + 1);
}

static void a_backlog_that_only_indexing_holds_up_is_trimmed_all_the_same(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_stop(f, NUMBERING);
    f->config.backlog_records = 100;
    actor_run(f, NUMBERING);
    actor_run(f, PERSISTENCE);
    actor_run(f, COUNTING);
    messages_post(f, TOKEN, 1, 80);
    follower_wait(f, FOLLOWER_COUNTING);
    actor_stop(f, PERSISTENCE);
    assert_int_equal(first_seq(f), 1);           /* it is not near the limit yet */
    struct position killed = stored_position(f); /* where a reindex ended that was killed */
    killed.seq = 1;
    assert_int_equal(store_position_set(f->store, FOLLOWER_REINDEX, 0, &killed), OK);
    actor_run(f, PERSISTENCE);
    messages_post(f, TOKEN, 1, 10);
    WAIT_FOR(first_seq(f) > 80);
    messages_post(f, TOKEN, 1, 50);
    actor_run(f, INDEXING);
    follower_wait(f, FOLLOWER_INDEXING);
    assert_int_equal(file_number(f, SEARCH_FILE, "SELECT COUNT(*) FROM documents"), 140);
}

static void a_store_that_holds_the_backlog_up_loses_nothing(void **state)
{
    struct actors *f = (struct actors *) *state;
    uint64_t count = 0;
    actor_stop(f, NUMBERING);
    f->config.backlog_records = 100;
    actor_run(f, NUMBERING);
    actor_run(f, PERSISTENCE);
    actor_run(f, COUNTING);
    actor_run(f, INDEXING);
    fake_sql_fail(FAULT_COMMIT, "store.db", 0, FAULT_ALWAYS);
    while (message_post(f, TOKEN, 1, "as long as there is room"))
        count++;
    assert_int_equal(f->reply.status, ERR_BACKLOG_FULL);
    assert_int_equal(count, 98);
    fake_sql_heal();
    messages_check(f, count);
    WAIT_FOR(message_post(f, TOKEN, 1, "there is room again"));
}

/* ---- a history that does not fit ---- */

static void a_log_that_lost_what_the_store_has_seen_is_closed(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct journal_meta meta;
    bool found;
    actor_run(f, PERSISTENCE);
    messages_post(f, TOKEN, 1, 50);
    messages_check(f, 50);
    struct position before = stored_position(f);
    actor_stop(f, NUMBERING);
    /* The last entry was another one, as in a copy that went another way. */
    file_run(f, JOURNAL_FILE,
             "UPDATE entries SET producer = producer + 1 "
             "WHERE id = (SELECT MAX(id) FROM entries)");
    file_run(f, JOURNAL_FILE, "UPDATE shards SET last_producer = last_producer + 1");
    WAIT_FOR(journal_meta(f->journal, 0, &meta, &found) == OK && meta.mark != 0);
    uint64_t mark = meta.mark;

    actor_run(f, NUMBERING);
    assert_int_equal(message_post(f, TOKEN, 1, "refused"), 0);
    assert_int_equal(f->reply.status, ERR_CLOSED);
    struct position after = stored_position(f);
    assert_true(position_equal(&before, &after));
    assert_int_equal(message_rows(f), 50);
    actors_stop(f);
    assert_int_equal(journal_meta(f->journal, 0, &meta, &found), OK);
    assert_int_equal(meta.mark, mark);
}

static void a_log_that_was_emptied_is_closed(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct journal_meta meta;
    bool found;
    actor_run(f, PERSISTENCE);
    messages_post(f, TOKEN, 1, 50);
    messages_check(f, 50);
    file_run(f, JOURNAL_FILE, "DELETE FROM entries");
    file_run(f, JOURNAL_FILE, "DELETE FROM shards");
    WAIT_FOR(journal_meta(f->journal, 0, &meta, &found) == OK && found && meta.mark != 0);
    assert_int_equal(message_rows(f), 50);
}

static void a_damaged_entry_is_neither_passed_nor_lost(void **state)
{
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, 1);
    uint64_t good = last_seq(f, 0);
    messages_post(f, TOKEN, 1, 1);
    file_run(f, JOURNAL_FILE,
             "UPDATE entries SET groups = CAST(groups || x'00' AS BLOB) "
             "WHERE id = (SELECT MAX(id) FROM entries)");
    actor_run(f, PERSISTENCE);
    unsigned failures = fake_sql_failures(FAULT_BEGIN);
    fake_sql_fail(FAULT_BEGIN, "journal.db", 3, 1); /* it has looked some times by then */
    WAIT_FOR(fake_sql_failures(FAULT_BEGIN) > failures);
    assert_true(followed_seq(f, FOLLOWER_PERSISTENCE, 0) <= good);
    file_run(f, JOURNAL_FILE,
             "UPDATE entries SET groups = substr(groups, 1, length(groups) - 1) "
             "WHERE id = (SELECT MAX(id) FROM entries)");
    messages_check(f, 2);
}

int main(void)
{
#define PERSISTENCE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, actors_tear_down)
    const struct CMUnitTest tests[] = {
        PERSISTENCE_TEST(the_log_is_trimmed_up_to_the_slowest_follower),
        PERSISTENCE_TEST(a_follower_that_does_not_run_keeps_the_log),
        PERSISTENCE_TEST(a_hold_stops_trimming_until_it_is_released),
        PERSISTENCE_TEST(a_backlog_that_only_indexing_holds_up_is_trimmed_all_the_same),
        PERSISTENCE_TEST(a_store_that_holds_the_backlog_up_loses_nothing),
        PERSISTENCE_TEST(a_log_that_lost_what_the_store_has_seen_is_closed),
        PERSISTENCE_TEST(a_log_that_was_emptied_is_closed),
        PERSISTENCE_TEST(a_damaged_entry_is_neither_passed_nor_lost),
    };
    return cmocka_run_group_tests(tests, actors_prepare, actors_finish) ? 1 : 0;
}
