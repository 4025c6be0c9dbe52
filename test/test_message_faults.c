/* SPDX-License-Identifier: MIT */
/* test_message_faults.c - whatever bytes arrive, an actor gets a message or a refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "message_samples.h"

/* A copy of exact size, so that reading past the end is noticed. */
static char *copy_of(const struct buffer *buffer, size_t length)
{
    char *copy = malloc(length ? length : 1);
    assert_non_null(copy);
    memcpy(copy, buffer->data, length);
    return copy;
}

enum { KINDS = 6 };

/* One message of each kind, as it is sent. */
static void encode(int kind, struct buffer *ret_buffer)
{
    buffer_clear(ret_buffer);
    switch (kind) {
    case 0:
        request_encode(ret_buffer, &post);
        break;
    case 1:
        request_encode(ret_buffer, &search);
        break;
    case 2:
        reply_encode(ret_buffer, &full_reply);
        break;
    case 3:
        wake_encode(ret_buffer, &appended);
        break;
    case 4:
        state_encode(ret_buffer, &sick);
        break;
    default:
        item_encode(ret_buffer, &hit);
    }
}

static void assert_within(const char *text, size_t text_length, const char *data, size_t length)
{
    if (text_length)
        assert_true(text >= data && text + text_length <= data + length);
}

/* What a decoder of that kind says; of what it takes, all that might hurt is
 * looked at, and of what it refuses nothing may have been handed out. */
static status_t decode(int kind, const char *data, size_t length)
{
    struct request request = {.type = REQUEST_STATE};
    struct reply reply = {.items = data, .items_length = length};
    struct wake wake;
    struct state state;
    struct item item = {.span_count = 77};
    struct bytes_reader reader = bytes_reader(data, length);
    status_t status;
    switch (kind) {
    case 0:
    case 1:
        status = request_decode(data, length, &request);
        assert_within(request.token, request.token_length, data, length);
        assert_within(request.text, request.text_length, data, length);
        assert_true(status == OK || request.type == REQUEST_STATE);
        return status;
    case 2:
        status = reply_decode(data, length, &reply);
        assert_within(reply.token, reply.token_length, data, length);
        assert_within(reply.items, reply.items_length, data, length);
        assert_true(reply.status <= ERR_STOPPED && reply.behind <= BEHIND_UNKNOWN);
        assert_true(status == OK || reply.items == data);
        return status;
    case 3:
        return wake_decode(data, length, &wake);
    case 4:
        return state_decode(&reply, &state);
    default:
        status = item_decode(&reader, &item);
        assert_true(status == OK ? item.span_count <= SPANS_MAX : item.span_count == 77);
        if (status == OK) {
            assert_within(item.token, item.token_length, data, length);
            assert_within(item.text, item.text_length, data, length);
        }
        return status;
    }
}

static void every_truncation_is_refused(void **state)
{
    (void) state;
    struct buffer buffer = {0};
    for (int kind = 0; kind < KINDS; kind++) {
        encode(kind, &buffer);
        for (size_t length = 0; length <= buffer.length; length++) {
            char *copy = copy_of(&buffer, length);
            assert_int_equal(decode(kind, copy, length),
                             length == buffer.length ? OK : ERR_MALFORMED);
            free(copy);
        }
    }
    buffer_free(&buffer);
}

static void what_is_too_long_is_refused(void **state)
{
    (void) state;
    struct buffer buffer = {0};
    for (int kind = 0; kind < KINDS - 1; kind++) { /* items follow one another */
        encode(kind, &buffer);
        buffer_append(&buffer, "", 1);
        assert_int_equal(decode(kind, buffer.data, buffer.length), ERR_MALFORMED);
    }
    buffer_free(&buffer);
}

static void every_changed_byte_is_refused_or_harmless(void **state)
{
    (void) state;
    struct buffer buffer = {0};
    for (int kind = 0; kind < KINDS; kind++) {
        encode(kind, &buffer);
        char *copy = copy_of(&buffer, buffer.length);
        for (size_t at = 0; at < buffer.length; at++) {
            for (int change = 1; change < 256; change++) {
                copy[at] = (char) (buffer.data[at] ^ change);
                status_t status = decode(kind, copy, buffer.length);
                assert_true(status == OK || status == ERR_MALFORMED);
                if (kind < 4 && at < 2) /* version and kind */
                    assert_int_equal(status, ERR_MALFORMED);
            }
            copy[at] = buffer.data[at];
        }
        free(copy);
    }
    buffer_free(&buffer);
}

static void one_kind_is_not_taken_for_another(void **state)
{
    (void) state;
    static const int frames[] = {1, 2, 3};
    struct buffer buffer = {0};
    for (size_t sent = 0; sent < 3; sent++) {
        encode(frames[sent], &buffer);
        for (size_t expected = 0; expected < 3; expected++)
            assert_int_equal(decode(frames[expected], buffer.data, buffer.length),
                             sent == expected ? OK : ERR_MALFORMED);
    }
    buffer_free(&buffer);
}

static void a_status_that_this_build_does_not_know_is_refused(void **state)
{
    (void) state;
    struct buffer buffer = {0};
    struct reply reply;
    for (int status = 0; status < 256; status++) {
        reply_encode(&buffer, &full_reply);
        buffer.data[2] = (char) status;
        assert_int_equal(reply_decode(buffer.data, buffer.length, &reply),
                         status <= ERR_STOPPED ? OK : ERR_MALFORMED);
    }
    buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(every_changed_byte_is_refused_or_harmless),
        cmocka_unit_test(one_kind_is_not_taken_for_another),
        cmocka_unit_test(a_status_that_this_build_does_not_know_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
