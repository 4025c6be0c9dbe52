/* SPDX-License-Identifier: MIT */
/* contract_journal_rebuild.c - every journal: counters anew, many at once, copies. */
#include <pthread.h>

#include "journal_fixture.h"

static const uint64_t NEXT = UINT64_C(2) << 32 | 9, BASE = UINT64_C(1) << 33;

/* ---- rebuild ---- */

static void give_application(journal_t *journal, const char *token, uint64_t id,
                             enum existence existence, uint64_t last_chat)
{
    assert_int_equal(
        journal_rebuild_application(journal, token, strlen(token), id, existence, last_chat), OK);
}

static void give_one(journal_t *journal, const char *token, uint64_t chat, uint64_t last)
{
    assert_int_equal(journal_rebuild_chat(journal, token, strlen(token), chat, last), OK);
}

static void give_lower_and_higher(journal_t *journal)
{
    give_application(journal, TOKEN, 5, EXISTS, 1);
    give_one(journal, TOKEN, 1, 1);
    give_one(journal, TOKEN, 2, 20);
    give_application(journal, OTHER, 9, EXISTS, 7);
    give_one(journal, OTHER, 6, 3);
}

static void numbers_after_a_rebuild_are_above_those_of_both(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    assert_int_equal(fake_chat(n, TOKEN), 2);
    assert_int_equal(fake_chat(n, TOKEN), 3);
    fake_messages(n, TOKEN, 1, 9, "x");
    assert_int_equal(fake_send(n), OK);
    assert_int_equal(fake_message(n, TOKEN, 2, "x"), 1);
    rebuild(f, NEXT, BASE, 0, give_lower_and_higher);

    struct journal_meta meta = meta_of(f);
    assert_int_equal(meta.mark, 0);
    assert_int_equal(meta.epoch, NEXT);
    assert_int_equal(meta.last_seq, BASE);
    assert_int_equal(meta.first_seq, BASE + 1);
    assert_int_equal(meta.bytes, 0);
    struct look look = look_at(f, TOKEN, 1);
    assert_int_equal(look.chat_change, BASE);
    assert_int_equal(look.application_change, BASE);
    assert_int_equal(fake_message(n, TOKEN, 1, "x"), 10);
    assert_int_equal(fake_message(n, TOKEN, 2, "x"), 21);
    assert_int_equal(fake_message(n, OTHER, 6, "x"), 4);
    assert_int_equal(fake_chat(n, TOKEN), 4);
    assert_int_equal(fake_chat(n, OTHER), 8);
    assert_int_equal(look_at(f, OTHER, 6).application_id, 9);
    /* The journal's alone: the number stays used. */
    assert_int_equal(look_at(f, TOKEN, 3).chat_existence, EXISTS_DELETED);
}

static void give_nothing_of_the_first(journal_t *journal)
{
    give_application(journal, OTHER, 9, EXISTS_DELETED, 7);
}

static void what_only_the_journal_has_is_deleted(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    rebuild(f, NEXT, BASE, 0, give_nothing_of_the_first);
    assert_int_equal(look_at(f, TOKEN, 1).application, EXISTS_DELETED);
    assert_int_equal(look_at(f, OTHER, 1).application, EXISTS_DELETED);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_CREATED, TOKEN, 0, 0, "x"), ERR_EXISTS);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_CREATED, OTHER, 0, 0, "x"), ERR_EXISTS);
    assert_int_equal(fake_message(n, TOKEN, 1, "x"), 0);
}

static void give_an_import(journal_t *journal)
{
    give_application(journal, OTHER, 9, EXISTS_NEVER, 7);
    give_one(journal, OTHER, 2, 3);
}

static void an_import_is_still_unfinished_after_a_rebuild(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    rebuild(f, NEXT, BASE, 0, give_an_import);
    assert_int_equal(look_at(f, OTHER, 2).application, EXISTS_NEVER);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_IMPORTED, OTHER, 0, 1, "x"), OK);
    assert_int_equal(fake_one(n, RECORD_CHAT_IMPORTED, OTHER, 1, 1, "x"), OK);
    assert_int_equal(fake_one(n, RECORD_IMPORT_ENDED, OTHER, 0, 1, NULL), OK);
    assert_int_equal(look_at(f, OTHER, 1).last_message, 1);
    assert_int_equal(look_at(f, OTHER, 2).chat_existence, EXISTS_NEVER);
}

static void give_the_first(journal_t *journal)
{
    give_application(journal, TOKEN, 5, EXISTS, 1);
    give_one(journal, TOKEN, 1, 3);
}

static void trim_all(struct fixture *f)
{
    bool more = true;
    while (more)
        assert_int_equal(journal_trim(f->journal, SHARD, meta_of(f).last_seq, &more), OK);
}

static void what_is_given_stays_although_the_lost_history_deleted_it(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    assert_int_equal(fake_one(n, RECORD_APPLICATION_DELETED, TOKEN, 0, 0, NULL), OK);
    rebuild(f, NEXT, BASE, 0, give_the_first);
    trim_all(f);
    assert_int_equal(look_at(f, TOKEN, 1).chat_existence, EXISTS);
    assert_int_equal(fake_message(n, TOKEN, 1, "x"), 4);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_DELETED, TOKEN, 0, 0, NULL), OK);
}

/* The one import was begun twice, so that chats of the first are still to be removed. */
static void an_import_that_only_a_lost_history_began_can_be_done_again(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    for (uint64_t i = 1; i <= 2; i++) {
        assert_int_equal(fake_one(n, RECORD_APPLICATION_IMPORTED, OTHER, 0, 2, "x"), OK);
        assert_int_equal(fake_one(n, RECORD_CHAT_IMPORTED, OTHER, i, 1, "x"), OK);
    }
    rebuild(f, NEXT, BASE, 0, NULL);
    assert_int_equal(look_at(f, OTHER, 0).application, EXISTS_NEVER);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_IMPORTED, OTHER, 0, 1, "x"), OK);
    assert_int_equal(fake_one(n, RECORD_CHAT_IMPORTED, OTHER, 1, 1, "x"), OK);
    trim_all(f);
    assert_int_equal(fake_one(n, RECORD_IMPORT_ENDED, OTHER, 0, 1, NULL), OK);
    assert_int_equal(look_at(f, OTHER, 1).last_message, 1);
    assert_int_equal(look_at(f, OTHER, 2).chat_existence, EXISTS_NEVER);
}

static void the_new_epoch_begins_where_its_followers_stand(void **state)
{
    struct fixture *f = *state;
    struct position old = position_end(f);
    rebuild(f, NEXT, BASE, 0, give_lower_and_higher);
    struct position start = {.epoch = NEXT, .seq = BASE, .name = {NEXT, 0}};
    assert_int_equal(read_after(f, start), OK);
    assert_int_equal(f->entries.count, 0);
    assert_int_equal(read_after(f, old), ERR_DIVERGED);
    struct position early = start;
    early.seq--;
    assert_int_equal(read_after(f, early), ERR_DIVERGED);
    assert_int_equal(fake_message(&f->numbering, TOKEN, 1, "x"), 2);
    assert_int_equal(read_after(f, start), OK);
    assert_int_equal(f->entries.count, 1);
    assert_int_equal(f->entries.entry[0].seq, BASE + 1);
    assert_int_equal(journal_read_from(f->journal, SHARD, 0, 1, 1, &f->entries), OK);
    assert_int_equal(f->entries.entry[0].epoch, NEXT);
}

static void producers_and_keys_outlive_a_rebuild(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    fake_key(fake_group(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x"), 3, 1);
    assert_int_equal(fake_send(n), OK);
    rebuild(f, NEXT, BASE, 0, give_lower_and_higher);
    fake_key(fake_group(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x"), 3, 1);
    assert_int_equal(fake_send(n), OK);
    assert_true(n->groups[0].replayed);
    n->batch.sequence--;
    assert_int_equal(fake_resend(n), ERR_SEQUENCE);
}

static void a_rebuild_ends_only_in_place_of_its_own_mark(void **state)
{
    struct fixture *f = *state;
    struct journal_meta meta = {
        .data_set = 99, .shards = SHARDS, .shard = SHARD, .epoch = NEXT, .last_seq = BASE};
    assert_int_equal(journal_mark(f->journal, SHARD, 5, true), OK);
    assert_int_equal(journal_rebuild_begin(f->journal, SHARD, BASE), OK);
    give_lower_and_higher(f->journal);
    assert_int_equal(journal_rebuild_end(f->journal, 6, &meta), ERR_CONFLICT);
    assert_int_equal(meta_of(f).epoch, EPOCH);
    assert_int_equal(meta_of(f).mark, 5);
    struct look look = {.token = OTHER, .token_length = strlen(OTHER)};
    assert_int_equal(journal_rebuild_look(f->journal, SHARD, &look, 1), OK);
    assert_int_equal(look.application, EXISTS_NEVER);
}

static void a_rebuild_that_does_not_end_changes_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(journal_mark(f->journal, SHARD, 5, true), OK);
    assert_int_equal(journal_rebuild_begin(f->journal, SHARD, BASE), OK);
    give_lower_and_higher(f->journal);
    struct journal_options options = options_of(f);
    reopen(f, &options);
    assert_int_equal(meta_of(f).epoch, EPOCH);
    struct look looks[] = {{.token = TOKEN, .token_length = strlen(TOKEN), .chat = 2},
                           {.token = OTHER, .token_length = strlen(OTHER)}};
    assert_int_equal(journal_rebuild_look(f->journal, SHARD, looks, 2), OK);
    assert_int_equal(looks[0].chat_existence, EXISTS_NEVER);
    assert_int_equal(looks[1].application, EXISTS_NEVER);
    rebuild(f, NEXT, BASE, 0, give_lower_and_higher);
    assert_int_equal(look_at(f, TOKEN, 2).last_message, 20);
}

static void an_emptied_journal_is_rebuilt_from_what_is_given(void **state)
{
    struct fixture *f = *state;
    rebuild(f, NEXT, BASE, 0, give_lower_and_higher);
    assert_int_equal(meta_of(f).shards, SHARDS);
    f->numbering.batch.sequence = 0;
    assert_int_equal(fake_message(&f->numbering, TOKEN, 2, "x"), 21);
}

/* ---- many at once ---- */

enum { ROUNDS = 150 };

struct worker {
    struct fixture *f;
    int64_t times[ROUNDS];
    uint64_t seqs[ROUNDS], numbers[ROUNDS];
    int failures;
};

/* No asserts: this is not the test's own thread. */
static void *append_alone(void *context)
{
    struct worker *worker = context;
    struct journal_options options = options_of(worker->f);
    struct fake_numbering n;
    journal_t *journal;
    if (journal_open(&options, &journal) != OK) {
        worker->failures++;
        return NULL;
    }
    fake_numbering_start(&n, journal, SHARD, EPOCH);
    for (int i = 0; i < ROUNDS; i++) {
        worker->numbers[i] = fake_message(&n, TOKEN, 1, "x");
        worker->seqs[i] = n.batch.last_seq;
        worker->times[i] = n.groups[0].time;
        worker->failures += worker->numbers[i] == 0;
    }
    fake_numbering_stop(&n);
    journal_close(&journal);
    return NULL;
}

static void *trim_beside(void *context)
{
    struct worker *worker = context;
    struct journal_options options = options_of(worker->f);
    journal_t *journal;
    if (journal_open(&options, &journal) != OK) {
        worker->failures++;
        return NULL;
    }
    for (uint64_t seq = 0; seq < 2 * ROUNDS; seq += 7) {
        bool more;
        worker->failures += journal_trim(journal, SHARD, seq, &more) != OK;
    }
    journal_close(&journal);
    return NULL;
}

static void two_handles_at_once_stay_dense_and_in_one_order_of_time(void **state)
{
    struct fixture *f = *state;
    struct worker workers[3] = {{.f = f}, {.f = f}, {.f = f}};
    pthread_t threads[3];
    assert_int_equal(pthread_create(&threads[0], NULL, append_alone, &workers[0]), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, append_alone, &workers[1]), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, trim_beside, &workers[2]), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(workers[i].failures, 0);

    int64_t times[2 * ROUNDS + 1] = {0};
    for (int w = 0; w < 2; w++)
        for (int i = 0; i < ROUNDS; i++) {
            uint64_t number = workers[w].numbers[i];
            assert_in_range(number, 1, 2 * ROUNDS);
            assert_true(times[number] == 0);
            assert_int_equal(workers[w].seqs[i], number + 2);
            times[number] = workers[w].times[i];
        }
    for (int i = 2; i <= 2 * ROUNDS; i++)
        assert_true(times[i - 1] <= times[i]);
    assert_int_equal(look_at(f, TOKEN, 1).last_message, 2 * ROUNDS);
}

/* ---- reading beside a server ---- */

static void a_read_only_handle_looks_and_reads_whatever_the_run(void **state)
{
    struct fixture *f = *state;
    struct journal_options options = {.url = f->url, .read_only = true};
    struct fixture reader = {.journal = journal_of(&options)};
    assert_int_equal(look_at(&reader, TOKEN, 1).chat_existence, EXISTS);
    assert_int_equal(fake_message(&f->numbering, TOKEN, 1, "x"), 1);
    assert_int_equal(look_at(&reader, TOKEN, 1).last_message, 1);
    assert_int_equal(read_after(&reader, position_start()), OK);
    assert_int_equal(reader.entries.count, 3);
    assert_int_equal(meta_of(&reader).run, 0);
    entries_free(&reader.entries);
    journal_close(&reader.journal);
}

static void a_copy_made_in_use_is_a_journal_of_its_own(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fake_message(&f->numbering, TOKEN, 1, "x"), 1);
    char *path = text_of("%s/copy.db", f->folder);
    if (kind_is_redis()) { /* it has means of its own */
        assert_int_equal(journal_backup(f->journal, path), ERR_CONFIG);
        assert_non_null(strstr(journal_errmsg(f->journal), "confab hold"));
        return;
    }
    assert_int_equal(journal_backup(f->journal, path), OK);
    assert_int_equal(journal_backup(f->journal, path), ERR_EXISTS);
    assert_int_equal(fake_message(&f->numbering, TOKEN, 1, "x"), 2);
    struct journal_options options = {.url = text_of("sqlite:%s", path), .read_only = true};
    struct fixture copy = {.journal = journal_of(&options)};
    assert_int_equal(look_at(&copy, TOKEN, 1).last_message, 1);
    journal_close(&copy.journal);
}

int main(void)
{
#define TEST(test, up) cmocka_unit_test_setup_teardown(test, up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(numbers_after_a_rebuild_are_above_those_of_both, set_up_chat),
        TEST(what_only_the_journal_has_is_deleted, set_up_chat),
        TEST(an_import_is_still_unfinished_after_a_rebuild, set_up_chat),
        TEST(what_is_given_stays_although_the_lost_history_deleted_it, set_up_chat),
        TEST(an_import_that_only_a_lost_history_began_can_be_done_again, set_up),
        TEST(the_new_epoch_begins_where_its_followers_stand, set_up_chat),
        TEST(producers_and_keys_outlive_a_rebuild, set_up_chat),
        TEST(a_rebuild_ends_only_in_place_of_its_own_mark, set_up_chat),
        TEST(a_rebuild_that_does_not_end_changes_nothing, set_up_chat),
        TEST(an_emptied_journal_is_rebuilt_from_what_is_given, set_up_empty),
        TEST(two_handles_at_once_stay_dense_and_in_one_order_of_time, set_up_chat),
        TEST(a_read_only_handle_looks_and_reads_whatever_the_run, set_up_chat),
        TEST(a_copy_made_in_use_is_a_journal_of_its_own, set_up_chat),
    };
    return run_against_all("rebuild", tests, sizeof tests / sizeof *tests);
}
