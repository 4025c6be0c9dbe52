/* SPDX-License-Identifier: MIT */
/* test_history.c - a data set is made, and each new run of a journal is checked. */
#include "history_fixture.h"

/* ---- make ---- */

static void a_data_set_is_made_and_found_again(void **state)
{
    struct fixture *f = *state;
    struct data_set found;
    bool there = true;
    assert_int_equal(history_data_set(f->journal, f->store, &found, &there, &f->reason), OK);
    assert_false(there);
    assert_ok(f, make(f));
    assert_int_equal(history_data_set(f->journal, f->store, &found, &there, &f->reason), OK);
    assert_true(there);
    assert_int_equal(found.id, the_data_set.id);
    assert_int_equal(found.shards, SHARDS);
    static const char *const followers[] = {FOLLOWER_PERSISTENCE, FOLLOWER_COUNTING,
                                            FOLLOWER_INDEXING};
    for (size_t i = 0; i < 3; i++) {
        struct position row = row_of(f, followers[i]);
        assert_int_equal(row.epoch, meta_of(f).epoch);
        assert_int_equal(row.seq, 0);
    }
    assert_int_equal(meta_of(f).epoch >> 32, 1);
}

static void making_again_changes_nothing(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    struct position row = row_of(f, FOLLOWER_PERSISTENCE);
    uint64_t epoch = meta_of(f).epoch;
    assert_ok(f, make(f));
    struct position again = row_of(f, FOLLOWER_PERSISTENCE);
    assert_true(position_equal(&row, &again));
    assert_int_equal(meta_of(f).epoch, epoch);
}

static void a_follower_that_is_added_later_begins_where_persistence_stands(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(history_make(f->journal, f->store, SHARD, &the_data_set, false, &f->reason),
                     OK);
    assert_ok(f, check(f));
    fill(f);
    persist(f);
    assert_ok(f, make(f));
    assert_int_equal(row_of(f, FOLLOWER_INDEXING).seq, row_of(f, FOLLOWER_PERSISTENCE).seq);
}

static void making_is_completed_after_a_crash_between_any_two_steps(void **state)
{
    struct fixture *f = *state;
    static const enum fault faults[] = {FAULT_STATEMENT, FAULT_QUERY};
    for (int i = 0; i < 2; i++)
        for (int delay = 0;; delay++) {
            unsigned failures = fake_sql_failures(faults[i]);
            fake_sql_fail(faults[i], f->folder, delay, 1);
            status_t status = make(f);
            fake_sql_heal();
            if (fake_sql_failures(faults[i]) == failures)
                break;
            assert_true(status == ERR_JOURNAL || status == ERR_STORE);
            assert_true(strlen(f->reason.text) > 0);
            assert_ok(f, make(f));
            assert_ok(f, check(f));
            fill(f);
            stop(f);
            lose(f, "journal");
            lose(f, "store");
            start(f);
        }
}

static void another_data_set_is_not_overwritten(void **state)
{
    struct fixture *f = *state;
    struct data_set other = the_data_set;
    other.id++;
    assert_int_equal(history_make(f->journal, f->store, SHARD, &other, true, &f->reason),
                     ERR_CONFIG);
    other = the_data_set;
    other.shards++;
    assert_int_equal(history_make(f->journal, f->store, SHARD, &other, true, &f->reason),
                     ERR_CONFIG);
    assert_int_equal(meta_of(f).data_set, the_data_set.id);
}

static void what_one_side_has_forgotten_is_not_made_anew(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    stop(f);
    assert_int_equal(rename(path_of(f, "store"), path_of(f, "aside")), 0);
    lose(f, "store");
    start(f);
    assert_int_equal(make(f), ERR_CLOSED);
    stop(f);
    lose(f, "store");
    assert_int_equal(rename(path_of(f, "aside"), path_of(f, "store")), 0);
    lose(f, "journal");
    start(f);
    assert_int_equal(make(f), ERR_CLOSED);
    assert_non_null(strstr(f->reason.text, "confab rebuild"));
}

/* ---- check ---- */

static void a_new_run_takes_appends_after_its_check_only(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    restart(f);
    f->numbering.batch.epoch = meta_of(f).epoch;
    fake_group(&f->numbering, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x");
    assert_int_equal(fake_send(&f->numbering), ERR_UNCHECKED);
    assert_ok(f, check(f));
    assert_int_equal(meta_of(f).checked, f->run);
    assert_int_equal(row_of(f, FOLLOWER_PERSISTENCE).run, f->run);
    assert_int_equal(fake_resend(&f->numbering), OK);
    assert_int_equal(f->numbering.groups[0].first_number, 5);
    persist(f);
    assert_ok(f, check(f));
}

static void while_the_store_cannot_be_asked_nothing_is_decided(void **state)
{
    struct fixture *f = *state;
    fill(f);
    restart(f);
    fake_sql_fail(FAULT_QUERY, path_of(f, "store"), 0, FAULT_ALWAYS);
    assert_int_equal(check(f), ERR_STORE);
    fake_sql_heal();
    fake_sql_fail(FAULT_QUERY, path_of(f, "journal"), 0, FAULT_ALWAYS);
    assert_int_equal(check(f), ERR_JOURNAL);
    fake_sql_heal();
    assert_int_equal(meta_of(f).mark, 0);
    assert_int_not_equal(meta_of(f).checked, f->run);
    assert_ok(f, check(f));
}

static void a_check_that_dies_at_any_step_is_done_by_the_next(void **state)
{
    struct fixture *f = *state;
    static const enum fault faults[] = {FAULT_STATEMENT, FAULT_QUERY};
    fill(f);
    for (int i = 0; i < 2; i++)
        for (int delay = 0;; delay++) {
            restart(f);
            unsigned failures = fake_sql_failures(faults[i]);
            fake_sql_fail(faults[i], f->folder, delay, 1);
            status_t status = history_check(f->journal, f->store, SHARD, NULL, &f->reason);
            fake_sql_heal();
            if (fake_sql_failures(faults[i]) == failures)
                break;
            assert_int_not_equal(status, OK);
            assert_int_equal(meta_of(f).mark, 0);
            assert_ok(f, check(f));
        }
}

static void assert_closes(struct fixture *f, const char *words)
{
    assert_int_equal(check(f), ERR_CLOSED);
    if (!strstr(f->reason.text, words) || !strstr(f->reason.text, "confab rebuild"))
        fail_msg("%s", f->reason.text);
    uint64_t mark = meta_of(f).mark;
    assert_int_not_equal(mark, 0);
    f->numbering.batch.epoch = meta_of(f).epoch;
    assert_int_equal(fake_one(&f->numbering, RECORD_APPLICATION_CREATED, THIRD, 0, 0, "x"),
                     ERR_CLOSED);
    restart(f);
    assert_int_equal(check(f), ERR_CLOSED);
    assert_int_equal(meta_of(f).mark, mark);
    assert_int_equal(make(f), ERR_CLOSED);
}

static void a_journal_older_than_the_store_is_closed(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    copy(f, "journal");
    messages(f, TOKEN, 1, 5);
    persist(f);
    set_back(f, "journal");
    assert_closes(f, "the journal has lost history");
}

static void a_journal_that_is_gone_is_closed(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    stop(f);
    lose(f, "journal");
    start(f);
    assert_closes(f, "the journal holds nothing");
}

static void a_store_that_is_gone_closes_the_journal(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    stop(f);
    lose(f, "store");
    start(f);
    assert_closes(f, "the store does not know it");
}

static void an_older_store_catches_up_as_long_as_the_log_reaches_back(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    copy(f, "store");
    messages(f, TOKEN, 1, 5);
    persist(f);
    messages(f, TOKEN, 1, 5);
    set_back(f, "store");
    assert_ok(f, check(f));
    persist(f);
    assert_int_equal(store_recount(f->store, SHARD, SHARDS, &(struct position){0}), OK);
    assert_int_equal(messages_in_store(f, TOKEN, 1), 13);
    assert_store_is_sound(f);
}

static void a_store_older_than_the_log_closes_the_journal(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    copy(f, "store");
    messages(f, TOKEN, 1, 5);
    persist(f);
    messages(f, TOKEN, 1, 1);
    trim(f);
    set_back(f, "store");
    assert_closes(f, "the store is older than what the journal still holds");
}

static void a_fork_of_the_same_length_is_closed(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    copy(f, "journal");
    messages(f, TOKEN, 1, 3);
    persist(f);
    struct position row = row_of(f, FOLLOWER_PERSISTENCE);
    set_back(f, "journal");
    /* The other life: nobody asked the store. */
    assert_int_equal(journal_checked(f->journal, SHARD, meta_of(f).checked, f->run), OK);
    f->numbering.batch.epoch = meta_of(f).epoch;
    messages(f, TOKEN, 1, 3);
    assert_int_equal(meta_of(f).last_seq, row.seq);
    restart(f);
    assert_closes(f, "different histories");
}

static void a_journal_of_another_data_set_is_left_alone(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    stop(f);
    lose(f, "store");
    start(f);
    assert_int_equal(store_data_set_create(f->store, 98, SHARDS), OK);
    struct position row = {.epoch = 5, .seq = 3, .name = {1, 2}};
    assert_int_equal(store_position_set(f->store, FOLLOWER_PERSISTENCE, SHARD, &row), OK);
    struct data_set found;
    bool there;
    assert_int_equal(check(f), ERR_CONFIG);
    assert_int_equal(rebuild(f), ERR_CONFIG);
    assert_int_equal(history_data_set(f->journal, f->store, &found, &there, &f->reason),
                     ERR_CONFIG);
    assert_int_equal(meta_of(f).mark, 0);
}

static void the_callers_own_last_entry_must_be_there_too(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    copy(f, "journal");
    messages(f, TOKEN, 1, 1);
    struct journal_meta meta = meta_of(f);
    struct position own = {.epoch = meta.epoch, .seq = meta.last_seq, .name = meta.last_name};
    set_back(f, "journal");
    struct position of_another_epoch = own, trimmed = own;
    of_another_epoch.epoch++;
    trimmed.seq = 0;
    assert_int_equal(history_check(f->journal, f->store, SHARD, &of_another_epoch, &f->reason), OK);
    restart(f);
    assert_int_equal(history_check(f->journal, f->store, SHARD, &trimmed, &f->reason), OK);
    restart(f);
    assert_int_equal(history_check(f->journal, f->store, SHARD, &own, &f->reason), ERR_CLOSED);
    assert_non_null(strstr(f->reason.text, "this server appended"));
    assert_int_not_equal(meta_of(f).mark, 0);
}

/* ---- a twin ---- */

static struct fixture *twin; /* whose persistence moves on while somebody reads; or NULL */

static status_t read_while_the_twin_moves(journal_t *journal, unsigned shard, uint64_t seq,
                                          size_t records_max, size_t bytes_max,
                                          struct entries *entries, struct journal_meta *ret_meta,
                                          bool *ret_found)
{
    struct fixture *f = twin;
    if (f) {
        twin = NULL;
        persist(f);
        trim(f);
    }
    return journal_sqlite.read(journal, shard, seq, records_max, bytes_max, entries, ret_meta,
                               ret_found);
}

static void a_position_that_a_twin_moved_and_trimmed_is_no_fault(void **state)
{
    struct fixture *f = *state;
    fill(f);
    restart(f);
    twin = f;
    assert_ok(f, check(f));
    assert_null(twin);
    assert_int_equal(meta_of(f).mark, 0);
    assert_int_equal(meta_of(f).first_seq, meta_of(f).last_seq + 1);
}

static void a_follower_whose_read_diverged_has_it_checked_again(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    assert_int_equal(history_recheck(f->journal, f->store, SHARD, &f->reason), OK);
    struct position row = row_of(f, FOLLOWER_PERSISTENCE);
    row.name.sequence++;
    assert_int_equal(store_position_set(f->store, FOLLOWER_PERSISTENCE, SHARD, &row), OK);
    assert_ok(f, check(f));
    assert_int_equal(history_recheck(f->journal, f->store, SHARD, &f->reason), ERR_CLOSED);
    assert_int_not_equal(meta_of(f).mark, 0);
}

int main(void)
{
#define TEST(test, up) cmocka_unit_test_setup_teardown(test, up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_data_set_is_made_and_found_again, set_up_empty),
        TEST(making_again_changes_nothing, set_up),
        TEST(a_follower_that_is_added_later_begins_where_persistence_stands, set_up_empty),
        TEST(making_is_completed_after_a_crash_between_any_two_steps, set_up_empty),
        TEST(another_data_set_is_not_overwritten, set_up),
        TEST(what_one_side_has_forgotten_is_not_made_anew, set_up),
        TEST(a_new_run_takes_appends_after_its_check_only, set_up),
        TEST(while_the_store_cannot_be_asked_nothing_is_decided, set_up),
        TEST(a_check_that_dies_at_any_step_is_done_by_the_next, set_up),
        TEST(a_journal_older_than_the_store_is_closed, set_up),
        TEST(a_journal_that_is_gone_is_closed, set_up),
        TEST(a_store_that_is_gone_closes_the_journal, set_up),
        TEST(an_older_store_catches_up_as_long_as_the_log_reaches_back, set_up),
        TEST(a_store_older_than_the_log_closes_the_journal, set_up),
        TEST(a_fork_of_the_same_length_is_closed, set_up),
        TEST(a_journal_of_another_data_set_is_left_alone, set_up),
        TEST(the_callers_own_last_entry_must_be_there_too, set_up),
        TEST(a_position_that_a_twin_moved_and_trimmed_is_no_fault, set_up),
        TEST(a_follower_whose_read_diverged_has_it_checked_again, set_up),
    };
    register_faulty();
    faulty.read = read_while_the_twin_moves;
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
