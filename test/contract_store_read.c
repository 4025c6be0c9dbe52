/* SPDX-License-Identifier: MIT */
/* contract_store_read.c - what every store must do: lists, scans, snapshots. */
#include "store_fixture.h"

/* ---- lists ---- */

static void messages_are_listed_within_their_bounds(void **state)
{
    struct fixture *f = *state;
    populate(f, 9);
    apply_one(f, record_of(RECORD_MESSAGE_DELETED, A, 1, 1, 5, NULL));
    assert_string_equal(messages(f, 1, (struct range){.limit = 3}), "1 2 3 ...");
    assert_string_equal(messages(f, 1, (struct range){.after = 3, .limit = 3}), "4 6 7 ...");
    assert_string_equal(messages(f, 1, (struct range){.after = 7, .limit = 2}), "8 9");
    assert_string_equal(messages(f, 1, (struct range){.after = 9, .limit = 2}), "");
    assert_string_equal(messages(f, 1, (struct range){.before = 3}), "1 2");
    assert_string_equal(messages(f, 1, (struct range){.after = 3, .before = 7}), "4 6");
    assert_string_equal(messages(f, 1, (struct range){.after = 3, .before = 4}), "");
    assert_string_equal(messages(f, 1, (struct range){.after = 7, .before = 3}), "");
    assert_string_equal(messages(f, 1, (struct range){.descending = true, .limit = 2}), "9 8 ...");
    assert_string_equal(messages(f, 1, (struct range){.descending = true, .before = 8, .limit = 3}),
                        "7 6 4 ...");
    assert_string_equal(messages(f, 1, (struct range){.descending = true, .after = 7}), "9 8");
    assert_string_equal(messages(f, 1, (struct range){.after = UINT64_MAX}), "");
    assert_string_equal(messages(f, 1, (struct range){.before = UINT64_MAX, .limit = 1}), "1 ...");
    assert_string_equal(messages(f, 2, (struct range){0}), "");
    assert_string_equal(messages(f, 8, (struct range){0}), "");
}

static void a_page_of_messages_ends_when_its_bodies_are_long_enough(void **state)
{
    struct fixture *f = *state;
    populate(f, 5); /* bodies of 9 bytes */
    struct range range = {.limit = 10};
    for (size_t bytes_max = 0; bytes_max < 50; bytes_max++) {
        struct seen seen = {0};
        bool more;
        assert_int_equal(store_messages(f->store, 1, 1, &range, bytes_max, seen_add, &seen, &more),
                         OK);
        size_t rows = bytes_max <= 9 ? 1 : (bytes_max + 8) / 9;
        assert_int_equal(seen.count, rows < 5 ? rows : 5);
        assert_int_equal(more, rows < 5);
    }
}

static void chats_are_listed_within_their_bounds(void **state)
{
    struct fixture *f = *state;
    populate(f, 0);
    for (uint64_t number = 3; number <= 6; number++)
        apply_one(f, record_chat_created(A, 1, number, "more"));
    apply_one(f, record_of(RECORD_CHAT_DELETED, A, 1, 4, 0, NULL));
    assert_string_equal(chats(f, (struct range){0}), "1 2 3 5 6");
    assert_string_equal(chats(f, (struct range){.limit = 2}), "1 2 ...");
    assert_string_equal(chats(f, (struct range){.after = 2, .before = 6}), "3 5");
    assert_string_equal(chats(f, (struct range){.descending = true, .before = 6, .limit = 2}),
                        "5 3 ...");
}

static void applications_are_listed_by_creation_and_token(void **state)
{
    struct fixture *f = *state;
    struct record records[] = {
        record_application_created("ccc", 1, "1"),
        record_application_created("aaa", 2, "2"),
        record_application_created("bbb", 3, "3"),
    };
    apply(f, records, 3); /* at the same time */
    int64_t then = f->time;
    apply_one(f, record_application_created("a-later-one", 4, "4"));

    struct seen seen = {0};
    bool more;
    assert_int_equal(store_applications(f->store, "", 0, INT64_MAX, 2, seen_add, &seen, &more), OK);
    assert_true(more);
    assert_int_equal(store_applications(f->store, "bbb", 3, INT64_MAX, 2, seen_add, &seen, &more),
                     OK);
    assert_false(more);
    const char *expected[] = {"aaa", "bbb", "ccc", "a-later-one"};
    assert_int_equal(seen.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(seen.item[i].token, expected[i]);

    seen = (struct seen){0};
    assert_int_equal(store_applications(f->store, "", 0, then, 9, seen_add, &seen, &more), OK);
    assert_int_equal(seen.count, 3);
    apply_one(f, record_of(RECORD_APPLICATION_DELETED, "bbb", 3, 0, 0, NULL));
    seen = (struct seen){0};
    assert_int_equal(store_applications(f->store, "bbb", 3, then, 9, seen_add, &seen, &more), OK);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.item[0].token, "ccc");
    assert_int_equal(store_applications(f->store, "none", 4, then, 9, seen_add, &seen, &more),
                     ERR_CURSOR_NOT_FOUND);
}

/* ---- scans ---- */

struct walk {
    struct buffer line;
};

static void walk_application(void *context, const struct scan_application *application)
{
    struct walk *walk = context;
    buffer_printf(&walk->line, "%d%s%s ", (int) application->id, application->deleted ? "d" : "",
                  application->importing ? "i" : "");
}

static void walk_chat(void *context, const struct scan_chat *chat)
{
    struct walk *walk = context;
    buffer_printf(&walk->line, "%d.%d%s ", (int) chat->application_id, (int) chat->number,
                  chat->deleted ? "d" : "");
}

static void walk_message(void *context, const struct scan_message *message)
{
    struct walk *walk = context;
    buffer_printf(&walk->line, "%d.%d.%d ", (int) message->application_id, (int) message->chat,
                  (int) message->number);
}

static const char *walked(struct fixture *f, char what, struct scan scan)
{
    struct walk walk = {0};
    buffer_append(&walk.line, "", 0);
    bool more = true;
    while (more) {
        status_t status = what == 'a' ? store_scan_applications(f->store, &scan, walk_application,
                                                                &walk, &more)
                          : what == 'c'
                              ? store_scan_chats(f->store, &scan, walk_chat, &walk, &more)
                              : store_scan_messages(f->store, &scan, walk_message, &walk, &more);
        assert_int_equal(status, OK);
    }
    const char *text = text_of("%s", walk.line.data);
    buffer_free(&walk.line);
    return text;
}

static void scans_see_everything_at_any_pace(void **state)
{
    struct fixture *f = *state;
    populate(f, 3);
    struct record records[] = {
        record_message_created(A, 1, 2, 1, "one"),
        record_application_created(B, 2, "b"),
        record_chat_created(B, 2, 1, ""),
        record_message_created(B, 2, 1, 1, "one"),
        record_application_created("c", 3, "c"),
        record_chat_created("c", 3, 1, ""),
        record_message_created("c", 3, 1, 1, "one"),
        record_of(RECORD_APPLICATION_DELETED, "c", 3, 0, 0, NULL),
        record_imported(RECORD_APPLICATION_IMPORTED, "d", 4, 0, 1, "d", 1, 1),
        record_imported(RECORD_CHAT_IMPORTED, "d", 4, 1, 1, "", 1, 1),
        record_imported(RECORD_MESSAGE_IMPORTED, "d", 4, 1, 1, "one", 1, 1),
        record_chat_created(B, 2, 2, ""),
        record_message_created(B, 2, 2, 1, "one"),
        record_of(RECORD_CHAT_DELETED, B, 2, 2, 0, NULL),
    };
    apply(f, records, sizeof records / sizeof records[0]);
    for (size_t limit = 1; limit < 9; limit++) {
        struct scan all = {.limit = limit};
        assert_string_equal(walked(f, 'a', all), "1 2 3d 4i ");
        assert_string_equal(walked(f, 'c', all), "1.1 1.2 2.1 2.2d 3.1 4.1 ");
        assert_string_equal(walked(f, 'm', all), "1.1.1 1.1.2 1.1.3 1.2.1 2.1.1 4.1.1 ");
        struct scan odd = {.limit = limit, .shard = 1, .shards = 2};
        assert_string_equal(walked(f, 'a', odd), "1 3d ");
        assert_string_equal(walked(f, 'c', odd), "1.1 1.2 3.1 ");
        assert_string_equal(walked(f, 'm', odd), "1.1.1 1.1.2 1.1.3 1.2.1 ");
        struct scan in_b = {.limit = limit, .within_application = 2};
        assert_string_equal(walked(f, 'a', in_b), "2 ");
        assert_string_equal(walked(f, 'c', in_b), "2.1 2.2d ");
        assert_string_equal(walked(f, 'm', in_b), "2.1.1 ");
        struct scan in_chat = {.limit = limit, .within_application = 1, .within_chat = 1};
        assert_string_equal(walked(f, 'c', in_chat), "1.1 ");
        assert_string_equal(walked(f, 'm', in_chat), "1.1.1 1.1.2 1.1.3 ");
    }
}

static void given_messages_come_as_they_are_now(void **state)
{
    struct fixture *f = *state;
    populate(f, 100);
    apply_one(f, record_of(RECORD_MESSAGE_DELETED, A, 1, 1, 40, NULL));
    uint64_t numbers[70];
    for (size_t i = 0; i < 70; i++)
        numbers[i] = 2 * (i + 1); /* up to 140; there are 100 */
    struct walk walk = {0};
    assert_int_equal(store_messages_by_number(f->store, 1, 1, numbers, 70, walk_message, &walk),
                     OK);
    size_t words = 0;
    for (const char *at = walk.line.data; (at = strchr(at, ' ')); at++)
        words++;
    assert_int_equal(words, 49);
    assert_memory_equal(walk.line.data, "1.1.2 1.1.4 ", 12);
    assert_null(strstr(walk.line.data, "1.1.40 "));
    buffer_clear(&walk.line);
    apply_one(f, record_of(RECORD_CHAT_DELETED, A, 1, 1, 0, NULL));
    assert_int_equal(store_messages_by_number(f->store, 1, 1, numbers, 70, walk_message, &walk),
                     OK);
    assert_int_equal(walk.line.length, 0);
    buffer_free(&walk.line);
}

static void a_snapshot_does_not_see_what_comes_later(void **state)
{
    struct fixture *f = *state;
    populate(f, 2);
    store_t *reader;
    assert_int_equal(store_open(f->url, true, &reader), OK);
    assert_int_equal(store_snapshot_begin(reader), OK);
    apply_one(f, record_message_created(A, 1, 1, 3, "three"));
    uint64_t last;
    assert_int_equal(store_last_message(reader, 1, 1, &last), OK);
    assert_int_equal(last, 2);
    store_snapshot_end(reader);
    assert_int_equal(store_last_message(reader, 1, 1, &last), OK);
    assert_int_equal(last, 3);
    store_close(&reader);
}

static void last_numbers_are_known_without_counts(void **state)
{
    struct fixture *f = *state;
    populate(f, 4);
    uint64_t last;
    assert_int_equal(store_last_chat(f->store, 1, &last), OK);
    assert_int_equal(last, 2);
    apply_one(f, record_of(RECORD_CHAT_DELETED, A, 1, 2, 0, NULL));
    apply_one(f, record_of(RECORD_MESSAGE_DELETED, A, 1, 1, 4, NULL));
    purge_all(f);
    assert_int_equal(store_last_chat(f->store, 1, &last), OK);
    assert_int_equal(last, 2);
    assert_int_equal(store_last_message(f->store, 1, 1, &last), OK);
    assert_int_equal(last, 4);
    assert_int_equal(store_last_message(f->store, 1, 77, &last), OK);
    assert_int_equal(last, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_are_listed_within_their_bounds),
        TEST(a_page_of_messages_ends_when_its_bodies_are_long_enough),
        TEST(chats_are_listed_within_their_bounds),
        TEST(applications_are_listed_by_creation_and_token),
        TEST(scans_see_everything_at_any_pace),
        TEST(given_messages_come_as_they_are_now),
        TEST(a_snapshot_does_not_see_what_comes_later),
        TEST(last_numbers_are_known_without_counts),
    };
    return RUN_FOR_ALL("reading", tests);
}
