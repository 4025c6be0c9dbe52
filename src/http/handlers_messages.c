/* SPDX-License-Identifier: MIT */
#include "http/handlers.h"
#include "http/input.h"
#include "http/json_writer.h"
#include "http/keyed.h"
#include "http/link.h"
#include "http/objects.h"
#include "http/response.h"

#define APPEND(buffer, text) buffer_append(buffer, text, sizeof text - 1)

static enum problem answer_page(struct exchange *x, struct request *request, object_writer *writer)
{
    struct reply reply;
    struct item last;
    enum problem problem = input_chat(x, request);
    if (!problem)
        problem = exchange_ask(x, request, &reply);
    if (!problem)
        problem = problem_of_status(
            object_write_list(response_body(x), request, &reply, writer, &last));
    if (problem)
        return problem;
    link_write(x, &last, reply.more, request->descending);
    if (request->type == REQUEST_SEARCH)
        response_field(x, "Confab-Search-Complete", reply.complete ? "true" : "false");
    x->status = 200;
    return PROBLEM_NONE;
}

enum problem list_messages(struct exchange *x)
{
    struct request request = {.type = REQUEST_MESSAGES, .text = ""};
    enum problem problem = input_page(x, &request, LIST_LIMIT, LIST_LIMIT_MAX, false);
    return problem ? problem : answer_page(x, &request, object_write_message);
}

enum problem search_messages(struct exchange *x)
{
    struct request request = {.type = REQUEST_SEARCH};
    enum problem problem = input_query(x, &request);
    if (!problem)
        problem = input_page(x, &request, SEARCH_LIMIT, SEARCH_LIMIT_MAX, true);
    return problem ? problem : answer_page(x, &request, object_write_hit);
}

static void answer_created(struct exchange *x, const struct request *request,
                           const struct reply *reply)
{
    struct buffer *body = response_body(x), *fields = &x->worker->fields;
    APPEND(body, "{\"message_number\":");
    json_write_number(body, reply->number);
    APPEND(body, "}");

    APPEND(fields, "Location: /api/v1/applications/");
    buffer_append(fields, request->token, request->token_length);
    APPEND(fields, "/chats/");
    json_write_number(fields, request->chat);
    APPEND(fields, "/messages/");
    json_write_number(fields, reply->number);
    APPEND(fields, "\r\n");
    if (reply->replayed)
        response_field(x, "Idempotent-Replayed", "true");
    x->status = 201;
}

enum problem create_message(struct exchange *x)
{
    struct request request = {.type = REQUEST_MESSAGE_CREATE};
    struct reply reply;
    enum problem problem = input_message_body(x, &request);
    if (!problem)
        problem = input_chat(x, &request);
    if (problem)
        return problem;
    keyed_apply(x, &request);
    problem = exchange_ask(x, &request, &reply);
    if (problem)
        return problem;
    answer_created(x, &request, &reply);
    return PROBLEM_NONE;
}

enum problem get_message(struct exchange *x)
{
    struct request request = {
        .type = REQUEST_MESSAGE, .text = "", .stale_allowed = x->head.stale_allowed};
    struct reply reply;
    enum problem problem = input_message(x, &request);
    if (!problem)
        problem = exchange_ask(x, &request, &reply);
    if (!problem)
        problem = problem_of_status(
            object_write_one(response_body(x), &request, &reply, object_write_message));
    if (!problem)
        x->status = 200;
    return problem;
}

/* Whether a message lives is known to the store only, so it is asked first. The
 * log's order decides between this and a deletion at the same time. */
enum problem edit_message(struct exchange *x)
{
    struct request request = {.type = REQUEST_MESSAGE_EDIT};
    struct request lookup = {.type = REQUEST_MESSAGE, .text = ""};
    struct reply reply;
    enum problem problem = input_message_body(x, &request);
    if (!problem)
        problem = input_message(x, &lookup);
    if (!problem)
        problem = exchange_ask(x, &lookup, &reply);
    if (problem)
        return problem;
    request.token = lookup.token;
    request.token_length = lookup.token_length;
    request.chat = lookup.chat;
    request.number = lookup.number;
    problem = exchange_ask(x, &request, &reply);
    if (!problem)
        x->status = 204;
    return problem;
}

enum problem delete_message(struct exchange *x)
{
    struct request request = {.type = REQUEST_MESSAGE_DELETE, .text = ""};
    struct reply reply;
    enum problem problem = input_message(x, &request);
    if (!problem)
        problem = exchange_ask(x, &request, &reply);
    if (!problem)
        x->status = 204;
    return problem;
}
