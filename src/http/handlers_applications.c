/* SPDX-License-Identifier: MIT */
#include "http/answer.h"
#include "http/handlers.h"
#include "http/input.h"
#include "http/keyed.h"
#include "http/response.h"

enum problem list_applications(struct exchange *x)
{
    struct request request = {.type = REQUEST_APPLICATIONS, .token = ""};
    enum problem problem = input_application_page(x, &request);
    if (!problem)
        problem = answer_page(x, &request, object_write_application);
    if (problem == PROBLEM_INVALID_CURSOR)
        x->parameter = router_param_name(PARAM_AFTER);
    return problem;
}

/* The answer is the application as it was created, also if it was renamed or
 * deleted since and this is a repetition. */
enum problem create_application(struct exchange *x)
{
    char token[TOKEN_ISSUED];
    struct request request = {.type = REQUEST_APPLICATION_CREATE, .token = ""};
    struct reply reply;
    enum problem problem = input_application_name(x, &request);
    if (problem)
        return problem;
    keyed_apply(x, &request);
    keyed_draw_token(&request, (unsigned) x->worker->front->config->shards, token);
    request.token = token;
    request.token_length = sizeof token;
    problem = exchange_ask(x, &request, &reply);
    if (problem)
        return problem;
    const struct item item = {
        .token = reply.token,
        .token_length = reply.token_length,
        .text = request.text,
        .text_length = request.text_length,
        .created = reply.time,
        .updated = reply.time,
    };
    object_write_application(response_body(x), &item);
    answer_created(x, &request, &reply);
    return PROBLEM_NONE;
}

enum problem get_application(struct exchange *x)
{
    struct request request = {
        .type = REQUEST_APPLICATION, .text = "", .stale_allowed = x->head.stale_allowed};
    enum problem problem = input_application(x, &request);
    return problem ? problem : answer_one(x, &request, object_write_application);
}

enum problem rename_application(struct exchange *x)
{
    struct request request = {.type = REQUEST_APPLICATION_RENAME};
    enum problem problem = input_application_name(x, &request);
    if (!problem)
        problem = input_application(x, &request);
    return problem ? problem : answer_done(x, &request);
}

enum problem delete_application(struct exchange *x)
{
    struct request request = {.type = REQUEST_APPLICATION_DELETE, .text = ""};
    enum problem problem = input_application(x, &request);
    return problem ? problem : answer_done(x, &request);
}
