/* SPDX-License-Identifier: MIT */
/* test_history_crash.c - a rebuild may die anywhere, whatever it was that was lost. */
#include "history_fixture.h"

enum loss { LOSS_NONE, LOSS_JOURNAL_OLDER, LOSS_JOURNAL_GONE, LOSS_STORE_OLDER, LOSS_FORK, LOSSES };

static void lose_history(struct fixture *f, enum loss loss)
{
    fill(f);
    persist(f);
    copy(f, loss == LOSS_STORE_OLDER ? "store" : "journal");
    messages(f, TOKEN, 1, 2);
    persist(f);
    trim(f);
    messages(f, OTHER, 1, 2);
    if (loss == LOSS_NONE) {
        assert_int_equal(journal_mark(f->journal, SHARD, 5, false), OK);
    } else if (loss == LOSS_JOURNAL_GONE) {
        stop(f);
        lose(f, "journal");
        start(f);
    } else {
        set_back(f, loss == LOSS_STORE_OLDER ? "store" : "journal");
    }
    if (loss == LOSS_FORK) {
        assert_int_equal(journal_checked(f->journal, SHARD, meta_of(f).checked, f->run), OK);
        f->numbering.batch.epoch = meta_of(f).epoch;
        messages(f, OTHER, 1, 4);
        restart(f);
    }
    assert_int_equal(check(f), ERR_CLOSED);
}

/* One rebuild that dies at the fault, a second one that completes it. False: there
 * was no such fault any more. */
static bool rebuild_dies(struct fixture *f, enum loss loss, enum fault fault, int delay)
{
    lose_history(f, loss);
    unsigned failures = fake_sql_failures(fault);
    fake_sql_fail(fault, f->folder, delay, 1);
    status_t status = history_rebuild(f->journal, f->store, SHARD, NULL, &f->report, &f->reason);
    bool died = fake_sql_failures(fault) != failures;
    fake_sql_heal();
    restart(f);
    if (status == OK) {
        ; /* there was no such fault, or what failed was tried again */
    } else if (meta_of(f).mark) {
        assert_int_equal(check(f), ERR_CLOSED);
        assert_ok(f, rebuild(f));
    } else {
        /* Its very last commit went well, and nobody heard of it. */
        assert_int_equal(fault, FAULT_COMMIT_UNKNOWN);
        assert_int_equal(rebuild(f), ERR_EXISTS);
        f->report.epoch = meta_of(f).epoch;
        f->report.base = meta_of(f).last_seq;
    }
    assert_ok(f, check(f));
    static const uint64_t dead[] = {0, 0, 0, 0, 4}, first[] = {5, 5, 5, 4, 5},
                          next_of_other[] = {6, 4, 4, 6, 8};
    assert_int_equal(dead_of(f), dead[loss]);
    assert_int_equal(messages_in_store(f, TOKEN, 1), first[loss]);
    assert_whole(f, 4, 7, next_of_other[loss]);
    if (loss != LOSS_FORK)
        assert_store_is_sound(f);
    return died;
}

static void a_rebuild_that_dies_anywhere_is_completed_by_the_next(void **state)
{
    static const enum fault faults[] = {FAULT_STATEMENT, FAULT_QUERY, FAULT_COMMIT,
                                        FAULT_COMMIT_UNKNOWN, FAULT_BEGIN};
    static const int strides[] = {3, 7, 1, 1, 5};
    int deaths = 0;
    for (enum loss loss = 0; loss < LOSSES; loss++)
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
            /* Statements are many; some of them are enough. */
            for (int delay = 0;; delay += strides[i]) {
                bool died = rebuild_dies(*state, loss, faults[i], delay);
                tear_down(state);
                set_up(state);
                if (!died)
                    break;
                deaths++;
            }
    assert_true(deaths > 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_rebuild_that_dies_anywhere_is_completed_by_the_next,
                                        set_up, tear_down),
    };
    register_faulty();
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
