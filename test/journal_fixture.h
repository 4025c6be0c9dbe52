/* SPDX-License-Identifier: MIT */
/* journal_fixture.h - a journal of one shard, a numbering actor, and what to ask of them.
 *
 * Included by the contract's files, each of which runs its tests once for every
 * journal that this machine has: JOURNALS names how to make them.
 */
#ifndef JOURNAL_FIXTURE_H
#define JOURNAL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_numbering.h"
#include "redis_server.h"
#include "support.h"

/* Both are of shard SHARD. */
#define TOKEN "tokenOfTheFirstApplication0123456705"
#define OTHER "tokenOfTheOtherApplication0123456701"

enum { RUN = 77, SHARDS = 4, SHARD = 1 };
static const uint64_t EPOCH = UINT64_C(1) << 32 | 5;
static const int64_t DAY_US = INT64_C(24) * 3600 * 1000 * 1000;

/* The journal that the tests at hand are about. */
static const char *journal_kind;
/* The test process' own; started by the first test that needs it. */
static redis_server_t *journal_redis_server;

static inline bool kind_is_redis(void)
{
    return strcmp(journal_kind, "redis") == 0;
}

struct fixture {
    char *folder;
    const char *url;
    uint64_t run; /* of the journal's process */
    journal_t *journal;
    struct fake_numbering numbering;
    struct entries entries;
};

static inline struct journal_options options_of(const struct fixture *f)
{
    return (struct journal_options){.url = f->url, .run = f->run ? f->run : RUN};
}

static inline journal_t *journal_of(const struct journal_options *options)
{
    journal_t *journal = NULL;
    status_t status = journal_open(options, &journal);
    if (status != OK)
        fail_msg("%s: %s", status_name(status), journal_errmsg(NULL));
    return journal;
}

static inline void shard_make(struct fixture *f, unsigned shard, int64_t last_time)
{
    struct journal_meta meta = {
        .data_set = 99,
        .shards = SHARDS,
        .shard = shard,
        .epoch = EPOCH,
        .checked = f->run,
        .last_time = last_time,
    };
    assert_int_equal(journal_create(f->journal, &meta), OK);
}

/* Redis knows its run itself, and tells it with any meta. */
static inline uint64_t redis_run(struct fixture *f)
{
    struct journal_meta meta;
    bool found = false;
    assert_int_equal(journal_mark(f->journal, SHARDS_MAX - 1, 1, false), OK);
    assert_int_equal(journal_meta(f->journal, SHARDS_MAX - 1, &meta, &found), OK);
    assert_true(found);
    return meta.run;
}

/* Redis, with nothing in it. */
static inline void set_up_redis(struct fixture *f)
{
    if (!journal_redis_server)
        journal_redis_server = redis_server_start(NULL);
    f->url = redis_server_url(journal_redis_server);
    struct journal_options options = options_of(f);
    f->journal = journal_of(&options);
    f->run = redis_run(f);
    assert_string_equal(redis_server_ask(journal_redis_server, "FLUSHALL"), "OK");
}

/* A journal that holds nothing yet. */
static inline int set_up_empty(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->folder = folder_make();
    if (kind_is_redis()) {
        set_up_redis(f);
    } else {
        f->url = text_of("%s:%s/journal.db", journal_kind, f->folder);
        f->run = RUN;
        struct journal_options options = options_of(f);
        f->journal = journal_of(&options);
    }
    fake_numbering_start(&f->numbering, f->journal, SHARD, EPOCH);
    *state = f;
    return 0;
}

/* With a shard. */
static inline int set_up(void **state)
{
    set_up_empty(state);
    shard_make(*state, SHARD, 0);
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    fake_numbering_stop(&f->numbering);
    entries_free(&f->entries);
    journal_close(&f->journal);
    folder_remove(&f->folder);
    free(f);
    return 0;
}

/* An application with a chat. */
static inline int set_up_chat(void **state)
{
    set_up(state);
    struct fixture *f = *state;
    assert_int_equal(fake_one(&f->numbering, RECORD_APPLICATION_CREATED, TOKEN, 0, 0, "name"), OK);
    assert_int_equal(fake_chat(&f->numbering, TOKEN), 1);
    return 0;
}

/* Another handle with other options. */
static inline void reopen(struct fixture *f, const struct journal_options *options)
{
    journal_close(&f->journal);
    f->journal = journal_of(options);
    f->numbering.journal = f->journal;
}

static inline struct journal_meta meta_of(struct fixture *f)
{
    struct journal_meta meta;
    bool found = false;
    assert_int_equal(journal_meta(f->journal, SHARD, &meta, &found), OK);
    assert_true(found);
    return meta;
}

/* The journal's process is started again. */
static inline void another_run(struct fixture *f)
{
    if (kind_is_redis())
        redis_server_restart(journal_redis_server);
    f->run++;
    struct journal_options options = options_of(f);
    reopen(f, &options);
    f->run = meta_of(f).run;
}

static inline struct look look_at(struct fixture *f, const char *token, uint64_t chat)
{
    struct look look = {.token = token, .token_length = strlen(token), .chat = chat};
    if (journal_look(f->journal, &look, 1) != OK)
        fail_msg("%s: %s", status_name(look.status), journal_errmsg(f->journal));
    return look;
}

/* Where a follower stands that has read nothing. */
static inline struct position position_start(void)
{
    return (struct position){.epoch = EPOCH, .name = {EPOCH, 0}};
}

/* Where the log ends. */
static inline struct position position_end(struct fixture *f)
{
    struct journal_meta meta = meta_of(f);
    return (struct position){.epoch = meta.epoch, .seq = meta.last_seq, .name = meta.last_name};
}

static inline status_t read_after(struct fixture *f, struct position after)
{
    return journal_read(f->journal, SHARD, &after, 1000, 1000000, &f->entries);
}

/* All records of the log, from the first on. */
static inline size_t read_records(struct fixture *f, struct record records[], size_t capacity)
{
    assert_int_equal(journal_read_from(f->journal, SHARD, 0, 1000, 1000000, &f->entries), OK);
    size_t count = 0;
    for (size_t i = 0; i < f->entries.count; i++) {
        struct entry_walk walk;
        bool more;
        entry_walk_start(&walk, &f->entries.entry[i]);
        for (;;) {
            assert_true(count < capacity);
            assert_int_equal(entry_next(&walk, &records[count], &more), OK);
            if (!more)
                break;
            count++;
        }
    }
    return count;
}

/* What a rebuild does, in its shortest form: a new epoch after `base`, at `time`,
 * with what `give` gives. */
static inline void rebuild(struct fixture *f, uint64_t epoch, uint64_t base, int64_t time,
                           void (*give)(journal_t *journal))
{
    assert_int_equal(journal_mark(f->journal, SHARD, 4711, true), OK);
    assert_int_equal(journal_rebuild_begin(f->journal, SHARD, base), OK);
    if (give)
        give(f->journal);
    struct journal_meta meta = {
        .data_set = 99,
        .shards = SHARDS,
        .shard = SHARD,
        .epoch = epoch,
        .checked = f->run,
        .last_seq = base,
        .last_time = time,
    };
    assert_int_equal(journal_rebuild_end(f->journal, 4711, &meta), OK);
    f->numbering.batch.epoch = epoch;
}

/* Runs the tests against every journal. */
static inline int run_against_all(const char *name, const struct CMUnitTest *tests, size_t count)
{
    static const char *const kinds[] = {"sqlite", "redis"};
    int failures = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        journal_kind = kinds[i];
        failures += _cmocka_run_group_tests(text_of("%s, %s", name, kinds[i]), tests, count, NULL,
                                            NULL);
    }
    redis_server_stop(&journal_redis_server);
    return failures ? 1 : 0;
}

#endif
