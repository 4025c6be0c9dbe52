/* SPDX-License-Identifier: MIT */
/* response.h - the answer on its way to the client: one head, one write.
 *
 * The body is written into the worker's `out` with room before it, into which
 * the head goes when everything is known.
 *
 * Called by the exchange's worker thread.
 */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include "http/exchange.h"

/* X(status, reason): all that confab sends. */
#define HTTP_STATUS_LIST(X)                   \
    X(200, "OK")                              \
    X(201, "Created")                         \
    X(204, "No Content")                      \
    X(400, "Bad Request")                     \
    X(401, "Unauthorized")                    \
    X(404, "Not Found")                       \
    X(405, "Method Not Allowed")              \
    X(408, "Request Timeout")                 \
    X(413, "Content Too Large")               \
    X(414, "URI Too Long")                    \
    X(415, "Unsupported Media Type")          \
    X(417, "Expectation Failed")              \
    X(422, "Unprocessable Content")           \
    X(431, "Request Header Fields Too Large") \
    X(500, "Internal Server Error")           \
    X(503, "Service Unavailable")

enum http_status_index {
#define HTTP_STATUS_ENUM(status, reason) STATUS_INDEX_##status,
    HTTP_STATUS_LIST(HTTP_STATUS_ENUM)
#undef HTTP_STATUS_ENUM
        STATUS_INDEX_COUNT
};

/* The place of a status in the list above (asserted to be in it). */
enum http_status_index http_status_index(int status);
int http_status_code(enum http_status_index index);
const char *http_status_reason(int status);

/* Begins an answer, dropping what was begun before. */
void response_start(struct exchange *exchange);

/* Where the body goes, as JSON unless content_type is set otherwise. */
struct buffer *response_body(struct exchange *exchange);

/* Adds a line to the head. The value must not come from a client unchecked. */
void response_field(struct exchange *exchange, const char *name, const char *value);

/* Makes a problem the answer. */
void response_problem(struct exchange *exchange, enum problem problem);

/* Sends the answer, exchange->status, and sees to it that civetweb closes the
 * connection if the head said so. */
void response_send(struct exchange *exchange);

#endif
