/* SPDX-License-Identifier: MIT */
/* router.h - the route table: every path, every method, and who answers.
 *
 * The table is the whole truth: requests are dispatched by it, `Allow` and
 * /api/v1/openapi.json are made from it.
 *
 * No state: any thread may call anything.
 */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"
#include "http/head.h"
#include "http/path.h"
#include "http/problem.h"

struct exchange;

/* X(name, path, number of segments, segments...). A literal segment comes
 * before a variable one in its place: the first pattern that fits is taken. */
#define PATTERN_LIST(X)                                                                            \
    X(APPLICATIONS, "/api/v1/applications", 3, API, V1, LITERAL("applications"))                   \
    X(APPLICATION, "/api/v1/applications/{token}", 4, API, V1, LITERAL("applications"), VARIABLE)  \
    X(CHATS, "/api/v1/applications/{token}/chats", 5, API, V1, LITERAL("applications"), VARIABLE,  \
      LITERAL("chats"))                                                                            \
    X(CHAT, "/api/v1/applications/{token}/chats/{chat_number}", 6, API, V1,                        \
      LITERAL("applications"), VARIABLE, LITERAL("chats"), VARIABLE)                               \
    X(MESSAGES, "/api/v1/applications/{token}/chats/{chat_number}/messages", 7, API, V1,           \
      LITERAL("applications"), VARIABLE, LITERAL("chats"), VARIABLE, LITERAL("messages"))          \
    X(SEARCH, "/api/v1/applications/{token}/chats/{chat_number}/messages/search", 8, API, V1,      \
      LITERAL("applications"), VARIABLE, LITERAL("chats"), VARIABLE, LITERAL("messages"),          \
      LITERAL("search"))                                                                           \
    X(MESSAGE, "/api/v1/applications/{token}/chats/{chat_number}/messages/{message_number}", 8,    \
      API, V1, LITERAL("applications"), VARIABLE, LITERAL("chats"), VARIABLE, LITERAL("messages"), \
      VARIABLE)                                                                                    \
    X(OPENAPI, "/api/v1/openapi.json", 3, API, V1, LITERAL("openapi.json"))                        \
    X(HEALTHZ, "/healthz", 1, LITERAL("healthz"))                                                  \
    X(READYZ, "/readyz", 1, LITERAL("readyz"))                                                     \
    X(METRICS, "/metrics", 1, LITERAL("metrics"))                                                  \
    X(VERSION, "/version", 1, LITERAL("version"))

enum pattern {
#define PATTERN_ENUM(name, ...) PATTERN_##name,
    PATTERN_LIST(PATTERN_ENUM)
#undef PATTERN_ENUM
        PATTERN_COUNT,
    PATTERN_NONE = PATTERN_COUNT
};

/* Where the variables stand in every path that has them. */
enum { SEGMENT_TOKEN = 3, SEGMENT_CHAT = 5, SEGMENT_MESSAGE = 7 };

enum param_id {
    PARAM_END, /* the end of a list */
    PARAM_NAME,
    PARAM_MESSAGE_BODY,
    PARAM_QUERY,
    PARAM_LIMIT,
    PARAM_AFTER,
    PARAM_BEFORE,
    PARAM_ORDER,
    PARAM_ID_COUNT
};

enum { ROUTE_PARAMS_MAX = 5, ROUTE_PROBLEMS_MAX = 14 };

enum route_flag {
    ROUTE_NEEDS_KEY = 1,   /* the API key, if the server has one */
    ROUTE_READS_BODY = 2,  /* parameters may stand in a body; else it is dropped */
    ROUTE_KEYED = 4,       /* Idempotency-Key means something */
    ROUTE_LIST = 8,        /* answers a page: Link */
    ROUTE_OPERATIONS = 16, /* no query string, also at the admin address, while stopping too */
    ROUTE_API = 32,        /* refused while the server is stopping */
};

struct route {
    enum method method;
    enum pattern pattern;
    const char *operation; /* its name in OpenAPI */
    enum problem (*handle)(struct exchange *exchange);
    enum param_id params[ROUTE_PARAMS_MAX + 1]; /* that it knows, then PARAM_END */
    unsigned flags;
    int success;        /* status */
    const char *schema; /* of the answer; NULL: it has no body */
    const char *summary;
    enum problem problems[ROUTE_PROBLEMS_MAX + 1]; /* besides those of every route of its kind */
};

extern const struct route router_routes[];
extern const size_t router_route_count;

/* The path of a pattern as people write it; of PATTERN_NONE: "none". */
const char *router_pattern_text(enum pattern pattern);

/* The name of a parameter. */
const char *router_param_name(enum param_id param);

/* PATTERN_NONE if no route has such a path. */
enum pattern router_match(const struct path *path);

/* The route of a method; HEAD is GET's. NULL if the pattern has none. */
const struct route *router_find(enum pattern pattern, enum method method);

/* Appends "GET, HEAD, OPTIONS": what the pattern knows. */
void router_write_allow(struct buffer *buffer, enum pattern pattern);

#endif
