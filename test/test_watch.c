/* SPDX-License-Identifier: MIT */
/* test_watch.c - who is over the limit is cut, and told so; nobody else is.
 *
 * The moments are the test's own, in the past where something is to be late. What
 * happens to real connections is in test_server.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <czmq.h>

#include "common/clock.h"
#include "http/watch.h"

static int set_up(void **state)
{
    return watch_open(3, (watch_t **) state) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    watch_close((watch_t **) state);
    return 0;
}

static int64_t ago(int64_t ms)
{
    return clock_monotonic_us() - ms * 1000;
}

/* Lets the watch look twice at least. */
static void wait_for_a_look(void)
{
    zclock_sleep(250);
}

static void there_are_as_many_slots_as_were_asked_for(void **state)
{
    struct watch_slot *slots[3];
    for (int i = 0; i < 3; i++)
        assert_non_null(slots[i] = watch_join(*state, true));
    assert_null(watch_join(*state, true));
    watch_leave(slots[1]);
    assert_ptr_equal(watch_join(*state, true), slots[1]);
    for (int i = 0; i < 3; i++)
        watch_leave(slots[i]);
}

static void who_is_late_is_cut_once(void **state)
{
    struct watch_slot *slot = watch_join(*state, true);
    watch_enter(slot, PHASE_BODY, ago(WATCH_BODY_MS + 1));
    wait_for_a_look();
    assert_true(watch_enter(slot, PHASE_BUSY, ago(0)));
    assert_false(watch_enter(slot, PHASE_IDLE, ago(0)));
    watch_leave(slot);
}

static void who_is_in_time_is_not(void **state)
{
    struct watch_slot *slot = watch_join(*state, true);
    watch_enter(slot, PHASE_BODY, ago(WATCH_BODY_MS - 5000));
    wait_for_a_look();
    assert_false(watch_enter(slot, PHASE_BUSY, ago(0)));
    watch_leave(slot);
}

/* The deadline of the actors ends a request, not the watch; and a connection may
 * be idle as long as nobody waits for its thread. */
static void work_and_idleness_have_no_limit_here(void **state)
{
    struct watch_slot *slot = watch_join(*state, true);
    watch_enter(slot, PHASE_BUSY, ago(1000000));
    wait_for_a_look();
    assert_false(watch_enter(slot, PHASE_IDLE, ago(1000000)));
    wait_for_a_look();
    assert_false(watch_enter(slot, PHASE_BUSY, ago(0)));
    watch_leave(slot);
}

static void requests_in_flight_are_counted_and_connections_are_not(void **state)
{
    struct watch_slot *a = watch_join(*state, true), *b = watch_join(*state, false);
    assert_int_equal(watch_in_flight(*state), 0);
    watch_enter(a, PHASE_BUSY, ago(0));
    watch_enter(b, PHASE_HEAD, ago(0));
    assert_int_equal(watch_in_flight(*state), 1);
    watch_enter(b, PHASE_BODY, ago(0));
    assert_int_equal(watch_in_flight(*state), 2);
    watch_enter(a, PHASE_IDLE, ago(0));
    watch_leave(b);
    assert_int_equal(watch_in_flight(*state), 0);
    watch_leave(a);
}

static void the_phase_and_its_age_can_be_asked_for(void **state)
{
    struct watch_slot *slot = watch_join(*state, true);
    watch_enter(slot, PHASE_IDLE, ago(1234));
    assert_int_equal(watch_phase(slot), PHASE_IDLE);
    assert_in_range(watch_elapsed_us(slot), 1234000, 2234000);
    watch_leave(slot);
}

static void nobody_yields_while_nobody_waits(void **state)
{
    assert_false(watch_yield(*state));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(there_are_as_many_slots_as_were_asked_for),
        TEST(who_is_late_is_cut_once),
        TEST(who_is_in_time_is_not),
        TEST(work_and_idleness_have_no_limit_here),
        TEST(requests_in_flight_are_counted_and_connections_are_not),
        TEST(the_phase_and_its_age_can_be_asked_for),
        TEST(nobody_yields_while_nobody_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
