/* SPDX-License-Identifier: MIT */
/* test_caller.c - one request, one reply, and none that belongs to another.
 *
 * Over real sockets; the peer does what the test says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <czmq.h>

#include "common/clock.h"
#include "fake_peer.h"
#include "http/caller.h"

struct fixture {
    caller_t *caller;
    fake_peer_t *peer;
    /* What the peer does with the first requests; it answers all further ones. */
    enum fake_peer_action actions[4];
    atomic_size_t asked;
    atomic_uint wait_ms_max; /* that the last request said */
};

static enum fake_peer_action play(const struct request *request, struct reply *reply, void *context)
{
    struct fixture *f = context;
    reply->number = request->number * 10;
    reply->status = request->chat == 404 ? ERR_CHAT_NOT_FOUND : OK;
    f->wait_ms_max = request->wait_ms_max;
    return f->asked < 4 ? f->actions[f->asked++] : FAKE_ANSWER;
}

static int set_up(void **state)
{
    struct fixture *f = zmalloc(sizeof *f);
    f->caller = caller_open();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    caller_close(&f->caller);
    fake_peer_close(&f->peer);
    free(f);
    return 0;
}

static status_t ask(struct fixture *f, enum request_type type, uint64_t number, int wait_ms,
                    struct reply *reply)
{
    struct request request = {.type = type, .token = "T", .token_length = 1, .text = ""};
    request.number = number;
    request.chat = number == 404 ? 404 : 1;
    return caller_ask(f->caller, &request, clock_monotonic_us() + wait_ms * 1000, reply);
}

static void a_reply_comes_back_with_its_status(void **state)
{
    struct fixture *f = *state;
    struct reply reply;
    f->peer = fake_peer_open(NUMBERING_ENDPOINT, 1000, play, f);
    assert_int_equal(ask(f, REQUEST_MESSAGE_CREATE, 7, 2000, &reply), OK);
    assert_int_equal(reply.number, 70);
    assert_in_range(f->wait_ms_max, 1000, 2000);
    assert_int_equal(ask(f, REQUEST_MESSAGE_CREATE, 404, 2000, &reply), ERR_CHAT_NOT_FOUND);
}

/* It answers the first request only together with the second. */
static void a_reply_that_comes_too_late_is_not_taken_for_the_next_one(void **state)
{
    struct fixture *f = *state;
    struct reply reply;
    f->actions[0] = FAKE_KEEP;
    f->peer = fake_peer_open(NUMBERING_ENDPOINT, 1000, play, f);
    assert_int_equal(ask(f, REQUEST_MESSAGE_CREATE, 1, 50, &reply), ERR_OUTCOME_UNKNOWN);
    assert_int_equal(ask(f, REQUEST_MESSAGE_CREATE, 2, 2000, &reply), OK);
    assert_int_equal(reply.number, 20);
    assert_int_equal(ask(f, REQUEST_MESSAGE_CREATE, 3, 2000, &reply), OK);
    assert_int_equal(reply.number, 30);
}

static void what_does_not_decode_is_nobodys_reply(void **state)
{
    struct fixture *f = *state;
    struct reply reply;
    f->actions[0] = FAKE_GARBAGE;
    f->peer = fake_peer_open(QUERY_ENDPOINT, 1000, play, f);
    assert_int_equal(ask(f, REQUEST_MESSAGE, 4, 2000, &reply), OK);
    assert_int_equal(reply.number, 40);
}

static void the_deadline_ends_the_wait_and_says_what_is_known(void **state)
{
    struct fixture *f = *state;
    struct reply reply;
    for (int i = 0; i < 3; i++)
        f->actions[i] = FAKE_NEVER;
    f->peer = fake_peer_open(QUERY_ENDPOINT, 1000, play, f);
    int64_t start = clock_monotonic_us();
    assert_int_equal(ask(f, REQUEST_MESSAGE, 1, 60, &reply), ERR_STORE);
    assert_in_range(clock_monotonic_us() - start, 59000, 1000000);
    assert_int_equal(ask(f, REQUEST_SEARCH, 1, 10, &reply), ERR_SEARCH);
    assert_int_equal(ask(f, REQUEST_CHAT, 1, 10, &reply), ERR_STORE);
    assert_int_equal(ask(f, REQUEST_CHAT, 1, 2000, &reply), OK);
}

static void a_request_whose_time_is_over_is_not_sent(void **state)
{
    struct fixture *f = *state;
    struct reply reply;
    f->peer = fake_peer_open(NUMBERING_ENDPOINT, 1000, play, f);
    assert_int_equal(ask(f, REQUEST_MESSAGE_CREATE, 1, 0, &reply), ERR_OVERLOADED);
    assert_int_equal(ask(f, REQUEST_MESSAGE_CREATE, 2, 2000, &reply), OK);
    assert_int_equal(f->asked, 1);
}

/* Nobody reads: some requests wait in the queue, the next is refused at once. */
static void a_full_queue_refuses_at_once(void **state)
{
    struct fixture *f = *state;
    struct reply reply;
    status_t status = OK;
    f->peer = fake_peer_open(NUMBERING_ENDPOINT, 1, NULL, NULL);
    for (int i = 0; i < 3000 && status != ERR_OVERLOADED; i++)
        status = ask(f, REQUEST_MESSAGE_CREATE, 1, 1, &reply);
    assert_int_equal(status, ERR_OVERLOADED);

    int64_t start = clock_monotonic_us();
    assert_int_equal(ask(f, REQUEST_MESSAGE_CREATE, 1, 5000, &reply), ERR_OVERLOADED);
    assert_true(clock_monotonic_us() - start < 1000000);
}

static void an_actor_that_comes_later_is_found(void **state)
{
    struct fixture *f = *state;
    struct reply reply;
    assert_int_equal(ask(f, REQUEST_MESSAGE, 1, 20, &reply), ERR_STORE);
    f->peer = fake_peer_open(QUERY_ENDPOINT, 1000, play, f);
    assert_int_equal(ask(f, REQUEST_MESSAGE, 2, 2000, &reply), OK);
    assert_int_equal(reply.number, 20);
}

static void closing_accepts_nothing(void **state)
{
    (void) state;
    caller_t *none = NULL;
    caller_close(&none);
    assert_null(none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reply_comes_back_with_its_status),
        TEST(a_reply_that_comes_too_late_is_not_taken_for_the_next_one),
        TEST(what_does_not_decode_is_nobodys_reply),
        TEST(the_deadline_ends_the_wait_and_says_what_is_known),
        TEST(a_request_whose_time_is_over_is_not_sent),
        TEST(a_full_queue_refuses_at_once),
        TEST(an_actor_that_comes_later_is_found),
        cmocka_unit_test(closing_accepts_nothing),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    zsys_shutdown();
    return failures ? 1 : 0;
}
