/* SPDX-License-Identifier: MIT */
/* test_follower.c - the loop that followers share: opening, flushing, sharing the shards.
 *
 * With roles that only write down what is asked of them, on a real log and, where several
 * processes share the shards, a real MariaDB: two followers there are two processes, as
 * far as their leases are concerned.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "actors.h"
#include "actors/follower.h"

enum { SHARDS = 3, SPIES = 2, OPENS_MAX = 8 };

/* What a role does, and what was asked of it. Written by its thread, read by the test's. */
struct spy {
    status_t opens[OPENS_MAX]; /* the first calls of open() return these */
    _Atomic unsigned opened, closed;
    _Atomic int locate_status[SHARDS], flush_status;
    _Atomic unsigned located[SHARDS], tended[SHARDS], applied, flushed;
    _Atomic unsigned unflushed; /* applied, and then tended without a flush between */
    _Atomic bool dirty;
    struct spy *before;
};

/* A new one for each test, never freed: threads that have ended wrote to the old one,
 * which ThreadSanitizer does not see. */
static struct spy *spies[SPIES];

static void spies_make(void)
{
    for (int i = 0; i < SPIES; i++) {
        struct spy *spy = (struct spy *) calloc(1, sizeof *spy);
        assert_non_null(spy);
        spy->before = spies[i];
        spies[i] = spy;
    }
}

/* One life of a follower. */
struct life {
    struct spy *spy;
    store_t *store;
};

static status_t spy_open(void *self_p, const struct actor_args *args, journal_t *journal,
                         zsock_t *pipe)
{
    struct spy *spy = ((struct life *) self_p)->spy;
    (void) journal;
    (void) pipe;
    unsigned call = spy->opened++;
    status_t status = call < OPENS_MAX ? spy->opens[call] : OK;
    return status == OK ? store_open(args->config->store, false, &((struct life *) self_p)->store)
                        : status;
}

static void spy_close(void *self_p)
{
    struct spy *spy = ((struct life *) self_p)->spy;
    store_close(&((struct life *) self_p)->store);
    spy->closed++;
}

static status_t spy_locate(void *self_p, unsigned shard, struct position *ret_position)
{
    struct spy *spy = ((struct life *) self_p)->spy;
    bool found;
    spy->located[shard]++;
    if (spy->locate_status[shard] != OK)
        return (status_t) spy->locate_status[shard];
    return store_position(((struct life *) self_p)->store, FOLLOWER_COUNTING, shard, ret_position,
                          &found);
}

static status_t spy_apply(void *self_p, unsigned shard, const struct position *from,
                          struct entries *entries, struct position *ret_position)
{
    struct spy *spy = ((struct life *) self_p)->spy;
    (void) shard;
    *ret_position = entry_position(&entries->entry[entries->count - 1], from->run);
    spy->applied++;
    spy->dirty = true;
    return OK;
}

static status_t spy_flush(void *self_p)
{
    struct spy *spy = ((struct life *) self_p)->spy;
    spy->dirty = false;
    spy->flushed++;
    return (status_t) atomic_exchange(&spy->flush_status, OK);
}

static status_t spy_cut_off(void *self_p, unsigned shard, const struct position *position)
{
    (void) self_p;
    (void) shard;
    (void) position;
    return ERR_DIVERGED;
}

static status_t spy_tend(void *self_p, unsigned shard, const struct position *position,
                         bool *ret_more)
{
    struct spy *spy = ((struct life *) self_p)->spy;
    (void) position;
    *ret_more = false;
    spy->tended[shard]++;
    spy->unflushed += spy->dirty;
    return OK;
}

static status_t spy_finish(void *self_p, unsigned shard, const struct position *position)
{
    (void) self_p;
    (void) shard;
    (void) position;
    return OK;
}

static const char *spy_errmsg(void *self_p)
{
    (void) self_p;
    return "";
}

static const struct follower_role spy_role = {
    .name = FOLLOWER_COUNTING,
    .wakes_at = WAKE_NUMBERING_ENDPOINT,
    .pace_ms = 1,
    .bars = true,
    .records_max = 100,
    .bytes_max = 1 << 20,
    .open = spy_open,
    .close = spy_close,
    .locate = spy_locate,
    .apply = spy_apply,
    .flush = spy_flush,
    .cut_off = spy_cut_off,
    .tend = spy_tend,
    .finish = spy_finish,
    .errmsg = spy_errmsg,
};

static void spy_actor_0(zsock_t *pipe, void *args)
{
    struct life life = {.spy = spies[0]};
    follower_run(pipe, (const struct actor_args *) args, &spy_role, &life);
}

static void spy_actor_1(zsock_t *pipe, void *args)
{
    struct life life = {.spy = spies[1]};
    follower_run(pipe, (const struct actor_args *) args, &spy_role, &life);
}

static zactor_t *actors[SPIES];

static status_t spy_try(struct actors *f, int which)
{
    status_t status;
    actors[which] = actor_start(which ? spy_actor_1 : spy_actor_0, actors_args(f, 0), &status);
    return status;
}

static void spy_run(struct actors *f, int which)
{
    assert_int_equal(spy_try(f, which), OK);
}

static void application_in(struct actors *f, unsigned shard, int which)
{
    for (int i = which * 1000;; i++) {
        const char *token = text_of("application-%d", i);
        if (token_shard(token, strlen(token), SHARDS) != shard)
            continue;
        application_post(f, token);
        return;
    }
}

static int set_up(void **state)
{
    actors_set_up_sharded(state);
    spies_make();
    actor_run((struct actors *) *state, NUMBERING);
    return 0;
}

static int set_up_shared(void **state)
{
    actors_set_up_shared(state);
    spies_make();
    return 0;
}

static int tear_down(void **state)
{
    for (int i = 0; i < SPIES; i++)
        zactor_destroy(&actors[i]);
    return actors_tear_down(state);
}

/* ---- opening ---- */

static void a_role_whose_parts_are_away_is_opened_later(void **state)
{
    static const status_t away[] = {ERR_STORE, ERR_SEARCH, ERR_JOURNAL};
    struct actors *f = (struct actors *) *state;
    memcpy(spies[0]->opens, away, sizeof away);
    application_in(f, 0, 0);
    spy_run(f, 0);
    WAIT_FOR(spies[0]->applied > 0);
    assert_int_equal(spies[0]->opened, 4);
    assert_int_equal(spies[0]->closed, 3);
    zactor_destroy(&actors[0]);
    assert_int_equal(spies[0]->closed, 4);
}

static void a_role_that_can_never_be_opened_does_not_start(void **state)
{
    static const status_t wrong[] = {ERR_SCHEMA, ERR_CONFIG};
    struct actors *f = (struct actors *) *state;
    memcpy(spies[0]->opens, wrong, sizeof wrong);
    assert_int_equal(spy_try(f, 0), ERR_SCHEMA);
    assert_int_equal(spy_try(f, 0), ERR_CONFIG);
    assert_int_equal(spies[0]->closed, 2);
    spy_run(f, 0);
}

/* ---- flushing ---- */

static void what_was_applied_is_flushed_before_it_is_tended(void **state)
{
    struct actors *f = (struct actors *) *state;
    spy_run(f, 0);
    WAIT_FOR(spies[0]->tended[0] > 0);
    STAYS(spies[0]->flushed == 0); /* nothing was applied */
    for (int i = 0; i < 20; i++)
        for (unsigned shard = 0; shard < SHARDS; shard++)
            application_in(f, shard, i);
    WAIT_FOR(!spies[0]->dirty && spies[0]->applied > 0 && spies[0]->flushed > 0);
    assert_in_range(spies[0]->flushed, 1, spies[0]->applied);
    assert_int_equal(spies[0]->unflushed, 0);
}

static void a_flush_that_fails_makes_every_shard_locate_anew(void **state)
{
    static const status_t failures[] = {ERR_CONFLICT, ERR_SEARCH};
    struct actors *f = (struct actors *) *state;
    spy_run(f, 0);
    for (unsigned i = 0; i < 2; i++) {
        unsigned located[SHARDS];
        WAIT_FOR(spies[0]->tended[0] > 0 && spies[0]->tended[1] > 0 && spies[0]->tended[2] > 0);
        for (unsigned shard = 0; shard < SHARDS; shard++)
            located[shard] = spies[0]->located[shard];
        spies[0]->flush_status = (int) failures[i];
        application_in(f, 1, (int) i);
        for (unsigned shard = 0; shard < SHARDS; shard++)
            WAIT_FOR(spies[0]->located[shard] > located[shard]);
    }
}

/* ---- sharing ---- */

/* Which shards the spy follows, as bits: those that it tends. */
static unsigned followed(int which)
{
    unsigned before[SHARDS], bits = 0;
    for (unsigned shard = 0; shard < SHARDS; shard++)
        before[shard] = spies[which]->tended[shard];
    int64_t until_us = clock_monotonic_us() + 250000; /* two looks */
    while (clock_monotonic_us() < until_us)
        zclock_sleep(10);
    for (unsigned shard = 0; shard < SHARDS; shard++)
        bits |= (spies[which]->tended[shard] != before[shard]) << shard;
    return bits;
}

static int count_of(unsigned bits)
{
    return __builtin_popcount(bits);
}

static void shards_are_shared_and_taken_over(void **state)
{
    enum { ALL = (1 << SHARDS) - 1 };
    struct actors *f = (struct actors *) *state;
    unsigned first = 0, second = 0;
    spy_run(f, 0);
    WAIT_FOR(followed(0) == ALL);
    spy_run(f, 1);
    WAIT_FOR((first = followed(0), second = followed(1), first + second) == ALL && first && second);
    assert_in_range(count_of(first), 1, 2);
    for (int i = 0; i < 3; i++) { /* and so it stays */
        assert_int_equal(followed(0), first);
        assert_int_equal(followed(1), second);
    }
    int64_t start_us = clock_monotonic_us();
    zactor_destroy(&actors[0]); /* it leaves: nobody waits until its leases are over */
    WAIT_FOR(followed(1) == ALL);
    assert_true(clock_monotonic_us() - start_us < LEASE_US);
}

static void a_store_that_is_away_takes_no_shard_from_anybody(void **state)
{
    enum { ALL = (1 << SHARDS) - 1 };
    struct actors *f = (struct actors *) *state;
    spy_run(f, 0);
    WAIT_FOR(followed(0) == ALL);
    file_run(f, STORE_FILE, "RENAME TABLE lease_members TO away");
    for (int64_t until_us = clock_monotonic_us() + 2 * LEASE_US; clock_monotonic_us() < until_us;)
        assert_int_equal(followed(0), ALL);
    file_run(f, STORE_FILE, "RENAME TABLE away TO lease_members");
    spy_run(f, 1);
    WAIT_FOR(count_of(followed(0)) < SHARDS && followed(1) != 0);
}

/* Until when anybody holds shard 1, from now; negative: nobody. */
static int64_t lease_left(struct actors *f)
{
    int64_t until, now;
    assert_int_equal(store_lease_until(f->store, FOLLOWER_COUNTING, 1, &until, &now), OK);
    return until - now;
}

static void a_shard_whose_history_is_lost_is_looked_at_without_a_lease(void **state)
{
    struct actors *f = (struct actors *) *state;
    spies[0]->locate_status[1] = ERR_CLOSED;
    spy_run(f, 0);
    WAIT_FOR(spies[0]->located[1] > 0);
    WAIT_FOR(lease_left(f) <= 0);
    STAYS(lease_left(f) <= 0);
    unsigned located = spies[0]->located[1];
    WAIT_FOR(spies[0]->located[1] > located + 1);
    assert_int_equal(followed(0), 1 << 0 | 1 << 2);
    spies[0]->locate_status[1] = OK; /* it was rebuilt */
    WAIT_FOR(lease_left(f) > 0);
    WAIT_FOR(followed(0) == (1 << SHARDS) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define FOLLOWER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        FOLLOWER_TEST(a_role_whose_parts_are_away_is_opened_later),
        FOLLOWER_TEST(a_role_that_can_never_be_opened_does_not_start),
        FOLLOWER_TEST(what_was_applied_is_flushed_before_it_is_tended),
        FOLLOWER_TEST(a_flush_that_fails_makes_every_shard_locate_anew),
    };
    const struct CMUnitTest shared[] = {
#define SHARED_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_shared, tear_down)
        SHARED_TEST(shards_are_shared_and_taken_over),
        SHARED_TEST(a_store_that_is_away_takes_no_shard_from_anybody),
        SHARED_TEST(a_shard_whose_history_is_lost_is_looked_at_without_a_lease),
    };
    int failures = cmocka_run_group_tests(tests, actors_prepare, NULL), missing = 0;
    if (actors_can_share(&missing))
        failures += cmocka_run_group_tests(shared, NULL, NULL);
    actors_finish(NULL);
    return failures + missing ? 1 : 0;
}
