/* SPDX-License-Identifier: MIT */
/* test_numbering.c - a number is a promise that the record is durable.
 *
 * Runs the real actor, over real sockets, on a journal in a real file.
 */
#include "numbering_fixture.h"

#include <stdlib.h>

/* ---- numbers ---- */

static void numbers_are_dense_in_every_chat(void **state)
{
    struct actors *f = (struct actors *) *state;
    assert_int_equal(chat_post(f, TOKEN), 2);
    application_post(f, "other");
    assert_int_equal(chat_post(f, "other"), 1);
    for (uint64_t number = 1; number <= 20; number++) {
        assert_int_equal(message_post(f, TOKEN, 1, "to one"), number);
        assert_int_equal(message_post(f, TOKEN, 2, "to another"), number);
        assert_int_equal(message_post(f, "other", 1, "elsewhere"), number);
        assert_int_equal(chat_post(f, "other"), number + 1);
    }
    assert_int_equal(last_seq(f, 0), 5 + 80);
}

static void numbers_go_on_after_a_restart(void **state)
{
    struct actors *f = (struct actors *) *state;
    messages_post(f, TOKEN, 1, 10);
    actor_stop(f, NUMBERING);
    actor_run(f, NUMBERING);
    assert_int_equal(message_post(f, TOKEN, 1, "the eleventh"), 11);
    actors_reopen(f);
    actor_run(f, NUMBERING);
    assert_int_equal(message_post(f, TOKEN, 1, "the twelfth"), 12);
    assert_int_equal(chat_post(f, TOKEN), 2);
}

static void what_waits_for_one_chat_becomes_one_group_with_consecutive_numbers(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct request request = request_of(REQUEST_MESSAGE_CREATE, TOKEN, 1, 0, "one of many");
    struct log before = log_read(f);
    file_lock(f, JOURNAL_FILE); /* the first batch waits, the rest gathers behind it */
    uint64_t first = request_send(f, &request);
    for (int i = 1; i < 400; i++)
        request_send(f, &request);
    file_unlock(f, JOURNAL_FILE);
    for (uint64_t i = 0; i < 400; i++) {
        reply_wait(f, NUMBERING);
        assert_int_equal(f->reply.status, OK);
        assert_int_equal(f->reply.id, first + i);
        assert_int_equal(f->reply.number, 1 + i); /* in the order in which they came */
        assert_true(f->reply.time > 0);
    }
    struct log after = log_read(f);
    assert_int_equal(after.records - before.records, 400);
    assert_true(after.entries - before.entries <= 2);
    assert_int_equal(after.groups - before.groups, after.entries - before.entries);
}

/* Waits for `count` replies, in any order; statuses by id - first. */
static void replies_sort(struct actors *f, uint64_t first, size_t count, struct reply replies[])
{
    for (size_t i = 0; i < count; i++) {
        reply_wait(f, NUMBERING);
        assert_in_range(f->reply.id, first, first + count - 1);
        replies[f->reply.id - first] = f->reply;
    }
}

static void each_request_of_a_batch_has_a_status_of_its_own(void **state)
{
    struct actors *f = (struct actors *) *state;
    assert_int_equal(message_post(f, TOKEN, 1, "to be edited"), 1);
    assert_int_equal(chat_post(f, TOKEN), 2);
    const struct {
        struct request request;
        status_t status;
        uint64_t number;
    } rows[] = {
        {request_of(REQUEST_MESSAGE_CREATE, TOKEN, 1, 0, "good"), OK, 2},
        {request_of(REQUEST_MESSAGE_CREATE, TOKEN, 9, 0, "bad"), ERR_CHAT_NOT_FOUND, 0},
        {request_of(REQUEST_MESSAGE_CREATE, TOKEN, 9, 0, "bad"), ERR_CHAT_NOT_FOUND, 0},
        {request_of(REQUEST_MESSAGE_CREATE, "nobody", 1, 0, "bad"), ERR_APPLICATION_NOT_FOUND, 0},
        {request_of(REQUEST_MESSAGE_CREATE, TOKEN, 1, 0, "good"), OK, 3},
        {request_of(REQUEST_MESSAGE_EDIT, TOKEN, 1, 1, "edited"), OK, 0},
        {request_of(REQUEST_MESSAGE_EDIT, TOKEN, 1, 99, "bad"), ERR_MESSAGE_NOT_FOUND, 0},
        {request_of(REQUEST_MESSAGE_EDIT, TOKEN, 1, 0, "bad"), ERR_MESSAGE_NOT_FOUND, 0},
        {request_of(REQUEST_MESSAGE_DELETE, TOKEN, 1, 1, NULL), OK, 0},
        {request_of(REQUEST_CHAT_CREATE, TOKEN, 0, 0, "new"), OK, 3},
        {request_of(REQUEST_CHAT_CREATE, "nobody", 0, 0, "bad"), ERR_APPLICATION_NOT_FOUND, 0},
        {request_of(REQUEST_APPLICATION_CREATE, "new", 0, 0, "new"), OK, 0},
        {request_of(REQUEST_APPLICATION_CREATE, TOKEN, 0, 0, "again"), ERR_EXISTS, 0},
        {request_of(REQUEST_APPLICATION_RENAME, TOKEN, 0, 0, "renamed"), OK, 0},
        {request_of(REQUEST_CHAT_RENAME, TOKEN, 2, 0, "renamed"), OK, 0},
        {request_of(REQUEST_CHAT_DELETE, TOKEN, 2, 0, NULL), OK, 0},
        {request_of(REQUEST_APPLICATION_DELETE, "nobody", 0, 0, NULL), ERR_APPLICATION_NOT_FOUND,
         0},
    };
    enum { ROWS = sizeof rows / sizeof *rows };
    struct reply replies[ROWS];
    file_lock(f, JOURNAL_FILE);
    uint64_t first = f->last_id + 1;
    for (size_t i = 0; i < ROWS; i++)
        request_send(f, &rows[i].request);
    file_unlock(f, JOURNAL_FILE);
    replies_sort(f, first, ROWS, replies);
    for (size_t i = 0; i < ROWS; i++) {
        if (replies[i].status != rows[i].status || replies[i].number != rows[i].number)
            fail_msg("row %zu: %s, number %llu", i, status_name(replies[i].status),
                     (unsigned long long) replies[i].number);
    }
}

static void large_bodies_that_wait_together_go_in_several_batches(void **state)
{
    enum { CHATS = 40 };
    struct actors *f = (struct actors *) *state;
    char *body = (char *) malloc(BODY_BYTES_MAX + 1);
    assert_non_null(body);
    memset(body, 'x', BODY_BYTES_MAX);
    body[BODY_BYTES_MAX] = 0;
    for (uint64_t chat = 2; chat <= CHATS; chat++)
        assert_int_equal(chat_post(f, TOKEN), chat);
    file_lock(f, JOURNAL_FILE);
    for (uint64_t chat = 1; chat <= CHATS; chat++) {
        struct request request = request_of(REQUEST_MESSAGE_CREATE, TOKEN, chat, 0, body);
        request_send(f, &request);
    }
    file_unlock(f, JOURNAL_FILE);
    free(body);
    for (int i = 0; i < CHATS; i++) {
        reply_wait(f, NUMBERING);
        assert_int_equal(f->reply.status, OK);
        assert_int_equal(f->reply.number, 1);
    }
}

/* ---- keys ---- */

static void a_keyed_request_is_carried_out_once(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct request message = request_keyed(request_of(REQUEST_MESSAGE_CREATE, TOKEN, 1, 0, "once"),
                                           1, 1);
    assert_int_equal(ask(f, &message), OK);
    assert_int_equal(f->reply.number, 1);
    assert_false(f->reply.replayed);
    int64_t time = f->reply.time;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(f, &message), OK);
        assert_int_equal(f->reply.number, 1);
        assert_true(f->reply.replayed);
        assert_int_equal(f->reply.time, time);
        actor_stop(f, NUMBERING);
        actor_run(f, NUMBERING);
    }
    actors_reopen(f);
    actor_run(f, NUMBERING);
    assert_int_equal(ask(f, &message), OK);
    assert_true(f->reply.replayed && f->reply.number == 1);
    assert_int_equal(message_post(f, TOKEN, 1, "the next"), 2);
}

static void a_key_that_comes_twice_in_one_batch_is_carried_out_once(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct request chat = request_keyed(request_of(REQUEST_CHAT_CREATE, TOKEN, 0, 0, "x"), 5, 5);
    int replayed = 0;
    file_lock(f, JOURNAL_FILE);
    for (int i = 0; i < 10; i++)
        request_send(f, &chat);
    file_unlock(f, JOURNAL_FILE);
    for (int i = 0; i < 10; i++) {
        reply_wait(f, NUMBERING);
        assert_int_equal(f->reply.status, OK);
        assert_int_equal(f->reply.number, 2);
        replayed += f->reply.replayed;
    }
    assert_int_equal(replayed, 9);
}

static void a_keyed_application_keeps_its_first_token(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct request first = request_keyed(
        request_of(REQUEST_APPLICATION_CREATE, "first-token", 0, 0, "name"), 7, 7);
    struct request again = first;
    again.token = "other-token";
    again.token_length = strlen(again.token);
    assert_int_equal(ask(f, &first), OK);
    assert_int_equal(ask(f, &again), OK);
    assert_true(f->reply.replayed);
    assert_int_equal(f->reply.token_length, strlen("first-token"));
    assert_memory_equal(f->reply.token, "first-token", f->reply.token_length);
    assert_int_equal(chat_post(f, "other-token"), 0);
    assert_int_equal(f->reply.status, ERR_APPLICATION_NOT_FOUND);
}

static void a_key_is_refused_for_another_request(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct request message = request_of(REQUEST_MESSAGE_CREATE, TOKEN, 1, 0, "once");
    struct request first = request_keyed(message, 1, 1), other = request_keyed(message, 1, 2);
    assert_int_equal(ask(f, &first), OK);
    assert_int_equal(ask(f, &other), ERR_KEY_REUSED);
    assert_int_equal(f->reply.number, 0);
    assert_int_equal(message_post(f, TOKEN, 1, "the next"), 2);
}

static void more_keys_than_are_kept_are_refused(void **state)
{
    struct actors *f = (struct actors *) *state;
    actor_stop(f, NUMBERING);
    f->config.keys_max = 2;
    actor_run(f, NUMBERING);
    for (uint64_t key = 1; key <= 3; key++) {
        struct request request = request_keyed(
            request_of(REQUEST_MESSAGE_CREATE, TOKEN, 1, 0, "keyed"), key, key);
        assert_int_equal(ask(f, &request), key <= 2 ? OK : ERR_KEYS_FULL);
    }
    assert_int_equal(message_post(f, TOKEN, 1, "without a key"), 3);
}

/* ---- askers ---- */

static void bad_frames_send(zsock_t *asker)
{
    void *socket = zsock_resolve(asker);
    struct buffer frame = {0};
    struct request good = request_of(REQUEST_MESSAGE_CREATE, TOKEN, 1, 0, "never to be seen");
    request_encode(&frame, &good);
    for (size_t length = 0; length < frame.length; length++) /* cut short anywhere */
        assert_true(zmq_send(socket, frame.data, length, 0) >= 0);
    buffer_append(&frame, "x", 1); /* and too long */
    assert_true(zmq_send(socket, frame.data, frame.length, 0) >= 0);

    struct request bad = good;
    bad.token = "not a token";
    bad.token_length = strlen(bad.token);
    request_encode(&frame, &bad);
    assert_true(zmq_send(socket, frame.data, frame.length, 0) >= 0);
    bad = good;
    bad.type = REQUEST_MESSAGE; /* for the query actor */
    request_encode(&frame, &bad);
    assert_true(zmq_send(socket, frame.data, frame.length, 0) >= 0);
    char *huge = (char *) calloc(1, BODY_BYTES_MAX + 1);
    assert_non_null(huge);
    bad = good;
    bad.text = huge;
    bad.text_length = BODY_BYTES_MAX + 1;
    request_encode(&frame, &bad);
    assert_true(zmq_send(socket, frame.data, frame.length, 0) >= 0);
    free(huge);

    request_encode(&frame, &good); /* more parts than one, as REQ sockets send */
    for (int parts = 2; parts <= 4; parts++)
        for (int i = 1; i <= parts; i++)
            assert_true(zmq_send(socket, i < parts ? "" : frame.data, i < parts ? 0 : frame.length,
                                 i < parts ? ZMQ_SNDMORE : 0) >= 0);
    srand(1);
    for (int i = 0; i < 200; i++) { /* and any bytes */
        unsigned char noise[64];
        for (size_t n = 0; n < sizeof noise; n++)
            noise[n] = n < 2 && i % 2 ? (unsigned char) frame.data[n] : (unsigned char) rand();
        assert_true(zmq_send(socket, noise, (size_t) rand() % sizeof noise, 0) >= 0);
    }
    buffer_free(&frame);
}

static void frames_that_make_no_sense_are_dropped(void **state)
{
    struct actors *f = (struct actors *) *state;
    uint64_t number;
    zsock_t *stranger = zsock_new_dealer(">" NUMBERING_ENDPOINT);
    assert_non_null(stranger);
    bad_frames_send(stranger);
    assert_int_equal(post(f, "good", &number), OK);
    assert_int_equal(number, 1);
    zsock_destroy(&stranger);
}

static void an_asker_that_is_gone_disturbs_nobody(void **state)
{
    struct actors *f = (struct actors *) *state;
    struct request request = request_of(REQUEST_MESSAGE_CREATE, TOKEN, 1, 0, "mine");
    for (uint64_t round = 0; round < 10; round++) {
        zsock_t *stranger = zsock_new_dealer(">" NUMBERING_ENDPOINT);
        assert_non_null(stranger);
        file_lock(f, JOURNAL_FILE);
        for (int i = 0; i < 5; i++) {
            request_encode(&f->frame, &request);
            zmq_send(zsock_resolve(stranger), f->frame.data, f->frame.length, 0);
        }
        request_send(f, &request);
        zsock_destroy(&stranger);
        file_unlock(f, JOURNAL_FILE);
        reply_wait(f, NUMBERING);
        assert_int_equal(f->reply.status, OK);
    }
}

static void an_append_wakes_who_subscribed(void **state)
{
    struct actors *f = (struct actors *) *state;
    zsock_t *subscriber = zsock_new_sub(">" WAKE_NUMBERING_ENDPOINT, "");
    assert_non_null(subscriber);
    zmq_pollitem_t item = {zsock_resolve(subscriber), 0, ZMQ_POLLIN, 0};
    WAIT_FOR(message_post(f, TOKEN, 1, "wake up") && zmq_poll(&item, 1, 10) > 0);
    zmq_msg_t frame;
    struct wake wake;
    zmq_msg_init(&frame);
    assert_true(zmq_msg_recv(&frame, item.socket, 0) > 0);
    assert_int_equal(wake_decode(zmq_msg_data(&frame), zmq_msg_size(&frame), &wake), OK);
    assert_int_equal(wake.topic, WAKE_APPENDED);
    assert_int_equal(wake.shard, 0);
    assert_in_range(wake.seq, 1, last_seq(f, 0));
    zmq_msg_close(&frame);
    zsock_destroy(&subscriber);
}

/* ---- several shards ---- */

static void a_batch_for_several_shards_is_numbered_in_each(void **state)
{
    enum { APPLICATIONS = 12 };
    struct actors *f = (struct actors *) *state;
    bool used[8] = {false};
    actor_run(f, NUMBERING);
    for (int i = 0; i < APPLICATIONS; i++) {
        const char *token = text_of("application-%d", i);
        used[token_shard(token, strlen(token), (unsigned) f->config.shards)] = true;
        application_post(f, token);
        assert_int_equal(chat_post(f, token), 1);
    }
    for (uint64_t shard = 0; shard < f->config.shards; shard++)
        assert_true(used[shard]);
    file_lock(f, JOURNAL_FILE);
    uint64_t first = f->last_id + 1;
    for (int round = 0; round < 10; round++)
        for (int i = 0; i < APPLICATIONS; i++) {
            struct request request = request_of(REQUEST_MESSAGE_CREATE,
                                                text_of("application-%d", i), 1, 0, "x");
            request_send(f, &request);
        }
    file_unlock(f, JOURNAL_FILE);
    for (int i = 0; i < 10 * APPLICATIONS; i++) {
        reply_wait(f, NUMBERING);
        assert_int_equal(f->reply.status, OK);
        assert_int_equal(f->reply.number, (f->reply.id - first) / APPLICATIONS + 1);
    }
}

int main(void)
{
#define NUMBERING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, actors_tear_down)
    const struct CMUnitTest tests[] = {
        NUMBERING_TEST(numbers_are_dense_in_every_chat),
        NUMBERING_TEST(numbers_go_on_after_a_restart),
        NUMBERING_TEST(what_waits_for_one_chat_becomes_one_group_with_consecutive_numbers),
        NUMBERING_TEST(each_request_of_a_batch_has_a_status_of_its_own),
        NUMBERING_TEST(large_bodies_that_wait_together_go_in_several_batches),
        NUMBERING_TEST(a_keyed_request_is_carried_out_once),
        NUMBERING_TEST(a_key_that_comes_twice_in_one_batch_is_carried_out_once),
        NUMBERING_TEST(a_keyed_application_keeps_its_first_token),
        NUMBERING_TEST(a_key_is_refused_for_another_request),
        NUMBERING_TEST(more_keys_than_are_kept_are_refused),
        NUMBERING_TEST(frames_that_make_no_sense_are_dropped),
        NUMBERING_TEST(an_asker_that_is_gone_disturbs_nobody),
        NUMBERING_TEST(an_append_wakes_who_subscribed),
        cmocka_unit_test_setup_teardown(a_batch_for_several_shards_is_numbered_in_each,
                                        actors_set_up_sharded, actors_tear_down),
    };
    return cmocka_run_group_tests(tests, actors_prepare, actors_finish) ? 1 : 0;
}
