/* SPDX-License-Identifier: MIT */
/* test_journal_redis.c - what the Redis journal does when Redis, or the way to it,
 * fails; and what is special about it: scripts, passwords, several servers. */
#include <time.h>

#include "journal_fixture.h"

static redis_server_t *server(void)
{
    return journal_redis_server;
}

static const char *ask(const char *command)
{
    return redis_server_ask(server(), command);
}

static void assert_words(const struct fixture *f, const char *words)
{
    if (!strstr(journal_errmsg(f->journal), words))
        fail_msg("\"%s\" is not in \"%s\"", words, journal_errmsg(f->journal));
}

/* ---- scripts ---- */

static void scripts_that_redis_has_forgotten_are_given_again(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(ask("SCRIPT FLUSH"), "OK");
    assert_int_equal(fake_message(&f->numbering, TOKEN, 1, "x"), 1);
    assert_string_equal(ask("SCRIPT FLUSH"), "OK");
    assert_int_equal(look_at(f, TOKEN, 1).last_message, 1);
    assert_string_equal(ask("SCRIPT FLUSH"), "OK");
    bool more;
    assert_int_equal(journal_trim(f->journal, SHARD, 1, &more), OK);
    assert_int_equal(journal_mark(f->journal, SHARD, 5, false), OK);
    assert_int_equal(meta_of(f).mark, 5);
}

/* ---- answers that do not come ---- */

static void a_batch_without_an_answer_is_unknown_and_gets_its_reply_later(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    uint64_t seq = meta_of(f).last_seq;
    redis_server_pause(server());
    assert_int_equal(fake_one(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x"), ERR_OUTCOME_UNKNOWN);
    assert_words(f, "does not answer");
    assert_int_equal(fake_resend(n), ERR_JOURNAL); /* it cannot be connected to either */
    redis_server_resume(server());
    status_t status = ERR_JOURNAL;
    for (int i = 0; status == ERR_JOURNAL && i < 100; i++) {
        status = fake_resend(n);
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    }
    assert_int_equal(status, OK);
    assert_int_equal(n->groups[0].first_number, 1);
    assert_int_equal(meta_of(f).last_seq, seq + 1);
    assert_int_equal(fake_message(n, TOKEN, 1, "x"), 2);
}

/* A server that refuses is not asked again at once, so that those who wait fail fast. */
static void a_server_that_is_down_is_told_at_once(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    struct look look = {.token = TOKEN, .token_length = strlen(TOKEN)};
    struct journal_meta meta;
    bool found;
    redis_server_kill(server());
    fake_group(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x");
    assert_int_equal(fake_send(n), ERR_JOURNAL);
    assert_words(f, "Connection refused");
    for (int i = 0; i < 1000; i++)
        assert_int_equal(journal_look(f->journal, &look, 1), ERR_JOURNAL);
    assert_int_equal(look.status, ERR_JOURNAL);
    assert_int_equal(journal_meta(f->journal, SHARD, &meta, &found), ERR_JOURNAL);
    assert_int_equal(read_after(f, position_start()), ERR_JOURNAL);
    redis_server_restart(server());
}

static void after_a_restart_nothing_is_taken_until_it_was_checked(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    uint64_t before = f->run;
    redis_server_restart(server());
    fake_group(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x");
    assert_int_equal(fake_send(n), ERR_UNCHECKED);
    struct look look = {.token = TOKEN, .token_length = strlen(TOKEN)};
    assert_int_equal(journal_look(f->journal, &look, 1), ERR_UNCHECKED);
    uint64_t run = meta_of(f).run;
    assert_int_not_equal(run, before);
    assert_int_equal(journal_checked(f->journal, SHARD, before, run), OK);
    assert_int_equal(fake_resend(n), OK);
    assert_int_equal(n->groups[0].first_number, 1);
    assert_int_equal(journal_look(f->journal, &look, 1), OK);
}

/* ---- what Redis refuses ---- */

static void without_memory_nothing_is_written_and_reads_go_on(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    assert_int_equal(fake_message(n, TOKEN, 1, "x"), 1);
    uint64_t seq = meta_of(f).last_seq;
    assert_string_equal(ask("CONFIG SET maxmemory 1000000"), "OK");
    assert_int_equal(fake_one(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x"), ERR_JOURNAL);
    assert_words(f, "OOM");
    fake_key(fake_group(n, RECORD_CHAT_CREATED, TOKEN, 0, 0, "x"), 3, 1);
    fake_group(n, RECORD_CHAT_DELETED, TOKEN, 1, 0, NULL);
    n->batch.sequence--;
    assert_int_equal(fake_send(n), ERR_JOURNAL);
    assert_int_equal(meta_of(f).last_seq, seq);
    assert_int_equal(look_at(f, TOKEN, 1).last_message, 1);
    assert_int_equal(read_after(f, position_start()), OK);
    bool more;
    assert_int_equal(journal_trim(f->journal, SHARD, seq, &more), OK);
    assert_string_equal(ask("CONFIG SET maxmemory 0"), "OK");
    assert_int_equal(fake_resend(n), OK);
    assert_int_equal(n->groups[0].first_number, 2);
}

/* Else one that is started again while it is full would never be trimmed, since nobody
 * follows a run that was not checked. */
static void without_memory_a_run_is_checked_and_a_shard_is_closed(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(ask("CONFIG SET maxmemory 1000000"), "OK");
    status_t checked = journal_checked(f->journal, SHARD, f->run, f->run + 1);
    status_t marked = journal_mark(f->journal, SHARD, 5, false);
    assert_string_equal(ask("CONFIG SET maxmemory 0"), "OK");
    assert_int_equal(checked, OK);
    assert_int_equal(marked, OK);
    assert_int_equal(meta_of(f).checked, f->run + 1);
    assert_int_equal(meta_of(f).mark, 5);
}

static void without_its_replica_nothing_is_written(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    assert_string_equal(ask("CONFIG SET min-replicas-to-write 1"), "OK");
    assert_int_equal(fake_one(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x"), ERR_JOURNAL);
    assert_words(f, "NOREPLICAS");
    assert_string_equal(ask("CONFIG SET min-replicas-to-write 0"), "OK");
    assert_int_equal(fake_resend(n), OK);
    assert_int_equal(n->groups[0].first_number, 1);
}

static void a_replica_is_not_written_to(void **state)
{
    struct fixture *f = *state;
    struct fake_numbering *n = &f->numbering;
    /* Of a master that is away: it keeps what it has. */
    assert_string_equal(ask("REPLICAOF 127.0.0.1 1"), "OK");
    assert_int_equal(fake_one(n, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x"), ERR_JOURNAL);
    assert_words(f, "READONLY");
    assert_int_equal(fake_resend(n), ERR_JOURNAL); /* over a new connection */
    assert_words(f, "it is a replica");
    assert_string_equal(ask("REPLICAOF NO ONE"), "OK");
}

static void an_emptied_redis_is_another_epoch(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(ask("FLUSHALL"), "OK");
    assert_int_equal(fake_one(&f->numbering, RECORD_MESSAGE_CREATED, TOKEN, 1, 0, "x"), ERR_EPOCH);
    struct look look = {.token = TOKEN, .token_length = strlen(TOKEN)};
    assert_int_equal(journal_look(f->journal, &look, 1), ERR_JOURNAL);
    struct position start = position_start();
    bool holds = true;
    assert_int_equal(journal_holds(f->journal, SHARD, &start, &holds), OK);
    assert_false(holds);
}

static void an_entry_that_was_tampered_with_is_corrupt(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_after(f, position_start()), OK);
    const char *log = ask("KEYS {s1}log:*");
    ask(text_of("XADD %s 9-0 h short g x", log));
    assert_int_equal(journal_read_from(f->journal, SHARD, 3, 9, 999, &f->entries), ERR_CORRUPT);
}

/* ---- addresses ---- */

static status_t open_status(const char *url, journal_t **ret_journal)
{
    struct journal_options options = {.url = url, .run = RUN};
    return journal_open(&options, ret_journal);
}

static void an_address_that_is_none_is_told_without_its_password(void **state)
{
    (void) state;
    static const char *const urls[] = {
        "redis://:secret@",          "redis://:secret@host:0",      "redis://:secret@host:x",
        "redis://:secret@host/name", "redis://:sec%zzret@host",     "redis://:secret@host,http://x",
        "redis://a/1,redis://a/1",   "redis://:secret@[::1]:6379x",
    };
    journal_t *journal = NULL;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        if (open_status(urls[i], &journal) != ERR_CONFIG)
            fail_msg("%s", urls[i]);
        assert_true(strlen(journal_errmsg(NULL)) > 20);
        assert_null(strstr(journal_errmsg(NULL), "sec"));
    }
    assert_int_equal(open_status("redis://h,rediss://:secret@host:6380", &journal), ERR_CONFIG);
    assert_non_null(strstr(journal_errmsg(NULL), "TLS"));
}

static status_t first_meta(const char *url, journal_t **ret_journal)
{
    struct journal_meta meta;
    bool found;
    assert_int_equal(open_status(url, ret_journal), OK);
    return journal_meta(*ret_journal, SHARD, &meta, &found);
}

static void passwords_users_and_databases(void **state)
{
    (void) state;
    redis_server_t *own = redis_server_start("requirepass sec@ret:1\n"
                                             "user bob on >p/w ~* &* +@all\n");
    unsigned port = redis_server_port(own);
    journal_t *journal = NULL;
    assert_int_equal(first_meta(text_of("redis://127.0.0.1:%u", port), &journal), ERR_JOURNAL);
    assert_non_null(strstr(journal_errmsg(journal), "NOAUTH"));
    journal_close(&journal);
    assert_int_equal(first_meta(text_of("redis://:wrong@127.0.0.1:%u", port), &journal),
                     ERR_JOURNAL);
    assert_non_null(strstr(journal_errmsg(journal), "WRONGPASS"));
    assert_null(strstr(journal_errmsg(journal), "wrong@"));
    journal_close(&journal);
    assert_int_equal(first_meta(text_of("redis://:sec%%40ret:1@127.0.0.1:%u", port), &journal), OK);
    journal_close(&journal);
    assert_int_equal(first_meta(text_of("redis://bob:p%%2Fw@127.0.0.1:%u/3", port), &journal), OK);
    assert_int_equal(journal_mark(journal, SHARD, 5, false), OK);
    assert_non_null(strstr(redis_server_ask(own, "INFO keyspace"), "db3:keys=1"));
    journal_close(&journal);
    assert_int_equal(first_meta(text_of("redis://:sec%%40ret:1@127.0.0.1:%u/77", port), &journal),
                     ERR_JOURNAL);
    assert_non_null(strstr(journal_errmsg(journal), "DB index"));
    journal_close(&journal);
    redis_server_stop(&own);
}

/* Redis repeats what it was asked where it does not know the command. */
static void a_password_is_not_repeated(void **state)
{
    (void) state;
    redis_server_t *own = redis_server_start("rename-command AUTH \"\"\n");
    journal_t *journal = NULL;
    const char *url = text_of("redis://:secret@127.0.0.1:%u", redis_server_port(own));
    assert_int_equal(first_meta(url, &journal), ERR_JOURNAL);
    assert_null(strstr(journal_errmsg(journal), "secret"));
    assert_non_null(strstr(journal_errmsg(journal), "password"));
    journal_close(&journal);
    redis_server_stop(&own);
}

static char advice[4096];

static void advice_keep(void *context, const char *sentence)
{
    (void) context;
    strncat(advice, sentence, sizeof advice - strlen(advice) - 1);
}

static void settings_that_may_lose_something_are_told(void **state)
{
    struct fixture *f = *state;
    advice[0] = '\0';
    ask("CONFIG SET appendfsync everysec");
    ask("CONFIG SET maxmemory-policy allkeys-lru");
    assert_int_equal(journal_advice(f->journal, advice_keep, NULL), OK);
    assert_non_null(strstr(advice, "set appendfsync always"));
    assert_non_null(strstr(advice, "set maxmemory-policy noeviction"));
    assert_non_null(strstr(advice, "set aof-load-truncated no"));
    assert_null(strstr(advice, "appendonly"));
    ask("CONFIG SET appendfsync always");
    ask("CONFIG SET maxmemory-policy noeviction");
    ask("CONFIG SET aof-load-truncated no");
    advice[0] = '\0';
    assert_int_equal(journal_advice(f->journal, advice_keep, NULL), OK);
    assert_string_equal(advice, "");
    ask("CONFIG SET aof-load-truncated yes");
    ask("ACL SETUSER eve on nopass ~* &* +@all -config");
    journal_t *journal = NULL;
    assert_int_equal(
        first_meta(text_of("redis://eve:x@127.0.0.1:%u", redis_server_port(server())), &journal),
        OK);
    assert_int_equal(journal_advice(journal, advice_keep, NULL), OK);
    assert_non_null(strstr(advice, "could not be checked"));
    journal_close(&journal);
    ask("ACL DELUSER eve");
}

/* ---- several servers ---- */

static void spread(struct fixture *f, journal_t *journal)
{
    for (unsigned shard = 0; shard < SHARDS; shard++) {
        struct journal_meta meta = {
            .data_set = 99, .shards = SHARDS, .shard = shard, .epoch = EPOCH};
        bool found;
        assert_int_equal(journal_create(journal, &meta), OK);
        assert_int_equal(journal_meta(journal, shard, &meta, &found), OK);
        assert_int_equal(journal_checked(journal, shard, 0, meta.run), OK);
    }
    f->numbering.journal = journal;
    f->numbering.batch.sequence = 0;
    assert_int_equal(fake_one(&f->numbering, RECORD_APPLICATION_CREATED, TOKEN, 0, 0, "x"), OK);
}

static void a_dead_server_stops_only_its_own_shards(void **state)
{
    struct fixture *f = *state;
    redis_server_t *second = redis_server_start(NULL);
    ask("FLUSHALL");
    const char *url = text_of("%s,%s", redis_server_url(second), redis_server_url(server()));
    journal_t *journal = NULL, *late = NULL;
    assert_int_equal(open_status(url, &journal), OK);
    assert_int_equal(journal_servers(journal), 2);
    spread(f, journal); /* SHARD is 1: of the second address */
    unsigned of = 9;
    for (unsigned shard = 0; shard < SHARDS; shard++) {
        assert_true(journal_server_of(journal, shard, &of));
        assert_int_equal(of, shard % 2);
    }
    redis_server_kill(second);
    struct look looks[] = {{.token = "of_shard_2_05"}, {.token = TOKEN}, {.token = TOKEN}};
    for (size_t i = 0; i < 3; i++)
        looks[i].token_length = strlen(looks[i].token);
    assert_int_equal(journal_look(journal, looks, 3), ERR_JOURNAL);
    assert_int_equal(looks[0].status, ERR_JOURNAL);
    assert_int_equal(looks[1].status, OK);
    assert_int_equal(looks[2].application, EXISTS);
    assert_int_equal(fake_chat(&f->numbering, TOKEN), 1);
    assert_true(journal_server_of(journal, 2, &of)); /* it was asked before */

    assert_int_equal(open_status(url, &late), OK);
    assert_true(journal_server_of(late, SHARD, &of));
    assert_int_equal(of, 1);
    assert_false(journal_server_of(late, 2, &of)); /* it may be on the dead one, or on none */
    redis_server_restart(second);
    nanosleep(&(struct timespec){.tv_nsec = 300 * 1000 * 1000}, NULL);
    assert_true(journal_server_of(late, 2, &of));
    assert_int_equal(of, 0);
    journal_close(&late);
    f->numbering.journal = f->journal;
    journal_close(&journal);
    redis_server_stop(&second);
}

/* It hangs since before this handle was opened, so that nobody knows what it holds. */
static void a_server_that_hangs_holds_up_only_its_own_shards(void **state)
{
    struct fixture *f = *state;
    redis_server_t *second = redis_server_start(NULL);
    const char *url = text_of("%s,%s", redis_server_url(server()), redis_server_url(second));
    journal_t *journal = NULL;
    struct look look = {.token = TOKEN, .token_length = strlen(TOKEN)};
    redis_server_pause(second);
    assert_int_equal(open_status(url, &journal), OK);
    for (int i = 0; i < 10; i++) {
        struct timespec start, end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        assert_int_equal(journal_look(journal, &look, 1), OK);
        clock_gettime(CLOCK_MONOTONIC, &end);
        if (i > 0 &&
            (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000 > 500)
            fail_msg("it waits for the other one");
        nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
    }
    redis_server_resume(second);
    journal_close(&journal);
    assert_int_equal(look_at(f, TOKEN, 0).application, EXISTS);
    redis_server_stop(&second);
}

/* Wherever the addresses stand, a shard is where its meta is; and on one server only. */
static void a_shard_is_where_its_meta_is(void **state)
{
    struct fixture *f = *state;
    redis_server_t *second = redis_server_start(NULL);
    const char *url = text_of("%s,%s", redis_server_url(server()), redis_server_url(second));
    journal_t *journal = NULL;
    assert_int_equal(open_status(url, &journal), OK);
    unsigned of = 9;
    assert_true(journal_server_of(journal, SHARD, &of)); /* SHARD % 2 would be the other */
    assert_int_equal(of, 0);
    struct look look = {.token = TOKEN, .token_length = strlen(TOKEN)};
    assert_int_equal(journal_look(journal, &look, 1), OK);
    journal_close(&journal);

    assert_int_equal(open_status(redis_server_url(second), &journal), OK);
    assert_int_equal(journal_mark(journal, SHARD, 5, false), OK);
    journal_close(&journal);
    assert_int_equal(open_status(url, &journal), OK);
    assert_int_equal(journal_look(journal, &look, 1), ERR_JOURNAL);
    assert_non_null(strstr(journal_errmsg(journal), "two servers"));
    journal_close(&journal);
    assert_int_equal(look_at(f, TOKEN, 0).application, EXISTS);
    redis_server_stop(&second);
}

/* Which is noticed in the middle of a look. */
static void a_server_of_another_data_set_upsets_no_look(void **state)
{
    enum { COUNT = 1000 };
    struct fixture *f = *state;
    static struct look looks[COUNT + 1];
    redis_server_t *second = redis_server_start(NULL);
    const char *url = text_of("%s,%s", redis_server_url(server()), redis_server_url(second));
    struct journal_meta meta = {
        .data_set = 98, .shards = SHARDS_MAX, .shard = SHARDS_MAX - 1, .epoch = EPOCH};
    journal_t *journal = NULL;
    assert_int_equal(open_status(redis_server_url(second), &journal), OK);
    assert_int_equal(journal_create(journal, &meta), OK);
    journal_close(&journal);
    for (size_t i = 0; i < COUNT; i++)
        looks[i].token = text_of("another-application-%zu", i);
    looks[COUNT].token = TOKEN;
    for (size_t i = 0; i <= COUNT; i++)
        looks[i].token_length = strlen(looks[i].token);
    assert_int_equal(open_status(url, &journal), OK);
    assert_int_equal(journal_look(journal, looks, COUNT + 1), ERR_JOURNAL);
    assert_int_equal(looks[COUNT].status, OK);
    assert_int_equal(looks[COUNT].application, EXISTS);
    journal_close(&journal);
    assert_int_equal(look_at(f, TOKEN, 0).application, EXISTS);
    redis_server_stop(&second);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up_chat, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(scripts_that_redis_has_forgotten_are_given_again),
        TEST(a_batch_without_an_answer_is_unknown_and_gets_its_reply_later),
        TEST(a_server_that_is_down_is_told_at_once),
        TEST(after_a_restart_nothing_is_taken_until_it_was_checked),
        TEST(without_memory_nothing_is_written_and_reads_go_on),
        TEST(without_memory_a_run_is_checked_and_a_shard_is_closed),
        TEST(without_its_replica_nothing_is_written),
        TEST(a_replica_is_not_written_to),
        TEST(an_emptied_redis_is_another_epoch),
        TEST(an_entry_that_was_tampered_with_is_corrupt),
        cmocka_unit_test(an_address_that_is_none_is_told_without_its_password),
        cmocka_unit_test(passwords_users_and_databases),
        cmocka_unit_test(a_password_is_not_repeated),
        TEST(settings_that_may_lose_something_are_told),
        TEST(a_dead_server_stops_only_its_own_shards),
        TEST(a_server_that_hangs_holds_up_only_its_own_shards),
        TEST(a_shard_is_where_its_meta_is),
        TEST(a_server_of_another_data_set_upsets_no_look),
    };
    journal_kind = "redis";
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    redis_server_stop(&journal_redis_server);
    return failures ? 1 : 0;
}
