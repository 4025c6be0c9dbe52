/* SPDX-License-Identifier: MIT */
/* contract_journal.c - what every journal promises to those who append.
 *
 * contract_journal_keys.c and contract_journal_log.c go on with this.
 */
#include <time.h>

#include "journal_fixture.h"

/* ---- numbers ---- */

static void a_shard_is_made_once(void **state)
{
    struct fixture *f = *state;
    struct journal_meta meta;
    bool found = true;
    assert_int_equal(journal_meta(f->journal, SHARD, &meta, &found), OK);
    assert_false(found);
    shard_make(f, SHARD, 0);
    assert_int_equal(
        journal_create(
            f->journal,
            &(struct journal_meta){.data_set = 1, .shards = SHARDS, .shard = SHARD, .epoch = 8}),
        ERR_EXISTS);
    meta = meta_of(f);
    assert_int_equal(meta.data_set, 99);
    assert_int_equal(meta.shards, SHARDS);
    assert_int_equal(meta.shard, SHARD);
    assert_int_equal(meta.epoch, EPOCH);
    assert_int_equal(meta.run, f->run);
    assert_int_equal(meta.last_seq, 0);
    assert_true(entry_name_equal(meta.last_name, (struct entry_name){EPOCH, 0}));
}

static void numbers_are_dense_in_each_chat(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fake_chat(&f->numbering, TOKEN), 2);
    assert_int_equal(fake_message(&f->numbering, TOKEN, 1, "a"), 1);
    assert_int_equal(fake_message(&f->numbering, TOKEN, 2, "b"), 1);
    assert_int_equal(fake_message(&f->numbering, TOKEN, 1, "c"), 2);
    assert_int_equal(fake_chat(&f->numbering, TOKEN), 3);
    assert_int_equal(fake_message(&f->numbering, TOKEN, 1, "d"), 3);
    assert_int_equal(meta_of(f).last_seq, 8);
}

static void a_group_of_many_takes_consecutive_numbers(void **state)
{
    struct fixture *f = *state;
    struct record_group *first = fake_messages(&f->numbering, TOKEN, 1, 5, "x");
    struct record_group *second = fake_messages(&f->numbering, TOKEN, 1, 3, "y");
    assert_int_equal(fake_send(&f->numbering), OK);
    assert_int_equal(first->first_number, 1);
    assert_int_equal(second->first_number, 6);
    assert_int_equal(f->numbering.batch.last_seq, 10);
    assert_int_equal(look_at(f, TOKEN, 1).last_message, 8);
}

static void one_batch_may_hold_all_types_and_chats(void **state)
{
    struct fixture *f = *state;
    fake_group(&f->numbering, RECORD_APPLICATION_CREATED, OTHER, 0, 0, "other");
    struct record_group *chat = fake_group(&f->numbering, RECORD_CHAT_CREATED, TOKEN, 0, 0, "");
    struct record_group *one = fake_messages(&f->numbering, TOKEN, 1, 2, "one");
    fake_group(&f->numbering, RECORD_APPLICATION_RENAMED, TOKEN, 0, 0, "new name");
    fake_group(&f->numbering, RECORD_CHAT_RENAMED, TOKEN, 1, 0, "new name");
    fake_group(&f->numbering, RECORD_CHAT_DELETED, TOKEN, 1, 0, NULL);
    assert_int_equal(fake_send(&f->numbering), OK);
    for (size_t i = 0; i < f->numbering.batch.count; i++) {
        assert_int_equal(f->numbering.groups[i].status, OK);
        assert_true(f->numbering.groups[i].time == one->time && one->time > 0);
    }
    assert_int_equal(chat->first_number, 2);
    assert_int_equal(one->first_number, 1);

    struct record record[16];
    assert_int_equal(read_records(f, record, 16), 9);
    assert_int_equal(record[2].type, RECORD_APPLICATION_CREATED);
    assert_int_equal(record[2].application_id, 3 * SHARDS + SHARD);
    assert_int_equal(record[3].chat, 2);
    assert_int_equal(record[5].number, 2);
    assert_int_equal(record[5].application_id, 1 * SHARDS + SHARD);
    assert_int_equal(record[8].type, RECORD_CHAT_DELETED);
    assert_int_equal(record[8].seq, 9);
}

static void what_is_not_there_is_refused_and_the_rest_is_written(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum record_type type;
        const char *token;
        uint64_t chat, number;
        status_t status;
    } cases[] = {
        {RECORD_CHAT_CREATED, OTHER, 0, 0, ERR_APPLICATION_NOT_FOUND},
        {RECORD_MESSAGE_CREATED, TOKEN, 1, 0, OK},
        {RECORD_MESSAGE_CREATED, OTHER, 1, 0, ERR_APPLICATION_NOT_FOUND},
        {RECORD_MESSAGE_CREATED, TOKEN, 2, 0, ERR_CHAT_NOT_FOUND},
        {RECORD_MESSAGE_CREATED, TOKEN, 0, 0, ERR_CHAT_NOT_FOUND},
        {RECORD_MESSAGE_CREATED, TOKEN, UINT64_C(1) << 32 | 1, 0, ERR_CHAT_NOT_FOUND},
        {RECORD_MESSAGE_CREATED, TOKEN, (UINT64_C(1) << 53) - 1, 0, ERR_CHAT_NOT_FOUND},
        {RECORD_APPLICATION_RENAMED, OTHER, 0, 0, ERR_APPLICATION_NOT_FOUND},
        {RECORD_CHAT_RENAMED, TOKEN, 2, 0, ERR_CHAT_NOT_FOUND},
        {RECORD_MESSAGE_EDITED, TOKEN, 1, 1, OK},
        {RECORD_MESSAGE_EDITED, TOKEN, 1, 0, ERR_MESSAGE_NOT_FOUND},
        {RECORD_MESSAGE_EDITED, TOKEN, 1, 3, ERR_MESSAGE_NOT_FOUND},
        {RECORD_MESSAGE_EDITED, TOKEN, 2, 1, ERR_CHAT_NOT_FOUND},
        {RECORD_APPLICATION_DELETED, OTHER, 0, 0, ERR_APPLICATION_NOT_FOUND},
        {RECORD_CHAT_DELETED, TOKEN, 2, 0, ERR_CHAT_NOT_FOUND},
        {RECORD_CHAT_DELETED, OTHER, 1, 0, ERR_APPLICATION_NOT_FOUND},
        {RECORD_MESSAGE_DELETED, TOKEN, 1, 3, ERR_MESSAGE_NOT_FOUND},
        {RECORD_MESSAGE_DELETED, TOKEN, 1, 1, OK},
    };
    enum { CASES = sizeof cases / sizeof *cases };
    /* Apart, since an edit may or may not see a creation of its own batch. */
    assert_int_equal(fake_message(&f->numbering, TOKEN, 1, "first"), 1);
    for (size_t i = 0; i < CASES; i++)
        fake_group(&f->numbering, cases[i].type, cases[i].token, cases[i].chat, cases[i].number,
                   "text");
    assert_int_equal(fake_send(&f->numbering), OK);
    for (size_t i = 0; i < CASES; i++) {
        const struct record_group *group = &f->numbering.groups[i];
        if (group->status != cases[i].status)
            fail_msg("case %zu: %s", i, status_name(group->status));
        if (group->type == RECORD_MESSAGE_CREATED)
            assert_int_equal(group->first_number, group->status == OK ? 2 : 0);
    }
    assert_int_equal(f->numbering.batch.last_seq, 6);
    struct record record[8];
    assert_int_equal(read_records(f, record, 8), 6);
    assert_int_equal(record[5].type, RECORD_MESSAGE_DELETED);
}

static void a_token_is_given_once_and_never_again(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    assert_int_equal(fake_one(n, RECORD_APPLICATION_CREATED, TOKEN, 0, 0, "again"), ERR_EXISTS);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_DELETED, TOKEN, 0, 0, NULL), OK);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_CREATED, TOKEN, 0, 0, "again"), ERR_EXISTS);
    fake_group(n, RECORD_APPLICATION_CREATED, OTHER, 0, 0, "one");
    fake_group(n, RECORD_APPLICATION_CREATED, OTHER, 0, 0, "two");
    assert_int_equal(fake_send(n), OK);
    assert_int_equal(n->groups[0].status, OK);
    assert_int_equal(n->groups[1].status, ERR_EXISTS);
    assert_memory_equal(n->groups[0].result_token, OTHER, strlen(OTHER));
    assert_int_equal(n->groups[0].result_token_length, strlen(OTHER));
}

/* ---- deletions ---- */

static void deleting_again_is_fine_and_writes_nothing(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    assert_int_equal(fake_one(n, RECORD_CHAT_DELETED, TOKEN, 1, 0, NULL), OK);
    uint64_t seq = meta_of(f).last_seq;
    assert_int_equal(fake_one(n, RECORD_CHAT_DELETED, TOKEN, 1, 0, NULL), OK);
    assert_int_equal(meta_of(f).last_seq, seq);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_DELETED, TOKEN, 0, 0, NULL), OK);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_DELETED, TOKEN, 0, 0, NULL), OK);
    assert_int_equal(meta_of(f).last_seq, seq + 1);
}

static void nothing_is_there_below_what_was_deleted(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    assert_int_equal(fake_message(n, TOKEN, 1, "x"), 1);
    assert_int_equal(fake_one(n, RECORD_CHAT_DELETED, TOKEN, 1, 0, NULL), OK);
    assert_int_equal(fake_one(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x"), ERR_CHAT_NOT_FOUND);
    assert_int_equal(fake_one(n, RECORD_MESSAGE_DELETED, TOKEN, 1, 1, NULL), ERR_CHAT_NOT_FOUND);
    assert_int_equal(fake_one(n, RECORD_CHAT_RENAMED, TOKEN, 1, 0, "x"), ERR_CHAT_NOT_FOUND);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_DELETED, TOKEN, 0, 0, NULL), OK);
    assert_int_equal(fake_one(n, RECORD_CHAT_CREATED, TOKEN, 0, 0, "x"), ERR_APPLICATION_NOT_FOUND);
    assert_int_equal(fake_one(n, RECORD_CHAT_DELETED, TOKEN, 1, 0, NULL),
                     ERR_APPLICATION_NOT_FOUND);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_RENAMED, TOKEN, 0, 0, "x"),
                     ERR_APPLICATION_NOT_FOUND);
}

static void a_deleted_number_is_never_given_again(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    assert_int_equal(fake_message(n, TOKEN, 1, "x"), 1);
    assert_int_equal(fake_one(n, RECORD_MESSAGE_DELETED, TOKEN, 1, 1, NULL), OK);
    assert_int_equal(fake_message(n, TOKEN, 1, "x"), 2);
    assert_int_equal(fake_one(n, RECORD_CHAT_DELETED, TOKEN, 1, 0, NULL), OK);
    assert_int_equal(fake_chat(n, TOKEN), 2);
    assert_int_equal(fake_message(n, TOKEN, 2, "x"), 1);
}

/* What a batch creates, the same batch may delete. */
static void deletions_of_a_batch_come_last(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    struct record_group *chat = fake_group(n, RECORD_CHAT_CREATED, TOKEN, 0, 0, "");
    struct record_group *message = fake_group(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x");
    fake_group(n, RECORD_APPLICATION_DELETED, TOKEN, 0, 0, NULL);
    assert_int_equal(fake_send(n), OK);
    assert_int_equal(chat->first_number, 2);
    assert_int_equal(message->first_number, 1);
    assert_int_equal(fake_message(n, TOKEN, 1, "x"), 0);
    assert_int_equal(look_at(f, TOKEN, 2).application, EXISTS_DELETED);
}

/* ---- time ---- */

static void time_never_goes_back_even_if_the_clock_does(void **state)
{
    struct fixture *f = *state;
    int64_t future = INT64_C(4000000000000000);
    shard_make(f, SHARD, future);
    assert_int_equal(fake_one(&f->numbering, RECORD_APPLICATION_CREATED, TOKEN, 0, 0, "x"), OK);
    assert_true(f->numbering.groups[0].time == future);
    assert_int_equal(fake_chat(&f->numbering, TOKEN), 1);
    assert_true(f->numbering.groups[0].time == future);
    assert_true(meta_of(f).last_time == future);
    assert_true(meta_of(f).clock < future);
}

static void a_batch_has_one_time_by_the_journals_clock(void **state)
{
    struct fixture *f = *state;
    int64_t before = (int64_t) time(NULL) * 1000000;
    struct record_group *group = fake_messages(&f->numbering, TOKEN, 1, 3, "x");
    assert_int_equal(fake_send(&f->numbering), OK);
    assert_true(group->time >= before && group->time <= before + 60 * 1000000);
    assert_true(meta_of(f).last_time == group->time);
    struct record record[8];
    assert_int_equal(read_records(f, record, 8), 5);
    assert_true(record[2].time == group->time && record[4].time == group->time);
}

/* ---- who may append ---- */

static void an_append_to_nothing_or_to_another_epoch_is_refused(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    fake_group(n, RECORD_APPLICATION_CREATED, TOKEN, 0, 0, "x");
    assert_int_equal(fake_send(n), ERR_EPOCH);
    shard_make(f, SHARD, 0);
    n->batch.epoch = EPOCH + 1;
    assert_int_equal(fake_resend(n), ERR_EPOCH);
    n->batch.epoch = EPOCH;
    assert_int_equal(fake_resend(n), OK);
}

static void a_closed_shard_takes_no_appends(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(journal_mark(f->journal, SHARD, 5, false), OK);
    assert_int_equal(fake_one(&f->numbering, RECORD_CHAT_CREATED, TOKEN, 0, 0, ""), ERR_CLOSED);
    assert_int_equal(meta_of(f).last_seq, 2);
    assert_int_equal(meta_of(f).mark, 5);
}

static void a_run_that_was_not_checked_takes_no_appends(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    uint64_t before = f->run;
    another_run(f);
    assert_int_not_equal(f->run, before);
    fake_group(n, RECORD_CHAT_CREATED, TOKEN, 0, 0, "");
    assert_int_equal(fake_send(n), ERR_UNCHECKED);
    assert_int_equal(journal_checked(f->journal, SHARD, before + 5, f->run), ERR_CONFLICT);
    assert_int_equal(fake_resend(n), ERR_UNCHECKED);
    assert_int_equal(journal_checked(f->journal, SHARD, before, f->run), OK);
    assert_int_equal(fake_resend(n), OK);
    assert_int_equal(meta_of(f).checked, f->run);
}

static void shards_of_one_journal_know_nothing_of_each_other(void **state)
{
    struct fixture *f = *state;
    shard_make(f, 2, 0);
    struct fake_numbering other;
    fake_numbering_start(&other, f->journal, 2, EPOCH);
    other.batch.producer = f->numbering.batch.producer;
    assert_int_equal(fake_one(&other, RECORD_APPLICATION_CREATED, "of_shard_2_05", 0, 0, "x"), OK);
    assert_int_equal(journal_mark(f->journal, 2, 5, false), OK);
    assert_int_equal(meta_of(f).last_seq, 2);
    assert_int_equal(fake_message(&f->numbering, TOKEN, 1, "x"), 1);
    struct record record[4];
    assert_int_equal(read_records(f, record, 4), 3);
    fake_numbering_stop(&other);
}

int main(void)
{
#define TEST(test, up) cmocka_unit_test_setup_teardown(test, up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_shard_is_made_once, set_up_empty),
        TEST(numbers_are_dense_in_each_chat, set_up_chat),
        TEST(a_group_of_many_takes_consecutive_numbers, set_up_chat),
        TEST(one_batch_may_hold_all_types_and_chats, set_up_chat),
        TEST(what_is_not_there_is_refused_and_the_rest_is_written, set_up_chat),
        TEST(a_token_is_given_once_and_never_again, set_up_chat),
        TEST(deleting_again_is_fine_and_writes_nothing, set_up_chat),
        TEST(nothing_is_there_below_what_was_deleted, set_up_chat),
        TEST(a_deleted_number_is_never_given_again, set_up_chat),
        TEST(deletions_of_a_batch_come_last, set_up_chat),
        TEST(time_never_goes_back_even_if_the_clock_does, set_up_empty),
        TEST(a_batch_has_one_time_by_the_journals_clock, set_up_chat),
        TEST(an_append_to_nothing_or_to_another_epoch_is_refused, set_up_empty),
        TEST(a_closed_shard_takes_no_appends, set_up_chat),
        TEST(a_run_that_was_not_checked_takes_no_appends, set_up_chat),
        TEST(shards_of_one_journal_know_nothing_of_each_other, set_up_chat),
    };
    return run_against_all("append", tests, sizeof tests / sizeof *tests);
}
