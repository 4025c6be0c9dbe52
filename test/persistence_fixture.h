/* SPDX-License-Identifier: MIT */
/* persistence_fixture.h - what the tests of persistence ask of the store.
 *
 * Numbering runs, as in its own tests; persistence is started by each test.
 */
#ifndef PERSISTENCE_FIXTURE_H
#define PERSISTENCE_FIXTURE_H

#include "numbering_fixture.h"

static inline int64_t message_rows(struct actors *f)
{
    return file_number(f, STORE_FILE, "SELECT COUNT(*) FROM messages");
}

/* Messages 1..count of chat 1 are there, once each. */
static inline void messages_check(struct actors *f, uint64_t count)
{
    follower_wait(f, FOLLOWER_PERSISTENCE);
    assert_int_equal(message_rows(f), count);
    assert_int_equal(file_number(f, STORE_FILE, "SELECT MAX(number) FROM messages"), count);
    assert_int_equal(file_number(f, STORE_FILE, "SELECT COUNT(*) FROM dead_records"), 0);
}

static inline struct position stored_position(struct actors *f)
{
    struct position position;
    bool found;
    assert_int_equal(store_position(f->store, FOLLOWER_PERSISTENCE, 0, &position, &found), OK);
    assert_true(found);
    return position;
}

#endif
