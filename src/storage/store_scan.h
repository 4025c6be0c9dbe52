/* SPDX-License-Identifier: MIT */
/* store_scan.h - walks over the whole store, for indexing, rebuild, export and verify.
 *
 * Walks are keyset loops of bounded statements; between store_snapshot_begin()
 * and store_snapshot_end() they all see one state.
 */
#ifndef STORAGE_STORE_SCAN_H
#define STORAGE_STORE_SCAN_H

#include "storage/store.h"

MUST_CHECK status_t store_snapshot_begin(store_t *store);
void store_snapshot_end(store_t *store);

struct scan_application {
    uint64_t id;
    const char *token, *name;
    size_t token_length, name_length;
    uint64_t chats_count, last_chat; /* as stored */
    uint64_t chats_deleted;          /* tally */
    int64_t created, updated;
    bool deleted, importing;
};
struct scan_chat {
    uint64_t application_id, number;
    const char *name;
    size_t name_length;
    uint64_t messages_count, last_message, messages_deleted;
    int64_t created, updated;
    bool deleted;
};
struct scan_message {
    uint64_t application_id, chat, number, seq;
    const char *body;
    size_t body_length;
    int64_t created, updated;
};

/* Each calls back for up to `limit` rows after the cursor, in the order of the
 * primary key, advances the cursor, and says whether there may be more. A zeroed
 * cursor starts; `application_id` and `chat` not 0 in `within` confine it. */
struct scan {
    unsigned shard, shards;                   /* only applications of this shard; shards 1: all */
    uint64_t within_application, within_chat; /* 0: everything */
    uint64_t application_id, chat, number;    /* the cursor */
    size_t limit;
};

MUST_CHECK status_t store_scan_applications(store_t *store, struct scan *scan,
                                            void (*each)(void *, const struct scan_application *),
                                            void *context, bool *ret_more);
MUST_CHECK status_t store_scan_chats(store_t *store, struct scan *scan,
                                     void (*each)(void *, const struct scan_chat *), void *context,
                                     bool *ret_more);
MUST_CHECK status_t store_scan_messages(store_t *store, struct scan *scan,
                                        void (*each)(void *, const struct scan_message *),
                                        void *context, bool *ret_more);

/* The bodies and seqs of given messages as they are now; those gone are left
 * out. Numbers ascending; `each` in that order. */
MUST_CHECK status_t store_messages_by_number(store_t *store, uint64_t application_id, uint64_t chat,
                                             const uint64_t numbers[], size_t count,
                                             void (*each)(void *, const struct scan_message *),
                                             void *context);

/* The highest chat number of an application, or message number of a chat, that
 * the store has ever had: the greater of stored last and highest row. */
MUST_CHECK status_t store_last_chat(store_t *store, uint64_t application_id, uint64_t *ret_last);
MUST_CHECK status_t store_last_message(store_t *store, uint64_t application_id, uint64_t chat,
                                       uint64_t *ret_last);

/* Finds what should never be: each fault is one line of English that names the
 * application by the first 8 characters of its token. Gap or repeat in a
 * numbering, wrong counts, last below the maximum, orphans, dead records.
 * `counts` false leaves out the counts (a server is counting just now). */
MUST_CHECK status_t store_verify(store_t *store, bool counts,
                                 void (*fault)(void *context, const char *line), void *context);

#endif
