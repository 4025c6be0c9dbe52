/* SPDX-License-Identifier: MIT */
#include "commands/import_append.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    GROUP_BYTES = 128, /* of a group without its records, more than enough */
    RECORD_BYTES = 32, /* of a record without its text */
};

/* What waits for one shard's next append. */
struct shard_batch {
    unsigned shard;
    struct record_group groups[BATCH_RECORDS_MAX];
    size_t starts[BATCH_RECORDS_MAX]; /* where a group's bytes are in `bytes` */
    size_t count;
    size_t records, size; /* with those of the open group; size: an upper bound */
    struct buffer bytes;
};

struct import_append {
    data_set_t *data_set;
    appender_t *appender; /* borrowed */
    import_appended_fn *appended;
    void *context;
    struct shard_batch **batches; /* by shard; NULL until needed */

    /* The open group: messages of one chat, not encoded yet. */
    struct shard_batch *batch; /* whose; NULL: there is none */
    const struct import_application *application;
    uint64_t chat;
    struct group_record records[BATCH_RECORDS_MAX];
    size_t starts[BATCH_RECORDS_MAX]; /* of their texts in `texts` */
    size_t count;
    struct buffer texts;
};

import_append_t *import_append_new(data_set_t *data_set, appender_t *appender,
                                   import_appended_fn *appended, void *context)
{
    import_append_t *self = (import_append_t *) calloc(1, sizeof *self);
    assert(self);
    self->data_set = data_set;
    self->appender = appender;
    self->appended = appended;
    self->context = context;
    self->batches = (struct shard_batch **) calloc(data_set->config.shards,
                                                   sizeof(struct shard_batch *));
    assert(self->batches);
    return self;
}

void import_append_destroy(import_append_t **append_p)
{
    import_append_t *self = *append_p;
    if (!self)
        return;
    for (uint64_t i = 0; i < self->data_set->config.shards; i++)
        if (self->batches[i]) {
            buffer_free(&self->batches[i]->bytes);
            free(self->batches[i]);
        }
    free(self->batches);
    buffer_free(&self->texts);
    free(self);
    *append_p = NULL;
}

/* ---- groups ---- */

static void group_add(struct shard_batch *batch, const struct import_application *application,
                      const struct record_group *group, const struct group_record records[])
{
    size_t place = batch->count++;
    assert(place < BATCH_RECORDS_MAX);
    batch->starts[place] = batch->bytes.length;
    group_encode(&batch->bytes, group->type, application->token, application->token_length,
                 group->chat, records, group->count);
    struct record_group *added = &batch->groups[place];
    *added = *group;
    added->token = application->token;
    added->token_length = application->token_length;
    added->length = batch->bytes.length - batch->starts[place];
}

static void group_close(import_append_t *self)
{
    if (!self->batch)
        return;
    for (size_t i = 0; i < self->count; i++)
        self->records[i].text = self->texts.data + self->starts[i];
    const struct record_group group = {
        .type = RECORD_MESSAGE_IMPORTED,
        .chat = self->chat,
        .number = self->records[0].number,
        .number_last = self->records[self->count - 1].number,
        .count = (uint32_t) self->count,
    };
    group_add(self->batch, self->application, &group, self->records);
    self->batch = NULL;
    self->count = 0;
    buffer_clear(&self->texts);
}

/* ---- append ---- */

static struct shard_batch *batch_open(import_append_t *self, unsigned shard)
{
    struct shard_batch **batch = &self->batches[shard];
    if (!*batch) {
        *batch = (struct shard_batch *) calloc(1, sizeof **batch);
        assert(*batch);
        (*batch)->shard = shard;
    }
    return *batch;
}

/* The order of an append is that of the types; within one it stays as it is. */
static void batch_sort(struct shard_batch *batch, struct record_group ordered[])
{
    size_t count = 0;
    for (int type = RECORD_APPLICATION_IMPORTED; type <= RECORD_IMPORT_ENDED; type++)
        for (size_t i = 0; i < batch->count; i++)
            if ((int) batch->groups[i].type == type) {
                ordered[count] = batch->groups[i];
                ordered[count++].bytes = batch->bytes.data + batch->starts[i];
            }
    assert(count == batch->count);
}

static status_t batch_append(import_append_t *self, struct shard_batch *batch)
{
    static struct record_group ordered[BATCH_RECORDS_MAX];
    batch_sort(batch, ordered);
    status_t status = appender_append(self->appender, batch->shard, ordered, batch->count);
    if (status != OK)
        return status;
    for (size_t i = 0; status == OK && i < batch->count; i++)
        status = ordered[i].status;
    if (status != OK)
        log_error("import_append", "shard=%u status=%s reason=\"%s\"", batch->shard,
                  status_name(status), status_text(status));
    return status;
}

static status_t batch_flush(import_append_t *self, struct shard_batch *batch)
{
    if (self->batch == batch)
        group_close(self);
    if (!batch || batch->count == 0)
        return OK;
    status_t status = batch_append(self, batch);
    if (status != OK)
        return status;
    batch->count = batch->records = batch->size = 0;
    buffer_clear(&batch->bytes);
    return self->appended(self->context, batch->shard);
}

/* ---- add ---- */

/* Makes room for one more record, in a group of its own if need be. */
static status_t batch_reserve(import_append_t *self, const struct import_application *application,
                              size_t text_length, struct shard_batch **ret_batch)
{
    unsigned shard = token_shard(application->token, application->token_length,
                                 (unsigned) self->data_set->config.shards);
    size_t size = GROUP_BYTES + RECORD_BYTES + text_length;
    struct shard_batch *batch = batch_open(self, shard);
    status_t status = OK;
    if (batch->records == BATCH_RECORDS_MAX || batch->size + size > BATCH_BYTES_MAX)
        status = batch_flush(self, batch);
    if (status == OK) {
        batch->records++;
        batch->size += size;
        *ret_batch = batch;
    }
    return status;
}

static void message_add(import_append_t *self, struct shard_batch *batch,
                        const struct import_application *application,
                        const struct transfer *transfer)
{
    if (self->batch != batch || self->application != application || self->chat != transfer->chat) {
        group_close(self);
        self->batch = batch;
        self->application = application;
        self->chat = transfer->chat;
    }
    self->starts[self->count] = self->texts.length;
    buffer_append(&self->texts, transfer->text, transfer->text_length);
    self->records[self->count++] = (struct group_record){
        .text_length = transfer->text_length,
        .number = transfer->message,
        .created = transfer->created,
        .updated = transfer->updated,
    };
}

static void parent_add(import_append_t *self, struct shard_batch *batch,
                       const struct import_application *application,
                       const struct transfer *transfer)
{
    bool chat = transfer->type == TRANSFER_CHAT;
    const struct record_group group = {
        .type = chat ? RECORD_CHAT_IMPORTED : RECORD_APPLICATION_IMPORTED,
        .chat = transfer->chat,
        .number = transfer->last,
        .count = 1,
    };
    const struct group_record record = {
        .text = transfer->text,
        .text_length = transfer->text_length,
        .number = transfer->last,
        .created = transfer->created,
        .updated = transfer->updated,
    };
    group_close(self);
    group_add(batch, application, &group, &record);
}

status_t import_append_add(import_append_t *self, const struct import_application *application,
                           const struct transfer *transfer)
{
    struct shard_batch *batch;
    status_t status = batch_reserve(self, application, transfer->text_length, &batch);
    if (status != OK)
        return status;
    if (transfer->type == TRANSFER_MESSAGE)
        message_add(self, batch, application, transfer);
    else
        parent_add(self, batch, application, transfer);
    return OK;
}

/* ---- end ---- */

static status_t all_flush(import_append_t *self)
{
    status_t status = OK;
    for (uint64_t i = 0; status == OK && i < self->data_set->config.shards; i++)
        status = batch_flush(self, self->batches[i]);
    return status;
}

status_t import_append_end(import_append_t *self, struct import_application *const applications[],
                           size_t count)
{
    status_t status = all_flush(self);
    for (size_t i = 0; status == OK && i < count; i++) {
        struct shard_batch *batch;
        const struct record_group group = {
            .type = RECORD_IMPORT_ENDED, .number = applications[i]->last, .count = 1};
        const struct group_record record = {.text = "", .number = applications[i]->last};
        status = batch_reserve(self, applications[i], 0, &batch);
        if (status == OK)
            group_add(batch, applications[i], &group, &record);
    }
    return status == OK ? all_flush(self) : status;
}
