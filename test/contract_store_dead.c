/* SPDX-License-Identifier: MIT */
/* contract_store_dead.c - what every store must do: dead records, imports. */
#include "store_fixture.h"

/* ---- dead records ---- */

struct deads {
    size_t count;
    struct record record[8];
    char text[8][40], reason[8][40];
    bool root[8];
};

static void deads_add(void *context, const struct dead_record *dead)
{
    struct deads *deads = context;
    assert_true(deads->count < 8);
    deads->record[deads->count] = dead->record;
    deads->root[deads->count] = dead->root;
    snprintf(deads->text[deads->count], 40, "%.*s", (int) dead->record.text_length,
             dead->record.text);
    snprintf(deads->reason[deads->count], 40, "%s", dead->reason);
    deads->count++;
}

/* What is dead now; lives until the next call. */
static const struct deads *deads(struct fixture *f)
{
    static struct deads result;
    result.count = 0;
    assert_int_equal(store_dead_each(f->store, deads_add, &result), OK);
    return &result;
}

static void a_dead_message_counts_as_deleted(void **state)
{
    struct fixture *f = *state;
    populate(f, 1);
    struct record records[] = {
        record_message_created(A, 1, 1, 2, "two"),
        record_message_created(A, 1, 1, 3, ""),
        record_message_created(A, 1, 1, 4, "four"),
    };
    apply_dead(f, records, 3, 1);
    assert_string_equal(messages(f, 1, (struct range){0}), "1 2 4");
    assert_int_equal(chat_item(f, 1).last, 3);
    const struct deads *dead = deads(f);
    assert_int_equal(dead->count, 1);
    assert_int_equal(dead->record[0].number, 3);
    assert_int_equal(dead->record[0].seq, records[1].seq);
    assert_string_equal(dead->reason[0], "refused by a test");
    count(f, 0, 2);
    count(f, 2, 0);
    count(f, 1, 4);
    assert_int_equal(chat_item(f, 1).count, 3);
    verify_one(f, "is dead: refused by a test");
    assert_int_equal(store_dead_retry(f->store, 0, records[1].seq), ERR_DATA);
    assert_int_equal(store_dead_drop(f->store, 0, records[1].seq), OK);
    assert_int_equal(store_dead_drop(f->store, 0, records[1].seq), ERR_CONFLICT);
    assert_int_equal(store_dead_retry(f->store, 0, 12345), ERR_CONFLICT);
    verify_nothing(f, true);
}

static void what_comes_later_joins_a_dead_chat_and_is_retried_with_it(void **state)
{
    struct fixture *f = *state;
    populate(f, 1);
    struct record dead_chat = record_chat_created(A, 1, 3, "three");
    apply_dead(f, &dead_chat, 1, 0);
    struct record records[] = {
        record_message_created(A, 1, 3, 1, "one"),
        record_message_created(A, 1, 1, 2, "elsewhere"),
        record_message_created(A, 1, 3, 2, "two"),
        record_message_created(A, 1, 3, 3, "three"),
        record_of(RECORD_MESSAGE_EDITED, A, 1, 3, 1, "uno"),
        record_of(RECORD_MESSAGE_DELETED, A, 1, 3, 3, NULL),
        record_of(RECORD_CHAT_RENAMED, A, 1, 3, 0, "tre"),
    };
    apply(f, records, 7);
    count(f, 1, 2);
    count(f, 3, 3);
    count(f, 0, 3);
    assert_string_equal(messages(f, 1, (struct range){0}), "1 2");
    assert_string_equal(chats(f, (struct range){0}), "1 2");
    assert_int_equal(application_item(f).count, 2);
    assert_int_equal(deads(f)->count, 7);

    assert_int_equal(store_dead_retry(f->store, 0, dead_chat.seq), OK);
    assert_int_equal(deads(f)->count, 0);
    assert_string_equal(messages(f, 3, (struct range){0}), "1 2");
    assert_string_equal(body(f, 3, 1), "uno");
    struct seen seen = {0};
    assert_int_equal(store_chat(f->store, 1, 3, seen_add, &seen), OK);
    assert_string_equal(seen.item[0].text, "tre");
    assert_int_equal(seen.item[0].count, 2);
    assert_int_equal(seen.item[0].last, 3);
    assert_int_equal(application_item(f).count, 3);
    verify_nothing(f, true);
}

static void what_comes_later_is_dropped_with_a_dead_application(void **state)
{
    struct fixture *f = *state;
    populate(f, 1);
    struct record dead = record_application_created(B, 2, "b");
    apply_dead(f, &dead, 1, 0);
    apply_one(f, record_chat_created(B, 2, 1, ""));
    apply_one(f, record_of(RECORD_APPLICATION_DELETED, B, 2, 0, 0, NULL));
    assert_int_equal(deads(f)->count, 3);
    assert_true(deads(f)->root[0] && !deads(f)->root[1]);
    assert_int_equal(store_dead_drop(f->store, 0, dead.seq), OK);
    assert_int_equal(deads(f)->count, 0);
    /* The journal takes none any more; one that was on the way belongs to nothing. */
    apply_one(f, record_message_created(B, 2, 1, 1, "for nobody"));
    assert_int_equal(deads(f)->count, 0);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM messages"), 1);
    verify_nothing(f, false);
}

static void changes_of_a_dead_message_join_and_a_dead_edit_gathers_nothing(void **state)
{
    struct fixture *f = *state;
    populate(f, 1);
    struct record dead = record_message_created(A, 1, 1, 2, "two");
    apply_dead(f, &dead, 1, 0);
    apply_one(f, record_of(RECORD_MESSAGE_EDITED, A, 1, 1, 2, "due"));
    struct record dead_edit = record_of(RECORD_MESSAGE_EDITED, A, 1, 1, 1, "lost");
    apply_dead(f, &dead_edit, 1, 0);
    apply_one(f, record_of(RECORD_MESSAGE_EDITED, A, 1, 1, 1, "newer"));
    assert_int_equal(deads(f)->count, 3);

    assert_int_equal(store_dead_retry(f->store, 0, dead_edit.seq), OK);
    assert_string_equal(body(f, 1, 1), "newer");
    assert_int_equal(store_dead_retry(f->store, 0, dead.seq), OK);
    assert_string_equal(body(f, 1, 2), "due");
    assert_int_equal(chat_item(f, 1).count, 2);
    assert_int_equal(deads(f)->count, 0);
    count(f, 0, 2);
    verify_nothing(f, true);
}

static void a_dead_record_is_added_once(void **state)
{
    struct fixture *f = *state;
    populate(f, 1);
    struct record record = record_message_created(A, 1, 1, 2, "of a lost history");
    record.seq = f->position.seq + 1;
    assert_int_equal(store_dead_add(f->store, 0, &record, "history was lost"), OK);
    assert_int_equal(store_dead_add(f->store, 0, &record, "history was lost"), OK);
    assert_int_equal(deads(f)->count, 1);
    assert_int_equal(number_in(f, "SELECT messages_deleted FROM chats WHERE number = 1"), 1);
    assert_int_equal(chat_item(f, 1).last, 2);
}

static void many_dead_applications_are_all_known(void **state)
{
    struct fixture *f = *state;
    for (uint64_t id = 1; id <= 50; id++) {
        struct record dead = record_application_created(text_of("dead-%d", (int) id), id, "x");
        apply_dead(f, &dead, 1, 0);
    }
    for (uint64_t id = 1; id <= 50; id++)
        apply_one(f, record_chat_created(text_of("dead-%d", (int) id), id, 1, "x"));
    apply_one(f, record_application_created(A, 51, "lives"));
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM chats"), 0);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM dead_records"), 100);
}

/* ---- what a lost history said ---- */

enum { LOST = 1 }; /* the first seq: given twice, as the numbers were */

static void bury(struct fixture *f, struct record record, uint64_t seq)
{
    record.seq = seq;
    record.time = f->time;
    assert_int_equal(store_dead_add(f->store, 0, &record, "history was lost"), OK);
}

/* None can be applied, alone or together; all can be dropped. */
static void refuse_and_drop(struct fixture *f, size_t count)
{
    assert_int_equal(deads(f)->count, count);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(store_dead_retry(f->store, 0, LOST + i), ERR_DATA);
    assert_int_equal(deads(f)->count, count);
    for (size_t left = count; left > 0; left = deads(f)->count)
        assert_int_equal(store_dead_drop(f->store, 0, deads(f)->record[0].seq), OK);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM dead_records"), 0);
}

static void what_a_lost_history_also_made_does_not_touch_what_lives(void **state)
{
    struct fixture *f = *state;
    populate(f, 2);
    bury(f, record_message_created(A, 1, 1, 2, "another second"), LOST);
    bury(f, record_of(RECORD_MESSAGE_EDITED, A, 1, 1, 2, "another second, edited"), LOST + 1);
    bury(f, record_chat_created(A, 1, 2, "another two"), LOST + 2);
    bury(f, record_message_created(A, 1, 2, 1, "in another two"), LOST + 3);
    assert_int_equal(number_in(f, "SELECT SUM(messages_deleted) FROM chats"), 0);
    assert_int_equal(number_in(f, "SELECT chats_deleted FROM applications"), 0);

    apply_one(f, record_of(RECORD_MESSAGE_EDITED, A, 1, 1, 2, "edited"));
    apply_one(f, record_message_created(A, 1, 2, 1, "in two"));
    apply_one(f, record_of(RECORD_CHAT_RENAMED, A, 1, 2, 0, "renamed"));
    assert_string_equal(body(f, 1, 2), "edited");
    assert_string_equal(body(f, 2, 1), "in two");
    refuse_and_drop(f, 4);
    assert_string_equal(body(f, 1, 2), "edited");
    apply_one(f, record_message_created(A, 1, 2, 2, "more"));
    assert_string_equal(messages(f, 2, (struct range){0}), "1 2");
    count(f, 0, 2);
    count(f, 1, 2);
    count(f, 2, 2);
    verify_nothing(f, true);
}

static void another_application_with_the_same_id_is_not_touched(void **state)
{
    struct fixture *f = *state;
    populate(f, 1);
    bury(f, record_chat_created(B, 1, 3, "began before what is left"), LOST);
    bury(f, record_message_created(B, 1, 1, 2, "not for a"), LOST + 1);
    bury(f, record_of(RECORD_MESSAGE_EDITED, B, 1, 1, 1, "not for a"), LOST + 2);
    bury(f, record_application_created(B, 1, "b"), LOST + 3);
    bury(f, record_chat_created(B, 1, 4, "of b"), LOST + 4);
    bury(f, record_message_created(B, 1, 4, 1, "in b"), LOST + 5);

    apply_one(f, record_chat_created(A, 1, 3, "three"));
    apply_one(f, record_chat_created(A, 1, 4, "four"));
    apply_one(f, record_message_created(A, 1, 4, 1, "in a"));
    apply_one(f, record_message_created(A, 1, 1, 2, "two"));
    assert_string_equal(chats(f, (struct range){0}), "1 2 3 4");
    assert_string_equal(body(f, 4, 1), "in a");
    refuse_and_drop(f, 6);
    assert_string_equal(body(f, 1, 1), "message 1");
    count(f, 0, 4);
    count(f, 1, 2);
    count(f, 4, 1);
    verify_nothing(f, true);
}

static void a_dead_application_does_not_gather_what_is_anothers(void **state)
{
    struct fixture *f = *state;
    bury(f, record_application_created(B, 1, "b"), LOST);
    populate(f, 1);
    assert_string_equal(messages(f, 1, (struct range){0}), "1");
    assert_int_equal(store_dead_retry(f->store, 0, LOST), ERR_DATA);
    assert_int_equal(store_dead_drop(f->store, 0, LOST), OK);
    apply_one(f, record_message_created(A, 1, 1, 2, "two"));
    assert_string_equal(messages(f, 1, (struct range){0}), "1 2");
}

static void two_lost_histories_do_not_mix(void **state)
{
    struct fixture *f = *state;
    populate(f, 1);
    bury(f, record_chat_created(A, 1, 3, "of the first"), LOST);
    bury(f, record_message_created(A, 1, 3, 1, "first"), LOST + 1);
    bury(f, record_chat_created(A, 1, 3, "of the second"), LOST + 2);
    bury(f, record_message_created(A, 1, 3, 2, "second"), LOST + 3);
    assert_int_equal(store_dead_retry(f->store, 0, LOST), OK);
    assert_string_equal(messages(f, 3, (struct range){0}), "1");
    assert_int_equal(deads(f)->count, 2);
    assert_int_equal(store_dead_retry(f->store, 0, LOST + 2), ERR_DATA);
    assert_int_equal(store_dead_retry(f->store, 0, LOST + 3), ERR_DATA);
    assert_int_equal(store_dead_drop(f->store, 0, LOST + 2), OK);
    assert_int_equal(deads(f)->count, 0);
    count(f, 1, 1);
    verify_nothing(f, true);
}

/* ---- retry, and what it needs ---- */

static void what_joined_is_not_applied_alone(void **state)
{
    struct fixture *f = *state;
    populate(f, 1);
    struct record dead_chat = record_chat_created(A, 1, 3, "three");
    struct record joined = record_message_created(A, 1, 3, 1, "one");
    apply_dead(f, &dead_chat, 1, 0);
    apply(f, &joined, 1);
    assert_int_equal(store_dead_retry(f->store, 0, joined.seq), ERR_DATA);
    assert_int_equal(deads(f)->count, 2);
    assert_string_equal(deads(f)->text[1], "one");
    assert_int_equal(store_dead_drop(f->store, 0, dead_chat.seq), OK);

    joined = record_message_created(A, 1, 3, 2, "two");
    joined.seq = LOST;
    assert_int_equal(store_dead_add(f->store, 0, &joined, "history was lost"), OK);
    assert_int_equal(store_dead_retry(f->store, 0, LOST), ERR_DATA);
    assert_int_equal(deads(f)->count, 1);
}

/* A dead message and a dead chat, in application 1. */
static void populate_dead(struct fixture *f, uint64_t *ret_message, uint64_t *ret_chat)
{
    populate(f, 1);
    struct record message = record_message_created(A, 1, 1, 2, "two");
    apply_dead(f, &message, 1, 0);
    apply_one(f, record_of(RECORD_MESSAGE_EDITED, A, 1, 1, 2, "due"));
    struct record chat = record_chat_created(A, 1, 3, "three");
    apply_dead(f, &chat, 1, 0);
    apply_one(f, record_message_created(A, 1, 3, 1, "in three"));
    *ret_message = message.seq;
    *ret_chat = chat.seq;
}

static void what_was_deleted_meanwhile_takes_its_dead_along(void **state)
{
    struct fixture *f = *state;
    uint64_t message, chat;
    populate_dead(f, &message, &chat);
    apply_one(f, record_of(RECORD_CHAT_DELETED, A, 1, 1, 0, NULL));
    assert_int_equal(store_dead_retry(f->store, 0, message), OK);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM messages WHERE number = 2"), 0);
    assert_int_equal(deads(f)->count, 2);
    purge_all(f);
    assert_int_equal(deads(f)->count, 2);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM messages"), 0);
    apply_one(f, record_of(RECORD_APPLICATION_DELETED, A, 1, 0, 0, NULL));
    assert_int_equal(store_dead_retry(f->store, 0, chat), OK);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM chats WHERE number = 3"), 0);
    assert_int_equal(deads(f)->count, 0);
    verify_nothing(f, true);
    purge_all(f);
    verify_nothing(f, true);
}

static void a_purge_removes_what_is_dead_below(void **state)
{
    struct fixture *f = *state;
    uint64_t message, chat;
    populate_dead(f, &message, &chat);
    bury(f, record_chat_created(B, 1, 1, "of another application"), LOST);
    assert_int_equal(deads(f)->count, 5);
    apply_one(f, record_of(RECORD_CHAT_DELETED, A, 1, 1, 0, NULL));
    purge_all(f);
    assert_int_equal(deads(f)->count, 3);
    apply_one(f, record_of(RECORD_APPLICATION_DELETED, A, 1, 0, 0, NULL));
    purge_all(f);
    assert_int_equal(deads(f)->count, 1);
    assert_int_equal(deads(f)->record[0].seq, LOST);
}

static void what_belongs_to_nothing_makes_no_rows_and_is_not_forgotten(void **state)
{
    struct fixture *f = *state;
    populate(f, 1);
    bury(f, record_message_created(A, 1, 9, 1, "in a chat that was lost"), LOST);
    bury(f, record_message_created(B, 2, 1, 1, "in an application that was lost"), LOST + 1);
    for (uint64_t i = 0; i < 2; i++)
        assert_int_equal(store_dead_retry(f->store, 0, LOST + i), ERR_DATA);
    assert_int_equal(deads(f)->count, 2);
    for (uint64_t i = 0; i < 2; i++)
        assert_int_equal(store_dead_drop(f->store, 0, LOST + i), OK);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM messages"), 1);
    verify_nothing(f, false);
}

/* ---- imports ---- */

static void an_import_is_seen_when_it_ends(void **state)
{
    struct fixture *f = *state;
    struct record records[] = {
        record_imported(RECORD_APPLICATION_IMPORTED, A, 1, 0, 5, "imported", 100, 200),
        record_imported(RECORD_CHAT_IMPORTED, A, 1, 2, 9, "chat", 110, 210),
        record_imported(RECORD_MESSAGE_IMPORTED, A, 1, 2, 3, "three", 120, 220),
        record_imported(RECORD_MESSAGE_IMPORTED, A, 1, 2, 7, "seven", 130, 230),
        record_imported(RECORD_CHAT_IMPORTED, A, 1, 4, 0, "", 140, 240),
    };
    apply(f, records, 5);
    struct seen seen = {0};
    uint64_t id;
    assert_int_equal(store_find_application(f->store, A, strlen(A), &id),
                     ERR_APPLICATION_NOT_FOUND);
    assert_int_equal(store_application(f->store, 1, seen_add, &seen), ERR_APPLICATION_NOT_FOUND);
    assert_string_equal(chats(f, (struct range){0}), "");
    assert_string_equal(messages(f, 2, (struct range){0}), "");
    bool more;
    assert_int_equal(store_applications(f->store, "", 0, INT64_MAX, 5, seen_add, &seen, &more), OK);
    assert_int_equal(seen.count, 0);

    apply_one(f, record_imported(RECORD_MESSAGE_IMPORTED, A, 1, 4, 1, "above", 150, 250));
    apply_one(f, record_imported(RECORD_IMPORT_ENDED, A, 1, 0, 0, NULL, 0, 0));
    assert_string_equal(chats(f, (struct range){0}), "2 4");
    assert_string_equal(messages(f, 2, (struct range){0}), "3 7");
    struct seen_item item = application_item(f);
    assert_true(item.count == 2 && item.last == 5 && item.created == 100 && item.updated == 200);
    item = chat_item(f, 2);
    assert_true(item.count == 2 && item.last == 9 && item.created == 110 && item.updated == 210);
    assert_true(chat_item(f, 4).count == 1 && chat_item(f, 4).last == 1);
    assert_int_equal(store_message(f->store, 1, 2, 7, seen_add, &seen), OK);
    assert_true(seen.item[0].created == 130 && seen.item[0].updated == 230);
    verify_nothing(f, true);

    apply_one(f, record_message_created(A, 1, 2, 10, "after"));
    count(f, 2, 10);
    assert_int_equal(chat_item(f, 2).count, 3);
    verify_nothing(f, true);
}

static void an_unfinished_import_gives_way_to_the_next(void **state)
{
    struct fixture *f = *state;
    struct record records[] = {
        record_imported(RECORD_APPLICATION_IMPORTED, A, 1, 0, 1, "first try", 100, 200),
        record_imported(RECORD_CHAT_IMPORTED, A, 1, 1, 1, "chat", 110, 210),
        record_imported(RECORD_MESSAGE_IMPORTED, A, 1, 1, 1, "one", 120, 220),
        record_imported(RECORD_APPLICATION_IMPORTED, A, 2, 0, 0, "second try", 100, 200),
        record_imported(RECORD_IMPORT_ENDED, A, 2, 0, 0, NULL, 0, 0),
    };
    apply(f, records, 5);
    uint64_t id;
    assert_int_equal(store_find_application(f->store, A, strlen(A), &id), OK);
    assert_int_equal(id, 2);
    verify_nothing(f, true);
    purge_all(f);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM applications"), 1);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM chats"), 0);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM messages"), 0);
    verify_nothing(f, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_dead_message_counts_as_deleted),
        TEST(what_comes_later_joins_a_dead_chat_and_is_retried_with_it),
        TEST(what_comes_later_is_dropped_with_a_dead_application),
        TEST(changes_of_a_dead_message_join_and_a_dead_edit_gathers_nothing),
        TEST(a_dead_record_is_added_once),
        TEST(many_dead_applications_are_all_known),
        TEST(what_a_lost_history_also_made_does_not_touch_what_lives),
        TEST(another_application_with_the_same_id_is_not_touched),
        TEST(a_dead_application_does_not_gather_what_is_anothers),
        TEST(two_lost_histories_do_not_mix),
        TEST(what_joined_is_not_applied_alone),
        TEST(what_was_deleted_meanwhile_takes_its_dead_along),
        TEST(a_purge_removes_what_is_dead_below),
        TEST(what_belongs_to_nothing_makes_no_rows_and_is_not_forgotten),
        TEST(an_import_is_seen_when_it_ends),
        TEST(an_unfinished_import_gives_way_to_the_next),
    };
    return RUN_FOR_ALL("dead records and imports", tests);
}
