/* SPDX-License-Identifier: MIT */
#include "http/openapi.h"

#include <string.h>

#include "http/input.h"
#include "http/problem.h"
#include "http/response.h"
#include "http/router.h"

static void text(struct buffer *out, const char *json)
{
    buffer_append_text(out, json);
}

/* A comma before every element but the first. */
static void comma(struct buffer *out, bool *first)
{
    if (!*first)
        text(out, ",");
    *first = false;
}

/* What may go wrong with every route that has one of these flags; 0: with all. */
static const struct {
    unsigned flag;
    enum problem problem;
} shared_problems[] = {
    {0, PROBLEM_BAD_REQUEST},
    {0, PROBLEM_TRUNCATED},
    {0, PROBLEM_MALFORMED_PATH},
    {0, PROBLEM_ROUTE_NOT_FOUND},
    {0, PROBLEM_METHOD_NOT_ALLOWED},
    {0, PROBLEM_REQUEST_TIMEOUT},
    {0, PROBLEM_CONTENT_TOO_LARGE},
    {0, PROBLEM_URI_TOO_LONG},
    {0, PROBLEM_EXPECTATION_FAILED},
    {0, PROBLEM_HEADERS_TOO_LARGE},
    {0, PROBLEM_INTERNAL},
    {ROUTE_NEEDS_KEY, PROBLEM_UNAUTHORIZED},
    {ROUTE_API, PROBLEM_MALFORMED_QUERY},
    {ROUTE_API, PROBLEM_SHUTTING_DOWN},
    {ROUTE_API, PROBLEM_OVERLOADED},
    {ROUTE_READS_BODY, PROBLEM_MALFORMED_FORM},
    {ROUTE_READS_BODY, PROBLEM_MALFORMED_JSON},
    {ROUTE_READS_BODY, PROBLEM_UNSUPPORTED_MEDIA_TYPE},
    {ROUTE_KEYED, PROBLEM_INVALID_IDEMPOTENCY_KEY},
    {ROUTE_KEYED, PROBLEM_IDEMPOTENCY_KEY_REUSE},
};

static bool route_has_problem(const struct route *route, enum problem problem)
{
    for (size_t i = 0; route->problems[i] != PROBLEM_NONE; i++)
        if (route->problems[i] == problem)
            return true;
    for (size_t i = 0; i < sizeof shared_problems / sizeof *shared_problems; i++)
        if (shared_problems[i].problem == problem &&
            (!shared_problems[i].flag || route->flags & shared_problems[i].flag))
            return true;
    return false;
}

static void write_number_schema(struct buffer *out, uint64_t minimum, uint64_t maximum,
                                uint64_t standard)
{
    buffer_printf(out, "{\"type\":\"integer\",\"minimum\":%llu,\"maximum\":%llu,\"default\":%llu}",
                  (unsigned long long) minimum, (unsigned long long) maximum,
                  (unsigned long long) standard);
}

static void write_param_schema(struct buffer *out, const struct route *route, enum param_id id)
{
    bool search = route->pattern == PATTERN_SEARCH;
    switch (id) {
    case PARAM_NAME:
        buffer_printf(out, "{\"type\":\"string\",\"maxLength\":%d}", NAME_CHARACTERS_MAX);
        break;
    case PARAM_MESSAGE_BODY:
        buffer_printf(out,
                      "{\"type\":\"string\",\"minLength\":1,\"maxLength\":%d,"
                      "\"description\":\"At most %d bytes of UTF-8, not blank.\"}",
                      BODY_BYTES_MAX, BODY_BYTES_MAX);
        break;
    case PARAM_QUERY:
        buffer_printf(out, "{\"type\":\"string\",\"minLength\":1,\"maxLength\":%d}",
                      QUERY_CHARACTERS_MAX);
        break;
    case PARAM_LIMIT:
        write_number_schema(out, 1, search ? SEARCH_LIMIT_MAX : LIST_LIMIT_MAX,
                            search ? SEARCH_LIMIT : LIST_LIMIT);
        break;
    case PARAM_AFTER:
    case PARAM_BEFORE:
        if (route->pattern == PATTERN_APPLICATIONS)
            text(out, "{\"$ref\":\"#/components/schemas/Token\"}");
        else
            buffer_printf(out, "{\"type\":\"integer\",\"minimum\":0,\"maximum\":%llu}",
                          (unsigned long long) PATH_NUMBER_MAX);
        break;
    case PARAM_ORDER:
        buffer_printf(out, "{\"type\":\"string\",\"enum\":[\"asc\",\"desc\"],\"default\":\"%s\"}",
                      search ? "desc" : "asc");
        break;
    case PARAM_END:
    case PARAM_ID_COUNT:
        break;
    }
}

static void write_parameters(struct buffer *out, const struct route *route)
{
    bool first = true;
    text(out, ",\"parameters\":[");
    for (size_t i = 0; route->params[i] != PARAM_END; i++) {
        comma(out, &first);
        buffer_printf(out, "{\"name\":\"%s\",\"in\":\"query\",\"required\":%s,\"schema\":",
                      router_param_name(route->params[i]),
                      route->params[i] == PARAM_QUERY ? "true" : "false");
        write_param_schema(out, route, route->params[i]);
        text(out, "}");
    }
    if (route->flags & ROUTE_KEYED) {
        comma(out, &first);
        text(out, "{\"$ref\":\"#/components/parameters/IdempotencyKey\"}");
    }
    if (route_has_problem(route, PROBLEM_STORE_BEHIND) && route->method == METHOD_GET) {
        comma(out, &first);
        text(out, "{\"$ref\":\"#/components/parameters/CacheControl\"}");
    }
    text(out, "]");
}

/* What stands in a body may stand in the query instead, so no body is required. */
static void write_request_body(struct buffer *out, const struct route *route)
{
    static const char *const types[] = {"application/json", "application/x-www-form-urlencoded"};
    text(out, ",\"requestBody\":{\"required\":false,\"content\":{");
    for (size_t t = 0; t < 2; t++) {
        buffer_printf(out, "%s\"%s\":{\"schema\":{\"type\":\"object\",\"properties\":{",
                      t ? "," : "", types[t]);
        bool first = true;
        for (size_t i = 0; route->params[i] != PARAM_END; i++) {
            comma(out, &first);
            buffer_printf(out, "\"%s\":", router_param_name(route->params[i]));
            write_param_schema(out, route, route->params[i]);
        }
        text(out, "}}}");
    }
    text(out, "}}");
}

static void write_headers(struct buffer *out, const struct route *route)
{
    text(out, "\"headers\":{\"X-Request-Id\":{\"$ref\":\"#/components/headers/RequestId\"}");
    if (route->success == 201)
        text(out, ",\"Location\":{\"$ref\":\"#/components/headers/Location\"}");
    if (route->flags & ROUTE_KEYED)
        text(out, ",\"Idempotent-Replayed\":{\"$ref\":\"#/components/headers/Replayed\"}");
    if (route->flags & ROUTE_LIST)
        text(out, ",\"Link\":{\"$ref\":\"#/components/headers/Link\"}");
    if (route_has_problem(route, PROBLEM_STORE_BEHIND) && route->method == METHOD_GET)
        text(out, ",\"Confab-Behind\":{\"$ref\":\"#/components/headers/Behind\"}");
    if (route->pattern == PATTERN_SEARCH)
        text(out, ",\"Confab-Search-Complete\":{\"$ref\":\"#/components/headers/Complete\"}");
    text(out, "}");
}

static void write_content(struct buffer *out, const struct route *route)
{
    bool plain = route->pattern == PATTERN_METRICS;
    if (route->schema)
        buffer_printf(out,
                      ",\"content\":{\"%s\":{\"schema\":"
                      "{\"$ref\":\"#/components/schemas/%s\"}}}",
                      plain ? "text/plain; version=0.0.4" : "application/json", route->schema);
}

/* One answer for all codes of a status; false if the route has none of them. */
static bool write_problem(struct buffer *out, const struct route *route, int status)
{
    const char *codes[PROBLEM_COUNT];
    size_t count = 0;
    for (int i = PROBLEM_NONE + 1; i < PROBLEM_COUNT; i++) {
        const struct problem_row *row = problem_row((enum problem) i);
        if (row->status == status && route_has_problem(route, (enum problem) i) &&
            (count == 0 || strcmp(codes[count - 1], row->code) != 0))
            codes[count++] = row->code;
    }
    if (count == 0)
        return false;

    buffer_printf(out, ",\"%d\":{\"description\":\"%s:", status, http_status_reason(status));
    for (size_t i = 0; i < count; i++)
        buffer_printf(out, " %s", codes[i]);
    text(out, "\",\"headers\":{\"X-Request-Id\":{\"$ref\":\"#/components/headers/RequestId\"}");
    if (status == 503)
        text(out, ",\"Retry-After\":{\"$ref\":\"#/components/headers/RetryAfter\"}");
    text(out, "},\"content\":{\"application/problem+json\":{\"schema\":{\"allOf\":["
              "{\"$ref\":\"#/components/schemas/Problem\"},"
              "{\"properties\":{\"code\":{\"enum\":[");
    for (size_t i = 0; i < count; i++)
        buffer_printf(out, "%s\"%s\"", i ? "," : "", codes[i]);
    text(out, "]}}}]}}}}");
    return true;
}

static void write_responses(struct buffer *out, const struct route *route)
{
    buffer_printf(out, ",\"responses\":{\"%d\":{\"description\":\"%s\",", route->success,
                  http_status_reason(route->success));
    write_headers(out, route);
    write_content(out, route);
    text(out, "}");
    for (int i = 0; i < STATUS_INDEX_COUNT; i++) {
        int status = http_status_code((enum http_status_index) i);
        bool written = write_problem(out, route, status);
        if (status == 503 && !written && route->pattern == PATTERN_READYZ) {
            text(out, ",\"503\":{\"description\":\"Not ready\"");
            write_content(out, route);
            text(out, "}");
        }
    }
    text(out, "}");
}

static const char *tag_of(const struct route *route)
{
    if (route->flags & ROUTE_OPERATIONS)
        return "operations";
    if (route->pattern <= PATTERN_APPLICATION)
        return "applications";
    return route->pattern <= PATTERN_CHAT ? "chats" : "messages";
}

static void write_operation(struct buffer *out, const struct route *route)
{
    static const char *const names[METHOD_COUNT] = {
        [METHOD_GET] = "get",         [METHOD_HEAD] = "head",   [METHOD_POST] = "post",
        [METHOD_PUT] = "put",         [METHOD_PATCH] = "patch", [METHOD_DELETE] = "delete",
        [METHOD_OPTIONS] = "options", [METHOD_OTHER] = "",
    };
    const char *tag = tag_of(route);
    buffer_printf(out, "\"%s\":{\"operationId\":\"%s\",\"summary\":\"%s\",\"tags\":[\"%s\"]",
                  names[route->method], route->operation, route->summary, tag);
    if (!(route->flags & ROUTE_NEEDS_KEY))
        text(out, ",\"security\":[]");
    write_parameters(out, route);
    if (route->flags & ROUTE_READS_BODY)
        write_request_body(out, route);
    write_responses(out, route);
    text(out, "}");
}

/* The variables of a path, which all its operations share. */
static void write_path_parameters(struct buffer *out, const char *path)
{
    static const char *const variables[] = {"token", "chat_number", "message_number"};
    bool first = true;
    text(out, "\"parameters\":[");
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if (strstr(path, variables[i])) {
            comma(out, &first);
            buffer_printf(out, "{\"$ref\":\"#/components/parameters/%s\"}", variables[i]);
        }
    text(out, "]");
}

static void write_path(struct buffer *out, enum pattern pattern)
{
    buffer_printf(out, "\"%s\":{", router_pattern_text(pattern));
    write_path_parameters(out, router_pattern_text(pattern));
    for (size_t i = 0; i < router_route_count; i++)
        if (router_routes[i].pattern == pattern) {
            text(out, ",");
            write_operation(out, &router_routes[i]);
        }
    text(out, "}");
}

void openapi_write(struct buffer *out, bool secured)
{
    text(out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"confab\",\"version\":\"" CONFAB_VERSION
              "\",\"description\":\"Applications own chats numbered 1, 2, 3..., chats own messages "
              "numbered 1, 2, 3..., and messages can be searched. Parameters stand in the query "
              "string, a form or a JSON object. HEAD is answered wherever GET is, OPTIONS "
              "everywhere.\",\"license\":{\"name\":\"MIT\",\"identifier\":\"MIT\"}},");
    text(out, "\"servers\":[{\"url\":\"/\"}],");
    text(out, secured ? "\"security\":[{\"apiKey\":[]}]," : "\"security\":[{},{\"apiKey\":[]}],");
    text(out, "\"paths\":{");
    bool first = true;
    for (int i = 0; i < PATTERN_COUNT; i++) {
        comma(out, &first);
        write_path(out, (enum pattern) i);
    }
    text(out, "},");
    openapi_write_components(out);
    text(out, "}");
}
