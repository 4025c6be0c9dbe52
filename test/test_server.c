/* SPDX-License-Identifier: MIT */
/* test_server.c - the door: what is framed wrongly is kept out, connections are
 * kept or closed as said, many take turns, and the end is orderly.
 *
 * The real server over real sockets; the actors are played. What the API answers
 * to well-formed requests is tested end to end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <czmq.h>
#include <pthread.h>

#include <cmocka.h>

#include "common/clock.h"
#include "fake_peer.h"
#include "http/server.h"
#include "http_client.h"

enum { THREADS = 8 };

struct fixture {
    struct config config;
    char listen[32], admin[32];
    uint16_t port, admin_port;
    http_t *http;
    fake_peer_t *numbering, *query;
    atomic_bool slow; /* numbering answers only the second request */
    struct answer answer, late;
    struct buffer items[2]; /* what numbering and query last answered */
};

static enum fake_peer_action play(const struct request *request, struct reply *reply, void *context)
{
    struct fixture *f = context;
    struct buffer *items = &f->items[request->type >= REQUEST_APPLICATIONS];
    struct item item = {.token = "T", .token_length = 1, .number = request->number, .text = "x"};
    buffer_clear(items);
    reply->number = 7;
    if (request->type == REQUEST_STATE) {
        struct state state = {.journal_ok = true, .store_ok = true, .search_none = true};
        state_encode(items, &state);
    } else {
        item_encode(items, &item);
    }
    reply->items = items->data;
    reply->items_length = items->length;
    reply->item_count = 1;
    return request->type < REQUEST_APPLICATIONS && atomic_exchange(&f->slow, false) ? FAKE_KEEP
                                                                                    : FAKE_ANSWER;
}

static int set_up(void **state)
{
    struct fixture *f = zmalloc(sizeof *f);
    f->port = client_free_port();
    f->admin_port = client_free_port();
    snprintf(f->listen, sizeof f->listen, "127.0.0.1:%u", f->port);
    snprintf(f->admin, sizeof f->admin, "127.0.0.1:%u", f->admin_port);
    f->config = (struct config){
        .listen = f->listen,
        .admin = f->admin,
        .api_key = "",
        .threads = THREADS,
        .shards = 1,
        .deadline = 5000,
        .max_body = 1 << 20,
    };
    f->numbering = fake_peer_open(NUMBERING_ENDPOINT, 1000, play, f);
    f->query = fake_peer_open(QUERY_ENDPOINT, 1000, play, f);
    *state = f;
    return http_start(&f->config, &f->http) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    http_stop(&f->http);
    fake_peer_close(&f->numbering);
    fake_peer_close(&f->query);
    buffer_free(&f->items[0]);
    buffer_free(&f->items[1]);
    free(f);
    return 0;
}

#define MESSAGES "/api/v1/applications/T/chats/1/messages"
#define POST "POST " MESSAGES " HTTP/1.1\r\nHost: x\r\n"
#define HEALTH "GET /healthz HTTP/1.1\r\nHost: x\r\n"
#define BODY "{\"message_body\":\"Hey!\"}"

static void a_message_is_posted(void **state)
{
    struct fixture *f = *state;
    client_ask(f->port, POST "Content-Length: 23\r\n\r\n" BODY, &f->answer);
    assert_int_equal(f->answer.status, 201);
    assert_string_equal(f->answer.body, "{\"message_number\":7}");
    assert_true(answer_has(&f->answer, "Location: " MESSAGES "/7\r\n"));
    assert_true(answer_has(&f->answer, "Content-Type: application/json; charset=utf-8\r\n"));
    assert_true(answer_has(&f->answer, "Date: "));
    assert_true(answer_has(&f->answer, "X-Request-Id: "));
}

/* Each of them could make a body run as a request behind some proxy. */
static void what_is_framed_wrongly_is_refused_and_the_connection_closed(void **state)
{
    struct fixture *f = *state;
    static const char *const requests[] = {
        POST "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
        POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
        POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST "Content-Length: +5\r\n\r\nabcde",
        POST "Content-Length: 5x\r\n\r\nabcde",
        POST "Content-Length: -5\r\n\r\nabcde",
        POST "Content-Length: 5, 5\r\n\r\nabcde",
        POST "Content-Length:\r\n\r\nabcde",
        POST "Content-Length : 5\r\n\r\nabcde",
        POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        POST "X: a\r\n b\r\nContent-Length: 5\r\n\r\nabcde",
        POST ": a\r\nContent-Length: 5\r\n\r\nabcde",
        POST "X: a\nContent-Length: 5\r\n\r\nabcde",
        POST "X Y: a\r\nContent-Length: 5\r\n\r\nabcde",
        "POST " MESSAGES " HTTP/1.1\r\n X: a\r\nContent-Length: 5\r\n\r\nabcde",
        "POST " MESSAGES " HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /healthz HTTP/1.1\nHost: x\n\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n",
        "nonsense\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        int fd = client_connect(f->port);
        client_send(fd, requests[i]);
        client_receive(fd, false, &f->answer);
        if (f->answer.status != 400 || !strstr(f->answer.body, "\"code\":\"bad_request\"") ||
            !answer_has(&f->answer, "Connection: close\r\n") || !client_is_closed(fd, 5000))
            fail_msg("taken: %s", requests[i]);
        close(fd);
    }
}

static void ask_with_padding(struct fixture *f, size_t target, size_t fields, size_t length)
{
    struct buffer text = {0};
    buffer_append_text(&text, "GET /healthz?");
    for (size_t i = 0; i < target; i++)
        buffer_append(&text, "x", 1);
    buffer_append_text(&text, " HTTP/1.1\r\n");
    for (size_t i = 0; i < fields; i++)
        buffer_printf(&text, "X%zu: %0*d\r\n", i, (int) length, 0);
    buffer_append_text(&text, "\r\n");
    client_ask(f->port, text.data, &f->answer);
    buffer_free(&text);
}

static void heads_have_a_limit_that_says_which_part_is_too_large(void **state)
{
    struct fixture *f = *state;
    ask_with_padding(f, 0, 12, 1000);
    assert_int_equal(f->answer.status, 200);
    ask_with_padding(f, 8000, 5, 100);
    assert_int_equal(f->answer.status, 200);
    ask_with_padding(f, 20000, 1, 1);
    assert_int_equal(f->answer.status, 414);
    ask_with_padding(f, 0, 20, 1000);
    assert_int_equal(f->answer.status, 431);
    ask_with_padding(f, 0, 70, 1);
    assert_int_equal(f->answer.status, 431);
    ask_with_padding(f, 0, 60, 5000); /* more than civetweb takes */
    assert_int_equal(f->answer.status, 431);
}

/* Sends two requests; whether the second is answered must be what the first said. */
static void assert_kept(struct fixture *f, const char *request, bool kept, int status)
{
    int fd = client_connect(f->port);
    client_send(fd, request);
    client_receive(fd, strncmp(request, "HEAD ", 5) == 0, &f->answer);
    if (f->answer.status != status)
        fail_msg("%d for %s", f->answer.status, request);
    bool said = !answer_has(&f->answer, "Connection: close\r\n");
    assert_int_equal(said, kept);
    if (kept) {
        client_send(fd, HEALTH "\r\n");
        client_receive(fd, false, &f->answer);
        assert_int_equal(f->answer.status, 200);
    } else {
        assert_true(client_is_closed(fd, 5000));
    }
    close(fd);
}

static void a_connection_is_kept_or_closed_as_the_answer_says(void **state)
{
    struct fixture *f = *state;
    assert_kept(f, HEALTH "\r\n", true, 200);
    assert_kept(f, HEALTH "Connection: close\r\n\r\n", false, 200);
    assert_kept(f, HEALTH "Connection: Keep-Alive\r\n\r\n", true, 200);
    assert_kept(f, HEALTH "Connection: k\r\n\r\n", false, 200);
    assert_kept(f, HEALTH "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n", false,
                200);
    assert_kept(f, "GET /healthz HTTP/1.0\r\n\r\n", false, 200);
    assert_kept(f, "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true, 200);
    assert_kept(f, "HEAD /healthz HTTP/1.1\r\n\r\n", true, 200);
    assert_kept(f, POST "Content-Length: 23\r\n\r\n" BODY, true, 201);
    assert_kept(f, POST "Transfer-Encoding: chunked\r\n\r\n17\r\n" BODY "\r\n0\r\n\r\n", true, 201);
    assert_kept(f, POST "\r\n", false, 400);
    assert_kept(f, "OPTIONS /healthz HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", false, 204);
    assert_kept(f, POST "Content-Length: 3000000\r\n\r\n", false, 413);
    assert_kept(f, POST "Content-Length: 99999999999999999999\r\n\r\n", false, 413);
    assert_kept(f, POST "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi", false, 415);
    assert_kept(f, POST "Expect: tea\r\nContent-Length: 2\r\n\r\nhi", false, 417);
    assert_kept(f, POST "Transfer-Encoding: chunked\r\n\r\nnonsense", false, 400);
}

static void who_waits_for_100_gets_it(void **state)
{
    struct fixture *f = *state;
    char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    int fd = client_connect(f->port);
    client_send(fd, POST "Expect: 100-continue\r\nContent-Length: 23\r\n\r\n");
    client_receive(fd, true, &f->answer);
    assert_string_equal(f->answer.head, interim);
    client_send(fd, BODY);
    client_receive(fd, false, &f->answer);
    assert_int_equal(f->answer.status, 201);
    close(fd);
}

static void a_body_that_ends_too_early_is_refused(void **state)
{
    struct fixture *f = *state;
    int fd = client_connect(f->port);
    client_send(fd, POST "Content-Length: 23\r\n\r\n{\"mess");
    shutdown(fd, SHUT_WR);
    client_receive(fd, false, &f->answer);
    assert_int_equal(f->answer.status, 400);
    close(fd);
}

/* All threads are held by connections that say nothing more. */
static void more_connections_than_threads_take_turns(void **state)
{
    struct fixture *f = *state;
    int fds[THREADS + 4];
    for (int i = 0; i < THREADS + 4; i++) {
        fds[i] = client_connect(f->port);
        client_send(fds[i], HEALTH "\r\n");
    }
    for (int i = 0; i < THREADS + 4; i++) {
        client_receive(fds[i], false, &f->answer);
        assert_int_equal(f->answer.status, 200);
    }
    for (int i = 0; i < THREADS + 4; i++)
        close(fds[i]);
}

static void the_admin_address_serves_operations_even_when_all_threads_are_held(void **state)
{
    struct fixture *f = *state;
    int fds[THREADS + 1];
    for (int i = 0; i <= THREADS; i++)
        fds[i] = client_connect(f->port);
    client_ask(f->admin_port, HEALTH "\r\n", &f->answer);
    assert_int_equal(f->answer.status, 200);
    client_ask(f->admin_port, "GET /readyz HTTP/1.1\r\n\r\n", &f->answer);
    assert_non_null(strstr(f->answer.body, "\"status\":\"ok\""));
    client_ask(f->admin_port, "GET /api/v1/applications HTTP/1.1\r\n\r\n", &f->answer);
    assert_int_equal(f->answer.status, 404);
    for (int i = 0; i <= THREADS; i++)
        close(fds[i]);
}

static void *drain(void *http)
{
    http_drain(http);
    return NULL;
}

/* The request that was taken before the end is answered; what comes later is not
 * begun; the drain lasts as long as the request. */
static void the_end_lets_out_who_is_in_and_nobody_in(void **state)
{
    struct fixture *f = *state;
    pthread_t drainer;
    atomic_store(&f->slow, true);
    int early = client_connect(f->port), idle = client_connect(f->port);
    client_send(idle, HEALTH "\r\n");
    client_receive(idle, false, &f->late);
    client_send(early, POST "Content-Length: 23\r\n\r\n" BODY);
    while (atomic_load(&f->slow))
        zclock_sleep(1);

    pthread_create(&drainer, NULL, drain, f->http);
    do
        client_ask(f->admin_port, "GET /readyz HTTP/1.1\r\n\r\n", &f->late);
    while (f->late.status == 200);
    assert_int_equal(f->late.status, 503);
    assert_true(client_is_refused(f->port));
    client_send(idle, POST "Content-Length: 23\r\n\r\n" BODY);
    client_receive(idle, false, &f->late);
    assert_int_equal(f->late.status, 503);
    assert_non_null(strstr(f->late.body, "shutting_down"));
    assert_true(answer_has(&f->late, "Connection: close\r\n"));

    /* Another request makes the peer answer the first. */
    struct request request = {.type = REQUEST_CHAT_CREATE, .id = 1, .token = "T", .text = ""};
    struct buffer frame = {0};
    zsock_t *dealer = zsock_new_dealer(">" NUMBERING_ENDPOINT);
    request_encode(&frame, &request);
    zmq_send(zsock_resolve(dealer), frame.data, frame.length, 0);
    client_receive(early, false, &f->answer);
    assert_int_equal(f->answer.status, 201);
    assert_true(answer_has(&f->answer, "Connection: close\r\n"));
    pthread_join(drainer, NULL);
    zsock_destroy(&dealer);
    buffer_free(&frame);
    close(early);
    close(idle);
}

static void stopping_does_not_wait_for_idle_connections(void **state)
{
    struct fixture *f = *state;
    int silent = client_connect(f->port), idle = client_connect(f->port);
    client_send(idle, HEALTH "\r\n");
    client_receive(idle, false, &f->answer);
    int64_t start = clock_monotonic_us();
    http_drain(f->http);
    http_stop(&f->http);
    assert_true(clock_monotonic_us() - start < 1500000);
    assert_true(client_is_closed(idle, 1000));
    close(silent);
    close(idle);
}

static void an_address_that_is_taken_is_refused(void **state)
{
    struct fixture *f = *state;
    http_t *other = NULL;
    assert_int_equal(http_start(&f->config, &other), ERR_CONFIG);
    assert_null(other);
}

static void without_actors_there_is_an_answer_all_the_same(void **state)
{
    struct fixture *f = *state;
    fake_peer_close(&f->query);
    client_ask(f->port, "GET /readyz HTTP/1.1\r\n\r\n", &f->answer);
    assert_int_equal(f->answer.status, 503);
    assert_non_null(strstr(f->answer.body, "\"status\":\"unavailable\""));
    client_ask(f->port, HEALTH "\r\n", &f->answer);
    assert_int_equal(f->answer.status, 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_posted),
        TEST(what_is_framed_wrongly_is_refused_and_the_connection_closed),
        TEST(heads_have_a_limit_that_says_which_part_is_too_large),
        TEST(a_connection_is_kept_or_closed_as_the_answer_says),
        TEST(who_waits_for_100_gets_it),
        TEST(a_body_that_ends_too_early_is_refused),
        TEST(more_connections_than_threads_take_turns),
        TEST(the_admin_address_serves_operations_even_when_all_threads_are_held),
        TEST(the_end_lets_out_who_is_in_and_nobody_in),
        TEST(stopping_does_not_wait_for_idle_connections),
        TEST(an_address_that_is_taken_is_refused),
        TEST(without_actors_there_is_an_answer_all_the_same),
    };
    zsys_handler_set(NULL);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    zsys_shutdown();
    return failures ? 1 : 0;
}
