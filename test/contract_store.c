/* SPDX-License-Identifier: MIT */
/* contract_store.c - what every store must do, whatever database is beneath:
 * positions, and records that take effect once.
 */
#include <pthread.h>

#include "store_fixture.h"

/* ---- opening ---- */

static void a_store_that_was_not_migrated_does_not_open(void **state)
{
    struct fixture *f = *state;
    store_close(&f->store);
    tables_drop(f->url);
    assert_int_equal(store_open(f->url, false, &f->store), ERR_SCHEMA);
    assert_null(f->store);
    assert_true(strlen(store_errmsg(NULL)) > 0);
    migrate(f->url);
    migrate(f->url);
    assert_int_equal(store_open(f->url, false, &f->store), OK);
}

static void a_read_only_store_reads_and_does_not_write(void **state)
{
    struct fixture *f = *state;
    populate(f, 3);
    store_t *reader;
    assert_int_equal(store_open(f->url, true, &reader), OK);
    struct seen seen = {0};
    assert_int_equal(store_message(reader, 1, 1, 3, seen_add, &seen), OK);
    assert_int_equal(store_position_remove(reader, FOLLOWER_COUNTING), ERR_STORE);
    assert_int_equal(store_data_set_create(reader, 1, 1), ERR_STORE);
    store_close(&reader);
}

static void the_data_set_is_entered_once(void **state)
{
    struct fixture *f = *state;
    uint64_t data_set;
    unsigned shards;
    bool found;
    sql_do(f, "DELETE FROM data_sets");
    assert_int_equal(store_data_set(f->store, &data_set, &shards, &found), OK);
    assert_false(found);
    assert_int_equal(store_data_set_create(f->store, UINT64_MAX - 1, 8), OK);
    assert_int_equal(store_data_set_create(f->store, 2, 8), ERR_EXISTS);
    assert_int_equal(store_data_set(f->store, &data_set, &shards, &found), OK);
    assert_true(found && data_set == UINT64_MAX - 1 && shards == 8);
}

/* ---- positions ---- */

static void a_position_is_what_was_set(void **state)
{
    struct fixture *f = *state;
    struct position set = {
        .epoch = UINT64_MAX, .seq = 12, .name = {UINT64_MAX - 1, 3}, .time = 55, .run = UINT64_MAX};
    assert_int_equal(store_position_set(f->store, FOLLOWER_INDEXING, 3, &set), OK);
    struct position got;
    bool found;
    assert_int_equal(store_position(f->store, FOLLOWER_INDEXING, 3, &got, &found), OK);
    assert_true(found && position_equal(&set, &got));
    assert_int_equal(store_position(f->store, FOLLOWER_INDEXING, 4, &got, &found), OK);
    assert_false(found);
    assert_int_equal(store_position_remove(f->store, FOLLOWER_INDEXING), OK);
    assert_int_equal(store_position(f->store, FOLLOWER_INDEXING, 3, &got, &found), OK);
    assert_false(found);
}

static void a_position_moves_only_from_where_it_is(void **state)
{
    struct fixture *f = *state;
    struct position from = f->position, to = position_after(&from, 5, 7, 1, 9), wrong;
    for (int i = 0; i < 6; i++) {
        wrong = from;
        *(i == 0   ? &wrong.epoch
          : i == 1 ? &wrong.seq
          : i == 2 ? &wrong.name.producer
          : i == 3 ? &wrong.name.sequence
          : i == 4 ? (uint64_t *) &wrong.time
                   : &wrong.run) += 1;
        assert_int_equal(store_position_move(f->store, FOLLOWER_COUNTING, 0, &wrong, &to),
                         ERR_CONFLICT);
    }
    assert_int_equal(store_position_move(f->store, FOLLOWER_COUNTING, 1, &from, &to), ERR_CONFLICT);
    assert_int_equal(store_position_move(f->store, FOLLOWER_COUNTING, 0, &from, &from), OK);
    assert_int_equal(store_position_move(f->store, FOLLOWER_COUNTING, 0, &from, &to), OK);
    assert_int_equal(store_position_move(f->store, FOLLOWER_COUNTING, 0, &from, &to), ERR_CONFLICT);
}

static void the_lowest_position_is_of_this_epoch_and_shard(void **state)
{
    struct fixture *f = *state;
    struct position position = f->position;
    uint64_t seq = 1;
    assert_int_equal(store_positions_lowest(f->store, 1, EPOCH, false, &seq), OK);
    assert_int_equal(seq, 0);
    position.seq = 30;
    assert_int_equal(store_position_set(f->store, FOLLOWER_PERSISTENCE, 1, &position), OK);
    position.seq = 20;
    assert_int_equal(store_position_set(f->store, FOLLOWER_INDEXING, 1, &position), OK);
    position.seq = 15;
    assert_int_equal(store_position_set(f->store, FOLLOWER_REINDEX, 1, &position), OK);
    position.seq = 10;
    position.epoch++;
    assert_int_equal(store_position_set(f->store, FOLLOWER_HOLD, 1, &position), OK);
    assert_int_equal(store_positions_lowest(f->store, 1, EPOCH, false, &seq), OK);
    assert_int_equal(seq, 15);
    assert_int_equal(store_position_remove(f->store, FOLLOWER_REINDEX), OK);
    assert_int_equal(store_positions_lowest(f->store, 1, EPOCH, false, &seq), OK);
    assert_int_equal(seq, 20);
    assert_int_equal(store_position_set(f->store, FOLLOWER_REINDEX, 1, &f->position), OK);
    assert_int_equal(store_positions_lowest(f->store, 1, EPOCH, true, &seq), OK);
    assert_int_equal(seq, 30);
}

/* ---- applying ---- */

static void records_offered_again_change_nothing(void **state)
{
    struct fixture *f = *state;
    populate(f, 2);
    struct record record = record_message_created(A, 1, 1, 3, "three");
    struct change change = change_of(f, &record, 1);
    assert_int_equal(store_apply(f->store, &change), OK);
    assert_int_equal(store_apply(f->store, &change), ERR_CONFLICT);
    assert_string_equal(messages(f, 1, (struct range){0}), "1 2 3");
    struct position position = position_of(f, FOLLOWER_PERSISTENCE);
    assert_true(position_equal(&position, &change.to));
}

static void records_from_another_run_are_refused(void **state)
{
    struct fixture *f = *state;
    struct record record = record_application_created(A, 1, "a");
    struct change change = change_of(f, &record, 1);
    change.from.run++;
    assert_int_equal(store_apply(f->store, &change), ERR_CONFLICT);
    uint64_t id;
    assert_int_equal(store_find_application(f->store, A, strlen(A), &id),
                     ERR_APPLICATION_NOT_FOUND);
}

static void applications_are_created_renamed_and_deleted(void **state)
{
    struct fixture *f = *state;
    uint64_t id;
    apply_one(f, record_application_created(A, 1, "before"));
    int64_t created = f->time;
    assert_int_equal(store_find_application(f->store, A, strlen(A), &id), OK);
    assert_int_equal(id, 1);

    apply_one(f, record_of(RECORD_APPLICATION_RENAMED, A, 1, 0, 0, "after"));
    struct seen seen = {0};
    assert_int_equal(store_application(f->store, 1, seen_add, &seen), OK);
    assert_string_equal(seen.item[0].text, "after");
    assert_string_equal(seen.item[0].token, A);
    assert_int_equal(seen.item[0].created, created);
    assert_int_equal(seen.item[0].updated, f->time);

    apply_one(f, record_of(RECORD_APPLICATION_DELETED, A, 1, 0, 0, NULL));
    assert_int_equal(store_application(f->store, 1, seen_add, &seen), ERR_APPLICATION_NOT_FOUND);
    assert_int_equal(store_find_application(f->store, A, strlen(A), &id),
                     ERR_APPLICATION_NOT_FOUND);
    apply_one(f, record_of(RECORD_APPLICATION_RENAMED, A, 1, 0, 0, "too late"));
    apply_one(f, record_of(RECORD_APPLICATION_DELETED, A, 1, 0, 0, NULL));
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM purges"), 1);
}

static void chats_are_created_renamed_and_deleted(void **state)
{
    struct fixture *f = *state;
    populate(f, 1);
    struct seen seen = {0};
    assert_int_equal(store_chat(f->store, 1, 1, seen_add, &seen), OK);
    assert_string_equal(seen.item[0].text, "one");
    apply_one(f, record_of(RECORD_CHAT_RENAMED, A, 1, 1, 0, "uno"));
    assert_int_equal(store_chat(f->store, 1, 1, seen_add, &seen), OK);
    assert_string_equal(seen.item[1].text, "uno");
    assert_int_equal(seen.item[1].updated, f->time);
    assert_true(seen.item[1].created < f->time);

    apply_one(f, record_of(RECORD_CHAT_DELETED, A, 1, 1, 0, NULL));
    assert_int_equal(store_chat(f->store, 1, 1, seen_add, &seen), ERR_CHAT_NOT_FOUND);
    assert_string_equal(chats(f, (struct range){0}), "2");
    assert_string_equal(messages(f, 1, (struct range){0}), "");
    assert_string_equal(body(f, 1, 1), "ERR_MESSAGE_NOT_FOUND");
    apply_one(f, record_of(RECORD_CHAT_RENAMED, A, 1, 1, 0, "too late"));
    apply_one(f, record_of(RECORD_CHAT_DELETED, A, 1, 1, 0, NULL));
    apply_one(f, record_of(RECORD_CHAT_DELETED, A, 1, 9, 0, NULL));
    assert_int_equal(number_in(f, "SELECT chats_deleted FROM applications"), 1);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM purges"), 1);
}

static void messages_are_created_edited_and_deleted(void **state)
{
    struct fixture *f = *state;
    populate(f, 3);
    int64_t created = f->time;
    assert_string_equal(body(f, 1, 2), "message 2");

    apply_one(f, record_of(RECORD_MESSAGE_EDITED, A, 1, 1, 2, "better"));
    struct seen seen = {0};
    assert_int_equal(store_message(f->store, 1, 1, 2, seen_add, &seen), OK);
    assert_string_equal(seen.item[0].text, "better");
    assert_int_equal(seen.item[0].created, created);
    assert_int_equal(seen.item[0].updated, f->time);
    assert_int_equal(number_in(f, "SELECT seq FROM messages WHERE number = 2"), f->position.seq);

    apply_one(f, record_of(RECORD_MESSAGE_DELETED, A, 1, 1, 3, NULL));
    apply_one(f, record_of(RECORD_MESSAGE_DELETED, A, 1, 1, 3, NULL));
    apply_one(f, record_of(RECORD_MESSAGE_EDITED, A, 1, 1, 3, "too late"));
    assert_string_equal(messages(f, 1, (struct range){0}), "1 2");
    assert_int_equal(chat_item(f, 1).last, 3);
    assert_int_equal(number_in(f, "SELECT messages_deleted FROM chats WHERE number = 1"), 1);
}

/* Whoever shows times in milliseconds must be able to tell an edit from a creation. */
static void a_change_is_always_a_millisecond_later_than_the_one_before(void **state)
{
    struct fixture *f = *state;
    struct record records[] = {
        record_application_created(A, 1, "a"),
        record_chat_created(A, 1, 1, "c"),
        record_message_created(A, 1, 1, 1, "one"),
        record_of(RECORD_APPLICATION_RENAMED, A, 1, 0, 0, "b"),
        record_of(RECORD_CHAT_RENAMED, A, 1, 1, 0, "d"),
        record_of(RECORD_MESSAGE_EDITED, A, 1, 1, 1, "two"),
        record_of(RECORD_MESSAGE_EDITED, A, 1, 1, 1, "three"),
    };
    f->time = 2000999 - 1000; /* all at 2,000,999 µs */
    apply(f, records, 7);
    struct seen seen = {0};
    assert_int_equal(store_application(f->store, 1, seen_add, &seen), OK);
    assert_int_equal(store_chat(f->store, 1, 1, seen_add, &seen), OK);
    assert_int_equal(store_message(f->store, 1, 1, 1, seen_add, &seen), OK);
    assert_int_equal(seen.item[0].updated, 2001000);
    assert_int_equal(seen.item[1].updated, 2001000);
    assert_int_equal(seen.item[2].updated, 2002000);
    assert_int_equal(seen.item[2].created, 2000999);
}

static void records_take_effect_in_their_order(void **state)
{
    struct fixture *f = *state;
    struct record records[] = {
        record_application_created(A, 1, "a"),
        record_chat_created(A, 1, 1, "c"),
        record_message_created(A, 1, 1, 1, "one"),
        record_message_created(A, 1, 1, 2, "two"),
        record_of(RECORD_MESSAGE_EDITED, A, 1, 1, 1, "uno"),
        record_of(RECORD_MESSAGE_EDITED, A, 1, 1, 1, "eins"),
        record_message_created(A, 1, 1, 3, "three"),
        record_of(RECORD_MESSAGE_DELETED, A, 1, 1, 2, NULL),
        record_message_created(A, 1, 1, 4, "four"),
    };
    apply(f, records, sizeof records / sizeof records[0]);
    assert_string_equal(messages(f, 1, (struct range){0}), "1 3 4");
    assert_string_equal(body(f, 1, 1), "eins");
    verify_nothing(f, false);
}

static void text_is_kept_byte_for_byte(void **state)
{
    struct fixture *f = *state;
    static const char odd[] = "a\0b \xf0\x9f\x98\x80 \r\n ' \" \\ %";
    populate(f, 0);
    struct record record = record_message_created(A, 1, 1, 1, "");
    record.text = odd;
    record.text_length = sizeof odd - 1;
    apply_one(f, record);
    struct seen seen = {0};
    assert_int_equal(store_message(f->store, 1, 1, 1, seen_add, &seen), OK);
    assert_int_equal(seen.item[0].text_length, sizeof odd - 1);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM messages"), 1);
}

static void a_bad_record_changes_nothing_and_is_found(void **state)
{
    struct fixture *f = *state;
    populate(f, 1);
    char *long_body = malloc(BODY_BYTES_MAX + 2);
    memset(long_body, 'x', BODY_BYTES_MAX + 1);
    long_body[BODY_BYTES_MAX + 1] = '\0';
    char long_name[NAME_CHARACTERS_MAX + 2];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';

    struct record bad[] = {
        record_message_created(A, 1, 1, 3, ""),
        record_message_created(A, 1, 1, 3, long_body),
        record_message_created(A, 1, 1, 1, "there is a first already"),
        record_of(RECORD_MESSAGE_EDITED, A, 1, 1, 1, ""),
        record_of(RECORD_MESSAGE_EDITED, A, 1, 1, 1, long_body),
        record_of(RECORD_CHAT_RENAMED, A, 1, 1, 0, long_name),
        record_chat_created(A, 1, 2, "there is a second already"),
        record_application_created(A, 3, "the token is taken"),
        record_of((enum record_type) 99, A, 1, 1, 1, "of a newer build"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct record records[] = {
            record_message_created(A, 1, 1, 2, "good"),
            bad[i],
            record_message_created(A, 1, 1, 4, "good"),
        };
        struct change change = change_of(f, records, 3);
        assert_int_equal(store_apply(f->store, &change), ERR_DATA);
        assert_int_equal(store_try(f->store, records, 1), OK);
        assert_int_equal(store_try(f->store, records, 2), ERR_DATA);
        assert_int_equal(store_try(f->store, records + 2, 1), OK);
        struct position position = position_of(f, FOLLOWER_PERSISTENCE);
        assert_true(position_equal(&position, &f->position));
        assert_string_equal(messages(f, 1, (struct range){0}), "1");
    }
    long_body[BODY_BYTES_MAX] = '\0';
    apply_one(f, record_message_created(A, 1, 1, 2, long_body));
    free(long_body);
}

/* ---- what a fault leaves ---- */

static void faulty_open(struct fixture *f)
{
    store_close(&f->store);
    assert_int_equal(store_open(text_of("faulty:%s", f->url), false, &f->store), OK);
}

static void a_fault_at_any_statement_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    populate(f, 1);
    faulty_open(f);
    struct record records[] = {
        record_message_created(A, 1, 1, 2, "two"),
        record_of(RECORD_MESSAGE_DELETED, A, 1, 1, 1, NULL),
        record_chat_created(A, 1, 3, ""),
        record_of(RECORD_CHAT_DELETED, A, 1, 2, 0, NULL),
        record_of(RECORD_APPLICATION_RENAMED, A, 1, 0, 0, "renamed"),
    };
    struct change change = change_of(f, records, 5);
    int statements = 0;
    status_t status;
    do {
        fake_sql_fail(FAULT_STATEMENT, NULL, statements, 1);
        status = store_apply(f->store, &change);
        struct position position = position_of(f, FOLLOWER_PERSISTENCE);
        assert_true(position_equal(&position, status == OK ? &change.to : &change.from));
        assert_string_equal(messages(f, 1, (struct range){0}), status == OK ? "2" : "1");
        assert_string_equal(chats(f, (struct range){0}), status == OK ? "1 3" : "1 2");
        assert_true(status == OK || status == ERR_STORE);
        statements++;
    } while (status != OK);
    assert_true(statements > 8);
    fake_sql_heal();

    f->position = change.to;
    verify_nothing(f, false);
}

static void after_a_lost_commit_the_position_tells(void **state)
{
    struct fixture *f = *state;
    populate(f, 1);
    faulty_open(f);
    struct record record = record_message_created(A, 1, 1, 2, "two");
    struct change change = change_of(f, &record, 1);

    fake_sql_fail(FAULT_COMMIT, NULL, 0, 1);
    assert_int_equal(store_apply(f->store, &change), ERR_STORE);
    struct position position = position_of(f, FOLLOWER_PERSISTENCE);
    assert_true(position_equal(&position, &change.from));

    fake_sql_fail(FAULT_COMMIT_UNKNOWN, NULL, 0, 1);
    assert_int_equal(store_apply(f->store, &change), ERR_STORE);
    position = position_of(f, FOLLOWER_PERSISTENCE);
    assert_true(position_equal(&position, &change.to));
    assert_int_equal(store_apply(f->store, &change), ERR_CONFLICT);
    assert_string_equal(messages(f, 1, (struct range){0}), "1 2");
}

static void a_store_that_does_not_answer_is_no_bad_record(void **state)
{
    struct fixture *f = *state;
    populate(f, 1);
    faulty_open(f);
    fake_sql_fail(FAULT_BEGIN, NULL, 0, FAULT_ALWAYS);
    struct record record = record_message_created(A, 1, 1, 2, "two");
    struct change change = change_of(f, &record, 1);
    assert_int_equal(store_apply(f->store, &change), ERR_STORE);
    assert_int_equal(store_try(f->store, &record, 1), ERR_STORE);
    fake_sql_heal();
    fake_sql_fail(FAULT_QUERY, NULL, 0, FAULT_ALWAYS);
    struct seen seen = {0};
    bool more, found;
    struct range range = {.limit = 1};
    assert_int_equal(store_messages(f->store, 1, 1, &range, 1, seen_add, &seen, &more), ERR_STORE);
    assert_int_equal(store_message(f->store, 1, 1, 1, seen_add, &seen), ERR_STORE);
    assert_int_equal(store_position(f->store, "x", 0, &change.from, &found), ERR_STORE);
}

/* Two that follow the same shard: whoever loses reads the position anew. */
struct twin {
    struct fixture *f;
    size_t applied, conflicts;
    bool failed;
};

enum { TWIN_MESSAGES = 400 };

static void *twin_run(void *argument)
{
    struct twin *twin = argument;
    store_t *store;
    bool found;
    if (store_open(twin->f->url, false, &store) != OK) {
        twin->failed = true;
        return NULL;
    }
    for (;;) {
        struct position from;
        if (store_position(store, FOLLOWER_PERSISTENCE, 0, &from, &found) != OK || !found)
            break;
        uint64_t next = from.seq - twin->f->position.seq + 1;
        if (next > TWIN_MESSAGES) {
            store_close(&store);
            return NULL;
        }
        struct record record = record_message_created(A, 1, 1, next, "of one of the twins");
        records_number(&record, 1, from.seq, 5);
        struct change change = {
            .from = from,
            .to = position_after(&from, 1, 7, next, 5),
            .records = &record,
            .count = 1,
        };
        status_t status = store_apply(store, &change);
        twin->applied += status == OK;
        twin->conflicts += status == ERR_CONFLICT;
        if (status != OK && status != ERR_CONFLICT && status != ERR_STORE)
            break;
    }
    twin->failed = true;
    store_close(&store);
    return NULL;
}

static void twins_apply_each_record_once(void **state)
{
    struct fixture *f = *state;
    populate(f, 0);
    struct twin twins[2] = {{.f = f}, {.f = f}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, twin_run, &twins[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_false(twins[0].failed || twins[1].failed);
    assert_int_equal(twins[0].applied + twins[1].applied, TWIN_MESSAGES);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM messages"), TWIN_MESSAGES);
    assert_int_equal(number_in(f, "SELECT MAX(number) FROM messages"), TWIN_MESSAGES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_store_that_was_not_migrated_does_not_open),
        TEST(a_read_only_store_reads_and_does_not_write),
        TEST(the_data_set_is_entered_once),
        TEST(a_position_is_what_was_set),
        TEST(a_position_moves_only_from_where_it_is),
        TEST(the_lowest_position_is_of_this_epoch_and_shard),
        TEST(records_offered_again_change_nothing),
        TEST(records_from_another_run_are_refused),
        TEST(applications_are_created_renamed_and_deleted),
        TEST(chats_are_created_renamed_and_deleted),
        TEST(messages_are_created_edited_and_deleted),
        TEST(a_change_is_always_a_millisecond_later_than_the_one_before),
        TEST(records_take_effect_in_their_order),
        TEST(text_is_kept_byte_for_byte),
        TEST(a_bad_record_changes_nothing_and_is_found),
        TEST(a_fault_at_any_statement_leaves_nothing),
        TEST(after_a_lost_commit_the_position_tells),
        TEST(a_store_that_does_not_answer_is_no_bad_record),
        TEST(twins_apply_each_record_once),
    };
    return RUN_FOR_ALL("the store", tests);
}
