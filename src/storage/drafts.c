/* SPDX-License-Identifier: MIT */
#include "storage/drafts.h"

#include <stdlib.h>

#include "common/text.h"
#include "storage/store_scan.h"

enum { CAPACITY_MIN = 4096 };

struct draft {
    struct document document;
    size_t start; /* of its folded body in `folded`, which may still move */
    bool edited;  /* the body is still to be asked of the store */
};

static size_t grown(size_t capacity)
{
    return capacity ? 2 * capacity : CAPACITY_MIN;
}

static struct draft *draft_add(struct drafts *self, const struct record *record)
{
    if (self->count == self->capacity) {
        self->capacity = grown(self->capacity);
        self->drafts = (struct draft *) realloc(self->drafts,
                                                self->capacity * sizeof *self->drafts);
        self->documents = (struct document *) realloc(self->documents,
                                                      self->capacity * sizeof *self->documents);
        if (!self->drafts || !self->documents)
            abort();
    }
    struct draft *draft = &self->drafts[self->count++];
    *draft = (struct draft){.document = {.application_id = record->application_id,
                                         .chat = record->chat,
                                         .number = record->number,
                                         .seq = record->seq}};
    return draft;
}

static void draft_fold(struct drafts *self, struct draft *draft, const char *body, size_t length)
{
    draft->start = self->folded.length;
    draft->document.folded_length = text_fold_append(&self->folded, body, length);
    draft->document.folded = self->folded.data; /* not NULL */
}

static void purge_add(struct drafts *self, const struct record *record)
{
    if (self->purge_count == self->purge_capacity) {
        self->purge_capacity = grown(self->purge_capacity);
        self->purges = (struct purge *) realloc(self->purges,
                                                self->purge_capacity * sizeof *self->purges);
        if (!self->purges)
            abort();
    }
    self->purges[self->purge_count++] = (struct purge){record->application_id, record->chat,
                                                       record->seq};
}

static void record_draft(struct drafts *self, const struct record *record)
{
    switch (record->type) {
    case RECORD_MESSAGE_CREATED:
    case RECORD_MESSAGE_IMPORTED:
        draft_fold(self, draft_add(self, record), record->text, record->text_length);
        break;
    case RECORD_MESSAGE_EDITED:
        draft_add(self, record)->edited = true;
        break;
    case RECORD_MESSAGE_DELETED:
        draft_add(self, record);
        break;
    case RECORD_CHAT_DELETED:
    case RECORD_APPLICATION_DELETED:
        purge_add(self, record);
        break;
    case RECORD_APPLICATION_CREATED:
    case RECORD_CHAT_CREATED:
    case RECORD_APPLICATION_RENAMED:
    case RECORD_CHAT_RENAMED:
    case RECORD_APPLICATION_IMPORTED:
    case RECORD_CHAT_IMPORTED:
    case RECORD_IMPORT_ENDED:
        break;
    }
}

struct edit {
    struct drafts *drafts;
    struct draft *draft;
};

static void edit_take(void *edit_p, const struct scan_message *message)
{
    struct edit *edit = (struct edit *) edit_p;
    draft_fold(edit->drafts, edit->draft, message->body, message->body_length);
    edit->draft->document.seq = message->seq;
}

/* Edits are rare: a read each. A body that is gone leaves a deletion. */
static status_t drafts_complete(struct drafts *self, store_t *store)
{
    for (size_t i = 0; i < self->count; i++) {
        struct draft *draft = &self->drafts[i];
        struct edit edit = {self, draft};
        if (!draft->edited)
            continue;
        status_t status = store_messages_by_number(store, draft->document.application_id,
                                                   draft->document.chat, &draft->document.number, 1,
                                                   edit_take, &edit);
        if (status != OK)
            return status;
    }
    for (size_t i = 0; i < self->count; i++) {
        self->documents[i] = self->drafts[i].document;
        if (self->documents[i].folded)
            self->documents[i].folded = self->folded.data + self->drafts[i].start;
    }
    return OK;
}

status_t drafts_make(struct drafts *drafts, store_t *store, const struct entries *entries)
{
    drafts->count = drafts->purge_count = 0;
    buffer_clear(&drafts->folded);
    for (size_t i = 0; i < entries->count; i++) {
        struct entry_walk walk;
        struct record record;
        bool more = true;
        status_t status;
        entry_walk_start(&walk, &entries->entry[i]);
        while ((status = entry_next(&walk, &record, &more)) == OK && more)
            record_draft(drafts, &record);
        if (status != OK)
            return status;
    }
    return drafts_complete(drafts, store);
}

void drafts_free(struct drafts *drafts)
{
    buffer_free(&drafts->folded);
    free(drafts->drafts);
    free(drafts->documents);
    free(drafts->purges);
}
