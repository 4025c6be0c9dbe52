/* SPDX-License-Identifier: MIT */
/* contract_journal_log.c - what every journal promises to those who look, read and trim. */
#include "journal_fixture.h"

/* ---- looks ---- */

static void a_look_tells_what_exists_what_did_and_what_never(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    assert_int_equal(fake_chat(n, TOKEN), 2);
    assert_int_equal(fake_message(n, TOKEN, 1, "x"), 1);
    assert_int_equal(fake_one(n, RECORD_CHAT_DELETED, TOKEN, 2, 0, NULL), OK);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_CREATED, OTHER, 0, 0, "x"), OK);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_DELETED, OTHER, 0, 0, NULL), OK);

    struct look looks[] = {
        {.token = TOKEN},
        {.token = TOKEN, .chat = 1},
        {.token = TOKEN, .chat = 2},
        {.token = TOKEN, .chat = 3},
        {.token = OTHER, .chat = 1},
        {.token = "unheard_of_3"},
        {.token = TOKEN, .chat = UINT64_C(1) << 32 | 1},
    };
    enum { LOOKS = sizeof looks / sizeof *looks };
    for (size_t i = 0; i < LOOKS; i++)
        looks[i].token_length = strlen(looks[i].token);
    assert_int_equal(token_shard(looks[5].token, looks[5].token_length, SHARDS), SHARD);
    assert_int_equal(journal_look(f->journal, looks, LOOKS), OK);
    for (size_t i = 0; i < LOOKS; i++)
        assert_int_equal(looks[i].epoch, EPOCH);
    assert_int_equal(looks[0].application, EXISTS);
    assert_int_equal(looks[0].application_id, 1 * SHARDS + SHARD);
    assert_int_equal(looks[0].last_chat, 2);
    assert_int_equal(looks[1].chat_existence, EXISTS);
    assert_int_equal(looks[1].last_message, 1);
    assert_int_equal(looks[2].chat_existence, EXISTS_DELETED);
    assert_int_equal(looks[3].chat_existence, EXISTS_NEVER);
    assert_int_equal(looks[4].application, EXISTS_DELETED);
    assert_int_equal(looks[5].application, EXISTS_NEVER);
    assert_int_equal(looks[6].chat_existence, EXISTS_NEVER);
}

static void a_look_tells_the_last_change_of_each_level(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    static const struct {
        enum record_type type;
        uint64_t chat, number;
        bool application, chats; /* whether it changes the one, the other */
    } cases[] = {
        {RECORD_MESSAGE_CREATED, 1, 0, false, true},     {RECORD_MESSAGE_EDITED, 1, 1, false, true},
        {RECORD_MESSAGE_DELETED, 1, 1, false, true},     {RECORD_CHAT_RENAMED, 1, 0, true, true},
        {RECORD_APPLICATION_RENAMED, 0, 0, true, false}, {RECORD_CHAT_CREATED, 0, 0, true, false},
        {RECORD_CHAT_DELETED, 2, 0, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct look before = look_at(f, TOKEN, 1);
        assert_int_equal(fake_one(n, cases[i].type, TOKEN, cases[i].chat, cases[i].number, "x"),
                         OK);
        struct look after = look_at(f, TOKEN, 1);
        uint64_t seq = n->batch.last_seq;
        assert_int_equal(after.application_change,
                         cases[i].application ? seq : before.application_change);
        assert_int_equal(after.chat_change, cases[i].chats ? seq : before.chat_change);
        assert_int_equal(meta_of(f).application_change, after.application_change);
    }
    fake_messages(n, TOKEN, 1, 5, "x");
    assert_int_equal(fake_send(n), OK);
    assert_int_equal(look_at(f, TOKEN, 1).chat_change, n->batch.last_seq);
}

static void nothing_is_known_of_a_shard_that_is_closed_unchecked_or_not_there(void **state)
{
    struct fixture *f = *state;
    struct look look = {.token = TOKEN, .token_length = strlen(TOKEN)};
    assert_int_equal(journal_look(f->journal, &look, 1), ERR_JOURNAL);
    shard_make(f, SHARD, 0);
    assert_int_equal(journal_look(f->journal, &look, 1), OK);
    uint64_t before = f->run;
    another_run(f);
    assert_int_equal(journal_look(f->journal, &look, 1), ERR_UNCHECKED);
    assert_int_equal(look.status, ERR_UNCHECKED);
    assert_int_equal(journal_checked(f->journal, SHARD, before, f->run), OK);
    assert_int_equal(journal_look(f->journal, &look, 1), OK);
    assert_int_equal(journal_mark(f->journal, SHARD, 5, false), OK);
    assert_int_equal(journal_look(f->journal, &look, 1), ERR_CLOSED);
    assert_int_equal(journal_rebuild_look(f->journal, SHARD, &look, 1), OK);
    assert_int_equal(look.application, EXISTS_NEVER);
}

static void a_shard_that_is_closed_hides_nothing_of_the_others(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering other;
    shard_make(f, 2, 0);
    fake_numbering_start(&other, f->journal, 2, EPOCH);
    assert_int_equal(fake_one(&other, RECORD_APPLICATION_CREATED, "of_shard_2_05", 0, 0, "x"), OK);
    fake_numbering_stop(&other);
    assert_int_equal(journal_mark(f->journal, 2, 5, false), OK);
    struct look looks[] = {{.token = TOKEN, .chat = 1},
                           {.token = "of_shard_2_05"},
                           {.token = TOKEN, .chat = 2},
                           {.token = "unheard_of_3"}};
    enum { LOOKS = sizeof looks / sizeof *looks };
    for (size_t i = 0; i < LOOKS; i++)
        looks[i].token_length = strlen(looks[i].token);
    assert_int_equal(journal_look(f->journal, looks, LOOKS), ERR_CLOSED);
    assert_int_equal(looks[0].status, OK);
    assert_int_equal(looks[0].chat_existence, EXISTS);
    assert_int_equal(looks[1].status, ERR_CLOSED);
    assert_int_equal(looks[2].status, OK);
    assert_int_equal(looks[2].chat_existence, EXISTS_NEVER);
    assert_int_equal(looks[3].status, OK);
}

/* ---- entries ---- */

static void entries_chain_from_any_position(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    for (int i = 0; i < 5; i++) {
        fake_messages(n, TOKEN, 1, 3, "x");
        assert_int_equal(fake_send(n), OK);
    }
    assert_int_equal(read_after(f, position_start()), OK);
    assert_int_equal(f->entries.count, 7);
    struct position at[8] = {position_start()};
    for (size_t i = 0; i < 7; i++) {
        const struct entry *entry = &f->entries.entry[i];
        assert_true(entry_follows(entry, &at[i]));
        assert_int_equal(entry->name.producer, n->batch.producer);
        assert_int_equal(entry->name.sequence, i + 1);
        at[i + 1] = entry_position(entry, RUN);
    }
    for (size_t i = 0; i < 8; i++) {
        bool holds = false;
        assert_int_equal(journal_holds(f->journal, SHARD, &at[i], &holds), OK);
        assert_true(holds);
        assert_int_equal(read_after(f, at[i]), OK);
        assert_int_equal(f->entries.count, 7 - i);
    }
}

static void a_read_stops_at_its_limits_but_gives_at_least_one_entry(void **state)
{
    struct fixture *f = *state;
    struct position start = position_start();
    for (int i = 0; i < 4; i++) {
        fake_messages(&f->numbering, TOKEN, 1, 10, "0123456789");
        assert_int_equal(fake_send(&f->numbering), OK);
    }
    assert_int_equal(journal_read(f->journal, SHARD, &start, 1, 1, &f->entries), OK);
    assert_int_equal(f->entries.count, 1);
    assert_int_equal(journal_read(f->journal, SHARD, &start, 22, 100000, &f->entries), OK);
    assert_int_equal(f->entries.count, 4);
    assert_int_equal(journal_read(f->journal, SHARD, &start, 1000, 300, &f->entries), OK);
    assert_true(f->entries.count > 1 && f->entries.count < 6);
}

static void assert_not_in_the_log(struct fixture *f, struct position position)
{
    bool holds = true;
    assert_int_equal(journal_holds(f->journal, SHARD, &position, &holds), OK);
    assert_false(holds);
    assert_int_equal(read_after(f, position), ERR_DIVERGED);
    assert_int_equal(f->entries.count, 0);
}

static void a_position_of_another_history_is_not_in_the_log(void **state)
{
    struct fixture *f = *state;
    fake_messages(&f->numbering, TOKEN, 1, 3, "x");
    assert_int_equal(fake_send(&f->numbering), OK);
    struct position end = position_end(f), fork = end, ahead = end, within = end, epoch = end;
    fork.name.sequence++;
    assert_not_in_the_log(f, fork);
    ahead.seq++;
    assert_not_in_the_log(f, ahead);
    within.seq--;
    assert_not_in_the_log(f, within);
    epoch.epoch++;
    assert_not_in_the_log(f, epoch);
    struct position start = position_start();
    start.name.sequence = 1;
    assert_not_in_the_log(f, start);
    struct position early = {.epoch = EPOCH, .seq = 2, .name = {1, 2}};
    assert_not_in_the_log(f, early);
}

static void a_journal_of_nothing_holds_no_position(void **state)
{
    struct fixture *f = *state;
    assert_not_in_the_log(f, position_start());
    shard_make(f, SHARD, 0);
    bool holds = false;
    struct position start = position_start();
    assert_int_equal(journal_holds(f->journal, SHARD, &start, &holds), OK);
    assert_true(holds);
    assert_int_equal(read_after(f, start), OK);
    assert_int_equal(f->entries.count, 0);
}

/* ---- trimming ---- */

static void trim(struct fixture *f, uint64_t seq)
{
    bool more = true;
    for (int calls = 0; more; calls++) {
        assert_true(calls < 1000);
        assert_int_equal(journal_trim(f->journal, SHARD, seq, &more), OK);
    }
}

static void what_is_trimmed_is_gone_and_its_end_is_still_in_the_log(void **state)
{
    struct fixture *f = *state;
    struct position at[4];
    for (int i = 0; i < 4; i++) {
        at[i] = position_end(f);
        fake_messages(&f->numbering, TOKEN, 1, 3, "x");
        assert_int_equal(fake_send(&f->numbering), OK);
    }
    uint64_t bytes = meta_of(f).bytes;
    trim(f, at[2].seq + 2); /* within an entry: that one stays */
    assert_int_equal(meta_of(f).first_seq, at[2].seq + 1);
    assert_true(meta_of(f).bytes > 0 && meta_of(f).bytes < bytes);
    assert_not_in_the_log(f, at[1]);
    assert_int_equal(read_after(f, at[2]), OK);
    assert_int_equal(f->entries.count, 2);
    trim(f, at[1].seq);
    assert_int_equal(meta_of(f).first_seq, at[2].seq + 1);
}

static void when_all_is_trimmed_the_last_position_is_still_in_the_log(void **state)
{
    struct fixture *f = *state;
    struct position before = position_end(f);
    assert_int_equal(fake_message(&f->numbering, TOKEN, 1, "x"), 1);
    struct position end = position_end(f);
    trim(f, end.seq + 100);
    assert_int_equal(meta_of(f).first_seq, end.seq + 1);
    assert_int_equal(meta_of(f).bytes, 0);
    assert_int_equal(journal_read_from(f->journal, SHARD, 0, 9, 999, &f->entries), OK);
    assert_int_equal(f->entries.count, 1); /* the last one stays */
    bool holds = false;
    assert_int_equal(journal_holds(f->journal, SHARD, &end, &holds), OK);
    assert_true(holds);
    assert_int_equal(read_after(f, end), OK);
    assert_int_equal(f->entries.count, 0);
    end.name.sequence++;
    assert_not_in_the_log(f, end);
    assert_int_equal(journal_holds(f->journal, SHARD, &before, &holds), OK);
    assert_int_equal(fake_message(&f->numbering, TOKEN, 1, "x"), 2);
    trim(f, end.seq + 100);
    assert_not_in_the_log(f, before);
}

static void a_trim_removes_a_slice_at_a_call(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 40; i++) {
        for (int j = 0; j < 60; j++)
            fake_messages(&f->numbering, TOKEN, 1, 8, text_of("%0100d", j));
        assert_int_equal(fake_send(&f->numbering), OK);
    }
    uint64_t first = meta_of(f).first_seq, last = meta_of(f).last_seq;
    bool more = false;
    assert_int_equal(journal_trim(f->journal, SHARD, last, &more), OK);
    assert_true(more);
    assert_true(meta_of(f).first_seq > first && meta_of(f).first_seq <= last);
    trim(f, last);
    assert_int_equal(meta_of(f).first_seq, last + 1);
    assert_int_equal(fake_message(&f->numbering, TOKEN, 1, "x"), 40 * 480 + 1);
}

static void a_backlog_at_its_limit_refuses_appends_until_it_is_trimmed(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    for (int limit = 0; limit < 2; limit++) {
        trim(f, meta_of(f).last_seq);
        struct journal_options options = options_of(f);
        options.backlog_records_max = limit == 0 ? 4 : 0;
        options.backlog_bytes_max = limit == 0 ? 0 : 600;
        reopen(f, &options);
        fake_messages(n, TOKEN, 1, 3, text_of("%0100d", 0));
        assert_int_equal(fake_send(n), OK);
        fake_messages(n, TOKEN, 1, 3, text_of("%0100d", 0));
        assert_int_equal(fake_send(n), OK);
        uint64_t seq = meta_of(f).last_seq;
        assert_int_equal(fake_resend(n), OK);
        fake_messages(n, TOKEN, 1, 1, "x");
        assert_int_equal(fake_send(n), ERR_BACKLOG_FULL);
        assert_int_equal(meta_of(f).last_seq, seq);
        trim(f, seq);
        assert_int_equal(fake_resend(n), OK);
        assert_int_equal(n->groups[0].status, OK);
    }
}

/* ---- closing ---- */

static void a_mark_stays_unless_it_is_to_be_replaced(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(journal_mark(f->journal, SHARD, 5, false), OK);
    assert_int_equal(meta_of(f).mark, 5);
    assert_int_equal(journal_mark(f->journal, SHARD, 6, false), OK);
    assert_int_equal(meta_of(f).mark, 5);
    assert_int_equal(journal_mark(f->journal, SHARD, 7, true), OK);
    assert_int_equal(meta_of(f).mark, 7);
    assert_int_equal(meta_of(f).epoch, EPOCH);
    assert_int_equal(read_after(f, position_start()), OK);
    assert_int_equal(f->entries.count, 2);
}

static void an_empty_journal_is_closed_too(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(journal_mark(f->journal, SHARD, 5, false), OK);
    assert_int_equal(meta_of(f).mark, 5);
    assert_int_equal(meta_of(f).data_set, 0);
    assert_int_equal(fake_one(&f->numbering, RECORD_APPLICATION_CREATED, TOKEN, 0, 0, "x"),
                     ERR_CLOSED);
    assert_int_equal(
        journal_create(
            f->journal,
            &(struct journal_meta){.data_set = 1, .shards = SHARDS, .shard = SHARD, .epoch = 8}),
        ERR_EXISTS);
}

int main(void)
{
#define TEST(test, up) cmocka_unit_test_setup_teardown(test, up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_look_tells_what_exists_what_did_and_what_never, set_up_chat),
        TEST(a_look_tells_the_last_change_of_each_level, set_up_chat),
        TEST(nothing_is_known_of_a_shard_that_is_closed_unchecked_or_not_there, set_up_empty),
        TEST(a_shard_that_is_closed_hides_nothing_of_the_others, set_up_chat),
        TEST(entries_chain_from_any_position, set_up_chat),
        TEST(a_read_stops_at_its_limits_but_gives_at_least_one_entry, set_up_chat),
        TEST(a_position_of_another_history_is_not_in_the_log, set_up_chat),
        TEST(a_journal_of_nothing_holds_no_position, set_up_empty),
        TEST(what_is_trimmed_is_gone_and_its_end_is_still_in_the_log, set_up_chat),
        TEST(when_all_is_trimmed_the_last_position_is_still_in_the_log, set_up_chat),
        TEST(a_trim_removes_a_slice_at_a_call, set_up_chat),
        TEST(a_backlog_at_its_limit_refuses_appends_until_it_is_trimmed, set_up_chat),
        TEST(a_mark_stays_unless_it_is_to_be_replaced, set_up_chat),
        TEST(an_empty_journal_is_closed_too, set_up_empty),
    };
    return run_against_all("log", tests, sizeof tests / sizeof *tests);
}
