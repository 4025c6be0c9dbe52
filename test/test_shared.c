/* SPDX-License-Identifier: MIT */
/* test_shared.c - actors on a Redis and a MariaDB, which other processes use too.
 *
 * Two actors of a kind are two processes, as far as their leases are concerned; one that
 * was started anew is another process to those whom its wake-ups do not reach.
 */
#include "actors.h"
#include "actors/counting.h"

#define TOKEN "some-application"

static int set_up(void **state)
{
    actors_set_up_shared(state);
    struct actors *f = (struct actors *) *state;
    f->config.search = "none";
    actor_run(f, PERSISTENCE);
    actor_run(f, NUMBERING);
    actor_run(f, QUERY);
    application_post(f, TOKEN);
    assert_int_equal(chat_post(f, TOKEN), 1);
    return 0;
}

/* ---- reads ---- */

static void what_another_process_stores_is_seen_without_its_wake_ups(void **state)
{
    enum { MESSAGES = 40, LOOK_US = 100000 };
    struct actors *f = (struct actors *) *state;
    int64_t waited_us = 0;
    actor_stop(f, PERSISTENCE);
    actor_run(f, PERSISTENCE);
    assert_int_equal(message_post(f, TOKEN, 1, "body"), 1);
    follower_wait(f, FOLLOWER_PERSISTENCE);
    for (uint64_t number = 2; number <= MESSAGES; number++) {
        assert_int_equal(message_post(f, TOKEN, 1, "body"), number);
        int64_t start_us = clock_monotonic_us();
        message_check(f, TOKEN, 1, number, "body");
        assert_int_equal(f->reply.behind, BEHIND_NOT);
        waited_us += clock_monotonic_us() - start_us;
    }
    print_message("read %.1f ms after the answer\n", (double) waited_us / (MESSAGES - 1) / 1000);
    assert_true(waited_us < (MESSAGES - 1) * LOOK_US / 2);
}

/* All connections to the database but the test's own. */
static void connections_kill(struct actors *f)
{
    int64_t id;
    while ((id = file_number(f, STORE_FILE,
                             "SELECT id FROM information_schema.processlist "
                             "WHERE db = DATABASE() AND id <> CONNECTION_ID() "
                             "AND command = 'Sleep' LIMIT 1")) != 0)
        if (sql_script(f->sql[STORE_FILE], text_of("KILL %lld", (long long) id)) != OK)
            break; /* it has gone by itself */
}

static void lost_connections_are_made_again(void **state)
{
    struct actors *f = (struct actors *) *state;
    uint64_t number = 0;
    for (int round = 0; round < 5; round++) {
        connections_kill(f);
        for (int i = 0; i < 10; i++) {
            assert_int_equal(message_post(f, TOKEN, 1, "creates need no store"), ++number);
            struct request request = request_of(REQUEST_MESSAGE, TOKEN, 1, number, NULL);
            int64_t start_us = clock_monotonic_us();
            status_t status = ask(f, &request);
            assert_true(status == OK || status == ERR_STORE || status == ERR_STORE_BEHIND);
            assert_in_range(clock_monotonic_us() - start_us, 0, 2000000);
        }
        message_check(f, TOKEN, 1, number, "creates need no store");
        follower_wait(f, FOLLOWER_PERSISTENCE);
    }
}

static void a_new_life_of_the_journal_is_read_from_when_it_was_checked(void **state)
{
    struct actors *f = (struct actors *) *state;
    for (uint64_t number = 1; number <= 3; number++) {
        struct request request = request_of(REQUEST_MESSAGE, TOKEN, 1, number, NULL);
        WAIT_FOR(message_post(f, TOKEN, 1, "here") == number);
        WAIT_FOR(ask(f, &request) == OK && f->reply.behind == BEHIND_NOT);
        redis_server_kill(f->redis[0]);
        WAIT_FOR(ask(f, &request) == OK && f->reply.behind == BEHIND_UNKNOWN);
        redis_server_restart(f->redis[0]);
    }
}

/* ---- counts ---- */

static void counts_are_exact_when_leases_move(void **state)
{
    enum { APPLICATIONS = 6 };
    struct actors *f = (struct actors *) *state;
    const char *tokens[APPLICATIONS];
    zactor_t *twin = NULL;
    status_t status;
    for (int i = 0; i < APPLICATIONS; i++) {
        tokens[i] = text_of("application-%d", i);
        application_post(f, tokens[i]);
        assert_int_equal(chat_post(f, tokens[i]), 1);
    }
    f->config.counts_flush = 300; /* so that there is something that was not written yet */
    for (int round = 1; round <= 4; round++) {
        if (round % 2)
            actor_run(f, COUNTING);
        else
            twin = actor_start(counting_actor, actors_args(f, 0), &status);
        for (int i = 0; i < APPLICATIONS; i++)
            messages_post(f, tokens[i], 1, 25);
        if (round % 2)
            zactor_destroy(&twin); /* it was the only one until now */
        else
            actor_stop(f, COUNTING);
        follower_wait(f, FOLLOWER_COUNTING);
        assert_int_equal(file_number(f, STORE_FILE, "SELECT SUM(messages_count) FROM chats"),
                         round * 25 * APPLICATIONS);
        store_check(f);
    }
    zactor_destroy(&twin);
}

int main(void)
{
#define SHARED_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, actors_tear_down)
    const struct CMUnitTest tests[] = {
        SHARED_TEST(what_another_process_stores_is_seen_without_its_wake_ups),
        SHARED_TEST(lost_connections_are_made_again),
        SHARED_TEST(a_new_life_of_the_journal_is_read_from_when_it_was_checked),
        SHARED_TEST(counts_are_exact_when_leases_move),
    };
    int missing;
    if (!actors_can_share(&missing))
        return missing;
    return cmocka_run_group_tests(tests, actors_prepare, actors_finish) ? 1 : 0;
}
