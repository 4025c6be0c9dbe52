/* SPDX-License-Identifier: MIT */
/* history_fixture.h - a journal and a store that can be set back, and who follows whom.
 *
 * Both are files in one folder, behind "faulty:" (fake_sql.h). Plays numbering and
 * persistence; what a restored backup, a lost disk or a crash does to them is a
 * function here.
 */
#ifndef HISTORY_FIXTURE_H
#define HISTORY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_numbering.h"
#include "fake_sql.h"
#include "storage/history.h"
#include "storage/journal_adapter.h"
#include "storage/store_read.h"
#include "storage/store_scan.h"
#include "support.h"

/* All are of shard SHARD. */
#define TOKEN "tokenOfTheFirstApplication0123456705"
#define OTHER "tokenOfTheOtherApplication0123456701"
#define THIRD "unheard_of_3"

enum { SHARDS = 4, SHARD = 1 };
static const struct data_set the_data_set = {.id = 99, .shards = SHARDS};

struct fixture {
    char *folder;
    uint64_t run;
    journal_t *journal;
    store_t *store;
    struct fake_numbering numbering;
    struct history_reason reason;
    struct rebuild_report report;
};

static inline const char *path_of(struct fixture *f, const char *name)
{
    return text_of("%s/%s.db", f->folder, name);
}

/* ---- opening, and lives of a process ---- */

static inline void stop(struct fixture *f)
{
    fake_numbering_stop(&f->numbering);
    f->numbering = (struct fake_numbering){0};
    journal_close(&f->journal);
    store_close(&f->store);
}

/* A new process: a new run, and a new producer. */
static inline void start(struct fixture *f)
{
    struct journal_options options = {.url = text_of("faulty:sqlite:%s", path_of(f, "journal")),
                                      .run = ++f->run};
    char *store = text_of("faulty:sqlite:%s", path_of(f, "store"));
    char errmsg[256] = "";
    if (journal_open(&options, &f->journal) != OK)
        fail_msg("%s", journal_errmsg(NULL));
    if (store_migrate(store, errmsg, sizeof errmsg) != OK ||
        store_open(store, false, &f->store) != OK)
        fail_msg("%s %s", errmsg, store_errmsg(NULL));
    fake_numbering_start(&f->numbering, f->journal, SHARD, 0);
}

static inline void restart(struct fixture *f)
{
    stop(f);
    start(f);
}

static inline status_t make(struct fixture *f)
{
    return history_make(f->journal, f->store, SHARD, &the_data_set, true, &f->reason);
}

/* What every server does at its start. */
static inline status_t check(struct fixture *f)
{
    status_t status = history_check(f->journal, f->store, SHARD, NULL, &f->reason);
    struct journal_meta meta;
    bool found = false;
    if (journal_meta(f->journal, SHARD, &meta, &found) == OK && found)
        f->numbering.batch.epoch = meta.epoch;
    return status;
}

static inline status_t rebuild(struct fixture *f)
{
    status_t status = history_rebuild(f->journal, f->store, SHARD, NULL, &f->report, &f->reason);
    struct journal_meta meta;
    bool found = false;
    if (journal_meta(f->journal, SHARD, &meta, &found) == OK && found)
        f->numbering.batch.epoch = meta.epoch;
    return status;
}

static inline void assert_ok(struct fixture *f, status_t status)
{
    if (status != OK)
        fail_msg("%s: %s", status_name(status), f->reason.text);
}

static inline int set_up_empty(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->folder = folder_make();
    f->run = 1000;
    start(f);
    *state = f;
    return 0;
}

static inline int set_up(void **state)
{
    set_up_empty(state);
    struct fixture *f = *state;
    assert_ok(f, make(f));
    assert_ok(f, check(f));
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    fake_sql_heal();
    stop(f);
    folder_remove(&f->folder);
    free(f);
    return 0;
}

/* ---- copies ---- */

static inline void copy(struct fixture *f, const char *name)
{
    unlink(path_of(f, text_of("%s-copy", name)));
    status_t status = strcmp(name, "store") == 0
                          ? store_backup(f->store, path_of(f, "store-copy"))
                          : journal_backup(f->journal, path_of(f, "journal-copy"));
    assert_int_equal(status, OK);
}

/* Removes a database while its process is stopped. */
static inline void lose(struct fixture *f, const char *name)
{
    unlink(path_of(f, name));
    unlink(text_of("%s-wal", path_of(f, name)));
    unlink(text_of("%s-shm", path_of(f, name)));
}

/* Sets a database back to its copy, and starts a new process. */
static inline void set_back(struct fixture *f, const char *name)
{
    stop(f);
    lose(f, name);
    assert_int_equal(rename(path_of(f, text_of("%s-copy", name)), path_of(f, name)), 0);
    start(f);
}

/* ---- numbering and persistence ---- */

static inline struct position row_of(struct fixture *f, const char *follower)
{
    struct position row;
    bool found = false;
    assert_int_equal(store_position(f->store, follower, SHARD, &row, &found), OK);
    assert_true(found);
    return row;
}

static inline struct journal_meta meta_of(struct fixture *f)
{
    struct journal_meta meta;
    bool found = false;
    assert_int_equal(journal_meta(f->journal, SHARD, &meta, &found), OK);
    assert_true(found);
    return meta;
}

/* The store gets all that the log has. */
static inline void persist(struct fixture *f)
{
    struct entries entries = {0};
    for (;;) {
        struct position row = row_of(f, FOLLOWER_PERSISTENCE);
        assert_int_equal(journal_read(f->journal, SHARD, &row, 1000, 1000000, &entries), OK);
        if (entries.count == 0)
            break;
        for (size_t i = 0; i < entries.count; i++) {
            struct record records[BATCH_RECORDS_MAX + 1];
            struct entry_walk walk;
            bool more = true;
            size_t count = 0;
            entry_walk_start(&walk, &entries.entry[i]);
            while (more) {
                assert_int_equal(entry_next(&walk, &records[count], &more), OK);
                count += more;
            }
            struct position to = entry_position(&entries.entry[i], row.run);
            struct change change = {
                .shard = SHARD, .from = row, .to = to, .records = records, .count = count};
            assert_int_equal(store_apply(f->store, &change), OK);
            row = to;
        }
    }
    entries_free(&entries);
}

static inline void trim(struct fixture *f)
{
    bool more = true;
    while (more)
        assert_int_equal(
            journal_trim(f->journal, SHARD, row_of(f, FOLLOWER_PERSISTENCE).seq, &more), OK);
}

static inline void messages(struct fixture *f, const char *token, uint64_t chat, int count)
{
    for (int i = 0; i < count; i++)
        assert_true(fake_message(&f->numbering, token, chat, text_of("text %d", i)) > 0);
}

/* Two applications: chats 1 to 3 in the first, of which 2 was deleted, and 1 in the other. */
static inline void fill(struct fixture *f)
{
    struct fake_numbering *n = &f->numbering;
    assert_int_equal(fake_one(n, RECORD_APPLICATION_CREATED, TOKEN, 0, 0, "first"), OK);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_CREATED, OTHER, 0, 0, "other"), OK);
    for (uint64_t chat = 1; chat <= 3; chat++) {
        assert_int_equal(fake_chat(n, TOKEN), chat);
        messages(f, TOKEN, chat, 4);
    }
    assert_int_equal(fake_chat(n, OTHER), 1);
    messages(f, OTHER, 1, 3);
    assert_int_equal(fake_one(n, RECORD_MESSAGE_EDITED, TOKEN, 1, 2, "edited"), OK);
    assert_int_equal(fake_one(n, RECORD_MESSAGE_DELETED, TOKEN, 1, 4, NULL), OK);
    assert_int_equal(fake_one(n, RECORD_CHAT_DELETED, TOKEN, 2, 0, NULL), OK);
    assert_int_equal(fake_one(n, RECORD_APPLICATION_RENAMED, OTHER, 0, 0, "new name"), OK);
}

/* ---- looking ---- */

static inline void fault_found(void *context, const char *line)
{
    (void) context;
    fail_msg("%s", line);
}

/* No gap, no wrong count, nothing dead. */
static inline void assert_store_is_sound(struct fixture *f)
{
    assert_int_equal(store_verify(f->store, true, fault_found, NULL), OK);
}

static inline void dead_count(void *context, const struct dead_record *dead)
{
    (void) dead;
    ++*(uint64_t *) context;
}

static inline uint64_t dead_of(struct fixture *f)
{
    uint64_t count = 0;
    assert_int_equal(store_dead_each(f->store, dead_count, &count), OK);
    return count;
}

static inline void chat_counts(void *context, const struct item *item)
{
    *(uint64_t *) context = item->count;
}

static inline uint64_t application_id_of(struct fixture *f, const char *token)
{
    uint64_t id = 0;
    status_t status = store_find_application(f->store, token, strlen(token), &id);
    return status == OK ? id : 0;
}

static inline uint64_t messages_in_store(struct fixture *f, const char *token, uint64_t chat)
{
    uint64_t count = 0;
    status_t status = store_chat(f->store, application_id_of(f, token), chat, chat_counts, &count);
    return status == OK ? count : 0;
}

static inline struct look look_at(struct fixture *f, const char *token, uint64_t chat)
{
    struct look look = {.token = token, .token_length = strlen(token), .chat = chat};
    assert_int_equal(journal_look(f->journal, &look, 1), OK);
    return look;
}

/* The SQLite journal again, for URLs that begin with "faulty:". */
static struct journal_adapter faulty;

static inline status_t open_faulty(const struct journal_options *options, journal_t **ret_journal)
{
    status_t status = journal_sqlite.open(options, ret_journal);
    if (*ret_journal)
        (*ret_journal)->adapter = &faulty;
    return status;
}

static inline void register_faulty(void)
{
    fake_sql_register();
    faulty = journal_sqlite;
    faulty.scheme = "faulty";
    faulty.open = open_faulty;
    journal_adapter_register(&faulty);
}

/* After a rebuild: the shard is open, in a new epoch in which all followers stand,
 * counts are right, and the next numbers are these. */
static inline void assert_whole(struct fixture *f, uint64_t next_chat, uint64_t next_message,
                                uint64_t next_of_other)
{
    struct journal_meta meta = meta_of(f);
    assert_int_equal(meta.mark, 0);
    assert_int_equal(meta.epoch, f->report.epoch);
    assert_int_equal(meta.last_seq, f->report.base);
    static const char *const followers[] = {FOLLOWER_PERSISTENCE, FOLLOWER_COUNTING,
                                            FOLLOWER_INDEXING};
    for (size_t i = 0; i < 3; i++) {
        struct position row = row_of(f, followers[i]);
        assert_int_equal(row.epoch, meta.epoch);
        assert_int_equal(row.seq, meta.last_seq);
        assert_true(entry_name_equal(row.name, meta.last_name));
    }
    assert_ok(f, check(f));
    assert_int_equal(fake_message(&f->numbering, TOKEN, 1, "x"), next_message);
    assert_int_equal(fake_message(&f->numbering, OTHER, 1, "x"), next_of_other);
    assert_int_equal(fake_chat(&f->numbering, TOKEN), next_chat);
    persist(f);
    assert_int_equal(
        store_recount(f->store, SHARD, SHARDS, &(struct position){.epoch = meta.epoch}), OK);
    restart(f);
    assert_ok(f, check(f));
    assert_int_equal(rebuild(f), ERR_EXISTS);
    assert_int_equal(meta_of(f).epoch, meta.epoch);
    assert_int_equal(meta_of(f).mark, 0);
}

#endif
