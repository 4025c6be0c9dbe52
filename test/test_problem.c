/* SPDX-License-Identifier: MIT */
/* test_problem.c - every failure has a code, and every code its HTTP status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/problem.h"
#include "http/response.h"

static void every_row_is_complete_and_its_status_is_one_we_send(void **state)
{
    (void) state;
    for (int i = PROBLEM_NONE + 1; i < PROBLEM_COUNT; i++) {
        const struct problem_row *row = problem_row((enum problem) i);
        assert_true(row->status >= 400);
        assert_true(strlen(row->code) > 0 && strlen(row->detail) > 0);
        assert_int_equal(http_status_code(http_status_index(row->status)), row->status);
    }
}

static void rows_that_share_a_code_share_the_status_and_stand_together(void **state)
{
    (void) state;
    for (int i = PROBLEM_NONE + 1; i < PROBLEM_COUNT; i++)
        for (int k = i + 1; k < PROBLEM_COUNT; k++) {
            const struct problem_row *a = problem_row((enum problem) i);
            const struct problem_row *b = problem_row((enum problem) k);
            if (strcmp(a->code, b->code) != 0)
                continue;
            assert_int_equal(a->status, b->status);
            assert_string_equal(problem_row((enum problem)(k - 1))->code, b->code);
        }
}

static void every_status_has_its_problem(void **state)
{
    (void) state;
    static const status_t statuses[] = {
#define STATUS_VALUE(name, text) name,
        STATUS_LIST(STATUS_VALUE)
#undef STATUS_VALUE
    };
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        assert_int_equal(problem_of_status(statuses[i]) == PROBLEM_NONE, statuses[i] == OK);
}

static void assert_code(status_t status, int http_status, const char *code)
{
    const struct problem_row *row = problem_row(problem_of_status(status));
    assert_int_equal(row->status, http_status);
    assert_string_equal(row->code, code);
}

static void what_an_actor_says_becomes_what_the_api_promises(void **state)
{
    (void) state;
    assert_code(ERR_APPLICATION_NOT_FOUND, 404, "application_not_found");
    assert_code(ERR_CHAT_NOT_FOUND, 404, "chat_not_found");
    assert_code(ERR_MESSAGE_NOT_FOUND, 404, "message_not_found");
    assert_code(ERR_CURSOR_NOT_FOUND, 400, "invalid_cursor");
    assert_code(ERR_KEY_REUSED, 422, "idempotency_key_reuse");
    assert_code(ERR_KEYS_FULL, 503, "overloaded");
    assert_code(ERR_BACKLOG_FULL, 503, "overloaded");
    assert_code(ERR_OVERLOADED, 503, "overloaded");
    assert_code(ERR_JOURNAL, 503, "journal_unavailable");
    assert_code(ERR_CLOSED, 503, "journal_unavailable");
    assert_code(ERR_OUTCOME_UNKNOWN, 503, "journal_unavailable");
    assert_code(ERR_STORE, 503, "store_unavailable");
    assert_code(ERR_STORE_BEHIND, 503, "store_behind");
    assert_code(ERR_SEARCH, 503, "search_unavailable");
    assert_code(ERR_SEARCH_NONE, 503, "search_unavailable");
    assert_code(ERR_STOPPED, 503, "shutting_down");
    assert_code(ERR_CORRUPT, 500, "internal");
}

static void an_unknown_outcome_says_so(void **state)
{
    (void) state;
    const char *detail = problem_row(problem_of_status(ERR_OUTCOME_UNKNOWN))->detail;
    assert_non_null(strstr(detail, "unknown"));
    assert_null(strstr(problem_row(problem_of_status(ERR_JOURNAL))->detail, "unknown"));
}

/* A server without search will not have one in a second. */
static void only_what_passes_is_worth_another_try(void **state)
{
    (void) state;
    for (int i = PROBLEM_NONE + 1; i < PROBLEM_COUNT; i++) {
        bool unavailable = problem_row((enum problem) i)->status == 503;
        assert_int_equal(problem_is_passing((enum problem) i),
                         unavailable && i != PROBLEM_SEARCH_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_complete_and_its_status_is_one_we_send),
        cmocka_unit_test(rows_that_share_a_code_share_the_status_and_stand_together),
        cmocka_unit_test(every_status_has_its_problem),
        cmocka_unit_test(what_an_actor_says_becomes_what_the_api_promises),
        cmocka_unit_test(an_unknown_outcome_says_so),
        cmocka_unit_test(only_what_passes_is_worth_another_try),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
