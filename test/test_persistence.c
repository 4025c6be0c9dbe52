/* SPDX-License-Identifier: MIT */
/* test_persistence.c - the store holds exactly the effect of the log up to its position.
 *
 * Whatever fails on the way, each record takes effect once; what is stored leaves
 * the log; a history that does not fit the store closes the shard.
 */
#include <stdlib.h>

#include "fake_numbering.h"
#include "persistence_fixture.h"
#include "storage/store_scan.h"

/* ---- into the store ---- */

static void what_was_logged_before_the_start_and_after_reaches_the_store(void **state)
{
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, 100);
    actor_run(f, PERSISTENCE);
    messages_check(f, 100);
    messages_post(f, TOKEN, 1, 100);
    messages_check(f, 200);
    for (int i = 1; i <= 20; i++) {
        assert_int_equal(message_post(f, TOKEN, 1, "one by one"), 200 + i);
        if (i % 5 == 0)
            messages_check(f, (uint64_t) (200 + i));
    }
}

static void every_kind_of_change_reaches_the_store(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, PERSISTENCE);
    messages_post(f, TOKEN, 1, 3);
    assert_int_equal(chat_post(f, TOKEN), 2);
    messages_post(f, TOKEN, 2, 3);
    application_post(f, "short-lived");
    assert_int_equal(chat_post(f, "short-lived"), 1);
    messages_post(f, "short-lived", 1, 3);
    const struct request changes[] = {
        request_of(REQUEST_APPLICATION_RENAME, TOKEN, 0, 0, "new name"),
        request_of(REQUEST_CHAT_RENAME, TOKEN, 1, 0, "new chat name"),
        request_of(REQUEST_MESSAGE_EDIT, TOKEN, 1, 1, "new body"),
        request_of(REQUEST_MESSAGE_DELETE, TOKEN, 1, 2, NULL),
        request_of(REQUEST_CHAT_DELETE, TOKEN, 2, 0, NULL),
        request_of(REQUEST_APPLICATION_DELETE, "short-lived", 0, 0, NULL),
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        assert_int_equal(ask(f, &changes[i]), OK);
    follower_wait(f, FOLLOWER_PERSISTENCE);
#define COUNT(what) file_number(f, STORE_FILE, "SELECT COUNT(*) FROM " what)
    assert_int_equal(COUNT("applications WHERE visible = 1 AND name = 'new name'"), 1);
    assert_int_equal(COUNT("applications WHERE visible = 1"), 1);
    assert_int_equal(COUNT("chats WHERE number = 1 AND name = 'new chat name'"), 1);
    assert_int_equal(COUNT("messages WHERE number = 1 AND body = 'new body'"), 1);
    /* What deleted chats and applications leave goes between the batches. */
    WAIT_FOR(COUNT("messages") == 2);
    WAIT_FOR(COUNT("chats") == 1);
    WAIT_FOR(COUNT("purges WHERE store_done = 0") == 0);
}

static void large_deletions_go_by_slices_while_messages_come_in(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, PERSISTENCE);
    assert_int_equal(chat_post(f, TOKEN), 2);
    messages_post(f, TOKEN, 2, 5000);
    follower_wait(f, FOLLOWER_PERSISTENCE);
    struct request deletion = request_of(REQUEST_CHAT_DELETE, TOKEN, 2, 0, NULL);
    assert_int_equal(ask(f, &deletion), OK);
    messages_post(f, TOKEN, 1, 500);
    follower_wait(f, FOLLOWER_PERSISTENCE);
    WAIT_FOR(message_rows(f) == 500);
}

static void shards_are_followed_each_by_itself(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, NUMBERING);
    actor_run(f, PERSISTENCE);
    for (int i = 0; i < 10; i++) {
        const char *token = text_of("application-%d", i);
        application_post(f, token);
        assert_int_equal(chat_post(f, token), 1);
        messages_post(f, token, 1, 10);
    }
    follower_wait(f, FOLLOWER_PERSISTENCE);
    assert_int_equal(message_rows(f), 100);
    for (unsigned shard = 0; shard < f->config.shards; shard++)
        assert_true(last_seq(f, shard) > 0);
}

static void a_stop_brings_in_what_was_acknowledged(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, PERSISTENCE);
    for (int round = 1; round <= 5; round++) {
        messages_post(f, TOKEN, 1, 200);
        actor_stop(f, PERSISTENCE);
        assert_int_equal(message_rows(f), 200 * round);
        actor_run(f, PERSISTENCE);
    }
}

/* Nobody has to wait for the next look, if the actors start as `confab serve` starts
 * them: those who follow first. */
static void an_idle_actor_is_woken_by_an_append(void **state)
{
    enum { MESSAGES = 20, LOOK_US = 100000 };
    struct actors *f = (struct actors *) *state;
    int64_t waited_us = 0;
    actor_stop(f, NUMBERING);
    actor_run(f, PERSISTENCE);
    actor_run(f, NUMBERING);
    for (uint64_t i = 1; i <= MESSAGES; i++) {
        zclock_sleep(20); /* it is idle by then, or the test shows nothing */
        assert_int_equal(message_post(f, TOKEN, 1, "wake up"), i);
        int64_t start_us = clock_monotonic_us();
        follower_wait(f, FOLLOWER_PERSISTENCE);
        waited_us += clock_monotonic_us() - start_us;
    }
    print_message("stored %.2f ms after the answer\n", (double) waited_us / MESSAGES / 1000);
    assert_true(waited_us < MESSAGES * LOOK_US * 4 / 10);
}

/* ---- a store that fails ---- */

static void a_store_that_fails_before_or_after_a_commit_gets_each_record_once(void **state)
{
    static const enum fault faults[] = {FAULT_BEGIN, FAULT_STATEMENT, FAULT_QUERY, FAULT_COMMIT,
                                        FAULT_COMMIT_UNKNOWN};
    struct actors *f = (struct actors *) *state;
    uint64_t count = 0;
    actor_run(f, PERSISTENCE);
    for (int round = 0; round < 10; round++) {
        enum fault fault = faults[round % 5];
        unsigned failures = fake_sql_failures(fault);
        fake_sql_fail(fault, "store.db", round / 5, 1);
        while (fake_sql_failures(fault) == failures) {
            messages_post(f, TOKEN, 1, 7);
            count += 7;
            messages_check(f, count);
        }
    }
}

static void a_store_that_is_away_for_a_while_catches_up(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, PERSISTENCE);
    fake_sql_fail(FAULT_BEGIN, "store.db", 0, FAULT_ALWAYS);
    fake_sql_fail(FAULT_QUERY, "store.db", 0, FAULT_ALWAYS);
    unsigned failures = fake_sql_failures(FAULT_BEGIN) + fake_sql_failures(FAULT_QUERY);
    messages_post(f, TOKEN, 1, 50);
    WAIT_FOR(fake_sql_failures(FAULT_BEGIN) + fake_sql_failures(FAULT_QUERY) > failures + 2);
    assert_int_equal(message_rows(f), 0);
    fake_sql_heal();
    messages_check(f, 50);
}

static void a_journal_that_is_away_for_a_while_is_followed_again(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, PERSISTENCE);
    messages_post(f, TOKEN, 1, 10);
    messages_check(f, 10);
    unsigned failures = fake_sql_failures(FAULT_BEGIN);
    fake_sql_fail(FAULT_BEGIN, "journal.db", 0, FAULT_ALWAYS);
    WAIT_FOR(fake_sql_failures(FAULT_BEGIN) > failures + 2);
    fake_sql_heal();
    messages_post(f, TOKEN, 1, 10);
    messages_check(f, 20);
}

/* ---- a twin ---- */

static void a_position_that_was_moved_behind_its_back_is_read_anew(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, PERSISTENCE);
    for (uint64_t round = 1; round <= 5; round++) {
        messages_post(f, TOKEN, 1, 10);
        messages_check(f, 10 * round);
        file_run(f, STORE_FILE,
                 "UPDATE positions SET run = run + 1 WHERE follower = 'persistence'");
    }
}

static void a_twin_that_stores_the_same_entries_doubles_nothing(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct entries entries = {0};
    struct record records[16];
    actor_run(f, PERSISTENCE);
    follower_wait(f, FOLLOWER_PERSISTENCE);
    for (uint64_t round = 1; round <= 10; round++) {
        struct position position = stored_position(f);
        file_lock(f, STORE_FILE); /* the actor waits in the middle of its turn */
        messages_post(f, TOKEN, 1, 5);
        assert_int_equal(journal_read(f->journal, 0, &position, 16, SIZE_MAX, &entries), OK);
        struct change change = {.from = position, .records = records};
        for (size_t i = 0; i < entries.count; i++) {
            struct entry_walk walk;
            bool more = true;
            entry_walk_start(&walk, &entries.entry[i]);
            while (entry_next(&walk, &records[change.count], &more) == OK && more)
                change.count++;
        }
        change.to = entry_position(&entries.entry[entries.count - 1], position.run);
        file_unlock(f, STORE_FILE);
        status_t status = store_apply(f->store, &change); /* who is first? */
        assert_true(status == OK || status == ERR_CONFLICT);
        messages_check(f, 5 * round);
    }
    entries_free(&entries);
}

/* ---- bad records ---- */

static void a_bad_record_is_put_aside_and_the_rest_flows(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct fake_numbering fake;
    struct journal_meta meta;
    bool found;
    uint64_t dead = metric_value("confab_records_dead_total");
    char *huge = (char *) malloc(BODY_BYTES_MAX + 2);
    assert_non_null(huge);
    memset(huge, 'x', BODY_BYTES_MAX + 1);
    huge[BODY_BYTES_MAX + 1] = 0;
    assert_int_equal(journal_meta(f->journal, 0, &meta, &found), OK);
    fake_numbering_start(&fake, f->journal, 0, meta.epoch);

    messages_post(f, TOKEN, 1, 20);
    assert_int_equal(fake_message(&fake, TOKEN, 1, huge), 21);
    messages_post(f, TOKEN, 1, 20);
    assert_int_equal(fake_message(&fake, TOKEN, 1, huge), 42);
    struct request edit = request_of(REQUEST_MESSAGE_EDIT, TOKEN, 1, 21, "of a dead message");
    assert_int_equal(ask(f, &edit), OK);
    actor_run(f, PERSISTENCE); /* all of it in one batch */
    follower_wait(f, FOLLOWER_PERSISTENCE);
    assert_int_equal(message_rows(f), 40);
    assert_int_equal(file_number(f, STORE_FILE, "SELECT COUNT(*) FROM dead_records"), 3);
    assert_int_equal(metric_value("confab_records_dead_total") - dead, 2);

    assert_int_equal(fake_message(&fake, TOKEN, 1, huge), 43); /* alone */
    messages_post(f, TOKEN, 1, 10);
    follower_wait(f, FOLLOWER_PERSISTENCE);
    assert_int_equal(message_rows(f), 50);
    assert_int_equal(file_number(f, STORE_FILE, "SELECT COUNT(*) FROM dead_records"), 4);
    fake_numbering_stop(&fake);
    free(huge);
}

/* ---- start ---- */

static void a_store_that_is_away_at_the_start_is_opened_later(void **state)
{
    struct actors *f = (struct actors *) *state;
    status_t status;
    unsigned failures = fake_sql_failures(FAULT_OPEN);
    messages_post(f, TOKEN, 1, 10);
    fake_sql_fail(FAULT_OPEN, "store.db", 0, 2);
    actor_run(f, PERSISTENCE);
    messages_check(f, 10);
    assert_int_equal(fake_sql_failures(FAULT_OPEN), failures + 2);
    actor_stop(f, PERSISTENCE);

    const char *good = f->config.store;
    f->config.store = text_of("sqlite:%s/empty.db", f->folder);
    assert_false(actor_try(f, PERSISTENCE, &status));
    assert_int_equal(status, ERR_SCHEMA); /* nothing that time would mend */
    f->config.store = text_of("sqlite:%s/no/such/folder/store.db", f->folder);
    actor_run(f, PERSISTENCE); /* it may be told to stop before it is open */
    actor_stop(f, PERSISTENCE);
    f->config.store = good;
    fake_sql_fail(FAULT_OPEN, "journal.db", 0, 1);
    assert_false(actor_try(f, PERSISTENCE, &status));
    assert_int_equal(status, ERR_JOURNAL);
    actor_run(f, PERSISTENCE);
}

int main(void)
{
#define PERSISTENCE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, actors_tear_down)
    const struct CMUnitTest tests[] = {
        PERSISTENCE_TEST(what_was_logged_before_the_start_and_after_reaches_the_store),
        PERSISTENCE_TEST(every_kind_of_change_reaches_the_store),
        PERSISTENCE_TEST(large_deletions_go_by_slices_while_messages_come_in),
        cmocka_unit_test_setup_teardown(shards_are_followed_each_by_itself, actors_set_up_sharded,
                                        actors_tear_down),
        PERSISTENCE_TEST(a_stop_brings_in_what_was_acknowledged),
        PERSISTENCE_TEST(an_idle_actor_is_woken_by_an_append),
        PERSISTENCE_TEST(a_store_that_fails_before_or_after_a_commit_gets_each_record_once),
        PERSISTENCE_TEST(a_store_that_is_away_for_a_while_catches_up),
        PERSISTENCE_TEST(a_journal_that_is_away_for_a_while_is_followed_again),
        PERSISTENCE_TEST(a_position_that_was_moved_behind_its_back_is_read_anew),
        PERSISTENCE_TEST(a_twin_that_stores_the_same_entries_doubles_nothing),
        PERSISTENCE_TEST(a_bad_record_is_put_aside_and_the_rest_flows),
        PERSISTENCE_TEST(a_store_that_is_away_at_the_start_is_opened_later),
    };
    return cmocka_run_group_tests(tests, actors_prepare, actors_finish) ? 1 : 0;
}
