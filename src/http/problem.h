/* SPDX-License-Identifier: MIT */
/* problem.h - every way in which a request is refused: one table.
 *
 * A code is stable and for programs; the detail is for people. This is the only
 * place where a status_t of the actors becomes HTTP.
 *
 * No state: any thread may call anything.
 */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include <stdbool.h>

#include "common/status.h"

/* X(name, HTTP status, code, default detail). The codes that several rows share
 * differ in their detail, or in whether it makes sense to try again. */
#define PROBLEM_LIST(X)                                                                            \
    X(BAD_REQUEST, 400, "bad_request", "the request is not well-formed HTTP")                      \
    X(TRUNCATED, 400, "bad_request", "the body ended before its length was reached")               \
    X(MALFORMED_PATH, 400, "malformed_path",                                                       \
      "the path has a bad escape, a NUL or text that is not UTF-8")                                \
    X(MALFORMED_QUERY, 400, "malformed_query",                                                     \
      "the query string has a bad escape or text that is not UTF-8")                               \
    X(MALFORMED_FORM, 400, "malformed_form",                                                       \
      "the form has a bad escape or text that is not UTF-8")                                       \
    X(MALFORMED_JSON, 400, "malformed_json", "the body is not one well-formed JSON object")        \
    X(MESSAGE_BODY_MISSING, 400, "message_body_missing", "message_body is missing or blank")       \
    X(QUERY_MISSING, 400, "query_missing", "query is missing or blank")                            \
    X(QUERY_TOO_LONG, 400, "query_too_long", "query is longer than 256 characters")                \
    X(INVALID_PARAMETER, 400, "invalid_parameter", "a parameter has a value that it cannot have")  \
    X(INVALID_CURSOR, 400, "invalid_cursor", "after is not the token of an application")           \
    X(INVALID_IDEMPOTENCY_KEY, 400, "invalid_idempotency_key",                                     \
      "Idempotency-Key must be sent once, with 1 to 255 visible ASCII characters")                 \
    X(UNAUTHORIZED, 401, "unauthorized", "this server wants its key: Authorization: Bearer")       \
    X(ROUTE_NOT_FOUND, 404, "route_not_found", "there is nothing under this path")                 \
    X(APPLICATION_NOT_FOUND, 404, "application_not_found", "there is no such application")         \
    X(CHAT_NOT_FOUND, 404, "chat_not_found", "there is no such chat")                              \
    X(MESSAGE_NOT_FOUND, 404, "message_not_found", "there is no such message")                     \
    X(METHOD_NOT_ALLOWED, 405, "method_not_allowed", "this path does not know the method")         \
    X(REQUEST_TIMEOUT, 408, "request_timeout", "the request took too long to arrive")              \
    X(CONTENT_TOO_LARGE, 413, "content_too_large", "the body is larger than this server allows")   \
    X(URI_TOO_LONG, 414, "uri_too_long", "the request target is too long")                         \
    X(UNSUPPORTED_MEDIA_TYPE, 415, "unsupported_media_type",                                       \
      "the body must be application/json or application/x-www-form-urlencoded, in UTF-8, "         \
      "without an encoding")                                                                       \
    X(EXPECTATION_FAILED, 417, "expectation_failed", "no expectation but 100-continue is known")   \
    X(NAME_MISSING, 422, "name_missing", "name is missing or blank")                               \
    X(NAME_TOO_LONG, 422, "name_too_long", "name is longer than 255 characters")                   \
    X(MESSAGE_BODY_TOO_LONG, 422, "message_body_too_long",                                         \
      "message_body is longer than 65535 bytes of UTF-8")                                          \
    X(INVALID_TEXT, 422, "invalid_text", "a text has the character U+0000")                        \
    X(INVALID_TYPE, 422, "invalid_type", "a string is wanted")                                     \
    X(IDEMPOTENCY_KEY_REUSE, 422, "idempotency_key_reuse",                                         \
      "this Idempotency-Key was used for a request with other parameters")                         \
    X(HEADERS_TOO_LARGE, 431, "headers_too_large", "the header is larger than this server allows") \
    X(INTERNAL, 500, "internal", "this is a fault of the server; its log knows the request_id")    \
    X(JOURNAL_UNAVAILABLE, 503, "journal_unavailable",                                             \
      "the journal cannot be used; nothing was changed")                                           \
    X(OUTCOME_UNKNOWN, 503, "journal_unavailable",                                                 \
      "the journal did not answer in time: the outcome is unknown, the change may still take "     \
      "effect; repeat it with the same Idempotency-Key")                                           \
    X(STORE_UNAVAILABLE, 503, "store_unavailable", "the store cannot be used")                     \
    X(STORE_BEHIND, 503, "store_behind",                                                           \
      "the store has not reached the present state; Cache-Control: max-stale accepts an old one")  \
    X(SEARCH_UNAVAILABLE, 503, "search_unavailable", "the search index cannot be used")            \
    X(SEARCH_NONE, 503, "search_unavailable", "this server runs without search")                   \
    X(OVERLOADED, 503, "overloaded", "there is too much to do; nothing was changed")               \
    X(SHUTTING_DOWN, 503, "shutting_down", "this server is stopping")

enum problem {
    PROBLEM_NONE,
#define PROBLEM_ENUM(name, status, code, detail) PROBLEM_##name,
    PROBLEM_LIST(PROBLEM_ENUM)
#undef PROBLEM_ENUM
        PROBLEM_COUNT
};

struct problem_row {
    int status;
    const char *code;
    const char *detail;
};

/* `problem` is not PROBLEM_NONE (asserted). */
const struct problem_row *problem_row(enum problem problem);

/* What to tell a client whose request an actor answered with `status`. */
enum problem problem_of_status(status_t status);

/* True if the same request may well succeed in a moment: Retry-After. */
bool problem_is_passing(enum problem problem);

#endif
