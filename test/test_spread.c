/* SPDX-License-Identifier: MIT */
/* test_spread.c - a journal of two servers: one that is dead stops its own shards only.
 *
 * On two real Redis servers, behind the actors as `confab serve` starts them.
 */
#include "actors.h"

/* An application for each server, the shard of which is on it. */
static const char *tokens[JOURNALS_MAX];

static int set_up(void **state)
{
    actors_set_up_redis_pair(state);
    struct actors *f = (struct actors *) *state;
    tokens[0] = tokens[1] = NULL;
    for (int i = 0; !tokens[0] || !tokens[1]; i++) {
        const char *token = text_of("application-%d", i);
        unsigned server = 0;
        unsigned shard = token_shard(token, strlen(token), (unsigned) f->config.shards);
        assert_true(journal_server_of(f->journal, shard, &server));
        tokens[server] = token;
    }
    actors_run(f);
    for (int i = 0; i < 2; i++) {
        application_post(f, tokens[i]);
        assert_int_equal(chat_post(f, tokens[i]), 1);
    }
    return 0;
}

static status_t post(struct actors *f, int server, const char *body)
{
    message_post(f, tokens[server], 1, body);
    return f->reply.status;
}

static void every_server_numbers_its_own_shards(void **state)
{
    struct actors *f = (struct actors *) *state;
    for (uint64_t number = 1; number <= 20; number++)
        for (int i = 0; i < 2; i++) {
            const char *body = text_of("%d: %llu", i, (unsigned long long) number);
            assert_int_equal(message_post(f, tokens[i], 1, body), number);
            message_check(f, tokens[i], 1, number, body);
        }
    for (int i = 0; i < 2; i++)
        assert_string_not_equal(redis_server_ask(f->redis[i], "DBSIZE"), "0");
    struct request all = {.type = REQUEST_APPLICATIONS, .text = "", .limit = 10};
    assert_int_equal(ask(f, &all), OK);
    assert_int_equal(f->reply.item_count, 2);
}

static void persistence_hears_of_the_appends_of_every_server(void **state)
{
    enum { MESSAGES = 20, LOOK_US = 100000 };
    struct actors *f = (struct actors *) *state;
    int64_t waited_us = 0;
    for (uint64_t number = 1; number <= MESSAGES; number++)
        for (int i = 0; i < 2; i++) {
            zclock_sleep(20); /* it is idle by then, or the test shows nothing */
            assert_int_equal(message_post(f, tokens[i], 1, "wake up"), number);
            int64_t start_us = clock_monotonic_us();
            message_check(f, tokens[i], 1, number, "wake up");
            waited_us += clock_monotonic_us() - start_us;
        }
    print_message("read %.2f ms after the answer\n", (double) waited_us / MESSAGES / 2000);
    assert_true(waited_us < 2 * MESSAGES * LOOK_US * 4 / 10);
}

/* Server 0's writes go on, each within a moment; server 1's are refused. */
static void writes_go_on(struct actors *f)
{
    enum { ROUNDS = 40, WITHIN_US = 500000 };
    struct request lost = request_of(REQUEST_MESSAGE_CREATE, tokens[1], 1, 0, "lost");
    struct request kept = request_of(REQUEST_MESSAGE_CREATE, tokens[0], 1, 0, "kept");
    int64_t longest_us = 0;
    for (int refused = 0, round = 0; round < ROUNDS || refused < ROUNDS;) {
        int64_t start_us = clock_monotonic_us();
        uint64_t id = 0;
        if (round < ROUNDS) {
            request_send(f, &lost);
            id = request_send(f, &kept);
            round++;
        }
        do { /* earlier ones of the other server may come first */
            reply_wait(f, NUMBERING);
            assert_true((f->reply.status == OK) == (f->reply.id == id));
            refused += f->reply.id != id;
        } while (id != 0 && f->reply.id != id);
        int64_t took_us = clock_monotonic_us() - start_us;
        if (id != 0 && took_us > longest_us)
            longest_us = took_us;
    }
    print_message("the other server's writes took %.1f ms at most\n", (double) longest_us / 1000);
    assert_true(longest_us < WITHIN_US);
}

/* They see what was written, but for at most so many of them. */
static void reads_go_on(struct actors *f, unsigned late_max)
{
    unsigned late = 0;
    for (int round = 0; round < 40; round++) {
        assert_int_equal(post(f, 0, "kept"), OK);
        struct request request = request_of(REQUEST_MESSAGE, tokens[0], 1, f->reply.number, NULL);
        late += ask(f, &request) != OK || f->reply.behind != BEHIND_NOT;
    }
    print_message("%u of 40 reads did not see what was written\n", late);
    assert_in_range(late, 0, late_max);
}

static void a_server_that_is_dead_stops_its_own_shards_only(void **state)
{
    struct actors *f = (struct actors *) *state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(post(f, i, "before"), OK);
        message_check(f, tokens[i], 1, 1, "before");
    }
    redis_server_kill(f->redis[1]);
    WAIT_FOR(post(f, 1, "lost") == ERR_JOURNAL);
    writes_go_on(f);
    reads_go_on(f, 0);
    message_check(f, tokens[1], 1, 1, "before");
    assert_int_equal(f->reply.behind, BEHIND_UNKNOWN);
    redis_server_restart(f->redis[1]);
    WAIT_FOR(post(f, 1, "after") == OK);
    assert_int_equal(f->reply.number, 2);
    struct request request = request_of(REQUEST_MESSAGE, tokens[1], 1, 2, NULL);
    WAIT_FOR(ask(f, &request) == OK && f->reply.behind == BEHIND_NOT);
}

/* Followers, and who looks, find out by a time-out, and try again now and then. */
static void a_server_that_hangs_stops_its_own_shards_only(void **state)
{
    struct actors *f = (struct actors *) *state;
    assert_int_equal(post(f, 0, "before"), OK);
    redis_server_pause(f->redis[1]);
    writes_go_on(f);
    reads_go_on(f, 3);
    redis_server_resume(f->redis[1]);
    WAIT_FOR(post(f, 1, "after") == OK);
}

static void a_queue_that_is_full_refuses_at_once(void **state)
{
    enum { REQUESTS = 6000 };
    struct actors *f = (struct actors *) *state;
    struct request request = request_of(REQUEST_MESSAGE_CREATE, tokens[1], 1, 0, "x");
    uint64_t overloaded = 0, taken = 0;
    request.wait_ms_max = 20000;
    redis_server_pause(f->redis[1]);
    for (int i = 0; i < REQUESTS; i++)
        request_send(f, &request);
    reply_wait(f, NUMBERING); /* though the server does not answer */
    assert_int_equal(f->reply.status, ERR_OVERLOADED);
    overloaded++;
    redis_server_resume(f->redis[1]);
    while (overloaded + taken < REQUESTS) {
        reply_wait(f, NUMBERING);
        overloaded += f->reply.status == ERR_OVERLOADED;
        taken += f->reply.status != ERR_OVERLOADED;
    }
    print_message("%llu of %d fitted\n", (unsigned long long) taken, REQUESTS);
    assert_true(taken >= 1000);
    assert_int_equal(post(f, 0, "here"), OK);
    WAIT_FOR(post(f, 1, "here") == OK);
}

/* It cannot tell where the shards are then, and takes the usual place. */
static void a_server_that_is_dead_at_the_start_is_found_later(void **state)
{
    struct actors *f = (struct actors *) *state;
    actors_stop(f);
    redis_server_kill(f->redis[1]);
    actors_run(f);
    assert_int_equal(post(f, 0, "here"), OK);
    assert_int_equal(post(f, 1, "lost"), ERR_JOURNAL);
    redis_server_restart(f->redis[1]);
    WAIT_FOR(post(f, 1, "here") == OK);
    message_check(f, tokens[1], 1, 1, "here");
}

/* What is left in its place is a closing mark, which belongs to no data set. */
static void a_server_that_was_emptied_keeps_nobody_from_starting(void **state)
{
    struct actors *f = (struct actors *) *state;
    unsigned shard = token_shard(tokens[0], strlen(tokens[0]), (unsigned) f->config.shards);
    actors_stop(f);
    redis_server_ask(f->redis[0], "FLUSHALL");
    assert_int_equal(journal_mark(f->journal, shard, 5, false), OK);
    redis_server_kill(f->redis[1]);
    actors_reopen(f); /* it must open */
    actors_run(f);
    assert_int_equal(post(f, 0, "refused"), ERR_CLOSED);
    redis_server_restart(f->redis[1]);
    WAIT_FOR(post(f, 1, "here") == OK);
}

static void frames_that_make_no_sense_are_dropped(void **state)
{
    struct actors *f = (struct actors *) *state;
    zsock_t *stranger = zsock_new_dealer(">" NUMBERING_ENDPOINT);
    assert_non_null(stranger);
    void *socket = zsock_resolve(stranger);
    struct request request = request_of(REQUEST_MESSAGE_CREATE, tokens[0], 1, 0, "x");
    request_encode(&f->frame, &request);
    for (size_t length = 0; length < f->frame.length; length++)
        zmq_send(socket, f->frame.data, length, 0);
    zmq_send(socket, "", 0, ZMQ_SNDMORE);
    zmq_send(socket, f->frame.data, f->frame.length, 0);
    request.token_length = 0;
    request_encode(&f->frame, &request);
    zmq_send(socket, f->frame.data, f->frame.length, 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(message_post(f, tokens[i], 1, "here"), 1);
    zsock_destroy(&stranger);
}

int main(void)
{
#define SPREAD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, actors_tear_down)
    const struct CMUnitTest tests[] = {
        SPREAD_TEST(every_server_numbers_its_own_shards),
        SPREAD_TEST(persistence_hears_of_the_appends_of_every_server),
        SPREAD_TEST(a_server_that_is_dead_stops_its_own_shards_only),
        SPREAD_TEST(a_server_that_hangs_stops_its_own_shards_only),
        SPREAD_TEST(a_queue_that_is_full_refuses_at_once),
        SPREAD_TEST(a_server_that_is_dead_at_the_start_is_found_later),
        SPREAD_TEST(a_server_that_was_emptied_keeps_nobody_from_starting),
        SPREAD_TEST(frames_that_make_no_sense_are_dropped),
    };
    return cmocka_run_group_tests(tests, actors_prepare, actors_finish) ? 1 : 0;
}
