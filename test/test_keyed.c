/* SPDX-License-Identifier: MIT */
/* test_keyed.c - what makes two keyed requests the same, and where they meet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "http/keyed.h"

static struct worker worker;

/* A POST of one parameter with a key. */
static struct request keyed(enum pattern pattern, const char *key, const char *token, uint64_t chat,
                            const char *text)
{
    struct exchange x = {
        .worker = &worker,
        .pattern = pattern,
        .head = {.method = METHOD_POST},
        .params = {{.type = text ? PARAM_TEXT : PARAM_ABSENT,
                    .text = text,
                    .length = text ? strlen(text) : 0}},
        .param_count = 1,
        .key_length = strlen(key),
    };
    struct request request = {.token = token, .token_length = strlen(token), .chat = chat};
    memcpy(worker.key, key, strlen(key));
    keyed_apply(&x, &request);
    return request;
}

static bool same_key(const struct request *a, const struct request *b)
{
    return memcmp(a->key, b->key, HASH_LENGTH) == 0;
}

static bool same_request(const struct request *a, const struct request *b)
{
    return memcmp(a->request_hash, b->request_hash, HASH_LENGTH) == 0;
}

static void without_a_key_nothing_is_keyed(void **state)
{
    (void) state;
    struct request request = keyed(PATTERN_MESSAGES, "", "T", 1, "Hey!");
    assert_false(request.keyed);
}

static void a_repetition_is_the_same_in_both_hashes(void **state)
{
    (void) state;
    struct request a = keyed(PATTERN_MESSAGES, "k", "T", 1, "Hey!");
    struct request b = keyed(PATTERN_MESSAGES, "k", "T", 1, "Hey!");
    assert_true(a.keyed && same_key(&a, &b) && same_request(&a, &b));
}

static void another_text_is_another_request_under_the_same_key(void **state)
{
    (void) state;
    struct request a = keyed(PATTERN_MESSAGES, "k", "T", 1, "Hey!");
    struct request b = keyed(PATTERN_MESSAGES, "k", "T", 1, "Hola!");
    assert_true(same_key(&a, &b));
    assert_false(same_request(&a, &b));
}

static void a_key_belongs_to_its_collection(void **state)
{
    (void) state;
    struct request a = keyed(PATTERN_MESSAGES, "k", "T", 1, "x");
    struct request others[] = {
        keyed(PATTERN_MESSAGES, "k", "T", 2, "x"), keyed(PATTERN_MESSAGES, "k", "U", 1, "x"),
        keyed(PATTERN_CHATS, "k", "T", 1, "x"),    keyed(PATTERN_MESSAGES, "K", "T", 1, "x"),
        keyed(PATTERN_MESSAGES, "k", "", 1, "x"),
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(same_key(&a, &others[i]));
}

static void no_name_and_an_empty_name_are_the_same(void **state)
{
    (void) state;
    struct request a = keyed(PATTERN_CHATS, "k", "T", 0, NULL);
    struct request b = keyed(PATTERN_CHATS, "k", "T", 0, "");
    assert_true(same_request(&a, &b));
}

/* The hashes are kept in journals for a day: an update must not change them. */
static void the_hashes_are_those_of_the_first_release(void **state)
{
    (void) state;
    char hex[2 * HASH_LENGTH + 1];
    struct request request = keyed(PATTERN_MESSAGES, "k", "T", 1, "Hey!");
    sodium_bin2hex(hex, sizeof hex, request.key, HASH_LENGTH);
    assert_string_equal(hex, "ef1731d003e3cee0b41a75c1cb38597f");
    sodium_bin2hex(hex, sizeof hex, request.request_hash, HASH_LENGTH);
    assert_string_equal(hex, "298d40cad79d4f5e1a03b12c440777e2");
}

static void tokens_are_letters_and_digits_and_differ(void **state)
{
    (void) state;
    struct request request = {0};
    char a[TOKEN_ISSUED + 1] = "", b[TOKEN_ISSUED + 1] = "";
    keyed_draw_token(&request, 8, a);
    keyed_draw_token(&request, 8, b);
    assert_int_equal(strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
                     TOKEN_ISSUED);
    assert_string_not_equal(a, b);
}

/* A repetition must look for the key where the first request left it. */
static void all_tokens_of_a_key_are_in_one_shard(void **state)
{
    (void) state;
    enum { SHARDS = 8 };
    struct request request = keyed(PATTERN_APPLICATIONS, "k", "", 0, "x");
    char token[TOKEN_ISSUED];
    keyed_draw_token(&request, SHARDS, token);
    unsigned shard = token_shard(token, sizeof token, SHARDS);
    for (int i = 0; i < 20; i++) {
        keyed_draw_token(&request, SHARDS, token);
        assert_int_equal(token_shard(token, sizeof token, SHARDS), shard);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_key_nothing_is_keyed),
        cmocka_unit_test(a_repetition_is_the_same_in_both_hashes),
        cmocka_unit_test(another_text_is_another_request_under_the_same_key),
        cmocka_unit_test(a_key_belongs_to_its_collection),
        cmocka_unit_test(no_name_and_an_empty_name_are_the_same),
        cmocka_unit_test(the_hashes_are_those_of_the_first_release),
        cmocka_unit_test(tokens_are_letters_and_digits_and_differ),
        cmocka_unit_test(all_tokens_of_a_key_are_in_one_shard),
    };
    return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
