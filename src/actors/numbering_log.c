/* SPDX-License-Identifier: MIT */
#include "actors/numbering_log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "storage/history.h"
#include "storage/store.h"

/* A producer that was idle for longer may have been forgotten by the journal (it
 * keeps them for a day): it takes a new name, so as not to look like a gap. */
#define PRODUCER_IDLE_US (INT64_C(3600) * 1000 * 1000)
/* While journal and store cannot be compared, who asks hears so at once; they are only
 * asked again after this time, so that no batch waits behind one that waits for them. */
#define CHECK_PAUSE_US (INT64_C(200) * 1000)
enum { RESEND_PAUSE_MS = 20 };

/* Under which name, and with what, this actor appends to a shard. */
struct producer {
    uint64_t epoch;        /* 0: ask the journal */
    uint64_t id, sequence; /* of the next batch */
    int64_t used_us;       /* monotonic */
    struct position own;   /* of the last entry that is known to be its own; seq 0: none */
    bool closed;           /* the log was told that the shard is closed */
};

struct numbering_log {
    const struct config *config;
    journal_t *journal;
    store_t *store;                /* NULL until a check needs it */
    struct producer *producers;    /* one a shard */
    int64_t check_us;              /* no check before that (monotonic) */
    struct batch sent[SHARDS_MAX]; /* those of the batches at hand that have a name */
    struct history_reason reason;  /* of the last check that failed */
    const char *errmsg;            /* about the last failure, if it was not the journal's */
};

status_t numbering_log_open(const struct actor_args *args, numbering_log_t **ret_log)
{
    numbering_log_t *self = (numbering_log_t *) calloc(1, sizeof *self);
    assert(self);
    self->config = args->config;
    self->producers = (struct producer *) calloc(args->config->shards, sizeof *self->producers);
    assert(self->producers);
    self->check_us = INT64_MIN;

    const struct journal_options options = {
        .url = args->config->journal,
        .run = args->run,
        .keys_max = args->config->keys_max,
        .backlog_records_max = args->config->backlog_records,
        .backlog_bytes_max = args->config->backlog_bytes,
    };
    status_t status = journal_open(&options, &self->journal);
    if (status == OK)
        *ret_log = self;
    else
        numbering_log_close(&self);
    return status;
}

void numbering_log_close(numbering_log_t **log_p)
{
    numbering_log_t *self = *log_p;
    if (!self)
        return;
    store_close(&self->store);
    journal_close(&self->journal);
    free(self->producers);
    free(self);
    *log_p = NULL;
}

const char *numbering_log_errmsg(const numbering_log_t *self)
{
    return self->errmsg ? self->errmsg : journal_errmsg(self->journal);
}

static void history_lost(const numbering_log_t *self, unsigned shard)
{
    log_write(LEVEL_ERROR, NULL, "history_lost", "shard=%u reason=\"%s\" do=\"confab rebuild\"",
              shard, self->reason.text);
}

/* ---- names ---- */

/* A new name begins a new sequence, in which it would be no gap that the journal has lost
 * what was appended under the old one. */
static status_t producer_rename(numbering_log_t *self, unsigned shard)
{
    struct producer *producer = &self->producers[shard];
    const struct position *own = &producer->own;
    status_t status = own->seq ? history_own(self->journal, shard, own, &self->reason) : OK;
    if (status == ERR_CLOSED)
        history_lost(self, shard);
    if (status != OK) {
        self->errmsg = self->reason.text;
        return status == ERR_CLOSED ? ERR_CLOSED : ERR_JOURNAL;
    }
    producer->id = journal_random();
    producer->sequence = 1;
    return OK;
}

/* Sees to it that the producer has an epoch and a name. */
static status_t producer_prepare(numbering_log_t *self, unsigned shard)
{
    struct producer *producer = &self->producers[shard];
    int64_t now = clock_monotonic_us();
    if (producer->epoch == 0) {
        struct journal_meta meta;
        bool found;
        status_t status = journal_meta(self->journal, shard, &meta, &found);
        if (status != OK)
            return status;
        if (!found) {
            self->errmsg = "the journal does not hold the shard";
            return ERR_CLOSED;
        }
        producer->epoch = meta.epoch;
    }
    if (producer->id == 0 || now - producer->used_us > PRODUCER_IDLE_US) {
        status_t status = producer_rename(self, shard);
        if (status != OK)
            return status;
    }
    producer->used_us = now;
    return OK;
}

/* Whether this very call surely wrote an entry: deletions of what is deleted do not. */
static bool batch_wrote(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct record_group *group = &batch->groups[i];
        if (group->status == OK && !group->replayed && group->type < RECORD_APPLICATION_DELETED)
            return true;
    }
    return false;
}

/* What the outcome means for the next batch. */
static void producer_settle(struct producer *producer, const struct batch *batch, status_t status)
{
    switch ((int) status) {
    case OK:
        producer->sequence++;
        producer->closed = false;
        break;
    case ERR_OUTCOME_UNKNOWN:
    case ERR_SEQUENCE:
        producer->id = 0;
        break;
    case ERR_EPOCH:
        *producer = (struct producer){.closed = producer->closed};
        break;
    case ERR_CLOSED:
        if (!producer->closed)
            log_write(LEVEL_ERROR, NULL, "shard_closed",
                      "shard=%u reason=\"it takes no writes; reads go on\" do=\"confab rebuild\"",
                      batch->shard);
        producer->closed = true;
        break;
    default:
        break;
    }
}

/* ---- append ---- */

/* The journal began another life: does it still hold what the store and this actor have
 * seen? OK: it takes appends now. */
static status_t shard_check(numbering_log_t *self, unsigned shard)
{
    const struct position *own = &self->producers[shard].own;
    self->errmsg = self->reason.text;
    if (clock_monotonic_us() < self->check_us)
        return ERR_UNCHECKED;
    self->reason.text[0] = 0;
    status_t status = OK;
    if (!self->store)
        status = store_open(self->config->store, false, &self->store);
    if (status != OK)
        snprintf(self->reason.text, sizeof self->reason.text, "%s", store_errmsg(NULL));
    else
        status = history_check(self->journal, self->store, shard, own->seq ? own : NULL,
                               &self->reason);
    if (status == ERR_CLOSED)
        history_lost(self, shard);
    if (status == OK)
        log_info("history_checked", "shard=%u reason=\"the journal began another life\"", shard);
    if (status == OK || status == ERR_CLOSED)
        return status;
    self->check_us = clock_monotonic_us() + CHECK_PAUSE_US;
    return ERR_UNCHECKED;
}

/* Whether trying again cannot help: only the stored reply tells what became of an earlier
 * try, and a shard that is closed or of another epoch will never give it. */
static bool status_is_final(status_t status)
{
    return status == ERR_CLOSED || status == ERR_EPOCH || status == ERR_SEQUENCE;
}

/* The first try was not taken. Without an answer the same batch goes again, under the
 * same sequence, until it is time to give up: then nobody knows what became durable, and
 * a new producer keeps the next batch from being taken for this one. That a later try
 * could not be made says nothing about the first. `unknown`: one had no answer. */
static status_t batch_insist(numbering_log_t *self, struct batch *batch, status_t status,
                             int64_t deadline_us, bool *unknown)
{
    while (status != OK) {
        *unknown |= status == ERR_OUTCOME_UNKNOWN;
        status_t checked = status == ERR_UNCHECKED ? shard_check(self, batch->shard) : status;
        if (checked != OK && !*unknown)
            return checked;
        if (status_is_final(checked) || clock_monotonic_us() >= deadline_us)
            return *unknown ? ERR_OUTCOME_UNKNOWN : status;
        if (checked != OK)
            zclock_sleep(RESEND_PAUSE_MS);
        self->errmsg = NULL;
        status = journal_append(self->journal, batch, 1);
    }
    return OK;
}

/* The first answer is here: what it means, and whether the batch goes again. */
static void batch_settle(numbering_log_t *self, struct batch *batch, int64_t deadline_us)
{
    struct producer *producer = &self->producers[batch->shard];
    bool unknown = false;
    if (batch->status != OK && batch->epoch != 0)
        batch->status = batch_insist(self, batch, batch->status, deadline_us, &unknown);
    /* After an unknown outcome it may be an earlier try's reply, of another moment. */
    if (batch->status == OK && !unknown && batch_wrote(batch))
        producer->own = (struct position){.epoch = batch->epoch,
                                          .seq = batch->last_seq,
                                          .name = {batch->producer, batch->sequence}};
    producer_settle(producer, batch, batch->status);
}

void numbering_log_append(numbering_log_t *self, struct batch batches[], size_t count,
                          const int64_t deadlines_us[])
{
    struct batch *sent = self->sent;
    size_t sent_count = 0;
    self->errmsg = NULL;
    for (size_t i = 0; i < count; i++) {
        struct batch *batch = &batches[i];
        const struct producer *producer = &self->producers[batch->shard];
        batch->status = producer_prepare(self, batch->shard);
        if (batch->status != OK)
            continue;
        batch->epoch = producer->epoch;
        batch->producer = producer->id;
        batch->sequence = producer->sequence;
        sent[sent_count++] = *batch;
    }
    journal_append(self->journal, sent, sent_count);
    for (size_t i = 0, at = 0; i < count; i++)
        if (batches[i].status == OK)
            batches[i] = sent[at++];
    for (size_t i = 0; i < count; i++)
        batch_settle(self, &batches[i], deadlines_us[i]);
}
