/* SPDX-License-Identifier: MIT */
/* test_history_rebuild.c - a new epoch from what journal and store still hold. */
#include <pthread.h>

#include "history_fixture.h"
#include "storage/sql.h"

/* Closes it as a server would, and rebuilds. */
static void close_and_rebuild(struct fixture *f)
{
    assert_int_equal(check(f), ERR_CLOSED);
    assert_ok(f, rebuild(f));
}

/* ---- what there is nothing to do about ---- */

static void a_shard_that_is_whole_is_not_rebuilt(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    messages(f, TOKEN, 1, 2);
    uint64_t epoch = meta_of(f).epoch;
    assert_int_equal(rebuild(f), ERR_EXISTS);
    restart(f);
    assert_int_equal(rebuild(f), ERR_EXISTS);
    assert_non_null(strstr(f->reason.text, "nothing to rebuild"));
    assert_int_equal(meta_of(f).mark, 0);
    assert_int_equal(meta_of(f).epoch, epoch);
}

static void where_nothing_was_made_nothing_is_rebuilt(void **state)
{
    struct fixture *f = *state;
    struct journal_meta meta;
    bool found = true;
    assert_int_equal(rebuild(f), ERR_CONFIG);
    assert_int_equal(journal_meta(f->journal, SHARD, &meta, &found), OK);
    assert_false(found);
}

static void a_closed_shard_that_fits_opens_again_with_all_of_its_log(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    messages(f, TOKEN, 1, 3);
    assert_int_equal(journal_mark(f->journal, SHARD, 5, false), OK);
    assert_ok(f, rebuild(f));
    assert_int_equal(f->report.applied, 3);
    assert_int_equal(f->report.dead + f->report.known + f->report.messages_missing, 0);
    assert_false(f->report.hole);
    assert_int_equal(f->report.applications, 2);
    assert_int_equal(f->report.chats, 3);
    assert_int_equal(messages_in_store(f, TOKEN, 1), 6);
    assert_whole(f, 4, 8, 4);
    assert_store_is_sound(f);
}

/* ---- the journal lost history ---- */

static void an_older_journal_gives_no_number_again(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    copy(f, "journal");
    messages(f, TOKEN, 1, 5);
    assert_int_equal(fake_chat(&f->numbering, TOKEN), 4);
    persist(f);
    set_back(f, "journal");
    close_and_rebuild(f);
    /* All that the older log holds is in the store: nothing is buried. */
    assert_int_equal(f->report.dead, 0);
    assert_int_equal(dead_of(f), 0);
    assert_true(f->report.known > 0);
    assert_int_equal(f->report.messages_missing, 0);
    assert_whole(f, 5, 10, 4);
    assert_store_is_sound(f);
}

static void a_journal_that_is_gone_is_made_from_the_store(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    stop(f);
    lose(f, "journal");
    start(f);
    close_and_rebuild(f);
    assert_int_equal(meta_of(f).data_set, the_data_set.id);
    assert_int_equal(meta_of(f).shards, SHARDS);
    assert_int_equal(look_at(f, TOKEN, 2).chat_existence, EXISTS_DELETED);
    assert_int_equal(look_at(f, TOKEN, 1).last_message, 4);
    assert_whole(f, 4, 5, 4);
    assert_store_is_sound(f);
}

/* Appended and acknowledged by the one life of the journal, while the store went
 * on with the other. */
static void what_a_fork_acknowledged_is_put_aside_and_not_lost(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    copy(f, "journal");
    messages(f, TOKEN, 1, 2);
    persist(f);
    set_back(f, "journal");
    assert_int_equal(journal_checked(f->journal, SHARD, meta_of(f).checked, f->run), OK);
    f->numbering.batch.epoch = meta_of(f).epoch;
    messages(f, TOKEN, 1, 6);
    assert_int_equal(fake_chat(&f->numbering, TOKEN), 4);
    messages(f, TOKEN, 4, 1);
    restart(f);
    close_and_rebuild(f);
    assert_int_equal(f->report.dead, 8);
    assert_int_equal(dead_of(f), 8);
    assert_whole(f, 5, 11, 4);
    assert_int_equal(look_at(f, TOKEN, 4).chat_existence, EXISTS_DELETED);
    assert_int_equal(messages_in_store(f, TOKEN, 1), 6);
}

/* Both lives gave the same numbers. */
static void what_two_lives_gave_the_same_number_stays_apart(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    copy(f, "journal");
    messages(f, TOKEN, 1, 2);
    assert_int_equal(fake_chat(&f->numbering, TOKEN), 4);
    messages(f, TOKEN, 4, 1);
    persist(f);
    set_back(f, "journal");
    assert_int_equal(journal_checked(f->journal, SHARD, meta_of(f).checked, f->run), OK);
    f->numbering.batch.epoch = meta_of(f).epoch;
    assert_int_equal(fake_chat(&f->numbering, TOKEN), 4);
    messages(f, TOKEN, 4, 3);
    messages(f, TOKEN, 1, 1);
    assert_int_equal(fake_one(&f->numbering, RECORD_APPLICATION_CREATED, THIRD, 0, 0, "x"), OK);
    restart(f);
    close_and_rebuild(f);
    assert_int_equal(dead_of(f), 6);
    assert_ok(f, check(f));
    assert_int_equal(fake_message(&f->numbering, TOKEN, 4, "goes on"), 4);
    assert_int_equal(fake_one(&f->numbering, RECORD_MESSAGE_EDITED, TOKEN, 1, 5, "edited"), OK);
    persist(f);
    assert_int_equal(dead_of(f), 6);
    assert_int_equal(messages_in_store(f, TOKEN, 1), 5);
}

static void a_journal_from_before_a_rebuild_is_rebuilt_again(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    copy(f, "journal");
    assert_int_equal(journal_mark(f->journal, SHARD, 5, false), OK);
    assert_ok(f, rebuild(f));
    uint64_t first = f->report.epoch;
    messages(f, TOKEN, 1, 5);
    persist(f);
    set_back(f, "journal");
    close_and_rebuild(f);
    assert_int_equal(f->report.epoch >> 32, (first >> 32) + 1);
    assert_int_equal(f->report.dead, 0);
    assert_whole(f, 4, 10, 4);
    assert_store_is_sound(f);
}

/* ---- the store lost history ---- */

static void a_hole_is_jumped_over_and_its_numbers_are_tallied(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    copy(f, "store");
    assert_int_equal(fake_chat(&f->numbering, TOKEN), 4);
    messages(f, TOKEN, 3, 2);
    messages(f, TOKEN, 1, 5);
    messages(f, OTHER, 1, 2);
    persist(f);
    trim(f);
    messages(f, TOKEN, 1, 3);
    set_back(f, "store");
    close_and_rebuild(f);
    assert_true(f->report.hole);
    assert_int_equal(f->report.messages_missing, 8);
    assert_int_equal(f->report.chats_missing, 1);
    /* Three of the first, and the entry that stays when all else is trimmed. */
    assert_int_equal(f->report.applied, 4);
    assert_int_equal(f->report.dead, 0);
    assert_int_equal(messages_in_store(f, TOKEN, 1), 6);
    assert_int_equal(messages_in_store(f, OTHER, 1), 4);
    assert_whole(f, 5, 13, 6);
}

static void what_was_created_in_the_hole_stays_gone(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    copy(f, "store");
    assert_int_equal(fake_chat(&f->numbering, TOKEN), 4);
    assert_int_equal(fake_one(&f->numbering, RECORD_APPLICATION_CREATED, THIRD, 0, 0, "x"), OK);
    assert_int_equal(fake_chat(&f->numbering, THIRD), 1);
    messages(f, TOKEN, 3, 1);
    persist(f);
    trim(f);
    messages(f, TOKEN, 4, 2);
    messages(f, THIRD, 1, 2);
    assert_int_equal(fake_chat(&f->numbering, THIRD), 2);
    messages(f, THIRD, 2, 1);
    set_back(f, "store");
    close_and_rebuild(f);
    assert_int_equal(f->report.dead, 6);
    assert_int_equal(look_at(f, TOKEN, 4).chat_existence, EXISTS_DELETED);
    assert_int_equal(look_at(f, THIRD, 0).application, EXISTS_DELETED);
    assert_int_equal(fake_message(&f->numbering, TOKEN, 4, "x"), 0);
    assert_int_equal(fake_one(&f->numbering, RECORD_APPLICATION_CREATED, THIRD, 0, 0, "x"),
                     ERR_EXISTS);
    persist(f);
}

static void what_was_deleted_in_the_hole_stays_deleted(void **state)
{
    struct fixture *f = *state;
    fill(f);
    assert_int_equal(fake_one(&f->numbering, RECORD_APPLICATION_CREATED, THIRD, 0, 0, "x"), OK);
    persist(f);
    copy(f, "store");
    messages(f, TOKEN, 3, 5);
    assert_int_equal(fake_one(&f->numbering, RECORD_CHAT_DELETED, TOKEN, 3, 0, NULL), OK);
    assert_int_equal(fake_one(&f->numbering, RECORD_APPLICATION_DELETED, THIRD, 0, 0, NULL), OK);
    messages(f, TOKEN, 1, 1);
    persist(f);
    trim(f);
    set_back(f, "store");
    close_and_rebuild(f);
    assert_int_equal(look_at(f, TOKEN, 3).chat_existence, EXISTS_DELETED);
    assert_int_equal(look_at(f, THIRD, 0).application, EXISTS_DELETED);
    assert_int_equal(messages_in_store(f, TOKEN, 3), 0);
    assert_int_equal(application_id_of(f, THIRD), 0);
    assert_whole(f, 4, 6, 4);
    assert_store_is_sound(f);
}

static void a_store_from_before_a_rebuild_takes_the_whole_log(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    copy(f, "store");
    messages(f, TOKEN, 1, 2);
    assert_int_equal(journal_mark(f->journal, SHARD, 5, false), OK);
    assert_ok(f, rebuild(f));
    messages(f, TOKEN, 1, 3);
    set_back(f, "store");
    close_and_rebuild(f);
    assert_true(f->report.hole);
    assert_int_equal(f->report.applied, 3);
    assert_int_equal(f->report.messages_missing, 2);
    assert_whole(f, 4, 10, 4);
}

static void a_store_that_is_gone_is_begun_from_the_log(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    messages(f, TOKEN, 1, 2);
    stop(f);
    lose(f, "store");
    start(f);
    close_and_rebuild(f);
    assert_int_equal(f->report.dead, 0);
    assert_int_equal(messages_in_store(f, TOKEN, 1), 5);
    struct data_set found;
    bool there = false;
    assert_int_equal(history_data_set(f->journal, f->store, &found, &there, &f->reason), OK);
    assert_int_equal(found.id, the_data_set.id);
    assert_ok(f, make(f)); /* who else is to follow */
    assert_whole(f, 4, 7, 4);
    assert_store_is_sound(f);
}

/* ---- records and entries that are bad ---- */

static void a_record_that_the_store_refuses_is_put_aside(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    fake_messages(&f->numbering, TOKEN, 1, 9, "x"); /* 5 to 13 */
    assert_int_equal(fake_send(&f->numbering), OK);
    sql_t *sql = NULL;
    assert_int_equal(sql_open(text_of("sqlite:%s", path_of(f, "store")), SQL_DURABLE, &sql), OK);
    assert_int_equal(sql_run(sql,
                             "INSERT INTO messages (application_id, chat_number, number, seq, "
                             "created, updated, body) VALUES (?, 1, 8, 1, 1, 1, 'in the way')",
                             SQL_VALUES(sql_integer((int64_t) application_id_of(f, TOKEN))), NULL),
                     OK);
    sql_close(&sql);
    assert_int_equal(journal_mark(f->journal, SHARD, 5, false), OK);
    assert_ok(f, rebuild(f));
    assert_int_equal(f->report.applied, 8);
    assert_int_equal(f->report.dead, 1);
    assert_int_equal(dead_of(f), 1);
    assert_whole(f, 4, 14, 4);
}

static void what_one_entry_makes_and_fills_is_applied(void **state)
{
    struct fixture *f = *state;
    fill(f);
    fake_group(&f->numbering, RECORD_CHAT_CREATED, TOKEN, 0, 0, "the fourth");
    fake_messages(&f->numbering, TOKEN, 4, 2, "x");
    assert_int_equal(fake_send(&f->numbering), OK);
    bool filled = f->numbering.groups[1].status == OK; /* a journal may find it too early */
    assert_int_equal(journal_mark(f->journal, SHARD, 5, false), OK);
    assert_ok(f, rebuild(f));
    assert_int_equal(f->report.dead, 0);
    assert_int_equal(messages_in_store(f, TOKEN, 4), filled ? 2 : 0);
}

static void an_entry_that_cannot_be_read_stops_the_rebuild(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    messages(f, TOKEN, 1, 1);
    sql_t *sql = NULL;
    assert_int_equal(sql_open(text_of("sqlite:%s", path_of(f, "journal")), SQL_DURABLE, &sql), OK);
    assert_int_equal(sql_run(sql,
                             "UPDATE entries SET groups = CAST(substr(groups, 1, 40) AS BLOB) "
                             "WHERE id = (SELECT MAX(id) FROM entries)",
                             SQL_NO_VALUES, NULL),
                     OK);
    sql_close(&sql);
    assert_int_equal(journal_mark(f->journal, SHARD, 5, false), OK);
    assert_int_equal(rebuild(f), ERR_CORRUPT);
    assert_int_not_equal(meta_of(f).mark, 0);
    assert_int_equal(rebuild(f), ERR_CORRUPT);
}

/* ---- who else is there ---- */

static void a_follower_of_the_old_epoch_is_fenced(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    struct position old = row_of(f, FOLLOWER_PERSISTENCE);
    assert_int_equal(journal_mark(f->journal, SHARD, 5, false), OK);
    assert_ok(f, rebuild(f));
    struct record record = record_message_created(TOKEN, application_id_of(f, TOKEN), 1, 50, "x");
    records_number(&record, 1, old.seq, old.time);
    struct change change = {.shard = SHARD,
                            .from = old,
                            .to = position_after(&old, 1, 1, 1, old.time),
                            .records = &record,
                            .count = 1};
    assert_int_equal(store_apply(f->store, &change), ERR_CONFLICT);
    f->numbering.batch.epoch = old.epoch;
    fake_group(&f->numbering, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x");
    assert_int_equal(fake_send(&f->numbering), ERR_EPOCH);
}

static void a_hold_goes_along(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    struct position row = row_of(f, FOLLOWER_PERSISTENCE);
    assert_int_equal(store_position_set(f->store, FOLLOWER_HOLD, SHARD, &row), OK);
    assert_int_equal(journal_mark(f->journal, SHARD, 5, false), OK);
    assert_ok(f, rebuild(f));
    assert_int_equal(row_of(f, FOLLOWER_HOLD).seq, f->report.base);
}

/* ---- a server that runs ---- */

static bool server_runs;

/* Renews its lease, as a persistence that has no trouble does. No asserts: this is not
 * the test's own thread. */
static void *renew(void *context)
{
    store_t *store = NULL;
    if (store_open(context, false, &store) != OK)
        return context;
    bool owned[SHARDS];
    unsigned members;
    status_t status = OK;
    while (status == OK && __atomic_load_n(&server_runs, __ATOMIC_ACQUIRE)) {
        status = store_lease(store, FOLLOWER_PERSISTENCE, 7, SHARDS, NULL, owned, &members);
        usleep(LEASE_US / 3);
    }
    store_close(&store);
    return status == OK ? NULL : context;
}

static int64_t lease_until(struct fixture *f)
{
    int64_t until = 0, now;
    assert_int_equal(store_lease_until(f->store, FOLLOWER_PERSISTENCE, SHARD, &until, &now), OK);
    return until;
}

static void a_shard_that_a_running_server_follows_is_not_rebuilt(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    stop(f);
    lose(f, "journal"); /* the address is wrong: it is empty there */
    start(f);
    pthread_t thread;
    void *failed = NULL;
    server_runs = true;
    char *store = text_of("sqlite:%s", path_of(f, "store"));
    assert_int_equal(pthread_create(&thread, NULL, renew, store), 0);
    while (lease_until(f) == 0)
        usleep(1000);
    status_t status = rebuild(f);
    __atomic_store_n(&server_runs, false, __ATOMIC_RELEASE);
    pthread_join(thread, &failed);
    assert_null(failed);
    assert_int_equal(status, ERR_CONFLICT);
    assert_non_null(strstr(f->reason.text, "address"));
    struct journal_meta meta;
    bool found = true;
    assert_int_equal(journal_meta(f->journal, SHARD, &meta, &found), OK);
    assert_false(found);
    /* Once it has gone, the last lease is waited for. */
    assert_true(lease_until(f) > 0);
    assert_ok(f, rebuild(f));
}

static void sentence_count(void *context, const char *sentence)
{
    assert_true(strlen(sentence) > 10);
    ++*(int *) context;
}

static void a_rebuild_says_what_it_does(void **state)
{
    struct fixture *f = *state;
    int sentences = 0;
    struct rebuild rebuild = {.say = sentence_count, .context = &sentences};
    fill(f);
    assert_int_equal(journal_mark(f->journal, SHARD, 5, false), OK);
    assert_int_equal(history_rebuild(f->journal, f->store, SHARD, &rebuild, &f->report, &f->reason),
                     OK);
    assert_true(sentences >= 4);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_shard_that_is_whole_is_not_rebuilt),
        cmocka_unit_test_setup_teardown(where_nothing_was_made_nothing_is_rebuilt, set_up_empty,
                                        tear_down),
        TEST(a_closed_shard_that_fits_opens_again_with_all_of_its_log),
        TEST(an_older_journal_gives_no_number_again),
        TEST(a_journal_that_is_gone_is_made_from_the_store),
        TEST(what_a_fork_acknowledged_is_put_aside_and_not_lost),
        TEST(what_two_lives_gave_the_same_number_stays_apart),
        TEST(a_journal_from_before_a_rebuild_is_rebuilt_again),
        TEST(a_hole_is_jumped_over_and_its_numbers_are_tallied),
        TEST(what_was_created_in_the_hole_stays_gone),
        TEST(what_was_deleted_in_the_hole_stays_deleted),
        TEST(a_store_from_before_a_rebuild_takes_the_whole_log),
        TEST(a_store_that_is_gone_is_begun_from_the_log),
        TEST(a_record_that_the_store_refuses_is_put_aside),
        TEST(what_one_entry_makes_and_fills_is_applied),
        TEST(an_entry_that_cannot_be_read_stops_the_rebuild),
        TEST(a_follower_of_the_old_epoch_is_fenced),
        TEST(a_hold_goes_along),
        TEST(a_shard_that_a_running_server_follows_is_not_rebuilt),
        TEST(a_rebuild_says_what_it_does),
    };
    register_faulty();
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
