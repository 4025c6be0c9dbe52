/* SPDX-License-Identifier: MIT */
#include "http/answer.h"

#include "http/json_writer.h"
#include "http/keyed.h"
#include "http/link.h"
#include "http/response.h"

#define APPEND(buffer, text) buffer_append(buffer, text, sizeof text - 1)

enum problem answer_done(struct exchange *x, struct request *request)
{
    struct reply reply;
    enum problem problem = exchange_ask(x, request, &reply);
    if (!problem)
        x->status = 204;
    return problem;
}

enum problem answer_one(struct exchange *x, struct request *request, object_writer *writer)
{
    struct reply reply;
    enum problem problem = exchange_ask(x, request, &reply);
    if (!problem)
        problem = problem_of_status(object_write_one(response_body(x), request, &reply, writer));
    if (!problem)
        x->status = 200;
    return problem;
}

enum problem answer_page(struct exchange *x, struct request *request, object_writer *writer)
{
    struct reply reply;
    struct item last;
    enum problem problem = exchange_ask(x, request, &reply);
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

void answer_created(struct exchange *x, const struct request *request, const struct reply *reply)
{
    struct buffer *fields = &x->worker->fields;
    bool application = request->type == REQUEST_APPLICATION_CREATE;
    APPEND(fields, "Location: /api/v1/applications/");
    if (application)
        buffer_append(fields, reply->token, reply->token_length);
    else
        buffer_append(fields, request->token, request->token_length);
    if (!application)
        APPEND(fields, "/chats/");
    if (request->type == REQUEST_MESSAGE_CREATE) {
        json_write_number(fields, request->chat);
        APPEND(fields, "/messages/");
    }
    if (!application)
        json_write_number(fields, reply->number);
    APPEND(fields, "\r\n");
    if (reply->replayed)
        response_field(x, "Idempotent-Replayed", "true");
    x->status = 201;
}

enum problem answer_numbered(struct exchange *x, struct request *request)
{
    struct buffer *body = response_body(x);
    struct reply reply;
    keyed_apply(x, request);
    enum problem problem = exchange_ask(x, request, &reply);
    if (problem)
        return problem;
    if (request->type == REQUEST_MESSAGE_CREATE)
        APPEND(body, "{\"message_number\":");
    else
        APPEND(body, "{\"chat_number\":");
    json_write_number(body, reply.number);
    APPEND(body, "}");
    answer_created(x, request, &reply);
    return PROBLEM_NONE;
}
