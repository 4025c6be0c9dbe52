/* SPDX-License-Identifier: MIT */
#include "http/head.h"

#include <string.h>
#include <strings.h>

static const char *const method_names[METHOD_COUNT] = {
    [METHOD_GET] = "GET",         [METHOD_HEAD] = "HEAD",   [METHOD_POST] = "POST",
    [METHOD_PUT] = "PUT",         [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE",
    [METHOD_OPTIONS] = "OPTIONS", [METHOD_OTHER] = "other",
};

const char *method_name(enum method method)
{
    return method_names[method];
}

static enum method method_read(const char *text)
{
    for (int i = 0; i < METHOD_OTHER; i++)
        if (strcmp(text, method_names[i]) == 0)
            return (enum method) i;
    return METHOD_OTHER;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

bool head_list_has(const char *list, const char *token)
{
    size_t length = strlen(token);
    while (*list) {
        while (blank(*list) || *list == ',')
            list++;
        size_t word = strcspn(list, ",= \t");
        if (word == length && strncasecmp(list, token, length) == 0)
            return true;
        list += strcspn(list, ",");
    }
    return false;
}

/* Digits only, blanks behind them aside. Too large for 64 bits: UINT64_MAX. */
static bool content_length_read(const char *text, uint64_t *ret_length)
{
    uint64_t length = 0;
    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        uint64_t digit = (uint64_t) (*text - '0');
        length = length > (UINT64_MAX - digit) / 10 ? UINT64_MAX : length * 10 + digit;
    }
    while (blank(*text))
        text++;
    *ret_length = length;
    return *text == 0;
}

/* What was counted while walking over the fields. */
struct census {
    unsigned lengths, encodings, hosts;
    const char *connection;
    bool trailer, malformed;
};

static bool is(const char *name, const char *wanted)
{
    return strcasecmp(name, wanted) == 0;
}

/* Sorted by length first: most fields are not for us. */
static void field_read(const char *name, size_t name_length, const char *value, struct head *head,
                       struct census *census)
{
    switch (name_length) {
    case 4:
        census->hosts += is(name, "Host");
        break;
    case 6:
        if (is(name, "Expect")) {
            bool usual = strcasecmp(value, "100-continue") == 0;
            head->expects_continue |= usual;
            head->expects_other |= !usual;
        }
        break;
    case 7:
        census->trailer |= is(name, "Trailer");
        break;
    case 10:
        if (is(name, "Connection") && !census->connection)
            census->connection = value;
        break;
    case 12:
        if (is(name, "Content-Type") && !head->content_type)
            head->content_type = value;
        else if (is(name, "X-Request-Id") && !head->request_id)
            head->request_id = value;
        break;
    case 13:
        if (is(name, "Authorization") && !head->authorization)
            head->authorization = value;
        else if (is(name, "Cache-Control"))
            head->stale_allowed |= head_list_has(value, "max-stale");
        break;
    case 14:
        if (is(name, "Content-Length")) {
            census->lengths++;
            head->has_length = true;
            census->malformed |= !content_length_read(value, &head->content_length);
        }
        break;
    case 15:
        if (is(name, "Idempotency-Key") && head->idempotency_key_count++ == 0)
            head->idempotency_key = value;
        break;
    case 16:
        if (is(name, "Content-Encoding") && !head->content_encoding)
            head->content_encoding = value;
        break;
    case 17:
        if (is(name, "Transfer-Encoding")) {
            census->encodings++;
            head->chunked = strcasecmp(value, "chunked") == 0;
            census->malformed |= !head->chunked;
        }
        break;
    default:
        break;
    }
}

/* civetweb puts NULs where a name, a value and a line end. A blank before the
 * colon leaves a second one behind the name. */
static bool name_is_tight(const char *name, size_t name_length, const char *value)
{
    return value == name + name_length + 1 || name[name_length + 1] != 0;
}

/* True if the last line, whose CR is now the NUL at `end`, is the end of the head:
 * civetweb silently stops at a line that it cannot read as a field (a folded one,
 * or one that begins with a colon), and what it left out may have been a
 * Content-Length. Behind a request line it puts NULs over all that is blank. */
static bool head_ends_at(const char *end, bool request_line)
{
    return end[1] == 0 && end[2] == (request_line ? 0 : '\r') && end[3] == 0;
}

static bool keep_alive(const char *connection, bool old_protocol)
{
    if (!connection)
        return !old_protocol;
    return head_list_has(connection, "keep-alive") && !head_list_has(connection, "close") &&
           !head_list_has(connection, "upgrade");
}

static enum head_result size_judge(const struct mg_request_info *info, const char *end)
{
    size_t size = (size_t) (end - info->request_method);
    if (size <= HEAD_BYTES_MAX && info->num_headers < MG_MAX_HEADERS)
        return HEAD_OK;
    size_t target = (size_t) (info->http_version - info->request_uri);
    return target > TARGET_BYTES_MAX ? HEAD_TARGET_TOO_LONG : HEAD_FIELDS_TOO_LARGE;
}

enum head_result head_read(const struct mg_request_info *info, struct head *ret_head)
{
    struct head head = {
        .method = method_read(info->request_method),
        .old_protocol = strcmp(info->http_version, "1.0") == 0,
    };
    struct census census = {0};
    bool whole = true;
    const char *end = info->http_version + strlen(info->http_version);
    for (int i = 0; i < info->num_headers; i++) {
        const struct mg_header *field = &info->http_headers[i];
        size_t name_length = strlen(field->name);
        whole &= field->name == end + 2; /* CR LF and nothing else */
        whole &= name_is_tight(field->name, name_length, field->value);
        field_read(field->name, name_length, field->value, &head, &census);
        end = field->value + strlen(field->value);
    }
    head.keep_alive = keep_alive(census.connection, head.old_protocol) && !census.trailer;
    if (head.method == METHOD_POST || head.method == METHOD_PUT || head.method == METHOD_PATCH)
        head.keep_alive &= head.has_length || head.chunked;
    *ret_head = head;

    enum head_result result = size_judge(info, end);
    if (result != HEAD_OK)
        return result;
    whole &= head_ends_at(end, info->num_headers == 0);
    if (!whole || census.malformed || census.lengths > 1 || census.encodings > 1 ||
        census.hosts > 1 || (head.chunked && (head.has_length || head.old_protocol)))
        return HEAD_MALFORMED;
    return HEAD_OK;
}
