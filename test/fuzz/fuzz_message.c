/* SPDX-License-Identifier: MIT */
/* fuzz_message.c - frames between actors, from another host or an older build.
 *
 * Every decoder gets the same bytes: at most one takes them for its kind. What
 * decodes must encode to the same bytes again, but for flags that are not known.
 */
#include "common/message.h"
#include "fuzz.h"

enum { FLAGS_AT = 3, FLAGS_KNOWN = 7 };

static void check_within(const char *text, size_t text_length, const char *data, size_t length)
{
    if (text_length)
        FUZZ_CHECK(text >= data && text_length <= length && text + text_length <= data + length);
}

static void check_same(const struct buffer *again, const char *data, size_t length, size_t flags_at,
                       unsigned flags_known)
{
    FUZZ_CHECK(again->length == length);
    for (size_t i = 0; i < length; i++) {
        unsigned known = i == flags_at ? flags_known : 0xFF;
        FUZZ_CHECK(((unsigned char) data[i] & known) == (unsigned char) again->data[i]);
    }
}

static bool check_request(const char *data, size_t length)
{
    struct request request;
    struct buffer again = {0};
    if (request_decode(data, length, &request) != OK)
        return false;
    check_within(request.token, request.token_length, data, length);
    check_within(request.text, request.text_length, data, length);
    request_encode(&again, &request);
    check_same(&again, data, length, FLAGS_AT, FLAGS_KNOWN);
    buffer_free(&again);
    return true;
}

/* Items, and whatever else may be taken for them, up to the first bad one. */
static void check_items(const char *data, size_t length)
{
    struct bytes_reader reader = bytes_reader(data, length);
    struct buffer again = {0};
    struct item item;
    while (!bytes_finished(&reader) && item_decode(&reader, &item) == OK) {
        FUZZ_CHECK(item.span_count <= SPANS_MAX);
        check_within(item.token, item.token_length, data, length);
        check_within(item.text, item.text_length, data, length);
        item_encode(&again, &item);
        FUZZ_CHECK(again.length <= length && memcmp(again.data, data, again.length) == 0);
        FUZZ_CHECK((const char *) reader.at == data + again.length);
    }
    buffer_free(&again);
}

static void check_state(const char *data, size_t length)
{
    const struct reply reply = {.items = data, .items_length = length};
    struct state state;
    struct buffer again = {0};
    if (state_decode(&reply, &state) != OK)
        return;
    state_encode(&again, &state);
    check_same(&again, data, length, 0, 0x1F);
    buffer_free(&again);
}

static bool check_reply(const char *data, size_t length)
{
    struct reply reply;
    struct buffer again = {0};
    if (reply_decode(data, length, &reply) != OK)
        return false;
    FUZZ_CHECK(reply.status <= ERR_STOPPED && reply.behind <= BEHIND_UNKNOWN);
    check_within(reply.token, reply.token_length, data, length);
    check_within(reply.items, reply.items_length, data, length);
    check_items(reply.items, reply.items_length);
    check_state(reply.items, reply.items_length);
    reply_encode(&again, &reply);
    check_same(&again, data, length, FLAGS_AT, FLAGS_KNOWN);
    buffer_free(&again);
    return true;
}

static bool check_wake(const char *data, size_t length)
{
    struct wake wake;
    struct buffer again = {0};
    if (wake_decode(data, length, &wake) != OK)
        return false;
    wake_encode(&again, &wake);
    check_same(&again, data, length, length, 0);
    buffer_free(&again);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(data, size);
    int taken = check_request(copy, size) + check_reply(copy, size) + check_wake(copy, size);
    FUZZ_CHECK(taken <= 1);
    check_items(copy, size);
    check_state(copy, size);
    free(copy);
    return 0;
}
