/* SPDX-License-Identifier: MIT */
/* contract_store_upkeep.c - what every store must do: purges, counts, verify, backup. */
#include "store_fixture.h"

/* ---- purges ---- */

static void a_deleted_chat_goes_by_slices(void **state)
{
    struct fixture *f = *state;
    populate(f, 2500);
    apply_one(f, record_message_created(A, 1, 2, 1, "stays"));
    apply_one(f, record_of(RECORD_CHAT_DELETED, A, 1, 1, 0, NULL));
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM messages"), 2501);
    verify_nothing(f, false);
    assert_in_range(purge_all(f), 3, 10);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM messages"), 1);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM chats"), 1);
    verify_nothing(f, false);
}

static void a_deleted_application_goes_but_for_its_row(void **state)
{
    struct fixture *f = *state;
    populate(f, 1500);
    struct record *records = calloc(1200, sizeof *records);
    for (size_t i = 0; i < 600; i++) {
        records[2 * i] = record_chat_created(A, 1, 3 + i, "");
        records[2 * i + 1] = record_message_created(A, 1, 3 + i, 1, "one");
    }
    apply(f, records, 1200);
    free(records);
    apply_one(f, record_of(RECORD_CHAT_DELETED, A, 1, 2, 0, NULL));
    apply_one(f, record_of(RECORD_APPLICATION_DELETED, A, 1, 0, 0, NULL));
    apply_one(f, record_application_created(B, 2, "another"));
    apply_one(f, record_chat_created(B, 2, 1, ""));
    apply_one(f, record_message_created(B, 2, 1, 1, "stays"));
    assert_in_range(purge_all(f), 3, 10);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM messages"), 1);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM chats"), 1);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM applications"), 2);
    assert_int_equal(number_in(f, "SELECT LENGTH(name) FROM applications WHERE id = 1"), 0);
    verify_nothing(f, false);
}

static void indexing_marks_its_part_of_a_purge(void **state)
{
    struct fixture *f = *state;
    struct purge purge;
    bool found;
    populate(f, 1);
    apply_one(f, record_of(RECORD_CHAT_DELETED, A, 1, 2, 0, NULL));
    uint64_t first = f->position.seq;
    apply_one(f, record_of(RECORD_CHAT_DELETED, A, 1, 1, 0, NULL));
    assert_int_equal(store_purge_next_indexing(f->store, 0, 1, &purge, &found), OK);
    assert_true(found && purge.application_id == 1 && purge.chat == 2 && purge.seq == first);
    assert_int_equal(store_purge_done_indexing(f->store, &purge), OK);
    assert_int_equal(store_purge_next_indexing(f->store, 0, 1, &purge, &found), OK);
    assert_true(found && purge.chat == 1);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM purges"), 2);
    purge_all(f);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM purges"), 1);
    assert_int_equal(store_purge_done_indexing(f->store, &purge), OK);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM purges"), 0);
    assert_int_equal(store_purge_next_indexing(f->store, 0, 1, &purge, &found), OK);
    assert_false(found);
}

/* An older copy of the index reads the log again, and with it creations in a chat
 * whose purge was over. */
static void a_purge_that_was_over_can_be_done_again_by_indexing(void **state)
{
    struct fixture *f = *state;
    struct purge purge = {.application_id = 1, .chat = 1};
    bool found;
    populate(f, 3);
    apply_one(f, record_of(RECORD_CHAT_DELETED, A, 1, 1, 0, NULL));
    purge.seq = f->position.seq;
    assert_int_equal(store_purge_again_indexing(f->store, &purge), OK);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM purges WHERE store_done = 0"), 1);
    purge_all(f);
    assert_int_equal(store_purge_done_indexing(f->store, &purge), OK);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM purges"), 0);

    assert_int_equal(store_purge_again_indexing(f->store, &purge), OK);
    assert_int_equal(store_purge_next_indexing(f->store, 0, 1, &purge, &found), OK);
    assert_true(found && purge.application_id == 1 && purge.chat == 1);
    assert_int_equal(store_purge_done_indexing(f->store, &purge), OK);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM purges"), 0);
}

static void a_shard_purges_its_own(void **state)
{
    struct fixture *f = *state;
    populate(f, 1); /* application 1 is of shard 1 of 2 */
    apply_one(f, record_of(RECORD_APPLICATION_DELETED, A, 1, 0, 0, NULL));
    bool more, found;
    struct purge purge;
    assert_int_equal(store_purge(f->store, 0, 2, &more), OK);
    assert_false(more);
    assert_int_equal(store_purge_next_indexing(f->store, 0, 2, &purge, &found), OK);
    assert_false(found);
    assert_int_equal(store_purge(f->store, 1, 2, &more), OK);
    assert_true(more);
}

/* ---- counts ---- */

static void counts_are_last_less_deleted(void **state)
{
    struct fixture *f = *state;
    populate(f, 5);
    assert_int_equal(chat_item(f, 1).count, 0);
    count(f, 1, 5);
    count(f, 0, 2);
    assert_int_equal(chat_item(f, 1).count, 5);
    assert_int_equal(chat_item(f, 1).last, 5);
    count(f, 2, 0);
    assert_int_equal(application_item(f).count, 2);
    verify_nothing(f, true);

    apply_one(f, record_of(RECORD_MESSAGE_DELETED, A, 1, 1, 2, NULL));
    apply_one(f, record_of(RECORD_CHAT_DELETED, A, 1, 2, 0, NULL));
    count(f, 1, 4); /* an old idea of the last number does no harm */
    count(f, 0, 1);
    assert_int_equal(chat_item(f, 1).count, 4);
    assert_int_equal(chat_item(f, 1).last, 5);
    assert_int_equal(application_item(f).count, 1);
    assert_int_equal(application_item(f).last, 2);
    verify_nothing(f, true);
}

static void counts_move_their_position_or_do_nothing(void **state)
{
    struct fixture *f = *state;
    struct position before = f->position;
    populate(f, 5);
    struct count one = {.application_id = 1, .chat = 1, .last = 5};
    struct position wrong = before;
    wrong.seq = 1;
    assert_int_equal(store_counts(f->store, 0, &wrong, &f->position, &one, 1), ERR_CONFLICT);
    assert_int_equal(chat_item(f, 1).count, 0);
    assert_int_equal(store_counts(f->store, 0, &before, &f->position, &one, 1), OK);
    struct position now = position_of(f, FOLLOWER_COUNTING);
    assert_true(position_equal(&now, &f->position));
    assert_int_equal(store_counts(f->store, 0, &now, &now, &one, 1), OK);
}

static void a_recount_that_somebody_is_in_the_way_of_goes_on(void **state)
{
    static const enum fault faults[] = {FAULT_BEGIN, FAULT_STATEMENT, FAULT_QUERY, FAULT_COMMIT,
                                        FAULT_COMMIT_UNKNOWN};
    struct fixture *f = *state;
    populate(f, 5);
    store_close(&f->store);
    assert_int_equal(store_open(text_of("faulty:%s", f->url), false, &f->store), OK);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        unsigned failures = fake_sql_failures(faults[i]);
        sql_do(f, "UPDATE chats SET messages_count = 77, messages_deleted = 9");
        fake_sql_fail(faults[i], NULL, 0, 2);
        assert_int_equal(store_recount(f->store, 0, 1, &f->position), OK);
        assert_int_equal(fake_sql_failures(faults[i]), failures + 2);
        assert_int_equal(chat_item(f, 1).count, 5);
        verify_nothing(f, true);
    }
    fake_sql_fail(FAULT_STATEMENT, NULL, 0, FAULT_ALWAYS);
    assert_int_equal(store_recount(f->store, 0, 1, &f->position), ERR_STORE);
}

static void a_recount_mends_everything(void **state)
{
    struct fixture *f = *state;
    populate(f, 5);
    apply_one(f, record_of(RECORD_MESSAGE_DELETED, A, 1, 1, 5, NULL));
    apply_one(f, record_of(RECORD_CHAT_DELETED, A, 1, 2, 0, NULL));
    sql_do(f, "UPDATE chats SET messages_count = 77, messages_deleted = 9");
    sql_do(f, "UPDATE applications SET chats_count = 7, chats_deleted = 3");
    assert_int_equal(store_recount(f->store, 0, 1, &f->position), OK);
    assert_int_equal(chat_item(f, 1).count, 4);
    assert_int_equal(chat_item(f, 1).last, 5);
    assert_int_equal(application_item(f).count, 1);
    assert_int_equal(application_item(f).last, 2);
    struct position position = position_of(f, FOLLOWER_COUNTING);
    assert_true(position_equal(&position, &f->position));
    verify_nothing(f, true);
    purge_all(f);
    verify_nothing(f, true);
}

/* ---- verify ---- */

static void verify_finds_what_should_not_be(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *plant, *mend, *found;
    } faults[] = {
        {"DELETE FROM messages WHERE number = 2",
         "INSERT INTO messages (application_id, chat_number, number, seq, created, updated, body) "
         "VALUES (1, 1, 2, 1, 1, 1, 'x')",
         "chat 1: "},
        {"UPDATE chats SET messages_count = 8 WHERE number = 1",
         "UPDATE chats SET messages_count = 5 WHERE number = 1",
         "chat 1: 8 messages are counted, and 5 are there"},
        {"UPDATE chats SET last_message_number = 4 WHERE number = 1",
         "UPDATE chats SET last_message_number = 5 WHERE number = 1",
         "chat 1: the last number of messages is 4, and there is a 5"},
        {"UPDATE applications SET chats_count = 1", "UPDATE applications SET chats_count = 2",
         "1 chats are counted, and 2 are there"},
        {"INSERT INTO chats (application_id, number, name, created, updated) "
         "VALUES (9, 4, '', 1, 1)",
         "DELETE FROM chats WHERE application_id = 9",
         "chats belong to no application, the first is chat 4"},
        {"INSERT INTO messages (application_id, chat_number, number, seq, created, updated, body) "
         "VALUES (1, 7, 1, 1, 1, 1, 'x')",
         "DELETE FROM messages WHERE chat_number = 7",
         "messages belong to no chat, which would be chat 7"},
        {"UPDATE messages SET seq = 900 WHERE number = 3",
         "UPDATE messages SET seq = 1 WHERE number = 3", "changed at 900"},
        {"UPDATE chats SET deleted = 5 WHERE number = 2",
         "UPDATE chats SET deleted = NULL WHERE number = 2", ""},
    };
    populate(f, 5);
    count(f, 0, 2);
    count(f, 1, 5);
    verify_nothing(f, true);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        sql_do(f, faults[i].plant);
        struct faults found = verify(f, true);
        bool named = false;
        for (size_t j = 0; j < found.count && j < 8; j++)
            named = named || strstr(found.line[j], faults[i].found);
        if (!named)
            fail_msg("not found: %s", faults[i].found);
        if (i < 4)
            assert_memory_equal(found.line[0], "application token-of:", 21);
        sql_do(f, faults[i].mend);
        verify_nothing(f, true);
    }
}

static void counts_that_lag_are_no_fault_while_somebody_counts(void **state)
{
    struct fixture *f = *state;
    populate(f, 5);
    verify_nothing(f, false);
    assert_true(verify(f, true).count > 0);
}

/* ---- backup ---- */

static void a_backup_is_a_store_and_replaces_nothing(void **state)
{
    struct fixture *f = *state;
    populate(f, 20);
    const char *path = text_of("%s/copy.db", f->folder);
    if (server_url) { /* a server has tools of its own for it */
        assert_int_equal(store_backup(f->store, path), ERR_CONFIG);
        return;
    }
    store_t *reader;
    assert_int_equal(store_open(f->url, true, &reader), OK);
    assert_int_equal(store_backup(reader, path), OK);
    assert_int_equal(store_backup(reader, path), ERR_EXISTS);
    store_close(&reader);
    apply_one(f, record_message_created(A, 1, 1, 21, "later"));

    store_close(&f->store);
    assert_int_equal(store_open(text_of("sqlite:%s", path), false, &f->store), OK);
    uint64_t last;
    assert_int_equal(store_last_message(f->store, 1, 1, &last), OK);
    assert_int_equal(last, 20);
    verify_nothing(f, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_deleted_chat_goes_by_slices),
        TEST(a_deleted_application_goes_but_for_its_row),
        TEST(indexing_marks_its_part_of_a_purge),
        TEST(a_purge_that_was_over_can_be_done_again_by_indexing),
        TEST(a_shard_purges_its_own),
        TEST(counts_are_last_less_deleted),
        TEST(counts_move_their_position_or_do_nothing),
        TEST(a_recount_mends_everything),
        TEST(a_recount_that_somebody_is_in_the_way_of_goes_on),
        TEST(verify_finds_what_should_not_be),
        TEST(counts_that_lag_are_no_fault_while_somebody_counts),
        TEST(a_backup_is_a_store_and_replaces_nothing),
    };
    return RUN_FOR_ALL("the store's upkeep", tests);
}
