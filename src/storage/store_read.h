/* SPDX-License-Identifier: MIT */
/* store_read.h - what the query actor asks of the store.
 *
 * Who exists is the journal's to say (journal_look); these calls are for what it
 * said is there. store_find_* are for when the journal cannot be asked. Deleted
 * and half-imported things are never returned. Any call: ERR_STORE.
 */
#ifndef STORAGE_STORE_READ_H
#define STORAGE_STORE_READ_H

#include "common/message.h"
#include "storage/store.h"

/* Called once for each row, in order; the item lives until it returns. */
typedef void store_each_fn(void *context, const struct item *item);

/* ERR_APPLICATION_NOT_FOUND. */
MUST_CHECK status_t store_find_application(store_t *store, const char *token, size_t token_length,
                                           uint64_t *ret_application_id);

/* Calls `each` once, or returns ERR_APPLICATION_NOT_FOUND. */
MUST_CHECK status_t store_application(store_t *store, uint64_t application_id, store_each_fn *each,
                                      void *context);

/* Applications in order (created, token), created at or before `until` (µs),
 * after the application `after` (empty: from the start; a deleted one will do;
 * ERR_CURSOR_NOT_FOUND). *ret_more: there is at least one beyond `limit`. */
MUST_CHECK status_t store_applications(store_t *store, const char *after, size_t after_length,
                                       int64_t until, size_t limit, store_each_fn *each,
                                       void *context, bool *ret_more);

/* Numbers strictly between, in walking order. */
struct range {
    uint64_t after, before; /* before 0: no bound */
    bool descending;
    size_t limit;
};

MUST_CHECK status_t store_chats(store_t *store, uint64_t application_id, const struct range *range,
                                store_each_fn *each, void *context, bool *ret_more);
/* Calls `each` once, or returns ERR_CHAT_NOT_FOUND. */
MUST_CHECK status_t store_chat(store_t *store, uint64_t application_id, uint64_t chat,
                               store_each_fn *each, void *context);

/* Ends early, *ret_more true, when the bodies pass bytes_max. */
MUST_CHECK status_t store_messages(store_t *store, uint64_t application_id, uint64_t chat,
                                   const struct range *range, size_t bytes_max, store_each_fn *each,
                                   void *context, bool *ret_more);
/* Calls `each` once, or returns ERR_MESSAGE_NOT_FOUND. */
MUST_CHECK status_t store_message(store_t *store, uint64_t application_id, uint64_t chat,
                                  uint64_t number, store_each_fn *each, void *context);

#endif
