/* SPDX-License-Identifier: MIT */
/* test_numbering_failures.c - a number is a promise, also when the journal fails.
 *
 * Nobody hears of a number that is not durable, nothing durable is given twice, and
 * who cannot be told what became of a request hears just that, in time.
 */
#include "numbering_fixture.h"

/* ---- a journal that fails ---- */

/* The client must never hold a number that a restart would not remember. */
static void no_number_without_a_durable_append(void **state)
{
    struct actors *f = (struct actors *) *state;
    uint64_t number;
    assert_int_equal(post(f, "kept", &number), OK);
    fake_sql_fail(FAULT_BEGIN, "journal.db", 0, 1);
    assert_int_equal(post(f, "lost", &number), ERR_JOURNAL);
    assert_int_equal(number, 0);
    fake_sql_fail(FAULT_STATEMENT, "journal.db", 2, 1); /* in the middle of a transaction */
    assert_int_equal(post(f, "lost too", &number), ERR_JOURNAL);
    assert_int_equal(post(f, "kept too", &number), OK);
    assert_int_equal(number, 2);
    assert_int_equal(log_read(f).records, 4);
}

static void a_commit_that_fails_is_tried_again(void **state)
{
    struct actors *f = (struct actors *) *state;
    uint64_t number;
    unsigned failures = fake_sql_failures(FAULT_COMMIT);
    fake_sql_fail(FAULT_COMMIT, "journal.db", 0, 2);
    assert_int_equal(post(f, "at the third try", &number), OK);
    assert_int_equal(number, 1);
    assert_int_equal(fake_sql_failures(FAULT_COMMIT) - failures, 2);
    assert_int_equal(log_read(f).records, 3);
}

static void a_commit_whose_answer_is_lost_counts_once(void **state)
{
    struct actors *f = (struct actors *) *state;
    uint64_t number;
    for (uint64_t i = 1; i <= 10; i++) {
        fake_sql_fail(FAULT_COMMIT_UNKNOWN, "journal.db", 0, 1);
        assert_int_equal(post(f, "once", &number), OK);
        assert_int_equal(number, i);
    }
    assert_int_equal(log_read(f).records, 2 + 10);
    struct request keyed = request_keyed(request_of(REQUEST_MESSAGE_CREATE, TOKEN, 1, 0, "k"), 1,
                                         1);
    fake_sql_fail(FAULT_COMMIT_UNKNOWN, "journal.db", 0, 1);
    assert_int_equal(ask(f, &keyed), OK);
    assert_int_equal(f->reply.number, 11);
    assert_false(f->reply.replayed);
}

static void an_unknown_outcome_is_told_before_the_asker_gives_up(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct request request = request_of(REQUEST_MESSAGE_CREATE, TOKEN, 1, 0, "never");
    uint64_t number;
    request.wait_ms_max = 200;
    fake_sql_fail(FAULT_COMMIT, "journal.db", 0, FAULT_ALWAYS);
    int64_t start_us = clock_monotonic_us();
    assert_int_equal(ask(f, &request), ERR_OUTCOME_UNKNOWN);
    assert_in_range(clock_monotonic_us() - start_us, 90000, 10000000);
    assert_int_equal(f->reply.number, 0);
    fake_sql_heal();
    assert_int_equal(post(f, "the first", &number), OK);
    assert_int_equal(number, 1);
    assert_int_equal(log_read(f).records, 3);
}

/* Else the next batch, under the same sequence, would be given the first one's numbers. */
static void an_unknown_outcome_stays_unknown_when_no_further_try_can_be_made(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct request request = request_of(REQUEST_MESSAGE_CREATE, TOKEN, 1, 0, "in the log");
    uint64_t number;
    request.wait_ms_max = 100;
    fake_sql_fail(FAULT_COMMIT_UNKNOWN, "journal.db", 0, 1);
    fake_sql_fail(FAULT_BEGIN, "journal.db", 1, FAULT_ALWAYS);
    assert_int_equal(ask(f, &request), ERR_OUTCOME_UNKNOWN);
    fake_sql_heal();
    assert_int_equal(post(f, "another", &number), OK);
    assert_int_equal(number, 2);
    assert_int_equal(log_read(f).records, 4);
}

static void the_journal_may_go_and_come_without_a_restart(void **state)
{
    struct actors *f = (struct actors *) *state;
    uint64_t number;
    for (uint64_t round = 1; round <= 3; round++) {
        fake_sql_fail(FAULT_BEGIN, "journal.db", 0, FAULT_ALWAYS);
        fake_sql_fail(FAULT_QUERY, "journal.db", 0, FAULT_ALWAYS);
        for (int i = 0; i < 5; i++)
            assert_int_equal(post(f, "lost", &number), ERR_JOURNAL);
        fake_sql_heal();
        assert_int_equal(post(f, "kept", &number), OK);
        assert_int_equal(number, round);
    }
}

static void a_full_backlog_refuses_every_request(void **state)
{
    struct actors *f = (struct actors *) *state;
    uint64_t number;
    actor_stop(f, NUMBERING);
    f->config.backlog_records = 5;
    actor_run(f, NUMBERING);
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(post(f, "fits", &number), OK);
    assert_int_equal(post(f, "does not", &number), ERR_BACKLOG_FULL);
    assert_int_equal(chat_post(f, TOKEN), 0);
    assert_int_equal(f->reply.status, ERR_BACKLOG_FULL);
    actor_run(f, PERSISTENCE);
    actor_run(f, COUNTING);
    actor_run(f, INDEXING);
    WAIT_FOR(post(f, "there is room again", &number) == OK);
    assert_int_equal(number, 4);
}

static void a_closed_shard_takes_nothing(void **state)
{
    struct actors *f = (struct actors *) *state;
    uint64_t number;
    assert_int_equal(post(f, "before", &number), OK);
    assert_int_equal(journal_mark(f->journal, 0, 99, false), OK);
    assert_int_equal(post(f, "after", &number), ERR_CLOSED);
    actor_stop(f, NUMBERING);
    actor_run(f, NUMBERING); /* it starts all the same: reads go on */
    assert_int_equal(post(f, "after", &number), ERR_CLOSED);
}

static void an_actor_that_cannot_open_its_journal_does_not_start(void **state)
{
    struct actors *f = (struct actors *) *state;
    status_t status;
    actor_stop(f, NUMBERING);
    const char *good = f->config.journal;
    f->config.journal = text_of("sqlite:%s/no/such/folder/journal.db", f->folder);
    assert_false(actor_try(f, NUMBERING, &status));
    assert_int_equal(status, ERR_JOURNAL);
    f->config.journal = "nonsense:";
    assert_false(actor_try(f, NUMBERING, &status));
    assert_int_equal(status, ERR_CONFIG);
    f->config.journal = good;
    fake_sql_fail(FAULT_OPEN, "journal.db", 0, 1);
    assert_false(actor_try(f, NUMBERING, &status));
    assert_int_equal(status, ERR_JOURNAL);
    actor_run(f, NUMBERING);
    assert_int_equal(message_post(f, TOKEN, 1, "at last"), 1);
}

int main(void)
{
#define NUMBERING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, actors_tear_down)
    const struct CMUnitTest tests[] = {
        NUMBERING_TEST(no_number_without_a_durable_append),
        NUMBERING_TEST(a_commit_that_fails_is_tried_again),
        NUMBERING_TEST(a_commit_whose_answer_is_lost_counts_once),
        NUMBERING_TEST(an_unknown_outcome_is_told_before_the_asker_gives_up),
        NUMBERING_TEST(an_unknown_outcome_stays_unknown_when_no_further_try_can_be_made),
        NUMBERING_TEST(the_journal_may_go_and_come_without_a_restart),
        NUMBERING_TEST(a_full_backlog_refuses_every_request),
        NUMBERING_TEST(a_closed_shard_takes_nothing),
        NUMBERING_TEST(an_actor_that_cannot_open_its_journal_does_not_start),
    };
    return cmocka_run_group_tests(tests, actors_prepare, actors_finish) ? 1 : 0;
}
