/* SPDX-License-Identifier: MIT */
/* contract_journal_keys.c - repeats: producers, idempotency keys, imports. */
#include "journal_fixture.h"

/* ---- producers ---- */

static void a_batch_sent_again_gets_the_stored_reply(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    fake_key(fake_group(n, RECORD_APPLICATION_CREATED, OTHER, 0, 0, "x"), 1, 1);
    fake_key(fake_group(n, RECORD_CHAT_CREATED, TOKEN, 0, 0, "x"), 2, 1);
    fake_key(fake_group(n, RECORD_CHAT_CREATED, TOKEN, 0, 0, "x"), 2, 1);
    fake_key(fake_group(n, RECORD_CHAT_CREATED, TOKEN, 0, 0, "x"), 2, 7);
    fake_messages(n, TOKEN, 1, 3, "x");
    fake_group(n, RECORD_MESSAGE_CREATED, TOKEN, 9, 0, "x");
    fake_group(n, RECORD_CHAT_DELETED, TOKEN, 1, 0, NULL);
    assert_int_equal(fake_send(n), OK);
    struct record_group first[7];
    memcpy(first, n->groups, sizeof first);
    assert_true(first[2].replayed);
    uint64_t seq = meta_of(f).last_seq;

    for (int again = 0; again < 2; again++) {
        assert_int_equal(fake_resend(n), OK);
        for (size_t i = 0; i < 7; i++) {
            const struct record_group *group = &n->groups[i];
            assert_int_equal(group->status, first[i].status);
            assert_int_equal(group->replayed, first[i].replayed);
            assert_int_equal(group->first_number, first[i].first_number);
            assert_true(group->time == first[i].time);
            assert_int_equal(group->result_token_length, first[i].result_token_length);
            assert_memory_equal(group->result_token, first[i].result_token,
                                group->result_token_length);
        }
        struct journal_options options = options_of(f);
        reopen(f, &options);
    }
    assert_int_equal(meta_of(f).last_seq, seq);
    assert_int_equal(fake_chat(n, TOKEN), 3);
}

static void the_reply_is_stored_also_if_all_was_refused(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    assert_int_equal(fake_message(n, OTHER, 1, "x"), 0);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_CREATED, OTHER, 0, 0, "x"), OK);
    assert_int_equal(fake_chat(n, OTHER), 1);
    fake_group(n, RECORD_MESSAGE_CREATED, OTHER, 2, 0, "x");
    assert_int_equal(fake_send(n), OK);
    assert_int_equal(n->groups[0].status, ERR_CHAT_NOT_FOUND);
    struct fake_numbering twin;
    fake_numbering_start(&twin, f->journal, SHARD, EPOCH);
    assert_int_equal(fake_chat(&twin, OTHER), 2);
    fake_numbering_stop(&twin);
    assert_int_equal(fake_resend(n), OK);
    assert_int_equal(n->groups[0].status, ERR_CHAT_NOT_FOUND);
}

static void a_lower_sequence_is_refused(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    assert_int_equal(fake_message(n, TOKEN, 1, "x"), 1);
    n->batch.sequence--;
    assert_int_equal(fake_resend(n), ERR_SEQUENCE);
    assert_int_equal(meta_of(f).mark, 0);
    n->batch.sequence++;
    assert_int_equal(fake_message(n, TOKEN, 1, "x"), 2);
}

static void a_gap_in_the_sequence_closes_the_shard(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    n->batch.sequence++;
    fake_group(n, RECORD_CHAT_CREATED, TOKEN, 0, 0, "x");
    assert_int_equal(fake_send(n), ERR_SEQUENCE);
    assert_int_not_equal(meta_of(f).mark, 0);
    assert_int_equal(meta_of(f).last_seq, 2);
    assert_int_equal(fake_resend(n), ERR_CLOSED);
}

static void an_unknown_producer_begins_at_one(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    n->batch.producer = journal_random();
    n->batch.sequence = 0;
    assert_int_equal(fake_chat(n, TOKEN), 2);
    n->batch.producer = journal_random();
    fake_group(n, RECORD_CHAT_CREATED, TOKEN, 0, 0, "x");
    assert_int_equal(fake_send(n), ERR_SEQUENCE);
    assert_int_not_equal(meta_of(f).mark, 0);
}

static void trim_all(struct fixture *f)
{
    bool more = true;
    while (more)
        assert_int_equal(journal_trim(f->journal, SHARD, 0, &more), OK);
}

/* A clock that leaps must not make the one that works look as if history was lost. */
static void a_producer_is_forgotten_after_a_day_but_never_the_last(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    uint64_t first = n->batch.producer;
    int64_t now = meta_of(f).last_time;
    rebuild(f, EPOCH + 1, 1000, now + 3 * DAY_US, NULL);
    trim_all(f);
    fake_group(n, RECORD_APPLICATION_CREATED, OTHER, 0, 0, "x");
    assert_int_equal(fake_send(n), OK);

    n->batch.producer = first + 1;
    n->batch.sequence = 0;
    rebuild(f, EPOCH + 2, 2000, now + 4 * DAY_US, NULL);
    assert_int_equal(fake_send(n), OK);
    assert_int_equal(n->groups[0].status, ERR_EXISTS);
    rebuild(f, EPOCH + 3, 3000, now + 7 * DAY_US, NULL);
    trim_all(f);
    n->batch.producer = first;
    n->batch.sequence = 0;
    assert_int_equal(fake_send(n), OK);
    assert_int_equal(n->groups[0].status, ERR_EXISTS);
}

/* ---- keys ---- */

static void a_key_stands_for_what_it_created(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    fake_key(fake_group(n, RECORD_APPLICATION_CREATED, OTHER, 0, 0, "x"), 1, 1);
    fake_key(fake_group(n, RECORD_CHAT_CREATED, TOKEN, 0, 0, "x"), 2, 1);
    fake_key(fake_group(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x"), 3, 1);
    assert_int_equal(fake_send(n), OK);
    int64_t time = n->groups[0].time;
    uint64_t seq = meta_of(f).last_seq;

    /* Another token, as a repeated POST would draw it. */
    fake_key(fake_group(n, RECORD_APPLICATION_CREATED, "another_1", 0, 0, "x"), 1, 1);
    fake_key(fake_group(n, RECORD_CHAT_CREATED, TOKEN, 0, 0, "x"), 2, 1);
    fake_key(fake_group(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x"), 3, 1);
    assert_int_equal(fake_send(n), OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(n->groups[i].status, OK);
        assert_true(n->groups[i].replayed);
        assert_true(n->groups[i].time == time);
    }
    assert_int_equal(n->groups[0].result_token_length, strlen(OTHER));
    assert_memory_equal(n->groups[0].result_token, OTHER, strlen(OTHER));
    assert_int_equal(n->groups[1].first_number, 2);
    assert_int_equal(n->groups[2].first_number, 1);
    assert_int_equal(meta_of(f).last_seq, seq);
}

static void a_key_twice_in_one_batch_creates_once(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    for (int i = 0; i < 3; i++)
        fake_key(fake_group(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x"), 3, i < 2 ? 1 : 2);
    assert_int_equal(fake_send(n), OK);
    assert_int_equal(n->groups[0].first_number, 1);
    assert_false(n->groups[0].replayed);
    assert_int_equal(n->groups[1].first_number, 1);
    assert_true(n->groups[1].replayed);
    assert_int_equal(n->groups[2].status, ERR_KEY_REUSED);
    assert_int_equal(fake_message(n, TOKEN, 1, "x"), 2);
}

static status_t keyed(struct fake_numbering *n, enum record_type type, const char *token,
                      uint64_t chat, uint8_t key, uint8_t request)
{
    fake_key(fake_group(n, type, token, chat, 0, "x"), key, request);
    status_t status = fake_send(n);
    return status == OK ? n->groups[0].status : status;
}

static void a_key_used_for_another_request_is_refused(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    assert_int_equal(keyed(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 3, 1), OK);
    assert_int_equal(keyed(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 3, 2), ERR_KEY_REUSED);
    assert_int_equal(n->groups[0].first_number, 0);
    assert_int_equal(look_at(f, TOKEN, 1).last_message, 1);
}

static void a_refused_group_leaves_no_key(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    assert_int_equal(keyed(n, RECORD_MESSAGE_CREATED, TOKEN, 2, 3, 1), ERR_CHAT_NOT_FOUND);
    assert_int_equal(fake_chat(n, TOKEN), 2);
    assert_int_equal(keyed(n, RECORD_MESSAGE_CREATED, TOKEN, 2, 3, 2), OK);
    assert_false(n->groups[0].replayed);
}

static void a_key_below_what_was_deleted_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    assert_int_equal(keyed(n, RECORD_APPLICATION_CREATED, OTHER, 0, 1, 1), OK);
    assert_int_equal(keyed(n, RECORD_CHAT_CREATED, OTHER, 0, 2, 1), OK);
    assert_int_equal(keyed(n, RECORD_MESSAGE_CREATED, OTHER, 1, 3, 1), OK);
    assert_int_equal(fake_one(n, RECORD_CHAT_DELETED, OTHER, 1, 0, NULL), OK);
    assert_int_equal(keyed(n, RECORD_MESSAGE_CREATED, OTHER, 1, 3, 9), ERR_CHAT_NOT_FOUND);
    assert_int_equal(keyed(n, RECORD_CHAT_CREATED, OTHER, 0, 2, 1), OK);
    assert_true(n->groups[0].replayed && n->groups[0].first_number == 1);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_DELETED, OTHER, 0, 0, NULL), OK);
    assert_int_equal(keyed(n, RECORD_CHAT_CREATED, OTHER, 0, 2, 1), ERR_APPLICATION_NOT_FOUND);
    assert_int_equal(keyed(n, RECORD_APPLICATION_CREATED, "another_1", 0, 1, 1), OK);
    assert_true(n->groups[0].replayed);
}

static void at_keys_max_keyed_groups_are_refused_and_others_not(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    struct journal_options options = options_of(f);
    options.keys_max = 2;
    reopen(f, &options);
    for (uint8_t i = 0; i < 3; i++)
        fake_key(fake_group(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x"), i, 1);
    fake_group(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x");
    assert_int_equal(fake_send(n), OK);
    assert_int_equal(n->groups[1].first_number, 2);
    assert_int_equal(n->groups[2].status, ERR_KEYS_FULL);
    assert_int_equal(n->groups[3].first_number, 3);
    assert_int_equal(keyed(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, 1), OK);
    assert_true(n->groups[0].replayed);
    assert_int_equal(keyed(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, 2), ERR_KEY_REUSED);
}

static void give_chat(journal_t *journal)
{
    const char *token = TOKEN;
    assert_int_equal(journal_rebuild_application(journal, token, strlen(token), 5, EXISTS, 1), OK);
    assert_int_equal(journal_rebuild_chat(journal, token, strlen(token), 1, 0), OK);
}

static void a_key_is_forgotten_after_a_day(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    struct journal_options options = options_of(f);
    options.keys_max = 3;
    reopen(f, &options);
    int64_t now = meta_of(f).last_time;
    for (uint8_t i = 0; i < 3; i++)
        assert_int_equal(keyed(n, RECORD_MESSAGE_CREATED, TOKEN, 1, i, 1), OK);
    rebuild(f, EPOCH + 1, 1000, now + DAY_US - 60000000, give_chat);
    assert_int_equal(keyed(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, 1), OK);
    assert_true(n->groups[0].replayed);
    rebuild(f, EPOCH + 2, 2000, now + DAY_US + 60000000, give_chat);
    assert_int_equal(keyed(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 2, 5), OK);
    assert_false(n->groups[0].replayed);
    assert_int_equal(n->groups[0].first_number, 4);
    trim_all(f);
    for (uint8_t i = 0; i < 2; i++)
        assert_int_equal(keyed(n, RECORD_MESSAGE_CREATED, TOKEN, 1, i, 5), OK);
    assert_int_equal(n->groups[0].first_number, 6);
    assert_int_equal(keyed(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 9, 5), ERR_KEYS_FULL);
}

/* ---- imports ---- */

static void an_import_is_invisible_until_it_ends(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    int64_t time = meta_of(f).last_time;
    assert_int_equal(fake_one(n, RECORD_APPLICATION_IMPORTED, OTHER, 0, 7, "x"), OK);
    assert_int_equal(look_at(f, OTHER, 0).application, EXISTS_NEVER);
    assert_int_equal(fake_one(n, RECORD_CHAT_CREATED, OTHER, 0, 0, "x"), ERR_APPLICATION_NOT_FOUND);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_DELETED, OTHER, 0, 0, NULL),
                     ERR_APPLICATION_NOT_FOUND);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_CREATED, OTHER, 0, 0, "x"), ERR_EXISTS);
    fake_group(n, RECORD_CHAT_IMPORTED, OTHER, 2, 9, "x");
    const uint64_t numbers[] = {3, 4, 8};
    fake_imported(n, OTHER, 2, numbers, 3);
    assert_int_equal(fake_send(n), OK);
    assert_int_equal(n->groups[1].status, OK);
    assert_int_equal(fake_one(n, RECORD_IMPORT_ENDED, OTHER, 0, 7, NULL), OK);
    assert_true(meta_of(f).last_time == time);

    struct look look = look_at(f, OTHER, 2);
    assert_int_equal(look.application, EXISTS);
    assert_int_equal(look.last_chat, 7);
    assert_int_equal(look.last_message, 9);
    assert_int_equal(look.application_change, meta_of(f).last_seq);
    assert_int_equal(look.chat_change, meta_of(f).last_seq);
    assert_int_equal(look_at(f, OTHER, 1).chat_existence, EXISTS_DELETED);
    assert_int_equal(fake_message(n, OTHER, 2, "x"), 10);
    assert_int_equal(fake_chat(n, OTHER), 8);
    assert_true(meta_of(f).last_time >= time);
}

static void imported_numbers_ascend_and_stay_below_two_to_the_32(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    const uint64_t big = UINT64_C(1) << 32;
    assert_int_equal(fake_one(n, RECORD_APPLICATION_IMPORTED, OTHER, 0, big, "x"), ERR_DATA);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_IMPORTED, OTHER, 0, 0, "x"), OK);
    assert_int_equal(fake_one(n, RECORD_CHAT_IMPORTED, OTHER, big, 0, "x"), ERR_DATA);
    assert_int_equal(fake_one(n, RECORD_CHAT_IMPORTED, OTHER, 2, big, "x"), ERR_DATA);
    assert_int_equal(fake_one(n, RECORD_CHAT_IMPORTED, OTHER, 0, 0, "x"), ERR_DATA);
    assert_int_equal(fake_one(n, RECORD_CHAT_IMPORTED, OTHER, 2, 0, "x"), OK);
    assert_int_equal(fake_one(n, RECORD_CHAT_IMPORTED, OTHER, 2, 0, "x"), ERR_DATA);
    assert_int_equal(fake_one(n, RECORD_CHAT_IMPORTED, OTHER, 1, 0, "x"), ERR_DATA);
    assert_int_equal(fake_one(n, RECORD_MESSAGE_IMPORTED, OTHER, 3, 1, "x"), ERR_CHAT_NOT_FOUND);
    assert_int_equal(fake_one(n, RECORD_MESSAGE_IMPORTED, OTHER, 2, big, "x"), ERR_DATA);
    assert_int_equal(fake_one(n, RECORD_MESSAGE_IMPORTED, OTHER, 2, 5, "x"), OK);
    assert_int_equal(fake_one(n, RECORD_MESSAGE_IMPORTED, OTHER, 2, 5, "x"), ERR_DATA);
    assert_int_equal(fake_one(n, RECORD_MESSAGE_IMPORTED, OTHER, 2, 6, "x"), OK);
    assert_int_equal(fake_one(n, RECORD_CHAT_IMPORTED, OTHER, 4, 0, "x"), OK);
    assert_int_equal(fake_one(n, RECORD_IMPORT_ENDED, OTHER, 0, 0, NULL), OK);
    struct look look = look_at(f, OTHER, 2);
    assert_int_equal(look.last_chat, 4);
    assert_int_equal(look.last_message, 6);
    assert_int_equal(fake_one(n, RECORD_IMPORT_ENDED, OTHER, 0, 0, NULL),
                     ERR_APPLICATION_NOT_FOUND);
    assert_int_equal(fake_one(n, RECORD_MESSAGE_IMPORTED, OTHER, 2, 9, "x"),
                     ERR_APPLICATION_NOT_FOUND);
}

static void an_import_into_a_token_that_is_taken_is_refused(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    assert_int_equal(fake_one(n, RECORD_APPLICATION_IMPORTED, TOKEN, 0, 0, "x"), ERR_EXISTS);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_DELETED, TOKEN, 0, 0, NULL), OK);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_IMPORTED, TOKEN, 0, 0, "x"), ERR_EXISTS);
}

static void an_unfinished_import_is_replaced_by_the_next(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    assert_int_equal(fake_one(n, RECORD_APPLICATION_IMPORTED, OTHER, 0, 50, "x"), OK);
    for (uint64_t chat = 1; chat <= 20; chat++)
        assert_int_equal(fake_one(n, RECORD_CHAT_IMPORTED, OTHER, chat, 5, "x"), OK);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_IMPORTED, OTHER, 0, 2, "x"), OK);
    uint64_t id = meta_of(f).last_seq * SHARDS + SHARD;
    assert_int_equal(fake_one(n, RECORD_CHAT_IMPORTED, OTHER, 1, 0, "x"), OK);
    assert_int_equal(fake_one(n, RECORD_IMPORT_ENDED, OTHER, 0, 2, NULL), OK);
    trim_all(f);
    struct look look = look_at(f, OTHER, 1);
    assert_int_equal(look.application_id, id);
    assert_int_equal(look.last_chat, 2);
    assert_int_equal(look.last_message, 0);
    assert_int_equal(look_at(f, OTHER, 2).chat_existence, EXISTS_DELETED);
    assert_int_equal(look_at(f, OTHER, 3).chat_existence, EXISTS_NEVER);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up_chat, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_batch_sent_again_gets_the_stored_reply),
        TEST(the_reply_is_stored_also_if_all_was_refused),
        TEST(a_lower_sequence_is_refused),
        TEST(a_gap_in_the_sequence_closes_the_shard),
        TEST(an_unknown_producer_begins_at_one),
        TEST(a_producer_is_forgotten_after_a_day_but_never_the_last),
        TEST(a_key_stands_for_what_it_created),
        TEST(a_key_twice_in_one_batch_creates_once),
        TEST(a_key_used_for_another_request_is_refused),
        TEST(a_refused_group_leaves_no_key),
        TEST(a_key_below_what_was_deleted_is_not_found),
        TEST(at_keys_max_keyed_groups_are_refused_and_others_not),
        TEST(a_key_is_forgotten_after_a_day),
        TEST(an_import_is_invisible_until_it_ends),
        TEST(imported_numbers_ascend_and_stay_below_two_to_the_32),
        TEST(an_import_into_a_token_that_is_taken_is_refused),
        TEST(an_unfinished_import_is_replaced_by_the_next),
    };
    return run_against_all("repeats", tests, sizeof tests / sizeof *tests);
}
