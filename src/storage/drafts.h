/* SPDX-License-Identifier: MIT */
/* drafts.h - what entries of the log say, as documents for the search index.
 *
 * For a creation the body is the log's; for an edit what the store holds now
 * (nothing: a deletion). Chats and applications that were deleted are only listed:
 * their documents are many.
 *
 * One thread per struct. All zeros is empty and ready.
 */
#ifndef STORAGE_DRAFTS_H
#define STORAGE_DRAFTS_H

#include "common/buffer.h"
#include "storage/journal.h"
#include "storage/search.h"
#include "storage/store.h"

struct draft; /* a document under way */

struct drafts {
    struct document *documents; /* borrowed from here until the next drafts_make() */
    size_t count;
    struct purge *purges; /* chats and applications that were deleted */
    size_t purge_count;

    struct draft *drafts;
    size_t capacity, purge_capacity;
    struct buffer folded;
};

/* Makes documents of all records; what was there before is forgotten. ERR_CORRUPT,
 * ERR_STORE. */
MUST_CHECK status_t drafts_make(struct drafts *drafts, store_t *store,
                                const struct entries *entries);
void drafts_free(struct drafts *drafts);

#endif
