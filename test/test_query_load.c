/* SPDX-License-Identifier: MIT */
/* test_query_load.c - many reads at once: all are answered, none holds the others up. */
#include "actors.h"

#define TOKEN "some-application"

static int set_up(void **state)
{
    actors_set_up(state);
    struct actors *f = (struct actors *) *state;
    actors_run(f);
    application_post(f, TOKEN);
    assert_int_equal(chat_post(f, TOKEN), 1);
    return 0;
}

/* ---- many at once ---- */

static void hundreds_of_requests_in_flight_are_all_answered(void **state)
{
    enum { REQUESTS = 300, ROUNDS = 5 };
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, REQUESTS);
    for (int round = 0; round < ROUNDS; round++) {
        static bool answered[REQUESTS];
        memset(answered, 0, sizeof answered);
        uint64_t first = f->last_id + 1;
        for (uint64_t i = 0; i < REQUESTS; i++) {
            struct request request = request_of(i % 10 == 3   ? REQUEST_MESSAGES
                                                : i % 10 == 7 ? REQUEST_SEARCH
                                                : i % 10 == 9 ? REQUEST_CHATS
                                                              : REQUEST_MESSAGE,
                                                TOKEN, i % 10 == 9 ? 0 : 1, i + 1,
                                                i % 10 == 7 ? "body" : NULL);
            request_send(f, &request);
        }
        for (int i = 0; i < REQUESTS; i++) {
            reply_wait(f, QUERY);
            assert_int_equal(f->reply.status, OK);
            assert_in_range(f->reply.id, first, first + REQUESTS - 1);
            assert_false(answered[f->reply.id - first]);
            answered[f->reply.id - first] = true;
        }
    }
}

static void parked_requests_are_all_answered_when_the_store_comes(void **state)
{
    enum { REQUESTS = 300 };
    struct actors *f = (struct actors *) *state;
    actor_stop(f, PERSISTENCE);
    messages_post(f, TOKEN, 1, REQUESTS);
    uint64_t parked = metric_value("confab_reads_parked_total");
    for (uint64_t i = 1; i <= REQUESTS; i++) {
        struct request request = request_of(REQUEST_MESSAGE, TOKEN, 1, i, NULL);
        request_send(f, &request);
    }
    WAIT_FOR(metric_value("confab_reads_parked_total") >= parked + REQUESTS);
    actor_run(f, PERSISTENCE);
    for (uint64_t i = 1; i <= REQUESTS; i++) {
        reply_wait(f, QUERY);
        assert_int_equal(f->reply.status, OK);
    }
}

/* Of one processor, by the whole process since `since`; 1 is all of it. */
struct moment {
    int64_t wall_us;
    struct timespec cpu;
};

static struct moment moment_now(void)
{
    struct moment now = {.wall_us = clock_monotonic_us()};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now.cpu);
    return now;
}

static double cpu_share(struct moment since)
{
    struct moment now = moment_now();
    double used = (double) (now.cpu.tv_sec - since.cpu.tv_sec) +
                  (double) (now.cpu.tv_nsec - since.cpu.tv_nsec) / 1e9;
    return used * 1e6 / (double) (now.wall_us - since.wall_us);
}

static void more_requests_than_there_are_tickets_wait_at_the_socket_in_peace(void **state)
{
    enum { REQUESTS = 5000, TICKETS = 4096 };
    struct actors *f = (struct actors *) *state;
    actor_stop(f, PERSISTENCE);
    assert_int_equal(message_post(f, TOKEN, 1, "not stored yet"), 1);
    struct request request = request_of(REQUEST_MESSAGE, TOKEN, 1, 1, NULL);
    uint64_t parked = metric_value("confab_reads_parked_total");
    for (int i = 0; i < REQUESTS; i++)
        request_send(f, &request);
    WAIT_FOR(metric_value("confab_reads_parked_total") >= parked + TICKETS);
    struct moment full = moment_now();
    for (int i = 0; i < REQUESTS; i++) {
        reply_wait(f, QUERY);
        assert_int_equal(f->reply.status, ERR_STORE_BEHIND);
        if (i == 0)
            assert_true(cpu_share(full) < 0.5);
    }
}

static void a_server_with_nothing_to_do_sleeps(void **state)
{
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, 10);
    follower_wait(f, FOLLOWER_COUNTING);
    follower_wait(f, FOLLOWER_INDEXING);
    message_check(f, TOKEN, 1, 10, "body 10");
    struct moment idle = moment_now();
    zclock_sleep(1000); /* nothing happens: that is what is measured */
    double share = cpu_share(idle);
    print_message("idle: %.2f %% of a processor\n", share * 100);
    assert_true(share < 0.2);
}

static void slow_searches_do_not_hold_up_single_reads(void **state)
{
    enum { SEARCHES = 12, READS = 50 };
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, 30000);
    follower_wait(f, FOLLOWER_INDEXING);
    /* Two code points have no trigram: the whole chat is looked through. */
    struct request search = request_of(REQUEST_SEARCH, TOKEN, 1, 0, "zz");
    struct request single = request_of(REQUEST_MESSAGE, TOKEN, 1, 7, NULL);
    uint64_t first = f->last_id + 1, reads = 0, searches = 0;
    for (int i = 0; i < SEARCHES; i++)
        request_send(f, &search);
    for (int i = 0; i < READS; i++)
        request_send(f, &single);
    while (reads < READS) {
        reply_wait(f, QUERY);
        assert_int_equal(f->reply.status, OK);
        if (f->reply.id < first + SEARCHES)
            searches++;
        else
            reads++;
    }
    assert_true(searches < SEARCHES); /* they overtook */
    for (; searches < SEARCHES; searches++)
        reply_wait(f, QUERY);
}

static void a_stream_of_single_reads_does_not_starve_a_search(void **state)
{
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, 100);
    follower_wait(f, FOLLOWER_INDEXING);
    struct request search = request_of(REQUEST_SEARCH, TOKEN, 1, 0, "body 17");
    struct request single = request_of(REQUEST_MESSAGE, TOKEN, 1, 7, NULL);
    for (int i = 0; i < 200; i++)
        request_send(f, &single);
    uint64_t id = request_send(f, &search);
    for (int replies = 0; f->reply.id != id; replies++) {
        reply_wait(f, QUERY);
        assert_int_equal(f->reply.status, OK);
        assert_true(replies < 2000);
        if (f->reply.id != id)
            request_send(f, &single);
    }
    assert_string_equal(reply_numbers(f), "17");
    for (int i = 0; i < 200; i++)
        reply_wait(f, QUERY);
}

/* ---- askers, start and stop ---- */

static void frames_that_make_no_sense_are_dropped(void **state)
{
    struct actors *f = (struct actors *) *state;
    zsock_t *stranger = zsock_new_dealer(">" QUERY_ENDPOINT);
    assert_non_null(stranger);
    void *socket = zsock_resolve(stranger);
    struct request request = request_of(REQUEST_MESSAGE, TOKEN, 1, 1, NULL);
    struct buffer frame = {0};
    request_encode(&frame, &request);
    for (size_t length = 0; length < frame.length; length++)
        zmq_send(socket, frame.data, length, 0);
    for (int parts = 2; parts <= 4; parts++)
        for (int i = 1; i <= parts; i++)
            zmq_send(socket, i < parts ? "" : frame.data, i < parts ? 0 : frame.length,
                     i < parts ? ZMQ_SNDMORE : 0);
    request.type = REQUEST_MESSAGE_CREATE; /* for the numbering actor */
    request_encode(&frame, &request);
    zmq_send(socket, frame.data, frame.length, 0);
    request.type = REQUEST_CHATS;
    request.token_length = 0;
    request_encode(&frame, &request);
    zmq_send(socket, frame.data, frame.length, 0);
    request = request_of(REQUEST_SEARCH, TOKEN, 1, 0, ""); /* odd, but no nonsense */
    request.limit = UINT32_MAX;
    request_encode(&frame, &request);
    zmq_send(socket, frame.data, frame.length, 0);
    buffer_free(&frame);
    assert_int_equal(message_post(f, TOKEN, 1, "here"), 1);
    message_check(f, TOKEN, 1, 1, "here");
    zsock_destroy(&stranger);
}

static void an_asker_that_is_gone_disturbs_nobody(void **state)
{
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, 10);
    for (int round = 0; round < 20; round++) {
        zsock_t *stranger = zsock_new_dealer(">" QUERY_ENDPOINT);
        assert_non_null(stranger);
        struct request request = request_of(REQUEST_MESSAGES, TOKEN, 1, 0, NULL);
        request_encode(&f->frame, &request);
        for (int i = 0; i < 20; i++)
            zmq_send(zsock_resolve(stranger), f->frame.data, f->frame.length, 0);
        zsock_destroy(&stranger);
        message_check(f, TOKEN, 1, 3, "body 3");
    }
}

static void it_may_be_stopped_with_requests_in_hand(void **state)
{
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, 50);
    for (int round = 0; round < 10; round++) {
        actor_stop(f, PERSISTENCE);
        assert_int_equal(message_post(f, TOKEN, 1, "not stored yet"), 51 + round);
        for (uint64_t i = 0; i < 200; i++) {
            struct request request = request_of(i % 3 ? REQUEST_MESSAGE : REQUEST_MESSAGES, TOKEN,
                                                1, 1 + i % 50, NULL);
            request_send(f, &request);
        }
        actor_stop(f, QUERY);
        actor_run(f, QUERY);
        actor_run(f, PERSISTENCE);
        message_check(f, TOKEN, 1, (uint64_t) (51 + round), "not stored yet");
    }
}

static void an_actor_that_cannot_open_its_journal_does_not_start(void **state)
{
    struct actors *f = (struct actors *) *state;
    status_t status;
    actor_stop(f, QUERY);
    fake_sql_fail(FAULT_OPEN, "journal.db", 0, 1);
    assert_false(actor_try(f, QUERY, &status));
    assert_int_equal(status, ERR_JOURNAL);
    fake_sql_fail(FAULT_OPEN, "store.db", 0, FAULT_ALWAYS); /* it starts: creates go on */
    actor_run(f, QUERY);
    assert_int_equal(message_post(f, TOKEN, 1, "here"), 1);
    struct request request = request_of(REQUEST_MESSAGE, TOKEN, 1, 1, NULL);
    assert_true(ask(f, &request) == ERR_STORE || f->reply.status == ERR_STORE_BEHIND);
    fake_sql_heal();
    message_check(f, TOKEN, 1, 1, "here");
}

int main(void)
{
#define QUERY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, actors_tear_down)
    const struct CMUnitTest tests[] = {
        QUERY_TEST(hundreds_of_requests_in_flight_are_all_answered),
        QUERY_TEST(parked_requests_are_all_answered_when_the_store_comes),
        QUERY_TEST(more_requests_than_there_are_tickets_wait_at_the_socket_in_peace),
        QUERY_TEST(a_server_with_nothing_to_do_sleeps),
        QUERY_TEST(slow_searches_do_not_hold_up_single_reads),
        QUERY_TEST(a_stream_of_single_reads_does_not_starve_a_search),
        QUERY_TEST(frames_that_make_no_sense_are_dropped),
        QUERY_TEST(an_asker_that_is_gone_disturbs_nobody),
        QUERY_TEST(it_may_be_stopped_with_requests_in_hand),
        QUERY_TEST(an_actor_that_cannot_open_its_journal_does_not_start),
    };
    return cmocka_run_group_tests(tests, actors_prepare, actors_finish) ? 1 : 0;
}
