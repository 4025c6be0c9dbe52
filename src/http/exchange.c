/* SPDX-License-Identifier: MIT */
#include "http/exchange.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/log.h"
#include "http/body.h"
#include "http/idempotency.h"
#include "http/json.h"
#include "http/media.h"
#include "http/response.h"
#include "http/traffic.h"

typedef enum problem exchange_step(struct exchange *x);

static exchange_step read_head, find_route, check_method, check_api_key, check_open,
    check_expectation, check_length, check_media, read_body, read_query, read_parameters, read_key,
    handle;

/* The order of docs/API.md. */
static exchange_step *const steps[] = {
    read_head,         find_route,   check_method, check_api_key, check_open,
    check_expectation, check_length, check_media,  read_body,     read_query,
    read_parameters,   read_key,     handle,
};

static void exchange_end(struct exchange *x);

int exchange_run(worker_t *worker, struct mg_connection *connection)
{
    struct exchange x = {
        .worker = worker,
        .connection = connection,
        .started_us = clock_monotonic_us(),
        .pattern = PATTERN_NONE,
    };
    x.arrived_us = x.started_us;
    x.closes = watch_enter(worker->slot, PHASE_BUSY, x.started_us);
    response_start(&x);

    enum problem problem = PROBLEM_NONE;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && !problem && !x.status; i++)
        problem = steps[i](&x);
    if (problem)
        response_problem(&x, problem);
    response_send(&x);
    exchange_end(&x);
    return x.status;
}

void exchange_refuse(worker_t *worker, struct mg_connection *connection, enum problem problem)
{
    struct exchange x = {
        .worker = worker,
        .connection = connection,
        .started_us = clock_monotonic_us(),
        .pattern = PATTERN_NONE,
        .head = {.method = METHOD_OTHER},
        .request_id = worker_draw_request_id(worker),
        .request_id_length = REQUEST_ID_MADE,
    };
    watch_enter(worker->slot, PHASE_BUSY, x.started_us);
    response_problem(&x, problem);
    response_send(&x);
    exchange_end(&x);
}

/* Failures are logged with what one needs to find them again; everything else
 * only for those who look for it. Never bodies, never whole tokens. */
static void exchange_log(const struct exchange *x, int64_t duration_us)
{
    const char *code = x->problem ? problem_row(x->problem)->code : "";
    const char *route = router_pattern_text(x->pattern), *method = method_name(x->head.method);
    int id_length = (int) x->request_id_length;
    if (x->problem == PROBLEM_INTERNAL)
        log_error("request_failed", "request_id=\"%.*s\" method=%s route=%s code=%s", id_length,
                  x->request_id, method, route, code);
    else if (x->problem && x->status >= 500)
        log_warning("request_refused", "request_id=\"%.*s\" method=%s route=%s code=%s", id_length,
                    x->request_id, method, route, code);
    if (!log_enabled(LEVEL_DEBUG))
        return;
    bool has_token = x->route && x->path.count > SEGMENT_TOKEN;
    size_t length = has_token ? x->path.lengths[SEGMENT_TOKEN] : 0;
    log_debug("request",
              "request_id=\"%.*s\" method=%s route=%s token=\"%.*s\" status=%d us=%lld code=%s",
              id_length, x->request_id, method, route, (int) (length < 8 ? length : 8),
              has_token ? x->path.segments[SEGMENT_TOKEN] : "", x->status, (long long) duration_us,
              *code ? code : "none");
}

static void exchange_end(struct exchange *x)
{
    int64_t now = clock_monotonic_us();
    traffic_count(x->pattern, x->head.method, x->status, now - x->started_us);
    if (x->status >= 500 || log_enabled(LEVEL_DEBUG))
        exchange_log(x, now - x->started_us);
    if (x->body_unread)
        body_linger(x);
    worker_tidy(x->worker);
    watch_enter(x->worker->slot, PHASE_IDLE, now);
}

static bool request_id_is_fine(const char *id, size_t *ret_length)
{
    size_t length = 0;
    while (id[length] > ' ' && id[length] <= '~' && length <= REQUEST_ID_MAX)
        length++;
    *ret_length = length;
    return id[length] == 0 && length >= 1 && length <= REQUEST_ID_MAX;
}

static enum problem read_head(struct exchange *x)
{
    enum head_result result = head_read(mg_get_request_info(x->connection), &x->head);
    x->body_unread = x->head.chunked || x->head.content_length > 0;
    x->request_id = x->head.request_id;
    if (!x->request_id || !request_id_is_fine(x->request_id, &x->request_id_length)) {
        x->request_id = worker_draw_request_id(x->worker);
        x->request_id_length = REQUEST_ID_MADE;
    }
    if (result == HEAD_OK)
        return PROBLEM_NONE;
    x->closes = true;
    if (result == HEAD_MALFORMED)
        return PROBLEM_BAD_REQUEST;
    return result == HEAD_TARGET_TOO_LONG ? PROBLEM_URI_TOO_LONG : PROBLEM_HEADERS_TOO_LARGE;
}

static enum problem find_route(struct exchange *x)
{
    const struct mg_request_info *info = mg_get_request_info(x->connection);
    struct buffer *target = &x->worker->target;
    buffer_clear(target);
    buffer_append_text(target, info->local_uri_raw);
    if (info->query_string) {
        buffer_append(target, "?", 1);
        buffer_append_text(target, info->query_string);
    }
    switch (path_split(target->data, target->length, &x->path)) {
    case PATH_OK:
        break;
    case PATH_MALFORMED:
        return PROBLEM_MALFORMED_PATH;
    case PATH_UNKNOWN:
        return PROBLEM_ROUTE_NOT_FOUND;
    }
    x->pattern = router_match(&x->path);
    if (x->pattern == PATTERN_NONE)
        return PROBLEM_ROUTE_NOT_FOUND;
    const struct route *route = router_find(x->pattern, METHOD_GET);
    if (!x->worker->door->operations_only || (route && route->flags & ROUTE_OPERATIONS))
        return PROBLEM_NONE;
    x->pattern = PATTERN_NONE;
    return PROBLEM_ROUTE_NOT_FOUND;
}

static enum problem check_method(struct exchange *x)
{
    if (x->head.method == METHOD_OPTIONS) {
        buffer_append_text(&x->worker->fields, "Allow: ");
        router_write_allow(&x->worker->fields, x->pattern);
        buffer_append_text(&x->worker->fields, "\r\n");
        x->status = 204;
        return PROBLEM_NONE;
    }
    x->route = router_find(x->pattern, x->head.method);
    if (!x->route)
        return PROBLEM_METHOD_NOT_ALLOWED;
    while (x->route->params[x->param_count] != PARAM_END) {
        x->params[x->param_count].name = router_param_name(x->route->params[x->param_count]);
        x->param_count++;
    }
    return PROBLEM_NONE;
}

/* In constant time for keys of the right length. */
static enum problem check_api_key(struct exchange *x)
{
    static const char scheme[] = "Bearer ";
    const char *key = x->worker->front->config->api_key, *given = x->head.authorization;
    if (!*key || !(x->route->flags & ROUTE_NEEDS_KEY))
        return PROBLEM_NONE;
    if (!given || strncasecmp(given, scheme, sizeof scheme - 1) != 0)
        return PROBLEM_UNAUTHORIZED;
    given += strspn(given + sizeof scheme - 1, " ") + sizeof scheme - 1;
    size_t length = strlen(given);
    while (length && (given[length - 1] == ' ' || given[length - 1] == '\t'))
        length--;
    bool same = length == strlen(key) && sodium_memcmp(given, key, length) == 0;
    return same ? PROBLEM_NONE : PROBLEM_UNAUTHORIZED;
}

static enum problem check_open(struct exchange *x)
{
    bool closed = x->route->flags & ROUTE_API && atomic_load(&x->worker->front->draining);
    return closed ? PROBLEM_SHUTTING_DOWN : PROBLEM_NONE;
}

static enum problem check_expectation(struct exchange *x)
{
    return x->head.expects_other ? PROBLEM_EXPECTATION_FAILED : PROBLEM_NONE;
}

static enum problem check_length(struct exchange *x)
{
    bool fits = x->head.content_length <= x->worker->front->config->max_body;
    return fits ? PROBLEM_NONE : PROBLEM_CONTENT_TOO_LARGE;
}

static bool has_wrong_media(const struct exchange *x)
{
    return x->route->flags & ROUTE_READS_BODY &&
           media_read(x->head.content_type, x->head.content_encoding) == MEDIA_OTHER;
}

/* An empty body may call itself what it likes; whether a chunked one is empty
 * is seen later. */
static enum problem check_media(struct exchange *x)
{
    bool wrong = x->head.content_length > 0 && has_wrong_media(x);
    return wrong ? PROBLEM_UNSUPPORTED_MEDIA_TYPE : PROBLEM_NONE;
}

static enum problem read_body(struct exchange *x)
{
    enum problem problem = body_read(x);
    if (!problem && x->head.chunked && x->worker->body.length > 0 && has_wrong_media(x))
        return PROBLEM_UNSUPPORTED_MEDIA_TYPE;
    return problem;
}

static enum problem read_query(struct exchange *x)
{
    if (!x->path.query || x->route->flags & ROUTE_OPERATIONS)
        return PROBLEM_NONE;
    bool read = params_read_form(x->path.query, x->path.query_length, x->params, x->param_count);
    return read ? PROBLEM_NONE : PROBLEM_MALFORMED_QUERY;
}

static bool begins_with_brace(const struct buffer *body)
{
    size_t i = 0;
    while (i < body->length && memchr(" \t\r\n", body->data[i], 4))
        i++;
    return i < body->length && body->data[i] == '{';
}

static enum problem read_parameters(struct exchange *x)
{
    struct buffer *body = &x->worker->body;
    if (!(x->route->flags & ROUTE_READS_BODY) || body->length == 0)
        return PROBLEM_NONE;
    if (media_read(x->head.content_type, x->head.content_encoding) == MEDIA_JSON) {
        bool read = json_read_object(body->data, body->length, x->params, x->param_count) ==
                    JSON_OK;
        return read ? PROBLEM_NONE : PROBLEM_MALFORMED_JSON;
    }
    x->form_looks_like_json = begins_with_brace(body);
    if (!params_read_form(body->data, body->length, x->params, x->param_count))
        return PROBLEM_MALFORMED_FORM;
    return PROBLEM_NONE;
}

static enum problem read_key(struct exchange *x)
{
    const char *value = x->head.idempotency_key;
    if (!value || !(x->route->flags & ROUTE_KEYED))
        return PROBLEM_NONE;
    bool read = x->head.idempotency_key_count == 1 &&
                idempotency_key_read(value, strlen(value), x->worker->key, &x->key_length);
    return read ? PROBLEM_NONE : PROBLEM_INVALID_IDEMPOTENCY_KEY;
}

static enum problem handle(struct exchange *x)
{
    return x->route->handle(x);
}

const struct param *exchange_param(const struct exchange *x, enum param_id id)
{
    size_t i = 0;
    while (x->route->params[i] != id) {
        assert(x->route->params[i] != PARAM_END);
        i++;
    }
    return &x->params[i];
}

static void note_age(struct exchange *x, const struct reply *reply)
{
    switch (reply->behind) {
    case BEHIND_NOT:
        break;
    case BEHIND_SECONDS:
        buffer_printf(&x->worker->fields, "Confab-Behind: %u\r\n", reply->behind_seconds);
        break;
    case BEHIND_UNKNOWN:
        response_field(x, "Confab-Behind", "unknown");
        break;
    }
}

enum problem exchange_ask(struct exchange *x, struct request *request, struct reply *ret_reply)
{
    x->parameter = NULL; /* none of them is at fault any more */
    int64_t deadline_us = x->arrived_us + (int64_t) x->worker->front->config->deadline * 1000;
    status_t status = caller_ask(x->worker->caller, request, deadline_us, ret_reply);
    if (status != OK)
        return problem_of_status(status);
    note_age(x, ret_reply);
    return PROBLEM_NONE;
}
