/* SPDX-License-Identifier: MIT */
#include "http/response.h"

#include <assert.h>
#include <string.h>

#include "common/clock.h"
#include "http/json_writer.h"

enum {
    HEAD_USUAL_MAX = 512,     /* all that put_head() writes but the fields */
    HEAD_ROOM = 640,          /* most heads fit into it */
    LONG_REPLY_BYTES = 65536, /* above it the client's reading is watched */
};

static const struct {
    int status;
    const char *reason;
    const char *line;
    size_t line_length;
} statuses[] = {
#define STATUS_LINE(status, reason) "HTTP/1.1 " #status " " reason "\r\n"
#define STATUS_ROW(status, reason) \
    {status, reason, STATUS_LINE(status, reason), sizeof STATUS_LINE(status, reason) - 1},
    HTTP_STATUS_LIST(STATUS_ROW)
#undef STATUS_ROW
#undef STATUS_LINE
};

static const char json_type[] = "application/json; charset=utf-8";
static const char problem_type[] = "application/problem+json";

enum http_status_index http_status_index(int status)
{
    int i = 0;
    while (i < STATUS_INDEX_COUNT && statuses[i].status != status)
        i++;
    assert(i < STATUS_INDEX_COUNT);
    return (enum http_status_index) i;
}

int http_status_code(enum http_status_index index)
{
    return statuses[index].status;
}

const char *http_status_reason(int status)
{
    return statuses[http_status_index(status)].reason;
}

void response_start(struct exchange *x)
{
    struct buffer *out = &x->worker->out;
    buffer_clear(&x->worker->fields);
    buffer_clear(out);
    buffer_reserve(out, HEAD_ROOM + 256);
    out->length = HEAD_ROOM;
    x->content_type = json_type;
}

struct buffer *response_body(struct exchange *x)
{
    return &x->worker->out;
}

void response_field(struct exchange *x, const char *name, const char *value)
{
    struct buffer *fields = &x->worker->fields;
    buffer_append_text(fields, name);
    buffer_append(fields, ": ", 2);
    buffer_append_text(fields, value);
    buffer_append(fields, "\r\n", 2);
}

static void write_member(struct buffer *body, const char *name, const char *text, size_t length)
{
    buffer_append_text(body, ",\"");
    buffer_append_text(body, name);
    buffer_append_text(body, "\":");
    json_write_string(body, text, length);
}

static void problem_fields(struct exchange *x, enum problem problem)
{
    if (problem_is_passing(problem))
        response_field(x, "Retry-After", "1");
    if (problem == PROBLEM_UNAUTHORIZED)
        response_field(x, "WWW-Authenticate", "Bearer");
    if (problem == PROBLEM_UNSUPPORTED_MEDIA_TYPE) {
        static const char types[] = "application/json, application/x-www-form-urlencoded";
        response_field(x, "Accept-Post", types);
        response_field(x, "Accept", types);
    }
    if (problem == PROBLEM_METHOD_NOT_ALLOWED) {
        buffer_append_text(&x->worker->fields, "Allow: ");
        router_write_allow(&x->worker->fields, x->pattern);
        buffer_append_text(&x->worker->fields, "\r\n");
    }
}

/* Says what is most likely wrong when `curl -d` was given JSON. */
static const char *problem_detail(const struct exchange *x, enum problem problem)
{
    bool about_parameters = problem == PROBLEM_MESSAGE_BODY_MISSING ||
                            problem == PROBLEM_NAME_MISSING || problem == PROBLEM_MALFORMED_FORM;
    if (x->form_looks_like_json && about_parameters)
        return "the body looks like JSON but Content-Type is application/x-www-form-urlencoded";
    return problem_row(problem)->detail;
}

void response_problem(struct exchange *x, enum problem problem)
{
    const struct problem_row *row = problem_row(problem);
    const char *detail = problem_detail(x, problem);
    const char *title = http_status_reason(row->status);
    response_start(x);
    x->status = row->status;
    x->problem = problem;
    x->content_type = problem_type;
    problem_fields(x, problem);

    struct buffer *body = response_body(x);
    buffer_append_text(body, "{\"type\":\"about:blank\"");
    write_member(body, "title", title, strlen(title));
    buffer_append_text(body, ",\"status\":");
    json_write_number(body, (uint64_t) row->status);
    write_member(body, "code", row->code, strlen(row->code));
    write_member(body, "detail", detail, strlen(detail));
    write_member(body, "message", detail, strlen(detail));
    if (problem == PROBLEM_MESSAGE_BODY_MISSING)
        write_member(body, "error", detail, strlen(detail));
    if (x->parameter)
        write_member(body, "parameter", x->parameter, strlen(x->parameter));
    write_member(body, "request_id", x->request_id, x->request_id_length);
    buffer_append(body, "}", 1);
}

static char *put(char *to, const char *text, size_t length)
{
    memcpy(to, text, length);
    return to + length;
}

#define PUT_LITERAL(to, text) put(to, text, sizeof text - 1)

static char *put_number(char *to, size_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char) ('0' + number % 10);
        number /= 10;
    } while (number);
    return put(to, digits + at, sizeof digits - at);
}

/* Writes the head, in at most HEAD_USUAL_MAX bytes and those of the fields. */
static size_t put_head(struct exchange *x, char *start, size_t body_length)
{
    enum http_status_index index = http_status_index(x->status);
    const struct buffer *fields = &x->worker->fields;
    char *to = put(start, statuses[index].line, statuses[index].line_length);
    to = put(to, worker_date_line(x->worker), DATE_LINE);
    if (x->status != 204) {
        to = PUT_LITERAL(to, "Content-Type: ");
        to = put(to, x->content_type, strlen(x->content_type));
        to = PUT_LITERAL(to, "\r\nContent-Length: ");
        to = put_number(to, body_length);
        to = PUT_LITERAL(to, "\r\n");
    }
    to = PUT_LITERAL(to, "X-Request-Id: ");
    to = put(to, x->request_id, x->request_id_length);
    if (x->closes)
        to = PUT_LITERAL(to, "\r\nConnection: close\r\n");
    else if (x->head.old_protocol)
        to = PUT_LITERAL(to, "\r\nConnection: keep-alive\r\n");
    else
        to = PUT_LITERAL(to, "\r\n");
    if (fields->length)
        to = put(to, fields->data, fields->length);
    return (size_t) (PUT_LITERAL(to, "\r\n") - start);
}

static void write_watched(struct exchange *x, const char *data, size_t length)
{
    if (length <= LONG_REPLY_BYTES) {
        mg_write(x->connection, data, length);
        return;
    }
    /* Its reader may be slow: what it was made from is not kept for so long. */
    caller_tidy(x->worker->caller);
    watch_enter(x->worker->slot, PHASE_REPLY, clock_monotonic_us());
    mg_write(x->connection, data, length);
    x->closes |= watch_enter(x->worker->slot, PHASE_BUSY, x->started_us);
}

void response_send(struct exchange *x)
{
    struct buffer *out = &x->worker->out;
    size_t body_length = out->length - HEAD_ROOM;
    x->closes |= !x->head.keep_alive || x->body_unread ||
                 atomic_load_explicit(&x->worker->front->draining, memory_order_relaxed) ||
                 watch_yield(x->worker->front->watch);

    /* The head is made behind the body, since only then its length is known,
     * and moved before it. */
    char *head = buffer_reserve(out, HEAD_USUAL_MAX + x->worker->fields.length);
    size_t head_length = put_head(x, head, body_length);
    char *body = out->data + HEAD_ROOM;
    if (x->head.method == METHOD_HEAD || x->status == 204)
        body_length = 0;
    if (head_length <= HEAD_ROOM) {
        memcpy(body - head_length, head, head_length);
        write_watched(x, body - head_length, head_length + body_length);
    } else {
        mg_write(x->connection, head, head_length);
        write_watched(x, body, body_length);
    }
    if (x->closes)
        mg_disable_connection_keep_alive(x->connection);
}
