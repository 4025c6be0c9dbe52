/* SPDX-License-Identifier: MIT */
/* test_persist.c - entries become rows, and bad records do not stop the good ones. */
#include "storage/persist.h"

#include "store_fixture.h"

#define TOLD_MAX 16

struct told {
    size_t count;
    uint64_t seqs[TOLD_MAX];
};

static void told_add(void *told_p, const struct record *record, const char *reason)
{
    struct told *told = told_p;
    assert_true(told->count < TOLD_MAX && strlen(reason) > 0);
    told->seqs[told->count++] = record->seq;
}

/* Brings the records in as one entry, and returns the seqs of the dead, "2 5". */
static const char *persist_all(struct fixture *f, const struct record records[], size_t count)
{
    struct buffer buffer = {0}, line = {0};
    struct told told = {0};
    f->time += 1000;
    struct entry entry = entry_of(&buffer, &f->position,
                                  (struct entry_name){7, f->position.seq + 1}, f->time, records,
                                  count);
    const struct entries entries = {.entry = &entry, .count = 1};
    struct position before = f->position;
    persist_t *persist = persist_new(f->store, told_add, &told);
    status_t status = persist_apply(persist, 0, &before, &entries, &f->position);
    if (status != OK)
        fail_msg("%s: %s", status_name(status), store_errmsg(f->store));
    assert_int_equal(f->position.seq, before.seq + count);
    persist_destroy(&persist);
    buffer_append(&line, "", 0);
    for (size_t i = 0; i < told.count; i++)
        buffer_printf(&line, i ? " %d" : "%d", (int) (told.seqs[i] - before.seq));
    const char *text = text_of("%s", line.data);
    buffer_free(&line);
    buffer_free(&buffer);
    return text;
}

static void good_records_all_take_effect(void **state)
{
    struct fixture *f = *state;
    populate(f, 1);
    const struct record records[] = {
        record_message_created(A, 1, 1, 2, "two"),
        record_of(RECORD_MESSAGE_EDITED, A, 1, 1, 2, "second"),
        record_message_created(A, 1, 2, 1, "one"),
    };
    assert_string_equal(persist_all(f, records, 3), "");
    assert_string_equal(body(f, 1, 2), "second");
    assert_string_equal(body(f, 2, 1), "one");
}

static void of_two_that_are_bad_only_together_the_later_one_is_put_aside(void **state)
{
    struct fixture *f = *state;
    populate(f, 1);
    const struct record records[] = {
        record_message_created(A, 1, 1, 2, "two"),      record_message_created(A, 1, 1, 3, "first"),
        record_message_created(A, 1, 1, 4, "four"),     record_chat_created(A, 1, 3, "first"),
        record_message_created(A, 1, 2, 1, "one"),      record_message_created(A, 1, 1, 3, "again"),
        record_application_created(B, 9, "the second"), record_chat_created(A, 1, 4, "four"),
        record_application_created(B, 10, "again"),     record_message_created(A, 1, 4, 1, "last"),
    };
    assert_string_equal(persist_all(f, records, 10), "6 9");
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM dead_records"), 2);
    assert_string_equal(messages(f, 1, (struct range){0}), "1 2 3 4");
    assert_string_equal(body(f, 1, 3), "first");
    assert_string_equal(body(f, 4, 1), "last");
    assert_string_equal(chats(f, (struct range){0}), "1 2 3 4");
}

static void bad_records_are_found_wherever_they_are(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 40 };
    struct record records[COUNT];
    populate(f, 1);
    uint64_t number = 2;
    for (size_t i = 0; i < COUNT; i++) {
        bool bad = i == 0 || i == 1 || i == 19 || i == COUNT - 1;
        records[i] = record_message_created(A, 1, bad ? 2 : 1, bad ? i + 1 : number,
                                            bad ? "" : "good");
        number += !bad;
    }
    assert_string_equal(persist_all(f, records, COUNT), "1 2 20 40");
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM messages"), 1 + COUNT - 4);
}

static void what_was_dead_before_stays_so(void **state)
{
    struct fixture *f = *state;
    populate(f, 1);
    struct record records[] = {
        record_message_created(A, 1, 1, 2, "put aside by the caller"),
        record_message_created(A, 1, 1, 3, "good"),
        record_message_created(A, 1, 1, 3, "refused"),
        record_message_created(A, 1, 1, 4, "good"),
    };
    bool dead[] = {true, false, false, false};
    struct change change = change_of(f, records, 4);
    persist_t *persist = persist_new(f->store, NULL, NULL);
    assert_int_equal(persist_change(persist, &change, dead), OK);
    assert_true(dead[0] && !dead[1] && dead[2] && !dead[3]);
    assert_string_equal(messages(f, 1, (struct range){0}), "1 3 4");
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM dead_records"), 2);
    assert_int_equal(persist_change(persist, &change, dead),
                     ERR_CONFLICT); /* it stands elsewhere */
    persist_destroy(&persist);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(good_records_all_take_effect),
        TEST(of_two_that_are_bad_only_together_the_later_one_is_put_aside),
        TEST(bad_records_are_found_wherever_they_are),
        TEST(what_was_dead_before_stays_so),
    };
    return RUN_FOR_ALL("persist", tests);
}
