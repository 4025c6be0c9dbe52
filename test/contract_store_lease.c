/* SPDX-License-Identifier: MIT */
/* contract_store_lease.c - what every store must do: several processes share a
 * follower's shards. Time passes by moving what the rows say, so that a slow machine
 * changes nothing: who lives is far from its end, who is dead has long passed it.
 */
#include <pthread.h>

#include "store_fixture.h"

enum { SHARDS = 8, OWNERS_MAX = 10 };

/* What an owner heard at its last call. */
struct heard {
    bool owned[SHARDS_MAX];
    unsigned members;
};

static struct heard heard[OWNERS_MAX + 1];

static unsigned owned_by(uint64_t owner, unsigned shards)
{
    unsigned count = 0;
    for (unsigned shard = 0; shard < shards; shard++)
        count += heard[owner].owned[shard];
    return count;
}

static unsigned call_once(struct fixture *f, uint64_t owner, unsigned shards, const bool *barred)
{
    status_t status = store_lease(f->store, FOLLOWER_PERSISTENCE, owner, shards, barred,
                                  heard[owner].owned, &heard[owner].members);
    if (status != OK)
        fail_msg("%s: %s", status_name(status), store_errmsg(f->store));
    return owned_by(owner, shards);
}

/* With leases of an hour. */
static unsigned call(struct fixture *f, uint64_t owner, unsigned shards, const bool *barred)
{
    unsigned owned = call_once(f, owner, shards, barred);
    unsigned long long who = owner;
    sql_do(f, text_of("UPDATE leases SET lease_until = lease_until + 3600000000 "
                      "WHERE owner = %llu AND follower = 'persistence';"
                      "UPDATE lease_members SET alive_until = alive_until + 3600000000 "
                      "WHERE owner = %llu AND follower = 'persistence'",
                      who, who));
    return owned;
}

/* All that live call once. */
static void round_of(struct fixture *f, uint64_t first, uint64_t last, unsigned shards)
{
    for (uint64_t owner = first; owner <= last; owner++)
        call(f, owner, shards, NULL);
}

/* It was not heard of for so long that its leases have ended. */
static void die(struct fixture *f, uint64_t owner)
{
    unsigned long long who = owner;
    sql_do(f, text_of("UPDATE leases SET lease_until = 1 WHERE owner = %llu;"
                      "UPDATE lease_members SET alive_until = 1 WHERE owner = %llu",
                      who, who));
}

/* Each shard has one owner, by what the owners first to last heard. */
static void all_are_owned_once(uint64_t first, uint64_t last, unsigned shards)
{
    for (unsigned shard = 0; shard < shards; shard++) {
        unsigned owners = 0;
        for (uint64_t owner = first; owner <= last; owner++)
            owners += heard[owner].owned[shard];
        if (owners != 1)
            fail_msg("shard %u has %u owners", shard, owners);
    }
}

static void who_is_alone_has_all(void **state)
{
    struct fixture *f = *state;
    int64_t until = 1, now = 0;
    assert_int_equal(store_lease_until(f->store, FOLLOWER_PERSISTENCE, 3, &until, &now), OK);
    assert_int_equal(until, 0);
    int64_t before = now;
    assert_int_equal(call_once(f, 1, SHARDS, NULL), SHARDS);
    assert_int_equal(heard[1].members, 1);
    assert_int_equal(store_lease_until(f->store, FOLLOWER_PERSISTENCE, 3, &until, &now), OK);
    assert_true(before > 0 && until >= before + LEASE_US && until <= now + LEASE_US);
    for (int i = 0; i < 3; i++)
        assert_int_equal(call_once(f, 1, SHARDS, NULL), SHARDS);
    die(f, 1); /* nobody else wanted them meanwhile */
    assert_int_equal(call_once(f, 1, SHARDS, NULL), SHARDS);
    assert_int_equal(store_lease_until(f->store, FOLLOWER_INDEXING, 3, &until, &now), OK);
    assert_int_equal(until, 0);
}

static void shards_are_shared_whoever_comes_and_goes(void **state)
{
    struct fixture *f = *state;
    for (uint64_t owners = 1; owners <= OWNERS_MAX; owners++) {
        for (int i = 0; i < 2; i++) /* who has too much gives back, who has too little takes */
            round_of(f, 1, owners, SHARDS);
        all_are_owned_once(1, owners, SHARDS);
        for (uint64_t owner = 1; owner <= owners; owner++) {
            assert_int_equal(heard[owner].members, owners);
            assert_true(owned_by(owner, SHARDS) <= (SHARDS + owners - 1) / owners);
        }
    }
    for (uint64_t first = 2; first <= OWNERS_MAX; first++) { /* the first of them dies */
        die(f, first - 1);
        round_of(f, first, OWNERS_MAX, SHARDS);
        round_of(f, first, OWNERS_MAX, SHARDS);
        all_are_owned_once(first, OWNERS_MAX, SHARDS);
        assert_int_equal(heard[OWNERS_MAX].members, OWNERS_MAX - first + 1);
    }
    assert_int_equal(owned_by(OWNERS_MAX, SHARDS), SHARDS);
}

static void nobody_takes_what_is_held(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(call(f, 1, 1, NULL), 1);
    assert_int_equal(call(f, 2, 1, NULL), 0);
    die(f, 1);
    assert_int_equal(call(f, 2, 1, NULL), 1);
    assert_int_equal(call(f, 1, 1, NULL), 0); /* it was slow, and hears it */
}

static void who_leaves_gives_up_all(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(call(f, 1, SHARDS, NULL), SHARDS);
    assert_int_equal(call(f, 2, SHARDS, NULL), 0);
    assert_int_equal(store_lease_end(f->store, FOLLOWER_PERSISTENCE, 1), OK);
    assert_int_equal(call(f, 2, SHARDS, NULL), SHARDS);
    assert_int_equal(heard[2].members, 1);
    assert_int_equal(store_lease_end(f->store, FOLLOWER_PERSISTENCE, 2), OK);
    int64_t until, now;
    assert_int_equal(store_lease_until(f->store, FOLLOWER_PERSISTENCE, 0, &until, &now), OK);
    assert_int_equal(until, 0);
    assert_int_equal(store_lease_end(f->store, FOLLOWER_PERSISTENCE, 2), OK);
}

static void what_is_barred_is_given_up_and_not_taken(void **state)
{
    struct fixture *f = *state;
    bool barred[SHARDS] = {[2] = true, [5] = true};
    int64_t until, now;
    assert_int_equal(call(f, 1, SHARDS, NULL), SHARDS);
    assert_int_equal(call(f, 1, SHARDS, barred), SHARDS - 2);
    assert_false(heard[1].owned[2] || heard[1].owned[5]);
    assert_int_equal(store_lease_until(f->store, FOLLOWER_PERSISTENCE, 2, &until, &now), OK);
    assert_int_equal(until, 0);
    assert_int_equal(call(f, 2, SHARDS, NULL), 2); /* for another they may be open */
    assert_true(heard[2].owned[2] && heard[2].owned[5]);
    assert_int_equal(store_lease_end(f->store, FOLLOWER_PERSISTENCE, 2), OK);
    assert_int_equal(call(f, 1, SHARDS, barred), SHARDS - 2);
    assert_int_equal(call(f, 1, SHARDS, NULL), SHARDS);
}

static void followers_have_leases_of_their_own(void **state)
{
    struct fixture *f = *state;
    struct heard other = {0};
    assert_int_equal(call(f, 1, SHARDS, NULL), SHARDS);
    assert_int_equal(
        store_lease(f->store, FOLLOWER_INDEXING, 2, SHARDS, NULL, other.owned, &other.members), OK);
    assert_true(other.owned[0] && other.owned[SHARDS - 1] && other.members == 1);
    assert_int_equal(store_lease_end(f->store, FOLLOWER_INDEXING, 2), OK);
    assert_int_equal(call(f, 1, SHARDS, NULL), SHARDS);
}

static void who_died_long_ago_is_forgotten(void **state)
{
    struct fixture *f = *state;
    call(f, 1, SHARDS, NULL);
    call(f, 2, SHARDS, NULL);
    die(f, 2);
    assert_int_equal(call(f, 1, SHARDS, NULL), SHARDS);
    assert_int_equal(number_in(f, "SELECT COUNT(*) FROM lease_members"), 1);
}

static void a_fault_anywhere_leaves_leases_as_they_were_or_as_wished(void **state)
{
    struct fixture *f = *state;
    store_close(&f->store);
    assert_int_equal(store_open(text_of("faulty:%s", f->url), false, &f->store), OK);
    assert_int_equal(call(f, 1, SHARDS, NULL), SHARDS);
    call(f, 2, SHARDS, NULL);
    status_t status = ERR_STORE;
    for (int statements = 0; status != OK; statements++) {
        fake_sql_fail(FAULT_STATEMENT, NULL, statements, 1);
        status = store_lease(f->store, FOLLOWER_PERSISTENCE, 1, SHARDS, NULL, heard[1].owned,
                             &heard[1].members);
        assert_true(status == OK || status == ERR_STORE);
        assert_int_equal(number_in(f, "SELECT COUNT(*) FROM leases WHERE owner = 1"),
                         status == OK ? SHARDS / 2 : SHARDS);
    }
    fake_sql_heal();
    fake_sql_fail(FAULT_COMMIT, NULL, 0, 1);
    assert_int_equal(store_lease(f->store, FOLLOWER_PERSISTENCE, 2, SHARDS, NULL, heard[2].owned,
                                 &heard[2].members),
                     ERR_STORE);
    assert_int_equal(call(f, 2, SHARDS, NULL), SHARDS / 2);
    all_are_owned_once(1, 2, SHARDS);
}

/* ---- at the same time ---- */

struct racer {
    const char *url;
    uint64_t owner;
    int failures;
    bool owned[SHARDS];
};

enum { RACERS = 4, CALLS = 25 };

static void *race(void *argument)
{
    struct racer *racer = argument;
    store_t *store = NULL;
    unsigned members;
    if (store_open(racer->url, false, &store) != OK) {
        racer->failures = CALLS;
        return NULL;
    }
    for (int i = 0; i < CALLS; i++)
        racer->failures += store_lease(store, FOLLOWER_PERSISTENCE, racer->owner, SHARDS, NULL,
                                       racer->owned, &members) != OK;
    store_close(&store);
    return NULL;
}

static void all_may_call_at_once(void **state)
{
    struct fixture *f = *state;
    struct racer racers[RACERS];
    pthread_t threads[RACERS];
    for (size_t i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.url = f->url, .owner = i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        /* Who waits in a ring fails often; a slow disk may keep somebody waiting once. */
        assert_in_range(racers[i].failures, 0, 2);
    }
    for (int i = 0; i < 2; i++)
        round_of(f, 1, RACERS, SHARDS);
    all_are_owned_once(1, RACERS, SHARDS);
    for (uint64_t owner = 1; owner <= RACERS; owner++)
        assert_int_equal(owned_by(owner, SHARDS), SHARDS / RACERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_alone_has_all),
        TEST(shards_are_shared_whoever_comes_and_goes),
        TEST(nobody_takes_what_is_held),
        TEST(who_leaves_gives_up_all),
        TEST(what_is_barred_is_given_up_and_not_taken),
        TEST(followers_have_leases_of_their_own),
        TEST(who_died_long_ago_is_forgotten),
        TEST(a_fault_anywhere_leaves_leases_as_they_were_or_as_wished),
        TEST(all_may_call_at_once),
    };
    return RUN_FOR_ALL("leases", tests);
}
