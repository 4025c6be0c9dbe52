/* SPDX-License-Identifier: MIT */
/* test_history_redis.c - journal and store still tell one story when Redis is restarted
 * beneath servers that run, loses its end, or everything; and when two servers start
 * at once. The store is SQLite, since it is the journal that is in question. */
#include <pthread.h>

#include "history_fixture.h"
#include "redis_server.h"

static redis_server_t *redis;

/* Beside the fixture's own journal, which is not used. */
static void redis_use(struct fixture *f)
{
    journal_close(&f->journal);
    fake_numbering_stop(&f->numbering);
    struct journal_options options = {.url = redis_server_url(redis), .run = 1};
    assert_int_equal(journal_open(&options, &f->journal), OK);
    fake_numbering_start(&f->numbering, f->journal, SHARD, 0);
}

static int set_up_redis(void **state)
{
    if (!redis)
        redis = redis_server_start(NULL);
    assert_string_equal(redis_server_ask(redis, "FLUSHALL"), "OK");
    set_up_empty(state);
    struct fixture *f = *state;
    redis_use(f);
    assert_ok(f, make(f));
    assert_ok(f, check(f));
    return 0;
}

static struct position own_of(struct fixture *f)
{
    struct journal_meta meta = meta_of(f);
    return (struct position){.epoch = meta.epoch, .seq = meta.last_seq, .name = meta.last_name};
}

/* ---- restarts beneath a server ---- */

static void a_restart_is_checked_and_appends_go_on(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    messages(f, TOKEN, 1, 2);
    struct position own = own_of(f);
    uint64_t run = meta_of(f).run;
    redis_server_restart(redis);
    assert_int_equal(fake_one(&f->numbering, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x"),
                     ERR_UNCHECKED);
    assert_int_not_equal(meta_of(f).run, run);
    assert_ok(f, history_check(f->journal, f->store, SHARD, &own, &f->reason));
    assert_int_equal(fake_resend(&f->numbering), OK);
    assert_int_equal(f->numbering.groups[0].status, OK);
    persist(f);
    assert_ok(f, history_check(f->journal, f->store, SHARD, &own, &f->reason));
}

/* Both followers of one store check the new run at the same moment. */
static void what_a_twin_has_checked_is_checked(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    struct journal_options options = {.url = redis_server_url(redis), .run = 2};
    journal_t *twin = NULL;
    assert_int_equal(journal_open(&options, &twin), OK);
    redis_server_restart(redis);
    assert_ok(f, history_check(twin, f->store, SHARD, NULL, &f->reason));
    struct look look = {.token = TOKEN, .token_length = strlen(TOKEN)};
    assert_int_equal(journal_look(f->journal, &look, 1), OK);
    assert_int_equal(fake_message(&f->numbering, TOKEN, 1, "x") > 0, true);
    journal_close(&twin);
}

/* ---- losses ---- */

/* The append-only file without its last bytes: as a disk may leave it. */
static void tail_lose(long bytes)
{
    redis_server_kill(redis);
    char *path = text_of("%s/appendonlydir/appendonly.aof.1.incr.aof", redis_server_folder(redis));
    size_t length = 0;
    free(file_read(path, &length));
    assert_true((long) length > bytes);
    assert_int_equal(truncate(path, (long) length - bytes), 0);
    redis_server_restart(redis);
}

static void a_lost_end_that_the_store_has_closes_the_shard(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    messages(f, TOKEN, 1, 1);
    persist(f);
    tail_lose(5);
    assert_int_equal(history_check(f->journal, f->store, SHARD, NULL, &f->reason), ERR_CLOSED);
    assert_non_null(strstr(f->reason.text, "lost history"));
    assert_int_equal(fake_one(&f->numbering, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x"), ERR_CLOSED);
    assert_ok(f, rebuild(f));
    assert_ok(f, check(f));
    /* A new epoch, a new producer: Redis has lost some of this one's. */
    f->numbering.batch.producer = journal_random();
    f->numbering.batch.sequence = 0;
    assert_true(fake_message(&f->numbering, TOKEN, 1, "x") > 0);
}

static void a_lost_end_that_only_its_writer_knows_closes_the_shard(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    messages(f, TOKEN, 1, 1);
    struct position own = own_of(f);
    tail_lose(5);
    assert_int_equal(history_check(f->journal, f->store, SHARD, &own, &f->reason), ERR_CLOSED);
    assert_non_null(strstr(f->reason.text, "this server appended"));
}

static void an_emptied_redis_is_closed_and_made_from_the_store(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    uint64_t next = meta_of(f).last_seq;
    assert_string_equal(redis_server_ask(redis, "FLUSHALL"), "OK");
    f->numbering.batch.sequence = 0;
    assert_int_equal(fake_one(&f->numbering, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x"), ERR_EPOCH);
    assert_int_equal(check(f), ERR_CLOSED);
    assert_int_equal(meta_of(f).data_set, 0);
    assert_ok(f, rebuild(f));
    assert_ok(f, check(f));
    assert_true(meta_of(f).last_seq > next);
    f->numbering.batch.producer = journal_random();
    f->numbering.batch.sequence = 0;
    assert_true(fake_message(&f->numbering, TOKEN, 1, "x") > 1);
    persist(f);
}

/* ---- rebuilds ---- */

static void a_rebuild_that_was_cut_off_is_done_by_the_next_and_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    assert_int_equal(journal_mark(f->journal, SHARD, 5, false), OK);
    /* The first gets as far as some counters. */
    assert_int_equal(journal_rebuild_begin(f->journal, SHARD, meta_of(f).last_seq), OK);
    for (uint64_t chat = 0; chat <= 2000; chat++)
        assert_int_equal(
            chat == 0 ? journal_rebuild_application(f->journal, THIRD, strlen(THIRD), 9, EXISTS, 0)
                      : journal_rebuild_chat(f->journal, THIRD, strlen(THIRD), chat, 1),
            OK);
    assert_ok(f, rebuild(f));
    assert_ok(f, check(f));
    struct look look = {.token = THIRD, .token_length = strlen(THIRD)};
    assert_int_equal(journal_look(f->journal, &look, 1), OK);
    assert_int_equal(look.application, EXISTS_NEVER);
    bool more = true;
    while (more)
        assert_int_equal(journal_trim(f->journal, SHARD, 0, &more), OK);
    assert_string_equal(redis_server_ask(redis, "SCARD {s1}old"), "0");
    const char *keys = redis_server_ask(redis, "KEYS {s1}????????:*");
    assert_null(strstr(keys, THIRD));
    assert_non_null(strstr(keys, TOKEN));
    assert_null(strstr(strstr(keys, TOKEN) + 1, TOKEN));
}

static void a_rebuild_whose_redis_is_restarted_gives_up_and_the_next_does_it(void **state)
{
    struct fixture *f = *state;
    fill(f);
    persist(f);
    assert_int_equal(journal_mark(f->journal, SHARD, 5, false), OK);
    struct journal_meta meta = meta_of(f);
    assert_int_equal(journal_rebuild_begin(f->journal, SHARD, meta.last_seq), OK);
    assert_int_equal(journal_rebuild_application(f->journal, THIRD, strlen(THIRD), 9, EXISTS, 0),
                     OK);
    redis_server_restart(redis);
    uint64_t mark = meta.mark;
    meta.mark = 0;
    assert_int_equal(journal_rebuild_end(f->journal, mark, &meta), ERR_JOURNAL);
    assert_int_equal(meta_of(f).mark, mark);
    assert_ok(f, rebuild(f));
    assert_ok(f, check(f));
    assert_true(fake_message(&f->numbering, TOKEN, 1, "x") > 0);
}

/* ---- twins ---- */

struct maker {
    struct fixture *f;
    struct data_set set;
    int failures;
};

/* As a server starts on an empty data set. No asserts: not the test's own thread. */
static void *make_all(void *context)
{
    struct maker *maker = context;
    struct journal_options options = {.url = redis_server_url(redis), .run = 3};
    struct history_reason reason;
    journal_t *journal = NULL;
    store_t *store = NULL;
    char *path = maker->f->folder;
    struct buffer url = {0};
    buffer_printf(&url, "sqlite:%s/store.db", path);
    if (journal_open(&options, &journal) != OK || store_open(url.data, false, &store) != OK)
        maker->failures++;
    status_t status = maker->failures ? OK : ERR_CONFIG;
    for (int tries = 0; status == ERR_CONFIG && tries < 10; tries++) {
        bool found = false;
        status = history_data_set(journal, store, &maker->set, &found, &reason);
        for (unsigned shard = 0; status == OK && shard < maker->set.shards; shard++)
            status = history_make(journal, store, shard, &maker->set, true, &reason);
    }
    if (status != OK) {
        fprintf(stderr, "%s: %s\n", status_name(status), reason.text);
        maker->failures++;
    }
    store_close(&store);
    journal_close(&journal);
    buffer_free(&url);
    return NULL;
}

static void two_servers_that_start_at_once_make_one_data_set(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 10; round++) {
        stop(f);
        lose(f, "store");
        start(f);
        assert_string_equal(redis_server_ask(redis, "FLUSHALL"), "OK");
        struct maker makers[2] = {{.f = f, .set = {.id = 11, .shards = 8}},
                                  {.f = f, .set = {.id = 22, .shards = 4}}};
        pthread_t threads[2];
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, make_all, &makers[i]), 0);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(makers[0].failures + makers[1].failures, 0);
        assert_int_equal(makers[0].set.id, makers[1].set.id);
        assert_int_equal(makers[0].set.shards, makers[1].set.shards);
    }
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up_redis, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_restart_is_checked_and_appends_go_on),
        TEST(what_a_twin_has_checked_is_checked),
        TEST(a_lost_end_that_the_store_has_closes_the_shard),
        TEST(a_lost_end_that_only_its_writer_knows_closes_the_shard),
        TEST(an_emptied_redis_is_closed_and_made_from_the_store),
        TEST(a_rebuild_that_was_cut_off_is_done_by_the_next_and_leaves_nothing),
        TEST(a_rebuild_whose_redis_is_restarted_gives_up_and_the_next_does_it),
        TEST(two_servers_that_start_at_once_make_one_data_set),
    };
    register_faulty();
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    redis_server_stop(&redis);
    return failures ? 1 : 0;
}
