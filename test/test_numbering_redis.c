/* SPDX-License-Identifier: MIT */
/* test_numbering_redis.c - a journal that is killed, hangs, or comes back as another.
 *
 * On a real Redis. What was in flight is neither lost nor doubled; a new life of the
 * journal takes nothing until it was checked, and one that has lost what the store or
 * the actor itself has seen takes nothing at all.
 */
#include <stdlib.h>

#include "actors.h"
#include "storage/history.h"

#define TOKEN "some-application"

static int set_up(void **state)
{
    actors_set_up_redis(state);
    struct actors *f = (struct actors *) *state;
    actor_run(f, NUMBERING);
    application_post(f, TOKEN);
    assert_int_equal(chat_post(f, TOKEN), 1);
    return 0;
}

static unsigned shard_of(const struct actors *f)
{
    return token_shard(TOKEN, strlen(TOKEN), (unsigned) f->config.shards);
}

static status_t post(struct actors *f, const char *body)
{
    message_post(f, TOKEN, 1, body);
    return f->reply.status;
}

static struct journal_meta meta_of(struct actors *f)
{
    struct journal_meta meta = {0};
    bool found;
    WAIT_FOR(journal_meta(f->journal, shard_of(f), &meta, &found) == OK);
    return meta;
}

static int64_t message_rows(struct actors *f)
{
    return file_number(f, STORE_FILE, "SELECT COUNT(*) FROM messages");
}

/* ---- in flight ---- */

/* Takes the replies of `count` requests, the first of which is `first`, and adds up how
 * many messages there must be and how many there may be more. */
static void replies_take(struct actors *f, uint64_t first, uint64_t count, uint64_t bodies[],
                         uint64_t *taken, uint64_t *unknown)
{
    for (uint64_t i = 0; i < count; i++) {
        reply_wait(f, NUMBERING);
        assert_in_range(f->reply.id, first, first + count - 1);
        if (f->reply.status == OK) {
            assert_int_equal(bodies[f->reply.number], 0);
            bodies[f->reply.number] = f->reply.id;
            ++*taken;
        } else if (f->reply.status == ERR_OUTCOME_UNKNOWN) {
            ++*unknown;
        } else {
            assert_true(f->reply.status == ERR_JOURNAL || f->reply.status == ERR_UNCHECKED);
        }
    }
}

static void what_is_in_flight_when_the_journal_is_killed_is_neither_lost_nor_doubled(void **state)
{
    enum { ROUNDS = 8, REQUESTS = 200 };
    struct actors *f = (struct actors *) *state;
    static uint64_t bodies[ROUNDS * REQUESTS + 1]; /* by number: the request's id */
    uint64_t taken = 0, unknown = 0;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t first = f->last_id + 1;
        for (int i = 0; i < REQUESTS; i++) {
            const char *body = text_of("%llu", (unsigned long long) (f->last_id + 1));
            struct request request = request_of(REQUEST_MESSAGE_CREATE, TOKEN, 1, 0, body);
            request.wait_ms_max = 20000;
            request_send(f, &request);
            if (i == REQUESTS / 2)
                redis_server_kill(f->redis[0]);
        }
        redis_server_restart(f->redis[0]);
        replies_take(f, first, REQUESTS, bodies, &taken, &unknown);
    }
    print_message("%llu taken, %llu unknown\n", (unsigned long long) taken,
                  (unsigned long long) unknown);
    assert_true(taken > 0);
    WAIT_FOR(post(f, "the last") == OK);
    uint64_t last = f->reply.number;
    assert_in_range(last, taken + 1, taken + 1 + unknown);
    actor_run(f, PERSISTENCE);
    actor_run(f, QUERY);
    follower_wait(f, FOLLOWER_PERSISTENCE);
    assert_int_equal(message_rows(f), last);
    for (uint64_t number = 1; number < last; number++)
        if (bodies[number])
            message_check(f, TOKEN, 1, number,
                          text_of("%llu", (unsigned long long) bodies[number]));
}

/* Each way the batch goes again under its sequence, the one time after it was done. */
static void a_batch_without_an_answer_is_settled_by_going_again(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct request request = request_of(REQUEST_MESSAGE_CREATE, TOKEN, 1, 0, "once");
    request.wait_ms_max = 30000;
    for (uint64_t round = 1; round <= 4; round++) {
        redis_server_pause(f->redis[0]);
        request_send(f, &request);
        zclock_sleep(1300); /* longer than a command may take: it is unknown by now */
        if (round % 2)
            redis_server_resume(f->redis[0]); /* now the first try is done too */
        else
            redis_server_restart(f->redis[0]); /* it never will be, and this is another life */
        reply_wait(f, NUMBERING);
        assert_int_equal(f->reply.status, OK);
        assert_int_equal(f->reply.number, round);
    }
    assert_int_equal(message_post(f, TOKEN, 1, "another"), 5);
}

static void a_journal_that_hangs_is_told_in_time(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct request request = request_of(REQUEST_MESSAGE_CREATE, TOKEN, 1, 0, "x");
    request.wait_ms_max = 2000;
    redis_server_pause(f->redis[0]);
    for (int i = 0; i < 3; i++) {
        int64_t start_us = clock_monotonic_us();
        status_t status = ask(f, &request);
        assert_true(status == ERR_OUTCOME_UNKNOWN || status == ERR_JOURNAL);
        assert_in_range(clock_monotonic_us() - start_us, 0, 2000000);
    }
    redis_server_resume(f->redis[0]);
    WAIT_FOR(post(f, "here again") == OK);
}

/* ---- another life ---- */

static void a_new_life_takes_nothing_while_the_store_is_away(void **state)
{
    struct actors *f = (struct actors *) *state;
    assert_int_equal(post(f, "before"), OK);
    fake_sql_fail(FAULT_QUERY, "store.db", 0, FAULT_ALWAYS);
    fake_sql_fail(FAULT_OPEN, "store.db", 0, FAULT_ALWAYS);
    assert_int_equal(post(f, "creates need no store"), OK);
    redis_server_restart(f->redis[0]);
    uint64_t before = meta_of(f).last_seq;
    WAIT_FOR(post(f, "refused") != ERR_JOURNAL);
    for (int i = 0; i < 20; i++) {
        int64_t start_us = clock_monotonic_us();
        assert_int_equal(post(f, "refused"), ERR_UNCHECKED);
        assert_in_range(clock_monotonic_us() - start_us, 0, 1000000);
    }
    assert_int_equal(meta_of(f).last_seq, before);
    fake_sql_heal();
    WAIT_FOR(post(f, "here again") == OK);
    assert_int_equal(f->reply.number, 3);
}

static void a_new_life_is_checked_also_when_nobody_writes(void **state)
{
    struct actors *f = (struct actors *) *state;
    assert_int_equal(post(f, "before"), OK);
    actor_run(f, PERSISTENCE);
    follower_wait(f, FOLLOWER_PERSISTENCE);
    for (int round = 0; round < 3; round++) {
        redis_server_restart(f->redis[0]);
        for (unsigned shard = 0; shard < f->config.shards; shard++) {
            struct journal_meta meta;
            bool found;
            WAIT_FOR(journal_meta(f->journal, shard, &meta, &found) == OK && found &&
                     meta.checked == meta.run);
        }
    }
    assert_int_equal(message_post(f, TOKEN, 1, "after"), 2);
}

/* A copy of what the server has on its disk, taken or put back while it does not run. */
static void files_copy(struct actors *f, const char *from, const char *to)
{
    redis_server_kill(f->redis[0]);
    const char *folder = redis_server_folder(f->redis[0]);
    from = from ? from : folder;
    to = to ? to : folder;
    assert_int_equal(system(text_of("rm -rf '%s/appendonlydir' && mkdir -p '%s' && "
                                    "cp -r '%s/appendonlydir' '%s/'",
                                    to, to, from, to)),
                     0);
    redis_server_restart(f->redis[0]);
}

/* No persistence ran, so that only the actor itself can know. */
static void an_older_copy_is_noticed_by_who_appended(void **state)
{
    struct actors *f = (struct actors *) *state;
    const char *copy = text_of("%s/copy", f->folder);
    assert_int_equal(post(f, "kept"), OK);
    files_copy(f, NULL, copy);
    WAIT_FOR(post(f, "lost") == OK);
    assert_int_equal(post(f, "lost"), OK);
    files_copy(f, copy, NULL);
    WAIT_FOR(post(f, "refused") == ERR_CLOSED);
    assert_true(meta_of(f).mark != 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(post(f, "refused"), ERR_CLOSED);
}

static void an_older_copy_is_noticed_by_who_stored(void **state)
{
    struct actors *f = (struct actors *) *state;
    const char *copy = text_of("%s/copy", f->folder);
    actor_run(f, PERSISTENCE);
    assert_int_equal(post(f, "kept"), OK);
    files_copy(f, NULL, copy);
    WAIT_FOR(post(f, "lost") == OK);
    follower_wait(f, FOLLOWER_PERSISTENCE);
    files_copy(f, copy, NULL);
    WAIT_FOR(meta_of(f).mark != 0); /* nobody wrote */
    assert_int_equal(post(f, "refused"), ERR_CLOSED);
    assert_int_equal(message_rows(f), 2);
}

/* Another server was the first to look, and found nothing wrong with what is left. What was
 * in flight was given up, so that the next batch has a new name, whose sequence has no gap. */
static void an_older_copy_is_noticed_also_under_a_new_name(void **state)
{
    struct actors *f = (struct actors *) *state;
    const char *copy = text_of("%s/copy", f->folder);
    struct history_reason reason;
    assert_int_equal(post(f, "kept"), OK);
    files_copy(f, NULL, copy);
    WAIT_FOR(post(f, "lost") == OK);
    redis_server_pause(f->redis[0]);
    assert_int_equal(post(f, "given up"), ERR_OUTCOME_UNKNOWN);
    files_copy(f, copy, NULL);
    WAIT_FOR(history_check(f->journal, f->store, shard_of(f), NULL, &reason) == OK);
    uint64_t left = meta_of(f).last_seq;
    WAIT_FOR(post(f, "refused") != ERR_JOURNAL);
    assert_int_equal(f->reply.status, ERR_CLOSED);
    assert_true(meta_of(f).mark != 0);
    assert_int_equal(meta_of(f).last_seq, left);
}

static void an_emptied_journal_takes_nothing(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_run(f, PERSISTENCE);
    assert_int_equal(post(f, "stored"), OK);
    follower_wait(f, FOLLOWER_PERSISTENCE);
    redis_server_ask(f->redis[0], "FLUSHALL"); /* the same life */
    WAIT_FOR(meta_of(f).mark != 0);
    WAIT_FOR(post(f, "refused") == ERR_CLOSED);
    assert_int_equal(message_rows(f), 1);
}

int main(void)
{
#define REDIS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, actors_tear_down)
    const struct CMUnitTest tests[] = {
        REDIS_TEST(what_is_in_flight_when_the_journal_is_killed_is_neither_lost_nor_doubled),
        REDIS_TEST(a_batch_without_an_answer_is_settled_by_going_again),
        REDIS_TEST(a_journal_that_hangs_is_told_in_time),
        REDIS_TEST(a_new_life_takes_nothing_while_the_store_is_away),
        REDIS_TEST(a_new_life_is_checked_also_when_nobody_writes),
        REDIS_TEST(an_older_copy_is_noticed_by_who_appended),
        REDIS_TEST(an_older_copy_is_noticed_by_who_stored),
        REDIS_TEST(an_older_copy_is_noticed_also_under_a_new_name),
        REDIS_TEST(an_emptied_journal_takes_nothing),
    };
    return cmocka_run_group_tests(tests, actors_prepare, actors_finish) ? 1 : 0;
}
