/* SPDX-License-Identifier: MIT */
#include "http/router.h"

#include <string.h>

#include "http/handlers.h"

enum { SEGMENTS_MAX = 8 };

struct segment {
    const char *text; /* NULL: anything fits */
    size_t length;
};

struct pattern_row {
    const char *text;
    size_t count;
    struct segment segments[SEGMENTS_MAX];
};

#define LITERAL(text)         \
    {                         \
        text, sizeof text - 1 \
    }
#define VARIABLE \
    {            \
        NULL, 0  \
    }
#define API LITERAL("api")
#define V1 LITERAL("v1")

static const struct pattern_row patterns[] = {
#define PATTERN_ROW(name, text, count, ...) {text, count, {__VA_ARGS__}},
    PATTERN_LIST(PATTERN_ROW)
#undef PATTERN_ROW
};

#define API_FLAGS (ROUTE_NEEDS_KEY | ROUTE_API)
#define READ_FLAGS API_FLAGS
#define LIST_FLAGS (API_FLAGS | ROUTE_LIST)
#define WRITE_FLAGS (API_FLAGS | ROUTE_READS_BODY)
#define CREATE_FLAGS (WRITE_FLAGS | ROUTE_KEYED)

/* What can go wrong beneath an application and beneath a chat. */
#define UNDER_APPLICATION PROBLEM_APPLICATION_NOT_FOUND
#define UNDER_CHAT UNDER_APPLICATION, PROBLEM_CHAT_NOT_FOUND
#define UNDER_MESSAGE UNDER_CHAT, PROBLEM_MESSAGE_NOT_FOUND
#define WRITING PROBLEM_JOURNAL_UNAVAILABLE, PROBLEM_OUTCOME_UNKNOWN
#define READING PROBLEM_STORE_UNAVAILABLE, PROBLEM_STORE_BEHIND
#define OF_NAME PROBLEM_NAME_TOO_LONG, PROBLEM_INVALID_TEXT, PROBLEM_INVALID_TYPE
#define OF_BODY                                                                        \
    PROBLEM_MESSAGE_BODY_MISSING, PROBLEM_MESSAGE_BODY_TOO_LONG, PROBLEM_INVALID_TEXT, \
        PROBLEM_INVALID_TYPE
#define OF_PAGE PROBLEM_INVALID_PARAMETER

/* clang-format off */
const struct route router_routes[] = {
    {METHOD_GET, PATTERN_APPLICATIONS, "list_applications", list_applications,
     {PARAM_LIMIT, PARAM_AFTER}, LIST_FLAGS, 200, "Applications",
     "Applications in the order of their creation",
     {OF_PAGE, PROBLEM_INVALID_CURSOR, READING}},
    {METHOD_POST, PATTERN_APPLICATIONS, "create_application", create_application,
     {PARAM_NAME}, CREATE_FLAGS, 201, "Application", "Creates an application",
     {PROBLEM_NAME_MISSING, OF_NAME, WRITING}},
    {METHOD_GET, PATTERN_APPLICATION, "get_application", get_application,
     {PARAM_END}, READ_FLAGS, 200, "Application", "One application",
     {UNDER_APPLICATION, READING}},
    {METHOD_PUT, PATTERN_APPLICATION, "rename_application", rename_application,
     {PARAM_NAME}, WRITE_FLAGS, 204, NULL, "Renames an application",
     {PROBLEM_NAME_MISSING, OF_NAME, UNDER_APPLICATION, WRITING}},
    {METHOD_PATCH, PATTERN_APPLICATION, "patch_application", rename_application,
     {PARAM_NAME}, WRITE_FLAGS, 204, NULL, "Renames an application",
     {PROBLEM_NAME_MISSING, OF_NAME, UNDER_APPLICATION, WRITING}},
    {METHOD_DELETE, PATTERN_APPLICATION, "delete_application", delete_application,
     {PARAM_END}, API_FLAGS, 204, NULL, "Deletes an application with all its chats and messages",
     {UNDER_APPLICATION, WRITING}},

    {METHOD_GET, PATTERN_CHATS, "list_chats", list_chats,
     {PARAM_LIMIT, PARAM_AFTER, PARAM_BEFORE, PARAM_ORDER}, LIST_FLAGS, 200, "Chats",
     "Chats of an application by number",
     {OF_PAGE, UNDER_APPLICATION, READING}},
    {METHOD_POST, PATTERN_CHATS, "create_chat", create_chat,
     {PARAM_NAME}, CREATE_FLAGS, 201, "ChatCreated", "Creates a chat under the next number",
     {OF_NAME, UNDER_APPLICATION, WRITING}},
    {METHOD_GET, PATTERN_CHAT, "get_chat", get_chat,
     {PARAM_END}, READ_FLAGS, 200, "Chat", "One chat",
     {UNDER_CHAT, READING}},
    {METHOD_PUT, PATTERN_CHAT, "rename_chat", rename_chat,
     {PARAM_NAME}, WRITE_FLAGS, 204, NULL, "Renames a chat; without name nothing changes",
     {OF_NAME, UNDER_CHAT, WRITING, READING}},
    {METHOD_PATCH, PATTERN_CHAT, "patch_chat", rename_chat,
     {PARAM_NAME}, WRITE_FLAGS, 204, NULL, "Renames a chat; without name nothing changes",
     {OF_NAME, UNDER_CHAT, WRITING, READING}},
    {METHOD_DELETE, PATTERN_CHAT, "delete_chat", delete_chat,
     {PARAM_END}, API_FLAGS, 204, NULL, "Deletes a chat with all its messages",
     {UNDER_CHAT, WRITING}},

    {METHOD_GET, PATTERN_MESSAGES, "list_messages", list_messages,
     {PARAM_LIMIT, PARAM_AFTER, PARAM_BEFORE, PARAM_ORDER}, LIST_FLAGS, 200, "Messages",
     "Messages of a chat by number",
     {OF_PAGE, UNDER_CHAT, READING}},
    {METHOD_POST, PATTERN_MESSAGES, "create_message", create_message,
     {PARAM_MESSAGE_BODY}, CREATE_FLAGS, 201, "MessageCreated",
     "Creates a message under the next number",
     {OF_BODY, UNDER_CHAT, WRITING}},
    {METHOD_GET, PATTERN_SEARCH, "search_messages", search_messages,
     {PARAM_QUERY, PARAM_LIMIT, PARAM_AFTER, PARAM_BEFORE, PARAM_ORDER}, LIST_FLAGS, 200, "Hits",
     "Messages of a chat whose body contains a text, newest first",
     {PROBLEM_QUERY_MISSING, PROBLEM_QUERY_TOO_LONG, PROBLEM_INVALID_TEXT, OF_PAGE, UNDER_CHAT,
      READING, PROBLEM_SEARCH_UNAVAILABLE, PROBLEM_SEARCH_NONE}},
    {METHOD_GET, PATTERN_MESSAGE, "get_message", get_message,
     {PARAM_END}, READ_FLAGS, 200, "Message", "One message",
     {UNDER_MESSAGE, READING}},
    {METHOD_PUT, PATTERN_MESSAGE, "edit_message", edit_message,
     {PARAM_MESSAGE_BODY}, WRITE_FLAGS, 204, NULL, "Replaces the body of a message",
     {OF_BODY, UNDER_MESSAGE, WRITING, READING}},
    {METHOD_PATCH, PATTERN_MESSAGE, "patch_message", edit_message,
     {PARAM_MESSAGE_BODY}, WRITE_FLAGS, 204, NULL, "Replaces the body of a message",
     {OF_BODY, UNDER_MESSAGE, WRITING, READING}},
    {METHOD_DELETE, PATTERN_MESSAGE, "delete_message", delete_message,
     {PARAM_END}, API_FLAGS, 204, NULL, "Deletes a message; its number stays used",
     {UNDER_MESSAGE, WRITING}},

    {METHOD_GET, PATTERN_OPENAPI, "get_openapi", get_openapi,
     {PARAM_END}, ROUTE_NEEDS_KEY | ROUTE_API | ROUTE_OPERATIONS, 200, "OpenApi",
     "This description", {PROBLEM_NONE}},
    {METHOD_GET, PATTERN_HEALTHZ, "get_health", get_health,
     {PARAM_END}, ROUTE_OPERATIONS, 200, "Health", "Whether the process serves", {PROBLEM_NONE}},
    {METHOD_GET, PATTERN_READYZ, "get_readiness", get_readiness,
     {PARAM_END}, ROUTE_OPERATIONS, 200, "Readiness", "Whether requests can be done",
     {PROBLEM_NONE}},
    {METHOD_GET, PATTERN_METRICS, "get_metrics", get_metrics,
     {PARAM_END}, ROUTE_NEEDS_KEY | ROUTE_OPERATIONS, 200, "Metrics", "Numbers for Prometheus",
     {PROBLEM_NONE}},
    {METHOD_GET, PATTERN_VERSION, "get_version", get_version,
     {PARAM_END}, ROUTE_OPERATIONS, 200, "Version", "Which confab this is", {PROBLEM_NONE}},
};
/* clang-format on */

const size_t router_route_count = sizeof router_routes / sizeof *router_routes;

const char *router_pattern_text(enum pattern pattern)
{
    return pattern == PATTERN_NONE ? "none" : patterns[pattern].text;
}

const char *router_param_name(enum param_id param)
{
    static const char *const names[PARAM_ID_COUNT] = {
        [PARAM_END] = "",          [PARAM_NAME] = "name",   [PARAM_MESSAGE_BODY] = "message_body",
        [PARAM_QUERY] = "query",   [PARAM_LIMIT] = "limit", [PARAM_AFTER] = "after",
        [PARAM_BEFORE] = "before", [PARAM_ORDER] = "order",
    };
    return names[param];
}

static bool pattern_fits(const struct pattern_row *pattern, const struct path *path)
{
    if (pattern->count != path->count)
        return false;
    for (size_t i = 0; i < path->count; i++) {
        const struct segment *segment = &pattern->segments[i];
        if (segment->text && (segment->length != path->lengths[i] ||
                              memcmp(segment->text, path->segments[i], segment->length) != 0))
            return false;
    }
    return true;
}

enum pattern router_match(const struct path *path)
{
    for (int i = 0; i < PATTERN_COUNT; i++)
        if (pattern_fits(&patterns[i], path))
            return (enum pattern) i;
    return PATTERN_NONE;
}

const struct route *router_find(enum pattern pattern, enum method method)
{
    if (method == METHOD_HEAD)
        method = METHOD_GET;
    for (size_t i = 0; i < router_route_count; i++)
        if (router_routes[i].pattern == pattern && router_routes[i].method == method)
            return &router_routes[i];
    return NULL;
}

void router_write_allow(struct buffer *buffer, enum pattern pattern)
{
    for (int i = 0; i < METHOD_OPTIONS; i++)
        if (router_find(pattern, (enum method) i)) {
            buffer_append_text(buffer, method_name((enum method) i));
            buffer_append_text(buffer, ", ");
        }
    buffer_append_text(buffer, "OPTIONS");
}
