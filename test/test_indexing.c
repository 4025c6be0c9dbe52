/* SPDX-License-Identifier: MIT */
/* test_indexing.c - the index converges to what the store holds, and never runs ahead.
 *
 * Only the position in the index itself is believed: whatever happens to the index,
 * what it lacks is fetched from the log or, when that does not reach back, from the
 * store.
 */
#include "actors.h"

#include <unistd.h>

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

static void change(struct actors *f, enum request_type type, uint64_t chat, uint64_t number,
                   const char *text)
{
    struct request request = request_of(type, TOKEN, chat, number, text);
    assert_int_equal(ask(f, &request), OK);
}

/* What the index proposes in a chat: "1 4 7". */
static const char *proposals(struct actors *f, uint64_t chat, const char *folded)
{
    uint64_t numbers[64],
        application = (uint64_t) file_number(f, STORE_FILE, "SELECT id FROM applications");
    size_t count;
    const char *text = "";
    assert_int_equal(search_find(f->search, application, chat, folded, strlen(folded), 0, 0, false,
                                 64, numbers, &count),
                     OK);
    for (size_t i = 0; i < count; i++)
        text = text_of("%s%s%llu", text, i ? " " : "", (unsigned long long) numbers[i]);
    return text;
}

static int64_t documents(struct actors *f)
{
    return file_number(f, SEARCH_FILE, "SELECT COUNT(*) FROM documents");
}

static bool position_there(struct actors *f)
{
    struct position position;
    bool found;
    assert_int_equal(search_position(f->search, 0, &position, &found), OK);
    return found;
}

/* ---- following ---- */

static void creations_edits_and_deletions_get_into_the_index(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, INDEXING);
    assert_int_equal(message_post(f, TOKEN, 1, "The Quick brown fox"), 1);
    assert_int_equal(message_post(f, TOKEN, 1, "jumps over"), 2);
    assert_int_equal(message_post(f, TOKEN, 1, "the quick dog"), 3);
    follower_wait(f, FOLLOWER_INDEXING);
    assert_string_equal(proposals(f, 1, "quick"), "1 3");
    change(f, REQUEST_MESSAGE_EDIT, 1, 1, "a slow fox");
    change(f, REQUEST_MESSAGE_EDIT, 1, 2, "QUICKLY over");
    change(f, REQUEST_MESSAGE_DELETE, 1, 3, NULL);
    follower_wait(f, FOLLOWER_INDEXING);
    assert_string_equal(proposals(f, 1, "quick"), "2");
    assert_string_equal(proposals(f, 1, "slow"), "1");
    assert_int_equal(documents(f), 2);
    index_check(f);
}

static void many_changes_of_one_message_in_one_batch_leave_the_last(void **state)
{
    struct actors *f = (struct actors *) *state;
    for (uint64_t number = 1; number <= 4; number++) {
        assert_int_equal(message_post(f, TOKEN, 1, "created"), number);
        for (int edit = 0; edit < 5; edit++)
            change(f, REQUEST_MESSAGE_EDIT, 1, number, text_of("edited %d", edit));
        if (number % 2)
            change(f, REQUEST_MESSAGE_DELETE, 1, number, NULL);
    }
    change(f, REQUEST_MESSAGE_DELETE, 1, 1, NULL);
    change(f, REQUEST_MESSAGE_EDIT, 1, 3, "too late");
    actor_run(f, INDEXING);
    follower_wait(f, FOLLOWER_INDEXING);
    assert_string_equal(proposals(f, 1, "edited 4"), "2 4");
    assert_int_equal(documents(f), 2);
    index_check(f);
}

static void deleted_chats_and_applications_leave_the_index(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, INDEXING);
    assert_int_equal(chat_post(f, TOKEN), 2);
    messages_post(f, TOKEN, 1, 100);
    messages_post(f, TOKEN, 2, 3000);
    change(f, REQUEST_CHAT_DELETE, 2, 0, NULL);
    WAIT_FOR(documents(f) == 100);
    WAIT_FOR(file_number(f, STORE_FILE, "SELECT COUNT(*) FROM purges") == 0);
    change(f, REQUEST_APPLICATION_DELETE, 0, 0, NULL);
    WAIT_FOR(documents(f) == 0);
    WAIT_FOR(file_number(f, STORE_FILE, "SELECT COUNT(*) FROM purges") == 0);
    index_check(f);
}

static void the_index_never_runs_ahead_of_the_store(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, INDEXING);
    messages_post(f, TOKEN, 1, 10);
    follower_wait(f, FOLLOWER_INDEXING);
    actor_stop(f, PERSISTENCE);
    uint64_t stored = followed_seq(f, FOLLOWER_PERSISTENCE, 0);
    messages_post(f, TOKEN, 1, 10);
    STAYS(followed_seq(f, FOLLOWER_INDEXING, 0) == stored && documents(f) == 10);
    actor_run(f, PERSISTENCE);
    follower_wait(f, FOLLOWER_INDEXING);
    assert_int_equal(documents(f), 20);
}

static void the_store_gets_a_copy_of_the_position_for_trimming(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct position copy;
    bool found;
    actor_run(f, INDEXING);
    messages_post(f, TOKEN, 1, 10);
    WAIT_FOR(store_position(f->store, FOLLOWER_INDEXING, 0, &copy, &found) == OK && found &&
             copy.seq == last_seq(f, 0));
    messages_post(f, TOKEN, 1, 10);
    follower_wait(f, FOLLOWER_INDEXING);
    actor_stop(f, INDEXING);
    assert_int_equal(store_position(f->store, FOLLOWER_INDEXING, 0, &copy, &found), OK);
    assert_int_equal(copy.seq, last_seq(f, 0));
}

static void shards_are_indexed_each_by_itself(void **state)
{
    struct actors *f = (struct actors *) *state;
    actors_run(f);
    for (int i = 0; i < 8; i++) {
        const char *token = text_of("application-%d", i);
        application_post(f, token);
        assert_int_equal(chat_post(f, token), 1);
        messages_post(f, token, 1, 10);
    }
    follower_wait(f, FOLLOWER_INDEXING);
    assert_int_equal(documents(f), 80);
    /* Only one of them is lost, and only that one is rebuilt. */
    actor_stop(f, INDEXING);
    assert_int_equal(search_reset(f->search, 1), OK);
    actor_run(f, INDEXING);
    follower_wait(f, FOLLOWER_INDEXING);
    index_check(f);
}

/* ---- failures ---- */

static void an_index_or_store_that_fails_gets_every_document(void **state)
{
    static const enum fault faults[] = {FAULT_BEGIN, FAULT_STATEMENT, FAULT_QUERY, FAULT_COMMIT,
                                        FAULT_COMMIT_UNKNOWN};
    struct actors *f = (struct actors *) *state;
    uint64_t count = 0;
    actor_run(f, INDEXING);
    for (int round = 0; round < 5; round++) {
        unsigned failures = fake_sql_failures(faults[round]);
        fake_sql_fail(faults[round], "search.db", 0, 1);
        while (fake_sql_failures(faults[round]) == failures) {
            messages_post(f, TOKEN, 1, 5);
            count += 5;
            change(f, REQUEST_MESSAGE_EDIT, 1, count, "edited");
            follower_wait(f, FOLLOWER_INDEXING);
        }
    }
    fake_sql_fail(FAULT_QUERY, "store.db", 2, 3);
    messages_post(f, TOKEN, 1, 5);
    change(f, REQUEST_MESSAGE_EDIT, 1, count, "edited again");
    follower_wait(f, FOLLOWER_INDEXING);
    index_check(f);
}

/* ---- rebuild ---- */

static void a_lost_index_is_built_anew_from_the_store(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, COUNTING);
    actor_run(f, INDEXING);
    messages_post(f, TOKEN, 1, 5000);
    change(f, REQUEST_MESSAGE_EDIT, 1, 17, "edited");
    change(f, REQUEST_MESSAGE_DELETE, 1, 18, NULL);
    follower_wait(f, FOLLOWER_INDEXING);
    follower_wait(f, FOLLOWER_COUNTING);
    actors_reopen(f); /* trims at the end */
    actors_stop(f);
    sql_close(&f->sql[SEARCH_FILE]);
    search_close(&f->search);
    assert_int_equal(unlink(text_of("%s/search.db", f->folder)), 0);
    unlink(text_of("%s/search.db-wal", f->folder));
    unlink(text_of("%s/search.db-shm", f->folder));
    actors_reopen(f);
    assert_int_equal(documents(f), 0);
    actors_run(f);
    messages_post(f, TOKEN, 1, 100); /* while it is being built */
    follower_wait(f, FOLLOWER_INDEXING);
    assert_int_equal(documents(f), 5099);
    index_check(f);
}

static void an_index_that_trimming_has_passed_is_built_anew(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, COUNTING);
    actor_run(f, INDEXING);
    messages_post(f, TOKEN, 1, 10);
    follower_wait(f, FOLLOWER_INDEXING);
    actor_stop(f, INDEXING);
    assert_int_equal(store_position_remove(f->store, FOLLOWER_INDEXING), OK);
    messages_post(f, TOKEN, 1, 10);
    change(f, REQUEST_MESSAGE_DELETE, 1, 3, NULL);
    follower_wait(f, FOLLOWER_COUNTING);
    actor_stop(f, PERSISTENCE); /* trims at the end */
    struct journal_meta meta;
    bool found;
    assert_int_equal(journal_meta(f->journal, 0, &meta, &found), OK);
    assert_int_equal(meta.first_seq, meta.last_seq + 1);
    actor_run(f, PERSISTENCE);
    actor_run(f, INDEXING);
    follower_wait(f, FOLLOWER_INDEXING);
    assert_int_equal(documents(f), 19);
    index_check(f);
}

static void an_older_copy_of_the_index_catches_up(void **state)
{
    struct actors *f = (struct actors *) *state;
    const char *copy = text_of("%s/copy.db", f->folder);
    actor_run(f, COUNTING);
    actor_run(f, INDEXING);
    messages_post(f, TOKEN, 1, 20);
    follower_wait(f, FOLLOWER_INDEXING);
    assert_int_equal(search_backup(f->search, copy), OK);
    change(f, REQUEST_MESSAGE_EDIT, 1, 3, "edited");
    change(f, REQUEST_MESSAGE_DELETE, 1, 4, NULL);
    messages_post(f, TOKEN, 1, 20);
    follower_wait(f, FOLLOWER_INDEXING);
    follower_wait(f, FOLLOWER_COUNTING);
    actors_stop(f);
    sql_close(&f->sql[SEARCH_FILE]);
    search_close(&f->search);
    unlink(text_of("%s/search.db-wal", f->folder));
    unlink(text_of("%s/search.db-shm", f->folder));
    assert_int_equal(rename(copy, text_of("%s/search.db", f->folder)), 0);
    actors_reopen(f);
    assert_int_equal(documents(f), 20);
    actors_run(f);
    follower_wait(f, FOLLOWER_INDEXING);
    assert_int_equal(documents(f), 39);
    index_check(f);
}

static void a_rebuild_that_died_on_the_way_begins_again(void **state)
{
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, 9000);
    follower_wait(f, FOLLOWER_PERSISTENCE);
    assert_int_equal(search_reset(f->search, 0), OK);
    unsigned failures = fake_sql_failures(FAULT_COMMIT);
    fake_sql_fail(FAULT_COMMIT, "search.db", 2, FAULT_ALWAYS);
    actor_run(f, INDEXING);
    WAIT_FOR(fake_sql_failures(FAULT_COMMIT) > failures + 1);
    actor_stop(f, INDEXING);
    assert_false(position_there(f)); /* not complete: nobody may take it for that */
    assert_true(documents(f) < 9000);
    fake_sql_heal();
    change(f, REQUEST_MESSAGE_DELETE, 1, 1, NULL);
    actor_run(f, INDEXING);
    follower_wait(f, FOLLOWER_INDEXING);
    assert_int_equal(documents(f), 8999);
    index_check(f);
}

static void a_rebuild_may_be_stopped_at_any_moment(void **state)
{
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, 9000);
    follower_wait(f, FOLLOWER_PERSISTENCE);
    for (int round = 0; round < 10; round++) {
        assert_int_equal(search_reset(f->search, 0), OK);
        actor_run(f, INDEXING);
        WAIT_FOR(round % 2 || documents(f) > 0);
        actor_stop(f, INDEXING);
    }
    actor_run(f, INDEXING);
    follower_wait(f, FOLLOWER_INDEXING);
    assert_int_equal(documents(f), 9000);
    index_check(f);
}

static void a_log_that_lost_history_does_not_make_the_index_start_over_again_and_again(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct journal_meta meta;
    bool found;
    actor_run(f, INDEXING);
    messages_post(f, TOKEN, 1, 20);
    follower_wait(f, FOLLOWER_INDEXING);
    file_run(f, JOURNAL_FILE,
             "UPDATE entries SET producer = producer + 1 "
             "WHERE id = (SELECT MAX(id) FROM entries)");
    file_run(f, JOURNAL_FILE, "UPDATE shards SET last_producer = last_producer + 1");
    WAIT_FOR(journal_meta(f->journal, 0, &meta, &found) == OK && meta.mark != 0);
    actor_stop(f, PERSISTENCE);
    int64_t version = file_number(f, SEARCH_FILE, "PRAGMA data_version");
    STAYS(file_number(f, SEARCH_FILE, "PRAGMA data_version") == version);
    assert_true(position_there(f));
    assert_int_equal(documents(f), 20);
}

/* ---- start ---- */

static void an_index_that_is_away_at_the_start_is_opened_later(void **state)
{
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, 5);
    unsigned failures = fake_sql_failures(FAULT_OPEN);
    fake_sql_fail(FAULT_OPEN, "search.db", 0, 1);
    actor_run(f, INDEXING);
    follower_wait(f, FOLLOWER_INDEXING);
    assert_int_equal(fake_sql_failures(FAULT_OPEN), failures + 1);
    index_check(f);
}

int main(void)
{
#define INDEXING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, actors_tear_down)
    const struct CMUnitTest tests[] = {
        INDEXING_TEST(creations_edits_and_deletions_get_into_the_index),
        INDEXING_TEST(many_changes_of_one_message_in_one_batch_leave_the_last),
        INDEXING_TEST(deleted_chats_and_applications_leave_the_index),
        INDEXING_TEST(the_index_never_runs_ahead_of_the_store),
        INDEXING_TEST(the_store_gets_a_copy_of_the_position_for_trimming),
        cmocka_unit_test_setup_teardown(shards_are_indexed_each_by_itself, actors_set_up_sharded,
                                        actors_tear_down),
        INDEXING_TEST(an_index_or_store_that_fails_gets_every_document),
        INDEXING_TEST(a_lost_index_is_built_anew_from_the_store),
        INDEXING_TEST(an_index_that_trimming_has_passed_is_built_anew),
        INDEXING_TEST(an_older_copy_of_the_index_catches_up),
        INDEXING_TEST(a_rebuild_that_died_on_the_way_begins_again),
        INDEXING_TEST(a_rebuild_may_be_stopped_at_any_moment),
        INDEXING_TEST(a_log_that_lost_history_does_not_make_the_index_start_over_again_and_again),
        INDEXING_TEST(an_index_that_is_away_at_the_start_is_opened_later),
    };
    return cmocka_run_group_tests(tests, actors_prepare, actors_finish) ? 1 : 0;
}
