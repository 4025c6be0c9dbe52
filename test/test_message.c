/* SPDX-License-Identifier: MIT */
/* test_message.c - what actors say to one another arrives as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "message_samples.h"

static void assert_text(const char *text, size_t length, const char *expected,
                        size_t expected_length)
{
    assert_int_equal(length, expected_length);
    if (length)
        assert_memory_equal(text, expected, length);
}

/* ---- round trips ---- */

static void assert_request(const struct request *request)
{
    struct buffer frame = {0};
    struct request back;
    buffer_append_text(&frame, "what was there is cleared");
    request_encode(&frame, request);
    assert_int_equal(request_decode(frame.data, frame.length, &back), OK);
    assert_int_equal(back.type, request->type);
    assert_int_equal(back.id, request->id);
    assert_int_equal(back.wait_ms_max, request->wait_ms_max);
    assert_text(back.token, back.token_length, request->token, request->token_length);
    assert_int_equal(back.chat, request->chat);
    assert_int_equal(back.number, request->number);
    assert_text(back.text, back.text_length, request->text, request->text_length);
    assert_int_equal(back.keyed, request->keyed);
    assert_memory_equal(back.key, request->key, HASH_LENGTH);
    assert_memory_equal(back.request_hash, request->request_hash, HASH_LENGTH);
    assert_int_equal(back.after, request->after);
    assert_int_equal(back.before, request->before);
    assert_int_equal(back.limit, request->limit);
    assert_int_equal(back.descending, request->descending);
    assert_int_equal(back.stale_allowed, request->stale_allowed);
    buffer_free(&frame);
}

static void requests_arrive_as_they_were(void **state)
{
    (void) state;
    static const struct request nothing = {.type = REQUEST_STATE};
    assert_request(&post);
    assert_request(&search);
    assert_request(&nothing);
    for (int type = 0; type < 256; type++) {
        struct request request = nothing;
        struct buffer frame = {0};
        request.type = (enum request_type) type;
        bool known = (type >= 1 && type <= 9) || (type >= 32 && type <= 39);
        request_encode(&frame, &request);
        assert_int_equal(request_decode(frame.data, frame.length, &request),
                         known ? OK : ERR_MALFORMED);
        buffer_free(&frame);
        if (known)
            assert_request(&request);
    }
}

static void assert_reply(const struct reply *reply)
{
    struct buffer frame = {0};
    struct reply back;
    reply_encode(&frame, reply);
    assert_int_equal(reply_decode(frame.data, frame.length, &back), OK);
    assert_int_equal(back.id, reply->id);
    assert_int_equal(back.status, reply->status);
    assert_int_equal(back.number, reply->number);
    assert_true(back.time == reply->time);
    assert_text(back.token, back.token_length, reply->token, reply->token_length);
    assert_int_equal(back.replayed, reply->replayed);
    assert_int_equal(back.more, reply->more);
    assert_int_equal(back.complete, reply->complete);
    assert_int_equal(back.behind, reply->behind);
    assert_int_equal(back.behind_seconds, reply->behind_seconds);
    assert_int_equal(back.item_count, reply->item_count);
    assert_text(back.items, back.items_length, reply->items, reply->items_length);
    buffer_free(&frame);
}

static void replies_arrive_as_they_were(void **state)
{
    (void) state;
    assert_reply(&full_reply);
    for (status_t status = OK; status <= ERR_STOPPED; status++)
        assert_reply(&(struct reply){.status = status, .id = 1});
    for (int flag = 0; flag < 3; flag++)
        assert_reply(
            &(struct reply){.replayed = flag == 0, .more = flag == 1, .complete = flag == 2});
}

static void wakes_arrive_as_they_were(void **state)
{
    (void) state;
    static const enum wake_topic topics[] = {WAKE_APPENDED, WAKE_PERSISTED};
    struct buffer frame = {0};
    struct wake back;
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        struct wake wake = appended;
        wake.topic = topics[i];
        wake_encode(&frame, &wake);
        assert_int_equal(wake_decode(frame.data, frame.length, &back), OK);
        assert_int_equal(back.topic, wake.topic);
        assert_int_equal(back.shard, wake.shard);
        assert_int_equal(back.epoch, wake.epoch);
        assert_int_equal(back.seq, wake.seq);
    }
    buffer_free(&frame);
}

static void states_arrive_as_they_were(void **state)
{
    (void) state;
    for (unsigned flags = 0; flags < 32; flags++) {
        struct buffer items = {0};
        struct state sent = sick, back;
        sent.journal_ok = flags & 1;
        sent.store_ok = flags & 2;
        sent.search_ok = flags & 4;
        sent.search_none = flags & 8;
        sent.closed = flags & 16;
        state_encode(&items, &sent);
        struct reply reply = {.items = items.data, .items_length = items.length};
        assert_int_equal(state_decode(&reply, &back), OK);
        assert_int_equal(back.journal_ok, sent.journal_ok);
        assert_int_equal(back.store_ok, sent.store_ok);
        assert_int_equal(back.search_ok, sent.search_ok);
        assert_int_equal(back.search_none, sent.search_none);
        assert_int_equal(back.closed, sent.closed);
        assert_int_equal(back.pending, sent.pending);
        assert_int_equal(back.store_lag_ms, 1);
        assert_int_equal(back.search_lag_ms, 2);
        assert_int_equal(back.counts_lag_ms, 3);
        buffer_free(&items);
    }
}

static void items_are_read_one_after_the_other(void **state)
{
    (void) state;
    struct buffer items = {0};
    struct item item;
    struct item most = hit;
    most.span_count = SPANS_MAX;
    item_encode(&items, &hit);
    item_encode(&items, &(struct item){0});
    item_encode(&items, &most);

    struct bytes_reader reader = bytes_reader(items.data, items.length);
    assert_int_equal(item_decode(&reader, &item), OK);
    assert_text(item.token, item.token_length, "t", 1);
    assert_int_equal(item.number, 5);
    assert_text(item.text, item.text_length, "body", 4);
    assert_int_equal(item.count, 6);
    assert_int_equal(item.last, 7);
    assert_true(item.created == INT64_MIN && item.updated == INT64_MAX);
    assert_int_equal(item.span_count, 2);
    assert_int_equal(item.spans[1].start, 3);
    assert_int_equal(item.spans[1].end, UINT32_MAX);
    assert_int_equal(item_decode(&reader, &item), OK);
    assert_int_equal(item.token_length + item.text_length + item.span_count, 0);
    assert_int_equal(item_decode(&reader, &item), OK);
    assert_int_equal(item.span_count, SPANS_MAX);
    assert_true(bytes_finished(&reader));
    assert_int_equal(item_decode(&reader, &item), ERR_MALFORMED);
    buffer_free(&items);
}

/* ---- layouts ---- */

static void assert_bytes(const struct buffer *buffer, const void *expected, size_t length)
{
    assert_int_equal(buffer->length, length);
    assert_memory_equal(buffer->data, expected, length);
}

/* Actors of the same protocol version may be of different builds. */
static void the_layouts_are_frozen(void **state)
{
    (void) state;
    static const uint8_t request[] = {
        1, 'Q', 38,  6,   1,   0,   0,   0,   0,   0,   0,   0,   0, 0, 0, 0, 2,
        0, 0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0, 0, 0, 1, 0,
        0, 0,   't', 5,   0,   0,   0,   'q', 'u', 'e', 'r', 'y', 3, 0, 0, 0, 0,
        0, 0,   0,   255, 255, 255, 255, 255, 255, 255, 255, 100, 0, 0, 0,
    };
    static const uint8_t reply[] = {
        1, 'R', ERR_STOPPED, 7, 255, 255, 255, 255, 255, 255, 255, 255, 99,  0,    0,    0,
        0, 0,   0,           0, 255, 255, 255, 255, 255, 255, 255, 255, 2,   0x10, 0x0E, 0,
        0, 9,   0,           0, 0,   'n', 'e', 'w', '-', 't', 'o', 'k', 'e', 'n',  2,    0,
        0, 0,   8,           0, 0,   0,   'a', 'n', 'y', 't', 'h', 'i', 'n', 'g',
    };
    static const uint8_t wake[] = {
        1, 'W', 'A', 255, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 16,
    };
    static const uint8_t item[] = {
        1,   0,   0,   0, 't', 5, 0, 0, 0,    0,   0,   0,   0,   4,   0,   0,   0,    'b',
        'o', 'd', 'y', 6, 0,   0, 0, 0, 0,    0,   0,   7,   0,   0,   0,   0,   0,    0,
        0,   0,   0,   0, 0,   0, 0, 0, 0x80, 255, 255, 255, 255, 255, 255, 255, 0x7F, 2,
        0,   0,   0,   0, 1,   0, 0, 0, 3,    0,   0,   0,   255, 255, 255, 255,
    };
    struct buffer buffer = {0};
    request_encode(&buffer, &search);
    assert_bytes(&buffer, request, sizeof request);
    reply_encode(&buffer, &full_reply);
    assert_bytes(&buffer, reply, sizeof reply);
    wake_encode(&buffer, &appended);
    assert_bytes(&buffer, wake, sizeof wake);
    buffer_clear(&buffer);
    item_encode(&buffer, &hit);
    assert_bytes(&buffer, item, sizeof item);
    buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_arrive_as_they_were),
        cmocka_unit_test(replies_arrive_as_they_were),
        cmocka_unit_test(wakes_arrive_as_they_were),
        cmocka_unit_test(states_arrive_as_they_were),
        cmocka_unit_test(items_are_read_one_after_the_other),
        cmocka_unit_test(the_layouts_are_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
