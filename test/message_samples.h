/* SPDX-License-Identifier: MIT */
/* message_samples.h - one of each message between actors, nearly every field of it set. */
#ifndef MESSAGE_SAMPLES_H
#define MESSAGE_SAMPLES_H

#include "common/message.h"

static const struct request post = {
    .type = REQUEST_MESSAGE_CREATE,
    .id = UINT64_C(0xFEDCBA9876543210),
    .wait_ms_max = UINT32_MAX,
    .token = "token",
    .token_length = 5,
    .chat = 17,
    .number = UINT64_C(9007199254740991),
    .text = "a\0b",
    .text_length = 3,
    .keyed = true,
    .key = {1, 2, 3, [15] = 16},
    .request_hash = {255, 254, [15] = 240},
};
static const struct request search = {
    .type = REQUEST_SEARCH,
    .id = 1,
    .token = "t",
    .token_length = 1,
    .chat = 2,
    .text = "query",
    .text_length = 5,
    .after = 3,
    .before = UINT64_MAX,
    .limit = 100,
    .descending = true,
    .stale_allowed = true,
};
static const struct reply full_reply = {
    .id = UINT64_MAX,
    .status = ERR_STOPPED,
    .number = 99,
    .time = -1,
    .token = "new-token",
    .token_length = 9,
    .replayed = true,
    .more = true,
    .complete = true,
    .behind = BEHIND_UNKNOWN,
    .behind_seconds = 3600,
    .item_count = 2,
    .items = "anything",
    .items_length = 8,
};
static const struct wake appended = {WAKE_APPENDED, 255, UINT64_MAX, UINT64_C(1) << 60};
static const struct state sick = {
    .store_ok = true,
    .search_none = true,
    .closed = true,
    .pending = UINT64_MAX,
    .store_lag_ms = 1,
    .search_lag_ms = 2,
    .counts_lag_ms = 3,
};
static const struct item hit = {
    .token = "t",
    .token_length = 1,
    .number = 5,
    .text = "body",
    .text_length = 4,
    .count = 6,
    .last = 7,
    .created = INT64_MIN,
    .updated = INT64_MAX,
    .span_count = 2,
    .spans = {{0, 1}, {3, UINT32_MAX}},
};

#endif
