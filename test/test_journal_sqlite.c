/* SPDX-License-Identifier: MIT */
/* test_journal_sqlite.c - what the SQLite journal does when its database fails it. */
#include "fake_sql.h"
#include "journal_fixture.h"
#include "storage/journal_adapter.h"
#include "storage/sql.h"

/* The same adapter, for URLs that begin with "faulty:". */
static struct journal_adapter faulty;

static int set_up_faulty(void **state)
{
    journal_kind = "faulty:sqlite";
    return set_up_chat(state);
}

static int tear_down_faulty(void **state)
{
    fake_sql_heal();
    return tear_down(state);
}

/* The file behind the journal. */
static sql_t *file_of(struct fixture *f)
{
    sql_t *sql = NULL;
    assert_int_equal(sql_open(text_of("sqlite:%s/journal.db", f->folder), SQL_DURABLE, &sql), OK);
    return sql;
}

/* ---- appends ---- */

static void a_commit_that_failed_is_of_unknown_outcome_and_can_be_sent_again(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    static const enum fault faults[] = {FAULT_COMMIT, FAULT_COMMIT_UNKNOWN};
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t seq = meta_of(f).last_seq;
        fake_group(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x");
        fake_sql_fail(faults[i], NULL, 0, 1);
        assert_int_equal(fake_send(n), ERR_OUTCOME_UNKNOWN);
        assert_int_equal(fake_resend(n), OK);
        assert_int_equal(n->groups[0].status, OK);
        assert_int_equal(n->groups[0].first_number, i + 1);
        assert_int_equal(meta_of(f).last_seq, seq + 1);
    }
}

static void a_batch_given_up_took_effect_once_or_never(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    static const enum fault faults[] = {FAULT_COMMIT, FAULT_COMMIT_UNKNOWN};
    static const uint64_t next[] = {1, 3};
    for (int i = 0; i < 2; i++) {
        fake_sql_fail(faults[i], NULL, 0, 1);
        assert_int_equal(fake_one(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x"),
                         ERR_OUTCOME_UNKNOWN);
        n->batch.producer = journal_random();
        n->batch.sequence = 0;
        assert_int_equal(fake_message(n, TOKEN, 1, "y"), next[i]);
    }
}

/* A batch with something of everything. */
static void groups_of_all_types(struct fake_numbering *n)
{
    fake_key(fake_group(n, RECORD_APPLICATION_CREATED, OTHER, 0, 0, "x"), 1, 1);
    fake_key(fake_group(n, RECORD_CHAT_CREATED, TOKEN, 0, 0, "x"), 2, 1);
    fake_messages(n, TOKEN, 1, 3, "x");
    fake_group(n, RECORD_CHAT_RENAMED, TOKEN, 2, 0, "x");
    fake_group(n, RECORD_CHAT_DELETED, TOKEN, 2, 0, NULL);
}

static void whatever_statement_fails_nothing_was_written(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    static const enum fault faults[] = {FAULT_BEGIN, FAULT_QUERY, FAULT_STATEMENT};
    assert_int_equal(fake_chat(n, TOKEN), 2);
    uint64_t seq = meta_of(f).last_seq, failed = 0;
    groups_of_all_types(n);
    n->batch.sequence++;
    for (int i = 0; i < 3; i++) {
        for (int delay = 0;; delay++) {
            fake_sql_fail(faults[i], NULL, delay, 1);
            unsigned failures = fake_sql_failures(faults[i]);
            status_t status = fake_resend(n);
            if (fake_sql_failures(faults[i]) == failures)
                break; /* there are no more statements to fail; it went well */
            assert_int_equal(status, ERR_JOURNAL);
            assert_non_null(strstr(journal_errmsg(f->journal), "planted"));
            fake_sql_heal();
            assert_int_equal(meta_of(f).last_seq, seq);
            assert_int_equal(meta_of(f).mark, 0);
            failed++;
        }
        fake_sql_heal();
        assert_int_equal(meta_of(f).last_seq, seq + 7);
        for (size_t g = 0; g < 5; g++)
            assert_int_equal(n->groups[g].status, OK);
        assert_int_equal(n->groups[1].first_number, 3);
        assert_int_equal(n->groups[2].first_number, 1);
        if (i == 2)
            break;
        /* Taken back, for the next kind of fault. */
        tear_down_faulty(state);
        set_up_faulty(state);
        f = *state;
        n = &f->numbering;
        assert_int_equal(fake_chat(n, TOKEN), 2);
        groups_of_all_types(n);
        n->batch.sequence++;
    }
    assert_true(failed > 20);
}

static void a_shard_that_cannot_be_closed_just_now_is_closed_later(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    fake_group(n, RECORD_CHAT_CREATED, TOKEN, 0, 0, "x");
    n->batch.sequence += 5;
    fake_sql_fail(FAULT_COMMIT, NULL, 0, 1);
    assert_int_equal(fake_resend(n), ERR_JOURNAL);
    assert_int_equal(meta_of(f).mark, 0);
    assert_int_equal(fake_resend(n), ERR_SEQUENCE);
    assert_int_not_equal(meta_of(f).mark, 0);
}

/* ---- the rest ---- */

static void a_failing_database_says_so_in_every_call(void **state)
{
    struct fixture *f = *state;
    struct journal_meta meta = meta_of(f);
    struct look look = {.token = TOKEN, .token_length = strlen(TOKEN)};
    struct position start = position_start();
    bool flag;
    fake_sql_fail(FAULT_QUERY, NULL, 0, FAULT_ALWAYS);
    fake_sql_fail(FAULT_STATEMENT, NULL, 0, FAULT_ALWAYS);
    assert_int_equal(journal_look(f->journal, &look, 1), ERR_JOURNAL);
    assert_int_equal(journal_meta(f->journal, SHARD, &meta, &flag), ERR_JOURNAL);
    assert_int_equal(journal_mark(f->journal, SHARD, 1, false), ERR_JOURNAL);
    assert_int_equal(journal_checked(f->journal, SHARD, 1, 2), ERR_JOURNAL);
    assert_int_equal(journal_create(f->journal, &meta), ERR_JOURNAL);
    assert_int_equal(journal_holds(f->journal, SHARD, &start, &flag), ERR_JOURNAL);
    assert_int_equal(read_after(f, start), ERR_JOURNAL);
    assert_int_equal(journal_trim(f->journal, SHARD, 5, &flag), ERR_JOURNAL);
    fake_sql_heal();
    assert_int_equal(journal_look(f->journal, &look, 1), OK);
    assert_int_equal(read_after(f, start), OK);
    assert_int_equal(journal_trim(f->journal, SHARD, 5, &flag), OK);
}

static void a_trim_that_fails_has_trimmed_nothing(void **state)
{
    struct fixture *f = *state;
    bool more = false;
    fake_sql_fail(FAULT_COMMIT, NULL, 0, 1);
    assert_int_equal(journal_trim(f->journal, SHARD, 1, &more), ERR_JOURNAL);
    assert_int_equal(meta_of(f).first_seq, 1);
    assert_int_equal(read_after(f, position_start()), OK);
    assert_int_equal(f->entries.count, 2);
    assert_int_equal(journal_trim(f->journal, SHARD, 1, &more), OK);
    assert_int_equal(meta_of(f).first_seq, 2);
}

static status_t rebuild_once(struct fixture *f)
{
    struct journal_meta meta = {
        .data_set = 99, .shards = SHARDS, .shard = SHARD, .epoch = EPOCH + 1, .last_seq = 1000};
    const char *token = OTHER;
    status_t status = journal_rebuild_begin(f->journal, SHARD, 1000);
    if (status == OK)
        status = journal_rebuild_application(f->journal, token, strlen(token), 9, EXISTS, 3);
    if (status == OK)
        status = journal_rebuild_chat(f->journal, token, strlen(token), 2, 8);
    return status == OK ? journal_rebuild_end(f->journal, 5, &meta) : status;
}

static void a_rebuild_that_fails_leaves_the_shard_closed_and_as_it_was(void **state)
{
    struct fixture *f = *state;
    static const enum fault faults[] = {FAULT_COMMIT, FAULT_QUERY, FAULT_STATEMENT};
    assert_int_equal(journal_mark(f->journal, SHARD, 5, false), OK);
    for (int i = 0; i < 3; i++)
        for (int delay = 0; delay < (i == 0 ? 1 : 3); delay++) {
            fake_sql_fail(faults[i], NULL, delay, 1);
            assert_int_equal(rebuild_once(f), ERR_JOURNAL);
            fake_sql_heal();
            assert_int_equal(meta_of(f).mark, 5);
            assert_int_equal(meta_of(f).epoch, EPOCH);
            assert_int_equal(meta_of(f).last_seq, 2);
        }
    assert_int_equal(rebuild_once(f), OK);
    assert_int_equal(meta_of(f).mark, 0);
}

static int64_t count_of(struct fixture *f, const char *text)
{
    sql_t *sql = file_of(f);
    sql_rows_t *rows = NULL;
    assert_int_equal(sql_query(sql, text, SQL_NO_VALUES, &rows), OK);
    assert_true(sql_next(rows));
    int64_t count = sql_column_integer(rows, 0);
    assert_int_equal(sql_end(&rows), OK);
    sql_close(&sql);
    return count;
}

static void a_chat_deleted_twice_in_one_batch_is_deleted_once(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    uint64_t seq = meta_of(f).last_seq;
    fake_group(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x");
    fake_group(n, RECORD_CHAT_DELETED, TOKEN, 1, 0, NULL);
    fake_group(n, RECORD_CHAT_DELETED, TOKEN, 1, 0, NULL);
    assert_int_equal(fake_send(n), OK);
    assert_int_equal(n->groups[2].status, OK);
    assert_int_equal(meta_of(f).last_seq, seq + 2);
    assert_int_equal(count_of(f, "SELECT COUNT(*) FROM chats"), 0);
}

static void the_chats_of_a_deleted_application_go_when_there_is_time(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    for (int i = 0; i < 20; i++) {
        for (int j = 0; j < FAKE_GROUPS_MAX; j++)
            fake_group(n, RECORD_CHAT_CREATED, TOKEN, 0, 0, "");
        assert_int_equal(fake_send(n), OK);
    }
    assert_int_equal(fake_one(n, RECORD_APPLICATION_DELETED, TOKEN, 0, 0, NULL), OK);
    assert_int_equal(count_of(f, "SELECT COUNT(*) FROM chats"), 20 * FAKE_GROUPS_MAX + 1);
    bool more = true;
    int slices = 0;
    for (; more; slices++)
        assert_int_equal(journal_trim(f->journal, SHARD, 0, &more), OK);
    assert_true(slices > 2);
    assert_int_equal(count_of(f, "SELECT COUNT(*) FROM chats"), 0);
    assert_int_equal(count_of(f, "SELECT COUNT(*) FROM leftovers"), 0);
}

static void a_byte_that_changed_on_the_disk_is_noticed(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fake_message(&f->numbering, TOKEN, 1, "hello"), 1);
    struct position end = position_end(f);
    sql_t *sql = file_of(f);
    assert_int_equal(sql_run(sql,
                             "UPDATE entries SET groups = CAST(substr(groups, 1, "
                             "length(groups) - 6) || X'58' || substr(groups, length(groups) - 4) "
                             "AS BLOB) WHERE id & 255 = 3",
                             SQL_NO_VALUES, NULL),
                     OK);
    sql_close(&sql);
    assert_int_equal(read_after(f, position_start()), ERR_CORRUPT);
    assert_int_equal(f->entries.count, 0);
    assert_non_null(strstr(journal_errmsg(f->journal), "seq 3"));
    assert_int_equal(journal_read_from(f->journal, SHARD, 3, 1, 1, &f->entries), ERR_CORRUPT);
    assert_int_equal(journal_read_from(f->journal, SHARD, 1, 1, 1, &f->entries), OK);
    bool holds = false;
    assert_int_equal(journal_holds(f->journal, SHARD, &end, &holds), OK);
    assert_true(holds);
}

static void a_journal_that_cannot_be_opened_says_why(void **state)
{
    struct fixture *f = *state;
    journal_t *journal = NULL;
    struct journal_options options = {.url = "nonsense:x", .run = RUN};
    assert_int_equal(journal_open(&options, &journal), ERR_CONFIG);
    options.url = "no scheme";
    assert_int_equal(journal_open(&options, &journal), ERR_CONFIG);
    options.url = text_of("sqlite:%s/no/such/folder/journal.db", f->folder);
    assert_int_equal(journal_open(&options, &journal), ERR_JOURNAL);
    assert_true(strlen(journal_errmsg(NULL)) > 0);
    options = (struct journal_options){.url = text_of("sqlite:%s/none.db", f->folder),
                                       .read_only = true};
    assert_int_equal(journal_open(&options, &journal), ERR_JOURNAL);
    sql_t *sql = file_of(f);
    assert_int_equal(
        sql_run(sql,
                "INSERT INTO schema_migrations VALUES ('sqlite/journal_9999_later.sql', 'x', 1)",
                SQL_NO_VALUES, NULL),
        OK);
    sql_close(&sql);
    options = (struct journal_options){.url = f->url, .run = RUN};
    assert_int_equal(journal_open(&options, &journal), ERR_SCHEMA);
    assert_null(journal);
}

int main(void)
{
    fake_sql_register();
    faulty = journal_sqlite;
    faulty.scheme = "faulty";
    journal_adapter_register(&faulty);
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up_faulty, tear_down_faulty)
    const struct CMUnitTest tests[] = {
        TEST(a_commit_that_failed_is_of_unknown_outcome_and_can_be_sent_again),
        TEST(a_batch_given_up_took_effect_once_or_never),
        TEST(whatever_statement_fails_nothing_was_written),
        TEST(a_shard_that_cannot_be_closed_just_now_is_closed_later),
        TEST(a_failing_database_says_so_in_every_call),
        TEST(a_trim_that_fails_has_trimmed_nothing),
        TEST(a_rebuild_that_fails_leaves_the_shard_closed_and_as_it_was),
        TEST(a_chat_deleted_twice_in_one_batch_is_deleted_once),
        TEST(the_chats_of_a_deleted_application_go_when_there_is_time),
        TEST(a_byte_that_changed_on_the_disk_is_noticed),
        TEST(a_journal_that_cannot_be_opened_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
