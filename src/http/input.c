/* SPDX-License-Identifier: MIT */
#include "http/input.h"

#include <string.h>

#include "common/text.h"

/* No text may hold a NUL, and none is anything but a string. */
static enum problem text_check(struct exchange *x, const struct param *param)
{
    if (param->type == PARAM_ABSENT)
        return PROBLEM_NONE;
    x->parameter = param->name;
    if (param->type == PARAM_OTHER)
        return PROBLEM_INVALID_TYPE;
    return memchr(param->text, 0, param->length) ? PROBLEM_INVALID_TEXT : PROBLEM_NONE;
}

static void text_take(struct request *request, const struct param *param)
{
    request->text = param->type == PARAM_TEXT ? param->text : "";
    request->text_length = param->type == PARAM_TEXT ? param->length : 0;
}

/* A text that must be there, and not be blank. */
static enum problem required_text(struct exchange *x, enum param_id id, enum problem missing,
                                  struct request *request)
{
    const struct param *param = exchange_param(x, id);
    x->parameter = param->name;
    if (param->type == PARAM_ABSENT ||
        (param->type == PARAM_TEXT && text_blank(param->text, param->length)))
        return missing;
    text_take(request, param);
    return text_check(x, param);
}

static bool longer_than(const struct request *request, size_t characters)
{
    return request->text_length > characters &&
           text_code_points(request->text, request->text_length) > characters;
}

enum problem input_application_name(struct exchange *x, struct request *request)
{
    enum problem problem = required_text(x, PARAM_NAME, PROBLEM_NAME_MISSING, request);
    if (!problem && longer_than(request, NAME_CHARACTERS_MAX))
        return PROBLEM_NAME_TOO_LONG;
    return problem;
}

enum problem input_chat_name(struct exchange *x, struct request *request, bool *ret_given)
{
    const struct param *param = exchange_param(x, PARAM_NAME);
    enum problem problem = text_check(x, param);
    text_take(request, param);
    *ret_given = param->type != PARAM_ABSENT;
    if (!problem && longer_than(request, NAME_CHARACTERS_MAX))
        return PROBLEM_NAME_TOO_LONG;
    return problem;
}

enum problem input_message_body(struct exchange *x, struct request *request)
{
    enum problem problem = required_text(x, PARAM_MESSAGE_BODY, PROBLEM_MESSAGE_BODY_MISSING,
                                         request);
    if (!problem && request->text_length > BODY_BYTES_MAX)
        return PROBLEM_MESSAGE_BODY_TOO_LONG;
    return problem;
}

enum problem input_query(struct exchange *x, struct request *request)
{
    enum problem problem = required_text(x, PARAM_QUERY, PROBLEM_QUERY_MISSING, request);
    if (!problem && longer_than(request, QUERY_CHARACTERS_MAX))
        return PROBLEM_QUERY_TOO_LONG;
    return problem;
}

/* A number within its bounds; absent: the standard. */
static enum problem number_input(struct exchange *x, enum param_id id, uint64_t minimum,
                                 uint64_t maximum, uint64_t standard, uint64_t *ret_number)
{
    const struct param *param = exchange_param(x, id);
    *ret_number = standard;
    if (param->type == PARAM_ABSENT)
        return PROBLEM_NONE;
    x->parameter = param->name;
    return params_read_number(param, minimum, maximum, ret_number) ? PROBLEM_NONE
                                                                   : PROBLEM_INVALID_PARAMETER;
}

static bool param_is(const struct param *param, const char *text)
{
    return param->length == strlen(text) && memcmp(param->text, text, param->length) == 0;
}

static enum problem order_input(struct exchange *x, bool *descending)
{
    const struct param *param = exchange_param(x, PARAM_ORDER);
    if (param->type == PARAM_ABSENT)
        return PROBLEM_NONE;
    x->parameter = param->name;
    if (!param_is(param, "asc") && !param_is(param, "desc"))
        return PROBLEM_INVALID_PARAMETER;
    *descending = param_is(param, "desc");
    return PROBLEM_NONE;
}

enum problem input_application_page(struct exchange *x, struct request *request)
{
    uint64_t limit;
    enum problem problem = number_input(x, PARAM_LIMIT, 1, LIST_LIMIT_MAX, LIST_LIMIT, &limit);
    if (problem)
        return problem;
    request->limit = (uint32_t) limit;
    request->stale_allowed = x->head.stale_allowed;
    const struct param *after = exchange_param(x, PARAM_AFTER);
    text_take(request, after);
    if (after->type == PARAM_ABSENT || token_valid(after->text, after->length))
        return PROBLEM_NONE;
    x->parameter = after->name;
    return PROBLEM_INVALID_CURSOR;
}

enum problem input_page(struct exchange *x, struct request *request, unsigned limit,
                        unsigned limit_max, bool descending)
{
    uint64_t limit_given;
    enum problem problem = number_input(x, PARAM_LIMIT, 1, limit_max, limit, &limit_given);
    if (!problem)
        problem = number_input(x, PARAM_AFTER, 0, PATH_NUMBER_MAX, 0, &request->after);
    if (!problem)
        problem = number_input(x, PARAM_BEFORE, 0, PATH_NUMBER_MAX, 0, &request->before);
    if (!problem)
        problem = order_input(x, &descending);
    if (problem)
        return problem;
    /* In a request 0 stands for no bound. Nothing is before 1 either. */
    if (request->before == 0 && exchange_param(x, PARAM_BEFORE)->type != PARAM_ABSENT)
        request->before = 1;
    request->limit = (uint32_t) limit_given;
    request->descending = descending;
    request->stale_allowed = x->head.stale_allowed;
    return PROBLEM_NONE;
}

enum problem input_application(struct exchange *x, struct request *request)
{
    const char *token = x->path.segments[SEGMENT_TOKEN];
    size_t length = x->path.lengths[SEGMENT_TOKEN];
    x->parameter = NULL;
    if (!token_valid(token, length))
        return PROBLEM_APPLICATION_NOT_FOUND;
    request->token = token;
    request->token_length = length;
    return PROBLEM_NONE;
}

/* `own` is what does not exist, unless something above it does not. */
static enum problem nothing_there(struct exchange *x, enum request_type type,
                                  const struct request *request, enum problem own)
{
    struct request above = {
        .type = type,
        .token = request->token,
        .token_length = request->token_length,
        .chat = request->chat,
        .text = "",
        .stale_allowed = true,
    };
    struct reply reply;
    enum problem problem = exchange_ask(x, &above, &reply);
    bool missing = problem == PROBLEM_APPLICATION_NOT_FOUND || problem == PROBLEM_CHAT_NOT_FOUND;
    return missing ? problem : own;
}

enum problem input_chat(struct exchange *x, struct request *request)
{
    enum problem problem = input_application(x, request);
    if (problem ||
        path_number(x->path.segments[SEGMENT_CHAT], x->path.lengths[SEGMENT_CHAT], &request->chat))
        return problem;
    return nothing_there(x, REQUEST_APPLICATION, request, PROBLEM_CHAT_NOT_FOUND);
}

enum problem input_message(struct exchange *x, struct request *request)
{
    enum problem problem = input_chat(x, request);
    if (problem || path_number(x->path.segments[SEGMENT_MESSAGE], x->path.lengths[SEGMENT_MESSAGE],
                               &request->number))
        return problem;
    return nothing_there(x, REQUEST_CHAT, request, PROBLEM_MESSAGE_NOT_FOUND);
}
