/* SPDX-License-Identifier: MIT */
/* test_search_sqlite.c - what only the index in SQLite has: a file, trigrams
 * that must agree with the bodies, and statements that must not sort.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "fake_sql.h"
#include "search_fixture.h"
#include "storage/search_adapter.h"
#include "storage/search_sqlite.h"

/* FTS5's own check: every trigram of every body is in the index, no other is,
 * and the view makes the same scopes as the program does. */
#define CHECK "INSERT INTO trigrams (trigrams, rank) VALUES ('integrity-check', 1)"

static char *folder;
static const char *url;

static int set_up(void **state)
{
    search_t *search = NULL;
    folder = folder_make();
    url = text_of("sqlite:%s/search.db", folder);
    assert_int_equal(search_open(text_of("faulty:%s", url), false, &search), OK);
    *state = search;
    return 0;
}

static int tear_down(void **state)
{
    search_t *search = *state;
    fake_sql_heal();
    search_close(&search);
    folder_remove(&folder);
    return 0;
}

static int64_t integer(const char *text)
{
    sql_t *sql = NULL;
    sql_rows_t *rows;
    assert_int_equal(sql_open(url, SQL_DURABLE, &sql), OK);
    assert_int_equal(sql_query(sql, text, SQL_NO_VALUES, &rows), OK);
    assert_true(sql_next(rows));
    int64_t value = sql_column_integer(rows, 0);
    assert_int_equal(sql_end(&rows), OK);
    sql_close(&sql);
    return value;
}

static void assert_whole(void)
{
    sql_t *sql = NULL;
    assert_int_equal(sql_open(url, SQL_DURABLE, &sql), OK);
    assert_int_equal(sql_script(sql, CHECK), OK);
    sql_close(&sql);
}

static void the_trigrams_agree_with_the_bodies(void **state)
{
    static const char *const texts[] = {"abc", "abcd abc", "", "ab", "\u4E0A\u6D77\u8BDD", NULL};
    for (uint64_t i = 0; i < 400; i++)
        put(*state, i % 7 + 1, i % 3 + 1, i * i % 31 + 1, i, texts[i % 6]);
    assert_whole();
    bool more = true;
    assert_int_equal(search_purge(*state, 1, 1, &more), OK);
    assert_int_equal(search_purge(*state, 2, 0, &more), OK);
    assert_int_equal(search_purge_shard(*state, 1, 2, &more), OK);
    assert_whole();
    assert_true(integer("SELECT count(*) FROM documents") > 0);
    assert_int_equal(search_purge_shard(*state, 0, 1, &more), OK);
    assert_whole();
}

static void the_check_would_notice(void **state)
{
    put(*state, 1, 1, 1, 1, "abcdef");
    assert_whole();
    sql_t *sql = NULL;
    assert_int_equal(sql_open(url, SQL_DURABLE, &sql), OK);
    assert_int_equal(sql_script(sql, "UPDATE documents SET body = 'abcxef'"), OK);
    assert_int_not_equal(sql_script(sql, CHECK), OK);
    sql_close(&sql);
}

static void the_highest_chat_ids_have_scopes_of_their_own(void **state)
{
    sql_t *sql = NULL;
    uint64_t numbers[2];
    assert_int_equal(sql_open(url, SQL_DURABLE, &sql), OK);
    assert_int_equal(sql_script(sql, "INSERT INTO chats VALUES (2147483646, 9, 9)"), OK);
    put(*state, 9, 9, 1, 1, "the last but one");
    put(*state, 9, 10, NUMBER_MAX, 1, "the last");
    assert_whole();
    assert_int_equal(integer("SELECT max(id) FROM chats"), 2147483647);
    assert_int_equal(find(*state, 9, 9, "the last", 0, 0, true, 2, numbers), 1);
    assert_int_equal(numbers[0], 1);
    assert_int_equal(find(*state, 9, 10, "the last", 0, 0, true, 2, numbers), 1);
    assert_int_equal(numbers[0], NUMBER_MAX);

    /* There is no id for another chat: an error, and no wrong answer. */
    struct document document = {9, 11, 1, 1, "one too many", 12};
    assert_int_not_equal(search_apply(*state, 0, &document, 1, NULL), OK);
    assert_int_equal(integer("SELECT count(*) FROM documents"), 2);
    sql_close(&sql);
}

/* What makes large batches cheap: FTS5 writes once. Chats alternate, and ids
 * of new chats come out in the order of neither chats nor messages. */
static void a_batch_becomes_one_segment(void **state)
{
    enum { COUNT = 2000 };
    static struct document documents[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        documents[i] = (struct document){i * 7 % 5 + 1, i % 20 + 1, COUNT - i, i, "some text", 9};
    assert_int_equal(search_apply(*state, 0, documents, COUNT, NULL), OK);
    assert_int_equal(integer("SELECT count(DISTINCT segid) FROM trigrams_idx"), 1);
    for (size_t i = 0; i < COUNT; i++) {
        documents[i].seq += COUNT;
        documents[i].folded = i % 2 ? "an edit" : NULL;
        documents[i].folded_length = i % 2 ? 7 : 0;
    }
    assert_int_equal(search_apply(*state, 0, documents, COUNT, NULL), OK);
    assert_int_equal(integer("SELECT count(DISTINCT segid) FROM trigrams_idx"), 2);
    assert_whole();
}

static void an_index_is_kept_when_closed(void **state)
{
    search_t *search = *state;
    put(search, 1, 1, 1, 1, "text");
    search_close(&search);
    assert_int_equal(search_open(url, false, &search), OK);
    assert_finds(search, "text", 1, 0);
    put(search, 1, 1, 2, 2, "text");
    assert_finds(search, "text", 2, 1, 0);
    *state = search;
}

static void who_reads_only_cannot_write(void **state)
{
    search_t *search = NULL;
    struct document document = {1, 1, 2, 2, "text", 4};
    put(*state, 1, 1, 1, 1, "text");
    assert_int_equal(search_open(url, true, &search), OK);
    assert_finds(search, "text", 1, 0);
    assert_int_equal(search_apply(search, 0, &document, 1, NULL), ERR_SEARCH);
    assert_int_equal(search_reset(search, 0), ERR_SEARCH);
    assert_true(strlen(search_errmsg(search)) > 0);
    search_close(&search);
    assert_int_equal(search_open(text_of("sqlite:%s/none.db", folder), true, &search), ERR_SEARCH);
    assert_null(search);
}

static void what_is_no_index_does_not_open(void **state)
{
    (void) state;
    search_t *search = NULL;
    assert_int_equal(search_open("nowhere:x", false, &search), ERR_CONFIG);
    assert_int_equal(search_open("sqlite", false, &search), ERR_CONFIG);
    assert_int_equal(search_open("", false, &search), ERR_CONFIG);
    assert_true(strlen(search_errmsg(NULL)) > 0);
    assert_int_equal(search_open(text_of("sqlite:%s", folder), false, &search), ERR_SEARCH);

    assert_null(search);
}

/* ---- a damaged index ---- */

/* Writes rubbish into a file, from `start` on. */
static void damage(const char *path, long start)
{
    FILE *file = fopen(path, start ? "r+e" : "we");
    assert_non_null(file);
    assert_int_equal(fseek(file, start, SEEK_SET), 0);
    for (int i = 0; i < 1000; i++)
        fputs("this is no database\n", file);
    fclose(file);
}

/* It can be had from the store: what was there is kept, and a new one begun. */
static void a_damaged_index_is_put_aside_and_begun_anew(void **state)
{
    struct position position;
    bool found;
    size_t length;
    search_t *search = NULL;
    const char *path = strchr(url, ':') + 1, *aside = text_of("%s.damaged", path);
    put(*state, 1, 1, 1, 1, "before");
    search_close((search_t **) state);
    static const long starts[] = {0, 100, 0};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        damage(path, starts[i]);
        assert_int_equal(search_open(url, true, &search), ERR_SEARCH); /* reading mends nothing */
        assert_int_equal(search_open(url, false, &search), OK);
        assert_true(strlen(search_damage(search)) > 0);
        char *kept = file_read(aside, &length);
        assert_non_null(kept);
        assert_memory_equal(kept + starts[i], "this is no database", 19);
        free(kept);
        assert_int_equal(search_position(search, 0, &position, &found), OK);
        assert_false(found);
        put(search, 1, 1, 1, 1, "anew");
        assert_finds(search, "anew", 1, 0);
        assert_finds(search, "before", 0);
        search_close(&search);
        assert_int_equal(search_open(url, false, &search), OK);
        assert_null(search_damage(search));
        search_close(&search);
    }
}

static void a_damaged_index_that_cannot_be_put_aside_does_not_open(void **state)
{
    search_t *search = NULL;
    const char *path = strchr(url, ':') + 1;
    search_close((search_t **) state);
    damage(path, 0);
    assert_int_equal(mkdir(text_of("%s.damaged", path), 0700), 0);
    assert_int_equal(search_open(url, false, &search), ERR_SEARCH);
    assert_non_null(strstr(search_errmsg(NULL), "put aside"));
}

static void a_backup_answers_like_the_index(void **state)
{
    search_t *copy = NULL;
    const char *path = text_of("%s/copy.db", folder);
    put(*state, 1, 1, 1, 1, "before");
    assert_int_equal(search_backup(*state, path), OK);
    put(*state, 1, 1, 2, 2, "after");
    assert_int_equal(search_backup(*state, path), ERR_EXISTS);
    assert_int_equal(search_open(text_of("sqlite:%s", path), false, &copy), OK);
    assert_finds(copy, "before", 1, 0);
    assert_finds(copy, "after", 0);
    search_close(&copy);
}

/* ---- a database that fails ---- */

static status_t apply_two(search_t *search, uint64_t seq)
{
    const struct position position = {.epoch = 1, .seq = seq, .name = {1, 1}};
    const struct document documents[] = {{1, 1, 1, seq, "edited", 6}, {1, 1, 2, seq, "added", 5}};
    return search_apply(search, 0, documents, 2, &position);
}

static uint64_t position_seq(search_t *search)
{
    struct position position = {0};
    bool found;
    assert_int_equal(search_position(search, 0, &position, &found), OK);
    return found ? position.seq : 0;
}

/* Wherever it fails, all is as before: the next attempt succeeds. */
static void a_failed_batch_leaves_nothing_behind(void **state)
{
    static const enum fault faults[] = {FAULT_BEGIN, FAULT_STATEMENT, FAULT_QUERY, FAULT_COMMIT};
    uint64_t seq = 1;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        for (int delay = 0;; delay++, seq++) {
            put(*state, 1, 1, 1, seq * 10, "before");
            put(*state, 1, 1, 2, seq * 10, NULL);
            unsigned failures = fake_sql_failures(faults[i]);
            fake_sql_fail(faults[i], NULL, delay, 1);
            status_t status = apply_two(*state, seq * 10 + 1);
            fake_sql_heal();
            if (fake_sql_failures(faults[i]) == failures) {
                assert_int_equal(status, OK);
                assert_true(delay > 0);
                break;
            }
            assert_int_equal(status, ERR_SEARCH);
            assert_finds(*state, "before", 1, 0);
            assert_finds(*state, "added", 0);
            assert_int_not_equal(position_seq(*state), seq * 10 + 1);
            assert_int_equal(apply_two(*state, seq * 10 + 1), OK);
            assert_finds(*state, "ed", 2, 1, 0);
            assert_int_equal(position_seq(*state), seq * 10 + 1);
        }
        seq++;
    }
    assert_whole();
}

static void a_commit_whose_answer_is_lost_may_be_repeated(void **state)
{
    fake_sql_fail(FAULT_COMMIT_UNKNOWN, NULL, 0, 1);
    assert_int_equal(apply_two(*state, 5), ERR_SEARCH);
    assert_int_equal(position_seq(*state), 5);
    assert_int_equal(apply_two(*state, 5), OK);
    assert_finds(*state, "ed", 2, 1, 0);
    assert_whole();
}

static void questions_fail_when_the_database_does(void **state)
{
    uint64_t number;
    size_t count = 77;
    bool more = true;
    struct position position;
    put(*state, 1, 1, 1, 1, "text");
    for (int delay = 0; delay < 2; delay++) {
        fake_sql_fail(FAULT_QUERY, NULL, delay, FAULT_ALWAYS);
        assert_int_equal(search_find(*state, 1, 1, "text", 4, 0, 0, true, 1, &number, &count),
                         ERR_SEARCH);
        assert_int_equal(count, 77);
    }
    fake_sql_fail(FAULT_QUERY, NULL, 0, FAULT_ALWAYS);
    assert_int_equal(search_purge(*state, 1, 1, &more), ERR_SEARCH);
    assert_int_equal(search_position(*state, 0, &position, &more), ERR_SEARCH);
    fake_sql_heal();
    assert_finds(*state, "text", 1, 0);
}

int main(void)
{
    /* The index in SQLite, over a database that can be told to fail. */
    static struct search_adapter faulty;
    faulty = search_sqlite;
    faulty.scheme = "faulty";
    search_adapter_register(&faulty);
    fake_sql_register();

    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_trigrams_agree_with_the_bodies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_check_would_notice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_highest_chat_ids_have_scopes_of_their_own, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_batch_becomes_one_segment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_index_is_kept_when_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_reads_only_cannot_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_index_does_not_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_index_is_put_aside_and_begun_anew, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_index_that_cannot_be_put_aside_does_not_open,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_backup_answers_like_the_index, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_batch_leaves_nothing_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_commit_whose_answer_is_lost_may_be_repeated, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(questions_fail_when_the_database_does, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
