/* SPDX-License-Identifier: MIT */
/* test_actor.c - an actor says whether it could start, and ends when told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/actor.h"

/* What the actors below get and leave; read after they have ended. */
struct notes {
    status_t status; /* to be reported */
    _Atomic bool started, ended;
};

static void noting_actor(zsock_t *pipe, void *args)
{
    struct notes *notes = (struct notes *) args;
    notes->started = true;
    actor_ready(pipe, notes->status);
    while (notes->status == OK && !actor_stopped(pipe)) {
        zmq_pollitem_t item = {zsock_resolve(pipe), 0, ZMQ_POLLIN, 0};
        zmq_poll(&item, 1, -1);
    }
    notes->ended = true;
}

static void an_actor_that_could_open_everything_runs_until_it_is_destroyed(void **state)
{
    (void) state;
    struct notes notes = {.status = OK};
    status_t status = ERR_CONFIG;
    zactor_t *actor = actor_start(noting_actor, &notes, &status);
    assert_non_null(actor);
    assert_int_equal(status, OK);
    zactor_destroy(&actor);
    assert_null(actor);
    assert_true(notes.started && notes.ended);
}

static void an_actor_that_could_not_open_something_is_gone_and_says_why(void **state)
{
    (void) state;
    for (status_t reason = ERR_JOURNAL; reason <= ERR_STOPPED; reason++) {
        struct notes notes = {.status = reason};
        status_t status = OK;
        assert_null(actor_start(noting_actor, &notes, &status));
        assert_int_equal(status, reason);
        assert_true(notes.ended);
    }
}

static void anything_but_term_does_not_stop_an_actor(void **state)
{
    (void) state;
    struct notes notes = {.status = OK};
    status_t status;
    zactor_t *actor = actor_start(noting_actor, &notes, &status);
    assert_non_null(actor);
    assert_int_equal(zstr_send(actor, "GO ON"), 0);
    assert_int_equal(zstr_send(actor, ""), 0);
    zactor_destroy(&actor);
    assert_true(notes.ended);
}

/* Says after each look at its pipe whether it was told to stop. */
static void looking_actor(zsock_t *pipe, void *args)
{
    (void) args;
    actor_ready(pipe, OK);
    bool stopped = actor_stopped(pipe); /* nothing is there, and this returns */
    zsock_signal(pipe, stopped);
    while (!actor_stopped(pipe)) {
        zmq_pollitem_t item = {zsock_resolve(pipe), 0, ZMQ_POLLIN, 0};
        zmq_poll(&item, 1, -1);
    }
}

static void a_look_at_an_empty_pipe_does_not_block(void **state)
{
    (void) state;
    status_t status;
    zactor_t *actor = actor_start(looking_actor, NULL, &status);
    assert_non_null(actor);
    assert_int_equal(zsock_wait(actor), 0);
    zactor_destroy(&actor);
}

static void hundreds_of_actors_start_and_end_one_after_the_other(void **state)
{
    (void) state;
    for (int i = 0; i < 200; i++) {
        struct notes notes = {.status = i % 2 ? OK : ERR_JOURNAL};
        status_t status;
        zactor_t *actor = actor_start(noting_actor, &notes, &status);
        assert_int_equal(status, notes.status);
        assert_int_equal(actor != NULL, i % 2);
        zactor_destroy(&actor);
        assert_true(notes.ended);
    }
}

static int prepare(void **state)
{
    (void) state;
    zsys_handler_set(NULL);
    zsys_init();
    return 0;
}

static int finish(void **state)
{
    (void) state;
    zsys_shutdown();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_actor_that_could_open_everything_runs_until_it_is_destroyed),
        cmocka_unit_test(an_actor_that_could_not_open_something_is_gone_and_says_why),
        cmocka_unit_test(anything_but_term_does_not_stop_an_actor),
        cmocka_unit_test(a_look_at_an_empty_pipe_does_not_block),
        cmocka_unit_test(hundreds_of_actors_start_and_end_one_after_the_other),
    };
    return cmocka_run_group_tests(tests, prepare, finish) ? 1 : 0;
}
