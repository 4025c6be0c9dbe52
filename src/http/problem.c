/* SPDX-License-Identifier: MIT */
#include "http/problem.h"

#include <assert.h>

static const struct problem_row rows[PROBLEM_COUNT] = {
#define PROBLEM_ROW(name, status, code, detail) [PROBLEM_##name] = {status, code, detail},
    PROBLEM_LIST(PROBLEM_ROW)
#undef PROBLEM_ROW
};

const struct problem_row *problem_row(enum problem problem)
{
    assert(problem > PROBLEM_NONE && problem < PROBLEM_COUNT);
    return &rows[problem];
}

enum problem problem_of_status(status_t status)
{
    switch (status) {
    case OK:
        return PROBLEM_NONE;
    case ERR_APPLICATION_NOT_FOUND:
        return PROBLEM_APPLICATION_NOT_FOUND;
    case ERR_CHAT_NOT_FOUND:
        return PROBLEM_CHAT_NOT_FOUND;
    case ERR_MESSAGE_NOT_FOUND:
        return PROBLEM_MESSAGE_NOT_FOUND;
    case ERR_CURSOR_NOT_FOUND:
        return PROBLEM_INVALID_CURSOR;
    case ERR_KEY_REUSED:
        return PROBLEM_IDEMPOTENCY_KEY_REUSE;
    case ERR_KEYS_FULL:
    case ERR_BACKLOG_FULL:
    case ERR_OVERLOADED:
        return PROBLEM_OVERLOADED;
    case ERR_JOURNAL:
    case ERR_CLOSED:
    case ERR_EPOCH:
    case ERR_UNCHECKED:
    case ERR_SEQUENCE:
        return PROBLEM_JOURNAL_UNAVAILABLE;
    case ERR_OUTCOME_UNKNOWN:
        return PROBLEM_OUTCOME_UNKNOWN;
    case ERR_STORE:
    case ERR_UNAVAILABLE:
        return PROBLEM_STORE_UNAVAILABLE;
    case ERR_STORE_BEHIND:
        return PROBLEM_STORE_BEHIND;
    case ERR_SEARCH:
        return PROBLEM_SEARCH_UNAVAILABLE;
    case ERR_SEARCH_NONE:
        return PROBLEM_SEARCH_NONE;
    case ERR_STOPPED:
        return PROBLEM_SHUTTING_DOWN;
    case ERR_CONFLICT:
    case ERR_DIVERGED:
    case ERR_CORRUPT:
    case ERR_DATA:
    case ERR_EXISTS:
    case ERR_SCHEMA:
    case ERR_LOCKED:
    case ERR_CONFIG:
    case ERR_MALFORMED:
        return PROBLEM_INTERNAL;
    }
    return PROBLEM_INTERNAL; /* a number that no status has */
}

bool problem_is_passing(enum problem problem)
{
    return problem_row(problem)->status == 503 && problem != PROBLEM_SEARCH_NONE;
}
