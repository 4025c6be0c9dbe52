/* SPDX-License-Identifier: MIT */
/* test_position.c - what comes after what in the log, and which shard's log it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/record.h"

static const struct position start = {.epoch = 7, .seq = 41, .name = {9, 3}};
static const struct entry_name name = {9, 4};
static const struct entry sample = {
    .epoch = 7,
    .seq = 42,
    .count = 18,
    .time = 1234567,
    .name = {9, 4},
    .predecessor = {9, 3},
};

static void an_entry_follows_only_the_position_before_it(void **state)
{
    (void) state;
    struct entry entry = sample;
    struct position position = start;
    assert_true(entry_follows(&entry, &position));
    position.seq++;
    assert_false(entry_follows(&entry, &position));
    position.seq -= 2;
    assert_false(entry_follows(&entry, &position));
    position = start;
    position.epoch++;
    assert_false(entry_follows(&entry, &position));
    position = start;
    position.name.producer++;
    assert_false(entry_follows(&entry, &position));
    position = start;
    position.name.sequence++;
    assert_false(entry_follows(&entry, &position));
    position = start;
    position.run = 5; /* says where it was read, not what */
    assert_true(entry_follows(&entry, &position));
    entry.count = 0;
    assert_false(entry_follows(&entry, &position));
}

static void the_position_after_an_entry_is_that_of_its_last_record(void **state)
{
    (void) state;
    struct position position = entry_position(&sample, 66);
    assert_int_equal(position.epoch, start.epoch);
    assert_int_equal(position.seq, start.seq + sample.count);
    assert_int_equal(entry_last_seq(&sample), position.seq);
    assert_true(entry_name_equal(position.name, name));
    assert_int_equal(position.time, sample.time);
    assert_int_equal(position.run, 66);

    struct entry next = sample;
    next.seq += next.count;
    next.predecessor = next.name;
    assert_true(entry_follows(&next, &position));
}

static void only_some_characters_make_a_token(void **state)
{
    (void) state;
    char text[TOKEN_MAX + 1];
    for (int c = 0; c < 256; c++) {
        bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    c == '-' || c == '_';
        memset(text, 'a', sizeof text);
        text[10] = (char) c;
        assert_int_equal(token_valid(text, 36), good);
        assert_int_equal(token_valid(text + 10, 1), good);
    }
    memset(text, 'a', sizeof text);
    assert_false(token_valid(text, 0));
    assert_true(token_valid(text, TOKEN_MAX));
    assert_false(token_valid(text, TOKEN_MAX + 1));
}

/* A data set was split by it. */
static void the_shard_of_a_token_is_frozen(void **state)
{
    (void) state;
    assert_int_equal(token_shard("123456789", 9, 256), 0xCBF43926 % 256);
    assert_int_equal(token_shard("123456789", 9, 8), 0xCBF43926 % 8);
    assert_int_equal(token_shard("123456789", 9, 7), 0xCBF43926 % 7);
    assert_int_equal(token_shard("123456789", 9, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_follows_only_the_position_before_it),
        cmocka_unit_test(the_position_after_an_entry_is_that_of_its_last_record),
        cmocka_unit_test(only_some_characters_make_a_token),
        cmocka_unit_test(the_shard_of_a_token_is_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
